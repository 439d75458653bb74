//! The request that brings a deployment: its options as JSON and its package as a zip file.

use serde::Deserialize;

use super::DeployOptions;
use crate::salesforce::api::Call;
use crate::salesforce::fault::{Code, Fault, Outcome};

/// The part of JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    deploy_options: DeployOptions,
    validated_deploy_request_id: Option<String>,
}

/// The options, and the bytes of the zip file.
pub(super) fn read(call: &Call) -> Outcome<(DeployOptions, Vec<u8>)> {
    let media = call.header("content-type").unwrap_or_default();
    let Some(boundary) = boundary(media) else {
        return Err(match serde_json::from_slice::<Asked>(&call.body) {
            Ok(Asked {
                validated_deploy_request_id: Some(_),
                ..
            }) => Fault::new(
                Code::NotImplemented,
                "the local org has no quick deployment of a validated one: deploy the package again without checkOnly",
            ),
            _ => Fault::new(
                Code::UnsupportedMediaType,
                format!("Content-Type header specified in HTTP request is not supported: {media}"),
            ),
        });
    };
    let (mut options, mut zip) = (None, None);
    for (name, bytes) in parts(&call.body, &boundary) {
        match name.as_str() {
            "file" => zip = Some(bytes.to_vec()),
            "json" | "entity_content" => options = Some(bytes),
            _ => {}
        }
    }
    let missing = |name: &str| {
        Fault::new(
            Code::MissingArgument,
            format!("the request has no part called {name}"),
        )
    };
    let options = options.ok_or_else(|| missing("json"))?;
    let asked: Asked =
        serde_json::from_slice(options).map_err(|error| Fault::new(Code::JsonParser, error.to_string()))?;
    Ok((asked.deploy_options, zip.ok_or_else(|| missing("file"))?))
}

fn boundary(media: &str) -> Option<String> {
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

/// The parts by name.
fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<(String, &'b [u8])> {
    // The first boundary has no line before it.
    let mark = format!("\r\n--{boundary}");
    let Some(start) = find(body, &mark.as_bytes()[2..]) else {
        return Vec::new();
    };
    let mut rest = &body[start + mark.len() - 2..];
    let mut parts = Vec::new();
    while let Some(end) = find(rest, mark.as_bytes()) {
        if let Some(at) = find(&rest[..end], b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&rest[..at]).into_owned();
            parts.extend(name_of(&head).map(|name| (name, &rest[at + 4..end])));
        }
        rest = &rest[end + mark.len()..];
    }
    parts
}

fn name_of(head: &str) -> Option<String> {
    let line = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    line.split(';').find_map(|part| {
        let value = part.trim().strip_prefix("name=")?;
        Some(value.trim_matches('"').to_owned())
    })
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_of_a_part_are_kept_as_they_are() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{}\r\n--b\r\n\
                     content-disposition: form-data; name=\"file\"; filename=\"p.zip\"\r\n\r\nP\r\n\0--K\r\n--b--\r\n";
        let found = parts(body, "b");
        assert_eq!(found[0], ("json".to_owned(), b"{}".as_slice()));
        assert_eq!(found[1], ("file".to_owned(), b"P\r\n\0--K".as_slice()));
        assert!(parts(b"nothing", "b").is_empty());
        assert_eq!(boundary("multipart/form-data; boundary=\"x y\"").unwrap(), "x y");
    }
}
