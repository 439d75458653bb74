//! From a request's JSON object to checked values.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::Body;
use super::decode::decode;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{Field, FieldIndex, Kind, Object, ObjectIndex};
use crate::salesforce::value::Value;

/// What the values are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create,
    Update,
}

/// A field and its value; `None` blanks it.
pub(crate) type Assignment = (FieldIndex, Option<Value>);

impl Org {
    /// Reads and checks every member but `attributes`. The first refusal counts.
    pub(super) fn read_body(
        &self,
        actor: Actor,
        object: ObjectIndex,
        body: &Body,
        purpose: Purpose,
    ) -> Outcome<Vec<Assignment>> {
        let schema = self.view(actor);
        let kind = schema.object(object);
        let mut values: Vec<Assignment> = Vec::with_capacity(body.len());
        let mut closed = Vec::new();
        for (name, json) in body {
            if name == "attributes" {
                continue;
            }
            if name.eq_ignore_ascii_case("Id") {
                return Err(Fault::of_field(
                    Code::InvalidField,
                    "Id",
                    "The Id field should not be specified in the sobject data.",
                ));
            }
            let (at, json) = self.locate(kind, name, json)?;
            let field = kind.field(at);
            let open = match purpose {
                Purpose::Create => field.createable,
                Purpose::Update => field.updateable,
            };
            if !open {
                closed.push(field.name.clone());
                continue;
            }
            let value = decode(field, &json)?;
            if let Some(value) = &value {
                self.check_reference(field, value)?;
            }
            values.push((at, value));
        }
        if closed.is_empty() {
            Ok(values)
        } else {
            Err(read_only(closed))
        }
    }

    /// The field of this name, or the reference field behind a relationship whose target is named by an external id.
    fn locate<'j>(&self, kind: &Object, name: &str, json: &'j Json) -> Outcome<(FieldIndex, Cow<'j, Json>)> {
        if let Some(at) = kind.find(name) {
            return Ok((at, Cow::Borrowed(json)));
        }
        let Some(at) = kind.relationship(name) else {
            return Err(Fault::new(
                Code::InvalidField,
                format!("No such column '{name}' on sobject of type {}", kind.name),
            ));
        };
        let target = self.by_external_id(kind.field(at), json).ok_or_else(|| {
            Fault::of_field(
                Code::InvalidField,
                &kind.field(at).name,
                format!(
                    "Foreign key external ID not found for field {name} in entity {}",
                    kind.name
                ),
            )
        })?;
        Ok((at, Cow::Owned(target)))
    }

    fn by_external_id(&self, field: &Field, json: &Json) -> Option<Json> {
        let given = json.as_object()?;
        let (key, value) = given.iter().find(|(name, _)| *name != "attributes")?;
        self.schema.targets(field).find_map(|target| {
            let object = self.schema.object(target);
            let at = object.find(key).filter(|at| object.field(*at).external_id)?;
            let holder = self.table(target).holder(at, value.as_str()?)?;
            Some(Json::String(holder.to_string()))
        })
    }

    fn check_reference(&self, field: &Field, value: &Value) -> Outcome<()> {
        let (Kind::Reference, Some(id)) = (field.kind, value.as_reference()) else {
            return Ok(());
        };
        let object = self.schema.by_prefix(id.prefix());
        let fits = object.is_some_and(|object| field.references.contains(&self.schema.object(object).name));
        if !fits && object.is_some() {
            return Err(Fault::of_field(
                Code::MalformedId,
                &field.name,
                format!("{}: id value of incorrect type: {id}", field.label),
            ));
        }
        if object
            .and_then(|object| self.table(object).get_live(id))
            .is_none()
        {
            return Err(Fault::of_field(
                Code::InvalidCrossReferenceKey,
                &field.name,
                "invalid cross reference id",
            ));
        }
        Ok(())
    }
}

fn read_only(fields: Vec<String>) -> Fault {
    Fault {
        code: Code::InvalidFieldForInsertUpdate,
        message: format!(
            "Unable to create/update fields: {}. Please check the security settings of this field and verify that \
             it is read/write for your profile or permission set.",
            fields.join(", ")
        ),
        fields,
    }
}
