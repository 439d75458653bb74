//! What is not done, and why, in the form that OData gives errors.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::model::Version;

/// A request that is refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Headers that belong to it.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Said as plain text, as some gateways do before OData is reached.
    pub(crate) plain: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            headers: Vec::new(),
            plain: false,
        }
    }

    /// 400: the request cannot be understood.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 404: nothing is there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// 501: the standard has it, this service does not.
    pub(crate) fn left_out(what: &str) -> Self {
        let message = format!("{what}: this service does not implement it.");
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }

    /// 405, with the methods that may be used.
    pub(crate) fn method(allowed: &str) -> Self {
        let message = format!("The method is not allowed here; allowed: {allowed}.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with("allow", allowed)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body in the form of that version.
    pub(crate) fn body(&self, version: Version) -> Json {
        match version {
            Version::V4 => json!({ "error": { "code": self.code, "message": self.message } }),
            Version::V2 => json!({ "error": {
                "code": self.code,
                "message": { "lang": "en", "value": self.message },
                "innererror": { "errordetails": [] },
            } }),
        }
    }
}
