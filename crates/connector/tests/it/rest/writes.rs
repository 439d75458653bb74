//! Values as ERPs write them, and the styles in which they take changes.

use super::stage::{create, description, erp, header, ids, listed, method, ok, sent, status, things, update};
use crate::scene::{applied, one};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tandem_connector::{Connector, Outcome};
use tandem_merge::record::Version;
use tandem_merge::value::Value;

const READ: &str = "
record: { id: id, modified: changed }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
create: { request: POST /things, id: id }
";

#[tokio::test]
async fn values_are_read_and_written_as_the_erp_writes_them() {
    let forms = "
forms:
  any: { blank: [\"\"] }
  datetime: { as: /Date()/ }
  decimal: { as: comma }
  boolean: { labels: { \"true\": J, \"false\": N } }";
    let properties = "
name: { type: string, at: name.value, form: { wrap: text } }
price: decimal(18,2)
due: { type: date, form: { as: \"%d.%m.%Y\" } }
closed: boolean
owner: { type: reference(Thing), form: { pair: true, blank: [false], write_blank: false, as: number } }
code: { type: string, form: { pad: { to: 5, with: \"0\", side: left } } }
state: { type: enum(open|done), form: { labels: { open: \"10\", done: \"20\" } } }
note: { type: string, optional: true }";
    let shown = json!({
        "id": "A-1", "changed": "/Date(1772452800000)/", "name": { "value": { "text": "x" } }, "price": "1.234,50",
        "due": "29.02.2024", "closed": "J", "owner": [7, "Boss"], "code": "00042", "state": "20"
    });
    let rows = json!({ "rows": [shown, { "id": "A-2", "changed": "/Date(1772452800000)/", "owner": false, "due": "" }] });
    let text = description(forms, READ, properties);
    let (office, rest) = erp(&text, &[], move |asked| match method(asked) {
        "POST" => ok(&json!({ "id": "A-3" })),
        _ => ok(&rows),
    })
    .await;
    let all = listed(&rest).await.unwrap();
    assert_eq!(ids(&all), ["A-1", "A-2"]);
    let read = &all[0].values;
    let wanted: [(&str, Value); 8] = [
        ("name", "x".into()),
        ("price", Value::Decimal("1234.50".parse().unwrap())),
        ("due", Value::Date("2024-02-29".parse().unwrap())),
        ("closed", Value::Boolean(true)),
        ("owner", "7".into()),
        ("code", "42".into()),
        ("state", "done".into()),
        ("note", Value::Blank),
    ];
    for (name, value) in &wanted {
        assert_eq!(&read[*name], value, "{name}");
    }
    let modified = all[0].version.as_ref().unwrap().modified;
    assert_eq!(modified, "2026-03-02T12:00:00Z".parse().unwrap());
    // What is not shown is not blank, but where the description says so.
    assert_eq!(
        (&all[1].values["owner"], &all[1].values["due"]),
        (&Value::Blank, &Value::Blank)
    );
    assert_eq!(all[1].unreadable["price"], "it is not shown");
    // WHEN the same values are written, THEN the ERP gets what it showed
    let outcome = one(&rest, create(&wanted)).await;
    assert_eq!(applied(&outcome), "A-3");
    let body = sent(office.asked().last().unwrap());
    let written = json!({
        "name": { "value": { "text": "x" } }, "price": "1234,50", "due": "29.02.2024", "closed": "J", "owner": 7,
        "code": "00042", "state": "20", "note": null
    });
    assert_eq!(body, written);
}

#[tokio::test]
async fn a_full_write_keeps_what_is_not_known_and_is_stale_where_the_record_moved() {
    let of = "
record: { id: id, token: version }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
update: { request: \"PUT /things/{id}\", style: full, omit: [links], also: { version: \"{token:number}\" }, record: . }
";
    let held = Arc::new(Mutex::new(json!({
        "id": 1, "version": 4, "name": "old", "secretOfTheErp": { "kept": [1, 2] }, "links": { "self": "x" }
    })));
    let record = Arc::clone(&held);
    let (office, rest) = erp(&description("", of, "name: string"), &[], move |asked| {
        let mut record = record.lock().unwrap();
        if method(asked) == "PUT" {
            *record = sent(asked);
        }
        ok(&record)
    })
    .await;
    assert!(rest.capabilities().usual.conditional_write);
    let read = rest.fetch(&things(), &["1".to_owned()]).await.unwrap();
    let version = read[0].version.clone();
    let write = update("1", &[("name", "new".into())], version.clone());
    applied(&one(&rest, write.clone()).await);
    let wanted = json!({ "id": 1, "version": 4, "name": "new", "secretOfTheErp": { "kept": [1, 2] } });
    assert_eq!(sent(office.asked().last().unwrap()), wanted);
    // WHEN somebody else wrote it meanwhile, THEN nothing is sent
    held.lock().unwrap()["version"] = json!(5);
    assert_eq!(one(&rest, write).await, Outcome::Stale);
    assert_eq!(method(office.asked().last().unwrap()), "GET");
    // WHEN a part of it cannot be read, THEN it is not written back
    held.lock().unwrap()["secretOfTheErp"] = json!("MARK");
    let (office, rest) = erp(&description("", of, "name: string"), &[], |_| {
        (
            "200 OK".to_owned(),
            r#"{"id":1,"version":5,"name":"a","x":"\ud800"}"#.to_owned(),
        )
    })
    .await;
    let outcome = one(&rest, update("1", &[("name", "new".into())], None)).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert_eq!(office.asked().len(), 1);
}

#[tokio::test]
async fn a_token_in_the_body_is_read_where_none_is_known() {
    let of = "
record: { id: id, token: version }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
update: { request: \"PUT /things/{id}\", also: { version: \"{token:number}\", id: \"{id:number}\" } }
delete: { request: \"DELETE /things/{id}\" }
";
    let (office, rest) = erp(&description("", of, "name: string"), &[], |_| {
        ok(&json!({ "id": 1, "version": 9, "name": "a" }))
    })
    .await;
    let limits = rest.capabilities();
    assert_eq!(
        (limits.usual.conditional_write, limits.usual.conditional_delete),
        (true, false)
    );
    assert!(!limits.answers_with_state && limits.usual.idempotent_create);
    applied(&one(&rest, update("1", &[("name", "b".into())], None)).await);
    let asked = office.asked();
    assert_eq!((asked.len(), method(&asked[0])), (2, "GET"));
    assert_eq!(sent(&asked[1]), json!({ "id": 1, "version": 9, "name": "b" }));
    let known = Version {
        token: "3".to_owned(),
        order: None,
        modified: jiff::Timestamp::UNIX_EPOCH,
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    };
    applied(&one(&rest, update("1", &[("name", "b".into())], Some(known))).await);
    assert_eq!(sent(office.asked().last().unwrap())["version"], 3);
    assert_eq!(office.asked().len(), 3);
}

#[tokio::test]
async fn without_a_token_nothing_is_conditional_and_a_state_is_known_by_what_it_shows() {
    let of = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
create: { request: POST /things, id: id }
update: { request: \"POST /things/{id}\" }
";
    let name = Arc::new(Mutex::new("a"));
    let held = Arc::clone(&name);
    let (_office, rest) = erp(&description("", of, "name: string"), &[], move |_| {
        ok(&json!({ "id": 1, "name": *held.lock().unwrap(), "served": 5 }))
    })
    .await;
    let limits = rest.capabilities();
    assert!(!limits.usual.conditional_write && !limits.usual.idempotent_create);
    let token = async || {
        let read = rest.fetch(&things(), &["1".to_owned()]).await.unwrap();
        read[0].version.clone().unwrap().token
    };
    let before = token().await;
    assert_eq!(token().await, before);
    *name.lock().unwrap() = "b";
    assert_ne!(token().await, before);
}

#[tokio::test]
async fn creates_are_safe_as_the_erp_has_it_and_name_their_record() {
    let cases = [
        (
            "{ request: \"PUT /things/{value.name}\", headers: { If-None-Match: \"*\" }, safe: key-in-url, id: id }",
            true,
        ),
        (
            "{ request: POST /things, headers: { Request-Id: \"{key}\" }, safe: idempotency-key, id: \"header:Location\" }",
            true,
        ),
        (
            "{ request: POST /things, body: { data: { values: \"{values}\" } }, also: { company: 7 }, safe: unique, id: id }",
            false,
        ),
    ];
    let hour = jiff::SignedDuration::from_hours(1);
    for (written, life) in [
        ("safe: idempotency-key", hour * 24),
        ("safe: { idempotency-key: 1h }", hour),
    ] {
        let create =
            format!("{{ request: POST /things, headers: {{ Request-Id: \"{{key}}\" }}, {written}, id: id }}");
        let of = format!(
            "record: {{ id: id }}\nlist: {{ request: GET /things, items: rows }}\nread: {{ request: \"GET /things/{{id}}\" }}\ncreate: {create}"
        );
        let (_office, rest) = erp(&description("", &of, "name: string"), &[], |_| status("500 Oops")).await;
        let limits = rest.capabilities();
        assert_eq!(
            (limits.usual.idempotent_create, limits.idempotency_life),
            (true, life),
            "{written}"
        );
    }
    for (written, safe) in cases {
        let of = format!(
            "record: {{ id: id }}\nlist: {{ request: GET /things, items: rows }}\nread: {{ request: \"GET /things/{{id}}\" }}\n\
             create: {written}"
        );
        let (office, rest) = erp(&description("", &of, "name: string"), &[], |_| {
            let line = "201 Created\r\nlocation: /api/Things('a%20b')";
            (line.to_owned(), json!({ "id": "a b" }).to_string())
        })
        .await;
        assert_eq!(rest.capabilities().usual.idempotent_create, safe, "{written}");
        assert_eq!(
            applied(&one(&rest, create(&[("name", "a b".into())])).await),
            "a b"
        );
        let asked = office.asked();
        let asked = asked.last().unwrap();
        match method(asked) {
            "PUT" => {
                assert_eq!(
                    (asked.path.as_str(), header(asked, "if-none-match")),
                    ("/things/a%20b", Some("*"))
                );
            }
            _ if safe => assert_eq!(header(asked, "request-id"), Some("key-1")),
            _ => assert_eq!(
                sent(asked),
                json!({ "data": { "values": { "name": "a b", "company": 7 } } })
            ),
        }
        // Without its key no such create can be addressed: nothing is sent.
        if written.contains("PUT") {
            let outcome = one(&rest, create(&[("name", Value::Blank)])).await;
            assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_value_may_stand_for_a_step_of_its_own() {
    let of = "
record: { id: id, token: v }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
update: { request: \"PATCH /things/{id}\", headers: { If-Match: \"{token}\" }, record: . }
actions:
  - { request: \"POST /things/{id}/confirm\", headers: { If-Match: \"{token}\" }, property: state, becomes: done, record: . }
";
    let properties = "name: string\nstate: enum(open|done)";
    let (office, rest) = erp(&description("", of, properties), &[], |asked| {
        let id = if asked.path.starts_with("/things/2") { 2 } else { 1 };
        match asked.path.ends_with("/2/confirm") {
            true => status("409 Conflict"),
            false => ok(&json!({ "id": id, "v": "x", "name": "a", "state": "done" })),
        }
    })
    .await;
    let version = |token: &str| Version {
        token: token.to_owned(),
        order: None,
        modified: jiff::Timestamp::UNIX_EPOCH,
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    };
    let done = [("state", Value::from("done"))];
    let outcome = one(&rest, update("1", &done, Some(version("x")))).await;
    assert!(
        matches!(&outcome, Outcome::Applied { state: Some(_), .. }),
        "{outcome:?}"
    );
    let asked = office.asked();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/things/1/confirm"));
    assert_eq!(header(&asked[0], "if-match"), Some("x"));
    // With other values it comes behind them.
    let both = [("name", Value::from("a")), ("state", Value::from("done"))];
    applied(&one(&rest, update("1", &both, Some(version("x")))).await);
    let asked = office.asked();
    assert_eq!(sent(&asked[1]), json!({ "name": "a" }));
    assert_eq!((asked.len(), asked[2].path.as_str()), (3, "/things/1/confirm"));
    // Refused alone it is refused; behind other values nobody knows what is there now but a read.
    assert!(matches!(
        one(&rest, update("2", &done, None)).await,
        Outcome::Refused(_)
    ));
    assert!(matches!(
        one(&rest, update("2", &both, None)).await,
        Outcome::Unknown(_)
    ));
    // Any other value is written.
    applied(&one(&rest, update("1", &[("state", "open".into())], None)).await);
    assert_eq!(sent(office.asked().last().unwrap()), json!({ "state": "open" }));
}

#[tokio::test]
async fn what_is_not_to_be_written_is_not_sent() {
    let properties = "name: { type: string, read_only: true }\nkind: { type: string, create_only: true }";
    let of = format!("{READ}update: {{ request: \"PATCH /things/{{id}}\" }}");
    let (office, rest) = erp(&description("", &of, properties), &[], |_| {
        ok(&json!({ "id": 5 }))
    })
    .await;
    for write in [
        update("1", &[("name", "x".into())], None),
        update("1", &[("kind", "x".into())], None),
        update("1", &[("nothing", "x".into())], None),
        create(&[("name", "x".into())]),
    ] {
        let outcome = one(&rest, write).await;
        assert!(
            matches!(&outcome, Outcome::Refused(refusal) if refusal.properties.len() == 1),
            "{outcome:?}"
        );
    }
    assert_eq!(office.asked().len(), 0);
    applied(&one(&rest, create(&[("kind", "x".into())])).await);
}

#[tokio::test]
async fn a_property_may_be_computed_in_both_directions() {
    let properties = "name: { type: string, computed: { read: \"record.last + ', ' + record.first\", \
        write: { last: \"value.split(', ')[0]\", first: \"value.split(', ')[1]\" }, \
        samples: [{ record: { first: Ann, last: Lee }, value: \"Lee, Ann\" }] } }\n\
        many: { type: boolean, computed: { read: record.n > 2 } }";
    let of = READ.replace(", modified: changed", "");
    let (office, rest) = erp(&description("", &of, properties), &[], |asked| match method(asked) {
        "POST" => ok(&json!({ "id": 2 })),
        _ => ok(&json!({ "rows": [{ "id": 1, "first": "Bo", "last": "Li", "n": 3 }, { "id": 2, "first": "X", "n": 1 }] })),
    })
    .await;
    let all = listed(&rest).await.unwrap();
    assert_eq!(all[0].values["name"], Value::text("Li, Bo"));
    assert_eq!(all[0].values["many"], Value::Boolean(true));
    assert!(
        all[1].unreadable["name"].contains("not shown"),
        "{:?}",
        all[1].unreadable
    );
    assert_eq!(all[1].values["many"], Value::Boolean(false));
    applied(&one(&rest, create(&[("name", "Lee, Ann".into())])).await);
    assert_eq!(
        sent(office.asked().last().unwrap()),
        json!({ "first": "Ann", "last": "Lee" })
    );
    // What cannot be computed back is refused by name, and nothing is sent; so is what has one direction.
    let before = office.asked().len();
    for (name, value) in [("name", Value::from("Madonna")), ("many", Value::Boolean(true))] {
        let outcome = one(&rest, create(&[(name, value)])).await;
        assert!(
            matches!(&outcome, Outcome::Refused(refusal) if refusal.properties == [name]),
            "{outcome:?}"
        );
    }
    assert_eq!(office.asked().len(), before);
}

#[tokio::test]
async fn a_create_whose_key_is_taken_is_a_duplicate_and_after_a_repetition_unknown() {
    let of = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
create: { request: \"PUT /things/{value.name}\", headers: { If-None-Match: \"*\" }, safe: key-in-url, id: id }
";
    for fails in [false, true] {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let (_office, rest) = erp(&description("", of, "name: string"), &[], move |_| {
            let number = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            status(if fails && number == 0 {
                "503 Busy"
            } else {
                "412 Precondition Failed"
            })
        })
        .await;
        let outcome = one(&rest, create(&[("name", "a".into())])).await;
        match fails {
            true => assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}"),
            false => {
                let Outcome::Refused(refusal) = outcome else {
                    panic!("{outcome:?}")
                };
                assert_eq!(refusal.kind, tandem_connector::RefusalKind::Duplicate);
            }
        }
    }
}
