//! Listing: pages of records, each as the ERP has it.

mod by_id;
mod find;

pub(super) use by_id::{fetch, reading, record};
pub(super) use find::{find, fitting_nobody};

use super::ask::{Errand, Given, Otherwise};
use super::description::operations::{ListText, WindowText};
use super::description::pages::Paging;
use super::description::place::Place;
use super::description::requests::Call;
use super::served::{Served, Sight};
use super::{Rest, paging, parts, shape, window};
use crate::http::Reply;
use crate::{Complete, Error, ErrorKind};
use jiff::Timestamp;
use serde_json::Value as Json;
use tandem_merge::record::{Observation, Presence, RecordKey};

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
