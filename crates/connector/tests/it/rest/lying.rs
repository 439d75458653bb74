//! ERPs that page badly, repeat themselves, and say yes where they mean no.

use super::stage::{
    create, description, erp, ids, listed, method, ok, parameter, round, rows, status, thing, things,
};
use crate::scene::one;
use serde_json::{Value as Json, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::{Connector, ErrorKind, Outcome, RefusalKind};
use tandem_merge::record::Presence;
use tandem_merge::value::Value;

const OFFSET: &str = "
record: { id: id }
list: { request: GET /things, query: { skip: \"{offset}\", top: 2 }, items: rows, paging: { kind: offset } }
read: { request: \"GET /things/{id}\" }
compare_every: 0s
";

#[tokio::test]
async fn r6_a_row_that_a_moving_offset_skips_is_absent_and_not_deleted() {
    for proof in [false, true] {
        let of = match proof {
            true => OFFSET.replace("{id}\" }", "{id}\", gone: [404] }"),
            false => OFFSET.to_owned(),
        };
        // GIVEN an ERP that counts rows from the beginning, where one goes while the list is read
        let all = Mutex::new(vec![1, 2, 3, 4, 5]);
        let lists = AtomicUsize::new(0);
        let (_office, rest) = erp(&description("", &of, "name: string"), &[], move |asked| {
            let mut all = all.lock().unwrap();
            let Some(skip) = parameter(asked, "skip") else {
                let id: u32 = asked.path.trim_start_matches("/things/").parse().unwrap();
                return match all.contains(&id) {
                    true => ok(&thing(id)),
                    false => status("404 Not Found"),
                };
            };
            let skip: usize = skip.parse().unwrap();
            let page: Vec<Json> = all.iter().skip(skip).take(2).map(|id| thing(*id)).collect();
            if skip == 0 && lists.fetch_add(1, Ordering::SeqCst) == 1 {
                all.remove(0);
            }
            ok(&json!({ "rows": page }))
        })
        .await;
        // WHEN all are loaded, and compared while that happens
        let pages = round(&rest, None).await;
        let [page] = pages.as_slice() else { panic!() };
        let complete = page.complete.as_ref().unwrap();
        assert_eq!((&complete.after, &complete.to), (&None, &None));
        let compared = &page.observations[5..];
        // THEN the one that was skipped is absent, and nothing says that it is deleted
        assert_eq!(ids(compared), ["1", "2", "4", "5"]);
        assert!(rows(&pages).iter().all(|row| row.presence == Presence::Alive));
        // Only a read by its own id says so, and only where the description says that 404 is a proof.
        let asked = ["1".to_owned(), "3".to_owned()];
        let read = rest.fetch(&things(), &asked).await.unwrap();
        let gone = if proof {
            Presence::Deleted
        } else {
            Presence::Missing
        };
        assert_eq!([read[0].presence, read[1].presence], [gone, Presence::Alive]);
    }
}

#[tokio::test]
async fn a_short_page_is_no_end_and_an_empty_one_is() {
    let (office, rest) = erp(&description("", OFFSET, "name: string"), &[], |asked| {
        let skip: u32 = parameter(asked, "skip").unwrap().parse().unwrap();
        let page = match skip {
            0 => vec![thing(1)],
            1 => vec![thing(2), thing(3)],
            _ => vec![],
        };
        ok(&json!({ "rows": page }))
    })
    .await;
    assert_eq!(ids(&listed(&rest).await.unwrap()), ["1", "2", "3"]);
    assert_eq!(office.asked().len(), 3);
}

#[tokio::test]
async fn pages_end_where_total_flag_or_number_say_so() {
    let kinds = [
        ("page", "p: \"{page}\"", "{ kind: page, total: total }"),
        ("page", "p: \"{page}\"", "{ kind: page, pages: pages }"),
        ("page", "p: \"{page}\"", "{ kind: page, more: more }"),
        ("page", "p: \"{page}\"", "{ kind: page, from: 0, more: more }"),
        (
            "cursor",
            "p: \"{cursor}\"",
            "{ kind: cursor, next: next, more: more }",
        ),
        ("keyset", "after: \"{after}\"", "{ kind: keyset }"),
    ];
    for (name, query, paging) in kinds {
        let of = format!(
            "record: {{ id: id }}\nlist: {{ request: GET /things, query: {{ {query} }}, items: rows, paging: {paging} }}\n\
             read: {{ request: \"GET /things/{{id}}\" }}"
        );
        let from_zero = paging.contains("from: 0");
        let (office, rest) = erp(&description("", &of, "name: string"), &[], move |asked| {
            if let Some(after) = parameter(asked, "after") {
                let after: u32 = after.parse().unwrap();
                let rows: Vec<Json> = (after + 1..=3).take(1).map(thing).collect();
                return ok(&json!({ "rows": rows }));
            }
            let number = parameter(asked, "p").map_or(1, |p| p.parse::<u32>().unwrap() + u32::from(from_zero));
            let body = json!({
                "rows": [thing(number)], "total": 3, "pages": 3, "more": number < 3, "next": (number + 1).to_string()
            });
            ok(&body)
        })
        .await;
        assert_eq!(
            ids(&listed(&rest).await.unwrap()),
            ["1", "2", "3"],
            "{name} {paging}"
        );
        let asked = if name == "keyset" { 4 } else { 3 };
        assert_eq!(office.asked().len(), asked, "{paging}");
    }
}

#[tokio::test]
async fn a_next_address_is_followed_wherever_it_begins_and_never_to_a_stranger() {
    let cases = [
        ("next: next", "/api/things?page=2", true),
        ("next: next, relative_to: service", "things?page=2", true),
        ("next: next, relative_to: request", "?page=2", true),
        (
            "next: \"header:Link\"",
            "</api/things?page=9>; rel=\"prev\", </api/things?page=2>; rel=\"next\"",
            true,
        ),
        ("next: next", "https://stranger.example/api/things?page=2", false),
    ];
    for (paging, next, good) in cases {
        let of = format!(
            "record: {{ id: id }}\nlist: {{ request: GET /things, query: {{ size: 1 }}, items: rows, paging: {{ kind: url, {paging} }} }}\n\
             read: {{ request: \"GET /things/{{id}}\" }}"
        );
        let by_header = paging.contains("header");
        let (office, rest) = erp(
            &description("base: /api", &of, "name: string"),
            &[],
            move |asked| {
                if asked.path == "/api/things?page=2" {
                    return ok(&json!({ "rows": [thing(2)] }));
                }
                assert_eq!(asked.path, "/api/things?size=1");
                let body = json!({ "rows": [thing(1)], "next": next });
                match by_header {
                    true => (
                        format!("200 OK\r\nlink: {next}"),
                        json!({ "rows": [thing(1)] }).to_string(),
                    ),
                    false => ok(&body),
                }
            },
        )
        .await;
        match good {
            true => assert_eq!(ids(&listed(&rest).await.unwrap()), ["1", "2"], "{paging}"),
            false => {
                let error = listed(&rest).await.unwrap_err();
                assert!(error.message.contains("another host"), "{error}");
                assert_eq!(office.asked().len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn e17_an_erp_that_does_not_know_its_own_continuation_is_not_followed_for_ever() {
    let of = "
record: { id: id }
list: { request: GET /things, query: { token: \"{cursor}\" }, items: rows, paging: { kind: cursor, next: next } }
read: { request: \"GET /things/{id}\" }
";
    // The same continuation; another one each time with the same records.
    for turns in [false, true] {
        let count = AtomicUsize::new(0);
        let (office, rest) = erp(&description("", of, "name: string"), &[], move |_| {
            let number = count.fetch_add(usize::from(turns), Ordering::SeqCst);
            ok(&json!({ "rows": [thing(1)], "next": format!("t{number}") }))
        })
        .await;
        let error = listed(&rest).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol);
        assert!(error.message.contains("incomplete"), "{error}");
        assert!(office.asked().len() < 8);
        // The same where changes are read: the type is incomplete, and nothing follows from what is not shown.
        let error = rest.changes(&[things()], None).await.unwrap_err();
        assert!(error.message.contains("incomplete"), "{error}");
    }
}

const FAILS: &str = "
errors:
  failed: { at: success, equals: [false] }
  code: error.code
  message: error.text
  rules:
    - { code: [E42], means: duplicate }
    - { contains: \"record lock\", means: busy }
    - { status: [500], code: [NODUP], means: duplicate }
    - { header: { x-reason: \"Locked\" }, means: locked, advice: \"Unlock it\" }";

const PLAIN: &str = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
create: { request: POST /things, record: . }
";

#[tokio::test]
async fn an_error_inside_a_success_is_an_error() {
    let cases: [(&'static str, Json, RefusalKind); 5] = [
        (
            "200 OK",
            json!({ "success": false, "error": { "code": "E42", "text": "twice" } }),
            RefusalKind::Duplicate,
        ),
        (
            "200 OK",
            json!({ "success": false, "error": { "text": "Record LOCK held" } }),
            RefusalKind::Busy,
        ),
        (
            "200 OK",
            json!({ "success": false, "error": { "code": "E7" } }),
            RefusalKind::Unclear,
        ),
        (
            "500 Oops",
            json!({ "error": { "code": "NODUP" } }),
            RefusalKind::Duplicate,
        ),
        (
            "400 Bad\r\nx-reason: it is locked",
            json!({}),
            RefusalKind::Locked,
        ),
    ];
    for (line, body, kind) in cases {
        let text = body.to_string();
        let (_office, rest) = erp(&description(FAILS, PLAIN, "name: string"), &[], move |_| {
            (line.to_owned(), text.clone())
        })
        .await;
        let outcome = one(&rest, create(&[("name", "x".into())])).await;
        let Outcome::Refused(refusal) = outcome else {
            panic!("{body}: {outcome:?}")
        };
        assert_eq!(refusal.kind, kind, "{refusal:?}");
        assert_eq!(refusal.advice == "Unlock it", kind == RefusalKind::Locked);
        // Nothing is read out of it either.
        let error = rest.list(&things(), None).await.unwrap_err();
        assert!(error.message.contains("answered"), "{error}");
    }
}

#[tokio::test]
async fn an_erp_that_blocks_after_errors_is_left_alone_before() {
    let limits = "limits: { errors_per_hour: 3 }";
    let (office, rest) = erp(
        &description(limits, PLAIN, "name: string"),
        &[],
        |asked| match method(asked) {
            "POST" => status("400 Bad Request"),
            _ => ok(&json!({ "rows": [] })),
        },
    )
    .await;
    for _ in 0..3 {
        let outcome = one(&rest, create(&[("name", "x".into())])).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
    let outcome = one(&rest, create(&[("name", "x".into())])).await;
    let Outcome::NotSent(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        error.retry_at.is_some() && error.message.contains("3 errors"),
        "{error}"
    );
    assert_eq!(office.asked().len(), 3);
    // Others are asked all the same.
    assert_eq!(listed(&rest).await.unwrap(), []);
}

#[tokio::test]
async fn a_day_is_not_overspent_and_goes_on_in_the_next_process() {
    let limits = "limits: { per_day: 2 }";
    let text = description(limits, PLAIN, "name: string");
    let answer = |_: &crate::salesforce::office::Asked| ok(&json!({ "rows": [] }));
    let (office, rest) = erp(&text, &[], answer).await;
    for _ in 0..2 {
        listed(&rest).await.unwrap();
    }
    let error = listed(&rest).await.unwrap_err();
    assert_eq!((error.kind, error.retry_at.is_some()), (ErrorKind::Refused, true));
    let budget = rest.budget().unwrap();
    assert_eq!((budget.spent, budget.share), (2, Some(2)));
    assert_eq!(office.asked().len(), 2);
    let (office, rest) = erp(&text, &[], answer).await;
    rest.restore_budget(&budget);
    assert!(listed(&rest).await.is_err());
    assert_eq!(office.asked().len(), 0);
}

#[tokio::test]
async fn where_nothing_can_be_searched_the_list_is_and_values_compare_loosely() {
    let (_office, rest) = erp(&description("", PLAIN, "name: string"), &[], |_| {
        ok(&json!({ "rows": [{ "id": 1, "name": "ACME, Inc." }, { "id": 2, "name": "Acme" }] }))
    })
    .await;
    let names = ["name".to_owned()];
    let found = rest
        .find(&things(), &names, &[vec![Value::text("acme inc")]])
        .await
        .unwrap();
    assert_eq!(ids(&found), ["1"]);
    assert_eq!(rest.find(&things(), &names, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_read_that_is_answered_with_another_record_found_nothing() {
    let (_office, rest) = erp(&description("", PLAIN, "name: string"), &[], |_| ok(&thing(1))).await;
    let asked = ["1".to_owned(), "9".to_owned()];
    let read = rest.fetch(&things(), &asked).await.unwrap();
    assert_eq!(
        [read[0].presence, read[1].presence],
        [Presence::Alive, Presence::Missing]
    );
    assert_eq!(ids(&read), ["1", "9"]);
}
