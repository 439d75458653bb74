//! What an org may have beside the usual: record types, queues, and records that are locked while they wait for approval.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::fault::{Code, Fault, Outcome};
use super::id::RecordId;
use super::org::{Actor, Org, Origin};
use super::schema::ObjectIndex;
use super::soql::Prepared;
use super::table::Row;
use super::value::Value;
use super::write::Draft;

/// A record type of an object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTypeOptions {
    /// The object's name.
    pub object: String,
    /// `Name` and `DeveloperName`.
    pub name: String,
    /// What a record without a type of its own gets.
    #[serde(default)]
    pub default: bool,
    /// The entries that records of this type may hold, by field; other fields take whatever they have.
    #[serde(default)]
    pub values: BTreeMap<String, Vec<String>>,
}

/// A queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueOptions {
    /// `Name` and `DeveloperName`.
    pub name: String,
    /// The objects whose records it may own.
    pub objects: Vec<String>,
}

/// Which records of an object wait for approval.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalLock {
    /// The object's name.
    pub object: String,
    /// As it would stand after WHERE.
    pub condition: String,
    /// Administrators may not change them either.
    #[serde(default)]
    pub everyone: bool,
}

/// A lock, bound to the org's objects.
pub(crate) struct BoundLock {
    object: ObjectIndex,
    query: Arc<Prepared>,
    everyone: bool,
}

#[cfg(test)]
impl QueueOptions {
    pub(crate) fn of(name: &str, objects: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            objects: objects.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

#[cfg(test)]
impl RecordTypeOptions {
    pub(crate) fn of(object: &str, name: &str) -> Self {
        Self {
            object: object.to_owned(),
            name: name.to_owned(),
            default: false,
            values: BTreeMap::new(),
        }
    }
}

impl Org {
    /// Makes what the options ask for.
    ///
    /// # Errors
    /// Where an object or a condition does not fit.
    pub(crate) fn seed_features(&mut self, user: RecordId) -> Outcome<()> {
        let text = |text: &str| Some(Value::text(text));
        for record_type in self.options.record_types.clone() {
            let object = self.object_named(&record_type.object)?;
            let name = self.schema.object(object).name.clone();
            let values = [
                ("Name", text(&record_type.name)),
                ("DeveloperName", text(&record_type.name.replace(' ', "_"))),
                ("SobjectType", text(&name)),
                ("IsActive", Some(Value::Bool(true))),
            ];
            self.seed_row("RecordType", user, &values);
        }
        for queue in self.options.queues.clone() {
            let values = [
                ("Name", text(&queue.name)),
                ("DeveloperName", text(&queue.name.replace(' ', "_"))),
                ("Type", text("Queue")),
            ];
            self.seed_row("Group", user, &values);
        }
        for lock in self.options.approval_locks.clone() {
            let object = self.object_named(&lock.object)?;
            let text = format!("SELECT Id FROM {} WHERE {}", lock.object, lock.condition);
            let query = Arc::new(self.prepare(&text)?);
            self.locks.push(BoundLock {
                object,
                query,
                everyone: lock.everyone,
            });
        }
        Ok(())
    }

    /// Refuses to change a record that waits for approval; administrators may.
    pub(crate) fn check_approval(&self, actor: Actor, object: ObjectIndex, row: &Row) -> Outcome<()> {
        let binds = |lock: &&BoundLock| {
            lock.object == object
                && (lock.everyone || !actor.admin)
                && actor.origin != Origin::System
                && lock.query.fits(self, row)
        };
        match self.locks.iter().find(binds) {
            None => Ok(()),
            Some(_) => Err(Fault::new(
                Code::EntityIsLocked,
                "the entity is locked for editing",
            )),
        }
    }

    /// Refuses a queue that may not own records of the object.
    pub(crate) fn check_queue(&self, queue: RecordId, object: &str) -> Outcome<()> {
        let name = self.text_of(queue, "Name").unwrap_or_default();
        let mut queues = self.options.queues.iter();
        if queues.any(|queue| queue.name == name && queue.objects.iter().any(|one| one == object)) {
            return Ok(());
        }
        Err(Fault::of_field(
            Code::FieldIntegrity,
            "OwnerId",
            "Queue not associated with this SObject type",
        ))
    }

    /// Gives a new record the default type of its object.
    pub(crate) fn fill_record_type(&self, draft: &mut Draft) {
        let object = draft.kind().name.clone();
        let default = self.options.record_types.iter();
        let mut default = default.filter(|one| one.object == object && one.default);
        if let Some(default) = default.next() {
            let id = self.record_type(&default.object, &default.name);
            draft.set_default("RecordTypeId", id.map(Value::Reference));
        }
    }

    /// Holds a record to the entries of its type.
    pub(crate) fn check_record_type(&self, draft: &Draft) -> Outcome<()> {
        let Some(id) = draft.reference("RecordTypeId") else {
            return Ok(());
        };
        let object = draft.kind().name.as_str();
        if self.text_of(id, "SobjectType").as_deref() != Some(object) {
            return Err(Fault::of_field(
                Code::InvalidCrossReferenceKey,
                "RecordTypeId",
                format!("Record Type ID: this ID value isn't valid for the user: {id}"),
            ));
        }
        let name = self.text_of(id, "Name").unwrap_or_default();
        let mut known = self.options.record_types.iter();
        let Some(known) = known.find(|one| one.object == object && one.name == name) else {
            return Ok(());
        };
        let retyped = draft.changed("RecordTypeId");
        for (field, entries) in &known.values {
            let Some(value) = draft.text(field).filter(|_| retyped || draft.changed(field)) else {
                continue;
            };
            if value
                .split(';')
                .any(|value| !entries.iter().any(|entry| entry == value))
            {
                let label = draft
                    .kind()
                    .named(field)
                    .map_or(field.as_str(), |field| &field.label);
                return Err(Fault::of_field(
                    Code::InvalidPicklistValue,
                    field,
                    format!("{label}: bad value for restricted picklist field: {value}"),
                ));
            }
        }
        Ok(())
    }

    /// `recordTypeInfos` of a description.
    pub(crate) fn record_type_infos(&self, object: ObjectIndex, base: &str) -> Json {
        let name = &self.schema.object(object).name;
        let own = self.options.record_types.iter().filter(|one| one.object == *name);
        let info = |one: &RecordTypeOptions| {
            let id = self.record_type(name, &one.name)?.to_string();
            Some(json!({
                "active": true, "available": true, "defaultRecordTypeMapping": one.default,
                "developerName": one.name.replace(' ', "_"), "master": false, "name": one.name, "recordTypeId": id,
                "urls": { "layout": format!("{base}/sobjects/{name}/describe/layouts/{id}") },
            }))
        };
        own.filter_map(info).collect()
    }

    fn record_type(&self, object: &str, name: &str) -> Option<RecordId> {
        let table = self.table(self.optional("RecordType")?);
        let ids: Vec<RecordId> = table.since(i64::MIN).map(|row| row.id).collect();
        ids.into_iter().find(|id| {
            self.text_of(*id, "SobjectType").as_deref() == Some(object)
                && self.text_of(*id, "Name").as_deref() == Some(name)
        })
    }
}
