//! Entities of a collection, page by page, and what changed among them.

mod delta;
mod mark;

use axum::http::StatusCode;
use serde_json::{Map, Value as Json, json};

use super::exchange::{Answer, Call};
use super::lies::Lie;
use super::model::Version;
use super::options::Links;
use super::path::{Collection, predicate_of};
use super::query::{Options, Query};
use super::refusal::Refusal;
use super::render::sort;
use super::service::{State, Talk};
use super::store::{Entity, Key};
use super::value::Value;
use delta::{changes, delta_link};
use mark::{Mark, comes_after, next, opened, read_mark, sealed};

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
    let skipped = options.get("$skiptoken");
    let mark = match skipped {
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
    let listing = Listing {
        collection,
        query: &query,
        take: mark.left.map_or(size, |left| left.min(size)),
        mark,
        skipped,
        now,
    };
    let page = listing.page(talk, state)?;
    let tail = listing.tail(talk, state, options, &page);
    let writer = talk.writer(state, call);
    let rows = page.rows.iter().map(|(key, entity)| {
        let path = place(talk, collection, key);
        Json::Object(writer.entity(collection.set, entity, &query, &path))
    });
    let body = body(talk, collection, &query, rows.collect(), tail, "");
    let mut answer = talk.with_body(StatusCode::OK, body, call);
    if call.preference("maxpagesize").is_some() {
        answer = answer.with("preference-applied", &format!("odata.maxpagesize={size}"));
    }
    if listing.mark.track.is_some() && skipped.is_none() {
        answer = answer.with("preference-applied", "odata.track-changes");
    }
    Ok(answer)
}

/// A page that is asked for.
struct Listing<'a> {
    collection: &'a Collection,
    query: &'a Query,
    mark: Mark,
    /// The token by which it is asked for; nothing: it is the first.
    skipped: Option<&'a str>,
    /// How many entities it shows at most.
    take: usize,
    now: i64,
}

impl<'a> Listing<'a> {
    fn page(&self, talk: &Talk<'_>, state: &'a State) -> Result<Page<'a>, Refusal> {
        let (collection, query, take) = (self.collection, self.query, self.take);
        let counts = self.skipped.is_none() || state.lies.tells(Lie::OffsetPaging);
        let (sorted, key) = if counts {
            (Vec::new(), None)
        } else {
            let (sorted, key) = read_mark(talk.set(collection.set), query, &self.mark)?;
            (sorted, Some(key))
        };
        let mut rows: Vec<(&Key, &Entity)> = if query.order.is_empty() {
            met(state, collection, query, key.as_ref(), self.now)
                .skip(if counts { self.mark.offset } else { 0 })
                .take(take + 1)
                .collect()
        } else {
            let mut all: Vec<_> = met(state, collection, query, None, self.now).collect();
            sort(&mut all, &query.order);
            let start = match &key {
                Some(key) => all.partition_point(|row| !comes_after(row, &sorted, key, query)),
                None => self.mark.offset.min(all.len()),
            };
            all.into_iter().skip(start).take(take + 1).collect()
        };
        let more = rows.len() > take;
        rows.truncate(take);
        Ok(Page { rows, more })
    }

    /// The link to what follows, and the count where it is asked for.
    fn tail(&self, talk: &Talk<'_>, state: &State, options: &Options, page: &Page<'_>) -> Map<String, Json> {
        let (collection, query) = (self.collection, self.query);
        let mut tail = Map::new();
        if page.more && self.mark.left.is_none_or(|left| left > self.take) {
            let repeated = self.skipped.filter(|_| state.lies.tells(Lie::RepeatsAPage));
            let set = talk.set(collection.set);
            let onwards = || sealed(&next(set, query, &self.mark, page, self.take));
            let token = repeated.map_or_else(onwards, str::to_owned);
            let without = ["$skip", "$top", "$skiptoken", "$deltatoken"];
            let link = link(talk, collection, &options.with(&without, "$skiptoken", &token));
            tail.insert("next".to_owned(), link.into());
        } else if let Some(change) = self.mark.track {
            let link = delta_link(talk, state, collection, options, change);
            tail.insert("delta".to_owned(), link.into());
        }
        if query.count {
            let all = met(state, collection, query, None, self.now).count();
            tail.insert("count".to_owned(), all.into());
        }
        tail
    }
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
