//! Writes to an org: creates five collections of 200 to a call, conditional updates and deletes 25 to a call.

use super::composite::{self, Subrequest};
use super::packs::{self, Pack, Prepared, Train, Way, Ways};
use super::refusal::{self, Class, Said};
use super::{Salesforce, absence, bulk, derived, fitting, form, licence, prices};
use crate::http::{Failure, Reply, Request, clock, json};
use crate::{Change, Error, Outcome, Write};
use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::{Map, Value as Json};
use tandem_merge::record::{RecordType, Values};

/// Sends the packs of a train one after the other.
async fn travel(org: &Salesforce, train: Train<'_, '_>) -> Vec<(usize, Outcome)> {
    let mut outcomes = Vec::new();
    for pack in train {
        outcomes.extend(deliver(org, pack).await);
    }
    outcomes
}

/// Carries out a batch.
pub(super) async fn carry_out(org: &Salesforce, batch: &[Write]) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = batch.iter().map(|_| None).collect();
    let mut ways = Ways::new();
    let (batch, mut unresolved) = derived::resolve(org, batch).await;
    fitting::check(org, &batch, &mut unresolved).await;
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
    for writes in ways.values_mut() {
        // Siblings next to each other, and otherwise in the order given.
        writes.sort_by(|one, other| one.parent.cmp(&other.parent));
    }
    packs::share_calls(&mut ways);
    if let Some(users) = ways.get_mut(&(Way::Create, "User".to_owned())) {
        for (place, outcome) in licence::hold_back(org, users).await {
            outcomes[place] = Some(outcome);
        }
    }
    let trains: Vec<_> = ways
        .iter()
        .flat_map(|((way, _), writes)| way.trains(writes))
        .map(|train| travel(org, train))
        .collect();
    let mut delivered = stream::iter(trains).buffer_unordered(super::CONCURRENCY);
    while let Some(train) = delivered.next().await {
        for (place, outcome) in train {
            outcomes[place] = Some(outcome);
        }
    }
    let forgotten = || Outcome::NotSent(org.session.http.protocol("a write was left out"));
    let outcomes: Vec<Outcome> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(forgotten))
        .collect();
    let said = outcomes
        .iter()
        .enumerate()
        .filter(|(place, _)| !unresolved.contains_key(place));
    prices::learn(org, said.map(|(_, outcome)| outcome)).await;
    absence::count_made(org, &batch, &outcomes).await;
    outcomes
}

async fn prepare<'a>(org: &Salesforce, place: usize, write: &'a Write) -> Result<Prepared<'a>, Error> {
    let throughput = org.config.writes.throughput;
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
        parent: bulk::parent(&object, write),
        object: object.schema.object.clone(),
        write,
        condition,
        rides: false,
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

/// Sends one pack. What is refused as a whole is halved, so that one write stops no other.
async fn deliver(org: &Salesforce, pack: Pack<'_, '_>) -> Vec<(usize, Outcome)> {
    let mut waiting = vec![pack];
    let mut outcomes = Vec::with_capacity(pack.len());
    while let Some(pack) = waiting.pop() {
        let refused = match attempt(org, pack).await {
            Ok(answered) => {
                outcomes.extend(answered.outcomes);
                answered.refused
            }
            Err(said) => vec![(pack, said)],
        };
        for (pack, said) in refused.into_iter().rev() {
            if pack.len() > 1 {
                let (left, right) = pack.split_at(pack.len() / 2);
                waiting.extend([right, left]);
            } else {
                outcomes.extend(pack.iter().map(|one| (one.place, judge(one, &said, false, org))));
            }
        }
    }
    outcomes
}

/// What a call came to.
#[derive(Default)]
struct Answered<'p, 'a> {
    outcomes: Vec<(usize, Outcome)>,
    /// Collections that were refused as a whole: nothing of them was carried out.
    refused: Vec<(Pack<'p, 'a>, Said)>,
}

/// Sends one pack; `Err` is what the org said of the request as a whole.
async fn attempt<'p, 'a>(org: &Salesforce, pack: Pack<'p, 'a>) -> Result<Answered<'p, 'a>, Said> {
    let every = |outcome: Outcome| Answered {
        outcomes: pack.iter().map(|one| (one.place, outcome.clone())).collect(),
        refused: Vec::new(),
    };
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
    // Of a call as a whole 410 says that the API's version is retired, and nothing of any row.
    if matches!(reply.status, 401 | 410) || said.is_quota() {
        return Ok(every(Outcome::NotSent(refusal::error(&org.session.http, &reply))));
    }
    if said.is_unknown() {
        return Ok(every(Outcome::Unknown(said.shown())));
    }
    Err(said)
}

/// The call for a pack: single rows with their conditions, one collection, or up to five of them with the rows that
/// ride along.
fn request(org: &Salesforce, pack: Pack<'_, '_>) -> Request {
    let way = pack.first().map_or(Way::Create, |one| one.way);
    if way == Way::Conditional {
        let rows = pack.iter().map(|one| subrequest(org, one));
        return manners(composite::request(rows).repeatable());
    }
    let units = packs::units(pack);
    if let [unit] = units.as_slice() {
        let (method, target, body) = collection(way, unit);
        let request = Request::new(method, target);
        return manners(match body {
            Some(body) => request.json(&body),
            None => request,
        });
    }
    let subrequests = units.into_iter().map(|unit| {
        let subrequest = match unit {
            [one] if one.rides => row(org, one),
            _ => part(org, way, unit),
        };
        MANNERS.into_iter().fold(subrequest, |subrequest, (name, value)| {
            subrequest.header(name, value.to_owned())
        })
    });
    manners(composite::request(subrequests))
}

/// A collection as a part of a call.
fn part(org: &Salesforce, way: Way, unit: Pack<'_, '_>) -> Subrequest {
    let (method, target, body) = collection(way, unit);
    let method = match method {
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        _ => "DELETE",
    };
    let subrequest = Subrequest::new(method, org.session.path(&target));
    match body {
        Some(body) => subrequest.body(body),
        None => subrequest,
    }
}

/// Assignment rules are for people; and a duplicate rule that warns people refuses us: what it found is to be
/// linked, not doubled.
const MANNERS: [(&str, &str); 2] = [
    ("sforce-auto-assign", "FALSE"),
    (
        "sforce-duplicate-rule-header",
        "allowSave=false, includeRecordDetails=false",
    ),
];

fn manners(request: Request) -> Request {
    MANNERS
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value))
}

/// Method, resource and body of a collection.
fn collection(way: Way, pack: Pack<'_, '_>) -> (Method, String, Option<Json>) {
    let resource = "/composite/sobjects".to_owned();
    match way {
        Way::Create | Way::Conditional => (Method::POST, resource, Some(records(pack))),
        Way::Update => (Method::PATCH, resource, Some(records(pack))),
        Way::Delete => {
            let ids: Vec<&str> = pack.iter().map(|one| target(one.write)).collect();
            let resource = format!("{resource}?allOrNone=false&ids={}", ids.join(","));
            (Method::DELETE, resource, None)
        }
    }
}

/// A row by itself as a part of a call.
fn row(org: &Salesforce, one: &Prepared<'_>) -> Subrequest {
    let address = org
        .session
        .path(&format!("/sobjects/{}/{}", one.object, target(one.write)));
    match &one.write.change {
        Change::Delete { .. } => Subrequest::new("DELETE", address),
        Change::Update { values, .. } | Change::Create { values, .. } => {
            Subrequest::new("PATCH", address).body(Json::Object(encoded(values)))
        }
    }
}

/// The same with its condition.
fn subrequest(org: &Salesforce, one: &Prepared<'_>) -> Subrequest {
    let subrequest = row(org, one);
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

/// What a reply says of every write; none if it is not of that shape.
fn answers<'p, 'a>(org: &Salesforce, pack: Pack<'p, 'a>, reply: &Reply) -> Option<Answered<'p, 'a>> {
    let mut answered = Answered::default();
    let alone = |(one, part): (&Prepared<'_>, &composite::Part)| {
        let outcome = if part.is_success() {
            applied(target(one.write))
        } else {
            judge(one, &part.said(), reply.repeated, org)
        };
        (one.place, outcome)
    };
    if pack.first()?.way == Way::Conditional {
        let parts = composite::parts(reply, pack.len())?;
        answered.outcomes = pack.iter().zip(&parts).map(alone).collect();
        return Some(answered);
    }
    let units = packs::units(pack);
    if let [unit] = units.as_slice() {
        answered.outcomes = collected(org, unit, &reply.json(), reply)?;
        return Some(answered);
    }
    let parts = composite::parts(reply, units.len())?;
    for (unit, part) in units.into_iter().zip(&parts) {
        match unit {
            [one] if one.rides => answered.outcomes.push(alone((one, part))),
            _ => take_part(org, unit, (part, reply), &mut answered),
        }
    }
    Some(answered)
}

/// Takes in what a reply says of one collection of several.
fn take_part<'p, 'a>(
    org: &Salesforce,
    unit: Pack<'p, 'a>,
    (part, reply): (&composite::Part, &Reply),
    answered: &mut Answered<'p, 'a>,
) {
    let told = part.is_success().then(|| collected(org, unit, &part.body, reply));
    let said = part.said();
    let every = |outcome: Outcome| unit.iter().map(move |one| (one.place, outcome.clone()));
    match told {
        Some(Some(told)) => answered.outcomes.extend(told),
        None if said.is_quota() => {
            let error = refusal::of_said(&org.session.http, &said);
            answered.outcomes.extend(every(Outcome::NotSent(error)));
        }
        None if (400..500).contains(&part.status) && !matches!(part.status, 408 | 420) => {
            answered.refused.push((unit, said));
        }
        _ => {
            let unread = "the reply does not answer every write".to_owned();
            answered.outcomes.extend(every(Outcome::Unknown(unread)));
        }
    }
}

/// One outcome for each write of a collection; none if the answer is not of that shape.
fn collected(
    org: &Salesforce,
    pack: Pack<'_, '_>,
    body: &Json,
    reply: &Reply,
) -> Option<Vec<(usize, Outcome)>> {
    let results = body.as_array()?;
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
    (results.len() == pack.len()).then(|| pack.iter().zip(results).map(outcome).collect())
}

fn applied(id: &str) -> Outcome {
    Outcome::Applied {
        id: id.to_owned(),
        state: None,
    }
}

/// What became of a write that was not carried out.
fn judge(one: &Prepared<'_>, said: &Said, repeated: bool, org: &Salesforce) -> Outcome {
    match said.class(one.way == Way::Create) {
        // An earlier attempt of this very write may be what moved or removed the row.
        Class::Stale | Class::Gone if repeated => {
            Outcome::Unknown("a repeated request found the record changed".to_owned())
        }
        Class::Stale => Outcome::Stale,
        Class::Gone => Outcome::Gone,
        Class::System => Outcome::NotSent(refusal::of_said(&org.session.http, said)),
        Class::Unknown => Outcome::Unknown(said.shown()),
        Class::Refused => Outcome::Refused(said.refusal()),
    }
}
