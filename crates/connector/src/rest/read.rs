//! Listing, reading by id, and finding by value.

mod find;

pub(super) use find::{find, fitting_nobody};

use super::ask::{Errand, Given, Otherwise};
use super::batch::Pack;
use super::description::errors::Means;
use super::description::operations::{Call, Empty, GoneText, ListText, WindowText};
use super::description::pages::Paging;
use super::description::place::Place;
use super::served::{Served, Sight};
use super::{CONCURRENCY, Rest, paging, parts, shape, window};
use crate::http::{Failure, Reply, Request};
use crate::shown::missing;
use crate::{Complete, Error, ErrorKind};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use tandem_merge::record::{Observation, Presence, RecordKey};

/// So many ids in one call where nothing is said.
const IDS: usize = 100;
/// About so many characters of a filter stand beside each id.
const MEMBER: usize = 30;

/// A page of records.
pub(super) struct Page {
    pub(super) observations: Vec<Observation>,
    /// Where to go on; none at the end.
    pub(super) next: Option<String>,
    pub(super) body: Json,
    pub(super) reply: Reply,
    /// Ranges of ids within which it shows every live record: whatever stands in one that holds others.
    pub(super) wholes: Vec<Complete>,
    /// The id of its last entry.
    pub(super) last: Option<String>,
    /// So many entries stand on it.
    pub(super) rows: usize,
    /// So many there are in all, where it says so.
    pub(super) total: Option<u64>,
}

/// What a page is asked by: an operation, and where its pages stand.
pub(super) struct Asked<'a> {
    pub(super) call: Call<'a>,
    pub(super) items: Option<&'a Place>,
    pub(super) paging: Option<&'a Paging>,
    pub(super) operation: &'static str,
    /// It shows so many records at most.
    pub(super) window: Option<&'a WindowText>,
    /// What lies before that moment is not wanted.
    pub(super) from: Timestamp,
}

impl<'a> Asked<'a> {
    /// A list, or changes.
    pub(super) fn list(list: &'a ListText, operation: &'static str) -> Self {
        Self {
            call: list.call(),
            items: list.items.as_ref(),
            paging: list.paging.as_ref().map(|paging| &paging.value),
            operation,
            window: list.window.as_ref().map(|window| &window.value),
            from: Timestamp::UNIX_EPOCH,
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
    let behind = match asked.paging {
        Some(Paging::Keyset(_)) => behind(rest, served, at)?,
        _ => None,
    };
    let given = served
        .given()
        .and(given.clone())
        .and(paging::given(asked.paging, at))
        .maybe("behind", behind);
    let mut request = rest.request(asked.call, &given, &Otherwise(None))?;
    if let Some(address) = paging::address(asked.paging, at) {
        request.target = address.to_owned();
    }
    let target = request.target.clone();
    let errand = Errand::reading(served.name(), asked.operation);
    let (body, reply) = rest.read(request, errand).await?;
    Ok((body, reply, target))
}

/// That records come behind an id, as the language of filters says it.
fn behind(rest: &Rest, served: &Served, at: Option<&str>) -> Result<Option<String>, Error> {
    let of = &served.holder().of;
    let Some((language, id)) = of.language.zip(at) else {
        return Ok(None);
    };
    let behind = language.behind(&of.key, id).ok_or_else(|| {
        let what = format!(
            "the list of {} shows an id that no filter can hold",
            served.name()
        );
        let advice = "Correct `id:` and `ids:` under `record:` in the description";
        rest.http.error(ErrorKind::Protocol, what, advice).as_answer()
    })?;
    Ok(Some(behind))
}

/// One page of records, from a continuation on: of those that a query shows, or a part of what it cannot show at once.
pub(super) async fn page(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    given: &Given,
    at: Option<&str>,
) -> Result<Page, Error> {
    match asked.window {
        Some(parts) => window::page(rest, served, asked, parts, given, at).await,
        None => plain(rest, served, asked, given, at).await,
    }
}

/// One page as the ERP has it.
pub(super) async fn plain(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    given: &Given,
    at: Option<&str>,
) -> Result<Page, Error> {
    let (body, reply, target) = raw(rest, served, asked, given, at).await?;
    let rows = items(rest, served, asked.items, &body)?;
    let last = rows.iter().rev().find_map(|row| served.holder().id(row));
    if let (Some(Paging::Keyset(_)), None, false) = (asked.paging, &last, rows.is_empty()) {
        // Without one nobody knows where to go on, and this is no end.
        return Err(rest.stuck(served.name(), "a page shows no id"));
    }
    if is_nobodys(served, rows) {
        let (count, place) = (rows.len(), shape::id_place(served.holder()));
        let what = format!(
            "none of the {count} rows of a page of {} has an id at `{place}`",
            served.holder().name()
        );
        let advice = "Correct `id:` under `record:` in the description";
        return Err(rest.http.error(ErrorKind::Protocol, what, advice).as_answer());
    }
    let shown = paging::Shown {
        body: &body,
        headers: &reply.headers,
        rows: rows.len(),
        last: last.as_deref(),
    };
    let next = paging::next(asked.paging, at, &shown);
    let next = next.map(|next| paging::resolved(asked.paging, &next, &rest.root, &target));
    let (count, total) = (rows.len(), paging::total(asked.paging, &shown));
    let (mut observations, mut wholes) = (Vec::new(), Vec::new());
    if let Some(inside) = &served.of.inside {
        let shown = parts::of_page(rest, served, inside, rows, &reply).await?;
        (observations, wholes) = (shown.observations, shown.wholes);
    } else if served.of.list.partial == Some(true) {
        observations.extend(in_full(rest, served, rows).await?);
    } else {
        observations.extend(rest.observations(served, rows, &Sight::page(&reply)));
    }
    Ok(Page {
        observations,
        wholes,
        next,
        body,
        reply,
        last,
        rows: count,
        total,
    })
}

/// Whether rows are shown and none says whose it is: the id stands elsewhere, and that is no list without records.
fn is_nobodys(served: &Served, rows: &[Json]) -> bool {
    let holder = served.holder();
    let nameless = |row: &Json| holder.id(row).is_none() && !holder.is_id_unreadable(row);
    !rows.is_empty() && rows.iter().all(nameless)
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
    if let Some(inside) = &served.of.inside {
        return parts::fetch(rest, served, inside, ids).await;
    }
    let Some(read) = &served.of.read else {
        return Err(rest.undescribed(served, "read"));
    };
    let (asked, odd): (Vec<&String>, Vec<&String>) = ids.iter().partition(|id| served.may_be_id(id));
    let mut found: Vec<Observation> = Vec::new();
    let mut apart: Vec<&String> = asked;
    if let Some(many) = read
        .many
        .as_ref()
        .filter(|_| apart.len() > 1 || !read.proves_deletions())
    {
        let size = many.at_most.map_or(IDS, |most| most as usize).max(1);
        let longest = many.longest.filter(|_| many.call().takes("matches"));
        let packs = find::packed(&apart, size, longest, |id| id.len() + MEMBER);
        let packs: Vec<_> = packs
            .into_iter()
            .map(|pack| fetch_pack(rest, served, pack))
            .collect();
        found = stream::iter(packs).buffered(CONCURRENCY).try_concat().await?;
        let known: BTreeSet<String> = found.iter().map(|shown| shown.key.id.clone()).collect();
        apart.retain(|id| !known.contains(*id));
        // Only a read by its own id can say that a record is gone.
        if !read.proves_deletions() {
            let began = crate::http::clock::now();
            found.extend(apart.drain(..).map(|id| missing(rest.key(served, id), began)));
        }
    }
    found.extend(fetch_apart(rest, served, apart).await?);
    let began = crate::http::clock::now();
    found.extend(odd.into_iter().map(|id| missing(rest.key(served, id), began)));
    Ok(found)
}

/// Each by a read of its own; several reads may travel as one request.
async fn fetch_apart(rest: &Rest, served: &Served, ids: Vec<&String>) -> Result<Vec<Observation>, Error> {
    let batched = rest.description.batch.as_ref().and_then(|batch| batch.reads) == Some(true);
    let pack = Pack::of(rest, ids.len()).filter(|_| batched);
    let pack = pack.as_ref();
    let reads = ids.into_iter().map(|id| fetch_one(rest, pack, served, id));
    match pack {
        Some(pack) => pack.run(rest, reads).await.into_iter().collect(),
        None => {
            let reads: Vec<_> = reads.collect();
            stream::iter(reads).buffered(CONCURRENCY).try_collect().await
        }
    }
}

async fn fetch_pack(rest: &Rest, served: &Served, ids: &[&String]) -> Result<Vec<Observation>, Error> {
    let Some(many) = served.of.read.as_ref().and_then(|read| read.many.as_ref()) else {
        return Ok(Vec::new());
    };
    let texts: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    let matches = served
        .of
        .language
        .and_then(|language| language.keys(&served.of.key, &texts));
    let list: Vec<Json> = texts.iter().map(|id| Json::from(*id)).collect();
    let given = served.given().with("ids", list).maybe("matches", matches);
    let asked = Asked {
        call: many.call(),
        items: many.items.as_ref(),
        paging: many.paging.as_ref().map(|paging| &paging.value),
        operation: "read",
        window: None,
        from: Timestamp::UNIX_EPOCH,
    };
    let mut shown = Vec::new();
    find::follow(rest, served, &asked, &given, |rows| shown.extend(rows)).await?;
    shown.retain(|row| ids.iter().any(|id| **id == row.key.id));
    Ok(shown)
}

/// The request that reads one record.
pub(super) fn reading(rest: &Rest, served: &Served, id: &str) -> Result<Request, Error> {
    let Some(read) = &served.of.read else {
        return Err(rest.undescribed(served, "read"));
    };
    rest.request(read.call(), &served.named(id), &Otherwise(None))
}

/// The record as it stands in the reply to a read; none where nothing stands there.
pub(super) fn record<'j>(place: Option<&Place>, body: &'j Json) -> Option<&'j Json> {
    let whole = Place::Body(Vec::new());
    place
        .unwrap_or(&whole)
        .of(body)
        .filter(|record| record.is_object())
}

async fn fetch_one(
    rest: &Rest,
    pack: Option<&Pack>,
    served: &Served,
    id: &str,
) -> Result<Observation, Error> {
    let request = reading(rest, served, id)?.reading();
    let errand = Errand::reading(served.name(), "read");
    let sent = match pack {
        Some(pack) => pack.send(request, errand).await,
        None => rest.send(request, errand).await,
    };
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
    let empty = read
        .and_then(|read| read.empty)
        .filter(|_| record(place, &body).is_none());
    match shown {
        None if empty == Some(Empty::Deleted) => Ok(Observation {
            presence: Presence::Deleted,
            ..absent
        }),
        None if empty.is_some() => Ok(absent),
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
    if !is_named(rest, served, proof, &absent.key.id).await? {
        return Ok(absent);
    }
    // An ERP that names what never was does not look at the question.
    if is_named(rest, served, proof, served.nobody()).await? {
        let what = format!(
            "`gone_if` of {} names a record that never was as deleted",
            served.name()
        );
        let advice = "Correct its request: the ERP does not heed what it asks for";
        return Err(rest.http.error(ErrorKind::Protocol, what, advice).as_answer());
    }
    Ok(Observation {
        presence: Presence::Deleted,
        ..absent
    })
}

/// Whether the ERP names a record among what was deleted. Who may not ask has no proof.
async fn is_named(rest: &Rest, served: &Served, proof: &GoneText, id: &str) -> Result<bool, Error> {
    let request = rest.request(proof.call(), &served.named(id), &Otherwise(None))?;
    let errand = Errand::reading(served.name(), "read");
    let sent = rest.send(request.reading(), errand).await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    match answer.means {
        None => {}
        Some(Means::Forbidden | Means::Gone) => return Ok(false),
        Some(_) => return Err(answer.error(&rest.http, &reply)),
    }
    let body = reply.json();
    Ok(!items(rest, served, proof.items.as_ref(), &body)?.is_empty())
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
