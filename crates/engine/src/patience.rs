//! Patience: a write whose answers settle nothing is tried a few times, after growing pauses and by itself at last; then
//! it is parked with what was answered (E17). One record's lasting trouble is never its system's: a system is in
//! trouble only if unlike requests fail too.

use crate::{Engine, Error, Round};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::{ErrorKind, Scope};
use tandem_merge::cluster::{Action, Intent, ParkedKind};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::reconcile::Settlement;
use tandem_merge::record::{Observation, Presence, RecordKey};
use tandem_merge::value::Value;

/// So many times in a row a write is tried whose answers settle nothing.
const TRIES: u32 = 4;

/// The same where the record moved between its tries: people may be working on it.
const TRIES_MOVED: u32 = 12;

/// So many times a create of unknown outcome is sent, each after the longest time that the one before may take.
const MOST_CREATES: u32 = 4;

/// So many writes of a system that settle nothing, with none between that does, are no trouble of their records.
const MANY: usize = 5;

/// The longest pause between two tries that a sync waits for.
const LONGEST_WAITED_FOR: SignedDuration = SignedDuration::from_secs(8);

/// The longest pause between two tries.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// How long tries are remembered.
const KEPT: SignedDuration = SignedDuration::from_mins(30);

/// More writes of one record in one round lead nowhere.
const MOST_WRITES: u32 = 30;

/// So many bits of the size of a pack are taken off with each try, so that a write ends up by itself.
const SMALLER: u32 = 4;

/// What an answer that settles nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The record is as it was, or nobody can tell.
    Same,
    /// The record had moved meanwhile.
    Moved,
}

/// What to do about one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is tried again after a pause.
    Again,
    /// It is parked, for this reason.
    GiveUp(String),
}

/// The tries of one write.
#[derive(Clone, Debug)]
struct Tries {
    /// What is written; other content is another write.
    content: u64,
    times: u32,
    same: u32,
    /// Not before this moment is it tried again.
    due: Timestamp,
    /// What was answered last.
    last: String,
    /// How many writes of the system had been settled when it was first tried.
    settled: u64,
}

impl Tries {
    /// It was tried as often as it is.
    fn over(&self) -> bool {
        if removed(Mutation::Impatience) {
            return false;
        }
        self.same >= TRIES || self.times >= TRIES_MOVED
    }
}

/// The writes that are tried again, by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    tries: [BTreeMap<String, Tries>; 2],
    /// Writes that were settled, by system.
    settled: [u64; 2],
    /// Records parked while no write of their system was settled: they may have suffered for its sake.
    doubtful: [BTreeSet<RecordKey>; 2],
    /// Those among them that were tried again since: it was their own.
    proven: BTreeSet<RecordKey>,
    /// Writes of the round at hand, by what they are about.
    written: BTreeMap<String, u32>,
}

impl Patience {
    fn of(&self, index: usize, intent: &Intent) -> Option<&Tries> {
        self.tries[index]
            .get(&about(intent))
            .filter(|tries| tries.content == content(intent))
    }

    /// How many writes may travel with this one in a pack of that size.
    pub(crate) fn pack(&self, index: usize, intent: &Intent, size: usize) -> usize {
        let times = self.of(index, intent).map_or(0, |tries| tries.times);
        size.checked_shr(times * SMALLER).unwrap_or_default().max(1)
    }

    /// Whether a write was tried in vain before.
    pub(crate) fn tries(&self, index: usize, intent: &Intent) -> bool {
        self.of(index, intent).is_some()
    }

    /// So many writes wait for another try.
    pub(crate) fn waiting(&self, index: usize) -> usize {
        self.tries[index].len()
            + self
                .written
                .values()
                .filter(|times| **times >= MOST_WRITES)
                .count()
    }

    /// A new round begins. What nobody sent for long is no try any more.
    pub(crate) fn begin_round(&mut self, now: Timestamp) {
        self.written.clear();
        for tries in &mut self.tries {
            tries.retain(|_, tries| tries.due.saturating_add(KEPT).is_ok_and(|until| until > now));
        }
    }

    /// Counts writes that are sent.
    pub(crate) fn count(&mut self, intents: &[Intent]) {
        for intent in intents {
            *self.written.entry(about(intent)).or_default() += 1;
        }
    }

    /// Whether what a write is about was written too often in this round.
    pub(crate) fn too_often(&self, intent: &Intent) -> bool {
        if removed(Mutation::Impatience) {
            return false;
        }
        self.written
            .get(&about(intent))
            .is_some_and(|times| *times >= MOST_WRITES)
    }
}

impl Engine {
    /// A write was settled by its system's own word. Records that may have suffered for the system's sake are tried
    /// again, once.
    pub(crate) fn ease(&mut self, index: usize, intent: &Intent) {
        self.patience.tries[index].remove(&about(intent));
        self.patience.settled[index] += 1;
    }

    /// Frees the records that were parked while no write of a system was settled, now that one is.
    pub(crate) fn free_doubtful(&mut self, index: usize) -> Result<(), Error> {
        for record in std::mem::take(&mut self.patience.doubtful[index]) {
            self.patience.proven.insert(record.clone());
            match self.retry(&record) {
                Err(Error::Command { what, .. }) => tracing::debug!("{what}"),
                done => done?,
            }
        }
        Ok(())
    }

    /// An answer to a write settles nothing. What to do, and where it is tried again, when.
    pub(crate) fn strain(
        &mut self,
        index: usize,
        intent: &Intent,
        answered: Answered,
        said: &str,
        round: &mut Round,
    ) -> Then {
        let Some(reason) = self.bear(index, intent, answered, said, round) else {
            return Then::Again;
        };
        self.leave_be(index, intent);
        Then::GiveUp(reason)
    }

    /// The same of an answer that leaves the outcome unknown: only a read decides whether it is parked.
    pub(crate) fn bear(
        &mut self,
        index: usize,
        intent: &Intent,
        answered: Answered,
        said: &str,
        round: &mut Round,
    ) -> Option<String> {
        let (now, settled) = (self.clock.now(), self.patience.settled[index]);
        let fresh = Tries {
            content: content(intent),
            times: 0,
            same: 0,
            due: now,
            last: String::new(),
            settled,
        };
        let all = &mut self.patience.tries[index];
        let tries = all.entry(about(intent)).or_insert_with(|| fresh.clone());
        if tries.content != fresh.content {
            *tries = fresh;
        }
        tries.times += 1;
        tries.same += u32::from(answered == Answered::Same);
        said.clone_into(&mut tries.last);
        let times = tries.times;
        let over = tries.over();
        let longest = if over { LONGEST } else { LONGEST_WAITED_FOR };
        let doubled = SignedDuration::from_secs(1_i64 << (times - 1).min(16)).min(longest);
        // Somebody was faster: that is mended by looking again at once.
        let pause = if times == 1 && said == STALE {
            SignedDuration::ZERO
        } else {
            doubled
        };
        tries.due = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let due = tries.due;
        if over && self.is_its_own(index, intent) {
            return Some(format!("{said}, {times} times"));
        }
        if over {
            round.strain(self.nothing(index, said, due));
        } else if pause > SignedDuration::ZERO {
            round.wait(due);
        }
        None
    }

    /// Writes of a system come to nothing, one and all. Whoever syncs does not wait for that: they are tried again in a
    /// later round.
    fn nothing(&self, index: usize, said: &str, due: Timestamp) -> tandem_connector::Error {
        let others = self.strained(index);
        tandem_connector::Error {
            system: self.flows.systems[index].clone(),
            kind: ErrorKind::Down,
            message: format!("{others} writes came to nothing, and none to anything ({said})"),
            advice: "Look what is the matter there; they are tried again by themselves".to_owned(),
            retry_at: Some(due),
            scope: Scope::System,
        }
    }

    /// How many writes of a system were tried again and settled nothing.
    fn strained(&self, index: usize) -> usize {
        self.patience.tries[index]
            .values()
            .filter(|tries| tries.times >= 2)
            .count()
    }

    /// A write of the system was settled since this one was first tried.
    fn is_alone(&self, index: usize, intent: &Intent) -> bool {
        let tries = self.patience.of(index, intent);
        tries.is_some_and(|tries| self.patience.settled[index] > tries.settled)
    }

    /// Whether the trouble is the record's, as far as other writes tell.
    fn is_its_own(&self, index: usize, intent: &Intent) -> bool {
        self.is_alone(index, intent) || self.strained(index) < MANY
    }

    fn leave_be(&mut self, index: usize, intent: &Intent) {
        let alone = self.is_alone(index, intent);
        self.patience.tries[index].remove(&about(intent));
        let record = source(intent);
        tracing::warn!(record = %record, "a write about {record} comes to nothing and is parked");
        if !alone && !self.patience.proven.contains(record) {
            self.patience.doubtful[index].insert(record.clone());
        }
    }

    /// What a write comes to whose record was read after the last try, where that shows nothing of it.
    pub(crate) fn lost_patience(
        &mut self,
        index: usize,
        intent: &Intent,
        state: &Observation,
    ) -> Option<Settlement> {
        let tries = self.patience.of(index, intent)?;
        let reason = format!("{}, {} times", tries.last, tries.times);
        let exhausted = tries.over();
        let as_it_was = |(property, before): (&String, &Value)| {
            state.values.get(property).unwrap_or(&Value::Blank) == before
        };
        if state.presence != Presence::Alive || !intent.before.iter().all(as_it_was) {
            // Something came of it, or of what others did.
            self.patience.tries[index].remove(&about(intent));
            return None;
        }
        (exhausted && self.is_its_own(index, intent)).then(|| {
            self.leave_be(index, intent);
            self.given_up(reason)
        })
    }

    /// What a create of unknown outcome comes to that was sent often enough and is not there, as a look showed.
    pub(crate) fn lost_patience_with_create(&mut self, index: usize, intent: &Intent) -> Option<Settlement> {
        let tries = self.patience.of(index, intent).filter(|tries| tries.over());
        let said = tries.map(|tries| tries.last.clone());
        let sent = said.is_some() || intent.attempts >= MOST_CREATES;
        if !sent || !self.is_its_own(index, intent) {
            return None;
        }
        let said = said.unwrap_or_else(|| "no answer tells what became of it".to_owned());
        let times = intent.attempts.max(1);
        self.leave_be(index, intent);
        Some(self.given_up(format!("{said}, {times} times, and it is not there")))
    }

    /// A write that was tried often enough is parked with what was answered.
    pub(crate) fn given_up(&self, reason: String) -> Settlement {
        Settlement::Refused {
            kind: ParkedKind::Refused,
            properties: Vec::new(),
            reason,
            advice: "Look in that system what is the matter with the record, then `tandem retry`".to_owned(),
            at: self.clock.now(),
        }
    }

    /// Leaves out what is not to be sent now: what waits for another try, and what was written too often in this round.
    pub(crate) fn with_patience(&self, index: usize, intents: &mut Vec<Intent>, round: &mut Round) {
        intents.retain(|intent| {
            if self.patience.too_often(intent) {
                round.strain(self.endless(index, intent));
                return false;
            }
            !self.rests(index, intent, round) && !self.waits_for_sight(index, intent, round)
        });
    }

    /// Whether a write waits for its next try.
    pub(crate) fn rests(&self, index: usize, intent: &Intent, round: &mut Round) -> bool {
        let Some(tries) = self.patience.of(index, intent) else {
            return false;
        };
        if tries.due <= self.clock.now() {
            return false;
        }
        if tries.over() {
            round.strain(self.nothing(index, &tries.last, tries.due));
        } else {
            round.wait(tries.due);
        }
        true
    }

    fn endless(&self, index: usize, intent: &Intent) -> tandem_connector::Error {
        let record = source(intent);
        tandem_connector::Error {
            system: self.flows.systems[index].clone(),
            kind: ErrorKind::Protocol,
            message: format!(
                "{MOST_WRITES} writes about {record} in one round did not bring it to rest; no more of them are sent now"
            ),
            advice: format!("`tandem history {record}` tells what moves it; please report this"),
            retry_at: None,
            scope: Scope::System,
        }
    }
}

/// What a system is said to have answered when a condition failed.
pub(crate) const STALE: &str = "it answers that the record was changed meanwhile";

/// What a write is about.
fn about(intent: &Intent) -> String {
    match &intent.action {
        Action::Create { flow, source, .. } => format!("create {flow} {source}"),
        Action::Companion { key, .. } => format!("companion {} {}", key.role, key.owner),
        Action::Update { record } | Action::Delete { record } => format!("record {record}"),
    }
}

/// The record that people know it by.
fn source(intent: &Intent) -> &RecordKey {
    match &intent.action {
        Action::Create { source, .. } => source,
        Action::Companion { key, .. } => &key.owner,
        Action::Update { record } | Action::Delete { record } => record,
    }
}

/// What identifies the content of a write within this process.
fn content(intent: &Intent) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    matches!(intent.action, Action::Delete { .. }).hash(&mut hasher);
    for (property, planned) in &intent.values {
        property.hash(&mut hasher);
        format!("{:?}", planned.value).hash(&mut hasher);
    }
    hasher.finish()
}
