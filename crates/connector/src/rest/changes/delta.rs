//! Changes by links: a full listing ends with a link, which shows what changed since, and ends with the next such link.
//!
//! Invariant: nothing is lost in silence. A link that is refused, or that shows what was shown before, is followed by a listing of
//! all records, and what is absent from it is looked for by its id.

use super::super::Rest;
use super::super::ask::{Errand, Otherwise};
use super::super::description::errors::Means;
use super::super::description::operations::{DeltaText, ListText};
use super::super::description::place::plain;
use super::super::read::{self, Asked};
use super::super::served::{Served, Sight};
use super::super::{form, paging};
use super::Rows;
use super::cursor::Seen;
use super::moment::as_of;
use crate::http::{Failure, Reply};
use crate::shown::missing;
use crate::{Error, ErrorKind};
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use tandem_merge::record::{Observation, Presence, RecordType};

/// The next page: of the full listing, or of what a link shows.
pub(super) async fn read(
    rest: &Rest,
    served: &Served,
    of: &RecordType,
    (changes, delta): (&ListText, &DeltaText),
    seen: &mut Seen,
) -> Result<Rows, Error> {
    let asked = Asked::list(changes, "changes");
    let name = format!("changes {}", served.name());
    let begins = seen.page.is_none();
    let at = seen.page.clone().or_else(|| seen.delta.clone());
    if begins {
        rest.listings.begin(&name);
    }
    if begins && at.is_none() && seen.began_last.is_some() {
        // Something was known before, and nothing says what went since.
        seen.lost = true;
    }
    let Some((body, reply, target)) = ask(rest, served, &asked, at.as_deref(), seen).await? else {
        return Ok(Rows::default());
    };
    let as_of = as_of(rest, served, &body, &reply)?;
    let items = read::items(rest, served, asked.items, &body)?;
    let rows = shown(rest, served, delta, items, &reply, seen.delta.is_some());
    let page = paging::Shown {
        body: &body,
        headers: &reply.headers,
        rows: items.len(),
        last: None,
    };
    let resolved = |link: String| paging::resolved(asked.paging, &link, &rest.root, &target);
    let next = paging::next(asked.paging, at.as_deref(), &page).map(resolved);
    let stuck = rest
        .listings
        .page(&name, &rows.observations, at.as_deref(), next.as_deref());
    stuck.map_err(|what| rest.stuck(served.name(), &what))?;
    if begins && seen.delta.is_some() && seen.shows_again(&rows.observations) {
        let (system, name) = (rest.http.system(), served.name());
        tracing::warn!(
            system,
            "{system}: the link for changes of {name} shows again what it showed before: all records are compared"
        );
        seen.lost = true;
    }
    seen.mark(&rows.observations, begins && seen.delta.is_none());
    let link = delta.link.text(&body, &reply.headers).map(resolved);
    if next.is_none() && link.is_none() {
        let what = format!(
            "the changes of {} end without a link for the next time at `{}`",
            served.name(),
            delta.link
        );
        let advice = "Correct `delta:` in the description, or ask for changes by their time";
        return Err(rest.http.error(ErrorKind::Protocol, what, advice).as_answer());
    }
    let first = seen.began_last.is_none();
    seen.advance_link(as_of, next, link);
    if seen.done {
        rest.listings.done(of);
        if first {
            seen.compared = Some(crate::http::clock::now());
        }
    }
    Ok(rows)
}

/// Asks for the page; none where the link was refused, so that all is to be read anew.
async fn ask(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    at: Option<&str>,
    seen: &mut Seen,
) -> Result<Option<(Json, Reply, String)>, Error> {
    let mut request = rest.request(asked.call, &served.given(), &Otherwise(None))?;
    if let Some(at) = at {
        request.target = at.to_owned();
    }
    let target = request.target.clone();
    let errand = Errand::reading(served.name(), asked.operation);
    let sent = rest.send(request.reading(), errand).await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    match answer.means {
        None => {}
        Some(means) if at.is_some() && seen.delta.is_some() && is_refused(means) => {
            let (system, name) = (rest.http.system(), served.name());
            tracing::warn!(
                system,
                "{system}: the link for changes of {name} is refused ({}): all records are read anew and compared",
                reply.status
            );
            seen.lose_link();
            return Ok(None);
        }
        Some(_) => return Err(answer.error(&rest.http, &reply)),
    }
    match reply.json() {
        Json::Null => Err(rest.http.protocol("a reply is not JSON")),
        body => Ok(Some((body, reply, target))),
    }
}

/// Whether an answer speaks of the link itself, and not of who asks, or when.
pub(in super::super) fn is_refused(means: Means) -> bool {
    matches!(
        means,
        Means::Gone | Means::Expired | Means::Invalid | Means::Stale
    )
}

/// What the entries of a page show.
fn shown(
    rest: &Rest,
    served: &Served,
    delta: &DeltaText,
    items: &[Json],
    reply: &Reply,
    in_part: bool,
) -> Rows {
    let (mut rows, none) = (Rows::default(), HeaderMap::new());
    for item in items {
        if let Some(removed) = removal(delta, item) {
            let id = served.id(item).or_else(|| {
                let places = delta.address.iter().flatten();
                let mut addresses = places.filter_map(|place| place.text(item, &none));
                addresses.find_map(|address| served.id_of(&address))
            });
            match id.map(|id| rest.key(served, &id)) {
                Some(key) if removed => rows.observations.push(Observation {
                    presence: Presence::Deleted,
                    ..missing(key, reply.began)
                }),
                // It is not among these any more: that it is deleted nobody says.
                Some(key) => rows.hints.push(key),
                None => {
                    let (system, name) = (rest.http.system(), served.name());
                    tracing::warn!(system, "{system}: a {name} that was removed is not named");
                    rows.unnamed = true;
                }
            }
            continue;
        }
        let Some(row) = rest.observation(served, item, &Sight::page(reply)) else {
            continue;
        };
        // An entry may show what changed alone: the record is read as a whole then.
        let partial = row.unreadable.values().any(|why| why == form::NOT_SHOWN);
        match in_part && partial {
            true => rows.hints.push(row.key),
            false => rows.observations.push(row),
        }
    }
    rows
}

/// Whether an entry is a record that was removed, and if so, whether it was deleted.
fn removal(delta: &DeltaText, item: &Json) -> Option<bool> {
    let sign = delta.removed.iter().flatten().find(|sign| {
        let here = sign.at.of(item);
        match &sign.contains {
            Some(text) => here.and_then(plain).is_some_and(|here| here.contains(text)),
            None => here.is_some_and(|here| !here.is_null()),
        }
    })?;
    let reason = sign.reason.as_ref().and_then(|place| plain(place.of(item)?));
    let deleted = match (&delta.deleted, reason) {
        (Some(reasons), Some(reason)) => reasons.contains(&reason),
        _ => true,
    };
    Some(deleted)
}
