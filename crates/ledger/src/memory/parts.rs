//! Parts and parents in the model.

use super::books::Books;
use super::take::as_it_is;
use jiff::Timestamp;
use std::collections::BTreeSet;
use tandem_merge::dataflow::{Dataflow, Reference};
use tandem_merge::facts::{Parent, Part, PartsOf, Referral};
use tandem_merge::fates::Stored;
use tandem_merge::record::{Presence, RecordKey, Values};
use tandem_merge::support;

impl Books {
    /// How the parts of a record stand.
    pub(super) fn parts(&self, flows: &Dataflow, members: &BTreeSet<RecordKey>, of: &PartsOf) -> Vec<Part> {
        let key = support::key_of(of);
        let mut found: Vec<(u64, &RecordKey)> = self
            .records
            .iter()
            .filter(|(record, entry)| entry.keys.contains(&key) && !members.contains(record))
            .map(|(record, entry)| (entry.number, record))
            .collect();
        found.sort();
        let part = |(_, record): (u64, &RecordKey)| {
            let standing =
                support::standing(flows, of, &as_it_is(self, record), record, self.undecided(record))?;
            Some(Part {
                record: record.clone(),
                standing,
            })
        };
        found.into_iter().filter_map(part).collect()
    }

    /// What is known of a parent.
    pub(super) fn parent(&self, flows: &Dataflow, referral: &Referral) -> Option<Parent> {
        let Reference::Flow(flow) = &referral.through else {
            return None;
        };
        let key = support::parent_record(flows, referral)?;
        if !self.records.contains_key(&key) {
            return Some(Parent::default());
        }
        let mut links = self.links.values().map(|(_, link)| link);
        let link = links.find(|link| &link.flow == flow && link.end(referral.side) == &key);
        Some(Parent {
            own: self.shown(&key),
            other: link.and_then(|link| self.shown(link.end(referral.side.other()))),
            verdict: link.and_then(|link| link.verdict),
            undecided: self.undecided(&key),
            unread: self.reread.contains_key(&key),
        })
    }

    /// What is stored of a record that a reference named.
    pub(super) fn stored(&self, members: &BTreeSet<RecordKey>, key: &RecordKey) -> Option<Stored> {
        if self.forgotten.contains(key) {
            return Some(Stored {
                forgotten: true,
                ..Stored::default()
            });
        }
        self.records.contains_key(key).then(|| Stored {
            cluster: as_it_is(self, key),
            // The cluster's own records are decided right now: it would wait for itself.
            undecided: !members.contains(key) && self.undecided(key),
            unread: self.reread.contains_key(key),
            forgotten: false,
        })
    }

    /// How many clusters wait for what becomes of a deleted record that they named; its parts are not among them.
    pub(super) fn losses(&self, flows: &Dataflow, key: &RecordKey) -> u64 {
        let is_part = |of: &RecordKey| {
            let mut uses = flows.flows_of(&of.record_type);
            uses.any(|(flow, _)| flow.supports.is_some())
        };
        let waits = self.waits.iter();
        let waiting = waits.filter(|(target, waiting)| target == key && !is_part(waiting));
        waiting.count() as u64
    }

    /// Whether its system said that it was deleted, by what is decided.
    pub(super) fn is_deleted(&self, key: &RecordKey) -> bool {
        let state = self.records.get(key).and_then(|entry| entry.state.as_ref());
        state.is_some_and(tandem_merge::cluster::Record::is_deleted)
    }

    fn undecided(&self, key: &RecordKey) -> bool {
        self.has_inbox(key) || self.dirty.get(key).is_some_and(|mark| mark.own)
    }

    fn shown(&self, key: &RecordKey) -> Option<(Presence, Values)> {
        let shadow = &self.records.get(key)?.state.as_ref()?.shadow;
        Some((shadow.presence, shadow.values.clone()))
    }

    /// A read that began at that moment answers what was to be read again, and wakes who waits for it: the record itself
    /// where its create can arrive no more.
    pub(super) fn answered(&mut self, key: &RecordKey, began: Timestamp) {
        if self.later.get(key).is_some_and(|at| *at <= began) {
            self.later.remove(key);
            let state = self.records.get(key).and_then(|entry| entry.state.as_ref());
            if state.is_some_and(|record| record.arrives_until.is_some()) {
                self.mark_dirty(key, false);
            }
        }
        if self.reread.get(key).is_none_or(|at| *at > began) {
            return;
        }
        self.reread.remove(key);
        let waits = self.waits.iter().filter(|(target, _)| target == key);
        let mut waiting: Vec<(u64, RecordKey)> = waits
            .map(|(_, waiting)| (self.records[waiting].number, waiting.clone()))
            .collect();
        waiting.sort();
        for (_, waiting) in waiting {
            self.mark_dirty(&waiting, false);
        }
    }

    /// Notes that a record is to be read again, or once more later, by a read that begins at this moment or after it.
    pub(super) fn note_reread(&mut self, key: &RecordKey, at: Timestamp, later: bool) {
        if self.forgotten.contains(key) {
            return;
        }
        self.entry(key);
        let notes = if later { &mut self.later } else { &mut self.reread };
        let noted = notes.entry(key.clone()).or_insert(at);
        *noted = (*noted).max(at);
    }

    /// Records to read again, and those to read once more by now.
    pub(super) fn to_reread(&self, now: Timestamp, limit: usize) -> Vec<RecordKey> {
        let due = self.later.iter().filter(|(_, at)| **at <= now);
        let all = self.reread.keys().chain(due.map(|(key, _)| key));
        let mut all: Vec<(u64, &RecordKey)> = all.map(|key| (self.records[key].number, key)).collect();
        all.sort();
        all.dedup();
        all.into_iter().take(limit).map(|(_, key)| key.clone()).collect()
    }
}
