//! What programs say with a request.

use super::LARGEST;
use crate::access::Person;
use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Map;
use tandem_api::look::Over;
use tandem_api::view::ByConfiguration;
use tandem_api::{NoTrace, Trace};

/// Rows where nothing is said.
pub(super) const ROWS: usize = 50;
/// Rows at most.
pub(super) const MOST: usize = 500;

/// What may stand behind the question mark.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    pub(crate) cursor: Option<String>,
    limit: Option<usize>,
    pub(crate) flow: Option<String>,
    pub(crate) standing: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) over: Option<String>,
    pub(crate) run: Option<u64>,
    pub(crate) after: Option<u64>,
    pub(crate) q: Option<String>,
    #[serde(default)]
    pub(crate) ignored: bool,
}

impl Asked {
    /// Rows wanted.
    pub(crate) fn rows(&self) -> usize {
        self.limit.unwrap_or(ROWS)
    }

    /// The change that is followed.
    pub(crate) fn trace(&self) -> Result<Option<Trace>, Problem> {
        let read = self.trace.as_deref().map(str::parse).transpose();
        read.map_err(|error: NoTrace| Problem::bad(error.to_string()))
    }

    /// How far back.
    pub(crate) fn over(&self) -> Result<Option<Over>, Problem> {
        let named = self.over.as_deref().map(|name| Over::named(name).ok_or(name));
        let read = named.transpose();
        read.map_err(|name| {
            Problem::bad(format!(
                "`over` is `{name}`, which is not `day`, `week` or `month`"
            ))
        })
    }

    /// What of it nobody can mean.
    fn wrong(&self) -> Option<String> {
        let limit = self.limit.filter(|limit| !(1..=MOST).contains(limit));
        let number = [self.run, self.after].into_iter().flatten();
        let large = number.into_iter().find(|number| *number > LARGEST);
        match (limit, large) {
            (Some(limit), _) => Some(format!("`limit` is {limit}, which is not between 1 and {MOST}")),
            (None, Some(large)) => Some(format!("there is no number as large as {large}")),
            (None, None) => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<Self>::try_from_uri(&parts.uri);
        let Query(asked) = read.map_err(|error| Problem::bad(error.body_text()))?;
        asked.wrong().map_or(Ok(asked), |why| Err(Problem::bad(why)))
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
        let json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| Problem::unread(error.status(), error.body_text()))?;
        let text: &[u8] = match bytes.is_empty() {
            true => b"{}",
            false if json => &bytes,
            false => return Err(Problem::no_json()),
        };
        // Where an object is asked for, a list of its values would be taken as well.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::bad("what is sent along is no object"));
        }
        let read = serde_json::from_slice(text);
        read.map(Self).map_err(|error| Problem::bad(error.to_string()))
    }
}

/// Whether a request says that what it sends along is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Whether an address holds a sign that no name and no text of ours holds, and that not every storage takes.
pub(crate) fn holds_nul(uri: &Uri) -> bool {
    uri.path().contains("%00") || uri.query().is_some_and(|query| query.contains("%00"))
}

/// A text without that sign.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, with = "String", extend("pattern" = NO_NUL))]
pub(crate) struct Text(pub(crate) String);

/// What every text is like that we take.
pub(super) const NO_NUL: &str = "^[^\\x00]*$";

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(said: String) -> Result<Self, Self::Error> {
        match said.contains('\0') {
            true => Err("no text of ours holds the sign U+0000"),
            false => Ok(Self(said)),
        }
    }
}

/// Which record wins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordSaid {
    /// The system.
    pub(crate) system: Text,
    /// The record type.
    #[serde(rename = "type")]
    pub(crate) record_type: Text,
    /// The id.
    pub(crate) id: Text,
}

/// An answer to a conflict.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnswerSaid {
    /// The value of this record wins.
    Record(#[serde(deserialize_with = "object")] RecordSaid),
    /// The value known so far stays.
    Head(Yes),
    /// This value, as the first system would hold it.
    Value(Text),
}

/// Reads an object alone: a list of its values would be taken as well.
fn object<'d, T: DeserializeOwned, D: Deserializer<'d>>(given: D) -> Result<T, D::Error> {
    let object = Map::deserialize(given)?;
    serde_json::from_value(object.into()).map_err(D::Error::custom)
}

/// What can only be said with `true`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "bool")]
#[schemars(with = "bool", extend("const" = true))]
pub(crate) struct Yes;

impl TryFrom<bool> for Yes {
    type Error = &'static str;

    fn try_from(said: bool) -> Result<Self, Self::Error> {
        said.then_some(Self).ok_or("only `true` can be said here")
    }
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
    pub(crate) kind: Text,
    /// Of this flow alone.
    pub(crate) flow: Option<Text>,
}

/// Whether something is done, or only told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoSaid {
    /// Do it; nothing or false: only tell what it would come to.
    #[serde(default)]
    pub(crate) carry_out: bool,
}

/// What a plan is made of.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanSaid {
    /// By which configuration; nothing: by the one in force.
    #[serde(default)]
    pub(crate) configuration: ByConfiguration,
}

/// Where a link ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlinkSaid {
    /// In this flow; nothing: in all.
    pub(crate) flow: Option<Text>,
}
