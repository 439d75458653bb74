//! The contract between the engine and a system: the [`Connector`] trait with its few types.
//!
//! The engine orders, the connector packs: it turns a batch into the fewest calls that are safe. What a
//! system can and cannot do is data ([`Capabilities`]), not further methods.

use crate::webhook::{Callback, Webhook};
use crate::{Probe, Probed, Traffic};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_merge::record::{Observation, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// A system that holds records.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The system's name in the configuration.
    fn system(&self) -> &str;

    /// What the system can do. Constant while the process lives.
    fn capabilities(&self) -> &Capabilities;

    /// Signs in and asks who the system is: an id that never changes for the same system (the organisation
    /// id, the company id). Used to refuse a state that belongs to another system (E15).
    async fn identify(&self) -> Result<Identification, Error>;

    /// The record types that are bound, with their properties as the system describes them now.
    async fn describe(&self) -> Result<Schema, Error>;

    /// The next page of changes of these types since `cursor` (`None`: everything there is). Pages carry
    /// deletions too. The cursor is opaque; it re-reads an overlap at least as long as the longest commit
    /// delay, starting from the moment the last *complete* round began. Only where
    /// [`Capabilities::asks_by_type`] says so may `types` be some of those that the dataflow has.
    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error>;

    /// Resolves when changes wait that nobody asked for yet: the next [`Connector::changes`] shows them. A
    /// system that tells nothing by itself never does. Whoever waits here makes the connector listen: until
    /// then `changes` asks the system itself, and so shows everything that was committed before it was called.
    async fn changed(&self) {
        std::future::pending().await
    }

    /// The next page of a complete listing of one type (live records only).
    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error>;

    /// Reads records by id. Every id asked is answered: alive, deleted, or missing.
    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error>;

    /// Live records whose `properties` equal one of the `values` (each as long as `properties`), compared
    /// at least as loosely as the system itself does; the caller compares again.
    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error>;

    /// Deleted records whose property equals one of the values, each shown with that property alone: what became of
    /// a create that got no answer (E16). Empty where the system keeps nothing of what was deleted.
    async fn find_deleted(
        &self,
        _record_type: &RecordType,
        _property: &str,
        _values: &[Value],
    ) -> Result<Vec<Observation>, Error> {
        Ok(Vec::new())
    }

    /// Carries out a batch and answers every write, in order. Never fails as a whole: what could not be
    /// sent is [`Outcome::NotSent`], what got no answer is [`Outcome::Unknown`].
    ///
    /// In the lane [`Lane::Load`] the batch holds writes of one kind and type, and may be answered with
    /// [`Outcome::Accepted`]. Nothing of what was accepted takes effect before its handle is handed to
    /// [`Connector::resume`]: who asks has stored the handle durably.
    async fn write(&self, batch: &[Write], lane: Lane) -> Vec<Outcome>;

    /// Goes on with the writes accepted under a handle, in this process or an earlier one, and tells the
    /// outcomes that there are. Never carries one out twice. A handle that nobody knows (any more) is
    /// answered with nothing: its writes are of unknown outcome.
    async fn resume(&self, handle: &str) -> Result<Resumed, Error>;

    /// What takes the messages by which the system tells of changes; none: it tells nothing so.
    fn webhook(&self) -> Option<&Arc<Webhook>> {
        None
    }

    /// Whether the system wants to be asked for the messages by which it tells of changes.
    fn subscribes(&self) -> bool {
        false
    }

    /// Sees to it that the system posts its messages to an address, where it wants to be asked for that; when to come back, before
    /// it stops.
    ///
    /// # Errors
    /// It does not; changes are asked for as ever.
    async fn subscribe(&self, _to: Callback<'_>, _now: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(None)
    }

    /// Tries one thing that nothing else here asks for, for the laws of [`crate::proof`]; none where there is no such thing.
    async fn probe(&self, _probe: Probe<'_>) -> Result<Option<Probed>, Error> {
        Ok(None)
    }

    /// Ends what is open with the system, such as a log-in that takes a seat. Whoever asks afterwards signs in anew.
    async fn leave(&self) {}

    /// API calls made so far by this connector, for people and budgets.
    fn calls(&self) -> u64;

    /// How the system answered since the start.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    /// How far the system's clock is ahead of ours, by its replies so far; none where they do not tell.
    fn clock_offset(&self) -> Option<ClockOffset> {
        None
    }

    /// How the day's budget of calls stands; none where the system limits none.
    fn budget(&self) -> Option<Budget> {
        None
    }

    /// How the budget stands by the system's own word, which is asked for where it is no longer fresh.
    async fn measure_budget(&self) -> Result<Option<Budget>, Error> {
        Ok(self.budget())
    }

    /// Goes on with the budget of an earlier process of the same day, before the first call.
    fn restore_budget(&self, _earlier: &Budget) {}

    /// Counts calls that were made to the system beside this connector, by another of the same process.
    fn also_spent(&self, _calls: u64) {}
}

/// How far a system's clock is ahead of ours: between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOffset {
    /// No less; negative where it may be behind.
    pub least: SignedDuration,
    /// No more.
    pub most: SignedDuration,
}

impl ClockOffset {
    /// The best guess: nothing where the two may be the same.
    #[must_use]
    pub fn ahead(&self) -> SignedDuration {
        if self.least <= SignedDuration::ZERO && self.most >= SignedDuration::ZERO {
            return SignedDuration::ZERO;
        }
        self.least.saturating_add(self.most) / 2
    }
}

/// Who a system is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identification {
    /// The id that never changes.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// The user that we are there.
    pub user: String,
    /// How observations name that user as the author of a state, where they name authors at all.
    #[serde(default)]
    pub author: Option<String>,
    /// It is a sandbox, where the system tells production and sandboxes apart.
    #[serde(default)]
    pub sandbox: Option<bool>,
    /// The instance that it runs on, such as `EU42`, where the system has such.
    #[serde(default)]
    pub instance: Option<String>,
    /// What it says of its version, where it does, such as `OData-Version: 4.0`.
    #[serde(default)]
    pub version: Option<String>,
}

/// How the calls of a day stand: those of all who use the system, and ours among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The day in UTC.
    pub day: jiff::civil::Date,
    /// Calls that we made on that day.
    pub spent: u64,
    /// Calls that we may make on a day; none before the system told its limit.
    pub share: Option<u64>,
    /// Where first loads, complete comparisons and bulk loads stop: the rest of the share is for live changes.
    pub backfill: Option<u64>,
    /// Calls of everybody, and how many the system allows.
    pub calls: Option<Allowance>,
    /// Bulk jobs.
    pub bulk: Option<Allowance>,
    /// Deliveries of change events.
    pub events: Option<Allowance>,
    /// First loads, comparisons and bulk loads wait until then.
    pub backfill_waits: Option<Timestamp>,
    /// Live changes, too, wait until then.
    pub live_waits: Option<Timestamp>,
    /// Work is under way: calls may have been made since that are not counted here.
    pub open: bool,
}

/// How much of a limit of the day is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Used by everybody.
    pub used: u64,
    /// Allowed.
    pub allowed: u64,
}

/// What a system can do, as data.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// What protects records of every type, but for those of `of_types`.
    pub usual: Protection,
    /// Record types, by name, of which something else holds.
    pub of_types: BTreeMap<String, Protection>,
    /// How long an idempotent create is known again, from when it was sent first. Sent again later, it makes another record.
    pub idempotency_life: SignedDuration,
    /// The longest time a request may still take effect after it was sent. Writes of a batch wait for their
    /// turn, so whoever waits for it counts from the moment the outcome came back.
    pub request_deadline: SignedDuration,
    /// The longest time after which what was committed is shown by every read.
    pub commit_delay: SignedDuration,
    /// At most this many writes are worth handing over at once.
    pub write_batch: usize,
    /// At most this many values are worth looking up at once.
    pub find_batch: usize,
    /// At most this many ids are worth fetching at once.
    pub fetch_batch: usize,
    /// An answer to an update carries the record's new state.
    pub answers_with_state: bool,
    /// How many writes of one kind and type are worth a job of their own; none where there are no such jobs.
    pub load: Option<Load>,
    /// The changes of some types can be asked for alone: what was seen of the others stays as it is.
    pub asks_by_type: bool,
}

/// What protects records when they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Updates can be made conditional on the version that the plan saw. Deletions carry the condition as well.
    pub conditional_write: bool,
    /// The condition is known to hold for deletions too. Where it is not, a record is read just before it is deleted.
    pub conditional_delete: bool,
    /// A create sent twice has one effect by the system's own means (idempotency keys).
    pub idempotent_create: bool,
    /// The connector reads records before it writes some of them, and compares what it reads with the version that goes
    /// with a write: it takes versions also where the system itself holds to no condition.
    pub compares: bool,
}

impl Capabilities {
    /// What protects records of a type.
    #[must_use]
    pub fn of(&self, record_type: &RecordType) -> Protection {
        self.of_types
            .get(&record_type.name)
            .copied()
            .unwrap_or(self.usual)
    }

    /// Whether something protects records of all types.
    #[must_use]
    pub fn protect_all(&self, how: impl Fn(&Protection) -> bool) -> bool {
        how(&self.usual) && self.of_types.values().all(how)
    }
}

/// When writes travel as jobs that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// More creates of one type than this.
    pub above: usize,
    /// At most this many are handed over at once; a job takes several batches.
    pub batch: usize,
    /// More updates of one type than this travel so too, which gives up their conditions; none: they do not.
    pub updates: Option<usize>,
}

/// How urgent a batch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Answered at once.
    #[default]
    Live,
    /// Many writes of one kind and type, for which nobody waits: may be accepted for later.
    Load,
}

/// The bound record types of a system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// By record type name. A type whose object the system lacks is absent.
    pub types: BTreeMap<String, TypeSchema>,
    /// Types that are bound to something the system lacks, with one clear sentence each.
    pub missing: BTreeMap<String, String>,
}

/// One record type as its system describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TypeSchema {
    /// The object or collection that serves it.
    pub object: String,
    /// Records can be created / updated / deleted.
    pub createable: bool,
    /// See `createable`.
    pub updateable: bool,
    /// See `createable`.
    pub deletable: bool,
    /// Its properties by name.
    pub properties: BTreeMap<String, PropertySchema>,
    /// How changes of it are seen, where the connector has a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
}

/// How changes of a record type are seen; for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// The system tells of them by itself; else it is asked.
    pub by_events: bool,
    /// Why so.
    pub why: String,
    /// How deletions are seen.
    pub deletions: String,
    /// Changes are known to tell of them.
    #[serde(default)]
    pub tells_deletions: bool,
    /// What the system has no means for.
    #[serde(default)]
    pub lacks: Vec<Lack>,
}

/// What a system has no means for, of a record type: something else is done instead, at a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// To tell what changed: all is read.
    Changes,
    /// To tell what was deleted: all is compared, and what is missing is read by its id.
    Deletions,
    /// To search by a value: all is looked through.
    Search,
    /// To say to the second when a record was changed.
    FineTimes,
}

/// One property as its system describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PropertySchema {
    /// The system's own data type: `string`, `picklist`, `currency`, `reference`, `decimal`, ...
    pub data_type: String,
    /// Longest text, in characters.
    pub max_length: Option<usize>,
    /// Digits in all and behind the point.
    pub precision: Option<u32>,
    /// See `precision`.
    pub scale: Option<u32>,
    /// Blank is allowed.
    pub nillable: bool,
    /// A create may give it.
    pub createable: bool,
    /// An update may change it.
    pub updateable: bool,
    /// The system gives a value on create where none is given (defaults, autonumbers, derived booleans).
    pub filled_on_create: bool,
    /// The system refuses a second record with the same value.
    pub unique: bool,
    /// Entries of a restricted list; empty where anything goes.
    pub values: Vec<String>,
    /// Types that a reference may point to, by the system's own object names.
    pub references: Vec<String>,
}

/// One page of changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangePage {
    /// What the system showed.
    pub observations: Vec<Observation>,
    /// Records to look at again: something changed, what is not said.
    pub hints: Vec<RecordKey>,
    /// Where to go on; stored in the transaction that stores the observations.
    pub cursor: Vec<u8>,
    /// More pages wait right now.
    pub more: bool,
    /// The page is part of a complete comparison: it shows every live record of a type within a range of ids.
    pub complete: Option<Complete>,
    /// Further ranges of ids of which the page shows every live record: what stands in records that it shows whole.
    pub wholes: Vec<Complete>,
    /// Types that are not shown to their end this time. The others are, and nothing follows from what is not shown.
    pub incomplete: Vec<Incomplete>,
}

/// A type whose changes could not be read to their end, although its system is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// The type.
    pub record_type: RecordType,
    /// Why, and what to do.
    pub error: Error,
}

/// A range of ids, in the order of their bytes, of which a page shows every live record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete {
    /// The type.
    pub record_type: RecordType,
    /// Behind this id; none: from the first on.
    pub after: Option<String>,
    /// Up to this id, itself included; none: to the last.
    pub to: Option<String>,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListPage {
    /// What the system showed.
    pub observations: Vec<Observation>,
    /// Where to go on; none at the end of a listing that is *complete*.
    pub resume: Option<Vec<u8>>,
}

/// A write as the connector gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// The intent's number: the idempotency key, together with `key`.
    pub intent: u64,
    /// A key that stays the same for the same intent in every attempt, and differs between states of Tandem.
    pub key: String,
    /// What to do.
    pub change: Change,
}

/// What a write does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Creates a record. The values include the external id where there is one.
    Create {
        /// Its type (a record type of the dataflow or a companion's object).
        record_type: RecordType,
        /// Own-form values.
        values: Values,
    },
    /// Changes properties of a record.
    Update {
        /// Which record.
        record: RecordKey,
        /// Own-form values of the properties to change.
        values: Values,
        /// Only if the record is still in this state; `None`: unconditionally.
        only_if: Option<Version>,
    },
    /// Deletes a record.
    Delete {
        /// Which record.
        record: RecordKey,
        /// Only if the record is still in this state.
        only_if: Option<Version>,
    },
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was carried out.
    Applied {
        /// The record's id.
        id: String,
        /// The record's state right after this very write, where the answer shows it.
        state: Option<Box<Observation>>,
    },
    /// It was refused; nothing changed.
    Refused(Refusal),
    /// The condition failed: the record is no longer in the state the plan saw. Nothing changed.
    Stale,
    /// There is no such record (any more). Nothing changed.
    Gone,
    /// It may or may not have been carried out.
    Unknown(String),
    /// It was not sent; it may be sent again as it is.
    NotSent(Error),
    /// It will be carried out; [`Connector::resume`] tells.
    Accepted {
        /// What to ask by.
        handle: String,
    },
}

/// Why a system refused a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of trouble.
    pub kind: RefusalKind,
    /// The properties it is about; empty when it is about the record as a whole.
    pub properties: Vec<String>,
    /// The system's own words, with its code.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

/// Kinds of refusals, with what the engine does about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The values are at fault: park the named properties (or the write).
    Invalid,
    /// Another record has the same unique value: look up, else park.
    Duplicate,
    /// A reference leads nowhere: park.
    BadReference,
    /// We may not: park.
    Forbidden,
    /// The record is locked by its own state (activated, posted): park.
    Locked,
    /// A licence or storage limit: park.
    Limit,
    /// The row was busy: the same write may be sent again.
    Busy,
    /// An answer that no table knows, and nothing was carried out: the same write is tried a few times more, then parked.
    Unclear,
}

/// Outcomes of accepted writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Resumed {
    /// Ask again later: in the meantime, not before this long.
    NotYet(SignedDuration),
    /// Some, by intent number. There are more, right now.
    Some(Vec<(u64, Outcome)>),
    /// The last ones. What was told of no write is unknown; the handle is forgotten.
    Done(Vec<(u64, Outcome)>),
}

/// Why a system could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{system}: {message}. {advice}")]
pub struct Error {
    /// The system's name in the configuration.
    pub system: String,
    /// What kind of trouble.
    pub kind: ErrorKind,
    /// What happened, one sentence without the final stop.
    pub message: String,
    /// What to do about it.
    pub advice: String,
    /// Not before this moment is it worth trying again, where the system says so.
    pub retry_at: Option<Timestamp>,
    /// What may be in trouble.
    pub scope: Scope,
}

impl Error {
    /// The same trouble as the answer to one request.
    #[must_use]
    pub fn as_answer(self) -> Self {
        let limit = self.kind == ErrorKind::Refused && self.retry_at.is_some();
        let scope = if limit || self.kind == ErrorKind::Missing {
            Scope::System
        } else {
            Scope::Answer
        };
        Self { scope, ..self }
    }
}

/// What may be in trouble when a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The system: it was not reached, it spoke of its limits, or what is described there moved.
    System,
    /// This request: it was answered so, and another may be answered otherwise.
    Answer,
    /// This request or the system: it was sent, and no answer came.
    Silence,
}

/// Kinds of trouble with a system as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection, a time-out, a 5xx: try again later.
    Down,
    /// The system does not know us (credentials).
    SignIn,
    /// The system forbids it, or a limit is reached.
    Refused,
    /// It answered something we do not understand.
    Protocol,
    /// An object or property that the configuration names does not exist there.
    Missing,
}
