//! The model's state, and the units that observe and send.

use crate::Error;
use crate::contract::{Page, PageReport, Run, RunRow};
use crate::item::Standing;
use crate::known::{Known, laid_over};
use crate::outbox::{destination, subject};
use crate::tally;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Companion, Head, Intent, Link, Question, Record};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::facts::MatchKey;
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::plan::Event;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType};

/// Everything the model knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) clock: u64,
    pub(super) fence: u64,
    pub(super) notes: BTreeMap<String, String>,
    pub(super) systems: BTreeMap<String, System>,
    pub(super) records: BTreeMap<RecordKey, Entry>,
    pub(super) inbox: BTreeMap<u64, Observation>,
    pub(super) dirty: BTreeMap<RecordKey, Mark>,
    /// Links by number, each with its flow group.
    pub(super) links: BTreeMap<u64, (String, Link)>,
    pub(super) intents: BTreeMap<u64, Intent>,
    /// The handles of accepted intents.
    pub(super) handles: BTreeMap<u64, String>,
    /// Records to read again, by a read that begins at this moment or later.
    pub(super) reread: BTreeMap<RecordKey, Timestamp>,
    /// Records to read once more, by a read that begins at this moment or later.
    pub(super) later: BTreeMap<RecordKey, Timestamp>,
    /// Target and who waits for it.
    pub(super) waits: BTreeSet<(RecordKey, RecordKey)>,
    pub(super) items: BTreeMap<u64, (RecordKey, Standing)>,
    pub(super) history: BTreeMap<u64, Event>,
    pub(super) deletions: Vec<(String, Timestamp)>,
    /// Edits taken over, by flow, side and record.
    pub(super) edited: BTreeMap<(String, Side, RecordKey), Timestamp>,
    /// Items that nobody wants to hear of until then.
    pub(super) ignored: BTreeMap<u64, Timestamp>,
    pub(super) approvals: BTreeMap<String, Timestamp>,
    pub(super) tallies: tally::Counts,
    pub(super) forgotten: BTreeSet<RecordKey>,
    pub(super) run: Option<Run>,
    pub(super) runs: BTreeMap<u64, RunRow>,
    /// By hour, record type and what.
    pub(super) hours: BTreeMap<(i64, Option<RecordType>, String), i64>,
    /// The last numbers given to links, intents, items, lines of the history and runs: none is given twice.
    pub(super) numbers: [u64; 5],
}

/// What is known of a system.
#[derive(Clone, Debug, Default)]
pub(super) struct System {
    pub(super) identity: Option<String>,
    pub(super) cursor: Option<Vec<u8>>,
    pub(super) listed: Option<Timestamp>,
}

/// A record that was ever named.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// Its place in the order of first naming.
    pub(super) number: u64,
    pub(super) revision: u64,
    pub(super) woke: u64,
    /// Once admitted: without intent and companions.
    pub(super) state: Option<Record>,
    pub(super) companions: BTreeMap<String, Companion>,
    pub(super) heads: BTreeMap<String, Head>,
    pub(super) questions: Vec<Question>,
    pub(super) keys: BTreeSet<MatchKey>,
}

/// A mark of dirtiness.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) age: u64,
    pub(super) last: u64,
    /// By itself, not woken by a change of another.
    pub(super) own: bool,
}

impl Books {
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// The next number of links (0), intents (1), items (2), lines of the history (3) or runs (4).
    pub(super) fn number(&mut self, of: usize) -> u64 {
        self.numbers[of] += 1;
        self.numbers[of]
    }

    pub(super) fn bind(&mut self, system: &str, identity: &str) -> Result<(), Error> {
        let entry = self.systems.entry(system.to_owned()).or_default();
        let known = entry.identity.get_or_insert_with(|| identity.to_owned());
        if known == identity {
            return Ok(());
        }
        Err(Error::OtherSystem {
            system: system.to_owned(),
            known: known.clone(),
            found: identity.to_owned(),
        })
    }

    /// The record's entry; it gets one where it has none.
    pub(super) fn entry(&mut self, key: &RecordKey) -> &mut Entry {
        let number = self.records.len() as u64 + 1;
        let entry = self.records.entry(key.clone()).or_default();
        if entry.number == 0 {
            entry.number = number;
        }
        entry
    }

    pub(super) fn mark_dirty(&mut self, key: &RecordKey, own: bool) {
        if !self.records.contains_key(key) {
            return;
        }
        let now = self.tick();
        let mark = self.dirty.entry(key.clone()).or_insert(Mark {
            age: now,
            last: now,
            own,
        });
        mark.last = now;
        mark.own |= own;
    }

    pub(super) fn commit_page(&mut self, flows: &Dataflow, page: &Page) -> PageReport {
        let mut report = PageReport::default();
        for seen in &page.observations {
            if self.forgotten.contains(&seen.key) {
                report.known += 1;
                continue;
            }
            self.entry(&seen.key);
            self.answered(&seen.key, seen.read_began);
            if self.is_known(seen) {
                report.known += 1;
                continue;
            }
            if self.take_echo(flows, seen) {
                report.echoes += 1;
                continue;
            }
            report.new += 1;
            self.receive(flows, seen.clone());
        }
        if let Some(cursor) = &page.cursor {
            let system = self.systems.entry(page.system.clone()).or_default();
            system.cursor = Some(cursor.clone());
        }
        report
    }

    fn is_known(&self, seen: &Observation) -> bool {
        let newest = self.inbox.values().rev().find(|row| row.key == seen.key);
        let state = self.records[&seen.key].state.as_ref();
        if state.is_some_and(|state| tandem_merge::late::is_known(&state.unconfirmed, seen)) {
            return true;
        }
        match (newest, state) {
            (Some(newest), _) => Known::from(newest).covers(seen),
            (None, Some(state)) => Known::shadow(&state.shadow, state.newborn.as_ref()).covers(seen),
            (None, None) => false,
        }
    }

    /// Whether an observation is an echo; then its record has taken it.
    fn take_echo(&mut self, flows: &Dataflow, seen: &Observation) -> bool {
        let open = self.dirty.contains_key(&seen.key)
            || self.inbox.values().any(|row| row.key == seen.key)
            || self
                .intents
                .values()
                .any(|intent| subject(&intent.action) == &seen.key);
        let tied = super::take::tied(self, &seen.key);
        let listed = self.items.values().any(|(record, _)| tied.contains(record));
        let settled = !open && !listed;
        let Some(entry) = self.records.get_mut(&seen.key).filter(|_| settled) else {
            return false;
        };
        let state = entry.state.as_ref();
        let Some(record) = state.and_then(|state| tandem_merge::echo::taken(flows, state, seen)) else {
            return false;
        };
        entry.state = Some(record);
        entry.revision += 1;
        true
    }

    /// Puts an observation into the inbox and finds its record by its match keys at once.
    pub(super) fn receive(&mut self, flows: &Dataflow, seen: Observation) {
        let key = seen.key.clone();
        let more = self.keys_shown(flows, &seen);
        self.entry(&key).keys.extend(more);
        let seq = self.tick();
        self.inbox.insert(seq, seen);
        self.mark_dirty(&key, true);
    }

    fn keys_shown(&self, flows: &Dataflow, seen: &Observation) -> Vec<MatchKey> {
        if seen.presence != Presence::Alive {
            return Vec::new();
        }
        let record = self.records.get(&seen.key).and_then(|entry| entry.state.as_ref());
        let values = laid_over(record.map(|record| &record.shadow.values), seen);
        tandem_merge::reconcile::match_keys(flows, &seen.key, &values)
    }

    /// Indexes a record by what its shadow and its inbox rows show.
    pub(super) fn reindex(&mut self, flows: &Dataflow, key: &RecordKey) {
        let mut keys = BTreeSet::new();
        for seen in self.inbox.values().filter(|seen| &seen.key == key) {
            keys.extend(self.keys_shown(flows, seen));
        }
        let mut open = self.intents.values();
        let creating = open.any(|intent| intent.source() == Some(key));
        let entry = self.entry(key);
        if let Some(record) = entry.state.as_ref().filter(|record| creating || record.alive()) {
            keys.extend(tandem_merge::reconcile::match_keys(
                flows,
                key,
                &record.shadow.values,
            ));
        }
        entry.keys = keys;
    }

    pub(super) fn touch_all(&mut self, flows: &Dataflow) {
        self.regroup_links(flows);
        let mut all: Vec<(u64, RecordKey)> = Vec::new();
        for (key, entry) in &self.records {
            if entry.state.is_some() || self.has_inbox(key) {
                all.push((entry.number, key.clone()));
            }
        }
        all.sort();
        for (_, key) in all {
            self.reindex(flows, &key);
            self.mark_dirty(&key, true);
        }
    }

    pub(super) fn has_inbox(&self, key: &RecordKey) -> bool {
        self.inbox.values().any(|seen| &seen.key == key)
    }

    /// The open update or deletion of a record.
    pub(super) fn own_write(&self, key: &RecordKey) -> Option<&Intent> {
        let mut all = self.intents.values();
        all.find(|intent| crate::load::writes_record(intent) && subject(&intent.action) == key)
    }

    pub(super) fn in_flight(&self, key: &RecordKey) -> bool {
        self.own_write(key).is_some_and(|intent| intent.sent.is_some())
    }

    pub(super) fn sendable(&self, system: &str, creates: bool, rank: usize, limit: usize) -> Vec<Intent> {
        let fits = |intent: &&Intent| {
            let within = !creates || intent.rank <= rank;
            let decided = creates || !self.has_inbox(subject(&intent.action));
            intent.sent.is_none() && within && decided && destination(&intent.action) == (system, creates)
        };
        let mut all: Vec<Intent> = self.intents.values().filter(fits).cloned().collect();
        all.sort_by_key(|intent| (intent.rank, intent.id));
        all.truncate(limit);
        all
    }

    pub(super) fn begin_write(&mut self, intents: &[u64], now: Timestamp) -> Vec<Intent> {
        let mut marked = Vec::new();
        for id in intents {
            let Some(intent) = self.intents.get_mut(id) else {
                continue;
            };
            let accepted = self.handles.contains_key(id);
            if intent.sent.is_some() && (!intent.unknown || accepted) {
                continue;
            }
            if removed(Mutation::NoSentMark) {
                let mut unmarked = intent.clone();
                unmarked.send(now);
                marked.push(unmarked);
                continue;
            }
            intent.send(now);
            marked.push(intent.clone());
            let subject = subject(&intent.action).clone();
            self.entry(&subject).revision += 1;
        }
        marked
    }

    pub(super) fn mark_unknown(&mut self, intents: &[u64], unsend: bool) {
        for id in intents {
            let sent = self.intents.get_mut(id).filter(|intent| intent.sent.is_some());
            let Some(intent) = sent else {
                continue;
            };
            self.handles.remove(id);
            if unsend && !intent.unknown {
                intent.sent = None;
            } else {
                intent.unknown = true;
            }
            let subject = subject(&intent.action).clone();
            self.entry(&subject).revision += 1;
        }
    }
    pub(super) fn accept(&mut self, intents: &[u64], handle: &str) {
        for id in intents {
            if self.intents.get(id).is_some_and(|intent| intent.sent.is_some()) {
                self.handles.insert(*id, handle.to_owned());
            }
        }
    }

    pub(super) fn handles_of(&self, system: &str) -> Vec<String> {
        let mine = |id: &u64| {
            let intent = self.intents.get(id);
            intent.is_some_and(|intent| destination(&intent.action).0 == system)
        };
        let mut handles: Vec<String> = Vec::new();
        for (_, handle) in self.handles.iter().filter(|(id, _)| mine(id)) {
            if !handles.contains(handle) {
                handles.push(handle.clone());
            }
        }
        handles
    }

    pub(super) fn accepted(&self, handle: &str, after: u64, limit: usize) -> Vec<Intent> {
        let later = self.handles.range(after.saturating_add(1)..);
        let mine = later.filter(|(_, of)| *of == handle);
        let open = mine.filter_map(|(id, _)| self.intents.get(id));
        open.take(limit).cloned().collect()
    }
}
