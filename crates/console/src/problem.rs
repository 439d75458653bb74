//! What programs are told when something is not done, as RFC 9457 has it.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use tandem_api::{Blame, Refused};

/// Why something was not done (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// What kind of problem it is.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The kind, in words.
    pub(crate) title: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened, in words.
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) advice: String,
}

impl Problem {
    /// Nothing is there.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such thing",
            detail,
        )
    }

    /// Whoever asks is not known.
    pub(crate) fn sign_in() -> Self {
        let problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "sign-in",
            "Nobody is signed in",
            "this needs somebody who signed in",
        );
        problem.advised("Send a token (`Authorization: Bearer TOKEN`), or open a link of `tandem console`")
    }

    /// Whoever asks may not.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "This role may not do that",
            detail,
        )
    }

    /// What was said is not understood.
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request is not understood",
            detail,
        )
    }

    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            advice: String::new(),
        }
    }

    /// With what to do.
    pub(crate) fn advised(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let problem = match refused.blame {
            Blame::Usage => Self::new(StatusCode::CONFLICT, "refused", "It cannot be done", refused.what),
            Blame::Trouble => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "trouble",
                "A system or this machine is in trouble",
                refused.what,
            ),
        };
        problem.advised(refused.advice)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response()
    }
}
