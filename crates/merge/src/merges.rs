//! Merged and undeleted records: links follow a record that lives on as another, and come back with one that does.
//!
//! When a system merges two records it deletes one and names the survivor. What the deleted one was linked to is
//! the survivor's counterpart from then on, unless the survivor has one already: then it is left alone and listed,
//! for a person to merge there as well. It is neither deleted nor created again.

use crate::cluster::{Anchor, Base, Cluster, Link, ParkedKind, Record};
use crate::dataflow::{Dataflow, Mapping, Side};
use crate::plan::EventKind;
use crate::record::{Presence, RecordKey};
use crate::value::Value;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};

/// Mergers of mergers that are followed; more would be a circle.
const CHAIN: usize = 20;

/// The records that a cluster's merged and undeleted records, and those outside a filter, lead to: they are decided
/// together.
pub(crate) fn led_to(records: &BTreeMap<RecordKey, Record>, links: &[Link]) -> BTreeSet<RecordKey> {
    let mut keys = BTreeSet::new();
    for (key, record) in records {
        let linked = || links.iter().any(|link| &link.first == key || &link.second == key);
        match record.shadow.presence {
            Presence::Deleted => {
                // A merger of mergers is followed whether it is linked or not.
                let leads = linked() || records.values().any(|other| leads_to(other, key));
                keys.extend(record.survivor(key).filter(|_| leads));
            }
            Presence::Alive => keys.extend(record.former.values().cloned()),
            Presence::Missing => {}
        }
        keys.extend(record.left.values().cloned());
    }
    keys.retain(|key| !records.contains_key(key));
    keys
}

fn leads_to(record: &Record, key: &RecordKey) -> bool {
    record.shadow.merged_into.as_deref() == Some(key.id.as_str())
}

impl Record {
    /// The record that it was merged into.
    pub(crate) fn survivor(&self, key: &RecordKey) -> Option<RecordKey> {
        let id = self.shadow.merged_into.clone()?;
        (self.shadow.presence == Presence::Deleted && id != key.id).then(|| RecordKey {
            record_type: key.record_type.clone(),
            id,
        })
    }
}

/// Where a merger leads.
enum Heir {
    /// To this record, which is there.
    Alive(RecordKey),
    /// To a record of which nothing is known yet.
    Unread(RecordKey),
}

impl Work<'_> {
    /// Moves the links of merged records to those they live on as, and gives undeleted ones theirs back. Runs
    /// before removals are decided. Answers the links whose removal must wait.
    pub(crate) fn follow_records(&mut self) -> BTreeSet<Link> {
        let mut waiting = BTreeSet::new();
        let flows = self.flows;
        let merged = |record: &Record| record.shadow.merged_into.is_some();
        let links = if self.cluster.records.values().any(merged) {
            self.cluster.links.clone()
        } else {
            Vec::new()
        };
        let links = links.into_iter();
        for link in links.filter(|link| !flows.rests(&link.flow)) {
            for gone in Side::BOTH {
                match heir(&self.cluster, link.end(gone)) {
                    None => {}
                    Some(Heir::Unread(key)) => {
                        self.waits.read.insert(key.clone());
                        self.waits.on.insert(key);
                        waiting.insert(link.clone());
                    }
                    Some(Heir::Alive(survivor)) => {
                        let here = |key| self.record(key).is_some_and(|record| !record.in_flight());
                        let counterpart = self.record(link.end(gone.other()));
                        let there = counterpart.is_some_and(Record::alive);
                        if !here(link.end(gone)) || !here(link.end(gone.other())) {
                            waiting.insert(link.clone());
                        } else if there {
                            self.move_link(&link, gone, &survivor);
                        }
                    }
                }
            }
        }
        self.restore_undeleted();
        waiting
    }

    fn move_link(&mut self, link: &Link, gone: Side, survivor: &RecordKey) {
        let (merged, counterpart) = (link.end(gone).clone(), link.end(gone.other()).clone());
        let flows = self.flows;
        let Some(flow) = flows.flow(&link.flow) else {
            return;
        };
        if let Some(record) = self.cluster.records.get_mut(&merged) {
            record.suppressed.insert(link.flow.clone());
            record.intent = None;
        }
        let why = || format!("{merged} was merged into {survivor}");
        if !self.linked_in_group(survivor, &flow.group) {
            self.inherit(link, gone, survivor);
            let what = EventKind::Merged {
                into: survivor.clone(),
            };
            return self.note(&counterpart, None, Some(&flow.name), what, why());
        }
        self.part(link);
        if let Some(record) = self.cluster.records.get_mut(&counterpart) {
            record.suppressed.insert(link.flow.clone());
        }
        // The merged one may come back one day.
        self.remember_former(link, gone);
        let reason = format!("{}, which has a counterpart of its own", why());
        let advice = "merge it with the survivor's counterpart, or delete it; nothing is done by itself";
        let parked = self.parked(ParkedKind::Merged, 0, reason.clone(), advice.to_owned());
        self.hold(&counterpart, &flow.name, parked);
        let what = EventKind::Unlinked { from: merged.clone() };
        self.note(&counterpart, None, Some(&flow.name), what, reason);
    }

    /// The survivor takes the merged record's place: what the ends agreed on is what its own values are compared
    /// with, so that whatever the merger changed is an edit. What the survivor never had at all is no edit, but owed to it.
    fn inherit(&mut self, link: &Link, gone: Side, survivor: &RecordKey) {
        let merged = link.end(gone);
        let mut moved = link.clone();
        match gone {
            Side::First => moved.first = survivor.clone(),
            Side::Second => moved.second = survivor.clone(),
        }
        moved.verdict = None;
        self.cluster.links.retain(|other| other != link);
        self.cluster.links.push(moved);
        self.cluster.links.sort();
        let bases = self
            .cluster
            .records
            .get_mut(merged)
            .map(|record| std::mem::take(&mut record.bases));
        let taken_over = self.taken_over(survivor);
        if let Some(record) = self.cluster.records.get_mut(survivor) {
            record.suppressed.remove(&link.flow);
            for (property, base) in bases.unwrap_or_default() {
                let blank = !base.value.is_blank() && taken_over.contains(&property);
                let never_had = || Base {
                    value: Value::Blank,
                    epoch: 0,
                };
                let base = if blank { never_had() } else { base };
                record.bases.entry(property).or_insert(base);
            }
        }
        let to = |at: &Anchor| Anchor {
            record: survivor.clone(),
            property: at.property.clone(),
        };
        let heads = std::mem::take(&mut self.cluster.heads);
        for (at, head) in heads {
            let at = if &at.record == merged { to(&at) } else { at };
            self.cluster.heads.entry(at).or_insert(head);
        }
        for question in &mut self.cluster.questions {
            if &question.anchor.record == merged {
                question.anchor = to(&question.anchor);
            }
        }
        self.withdraw_creates_of(survivor, &link.flow);
    }

    /// The properties that a survivor is given by its counterpart: nobody cleared them there, they were blank since the
    /// record was first seen, and what stands in the others is not lost by that.
    fn taken_over(&self, survivor: &RecordKey) -> BTreeSet<String> {
        let Some(record) = self.record(survivor) else {
            return BTreeSet::new();
        };
        let flows = self.flows.flows_of(&survivor.record_type);
        let written = flows.flat_map(|(flow, side)| {
            let towards = move |mapping: &&Mapping| flow.end(side).write && mapping.travels_to(side);
            let mappings = flow.mappings.iter().filter(towards);
            mappings.map(move |mapping| mapping.property(side))
        });
        let never_had = |property: &&str| {
            let blank = record.value(property).is_blank() && !record.times.contains_key(*property);
            blank && !self.is_hidden(survivor, property)
        };
        written.filter(never_had).map(str::to_owned).collect()
    }

    /// Links that ended with a deletion come back with the record.
    fn restore_undeleted(&mut self) {
        let records = self.cluster.records.iter();
        let back: Vec<(RecordKey, String, RecordKey)> = records
            .filter(|(_, record)| record.alive())
            .flat_map(|(key, record)| {
                let former = record.former.iter();
                former.map(|(flow, other)| (key.clone(), flow.clone(), other.clone()))
            })
            .collect();
        for (key, name, other) in back {
            let flows = self.flows;
            let Some(flow) = flows.flow(&name).filter(|_| !flows.rests(&name)) else {
                continue;
            };
            let free = [&key, &other].into_iter().all(|end| {
                self.record(end)
                    .is_some_and(|record| record.alive() && !record.in_flight())
                    && !self.linked_in_group(end, &flow.group)
            });
            if !free {
                continue;
            }
            for end in [&key, &other] {
                if let Some(record) = self.cluster.records.get_mut(end) {
                    record.former.remove(&name);
                    record.suppressed.remove(&name);
                    record.held.remove(&name);
                }
            }
            let first_is = flow.end(Side::First).record_type == key.record_type;
            let (first, second) = if first_is { (&key, &other) } else { (&other, &key) };
            self.link(flow, first, second);
        }
    }

    /// A link that ends because a record was deleted: it is remembered with that record.
    pub(crate) fn remember_former(&mut self, link: &Link, gone: Side) {
        let other = link.end(gone.other()).clone();
        if let Some(record) = self.cluster.records.get_mut(link.end(gone)) {
            record.former.insert(link.flow.clone(), other);
        }
    }

    /// A counterpart left by a merger is listed for as long as it stands alone.
    pub(crate) fn forget_settled_mergers(&mut self) {
        let merged = |record: &Record| {
            record
                .held
                .values()
                .any(|parked| parked.kind == ParkedKind::Merged)
        };
        if !self.cluster.records.values().any(merged) {
            return;
        }
        let linked: BTreeSet<(RecordKey, String)> = linked(self.flows, &self.cluster);
        for (key, record) in &mut self.cluster.records {
            let alive = record.alive();
            let suppressed = &record.suppressed;
            record.held.retain(|flow, parked| {
                let stands =
                    alive && suppressed.contains(flow) && !linked.contains(&(key.clone(), flow.clone()));
                parked.kind != ParkedKind::Merged || stands
            });
        }
    }
}

fn linked(flows: &Dataflow, cluster: &Cluster) -> BTreeSet<(RecordKey, String)> {
    let grouped = |link: &Link| {
        let group = flows.flow(&link.flow).map(|flow| flow.group.clone());
        let flows = flows
            .flows
            .iter()
            .filter(move |flow| Some(&flow.group) == group.as_ref());
        flows.map(|flow| flow.name.clone()).collect::<Vec<_>>()
    };
    let ends = cluster.links.iter().flat_map(|link| {
        let flows = grouped(link);
        let ends = [link.first.clone(), link.second.clone()];
        ends.into_iter().flat_map(move |end| {
            let flows = flows.clone();
            flows.into_iter().map(move |flow| (end.clone(), flow))
        })
    });
    ends.collect()
}

/// Where a merged record's line of mergers ends; none where it ends with a record that is gone.
fn heir(cluster: &Cluster, key: &RecordKey) -> Option<Heir> {
    let mut survivor = cluster.records.get(key)?.survivor(key)?;
    for _ in 0..CHAIN {
        let Some(record) = cluster.records.get(&survivor) else {
            return Some(Heir::Unread(survivor));
        };
        if record.alive() {
            return Some(Heir::Alive(survivor));
        }
        if record.is_unreadable(crate::unreadable::WHOLE) {
            return Some(Heir::Unread(survivor));
        }
        survivor = record.survivor(&survivor)?;
    }
    None
}
