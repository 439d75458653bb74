//! Faults on request, each as a client meets it.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::{FaultAction, Options};

use super::pubsub::{Bus, From};
use super::{BASE, Org, Reply, bulk_loads};

const TOKEN: &str = "let-me-break-it";

async fn org() -> Org {
    Org::start(Options {
        seed: Some(7),
        admin_token: Some(TOKEN.to_owned()),
        ..Options::default()
    })
    .await
}

async fn faults(org: &Org, method: Method, body: Value) -> Reply {
    org.send(TOKEN, method, "/_local/faults", &[], body).await
}

async fn arm(org: &Org, rule: Value) {
    let reply = faults(org, Method::POST, rule).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

/// A request whose connection may break.
async fn post(org: &Org, name: &str) -> Result<StatusCode, reqwest::Error> {
    let url = format!("{}{BASE}/sobjects/Account", org.server.url());
    let token = org.login("tandem").await;
    let request = org
        .http
        .post(url)
        .bearer_auth(token)
        .json(&json!({ "Name": name }));
    Ok(request.send().await?.status())
}

async fn count(org: &Org) -> usize {
    org.query("SELECT Id FROM Account").await.len()
}

#[tokio::test]
async fn only_the_admin_token_opens_the_faults() {
    let org = org().await;
    assert_eq!(org.server.admin_token(), TOKEN);
    for token in [org.login("tandem").await, "no".to_owned()] {
        let refused = org
            .send(&token, Method::GET, "/_local/faults", &[], Value::Null)
            .await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID")
        );
    }
    let other = Org::new().await;
    assert!(other.server.admin_token().len() >= 32);
}

#[tokio::test]
async fn a_rule_that_cannot_be_meant_is_refused() {
    let org = org().await;
    for rule in [
        json!({ "action": "explode" }),
        json!({ "action": "latency", "probability": 2 }),
        json!({ "action": "error-after", "status": 404 }),
        json!({ "action": "late-visibility", "seconds": 5, "up_to_seconds": 1 }),
        json!({ "action": "latency", "unknown": 1 }),
    ] {
        let refused = faults(&org, Method::POST, rule).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
    let text = r#"{ "faults": [{ "action": "latency", "probability": -1 }] }"#;
    assert!(
        Options::from_json(text)
            .unwrap_err()
            .to_string()
            .contains("probability")
    );
    let text = r#"{ "faults": [{ "action": "drop-after", "object": "Contact", "times": 1 }] }"#;
    assert_eq!(
        Options::from_json(text).unwrap().faults[0].action,
        FaultAction::DropAfter
    );
}

#[tokio::test]
async fn errors_come_before_or_after_the_commit_and_are_logged() {
    let org = org().await;
    arm(
        &org,
        json!({ "action": "error-before", "method": "POST", "object": "Account", "times": 1 }),
    )
    .await;
    arm(
        &org,
        json!({ "action": "error-after", "status": 500, "path": "*/sobjects/Account", "nth": 2, "times": 1 }),
    )
    .await;
    let reply = org.create("Account", json!({ "Name": "A" })).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "SERVER_UNAVAILABLE")
    );
    assert_eq!(count(&org).await, 0);
    org.add("Account", json!({ "Name": "B" })).await;
    let reply = org.create("Account", json!({ "Name": "C" })).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION")
    );
    assert_eq!(count(&org).await, 2);

    let log = faults(&org, Method::GET, Value::Null).await.body;
    let done: Vec<&str> = log["done"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["action"].as_str().unwrap())
        .collect();
    assert_eq!(done, ["error-before", "error-after"]);
    assert_eq!(log["rules"][0]["done"], 1);
    assert_eq!(log["done"][1]["path"], format!("{BASE}/sobjects/Account"));
    let cleared = faults(&org, Method::DELETE, Value::Null).await.body;
    assert_eq!(cleared, json!({ "rules": [], "done": [] }));
}

#[tokio::test]
async fn connections_break_before_or_after_the_commit() {
    let org = org().await;
    arm(
        &org,
        json!({ "action": "drop-before", "object": "Account", "times": 1 }),
    )
    .await;
    let broken = post(&org, "A").await.unwrap_err();
    assert!(broken.is_request() && broken.status().is_none(), "{broken}");
    assert_eq!(count(&org).await, 0);
    arm(
        &org,
        json!({ "action": "drop-after", "object": "Account", "method": "POST", "times": 1 }),
    )
    .await;
    post(&org, "B").await.unwrap_err();
    assert_eq!(count(&org).await, 1);
}

#[tokio::test]
async fn a_request_waits_and_a_commit_outlives_its_client() {
    let org = org().await;
    arm(&org, json!({ "action": "latency", "milliseconds": 120, "method": "POST", "object": "Account", "times": 1 })).await;
    let begun = Instant::now();
    org.add("Account", json!({ "Name": "A" })).await;
    assert!(begun.elapsed() >= Duration::from_millis(120));

    arm(&org, json!({ "action": "commit-late", "milliseconds": 300, "method": "POST", "object": "Account", "times": 1 })).await;
    let gone = tokio::time::timeout(Duration::from_millis(100), post(&org, "B")).await;
    assert!(gone.is_err());
    assert_eq!(count(&org).await, 1);
    let waited = async {
        while count(&org).await < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap();

    arm(&org, json!({ "action": "commit-late-unanswered", "milliseconds": 10, "method": "POST", "object": "Account" })).await;
    post(&org, "C").await.unwrap_err();
    assert_eq!(count(&org).await, 3);
}

#[tokio::test]
async fn sessions_end_and_calls_run_out_at_will() {
    let org = org().await;
    arm(
        &org,
        json!({ "action": "session-expired", "path": "*/query", "times": 1 }),
    )
    .await;
    let reply = org.query_reply("SELECT Id FROM Account").await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID")
    );
    assert_eq!(org.get("limits").await.status, StatusCode::UNAUTHORIZED);
    let token = org.login("tandem").await;
    arm(
        &org,
        json!({ "action": "request-limit", "path": "*/limits", "times": 1 }),
    )
    .await;
    let reply = org.send(&token, Method::GET, "limits", &[], Value::Null).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED")
    );
    assert!(reply.headers.contains_key("sforce-limit-info"));
    assert_eq!(
        org.send(&token, Method::GET, "limits", &[], Value::Null)
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn rows_are_locked_alone_and_inside_collections_and_composites() {
    let org = org().await;
    arm(
        &org,
        json!({ "action": "lock", "object": "Account", "method": "POST", "nth": 2, "times": 1 }),
    )
    .await;
    let record = |name: &str| json!({ "attributes": { "type": "Account" }, "Name": name });
    let body = json!({ "records": [record("A"), record("B"), record("C")] });
    let reply = org.call(Method::POST, "composite/sobjects", body).await;
    let fine: Vec<bool> = reply
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["success"] == true)
        .collect();
    assert_eq!(fine, [true, false, true]);
    assert_eq!(reply.body[1]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");

    let id = reply.body[0]["id"].as_str().unwrap();
    arm(&org, json!({ "action": "lock", "method": "PATCH" })).await;
    let refused = org.update("Account", id, json!({ "Name": "D" })).await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::BAD_REQUEST, "UNABLE_TO_LOCK_ROW")
    );
    let subrequest = json!({ "referenceId": "one", "method": "PATCH", "body": { "Name": "E" },
        "url": format!("{BASE}/sobjects/Account/{id}") });
    let reply = org
        .call(
            Method::POST,
            "composite",
            json!({ "compositeRequest": [subrequest] }),
        )
        .await;
    assert_eq!(
        reply.body["compositeResponse"][0]["body"][0]["errorCode"],
        "UNABLE_TO_LOCK_ROW"
    );
    let log = faults(&org, Method::GET, Value::Null).await.body;
    assert_eq!(log["done"][1]["row"], id);
}

#[tokio::test]
async fn a_page_is_cut_short_and_the_rest_follows() {
    let org = org().await;
    for name in ["A", "B", "C"] {
        org.add("Account", json!({ "Name": name })).await;
    }
    arm(&org, json!({ "action": "short-page", "rows": 2, "times": 1 })).await;
    let page = org.query_reply("SELECT Name FROM Account").await.body;
    assert_eq!(
        (page["records"].as_array().unwrap().len(), &page["done"]),
        (2, &json!(false))
    );
    let rest = org.get(page["nextRecordsUrl"].as_str().unwrap()).await.body;
    assert_eq!(
        (rest["records"].as_array().unwrap().len(), &rest["done"]),
        (1, &json!(true))
    );
}

#[tokio::test]
async fn the_same_seed_throws_the_same_dice() {
    let thrown = async || {
        let org = org().await;
        arm(&org, json!({ "action": "lock", "probability": 0.5 })).await;
        let record = |number: u32| json!({ "attributes": { "type": "Account" }, "Name": number.to_string() });
        let body = json!({ "records": (0..60).map(record).collect::<Vec<_>>() });
        let reply = org.call(Method::POST, "composite/sobjects", body).await;
        let fine = reply
            .body
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["success"] == true);
        fine.collect::<Vec<bool>>()
    };
    let first = thrown().await;
    assert_eq!(first, thrown().await);
    let locked = first.iter().filter(|fine| !**fine).count();
    assert!((15..=45).contains(&locked), "{locked}");
}

#[tokio::test]
async fn what_was_written_is_seen_later_than_it_says() {
    let org = org().await;
    let old = org.add("Account", json!({ "Name": "Old" })).await;
    arm(
        &org,
        json!({ "action": "late-visibility", "object": "Account", "seconds": 180 }),
    )
    .await;
    let new = org.add("Account", json!({ "Name": "New" })).await;
    assert_eq!(
        org.update("Account", &old, json!({ "Name": "Changed" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let names = "SELECT Name FROM Account ORDER BY Name";
    assert_eq!(org.names(names).await, ["Old"]);
    assert_eq!(org.read("Account", &old).await["Name"], "Old");
    let missing = org.get(&format!("sobjects/Account/{new}")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(
        org.query(&format!("SELECT Id FROM Account WHERE Id = '{new}'"))
            .await
            .is_empty()
    );
    let stamp = org.query("SELECT SystemModstamp FROM Account").await[0]["SystemModstamp"].clone();

    org.advance(100).await;
    let written = org.read("Account", &old).await["SystemModstamp"].clone();
    assert_eq!(written, stamp);
    org.advance(81).await;
    assert_eq!(org.names(names).await, ["Changed", "New"]);
    // It was written three minutes before it came in sight: a cursor that had moved on has lost it.
    let row = org.read("Account", &new).await;
    assert_eq!(row["CreatedDate"], row["SystemModstamp"]);
    let ago = clock(&org, 100).await;
    let moved_on = org
        .query(&format!("SELECT Id FROM Account WHERE SystemModstamp > {ago}"))
        .await;
    assert!(moved_on.is_empty());
}

/// The org's time some seconds ago, as SOQL writes it.
async fn clock(org: &Org, ago: i64) -> String {
    let now = org.get("/_local/clock").await.body["now"]
        .as_str()
        .unwrap()
        .replace("+0000", "Z");
    let now: jiff::Timestamp = now.parse().unwrap();
    (now - jiff::SignedDuration::from_secs(ago))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

#[tokio::test]
async fn deletions_come_late_too_and_the_covered_date_waits_for_them() {
    let org = org().await;
    let id = org.add("Contact", json!({ "LastName": "Late" })).await;
    org.advance(600).await;
    arm(
        &org,
        json!({ "action": "late-visibility", "method": "DELETE", "seconds": 120 }),
    )
    .await;
    let before = clock(&org, 0).await;
    assert_eq!(org.delete("Contact", &id).await.status, StatusCode::NO_CONTENT);
    assert_eq!(org.read("Contact", &id).await["LastName"], "Late");
    org.advance(60).await;
    let ask = async || {
        let (from, to) = (clock(&org, 900).await, clock(&org, -120).await);
        org.get(&format!("sobjects/Contact/deleted?start={from}&end={to}"))
            .await
            .body
    };
    let hidden = ask().await;
    assert_eq!(hidden["deletedRecords"], json!([]));
    let covered = hidden["latestDateCovered"].as_str().unwrap();
    assert!(covered[..19] <= before[..19], "{covered} {before}");
    org.advance(61).await;
    assert_eq!(ask().await["deletedRecords"][0]["id"], id);
    let all = super::url_encode("SELECT IsDeleted FROM Contact");
    let all = org.get(&format!("queryAll?q={all}")).await;
    assert_eq!(all.body["records"][0]["IsDeleted"], true);
}

#[tokio::test]
async fn events_lose_their_content_and_wait_for_hidden_rows() {
    let org = org().await;
    let mut bus = Bus::of(&org).await;
    let mut reader = bus.subscribe("/data/ContactChangeEvent", From::Latest, 10).await;
    arm(
        &org,
        json!({ "action": "gap-event", "object": "Contact", "times": 1 }),
    )
    .await;
    let id = org.add("Contact", json!({ "LastName": "A" })).await;
    let gap = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(
        (gap.change.as_str(), gap.records.as_slice()),
        ("GAP_CREATE", &[id.clone()][..])
    );
    arm(&org, json!({ "action": "overflow-event", "times": 1 })).await;
    org.update("Contact", &id, json!({ "Title": "T" })).await;
    let overflow = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(overflow.change, "GAP_OVERFLOW");
    assert!(!overflow.records.contains(&id));

    arm(
        &org,
        json!({ "action": "late-visibility", "seconds": 600, "times": 1 }),
    )
    .await;
    let late = org.add("Contact", json!({ "LastName": "Late" })).await;
    let soon = org.add("Contact", json!({ "LastName": "Soon" })).await;
    assert_eq!(bus.read(&mut reader, 1).await[0].records, [soon]);
    org.advance(601).await;
    assert_eq!(bus.read(&mut reader, 1).await[0].records, [late]);
}

#[tokio::test]
async fn every_row_has_a_delay_of_its_own() {
    let org = org().await;
    arm(
        &org,
        json!({ "action": "late-visibility", "seconds": 0, "up_to_seconds": 100 }),
    )
    .await;
    let record = |number: u32| json!({ "attributes": { "type": "Account" }, "Name": number.to_string() });
    let body = json!({ "records": (0..100).map(record).collect::<Vec<_>>() });
    org.call(Method::POST, "composite/sobjects", body).await;
    org.advance(50).await;
    let seen = count(&org).await;
    assert!((20..=80).contains(&seen), "{seen}");
    org.advance(51).await;
    assert_eq!(count(&org).await, 100);
}

#[tokio::test]
async fn rows_of_a_bulk_job_are_locked_and_the_job_breaks_off() {
    let org = org().await;
    let load = async |names: &str| {
        let job = json!({ "object": "Account", "operation": "insert" });
        let id = bulk_loads::open(&org, job).await;
        assert_eq!(
            bulk_loads::put(&org, &id, names.to_owned()).await,
            StatusCode::CREATED
        );
        bulk_loads::set_state(&org, &id, "UploadComplete").await;
        let info = bulk_loads::finish(&org, &format!("jobs/ingest/{id}")).await;
        (id, info)
    };
    arm(
        &org,
        json!({ "action": "lock", "object": "Account", "path": "/jobs/ingest", "nth": 2, "times": 1 }),
    )
    .await;
    let (_, info) = load("Name\nA\nB\nC\n").await;
    assert_eq!(
        (&info["state"], &info["numberRecordsFailed"]),
        (&json!("JobComplete"), &json!(1))
    );
    arm(&org, json!({ "action": "job-broken", "nth": 3, "times": 1 })).await;
    let (id, info) = load("Name\nD\nE\nF\nG\n").await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"]),
        (&json!("Failed"), &json!(2))
    );
    let url = format!("{}{BASE}/jobs/ingest/{id}/unprocessedrecords", org.server.url());
    let token = org.login("tandem").await;
    let rest = org
        .http
        .get(url)
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(
        rest.lines()
            .skip(1)
            .map(|line| line.trim_matches('"'))
            .collect::<Vec<_>>(),
        ["F", "G"]
    );
    assert_eq!(
        org.names("SELECT Name FROM Account ORDER BY Name").await,
        ["A", "C", "D", "E"]
    );
}
