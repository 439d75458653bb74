//! Reading rows by id, by value, and all of them.

use super::composite::{self, QUERIES, Subrequest};
use super::record::{Reading, bare};
use super::refusal;
use super::schema::Object;
use super::{Salesforce, absence};
use super::{form, soql};
use crate::http::json::text;
use crate::http::{Reply, Request, clock};
use crate::{Error, ListPage};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, Presence};
use tandem_merge::value::Value;

/// Values that one call looks up.
const CALL: usize = 2_000;

/// Rows of one page of a listing, the most that a reply holds.
pub(super) const PAGE: usize = 2_000;

/// Every id is answered: alive, deleted, or missing.
pub(super) async fn by_ids(
    org: &Salesforce,
    object: &Object,
    ids: &[String],
) -> Result<Vec<Observation>, Error> {
    let whole: BTreeMap<&String, Option<String>> = ids.iter().map(|id| (id, form::whole_id(id))).collect();
    let known: BTreeSet<String> = whole.values().flatten().cloned().collect();
    let literals: Vec<String> = known.iter().map(|id| soql::quoted(id)).collect();
    let statements = soql::packed(&format!("{} WHERE Id", object.select()), &literals);
    let began = clock::now();
    let mut found = all(org, object, statements, object.soft_deletion).await?;
    let shown: BTreeSet<String> = found.iter().map(|shown| shown.key.id.clone()).collect();
    let absent = whole
        .iter()
        .filter(|(_, whole)| whole.as_ref().is_none_or(|whole| !shown.contains(whole)));
    found.extend(absent.map(|(id, _)| bare(&org.config.name, &object.name, id, Presence::Missing, began)));
    Ok(found)
}

/// Live rows whose last property that can be looked up is one of the values; the caller compares the others.
///
/// SOQL compares phones as they are written, so a phone is looked up only where there is nothing else.
pub(super) async fn by_values(
    org: &Salesforce,
    object: &Object,
    properties: &[String],
    values: &[Vec<Value>],
) -> Result<Vec<Observation>, Error> {
    let is_phone = |property: &String| object.data_type(property) == Some("phone");
    let place = properties
        .iter()
        .rposition(|property| !is_phone(property))
        .or_else(|| properties.len().checked_sub(1));
    let Some((place, property)) = place.and_then(|place| Some((place, properties.get(place)?))) else {
        return Ok(Vec::new());
    };
    if object.data_type(property).is_none() {
        let what = format!("{} has no property {property}", object.schema.object);
        let advice = "Correct the match keys of the flow";
        return Err(org.session.http.error(crate::ErrorKind::Missing, what, advice));
    }
    let literals: BTreeSet<String> = values
        .iter()
        .filter_map(|key| soql::literal(&trimmed(key.get(place)?)))
        .collect();
    let literals: Vec<String> = literals.into_iter().collect();
    if literals.len() > CALL
        && let Some(all) = instead(org, object, literals.len()).await?
    {
        return Ok(all);
    }
    let head = format!("{} WHERE {property}", object.select());
    let mut found = all(org, object, soql::packed(&head, &literals), false).await?;
    // Texts that differ in case alone are the same to SOQL, and may stand in two statements.
    found.sort_by(|one, other| one.key.id.cmp(&other.key.id));
    found.dedup_by(|one, other| one.key.id == other.key.id);
    Ok(found)
}

/// Rows in the recycle bin whose property is one of the values, each shown with that property alone.
pub(super) async fn deleted_by_values(
    org: &Salesforce,
    object: &Object,
    property: &str,
    values: &[Value],
) -> Result<Vec<Observation>, Error> {
    let Some(data_type) = object.data_type(property).filter(|_| object.soft_deletion) else {
        return Ok(Vec::new());
    };
    let literals: Vec<String> = values
        .iter()
        .filter_map(|value| soql::literal(&trimmed(value)))
        .collect();
    let head = format!("{} WHERE IsDeleted = true AND {property}", object.select());
    let mut found = Vec::new();
    for statement in soql::packed(&head, &literals) {
        let request = Request::get(soql::address(&org.session, &statement, true));
        let (body, reply) = org.session.read(request).await?;
        let told = body.get("records").and_then(Json::as_array).into_iter().flatten();
        let told = told.filter_map(|row| Some((text(row, "Id")?, row.get(property)?)));
        let told: BTreeMap<&str, &Json> = told.collect();
        for mut row in rows(org, object, &body, &reply).await? {
            let value = told.get(row.key.id.as_str());
            if let Some(value) = value.and_then(|value| form::decode(data_type, value)) {
                row.values.insert(property.to_owned(), value);
                found.push(row);
            }
        }
    }
    Ok(found)
}

/// All rows of an object, where they are fewer calls than a search for so many values: the caller compares.
async fn instead(
    org: &Salesforce,
    object: &Object,
    values: usize,
) -> Result<Option<Vec<Observation>>, Error> {
    let rows = absence::rows_of_others(org, &object.schema.object).await?;
    let rows = rows.and_then(|rows| usize::try_from(rows).ok());
    let Some(rows) = rows.filter(|rows| rows / PAGE < values / CALL) else {
        return Ok(None);
    };
    let (mut all, mut after) = (Vec::new(), None);
    if rows > 0 {
        loop {
            let page = page(org, object, after.as_deref()).await?;
            all.extend(page.observations);
            after = page.resume;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(Some(all))
}

/// A value as the org would keep it.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::text(text.trim_matches(|letter| letter <= ' ')),
        other => other.clone(),
    }
}

/// The next page of all live rows, in the order of their ids.
pub(super) async fn page(org: &Salesforce, object: &Object, after: Option<&[u8]>) -> Result<ListPage, Error> {
    let after = after.map(String::from_utf8_lossy);
    let condition = after
        .as_ref()
        .map(|id| format!(" WHERE Id > {}", soql::quoted(id)));
    let statement = format!(
        "{}{} ORDER BY Id LIMIT {PAGE}",
        object.select(),
        condition.unwrap_or_default()
    );
    let request = Request::get(soql::address(&org.session, &statement, false));
    let (body, reply) = org.session.read(request).await?;
    let observations = rows(org, object, &body, &reply).await?;
    let full = observations.len() >= PAGE || body["done"] == Json::Bool(false);
    let last = observations.last().map(|shown| shown.key.id.clone());
    if full && (last.is_none() || last.as_deref() == after.as_deref()) {
        return Err(org.stuck(&object.name, "a page does not go on behind the one before"));
    }
    Ok(ListPage {
        resume: last.filter(|_| full).map(String::into_bytes),
        observations,
    })
}

/// The rows of a reply to a query.
pub(super) async fn rows(
    org: &Salesforce,
    object: &Object,
    body: &Json,
    reply: &Reply,
) -> Result<Vec<Observation>, Error> {
    let protection = org.protection(object).await?;
    let reading = Reading {
        system: &org.config.name,
        object,
        protection: &protection,
        reply,
    };
    let records = body.get("records").and_then(Json::as_array);
    let records = records.ok_or_else(|| {
        let what = format!("a query of {} is answered without rows", object.schema.object);
        org.session.http.protocol(what)
    })?;
    Ok(records.iter().filter_map(|row| reading.shown(row)).collect())
}

/// All rows of the statements, five statements to a call.
async fn all(
    org: &Salesforce,
    object: &Object,
    statements: Vec<String>,
    deleted: bool,
) -> Result<Vec<Observation>, Error> {
    let packs: Vec<_> = statements
        .chunks(QUERIES)
        .map(|pack| together(org, object, pack, deleted))
        .collect();
    stream::iter(packs)
        .buffered(super::CONCURRENCY)
        .try_concat()
        .await
}

async fn together(
    org: &Salesforce,
    object: &Object,
    statements: &[String],
    deleted: bool,
) -> Result<Vec<Observation>, Error> {
    let reads = statements
        .iter()
        .map(|statement| Subrequest::new("GET", soql::address(&org.session, statement, deleted)));
    let (parts, reply) = composite::read(&org.session, reads.collect()).await?;
    let mut found = Vec::new();
    for part in parts {
        if !part.is_success() {
            return Err(refusal::of_said(&org.session.http, &part.said()));
        }
        found.extend(whole(org, object, &part.body, &reply).await?);
    }
    Ok(found)
}

/// The rows of a reply to a query, and those that did not fit into it.
pub(super) async fn whole(
    org: &Salesforce,
    object: &Object,
    body: &Json,
    reply: &Reply,
) -> Result<Vec<Observation>, Error> {
    let mut found = rows(org, object, body, reply).await?;
    rest(org, object, body, &mut found).await?;
    Ok(found)
}

/// Follows a result that does not fit into one reply.
async fn rest(
    org: &Salesforce,
    object: &Object,
    body: &Json,
    found: &mut Vec<Observation>,
) -> Result<(), Error> {
    let mut next = body["nextRecordsUrl"].as_str().map(str::to_owned);
    let mut asked = BTreeSet::new();
    while let Some(address) = next {
        if !asked.insert(address.clone()) {
            return Err(org.stuck(&object.name, "it gives the same continuation again"));
        }
        let (body, reply) = org.session.read(Request::get(address)).await?;
        found.extend(rows(org, object, &body, &reply).await?);
        next = body["nextRecordsUrl"].as_str().map(str::to_owned);
    }
    Ok(())
}
