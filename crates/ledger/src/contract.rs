//! The contract of a store: units of work, not tables. Every method is one transaction.

use crate::Error;
use crate::stood::StoodFor;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use tandem_merge::cluster::{Cluster, Intent, ParkedKind, Verdict};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::facts::{Facts, MatchKey};
use tandem_merge::plan::{Event, Plan};
use tandem_merge::record::{Observation, RecordKey, RecordType, Values};
use tandem_merge::value::Value;

/// A number that fences off a holder that lost its lease; 0 in a single process.
pub type Fence = u64;

/// The durable state of one dataflow between two systems.
///
/// Invariants kept by every implementation: S1-S9 of INVARIANTS. Uniqueness (one live link per record and
/// flow group, one open intent per record, one open create per type and reservation key, one open create per
/// source and flow, one companion per role and owner) is a constraint of the database.
pub trait Store: Send {
    /// Binds the state to the two systems it belongs to, or refuses another pair
    /// ([`Error::OtherSystem`]). `identities`: system name to its identification.
    fn bind(&mut self, identities: &BTreeMap<String, String>) -> Result<(), Error>;

    /// Goes over to another system of the same kind. Links whose records are found there stay, with tombs and
    /// history; versions, cursors, bases, heads, writes and everything parked are forgotten, so that all is listed
    /// and compared anew.
    fn rebind(&mut self, flows: &Dataflow, to: &Rebinding) -> Result<Rebound, Error>;

    /// A random text made when the state was created; part of idempotency keys.
    fn state_id(&mut self) -> Result<String, Error>;

    /// The cursor of a system.
    fn cursor(&mut self, system: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Stores observations and the cursor that covers them. Observations equal to what is known (same
    /// version, same values, same presence: the shadow, or the newest in the inbox) are dropped, except that
    /// a not-firm version becoming firm is kept. An echo ([`tandem_merge::echo`]) moves its record's version and nothing
    /// else. The rest marks their records dirty and is indexed by match
    /// keys at once.
    fn commit_page(&mut self, fence: Fence, flows: &Dataflow, page: &Page) -> Result<PageReport, Error>;

    /// Notes that a system was listed in full (its first load is complete); keeps the first moment.
    fn mark_listed(&mut self, system: &str, at: Timestamp) -> Result<(), Error>;

    /// Up to `limit` dirty clusters of rank <= `rank`, each whole, with candidates for links joined in, with
    /// their inbox rows and the facts they need. No record appears in two of them. Rows of records with a
    /// sent intent stay where they are (the cluster is not returned for their sake alone).
    /// The result is in (rank, age) order.
    fn take_dirty(
        &mut self,
        flows: &Dataflow,
        rank: usize,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error>;

    /// The lowest rank behind `after` in which anything is dirty, or a create waits to be sent.
    fn next_rank(&mut self, flows: &Dataflow, after: Option<usize>) -> Result<Option<usize>, Error>;

    /// The clusters of the records that these intents are about (targets of updates and deletions, sources
    /// of creates, owners of companions), as in `take_dirty`, for settling. One entry per cluster; a cluster
    /// may carry several of the intents.
    fn take_for_intents(
        &mut self,
        flows: &Dataflow,
        intents: &[u64],
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error>;

    /// The clusters of these records, for commands of people (resolve, approve, retry, unlink).
    fn take_records(
        &mut self,
        flows: &Dataflow,
        records: &[RecordKey],
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error>;

    /// The clusters of groups of records that are to be decided together, each with all clusters of its records;
    /// records that are not known are left out. None for a group that shares a record with one before it: it is
    /// taken once those are stored.
    fn take_together(
        &mut self,
        flows: &Dataflow,
        groups: &[Vec<RecordKey>],
        now: Timestamp,
    ) -> Result<Vec<Option<Dirty>>, Error>;

    /// Stores plans, each as a whole or not at all: cluster states, links, heads, intents (new ones have
    /// number 0 and get one; those that the cluster had and the plan has not are removed), reservations, waits, history; removes the inbox rows and dirty marks that were taken. A plan
    /// that breaks a uniqueness constraint is put back (its cluster stays dirty with its inbox rows) and
    /// reported; the others are stored (S6). Records that waited for something a plan changed become dirty.
    fn commit_plans(
        &mut self,
        fence: Fence,
        flows: &Dataflow,
        plans: Vec<Decided>,
    ) -> Result<CommitReport, Error>;

    /// Unsent intents of a system in sending order (rank, then number): creates and companions of rank <=
    /// `rank` when `creates`, else updates and deletions, but for those of records of which something was seen and not
    /// decided.
    fn sendable(
        &mut self,
        system: &str,
        creates: bool,
        rank: usize,
        limit: usize,
    ) -> Result<Vec<Intent>, Error>;

    /// How many intents [`Store::sendable`] would give.
    fn count_sendable(
        &mut self,
        system: &str,
        creates: bool,
        rank: usize,
        limit: usize,
    ) -> Result<usize, Error> {
        Ok(self.sendable(system, creates, rank, limit)?.len())
    }

    /// Resolves once [`Store::begin_write`] waits for nothing: a state that is looked over still lets nothing be sent.
    fn looked_over(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }

    /// Resolves once it is known that the state is held no more; never where only one process can hold it.
    fn lost(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    /// Marks unsent intents as sent, durably, and returns those that it marked: an intent withdrawn or
    /// replaced in the meantime is not among them (S5). One of unknown outcome is marked again, with the
    /// same content, a later moment and one attempt more; not so where it was accepted under a handle since, by which
    /// its outcome is asked for.
    fn begin_write(&mut self, fence: Fence, intents: &[u64], now: Timestamp) -> Result<Vec<Intent>, Error>;

    /// Sent intents without an outcome, except those accepted under a handle: after a crash, all of them.
    /// `limit` at a time, number > `after`.
    fn unsettled(&mut self, after: u64, limit: usize) -> Result<Vec<Intent>, Error>;

    /// Marks sent intents as of unknown outcome (or as not sent after all, when `unsend`). A handle is
    /// forgotten.
    fn mark_unknown(&mut self, fence: Fence, intents: &[u64], unsend: bool) -> Result<(), Error>;

    /// Notes under which handle the system accepted sent intents: their outcome is asked for by it, also
    /// after a crash. Intents that are not sent are left out.
    fn accept(&mut self, fence: Fence, intents: &[u64], handle: &str) -> Result<(), Error>;

    /// The handles of a system whose intents have no outcome yet, those accepted first in front.
    fn handles(&mut self, system: &str) -> Result<Vec<String>, Error>;

    /// Intents accepted under a handle and without an outcome, number > `after`, at most `limit`.
    fn accepted(&mut self, handle: &str, after: u64, limit: usize) -> Result<Vec<Intent>, Error>;

    /// The open intents of these numbers, in their order; those that are gone are left out.
    fn intents(&mut self, numbers: &[u64]) -> Result<Vec<Intent>, Error>;

    /// From here on what is stored in history belongs to a new run of that kind. It gets its number with its first
    /// line: a run in which nothing happened leaves no trace.
    fn begin_run(&mut self, kind: &str, at: Timestamp) -> Result<(), Error>;

    /// Puts another run in the place of the one at hand, which is the answer: so what comes between goes on later where it
    /// stopped.
    fn swap_run(&mut self, run: Option<Run>) -> Result<Option<Run>, Error>;

    /// Runs, newest last, after a number, at most `limit`.
    fn runs(&mut self, after: u64, limit: usize) -> Result<Vec<RunRow>, Error>;

    /// Runs, newest first, before a number, at most `limit`.
    fn latest_runs(&mut self, before: u64, limit: usize) -> Result<Vec<RunRow>, Error>;

    /// What happened hour by hour, from the hour of a moment on.
    fn hours(&mut self, from: Timestamp) -> Result<Vec<Hour>, Error>;

    /// Notes how much waits to be decided or sent in the hour of a moment.
    fn note_backlog(&mut self, at: Timestamp) -> Result<(), Error>;

    /// Adds to hours for how long things stood in some way.
    fn note_stood(&mut self, all: &[StoodFor]) -> Result<(), Error>;

    /// Looks at up to `limit` lines of the history after a number, oldest first, and removes those before a moment
    /// that nothing open needs: no record with an item that stands, nor one linked with it. Goes on where
    /// [`Compaction::next`] says; small, so that work goes on between two.
    fn compact_history(&mut self, before: Timestamp, after: u64, limit: usize) -> Result<Compaction, Error>;

    /// Forgets records: their values, links, writes, items and history go, and so do their bytes in the files. What
    /// stays is a keyed hash of each, by which it is recognised and let in no more. Give whole clusters.
    /// Fails with [`Error::UnderWay`] while a write of one has no answer.
    fn forget(&mut self, records: &[RecordKey], at: Timestamp) -> Result<Forgotten, Error>;

    /// Whether a record was forgotten.
    fn is_forgotten(&mut self, record: &RecordKey) -> Result<bool, Error>;

    /// Counts for people.
    fn status(&mut self, flows: &Dataflow) -> Result<Status, Error>;

    /// Links of a flow (or all), after a link number, at most `limit`: number and link ends.
    fn links(&mut self, flow: Option<&str>, after: u64, limit: usize) -> Result<Vec<LinkRow>, Error>;

    /// Links of a flow (or all), newest first, before a link number, at most `limit`.
    fn latest_links(&mut self, flow: Option<&str>, before: u64, limit: usize) -> Result<Vec<LinkRow>, Error>;

    /// Parked, deferred, held and waiting items, after a number, at most `limit`.
    fn items(&mut self, after: u64, limit: usize) -> Result<Vec<Item>, Error>;

    /// The numbers of the items that wait for a person's word: conflicts and approvals.
    fn asked(&mut self) -> Result<BTreeSet<u64>, Error>;

    /// History, newest last, after a number, at most `limit`, optionally of one record.
    fn history(
        &mut self,
        record: Option<&RecordKey>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error>;

    /// History, newest first, before a number, at most `limit`, optionally of one record.
    fn latest(
        &mut self,
        record: Option<&RecordKey>,
        before: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error>;

    /// History of records of some types, newest first, after the first and before the second of two numbers, at most
    /// `limit`.
    fn latest_of(
        &mut self,
        types: &[RecordType],
        between: (u64, u64),
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error>;

    /// Records of a type whose property has the value (trimmed, case-folded), or with the id.
    fn search(
        &mut self,
        record_type: &RecordType,
        property: &str,
        value: &str,
    ) -> Result<Vec<RecordKey>, Error>;

    /// Records whose id or any value contains a text, without regard to case, that which became known last first. Looks at
    /// up to `limit` records before a number, and says where to go on.
    fn seek(&mut self, text: &str, before: u64, limit: usize) -> Result<Sought, Error>;

    /// What records show, of those that are known: each by itself, without what is linked with it.
    fn values(&mut self, records: &[RecordKey]) -> Result<BTreeMap<RecordKey, Values>, Error>;

    /// One cluster as it is, without taking it.
    fn cluster(&mut self, flows: &Dataflow, record: &RecordKey) -> Result<Option<Cluster>, Error>;

    /// The companion's id -> owner, or owner -> id.
    fn companions(
        &mut self,
        role: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(RecordKey, String)>, Error>;

    /// Records that plans wait for and that were never observed, to be read by id: what `Waits::read` asked
    /// for and a crash may have cut off. At most `limit`.
    fn unread(&mut self, limit: usize) -> Result<Vec<RecordKey>, Error>;

    /// Records of a type that are known to be alive, or that something undecided shows, with ids behind `after` and up to
    /// `to` (none: no such end), in the order of the ids' bytes.
    fn alive_between(
        &mut self,
        record_type: &RecordType,
        after: Option<&str>,
        to: Option<&str>,
    ) -> Result<Vec<RecordKey>, Error>;

    /// Records of a type that are known to be alive, with ids behind `after` in the order of the ids' bytes, at most
    /// `limit`.
    fn alive_after(
        &mut self,
        record_type: &RecordType,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RecordKey>, Error>;

    /// Records that are indexed by a match key, in the order in which they became known. One of another key may be
    /// among them by chance.
    fn with_key(&mut self, key: &MatchKey) -> Result<Vec<RecordKey>, Error>;

    /// Records to be read again (`Waits::reread`, and by now `Waits::later`) until a page shows them. At most `limit`.
    fn to_reread(&mut self, now: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Error>;

    /// Records of a system whose last write a read did not show and that was answered no later than `until`: a read by
    /// id decides ([`tandem_merge::late`]). At most `limit`.
    fn doubted(&mut self, system: &str, until: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Error>;

    /// Approves a flow's deletions beyond its guard, up to now.
    fn approve_flow(&mut self, flow: &str, now: Timestamp) -> Result<(), Error>;

    /// The records of a flow whose edits were taken over after `from`, counted; older ones are forgotten.
    fn edits(&mut self, flow: &str, from: Timestamp) -> Result<Edits, Error>;

    /// Forgets the edits of a flow counted so far: a person approved them.
    fn forget_edits(&mut self, flow: &str) -> Result<(), Error>;

    /// Forgets which states of its records a system showed last, and what was seen and not decided, but not what they
    /// held: whatever it shows next counts, older or not.
    fn forget_versions(&mut self, system: &str) -> Result<(), Error>;

    /// Leaves an item out of what needs a person, until a moment or for good: until its reason changes. Whether it
    /// stands.
    fn ignore(&mut self, item: u64, until: Option<Timestamp>) -> Result<bool, Error>;

    /// Counts the items again that were ignored until then.
    fn hear_again(&mut self, now: Timestamp) -> Result<(), Error>;

    /// Marks all records of these types dirty.
    fn touch_types(&mut self, types: &[RecordType]) -> Result<(), Error>;

    /// Marks clusters of these records dirty (retry, resumed flows, changed configuration).
    fn touch(&mut self, records: &[RecordKey]) -> Result<(), Error>;

    /// Marks everything dirty: the configuration changed. Links of flows that it has no more stay, and count in no
    /// other's group.
    fn touch_all(&mut self, flows: &Dataflow) -> Result<(), Error>;

    /// A small named value, such as the fingerprint of the configuration in force.
    fn note(&mut self, name: &str) -> Result<Option<String>, Error>;

    /// Sets a small named value.
    fn set_note(&mut self, name: &str, value: &str) -> Result<(), Error>;
}

/// Another system that a state goes over to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebinding {
    /// The system's name.
    pub system: String,
    /// Who it is from now on.
    pub identity: String,
    /// Linked records that are not there.
    pub gone: BTreeSet<RecordKey>,
    /// Companions that are not there: role and id.
    pub gone_companions: BTreeSet<(String, String)>,
}

/// What rebinding did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebound {
    /// Links that stay.
    pub kept: u64,
    /// Links that ended: their records are matched again.
    pub dropped: u64,
}

/// A page of observations with the cursor that covers them.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The system.
    pub system: String,
    /// What it showed.
    pub observations: Vec<Observation>,
    /// The cursor to keep; none for observations out of turn (read by id).
    pub cursor: Option<Vec<u8>>,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReport {
    /// Observations put into the inbox.
    pub new: u64,
    /// Observations that showed nothing new.
    pub known: u64,
    /// Echoes ([`tandem_merge::echo`]): they moved the version of their record and nothing else.
    pub echoes: u64,
}

/// A cluster taken for a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Dirty {
    /// Its state. Records known only from inbox rows are not in it yet: admitting puts them there.
    pub cluster: Cluster,
    /// Its inbox rows in order of arrival; those of records with a sent intent are left out (held).
    pub inbox: Vec<Observation>,
    /// What it needs to know of others.
    pub facts: Facts,
    /// The store's token of what was taken; handed back with the plan.
    pub token: Taken,
}

/// What a store remembers of a cluster it handed out. Opaque to everyone else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Inbox rows taken.
    pub inbox: Vec<u64>,
    /// Records (by the store's number) that were part of it, with their revision.
    pub records: Vec<(u64, u64)>,
    /// The store's count of changes when it was taken: later marks of dirtiness stay.
    pub marks: u64,
}

/// A plan with the token of the cluster it was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The plan.
    pub plan: Plan,
    /// The token.
    pub token: Taken,
}

/// What became of plans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitReport {
    /// Plans stored.
    pub stored: u64,
    /// Plans put back because they broke a uniqueness constraint, with the constraint's name.
    pub put_back: Vec<String>,
}

/// A link for lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRow {
    /// The link's number.
    pub number: u64,
    /// The flow.
    pub flow: String,
    /// First-side record.
    pub first: RecordKey,
    /// Second-side record.
    pub second: RecordKey,
    /// When it came to be.
    pub since: Timestamp,
    /// A person's verdict about a deletion of one end.
    pub verdict: Option<Verdict>,
}

impl LinkRow {
    /// The end on a side.
    #[must_use]
    pub fn end(&self, side: Side) -> &RecordKey {
        match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        }
    }
}

/// Something that waits: for mending, for a reference, for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its number, for `approve`, `retry` and paging. Stable while the item stands.
    pub number: u64,
    /// The record.
    pub record: RecordKey,
    /// The flow, for whole records.
    pub flow: Option<String>,
    /// The property, for single properties.
    pub property: Option<String>,
    /// The companion's role, for companions.
    pub role: Option<String>,
    /// What kind of trouble; none for a conflict that waits for an answer.
    pub kind: Option<ParkedKind>,
    /// The reason.
    pub reason: String,
    /// The advice.
    pub advice: String,
    /// Since when.
    pub since: Timestamp,
    /// The system that refused it; none where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// For conflicts: the contenders, as text by record.
    pub contenders: Vec<(String, Value)>,
    /// Nobody wants to hear of it until then, or until its reason changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<Timestamp>,
    /// The flow that counts it ([`FlowStatus`]), also where it is about a property or a companion.
    #[serde(skip)]
    pub area: String,
}

/// Counts for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Per flow.
    pub flows: BTreeMap<String, FlowStatus>,
    /// Records known, by `system type`.
    pub records: BTreeMap<String, u64>,
    /// Observations waiting.
    pub inbox: u64,
    /// Writes waiting, and writes sent without an outcome.
    pub outbox: (u64, u64),
    /// When each system was first listed in full.
    pub listed: BTreeMap<String, Timestamp>,
    /// Size of the state in bytes.
    pub bytes: u64,
    /// How much history there is.
    pub history: HistorySize,
}

/// A process that works with a state on a server, or stands by for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its machine and number.
    pub name: String,
    /// It has the state; else it waits for its turn.
    pub works: bool,
    /// Since when, by the server's clock.
    pub since: Timestamp,
    /// It was heard of as lately as it should be: its lease is good, where it works.
    pub seen: bool,
}

/// How much history there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistorySize {
    /// Lines.
    pub lines: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The moment of the oldest line.
    pub oldest: Option<Timestamp>,
}

/// A run: one `sync`, one round of `run` in which something happened, or one command of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its number.
    pub number: u64,
    /// What it was.
    pub kind: String,
    /// When it began.
    pub began: Timestamp,
    /// The moment of its last line.
    pub ended: Timestamp,
    /// The numbers of its first and its last line of the history.
    pub lines: (u64, u64),
    /// How many lines of each kind it has.
    pub counts: BTreeMap<String, u64>,
}

/// What happened in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// When it began.
    pub began: Timestamp,
    /// The type of the records; none: of all together.
    pub record_type: Option<RecordType>,
    /// What: a kind of line, such as `edited`; `lag`; `backlog`; how something stood ([`crate::Stood::of`]).
    pub what: String,
    /// How many lines; for how many seconds it stood so; of `lag` the most seconds that an edit had been made before it was taken up; of `backlog` the most
    /// that waited to be decided or sent.
    pub n: u64,
}

/// The run at hand: a sync, a round, a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What it is.
    pub kind: String,
    /// When it began.
    pub began: Timestamp,
    /// Once it has a line.
    pub number: Option<u64>,
}

/// What looking for a text found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// The records, each with the number to go on before behind it.
    pub found: Vec<(u64, RecordKey)>,
    /// The number to go on before; none once all were looked at.
    pub next: Option<u64>,
}

/// What forgetting removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Records.
    pub records: u64,
    /// Lines of the history.
    pub lines: u64,
}

/// What one step of compacting the history did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Lines removed.
    pub removed: u64,
    /// The number to go on after; none when a younger line or the end was reached.
    pub next: Option<u64>,
}

/// Counts of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowStatus {
    /// Live links.
    pub linked: u64,
    /// Creates applied on the first and the second side.
    pub created: [u64; 2],
    /// Updates applied.
    pub updated: u64,
    /// Conflicts met since the beginning.
    pub conflicts: u64,
    /// Conflicts that wait for a person.
    pub questions: u64,
    /// Items that need mending.
    pub parked: u64,
    /// Items that wait for a reference.
    pub deferred: u64,
    /// Items that wait for a person's word: approvals, deletions that met an edit.
    pub approvals: u64,
    /// Records without a counterpart that are listed only.
    pub not_created: u64,
    /// Items that nobody wants to hear of; counted nowhere else.
    pub ignored: u64,
}

/// Links of a flow that were edited within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Edited on the first and on the second side.
    pub edited: [u64; 2],
    /// Live links of the flow.
    pub links: u64,
}
