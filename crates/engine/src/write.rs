//! Write: unsent intents go out, durably marked before the first byte, packed for the fewest calls.

use crate::engine::FENCE;
use crate::pack::{self, batches};
use crate::{Clock, Engine, Error, Happening, Round};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tandem_connector::{Change, Connector, Outcome, RefusalKind, Resumed, Write};
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::record::{RecordKey, Values};

/// Pauses before a busy row is written again.
const BUSY_PAUSES: [i64; 3] = [1, 2, 4];

/// How often records are waited for whose last change is too young for a condition to protect it.
const FIRM_WAITS: u32 = 5;

/// How long such a wait is: the coarsest resolution of a condition that is known.
const FIRM_WAIT: SignedDuration = SignedDuration::from_millis(1_100);

/// Updates taken at once where a condition protects them.
const UPDATES: usize = 1_000;

/// Batches of intent numbers by system.
type Queues = [VecDeque<Vec<u64>>; 2];

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
                let free = self.look_up(index, intents, round).await?;
                let size = self.systems[index].capabilities().write_batch;
                *queue = batches(&free, size).into();
            }
            let sent = self.send(queues, round).await?;
            if sent.is_empty() && round.found == 0 {
                return Ok(written);
            }
            round.found = 0;
            written.extend(sent);
            self.reconcile(rank, round).await?;
        }
    }

    /// Sends updates and deletions until none is left. Records whose state no condition protects are read
    /// and decided again just before.
    pub(crate) async fn send_changes(&mut self, round: &mut Round) -> Result<(), Error> {
        let mut fresh: BTreeSet<RecordKey> = BTreeSet::new();
        let mut waits = 0;
        loop {
            let mut queues = Queues::default();
            let mut stale = BTreeSet::new();
            for (index, queue) in queues.iter_mut().enumerate() {
                let limits = self.systems[index].capabilities();
                let (conditional, size) = (limits.conditional_write, limits.write_batch);
                let limit = if conditional { UPDATES.max(size) } else { size };
                let intents = self.sendable(index, false, self.last_rank(), limit, round)?;
                let safe = |intent: &Intent| protected(intent, conditional, &fresh);
                let (ready, rest): (Vec<_>, Vec<_>) = intents.into_iter().partition(safe);
                stale.extend(rest.iter().filter_map(written_record).cloned());
                *queue = batches(&ready, size).into();
            }
            let unread: BTreeSet<RecordKey> = stale.difference(&fresh).cloned().collect();
            if !unread.is_empty() {
                self.read(&unread, round).await?;
                fresh.extend(unread);
                self.reconcile(self.last_rank(), round).await?;
            } else if queues.iter().any(|queue| !queue.is_empty()) {
                self.send(queues, round).await?;
                self.reconcile(self.last_rank(), round).await?;
                // Where no condition protects, a record is read before each of its writes.
                fresh.retain(|record| stale.contains(record));
            } else if stale.is_empty() || waits == FIRM_WAITS {
                return Ok(());
            } else {
                waits += 1;
                self.pause(FIRM_WAIT, "a record was changed within the last second")
                    .await;
                fresh.clear();
            }
        }
    }

    fn sendable(
        &mut self,
        index: usize,
        creates: bool,
        rank: usize,
        limit: usize,
        round: &Round,
    ) -> Result<Vec<Intent>, Error> {
        let system = &self.flows.systems[index];
        if round.is_down(system) || !self.both_listed() {
            return Ok(Vec::new());
        }
        Ok(self.store.sendable(system, creates, rank, limit)?)
    }

    /// Whether unsent writes are left for systems that are up.
    pub(crate) fn anything_sendable(&mut self, round: &Round) -> Result<bool, Error> {
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

    /// Sends batches, one of each system at a time, and settles each before the next. Returns the systems
    /// that got any write.
    async fn send(&mut self, mut queues: Queues, round: &mut Round) -> Result<BTreeSet<usize>, Error> {
        let mut sent = BTreeSet::new();
        loop {
            let mut marked = [Vec::new(), Vec::new()];
            for (index, queue) in queues.iter_mut().enumerate() {
                if round.is_down(&self.flows.systems[index]) {
                    queue.clear();
                }
                if let Some(batch) = queue.pop_front() {
                    marked[index] = self.mark(index, &batch)?;
                }
            }
            if marked.iter().all(Vec::is_empty) && queues.iter().all(VecDeque::is_empty) {
                return Ok(sent);
            }
            for (index, _) in marked.iter().enumerate().filter(|(_, batch)| !batch.is_empty()) {
                sent.insert(index);
            }
            let [first, second] = marked;
            let (first, second) = futures::join!(self.carry(0, first), self.carry(1, second));
            self.settle_answers(0, first, round).await?;
            self.settle_answers(1, second, round).await?;
        }
    }

    /// Marks a batch as sent, durably. What was withdrawn in the meantime falls out.
    pub(crate) fn mark(&mut self, index: usize, batch: &[u64]) -> Result<Vec<Intent>, Error> {
        let intents = self.store.begin_write(FENCE, batch, self.clock.now())?;
        let system = &self.flows.systems[index];
        if !intents.is_empty() {
            self.tell(&Happening::Sending {
                system,
                intents: &intents,
            });
        }
        Ok(intents)
    }

    /// Hands a batch to its connector and waits for every answer.
    pub(crate) fn carry(
        &self,
        index: usize,
        intents: Vec<Intent>,
    ) -> impl Future<Output = Vec<Answer>> + Send + use<> {
        let system = Arc::clone(&self.systems[index]);
        let clock = Arc::clone(&self.clock);
        let state = self.state_id.clone();
        async move { carry(system.as_ref(), clock.as_ref(), &state, intents).await }
    }

    /// Sleeps by the injected clock, unless nothing is to be waited for.
    pub(crate) async fn pause(&self, length: SignedDuration, why: &str) {
        if !self.impatient {
            let until = self.clock.now().saturating_add(length).unwrap_or(Timestamp::MAX);
            self.tell(&Happening::Waiting { until, why });
            self.clock.sleep_until(until).await;
        }
    }
}

/// A write with its answer.
pub(crate) struct Answer {
    pub(crate) intent: Intent,
    pub(crate) outcome: Outcome,
}

/// Whether an update or deletion may go out as it is: its condition protects, or the record was read just
/// now where there are no conditions.
fn protected(intent: &Intent, conditional: bool, fresh: &BTreeSet<RecordKey>) -> bool {
    if conditional {
        intent.version.as_ref().is_some_and(|version| version.firm)
    } else {
        written_record(intent).is_some_and(|record| fresh.contains(record))
    }
}

/// The record that an update or deletion writes.
pub(crate) fn written_record(intent: &Intent) -> Option<&RecordKey> {
    match &intent.action {
        Action::Update { record } | Action::Delete { record } => Some(record),
        Action::Create { .. } | Action::Companion { .. } => None,
    }
}

async fn carry(system: &dyn Connector, clock: &dyn Clock, state: &str, intents: Vec<Intent>) -> Vec<Answer> {
    if intents.is_empty() {
        return Vec::new();
    }
    let conditional = system.capabilities().conditional_write;
    let writes: Vec<Write> = intents
        .iter()
        .map(|intent| write_of(intent, state, conditional))
        .collect();
    let mut outcomes = answers(system, clock, &writes).await;
    for pause in BUSY_PAUSES {
        let is_busy = |(place, _): &(usize, &Write)| busy(&outcomes[*place]);
        let (places, again): (Vec<usize>, Vec<Write>) = writes
            .iter()
            .enumerate()
            .filter(is_busy)
            .map(|(place, write)| (place, write.clone()))
            .unzip();
        if again.is_empty() {
            break;
        }
        let until = clock.now().saturating_add(SignedDuration::from_secs(pause));
        clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
        let second = answers(system, clock, &again).await;
        for (place, outcome) in places.into_iter().zip(second) {
            outcomes[place] = outcome;
        }
    }
    let pairs = intents.into_iter().zip(outcomes);
    pairs
        .map(|(intent, outcome)| Answer { intent, outcome })
        .collect()
}

fn busy(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.kind == RefusalKind::Busy)
}

/// One outcome per write, accepted ones waited for.
async fn answers(system: &dyn Connector, clock: &dyn Clock, writes: &[Write]) -> Vec<Outcome> {
    let mut outcomes = system.write(writes).await;
    outcomes.resize_with(writes.len(), || {
        Outcome::Unknown("the connector gave no answer".to_owned())
    });
    let handles: BTreeSet<String> = outcomes.iter().filter_map(handle).collect();
    for handle in handles {
        let done = wait_for(system, clock, &handle).await;
        for (write, outcome) in writes.iter().zip(outcomes.iter_mut()) {
            if self::handle(outcome).as_deref() == Some(handle.as_str()) {
                let answer = done.get(&write.intent).cloned();
                let silent = || Outcome::Unknown(format!("no answer under the handle {handle}"));
                *outcome = answer.unwrap_or_else(silent);
            }
        }
    }
    outcomes
}

fn handle(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Accepted { handle } => Some(handle.clone()),
        _ => None,
    }
}

/// Asks for accepted writes until they are done or the deadline of requests has passed.
async fn wait_for(system: &dyn Connector, clock: &dyn Clock, handle: &str) -> BTreeMap<u64, Outcome> {
    let deadline = system.capabilities().request_deadline;
    let end = clock.now().saturating_add(deadline).unwrap_or(Timestamp::MAX);
    while clock.now() <= end {
        match system.resume(handle).await {
            Ok(Resumed::Done(outcomes)) => return outcomes.into_iter().collect(),
            Ok(Resumed::NotYet) => {
                let until = clock.now().saturating_add(SignedDuration::from_secs(1));
                clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
            }
            Err(_) => break,
        }
    }
    BTreeMap::new()
}

/// The write that carries out an intent: the same bytes in every attempt.
fn write_of(intent: &Intent, state: &str, conditional: bool) -> Write {
    let mut values: Values = BTreeMap::new();
    for (property, planned) in &intent.values {
        values.insert(property.clone(), planned.value.clone());
    }
    let only_if = intent.version.clone().filter(|_| conditional);
    let change = match &intent.action {
        Action::Create { target, identity, .. } | Action::Companion { target, identity, .. } => {
            values.extend(identity.clone());
            Change::Create {
                record_type: target.clone(),
                values,
            }
        }
        Action::Update { record } => Change::Update {
            record: record.clone(),
            values,
            only_if,
        },
        Action::Delete { record } => Change::Delete {
            record: record.clone(),
            only_if,
        },
    };
    Write {
        intent: intent.id,
        key: format!("{state}-{}", intent.id),
        change,
    }
}
