//! The bench on which a cluster is decided: the cluster as it changes, with what it waits for and what happened.

use crate::admit::Admitted;
use crate::cluster::{Cluster, Link, Parked, ParkedKind, Record, Verdict};
use crate::dataflow::{Dataflow, Mapping, Side};
use crate::facts::{Facts, Waits};
use crate::form::Trouble;
use crate::plan::{Event, EventKind, Plan};
use crate::record::{Observation, RecordKey, Values};
use crate::trace::Trace;
use crate::value::Value;
use std::collections::BTreeSet;

/// A cluster being decided.
pub(crate) struct Work<'a> {
    pub(crate) flows: &'a Dataflow,
    pub(crate) facts: &'a Facts,
    pub(crate) cluster: Cluster,
    pub(crate) waits: Waits,
    pub(crate) history: Vec<Event>,
    /// Records that this very decision learns to be deleted.
    pub(crate) just_deleted: BTreeSet<RecordKey>,
    /// Flows in which it carries a deletion on, once for each link that ends.
    pub(crate) carried_on: Vec<String>,
    /// Records whose edits it takes over, by the flow and the side that they are on.
    pub(crate) edited: BTreeSet<(String, Side, RecordKey)>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(flows: &'a Dataflow, cluster: Cluster, facts: &'a Facts) -> Self {
        Self {
            flows,
            facts,
            cluster,
            waits: Waits::default(),
            history: Vec::new(),
            just_deleted: BTreeSet::new(),
            carried_on: Vec::new(),
            edited: BTreeSet::new(),
        }
    }

    pub(crate) fn admit(&mut self, inbox: Vec<Observation>) {
        for seen in inbox {
            let key = seen.key.clone();
            let judged = |link: &Link| link.verdict.is_some() && (link.first == key || link.second == key);
            let judged = self.cluster.links.iter().any(judged);
            let known = self.record(&key).filter(|_| judged);
            let known = known.map(|record| record.shadow.values.clone());
            let alive = self.record(&key).is_none_or(Record::alive);
            let writes = self.record(&key).map(|record| record.unconfirmed.clone());
            let shadow = self.record(&key).map(|record| &record.shadow);
            let seen = crate::unreadable::believed(shadow, seen);
            let admitted = crate::admit::admit(self.flows, &mut self.cluster.records, seen);
            if let Some(writes) = writes.filter(|_| admitted == Admitted::Taken) {
                self.weigh_sight(&key, &writes);
            }
            if alive && self.record(&key).is_some_and(Record::is_deleted) {
                self.just_deleted.insert(key.clone());
            }
            if let Some(record) = self.cluster.records.get_mut(&key) {
                crate::guarded::forget_overwritten(record);
            }
            if let Some(known) = known {
                self.recall_verdicts(&key, &known);
            }
        }
    }

    /// What a person decided about a deletion held for the records as they were shown (D2): an edit seen since is
    /// asked about again.
    fn recall_verdicts(&mut self, key: &RecordKey, known: &Values) {
        let (flows, records) = (self.flows, &self.cluster.records);
        let Some(record) = records.get(key).filter(|record| record.alive()) else {
            return;
        };
        let ends = |link: &&mut Link| link.verdict.is_some() && (&link.first == key || &link.second == key);
        for link in self.cluster.links.iter_mut().filter(ends) {
            let side = if &link.first == key {
                Side::First
            } else {
                Side::Second
            };
            let Some(flow) = flows.flow(&link.flow) else {
                continue;
            };
            // What was decided is done: by our own write, with whatever its system changed along with it.
            let out_of_use = flow.end(side).deactivate.as_ref();
            let out_of_use = out_of_use.is_some_and(|(property, value)| record.value(property) == value);
            if out_of_use && link.verdict == Some(Verdict::Deactivate) {
                continue;
            }
            let mappings = &flow.mappings;
            let edited = mappings.iter().any(|mapping| {
                let property = mapping.property(side);
                let (before, now) = (
                    known.get(property).unwrap_or(&Value::Blank),
                    record.value(property),
                );
                // Whether a person cleared a reference is found out first.
                let weighed = now.is_blank() && crate::cleared::may_go_with_record(mapping);
                mapping.travels_to(side.other()) && before != now && !weighed
            });
            if edited {
                link.verdict = None;
            }
        }
    }

    /// The same for a reference that turned out to be cleared by a person.
    pub(crate) fn recall_verdicts_of(&mut self, key: &RecordKey) {
        let links = self.cluster.links.iter_mut();
        for link in links.filter(|link| &link.first == key || &link.second == key) {
            link.verdict = None;
        }
    }

    /// The first half of a decision: which records are tied.
    pub(crate) fn tie(&mut self) {
        self.forget_computed_troubles();
        self.weigh_cleared();
        self.hold_unreadable();
        let waiting = self.follow_records();
        self.settle_removals(&waiting);
        self.part_outside();
        self.join_inside();
        self.settle_unmade();
        self.form_links();
        self.anchor_to_the_living();
        self.forget_settled_mergers();
    }

    /// The second half: which values they hold, and what is written. Everything from scratch, out of heads,
    /// bases and shadows.
    pub(crate) fn decide(&mut self) {
        let owed = self.merge_components();
        self.plan_creates();
        self.plan_companions();
        self.plan_updates(owed);
        self.report_waiting_values();
        self.park_unreadable();
        let resting = self.resting();
        for (key, record) in &mut self.cluster.records {
            let observed = record.newborn.as_ref().is_some_and(|newborn| newborn.observed);
            if observed && !resting.contains(key) {
                record.newborn = None;
            }
        }
    }

    /// Records with a link in a flow that rests.
    fn resting(&self) -> BTreeSet<RecordKey> {
        let links = self.cluster.links.iter();
        let resting = links.filter(|link| self.flows.rests(&link.flow));
        resting
            .flat_map(|link| [link.first.clone(), link.second.clone()])
            .collect()
    }

    /// The same bench with other facts.
    pub(crate) fn with_facts<'b>(self, facts: &'b Facts) -> Work<'b>
    where
        'a: 'b,
    {
        Work {
            flows: self.flows,
            facts,
            cluster: self.cluster,
            waits: self.waits,
            history: self.history,
            just_deleted: self.just_deleted,
            carried_on: self.carried_on,
            edited: self.edited,
        }
    }

    pub(crate) fn into_plan(self) -> Plan {
        Plan {
            cluster: self.cluster,
            waits: self.waits,
            history: self.history,
            at: self.facts.now,
            carried_on: self.carried_on,
            edited: self.edited,
        }
    }

    /// What is computed anew at every decision is forgotten first; what a system or a person said stays.
    fn forget_computed_troubles(&mut self) {
        let stays = |parked: &mut Parked| {
            matches!(
                parked.kind,
                ParkedKind::Refused
                    | ParkedKind::Busy
                    | ParkedKind::Rewritten
                    | ParkedKind::Undecidable
                    | ParkedKind::Merged
            )
        };
        for record in self.cluster.records.values_mut() {
            record.parked.retain(|_, parked| stays(parked));
            record.held.retain(|_, parked| stays(parked));
        }
    }

    pub(crate) fn note(
        &mut self,
        record: &RecordKey,
        property: Option<&str>,
        flow: Option<&str>,
        what: EventKind,
        why: String,
    ) {
        self.note_at((0, Trace::NONE), record, property, flow, what, why);
    }

    /// Notes what led to a head of that epoch, or carried it, and the change that it belongs to.
    pub(crate) fn note_at(
        &mut self,
        (epoch, trace): (u64, Trace),
        record: &RecordKey,
        property: Option<&str>,
        flow: Option<&str>,
        what: EventKind,
        why: String,
    ) {
        self.history.push(Event {
            run: 0,
            at: self.facts.now,
            record: record.clone(),
            property: property.map(str::to_owned),
            flow: flow.map(str::to_owned),
            what,
            epoch,
            trace,
            why,
        });
    }

    pub(crate) fn parked(&self, kind: ParkedKind, epoch: u64, reason: String, advice: String) -> Parked {
        Parked {
            epoch,
            kind,
            reason,
            advice,
            since: self.facts.now,
            by: None,
            grounds: None,
        }
    }

    /// Turns a trouble with a value into what is parked, noting what it waits for. Nothing for values that
    /// are left alone.
    pub(crate) fn trouble(
        &mut self,
        trouble: Trouble,
        epoch: u64,
        mapping: Option<&Mapping>,
    ) -> Option<Parked> {
        match trouble {
            Trouble::Mend { kind, reason, advice } => Some(self.parked(kind, epoch, reason, advice)),
            Trouble::LeftAlone => None,
            Trouble::Waits(wait) => {
                let reason = match &wait.companion {
                    Some(key) => format!("waits for the {} of {}", key.role, wait.on),
                    None => format!("waits for the counterpart of {}", wait.on),
                };
                if wait.read {
                    self.waits.read.insert(wait.on.clone());
                }
                let never = self.never(&wait, mapping);
                self.waits.companions.extend(wait.companion);
                self.waits.on.insert(wait.on);
                if let Some((kind, reason, advice)) = never {
                    return Some(self.parked(kind, epoch, reason, advice));
                }
                Some(self.parked(
                    ParkedKind::Deferred,
                    epoch,
                    reason,
                    "nothing to do: it follows by itself".to_owned(),
                ))
            }
        }
    }

    pub(crate) fn hold(&mut self, key: &RecordKey, flow: &str, parked: Parked) {
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.held.insert(flow.to_owned(), parked);
        }
    }

    /// The record's live link in a flow group.
    pub(crate) fn linked_in_group(&self, key: &RecordKey, group: &str) -> bool {
        self.cluster.links.iter().any(|link| {
            (&link.first == key || &link.second == key)
                && self
                    .flows
                    .flow(&link.flow)
                    .is_some_and(|flow| flow.group == group)
        })
    }

    pub(crate) fn record(&self, key: &RecordKey) -> Option<&Record> {
        self.cluster.records.get(key)
    }
}
