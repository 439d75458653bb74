//! Problems that show only between flows.

use super::load::FlowSource;
use super::problem::Problems;
use crate::dataflow::{CompanionValue, ConflictPolicy, Flow, Kind, MatchRule, Reference, Side};
use crate::record::RecordType;
use std::collections::{BTreeMap, BTreeSet};

/// The flows of a group must have a record type in common: the one that may have only one link in it.
pub(crate) fn groups(sources: &[FlowSource], flows: &[Flow], problems: &mut Problems) {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, flow) in flows.iter().enumerate() {
        groups.entry(&flow.group).or_default().push(at);
    }
    let types =
        |at: usize| -> BTreeSet<&RecordType> { flows[at].ends.iter().map(|end| &end.record_type).collect() };
    for (group, members) in groups {
        let mut shared = types(members[0]);
        for &at in &members[1..] {
            let other = types(at);
            if shared.is_disjoint(&other) {
                let text = &sources[at].text;
                let place = text.group.as_ref().unwrap_or(&text.flow);
                let message = format!(
                    "flow {} has no record type in common with flow {} of its group `{group}`",
                    flows[at].name, flows[members[0]].name
                );
                problems.add(
                    &sources[at].file,
                    place,
                    message,
                    "Give it a group of its own, or leave `group` out.",
                );
            } else {
                shared.retain(|one| other.contains(one));
            }
        }
    }
}

/// Flows that map the same property of the same record type share a component, and must decide its conflicts alike.
pub(crate) fn policies(sources: &[FlowSource], flows: &[Flow], problems: &mut Problems) {
    let mut first_use: BTreeMap<(&RecordType, &str), (usize, ConflictPolicy)> = BTreeMap::new();
    let mut differing: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
    for (at, flow) in flows.iter().enumerate() {
        for mapping in &flow.mappings {
            let policy = mapping.conflict.unwrap_or(flow.conflict);
            for side in Side::BOTH {
                let record_type = &flow.end(side).record_type;
                let property = mapping.property(side);
                let (other, expected) = *first_use.entry((record_type, property)).or_insert((at, policy));
                if other != at && expected != policy {
                    let shared = differing.entry((other, at)).or_default();
                    shared.insert(format!("{}.{property}", record_type.name));
                }
            }
        }
    }
    for ((other, at), shared) in differing {
        let text = &sources[at].text;
        let place = text.conflict.as_ref().unwrap_or(&text.flow);
        let message = format!(
            "flows {} and {} share {} but decide conflicts differently",
            flows[other].name,
            flows[at].name,
            shared.into_iter().collect::<Vec<_>>().join(", ")
        );
        problems.add(
            &sources[at].file,
            place,
            message,
            "Declare the same `conflict` (and `owner`) in both flows.",
        );
    }
}

/// The order of work: parents before children, else by `place` and name. Flows in a circle are a problem.
pub(crate) fn order(sources: &[FlowSource], flows: &[Flow], problems: &mut Problems) -> Vec<usize> {
    let parents: Vec<BTreeSet<usize>> = (0..flows.len()).map(|at| parents(flows, at)).collect();
    let place = |at: usize| {
        sources[at]
            .text
            .place
            .as_ref()
            .map_or(u32::MAX, |place| place.value)
    };
    let mut waiting: BTreeSet<usize> = (0..flows.len()).collect();
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let free = waiting
            .iter()
            .copied()
            .filter(|at| parents[*at].is_disjoint(&waiting));
        let Some(next) = free.min_by_key(|at| (place(*at), &flows[*at].name)) else {
            circle(sources, flows, &waiting, &parents, problems);
            break;
        };
        waiting.remove(&next);
        order.push(next);
    }
    order
}

fn circle(
    sources: &[FlowSource],
    flows: &[Flow],
    waiting: &BTreeSet<usize>,
    parents: &[BTreeSet<usize>],
    problems: &mut Problems,
) {
    // Walking from parent to parent among flows that all wait ends in a flow seen before.
    let Some(&start) = waiting.first() else { return };
    let mut way = vec![start];
    let ring = loop {
        let at = way.last().copied().unwrap_or(start);
        let Some(&next) = parents[at].iter().find(|parent| waiting.contains(*parent)) else {
            return;
        };
        if let Some(from) = way.iter().position(|seen| *seen == next) {
            break way.split_off(from);
        }
        way.push(next);
    };
    let names: Vec<&str> = ring
        .iter()
        .chain(ring.first())
        .map(|at| flows[*at].name.as_str())
        .collect();
    let source = &sources[ring[0]];
    let message = format!("flows refer to one another in a circle: {}", names.join(" -> "));
    problems.add(
        &source.file,
        &source.text.flow,
        message,
        "Remove one of the references: parents are created before children. A flow may refer to itself.",
    );
}

/// The flows that a flow refers to, itself excepted: those its references follow, and those of the first-side
/// types that own its companions.
fn parents(flows: &[Flow], at: usize) -> BTreeSet<usize> {
    let flow = &flows[at];
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut owners: BTreeSet<&RecordType> = BTreeSet::new();
    for mapping in &flow.mappings {
        match &mapping.kind {
            Kind::Reference(Reference::Flow(name)) => {
                names.insert(name);
            }
            Kind::Reference(Reference::Companion { of, .. }) => {
                owners.insert(of);
            }
            _ => {}
        }
    }
    let agreements = flow.match_rules.iter().flat_map(MatchRule::agreements);
    for through in agreements.filter_map(|agreement| agreement.through.as_ref()) {
        match through {
            Reference::Flow(name) => drop(names.insert(name)),
            Reference::Companion { of, .. } => drop(owners.insert(of)),
        }
    }
    for companion in &flow.companions {
        owners.insert(&companion.owner);
        for value in companion.values.values() {
            match value {
                CompanionValue::Companion { owner, .. } => drop(owners.insert(owner)),
                CompanionValue::Linked { flow, .. } => drop(names.insert(flow)),
                _ => {}
            }
        }
    }
    let own = &flow.end(Side::First).record_type;
    let is_parent = |(other, candidate): &(usize, &Flow)| {
        let of_owner = &candidate.end(Side::First).record_type;
        *other != at
            && (names.contains(candidate.name.as_str()) || (of_owner != own && owners.contains(of_owner)))
    };
    flows
        .iter()
        .enumerate()
        .filter(is_parent)
        .map(|(other, _)| other)
        .collect()
}
