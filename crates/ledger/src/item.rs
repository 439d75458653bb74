//! What waits for people, read off a record: the rows behind lists and counts.

use crate::contract::Item;
use std::collections::BTreeMap;
use tandem_merge::cluster::{Link, Parked, ParkedKind, Question, Record};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::{RecordKey, RecordType};
use tandem_merge::value::Value;

/// An item without its number, with the place that makes it the same item later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    /// Where on the record: flow, property, role or question. One item at a place.
    pub(crate) slot: String,
    /// The flow that counts it.
    pub(crate) area: String,
    /// The item; number 0.
    pub(crate) item: Item,
}

/// The text by which items of a kind are counted; questions have one of their own.
pub(crate) fn kind_text(kind: Option<ParkedKind>) -> &'static str {
    match kind {
        None => "question",
        Some(ParkedKind::Approval) => "approval",
        Some(ParkedKind::DeleteConflict) => "delete-conflict",
        Some(ParkedKind::Deferred) => "deferred",
        Some(ParkedKind::NotCreated | ParkedKind::StandIn) => "not-created",
        Some(_) => "parked",
    }
}

/// The kinds of items that wait for a person's word; none is a conflict.
pub(crate) const ASKED: [Option<ParkedKind>; 3] =
    [None, Some(ParkedKind::Approval), Some(ParkedKind::DeleteConflict)];

/// Whether items of a kind wait for a person's word.
pub(crate) fn asks(kind: Option<ParkedKind>) -> bool {
    ASKED.contains(&kind)
}

/// Everything on a record that waits, in the order of its places.
pub(crate) fn of_record(
    flows: &Dataflow,
    key: &RecordKey,
    record: Option<&Record>,
    questions: &[Question],
    links: &[Link],
) -> Vec<Standing> {
    let mut all = BTreeMap::new();
    let mut stand = |slot: String, area: String, item: Item| {
        all.insert(slot.clone(), Standing { slot, area, item });
    };
    let area = |property: &str| area_of(flows, key, property, links);
    if let Some(record) = record {
        for (flow, parked) in &record.held {
            let item = Item {
                flow: Some(flow.clone()),
                ..parked_item(key, parked)
            };
            stand(format!("f:{flow}"), flow.clone(), item);
        }
        // What a create was refused for is told once, although it was tried without the value too.
        let told = |parked: &Parked| {
            let mut held = record.held.values();
            parked.by.is_some() && held.any(|held| held.by == parked.by && held.reason == parked.reason)
        };
        for (property, parked) in record.parked.iter().filter(|(_, parked)| !told(parked)) {
            let item = Item {
                property: Some(property.clone()),
                ..parked_item(key, parked)
            };
            stand(format!("p:{property}"), area(property), item);
        }
        for (role, companion) in &record.companions {
            if let Some(parked) = &companion.parked {
                let item = Item {
                    role: Some(role.clone()),
                    ..parked_item(key, parked)
                };
                stand(
                    format!("c:{role}"),
                    companion_area(flows, role, &key.record_type),
                    item,
                );
            }
        }
    }
    for question in questions.iter().filter(|question| question.answer.is_none()) {
        let property = &question.anchor.property;
        // Other contenders are another question, asked at another moment: an answer to what was shown before must
        // not hit them.
        let asked = question.since.as_nanosecond();
        stand(
            format!("q:{property}:{asked}"),
            area(property),
            question_item(key, question),
        );
    }
    all.into_values().collect()
}

fn parked_item(key: &RecordKey, parked: &Parked) -> Item {
    Item {
        number: 0,
        record: key.clone(),
        flow: None,
        property: None,
        role: None,
        kind: Some(parked.kind),
        reason: parked.reason.clone(),
        advice: parked.advice.clone(),
        since: parked.since,
        by: parked.by.clone(),
        contenders: Vec::new(),
        ignored: None,
        area: String::new(),
    }
}

fn question_item(key: &RecordKey, question: &Question) -> Item {
    let contenders = question.contenders.iter().map(|contender| {
        let name = contender.record.as_ref().map_or_else(
            || "the value known so far".to_owned(),
            |record| format!("{record} {}", contender.property),
        );
        (name, contender.value.clone())
    });
    Item {
        number: 0,
        record: key.clone(),
        flow: None,
        property: Some(question.anchor.property.clone()),
        role: None,
        kind: None,
        reason: match &question.first {
            None => "the systems hold different values".to_owned(),
            Some(_) => "the systems held different values when they were linked".to_owned(),
        },
        advice: match &question.first {
            None => "say which one holds, or give another".to_owned(),
            Some(flow) => format!(
                "say which one holds, or give another; `tandem approve {flow}` lets the flow's policy decide all of them"
            ),
        },
        since: question.since,
        by: None,
        contenders: contenders.collect::<Vec<(String, Value)>>(),
        ignored: None,
        area: String::new(),
    }
}

/// The flow that counts trouble of a property: one of the record's links that maps it, else the first flow
/// of its type that does.
fn area_of(flows: &Dataflow, key: &RecordKey, property: &str, links: &[Link]) -> String {
    let linked = |flow: &str, side: Side| {
        let mut of = links.iter();
        of.any(|link| link.flow == flow && link.end(side) == key)
    };
    let mut found = None;
    for (flow, side) in flows.flows_of(&key.record_type) {
        let maps = flow
            .mappings
            .iter()
            .any(|mapping| mapping.property(side) == property);
        let rating = (linked(&flow.name, side), maps);
        if found.is_none_or(|(best, _)| rating > best) {
            found = Some((rating, &flow.name));
        }
    }
    found.map(|(_, name)| name.clone()).unwrap_or_default()
}

fn companion_area(flows: &Dataflow, role: &str, owner: &RecordType) -> String {
    let mut all = flows.flows.iter();
    let found = all.find(|flow| {
        let mut rules = flow.companions.iter();
        rules.any(|rule| rule.role == role && &rule.owner == owner)
    });
    found.map(|flow| flow.name.clone()).unwrap_or_default()
}
