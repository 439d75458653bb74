//! Batches as `multipart/mixed`: reads as parts, each change in a change set of its own, so that none is undone for another.

use super::Part;
use crate::http::{Reply, Request};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write as _;

/// How deep parts stand in each other: a batch, its change sets.
const DEPTH: usize = 3;

/// The content type and the body that carry requests.
pub(super) fn body(requests: &[&Request]) -> (String, Vec<u8>) {
    let mark = mark(requests);
    let outer = format!("batch_{mark}");
    let mut body = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        let reads = request.method == reqwest::Method::GET;
        body.extend_from_slice(format!("--{outer}\r\n").as_bytes());
        if reads {
            single(&mut body, number, request);
        } else {
            // It does not begin like the outer one, which would end there.
            let inner = format!("changeset_{number}_{mark}");
            let head = format!("Content-Type: multipart/mixed; boundary={inner}\r\n\r\n--{inner}\r\n");
            body.extend_from_slice(head.as_bytes());
            single(&mut body, number, request);
            body.extend_from_slice(format!("--{inner}--\r\n").as_bytes());
        }
    }
    body.extend_from_slice(format!("--{outer}--\r\n").as_bytes());
    (format!("multipart/mixed; boundary={outer}"), body)
}

/// A text that stands in none of the bodies.
fn mark(requests: &[&Request]) -> String {
    let bodies: Vec<u8> = requests
        .iter()
        .flat_map(|request| request.body.clone().unwrap_or_default())
        .collect();
    // Of what was hashed nobody can foretell the hash and write it into a value.
    crate::shown::token(&bodies)
}

fn single(body: &mut Vec<u8>, number: usize, request: &Request) {
    let mut head = format!(
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n{} {} HTTP/1.1\r\n",
        request.method, request.target
    );
    for (name, value) in &request.headers {
        if let Ok(value) = value.to_str() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    let sent = request.body.as_deref().unwrap_or_default();
    if !sent.is_empty() {
        let _ = write!(head, "content-length: {}\r\n", sent.len());
    }
    head.push_str("\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(sent);
    body.extend_from_slice(b"\r\n");
}

/// The answers in the order of the requests; none of a request that is not answered.
pub(super) fn parts(reply: &Reply, count: usize) -> Option<Vec<Option<Part>>> {
    let kind = reply.headers.get("content-type")?.to_str().ok()?;
    let mut found = Vec::new();
    read(kind, &reply.body, &mut found, DEPTH)?;
    // More answers than requests are answers to something else.
    if found.len() > count {
        return None;
    }
    found.resize_with(count, || None);
    Some(found)
}

/// Reads the parts of a body of that type.
fn read(kind: &str, body: &[u8], found: &mut Vec<Option<Part>>, depth: usize) -> Option<()> {
    let kind_of = kind.to_ascii_lowercase();
    if kind_of.starts_with("application/http") {
        found.push(Some(answer(body)?));
        return Some(());
    }
    if !kind_of.starts_with("multipart/mixed") || depth == 0 {
        return None;
    }
    let at = kind_of.find("boundary=")? + "boundary=".len();
    let boundary = kind.get(at..)?.split(';').next()?.trim().trim_matches('"');
    let mark = format!("--{boundary}");
    for part in between(body, mark.as_bytes())? {
        let (head, inner) = headed(part)?;
        let kind = head.get("content-type")?.to_str().ok()?.to_owned();
        read(&kind, inner, found, depth - 1)?;
    }
    Some(())
}

/// What stands between marks at the beginning of lines, up to the last one.
fn between<'b>(body: &'b [u8], mark: &[u8]) -> Option<Vec<&'b [u8]>> {
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let end = body[at..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(body.len(), |end| at + end + 1);
        let line = body[at..end].trim_ascii_end();
        let last = line.strip_suffix(b"--") == Some(mark);
        if line == mark || last {
            if let Some(from) = open {
                let part = body.get(from..at)?;
                // The line's end before a mark belongs to it.
                let part = part
                    .strip_suffix(b"\r\n")
                    .or(part.strip_suffix(b"\n"))
                    .unwrap_or(part);
                parts.push(part);
            }
            if last {
                return Some(parts);
            }
            open = Some(end);
        }
        at = end;
    }
    None
}

/// Headers, and what follows them.
fn headed(part: &[u8]) -> Option<(HeaderMap, &[u8])> {
    let (mut headers, mut at) = (HeaderMap::new(), 0);
    loop {
        let rest = part.get(at..)?;
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |end| end + 1);
        let line = std::str::from_utf8(rest.get(..end)?).ok()?.trim();
        at += end;
        if line.is_empty() {
            return Some((headers, part.get(at..)?));
        }
        if let Some((name, value)) = line.split_once(':') {
            let name = HeaderName::from_bytes(name.trim().to_ascii_lowercase().as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
        }
    }
}

/// One answer as HTTP writes it.
fn answer(body: &[u8]) -> Option<Part> {
    let end = body.iter().position(|byte| *byte == b'\n')? + 1;
    let line = std::str::from_utf8(&body[..end]).ok()?.trim();
    let status = line.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
    let (headers, rest) = headed(&body[end..])?;
    let length = headers
        .get("content-length")
        .and_then(|length| length.to_str().ok()?.trim().parse().ok());
    let rest = rest.get(..length.unwrap_or(rest.len())).unwrap_or(rest);
    Some(Part {
        status,
        headers,
        body: rest.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::Method;

    fn reply(kind: &str, body: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        Reply {
            status: 200,
            headers,
            body: body.replace('\n', "\r\n").into_bytes(),
            began: jiff::Timestamp::UNIX_EPOCH,
            reached: None,
            repeated: false,
        }
    }

    #[test]
    fn each_change_is_a_change_set_of_its_own() {
        let change = Request::new(Method::PATCH, "/v/C('a')").json(&serde_json::json!({ "n": 1 }));
        let (kind, body) = body(&[&Request::get("/v/C('b')"), &change]);
        let text = String::from_utf8(body).unwrap();
        let outer = kind.strip_prefix("multipart/mixed; boundary=").unwrap();
        assert_eq!(text.matches(&format!("--{outer}\r\n")).count(), 2);
        assert!(text.contains("GET /v/C('b') HTTP/1.1\r\n"), "{text}");
        let mark = outer.strip_prefix("batch_").unwrap();
        let set = format!("Content-Type: multipart/mixed; boundary=changeset_1_{mark}\r\n");
        assert!(text.contains(&set), "{text}");
        assert!(text.contains("\r\n\r\n{\"n\":1}\r\n"), "{text}");
        assert!(text.ends_with(&format!("--{outer}--\r\n")));
    }

    #[test]
    fn answers_are_read_out_of_parts_and_change_sets() {
        let body = "--b\nContent-Type: application/http\n\nHTTP/1.1 200 OK\nETag: W/\"1\"\nContent-Length: 2\n\n{}\n--b\n\
            Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\n\nHTTP/1.1 204 No Content\n\n\n--c--\n\n--b\n\
            Content-Type: application/http\n\nHTTP/1.1 412 Precondition Failed\n\n{\"error\":{}}\n--b--\n";
        let parts = parts(&reply("multipart/mixed; boundary=\"b\"", body), 4).unwrap();
        let statuses: Vec<_> = parts
            .iter()
            .map(|part| part.as_ref().map(|part| part.status))
            .collect();
        assert_eq!(statuses, [Some(200), Some(204), Some(412), None]);
        let first = parts[0].as_ref().unwrap();
        assert_eq!(first.body, b"{}");
        assert_eq!(first.headers["etag"], "W/\"1\"");
        assert_eq!(parts[2].as_ref().unwrap().body, b"{\"error\":{}}");
        // One that is cut, or holds more than was asked, is no answer.
        let cut = body.strip_suffix("--b--\n").unwrap();
        assert!(super::parts(&reply("multipart/mixed; boundary=b", cut), 4).is_none());
        assert!(super::parts(&reply("multipart/mixed; boundary=b", body), 2).is_none());
    }
}
