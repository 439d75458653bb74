//! Changes of objects and fields while the org runs.
//!
//! Objects and fields keep their places: what is added comes last, and what vanishes leaves its place behind. So rows,
//! indexes, open cursors and logs stay valid under the new schema.

use serde::Deserialize;

use super::load::{label, relationship, system_fields};
use super::{Field, Kind, Object, ObjectIndex, Schema, Source};
use crate::salesforce::fault::{Code, Fault, Outcome};

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaAction {
    /// A custom object comes, with `Name` and what every object has.
    AddObject,
    /// A field comes.
    AddField,
    /// A field vanishes; values that rows have are out of reach.
    RemoveField,
    /// A field becomes mandatory.
    Require,
    /// A text field holds `length` characters from now on; longer values stay until they are written.
    Shorten,
    /// A field takes only `values` from now on; others stay until they are written.
    Restrict,
}

/// A change of an object or a field, as `/_local/schema` takes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaChange {
    /// What is done.
    pub change: SchemaAction,
    /// The object, by name.
    pub object: String,
    /// The field, by name; every change but `add-object` needs it.
    #[serde(default)]
    pub field: Option<String>,
    /// What a person calls the object or field; made of its name where it is left out.
    #[serde(default)]
    pub label: Option<String>,
    /// What a person calls several records of a new object.
    #[serde(default)]
    pub plural: Option<String>,
    /// A new field's type as describe calls it; `string` where it is left out.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Characters of a text; 255 where it is left out.
    #[serde(default)]
    pub length: Option<usize>,
    /// Digits of a number in all; 18 where it is left out.
    #[serde(default)]
    pub precision: Option<u32>,
    /// Digits of a number after the point.
    #[serde(default)]
    pub scale: Option<u32>,
    /// Values of a picklist.
    #[serde(default)]
    pub values: Vec<String>,
    /// Objects that a reference points to.
    #[serde(default)]
    pub references: Vec<String>,
    /// A new field is a unique external id.
    #[serde(default)]
    pub external_id: bool,
    /// A new field is mandatory.
    #[serde(default)]
    pub required: bool,
    /// A new picklist takes only its values.
    #[serde(default)]
    pub restricted: bool,
    /// What a new field holds in a record that is created without it; `true` or `false` for a checkbox.
    #[serde(default, rename = "default")]
    pub default_value: Option<String>,
    /// A new object's `Name` is an automatic number of this form, such as `INV-{000000}`.
    #[serde(default)]
    pub numbered: Option<String>,
    /// A new reference says whose part a record is: mandatory, never changed, and in the place of an owner.
    #[serde(default)]
    pub master: bool,
}

impl Schema {
    /// This schema with the changes.
    ///
    /// # Errors
    /// Where an object or field is unknown, is there already, or does not take the change.
    pub(crate) fn changed(&self, changes: &[SchemaChange]) -> Outcome<Schema> {
        let mut schema = self.clone();
        for change in changes {
            let mut objects = schema.objects;
            schema = Schema::of(objects.clone());
            if change.change == SchemaAction::AddObject {
                objects.push(new_object(&schema, change)?);
            } else {
                let at = schema.find(&change.object).ok_or_else(|| {
                    let text = format!("sObject type '{}' is not supported.", change.object);
                    Fault::new(Code::InvalidType, text)
                })?;
                objects[at] = changed_object(&schema, at, change)?;
            }
            schema = Schema::of(objects);
        }
        Ok(schema)
    }

    /// This schema as a profile sees it: `hide` fields out of sight, `close` fields read-only.
    pub(crate) fn restricted(
        &self,
        restrictions: impl Iterator<Item = (ObjectIndex, super::FieldIndex, bool)>,
    ) -> Schema {
        let mut objects = self.objects.clone();
        for (object, field, hidden) in restrictions {
            let field = &mut objects[object].fields[usize::from(field)];
            field.gone |= hidden;
            field.createable = false;
            field.updateable = false;
        }
        Schema::of(objects.into_iter().map(Object::indexed).collect())
    }
}

fn refuse(text: String) -> Fault {
    Fault::new(Code::InvalidField, text)
}

fn new_object(schema: &Schema, change: &SchemaChange) -> Outcome<Object> {
    let name = change.object.as_str();
    if !name.ends_with("__c") || schema.find(name).is_some() {
        return Err(refuse(format!(
            "{name} cannot be added: a new object has a name of its own that ends in __c"
        )));
    }
    let prefix = (0..36_u32 * 36)
        .filter_map(|number| {
            let digit = |digit: u32| char::from_digit(digit, 36);
            Some(format!(
                "a{}{}",
                digit(number / 36)?,
                digit(number % 36)?.to_ascii_uppercase()
            ))
        })
        .find(|prefix| schema.by_prefix(prefix).is_none())
        .ok_or_else(|| refuse("no id prefix is left".to_owned()))?;
    let shown = change.label.clone().unwrap_or_else(|| label(name));
    let mut object = Object {
        name: name.to_owned(),
        prefix,
        plural: change.plural.clone().unwrap_or_else(|| format!("{shown}s")),
        label: shown,
        createable: true,
        updateable: true,
        deletable: true,
        replicateable: true,
        guarded: false,
        fields: system_fields(),
        numbering: change.numbered.clone(),
        by_name: std::collections::HashMap::new(),
        by_relationship: std::collections::HashMap::new(),
    };
    if change.numbered.is_some() {
        for name in object.fields.iter_mut().filter(|field| field.name == "Name") {
            name.auto_number = true;
            name.nillable = false;
            name.createable = false;
            name.updateable = false;
            name.defaulted = true;
        }
    }
    // Orgs without several currencies have no such field on any object.
    if let Some(account) = schema.find("Account")
        && let Some(currency) = schema.object(account).named("CurrencyIsoCode")
    {
        object.fields.push(currency.clone());
    }
    Ok(object.indexed())
}

fn changed_object(schema: &Schema, at: ObjectIndex, change: &SchemaChange) -> Outcome<Object> {
    let mut object = schema.object(at).clone();
    let name = change
        .field
        .as_deref()
        .ok_or_else(|| Fault::new(Code::MissingArgument, "field is missing"))?;
    if change.change == SchemaAction::AddField {
        if object.find(name).is_some() {
            return Err(refuse(format!("{}.{name} is there already", object.name)));
        }
        object.fields.push(new_field(schema, name, change)?);
        if change.master {
            for owner in object.fields.iter_mut().filter(|field| field.name == "OwnerId") {
                owner.gone = true;
            }
        }
        return Ok(object.indexed());
    }
    let place = object.find(name).ok_or_else(|| {
        refuse(format!(
            "No such column '{name}' on sobject of type {}",
            object.name
        ))
    })?;
    let field = &mut object.fields[usize::from(place)];
    if field.source != Source::Stored {
        return Err(refuse(format!(
            "{name} belongs to every object and cannot be changed"
        )));
    }
    match change.change {
        SchemaAction::RemoveField => field.gone = true,
        SchemaAction::Require => {
            field.required = true;
            field.nillable = false;
        }
        SchemaAction::Shorten if field.kind.is_text() => {
            field.length = change
                .length
                .ok_or_else(|| Fault::new(Code::MissingArgument, "length is missing"))?;
        }
        SchemaAction::Restrict if field.kind.is_text() && !change.values.is_empty() => {
            field.kind = Kind::Picklist;
            field.restricted = true;
            field.picklist.clone_from(&change.values);
        }
        _ => return Err(refuse(format!("{name} does not take this change"))),
    }
    Ok(object.indexed())
}

fn new_field(schema: &Schema, name: &str, change: &SchemaChange) -> Outcome<Field> {
    let wanted = change.kind.as_deref().unwrap_or("string");
    let kind = Kind::named(wanted)
        .filter(|kind| !matches!(kind, Kind::Id | Kind::Address))
        .ok_or_else(|| refuse(format!("no field is of type {wanted}")))?;
    if (kind == Kind::Reference) == change.references.is_empty() {
        return Err(refuse(format!(
            "{name}: references belong to fields of type reference"
        )));
    }
    if let Some(unknown) = change.references.iter().find(|one| schema.find(one).is_none()) {
        let text = format!("sObject type '{unknown}' is not supported.");
        return Err(Fault::new(Code::InvalidType, text));
    }
    let required = change.required || change.master;
    Ok(Field {
        name: name.to_owned(),
        label: change.label.clone().unwrap_or_else(|| label(name)),
        kind,
        source: Source::Stored,
        length: match kind {
            Kind::Reference => 18,
            kind if kind.is_text() => change.length.unwrap_or(255),
            _ => 0,
        },
        precision: if kind.is_number() {
            change.precision.unwrap_or(18)
        } else {
            0
        },
        scale: change.scale.unwrap_or(0),
        nillable: !required && kind != Kind::Boolean,
        createable: true,
        updateable: !change.master,
        defaulted: kind == Kind::Boolean || change.default_value.is_some(),
        default_value: change.default_value.clone(),
        required,
        auto_number: false,
        lookup: change.external_id,
        restricted: change.restricted,
        external_id: change.external_id,
        key: true,
        references: change.references.clone(),
        relationship: (kind == Kind::Reference).then(|| relationship(name)).flatten(),
        picklist: change.values.clone(),
        gone: false,
    })
}
