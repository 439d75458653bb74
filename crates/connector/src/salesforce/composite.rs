//! `composite`: up to 25 subrequests in one call, at most 5 of them queries.

use super::refusal::Said;
use super::session::Session;
use crate::Error;
use crate::http::{Reply, Request};
use reqwest::Method;
use serde_json::{Map, Value as Json, json};

/// The most subrequests of a call.
pub(super) const SUBREQUESTS: usize = 25;
/// The most of them that may be queries.
pub(super) const QUERIES: usize = 5;

/// One subrequest; its place in the list is its name.
pub(super) struct Subrequest {
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Json>,
}

/// What came back for one subrequest.
pub(super) struct Part {
    pub(super) status: u64,
    pub(super) body: Json,
}

impl Subrequest {
    pub(super) fn new(method: &'static str, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn body(mut self, body: Json) -> Self {
        self.body = Some(body);
        self
    }

    fn json(self, place: usize) -> Json {
        let mut json = Map::new();
        json.insert("referenceId".to_owned(), Json::String(format!("r{place}")));
        json.insert("method".to_owned(), Json::from(self.method));
        json.insert("url".to_owned(), Json::String(self.url));
        if !self.headers.is_empty() {
            let headers = self.headers.into_iter();
            let headers: Map<String, Json> = headers
                .map(|(name, value)| (name.to_owned(), Json::String(value)))
                .collect();
            json.insert("httpHeaders".to_owned(), Json::Object(headers));
        }
        if let Some(body) = self.body {
            json.insert("body".to_owned(), body);
        }
        Json::Object(json)
    }
}

impl Part {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a failed subrequest was told.
    pub(super) fn said(&self) -> Said {
        Said::read(self.status, &self.body)
    }
}

/// The call that carries the subrequests.
pub(super) fn request(subrequests: impl IntoIterator<Item = Subrequest>) -> Request {
    let parts: Vec<Json> = subrequests
        .into_iter()
        .enumerate()
        .map(|(place, one)| one.json(place))
        .collect();
    Request::new(Method::POST, "/composite").json(&json!({"allOrNone": false, "compositeRequest": parts}))
}

/// What came back, in the order of the subrequests; none if it is not one for each of `count`.
pub(super) fn parts(reply: &Reply, count: usize) -> Option<Vec<Part>> {
    let Json::Object(mut body) = reply.json() else {
        return None;
    };
    let Some(Json::Array(given)) = body.remove("compositeResponse") else {
        return None;
    };
    let parts: Option<Vec<Part>> = given
        .into_iter()
        .map(|mut one| {
            Some(Part {
                status: one.get("httpStatusCode")?.as_u64()?,
                body: one.get_mut("body").map(Json::take).unwrap_or_default(),
            })
        })
        .collect();
    parts.filter(|parts| parts.len() == count)
}

/// Sends reads in one call; what failed is for the caller to judge.
pub(super) async fn read(session: &Session, reads: Vec<Subrequest>) -> Result<(Vec<Part>, Reply), Error> {
    let count = reads.len();
    let (_, reply) = session.read(request(reads)).await?;
    let parts = parts(&reply, count);
    let parts = parts.ok_or_else(|| session.http.protocol("a composite does not answer every part"))?;
    Ok((parts, reply))
}
