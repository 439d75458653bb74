//! Making new entities.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Map, Value as Json};

use super::{keep::store, may_write, read};
use crate::odata::model::{EntitySet, Filling, Kind, Property, PropertyIndex, SetIndex, Version};
use crate::odata::refusal::Refusal;
use crate::odata::service::{State, Talk};
use crate::odata::store::{Entity, Key};
use crate::odata::value::{Form, Value};

/// Makes a new entity with its parts. `fixed`: what it belongs to by its path.
pub(crate) fn insert(
    talk: &Talk<'_>,
    state: &mut State,
    set: SetIndex,
    fixed: &[(PropertyIndex, Value)],
    object: &Map<String, Json>,
    form: Form,
) -> Result<(Key, Arc<Entity>), Refusal> {
    let definition = talk.set(set);
    may_write(definition)?;
    let given = read(talk, set, object, form)?;
    let mut values = vec![Value::Null; definition.properties.len()];
    for (position, value) in given.values.into_iter().chain(fixed.iter().cloned()) {
        values[position] = value;
    }
    for (position, property) in definition.properties.iter().enumerate() {
        match &property.filling {
            Filling::NewGuid => {
                let number = state.store.changes() + 1;
                values[position] = new_guid(talk.seed, number);
            }
            Filling::Default(value) if values[position] == Value::Null => values[position] = value.clone(),
            Filling::Number { prefix, first } if values[position] == Value::Null => {
                values[position] = numbered(state, definition, (set, position), prefix, *first);
            }
            _ => {}
        }
    }
    complete(definition, &values)?;
    leads(talk, state, set, &values)?;
    let key = definition.key_of(&values);
    if state.store.live(set, &key).is_some() {
        let shown: Vec<String> = key.iter().map(Value::plain).collect();
        let message = format!(
            "There is a {} with the key {} already.",
            definition.type_name,
            shown.join(", ")
        );
        let status = match talk.service.version {
            Version::V4 => StatusCode::CONFLICT,
            Version::V2 => StatusCode::BAD_REQUEST,
        };
        return Err(Refusal::new(status, "DuplicateKey", message));
    }
    let entity = store(talk, state, set, &key, values, None);
    for (way, objects) in given.parts {
        let by = way.by.iter();
        let fixed: Vec<_> = by
            .map(|(own, theirs)| (*theirs, entity.values[*own].clone()))
            .collect();
        for object in objects {
            insert(talk, state, way.target, &fixed, &object, form)?;
        }
    }
    // Parts touch what they are part of.
    let entity = state.store.live(set, &key).cloned().unwrap_or(entity);
    Ok((key, entity))
}

/// The next number that no entity has.
fn numbered(
    state: &mut State,
    definition: &EntitySet,
    (set, position): (SetIndex, PropertyIndex),
    prefix: &str,
    first: u64,
) -> Value {
    let property = &definition.properties[position];
    loop {
        let number = state.store.number(set, position, first);
        let value = match property.kind {
            Kind::Text(_) => Value::Text(format!("{prefix}{number}")).padded(property),
            _ => Value::Number(number.into()),
        };
        if state
            .store
            .all(set)
            .all(|(_, entity)| entity.values[position] != value)
        {
            return value;
        }
    }
}

/// A GUID that looks random and follows from seed and number.
pub(crate) fn new_guid(seed: u64, number: u64) -> Value {
    use sha2::{Digest, Sha256};
    let hash = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(number.to_be_bytes())
        .finalize();
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
    Value::Guid(format!("{a}-{b}-4{c}-a{d}-{e}"))
}

/// Whether everything is there that must be.
pub(super) fn complete(set: &EntitySet, values: &[Value]) -> Result<(), Refusal> {
    let blank = |(position, property): &(usize, &Property)| {
        property.required && !property.filling.computed() && values[*position] == Value::Null
    };
    let missing: Vec<&str> = set
        .properties
        .iter()
        .enumerate()
        .filter(blank)
        .map(|(_, property)| property.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad(format!("{} must not be null.", missing.join(", "))))
}

/// Whether every reference leads to something.
pub(super) fn leads(talk: &Talk<'_>, state: &State, set: SetIndex, values: &[Value]) -> Result<(), Refusal> {
    for way in talk.set(set).navigations.iter().filter(|way| !way.many) {
        let given = way
            .by
            .iter()
            .all(|(own, _)| values[*own] != Value::Null && values[*own] != Value::Text(String::new()));
        if given && state.store.led_to(way, values).next().is_none() {
            let names = way
                .by
                .iter()
                .map(|(own, _)| talk.set(set).properties[*own].name.as_str());
            let names: Vec<&str> = names.collect();
            let target = &talk.set(way.target).type_name;
            return Err(Refusal::bad(format!(
                "{} names no {target} that is there.",
                names.join(", ")
            )));
        }
    }
    Ok(())
}
