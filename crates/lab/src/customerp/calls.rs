//! How often which part of the API was used.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use serde::Serialize;

/// Requests and rows of one kind and collection.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    /// Records in the replies.
    pub(crate) rows: u64,
}

#[derive(Debug, Default)]
struct Tally {
    requests: u64,
    by_kind: BTreeMap<&'static str, Count>,
    by_collection: BTreeMap<String, BTreeMap<&'static str, Count>>,
    by_status: BTreeMap<u16, u64>,
}

/// The counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<Tally>);

/// The counts as `/_local/calls` shows them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    total: u64,
    by_kind: BTreeMap<&'static str, Count>,
    by_collection: BTreeMap<String, BTreeMap<&'static str, Count>>,
    by_status: BTreeMap<u16, u64>,
}

/// What a request asks for: its kind, and the collection if any. The path is relative to the API's base.
pub(crate) fn classify(method: &Method, path: &str, query: &str) -> (&'static str, Option<String>) {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let (collection, rest) = (segments.next(), segments.next());
    let Some(collection) = collection else {
        return ("describe", None);
    };
    let by_ids = || query.split('&').any(|pair| pair.starts_with("ids="));
    let kind = match (method.as_str(), rest) {
        ("GET", None) if collection == "openapi.json" => return ("describe", None),
        ("GET", None) if by_ids() => "fetch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", None) => "create",
        ("POST", Some("lookup")) => "lookup",
        ("PATCH", Some(_)) => "update",
        ("DELETE", Some(_)) => "delete",
        _ => "other",
    };
    (kind, Some(collection.to_owned()))
}

impl Calls {
    /// Counts a request and returns how many there have been.
    pub(crate) fn count(
        &self,
        kind: &'static str,
        collection: Option<String>,
        rows: u64,
        status: u16,
    ) -> u64 {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.requests += 1;
        *tally.by_status.entry(status).or_default() += 1;
        add(tally.by_kind.entry(kind).or_default(), rows);
        if let Some(collection) = collection {
            add(
                tally
                    .by_collection
                    .entry(collection)
                    .or_default()
                    .entry(kind)
                    .or_default(),
                rows,
            );
        }
        tally.requests
    }

    pub(crate) fn report(&self) -> Report {
        let tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Report {
            total: tally.requests,
            by_kind: tally.by_kind.clone(),
            by_collection: tally.by_collection.clone(),
            by_status: tally.by_status.clone(),
        }
    }
}

fn add(count: &mut Count, rows: u64) {
    count.requests += 1;
    count.rows += rows;
}
