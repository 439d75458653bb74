//! Supporting flows: records that are parts of others, such as the lines of an order. What a part and its parent
//! need to know of each other, and when one bears on the other.

use crate::cluster::{Cluster, Parked, ParkedKind, Record};
use crate::dataflow::{Dataflow, Flow, Kind, Mapping, Reference, Side};
use crate::facts::{Facts, MatchKey, Needs, Parent, PartsOf, Referral, Standing};
use crate::form::Form;
use crate::plan::Plan;
use crate::record::{Observation, Presence, RecordKey, Values};
use crate::value::Value;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The reference of a supporting flow that names the parent.
#[must_use]
pub fn parent_mapping(flow: &Flow) -> Option<&Mapping> {
    let support = flow.supports.as_ref()?;
    let leads = |mapping: &&Mapping| matches!(&mapping.kind, Kind::Reference(Reference::Flow(name)) if *name == support.flow);
    flow.mappings.iter().find(leads)
}

/// The parent that a part with these values names, as a reference through the supported flow.
#[must_use]
pub fn parent(flow: &Flow, side: Side, values: &Values) -> Option<Referral> {
    let mapping = parent_mapping(flow)?;
    let id = values.get(mapping.property(side))?.as_text()?;
    Some(Referral {
        through: mapping_target(mapping)?,
        side,
        id: id.to_owned(),
    })
}

fn mapping_target(mapping: &Mapping) -> Option<Reference> {
    match &mapping.kind {
        Kind::Reference(through) => Some(through.clone()),
        _ => None,
    }
}

/// What a part is found by when its parent asks for it.
pub(crate) fn parent_key(flow: &Flow, side: Side, values: &Values) -> Option<MatchKey> {
    let parent = parent(flow, side, values)?;
    Some(key_of(&PartsOf {
        flow: flow.name.clone(),
        side,
        parent: parent.id,
    }))
}

/// The key that the parts of a record are indexed by.
#[must_use]
pub fn key_of(parts: &PartsOf) -> MatchKey {
    MatchKey {
        flow: parts.flow.clone(),
        rule: MatchKey::PARENT,
        side: parts.side,
        key: parts.parent.clone(),
    }
}

/// The key of the parent's record.
#[must_use]
pub fn parent_record(flows: &Dataflow, parent: &Referral) -> Option<RecordKey> {
    let Reference::Flow(name) = &parent.through else {
        return None;
    };
    let flow = flows.flow(name)?;
    Some(RecordKey {
        record_type: flow.end(parent.side).record_type.clone(),
        id: parent.id.clone(),
    })
}

/// The flows that support a flow.
pub(crate) fn supporting<'a>(flows: &'a Dataflow, supported: &'a str) -> impl Iterator<Item = &'a Flow> {
    flows.flows.iter().filter(move |flow| {
        flow.supports
            .as_ref()
            .is_some_and(|support| support.flow == supported)
    })
}

/// What a record needs to know of its parent, and a linked pair of its parts where a value that locks it is on its way.
pub(crate) fn need(
    flows: &Dataflow,
    cluster: &Cluster,
    records: &std::collections::BTreeMap<RecordKey, Record>,
    needs: &mut Needs,
) {
    for (key, record) in records {
        for (flow, side) in flows.flows_of(&key.record_type) {
            needs.parents.extend(parent(flow, side, &record.shadow.values));
        }
    }
    for link in &cluster.links {
        let Some(flow) = flows.flow(&link.flow) else {
            continue;
        };
        if !flow
            .mappings
            .iter()
            .any(|mapping| on_its_way(flow, mapping, link, records))
        {
            continue;
        }
        for parts in supporting(flows, &flow.name) {
            for side in Side::BOTH {
                needs.parts.insert(PartsOf {
                    flow: parts.name.clone(),
                    side,
                    parent: link.end(side).id.clone(),
                });
            }
        }
    }
}

/// A property written alone whose ends are not at one.
fn on_its_way(
    flow: &Flow,
    mapping: &Mapping,
    link: &crate::cluster::Link,
    records: &std::collections::BTreeMap<RecordKey, Record>,
) -> bool {
    if mapping.alone.is_none() {
        return false;
    }
    let facts = Facts::default();
    let [first, second] = Side::BOTH.map(|side| {
        let own = records
            .get(link.end(side))
            .map(|record| record.value(mapping.property(side)).clone());
        let form = Form {
            flow,
            mapping,
            side,
            facts: &facts,
        };
        form.decode(&own.unwrap_or_default())
    });
    first.is_err() || first != second
}

/// How a part stands in its cluster as it is stored; none where it is no part of that parent (any more).
/// `undecided`: something seen of it was not decided yet.
#[must_use]
pub fn standing(
    flows: &Dataflow,
    of: &PartsOf,
    cluster: &Cluster,
    key: &RecordKey,
    undecided: bool,
) -> Option<Standing> {
    let flow = flows.flow(&of.flow)?;
    let moving = undecided.then_some(Standing::Moving);
    let Some(record) = cluster.records.get(key) else {
        return moving;
    };
    let ours = parent(flow, of.side, &record.shadow.values).is_some_and(|parent| parent.id == of.parent);
    if undecided {
        return moving;
    }
    if !ours || !record.alive() || record.suppressed.contains(&of.flow) {
        return None;
    }
    let links = &cluster.links;
    let link = links
        .iter()
        .find(|link| link.flow == of.flow && link.end(of.side) == key);
    let Some(link) = link else {
        let held = record.held.get(&of.flow);
        return Some(held.map_or(Standing::Moving, waits));
    };
    let ends = Side::BOTH.map(|side| (side, cluster.records.get(link.end(side))));
    for (side, end) in ends {
        let Some(end) = end.filter(|end| end.alive()) else {
            return Some(Standing::Moving);
        };
        let named = |name: &String| flow.mappings.iter().any(|mapping| mapping.property(side) == name);
        let waiting = |parked: &Parked| parked.kind != ParkedKind::StandIn;
        let mut parked = end
            .parked
            .iter()
            .filter(|(name, parked)| named(name) && waiting(parked));
        if let Some((_, parked)) = parked.next() {
            return Some(waits(parked));
        }
        if end.intent.is_some() {
            return Some(Standing::Moving);
        }
    }
    let asked = cluster.questions.iter().any(|question| {
        let at = &question.anchor.record;
        at == &link.first || at == &link.second
    });
    Some(if asked {
        Standing::Waits("a conflict waits for an answer".to_owned())
    } else {
        Standing::AtRest
    })
}

fn waits(parked: &Parked) -> Standing {
    match parked.kind {
        ParkedKind::NotCreated => Standing::Never(parked.reason.clone()),
        _ => Standing::Waits(parked.reason.clone()),
    }
}

/// The value that locks a record with these values on a side, with its property, where one does.
#[must_use]
pub fn lock<'a>(flow: &'a Flow, side: Side, values: &Values) -> Option<(&'a Mapping, Value)> {
    let facts = Facts::default();
    flow.mappings
        .iter()
        .filter(|mapping| mapping.alone == Some(side))
        .find_map(|mapping| {
            let own = values.get(mapping.property(side))?;
            let form = Form {
                flow,
                mapping,
                side,
                facts: &facts,
            };
            let canonical = form.decode(own).ok()?;
            let locks = mapping.locks.contains(&canonical.to_string());
            locks.then(|| (mapping, own.clone()))
        })
}

impl Parent {
    /// Whether the parent is known to be deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        matches!(self.own, Some((Presence::Deleted, _)))
    }
}

/// A cluster before its decision, as far as [`consequences`] asks: nothing of one without parts of others.
pub(crate) fn before(flows: &Dataflow, cluster: &Cluster) -> Cluster {
    let is_part = |key: &RecordKey| {
        let mut uses = flows.flows_of(&key.record_type);
        uses.any(|(flow, _)| flow.supports.is_some())
    };
    if cluster.records.keys().any(is_part) {
        cluster.clone()
    } else {
        Cluster::default()
    }
}

/// What a plan bears on beyond its cluster: parents to be decided again, and parents to be read again because the
/// system sums their parts up.
pub(crate) fn consequences(
    flows: &Dataflow,
    before: &Cluster,
    inbox: &BTreeSet<RecordKey>,
    plan: &mut Plan,
    now: Timestamp,
) {
    for (key, record) in &plan.cluster.records {
        for (flow, side) in flows.flows_of(&key.record_type) {
            let Some(support) = &flow.supports else { continue };
            let was = before.records.get(key);
            let parents = [was, Some(record)].map(|record| {
                let parent = parent(flow, side, &record?.shadow.values)?;
                Some((parent_record(flows, &parent)?, parent.id))
            });
            let stands = |cluster: &Cluster, parent: &Option<(RecordKey, String)>| {
                let of = PartsOf {
                    flow: flow.name.clone(),
                    side,
                    parent: parent.as_ref()?.1.clone(),
                };
                standing(flows, &of, cluster, key, false)
            };
            let same =
                parents[0] == parents[1] && stands(before, &parents[0]) == stands(&plan.cluster, &parents[1]);
            let summed = (support.rolls_up && side == Side::Second) || !record.alive();
            let moved = was.is_none_or(|was| moved(flow, side, was, record));
            let delay = flows.commit_delays.get(&key.record_type.system);
            let settled = delay.and_then(|delay| now.checked_add(*delay).ok());
            for (parent, _) in parents.into_iter().flatten() {
                if summed && moved {
                    plan.waits.reread.insert(parent.clone(), now);
                    let settled = settled.filter(|_| support.rolls_up && side == Side::Second);
                    plan.waits.later.extend(settled.map(|at| (parent.clone(), at)));
                }
                if !same || inbox.contains(key) {
                    plan.waits.wake.insert(parent);
                }
            }
        }
    }
}

/// What is mapped of a part differs, or it came or went.
fn moved(flow: &Flow, side: Side, was: &Record, is: &Record) -> bool {
    let differs = |mapping: &Mapping| was.value(mapping.property(side)) != is.value(mapping.property(side));
    was.shadow.presence != is.shadow.presence || (is.alive() && flow.mappings.iter().any(differs))
}

/// The records that observations are of.
pub(crate) fn seen<'a>(all: impl IntoIterator<Item = &'a Observation>) -> BTreeSet<RecordKey> {
    all.into_iter().map(|seen| seen.key.clone()).collect()
}
