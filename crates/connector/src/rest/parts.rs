//! Records that stand inside others: read with the record around them, found by `HOLDER/ID`.
//!
//! Invariant: what its holder does not show is gone only where the holder was read and showed its list.

mod write;

pub(super) use write::carry_out;

use super::ask::Errand;
use super::description::errors::Means;
use super::description::inside::{AROUND, Inside};
use super::description::place::Place;
use super::description::place::plain;
use super::read;
use super::served::{Served, Sight};
use super::{CONCURRENCY, Rest};
use crate::http::{Failure, Reply};
use crate::shown::missing;
use crate::{Complete, Error};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, Presence, RecordType};
use tandem_merge::value::Value;

/// The id of a record inside another one: the holder's, without strokes, a stroke, and its own.
pub(super) fn id(holder: &str, own: &str) -> String {
    let holder = holder.replace('%', "%25").replace('/', "%2F");
    format!("{holder}/{own}")
}

/// Both ids that an id names.
fn apart(id: &str) -> Option<(String, &str)> {
    let (holder, own) = id.split_once('/')?;
    Some((holder.replace("%2F", "/").replace("%25", "%"), own))
}

/// Every live record of a holder stands in this range of ids: the sign behind a stroke is `0`.
pub(super) fn within(rest: &Rest, served: &Served, holder: &str) -> Complete {
    let id = id(holder, "");
    let end = format!("{}0", id.trim_end_matches('/'));
    Complete {
        record_type: RecordType::new(&rest.config.name, served.name()),
        after: Some(id),
        to: Some(end),
    }
}

/// The records that stand in a holder, each with what stands around it; none where it does not show its list.
pub(super) fn entries(inside: &Inside, holder: &Json) -> Option<Vec<Json>> {
    if goes_on_elsewhere(&inside.at, holder) {
        return None;
    }
    let list = match inside.at.of(holder)? {
        Json::Null => return Some(Vec::new()),
        Json::Array(list) => list.clone(),
        _ => return None,
    };
    let mut around = holder.clone();
    inside.at.put(&mut around, Json::Null);
    let whole = list.into_iter().map(|mut entry| {
        if let Json::Object(members) = &mut entry {
            members.insert(AROUND.to_owned(), around.clone());
        }
        entry
    });
    Some(whole.collect())
}

/// Whether a list that stands in a record is a part of it, with the address of the rest beside it (OData has such).
fn goes_on_elsewhere(at: &Place, holder: &Json) -> bool {
    let Place::Body(steps) = at else {
        return false;
    };
    let Some((name, before)) = steps.split_last() else {
        return false;
    };
    let beside = Place::Body(before.to_vec());
    let Some(beside) = beside.of(holder) else {
        return false;
    };
    let next = [format!("{name}@odata.nextLink"), "__next".to_owned()];
    next.iter()
        .any(|name| beside.get(name).is_some_and(|link| !link.is_null()))
}

/// What holders show of the records inside them.
pub(super) struct Parts {
    pub(super) observations: Vec<Observation>,
    /// Whose records are shown one and all.
    pub(super) wholes: Vec<Complete>,
}

/// The records inside holders that stand on a page; holders of which a list shows a part alone are read by their ids.
pub(super) async fn of_page(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    rows: &[Json],
    reply: &Reply,
) -> Result<Parts, Error> {
    let holder = served.holder();
    let mut parts = Parts {
        observations: Vec::new(),
        wholes: Vec::new(),
    };
    if inside.holder.list.partial == Some(true) {
        let ids: Vec<String> = rows.iter().filter_map(|row| holder.id(row)).collect();
        let reads: Vec<_> = ids.iter().map(|id| read_holder(rest, served, id)).collect();
        let read: Vec<Held> = stream::iter(reads).buffered(CONCURRENCY).try_collect().await?;
        for (id, held) in ids.iter().zip(read) {
            if let Held::Shown(item, reply) = held {
                take(rest, served, inside, (id, &item), &Sight::own(&reply), &mut parts);
            }
        }
        return Ok(parts);
    }
    for row in rows {
        if let Some(id) = holder.id(row) {
            take(rest, served, inside, (&id, row), &Sight::page(reply), &mut parts);
        }
    }
    Ok(parts)
}

fn take(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    (id, item): (&str, &Json),
    sight: &Sight<'_>,
    parts: &mut Parts,
) {
    let dead = served.holder().is_dead(item);
    let entries = if dead {
        Some(Vec::new())
    } else {
        entries(inside, item)
    };
    if entries.is_none() && goes_on_elsewhere(&inside.at, item) {
        let system = rest.http.system();
        tracing::warn!(
            system,
            "{system}: a {} shows only a part of what stands at `{}`, and nothing of that is read",
            inside.holder.name,
            inside.at
        );
    }
    if let Some(entries) = entries {
        let shown = rest.observations(served, &entries, sight);
        // One that nobody can name may be any of them.
        if shown.len() == entries.len() {
            parts.wholes.push(within(rest, served, id));
        }
        parts.observations.extend(shown);
    }
}

/// What a read of a holder showed.
enum Held {
    Shown(Box<Json>, Box<Reply>),
    Deleted,
    Missing,
}

async fn read_holder(rest: &Rest, served: &Served, id: &str) -> Result<Held, Error> {
    let holder = served.holder();
    if !holder.may_be_id(id) {
        return Ok(Held::Missing);
    }
    let request = read::reading(rest, holder, id)?.reading();
    let sent = rest.send(request, Errand::reading(holder.name(), "read")).await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    if holder.says_deleted(reply.status, answer.means) {
        return Ok(Held::Deleted);
    }
    match answer.means {
        None => {}
        Some(Means::Gone) => return Ok(Held::Missing),
        Some(_) => return Err(answer.error(&rest.http, &reply)),
    }
    let body = reply.json();
    let place = holder.of.read.as_ref().and_then(|read| read.record.as_ref());
    let item = read::record(place, &body).filter(|item| holder.id(item).as_deref() == Some(id));
    Ok(match item {
        Some(item) if holder.is_dead(item) => Held::Deleted,
        Some(item) => Held::Shown(Box::new(item.clone()), Box::new(reply)),
        None => Held::Missing,
    })
}

/// Reads records inside others by their ids: one read for each holder. Every one is answered.
pub(super) async fn fetch(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    ids: &[String],
) -> Result<Vec<Observation>, Error> {
    let mut holders: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    let (began, mut found) = (crate::http::clock::now(), Vec::new());
    for id in ids {
        match apart(id) {
            Some((holder, _)) => holders.entry(holder).or_default().push(id),
            None => found.push(missing(rest.key(served, id), began)),
        }
    }
    let reads: Vec<_> = holders
        .iter()
        .map(|(holder, ids)| fetch_of(rest, served, inside, holder, ids))
        .collect();
    found.extend(stream::iter(reads).buffered(CONCURRENCY).try_concat().await?);
    Ok(found)
}

async fn fetch_of(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    holder: &str,
    ids: &[&String],
) -> Result<Vec<Observation>, Error> {
    let began = crate::http::clock::now();
    let held = read_holder(rest, served, holder).await?;
    let (shown, absent) = match &held {
        Held::Missing => (Vec::new(), Presence::Missing),
        Held::Deleted => (Vec::new(), Presence::Deleted),
        Held::Shown(item, reply) => match entries(inside, item) {
            Some(entries) => {
                let shown = rest.observations(served, &entries, &Sight::own(reply));
                let all = shown.len() == entries.len();
                (shown, if all { Presence::Deleted } else { Presence::Missing })
            }
            None => (Vec::new(), Presence::Missing),
        },
    };
    let answer = |id: &&String| {
        let of = shown.iter().find(|shown| shown.key.id == **id).cloned();
        of.unwrap_or_else(|| Observation {
            presence: absent,
            ..missing(rest.key(served, id), began)
        })
    };
    Ok(ids.iter().map(answer).collect())
}

/// Records inside others by value: by the holder where that is among what is looked for, else all are looked through.
pub(super) async fn find(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    properties: &[String],
    values: &[Vec<Value>],
) -> Result<Option<Vec<Observation>>, Error> {
    let Some(index) = properties.iter().position(|name| served.names_holder(name)) else {
        return Ok(None);
    };
    let named = values.iter().filter_map(|key| key.get(index));
    let named = named.filter(|value| !value.is_blank()).map(ToString::to_string);
    let holders: BTreeSet<String> = named.collect();
    let reads: Vec<_> = holders.iter().map(|id| read_holder(rest, served, id)).collect();
    let held: Vec<Held> = stream::iter(reads).buffered(CONCURRENCY).try_collect().await?;
    let mut found = Vec::new();
    for one in held {
        if let Held::Shown(item, reply) = one {
            let entries = entries(inside, &item).unwrap_or_default();
            found.extend(rest.observations(served, &entries, &Sight::own(&reply)));
        }
    }
    Ok(Some(found))
}

/// The id that a record inside another one shows.
pub(super) fn shown_id(served: &Served, inside: &Inside, item: &Json) -> Option<String> {
    let holder = served.holder().id(item.get(AROUND)?)?;
    Some(id(&holder, &plain(inside.id.of(item)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_holder_and_entry_whatever_signs_they_have() {
        for (holder, own) in [("5", "1"), ("A/7", "1/2"), ("50%", "x"), ("%2F", "y")] {
            let whole = id(holder, own);
            assert_eq!(apart(&whole), Some((holder.to_owned(), own)), "{whole}");
        }
        assert_eq!(apart("5"), None);
    }
}
