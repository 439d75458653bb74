//! What changed among the entities of a collection.

use axum::http::StatusCode;
use serde_json::{Map, Value as Json, json};

use super::{belongs, body, link, place, preferred_size};
use crate::odata::exchange::{Answer, Call};
use crate::odata::path::Collection;
use crate::odata::query::{Options, Query};
use crate::odata::refusal::Refusal;
use crate::odata::render::Writer;
use crate::odata::service::{State, Talk, speaks_4_0};
use crate::odata::store::{Entity, Key};

/// What changed since the change that a token names.
pub(super) fn changes(
    talk: &Talk<'_>,
    state: &State,
    call: &Call,
    collection: &Collection,
    options: &Options,
    query: &Query,
    token: &str,
) -> Result<Answer, Refusal> {
    let gone = || {
        let message = "The delta token is unknown or has expired: read everything anew.";
        Refusal::new(StatusCode::GONE, "SyncStateNotFound", message)
    };
    let (epoch, change) = token.split_once('-').ok_or_else(gone)?;
    let after: u64 = change.parse().map_err(|_| gone())?;
    if epoch != state.epoch || after > state.store.changes() || after < state.oldest_token {
        return Err(gone());
    }
    let now = talk.clock.reading();
    let mut rows = state.store.changed(collection.set, after, now);
    rows.retain(|(_, entity)| {
        let mut fixed = collection.fixed.iter();
        fixed.all(|(property, value)| entity.values[*property] == *value)
    });
    let size = preferred_size(call)
        .unwrap_or(talk.settings.page_size)
        .min(talk.settings.page_size);
    let more = rows.len() > size;
    rows.truncate(size);
    let writer = talk.writer(state, call);
    let told = rows
        .iter()
        .map(|row| told(talk, &writer, call, collection, query, row));
    let told: Vec<Json> = told.collect();
    let mut tail = Map::new();
    if more {
        let last = rows.last().map_or(after, |(_, entity)| entity.change);
        tail.insert(
            "next".to_owned(),
            delta_link(talk, state, collection, options, last).into(),
        );
    } else {
        let upto = state.store.told_upto(collection.set, now).max(after);
        tail.insert(
            "delta".to_owned(),
            delta_link(talk, state, collection, options, upto).into(),
        );
    }
    let body = body(talk, collection, query, told, tail, "/$delta");
    Ok(talk.with_body(StatusCode::OK, body, call))
}

/// One change: the entity as it is, or that it is no longer there or among those asked for.
fn told(
    talk: &Talk<'_>,
    writer: &Writer<'_>,
    call: &Call,
    collection: &Collection,
    query: &Query,
    (key, entity): &(&Key, &Entity),
) -> Json {
    let path = place(talk, collection, key);
    if !entity.deleted && belongs(collection, query, entity) {
        return Json::Object(writer.entity(collection.set, entity, query, &path));
    }
    let reason = if entity.deleted { "deleted" } else { "changed" };
    let id = format!("{}/{path}", talk.root);
    let set = talk.set(collection.set);
    if speaks_4_0(call) {
        let context = format!("{}/$metadata#{}/$deletedEntity", talk.root, set.name);
        return json!({ "@odata.context": context, "id": id, "reason": reason });
    }
    let mut object = Map::new();
    object.insert("@removed".to_owned(), json!({ "reason": reason }));
    object.insert("@odata.id".to_owned(), id.into());
    for (property, value) in set.key.iter().zip(*key) {
        let property = &set.properties[*property];
        object.insert(property.name.clone(), value.write(property.kind, writer.form));
    }
    Json::Object(object)
}

pub(super) fn delta_link(
    talk: &Talk<'_>,
    state: &State,
    collection: &Collection,
    options: &Options,
    change: u64,
) -> String {
    let token = format!("{}-{change}", state.epoch);
    let without = ["$skiptoken", "$deltatoken", "$count", "$orderby", "$top", "$skip"];
    link(talk, collection, &options.with(&without, "$deltatoken", &token))
}
