//! What a request passes on its way to either system: a delay, and a record of it and its answer.

#![allow(clippy::unwrap_used)]

use crate::{customerp::Erp, salesforce::Org};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use tandem_lab::{customerp, salesforce};

const LATENCY: u64 = 40;

/// The line of the record whose request has this path and body.
fn line(record: &Path, path: &str, body: &str) -> Value {
    let text = std::fs::read_to_string(record).unwrap();
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = lines.find(|line| line["path"] == path && line["body"] == body);
    found.unwrap_or_else(|| panic!("no {path}: {text}"))
}

fn assert_on_its_way(line: &Value) {
    let took = line["answered"].as_i64().unwrap() - line["arrived"].as_i64().unwrap();
    assert!(took >= i64::try_from(LATENCY).unwrap(), "{line}");
}

#[tokio::test]
async fn a_request_to_customerp_takes_its_time_and_is_recorded_with_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("customerp.jsonl");
    let erp = Erp::start(customerp::Options {
        latency_ms: LATENCY,
        record: Some(record.clone()),
        ..customerp::Options::default()
    })
    .await;
    let body = json!({ "name": "Blauer See" });
    let request = erp.as_user("alice", Method::POST, "/customers").json(&body);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let line = line(&record, "/api/v1/customers", &body.to_string());
    assert_on_its_way(&line);
    assert_eq!((&line["method"], &line["status"]), (&json!("POST"), &json!(201)));
    assert_eq!(line["media"], "application/json");
    let answer: Value = serde_json::from_str(line["answer"].as_str().unwrap()).unwrap();
    assert_eq!(answer["name"], "Blauer See");
}

#[tokio::test]
async fn a_request_to_the_org_takes_its_time_and_is_recorded_with_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("salesforce.jsonl");
    let org = Org::start(salesforce::Options {
        latency_ms: LATENCY,
        record: Some(record.clone()),
        ..salesforce::Options::default()
    })
    .await;
    let body = json!({ "Name": "Blauer See" });
    let reply = org
        .send(&org.token, Method::POST, "sobjects/Account", &[], body.clone())
        .await;
    let line = line(
        &record,
        "/services/data/v62.0/sobjects/Account",
        &body.to_string(),
    );
    assert_on_its_way(&line);
    assert_eq!((&line["method"], &line["status"]), (&json!("POST"), &json!(201)));
    let answer: Value = serde_json::from_str(line["answer"].as_str().unwrap()).unwrap();
    assert_eq!(answer["id"], reply.body["id"]);
    // What the org answers of itself is no part of its API.
    let url = format!("{}/_local/calls", org.server.url());
    org.http.get(url).send().await.unwrap();
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(!text.contains("/_local/calls"), "{text}");
}
