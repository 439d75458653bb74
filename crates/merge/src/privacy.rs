//! Personal values stay out of reasons: what a system says of a refused write may repeat what it was given, or what
//! it holds already.

use crate::cluster::{Action, Cluster, Intent};
use crate::dataflow::{CompanionValue, Dataflow, Reference, Side};
use crate::facts::{Facts, Referent};
use crate::masking::Hidden;
use crate::reconcile::Settlement;
use crate::record::{RecordKey, RecordType};
use crate::value::Value;
use std::collections::BTreeSet;

/// What stands for a personal value.
pub use crate::masking::MASK;

/// Whether a property holds a person's own values.
#[must_use]
pub fn is_personal(flows: &Dataflow, of: &RecordType, property: &str) -> bool {
    personal(flows).contains(&(of.clone(), property.to_owned()))
}

/// All properties that hold a person's own values: those marked, whether or not the bindings in use serve them, what is
/// computed out of them, and what companions are given of them.
#[must_use]
pub fn personal(flows: &Dataflow) -> BTreeSet<(RecordType, String)> {
    let mut found = BTreeSet::new();
    for flow in &flows.flows {
        let marked = flow.mappings.iter().filter(|mapping| mapping.personal);
        let marked =
            marked.flat_map(|mapping| Side::BOTH.map(|side| (side, mapping.property(side).to_owned())));
        let unserved = flow.unserved.iter().filter(|row| row.personal);
        let unserved = unserved.map(|row| (Side::First, row.first.clone()));
        let all = marked.chain(unserved);
        found.extend(all.map(|(side, property)| (flow.end(side).record_type.clone(), property)));
    }
    let computed = flows.flows.iter().flat_map(|flow| &flow.ends).flat_map(|end| {
        let of = &end.record_type;
        let takes = |input: &str| found.contains(&(of.clone(), input.to_owned()));
        let computed = end.computed.iter();
        let computed: Vec<_> = computed
            .filter(|(_, computation)| computation.inputs().any(takes))
            .map(|(name, _)| (of.clone(), name.clone()))
            .collect();
        computed
    });
    found.extend(computed.collect::<Vec<_>>());
    let rules = flows.flows.iter().flat_map(|flow| &flow.companions);
    let given = rules.flat_map(|rule| {
        let marked = |name: &String| found.contains(&(rule.owner.clone(), name.clone()));
        let takes = |from: &CompanionValue| match from {
            CompanionValue::Property(name) => marked(name),
            CompanionValue::FirstOf(names, _) => names.iter().any(marked),
            CompanionValue::Constant(_)
            | CompanionValue::Companion { .. }
            | CompanionValue::Linked { .. } => false,
        };
        let values = rule.values.iter().filter(|(_, from)| takes(from));
        let values: Vec<_> = values
            .map(|(property, _)| (rule.record_type.clone(), property.clone()))
            .collect();
        values
    });
    found.extend(given.collect::<Vec<_>>());
    found
}

/// The records that references lead to, on both sides: a system's words about a record may tell values of those.
#[must_use]
pub fn referred(flows: &Dataflow, facts: &Facts) -> BTreeSet<RecordKey> {
    let key = |through: &Reference, side: Side, id: &str| {
        let record_type = match through {
            Reference::Flow(name) => flows.flow(name)?.end(side).record_type.clone(),
            Reference::Companion { of, .. } if side == Side::First => of.clone(),
            // What a companion holds it was given by its owner.
            Reference::Companion { .. } => return None,
        };
        let id = id.to_owned();
        Some(RecordKey { record_type, id })
    };
    let mut found = BTreeSet::new();
    for (asked, answer) in &facts.referrals {
        found.extend(key(&asked.through, asked.side, &asked.id));
        if let Referent::Linked(other) = answer {
            found.extend(key(&asked.through, asked.side.other(), other));
        }
    }
    found
}

/// A settlement without the personal values of a cluster and of a write of it in what its system says.
pub(crate) fn scrubbed(
    flows: &Dataflow,
    cluster: &Cluster,
    intent: &Intent,
    settlement: Settlement,
) -> Settlement {
    if !matches!(settlement, Settlement::Refused { .. }) {
        return settlement;
    }
    let personal = personal(flows);
    let mut hidden = Hidden::default();
    let target = match &intent.action {
        Action::Create { target, .. } | Action::Companion { target, .. } => target,
        Action::Update { record } | Action::Delete { record } => &record.record_type,
    };
    let planned = intent.values.iter().map(|(name, planned)| (name, &planned.value));
    for (property, value) in planned.chain(&intent.before) {
        if personal.contains(&(target.clone(), property.clone())) {
            hidden.add(value);
        }
    }
    hide_records(&personal, cluster, &mut hidden);
    masked(settlement, &hidden)
}

/// What a system says of a record, without the personal values of its cluster.
#[must_use]
pub fn scrubbed_words(flows: &Dataflow, cluster: &Cluster, words: &str) -> String {
    let mut hidden = Hidden::default();
    hide_records(&personal(flows), cluster, &mut hidden);
    hidden.masked(words)
}

/// A settlement whose words tell no personal value of these clusters' records.
#[must_use]
pub fn scrubbed_of<'a>(
    flows: &Dataflow,
    clusters: impl IntoIterator<Item = &'a Cluster>,
    settlement: Settlement,
) -> Settlement {
    let personal = personal(flows);
    let mut hidden = Hidden::default();
    for cluster in clusters {
        hide_records(&personal, cluster, &mut hidden);
    }
    masked(settlement, &hidden)
}

/// Hides what the records of a cluster hold, and held when they were last agreed on.
fn hide_records(personal: &BTreeSet<(RecordType, String)>, cluster: &Cluster, hidden: &mut Hidden) {
    for (key, record) in &cluster.records {
        let bases = record.bases.iter().map(|(name, base)| (name, &base.value));
        for (property, value) in record.shadow.values.iter().chain(bases) {
            if personal.contains(&(key.record_type.clone(), property.clone())) {
                hidden.add(value);
            }
        }
    }
}

fn masked(settlement: Settlement, hidden: &Hidden) -> Settlement {
    match settlement {
        Settlement::Refused {
            kind,
            properties,
            reason,
            advice,
            at,
        } => Settlement::Refused {
            kind,
            properties,
            reason: hidden.masked(&reason),
            advice: hidden.masked(&advice),
            at,
        },
        other => other,
    }
}

/// A text in which these values stand no more.
#[must_use]
pub fn without<'a>(text: &str, values: impl IntoIterator<Item = &'a Value>) -> String {
    let mut hidden = Hidden::default();
    values.into_iter().for_each(|value| hidden.add(value));
    hidden.masked(text)
}
