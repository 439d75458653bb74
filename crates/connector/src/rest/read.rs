//! Listing, reading by id, and finding by value.

mod find;

pub(super) use find::find;

use super::ask::{Errand, Given, Otherwise};
use super::description::errors::Means;
use super::description::operations::{Call, ListText};
use super::description::pages::Paging;
use super::description::place::Place;
use super::served::{Served, Sight};
use super::{CONCURRENCY, Rest, paging};
use crate::http::{Failure, Reply, Request};
use crate::shown::missing;
use crate::{Error, ErrorKind};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use tandem_merge::record::{Observation, Presence, RecordKey};

/// So many ids in one call where nothing is said.
const IDS: usize = 100;

/// A page of records.
pub(super) struct Page {
    pub(super) observations: Vec<Observation>,
    /// Where to go on; none at the end.
    pub(super) next: Option<String>,
    pub(super) body: Json,
    pub(super) reply: Reply,
}

/// What a page is asked by: an operation, and where its pages stand.
pub(super) struct Asked<'a> {
    pub(super) call: Call<'a>,
    pub(super) items: Option<&'a Place>,
    pub(super) paging: Option<&'a Paging>,
    pub(super) operation: &'static str,
}

impl<'a> Asked<'a> {
    /// A list, or changes.
    pub(super) fn list(list: &'a ListText, operation: &'static str) -> Self {
        Self {
            call: list.call(),
            items: list.items.as_ref(),
            paging: list.paging.as_ref().map(|paging| &paging.value),
            operation,
        }
    }
}

/// The records as they stand in a reply.
pub(super) fn items<'j>(
    rest: &Rest,
    served: &Served,
    place: Option<&Place>,
    body: &'j Json,
) -> Result<&'j Vec<Json>, Error> {
    let whole = Place::Body(Vec::new());
    let place = place.unwrap_or(&whole);
    place.of(body).and_then(Json::as_array).ok_or_else(|| {
        let what = format!("a list of {} has no records at `{place}`", served.name());
        let advice = "Correct `items:` in the description";
        rest.http.error(ErrorKind::Protocol, what, advice).as_answer()
    })
}

/// One page as it is shown, from a continuation on.
pub(super) async fn raw(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    given: &Given,
    at: Option<&str>,
) -> Result<(Json, Reply, String), Error> {
    let given = given
        .clone()
        .and(paging::given(asked.paging, at))
        .and(served.given());
    let mut request = rest.request(asked.call, &given, &Otherwise(None))?;
    if let Some(address) = paging::address(asked.paging, at) {
        request.target = address.to_owned();
    }
    let target = request.target.clone();
    let errand = Errand::reading(served.name(), asked.operation);
    let (body, reply) = rest.read(request, errand).await?;
    Ok((body, reply, target))
}

/// One page of records, from a continuation on.
pub(super) async fn page(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    given: &Given,
    at: Option<&str>,
) -> Result<Page, Error> {
    let (body, reply, target) = raw(rest, served, asked, given, at).await?;
    let rows = items(rest, served, asked.items, &body)?;
    let last = rows.last().and_then(|row| served.id(row));
    let shown = paging::Shown {
        body: &body,
        headers: &reply.headers,
        rows: rows.len(),
        last: last.as_deref(),
    };
    let next = paging::next(asked.paging, at, &shown);
    let next = next.map(|next| paging::resolved(asked.paging, &next, &rest.root, &target));
    let mut observations = rest.observations(served, rows, &Sight::page(&reply));
    if served.of.list.partial == Some(true) {
        observations = in_full(rest, served, rows).await?;
    }
    Ok(Page {
        observations,
        next,
        body,
        reply,
    })
}

/// Records of which a list shows a part alone: read by their ids. What went meanwhile shows itself another time.
async fn in_full(rest: &Rest, served: &Served, rows: &[Json]) -> Result<Vec<Observation>, Error> {
    let ids: Vec<String> = rows.iter().filter_map(|row| served.id(row)).collect();
    let mut read = fetch(rest, served, &ids).await?;
    read.retain(|shown| shown.presence != Presence::Missing || !shown.unreadable.is_empty());
    Ok(read)
}

/// Reads records by id: every one is answered.
pub(super) async fn fetch(rest: &Rest, served: &Served, ids: &[String]) -> Result<Vec<Observation>, Error> {
    let Some(read) = &served.of.read else {
        return Err(rest.undescribed(served, "read"));
    };
    let (asked, odd): (Vec<&String>, Vec<&String>) = ids.iter().partition(|id| served.may_be_id(id));
    let mut found: Vec<Observation> = Vec::new();
    let mut apart: Vec<&String> = asked;
    if let Some(many) = read.many.as_ref().filter(|_| apart.len() > 1 || !read.proves()) {
        let size = many.at_most.map_or(IDS, |most| most as usize).max(1);
        let packs: Vec<_> = apart
            .chunks(size)
            .map(|pack| fetch_pack(rest, served, pack))
            .collect();
        found = stream::iter(packs).buffered(CONCURRENCY).try_concat().await?;
        let known: BTreeSet<String> = found.iter().map(|shown| shown.key.id.clone()).collect();
        apart.retain(|id| !known.contains(*id));
        // Only a read by its own id can say that a record is gone.
        if !read.proves() {
            let began = crate::http::clock::now();
            found.extend(apart.drain(..).map(|id| missing(rest.key(served, id), began)));
        }
    }
    let single: Vec<_> = apart.into_iter().map(|id| fetch_one(rest, served, id)).collect();
    let single: Vec<Observation> = stream::iter(single).buffered(CONCURRENCY).try_collect().await?;
    found.extend(single);
    let began = crate::http::clock::now();
    found.extend(odd.into_iter().map(|id| missing(rest.key(served, id), began)));
    Ok(found)
}

async fn fetch_pack(rest: &Rest, served: &Served, ids: &[&String]) -> Result<Vec<Observation>, Error> {
    let Some(many) = served.of.read.as_ref().and_then(|read| read.many.as_ref()) else {
        return Ok(Vec::new());
    };
    let asked: Vec<Json> = ids.iter().map(|id| Json::String((*id).clone())).collect();
    let given = Given::default().with("ids", asked).and(served.given());
    let request = rest.request(many.call(), &given, &Otherwise(None))?;
    let (body, reply) = rest.read(request, Errand::reading(served.name(), "read")).await?;
    let rows = items(rest, served, many.items.as_ref(), &body)?;
    let mut shown = rest.observations(served, rows, &Sight::page(&reply));
    shown.retain(|row| ids.iter().any(|id| **id == row.key.id));
    Ok(shown)
}

/// The request that reads one record.
pub(super) fn reading(rest: &Rest, served: &Served, id: &str) -> Result<Request, Error> {
    let Some(read) = &served.of.read else {
        return Err(rest.undescribed(served, "read"));
    };
    let given = Given::default().with("id", id).and(served.given());
    rest.request(read.call(), &given, &Otherwise(None))
}

/// The record as it stands in the reply to a read; none where nothing stands there.
pub(super) fn record<'j>(place: Option<&Place>, body: &'j Json) -> Option<&'j Json> {
    let whole = Place::Body(Vec::new());
    place
        .unwrap_or(&whole)
        .of(body)
        .filter(|record| record.is_object())
}

async fn fetch_one(rest: &Rest, served: &Served, id: &str) -> Result<Observation, Error> {
    let request = reading(rest, served, id)?.reading();
    let sent = rest.send(request, Errand::reading(served.name(), "read")).await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    let absent = missing(rest.key(served, id), reply.began);
    if served.says_deleted(reply.status, answer.means) {
        return Ok(Observation {
            presence: Presence::Deleted,
            ..absent
        });
    }
    match answer.means {
        None => {}
        Some(Means::Gone) => return proven(rest, served, absent).await,
        Some(_) => return Err(answer.error(&rest.http, &reply)),
    }
    let body = reply.json();
    let read = served.of.read.as_ref();
    if read.is_some_and(|read| read.shows_absence(&body)) {
        return proven(rest, served, absent).await;
    }
    let place = read.and_then(|read| read.record.as_ref());
    let shown = record(place, &body).and_then(|item| rest.observation(served, item, &Sight::own(&reply)));
    match shown {
        Some(shown) if shown.key.id == id => Ok(shown),
        // Some answer a read of what is not there with nothing, or with another record.
        Some(_) => Ok(absent),
        None if body.is_null() || record(place, &body).is_none() => {
            let what = format!("the reply to a read of a {} shows no record", served.name());
            let advice = "Correct `record:` under `read:` in the description";
            Err(rest.http.error(ErrorKind::Protocol, what, advice).as_answer())
        }
        None => Ok(absent),
    }
}

/// A record that is not there: deleted, where the ERP names it among what was deleted.
async fn proven(rest: &Rest, served: &Served, absent: Observation) -> Result<Observation, Error> {
    let Some(proof) = served.of.read.as_ref().and_then(|read| read.gone_if.as_ref()) else {
        return Ok(absent);
    };
    let given = served.given().with("id", absent.key.id.as_str());
    let request = rest.request(proof.call(), &given, &Otherwise(None))?;
    let sent = rest
        .send(request.reading(), Errand::reading(served.name(), "read"))
        .await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    match answer.means {
        None => {}
        // Who may not ask has no proof.
        Some(Means::Forbidden | Means::Gone) => return Ok(absent),
        Some(_) => return Err(answer.error(&rest.http, &reply)),
    }
    let body = reply.json();
    let named = !items(rest, served, proof.items.as_ref(), &body)?.is_empty();
    Ok(Observation {
        presence: if named { Presence::Deleted } else { absent.presence },
        ..absent
    })
}

impl Rest {
    /// The key of a record.
    pub(super) fn key(&self, served: &Served, id: &str) -> RecordKey {
        RecordKey::new(&self.config.name, served.name(), id)
    }

    /// What an item shows. One without an id is nobody's, and no reason to leave the others.
    pub(super) fn observation(&self, served: &Served, item: &Json, sight: &Sight<'_>) -> Option<Observation> {
        let shown = served.observation(&self.config.name, item, sight);
        if shown.is_none() {
            let system = self.http.system();
            tracing::warn!(
                system,
                "{system}: a {} without a readable id is passed over",
                served.name()
            );
        }
        shown
    }

    pub(super) fn observations(
        &self,
        served: &Served,
        items: &[Json],
        sight: &Sight<'_>,
    ) -> Vec<Observation> {
        items
            .iter()
            .filter_map(|item| self.observation(served, item, sight))
            .collect()
    }

    /// A listing that would never end.
    pub(super) fn stuck(&self, name: &str, what: &str) -> Error {
        let what = format!("the listing of {name} is incomplete: {what}");
        let advice = "Correct `paging:` in the description, or have the ERP's mended; it is tried again by itself, and nothing is taken for deleted";
        self.http.error(ErrorKind::Protocol, what, advice).as_answer()
    }

    /// The description does not say how something is done.
    pub(super) fn undescribed(&self, served: &Served, operation: &str) -> Error {
        let what = format!(
            "the description does not say how to {operation} a {}",
            served.name()
        );
        let advice = format!("Add `{operation}:` to its record type");
        self.http.error(ErrorKind::Missing, what, advice)
    }
}
