//! Changes of an org: rows by `(SystemModstamp, Id)` from where the last complete round began, less the
//! overlap, because rows become visible late.
//!
//! Types that are expected to show little share a call, five of them; a type with more goes on alone. Deleted
//! rows come with the others, out of the recycle bin; those that left it are told by getDeleted, in the same call.

use super::Salesforce;
use super::composite::{self, Part, QUERIES, Subrequest};
use super::read::{self, PAGE};
use super::record::Reading;
use super::schema::Object;
use super::{form, refusal, soql};
use crate::http::Reply;
use crate::http::json::{flag, text};
use crate::{ChangePage, Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_merge::record::{Observation, RecordType};
use url::form_urlencoded::byte_serialize;

/// Rows of each type that shares a call.
const SHARE: usize = PAGE / QUERIES;
/// getDeleted ignores seconds and wants at least a minute.
const DELETED_STEP: SignedDuration = SignedDuration::from_secs(60);
/// getDeleted reaches 15 days back, and refuses what lies before.
const DELETED_REACH: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How wrong our clock may be where an org does not tell the time.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_mins(10);

/// How far the changes were seen. What cannot be read begins anew: that costs calls, never data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// By record type.
    types: BTreeMap<String, Seen>,
    /// A round is running.
    round: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// When the last complete round of the type began, by the org's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// Deletions are known until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    covered: Option<Timestamp>,
    /// When the running round of the type began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Timestamp>,
    /// The last row of the running round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<(Timestamp, String)>,
    /// The type was read to its end in the running round.
    #[serde(default)]
    done: bool,
}

impl Seen {
    /// The statement of the next page, and whether it looks at deleted rows too.
    fn statement(&self, object: &Object, overlap: SignedDuration, limit: usize) -> (String, bool) {
        let from = self
            .since
            .map(|since| since.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH));
        let condition = match (&self.after, from) {
            (Some((stamp, id)), _) => {
                let id = soql::quoted(id);
                format!(" WHERE (SystemModstamp > {stamp:.0} OR (SystemModstamp = {stamp:.0} AND Id > {id}))")
            }
            (None, Some(from)) => format!(" WHERE SystemModstamp >= {from:.0}"),
            (None, None) => String::new(),
        };
        let statement = format!(
            "{}{condition} ORDER BY SystemModstamp, Id LIMIT {limit}",
            object.select()
        );
        // A first load needs no tombstones: nothing of theirs was ever known.
        (statement, object.soft_deletion && self.since.is_some())
    }

    /// The span of deletions to ask for, where it is time to.
    fn deletions(&self, object: &Object, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let covered = self
            .covered
            .filter(|_| object.replicateable && self.after.is_none())?;
        let earliest = now.checked_sub(DELETED_REACH).ok()?;
        let start = covered.checked_sub(DELETED_STEP).ok()?.max(earliest);
        (now.duration_since(covered) >= DELETED_STEP).then_some((start, now))
    }

    fn advance(&mut self, began: Timestamp, last: Option<(Timestamp, String)>, end: bool) {
        let began = *self.began.get_or_insert(began);
        if end {
            self.since = Some(began);
            self.covered.get_or_insert(began);
            self.began = None;
            self.after = None;
            self.done = true;
        } else if last.is_some() {
            self.after = last;
        }
    }
}

/// One type's part of a call.
struct Asked {
    object: Arc<Object>,
    limit: usize,
    deletions: bool,
}

/// The next page.
pub(super) async fn page(
    org: &Salesforce,
    types: &[RecordType],
    cursor: Option<&[u8]>,
) -> Result<ChangePage, Error> {
    let mut cursor: Cursor = cursor
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default();
    if !cursor.round {
        cursor.round = true;
        cursor.types.values_mut().for_each(|seen| seen.done = false);
    }
    for record_type in types {
        cursor.types.entry(record_type.name.clone()).or_default();
    }
    let open: Vec<&str> = types
        .iter()
        .map(|record_type| record_type.name.as_str())
        .filter(|name| !cursor.types[*name].done)
        .collect();
    let mut page = ChangePage::default();
    if !open.is_empty() {
        page.observations = call(org, &mut cursor, &open).await?;
    }
    page.more = open.iter().any(|name| !cursor.types[*name].done);
    cursor.round = page.more;
    page.cursor = serde_json::to_vec(&cursor).unwrap_or_default();
    Ok(page)
}

/// Which types the next call asks: those not begun together, then the long ones one by one.
fn choose<'a>(cursor: &Cursor, open: &[&'a str]) -> Vec<&'a str> {
    let fresh = |name: &&&str| cursor.types[**name].after.is_none();
    let together: Vec<&str> = open.iter().filter(fresh).take(QUERIES).copied().collect();
    if together.is_empty() {
        open.iter().take(1).copied().collect()
    } else {
        together
    }
}

async fn call(org: &Salesforce, cursor: &mut Cursor, open: &[&str]) -> Result<Vec<Observation>, Error> {
    // Signing in shows the org's clock, before the first query needs it.
    org.session.token(None).await?;
    let now = org.now();
    let chosen = choose(cursor, open);
    let limit = if chosen.len() == 1 { PAGE } else { SHARE };
    let (mut asked, mut queries, mut deletions) = (Vec::new(), Vec::new(), Vec::new());
    for name in &chosen {
        let object = org.object(name).await?;
        let seen = &cursor.types[*name];
        let (statement, deleted) = seen.statement(&object, org.overlap(), limit);
        queries.push(Subrequest::new(
            "GET",
            soql::address(&org.session, &statement, deleted),
        ));
        let span = seen.deletions(&object, now);
        asked.push(Asked {
            deletions: span.is_some(),
            object: Arc::clone(&object),
            limit,
        });
        deletions.extend(span.map(|span| deleted_between(org, &object, span)));
    }
    queries.extend(deletions);
    let (parts, reply) = composite::read(&org.session, queries).await?;
    let began = reply.reached.unwrap_or(now).min(now);
    let (queried, deleted) = parts.split_at(asked.len());
    let mut deleted = deleted.iter();
    let mut observations = Vec::new();
    for ((asked, name), part) in asked.iter().zip(&chosen).zip(queried) {
        let seen = cursor.types.entry((*name).to_owned()).or_default();
        let mut shown = take_rows(org, seen, asked, part, &reply, began).await?;
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

async fn take_rows(
    org: &Salesforce,
    seen: &mut Seen,
    asked: &Asked,
    part: &Part,
    reply: &Reply,
    began: Timestamp,
) -> Result<Vec<Observation>, Error> {
    if !part.is_success() {
        return Err(refusal::of_said(&org.session.http, &part.said()));
    }
    let shown = read::rows(org, &asked.object, &part.body, reply).await?;
    let last = shown.last().and_then(|last| {
        let version = last.version.as_ref()?;
        Some((version.modified, last.key.id.clone()))
    });
    // A page may be cut short by the org; only its own word ends the type.
    let end = shown.is_empty() || (shown.len() < asked.limit && flag(&part.body, "done"));
    seen.advance(began, last, end);
    Ok(shown)
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
        protection: &super::record::Protection::default(),
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

impl Salesforce {
    /// A moment that the org's clock has surely reached.
    fn now(&self) -> Timestamp {
        let fallback = || {
            Timestamp::now()
                .checked_sub(CLOCK_ERROR)
                .unwrap_or(Timestamp::UNIX_EPOCH)
        };
        self.session.http.reached().unwrap_or_else(fallback)
    }

    /// A request may take effect as late as its deadline, so no less than that is read again.
    fn overlap(&self) -> SignedDuration {
        self.config.overlap.max(self.config.request_deadline)
    }
}
