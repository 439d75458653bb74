//! Loads: writes that a system accepted for later, asked for by their handles until each has an outcome.
//!
//! A handle is durable before the connector is asked to go on with it, so that a crash at any moment leaves
//! either writes that never took effect or writes whose outcome the handle tells.

use crate::engine::FENCE;
use crate::pack::target;
use crate::send::{Answer, busy};
use crate::{Engine, Error, Round};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_connector::{Outcome, Resumed};
use tandem_merge::cluster::Intent;
use tandem_merge::record::RecordType;

/// Outcomes settled in one transaction.
const BATCH: usize = 1_000;

/// Attempts after which a row that was busy in a load is refused like any other.
const BUSY_ATTEMPTS: u32 = 2;

/// The pause before a system in trouble is asked again.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// A load under way.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    index: usize,
    handle: String,
    /// The lowest rank of its creates: records of higher ranks may refer to them.
    rank: Option<usize>,
    /// The type of its records.
    of: Option<RecordType>,
    /// Not before this moment is it asked for.
    due: Timestamp,
}

impl Engine {
    /// The loads that an earlier process left under way.
    pub(crate) fn find_loads(&mut self) -> Result<(), Error> {
        for index in 0..2 {
            for handle in self.store.handles(&self.flows.systems[index])? {
                let first = self.store.accepted(&handle, 0, 1)?;
                self.loads.push(Load {
                    index,
                    handle,
                    rank: rank(&first),
                    of: first.first().map(target).cloned(),
                    due: self.clock.now(),
                });
            }
        }
        Ok(())
    }

    /// Keeps the handle of writes that were accepted, durably.
    pub(crate) fn accept(&mut self, index: usize, handle: String, intents: &[Intent]) -> Result<(), Error> {
        let numbers: Vec<u64> = intents.iter().map(|intent| intent.id).collect();
        self.store.accept(FENCE, &numbers, &handle)?;
        let known = |load: &Load| load.index == index && load.handle == handle;
        if !self.loads.iter().any(known) {
            self.loads.push(Load {
                index,
                handle,
                rank: rank(intents),
                of: intents.first().map(target).cloned(),
                due: self.clock.now(),
            });
        }
        Ok(())
    }

    /// Whether creates up to a rank are under way that those of higher ranks may refer to.
    pub(crate) fn creates_under_way(&self, rank: usize) -> bool {
        let mut ranks = self.loads.iter().filter_map(|load| load.rank);
        ranks.any(|made| made <= rank)
    }

    /// Whether a load of this type is under way.
    pub(crate) fn loads_type(&self, of: &RecordType) -> bool {
        self.loads.iter().any(|load| load.of.as_ref() == Some(of))
    }

    /// When the next load is to be asked for.
    pub(crate) fn loads_due(&self) -> Option<Timestamp> {
        self.loads.iter().map(|load| load.due).min()
    }

    /// Asks for the outcomes of loads and settles those that there are. A sync waits until every load is
    /// done; a live run goes on with other work and asks again later. Returns the systems that had outcomes.
    pub(crate) async fn ask_for_loads(&mut self, round: &mut Round) -> Result<BTreeSet<usize>, Error> {
        let mut settled = BTreeSet::new();
        loop {
            let now = self.clock.now();
            for load in self.loads.clone().iter().filter(|load| load.due <= now) {
                if round.is_down(&self.flows.systems[load.index]) {
                    self.put_off(load, PAUSE);
                } else if self.ask_for(load, round).await? {
                    settled.insert(load.index);
                }
            }
            let up = |load: &&Load| !round.is_down(&self.flows.systems[load.index]);
            let next = self.loads.iter().filter(up).map(|load| load.due).min();
            match next.filter(|_| self.waits_for_loads && !self.impatient) {
                None => return Ok(settled),
                Some(until) => {
                    self.wait_until(until, "a load is under way").await?;
                }
            }
        }
    }

    /// Asks for one load. Returns whether anything was settled.
    async fn ask_for(&mut self, load: &Load, round: &mut Round) -> Result<bool, Error> {
        let system = Arc::clone(&self.systems[load.index]);
        let mut any = false;
        loop {
            match system.resume(&load.handle).await {
                Err(error) => {
                    self.trouble(round, error);
                    self.put_off(load, PAUSE);
                    return Ok(any);
                }
                Ok(Resumed::NotYet(pause)) => {
                    self.put_off(load, pause);
                    return Ok(any);
                }
                Ok(Resumed::Some(outcomes)) => {
                    any |= !outcomes.is_empty();
                    self.settle_load(load, outcomes, round).await?;
                }
                Ok(Resumed::Done(outcomes)) => {
                    self.settle_load(load, outcomes, round).await?;
                    self.give_up(load, round)?;
                    self.loads.retain(|other| other.handle != load.handle);
                    return Ok(true);
                }
            }
        }
    }

    fn put_off(&mut self, load: &Load, pause: SignedDuration) {
        let due = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        for mine in self.loads.iter_mut().filter(|other| other.handle == load.handle) {
            mine.due = due;
        }
    }

    async fn settle_load(
        &mut self,
        load: &Load,
        outcomes: Vec<(u64, Outcome)>,
        round: &mut Round,
    ) -> Result<(), Error> {
        for part in outcomes.chunks(BATCH) {
            let numbers: Vec<u64> = part.iter().map(|(number, _)| *number).collect();
            let told: BTreeMap<u64, &Outcome> = part.iter().map(|(number, told)| (*number, told)).collect();
            let mut unsent = Vec::new();
            let mut answers = Vec::new();
            for intent in self.store.intents(&numbers)? {
                let Some(outcome) = told.get(&intent.id) else {
                    continue;
                };
                let again = busy(outcome) && intent.attempts <= BUSY_ATTEMPTS;
                if again || matches!(outcome, Outcome::NotSent(_)) {
                    unsent.push(intent.id);
                } else {
                    let outcome = (*outcome).clone();
                    answers.push(Answer { intent, outcome });
                }
            }
            // The system itself is well: these are merely sent again, in smaller packs.
            self.store.mark_unknown(FENCE, &unsent, true)?;
            self.settle_answers(load.index, answers, round).await?;
        }
        Ok(())
    }

    /// What a load that is over told nothing of is of unknown outcome.
    fn give_up(&mut self, load: &Load, round: &mut Round) -> Result<(), Error> {
        loop {
            let left = self.store.accepted(&load.handle, 0, BATCH)?;
            if left.is_empty() {
                return Ok(());
            }
            let numbers: Vec<u64> = left.iter().map(|intent| intent.id).collect();
            tracing::warn!(
                count = numbers.len(),
                "{} writes of the load {} have no outcome",
                numbers.len(),
                load.handle
            );
            self.store.mark_unknown(FENCE, &numbers, false)?;
            self.look_later(round);
        }
    }
}

/// The lowest rank of the creates among intents.
fn rank(intents: &[Intent]) -> Option<usize> {
    let creates = intents.iter().filter(|intent| crate::pack::creates(intent));
    creates.map(|intent| intent.rank).min()
}
