//! What programs say with a request.

use crate::access::Person;
use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Rows where nothing is said.
const ROWS: usize = 50;
/// Rows at most.
const MOST: usize = 500;

/// What may stand behind the question mark.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    pub(crate) cursor: Option<String>,
    limit: Option<usize>,
    pub(crate) flow: Option<String>,
    pub(crate) standing: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) run: Option<u64>,
    pub(crate) after: Option<u64>,
    pub(crate) q: Option<String>,
    #[serde(default)]
    pub(crate) ignored: bool,
}

impl Asked {
    /// Rows wanted.
    pub(crate) fn rows(&self) -> usize {
        self.limit.unwrap_or(ROWS).clamp(1, MOST)
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<Self>::try_from_uri(&parts.uri);
        read.map(|Query(asked)| asked)
            .map_err(|error| Problem::bad(error.body_text()))
    }
}

impl<S: Sync> FromRequestParts<S> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(Problem::sign_in)
    }
}

/// A path's names, read.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(names)| Self(names))
            .map_err(|_| Problem::not_found("the address names nothing"))
    }
}

/// JSON that is sent along; nothing is as good as an empty object.
pub(crate) struct Said<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Said<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| Problem::bad(error.body_text()))?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let read = serde_json::from_slice(text);
        read.map(Self).map_err(|error| Problem::bad(error.to_string()))
    }
}

/// Which record wins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordSaid {
    /// The system.
    pub(crate) system: String,
    /// The record type.
    #[serde(rename = "type")]
    pub(crate) record_type: String,
    /// The id.
    pub(crate) id: String,
}

/// An answer to a conflict: exactly one of the three.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerSaid {
    /// The value of this record wins.
    pub(crate) record: Option<RecordSaid>,
    /// The value known so far stays.
    #[serde(default)]
    pub(crate) head: bool,
    /// This value, as the first system would hold it.
    pub(crate) value: Option<String>,
}

/// What an approval says.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalSaid {
    /// What happens to the counterpart of a deleted record; nothing: what the flow's policy offers first.
    pub(crate) verdict: Option<crate::act::Fate>,
}

/// Until when something is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IgnoreSaid {
    /// Until this moment; nothing: until its reason changes.
    pub(crate) until: Option<Timestamp>,
}

/// What is tried again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetrySaid {
    /// Everything parked of this kind.
    pub(crate) kind: String,
    /// Of this flow alone.
    pub(crate) flow: Option<String>,
}

/// Whether something is done, or only told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoSaid {
    /// Do it; nothing or false: only tell what it would come to.
    #[serde(default)]
    pub(crate) carry_out: bool,
}

/// Where a link ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlinkSaid {
    /// In this flow; nothing: in all.
    pub(crate) flow: Option<String>,
}
