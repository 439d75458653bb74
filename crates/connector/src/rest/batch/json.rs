//! Batches as lists in JSON.

use super::super::description::batches::{BatchAnswerText, BatchText};
use super::super::description::place::{Place, plain};
use super::super::description::template::Body;
use super::Part;
use crate::http::{Reply, Request};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};

/// The body that carries requests; `root` is the path below which the operations lie.
pub(super) fn body(text: &BatchText, requests: &[&Request], root: &str) -> Json {
    let each = text.each.as_ref().map(|each| &each.value);
    let entries: Json = requests
        .iter()
        .enumerate()
        .filter_map(|(number, request)| entry(each?, number, request, root))
        .collect();
    let mut body = Json::Object(Map::new());
    let usual = Place::member("requests");
    text.requests.as_ref().unwrap_or(&usual).put(&mut body, entries);
    body
}

fn entry(each: &Body, number: usize, request: &Request, root: &str) -> Option<Json> {
    let headers: Map<String, Json> = request
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into())))
        .collect();
    let sent = request
        .body
        .as_ref()
        .and_then(|body| serde_json::from_slice::<Json>(body).ok());
    let fill = |name: &str| match name {
        "number" => Some(number.to_string().into()),
        "method" => Some(request.method.as_str().into()),
        "path" => Some(request.target.as_str().into()),
        "relative" => Some(
            request
                .target
                .strip_prefix(root)
                .unwrap_or(&request.target)
                .into(),
        ),
        "headers" => Some(Json::Object(headers.clone())),
        "body" => sent.clone(),
        _ => None,
    };
    each.json(&fill)
}

/// The answers in the order of the requests; none of a request that is not answered.
pub(super) fn parts(text: &BatchText, reply: &Reply, count: usize) -> Option<Vec<Option<Part>>> {
    let body = reply.json();
    let usual = Place::member("responses");
    let answers = text.answers.as_ref().unwrap_or(&usual).of(&body)?.as_array()?;
    let answer = text.answer.as_ref();
    let mut parts: Vec<Option<Part>> = std::iter::repeat_with(|| None).take(count).collect();
    for (at, entry) in answers.iter().enumerate() {
        let number = match answer.and_then(|answer| answer.number.as_ref()) {
            Some(place) => place.of(entry).and_then(plain)?.parse().ok()?,
            None => at,
        };
        // An answer to what was not asked is none to what was.
        *parts.get_mut(number)? = Some(part(answer, entry)?);
    }
    Some(parts)
}

fn part(answer: Option<&BatchAnswerText>, entry: &Json) -> Option<Part> {
    let at = |said: Option<&Place>, usual: &str| said.cloned().unwrap_or_else(|| Place::member(usual));
    let status = at(answer.and_then(|answer| answer.status.as_ref()), "status");
    let headers = at(answer.and_then(|answer| answer.headers.as_ref()), "headers");
    let body = at(answer.and_then(|answer| answer.body.as_ref()), "body");
    Some(Part {
        status: plain(status.of(entry)?)?.parse().ok()?,
        headers: headers.of(entry).map(as_headers).unwrap_or_default(),
        body: match body.of(entry) {
            None | Some(Json::Null) => Vec::new(),
            Some(body) => serde_json::to_vec(body).ok()?,
        },
    })
}

fn as_headers(shown: &Json) -> HeaderMap {
    let members = shown.as_object().into_iter().flatten();
    members
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.to_lowercase().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(&plain(value)?).ok()?))
        })
        .collect()
}
