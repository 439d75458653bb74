//! What programs are told when something is not done, as RFC 9457 has it.

use axum::http::{HeaderValue, StatusCode, header};
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

    /// Nothing proves that a message comes from where it should.
    pub(crate) fn unproven(detail: impl Into<String>) -> Self {
        let problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "unproven",
            "The message is not proven",
            detail,
        );
        problem.advised("Sign it with the secret that Tandem has, with a time stamp of now")
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

    /// The address is one, and nothing of this kind can be asked of it.
    pub(crate) fn other_method() -> Self {
        let problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "The address is asked in another way",
            "this method does not go with this address",
        );
        problem.advised("`Allow` names the methods that do")
    }

    /// What is sent along is too large.
    fn too_large() -> Self {
        let problem = Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The request is too large",
            "more is sent along than anything here needs",
        );
        problem.advised("Send 2 MB at most")
    }

    /// What is sent along is no JSON.
    pub(crate) fn no_json() -> Self {
        let problem = Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "The request is not JSON",
            "what is sent along is not said to be JSON",
        );
        problem.advised("Send `Content-Type: application/json`")
    }

    /// Somebody listens too often, or too many do.
    pub(crate) fn too_often() -> Self {
        let problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many",
            "Too many listen to events",
            "whoever asks listens often enough already, or too many others do",
        );
        problem.advised("Close other lines to `/events`, then try again")
    }

    /// What was sent along could not be read.
    pub(crate) fn unread(status: StatusCode, detail: impl Into<String>) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            _ => Self::bad(detail),
        }
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
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let way = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, way);
        }
        response
    }
}
