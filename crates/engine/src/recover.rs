//! Writes of unknown outcome: after a crash everything that was sent and has no answer. Settled by reading,
//! never by sending another create (E3, E4).

use crate::engine::FENCE;
use crate::identity::as_sent;
use crate::pack::{creates, target};
use crate::write::written_record;
use crate::{Engine, Error, Round};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Action, Intent, ParkedKind};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::reconcile::Settlement;
use tandem_merge::record::RecordKey;

/// Intents handled in one transaction.
const BATCH: usize = 1_000;

impl Engine {
    /// Marks every write that was sent without an answer as of unknown outcome. Returns how many.
    pub(crate) fn recover(&mut self) -> Result<u64, Error> {
        let (mut after, mut count) = (0, 0);
        loop {
            let sent = self.store.unsettled(after, BATCH)?;
            let Some(last) = sent.last() else {
                return Ok(count);
            };
            after = last.id;
            let open = sent.iter().filter(|intent| !intent.unknown);
            let open: Vec<u64> = open.map(|intent| intent.id).collect();
            count += open.len() as u64;
            if !open.is_empty() {
                self.store
                    .mark_unknown(FENCE, &open, removed(Mutation::RetryUnread))?;
            }
        }
    }

    /// Settles writes of unknown outcome, as far as it can be done now.
    pub(crate) async fn settle_unknown(&mut self, round: &mut Round) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let sent = self.store.unsettled(after, BATCH)?;
            let Some(last) = sent.last() else {
                return Ok(());
            };
            after = last.id;
            for index in 0..2 {
                let name = &self.flows.systems[index];
                if round.is_down(name) {
                    continue;
                }
                let mine = sent
                    .iter()
                    .filter(|intent| &target(intent).system == name && intent.unknown);
                let (create, change): (Vec<_>, Vec<_>) = mine.cloned().partition(creates);
                self.settle_changes(index, change, round).await?;
                self.settle_creates(index, create, round).await?;
            }
        }
    }

    /// Updates and deletions: read, at once where a condition makes a late arrival harmless, else when the
    /// request can no longer take effect.
    async fn settle_changes(
        &mut self,
        index: usize,
        intents: Vec<Intent>,
        round: &mut Round,
    ) -> Result<(), Error> {
        let limits = self.systems[index].capabilities().clone();
        let holds = |intent: &Intent| {
            let limits = limits.of(target(intent));
            let deletes = matches!(intent.action, Action::Delete { .. });
            limits.conditional_write && (!deletes || limits.conditional_delete)
        };
        let harmless = |intent: &Intent| holds(intent) && intent.version.is_some();
        let due = intents
            .into_iter()
            .filter(|intent| harmless(intent) || self.is_over(index, intent, round));
        let due: Vec<Intent> = due.collect();
        let keys: BTreeSet<RecordKey> = due.iter().filter_map(written_record).cloned().collect();
        let seen = self.fetch(&keys, round).await?;
        let mut read = BTreeMap::new();
        for intent in &due {
            let Some(state) = written_record(intent).and_then(|record| seen.get(record)) else {
                continue;
            };
            let given_up = self.lost_patience(index, intent, state);
            let state = state.clone();
            let settlement = given_up.unwrap_or(Settlement::Read { state, unknown: true });
            read.insert(intent.id, settlement);
        }
        self.recovered(read, round)
    }

    async fn settle_creates(
        &mut self,
        index: usize,
        intents: Vec<Intent>,
        round: &mut Round,
    ) -> Result<(), Error> {
        // What was deleted while its flow rests is known by what the create was, and by nothing else (E16).
        let intents: Vec<Intent> = intents
            .into_iter()
            .filter(|intent| !self.create_rests(intent))
            .collect();
        let safe = |intent: &Intent| self.is_remembered(index, intent) || self.unique_identity(intent);
        let (safe, unsafe_): (Vec<_>, Vec<_>) = intents.into_iter().partition(safe);
        self.settle_repeatable(index, safe, round).await?;
        let due = unsafe_
            .into_iter()
            .filter(|intent| self.is_over(index, intent, round));
        let due = due.collect();
        self.settle_unrepeatable(index, due, round).await
    }

    /// Of a flow that rests nothing is decided, so neither what became of a create that nobody answered.
    fn create_rests(&self, intent: &Intent) -> bool {
        matches!(&intent.action, Action::Create { flow, .. } if self.flows.rests(flow))
    }

    /// Creates that may be sent twice: found by identity, else the same bytes again. Where the system does not know a
    /// request again they wait until the first one is over (E16): what the second one makes may be deleted by a person,
    /// and its identity is free for the first one then.
    async fn settle_repeatable(
        &mut self,
        index: usize,
        intents: Vec<Intent>,
        round: &mut Round,
    ) -> Result<(), Error> {
        let known: Vec<&Intent> = intents
            .iter()
            .filter(|intent| self.unique_identity(intent))
            .collect();
        let Some(found) = self.find_identities(index, &known, round).await? else {
            return Ok(());
        };
        let mut own = BTreeMap::new();
        let mut again = Vec::new();
        // Of what cannot be looked for nobody knows what became: it stays as it is.
        let sought = |intent: &Intent| !round.unsought.contains_key(&intent.id);
        for intent in intents.into_iter().filter(sought) {
            match found.get(&intent.id).and_then(|rows| rows.first()) {
                Some(state) => {
                    self.ease(index, &intent);
                    let state = state.clone();
                    own.insert(intent.id, Settlement::FoundOwn { state });
                }
                None => again.push(intent),
            }
        }
        let Some(again) = self.settle_deleted(index, again, &mut own, round).await? else {
            return Ok(());
        };
        let mut again = self.repeated_now(index, again, &mut own, round);
        if removed(Mutation::CreateThaws) {
            let planned_anew = again.drain(..).map(|intent| (intent.id, Settlement::Withdrawn));
            own.extend(planned_anew);
        }
        self.recovered(own, round)?;
        let size = self.systems[index].capabilities().write_batch.max(1);
        while !again.is_empty() && !round.is_down(&self.flows.systems[index]) {
            let rest = again.split_off(again.len().min(size));
            // The packs before took their time.
            again.retain(|intent| self.is_remembered(index, intent) || self.unique_identity(intent));
            let numbers: Vec<u64> = again.iter().map(|intent| intent.id).collect();
            let marked = self.mark(index, &numbers).await?;
            let landed = self.carry(index, marked, tandem_connector::Lane::Live).await;
            self.settle_answers_again(index, landed.answers, round).await?;
            again = rest;
        }
        Ok(())
    }

    /// The creates among these that are sent once more now. What was sent often enough and is not there is parked.
    fn repeated_now(
        &mut self,
        index: usize,
        absent: Vec<Intent>,
        settled: &mut BTreeMap<u64, Settlement>,
        round: &mut Round,
    ) -> Vec<Intent> {
        let mut again = Vec::new();
        for intent in absent {
            let idempotent = self.is_remembered(index, &intent);
            // Nobody waits a second time for the longest time that a request may take.
            let waits = idempotent || intent.attempts < 2;
            let over = if waits {
                self.is_over(index, &intent, round)
            } else {
                self.has_ended(index, &intent)
            };
            if over && let Some(settlement) = self.lost_patience_with_create(index, &intent) {
                let known = self.unique_identity(&intent);
                settled.insert(intent.id, if known { settlement } else { self.undecidable() });
                continue;
            }
            let now = if idempotent {
                !self.rests(index, &intent, round)
            } else {
                over
            };
            if now {
                again.push(intent);
            }
        }
        again
    }

    /// Settles creates that landed and whose record others deleted since as what they are: found, and deleted. Returns
    /// those that left no trace; none when the system cannot be asked.
    async fn settle_deleted(
        &mut self,
        index: usize,
        intents: Vec<Intent>,
        settled: &mut BTreeMap<u64, Settlement>,
        round: &mut Round,
    ) -> Result<Option<Vec<Intent>>, Error> {
        let Some(deleted) = self.find_deleted(index, &intents, round).await? else {
            return Ok(None);
        };
        let mut absent = Vec::new();
        for intent in intents {
            match deleted.get(&intent.id).and_then(|rows| rows.last()) {
                Some(state) => {
                    let state = state.clone();
                    settled.insert(intent.id, Settlement::FoundOwn { state });
                }
                None => absent.push(intent),
            }
        }
        Ok(Some(absent))
    }

    /// Answers to writes sent a second time: what could not be sent this time stays of unknown outcome.
    async fn settle_answers_again(
        &mut self,
        index: usize,
        mut answers: Vec<crate::send::Answer>,
        round: &mut Round,
    ) -> Result<(), Error> {
        for answer in &mut answers {
            if let tandem_connector::Outcome::NotSent(error) = &answer.outcome {
                self.trouble(round, error.clone());
                answer.outcome = tandem_connector::Outcome::Unknown(error.message.clone());
            }
        }
        self.settle_answers(index, answers, round).await
    }

    /// Creates that must not be sent twice, their deadline over: found by their match key, else they never
    /// arrived and are planned again. Without a match key nobody can tell.
    async fn settle_unrepeatable(
        &mut self,
        index: usize,
        intents: Vec<Intent>,
        round: &mut Round,
    ) -> Result<(), Error> {
        let Some(found) = self.find_counterparts(index, &intents, round).await? else {
            return Ok(());
        };
        let mut settled = BTreeMap::new();
        let (seen, unseen): (Vec<_>, Vec<_>) = intents
            .into_iter()
            .filter(|intent| !round.unsought.contains_key(&intent.id))
            .partition(|intent| found.contains_key(&intent.id));
        let Some(absent) = self.settle_deleted(index, unseen, &mut settled, round).await? else {
            return Ok(());
        };
        for intent in seen.into_iter().chain(absent) {
            match found.get(&intent.id).map(Vec::as_slice) {
                Some([state]) if as_sent(&intent, state) => {
                    let state = state.clone();
                    settled.insert(intent.id, Settlement::FoundOwn { state });
                }
                Some(rows @ [_, ..]) => {
                    settled.insert(intent.id, self.found_other(&intent, rows)?);
                }
                // It never arrived and never will.
                _ if searchable(&intent) => {
                    let given_up = self.lost_patience_with_create(index, &intent);
                    settled.insert(intent.id, given_up.unwrap_or(Settlement::Withdrawn));
                }
                _ => {
                    settled.insert(intent.id, self.undecidable());
                }
            }
        }
        self.recovered(settled, round)
    }

    fn undecidable(&self) -> Settlement {
        Settlement::Refused {
            kind: ParkedKind::Undecidable,
            properties: Vec::new(),
            reason: "a create got no answer, and nothing tells whether it was carried out".to_owned(),
            advice: "Look for the record in the target system; delete or complete it by hand, then retry"
                .to_owned(),
            at: self.clock.now(),
        }
    }

    /// Whether a create that is sent again now makes nothing new: the system still knows the first attempt when this one
    /// arrives, as late as it may.
    fn is_remembered(&self, index: usize, intent: &Intent) -> bool {
        let limits = self.systems[index].capabilities();
        let arrives = self.clock.now().saturating_add(limits.request_deadline);
        let arrives = arrives.unwrap_or(Timestamp::MAX);
        let first = intent.first_sent.or(intent.sent);
        let lives = |first: Timestamp| arrives.duration_since(first) < limits.idempotency_life;
        limits.of(target(intent)).idempotent_create && first.is_some_and(lives)
    }

    /// Whether a write can no longer take effect. If it still can, the round is told when it cannot.
    fn is_over(&self, index: usize, intent: &Intent, round: &mut Round) -> bool {
        let over = self.has_ended(index, intent);
        if !over {
            let end = self.end_of(index, intent);
            let later = end.saturating_add(jiff::SignedDuration::from_millis(1));
            round.wait(later.unwrap_or(end));
        }
        over
    }

    /// The same, and nobody waits for it.
    fn has_ended(&self, index: usize, intent: &Intent) -> bool {
        self.clock.now() > self.end_of(index, intent) || removed(Mutation::NoDeadline)
    }

    /// Until when a write may take effect.
    fn end_of(&self, index: usize, intent: &Intent) -> Timestamp {
        let deadline = self.systems[index].capabilities().request_deadline;
        let sent = intent.sent.unwrap_or(Timestamp::MIN);
        sent.saturating_add(deadline).unwrap_or(Timestamp::MAX)
    }

    fn recovered(&mut self, settled: BTreeMap<u64, Settlement>, round: &mut Round) -> Result<(), Error> {
        round.recovered += settled.len() as u64;
        self.settle(settled, round)
    }
}

fn searchable(intent: &Intent) -> bool {
    match &intent.action {
        Action::Create { lookup, .. } => lookup.is_some(),
        Action::Companion { find, .. } => !find.is_empty(),
        Action::Update { .. } | Action::Delete { .. } => false,
    }
}
