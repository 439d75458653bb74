//! Settle: what became of a write moves bases and links, in one transaction with the next decision.

use crate::engine::FENCE;
use crate::identity::as_sent;
use crate::pack::target;
use crate::patience::{Answered, STALE, Then};
use crate::send::Answer;
use crate::write::written_record;
use crate::{Engine, Error, Happening, Round};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_connector::{ErrorKind, Outcome, Refusal, RefusalKind, Scope};
use tandem_ledger::{Decided, Dirty};
use tandem_merge::cluster::{Action, Cluster, Intent, ParkedKind};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::privacy;
use tandem_merge::reconcile::{Settlement, settle};
use tandem_merge::record::{Observation, Presence, RecordKey, Version};

/// How often settlements that the store put back are decided again.
const ATTEMPTS: u32 = 5;

/// Answers settled in one transaction.
const BATCH: usize = 1_000;

/// The pause before a write of unknown outcome is looked after again.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// Answers sorted by what they ask for.
#[derive(Default)]
struct Sorted {
    settled: BTreeMap<u64, Settlement>,
    unknown: Vec<u64>,
    unsent: Vec<u64>,
    /// By handle.
    accepted: BTreeMap<String, Vec<Intent>>,
    overtaken: Vec<(Intent, Overtaken)>,
    duplicates: Vec<(Intent, Refusal)>,
    /// What was refused, for what it may say of companions.
    refused: Vec<(Intent, Refusal)>,
    /// A write was settled by the system's own word.
    judged: bool,
    /// Not sent, as it seems because the system is in trouble.
    troubled: Vec<(Intent, tandem_connector::Error)>,
}

/// How a write came too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overtaken {
    Stale,
    Gone,
}

impl Engine {
    /// Settles the answers of a batch.
    pub(crate) async fn settle_answers(
        &mut self,
        index: usize,
        answers: Vec<Answer>,
        round: &mut Round,
    ) -> Result<(), Error> {
        if answers.is_empty() {
            return Ok(());
        }
        let mut answers = answers;
        if removed(Mutation::BaseFromReadBack) {
            self.read_back(&mut answers, round).await?;
        }
        let mut sorted = self.sort(index, answers, round);
        self.look_behind_trouble(index, &mut sorted, round).await?;
        if !sorted.unsent.is_empty() {
            self.store.mark_unknown(FENCE, &sorted.unsent, true)?;
        }
        for (handle, intents) in std::mem::take(&mut sorted.accepted) {
            self.accept(index, handle, &intents)?;
        }
        self.read_overtaken(index, &mut sorted, round).await?;
        self.doubt_companions(index, &sorted.refused, round).await?;
        self.look_for_duplicates(index, &mut sorted, round).await?;
        if !sorted.unknown.is_empty() {
            self.store.mark_unknown(FENCE, &sorted.unknown, false)?;
            self.look_later(round);
        }
        let judged = sorted.judged;
        self.settle(sorted.settled, round)?;
        if judged {
            self.free_doubtful(index)?;
        }
        Ok(())
    }

    /// Something of unknown outcome is left: worth another look soon.
    pub(crate) fn look_later(&self, round: &mut Round) {
        if let Ok(soon) = self.clock.now().checked_add(LOOK_AGAIN) {
            round.wait(soon);
        }
    }

    /// Takes what stands in records after their writes for what was written.
    async fn read_back(&mut self, answers: &mut [Answer], round: &mut Round) -> Result<(), Error> {
        let keys = answers.iter().filter_map(|answer| written_record(&answer.intent));
        let keys: BTreeSet<RecordKey> = keys.cloned().collect();
        let seen = self.fetch(&keys, round).await?;
        for Answer { intent, outcome } in answers {
            let read = written_record(intent).and_then(|record| seen.get(record));
            if let (Outcome::Applied { state, .. }, Some(read)) = (outcome, read) {
                *state = Some(Box::new(read.clone()));
            }
        }
        Ok(())
    }

    fn sort(&mut self, index: usize, answers: Vec<Answer>, round: &mut Round) -> Sorted {
        let system = self.flows.systems[index].clone();
        let now = self.clock.now();
        let mut sorted = Sorted::default();
        for Answer { intent, outcome } in answers {
            self.tell(&Happening::Answered {
                system: &system,
                intent: &intent,
                outcome: &outcome,
            });
            if let Some(doings) = &mut self.doings {
                doings.answered(&intent, &outcome);
            }
            round.sent += u64::from(is_answer(&outcome));
            self.note_written(index, &intent, round);
            match outcome {
                Outcome::Applied { id, state } => {
                    round.written += 1;
                    *self.tally.written.entry(system.clone()).or_default() += 1;
                    let state = state.map(|state| *state);
                    let applied = Settlement::Applied { id, state, at: now };
                    self.ease(index, &intent);
                    sorted.judged = true;
                    sorted.settled.insert(intent.id, applied);
                }
                Outcome::Refused(refusal) if refusal.kind == RefusalKind::Duplicate => {
                    self.ease(index, &intent);
                    sorted.duplicates.push((intent, refusal));
                }
                Outcome::Refused(refusal) if refusal.kind == RefusalKind::Unclear => {
                    let said = format!("it answers {}", refusal.message);
                    match self.strain(index, &intent, Answered::Same, &said, round) {
                        Then::Again => sorted.unsent.push(intent.id),
                        Then::GiveUp(message) => {
                            let refusal = Refusal { message, ..refusal };
                            sorted.settled.insert(intent.id, refused(refusal, now));
                        }
                    }
                }
                Outcome::Refused(refusal) => {
                    if refusal.kind == RefusalKind::Invalid {
                        self.doubt(target(&intent), &refusal);
                    }
                    self.ease(index, &intent);
                    sorted.judged = true;
                    sorted.settled.insert(intent.id, refused(refusal.clone(), now));
                    sorted.refused.push((intent, refusal));
                }
                Outcome::Stale => sorted.overtaken.push((intent, Overtaken::Stale)),
                Outcome::Gone => sorted.overtaken.push((intent, Overtaken::Gone)),
                Outcome::Unknown(why) => {
                    let said = format!("no answer tells what became of it ({why})");
                    self.bear(index, &intent, Answered::Same, &said, round);
                    tracing::warn!(
                        system,
                        intent = intent.id,
                        "write {} got no answer: {why}",
                        intent.id
                    );
                    if removed(Mutation::RetryUnread) {
                        sorted.unsent.push(intent.id);
                    } else {
                        sorted.unknown.push(intent.id);
                    }
                }
                Outcome::Accepted { handle } => sorted.accepted.entry(handle).or_default().push(intent),
                Outcome::NotSent(error) if error.kind == ErrorKind::Down => {
                    sorted.troubled.push((intent, error));
                }
                Outcome::NotSent(error) => {
                    sorted.unsent.push(intent.id);
                    self.trouble(round, error);
                }
            }
        }
        sorted
    }

    /// Notes which types a write concerns: a deletion may take records of other types along.
    fn note_written(&self, index: usize, intent: &Intent, round: &mut Round) {
        if matches!(intent.action, Action::Delete { .. }) {
            let types = self.flows.types_of(&self.flows.systems[index]);
            types.iter().for_each(|of| round.touch(index, of));
        } else {
            round.touch(index, target(intent));
        }
    }

    /// Writes that were not sent because their system seems to be in trouble: where it is not, as another write or a
    /// plain look shows, the trouble is theirs alone.
    async fn look_behind_trouble(
        &mut self,
        index: usize,
        sorted: &mut Sorted,
        round: &mut Round,
    ) -> Result<(), Error> {
        let troubled = std::mem::take(&mut sorted.troubled);
        if troubled.is_empty() {
            return Ok(());
        }
        let intents: Vec<&Intent> = troubled.iter().map(|(intent, _)| intent).collect();
        let well =
            sorted.judged || !sorted.overtaken.is_empty() || self.answers_looks(index, &intents).await?;
        for (intent, error) in troubled {
            if !well {
                sorted.unsent.push(intent.id);
                self.trouble(round, error);
                continue;
            }
            let said = error.message.clone();
            match self.strain(index, &intent, Answered::Same, &said, round) {
                Then::Again => sorted.unsent.push(intent.id),
                Then::GiveUp(reason) => {
                    let settlement = self.given_up(reason);
                    sorted.settled.insert(intent.id, settlement);
                }
            }
        }
        Ok(())
    }

    /// Whether a system answers a plain look: at the record, or at what it is made of.
    async fn answers_looks(&mut self, index: usize, intents: &[&Intent]) -> Result<bool, Error> {
        let system = Arc::clone(&self.systems[index]);
        let Some(first) = intents.first() else {
            return Ok(false);
        };
        if let Some(record) = written_record(first) {
            let ids = std::slice::from_ref(&record.id);
            match system.fetch(&record.record_type, ids).await {
                Ok(_) => return Ok(true),
                Err(error) if error.scope == Scope::System => return Ok(false),
                // It may be this record alone that cannot be read either.
                Err(_) => {}
            }
        }
        let described = system.describe().await.ok();
        let well = described.is_some();
        self.take_described(index, described, [])?;
        Ok(well)
    }

    /// Reads the records of writes that came too late. What cannot be read now counts as unknown; what reads as it was,
    /// again and again, is parked.
    async fn read_overtaken(
        &mut self,
        index: usize,
        sorted: &mut Sorted,
        round: &mut Round,
    ) -> Result<(), Error> {
        let overtaken = std::mem::take(&mut sorted.overtaken);
        let keys = overtaken.iter().filter_map(|(intent, _)| written_record(intent));
        let keys: BTreeSet<RecordKey> = keys.cloned().collect();
        let seen = self.fetch(&keys, round).await?;
        self.judge_overtaken(&seen, round)?;
        for (intent, how) in overtaken {
            let state = written_record(&intent).map(|record| seen.get(record).cloned());
            if let Some(None) = state {
                sorted.unknown.push(intent.id);
                continue;
            }
            let state = state.flatten();
            let settlement = self.overtaken(index, &intent, how, state, round);
            sorted.settled.insert(intent.id, settlement);
        }
        Ok(())
    }

    /// What a write that came too late comes to, its record read since.
    fn overtaken(
        &mut self,
        index: usize,
        intent: &Intent,
        how: Overtaken,
        state: Option<Observation>,
        round: &mut Round,
    ) -> Settlement {
        let token = |version: &Option<Version>| version.as_ref().map(|version| version.token.clone());
        let (answered, read) = match &state {
            // A record whose version has moved is there, whatever a look that lags behind does not show.
            Some(state) if state.presence == Presence::Missing && how == Overtaken::Stale => {
                (Answered::Moved, ", and a look does not show it")
            }
            Some(state) if state.presence != Presence::Alive => {
                self.ease(index, intent);
                let state = state.clone();
                return Settlement::Read {
                    state,
                    unknown: false,
                };
            }
            Some(state) if how == Overtaken::Stale && token(&state.version) != token(&intent.version) => {
                (Answered::Moved, "")
            }
            Some(_) => (Answered::Same, ", and a look shows it as it was"),
            None => (Answered::Same, ""),
        };
        let said = match how {
            Overtaken::Stale => STALE,
            Overtaken::Gone => "it answers that there is no such record",
        };
        match self.strain(index, intent, answered, said, round) {
            Then::GiveUp(reason) => self.given_up(format!("{reason}{read}")),
            // What a look does not show of a record that is there says nothing: the write is planned anew.
            Then::Again => {
                let alive = state.filter(|state| state.presence == Presence::Alive);
                alive.map_or(Settlement::Withdrawn, |state| Settlement::Read {
                    state,
                    unknown: false,
                })
            }
        }
    }

    /// A duplicate refused: an earlier attempt of ours had landed, or somebody was faster.
    async fn look_for_duplicates(
        &mut self,
        index: usize,
        sorted: &mut Sorted,
        round: &mut Round,
    ) -> Result<(), Error> {
        let duplicates = std::mem::take(&mut sorted.duplicates);
        if duplicates.is_empty() {
            return Ok(());
        }
        let intents: Vec<&Intent> = duplicates.iter().map(|(intent, _)| intent).collect();
        let ours = self.find_identities(index, &intents, round).await?;
        let owned: Vec<Intent> = intents.into_iter().cloned().collect();
        let theirs = self.find_counterparts(index, &owned, round).await?;
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            sorted
                .unknown
                .extend(duplicates.iter().map(|(intent, _)| intent.id));
            return Ok(());
        };
        for (intent, refusal) in duplicates {
            let own = ours.get(&intent.id).and_then(|rows| rows.first());
            let again = intent.unknown || intent.attempts > 1;
            let settlement = match (own, theirs.get(&intent.id)) {
                (Some(own), _) if again || as_sent(&intent, own) => {
                    Settlement::FoundOwn { state: own.clone() }
                }
                (Some(own), _) => self.found_other(&intent, std::slice::from_ref(own))?,
                (None, Some(rows)) => self.found_other(&intent, rows)?,
                (None, None) if intent.unknown && self.names_identity(&intent, &refusal) => {
                    // It has landed and does not show yet.
                    sorted.unknown.push(intent.id);
                    continue;
                }
                (None, None) => refused(refusal, self.clock.now()),
            };
            sorted.settled.insert(intent.id, settlement);
        }
        Ok(())
    }

    fn names_identity(&self, intent: &Intent, refusal: &Refusal) -> bool {
        let named =
            |property: &String| refusal.properties.is_empty() || refusal.properties.contains(property);
        crate::identity::identity(intent).is_some_and(|(property, _)| named(property))
    }

    /// Settles intents by number, each in the transaction that decides its cluster again.
    pub(crate) fn settle(
        &mut self,
        settlements: BTreeMap<u64, Settlement>,
        round: &mut Round,
    ) -> Result<(), Error> {
        let mut left = settlements.into_iter().peekable();
        while left.peek().is_some() {
            self.settle_some(left.by_ref().take(BATCH).collect(), round)?;
        }
        Ok(())
    }

    /// Settles so many as are held in memory together. What the store puts back is decided again on fresh facts.
    fn settle_some(
        &mut self,
        mut settlements: BTreeMap<u64, Settlement>,
        round: &mut Round,
    ) -> Result<(), Error> {
        for attempt in 0..ATTEMPTS {
            if settlements.is_empty() {
                return Ok(());
            }
            let ids: Vec<u64> = settlements.keys().copied().collect();
            let mut taken = self.store.take_for_intents(&self.flows, &ids, self.clock.now())?;
            let clusters = taken.len();
            if attempt > 0 {
                taken = self.with_found(&taken, &settlements)?;
            }
            self.scrub(&taken, &mut settlements)?;
            let whole = taken.len() == clusters;
            let decided: Vec<Decided> = taken
                .into_iter()
                .map(|dirty| self.settle_cluster(dirty, &settlements))
                .collect();
            let report = self.commit(decided, round)?;
            if report.put_back.is_empty() && whole {
                return Ok(());
            }
            let open = self.still_open(&ids)?;
            settlements.retain(|id, _| open.contains(id));
        }
        let left: Vec<u64> = settlements.into_keys().collect();
        tracing::error!(count = left.len(), "{} answers could not be stored", left.len());
        self.store.mark_unknown(FENCE, &left, false)?;
        self.look_later(round);
        Ok(())
    }

    /// Takes personal values of the records that clusters refer to out of what their systems say of refused writes.
    fn scrub(&mut self, taken: &[Dirty], settlements: &mut BTreeMap<u64, Settlement>) -> Result<(), Error> {
        let refused = |id: &u64| matches!(settlements.get(id), Some(Settlement::Refused { .. }));
        let of_cluster = |dirty: &Dirty| -> Vec<u64> {
            open_intents(&dirty.cluster).into_iter().filter(refused).collect()
        };
        let refused: Vec<(&Dirty, Vec<u64>)> = taken.iter().map(|dirty| (dirty, of_cluster(dirty))).collect();
        for (dirty, intents) in refused.into_iter().filter(|(_, intents)| !intents.is_empty()) {
            let mut others = Vec::new();
            for record in privacy::referred(&self.flows, &dirty.facts) {
                others.extend(self.store.cluster(&self.flows, &record)?);
            }
            for id in intents {
                if let Some(settlement) = settlements.remove(&id) {
                    let settlement = privacy::scrubbed_of(&self.flows, &others, settlement);
                    settlements.insert(id, settlement);
                }
            }
        }
        Ok(())
    }

    /// The same clusters, each with those of the records that were found for its intents: what a create made may be
    /// part of another one by now. A cluster that shares a record with one before it waits.
    fn with_found(
        &mut self,
        taken: &[Dirty],
        settlements: &BTreeMap<u64, Settlement>,
    ) -> Result<Vec<Dirty>, Error> {
        let found = |intent: &Intent| match (settlements.get(&intent.id)?, &intent.action) {
            (Settlement::FoundOwn { state } | Settlement::FoundOther { state }, _) => Some(state.key.clone()),
            // A create that is sent again may be answered with what the first one made.
            (Settlement::Applied { id, .. }, Action::Create { target, .. }) => Some(RecordKey {
                record_type: target.clone(),
                id: id.clone(),
            }),
            _ => None,
        };
        let group = |dirty: &Dirty| {
            let own = dirty.cluster.records.keys().cloned();
            own.chain(dirty.cluster.creates.iter().filter_map(found))
                .collect()
        };
        let groups: Vec<Vec<RecordKey>> = taken.iter().map(group).collect();
        let together = self.store.take_together(&self.flows, &groups, self.clock.now())?;
        Ok(together.into_iter().flatten().collect())
    }

    /// The intents among these that are still there.
    fn still_open(&mut self, ids: &[u64]) -> Result<BTreeSet<u64>, Error> {
        let taken = self.store.take_for_intents(&self.flows, ids, self.clock.now())?;
        Ok(taken
            .iter()
            .flat_map(|dirty| open_intents(&dirty.cluster))
            .collect())
    }

    fn settle_cluster(&self, dirty: Dirty, settlements: &BTreeMap<u64, Settlement>) -> Decided {
        let own = open_intents(&dirty.cluster).into_iter();
        let own = own.filter_map(|id| Some((id, settlements.get(&id)?.clone())));
        let own: Vec<(u64, Settlement)> = own.collect();
        self.tell_taken(&dirty);
        let plan = settle(&self.flows, dirty.cluster, dirty.inbox, own, &dirty.facts);
        Decided {
            plan,
            token: dirty.token,
        }
    }
}

/// Whether an outcome says what became of the write.
fn is_answer(outcome: &Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::NotSent(_) | Outcome::Unknown(_) | Outcome::Accepted { .. }
    )
}

/// The numbers of a cluster's intents, in order.
fn open_intents(cluster: &Cluster) -> BTreeSet<u64> {
    let writes = cluster
        .records
        .values()
        .filter_map(|record| record.intent.as_ref());
    let all = writes.chain(&cluster.creates);
    all.map(|intent| intent.id).filter(|id| *id != 0).collect()
}

/// A refusal parks what it names.
fn refused(refusal: Refusal, at: jiff::Timestamp) -> Settlement {
    let kind = match refusal.kind {
        RefusalKind::Duplicate => ParkedKind::DuplicateKey,
        RefusalKind::BadReference => ParkedKind::ReferenceToNothing,
        RefusalKind::Busy => ParkedKind::Busy,
        RefusalKind::Invalid
        | RefusalKind::Forbidden
        | RefusalKind::Locked
        | RefusalKind::Limit
        | RefusalKind::Unclear => ParkedKind::Refused,
    };
    Settlement::Refused {
        kind,
        properties: refusal.properties,
        reason: refusal.message,
        advice: refusal.advice,
        at,
    }
}
