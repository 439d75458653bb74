//! Creating, changing and deleting entities.

mod insert;
mod keep;

use axum::http::StatusCode;
use serde_json::{Map, Value as Json};

use super::exchange::{Answer, Call};
use super::lies::Lie;
use super::model::{EntitySet, Filling, Navigation, PropertyIndex, SetIndex, Version};
use super::path::{Address, Collection, predicate_of};
use super::query::Query;
use super::refusal::Refusal;
use super::render::etag;
use super::service::{State, Talk, matches_tag};
use super::store::{Entity, Key};
use super::value::{Form, Value};
use insert::{complete, leads};
use keep::{lateness, note, referrer, touch_whole};

pub(crate) use insert::{insert, new_guid};
pub(crate) use keep::{stamp, store};

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
    conditions(state, call, set, &entity)?;
    let given = read(talk, address.set, &object, form)?;
    if !given.parts.is_empty() {
        return Err(Refusal::left_out(
            "Changing the parts of an entity together with it",
        ));
    }
    let mut values = if replace {
        emptied(set, &entity.values)
    } else {
        entity.values.clone()
    };
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
    Ok(changed(talk, state, call, address, &entity))
}

/// What PUT leaves of an entity: its key, what never changes, and what the server fills.
fn emptied(set: &EntitySet, values: &[Value]) -> Vec<Value> {
    let properties = set.properties.iter().enumerate();
    let left = properties.map(|(position, property)| {
        let never = property.once || property.hidden || property.filling.computed();
        match &property.filling {
            _ if never || set.key.contains(&position) => values[position].clone(),
            Filling::Default(value) => value.clone(),
            _ => Value::Null,
        }
    });
    left.collect()
}

/// The answer to a change.
fn changed(talk: &Talk<'_>, state: &State, call: &Call, address: &Address, entity: &Entity) -> Answer {
    let v4 = talk.service.version == Version::V4;
    let preference = call.preference("return").filter(|_| v4);
    let echo = match preference.as_deref() {
        Some("representation") => true,
        Some("minimal") => false,
        _ => talk.set(address.set).echo,
    };
    let mut answer = if echo {
        let body = talk.shown(state, call, address, entity, &Query::default());
        talk.with_body(StatusCode::OK, body, call)
    } else {
        Answer::empty(StatusCode::NO_CONTENT)
    };
    if let Some(preference) = preference {
        answer = answer.with("preference-applied", &format!("return={preference}"));
    }
    answer.with("etag", &etag(entity, &state.lies))
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
    conditions(state, call, set, &entity)?;
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
fn conditions(state: &State, call: &Call, set: &EntitySet, entity: &Entity) -> Result<(), Refusal> {
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
