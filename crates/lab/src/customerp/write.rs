//! Creates, changes and deletes: the one way in which anyone changes a record, by API or by browser.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use super::problem::{FieldCode, FieldProblem, Refusal};
use super::record::Record;
use super::schema::{Filling, Kind, Property, PropertyIndex, TypeIndex};
use super::store::Store;
use super::value::{Misfit, Value};

/// Properties that every record shows and nobody may give.
pub(crate) const READ_ONLY: [&str; 6] = ["id", "version", "createdAt", "updatedAt", "updatedBy", "deleted"];

/// The version of a record that a change was made on.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// The request names none.
    Missing,
    /// Whichever it is.
    Any,
    /// One of these entity tags.
    Tags(Vec<String>),
}

/// Stores a new record.
///
/// # Errors
/// All problems with the properties at once.
pub(crate) fn create(
    store: &mut Store,
    type_index: TypeIndex,
    body: &Map<String, Json>,
    currency: &str,
    by: &str,
) -> Result<Arc<Record>, Refusal> {
    let (given, mut problems) = read_body(store, type_index, body, None);
    let properties = store.record_type(type_index).properties.clone();
    let mut values = vec![Value::Blank; properties.len()];
    for (property, value) in given {
        values[property] = value;
    }
    // A property that was already refused gets no second problem.
    let refused: BTreeSet<String> = problems.iter().map(|problem| problem.property.clone()).collect();
    for (property, value) in properties.iter().zip(&mut values) {
        if !value.is_blank() || refused.contains(&property.name) {
            continue;
        }
        match &property.filling {
            Filling::Constant(text) => *value = constant(&property.kind, text),
            Filling::Currency => *value = Value::text(currency),
            Filling::Nothing | Filling::Number { .. } | Filling::Next => {}
        }
        if property.required && value.is_blank() {
            problems.push(blank(&property.name));
        }
    }
    if !problems.is_empty() {
        return Err(Refusal::of_fields(problems));
    }
    // Numbers are taken last, so that a refused create uses none up.
    for (position, property) in properties.iter().enumerate() {
        if property.assigned() && values[position].is_blank() {
            values[position] = match property.filling {
                Filling::Next => store.next_in_whole(type_index, position, &values),
                _ => store.next_number(type_index, position),
            };
        }
    }
    Ok(store.insert(type_index, values, by))
}

/// Changes the given properties of a record, all or none.
///
/// # Errors
/// Not found, deleted, no or another version expected, or all problems with the properties at once.
pub(crate) fn update(
    store: &mut Store,
    type_index: TypeIndex,
    id: u64,
    expected: &Expected,
    body: &Map<String, Json>,
    by: &str,
) -> Result<Arc<Record>, Refusal> {
    let record = current(store, type_index, id, expected)?;
    let (changes, problems) = read_body(store, type_index, body, Some(&record));
    if !problems.is_empty() {
        return Err(Refusal::of_fields(problems));
    }
    Ok(store.change(type_index, &record, changes, by))
}

/// Deletes a record and what is part of it, leaving tombstones.
///
/// # Errors
/// Not found, deleted, no or another version expected, or in use by a record that refers to it.
pub(crate) fn delete(
    store: &mut Store,
    type_index: TypeIndex,
    id: u64,
    expected: &Expected,
    by: &str,
) -> Result<Arc<Record>, Refusal> {
    let record = current(store, type_index, id, expected)?;
    let parts = store.parts_of(type_index, id);
    if let Some((other, from, property)) = store.referrer(type_index, id) {
        let other = store.record_type(other);
        let message = format!(
            "{} {id} cannot be deleted: {} {from} refers to it by {}.",
            store.record_type(type_index).name,
            other.name,
            other.properties[property].name
        );
        return Err(Refusal::new(StatusCode::CONFLICT, "in_use", message));
    }
    for (part_type, part) in parts {
        store.remove(part_type, &part, by);
    }
    Ok(store.remove(type_index, &record, by))
}

/// The live record of that id.
///
/// # Errors
/// Not found, or deleted.
pub(crate) fn existing(store: &Store, type_index: TypeIndex, id: u64) -> Result<Arc<Record>, Refusal> {
    let name = &store.record_type(type_index).name;
    let record = store
        .get(type_index, id)
        .ok_or_else(|| Refusal::not_found(format!("There is no {name} {id}.")))?;
    if record.deleted {
        Err(Refusal::deleted(name, id))
    } else {
        Ok(Arc::clone(record))
    }
}

fn current(
    store: &Store,
    type_index: TypeIndex,
    id: u64,
    expected: &Expected,
) -> Result<Arc<Record>, Refusal> {
    let record = existing(store, type_index, id)?;
    let matches = match expected {
        Expected::Missing => {
            let message = "Send `If-Match` with the ETag of the version that was read.";
            return Err(Refusal::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                message,
            ));
        }
        Expected::Any => true,
        Expected::Tags(tags) => tags.contains(&record.etag()),
    };
    if matches {
        return Ok(record);
    }
    let message = format!(
        "{} {id} was changed by {} meanwhile; it is at version {} now.",
        store.record_type(type_index).name,
        record.updated_by,
        record.version
    );
    Err(Refusal::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        message,
    ))
}

/// Reads the properties of a body that differ from the record's, and collects everything wrong with them.
fn read_body(
    store: &Store,
    type_index: TypeIndex,
    body: &Map<String, Json>,
    record: Option<&Record>,
) -> (Vec<(PropertyIndex, Value)>, Vec<FieldProblem>) {
    let record_type = store.record_type(type_index);
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for (name, json) in body {
        let Some(position) = record_type.property(name) else {
            problems.push(not_ours(&record_type.name, name));
            continue;
        };
        match read_property(store, type_index, position, json, record) {
            Ok(Some(value)) => values.push((position, value)),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (values, problems)
}

/// The new value of a property; `None` when the record holds it already, which needs no validation.
fn read_property(
    store: &Store,
    type_index: TypeIndex,
    position: PropertyIndex,
    json: &Json,
    record: Option<&Record>,
) -> Result<Option<Value>, FieldProblem> {
    let property = &store.record_type(type_index).properties[position];
    let problem = |(code, message)| FieldProblem {
        property: property.name.clone(),
        code,
        message,
    };
    let held = record.map(|record| record.value(position));
    // A value that no create would take today may still be held, and sent back as it was read.
    if let (Some(Value::Text(held)), Json::String(given)) = (held, json)
        && held == given
    {
        return Ok(None);
    }
    let read = Value::read(&property.kind, json);
    if let (Some(held), Ok(value)) = (held, &read)
        && held == value
    {
        return Ok(None);
    }
    if property.derived.is_some() || (property.once && record.is_some()) {
        return Err(problem((FieldCode::ReadOnly, fixed(property))));
    }
    let value = read.map_err(problem)?;
    out_of_range(property, &value).map_err(problem)?;
    if value.is_blank() && property.required && record.is_some() {
        return Err(blank(&property.name));
    }
    if let (Value::Reference(id), Kind::Reference(target)) = (&value, &property.kind)
        && store.live(*target, *id).is_none()
    {
        let message = format!(
            "refers to {} {id}, which does not exist",
            store.record_type(*target).name
        );
        return Err(problem((FieldCode::NoSuchRecord, message)));
    }
    let except = record.map(|record| record.id);
    if property.unique && store.holder(type_index, position, &value, except).is_some() {
        let message = "is already held by another record".to_owned();
        return Err(problem((FieldCode::Duplicate, message)));
    }
    Ok(Some(value))
}

fn fixed(property: &Property) -> String {
    let why = if property.derived.is_some() {
        "is computed by Customerp and cannot be given"
    } else {
        "is given when the record is created and cannot be changed"
    };
    why.to_owned()
}

fn out_of_range(property: &Property, value: &Value) -> Result<(), Misfit> {
    let Some(number) = value.number() else {
        return Ok(());
    };
    let low = property.min.filter(|least| number < Decimal::from(*least));
    let high = property.max.filter(|greatest| number > Decimal::from(*greatest));
    let sentence = match (low, high) {
        (Some(least), _) => format!("must be at least {least}"),
        (None, Some(greatest)) => format!("must be at most {greatest}"),
        (None, None) => return Ok(()),
    };
    Err((FieldCode::OutOfRange, sentence))
}

fn blank(property: &str) -> FieldProblem {
    FieldProblem {
        property: property.to_owned(),
        code: FieldCode::Required,
        message: "must not be blank".to_owned(),
    }
}

fn not_ours(type_name: &str, name: &str) -> FieldProblem {
    let (code, message) = if READ_ONLY.contains(&name) {
        (
            FieldCode::ReadOnly,
            "is kept by Customerp and cannot be given".to_owned(),
        )
    } else {
        (
            FieldCode::UnknownProperty,
            format!("is no property of {type_name}"),
        )
    };
    FieldProblem {
        property: name.to_owned(),
        code,
        message,
    }
}

fn constant(kind: &Kind, text: &str) -> Value {
    let json = match kind {
        Kind::Boolean => Json::Bool(text == "true"),
        _ => Json::String(text.to_owned()),
    };
    Value::read(kind, &json).unwrap_or(Value::Blank)
}
