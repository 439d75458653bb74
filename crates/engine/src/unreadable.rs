//! What could not be read is read again by id: its system may mend it without a change that anybody tells of.
//!
//! A record that its system does not show by its id is marked in the state, so that it is listed, and read again by
//! itself after growing pauses; nobody else waits for it.

use crate::apart::Looked;
use crate::engine::FENCE;
use crate::write::{protected, written_record};
use crate::{Engine, Error, Round};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use tandem_ledger::{Decided, Page};
use tandem_merge::cluster::{Intent, ParkedKind};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{RecordKey, RecordType};
use tandem_merge::{privacy, unreadable};

/// It is read again after so many minutes at the latest, and by every process once.
const EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Items looked at together.
const PAGE: usize = 500;

/// So many times in a row a sync waits for a record that cannot be read; its pauses double.
const WAITED_FOR: u32 = 4;

/// Records that could not be read by their ids the last time.
#[derive(Debug, Default)]
pub(crate) struct Suspects(BTreeMap<RecordKey, Tries>);

/// The reads of one record in a row that failed.
#[derive(Clone, Debug)]
struct Tries {
    times: u32,
    /// Not before this moment is it read again.
    due: Timestamp,
}

impl Suspects {
    /// Who they are.
    pub(crate) fn keys(&self) -> BTreeSet<RecordKey> {
        self.0.keys().cloned().collect()
    }

    /// Whether a record is not to be read yet.
    fn rests(&self, key: &RecordKey, now: Timestamp) -> bool {
        self.0.get(key).is_some_and(|tries| tries.due > now)
    }

    /// So many there are.
    pub(crate) fn many(&self) -> usize {
        self.0.len()
    }

    fn due(&self, now: Timestamp) -> BTreeSet<RecordKey> {
        let due = self.0.iter().filter(|(_, tries)| tries.due <= now);
        due.map(|(key, _)| key.clone()).collect()
    }

    /// One more failure; until when whoever syncs waits for it.
    fn failed(&mut self, key: &RecordKey, now: Timestamp) -> Option<Timestamp> {
        let tries = self.0.entry(key.clone()).or_insert(Tries { times: 0, due: now });
        tries.times += 1;
        let pause = SignedDuration::from_secs(1_i64 << (tries.times - 1).min(16)).min(EVERY);
        tries.due = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        (tries.times < WAITED_FOR).then_some(tries.due)
    }

    /// It was known to be so before this process began: nobody waits for it.
    fn is_old(&mut self, key: &RecordKey, now: Timestamp) {
        let old = Tries {
            times: WAITED_FOR,
            due: now,
        };
        self.0.entry(key.clone()).or_insert(old);
    }

    /// It was shown; once that is stored it is none any more.
    fn shown(&mut self, key: &RecordKey, now: Timestamp) {
        if let Some(tries) = self.0.get_mut(key) {
            *tries = Tries { times: 0, due: now };
        }
    }

    pub(crate) fn remove(&mut self, key: &RecordKey) {
        self.0.remove(key);
    }
}

impl Engine {
    /// Reads the records again that hold something unreadable, where it is time to.
    pub(crate) async fn read_unreadable(&mut self, round: &mut Round) -> Result<(), Error> {
        let now = self.clock.now();
        let every = |at: Timestamp| now.duration_since(at) >= EVERY;
        let mut records = match self.unreadable_read.is_none_or(every) {
            true => self.listed_unreadable()?,
            false => BTreeSet::new(),
        };
        records.extend(self.suspects.due(now));
        if !records.is_empty() {
            self.read(&records, round).await?;
        }
        Ok(())
    }

    /// All that the state lists as unreadable.
    fn listed_unreadable(&mut self) -> Result<BTreeSet<RecordKey>, Error> {
        let now = self.clock.now();
        self.unreadable_read = Some(now);
        let (mut records, mut after) = (BTreeSet::new(), 0);
        loop {
            let items = self.store.items(after, PAGE)?;
            let Some(last) = items.last() else {
                return Ok(records);
            };
            after = last.number;
            let unreadable = items
                .iter()
                .filter(|item| item.kind == Some(ParkedKind::Unreadable));
            for item in unreadable {
                if item.property.as_deref() == Some(unreadable::WHOLE) {
                    self.suspects.is_old(&item.record, now);
                }
                records.insert(item.record.clone());
            }
        }
    }

    /// Whether a write waits until its record can be read: no condition protects it, and it could not be read just now.
    pub(crate) fn waits_for_sight(&self, index: usize, intent: &Intent, round: &mut Round) -> bool {
        let limits = self.systems[index].capabilities();
        let Some(record) = written_record(intent).filter(|_| !protected(intent, limits, &BTreeSet::new()))
        else {
            return false;
        };
        let now = self.clock.now();
        let resting = self.suspects.0.get(record).filter(|tries| tries.due > now);
        if let Some(tries) = resting.filter(|tries| tries.times < WAITED_FOR) {
            round.wait(tries.due);
        }
        resting.is_some()
    }

    /// Records to read now, by type: not those that rest.
    pub(crate) fn readable(
        &self,
        keys: &BTreeSet<RecordKey>,
        round: &Round,
    ) -> BTreeMap<RecordType, Vec<String>> {
        let now = self.clock.now();
        let mut types: BTreeMap<RecordType, Vec<String>> = BTreeMap::new();
        for key in keys {
            if !round.is_down(&key.record_type.system) && !self.suspects.rests(key, now) {
                types
                    .entry(key.record_type.clone())
                    .or_default()
                    .push(key.id.clone());
            }
        }
        types
    }

    /// Takes over which records could be read and which could not. These are marked; false where nothing can be marked
    /// yet, for nothing is decided yet.
    pub(crate) fn take_looked(&mut self, looked: &Looked, round: &mut Round) -> Result<bool, Error> {
        let now = self.clock.now();
        for row in &looked.rows {
            self.suspects.shown(&row.key, now);
        }
        for (key, error) in &looked.unread {
            tracing::warn!(record = %key, "{key} cannot be read: {}", error.message);
            if let Some(until) = self.suspects.failed(key, now) {
                round.wait(until);
            }
            round.unread.insert(key.clone(), error.clone());
        }
        if looked.unread.is_empty() {
            return Ok(true);
        }
        if !self.both_listed() || !self.unread.is_empty() {
            return Ok(false);
        }
        for (key, error) in &looked.unread {
            self.mark_unreadable(key, &error.message, round)?;
        }
        Ok(true)
    }

    /// Notes in the state that a record cannot be read, and why.
    fn mark_unreadable(&mut self, key: &RecordKey, why: &str, round: &mut Round) -> Result<(), Error> {
        let now = self.clock.now();
        let taken = self
            .store
            .take_records(&self.flows, std::slice::from_ref(key), now)?;
        let Some(mut dirty) = taken.into_iter().next() else {
            return self.keep_unseen(key, why);
        };
        let why = privacy::scrubbed_words(&self.flows, &dirty.cluster, why);
        let Some(record) = dirty.cluster.records.get_mut(key) else {
            // What is on its way into the state shows more.
            return match dirty.inbox.iter().any(|seen| &seen.key == key) {
                true => Ok(()),
                false => self.keep_unseen(key, &why),
            };
        };
        if !unreadable::mark(record, &why) {
            return Ok(());
        }
        let plan = reconcile(&self.flows, dirty.cluster, dirty.inbox, &dirty.facts);
        let decided = Decided {
            plan,
            token: dirty.token,
        };
        self.commit(vec![decided], round).map(drop)
    }

    /// The same of a record of which nothing is known.
    fn keep_unseen(&mut self, key: &RecordKey, why: &str) -> Result<(), Error> {
        let page = Page {
            system: key.record_type.system.clone(),
            observations: vec![unreadable::unseen(key, why, self.clock.now())],
            cursor: None,
        };
        self.store.commit_page(FENCE, &self.flows, &page)?;
        Ok(())
    }
}
