//! Writes to an org: creates 200 to a call, conditional updates and deletes 25 to a call.

use super::composite::{self, SUBREQUESTS, Subrequest};
use super::refusal::{self, Said};
use super::{Salesforce, derived, form, licence};
use crate::http::{Failure, Reply, Request, clock, json};
use crate::{Change, Error, Outcome, Write};
use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use tandem_merge::record::{RecordType, Values, Version};

/// The most records of a collection.
const COLLECTION: usize = 200;

/// How writes travel. Writes of one kind (and, except conditional ones, of one object) share a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// Inserts, as a collection.
    Create,
    /// Single rows with a condition each, as a composite.
    Conditional,
    /// Updates without a condition, as a collection.
    Update,
    /// Deletes without a condition, as a collection.
    Delete,
}

/// One write, ready to travel.
pub(super) struct Prepared<'a> {
    /// Its place in the batch.
    pub(super) place: usize,
    way: Way,
    object: String,
    pub(super) write: &'a Write,
    condition: Option<&'a Version>,
}

type Pack<'p, 'a> = &'p [Prepared<'a>];

/// Carries out a batch.
pub(super) async fn carry_out(org: &Salesforce, batch: &[Write]) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = batch.iter().map(|_| None).collect();
    let mut ways: BTreeMap<(Way, String), Vec<Prepared<'_>>> = BTreeMap::new();
    let (batch, unresolved) = derived::resolve(org, batch).await;
    for (place, write) in batch.iter().enumerate() {
        if let Some(outcome) = unresolved.get(&place) {
            outcomes[place] = Some(outcome.clone());
            continue;
        }
        match prepare(org, place, write).await {
            Ok(prepared) => {
                let apart = prepared.way != Way::Conditional;
                let object = if apart {
                    prepared.object.clone()
                } else {
                    String::new()
                };
                ways.entry((prepared.way, object)).or_default().push(prepared);
            }
            Err(error) => outcomes[place] = Some(Outcome::NotSent(error)),
        }
    }
    if let Some(users) = ways.get_mut(&(Way::Create, "User".to_owned())) {
        for (place, outcome) in licence::hold_back(org, users).await {
            outcomes[place] = Some(outcome);
        }
    }
    let packs: Vec<_> = ways
        .iter()
        .flat_map(|((way, _), writes)| {
            let size = if *way == Way::Conditional {
                SUBREQUESTS
            } else {
                COLLECTION
            };
            writes.chunks(size)
        })
        .map(|pack| deliver(org, pack))
        .collect();
    let mut delivered = stream::iter(packs).buffer_unordered(super::CONCURRENCY);
    while let Some(pack) = delivered.next().await {
        for (place, outcome) in pack {
            outcomes[place] = Some(outcome);
        }
    }
    let forgotten = || Outcome::NotSent(org.session.http.protocol("a write was left out"));
    outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(forgotten))
        .collect()
}

async fn prepare<'a>(org: &Salesforce, place: usize, write: &'a Write) -> Result<Prepared<'a>, Error> {
    let throughput = org.config.throughput;
    let (way, condition) = match &write.change {
        Change::Create { .. } => (Way::Create, None),
        Change::Update {
            only_if: Some(version),
            ..
        } if !throughput => (Way::Conditional, Some(version)),
        Change::Delete {
            only_if: Some(version),
            ..
        } => (Way::Conditional, Some(version)),
        Change::Update { .. } => (Way::Update, None),
        Change::Delete { .. } => (Way::Delete, None),
    };
    let object = org.object(&record_type(write).name).await?;
    Ok(Prepared {
        place,
        way,
        object: object.schema.object.clone(),
        write,
        condition,
    })
}

fn record_type(write: &Write) -> &RecordType {
    match &write.change {
        Change::Create { record_type, .. } => record_type,
        Change::Update { record, .. } | Change::Delete { record, .. } => &record.record_type,
    }
}

fn target(write: &Write) -> &str {
    match &write.change {
        Change::Create { .. } => "",
        Change::Update { record, .. } | Change::Delete { record, .. } => &record.id,
    }
}

/// Sends one pack. A request that is refused as a whole is halved, so that one write stops no other.
async fn deliver(org: &Salesforce, pack: Pack<'_, '_>) -> Vec<(usize, Outcome)> {
    let mut waiting = vec![pack];
    let mut outcomes = Vec::with_capacity(pack.len());
    while let Some(pack) = waiting.pop() {
        match attempt(org, pack).await {
            Ok(answered) => outcomes.extend(answered),
            Err(_) if pack.len() > 1 => {
                let (left, right) = pack.split_at(pack.len() / 2);
                waiting.extend([right, left]);
            }
            Err(said) => outcomes.extend(pack.iter().map(|one| (one.place, judge(one, &said, false, org)))),
        }
    }
    outcomes
}

/// The outcome of each write of the pack, or what the org said of the request as a whole.
async fn attempt(org: &Salesforce, pack: Pack<'_, '_>) -> Result<Vec<(usize, Outcome)>, Said> {
    let every = |outcome: Outcome| pack.iter().map(|one| (one.place, outcome.clone())).collect();
    let reply = match org.session.send(request(org, pack)).await {
        Ok(reply) => reply,
        Err(Failure::NotSent(error)) => return Ok(every(Outcome::NotSent(error))),
        Err(Failure::Lost(error)) => return Ok(every(Outcome::Unknown(error.message))),
    };
    if reply.is_success() {
        let unread = || {
            every(Outcome::Unknown(
                "the reply does not answer every write".to_owned(),
            ))
        };
        return Ok(answers(org, pack, &reply).unwrap_or_else(unread));
    }
    let said = Said::read(u64::from(reply.status), &reply.json());
    if reply.status == 401 || said.is_quota() {
        return Ok(every(Outcome::NotSent(refusal::error(&org.session.http, &reply))));
    }
    if matches!(reply.status, 408 | 420 | 500..) {
        return Ok(every(Outcome::Unknown(said.shown())));
    }
    Err(said)
}

fn request(org: &Salesforce, pack: Pack<'_, '_>) -> Request {
    let way = pack.first().map_or(Way::Create, |one| one.way);
    let collection = "/composite/sobjects";
    let request = match way {
        Way::Conditional => composite::request(pack.iter().map(|one| subrequest(org, one))).repeatable(),
        Way::Create => Request::new(Method::POST, collection).json(&records(pack)),
        Way::Update => Request::new(Method::PATCH, collection).json(&records(pack)),
        Way::Delete => {
            let ids: Vec<&str> = pack.iter().map(|one| target(one.write)).collect();
            Request::new(
                Method::DELETE,
                format!("{collection}?allOrNone=false&ids={}", ids.join(",")),
            )
        }
    };
    request
        .header("sforce-auto-assign", "FALSE")
        // A duplicate rule that warns people refuses us: what it found is to be linked, not doubled.
        .header(
            "sforce-duplicate-rule-header",
            "allowSave=false, includeRecordDetails=false",
        )
}

fn subrequest(org: &Salesforce, one: &Prepared<'_>) -> Subrequest {
    let address = org
        .session
        .path(&format!("/sobjects/{}/{}", one.object, target(one.write)));
    let subrequest = match &one.write.change {
        Change::Delete { .. } => Subrequest::new("DELETE", address),
        Change::Update { values, .. } | Change::Create { values, .. } => {
            Subrequest::new("PATCH", address).body(Json::Object(encoded(values)))
        }
    };
    let since = one.condition.and_then(|version| {
        let stamp = form::moment(&version.token).unwrap_or(version.modified);
        clock::print(stamp)
    });
    // Without a date that the org can read the guard would be none: let it refuse instead.
    subrequest.header(
        "If-Unmodified-Since",
        since.unwrap_or_else(|| "unknown".to_owned()),
    )
}

fn records(pack: Pack<'_, '_>) -> Json {
    let record = |one: &Prepared<'_>| {
        let mut record = match &one.write.change {
            Change::Create { values, .. } | Change::Update { values, .. } => encoded(values),
            Change::Delete { .. } => Map::new(),
        };
        record.insert("attributes".to_owned(), serde_json::json!({"type": one.object}));
        if let Change::Update { record: key, .. } = &one.write.change {
            record.insert("id".to_owned(), Json::String(key.id.clone()));
        }
        Json::Object(record)
    };
    let records: Vec<Json> = pack.iter().map(record).collect();
    serde_json::json!({"allOrNone": false, "records": records})
}

fn encoded(values: &Values) -> Map<String, Json> {
    values
        .iter()
        .map(|(name, value)| (name.clone(), json::encode(value)))
        .collect()
}

/// One outcome for each write; none if the reply is not of that shape.
fn answers(org: &Salesforce, pack: Pack<'_, '_>, reply: &Reply) -> Option<Vec<(usize, Outcome)>> {
    if pack.first()?.way == Way::Conditional {
        let parts = composite::parts(reply, pack.len())?;
        let outcome = |(one, part): (&Prepared<'_>, &composite::Part)| {
            let outcome = if part.is_success() {
                applied(target(one.write))
            } else {
                judge(one, &part.said(), reply.repeated, org)
            };
            (one.place, outcome)
        };
        return Some(pack.iter().zip(&parts).map(outcome).collect());
    }
    let Json::Array(results) = reply.json() else {
        return None;
    };
    let outcome = |(one, result): (&Prepared<'_>, &Json)| {
        let outcome = match json::text(result, "id") {
            Some(id) if json::flag(result, "success") => applied(id),
            _ => {
                let errors = result.get("errors").unwrap_or(&Json::Null);
                judge(
                    one,
                    &Said::read(u64::from(reply.status), errors),
                    reply.repeated,
                    org,
                )
            }
        };
        (one.place, outcome)
    };
    (results.len() == pack.len()).then(|| pack.iter().zip(&results).map(outcome).collect())
}

fn applied(id: &str) -> Outcome {
    Outcome::Applied {
        id: id.to_owned(),
        state: None,
    }
}

/// What became of a write that was not carried out.
fn judge(one: &Prepared<'_>, said: &Said, repeated: bool, org: &Salesforce) -> Outcome {
    let existing = one.way != Way::Create;
    let moved = existing && (said.status == 412 || said.is_gone());
    match said.status {
        // An earlier attempt of this very write may be what moved or removed the row.
        _ if moved && repeated => Outcome::Unknown("a repeated request found the record changed".to_owned()),
        412 => Outcome::Stale,
        _ if moved => Outcome::Gone,
        _ if said.is_quota() => Outcome::NotSent(refusal::of_said(&org.session.http, said)),
        500.. if said.code != "FUNCTIONALITY_NOT_ENABLED" => Outcome::Unknown(said.shown()),
        _ => Outcome::Refused(said.refusal()),
    }
}
