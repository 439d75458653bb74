//! Small ERPs that answer as a test says, and what is asked of them.

use super::config;
use crate::salesforce::office::{Answer, Asked, Office};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{Change, ChangePage, Connector, Write};
use tandem_merge::record::{Observation, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

pub(super) const OK: &str = "200 OK";

/// `GET` and so on.
pub(super) fn method(asked: &Asked) -> &str {
    asked.head.split(' ').next().unwrap_or_default()
}

/// A header that was sent, by its name in lower case.
pub(super) fn header<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    let mut lines = asked.head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// A parameter behind the path.
pub(super) fn parameter(asked: &Asked, name: &str) -> Option<String> {
    let (_, query) = asked.path.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// The body that was sent.
pub(super) fn sent(asked: &Asked) -> Json {
    serde_json::from_str(&asked.body).unwrap_or_default()
}

pub(super) fn ok(body: &Json) -> Answer {
    (OK.to_owned(), body.to_string())
}

pub(super) fn status(line: &str) -> Answer {
    (line.to_owned(), "{}".to_owned())
}

/// An ERP with a connector to it, which reads no overlap.
pub(super) async fn erp(
    description: &str,
    secrets: &[(&str, &str)],
    answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (Office, Rest) {
    let office = Office::open(answer).await;
    let config = RestConfig {
        overlap: jiff::SignedDuration::ZERO,
        ..config(&office.url, description, secrets)
    };
    let rest = Rest::connect(config).unwrap();
    (office, rest)
}

pub(super) fn things() -> RecordType {
    RecordType::new("erp", "Thing")
}

/// One round of changes of things, in pages.
pub(super) async fn round(rest: &Rest, mut cursor: Option<Vec<u8>>) -> Vec<ChangePage> {
    let mut pages = Vec::new();
    loop {
        let page = rest.changes(&[things()], cursor.as_deref()).await.unwrap();
        cursor = Some(page.cursor.clone());
        let more = page.more;
        pages.push(page);
        if !more {
            return pages;
        }
    }
}

pub(super) fn rows(pages: &[ChangePage]) -> Vec<&Observation> {
    pages.iter().flat_map(|page| &page.observations).collect()
}

pub(super) fn ids<'o>(rows: impl IntoIterator<Item = &'o Observation>) -> Vec<&'o str> {
    rows.into_iter().map(|row| row.key.id.as_str()).collect()
}

/// All that a listing shows.
pub(super) async fn listed(rest: &Rest) -> Result<Vec<Observation>, tandem_connector::Error> {
    let (mut all, mut resume) = (Vec::new(), None);
    loop {
        let page = rest.list(&things(), resume.as_deref()).await?;
        all.extend(page.observations);
        resume = page.resume;
        if resume.is_none() {
            return Ok(all);
        }
    }
}

pub(super) fn values(of: &[(&str, Value)]) -> Values {
    let pairs = of.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    pairs.collect::<BTreeMap<_, _>>()
}

pub(super) fn create(of: &[(&str, Value)]) -> Write {
    Write {
        intent: 1,
        key: "key-1".to_owned(),
        change: Change::Create {
            record_type: things(),
            values: values(of),
        },
    }
}

pub(super) fn update(id: &str, of: &[(&str, Value)], only_if: Option<Version>) -> Write {
    Write {
        intent: 2,
        key: "key-2".to_owned(),
        change: Change::Update {
            record: RecordKey::new("erp", "Thing", id),
            values: values(of),
            only_if,
        },
    }
}

/// A description of things, with what a test says besides.
pub(super) fn description(session: &str, of: &str, properties: &str) -> String {
    let mut text = format!("{session}\nrecord_types:\n  Thing:\n");
    for line in of.lines().filter(|line| !line.trim().is_empty()) {
        text.push_str(&format!("    {line}\n"));
    }
    text.push_str("    properties:\n");
    for line in properties.lines().filter(|line| !line.trim().is_empty()) {
        text.push_str(&format!("      {}\n", line.trim()));
    }
    text
}

/// A record of a thing.
pub(super) fn thing(id: u32) -> Json {
    json!({ "id": id, "name": format!("n{id}") })
}
