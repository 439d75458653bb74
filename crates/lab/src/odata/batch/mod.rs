//! `$batch`: several requests in one, as JSON (v4) or as `multipart/mixed`.

mod json;
mod multipart;

use axum::http::{Method, StatusCode};

use super::exchange::{Answer, Call};
use super::model::Version;
use super::refusal::Refusal;
use super::service::{State, Talk};

/// Carries out a batch in the form in which it came.
pub(crate) fn answer(talk: &Talk<'_>, state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let media = call.header("content-type").to_owned();
    let kind = media
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match kind.as_str() {
        "multipart/mixed" => multipart::answer(talk, state, call, &media),
        "application/json" if talk.service.version == Version::V4 => json::answer(talk, state, call),
        _ => {
            let message = format!("A batch must be multipart/mixed, or JSON in v4, not {media}.");
            Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                message,
            ))
        }
    }
}

/// Whether a batch of so many requests is taken.
fn few_enough(talk: &Talk<'_>, count: usize) -> Result<(), Refusal> {
    let most = talk.settings.batch_most;
    if count <= most {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "A batch has at most {most} requests, not {count}."
    )))
}

/// Path and query below the service's root of an address: absolute, from the host's root, or from the service's.
fn place(talk: &Talk<'_>, address: &str) -> Result<(String, String), Refusal> {
    let elsewhere = || Refusal::bad(format!("{address} is no address of this service."));
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.find('/').map(|at| &rest[at..]).ok_or_else(elsewhere)?,
        None => address,
    };
    let below = if path.starts_with('/') {
        let below = path.strip_prefix(talk.service.root.as_str());
        below
            .filter(|below| below.starts_with('/'))
            .ok_or_else(elsewhere)?
    } else {
        path
    };
    let (path, query) = below.split_once('?').unwrap_or((below, ""));
    Ok((path.trim_start_matches('/').to_owned(), query.to_owned()))
}

/// Where an answer says that its entity lies, for requests that refer to it.
fn location(call: &Call, answer: &Answer) -> Option<String> {
    let text = |name: &str| answer.headers.get(name)?.to_str().ok().map(str::to_owned);
    text("location").or_else(|| text("odata-entityid")).or_else(|| {
        let changes = call.method != Method::POST && answer.status.is_success();
        changes.then(|| call.path.clone())
    })
}

/// The address with the entity in the place of `$ID` at its beginning.
fn referred(address: &str, made: &[(String, String)]) -> Result<String, Refusal> {
    let Some(rest) = address.strip_prefix('$') else {
        return Ok(address.to_owned());
    };
    let (id, rest) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let found = made.iter().find(|(made, _)| made == id);
    match found {
        Some((_, location)) => Ok(format!("{location}{rest}")),
        None if ["metadata", "batch"].contains(&id) => Ok(address.to_owned()),
        None => Err(Refusal::bad(format!("No request before this one made ${id}."))),
    }
}
