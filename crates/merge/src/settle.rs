//! Settle: take over what became of writes, before the cluster is merged again in the same plan.

use crate::cluster::{
    Action, Base, Companion, Deed, Intent, Newborn, ParkedKind, Record, Shadow, Unconfirmed,
};
use crate::creates::fingerprint;
use crate::dataflow::{Dataflow, StandIn};
use crate::mutation::{Mutation, removed};
use crate::plan::EventKind;
use crate::reconcile::Settlement;
use crate::record::{Observation, Presence, RecordKey, Values};
use crate::refusals::Said;
use crate::value::Value;
use crate::work::Work;
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Work<'_> {
    /// Takes one settlement over. An intent that the cluster does not hold (any more) changes nothing.
    pub(crate) fn settle(&mut self, intent: u64, settlement: Settlement) {
        let Some(intent) = self.take_intent(intent) else {
            return;
        };
        let settlement = crate::privacy::scrubbed(self.flows, &self.cluster, &intent, settlement);
        match (intent.action.clone(), settlement) {
            (Action::Update { record }, settlement) => self.settle_update(&record, intent, settlement),
            (Action::Delete { record }, settlement) => self.settle_delete(&record, &intent, settlement),
            (Action::Create { .. }, settlement) => self.settle_create(intent, settlement),
            (Action::Companion { .. }, settlement) => self.settle_companion(intent, settlement),
        }
    }

    fn take_intent(&mut self, id: u64) -> Option<Intent> {
        if let Some(index) = self.cluster.creates.iter().position(|intent| intent.id == id) {
            return Some(self.cluster.creates.remove(index));
        }
        let mut records = self.cluster.records.values_mut();
        records.find_map(|record| record.intent.take_if(|intent| intent.id == id))
    }

    fn settle_update(&mut self, key: &RecordKey, intent: Intent, settlement: Settlement) {
        match settlement {
            Settlement::Applied { state, at, .. } => self.apply_update(key, &intent, state, at),
            Settlement::Refused {
                kind,
                properties,
                reason,
                advice,
                ..
            } => {
                let said = Said {
                    kind,
                    named: &properties,
                    reason: &reason,
                    advice: &advice,
                };
                self.refuse_update(key, &intent, said);
            }
            Settlement::Read { state, unknown } => {
                let arrived = unknown && state.presence == Presence::Alive;
                let shown = state.values.clone();
                let open = arrived && may_arrive(self.flows, &intent, &state);
                if unknown && (!arrived || open) {
                    let what = if open {
                        "it may arrive yet"
                    } else {
                        "the record is gone"
                    };
                    self.file_drifted(key, &intent, what, arrived.then_some(&shown));
                }
                self.believe_gone(key, unknown, &state);
                self.admit(vec![state]);
                if arrived {
                    self.recognise_arrived(key, &intent, &shown);
                }
            }
            Settlement::FoundOwn { state } | Settlement::FoundOther { state } => self.admit(vec![state]),
            Settlement::Withdrawn => {}
        }
    }

    /// A write may settle after its record was unlinked: then it agrees with nothing any more.
    fn is_tied(&self, key: &RecordKey) -> bool {
        let mut links = self.cluster.links.iter();
        links.any(|link| &link.first == key || &link.second == key)
    }

    /// An update of unknown outcome went to a record that is gone, or may arrive yet: it overwrites values that had
    /// drifted before that, so they are kept in the history (E5).
    fn file_drifted(&mut self, key: &RecordKey, intent: &Intent, what_now: &str, shown: Option<&Values>) {
        let Some(record) = self.cluster.records.get(key) else {
            return;
        };
        let mut drifted = Vec::new();
        for (property, planned) in &intent.values {
            let old = intent.before.get(property).cloned().unwrap_or_default();
            let new = planned.value.clone();
            let now = shown.and_then(|shown| shown.get(property));
            let stands = now.is_none_or(|now| now == &old);
            let kept = is_drift(record, property, &old) || is_only_target(self.flows, key, property);
            if old != new && !old.is_blank() && stands && kept {
                drifted.push((
                    property,
                    (planned.epoch, planned.trace),
                    EventKind::Overwrote { old, new },
                ));
            }
        }
        let why = format!("{} (its answer was lost, and {what_now})", intent.reason);
        for (property, led, what) in drifted {
            self.note_at(led, key, Some(property), None, what, why.clone());
        }
    }

    /// An update of unknown outcome was read: what equals the sent value is what we wrote. A value that had drifted and
    /// is gone may have been overwritten by it, so it is kept in the history.
    fn recognise_arrived(&mut self, key: &RecordKey, intent: &Intent, shown: &Values) {
        let tied = self.is_tied(key);
        let Some(record) = self.cluster.records.get_mut(key) else {
            return;
        };
        let mut lines = Vec::new();
        for (property, planned) in &intent.values {
            let now = shown.get(property).cloned().unwrap_or_default();
            let old = intent.before.get(property).cloned().unwrap_or_default();
            if now == old {
                continue;
            }
            let typed_over = now != planned.value && is_only_target(self.flows, key, property);
            if is_drift(record, property, &old) || typed_over {
                let (old, new) = (old.clone(), now.clone());
                lines.push((
                    property,
                    (planned.epoch, planned.trace),
                    EventKind::Overwrote { old, new },
                ));
            }
            if now != planned.value {
                continue;
            }
            // A record that was unlinked meanwhile agrees with nothing any more; what was written is told all the same.
            if planned.epoch > 0 && tied {
                let base = Base {
                    value: planned.value.clone(),
                    epoch: planned.epoch,
                };
                record.bases.insert(property.clone(), base);
            }
            let left = Values::from([(property.clone(), now.clone())]);
            crate::guarded::note_written(self.flows, key, record, &left);
            lines.push((
                property,
                (planned.epoch, planned.trace),
                EventKind::Wrote { old, new: now },
            ));
        }
        let why = format!("{} (its answer was lost)", intent.reason);
        for (property, led, what) in lines {
            if let (0, EventKind::Wrote { new, .. }) = (led.0, &what) {
                self.take_own_value(key, property, new);
            }
            self.note_at(led, key, Some(property), None, what, why.clone());
        }
    }

    /// The target's base is the state in the answer, else the declared form; never a later read (C8).
    fn apply_update(&mut self, key: &RecordKey, intent: &Intent, state: Option<Observation>, at: Timestamp) {
        let mut written = Vec::new();
        let tied = self.is_tied(key);
        let Some(record) = self.cluster.records.get_mut(key) else {
            return;
        };
        for (property, planned) in &intent.values {
            let shown = state.as_ref().and_then(|state| state.values.get(property));
            let value = shown.unwrap_or(&planned.value).clone();
            let old = record.value(property).clone();
            record.shadow.values.insert(property.clone(), value.clone());
            record.parked.remove(property);
            let drifted = is_drift(record, property, &old);
            if planned.epoch > 0 && tied {
                record.bases.insert(
                    property.clone(),
                    Base {
                        value: value.clone(),
                        epoch: planned.epoch,
                    },
                );
            }
            let led = (planned.epoch, planned.trace);
            written.push((property.clone(), drifted, old, value, led));
        }
        record.wrote_at = Some(at);
        let left = written
            .iter()
            .map(|(name, _, _, value, _)| (name.clone(), value.clone()));
        crate::guarded::note_written(self.flows, key, record, &left.collect());
        // What it says nothing of may be hidden since: only a look tells what went blank, and whether it was kept.
        let less = state
            .as_ref()
            .is_some_and(|state| shows_less(self.flows, record, intent, state));
        let state = state.map(|state| Observation {
            partial: state.partial || less,
            ..state
        });
        let (shown, write) = (
            state.clone(),
            unconfirmed(self.flows, key, Deed::Update, intent, at),
        );
        match state {
            // The answer shows the record right after this write: edits by others that it had missed included.
            Some(state) => {
                let seen = Observation {
                    read_began: at,
                    ..state
                };
                self.admit(vec![seen]);
            }
            None => {
                if let Some(version) = &mut record.shadow.version {
                    version.firm = false;
                }
            }
        }
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.shadow.seen = record.shadow.seen.max(at);
            record.note_applied(write.clone());
            if shown.is_some() && !less {
                record.confirm_by_sight();
            }
        }
        if let Some(shown) = shown {
            self.weigh_answer(key, &write, &shown);
        }
        for (property, drifted, old, new, led) in written {
            let why = &intent.reason;
            let property = Some(property.as_str());
            if drifted {
                let (old, new) = (old.clone(), new.clone());
                let what = EventKind::Overwrote { old, new };
                self.note_at(led, key, property, None, what, why.clone());
            }
            if let (0, Some(property)) = (led.0, property) {
                self.take_own_value(key, property, &new);
            }
            let what = EventKind::Wrote { old, new };
            self.note_at(led, key, property, None, what, why.clone());
        }
    }

    fn settle_delete(&mut self, key: &RecordKey, intent: &Intent, settlement: Settlement) {
        match settlement {
            Settlement::Applied { at, .. } => {
                if let Some(record) = self.cluster.records.get_mut(key) {
                    record.shadow.presence = Presence::Deleted;
                    record.shadow.seen = at;
                    record.note_applied(unconfirmed(self.flows, key, Deed::Delete, intent, at));
                }
                let led = (0, intent.trace);
                self.note_at(led, key, None, None, EventKind::Deleted, String::new());
                self.keep_deleted_values(key, WENT);
            }
            Settlement::Refused {
                kind, reason, advice, ..
            } => {
                self.leave_unmade(key, &reason, &advice);
                let flows = self.removals_by(key, intent);
                let said = Said {
                    kind,
                    named: &[],
                    reason: &reason,
                    advice: &advice,
                };
                self.refuse_removal(key, intent, &flows, said);
            }
            Settlement::Read { state, unknown } => {
                self.believe_gone(key, unknown, &state);
                self.admit_after_removal(key, intent, state, unknown);
            }
            Settlement::FoundOwn { state } | Settlement::FoundOther { state } => {
                self.admit_after_removal(key, intent, state, false);
            }
            Settlement::Withdrawn => {}
        }
    }

    /// A write was answered that there is no such record, and a look finds none either: it does not only show late.
    fn believe_gone(&mut self, key: &RecordKey, unknown: bool, state: &Observation) {
        let gone = !unknown && state.presence != Presence::Alive;
        if let Some(record) = self.cluster.records.get_mut(key).filter(|_| gone) {
            record.unconfirmed.clear();
        }
    }

    fn admit_after_removal(&mut self, key: &RecordKey, intent: &Intent, state: Observation, unknown: bool) {
        let deleted = state.presence == Presence::Deleted;
        let open = unknown && may_arrive(self.flows, intent, &state);
        self.admit(vec![state]);
        if deleted {
            self.keep_deleted_values(key, WENT);
        } else if open {
            self.keep_deleted_values(key, "its deletion has no answer and may arrive yet");
        }
    }

    /// What stood in a record that we deleted stays in history: some of it no other record may hold.
    fn keep_deleted_values(&mut self, key: &RecordKey, why: &str) {
        let Some(record) = self.record(key) else { return };
        let held = record.shadow.values.clone().into_iter();
        let kept: Vec<_> = held.filter(|(_, value)| !value.is_blank()).collect();
        for (name, old) in kept {
            let what = EventKind::Overwrote {
                old,
                new: Value::Blank,
            };
            self.note(key, Some(&name), None, what, why.to_owned());
        }
    }

    fn settle_create(&mut self, intent: Intent, settlement: Settlement) {
        let Action::Create { source, target, .. } = &intent.action else {
            return;
        };
        match settlement {
            Settlement::Applied { id, state, at } => {
                let key = RecordKey {
                    record_type: target.clone(),
                    id,
                };
                let state = state.map(|state| Observation {
                    read_began: at,
                    ..state
                });
                self.born(&intent, key, state, at, true);
            }
            Settlement::FoundOwn { state } => {
                let (key, at) = (state.key.clone(), state.read_began);
                self.born(&intent, key.clone(), Some(state), at, false);
                let deadline = self.flows.request_deadlines.get(&target.system);
                let until = deadline.and_then(|deadline| at.checked_add(*deadline).ok());
                if let Some(record) = self.cluster.records.get_mut(&key).filter(|_| intent.unknown) {
                    record.arrives_until = until;
                }
            }
            Settlement::FoundOther { state } | Settlement::Read { state, .. } => self.admit(vec![state]),
            Settlement::Refused {
                kind,
                properties,
                reason,
                advice,
                ..
            } => {
                let said = Said {
                    kind,
                    named: &properties,
                    reason: &reason,
                    advice: &advice,
                };
                self.refuse_create(source, &intent, said);
            }
            Settlement::Withdrawn => {}
        }
    }

    /// A record that a create made: linked, its base what was sent, what differs an edit on top.
    fn born(
        &mut self,
        intent: &Intent,
        key: RecordKey,
        state: Option<Observation>,
        at: Timestamp,
        answered: bool,
    ) {
        let Action::Create {
            flow,
            source,
            left_out,
            ..
        } = &intent.action
        else {
            return;
        };
        if let Some(by) = self.taken_by(flow, &key) {
            self.admit(state.into_iter().collect());
            self.tell_born(intent, flow, &key);
            if &by != source {
                self.hold_taken(flow, source, &key, &by);
            }
            return;
        }
        let known = self.cluster.records.contains_key(&key);
        if !known {
            self.know_born(intent, &key, at);
        }
        let observed = state.is_some() || known;
        let shown = state.as_ref().map(|state| state.values.clone());
        let told = state.clone();
        if let Some(state) = state {
            self.admit(vec![state]);
        }
        let mut own_properties = self.mapped_properties(flow, &key);
        own_properties.retain(|name| !self.stands_in(flow, &key, name, intent));
        if let Some(record) = self.cluster.records.get_mut(&key) {
            for (property, planned) in intent
                .values
                .iter()
                .filter(|(name, _)| own_properties.contains(name))
            {
                let told = shown
                    .as_ref()
                    .filter(|_| answered && !known)
                    .and_then(|shown| shown.get(property));
                let value = told.unwrap_or(&planned.value).clone();
                record.bases.insert(
                    property.clone(),
                    Base {
                        value,
                        epoch: planned.epoch,
                    },
                );
            }
            record.born = true;
            record.newborn = Some(Newborn {
                observed,
                left_out: left_out.clone(),
            });
            record.wrote_at = Some(at);
            if is_untouched(&record.shadow) || answered && !known {
                let mut write = unconfirmed(self.flows, &key, Deed::Create, intent, at);
                // What belongs to no component is the system's own affair from now on.
                write.wrote.retain(|_, planned| planned.epoch > 0);
                record.note_applied(write.clone());
                match told {
                    Some(told) => self.weigh_answer(&key, &write, &told),
                    None if known => self.weigh_sight(&key, &[write]),
                    None => {}
                }
            }
        }
        self.tell_born(intent, flow, &key);
        if let Some(flow) = self.flows.flow(flow) {
            self.hand_refusals_over(flow, source, &key);
        }
        let flow = flow.clone();
        self.link_born(&flow, source, &key);
    }

    /// A record that nobody looked at yet is known as it was sent.
    fn know_born(&mut self, intent: &Intent, key: &RecordKey, at: Timestamp) {
        let sent = intent.values.iter();
        let shadow = Shadow {
            presence: Presence::Alive,
            values: sent
                .map(|(name, planned)| (name.clone(), planned.value.clone()))
                .collect(),
            version: None,
            created: None,
            seen: at,
            author: None,
            protected: false,
            merged_into: None,
            unreadable: std::collections::BTreeMap::new(),
        };
        let record = Record {
            since: at,
            ..Record::new(shadow)
        };
        self.cluster.records.insert(key.clone(), record);
    }

    fn tell_born(&mut self, intent: &Intent, flow: &str, key: &RecordKey) {
        let (led, why) = ((0, intent.trace), intent.reason.clone());
        self.note_at(led, key, None, Some(flow), EventKind::Created, why);
    }

    /// The record that what a create made is linked with by now.
    fn taken_by(&self, flow: &str, key: &RecordKey) -> Option<RecordKey> {
        let group = &self.flows.flow(flow)?.group;
        let other = self.counterpart_in_group(key, group);
        other.filter(|_| !removed(Mutation::SharedLink))
    }

    /// Its source gets no other one by itself: a person sees to it.
    fn hold_taken(&mut self, flow: &str, source: &RecordKey, key: &RecordKey, by: &RecordKey) {
        let why = format!("its counterpart {key} was linked with {by} before the create was answered");
        let advice = "link them by hand, or ignore it".to_owned();
        let parked = self.parked(ParkedKind::Undecidable, 0, why, advice);
        self.hold(source, flow, parked);
    }

    fn mapped_properties(&self, flow: &str, key: &RecordKey) -> Vec<String> {
        let Some(flow) = self.flows.flow(flow) else {
            return Vec::new();
        };
        let Some(side) = flow.side_of(&key.record_type) else {
            return Vec::new();
        };
        flow.mappings
            .iter()
            .map(|mapping| mapping.property(side).to_owned())
            .collect()
    }

    /// What was given in the place of a reference that leads nowhere: the record and the head agree on nothing by it.
    fn stands_in(&self, flow: &str, key: &RecordKey, property: &str, intent: &Intent) -> bool {
        let flow = self.flows.flow(flow);
        let Some((flow, side)) = flow.and_then(|flow| Some((flow, flow.side_of(&key.record_type)?))) else {
            return false;
        };
        let given = intent.values.get(property).filter(|planned| planned.epoch == 0);
        let mut rows = flow
            .mappings
            .iter()
            .filter(|mapping| mapping.property(side) == property);
        rows.any(|mapping| match &mapping.stand_in[side.index()] {
            Some(StandIn::Value(text)) => {
                given.is_some_and(|planned| planned.value == Value::text(text.as_str()))
            }
            _ => false,
        })
    }

    /// D3: a create whose source was deleted in the meantime is reported and suppressed.
    fn link_born(&mut self, name: &str, source: &RecordKey, key: &RecordKey) {
        let flows = self.flows;
        let Some(flow) = flows.flow(name) else { return };
        let alive = self.record(source).is_some_and(Record::alive);
        let taken = self.linked_in_group(source, &flow.group) || self.linked_in_group(key, &flow.group);
        let taken = taken && !removed(Mutation::SharedLink);
        if !alive && removed(Mutation::OrphanedCreate) {
            return;
        }
        if !alive || taken {
            if let Some(record) = self.cluster.records.get_mut(key) {
                record.suppressed.insert(name.to_owned());
                record.newborn = None;
                record.bases.clear();
            }
            let why = format!("created for {source}, which was deleted or linked in the meantime");
            let parked = self.parked(
                ParkedKind::Undecidable,
                0,
                why,
                "delete it, or link it by hand".to_owned(),
            );
            return self.hold(key, name, parked);
        }
        let (first, second) = if flow.end(crate::dataflow::Side::First).record_type == source.record_type {
            (source, key)
        } else {
            (key, source)
        };
        let (first, second) = (first.clone(), second.clone());
        self.link(flow, &first, &second);
    }

    fn settle_companion(&mut self, intent: Intent, settlement: Settlement) {
        let Action::Companion { key, target, .. } = &intent.action else {
            return;
        };
        let known = self.record(&key.owner);
        let known = known.and_then(|record| record.companions.get(&key.role));
        let lost = known.and_then(|companion| companion.lost.clone());
        let (id, created, parked) = match settlement {
            Settlement::Applied { id, .. } => (Some(id), true, None),
            Settlement::FoundOwn { state } => (Some(state.key.id), true, None),
            Settlement::FoundOther { state } | Settlement::Read { state, .. } => {
                (Some(state.key.id), false, None)
            }
            Settlement::Refused {
                kind, reason, advice, ..
            } => {
                let said = Said {
                    kind,
                    named: &[],
                    reason: &reason,
                    advice: &advice,
                };
                let epoch = fingerprint(&intent.values);
                (None, false, Some(self.refusal(said, target, epoch, None)))
            }
            Settlement::Withdrawn => (None, false, None),
        };
        let companion = Companion {
            lost: lost.filter(|_| id.is_none()),
            id,
            created,
            parked,
        };
        if let Some(record) = self.cluster.records.get_mut(&key.owner) {
            record.companions.insert(key.role.clone(), companion);
        }
    }
}

/// Whether nobody changed a record since it was made, as a system tells that counts: what it shows is what it made of
/// the create, though its answer was lost, or it was seen before that.
fn is_untouched(shown: &Shadow) -> bool {
    let version = shown.version.as_ref().filter(|version| version.order.is_some());
    version.is_some_and(|version| Some(version.modified) == shown.created)
}

/// Whether an answer says nothing of a property beside those written that holds a value, as far as is known. It may have
/// been hidden since: only a look tells what went blank. Of one that is known to be out of sight none says anything.
fn shows_less(flows: &Dataflow, record: &Record, intent: &Intent, state: &Observation) -> bool {
    let mut known = record.shadow.values.iter().filter(|(_, value)| !value.is_blank());
    known.any(|(property, _)| {
        let told = intent.values.contains_key(property) || state.values.contains_key(property);
        !told && !flows.hides(&state.key.record_type, property)
    })
}

/// An applied write, until a read shows what it left.
fn unconfirmed(flows: &Dataflow, key: &RecordKey, deed: Deed, intent: &Intent, at: Timestamp) -> Unconfirmed {
    Unconfirmed {
        deed,
        version: intent.version.clone(),
        before: intent.before.clone(),
        wrote: intent.values.clone(),
        at,
        there: Some(flows.by_its_clock(&key.record_type.system, at)),
        unshown: BTreeSet::new(),
        doubted: false,
    }
}

/// Why the values of a deleted record are in the history.
const WENT: &str = "deleted with its record";

/// Whether a write without an answer may arrive yet, or has arrived and does not show: its record is as it was, so its
/// condition holds, or it has none.
fn may_arrive(flows: &Dataflow, intent: &Intent, state: &Observation) -> bool {
    let as_before = match (&intent.version, &state.version) {
        (Some(before), Some(now)) => !crate::admit::is_earlier(before, now),
        _ => false,
    };
    let bare = flows.unprotected.contains(&state.key.record_type.system);
    state.presence == Presence::Alive && (as_before || bare)
}

/// Whether what is typed into a property goes nowhere: no other record may hold it.
fn is_only_target(flows: &Dataflow, key: &RecordKey, property: &str) -> bool {
    let mut uses = flows.flows_of(&key.record_type).flat_map(|(flow, side)| {
        let own = flow
            .mappings
            .iter()
            .filter(move |mapping| mapping.property(side) == property);
        own.map(move |mapping| mapping.travels_to(side.other()))
    });
    uses.any(|travels| !travels)
}

/// Whether a value is not what the record last agreed on, or never agreed with anything.
fn is_drift(record: &Record, property: &str, value: &Value) -> bool {
    match record.bases.get(property) {
        Some(base) => &base.value != value,
        None => !value.is_blank(),
    }
}
