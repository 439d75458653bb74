//! In which order types are deleted.

use super::promise::PromisedFlow;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{Kind, Reference};

/// Levels of types for deleting: a type comes after all that refer to it. The outer list is in order.
pub(crate) fn levels(promised: &[PromisedFlow]) -> Vec<BTreeSet<String>> {
    let mut refers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for flow in promised {
        let own = refers.entry(flow.types[0].clone()).or_default();
        for row in &flow.rows {
            if let Kind::Reference(through) = &row.mapping.kind {
                let of = match through {
                    Reference::Companion { of, .. } => Some(of.name.clone()),
                    Reference::Flow(name) => promised
                        .iter()
                        .find(|flow| flow.name.as_ref() == Some(name))
                        .map(|flow| flow.types[0].clone()),
                };
                own.extend(of.filter(|of| of != &flow.types[0]));
            }
        }
    }
    let mut levels = Vec::new();
    while !refers.is_empty() {
        let referred: BTreeSet<String> = refers.values().flatten().cloned().collect();
        let mut free: BTreeSet<String> = refers
            .keys()
            .filter(|name| !referred.contains(*name))
            .cloned()
            .collect();
        if free.is_empty() {
            free = refers.keys().cloned().collect();
        }
        refers.retain(|name, _| !free.contains(name));
        levels.push(free);
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::super::promise::tests::shipped;
    use super::*;

    #[test]
    fn what_refers_goes_before_what_it_refers_to() {
        let levels = levels(&shipped());
        let level = |name: &str| levels.iter().position(|level| level.contains(name));
        assert!(level("Order") < level("Quote"));
        assert!(level("Quote") < level("Contact"));
        assert!(level("Contact") < level("Customer"));
        assert!(level("Project") < level("Employee"));
        assert_eq!(levels.iter().map(BTreeSet::len).sum::<usize>(), 7);
    }
}
