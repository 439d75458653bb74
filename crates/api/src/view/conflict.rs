//! A conflict that waits for an answer.

use super::{Change, Item, RecordName};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A conflict that waits for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Conflict {
    /// What waits.
    pub item: Item,
    /// What each side says.
    pub says: Vec<Says>,
    /// Every record that holds the value, contending or not.
    pub members: Vec<Member>,
    /// What decides conflicts of this property.
    pub policy: Option<String>,
    /// What happened last to the property, newest first.
    pub history: Vec<Change>,
}

/// One of the values that do not fit together.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Says {
    /// The record's system; none for the value known so far.
    pub system: Option<String>,
    /// The record's type.
    #[serde(rename = "type")]
    pub record_type: Option<String>,
    /// The record's id.
    pub id: Option<String>,
    /// The property.
    pub property: String,
    /// The value; none where it is blank.
    pub value: Option<String>,
    /// The record that the value names, where it is a reference to one that is known.
    pub names: Option<RecordName>,
    /// The value that it was made on; none where that was blank or is not known.
    pub base: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Timestamp,
    /// Who made it, where the system says so.
    pub author: Option<String>,
}

/// A record that holds the value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Member {
    /// The record's system.
    pub system: String,
    /// The record's type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The record's id.
    pub id: String,
    /// The property.
    pub property: String,
    /// The value there.
    pub value: Option<String>,
    /// What it agreed on last.
    pub base: Option<String>,
}
