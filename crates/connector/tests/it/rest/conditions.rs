//! Conditions that a server ignores are found out in every way of writing: also where a record is read and compared first, so
//! that a normal write would never ask the server.

use super::config;
use super::stage::{description, header, method, ok, sent, status, things, update};
use crate::salesforce::office::{Answer, Asked, Office};
use crate::scene::{applied, one};
use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tandem_connector::proof::{Effort, NEVER_HAD, Proof, STALE, STALE_DELETION, Verdict, prove};
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{Connector, Outcome, Protection};
use tandem_merge::record::RecordType;

const READ: &str = "
record: { id: id, token: v }
list: { request: GET /things, items: rows }
compare_every: 0s
create: { request: POST /things, record: . }
delete: { request: \"DELETE /things/{id}\", headers: { If-Match: \"{token}\" } }
";
const ALONE: &str = "read: { request: \"GET /things/{id}\" }";

/// Ways of changing a record that read it first.
const WAYS: [(&str, &str); 4] = [
    (
        ALONE,
        "update: { request: \"PUT /things/{id}\", style: full, headers: { If-Match: \"{token}\" }, record: . }",
    ),
    (
        ALONE,
        "update: { request: \"PUT /things/{id}\", style: full, also: { v: \"{token:number}\" }, record: . }",
    ),
    (
        "read: { request: \"GET /sets/{id}\", record: ds.Thing.0 }",
        "update: { request: POST /update, style: dataset, dataset: ds, also: { RowMod: U, v: \"{token:number}\" }, \
         body: { ds: \"{dataset}\" }, record: ds.Thing.0 }",
    ),
    (
        ALONE,
        "update: { request: \"PATCH /things/{id}\", headers: { If-Match: \"{token}\", X-Kind: \"{record.kind}\" }, record: . }",
    ),
];

type Things = Arc<Mutex<BTreeMap<String, Json>>>;

fn things_held() -> Things {
    let thing = json!({ "id": "1", "v": 7, "name": "first", "kind": "old" });
    Arc::new(Mutex::new(BTreeMap::from([("1".to_owned(), thing)])))
}

/// The version that a request expects: in a header, or in the row that it sends.
fn expected(asked: &Asked, row: &Json) -> Option<String> {
    let named = header(asked, "if-match").map(str::to_owned);
    named.or_else(|| row["v"].as_i64().map(|version| version.to_string()))
}

/// Answers as an ERP that heeds conditions, or overwrites whatever they say.
fn answer(asked: &Asked, things: &Things, heeds: bool) -> Answer {
    let mut things = things.lock().unwrap();
    let body = sent(asked);
    if asked.path == "/things" {
        if method(asked) == "GET" {
            return ok(&json!({ "rows": things.values().collect::<Vec<_>>() }));
        }
        let id = (things.len() + 1).to_string();
        let made = json!({ "id": id, "v": 1, "name": body["name"], "kind": "new" });
        things.insert(id, made.clone());
        return ok(&made);
    }
    let set = asked.path == "/update" || asked.path.starts_with("/sets/");
    let row = match set {
        true => body["ds"]["Thing"][0].clone(),
        false => body,
    };
    let id = match row["id"].as_str() {
        Some(id) if set => id.to_owned(),
        _ => asked.path.rsplit('/').next().unwrap().to_owned(),
    };
    let Some(thing) = things.get_mut(&id) else {
        return status("404 Not Found");
    };
    let stale =
        expected(asked, &row).is_some_and(|version| thing["v"] != version.parse::<u64>().unwrap_or_default());
    match method(asked) {
        "GET" => {}
        _ if heeds && stale => return status("412 Precondition Failed"),
        "DELETE" => {
            things.remove(&id);
            return status("200 OK");
        }
        _ => {
            thing["name"] = row["name"].clone();
            thing["v"] = json!(thing["v"].as_i64().unwrap() + 1);
        }
    }
    match set {
        true => ok(&json!({ "ds": { "Thing": [thing], "Other": [] } })),
        false => ok(thing),
    }
}

async fn server((read, update): (&str, &str), heeds: bool) -> (Office, Rest, Things) {
    let things = things_held();
    let held = Arc::clone(&things);
    let text = description("", &format!("{READ}{read}\n{update}"), "name: string(80)");
    let office = Office::open(move |asked| answer(asked, &held, heeds)).await;
    let config = RestConfig {
        overlap: SignedDuration::ZERO,
        // So long it is waited for what is not shown.
        request_deadline: SignedDuration::from_secs(1),
        ..config(&office.url, &text, &[])
    };
    (office, Rest::connect(config).unwrap(), things)
}

/// What became of a law of conditions.
fn told<'p>(proofs: &'p [Proof], law: &str) -> &'p Proof {
    let of = proofs.iter().find(|proof| proof.law == law);
    of.unwrap_or_else(|| panic!("`{law}` was not tried: {proofs:#?}"))
}

async fn reading(rest: &Rest) -> Vec<Proof> {
    let effort = Effort {
        pages: 3,
        write: false,
        conditions: ["Thing".to_owned()].into(),
    };
    prove(rest, &[things()], effort).await.unwrap()
}

async fn writing(rest: &Rest) -> Vec<Proof> {
    let effort = Effort {
        pages: 3,
        write: true,
        ..Effort::default()
    };
    prove(rest, &[things()], effort).await.unwrap()
}

#[tokio::test]
async fn e2_a_server_that_ignores_versions_is_found_out_where_records_are_read_first() {
    for way in WAYS {
        for heeds in [true, false] {
            let (_office, rest, held) = server(way, heeds).await;
            let can = rest.capabilities().usual;
            assert!(can.conditional_write && can.compares, "{way:?}");
            let verdict = match heeds {
                true => Verdict::Holds,
                false => Verdict::Broken,
            };
            // WHEN it is tried on what is there, to the value that it has
            let proofs = reading(&rest).await;
            let never = told(&proofs, NEVER_HAD);
            assert_eq!(never.verdict, verdict, "{way:?}: {never:?}");
            assert_eq!(held.lock().unwrap()["1"]["name"], "first");
            assert_eq!(never.seen.contains("it compares itself"), !heeds, "{never:?}");
            // WHEN it is tried on a record that is made for it
            let proofs = writing(&rest).await;
            for law in [STALE, STALE_DELETION] {
                let told = told(&proofs, law);
                assert_eq!(told.verdict, verdict, "{way:?}: {told:?}");
            }
        }
    }
}

#[tokio::test]
async fn e2_in_normal_work_what_was_read_first_is_compared_whatever_the_server_does() {
    for way in WAYS {
        let (office, rest, held) = server(way, false).await;
        let seen = rest.fetch(&things(), &["1".to_owned()]).await.unwrap();
        let version = seen[0].version.clone();
        // WHEN somebody edits the record after it was seen
        held.lock().unwrap().get_mut("1").unwrap()["v"] = json!(8);
        let write = update("1", &[("name", "late".into())], version);
        // THEN nothing is sent
        assert_eq!(one(&rest, write).await, Outcome::Stale, "{way:?}");
        assert_eq!(method(office.asked().last().unwrap()), "GET");
        assert_eq!(held.lock().unwrap()["1"]["name"], "first");
        let seen = rest.fetch(&things(), &["1".to_owned()]).await.unwrap();
        let write = update("1", &[("name", "late".into())], seen[0].version.clone());
        applied(&one(&rest, write).await);
    }
}

#[tokio::test]
async fn e2_a_type_without_conditions_leaves_the_others_theirs() {
    const BARE: &str = "
  Bare:
    record: { id: id }
    list: { request: GET /things, items: rows }
    read: { request: \"GET /things/{id}\" }
    create: { request: POST /things, record: ., safe: idempotency-key, headers: { Key: \"{key}\" } }
    update: { request: \"PUT /things/{id}\", style: full, record: . }
    delete: { request: \"DELETE /things/{id}\" }
    properties: { name: string(80) }
";
    let (read, update) = WAYS[3];
    let held = things_held();
    let text = description("", &format!("{READ}{read}\n{update}"), "name: string(80)");
    let office = Office::open(move |asked| answer(asked, &held, true)).await;
    let rest = Rest::connect(config(&office.url, &format!("{text}{BARE}"), &[])).unwrap();
    let can = rest.capabilities();
    let all = can.usual;
    assert!(!all.conditional_write && !all.conditional_delete && !all.idempotent_create);
    let own = Protection {
        conditional_write: true,
        conditional_delete: true,
        idempotent_create: false,
        compares: true,
    };
    assert_eq!(can.of(&things()), own);
    let bare = RecordType::new("erp", "Bare");
    let none = Protection {
        conditional_write: false,
        conditional_delete: false,
        idempotent_create: true,
        compares: true,
    };
    assert_eq!(can.of(&bare), none);
    assert!(!can.protect_all(|of| of.conditional_write));
    // Each is tried for what it says itself.
    let effort = Effort {
        pages: 3,
        write: false,
        conditions: ["Thing".to_owned(), "Bare".to_owned()].into(),
    };
    let proofs = prove(&rest, &[things(), bare], effort).await.unwrap();
    let of = |name: &str| {
        let mut all = proofs.iter();
        let found = all.find(|proof| proof.law == NEVER_HAD && proof.record_type.as_deref() == Some(name));
        found.map(|proof| proof.verdict)
    };
    assert_eq!(
        (of("Thing"), of("Bare")),
        (Some(Verdict::Holds), Some(Verdict::Untried))
    );
}

#[tokio::test]
async fn that_no_condition_goes_to_the_server_is_said_with_what_it_costs() {
    let ways = [
        (
            "update: { request: \"PUT /things/{id}\", style: full, record: . }",
            "between that read and the write",
        ),
        ("update: { request: \"PATCH /things/{id}\" }", "in that moment"),
    ];
    for (update, cost) in ways {
        let (_office, rest, _) = server((ALONE, update), true).await;
        assert!(!rest.capabilities().usual.conditional_write);
        let proofs = reading(&rest).await;
        let never = told(&proofs, NEVER_HAD);
        assert_eq!(never.verdict, Verdict::Untried);
        assert!(never.seen.contains(cost), "{never:?}");
        let proofs = writing(&rest).await;
        let stale = told(&proofs, STALE);
        assert_eq!(stale.verdict, Verdict::Untried);
        assert!(stale.seen.contains(cost), "{stale:?}");
    }
}
