//! Answers that were not kept: a system accepts a write and shows another value than was written, though nobody else
//! changed the record. The property is parked with what it shows, and is neither in step nor anybody's edit.
//!
//! What proves that it was nobody else: the answer shows the state right after the write; or the first state seen since
//! is the write's own (the next in the system's count, or made by our own user no later than the answer); or a read by
//! id, once the commit delay has passed, still shows the state before it.

use crate::cluster::{Base, Cluster, Deed, ParkedKind, Planned, Record, Unconfirmed};
use crate::dataflow::Side;
use crate::form::Form;
use crate::mutation::{Mutation, removed};
use crate::plan::EventKind;
use crate::privacy::is_personal;
use crate::record::{Observation, Presence, RecordKey, Values};
use crate::value::Value;
use crate::work::Work;
use std::collections::BTreeMap;

/// What to do where the value did not come to stand at all: it is owed still.
const IGNORED: &str = "Look for a rule, a right or a trigger in that system that keeps the value from standing, then `tandem retry`; \
                       the next edit is carried again";

/// What to do where the system made another value of it.
const CHANGED: &str = "Find the rule in that system that changes the value and switch it off, or take one form on both sides; the \
                       next edit is carried again";

impl Work<'_> {
    /// The state that the answer to a write showed: what it does not hold of what was written.
    pub(crate) fn weigh_answer(&mut self, key: &RecordKey, write: &Unconfirmed, state: &Observation) {
        for (property, planned) in &write.wrote {
            let told = !state.partial && !state.unreadable.contains_key(property);
            let shown = self.shown(key, property, planned, &state.values);
            if let Some(shown) = shown.filter(|_| told || state.values.contains_key(property)) {
                let before: Vec<&Value> = write.before.get(property).into_iter().collect();
                self.weigh_write(key, property, planned, &before, &shown);
            }
        }
    }

    /// The first state seen since these writes: what it does not hold of them, if it is their own.
    pub(crate) fn weigh_sight(&mut self, key: &RecordKey, writes: &[Unconfirmed]) {
        let own = self
            .record(key)
            .is_some_and(|record| record.alive() && self.is_own_state(key, record, writes));
        if own {
            self.weigh_writes(key, writes);
        }
    }

    /// A read by id after the commit delay: it decides about the writes that earlier reads did not show.
    pub(crate) fn admit_confirmed(&mut self, seen: Observation) {
        let (key, flows) = (seen.key.clone(), self.flows);
        let Some(record) = self.cluster.records.get_mut(&key).filter(|it| !it.in_flight()) else {
            return;
        };
        let mut writes = std::mem::take(&mut record.unconfirmed);
        let Some(first) = writes.iter().position(|write| write.is_before(&seen)) else {
            return self.admit(vec![seen]);
        };
        let undone = writes.split_off(first);
        crate::admit::take(flows, record, seen);
        record.unconfirmed.clear();
        if undone.iter().any(|write| write.deed == Deed::Delete) {
            self.hold_undeleted(&key);
        }
        self.weigh_writes(&key, &undone);
    }

    fn weigh_writes(&mut self, key: &RecordKey, writes: &[Unconfirmed]) {
        // Of several the last one counts, and what stood before any of them.
        let mut last: BTreeMap<&String, (&Planned, Vec<&Value>)> = BTreeMap::new();
        for write in writes {
            for (property, planned) in &write.wrote {
                let (last, before) = last.entry(property).or_insert((planned, Vec::new()));
                *last = planned;
                before.extend(write.before.get(property));
            }
        }
        for (property, (planned, before)) in last {
            let record = self.record(key).filter(|record| record.alive());
            let shown = record.and_then(|record| self.shown(key, property, planned, &record.shadow.values));
            if let Some(shown) = shown {
                self.weigh_write(key, property, planned, &before, &shown);
            }
        }
    }

    /// What is shown of a property that was written: the value, or blank where a system shows nothing at all of such.
    /// What is not shown to us, or what no flow has read, is not judged.
    fn shown(&self, key: &RecordKey, property: &str, planned: &Planned, values: &Values) -> Option<Value> {
        let judged = planned.epoch > 0 && !self.is_hidden(key, property);
        let shown = values.get(property).cloned();
        shown.or_else(|| judged.then_some(Value::Blank))
    }

    /// Whether the state of a record is the one that our last write of it made.
    fn is_own_state(&self, key: &RecordKey, record: &Record, writes: &[Unconfirmed]) -> bool {
        let Some(write) = writes.last() else { return false };
        let version = record.shadow.version.as_ref();
        let order = |version: Option<&crate::record::Version>| version.and_then(|version| version.order);
        let next = order(write.version.as_ref()).and_then(|order| order.checked_add(1));
        let counted = next.is_some() && next == order(version);
        let ourselves = self.flows.ourselves.get(&key.record_type.system);
        let by_us = ourselves.is_some()
            && ourselves == record.shadow.author.as_ref()
            && self.came_with_our_write(key, record);
        let untouched = write.deed == Deed::Create
            && version.is_some_and(|version| Some(version.modified) == record.shadow.created);
        counted || by_us || untouched
    }

    /// Identities that are shown by now wait for nobody.
    pub(crate) fn free_kept_identities(&mut self) {
        let Cluster { links, records, .. } = &mut self.cluster;
        for link in links {
            for side in Side::BOTH {
                let flow = self.flows.flow(&link.flow);
                let identity = flow.and_then(|flow| flow.end(side).identity.as_ref());
                let record = records.get_mut(link.end(side));
                let (Some(identity), Some(record)) =
                    (identity, record.filter(|record| !record.parked.is_empty()))
                else {
                    continue;
                };
                let wanted = identity.value(&link.end(side.other()).id);
                let there = record.value(&identity.property) == &wanted;
                record.parked.retain(|name, parked| {
                    !there || name != &identity.property || parked.kind != ParkedKind::Rewritten
                });
            }
        }
    }

    /// Parks a property that shows something else than was written to it. A value that did not come to stand is owed
    /// still; one that the system made another of stays there.
    fn weigh_write(
        &mut self,
        key: &RecordKey,
        property: &str,
        planned: &Planned,
        before: &[&Value],
        shown: &Value,
    ) {
        let kept = shown == &planned.value || self.fits(key, property, planned, shown);
        if kept || removed(Mutation::NotKept) {
            return;
        }
        let Some(record) = self.cluster.records.get_mut(key) else {
            return;
        };
        let ignored = shown.is_blank() || before.contains(&shown);
        if planned.epoch > 0 {
            let agreed = record
                .bases
                .get_mut(property)
                .filter(|base| base.epoch == planned.epoch);
            let Some(base) = agreed else { return };
            // Seen and overruled, or taken as it is.
            let (value, epoch) = (shown.clone(), planned.epoch - u64::from(ignored));
            *base = Base { value, epoch };
        }
        let system = &key.record_type.system;
        let what = if is_personal(self.flows, &key.record_type, property) {
            "another value".to_owned()
        } else if shown.is_blank() {
            "nothing".to_owned()
        } else {
            format!("`{shown}`")
        };
        let reason = format!("{system} accepted what was written to {property}, but it shows {what}");
        let parked = self.parked(
            ParkedKind::Rewritten,
            planned.epoch,
            reason.clone(),
            if ignored { IGNORED } else { CHANGED }.to_owned(),
        );
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.parked.insert(property.to_owned(), parked);
        }
        let what = EventKind::Parked {
            kind: ParkedKind::Rewritten,
        };
        self.note(key, Some(property), None, what, reason);
    }

    /// Whether what is shown is a form of what was written, by a row of a flow that the record is linked in.
    fn fits(&self, key: &RecordKey, property: &str, planned: &Planned, shown: &Value) -> bool {
        self.flows.flows_of(&key.record_type).any(|(flow, side)| {
            let mut rows = flow.mappings.iter();
            planned.epoch > 0
                && rows.any(|mapping| {
                    let form = Form {
                        flow,
                        mapping,
                        side,
                        facts: self.facts,
                    };
                    // What cannot be read at the moment is not judged.
                    let wanted = || form.decode(&planned.value).ok();
                    mapping.property(side) == property
                        && wanted().is_none_or(|wanted| form.fits(&wanted, shown))
                })
        })
    }

    /// Its deletion was accepted, and it is still there.
    fn hold_undeleted(&mut self, key: &RecordKey) {
        let Some(record) = self
            .record(key)
            .filter(|it| it.shadow.presence == Presence::Alive)
        else {
            return;
        };
        let flows: Vec<String> = record.suppressed.iter().cloned().collect();
        let system = &key.record_type.system;
        let reason = format!("{system} accepted its deletion, but it is still there");
        for flow in flows {
            let advice = "Delete it there by hand, or link it again".to_owned();
            let parked = self.parked(ParkedKind::Rewritten, 0, reason.clone(), advice);
            self.hold(key, &flow, parked);
        }
        let what = EventKind::Parked {
            kind: ParkedKind::Rewritten,
        };
        self.note(key, None, None, what, reason);
    }
}
