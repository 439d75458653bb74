//! Several requests in one: each keeps an outcome of its own.

use super::stage::{create, description, erp, header, ok, sent, status, things, update};
use crate::salesforce::office::{Asked, HANGS_UP};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::{Connector, Lane, Outcome, RefusalKind, Write};
use tandem_merge::record::Presence;
use tandem_merge::value::Value;

const OF: &str = "
record: { id: id, token: v }
list: { request: GET /things }
read: { request: \"GET /things/{id}\" }
create: { request: POST /things, record: . }
update: { request: \"PATCH /things/{id}\", headers: { If-Match: \"{token}\" }, record: . }
";

const PLAIN: &str = "
batch:
  request: POST /batch
  at_most: 3
  reads: true
  each: { method: \"{method}\", path: \"{path}\", headers: \"{headers}\", body: \"{body}\" }
";

fn text(batch: &str) -> String {
    description(batch, OF, "name: string")
}

fn writes(names: &[&str]) -> Vec<Write> {
    names
        .iter()
        .map(|name| create(&[("name", Value::text(*name))]))
        .collect()
}

/// The requests of a batch.
fn requests(asked: &Asked) -> Vec<Json> {
    sent(asked)["requests"].as_array().cloned().unwrap_or_default()
}

/// What a server that is in its right mind answers to one request of a batch.
fn answer(request: &Json) -> Json {
    match request["body"]["name"].as_str() {
        Some("bad") => json!({ "status": 400, "body": { "message": "no such name" } }),
        Some("stale") => json!({ "status": 412 }),
        Some(name) => json!({ "status": 201, "headers": {}, "body": { "id": name, "v": 1, "name": name } }),
        None => {
            let id = request["path"].as_str().unwrap().trim_start_matches("/things/");
            match id {
                "gone" => json!({ "status": 410 }),
                id => json!({ "status": 200, "body": { "id": id, "v": 1, "name": id } }),
            }
        }
    }
}

fn answered(asked: &Asked) -> (String, String) {
    if asked.path == "/things" {
        let answer = answer(&json!({ "body": sent(asked) }));
        let line = if answer["status"] == 201 {
            "201 Created"
        } else {
            "400 Bad Request"
        };
        return (line.to_owned(), answer["body"].to_string());
    }
    let all: Vec<Json> = requests(asked).iter().map(answer).collect();
    ok(&json!({ "responses": all }))
}

#[tokio::test]
async fn writes_travel_together_and_each_is_answered_for_itself() {
    let (office, rest) = erp(&text(PLAIN), &[], answered).await;
    let outcomes = rest.write(&writes(&["a", "bad", "b", "c"]), Lane::Live).await;
    let [
        Outcome::Applied { id, state },
        Outcome::Refused(refusal),
        Outcome::Applied { .. },
        Outcome::Applied { id: last, .. },
    ] = outcomes.as_slice()
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!((id.as_str(), last.as_str()), ("a", "c"));
    assert_eq!(state.as_ref().unwrap().values["name"], Value::text("a"));
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    // Three of them in one; the last one, alone, needs none.
    let paths: Vec<String> = office.asked().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(paths, ["/batch", "/things"]);
    let first = &requests(&office.asked()[0])[0];
    assert_eq!(
        (&first["method"], &first["path"]),
        (&json!("POST"), &json!("/things"))
    );
}

#[tokio::test]
async fn each_carries_its_own_condition() {
    let (office, rest) = erp(&text(PLAIN), &[], answered).await;
    let version = |token: &str| {
        Some(tandem_merge::record::Version {
            token: token.to_owned(),
            order: None,
            modified: jiff::Timestamp::UNIX_EPOCH,
            firm: true,
            coarse: jiff::SignedDuration::ZERO,
        })
    };
    let updates = [
        update("a", &[("name", Value::text("a"))], version("7")),
        update("b", &[("name", Value::text("stale"))], version("8")),
    ];
    let outcomes = rest.write(&updates, Lane::Live).await;
    assert!(matches!(outcomes[0], Outcome::Applied { .. }), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Stale);
    let tokens: Vec<Json> = requests(&office.asked()[0])
        .iter()
        .map(|request| request["headers"]["if-match"].clone())
        .collect();
    assert_eq!(tokens, ["7", "8"]);
}

#[tokio::test]
async fn e4_a_batch_without_an_answer_leaves_each_of_its_writes_unknown() {
    let cases: [(&str, &str); 4] = [
        (HANGS_UP, ""),
        ("503 Service Unavailable", "{}"),
        (
            "200 OK",
            "{ \"responses\": [{ \"status\": 201, \"body\": { \"id\": \"a\", \"v\": 1, \"name\": \"a\" } }] }",
        ),
        ("200 OK", "nonsense"),
    ];
    for (line, body) in cases {
        let (_office, rest) = erp(&text(PLAIN), &[], move |_| (line.to_owned(), body.to_owned())).await;
        let outcomes = rest.write(&writes(&["a", "b"]), Lane::Live).await;
        let part = body.contains("201");
        assert_eq!(
            matches!(outcomes[0], Outcome::Applied { .. }),
            part,
            "{line}: {outcomes:?}"
        );
        assert!(matches!(outcomes[1], Outcome::Unknown(_)), "{line}: {outcomes:?}");
    }
    // Where it was refused at the door, nothing was sent.
    for line in ["401 Unauthorized", "429 Too Many Requests"] {
        let (_office, rest) = erp(&text(PLAIN), &[], move |_| status(line)).await;
        let outcomes = rest.write(&writes(&["a", "b"]), Lane::Live).await;
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Outcome::NotSent(_))),
            "{outcomes:?}"
        );
    }
}

#[tokio::test]
async fn e14_a_batch_that_is_refused_for_one_of_its_requests_holds_up_no_other() {
    let (office, rest) = erp(&text(PLAIN), &[], |asked| {
        match requests(asked)
            .iter()
            .any(|request| request["body"]["name"] == "bad")
        {
            true => status("400 Bad Request"),
            false => answered(asked),
        }
    })
    .await;
    let outcomes = rest.write(&writes(&["a", "b", "bad"]), Lane::Live).await;
    assert!(matches!(outcomes[0], Outcome::Applied { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Applied { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Refused(_)), "{outcomes:?}");
    let paths: Vec<String> = office.asked().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(
        paths,
        ["/batch", "/things", "/batch", "/things", "/things"].map(str::to_owned)[..paths.len()]
    );
}

#[tokio::test]
async fn where_all_or_nothing_is_carried_out_the_others_are_sent_again() {
    let atomic = PLAIN.replace("  at_most: 3\n", "  at_most: 3\n  atomic: true\n");
    let batches = AtomicUsize::new(0);
    let (_office, rest) = erp(&text(&atomic), &[], move |asked| {
        if asked.path == "/things" {
            return answered(asked);
        }
        batches.fetch_add(1, Ordering::SeqCst);
        ok(&json!({ "responses": [{ "status": 424 }, { "status": 400, "body": {} }] }))
    })
    .await;
    let outcomes = rest.write(&writes(&["a", "bad", "c"]), Lane::Live).await;
    assert!(matches!(outcomes[0], Outcome::Applied { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Refused(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Applied { .. }), "{outcomes:?}");
}

#[tokio::test]
async fn reads_by_id_travel_together_where_that_is_said() {
    let (office, rest) = erp(&text(PLAIN), &[], answered).await;
    let ids = ["a", "gone", "b"].map(str::to_owned);
    let read = rest.fetch(&things(), &ids).await.unwrap();
    let presence: Vec<Presence> = read.iter().map(|shown| shown.presence).collect();
    assert_eq!(presence, [Presence::Alive, Presence::Deleted, Presence::Alive]);
    assert_eq!(office.asked().len(), 1);
}

#[tokio::test]
async fn parts_of_multipart_are_written_and_read() {
    let batch = "batch: { request: POST /$batch, form: multipart }";
    let (office, rest) = erp(&text(batch), &[], |asked| {
        let bad = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\r\n{\"m\":1}";
        let good = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"id\":\"a\",\"v\":1,\"name\":\"a\"}";
        let set = |inner: &str| {
            format!("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\r\n{inner}\r\n--c--\r\n\r\n")
        };
        let plain = |inner: &str| format!("--b\r\nContent-Type: application/http\r\n\r\n{inner}\r\n");
        assert_eq!(asked.body.matches("POST /things HTTP/1.1").count(), 2, "{}", asked.body);
        let body = format!("{}{}--b--\r\n", plain(bad), set(good));
        ("200 OK\r\ncontent-type: multipart/mixed; boundary=b".to_owned(), body)
    })
    .await;
    let outcomes = rest.write(&writes(&["bad", "a"]), Lane::Live).await;
    assert!(matches!(outcomes[0], Outcome::Refused(_)), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Applied { .. }), "{outcomes:?}");
    let kind = header(&office.asked()[0], "content-type").unwrap().to_owned();
    assert!(kind.starts_with("multipart/mixed; boundary=batch_"), "{kind}");
}
