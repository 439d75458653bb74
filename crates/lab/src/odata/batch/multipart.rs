//! Batches as `multipart/mixed`, with change sets that are carried out entirely or not at all.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{few_enough, location, place, referred};
use crate::odata::csrf::random;
use crate::odata::exchange::{Answer, Call};
use crate::odata::model::Version;
use crate::odata::refusal::Refusal;
use crate::odata::service::{State, Talk};

/// One request, or several of a change set.
enum Part {
    One(Request),
    ChangeSet(Vec<Request>),
}

struct Request {
    id: Option<String>,
    method: String,
    address: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(super) fn answer(
    talk: &Talk<'_>,
    state: &mut State,
    call: &Call,
    media: &str,
) -> Result<Answer, Refusal> {
    let text = std::str::from_utf8(&call.body).map_err(|_| Refusal::bad("The batch is not in UTF-8."))?;
    let parts = parts(text, media)?
        .into_iter()
        .map(part)
        .collect::<Result<Vec<_>, _>>()?;
    let count = |part: &Part| match part {
        Part::One(_) => 1,
        Part::ChangeSet(requests) => requests.len(),
    };
    few_enough(talk, parts.iter().map(count).sum())?;
    // v2 goes on after a failure; v4 stops, unless the client prefers otherwise.
    let preferred = call
        .preference("continue-on-error")
        .is_some_and(|word| word != "false");
    let goes_on = talk.service.version == Version::V2 || preferred;
    let boundary = format!("batch_{}", random());
    let mut body = String::new();
    for part in parts {
        let failed = match part {
            Part::One(request) => {
                let (answer, _) = one(talk, state, &request, &[]);
                body.push_str(&format!("--{boundary}\r\n{}", shown(&request, &answer)));
                !answer.status.is_success()
            }
            Part::ChangeSet(requests) => {
                let (text, failed) = change_set(talk, state, &requests);
                body.push_str(&format!("--{boundary}\r\n{text}"));
                failed
            }
        };
        if failed && !goes_on {
            break;
        }
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    let status = match talk.service.version {
        Version::V2 => StatusCode::ACCEPTED,
        Version::V4 => StatusCode::OK,
    };
    let mut answer =
        Answer::empty(status).with("content-type", &format!("multipart/mixed; boundary={boundary}"));
    answer.body = body.into_bytes();
    Ok(answer)
}

/// Carries out a change set. Where one request fails, its answer alone stands for the set.
fn change_set(talk: &Talk<'_>, state: &mut State, requests: &[Request]) -> (String, bool) {
    let before = state.store.clone();
    let boundary = format!("changeset_{}", random());
    let (mut made, mut text) = (Vec::new(), String::new());
    for request in requests {
        let (answer, place) = match request.method.as_str() {
            "GET" => {
                let refusal = Refusal::bad("A change set holds no GET.");
                (Answer::refused(&refusal, talk.service.version), None)
            }
            _ => one(talk, state, request, &made),
        };
        if !answer.status.is_success() {
            state.store = before;
            return (shown(request, &answer), true);
        }
        made.extend(request.id.clone().zip(place));
        text.push_str(&format!("--{boundary}\r\n{}", shown(request, &answer)));
    }
    let head = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
    (format!("{head}{text}--{boundary}--\r\n"), false)
}

fn one(
    talk: &Talk<'_>,
    state: &mut State,
    request: &Request,
    made: &[(String, String)],
) -> (Answer, Option<String>) {
    let call = referred(&request.address, made).and_then(|address| {
        let (path, query) = place(talk, &address)?;
        if path.starts_with("$batch") {
            return Err(Refusal::bad("A batch cannot stand in a batch."));
        }
        let method = Method::from_bytes(request.method.as_bytes());
        Ok(Call {
            method: method.map_err(|_| Refusal::bad(format!("{} is no method.", request.method)))?,
            path,
            query,
            headers: request.headers.clone(),
            body: request.body.clone(),
        })
    });
    match call {
        Ok(call) => {
            let answer = talk.answer(state, &call);
            let place = location(&call, &answer);
            (answer, place)
        }
        Err(refusal) => (Answer::refused(&refusal, talk.service.version), None),
    }
}

/// An answer as a part.
fn shown(request: &Request, answer: &Answer) -> String {
    let mut text = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n".to_owned();
    if let Some(id) = &request.id {
        text.push_str(&format!("Content-ID: {id}\r\n"));
    }
    let reason = answer.status.canonical_reason().unwrap_or_default();
    text.push_str(&format!("\r\nHTTP/1.1 {} {reason}\r\n", answer.status.as_u16()));
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", answer.body.len()));
    text.push_str(&String::from_utf8_lossy(&answer.body));
    text.push_str("\r\n");
    text
}

/// The parts between boundaries, without the line end before the next one.
fn parts<'a>(text: &'a str, media: &str) -> Result<Vec<&'a str>, Refusal> {
    let boundary = media
        .split(';')
        .find_map(|word| word.trim().strip_prefix("boundary="));
    let boundary = boundary.ok_or_else(|| Refusal::bad("The media type of the batch names no boundary."))?;
    let open = format!("--{}", boundary.trim_matches('"'));
    let close = format!("{open}--");
    let (mut parts, mut start, mut at) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare == open || bare == close {
            // What stands before the first boundary is nobody's.
            let piece = start.map(|start| &text[start..at]);
            let without = |piece: &'a str| {
                let cut = piece.strip_suffix("\r\n").or_else(|| piece.strip_suffix('\n'));
                cut.unwrap_or(piece)
            };
            parts.extend(piece.map(without));
            start = Some(at + line.len());
        }
        if bare == close {
            return Ok(parts);
        }
        at += line.len();
    }
    Err(Refusal::bad("The batch does not end with its boundary."))
}

fn part(text: &str) -> Result<Part, Refusal> {
    let (headers, body) = head(text)?;
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let media = header("content-type").to_owned();
    if media.to_ascii_lowercase().starts_with("multipart/mixed") {
        let requests = parts(body, &media)?
            .into_iter()
            .map(request)
            .collect::<Result<_, _>>()?;
        return Ok(Part::ChangeSet(requests));
    }
    request(text).map(Part::One)
}

/// A part of the type `application/http`.
fn request(text: &str) -> Result<Request, Refusal> {
    let (outer, rest) = head(text)?;
    let rest = rest.trim_start_matches(['\r', '\n']);
    let (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
    let words: Vec<&str> = line.split_whitespace().collect();
    let [method, address, ..] = words.as_slice() else {
        return Err(Refusal::bad(format!("`{}` is no request line.", line.trim())));
    };
    let (headers, body) = head(rest)?;
    let id = [&outer, &headers]
        .iter()
        .find_map(|headers| headers.get("content-id")?.to_str().ok().map(str::to_owned));
    let length = headers
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let body = body.get(..length.unwrap_or(body.len())).unwrap_or(body);
    Ok(Request {
        id,
        method: (*method).to_owned(),
        address: (*address).to_owned(),
        headers,
        body: body.trim_end_matches(['\r', '\n']).as_bytes().to_vec(),
    })
}

/// The headers up to the first empty line, and what follows it.
fn head(text: &str) -> Result<(HeaderMap, &str), Refusal> {
    let mut headers = HeaderMap::new();
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let line = line.trim();
        if line.is_empty() {
            return Ok((headers, after));
        }
        let wrong = || Refusal::bad(format!("`{line}` is no header of a batch."));
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?);
        rest = after;
    }
}
