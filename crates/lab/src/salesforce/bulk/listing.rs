//! The list of all jobs.

use serde_json::{Value as Json, json};

use super::job::Job;
use crate::salesforce::api::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;

/// The most jobs of a page.
const PAGE: usize = 1_000;

/// `GET /jobs/ingest` and `GET /jobs/query`, `isPkChunkingEnabled`, `jobType`, `concurrencyMode` and `queryLocator`.
pub(super) fn list(org: &Org, caller: &Caller, call: &Call, is_query: bool) -> Outcome<Reply> {
    let kind = call.parameter("jobType");
    if let Some(other) =
        kind.filter(|kind| !["Classic", "V2Ingest", "V2Query", "BigObjectIngest"].contains(kind))
    {
        return Err(Fault::new(
            Code::InvalidJob,
            format!("InvalidJob : Unsupported jobType: {other}"),
        ));
    }
    // No job here is of the older Bulk API, which alone has PK chunking to enable.
    let chunked = call.parameter("isPkChunkingEnabled") == Some("true");
    let serial = call
        .parameter("concurrencyMode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("serial"));
    let wanted = |job: &&Job| {
        job.is_query() == is_query && !chunked && !serial && kind.is_none_or(|kind| kind == job.kind())
    };
    let start = offset(call)?;
    let mut entries: Vec<Json> = org
        .jobs
        .jobs
        .values()
        .filter(wanted)
        .skip(start)
        .take(PAGE + 1)
        .map(Job::entry)
        .collect();
    let more = entries.len() > PAGE;
    entries.truncate(PAGE);
    let resource = if is_query { "query" } else { "ingest" };
    let next = more.then(|| {
        format!(
            "{}/jobs/{resource}?queryLocator=01gjobs-{}",
            caller.base,
            start + PAGE
        )
    });
    Ok(Reply::ok(
        json!({ "done": !more, "records": entries, "nextRecordsUrl": next }),
    ))
}

fn offset(call: &Call) -> Outcome<usize> {
    let Some(locator) = call.parameter("queryLocator") else {
        return Ok(0);
    };
    locator
        .strip_prefix("01gjobs-")
        .and_then(|offset| offset.parse().ok())
        .ok_or_else(|| Fault::new(Code::InvalidQueryLocator, "invalid query locator"))
}
