//! A job and its data in one request.

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::salesforce::api::Call;
use crate::salesforce::fault::{Code, Fault, Outcome};

/// The most characters of data in such a request.
const MAX_CHARACTERS: usize = 100_000;

/// The boundary, where the request is one of several parts.
pub(super) fn boundary(call: &Call) -> Option<String> {
    let media = call.header("content-type")?;
    let (kind, parameters) = media.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// The parts called `job` and `content`.
pub(super) fn parts(body: &Bytes, boundary: &str) -> Outcome<(Map<String, Json>, Bytes)> {
    let refuse = |text: &str| Fault::new(Code::InvalidJob, format!("InvalidJob : {text}"));
    let text = std::str::from_utf8(body).map_err(|_| refuse("the request is not UTF-8"))?;
    let mark = format!("--{boundary}");
    let (mut job, mut content) = (None, None);
    for piece in text.split(mark.as_str()).skip(1) {
        let piece = piece
            .strip_prefix("\r\n")
            .or(piece.strip_prefix('\n'))
            .unwrap_or(piece);
        let Some((head, data)) = piece.split_once("\r\n\r\n").or(piece.split_once("\n\n")) else {
            continue;
        };
        let data = data
            .strip_suffix("\r\n")
            .or(data.strip_suffix('\n'))
            .unwrap_or(data);
        let head = head.to_ascii_lowercase();
        if head.contains("name=\"job\"") {
            job = Some(data);
        } else if head.contains("name=\"content\"") {
            content = Some(data);
        }
    }
    let job = job.ok_or_else(|| refuse("the request has no part called job"))?;
    let content = content.ok_or_else(|| refuse("the request has no part called content"))?;
    if content.chars().count() > MAX_CHARACTERS {
        return Err(refuse(
            "a multipart request holds at most 100,000 characters of data",
        ));
    }
    let job = serde_json::from_str(job).map_err(|error| Fault::new(Code::JsonParser, error.to_string()))?;
    Ok((job, body.slice_ref(content.as_bytes())))
}
