//! Creating, changing and deleting entities.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Map, Value as Json};

use super::exchange::{Answer, Call};
use super::lies::Lie;
use super::model::{EntitySet, Filling, Kind, Navigation, PropertyIndex, SetIndex, Version};
use super::path::{Address, Collection, predicate_of};
use super::query::Query;
use super::refusal::Refusal;
use super::render::etag;
use super::service::{State, Talk, matches_tag};
use super::store::{Change, Entity, Key, Lateness};
use super::value::{Form, Value, day_of, moment, time_of};

/// What a body says of an entity and of its parts.
struct Given {
    values: Vec<(PropertyIndex, Value)>,
    parts: Vec<(Navigation, Vec<Map<String, Json>>)>,
}

/// POST to a collection.
pub(crate) fn create(
    talk: &Talk<'_>,
    state: &mut State,
    call: &Call,
    collection: &Collection,
) -> Result<Answer, Refusal> {
    let object = call.object()?;
    let form = talk.form(call.header("content-type"));
    let before = state.store.clone();
    let made = insert(talk, state, collection.set, &collection.fixed, &object, form);
    let (key, entity) = made.inspect_err(|_| state.store = before)?;
    let set = talk.set(collection.set);
    let base = if set.contained {
        &collection.path
    } else {
        &set.name
    };
    let address = Address {
        set: collection.set,
        path: format!("{base}({})", predicate_of(set, &key, talk.service.version)),
        key,
        fixed: Vec::new(),
    };
    Ok(created(talk, state, call, &address, &entity))
}

fn created(talk: &Talk<'_>, state: &State, call: &Call, address: &Address, entity: &Entity) -> Answer {
    let location = format!("{}/{}", talk.root, address.path);
    let tag = etag(entity, &state.lies);
    let minimal = call.preference("return").as_deref() == Some("minimal");
    let answer = if minimal && talk.service.version == Version::V4 {
        Answer::empty(StatusCode::NO_CONTENT)
            .with("odata-entityid", &location)
            .with("preference-applied", "return=minimal")
    } else {
        let body = talk.shown(state, call, address, entity, &Query::default());
        talk.with_body(StatusCode::CREATED, body, call)
    };
    answer.with("location", &location).with("etag", &tag)
}

/// PATCH and MERGE change what is given, PUT replaces everything.
pub(crate) fn update(
    talk: &Talk<'_>,
    state: &mut State,
    call: &Call,
    address: &Address,
    replace: bool,
) -> Result<Answer, Refusal> {
    let set = talk.set(address.set);
    may_write(set)?;
    let object = call.object()?;
    let form = talk.form(call.header("content-type"));
    let Ok(entity) = talk.live(state, address) else {
        return upsert(talk, state, call, address, object, form);
    };
    conditions(talk, state, call, set, &entity)?;
    let given = read(talk, address.set, &object, form)?;
    if !given.parts.is_empty() {
        return Err(Refusal::left_out(
            "Changing the parts of an entity together with it",
        ));
    }
    let mut values = entity.values.clone();
    if replace {
        for (position, property) in set.properties.iter().enumerate() {
            let kept = set.key.contains(&position)
                || property.once
                || property.hidden
                || property.filling.computed();
            if !kept {
                values[position] = match &property.filling {
                    Filling::Default(value) => value.clone(),
                    _ => Value::Null,
                };
            }
        }
    }
    for (position, value) in given.values {
        let fixed = set.key.contains(&position) || set.properties[position].once;
        if !fixed {
            values[position] = value;
        }
    }
    complete(set, &values)?;
    leads(talk, state, address.set, &values)?;
    let entity = if values == entity.values {
        entity
    } else {
        store(talk, state, address.set, &address.key, values, Some(&entity))
    };
    let tag = etag(&entity, &state.lies);
    let preference = call.preference("return");
    let echo = match preference.as_deref() {
        Some("representation") => talk.service.version == Version::V4,
        Some("minimal") => false,
        _ => set.echo,
    };
    let mut answer = if echo {
        let body = talk.shown(state, call, address, &entity, &Query::default());
        talk.with_body(StatusCode::OK, body, call)
    } else {
        Answer::empty(StatusCode::NO_CONTENT)
    };
    if let Some(preference) = preference.filter(|_| talk.service.version == Version::V4) {
        answer = answer.with("preference-applied", &format!("return={preference}"));
    }
    Ok(answer.with("etag", &tag))
}

/// A change of what is not there: where the set allows it, it creates.
fn upsert(
    talk: &Talk<'_>,
    state: &mut State,
    call: &Call,
    address: &Address,
    mut object: Map<String, Json>,
    form: Form,
) -> Result<Answer, Refusal> {
    let set = talk.set(address.set);
    if !set.upsert || state.store.live(address.set, &address.key).is_some() {
        return Err(address.missing(talk.model));
    }
    if !call.header("if-match").is_empty() {
        return Err(stale("There is no entity that If-Match could be about."));
    }
    for (property, value) in set.key.iter().zip(&address.key) {
        let property = &set.properties[*property];
        object.insert(property.name.clone(), value.write(property.kind, form));
    }
    let before = state.store.clone();
    let made = insert(talk, state, address.set, &address.fixed, &object, form);
    let (_, entity) = made.inspect_err(|_| state.store = before)?;
    Ok(created(talk, state, call, address, &entity))
}

pub(crate) fn delete(
    talk: &Talk<'_>,
    state: &mut State,
    call: &Call,
    address: &Address,
) -> Result<Answer, Refusal> {
    let set = talk.set(address.set);
    may_write(set)?;
    if set.permanent {
        return Err(Refusal::method("GET, PATCH, PUT"));
    }
    let entity = talk.live(state, address)?;
    conditions(talk, state, call, set, &entity)?;
    if let Some(name) = referrer(talk, state, address.set, &entity.values) {
        let message = format!("The {} is in use: {name} refers to it.", set.type_name);
        return Err(Refusal::new(StatusCode::CONFLICT, "InUse", message));
    }
    discard(talk, state, address.set, &address.key, &entity);
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Deletes an entity and its parts.
pub(crate) fn discard(talk: &Talk<'_>, state: &mut State, set: SetIndex, key: &Key, entity: &Entity) {
    for way in talk.set(set).navigations.iter().filter(|way| way.parts) {
        let parts = state.store.led_to(way, &entity.values);
        let parts: Vec<(Key, Entity)> = parts.map(|(key, part)| (key.clone(), part.clone())).collect();
        for (key, part) in parts {
            discard(talk, state, way.target, &key, &part);
        }
    }
    let at = talk.clock.writing(entity.at);
    let late = lateness(talk, state, true);
    state.store.remove(set, key, at, late);
    note(talk, state, set, key, "delete", at);
    touch_whole(talk, state, set, &entity.values);
}

fn may_write(set: &EntitySet) -> Result<(), Refusal> {
    if set.fixed {
        return Err(Refusal::method("GET"));
    }
    Ok(())
}

fn stale(message: &str) -> Refusal {
    Refusal::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
}

/// Whether the request may change this state of the entity.
fn conditions(
    talk: &Talk<'_>,
    state: &State,
    call: &Call,
    set: &EntitySet,
    entity: &Entity,
) -> Result<(), Refusal> {
    if state.lies.tells(Lie::IgnoresConditions) {
        return Ok(());
    }
    let tag = etag(entity, &state.lies);
    let (if_match, none_match) = (call.header("if-match"), call.header("if-none-match"));
    if if_match.is_empty() && set.conditional {
        let message = format!(
            "A change of {} needs an If-Match with its entity tag, or *.",
            set.type_name
        );
        return Err(Refusal::new(
            StatusCode::PRECONDITION_REQUIRED,
            "PreconditionRequired",
            message,
        ));
    }
    if !if_match.is_empty() && !matches_tag(if_match, &tag) {
        return Err(stale(
            "The entity has changed: its entity tag is another than that of If-Match.",
        ));
    }
    if !none_match.is_empty() && matches_tag(none_match, &tag) {
        return Err(stale("The entity is there as If-None-Match says it must not be."));
    }
    debug_assert!(talk.model.sets.len() > 0);
    Ok(())
}

/// Reads a body. What the server fills itself is passed over, as the standard asks.
fn read(talk: &Talk<'_>, set: SetIndex, object: &Map<String, Json>, form: Form) -> Result<Given, Refusal> {
    let definition = talk.set(set);
    let mut given = Given {
        values: Vec::new(),
        parts: Vec::new(),
    };
    for (name, json) in object {
        if name.ends_with("@odata.bind") {
            return Err(Refusal::left_out("Binding by @odata.bind"));
        }
        if name.contains('@') || (form.version == Version::V2 && name == "__metadata") {
            continue;
        }
        if let Some(position) = definition.property(name) {
            let property = &definition.properties[position];
            if property.filling.computed() {
                continue;
            }
            let value = Value::read(property, json, form);
            let value = value.map_err(|wanted| Refusal::bad(format!("{name} must be {wanted}.")))?;
            given.values.push((position, value));
        } else if let Some(way) = definition.navigation(name) {
            if json.is_null() || json.get("__deferred").is_some() {
                continue;
            }
            let list = json.get("results").unwrap_or(json);
            let Some(list) = list.as_array().filter(|_| way.many) else {
                return Err(Refusal::left_out(
                    "Creating what an entity refers to together with it",
                ));
            };
            let objects = list.iter().map(|item| item.as_object().cloned());
            let objects = objects.collect::<Option<Vec<_>>>();
            let objects =
                objects.ok_or_else(|| Refusal::bad(format!("{name} must be a list of objects.")))?;
            given.parts.push((way.clone(), objects));
        } else {
            let message = format!(
                "{} has no property {name}; see the metadata.",
                definition.type_name
            );
            return Err(Refusal::bad(message));
        }
    }
    Ok(given)
}

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
fn complete(set: &EntitySet, values: &[Value]) -> Result<(), Refusal> {
    let blank = |(position, property): &(usize, &super::model::Property)| {
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
fn leads(talk: &Talk<'_>, state: &State, set: SetIndex, values: &[Value]) -> Result<(), Refusal> {
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

/// The set of an entity that refers to this one and is no part of it.
fn referrer(talk: &Talk<'_>, state: &State, set: SetIndex, values: &[Value]) -> Option<String> {
    for other in &talk.model.sets {
        for way in other
            .navigations
            .iter()
            .filter(|way| !way.many && way.target == set)
        {
            let position = talk
                .model
                .sets
                .iter()
                .position(|candidate| candidate.name == other.name)?;
            let mut parts = talk.set(set).navigations.iter().filter(|way| way.parts);
            if parts.any(|way| way.target == position) {
                continue;
            }
            let mut all = state.store.all(position);
            let refers = |(_, entity): (&Key, &Entity)| {
                way.by
                    .iter()
                    .all(|(own, theirs)| entity.values[*own] == values[*theirs])
            };
            if all.any(refers) {
                return Some(other.name.clone());
            }
        }
    }
    None
}

/// Puts a new state into the store, stamped.
pub(crate) fn store(
    talk: &Talk<'_>,
    state: &mut State,
    set: SetIndex,
    key: &Key,
    mut values: Vec<Value>,
    before: Option<&Entity>,
) -> Arc<Entity> {
    let at = talk.clock.writing(before.map_or(0, |before| before.at));
    stamp(talk.set(set), &mut values, at, before.is_none(), &talk.user);
    let late = lateness(talk, state, false);
    let entity = state.store.put(set, key.clone(), values, at, late);
    let action = if before.is_some() { "update" } else { "create" };
    note(talk, state, set, key, action, at);
    touch_whole(talk, state, set, &entity.values);
    entity
}

/// Fills what the server fills with every change.
pub(crate) fn stamp(set: &EntitySet, values: &mut [Value], at: i64, new: bool, user: &str) {
    for (position, property) in set.properties.iter().enumerate() {
        match property.filling {
            Filling::Stamp { creation } if new || !creation => {
                values[position] = match property.kind {
                    Kind::Date => day_of(at).map_or(Value::Null, Value::Date),
                    Kind::Time => time_of(at).map_or(Value::Null, Value::Time),
                    _ => Value::Moment(at),
                };
            }
            Filling::User => values[position] = Value::Text(user.to_owned()),
            _ => {}
        }
    }
}

/// A change of a part is a change of what it is part of.
fn touch_whole(talk: &Talk<'_>, state: &mut State, set: SetIndex, values: &[Value]) {
    for (position, other) in talk.model.sets.iter().enumerate() {
        for way in other
            .navigations
            .iter()
            .filter(|way| way.parts && way.target == set)
        {
            let wholes = state.store.all(position).filter(|(_, entity)| {
                let mut pairs = way.by.iter();
                pairs.all(|(own, theirs)| entity.values[*own] == values[*theirs])
            });
            let wholes: Vec<(Key, Entity)> = wholes
                .map(|(key, entity)| (key.clone(), entity.clone()))
                .collect();
            for (key, entity) in wholes {
                store(talk, state, position, &key, entity.values.clone(), Some(&entity));
            }
        }
    }
}

fn lateness(talk: &Talk<'_>, state: &State, deletion: bool) -> Lateness {
    let later = talk.clock.now() + state.lateness;
    let slow = state.lies.tells(Lie::SlowCommit);
    let untold = deletion && state.lies.tells(Lie::LateTombstones);
    Lateness {
        shown_from: if slow { later } else { 0 },
        told_from: if slow || untold { later } else { 0 },
    }
}

fn note(talk: &Talk<'_>, state: &mut State, set: SetIndex, key: &Key, action: &'static str, at: i64) {
    state.store.note(Change {
        change: 0,
        at: moment(at),
        by: talk.user.clone(),
        set: talk.set(set).name.clone(),
        key: key.iter().map(Value::plain).collect(),
        action,
    });
}
