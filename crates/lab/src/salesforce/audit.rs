//! The log of every accepted change: who, when, object, record, field, old, new.

use std::collections::VecDeque;

use serde_json::{Value as Json, json};

use super::id::RecordId;
use super::org::keep_latest;
use super::schema::{FieldIndex, ObjectIndex, Schema};
use super::value::{Value, moment_text};

/// What was done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    Undelete,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Undelete => "undelete",
        }
    }
}

/// A field's value before and after; `None` is blank.
pub(crate) type FieldChange = (FieldIndex, Option<Value>, Option<Value>);

/// One change of one record.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) at: i64,
    pub(crate) user: RecordId,
    pub(crate) origin: &'static str,
    pub(crate) action: Action,
    pub(crate) object: ObjectIndex,
    pub(crate) id: RecordId,
    pub(crate) fields: Vec<FieldChange>,
}

/// The log; the oldest entries go when it is full.
pub(crate) struct Audit {
    entries: VecDeque<Change>,
    dropped: u64,
    limit: usize,
}

impl Audit {
    pub(crate) fn new(limit: usize) -> Audit {
        Audit {
            entries: VecDeque::new(),
            dropped: 0,
            limit,
        }
    }

    pub(crate) fn extend(&mut self, changes: impl Iterator<Item = Change>) {
        self.entries.extend(changes);
        self.dropped += keep_latest(&mut self.entries, self.limit);
    }

    /// The entries from the number `since` on, of one object or record if asked; `next` continues there.
    pub(crate) fn read(
        &self,
        schema: &Schema,
        since: u64,
        object: Option<ObjectIndex>,
        id: Option<RecordId>,
    ) -> Json {
        let skip = usize::try_from(since.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let numbered = (self.dropped..).zip(&self.entries).skip(skip);
        let wanted = numbered.filter(|(_, change)| {
            object.is_none_or(|object| object == change.object) && id.is_none_or(|id| id == change.id)
        });
        let entries: Vec<Json> = wanted
            .map(|(number, change)| entry(schema, number, change))
            .collect();
        json!({
            "dropped": self.dropped,
            "next": self.dropped + self.entries.len() as u64,
            "entries": entries,
        })
    }
}

fn entry(schema: &Schema, number: u64, change: &Change) -> Json {
    let object = schema.object(change.object);
    let fields = change.fields.iter().map(|(at, old, new)| {
        let field = object.field(*at);
        let shown = |value: &Option<Value>| {
            value.as_ref().map_or(Json::Null, |value| {
                value.to_json(field.kind == super::schema::Kind::Int)
            })
        };
        json!({ "field": field.name, "old": shown(old), "new": shown(new) })
    });
    json!({
        "number": number,
        "at": moment_text(change.at),
        "user": change.user.to_string(),
        "origin": change.origin,
        "action": change.action.as_str(),
        "object": object.name,
        "id": change.id.to_string(),
        "fields": fields.collect::<Vec<Json>>(),
    })
}
