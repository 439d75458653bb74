//! Writes that are taken for later, sets of data that are sent back whole, and what rests because it failed too often.

use super::stage::{create, description, erp, header, listed, method, ok, rows, sent, status, thing, update};
use crate::salesforce::office::{Answer, Asked};
use crate::scene::{applied, one};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{Connector, Outcome, RefusalKind};
use tandem_merge::record::{RecordType, Version};
use tandem_merge::value::Value;

const THINGS: &str = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
";

const JOB: &str = "job: { at: \"header:Location\", status: [202, 400], state: progress, done: [completed], failed: [failed, aborted], \
    result: result, every: 0s, lasts: 30m }";

fn with_job() -> String {
    format!(
        "{THINGS}create: {{ request: POST /things, headers: {{ Key: \"{{key}}\" }}, safe: idempotency-key, id: \"header:Location\", {JOB} }}\n\
         update: {{ request: \"PATCH /things/{{id}}\", record: ., {JOB} }}\ndelete: {{ request: \"DELETE /things/{{id}}\", {JOB} }}"
    )
}

/// An ERP whose job says these one after the other, and the last one for ever.
async fn working(millis: i64, states: &'static [&'static str]) -> (crate::salesforce::office::Office, Rest) {
    let asked_for = AtomicUsize::new(0);
    let answer = move |asked: &Asked| -> Answer {
        match (method(asked), asked.path.as_str()) {
            ("GET", "/jobs/7") => {
                let number = asked_for.fetch_add(1, Ordering::SeqCst).min(states.len() - 1);
                match states[number] {
                    "503" => status("404 Not Found"),
                    state => ok(
                        &json!({ "progress": state, "result": "/jobs/7/result", "message": "no such customer" }),
                    ),
                }
            }
            ("GET", "/jobs/7/result") => ("200 OK\r\nlocation: /things/9".to_owned(), thing(9).to_string()),
            _ => ("202 Accepted\r\nlocation: /jobs/7".to_owned(), String::new()),
        }
    };
    let errors =
        "errors: { message: message, rules: [{ contains: no such customer, means: bad-reference }] }";
    let office = crate::salesforce::office::Office::open(answer).await;
    let config = RestConfig {
        request_deadline: jiff::SignedDuration::from_millis(millis),
        ..super::config(
            &office.url,
            &description(errors, &with_job(), "name: string"),
            &[],
        )
    };
    (office, Rest::connect(config).unwrap())
}

#[tokio::test]
async fn a_job_is_asked_for_until_it_says_how_it_ended() {
    let (office, rest) = working(20_000, &["running", "503", "completed"]).await;
    let limits = rest.capabilities();
    assert_eq!(
        limits.request_deadline,
        jiff::SignedDuration::from_mins(30),
        "so long may a job take effect"
    );
    assert!(limits.commit_delay >= limits.request_deadline);
    assert_eq!(applied(&one(&rest, create(&[("name", "x".into())])).await), "9");
    let paths: Vec<String> = office.asked().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(
        paths,
        ["/things", "/jobs/7", "/jobs/7", "/jobs/7", "/jobs/7/result"]
    );
    let outcome = one(&rest, update("9", &[("name", "n9".into())], None)).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(state.values["name"], Value::text("n9"));
}

#[tokio::test]
async fn a_job_that_failed_is_refused_and_one_that_does_not_end_is_unknown() {
    for write in [
        create(&[("name", "x".into())]),
        update("9", &[("name", "x".into())], None),
    ] {
        let (_office, rest) = working(20_000, &["running", "aborted"]).await;
        let outcome = one(&rest, write.clone()).await;
        let Outcome::Refused(refusal) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(
            (refusal.kind, refusal.message.as_str()),
            (RefusalKind::BadReference, "no such customer")
        );
        // Neither a state that nobody described, nor a job that is not to be found, is an end.
        for states in [&["running"] as &[&str], &["cancelling"], &["503"]] {
            let (office, rest) = working(500, states).await;
            let outcome = one(&rest, write.clone()).await;
            assert!(
                matches!(&outcome, Outcome::Unknown(why) if why.contains("works on it")),
                "{outcome:?}"
            );
            assert!(office.asked().len() > 1, "it was asked for");
        }
    }
}

#[tokio::test]
async fn a_key_that_was_sent_before_leads_to_its_job() {
    let (office, rest) = erp(
        &description("", &with_job(), "name: string"),
        &[],
        |asked| match asked.path.as_str() {
            "/jobs/7" => ok(&json!({ "progress": "completed", "result": "/jobs/7/result" })),
            "/jobs/7/result" => ("200 OK\r\nlocation: /things/9".to_owned(), "{}".to_owned()),
            // NetSuite answers a key that it knows so.
            _ => status("400 Bad Request\r\nlocation: /jobs/7"),
        },
    )
    .await;
    assert_eq!(applied(&one(&rest, create(&[("name", "x".into())])).await), "9");
    assert_eq!(header(&office.asked()[0], "key"), Some("key-1"));
    // Without an address it is a refusal as any other.
    let (_office, rest) = erp(&description("", &with_job(), "name: string"), &[], |_| {
        status("400 Bad Request")
    })
    .await;
    let outcome = one(&rest, create(&[("name", "x".into())])).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_set_of_data_is_sent_back_whole_with_its_row_marked() {
    let of = "
record: { id: CustID, token: SysRevID }
list: { request: GET /customers, items: value }
read: { request: \"GET /customers/{id}\", record: returnObj.Customer.0 }
update: { request: POST /update, style: dataset, dataset: returnObj, also: { RowMod: U, SysRevID: \"{token:number}\" }, body: { ds: \"{dataset}\" }, record: ds.Customer.0 }
";
    let (office, rest) = erp(
        &description("", of, "name: { type: string, at: Name }"),
        &[],
        |asked| match method(asked) {
            "POST" => ok(&sent(asked)),
            _ => ok(&json!({ "returnObj": {
                "Customer": [{ "CustID": "A", "Name": "old", "SysRevID": 7, "RowMod": "", "Kept": 1 }],
                "CustomerBillTo": [{ "No": 1, "RowMod": "" }]
            }, "parameters": {} })),
        },
    )
    .await;
    assert!(rest.capabilities().usual.conditional_write);
    let seen = rest
        .fetch(&super::stage::things(), &["A".to_owned()])
        .await
        .unwrap()[0]
        .version
        .clone();
    let outcome = one(&rest, update("A", &[("name", "new".into())], seen)).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(state.values["name"], Value::text("new"));
    let wanted = json!({ "ds": {
        "Customer": [{ "CustID": "A", "Name": "new", "SysRevID": 7, "RowMod": "U", "Kept": 1 }],
        "CustomerBillTo": [{ "No": 1, "RowMod": "" }]
    } });
    assert_eq!(sent(office.asked().last().unwrap()), wanted);
    // WHEN the row is another than the one that was seen, THEN nothing is posted
    let before = office.asked().len();
    let other = Version {
        token: "6".to_owned(),
        order: None,
        modified: jiff::Timestamp::UNIX_EPOCH,
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    };
    assert_eq!(
        one(&rest, update("A", &[("name", "x".into())], Some(other))).await,
        Outcome::Stale
    );
    assert_eq!(office.asked().len(), before + 1);
}

#[tokio::test]
async fn an_operation_that_used_up_its_errors_rests_and_others_go_on() {
    let text = "
limits: { errors_per_hour: 2 }
defaults:
  record: { id: id }
  list: { request: \"GET /{collection}\", items: rows }
  read: { request: \"GET /{collection}/{id}\" }
  compare_every: 9d
record_types:
  Bad: { properties: { name: string } }
  Thing: { properties: { name: string } }
";
    let (office, rest) = erp(text, &[], |asked| match asked.path.as_str() {
        "/Bad" => status("400 Bad Request"),
        _ => ok(&json!({ "rows": [thing(1)] })),
    })
    .await;
    let bad = RecordType::new("erp", "Bad");
    for _ in 0..2 {
        rest.list(&bad, None).await.unwrap_err();
    }
    let asked = office.asked().len();
    let error = rest.list(&bad, None).await.unwrap_err();
    assert!(
        error
            .message
            .contains("list of Bad was answered with 2 errors within an hour"),
        "{error}"
    );
    assert!(
        error.advice.contains("rests until the hour is over") && error.retry_at.is_some(),
        "{error}"
    );
    assert_eq!(office.asked().len(), asked);
    // Changes of the other type are read all the same, and what is missing is said.
    let page = rest
        .changes(&[bad.clone(), super::stage::things()], None)
        .await
        .unwrap();
    assert_eq!(page.observations.len(), 1);
    assert_eq!(page.incomplete[0].record_type, bad);
    assert_eq!(listed(&rest).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_next_process_knows_which_errors_an_operation_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let text = "
limits: { errors_per_hour: 2 }
record_types:
  Thing:
    record: { id: id }
    list: { request: GET /things, items: rows }
    read: { request: \"GET /things/{id}\" }
    properties: { name: string }
";
    let office = crate::salesforce::office::Office::open(|_| status("400 Bad Request")).await;
    let process = || {
        let keep = Some(tandem_connector::rest::Keep {
            folder: folder.path().to_owned(),
            files: tandem_seal::Files::default(),
        });
        let config = super::config(&office.url, text, &[]);
        Rest::connect(RestConfig { keep, ..config }).unwrap()
    };
    // GIVEN an error in each of two processes
    for _ in 0..2 {
        listed(&process()).await.unwrap_err();
    }
    let asked = office.asked().len();
    // THEN a third one asks nothing more of that operation
    let error = listed(&process()).await.unwrap_err();
    assert!(error.message.contains("2 errors within an hour"), "{error}");
    assert_eq!(office.asked().len(), asked);
}

#[tokio::test]
async fn the_time_of_a_change_stands_in_two_members_or_in_the_first_that_is_not_blank() {
    let cases = [
        (
            "{ date: UpdateDate, time: UpdateTime }",
            json!({ "UpdateDate": "2026-03-02", "UpdateTime": "12:30:05" }),
        ),
        (
            "[write_date, create_date]",
            json!({ "write_date": null, "create_date": "2026-03-02T12:30:05Z" }),
        ),
        (
            "[write_date, create_date]",
            json!({ "write_date": "2026-03-02T12:30:05Z", "create_date": "2020-01-01T00:00:00Z" }),
        ),
    ];
    for (modified, members) in cases {
        let of = THINGS.replace("id: id }", &format!("id: id, modified: {modified} }}"));
        let shown = members.clone();
        let (_office, rest) = erp(&description("", &of, "name: string"), &[], move |_| {
            let mut row = thing(1);
            row.as_object_mut()
                .unwrap()
                .extend(shown.as_object().unwrap().clone());
            ok(&json!({ "rows": [row] }))
        })
        .await;
        let all = listed(&rest).await.unwrap();
        let version = all[0].version.as_ref().unwrap();
        assert_eq!(
            version.modified,
            "2026-03-02T12:30:05Z".parse().unwrap(),
            "{modified}"
        );
        // A record whose time is blank everywhere is named, and nothing of it is taken.
        let blank: serde_json::Map<_, _> = members
            .as_object()
            .unwrap()
            .keys()
            .map(|key| (key.clone(), json!(null)))
            .collect();
        let (_office, rest) = erp(&description("", &of, "name: string"), &[], move |_| {
            let mut row = thing(1);
            row.as_object_mut().unwrap().extend(blank.clone());
            ok(&json!({ "rows": [row] }))
        })
        .await;
        let all = listed(&rest).await.unwrap();
        assert!(
            all[0].version.is_none() && all[0].unreadable.len() == 1,
            "{modified}: {all:?}"
        );
    }
}

#[tokio::test]
async fn records_that_are_hidden_unless_they_are_asked_for_are_asked_for_everywhere() {
    let of = "
record: { id: id, deleted: { at: active, equals: [false] } }
list: { request: GET /things, query: { active_test: \"false\", cross-company: true }, items: rows }
changes: { query: { since: \"{since}\" } }
read: { request: \"GET /things/{id}\", query: { active_test: \"false\" } }
";
    let (office, rest) = erp(&description("", of, "name: string"), &[], |asked| {
        let asked_for = asked.path.contains("active_test=false");
        let mut hidden = thing(2);
        hidden["active"] = json!(false);
        match (asked_for, asked.path.starts_with("/things/")) {
            (true, true) => ok(&hidden),
            (false, true) => status("404 Not Found"),
            (true, false) => ok(&json!({ "rows": [thing(1), hidden] })),
            (false, false) => ok(&json!({ "rows": [thing(1)] })),
        }
    })
    .await;
    let first = super::stage::round(&rest, None).await;
    let pages = super::stage::round(&rest, Some(first[0].cursor.clone())).await;
    let shown = rows(&pages);
    let hidden = shown.iter().find(|row| row.key.id == "2").unwrap();
    assert_eq!(hidden.presence, tandem_merge::record::Presence::Deleted);
    assert!(
        office
            .asked()
            .iter()
            .all(|asked| asked.path.contains("cross-company=true")),
        "changes ask as the list"
    );
    let read = rest
        .fetch(&super::stage::things(), &["2".to_owned()])
        .await
        .unwrap();
    assert_eq!(read[0].presence, tandem_merge::record::Presence::Deleted);
}
