//! Requests and answers, as all stubs take and give them.

use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

use super::store::Store;

/// A request.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) method: String,
    /// The steps of the path, decoded.
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    /// Headers by their names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    /// A header; nothing where it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The steps of the path.
    pub(super) fn steps(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The body as JSON; null where it is none.
    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The members of the body.
    pub(super) fn members(&self) -> Map<String, Json> {
        match self.json() {
            Json::Object(members) => members,
            _ => Map::new(),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Nothing: an answer without a body.
    pub(super) body: Option<Json>,
}

impl Reply {
    pub(super) fn new(status: u16, body: Json) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(body),
        }
    }

    pub(super) fn ok(body: Json) -> Self {
        Self::new(200, body)
    }
}

/// An ERP behind its interface.
pub(super) trait Desk: Send {
    /// Answers one request entirely.
    fn answer(&mut self, store: &mut Store, ask: &Ask) -> Reply;
}

/// A whole number from nothing on.
pub(super) fn whole(json: Option<&Json>) -> Option<u64> {
    match json? {
        Json::Number(number) => number.as_u64(),
        _ => None,
    }
}
