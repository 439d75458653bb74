//! Asking for changes: rows by `(SystemModstamp, Id)` from where the last complete round began, less the
//! overlap, because rows become visible late.
//!
//! Five types share a call, each with a page of its own. Deleted rows come with the others, out of the recycle bin;
//! those that left it are told by getDeleted, in the same call.

use super::super::Salesforce;
use super::super::composite::{self, Part, QUERIES, Subrequest};
use super::super::read::{self, PAGE};
use super::super::record::{Protection, Reading};
use super::super::schema::Object;
use super::super::{form, refusal, soql};
use super::cursor::{Cursor, Seen};
use crate::http::Reply;
use crate::http::json::{flag, text};
use crate::{Error, ErrorKind, Incomplete};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tandem_merge::record::{Observation, RecordType};
use url::form_urlencoded::byte_serialize;

/// Rows beyond which no statement asks, whatever is read in pages.
const MANY: u64 = 40_000;

/// One type's part of a call.
struct Asked {
    object: Arc<Object>,
    deletions: bool,
}

/// Which types the next call asks: those not begun first, and of these the ones with the most rows, so that their
/// second pages share the calls of the others' first.
fn choose<'a>(org: &Salesforce, cursor: &Cursor, open: &[&'a str]) -> Vec<&'a str> {
    let in_pages = open.iter().filter(|name| cursor.types[**name].large.is_none());
    let (begun, mut fresh): (Vec<&str>, Vec<&str>) =
        in_pages.partition(|name| cursor.types[**name].after.is_some());
    fresh.sort_by_cached_key(|name| std::cmp::Reverse(org.watching.expects(name)));
    fresh.into_iter().chain(begun).take(QUERIES).collect()
}

/// Rows that a statement asks for: as many as pages are fit for, so that the org's total tells whether they are more.
fn limit(org: &Salesforce) -> u64 {
    let many = org.query_above().min(MANY);
    many + PAGE as u64 + 1
}

/// The next pages of the types that are not done.
pub(super) async fn call(
    org: &Salesforce,
    cursor: &mut Cursor,
    open: &[&str],
    incomplete: &mut Vec<Incomplete>,
) -> Result<Vec<Observation>, Error> {
    // Signing in shows the org's clock, before the first query needs it.
    org.session.token(None).await?;
    let now = org.now();
    let chosen = choose(org, cursor, open);
    let (mut asked, mut queries, mut deletions) = (Vec::new(), Vec::new(), Vec::new());
    for name in &chosen {
        let object = org.object(name).await?;
        let seen = &cursor.types[*name];
        let (statement, deleted) = seen.statement(&object, org.overlap(), limit(org));
        queries.push(Subrequest::new(
            "GET",
            soql::address(&org.session, &statement, deleted),
        ));
        let span = seen.deletions(&object, now);
        asked.push(Asked {
            deletions: span.is_some(),
            object: Arc::clone(&object),
        });
        deletions.extend(span.map(|span| deleted_between(org, &object, span)));
    }
    queries.extend(deletions);
    let (parts, reply) = composite::read(&org.session, queries).await?;
    let began = reply.reached.unwrap_or(now).min(now);
    let (queried, deleted) = parts.split_at(asked.len());
    let mut deleted = deleted.iter();
    let mut observations = Vec::new();
    let failed = queried.iter().filter(|part| !part.is_success()).count();
    for ((asked, name), part) in asked.iter().zip(&chosen).zip(queried) {
        let seen = cursor.types.entry((*name).to_owned()).or_default();
        let (mut shown, trouble) = match take_rows(org, seen, asked, part, &reply, began).await {
            Ok(shown) => shown,
            // One type alone is passed over; where nothing else is answered either, the org is in trouble.
            Err(error) if failed < queried.len() && !is_general(&error) => (Vec::new(), Some(error)),
            Err(error) => return Err(error),
        };
        if let Some(error) = trouble {
            seen.give_up();
            let of = RecordType::new(&org.config.name, *name);
            incomplete.push(org.listings.rest(&of, error));
        }
        if asked.deletions
            && let Some(part) = deleted.next()
        {
            let tombs = take_deletions(org, seen, asked, part, &reply, &shown)?;
            shown.extend(tombs);
        }
        observations.append(&mut shown);
    }
    Ok(observations)
}

/// Troubles that are none of one type: how we stand there, or a description that must be looked at again.
fn is_general(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::SignIn | ErrorKind::Refused | ErrorKind::Missing
    )
}

/// The rows of a page, and why the listing does not get on, where it does not.
async fn take_rows(
    org: &Salesforce,
    seen: &mut Seen,
    asked: &Asked,
    part: &Part,
    reply: &Reply,
    began: Timestamp,
) -> Result<(Vec<Observation>, Option<Error>), Error> {
    if !part.is_success() {
        return Err(refusal::of_said(&org.session.http, &part.said()));
    }
    let shown = read::rows(org, &asked.object, &part.body, reply).await?;
    let last = shown.iter().rev().find_map(|last| {
        let version = last.version.as_ref()?;
        Some((version.modified, last.key.id.clone()))
    });
    // More than a page was asked for: where there are more rows, or the org cuts a page short, it says so.
    let whole = flag(&part.body, "done") && (shown.len() as u64) < limit(org);
    let end = shown.is_empty() || whole;
    let total = part.body.get("totalSize").and_then(Json::as_u64);
    seen.left = total.map_or(u64::MAX, |total| total.saturating_sub(shown.len() as u64));
    let name = &asked.object.name;
    if seen.after.is_none() {
        org.listings.begin(name);
    }
    // Pages go on behind their last row: that is the continuation.
    let token = |at: &Option<(Timestamp, String)>| at.as_ref().map(|(stamp, id)| format!("{stamp} {id}"));
    let (from, next) = (token(&seen.after), token(&last).filter(|_| !end));
    let stuck = org.listings.page(name, &shown, from.as_deref(), next.as_deref());
    let stuck = stuck.err().or_else(|| {
        let back = match (&seen.after, &last) {
            (_, None) => true,
            (Some(before), Some(last)) => last == before || last.0 < before.0,
            (None, Some(_)) => false,
        };
        (back && !end).then(|| "a page does not go on behind the one before".to_owned())
    });
    if let Some(what) = stuck {
        return Ok((shown, Some(org.stuck(name, &what))));
    }
    seen.advance(began, last, end);
    if seen.done {
        org.listings.done(&RecordType::new(&org.config.name, name));
    }
    Ok((shown, None))
}

/// The tombstones that the rows of this page do not show already.
fn take_deletions(
    org: &Salesforce,
    seen: &mut Seen,
    asked: &Asked,
    part: &Part,
    reply: &Reply,
    shown: &[Observation],
) -> Result<Vec<Observation>, Error> {
    if !part.is_success() {
        let error = refusal::of_said(&org.session.http, &part.said());
        if error.kind == ErrorKind::Down {
            return Err(error);
        }
        // The recycle bin shows deletions still; what left it before we looked is found by a full comparison.
        tracing::warn!(
            system = error.system,
            "{}: deletions of {} are not told",
            error.system,
            asked.object.name
        );
        seen.covered = seen.began.or(seen.since);
        return Ok(Vec::new());
    }
    let reading = Reading {
        system: &org.config.name,
        object: &asked.object,
        protection: &Protection::default(),
        reply,
    };
    let known: BTreeSet<&str> = shown.iter().map(|shown| shown.key.id.as_str()).collect();
    let records = part.body.get("deletedRecords").and_then(Json::as_array);
    let tombs = records
        .into_iter()
        .flatten()
        .filter_map(|record| reading.tombstone(record))
        .filter(|tomb| !known.contains(tomb.key.id.as_str()));
    if let Some(covered) = text(&part.body, "latestDateCovered").and_then(form::moment) {
        seen.covered = Some(covered);
    }
    Ok(tombs.collect())
}

fn deleted_between(org: &Salesforce, object: &Object, (start, end): (Timestamp, Timestamp)) -> Subrequest {
    let resource = format!("/sobjects/{}/deleted/?start=", object.schema.object);
    let mut address = org.session.path(&resource);
    address.extend(byte_serialize(format!("{start:.0}").as_bytes()));
    address.push_str("&end=");
    address.extend(byte_serialize(format!("{end:.0}").as_bytes()));
    Subrequest::new("GET", address)
}
