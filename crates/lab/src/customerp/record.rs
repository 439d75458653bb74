//! A stored record and the JSON forms in which it leaves the server.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::schema::{PropertyIndex, RecordType};
use super::value::{Value, moment};

/// One record, or what is left of a deleted one.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: u64,
    /// Counts the record's changes from 1.
    pub(crate) version: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) updated_by: String,
    pub(crate) deleted: bool,
    /// One value per property of the type; all blank in a tombstone.
    pub(crate) values: Vec<Value>,
}

impl Record {
    pub(crate) fn value(&self, property: PropertyIndex) -> &Value {
        self.values.get(property).unwrap_or(&Value::Blank)
    }

    /// What a person calls the record.
    pub(crate) fn title(&self, record_type: &RecordType) -> String {
        let parts = record_type
            .naming
            .iter()
            .map(|property| self.value(*property).shown());
        let title = parts
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        if title.is_empty() {
            format!("{} {}", record_type.name, self.id)
        } else {
            title
        }
    }

    /// The entity tag of this version: the version in quotes, so that a listed record can be changed without another read.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}

/// A record together with its type, ready to be written as JSON.
pub(crate) struct Shown<'a> {
    pub(crate) record_type: &'a RecordType,
    pub(crate) record: &'a Record,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { record_type, record } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &record.id.to_string())?;
        if record.deleted {
            map.serialize_entry("deleted", &true)?;
        }
        map.serialize_entry("version", &record.version)?;
        if !record.deleted {
            map.serialize_entry("createdAt", &moment(record.created_at))?;
        }
        map.serialize_entry("updatedAt", &moment(record.updated_at))?;
        map.serialize_entry("updatedBy", &record.updated_by)?;
        if !record.deleted {
            for (property, value) in record_type.properties.iter().zip(&record.values) {
                map.serialize_entry(&property.name, value)?;
            }
        }
        map.end()
    }
}
