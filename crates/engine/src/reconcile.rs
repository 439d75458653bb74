//! Reconcile: dirty clusters through the core, plans into the store.

use crate::engine::FENCE;
use crate::{Engine, Error, Happening, Round};
use std::collections::{BTreeMap, BTreeSet};
use tandem_ledger::{CommitReport, Decided, Dirty};
use tandem_merge::plan::Event;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::RecordKey;

/// Clusters handled in one transaction.
const BATCH: usize = 1_000;

/// How often one cluster may be decided in a row without a new observation. More would be two clusters that
/// keep each other awake.
const VISITS: u32 = 50;

/// What one call of [`Engine::reconcile`] remembers.
#[derive(Default)]
struct Watchfulness {
    /// Records that were read by id because nothing was known of them.
    read: BTreeSet<RecordKey>,
    /// Decisions of a cluster without a new observation, by its first record.
    visits: BTreeMap<RecordKey, u32>,
}

impl Engine {
    /// Decides every dirty cluster up to a rank, until none is left. Nothing is decided before both systems
    /// were listed in full.
    pub(crate) async fn reconcile(&mut self, rank: usize, round: &mut Round) -> Result<(), Error> {
        if !self.both_listed() || !self.unread.is_empty() {
            return Ok(());
        }
        let mut watch = Watchfulness::default();
        loop {
            // Whoever stops the work, or asks for something, gets a turn between two batches.
            tokio::task::yield_now().await;
            self.attend().await?;
            let now = self.clock.now();
            let taken = self.store.take_dirty(&self.flows, rank, BATCH, now)?;
            let taken: Vec<Dirty> = taken.into_iter().filter(|dirty| watch.admits(dirty)).collect();
            if taken.is_empty() {
                if rank == self.last_rank() {
                    self.asked.decided();
                }
                return Ok(());
            }
            let decided = taken.into_iter().map(|dirty| self.decide(dirty)).collect();
            if !self.commit_or_read(decided, &mut watch, round).await? {
                return Ok(());
            }
        }
    }

    fn decide(&self, dirty: Dirty) -> Decided {
        self.tell_taken(&dirty);
        let plan = reconcile(&self.flows, dirty.cluster, dirty.inbox, &dirty.facts);
        Decided {
            plan,
            token: dirty.token,
        }
    }

    /// Tells the watcher what a decision takes up.
    pub(crate) fn tell_taken(&self, dirty: &Dirty) {
        for seen in &dirty.inbox {
            let trace = tandem_merge::admit::trace(&self.flows, seen);
            self.tell(&Happening::Taken { seen, trace });
        }
    }

    /// Stores plans. A plan that names records nobody ever read is not stored: they are read first, and its
    /// cluster, still dirty, is decided again; if they cannot be read, it is stored as it is and waits.
    /// Returns whether anything moved.
    async fn commit_or_read(
        &mut self,
        decided: Vec<Decided>,
        watch: &mut Watchfulness,
        round: &mut Round,
    ) -> Result<bool, Error> {
        let unread = watch.unread(&decided);
        let seen = if unread.is_empty() {
            BTreeMap::new()
        } else {
            self.read(&unread, round).await?
        };
        let answered = |plan: &Decided| plan.plan.waits.read.iter().any(|key| seen.contains_key(key));
        let (again, ready): (Vec<_>, Vec<_>) = decided.into_iter().partition(answered);
        let report = self.commit(ready, round)?;
        Ok(report.stored > 0 || !again.is_empty())
    }

    /// Stores plans and tells the watcher what happened.
    pub(crate) fn commit(&mut self, decided: Vec<Decided>, round: &mut Round) -> Result<CommitReport, Error> {
        if decided.is_empty() {
            return Ok(CommitReport::default());
        }
        let plans = decided.iter();
        let history: Vec<Event> = plans.flat_map(|plan| plan.plan.history.clone()).collect();
        for plan in &decided {
            self.count_first_links(&plan.plan.cluster);
        }
        let report = self.store.commit_plans(FENCE, &self.flows, decided)?;
        round.decided += report.stored;
        round.put_back += report.put_back.len() as u64;
        for constraint in &report.put_back {
            tracing::debug!(constraint, "a plan was put back by {constraint}");
        }
        if let Some(doings) = &mut self.doings {
            doings.decided(&history);
        }
        self.tell(&Happening::Reconciled {
            clusters: report.stored,
        });
        for event in &history {
            self.tell(&Happening::Decided { event });
        }
        Ok(report)
    }

    /// Reads records again whose parts moved, for their system sums up in them and shows no new version, and those whose
    /// create can arrive no more. Whether there were any.
    pub(crate) async fn read_again(&mut self, round: &mut Round) -> Result<bool, Error> {
        let mut asked = BTreeSet::new();
        loop {
            let noted: BTreeSet<RecordKey> = self
                .store
                .to_reread(self.clock.now(), BATCH)?
                .into_iter()
                .collect();
            let noted: BTreeSet<RecordKey> = noted.difference(&asked).cloned().collect();
            if noted.is_empty() {
                return Ok(!asked.is_empty());
            }
            self.read(&noted, round).await?;
            asked.extend(noted);
            self.reconcile(self.last_rank(), round).await?;
        }
    }

    /// Reads what plans wait for and nobody ever read: their system was down, or the process died.
    pub(crate) async fn catch_up(&mut self, round: &mut Round) -> Result<(), Error> {
        let mut asked = BTreeSet::new();
        loop {
            let unread: BTreeSet<RecordKey> = self.store.unread(BATCH)?.into_iter().collect();
            let unread: BTreeSet<RecordKey> = unread.difference(&asked).cloned().collect();
            if unread.is_empty() {
                return Ok(());
            }
            self.read(&unread, round).await?;
            asked.extend(unread);
        }
    }
}

impl Watchfulness {
    /// Whether a cluster may be decided once more.
    fn admits(&mut self, dirty: &Dirty) -> bool {
        if !dirty.inbox.is_empty() {
            return true;
        }
        let Some(key) = dirty.cluster.records.keys().next() else {
            return true;
        };
        let visits = self.visits.entry(key.clone()).or_default();
        *visits += 1;
        if *visits == VISITS {
            tracing::error!(record = %key, "the cluster of {key} does not come to rest");
        }
        *visits < VISITS
    }

    /// Records that plans ask to read and that were not read in this call.
    fn unread(&mut self, decided: &[Decided]) -> BTreeSet<RecordKey> {
        let asked = decided.iter().flat_map(|plan| plan.plan.waits.read.iter());
        let unread = asked.filter(|key| self.read.insert((*key).clone()));
        unread.cloned().collect()
    }
}
