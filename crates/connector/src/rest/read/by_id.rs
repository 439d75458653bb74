//! Reading records by their ids, several at once where the ERP can: every one is answered.

use super::super::ask::{Errand, Otherwise};
use super::super::batch::Pack;
use super::super::description::errors::Means;
use super::super::description::operations::{Empty, GoneText};
use super::super::description::place::Place;
use super::super::served::{Served, Sight};
use super::super::{CONCURRENCY, Rest, parts};
use super::{Asked, find, items};
use crate::http::{Failure, Request};
use crate::shown::missing;
use crate::{Error, ErrorKind};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use tandem_merge::record::{Observation, Presence};

/// So many ids in one call where nothing is said.
const IDS: usize = 100;
/// About so many characters of a filter stand beside each id.
const MEMBER: usize = 30;

/// Reads records by id: every one is answered.
pub(in super::super) async fn fetch(
    rest: &Rest,
    served: &Served,
    ids: &[String],
) -> Result<Vec<Observation>, Error> {
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
pub(in super::super) fn reading(rest: &Rest, served: &Served, id: &str) -> Result<Request, Error> {
    let Some(read) = &served.of.read else {
        return Err(rest.undescribed(served, "read"));
    };
    rest.request(read.call(), &served.named(id), &Otherwise(None))
}

/// The record as it stands in the reply to a read; none where nothing stands there.
pub(in super::super) fn record<'j>(place: Option<&Place>, body: &'j Json) -> Option<&'j Json> {
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
