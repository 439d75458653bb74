//! getUpdated and getDeleted.

use serde_json::{Value as Json, json};

use super::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;
use crate::salesforce::schema::ObjectIndex;
use crate::salesforce::table::Row;
use crate::salesforce::value::{moment_text, parse_moment};

const DAY: i64 = 86_400;
/// How far back updates are known, in days.
const UPDATED_DAYS: i64 = 30;
/// How far back deletions are known, in days.
const DELETED_DAYS: i64 = 15;

/// `/updated?start=&end=`.
pub(super) fn updated(org: &Org, caller: &Caller, call: &Call, object: ObjectIndex) -> Outcome<Reply> {
    let (from, to) = span(org, call, object, UPDATED_DAYS)?;
    let ids = rows(org, caller, object, from, to)
        .into_iter()
        .filter(|row| !row.deleted)
        .map(|row| Json::String(row.id.to_string()));
    Ok(Reply::ok(
        json!({ "ids": ids.collect::<Vec<Json>>(), "latestDateCovered": covered(org, to) }),
    ))
}

/// `/deleted?start=&end=`.
pub(super) fn deleted(org: &Org, caller: &Caller, call: &Call, object: ObjectIndex) -> Outcome<Reply> {
    let (from, to) = span(org, call, object, DELETED_DAYS)?;
    let records = rows(org, caller, object, from, to)
        .into_iter()
        .filter(|row| row.deleted)
        .map(|row| json!({ "id": row.id.to_string(), "deletedDate": moment_text(row.stamp) }));
    Ok(Reply::ok(json!({
        "deletedRecords": records.collect::<Vec<Json>>(),
        "earliestDateAvailable": moment_text(org.now() - DELETED_DAYS * DAY),
        "latestDateCovered": covered(org, to),
    })))
}

/// The start of the oldest open transaction: the oldest write that is not seen yet, else now; the end if that is earlier.
fn covered(org: &Org, to: i64) -> String {
    moment_text(to.min(org.oldest_hidden().unwrap_or_else(|| org.now())))
}

fn rows<'o>(org: &'o Org, caller: &Caller, object: ObjectIndex, from: i64, to: i64) -> Vec<&'o Row> {
    let kind = org.schema.object(object);
    let mut rows = org.seen_within(object, from, to);
    rows.retain(|row| org.sees(caller.actor, kind, row));
    rows
}

/// The asked span; seconds are ignored.
fn span(org: &Org, call: &Call, object: ObjectIndex, days: i64) -> Outcome<(i64, i64)> {
    let kind = org.schema.object(object);
    if !kind.replicateable {
        return Err(Fault::new(
            Code::InvalidTypeForOperation,
            format!("entity type {} is not replicateable", kind.name),
        ));
    }
    let moment = |name: &str| -> Outcome<i64> {
        let text = call
            .parameter(name)
            .ok_or_else(|| refuse(format!("the parameter {name} is missing")))?;
        // A plus that was not escaped arrives as a space.
        let at = parse_moment(&text.replace(' ', "+"))
            .ok_or_else(|| refuse(format!("{name} is not a datetime: {text}")))?;
        Ok(at - at.rem_euclid(60))
    };
    let (from, to) = (moment("start")?, moment("end")?);
    if to <= from {
        return Err(refuse(
            "endDate must be at least one minute greater than startDate".to_owned(),
        ));
    }
    if from < org.now() - days * DAY - 60 {
        return Err(refuse(format!("startDate cannot be more than {days} days ago")));
    }
    Ok((from, to))
}

fn refuse(text: String) -> Fault {
    Fault::new(Code::InvalidReplicationDate, text)
}
