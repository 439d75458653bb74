//! A conflict that waits for an answer.

use super::{Change, Item, RecordName};
use crate::Masks;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tandem_merge::cluster::Contender;
use tandem_merge::record::RecordKey;

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

impl Says {
    /// What a contender looks like, in a conflict that is filed under a record.
    #[must_use]
    pub fn of(contender: &Contender, filed: &RecordKey, masks: &Masks) -> Self {
        let record = contender.record.as_ref();
        let of = &record.unwrap_or(filed).record_type;
        let shown = |value| masks.text(of, &contender.property, value);
        Self {
            system: record.map(|record| record.record_type.system.clone()),
            record_type: record.map(|record| record.record_type.name.clone()),
            id: record.map(|record| record.id.clone()),
            property: contender.property.clone(),
            value: shown(&contender.value),
            names: None,
            base: contender.base.as_ref().and_then(shown),
            from: contender.span.from,
            to: contender.span.to,
            author: contender.author.clone(),
        }
    }
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
