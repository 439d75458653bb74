//! What is known of a cluster's possible links, for people: which records could be counterparts, and which tie.

use crate::agreement::Fit;
use crate::cluster::Cluster;
use crate::dataflow::{Dataflow, Side};
use crate::facts::{Facts, MatchKey};
use crate::matching;
use crate::record::{RecordKey, Values};
use crate::work::Work;
use std::collections::BTreeSet;

/// Two records that could be counterparts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The flow.
    pub flow: String,
    /// The first-side record.
    pub first: RecordKey,
    /// The second-side record.
    pub second: RecordKey,
    /// What keeps them from being linked.
    pub stands: Stands,
}

/// What keeps two possible counterparts from being linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stands {
    /// Nothing, where neither has another.
    Free,
    /// Something speaks against it: a person decides.
    Doubtful,
    /// What tells whether they are is not known yet.
    Waiting,
}

/// The possible links that lead from a record to others, directly or over rivals, within a flow's group; in order.
/// One alone that is free is a match, several tie.
#[must_use]
pub fn candidates(
    flows: &Dataflow,
    cluster: &Cluster,
    facts: &Facts,
    record: &RecordKey,
    group: &str,
) -> Vec<Candidate> {
    let facts = facts.with_types(flows);
    let facts = facts.with_cluster(flows, cluster);
    let work = Work::new(flows, cluster.clone(), &facts);
    let [open, _] = work.open_and_taken();
    let mut pairs: Vec<Candidate> = open
        .into_iter()
        .filter(|pair| pair.flow.group == group)
        .map(|pair| Candidate {
            flow: pair.flow.name.clone(),
            first: pair.first,
            second: pair.second,
            stands: match pair.fit {
                Fit::Doubtful(_) => Stands::Doubtful,
                Fit::Waits(_) => Stands::Waiting,
                Fit::Same | Fit::Strangers => Stands::Free,
            },
        })
        .collect();
    let mut reached = BTreeSet::from([record.clone()]);
    let mut found = Vec::new();
    loop {
        let (near, far): (Vec<_>, Vec<_>) = pairs
            .into_iter()
            .partition(|pair| reached.contains(&pair.first) || reached.contains(&pair.second));
        if near.is_empty() {
            found.sort();
            return found;
        }
        let ends = near
            .iter()
            .flat_map(|pair| [pair.first.clone(), pair.second.clone()]);
        reached.extend(ends);
        found.extend(near);
        pairs = far;
    }
}

/// The key that tells a record from others of its own system, and where it holds (the rule's `within`): the first natural
/// one that has a value. None where that compares the record's own id, which no other has.
#[must_use]
pub fn telling_key(
    flows: &Dataflow,
    flow: &str,
    side: Side,
    record: &RecordKey,
    values: &Values,
) -> Option<(MatchKey, String)> {
    let flow = flows.flow(flow)?;
    if !matching::belongs(flow, side, values) {
        return None;
    }
    let mut rules = flow.match_rules.iter().enumerate();
    let (index, rule, key) = rules.find_map(|(index, rule)| {
        if matching::names_id(rule, side) {
            return None;
        }
        Some((index, rule, matching::rule_key(rule, side, record, values)?))
    })?;
    let key = MatchKey {
        flow: flow.name.clone(),
        rule: u32::try_from(index).ok()?,
        side,
        key,
    };
    Some((key, matching::within(rule, side, record, values)))
}
