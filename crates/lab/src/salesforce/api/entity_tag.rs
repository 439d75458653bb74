//! Entity tags: `ETag`, `If-Match` and `If-None-Match`, which rows of Account alone have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::rows::{fields_named, record};
use super::{Call, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;
use crate::salesforce::schema::ObjectIndex;
use crate::salesforce::table::Row;

/// The tag of a row, in quotes; none where its object has none.
pub(super) fn of(org: &Org, object: ObjectIndex, row: &Row) -> Option<String> {
    if org.schema.object(object).name != "Account" {
        return None;
    }
    let fields = fields_named(org, object, None).ok()?;
    let content = record(org, "", object, row, &fields).to_string();
    let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, content.as_bytes());
    Some(format!("\"{}\"", STANDARD.encode(sum)))
}

/// Holds the row against the tags that the call names: a reply in the place of the row, or nothing.
///
/// # Errors
/// `PRECONDITION_FAILED`; on a PATCH also where a header names no tags.
pub(super) fn check(org: &Org, call: &Call, object: ObjectIndex, row: &Row) -> Outcome<Option<Reply>> {
    let reads = matches!(call.method.as_str(), "GET" | "HEAD");
    let Some(tag) = of(org, object, row).filter(|_| reads || call.method == "PATCH") else {
        return Ok(None);
    };
    let named = |header: &str| -> Outcome<Option<bool>> {
        let Some(text) = call.header(header) else {
            return Ok(None);
        };
        match tags(text) {
            Some(tags) => Ok(Some(tags.iter().any(|one| *one == "*" || *one == tag))),
            None if reads => Ok(None),
            None => Err(Fault::new(
                Code::MissingArgument,
                format!("the header {header} names no entity tags: {text}"),
            )),
        }
    };
    if named("if-match")? == Some(false) {
        return Err(moved("the record matches none of the tags given in If-Match"));
    }
    match named("if-none-match")? {
        Some(true) if reads => Ok(Some(Reply::empty(304).with("ETag", tag))),
        Some(true) => Err(moved("the record matches a tag given in If-None-Match")),
        _ => Ok(None),
    }
}

fn moved(text: &str) -> Fault {
    Fault::new(Code::PreconditionFailed, text)
}

/// The tags of a header, with their quotes; none where one is no tag.
fn tags(text: &str) -> Option<Vec<&str>> {
    let one = |tag: &str| tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"');
    let tags: Vec<&str> = text
        .split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .collect();
    tags.iter().all(|tag| *tag == "*" || one(tag)).then_some(tags)
}
