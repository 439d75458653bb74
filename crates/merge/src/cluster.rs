//! Clusters: all that Tandem holds about the records that links tie together, directly or not.
//!
//! A cluster is what the store loads and what a plan leaves behind: [`crate::reconcile`] takes one and
//! answers with its next state. Nothing in here knows a database.

use crate::dataflow::{CompanionKey, Side};
use crate::record::{Observation, Presence, RecordKey, Values, Version};
use crate::trace::Trace;
use crate::value::Value;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything known of records that links tie together, and of unlinked candidates for new links.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// The records by key: linked ones and candidates.
    pub records: BTreeMap<RecordKey, Record>,
    /// The live links among them.
    pub links: Vec<Link>,
    /// The heads of their components, by the component's anchor.
    pub heads: BTreeMap<Anchor, Head>,
    /// Open creates whose source is one of the records, and open creates of companions they own.
    pub creates: Vec<Intent>,
    /// Conflicts under the policy *ask* that wait for a person.
    pub questions: Vec<Question>,
}

/// The anchor of a component: the smallest of its members when the head came to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Anchor {
    /// The record.
    pub record: RecordKey,
    /// The property.
    pub property: String,
}

/// A live link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// The flow's name.
    pub flow: String,
    /// The first-side record.
    pub first: RecordKey,
    /// The second-side record.
    pub second: RecordKey,
    /// What a person decided about the deletion of one end, once asked.
    pub verdict: Option<Verdict>,
    /// When it came to be.
    pub since: Timestamp,
}

impl Link {
    /// The end on a side.
    #[must_use]
    pub fn end(&self, side: Side) -> &RecordKey {
        match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        }
    }
}

/// A person's answer to a deletion that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Delete the counterpart too.
    Propagate,
    /// Put the counterpart out of use.
    Deactivate,
    /// End the link, keep the counterpart.
    Unlink,
    /// Create the deleted record again.
    Recreate,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Propagate, Self::Deactivate, Self::Unlink, Self::Recreate];

    /// The word that commands and programs say.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Propagate => "propagate",
            Self::Deactivate => "deactivate",
            Self::Unlink => "unlink",
            Self::Recreate => "recreate",
        }
    }
}

/// One record as Tandem knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The last observation kept.
    pub shadow: Shadow,
    /// Per mapped property: what the record and the head last agreed on.
    #[serde(default)]
    pub bases: BTreeMap<String, Base>,
    /// Per property: when its present value came to be, where that was not before `since`.
    #[serde(default)]
    pub times: BTreeMap<String, Span>,
    /// The modification time of the first observation of it.
    pub since: Timestamp,
    /// The latest moment at which that state may have come to be, where its time is coarse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Per property: why it is not written.
    #[serde(default)]
    pub parked: BTreeMap<String, Parked>,
    /// Per flow: why the record is neither linked nor created in it.
    #[serde(default)]
    pub held: BTreeMap<String, Parked>,
    /// Flows in which the record was deleted or unlinked: neither linked nor created again.
    #[serde(default)]
    pub suppressed: BTreeSet<String>,
    /// The one open update or deletion of the record.
    pub intent: Option<Intent>,
    /// The intent carries a removal on; set while a cluster is decided, never stored.
    #[serde(skip)]
    pub removing: bool,
    /// Created by us and not observed in full since: what the system filled in becomes base silently.
    pub newborn: Option<Newborn>,
    /// Companions it owns, by role.
    #[serde(default)]
    pub companions: BTreeMap<String, Companion>,
    /// When our last write of it was answered: a lower end for the time of later edits.
    pub wrote_at: Option<Timestamp>,
    /// Per flow: the counterpart that it lost when it was deleted, and gets back if it is undeleted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub former: BTreeMap<String, RecordKey>,
    /// Per flow: the counterpart that it was parted from because one of the two left the flow's filter. They are
    /// linked again when both are inside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<String, RecordKey>,
    /// Per flow: records of which a person said that they are not its counterpart. They are never offered again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apart: BTreeMap<String, BTreeSet<RecordKey>>,
    /// Guarded properties with the values that our own last write left there, as long as they stand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ours: BTreeMap<String, Value>,
    /// Guarded properties of which a person approved the head's value, with its epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approved: BTreeMap<String, u64>,
    /// Per flow: the counterpart that waits for a person's approval.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub awaiting: BTreeMap<String, RecordKey>,
    /// Per flow: the counterpart that a person approved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub welcome: BTreeMap<String, RecordKey>,
    /// We created it, and a person took that back: it is deleted as long as it holds these values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmade: Option<Values>,
    /// Per reference that went blank and is not what it agreed on any more: how that came about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cleared: BTreeMap<String, Cleared>,
    /// Our applied writes of it that a read may not show yet, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconfirmed: Vec<Unconfirmed>,
    /// We created it as the counterpart of one that it is linked with still: what the create could not give it was
    /// there before, and is nobody's edit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub born: bool,
    /// Its create got no answer and was found: until then the request may arrive once more, and nothing but the identity
    /// that it carries keeps it from making another one (E3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrives_until: Option<Timestamp>,
}

/// How a reference came to be blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cleared {
    /// Not known yet: the record that it named is read again.
    Asked,
    /// The system blanked it because the record that it named was deleted.
    WithRecord,
    /// Somebody cleared it: the record that it named was there afterwards.
    ByHand,
}

impl Record {
    /// A record known by its first observation.
    #[must_use]
    pub fn new(shadow: Shadow) -> Self {
        let since = shadow
            .version
            .as_ref()
            .map_or(shadow.seen, |version| version.modified);
        Self {
            shadow,
            since,
            until: None,
            bases: BTreeMap::new(),
            times: BTreeMap::new(),
            parked: BTreeMap::new(),
            held: BTreeMap::new(),
            suppressed: BTreeSet::new(),
            intent: None,
            removing: false,
            newborn: None,
            companions: BTreeMap::new(),
            wrote_at: None,
            former: BTreeMap::new(),
            left: BTreeMap::new(),
            apart: BTreeMap::new(),
            ours: BTreeMap::new(),
            approved: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            welcome: BTreeMap::new(),
            unmade: None,
            cleared: BTreeMap::new(),
            unconfirmed: Vec::new(),
            born: false,
            arrives_until: None,
        }
    }

    /// Whether the record is there to be read.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.shadow.presence == Presence::Alive
    }

    /// Whether its system said that it was deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.shadow.presence == Presence::Deleted
    }

    /// The shadow's value of a property.
    #[must_use]
    pub fn value(&self, property: &str) -> &Value {
        self.shadow.values.get(property).unwrap_or(&Value::Blank)
    }

    /// Whether a property cannot be read: what it holds now is not known.
    #[must_use]
    pub fn is_unreadable(&self, property: &str) -> bool {
        self.shadow.unreadable.contains_key(property)
    }

    /// When a property's present value came to be.
    #[must_use]
    pub fn span(&self, property: &str) -> Span {
        self.times.get(property).copied().unwrap_or(Span {
            from: None,
            to: self.until.unwrap_or(self.since),
        })
    }

    /// Whether an update or deletion of it is under way.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| intent.sent.is_some())
    }
}

/// An applied write of ours with what it was computed from: a read may show the state before it for a while (late sight).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// What it did.
    pub deed: Deed,
    /// The state that it was computed from; none for a create, or where no read had shown any.
    pub version: Option<Version>,
    /// The values that it was computed from, of the properties it wrote.
    pub before: Values,
    /// What it wrote, in the record's own form.
    pub wrote: BTreeMap<String, Planned>,
    /// When its answer came.
    pub at: Timestamp,
    /// The same moment by its system's clock, as far as that was measured.
    #[serde(default)]
    pub there: Option<Timestamp>,
    /// Properties that it wrote over what an earlier write of ours had left: no read had shown that, and their system may
    /// have made another value of it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unshown: BTreeSet<String>,
    /// A read that began later showed the state before it, or an earlier one what may be behind it: a read by id
    /// decides, once the commit delay has passed.
    #[serde(default)]
    pub doubted: bool,
}

/// What a write did to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Made it.
    Create,
    /// Changed it.
    Update,
    /// Deleted it.
    Delete,
}

/// The last observation kept of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// Alive, deleted or out of sight.
    pub presence: Presence,
    /// Own-form values.
    pub values: Values,
    /// Which state it is. The token is no longer the record's own after a write whose answer named none:
    /// then `firm` is false and the record is read before it is written again.
    pub version: Option<Version>,
    /// When the record was created, where shown.
    pub created: Option<Timestamp>,
    /// When the last observation was taken or the last write was answered: no read that began before
    /// says anything about equal versions.
    pub seen: Timestamp,
    /// Who made the state, where shown.
    pub author: Option<String>,
    /// Must not be written.
    pub protected: bool,
    /// Deleted because it was merged into this record of the same type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Properties that cannot be read, with why. `values` holds what was read of them before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<String, String>,
}

impl Shadow {
    /// The observation of a record that this came from.
    #[must_use]
    pub fn into_observation(self, key: RecordKey) -> Observation {
        Observation {
            key,
            presence: self.presence,
            values: self.values,
            version: self.version,
            created: self.created,
            author: self.author,
            read_began: self.seen,
            partial: false,
            protected: self.protected,
            merged_into: self.merged_into,
            unreadable: self.unreadable,
        }
    }
}

impl From<Observation> for Shadow {
    fn from(seen: Observation) -> Self {
        Self {
            presence: seen.presence,
            values: seen.values,
            version: seen.version,
            created: seen.created,
            seen: seen.read_began,
            author: seen.author,
            protected: seen.protected,
            merged_into: seen.merged_into,
            unreadable: seen.unreadable,
        }
    }
}

/// Marks a record that we created and that has not been observed in full since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newborn {
    /// It was observed in full: the next merge takes over what the system filled in.
    pub observed: bool,
    /// Properties that the create left out though the head has a value for them: still owed.
    pub left_out: BTreeSet<String>,
}

/// What a record's property and the head last agreed on, or what was seen and overruled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The value in the record's own form.
    pub value: Value,
    /// The head's epoch that it stands for.
    pub epoch: u64,
}

/// The value Tandem holds to be current for a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The canonical value.
    pub value: Value,
    /// Counts the head's changes, from 1.
    pub epoch: u64,
    /// When the edit was made.
    pub span: Span,
    /// The record it was made on; none for a value a person gave to Tandem.
    pub origin: Option<RecordKey>,
    /// The value that a system seems to have changed into this one right after we wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// So many times in a row it moved back that way: two systems rewrite each other's form (E13).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rewritten: u32,
}

impl Head {
    /// It is the first value that was ever seen, as it stood at first sight: nobody is known to have edited it.
    #[must_use]
    pub fn is_first_sight(&self) -> bool {
        self.epoch == 1 && self.span.from.is_none() && self.origin.is_some()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // What serde asks for.
fn is_zero(times: &u32) -> bool {
    *times == 0
}

/// The interval in which an edit was made: after the last observation of the old value, at or before the
/// modification time of the first one of the new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Not before; none where the old value was never seen.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Timestamp,
}

/// Why something waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The head's epoch at which it was refused; 0 for whole records.
    pub epoch: u64,
    /// What kind of trouble.
    pub kind: ParkedKind,
    /// The reason, for people, without the record's name.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
    /// Since when.
    pub since: Timestamp,
    /// The system that refused it; none where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What a refusal rests on: a fingerprint of the state that the refused write would have left. While the same write
    /// would leave the same state, it is not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<u64>,
}

/// The kinds of trouble that park something. `Deferred` and `Approval` need no mending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParkedKind {
    /// The value is longer than the other side holds.
    TooLong,
    /// The other side must have a value and there is none.
    MissingMandatory,
    /// A value outside the declared enum.
    UnknownEnum,
    /// A reference to a record that does not exist.
    ReferenceToNothing,
    /// The value is not of the declared type.
    WrongType,
    /// Another record has or is getting the same match key.
    DuplicateKey,
    /// Several candidates or several rivals for a link.
    Tie,
    /// The system refused the write.
    Refused,
    /// Others kept the record locked through several attempts.
    Busy,
    /// The system changes what it is given (E13).
    Rewritten,
    /// The record must not be written.
    Protected,
    /// A create of unknown outcome that cannot be decided.
    Undecidable,
    /// The flow creates nothing on the other side: listed, nothing is wrong.
    NotCreated,
    /// Waits for a reference that will come; needs nobody.
    Deferred,
    /// Waits for a person's approval.
    Approval,
    /// A deletion met an edit; a person decides.
    DeleteConflict,
    /// Its counterpart was merged into a record that has another.
    Merged,
    /// A reference to a record that has no counterpart and gets none by itself.
    NoCounterpart,
    /// Such a reference for which the configuration has an answer: listed, nothing is wrong.
    StandIn,
    /// The other end of its link can be seen no more, and nothing says that it was deleted (E20).
    OutOfSight,
    /// The system shows a value that cannot be read; it is read again by id.
    Unreadable,
}

impl ParkedKind {
    /// Whether it counts as *parked* (needs mending), as opposed to deferred, listed or awaiting approval.
    #[must_use]
    pub fn needs_mending(self) -> bool {
        !matches!(
            self,
            Self::Deferred | Self::NotCreated | Self::StandIn | Self::Approval | Self::DeleteConflict
        )
    }

    /// Who can mend it.
    #[must_use]
    pub fn mender(self) -> Mender {
        match self {
            Self::TooLong
            | Self::MissingMandatory
            | Self::ReferenceToNothing
            | Self::DuplicateKey
            | Self::Tie
            | Self::Merged
            | Self::NoCounterpart
            | Self::Approval
            | Self::DeleteConflict => Mender::User,
            Self::Refused | Self::Busy | Self::Protected | Self::OutOfSight | Self::Unreadable => {
                Mender::Administrator
            }
            Self::UnknownEnum | Self::WrongType | Self::Rewritten | Self::Undecidable | Self::NotCreated => {
                Mender::Engineer
            }
            Self::Deferred | Self::StandIn => Mender::Nobody,
        }
    }
}

/// Who can mend what is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mender {
    /// Somebody who works with the records.
    User,
    /// The administrator of the system that refused.
    Administrator,
    /// Who answers for the flows.
    Engineer,
    /// Nobody has to.
    Nobody,
}

/// A companion of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    /// Its id once it is known.
    pub id: Option<String>,
    /// Whether it was created by us.
    pub created: bool,
    /// Why there is none.
    pub parked: Option<Parked>,
    /// The one that there was and that somebody deleted: it is looked for again, and no other is made by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// Contenders of a component that wait for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The component.
    pub anchor: Anchor,
    /// The contenders: member, own-form value, version token when it was asked.
    pub contenders: Vec<Contender>,
    /// Since when.
    pub since: Timestamp,
    /// The answer, once given: the canonical value.
    pub answer: Option<Value>,
    /// The flow whose guard of first links holds it: its policy decides once that lets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// One of several values that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contender {
    /// The record; none when the head itself contends.
    pub record: Option<RecordKey>,
    /// The property.
    pub property: String,
    /// The value in the record's own form (canonical for the head).
    pub value: Value,
    /// The value it was made on top of.
    pub base: Option<Value>,
    /// When it was made.
    pub span: Span,
    /// Who made the record's state, where its system shows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// A write decided and not yet settled: a row of the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The store's number of it; 0 until it is stored.
    pub id: u64,
    /// What is to be done.
    pub action: Action,
    /// Content, in the target's own form, with what each value stands for.
    pub values: BTreeMap<String, Planned>,
    /// The version it was computed from; a condition of the write.
    pub version: Option<Version>,
    /// The values it was computed from, of the properties it writes.
    pub before: Values,
    /// When its first byte may have left. A sent intent is never replaced.
    pub sent: Option<Timestamp>,
    /// When the first attempt was sent of which nobody knows that it was not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent: Option<Timestamp>,
    /// How often it was sent.
    pub attempts: u32,
    /// What became of an attempt: unknown outcomes are settled by reading.
    pub unknown: bool,
    /// Creates and deletions of lower rank go first (children first on delete).
    pub rank: usize,
    /// Why, for people: `Order 100012 has no counterpart`, `description was edited in customerp`.
    pub reason: String,
    /// It follows from a create (an autonumber or identity on its way back).
    pub follows: bool,
    /// The change that led to it as a whole: a create, a deletion. Of an update each value has its own.
    #[serde(default, skip_serializing_if = "Trace::is_none")]
    pub trace: Trace,
}

impl Intent {
    /// Notes that it is sent now.
    pub fn send(&mut self, now: Timestamp) {
        let before = self.first_sent.filter(|_| self.unknown);
        self.first_sent = before.or(Some(now));
        self.sent = Some(now);
        self.attempts += 1;
    }

    /// The changes that it carries.
    #[must_use]
    pub fn traces(&self) -> BTreeSet<Trace> {
        let values = self.values.values().map(|planned| planned.trace);
        let all = values.chain([self.trace]);
        all.filter(|trace| !trace.is_none()).collect()
    }

    /// The record whose counterpart it makes, if it makes one.
    #[must_use]
    pub fn source(&self) -> Option<&RecordKey> {
        match &self.action {
            Action::Create { source, .. } => Some(source),
            Action::Companion { .. } | Action::Update { .. } | Action::Delete { .. } => None,
        }
    }
}

/// What an intent does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Creates the counterpart of `source` in a flow.
    Create {
        /// The flow.
        flow: String,
        /// The record whose counterpart it is.
        source: RecordKey,
        /// The type of the new record.
        target: crate::record::RecordType,
        /// The natural match key to look up just before: the rule's index and its parts in the target's own
        /// properties and form. None where no rule has a value.
        lookup: Option<Lookup>,
        /// The match key it reserves, unique among open creates of the target type.
        reservation: String,
        /// Its external id: property and value.
        identity: Option<(String, Value)>,
        /// Properties that it leaves out though the head has a value for them.
        left_out: BTreeSet<String>,
        /// Records of the target type that a person said are not the counterpart, whatever their keys.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        apart: BTreeSet<String>,
        /// Where the match key holds: records of the target type that show another value are strangers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scope: Vec<(String, Value)>,
    },
    /// Creates a companion.
    Companion {
        /// Whose companion, in which role.
        key: CompanionKey,
        /// The type of the new record.
        target: crate::record::RecordType,
        /// Properties to find it by, in order, with their values.
        find: Vec<Lookup>,
        /// Its external id: property and value.
        identity: Option<(String, Value)>,
        /// It is only looked for: the one before was deleted, and none is made in its place by itself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        only_find: bool,
    },
    /// Changes a record.
    Update {
        /// Which.
        record: RecordKey,
    },
    /// Deletes a record.
    Delete {
        /// Which.
        record: RecordKey,
    },
}

/// Properties and values by which a record is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Property names on the system that is asked.
    pub properties: Vec<String>,
    /// Their values.
    pub values: Vec<Value>,
}

/// A value on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The value in the target's own form.
    pub value: Value,
    /// The head's epoch that it stands for; 0 for constants and identities, which belong to no component.
    pub epoch: u64,
    /// The change that it carries.
    #[serde(default, skip_serializing_if = "Trace::is_none")]
    pub trace: Trace,
}

impl Planned {
    /// A value that comes from no edit: a constant, an identity.
    #[must_use]
    pub fn own(value: Value) -> Self {
        Self {
            value,
            epoch: 0,
            trace: Trace::NONE,
        }
    }
}
