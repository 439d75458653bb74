//! Every accepted change, in the order in which it was made.

use std::collections::VecDeque;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::record::Record;
use super::schema::RecordType;
use super::value::{Value, moment};

/// So many changes are kept; the oldest go first.
const KEPT: usize = 2_000_000;

/// One property that got a value, or one record that was deleted.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) at: i64,
    pub(crate) by: String,
    pub(crate) type_name: String,
    pub(crate) id: u64,
    /// `create`, `update` or `delete`.
    pub(crate) action: &'static str,
    pub(crate) property: Option<String>,
    pub(crate) old: Value,
    pub(crate) new: Value,
}

/// The changes since the start, numbered from 1.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    changes: VecDeque<Change>,
    dropped: usize,
}

impl Journal {
    pub(crate) fn push(&mut self, change: Change) {
        if self.changes.len() == KEPT {
            self.changes.pop_front();
            self.dropped += 1;
        }
        self.changes.push_back(change);
    }

    /// One change per property that the new record was given.
    pub(crate) fn created(&mut self, record_type: &RecordType, record: &Record) {
        let held = record_type
            .properties
            .iter()
            .zip(&record.values)
            .filter(|(property, value)| property.derived.is_none() && !value.is_blank());
        for (property, value) in held {
            self.push(Change {
                at: record.created_at,
                by: record.updated_by.clone(),
                type_name: record_type.name.clone(),
                id: record.id,
                action: "create",
                property: Some(property.name.clone()),
                old: Value::Blank,
                new: value.clone(),
            });
        }
    }

    /// Changes numbered above `after`, with their numbers.
    pub(crate) fn after(&self, after: usize) -> impl Iterator<Item = (usize, &Change)> {
        let skipped = after.saturating_sub(self.dropped);
        let first = self.dropped + skipped + 1;
        self.changes
            .iter()
            .skip(skipped)
            .enumerate()
            .map(move |(offset, change)| (first + offset, change))
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(8))?;
        map.serialize_entry("at", &moment(self.at))?;
        map.serialize_entry("by", &self.by)?;
        map.serialize_entry("type", &self.type_name)?;
        map.serialize_entry("id", &self.id.to_string())?;
        map.serialize_entry("action", self.action)?;
        map.serialize_entry("property", &self.property)?;
        map.serialize_entry("old", &self.old)?;
        map.serialize_entry("new", &self.new)?;
        map.end()
    }
}
