//! A record with all that is linked with it.

use super::{Change, RecordName};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// How a record stands, and why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// The record, as commands take it.
    pub record: String,
    /// What people call it.
    pub name: RecordName,
    /// `alive`, `deleted` or `missing` (out of sight).
    pub presence: String,
    /// When it was changed last, by its system's clock.
    pub changed: Option<Timestamp>,
    /// By whom, where the system says so.
    pub by: Option<String>,
    /// Its links.
    pub links: Vec<LinkOf>,
    /// Flows in which it is neither linked nor created again.
    pub suppressed: Vec<String>,
    /// What is kept in step of it.
    pub properties: Vec<Property>,
    /// What waits, of it and of the records that its values go to.
    pub waits: Vec<Waiting>,
}

/// A link of a record.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LinkOf {
    /// The flow.
    pub flow: String,
    /// The first system's record, as commands take it.
    pub first: String,
    /// The second system's record.
    pub second: String,
    /// The other end.
    pub other: RecordName,
    /// Since when.
    pub since: Timestamp,
}

/// Properties of linked records that stand for the same thing.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Property {
    /// The value held to be current; none where nothing has flowed yet.
    pub head: Option<HeadValue>,
    /// What decides its conflicts.
    pub conflicts: String,
    /// Values travel one way only.
    pub one_way: bool,
    /// A conflict about it waits for an answer.
    pub asked: bool,
    /// Each property on each record.
    pub members: Vec<PropertyMember>,
    /// The line of the history that tells how the head came to be.
    pub last_change: Option<u64>,
    /// That line, with its values and what they name.
    pub line: Option<Change>,
    /// What it says happened.
    pub what: Option<String>,
    /// Why.
    pub why: Option<String>,
}

/// The value held to be current.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HeadValue {
    /// The value; none where it is blank.
    pub value: Option<String>,
    /// How many changes of it there were.
    pub epoch: u64,
    /// Where it came from; none where a person gave it.
    pub from: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A property on a record.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PropertyMember {
    /// The record, as commands take it.
    pub record: String,
    /// The record's system.
    pub system: String,
    /// The property.
    pub property: String,
    /// The value last seen there.
    pub value: Option<String>,
    /// The record that the value names, where it is a reference to one that is known.
    pub names: Option<RecordName>,
    /// What it and the head agreed on last.
    pub base: Option<Base>,
    /// How it stands towards the head.
    pub stands: String,
    /// Why it is not written.
    pub waits: Option<String>,
}

/// What a property and the head agreed on last.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Base {
    /// The value, in the record's own form.
    pub value: Option<String>,
    /// The change of the head that it stands for.
    pub epoch: u64,
}

/// Something that waits.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Waiting {
    /// What it is about.
    pub about: String,
    /// The kind of trouble.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub advice: String,
    /// Since when.
    pub since: Timestamp,
    /// Who can mend it.
    pub who: String,
}
