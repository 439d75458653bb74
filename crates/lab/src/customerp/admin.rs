//! What tests see and move: counts, clock, journal, planted faults. No tokens: loopback only, like everything here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::object;
use super::calls::Report;
use super::fault::Planted;
use super::journal::Change;
use super::problem::Refusal;
use super::server::Erp;
use super::value::moment;

/// The most changes in one reply.
const LOG_MAX: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
struct LogQuery {
    #[serde(default)]
    after: usize,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Log {
    changes: Vec<Change>,
    /// The number of the last change shown: what to ask for as `after` next.
    next: usize,
}

/// The routes below `/_local`.
pub(crate) fn routes() -> Router<Arc<Erp>> {
    Router::new()
        .route("/_local/calls", get(calls))
        .route("/_local/clock", post(advance).get(clock))
        .route("/_local/log", get(log))
        .route("/_local/faults", get(faults))
}

async fn calls(State(erp): State<Arc<Erp>>) -> Json<Report> {
    Json(erp.calls.report())
}

async fn clock(State(erp): State<Arc<Erp>>) -> Json<Value> {
    Json(json!({ "now": moment(erp.clock.now()) }))
}

async fn advance(State(erp): State<Arc<Erp>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let body = object(&body)?;
    let seconds = body
        .get("advanceSeconds")
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok());
    let shape = || Refusal::bad_request("Send {\"advanceSeconds\": n} with a whole number from 0.");
    // Under the lock, so that no write is stamped in between.
    let store = erp.write();
    store.clock().advance(seconds.ok_or_else(shape)?);
    Ok(Json(json!({ "now": moment(store.clock().now()) })))
}

async fn log(State(erp): State<Arc<Erp>>, Query(query): Query<LogQuery>) -> Json<Log> {
    let store = erp.read();
    let limit = query.limit.unwrap_or(LOG_MAX).min(LOG_MAX);
    let taken: Vec<_> = store.journal.after(query.after).take(limit).collect();
    let next = taken.last().map_or(query.after, |(number, _)| *number);
    Json(Log {
        changes: taken.into_iter().map(|(_, change)| change.clone()).collect(),
        next,
    })
}

async fn faults(State(erp): State<Arc<Erp>>) -> Json<Vec<Planted>> {
    Json(erp.read().faults.clone())
}
