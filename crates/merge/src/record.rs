//! Records as systems show them: keys, versions, observations.

use crate::value::Value;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The values of a record by property name, in the system's own form.
pub type Values = BTreeMap<String, Value>;

/// A record type of a system, such as `salesforce` / `Invoice`. The object or table that serves it is the
/// connector's affair (the *binding*). Every key carries one, so the names are kept once and shared.
#[derive(Clone, Deserialize)]
#[serde(from = "TypeNames")]
pub struct RecordType(Arc<TypeNames>);

/// The names of a record type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TypeNames {
    /// The system's name in the configuration.
    pub system: String,
    /// The record type's name.
    pub name: String,
}

/// So many record types share their names within a thread; no configuration has as many.
const SHARED: usize = 1_000;

thread_local! {
    static TYPES: RefCell<BTreeSet<Arc<TypeNames>>> = RefCell::default();
}

impl RecordType {
    /// A record type by its two names.
    pub fn new(system: impl Into<String>, name: impl Into<String>) -> Self {
        Self::from(TypeNames {
            system: system.into(),
            name: name.into(),
        })
    }
}

impl From<TypeNames> for RecordType {
    fn from(names: TypeNames) -> Self {
        TYPES.with_borrow_mut(|types| {
            if let Some(known) = types.get(&names) {
                return Self(Arc::clone(known));
            }
            let names = Arc::new(names);
            if types.len() < SHARED {
                types.insert(Arc::clone(&names));
            }
            Self(names)
        })
    }
}

impl Serialize for RecordType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Deref for RecordType {
    type Target = TypeNames;

    fn deref(&self) -> &TypeNames {
        &self.0
    }
}

impl PartialEq for RecordType {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for RecordType {}

impl Ord for RecordType {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for RecordType {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for RecordType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordType")
            .field("system", &self.system)
            .field("name", &self.name)
            .finish()
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.system, self.name)
    }
}

/// What identifies a record for good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// System and record type.
    #[serde(rename = "of")]
    pub record_type: RecordType,
    /// The system's own id.
    pub id: String,
}

impl RecordKey {
    /// A record's key by system, type and id.
    pub fn new(system: impl Into<String>, name: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            record_type: RecordType::new(system, name),
            id: id.into(),
        }
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.record_type, self.id)
    }
}

/// Which state of a record an observation shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// What a conditional write is given back (an ETag, a modification time); opaque.
    pub token: String,
    /// The system's own counter of the record's changes, where it declares one.
    pub order: Option<i64>,
    /// The record's modification time by the system's clock.
    pub modified: Timestamp,
    /// Whether the read began so long after `modified` that a conditional write protects: later edits must
    /// show another token. False within the condition's resolution (RULES.md section 8).
    pub firm: bool,
    /// How coarse `modified` is: the state came to be at most so long after it. Says nothing of which state it is.
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    pub coarse: SignedDuration,
}

/// Whether a record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// Shown with its values.
    Alive,
    /// The system says that it was deleted: a tombstone.
    Deleted,
    /// A read by id found nothing and no proof of a deletion: out of sight, or it never was. Also what is there and
    /// cannot be read as a whole ([`Observation::unreadable`]).
    Missing,
}

/// The state of a record as a system showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Whose state.
    pub key: RecordKey,
    /// Alive, deleted, or not found.
    pub presence: Presence,
    /// Own-form values; all mapped properties unless `partial`. Empty for a tombstone.
    pub values: Values,
    /// Which state this is; none for a record that was not found.
    pub version: Option<Version>,
    /// When the record was created, by the system's clock, where shown. Before the moment of `version` wherever the
    /// record is known to have been changed since, also where its system's times are too coarse to tell the two apart.
    pub created: Option<Timestamp>,
    /// The user who made the state, where shown. Evidence only, never decisive.
    pub author: Option<String>,
    /// When the read that showed it began, by our clock.
    pub read_began: Timestamp,
    /// Only some properties are shown; they are laid over the shadow.
    pub partial: bool,
    /// The system or the configuration forbids us to write this record (an administrator's user, a person
    /// account's contact): it may be read and linked, never written.
    pub protected: bool,
    /// Of a deleted record: the record of the same type that it was merged into, where the system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Properties that the system shows in a way that cannot be read, with why: out of sight for this record, never
    /// blank. They are not among `values`. Of a record that is *missing*: it is there, and not even its state can be read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<String, String>,
}
