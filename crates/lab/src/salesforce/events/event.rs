//! One change event, before it is written as Avro.

use std::sync::Arc;

use super::avro::{EventSchema, Place};
use crate::salesforce::id::RecordId;
use crate::salesforce::value::Value;

/// What happened to the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeType {
    Create,
    Update,
    Delete,
    Undelete,
    GapCreate,
    GapUpdate,
    GapDelete,
    GapUndelete,
    GapOverflow,
}

impl ChangeType {
    /// All, in the order of the schema's enum.
    pub(crate) const ALL: [(&'static str, ChangeType); 9] = [
        ("CREATE", ChangeType::Create),
        ("UPDATE", ChangeType::Update),
        ("DELETE", ChangeType::Delete),
        ("UNDELETE", ChangeType::Undelete),
        ("GAP_CREATE", ChangeType::GapCreate),
        ("GAP_UPDATE", ChangeType::GapUpdate),
        ("GAP_DELETE", ChangeType::GapDelete),
        ("GAP_UNDELETE", ChangeType::GapUndelete),
        ("GAP_OVERFLOW", ChangeType::GapOverflow),
    ];

    /// The place in the schema's enum.
    pub(crate) fn symbol(self) -> usize {
        ChangeType::ALL
            .iter()
            .position(|(_, known)| *known == self)
            .unwrap_or_default()
    }

    /// The type called so, in any case of letters.
    pub(crate) fn named(name: &str) -> Option<ChangeType> {
        ChangeType::ALL
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, kind)| *kind)
    }
}

/// A field and its value after the change; `None` is blank.
pub(crate) type Cell = (Place, Option<Value>);

/// A change of one or more records of one object in one transaction.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) schema: Arc<EventSchema>,
    pub(crate) change: ChangeType,
    /// The records; for an overflow none.
    pub(crate) records: Vec<RecordId>,
    pub(crate) commit: Arc<Commit>,
    /// Counts the events of the transaction from 1.
    pub(crate) sequence: i32,
    pub(crate) user: RecordId,
    /// The fields that the event carries, in the order of the schema.
    pub(crate) cells: Vec<Cell>,
    /// Names the event for ever.
    pub(crate) id: String,
}

/// What the events of one transaction have in common.
#[derive(Debug)]
pub(crate) struct Commit {
    /// Which kind of client made the change; blank for the record browser.
    pub(crate) origin: String,
    pub(crate) transaction: String,
    /// Milliseconds since 1970 UTC.
    pub(crate) at: i64,
    pub(crate) number: i64,
}
