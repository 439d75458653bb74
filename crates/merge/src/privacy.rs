//! Personal values stay out of reasons: what a system says of a refused write may repeat what it was given.

use crate::cluster::{Action, Cluster, Intent};
use crate::dataflow::Dataflow;
use crate::reconcile::Settlement;
use crate::record::RecordType;
use crate::value::Value;
use std::collections::BTreeSet;

/// What stands for a personal value.
pub const MASK: &str = "\u{2022}\u{2022}\u{2022}";
/// Shorter texts are left: they would tear other words apart.
const SHORTEST: usize = 3;

/// Whether a property holds a person's own values.
#[must_use]
pub fn is_personal(flows: &Dataflow, of: &RecordType, property: &str) -> bool {
    let mut uses = flows.flows_of(of);
    uses.any(|(flow, side)| {
        let mut mappings = flow.mappings.iter();
        mappings.any(|mapping| mapping.personal && mapping.property(side) == property)
    })
}

/// A settlement without personal values in what its system says.
pub(crate) fn scrubbed(
    flows: &Dataflow,
    cluster: &Cluster,
    intent: &Intent,
    settlement: Settlement,
) -> Settlement {
    let Settlement::Refused {
        kind,
        properties,
        reason,
        advice,
        at,
    } = settlement
    else {
        return settlement;
    };
    let texts = personal_texts(flows, cluster, intent);
    Settlement::Refused {
        kind,
        properties,
        reason: without(&reason, &texts),
        advice: without(&advice, &texts),
        at,
    }
}

/// The personal values of a cluster and of a write of it, the longest first.
fn personal_texts(flows: &Dataflow, cluster: &Cluster, intent: &Intent) -> Vec<String> {
    let mut texts = BTreeSet::new();
    let mut add = |of: &RecordType, property: &str, value: &Value| {
        if is_personal(flows, of, property) {
            texts.insert(value.to_string());
        }
    };
    let target = match &intent.action {
        Action::Create { target, .. } | Action::Companion { target, .. } => target,
        Action::Update { record } | Action::Delete { record } => &record.record_type,
    };
    for (property, planned) in &intent.values {
        add(target, property, &planned.value);
    }
    for (key, record) in &cluster.records {
        for (property, value) in &record.shadow.values {
            add(&key.record_type, property, value);
        }
    }
    let mut texts: Vec<String> = texts
        .into_iter()
        .filter(|text| text.chars().count() >= SHORTEST)
        .collect();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts
}

/// A text in which these stand no more, in whatever case.
fn without(text: &str, hidden: &[String]) -> String {
    let mut text = text.to_owned();
    for value in hidden {
        let folded = value.to_ascii_lowercase();
        let mut from = 0;
        while let Some(at) = text[from..].to_ascii_lowercase().find(&folded) {
            text.replace_range(from + at..from + at + folded.len(), MASK);
            from += at + MASK.len();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_in_whatever_case_and_the_rest_stays() {
        let hidden = ["alice@example.com".to_owned(), "Müller".to_owned()];
        let said = "Duplicate: ALICE@example.com is Müller's; alice@example.com";
        assert_eq!(without(said, &hidden), "Duplicate: ••• is •••'s; •••");
        assert_eq!(without("nothing of hers", &hidden), "nothing of hers");
    }
}
