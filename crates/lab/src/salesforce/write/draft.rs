//! A record on its way to being written.

use std::sync::Arc;

use super::FieldChanges;
use super::body::Assignment;
use crate::salesforce::id::RecordId;
use crate::salesforce::schema::{FieldIndex, Object, ObjectIndex, Schema};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;
use rust_decimal::Decimal;

/// A row as it is to be, beside what it was.
pub(crate) struct Draft {
    schema: Arc<Schema>,
    pub(crate) object: ObjectIndex,
    pub(crate) row: Row,
    /// The row before the change; none for a create.
    pub(crate) before: Option<Row>,
    /// The fields that the caller gave.
    given: Vec<FieldIndex>,
}

impl Draft {
    pub(crate) fn new(schema: &Arc<Schema>, object: ObjectIndex, row: Row, before: Option<Row>) -> Draft {
        Draft {
            schema: Arc::clone(schema),
            object,
            row,
            before,
            given: Vec::new(),
        }
    }

    pub(crate) fn assign(&mut self, values: Vec<Assignment>) {
        for (field, value) in values {
            self.row.values.set(field, value);
            self.given.push(field);
        }
    }

    pub(crate) fn kind(&self) -> &Object {
        self.schema.object(self.object)
    }

    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    pub(crate) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    pub(crate) fn given(&self) -> impl Iterator<Item = FieldIndex> + '_ {
        self.given.iter().copied()
    }

    pub(crate) fn get(&self, field: &str) -> Option<&Value> {
        self.row.values.get(self.kind().find(field)?)
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_text)
    }

    pub(crate) fn reference(&self, field: &str) -> Option<RecordId> {
        self.get(field).and_then(Value::as_reference)
    }

    pub(crate) fn number(&self, field: &str) -> Option<Decimal> {
        self.get(field).and_then(Value::as_number)
    }

    pub(crate) fn flag(&self, field: &str) -> bool {
        self.get(field) == Some(&Value::Bool(true))
    }

    /// The field's value before the change.
    pub(crate) fn former(&self, field: &str) -> Option<&Value> {
        self.before.as_ref()?.values.get(self.kind().find(field)?)
    }

    /// Sets a field of the object, if the object has it.
    pub(crate) fn set(&mut self, field: &str, value: Option<Value>) {
        if let Some(at) = self.kind().find(field) {
            self.row.values.set(at, value);
        }
    }

    /// Sets a blank field of the object, if the object has it.
    pub(crate) fn set_default(&mut self, field: &str, value: impl Into<Option<Value>>) {
        if self.get(field).is_none() {
            self.set(field, value.into());
        }
    }

    /// Whether the field's value is another than before; on a create, whether it has one.
    pub(crate) fn changed(&self, field: &str) -> bool {
        self.get(field) != self.former(field)
    }

    /// The given fields whose values are other than before, by name.
    pub(crate) fn given_changes(&self) -> Vec<&str> {
        let before = |field: FieldIndex| self.before.as_ref().and_then(|row| row.values.get(field));
        self.given()
            .filter(|field| self.row.values.get(*field) != before(*field))
            .map(|field| self.kind().field(field).name.as_str())
            .collect()
    }

    /// Every stored field whose value is other than before.
    pub(crate) fn differences(&self) -> FieldChanges {
        let before = |field: FieldIndex| self.before.as_ref().and_then(|row| row.values.get(field));
        self.kind()
            .numbered()
            .map(|(field, _)| (field, before(field), self.row.values.get(field)))
            .filter(|(_, old, new)| old != new)
            .map(|(field, old, new)| (field, old.cloned(), new.cloned()))
            .collect()
    }
}
