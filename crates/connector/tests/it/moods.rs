//! An ERP in hostile moods: pages without end, and records that cannot be read.

use crate::salesforce::office::{Answer, Asked, HANGS_UP, Office};
use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{ChangePage, Connector, ErrorKind, Scope};
use tandem_merge::record::{Observation, Presence, RecordType};
use tandem_merge::value::Value;

/// What the moody ERP has, described.
const DESCRIBED: &str = "
base: /api/v1
session: { kind: bearer }
identity: { request: GET /, id: company }
defaults:
  record: { id: id, token: version, order: version, modified: updatedAt, deleted: deleted }
  list:
    request: GET /{collection}
    query: { limit: 1000, cursor: \"{cursor}\" }
    items: items
    paging: { kind: cursor, next: nextCursor }
    clock: asOf
  changes: { query: { updatedSince: \"{since}\" } }
  read:
    request: GET /{collection}/{id}
    many: { request: \"GET /{collection}\", query: { ids: \"{ids}\" }, items: items }
  properties: { name: string, birthdate: date, count: integer }
record_types:
  Contact: { collection: contacts }
  Order: { collection: orders }
";

fn connect(url: &url::Url) -> Box<dyn Connector> {
    let config = RestConfig {
        name: "customerp".to_owned(),
        overlap: SignedDuration::ZERO,
        ..crate::rest::config(url, DESCRIBED, &[("token", "secret")])
    };
    Box::new(Rest::connect(config).unwrap())
}

/// An ERP with contacts and orders.
async fn erp(listing: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Office, Box<dyn Connector>) {
    let property = |name: &str, of: &str| json!({ "name": name, "type": of });
    let properties = [
        property("name", "string"),
        property("birthdate", "date"),
        property("count", "integer"),
    ];
    let of = |collection: &str| json!({ "collection": collection, "properties": properties });
    let types = json!({ "Contact": of("contacts"), "Order": of("orders") });
    let described = json!({ "name": "E", "company": "c", "user": "u", "types": types }).to_string();
    let office = Office::open(move |asked| match asked.path.as_str() {
        "/api/v1" | "/api/v1/" => (OK.to_owned(), described.clone()),
        _ => listing(asked),
    })
    .await;
    let connector = connect(&office.url);
    (office, connector)
}

const OK: &str = "200 OK";

fn item(id: u32) -> Json {
    json!({ "id": id.to_string(), "version": 1, "updatedAt": "2026-03-01T12:00:00.000Z",
            "name": "n", "birthdate": null, "count": 1 })
}

fn page(items: &[Json], next: Option<&str>) -> Answer {
    let body = json!({ "items": items, "asOf": "2026-03-02T12:00:00.000Z", "nextCursor": next });
    (OK.to_owned(), body.to_string())
}

fn types() -> [RecordType; 2] {
    ["Contact", "Order"].map(|name| RecordType::new("customerp", name))
}

/// All pages of one round.
async fn round(erp: &dyn Connector, mut cursor: Option<Vec<u8>>) -> (Vec<Observation>, ChangePage) {
    let mut rows = Vec::new();
    loop {
        let page = erp.changes(&types(), cursor.as_deref()).await.unwrap();
        rows.extend(page.observations.clone());
        if !page.more {
            return (rows, page);
        }
        cursor = Some(page.cursor);
    }
}

#[allow(clippy::type_complexity)] // A table.
#[tokio::test]
async fn e17_a_type_that_lists_for_ever_is_incomplete_and_the_others_are_read() {
    // However the pages repeat themselves.
    let moods: [(&str, fn(usize) -> Answer); 3] = [
        ("continuation", |_| page(&[item(1)], Some("the same"))),
        ("same records", |asked| page(&[item(1)], Some(&asked.to_string()))),
        ("empty", |asked| page(&[], Some(&asked.to_string()))),
    ];
    for (words, mood) in moods {
        let count = AtomicUsize::new(0);
        let (office, erp) = erp(move |asked| match asked.path.contains("contacts") {
            true => mood(count.fetch_add(1, Ordering::SeqCst)),
            false => page(&[item(7)], None),
        })
        .await;
        let (rows, last) = round(erp.as_ref(), None).await;
        let orders = rows
            .iter()
            .filter(|row| row.key.record_type.name == "Order")
            .count();
        assert_eq!(orders, 1, "{words}");
        let error = &last.incomplete[0].error;
        assert_eq!((last.incomplete.len(), error.kind), (1, ErrorKind::Protocol));
        let said = error.to_string();
        assert!(
            said.starts_with("customerp: the listing of Contact is incomplete") && said.contains(words),
            "{said}"
        );
        // THEN it is left alone for a while: nothing equal is asked at once.
        let asked = office.asked().len();
        let (_, next) = round(erp.as_ref(), Some(last.cursor)).await;
        assert_eq!(next.incomplete[0].error, *error);
        assert_eq!(office.asked().len(), asked + 1, "the orders alone");
        // The same holds for a listing.
        let (mut resume, mut stuck) = (None, None);
        while stuck.is_none() {
            match erp.list(&types()[0], resume.as_deref()).await {
                Ok(page) => resume = Some(page.resume.unwrap()),
                Err(error) => stuck = Some(error),
            }
        }
        assert!(stuck.unwrap().message.contains(words), "{words}");
    }
}

#[tokio::test]
async fn one_type_that_is_refused_or_down_keeps_no_other_away() {
    for status in [
        "404 Not Found",
        "500 Internal Server Error",
        "418 I'm a teapot",
        HANGS_UP,
    ] {
        let (_office, erp) = erp(move |asked| match asked.path.contains("contacts") {
            true => (status.to_owned(), String::from("{}")),
            false => page(&[item(7)], None),
        })
        .await;
        let (rows, last) = round(erp.as_ref(), None).await;
        assert_eq!((rows.len(), last.incomplete.len()), (1, 1), "{status}");
        assert_eq!(last.incomplete[0].record_type, types()[0]);
    }
    // Where nothing is answered, or all with an error, the system is down.
    for status in ["500 Internal Server Error", HANGS_UP] {
        let (_office, erp) = erp(move |_| (status.to_owned(), String::from("{}"))).await;
        let error = erp.changes(&types(), None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Down);
    }
}

#[tokio::test]
async fn e14_what_cannot_be_read_is_named_and_all_else_is_read() {
    let with = |id: u32, name: &str, value: Json| {
        let mut item = item(id);
        item[name] = value;
        item.to_string()
    };
    let mut absent = item(3);
    absent.as_object_mut().unwrap().remove("count");
    let half = item(4).to_string().replace("\"n\"", "\"\\ud800\"");
    let long = item(5)
        .to_string()
        .replace("\"n\"", &format!("\"{}\"", "x".repeat(9 << 20)));
    let items = [
        with(1, "birthdate", json!("0000-00-00")),
        with(2, "name", json!(5)),
        absent.to_string(),
        half,
        long,
        with(6, "version", json!("x")),
        with(7, "id", Json::Null),
        item(8).to_string(),
    ];
    let body = format!(
        r#"{{"items":[{}],"asOf":"2026-03-02T12:00:00.000Z"}}"#,
        items.join(",")
    );
    let (_office, erp) = erp(move |asked| match asked.path.contains("contacts") {
        true => (OK.to_owned(), body.clone()),
        false => page(&[], None),
    })
    .await;
    let (rows, last) = round(erp.as_ref(), None).await;
    assert_eq!(last.incomplete, []);
    let unreadable: Vec<(&str, Option<&str>)> = rows
        .iter()
        .map(|row| {
            (
                row.key.id.as_str(),
                row.unreadable.keys().next().map(String::as_str),
            )
        })
        .collect();
    assert_eq!(
        unreadable,
        [
            ("1", Some("birthdate")),
            ("2", Some("name")),
            ("3", Some("count")),
            ("4", Some("name")),
            ("5", Some("name")),
            ("6", Some("version")),
            ("8", None)
        ]
    );
    // Never blank, and the others as they are.
    let [first, second] = [&rows[0], &rows[1]];
    assert!(!first.values.contains_key("birthdate"));
    assert_eq!(first.values["name"], Value::text("n"));
    assert_eq!(second.values["birthdate"], Value::Blank);
    assert_eq!(rows[5].presence, Presence::Missing);
    assert!(
        rows.iter()
            .all(|row| row.unreadable.values().all(|why| !why.contains("0000")))
    );
}

#[tokio::test]
async fn an_erp_whose_clock_goes_back_beyond_the_overlap_is_read_as_a_whole() {
    let asked_at = |moment: &'static str, items: Vec<Json>| {
        let body = json!({ "items": items, "asOf": moment, "nextCursor": null });
        (OK.to_owned(), body.to_string())
    };
    let count = AtomicUsize::new(0);
    let (office, erp) = erp(move |asked| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => asked_at("2026-03-02T12:00:00Z", vec![]),
        // Set back: what was edited since is not within what is asked for.
        _ if !asked.path.contains("1970") => asked_at("2026-03-02T10:00:00Z", vec![]),
        _ => asked_at("2026-03-02T10:00:00Z", vec![item(1)]),
    })
    .await;
    let (_, first) = round(erp.as_ref(), None).await;
    let (rows, second) = round(erp.as_ref(), Some(first.cursor)).await;
    assert_eq!(rows.len(), 2, "one of each type");
    // THEN the next round goes on by the clock as it is.
    let before = office.asked().len();
    round(erp.as_ref(), Some(second.cursor)).await;
    let asked = &office.asked()[before..];
    assert!(
        asked.iter().all(|asked| asked
            .path
            .replace("%3A", ":")
            .contains("updatedSince=2026-03-02T10:00:00")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn an_answer_to_one_read_is_told_from_a_system_that_is_not_reached() {
    let [contact, _] = types();
    let ids = ["1".to_owned()];
    for status in [401, 403, 404, 405, 415, 423, 428, 451, 500, 503] {
        let line = format!("{status} Said");
        let (_office, erp) = erp(move |_| (line.clone(), "{}".to_owned())).await;
        let error = erp.fetch(&contact, &ids).await.unwrap_err();
        assert_eq!(error.scope, Scope::Answer, "{status}: {error:?}");
        // Whoever asks otherwise finds it well.
        assert!(erp.describe().await.is_ok(), "{status}");
    }
    for body in ["<html>", "{}", "[]"] {
        let (_office, erp) = erp(move |_| (OK.to_owned(), body.to_owned())).await;
        let error = erp.fetch(&contact, &ids).await.unwrap_err();
        assert_eq!(error.scope, Scope::Answer, "{body}: {error:?}");
    }
    let nowhere = connect(&"http://127.0.0.1:9".parse().unwrap());
    let error = nowhere.fetch(&contact, &ids).await;
    assert!(error.is_err_and(|error| error.scope == Scope::System));
}
