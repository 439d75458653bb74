//! Rounds until nothing is left to do.

use crate::summary::flows_between;
use crate::{Engine, Error, Happening, Round, Summary};
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Intent};

/// Rounds after which a sync gives up and says what is left.
const MOST_ROUNDS: u64 = 200;

/// At most this many unsent writes are counted per system and kind.
const MOST_COUNTED: usize = 5_000;

/// Rounds in a row that send and settle nothing although something is left.
const MOST_IDLE: u32 = 4;

impl Engine {
    /// Works until nothing is left to do: rounds until one sent nothing and left nothing to send.
    ///
    /// # Errors
    /// [`Error::Store`] alone; a system in trouble ends the sync and is named in [`Summary::troubles`].
    pub async fn sync(&mut self) -> Result<Summary, Error> {
        let before = self.store.status(&self.flows)?;
        let (tally, calls) = (self.tally.clone(), self.calls());
        let mut summary = Summary::default();
        let (mut idle, mut delays, mut incomplete) = (0, Vec::new(), BTreeMap::new());
        let mut ended = false;
        self.waits_for_loads = true;
        self.asks_only = [None, None];
        self.store.begin_run("sync", self.clock.now())?;
        self.begin_to_count()?;
        for _ in 0..MOST_ROUNDS {
            let round = self.round_of(&[0, 1], &[]).await?;
            self.ask_less(&round);
            summary.rounds += 1;
            delays.clone_from(&round.delays);
            delays.extend(round.strains.iter().cloned());
            incomplete.extend(round.incomplete.clone());
            incomplete.retain(|of, _| {
                let asked = round
                    .asked
                    .iter()
                    .chain(&round.touched)
                    .any(|types| types.contains(of));
                !asked || round.incomplete.contains_key(of)
            });
            if round.turns_in_circles() {
                ended = true;
                break;
            }
            if !round.troubles.is_empty() && round.sight_changed {
                // What was in the way is out of sight now, or back in it.
                continue;
            }
            if !round.troubles.is_empty() {
                summary.troubles = round.troubles;
                ended = true;
                break;
            }
            idle = if round.quiet() { idle + 1 } else { 0 };
            let left = round.left || round.wait_until.is_some() || self.asked.was_served();
            if round.quiet() && !round.sight_changed && (!left || self.impatient || idle > MOST_IDLE) {
                ended = true;
                break;
            }
            if let Some(until) = round.wait_until.filter(|_| round.quiet() && !round.left) {
                self.wait_until(until, "a write has no answer yet").await?;
            }
        }
        self.asks_only = [None, None];
        if !ended {
            summary.troubles.push(self.restless());
        }
        let known = |delay: &tandem_connector::Error| {
            let mut troubles = summary.troubles.iter();
            troubles.any(|trouble| trouble.system == delay.system)
        };
        delays.retain(|delay| !known(delay));
        summary.troubles.append(&mut delays);
        summary.troubles.extend(incomplete.into_values());
        let after = self.store.status(&self.flows)?;
        summary.flows = flows_between(&before, &after);
        self.count_failed(&mut summary)?;
        summary.notices = self.notices();
        summary.strangers = self.strangers()?;
        summary.holds = self.holds.clone();
        summary.done = self.counted()?;
        summary.clocks_apart.clone_from(&self.clocks_apart);
        summary.api_calls = less(&self.calls(), &calls);
        summary.rows_read = less(&self.tally.rows_read, &tally.rows_read);
        summary.keys_looked_up = less(&self.tally.keys_looked_up, &tally.keys_looked_up);
        summary.written = less(&self.tally.written, &tally.written);
        Ok(summary)
    }

    /// A sync that does not come to rest says so.
    fn restless(&self) -> tandem_connector::Error {
        tandem_connector::Error {
            system: self.flows.systems[0].clone(),
            kind: tandem_connector::ErrorKind::Protocol,
            message: format!("{MOST_ROUNDS} rounds did not bring the records to rest"),
            advice:
                "`tandem history` tells which records are written again and again: look what changes them in \
                     their systems"
                    .to_owned(),
            retry_at: None,
            scope: tandem_connector::Scope::System,
        }
    }

    /// After a whole round of a sync the next one asks the types that were written to since, and no others.
    fn ask_less(&mut self, round: &Round) {
        let whole = round.troubles.is_empty() && !round.sight_changed;
        for index in 0..2 {
            let by_type = whole && self.systems[index].capabilities().asks_by_type;
            self.asks_only[index] = by_type.then(|| round.touched[index].clone());
        }
    }

    /// One round over both systems: observe, reconcile, write, settle.
    ///
    /// # Errors
    /// [`Error::Store`] alone; systems in trouble are named in [`Round::troubles`].
    pub async fn round(&mut self) -> Result<Round, Error> {
        self.store.begin_run("round", self.clock.now())?;
        self.round_of(&[0, 1], &[]).await
    }

    /// One round that asks only these systems (0, 1) for changes, and leaves the resting ones alone.
    pub(crate) async fn round_of(&mut self, which: &[usize], resting: &[usize]) -> Result<Round, Error> {
        self.rounds += 1;
        let number = self.rounds;
        self.tell(&Happening::RoundBegan { round: number });
        let mut round = Round::default();
        let names = resting.iter().map(|index| self.flows.systems[*index].clone());
        round.resting = names.collect();
        self.patience.begin_round(self.clock.now());
        // A round that was broken off leaves writes without an answer, as a process that died does.
        self.sending.break_off();
        self.recover()?;
        self.hear_again()?;
        self.keep_budgets(true)?;
        self.ask_witnesses(&mut round).await?;
        if self.is_stopped() {
            self.keep_witnesses()?;
            self.keep_budgets(false)?;
            return Ok(round);
        }
        self.observe(which, &mut round).await?;
        self.confirm_doubted(&mut round).await?;
        self.measure_clocks()?;
        self.read_unreadable(&mut round).await?;
        self.catch_up(&mut round).await?;
        self.settle_unknown(&mut round).await?;
        let created = self.create_by_rank(&mut round).await?;
        if !created.is_empty() {
            // What the systems filled in is wanted before anything else is written.
            self.observe_touched(&created, &mut round).await?;
            self.reconcile(self.last_rank(), &mut round).await?;
        }
        self.guard_first_links(&mut round).await?;
        if self.guard_edits()? {
            self.reconcile(self.last_rank(), &mut round).await?;
        }
        self.send_changes(&mut round).await?;
        self.reconcile(self.last_rank(), &mut round).await?;
        if self.read_again(&mut round).await? {
            self.send_changes(&mut round).await?;
            self.reconcile(self.last_rank(), &mut round).await?;
        }
        self.keep_witnesses()?;
        self.end_own_times()?;
        self.keep_reached(&round)?;
        round.left = self.anything_sendable(&mut round)? || round.put_back > 0;
        round.sight_changed = self.look_again(&mut round).await?;
        self.keep_budgets(false)?;
        self.sweep_history()?;
        self.tell_who_answers(which, resting, &round);
        self.tell(&Happening::RoundEnded {
            round: number,
            observed: round.observed,
            written: round.written,
        });
        Ok(round)
    }

    /// A system is well once it was asked and nothing went wrong with it.
    fn tell_who_answers(&self, which: &[usize], resting: &[usize], round: &Round) {
        let asked = which.iter().filter(|index| !resting.contains(index));
        for system in asked.map(|index| &self.flows.systems[*index]) {
            let incomplete = round.incomplete.keys().any(|of| &of.system == system);
            if !incomplete && !round.troubles.iter().any(|error| &error.system == system) {
                self.tell(&Happening::Answers { system });
            }
        }
    }

    /// Parents before children: each rank is decided and created before the next, so that references are
    /// mostly linked when they are needed. Returns the systems that got creates.
    async fn create_by_rank(&mut self, round: &mut Round) -> Result<Vec<usize>, Error> {
        let mut created = std::collections::BTreeSet::new();
        let mut before = None;
        while before != Some(self.last_rank()) {
            // Of the ranks in which nothing waits only the last one is visited: it takes whatever is left.
            let next = self.store.next_rank(&self.flows, before)?;
            let rank = next.unwrap_or_else(|| self.last_rank());
            if rank > 0 && self.creates_under_way(rank - 1) {
                // What refers to them is created in a later round, whole.
                break;
            }
            self.reconcile(rank, round).await?;
            created.extend(self.send_creates(rank, round).await?);
            before = Some(rank);
        }
        Ok(created.into_iter().collect())
    }

    /// API calls so far, by system.
    fn calls(&self) -> BTreeMap<String, u64> {
        let systems = self.flows.systems.iter().zip(&self.systems);
        systems
            .map(|(name, system)| (name.clone(), system.calls()))
            .collect()
    }

    /// Counts, per flow, the writes that are left: not sent, or of unknown outcome.
    fn count_failed(&mut self, summary: &mut Summary) -> Result<(), Error> {
        let mut left = Vec::new();
        for system in self.flows.systems.clone() {
            for creates in [true, false] {
                left.extend(
                    self.store
                        .sendable(&system, creates, self.last_rank(), MOST_COUNTED)?,
                );
            }
        }
        let mut after = 0;
        loop {
            let sent = self.store.unsettled(after, 1_000)?;
            let Some(last) = sent.last() else { break };
            after = last.id;
            left.extend(sent);
        }
        for system in self.flows.systems.clone() {
            for handle in self.store.handles(&system)? {
                left.extend(self.store.accepted(&handle, 0, MOST_COUNTED)?);
            }
        }
        for intent in &left {
            if let Some(flow) = self.flow_of(intent).and_then(|flow| summary.flows.get_mut(&flow)) {
                flow.failed += 1;
            }
        }
        Ok(())
    }

    /// The flow that an intent counts for.
    pub(crate) fn flow_of(&self, intent: &Intent) -> Option<String> {
        let record = match &intent.action {
            Action::Create { flow, .. } => return Some(flow.clone()),
            Action::Companion { key, .. } => &key.owner,
            Action::Update { record } | Action::Delete { record } => record,
        };
        let mut flows = self.flows.flows_of(&record.record_type);
        flows.next().map(|(flow, _)| flow.name.clone())
    }
}

/// What was counted since.
fn less(now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let since = |(name, count): (&String, &u64)| {
        let before = then.get(name).copied().unwrap_or(0);
        (name.clone(), count.saturating_sub(before))
    };
    now.iter().map(since).collect()
}
