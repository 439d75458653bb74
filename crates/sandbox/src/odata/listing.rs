//! Entities of a collection, page by page, and what changed among them.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::exchange::{Answer, Call};
use super::lies::Lie;
use super::model::{EntitySet, Version};
use super::options::Links;
use super::path::{Collection, predicate_of};
use super::query::{Options, Query};
use super::refusal::Refusal;
use super::render::{Writer, compare, sort};
use super::service::{State, Talk, speaks_4_0};
use super::store::{Entity, Key};
use super::value::{Form, Value};

/// Where the next page begins, as the paging link carries it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    /// What the last entity shown holds where it is sorted by, then its key.
    after: Vec<Json>,
    /// How many entities were shown: only where the link counts them.
    offset: usize,
    /// How many of `$top` are left.
    left: Option<usize>,
    /// The page size that was asked for.
    size: usize,
    /// The change from which the delta link goes on.
    track: Option<u64>,
}

/// One page of a listing.
struct Page<'a> {
    rows: Vec<(&'a Key, &'a Entity)>,
    more: bool,
}

/// The number of the entities of a collection, as text.
pub(crate) fn count(
    talk: &Talk<'_>,
    state: &State,
    collection: &Collection,
    options: &Options,
) -> Result<Answer, Refusal> {
    let query = asked(talk, state, collection, options)?;
    let now = talk.clock.reading();
    let found = met(state, collection, &query, None, now).count();
    Ok(Answer::text(
        StatusCode::OK,
        "text/plain;charset=utf-8",
        found.to_string(),
    ))
}

/// A page of a collection, or of its changes.
pub(crate) fn answer(
    talk: &Talk<'_>,
    state: &State,
    call: &Call,
    collection: &Collection,
    options: &Options,
) -> Result<Answer, Refusal> {
    let query = asked(talk, state, collection, options)?;
    let delta = options
        .get("$deltatoken")
        .filter(|_| talk.service.version == Version::V4);
    if let Some(token) = delta
        && !state.lies.tells(Lie::IgnoresDeltaTokens)
    {
        return changes(talk, state, call, collection, options, &query, token);
    }
    let now = talk.clock.reading();
    let first = options.get("$skiptoken").is_none();
    let mark = match options.get("$skiptoken") {
        Some(token) => {
            opened(token).ok_or_else(|| Refusal::bad("The $skiptoken is none of this service."))?
        }
        None => Mark {
            offset: query.skip,
            left: query.top,
            size: preferred_size(call).unwrap_or(talk.settings.page_size),
            track: tracked(talk, state, call, collection, &query, delta.is_some(), now),
            ..Mark::default()
        },
    };
    let size = mark.size.min(talk.settings.page_size);
    let take = mark.left.map_or(size, |left| left.min(size));
    let page = page(talk, state, collection, &query, &mark, first, take, now)?;
    let writer = talk.writer(state, call);
    let mut tail = Map::new();
    if page.more && mark.left.is_none_or(|left| left > take) {
        let token = match (
            state.lies.tells(Lie::RepeatsAPage) && !first,
            options.get("$skiptoken"),
        ) {
            (true, Some(token)) => token.to_owned(),
            _ => sealed(&next(talk.set(collection.set), &query, &mark, &page, take)),
        };
        let query = options.with(
            &["$skip", "$top", "$skiptoken", "$deltatoken"],
            "$skiptoken",
            &token,
        );
        tail.insert("next".to_owned(), link(talk, collection, &query).into());
    } else if let Some(change) = mark.track {
        tail.insert(
            "delta".to_owned(),
            delta_link(talk, state, collection, options, change).into(),
        );
    }
    if query.count {
        let all = met(state, collection, &query, None, now).count();
        tail.insert("count".to_owned(), all.into());
    }
    let rows = page.rows.iter().map(|(key, entity)| {
        let path = place(talk, collection, key);
        Json::Object(writer.entity(collection.set, key, entity, &query, &path))
    });
    let body = body(talk, collection, &query, rows.collect(), tail, "");
    let mut answer = talk.with_body(StatusCode::OK, body, call);
    if call.preference("maxpagesize").is_some() {
        answer = answer.with("preference-applied", &format!("odata.maxpagesize={size}"));
    }
    if mark.track.is_some() && first {
        answer = answer.with("preference-applied", "odata.track-changes");
    }
    Ok(answer)
}

fn asked(
    talk: &Talk<'_>,
    state: &State,
    collection: &Collection,
    options: &Options,
) -> Result<Query, Refusal> {
    let set = talk.set(collection.set);
    let mut query = options.query(talk.model, talk.service, set)?;
    let padded = |property: usize, value: Value| value.padded(&set.properties[property]);
    query.filter = query.filter.map(|filter| filter.with_texts(&padded));
    if state.lies.tells(Lie::IgnoresFilters) {
        query.filter = None;
    }
    Ok(query)
}

fn preferred_size(call: &Call) -> Option<usize> {
    call.preference("maxpagesize")?
        .parse()
        .ok()
        .filter(|size| *size > 0)
}

/// From which change on the client may ask for changes, where it wants to.
fn tracked(
    talk: &Talk<'_>,
    state: &State,
    call: &Call,
    collection: &Collection,
    query: &Query,
    anew: bool,
    now: i64,
) -> Option<u64> {
    let wanted = call.preference("track-changes").is_some() || anew;
    let whole = query.top.is_none() && query.skip == 0;
    let tracked = wanted && whole && talk.service.version == Version::V4;
    tracked.then(|| state.store.told_upto(collection.set, now))
}

/// What a listing shows that meets the query, in the order of the keys.
fn met<'a>(
    state: &'a State,
    collection: &'a Collection,
    query: &'a Query,
    after: Option<&Key>,
    now: i64,
) -> impl Iterator<Item = (&'a Key, &'a Entity)> {
    let listed = state.store.listed(collection.set, after, now);
    listed.filter(|(_, entity)| belongs(collection, query, entity))
}

fn belongs(collection: &Collection, query: &Query, entity: &Entity) -> bool {
    let mut fixed = collection.fixed.iter();
    fixed.all(|(property, value)| entity.values[*property] == *value)
        && query
            .filter
            .as_ref()
            .is_none_or(|filter| filter.meets(&entity.values))
}

#[allow(clippy::too_many_arguments)]
fn page<'a>(
    talk: &Talk<'_>,
    state: &'a State,
    collection: &'a Collection,
    query: &'a Query,
    mark: &Mark,
    first: bool,
    take: usize,
    now: i64,
) -> Result<Page<'a>, Refusal> {
    let set = talk.set(collection.set);
    let counts = first || state.lies.tells(Lie::OffsetPaging);
    let (sorted, key) = if counts {
        (Vec::new(), None)
    } else {
        let (sorted, key) = read_mark(set, query, mark)?;
        (sorted, Some(key))
    };
    let mut rows: Vec<(&Key, &Entity)> = if query.order.is_empty() {
        met(state, collection, query, key.as_ref(), now)
            .skip(if counts { mark.offset } else { 0 })
            .take(take + 1)
            .collect()
    } else {
        let mut all: Vec<_> = met(state, collection, query, None, now).collect();
        sort(&mut all, &query.order);
        let start = match &key {
            Some(key) => all.partition_point(|row| !comes_after(row, &sorted, key, query)),
            None => mark.offset.min(all.len()),
        };
        all.into_iter().skip(start).take(take + 1).collect()
    };
    let more = rows.len() > take;
    rows.truncate(take);
    Ok(Page { rows, more })
}

/// Whether a row comes after the last one shown.
fn comes_after((key, entity): &(&Key, &Entity), sorted: &[Value], last: &Key, query: &Query) -> bool {
    let mut values = entity.values.clone();
    for ((property, _), value) in query.order.iter().zip(sorted) {
        values[*property] = value.clone();
    }
    compare(&entity.values, &values, &query.order)
        .then_with(|| (*key).cmp(last))
        .is_gt()
}

const PLAIN: Form = Form {
    version: Version::V4,
    numbers_as_text: false,
};

fn next(set: &EntitySet, query: &Query, mark: &Mark, page: &Page<'_>, take: usize) -> Mark {
    let mut after = Vec::new();
    if let Some((_, entity)) = page.rows.last() {
        let sorted = query.order.iter().map(|(property, _)| property);
        for property in sorted.chain(&set.key) {
            after.push(entity.values[*property].write(set.properties[*property].kind, PLAIN));
        }
    }
    Mark {
        after,
        offset: mark.offset + page.rows.len(),
        left: mark.left.map(|left| left - take),
        size: mark.size,
        track: mark.track,
    }
}

/// What the last row held where it is sorted by, and its key.
fn read_mark(set: &EntitySet, query: &Query, mark: &Mark) -> Result<(Vec<Value>, Key), Refusal> {
    let sorted = query.order.iter().map(|(property, _)| property);
    let properties: Vec<_> = sorted.chain(&set.key).collect();
    let wrong = || Refusal::bad("The $skiptoken belongs to another query.");
    if properties.len() != mark.after.len() {
        return Err(wrong());
    }
    let read = properties.iter().zip(&mark.after);
    let read = read.map(|(property, json)| Value::read(&set.properties[**property], json, PLAIN));
    let mut values = read.collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
    let key = values.split_off(query.order.len());
    Ok((values, key))
}

fn sealed(mark: &Mark) -> String {
    // Plain data always becomes JSON.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(mark).unwrap_or_default())
}

fn opened(token: &str) -> Option<Mark> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// What changed since the change that a token names.
fn changes(
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
        return Json::Object(writer.entity(collection.set, key, entity, query, &path));
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

fn delta_link(
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

/// A link to the same collection.
fn link(talk: &Talk<'_>, collection: &Collection, query: &str) -> String {
    let path = &collection.path;
    match talk.settings.links {
        Links::Absolute => format!("{}/{path}?{query}", talk.root),
        Links::HostRelative => format!("{}/{path}?{query}", talk.service.root),
        Links::ServiceRelative => format!("{path}?{query}"),
    }
}

/// Where an entity of the collection lies below the root.
fn place(talk: &Talk<'_>, collection: &Collection, key: &Key) -> String {
    let set = talk.set(collection.set);
    let base = if set.contained {
        &collection.path
    } else {
        &set.name
    };
    format!("{base}({})", predicate_of(set, key, talk.service.version))
}

fn body(
    talk: &Talk<'_>,
    collection: &Collection,
    query: &Query,
    rows: Vec<Json>,
    tail: Map<String, Json>,
    suffix: &str,
) -> Json {
    let mut body = Map::new();
    match talk.service.version {
        Version::V4 => {
            let context = talk.context(talk.set(collection.set), &collection.path, query);
            body.insert("@odata.context".to_owned(), format!("{context}{suffix}").into());
            body.insert("value".to_owned(), rows.into());
            for (name, value) in tail {
                let name = if name == "count" {
                    name
                } else {
                    format!("{name}Link")
                };
                body.insert(format!("@odata.{name}"), value);
            }
            Json::Object(body)
        }
        Version::V2 => {
            body.insert("results".to_owned(), rows.into());
            for (name, value) in tail {
                let value = if name == "count" {
                    value.to_string().into()
                } else {
                    value
                };
                body.insert(format!("__{name}"), value);
            }
            json!({ "d": body })
        }
    }
}
