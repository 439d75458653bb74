//! Write: which unsent intents go out, in which order, packed for the fewest calls.

use crate::pack::{self, Batch, batches, target};
use crate::send::Queues;
use crate::{Engine, Error, Happening, Round};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tandem_connector::{Capabilities, Lane};
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::RecordKey;

/// How often records are waited for whose last change is too young for a condition to protect it.
const FIRM_WAITS: u32 = 5;

/// How often in a row deletions let updates go first.
const MOST_HELD: u32 = 3;

/// How long such a wait is: the coarsest resolution of a condition that is known.
const FIRM_WAIT: SignedDuration = SignedDuration::from_millis(1_100);

impl Engine {
    /// Sends creates and companions up to a rank, each looked up before, until none is left. Returns the
    /// systems that got any.
    pub(crate) async fn send_creates(
        &mut self,
        rank: usize,
        round: &mut Round,
    ) -> Result<BTreeSet<usize>, Error> {
        let mut written = BTreeSet::new();
        loop {
            let mut queues = Queues::default();
            for (index, queue) in queues.iter_mut().enumerate() {
                let size = pack::creates_at_once(self.systems[index].as_ref());
                let intents = self.sendable(index, true, rank, size, round)?;
                let limits = self.systems[index].capabilities();
                let intents = pack::without_beginnings(intents, size, limits);
                let free = self.look_up(index, intents, round).await?;
                *queue = self.packs(index, free);
            }
            let mut sent = self.send(queues, round).await?;
            if sent.is_empty() && round.found == 0 {
                sent = self.ask_for_loads(round).await?;
                if sent.is_empty() {
                    return Ok(written);
                }
            }
            round.found = 0;
            written.extend(sent);
            self.reconcile(rank, round).await?;
        }
    }

    /// Sends updates and deletions until none is left. Records whose state no condition protects are read
    /// and decided again just before. While one system takes as much as it can, few writes of the other wait: what
    /// is settled meanwhile leads to more of them, and they share calls.
    pub(crate) async fn send_changes(&mut self, round: &mut Round) -> Result<(), Error> {
        let mut fresh: BTreeSet<RecordKey> = BTreeSet::new();
        // What cannot be read is not written to where nothing else protects it.
        let mut blind: BTreeSet<RecordKey> = BTreeSet::new();
        let (mut waits, mut held) = (0, 0);
        loop {
            let mut keeps_deletions = false;
            let mut queues = Queues::default();
            let mut stale = BTreeSet::new();
            let waiting = self.waiting_changes(waits < FIRM_WAITS, round)?;
            for (index, intents) in waiting.into_iter().enumerate() {
                let queue = &mut queues[index];
                let limits = self.systems[index].capabilities();
                let safe = |intent: &Intent| protected(intent, limits, &fresh);
                let (mut ready, mut rest): (Vec<_>, Vec<_>) = intents.into_iter().partition(safe);
                rest.retain(|intent| written_record(intent).is_none_or(|record| !blind.contains(record)));
                if held < MOST_HELD {
                    keeps_deletions |= hold_deletions(&mut ready);
                }
                stale.extend(rest.iter().filter_map(written_record).cloned());
                *queue = self.packs(index, ready);
            }
            let unread: BTreeSet<RecordKey> = stale.difference(&fresh).cloned().collect();
            if !unread.is_empty() {
                let unseen = self.look_before_writing(&unread, round).await?;
                fresh.extend(unread.difference(&unseen).cloned());
                blind.extend(unseen);
                self.reconcile(self.last_rank(), round).await?;
            } else if queues.iter().any(|queue| !queue.is_empty()) {
                self.send(queues, round).await?;
                held += u32::from(keeps_deletions);
                self.reconcile(self.last_rank(), round).await?;
                // Where no condition protects, a record is read before each of its writes.
                fresh.retain(|record| stale.contains(record));
            } else if stale.is_empty() || waits == FIRM_WAITS {
                if self.ask_for_loads(round).await?.is_empty() {
                    return Ok(());
                }
                self.reconcile(self.last_rank(), round).await?;
            } else {
                waits += 1;
                self.linger(FIRM_WAIT, "a record was changed within the last second")
                    .await?;
                fresh.clear();
            }
        }
    }

    /// Unsent updates and deletions of both systems, as many as are taken at once. Where one system has more than that,
    /// less than the other takes at once is held back, if it may be.
    fn waiting_changes(&mut self, hold: bool, round: &mut Round) -> Result<[Vec<Intent>; 2], Error> {
        let most = [0, 1].map(|index: usize| pack::changes_at_once(self.systems[index].capabilities()));
        let (quick, other) = if most[1] < most[0] { (1, 0) } else { (0, 1) };
        let rank = self.last_rank();
        let mut waiting = [Vec::new(), Vec::new()];
        waiting[quick] = self.sendable(quick, false, rank, most[quick], round)?;
        let full = hold && waiting[quick].len() >= most[quick];
        let held = full && self.count_sendable(other, most[other])? < most[other];
        if !held {
            waiting[other] = self.sendable(other, false, rank, most[other], round)?;
        }
        Ok(waiting)
    }

    /// How many unsent updates and deletions a system has, up to a limit.
    fn count_sendable(&mut self, index: usize, limit: usize) -> Result<usize, Error> {
        let (system, rank) = (&self.flows.systems[index], self.last_rank());
        Ok(self.store.count_sendable(system, false, rank, limit)?)
    }

    /// Reads records that no condition protects. So many of a system that its changes are the shorter answer
    /// are known by these: a record that they do not show is as it was, and so is one of a type whose changes
    /// this round has asked for already. Answers those that could not be read.
    async fn look_before_writing(
        &mut self,
        records: &BTreeSet<RecordKey>,
        round: &mut Round,
    ) -> Result<BTreeSet<RecordKey>, Error> {
        let mut read = BTreeSet::new();
        for index in 0..2 {
            let system = &self.flows.systems[index];
            let of = records.iter().filter(|key| &key.record_type.system == system);
            let mine: Vec<RecordKey> = of.cloned().collect();
            let limits = self.systems[index].capabilities();
            let many = limits.load.is_some_and(|load| load.updates.is_some());
            if many && mine.len() > limits.fetch_batch {
                self.observe_unasked(index, &mine, round).await?;
            } else {
                read.extend(mine);
            }
        }
        if read.is_empty() {
            return Ok(read);
        }
        let seen = self.read(&read, round).await?;
        read.retain(|record| !seen.contains_key(record));
        Ok(read)
    }

    fn sendable(
        &mut self,
        index: usize,
        creates: bool,
        rank: usize,
        limit: usize,
        round: &mut Round,
    ) -> Result<Vec<Intent>, Error> {
        let system = &self.flows.systems[index];
        if round.is_down(system) || !self.both_listed() {
            return Ok(Vec::new());
        }
        let Some(delay) = self.load_delay(index, round) else {
            let waiting = self.patience.waiting(index) + self.suspects.many();
            let mut intents = self.store.sendable(system, creates, rank, limit + waiting)?;
            self.with_patience(index, &mut intents, round);
            intents.truncate(limit);
            return Ok(intents);
        };
        // What would travel as a load waits for the next day; the rest is looked for behind it.
        let limits = self.systems[index].capabilities();
        let many = pack::creates_at_once(self.systems[index].as_ref()).max(pack::changes_at_once(limits));
        let mut intents = self.store.sendable(system, creates, rank, limit.max(many))?;
        let loads: BTreeSet<u64> = batches(&intents, limits)
            .into_iter()
            .filter(|batch| batch.lane == Lane::Load)
            .flat_map(|batch| batch.intents)
            .collect();
        if !loads.is_empty() {
            round.delay(delay);
            intents.retain(|intent| !loads.contains(&intent.id));
        }
        self.with_patience(index, &mut intents, round);
        intents.truncate(limit);
        Ok(intents)
    }

    /// Writes in packs, in sending order; what was tried in vain travels in smaller ones, behind the others.
    fn packs(&self, index: usize, intents: Vec<Intent>) -> VecDeque<Batch> {
        let limits = self.systems[index].capabilities();
        let (again, first): (Vec<_>, Vec<_>) = intents
            .into_iter()
            .partition(|intent| self.patience.tries(index, intent));
        let mut packs: VecDeque<Batch> = batches(&first, limits).into();
        let mut sizes: BTreeMap<usize, Vec<Intent>> = BTreeMap::new();
        for intent in again {
            let size = self.patience.pack(index, &intent, limits.write_batch);
            sizes.entry(size).or_default().push(intent);
        }
        for (size, intents) in sizes.into_iter().rev() {
            for batch in batches(&intents, limits) {
                packs.extend(batch.intents.chunks(size).map(|pack| Batch {
                    lane: Lane::Live,
                    alone: batch.alone,
                    intents: pack.to_vec(),
                }));
            }
        }
        packs
    }

    /// Whether unsent writes are left for systems that are up.
    pub(crate) fn anything_sendable(&mut self, round: &mut Round) -> Result<bool, Error> {
        for index in 0..2 {
            for creates in [true, false] {
                let rank = self.last_rank();
                if !self.sendable(index, creates, rank, 1, round)?.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Sleeps by the injected clock, unless nothing is to be waited for.
    pub(crate) async fn linger(&mut self, length: SignedDuration, why: &str) -> Result<(), Error> {
        if !self.impatient {
            let until = self.clock.now().saturating_add(length).unwrap_or(Timestamp::MAX);
            self.wait_until(until, why).await?;
        }
        Ok(())
    }

    /// Sleeps by the injected clock, and serves people meanwhile.
    pub(crate) async fn wait_until(&mut self, until: Timestamp, why: &str) -> Result<(), Error> {
        self.tell(&Happening::Waiting { until, why });
        let clock = Arc::clone(&self.clock);
        self.meanwhile(clock.sleep_until(until)).await
    }
}

/// Whether an update or deletion may go out as it is: its condition protects, or the record was read just
/// now where no condition does.
pub(crate) fn protected(intent: &Intent, limits: &Capabilities, fresh: &BTreeSet<RecordKey>) -> bool {
    if removed(Mutation::NoPreRead) {
        return true;
    }
    let deletes = matches!(intent.action, Action::Delete { .. });
    let firm = || intent.version.as_ref().is_some_and(|version| version.firm);
    let read = || written_record(intent).is_some_and(|record| fresh.contains(record));
    let limits = limits.of(target(intent));
    match (limits.conditional_write, deletes && !limits.conditional_delete) {
        (true, false) => firm(),
        // The condition goes with it all the same.
        (true, true) => firm() && read(),
        (false, _) => read(),
    }
}

/// Deletions wait for the updates that are ready with them: a system may delete nothing that others name. Whether any did.
fn hold_deletions(ready: &mut Vec<Intent>) -> bool {
    let deletes = |intent: &Intent| matches!(intent.action, Action::Delete { .. });
    let all = ready.len();
    if !ready.iter().all(deletes) {
        ready.retain(|intent| !deletes(intent));
    }
    ready.len() < all
}

/// The record that an update or deletion writes.
pub(crate) fn written_record(intent: &Intent) -> Option<&RecordKey> {
    match &intent.action {
        Action::Update { record } | Action::Delete { record } => Some(record),
        Action::Create { .. } | Action::Companion { .. } => None,
    }
}
