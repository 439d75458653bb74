//! The whole picture of one conflict: every record that holds the value, what it agreed on last, and what happened.

use super::as_json;
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, Table, table};
use serde_json::{Value as Json, json};
use tandem_api::look::{Asked, asked};
use tandem_api::{Masks, words};
use tandem_ledger::Store;
use tandem_merge::cluster::Anchor;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::plan::Event;
use tandem_merge::topology::{self, Component};
use tandem_merge::value::Value;

/// Lines of history shown of each record.
const LINES: usize = 10;
/// Lines of history read at a time.
const PAGE: usize = 1_000;

/// Shows a conflict by its number.
pub(super) fn show(
    number: u64,
    flows: &Dataflow,
    store: &mut dyn Store,
    masks: &Masks,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let found = asked(store, flows, None, usize::MAX)?;
    let Some(asked) = found.into_iter().find(|asked| asked.item.number == number) else {
        return Err(Failure::usage(
            format!("no conflict waits under the number {number} any more, or another one than was shown"),
            "`tandem conflicts` lists those that wait now",
        ));
    };
    let components = topology::components(flows, &asked.cluster, true);
    let component = components.iter().find(|component| {
        let mut nodes = component.nodes.iter();
        nodes.any(|node| node.at == asked.question.anchor)
    });
    let events = events(store, &asked, component)?;
    let policy = component.map(|component| words::policy(flows, component.policy()));
    screen.json(&whole_json(&asked, component, policy.as_deref(), &events, masks));
    screen.result(format!("Conflict {number}: {}", words::about(&asked.item)));
    if let Some(policy) = policy {
        screen.result(format!("Policy: {policy}. Asked since {:.0}.", asked.item.since));
    }
    screen.result(members(&asked, component, masks));
    let mut happened = table(["when", "record", "what", "why"]);
    for event in &events {
        happened.add_row([
            format!("{:.3}", event.at),
            event.record.to_string(),
            words::what(event, masks),
            event.why.clone(),
        ]);
    }
    screen.result(happened);
    screen.say(format!(
        "Answer with `tandem resolve {number} --record RECORD`, `--head` or `--value VALUE`"
    ));
    Ok(Exit::Waits)
}

/// Every member of the component, contending or not.
fn members(asked: &Asked, component: Option<&Component<'_>>, masks: &Masks) -> Table {
    let mut shown = table(["record", "property", "holds", "agreed on", "edited", "by", ""]);
    for at in anchors(component) {
        let Some(record) = asked.cluster.records.get(&at.record) else {
            continue;
        };
        let mut contenders = asked.question.contenders.iter();
        let contender =
            contenders.find(|one| one.record.as_ref() == Some(&at.record) && one.property == at.property);
        let show = |value: &Value| masks.show(&at.record.record_type, &at.property, value);
        let base = record.bases.get(&at.property).map(|base| show(&base.value));
        shown.add_row([
            at.record.to_string(),
            at.property.clone(),
            show(&topology::own_value(&asked.cluster, &at)),
            base.unwrap_or_else(|| "nothing yet".to_owned()),
            contender.map(words::when).unwrap_or_default(),
            contender.and_then(|one| one.author.clone()).unwrap_or_default(),
            contender.map_or("no edit of its own", |_| "contends").to_owned(),
        ]);
    }
    if let Some(head) = asked.question.contenders.iter().find(|one| one.record.is_none()) {
        shown.add_row([
            "the value known so far".to_owned(),
            head.property.clone(),
            asked.shown(head, &head.value, masks),
            String::new(),
            words::when(head),
            String::new(),
            "contends".to_owned(),
        ]);
    }
    shown
}

fn anchors(component: Option<&Component<'_>>) -> Vec<Anchor> {
    let nodes = component.into_iter().flat_map(|component| &component.nodes);
    nodes.map(|node| node.at.clone()).collect()
}

/// What happened last to the property in each record.
fn events(
    store: &mut dyn Store,
    asked: &Asked,
    component: Option<&Component<'_>>,
) -> Result<Vec<Event>, Failure> {
    let mut all: Vec<(u64, Event)> = Vec::new();
    let mut places = anchors(component);
    if places.is_empty() {
        places.push(asked.question.anchor.clone());
    }
    for at in places {
        let (mut after, mut mine) = (0, Vec::new());
        loop {
            let page = store.history(Some(&at.record), after, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            mine.extend(page.into_iter().filter(|(_, event)| {
                event
                    .property
                    .as_ref()
                    .is_none_or(|property| property == &at.property)
            }));
            mine.drain(..mine.len().saturating_sub(LINES));
        }
        all.extend(mine);
    }
    all.sort_by_key(|(number, _)| *number);
    all.dedup_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, event)| event).collect())
}

fn whole_json(
    asked: &Asked,
    component: Option<&Component<'_>>,
    policy: Option<&str>,
    events: &[Event],
    masks: &Masks,
) -> Json {
    let mut shown = as_json(asked, masks);
    let members = anchors(component).into_iter().filter_map(|at| {
        let record = asked.cluster.records.get(&at.record)?;
        let show = |value: &Value| masks.show(&at.record.record_type, &at.property, value);
        Some(json!({
            "record": at.record.to_string(),
            "property": at.property,
            "value": show(&topology::own_value(&asked.cluster, &at)),
            "base": record.bases.get(&at.property).map(|base| show(&base.value)),
        }))
    });
    shown["members"] = members.collect::<Vec<_>>().into();
    shown["policy"] = policy.into();
    let lines = events.iter().map(|event| {
        json!({
            "at": event.at,
            "record": event.record.to_string(),
            "what": words::what(event, masks),
            "why": event.why,
        })
    });
    shown["history"] = lines.collect::<Vec<_>>().into();
    shown
}
