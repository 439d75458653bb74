//! Changes: where a round begins, what is read again, and what was deleted.

use super::stage::{OK, description, erp, ids, method, ok, parameter, round, rows, status, thing, things};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::{Connector, Probe, Probed};
use tandem_merge::record::Presence;

/// A reply that was given at a moment of the ERP's clock.
fn at(date: &str, rows: Vec<Json>) -> (String, String) {
    (
        format!("{OK}\r\ndate: {date}"),
        json!({ "rows": rows }).to_string(),
    )
}

fn since(of: &str) -> String {
    format!(
        "record: {{ id: id, modified: changed }}\nlist: {{ request: GET /things, items: rows }}\n\
         changes: {{ query: {{ since: \"{{since}}\" }}, since: {of} }}\nread: {{ request: \"GET /things/{{id}}\" }}\n\
         compare_every: 9d"
    )
}

fn changed(id: u32, moment: &str) -> Json {
    json!({ "id": id, "name": "n", "changed": moment })
}

#[tokio::test]
async fn the_moment_asked_for_is_written_as_the_erp_takes_it_and_never_too_late() {
    // The newest change that was seen, and what is asked for after it.
    let cases = [
        ("{ from: newest }", "2026-03-02T12:00:00.500Z"),
        ("{ from: newest, granularity: us }", "2026-03-02T12:00:00.500000Z"),
        ("{ from: newest, granularity: s }", "2026-03-02T12:00:00Z"),
        (
            "{ from: newest, granularity: s, exclusive: true }",
            "2026-03-02T11:59:59Z",
        ),
        (
            "{ from: newest, granularity: min, format: local }",
            "2026-03-02 12:00:00",
        ),
        (
            "{ from: newest, granularity: s, format: local, zone: Europe/Berlin }",
            "2026-03-02 13:00:00",
        ),
        ("{ from: newest, granularity: day }", "2026-03-02"),
        (
            "{ from: newest, granularity: day, format: \"%Y%m%d\", exclusive: true }",
            "20260301",
        ),
        ("{ from: newest, format: seconds }", "1772452800"),
        (
            "{ from: newest, format: http, granularity: s }",
            "Mon, 02 Mar 2026 12:00:00 GMT",
        ),
        (
            "{ from: newest, format: \"datetime'%Y-%m-%dT%H:%M:%S'\", granularity: s }",
            "datetime'2026-03-02T12:00:00'",
        ),
    ];
    for (written, wanted) in cases {
        let text = description("", &since(written), "name: string");
        let (office, rest) = erp(&text, &[], |_| {
            // One lies ahead by mistake, and moves nothing.
            let rows = [
                ("1", "2026-03-02T12:00:00.500Z"),
                ("2", "2026-03-01T12:00:00Z"),
                ("3", "2199-01-01T00:00:00Z"),
            ];
            ok(&json!({ "rows": rows.map(|(id, at)| changed(id.parse().unwrap(), at)) }))
        })
        .await;
        let pages = round(&rest, None).await;
        assert_eq!(
            parameter(&office.asked()[0], "since"),
            None,
            "all is listed at first"
        );
        round(&rest, Some(pages[0].cursor.clone())).await;
        let asked = office.asked();
        assert_eq!(
            parameter(asked.last().unwrap(), "since").as_deref(),
            Some(wanted),
            "{written}"
        );
    }
}

#[tokio::test]
async fn s4_a_round_that_was_not_read_to_its_end_moves_nothing() {
    let of = since("{ from: newest }").replace(
        "items: rows }",
        "items: rows, query: { p: \"{page}\" }, paging: { kind: page, pages: pages } }",
    );
    let fails = std::sync::Arc::new(AtomicUsize::new(0));
    let breaks = std::sync::Arc::clone(&fails);
    let (office, rest) = erp(&description("", &of, "name: string"), &[], move |asked| {
        let page = parameter(asked, "p").unwrap();
        if page == "2" && breaks.load(Ordering::SeqCst) == 1 {
            return status("400 Bad Request");
        }
        let row = match page.as_str() {
            "1" => changed(1, "2026-03-05T12:00:00Z"),
            _ => changed(2, "2026-03-02T12:00:00Z"),
        };
        ok(&json!({ "rows": [row], "pages": 2 }))
    })
    .await;
    fails.store(1, Ordering::SeqCst);
    assert!(rest.changes(&[things()], None).await.is_err());
    fails.store(0, Ordering::SeqCst);
    // THEN it begins anew as soon as it is asked again, however far the first page came.
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3_600)).await;
    tokio::time::resume();
    let pages = round(&rest, None).await;
    assert_eq!(ids(rows(&pages)), ["1", "2"]);
    round(&rest, Some(pages.last().unwrap().cursor.clone())).await;
    let asked = office.asked();
    assert_eq!(
        parameter(asked.last().unwrap(), "since").as_deref(),
        Some("2026-03-05T12:00:00.000Z")
    );
}

#[tokio::test]
async fn a_day_or_a_minute_leaves_open_when_a_record_was_changed() {
    for (step, shown, seconds) in [
        ("day", "2026-03-02", 86_400),
        ("ms", "2026-03-02", 86_400),
        ("day", "2026-03-02T00:00:00Z", 86_400),
        ("min", "2026-03-02T12:30:00Z", 60),
        // It tells more than is asked by.
        ("day", "2026-03-02T12:30:00Z", 0),
        ("s", "2026-03-02T12:30:00Z", 0),
    ] {
        let text = description("", &since(&format!("{{ granularity: {step} }}")), "name: string");
        let (_office, rest) = erp(&text, &[], move |_| {
            at("Mon, 02 Mar 2026 13:00:00 GMT", vec![changed(1, shown)])
        })
        .await;
        let pages = round(&rest, None).await;
        let version = rows(&pages)[0].version.clone().unwrap();
        let coarse = jiff::SignedDuration::from_secs(seconds);
        assert_eq!(version.coarse, coarse, "{step} {shown}");
    }
}

#[tokio::test]
async fn what_is_tried_leaves_half_of_the_errors_of_an_hour_to_the_work() {
    let text = description(
        "limits: { errors_per_hour: 4 }",
        &since("{ granularity: s }"),
        "name: string",
    );
    let (office, rest) = erp(&text, &[], |_| status("400 Bad Request")).await;
    let of = things();
    let probe = || rest.probe(Probe::ChangesSince(&of, jiff::Timestamp::MAX));
    for _ in 0..2 {
        assert!(matches!(probe().await, Ok(Some(Probed::Refused(_)))));
    }
    let third = probe().await;
    assert!(matches!(third, Ok(Some(Probed::Untried(_)))), "{third:?}");
    assert_eq!(office.asked().len(), 2);
}

#[tokio::test]
async fn a_round_by_the_clock_begins_where_the_last_one_began() {
    let text = description("", &since("{ granularity: s, lag: 1m }"), "name: string");
    let count = AtomicUsize::new(0);
    let (office, rest) = erp(&text, &[], move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => at(
            "Mon, 02 Mar 2026 12:00:10 GMT",
            vec![changed(1, "2026-01-01T00:00:00Z")],
        ),
        1 => at("Mon, 02 Mar 2026 12:30:00 GMT", vec![]),
        // Set back by hours: what was edited since is not shown by what is asked for.
        _ => at(
            "Mon, 02 Mar 2026 08:00:00 GMT",
            vec![changed(2, "2026-03-02T08:00:00Z")],
        ),
    })
    .await;
    let pages = round(&rest, None).await;
    let pages = round(&rest, Some(pages[0].cursor.clone())).await;
    let asked = parameter(&office.asked()[1], "since").unwrap();
    // A second for the header, another for the way, a minute of lag.
    assert!(
        ("2026-03-02T11:59:05Z".."2026-03-02T11:59:10Z").contains(&asked.as_str()),
        "{asked}"
    );
    let pages = round(&rest, Some(pages[0].cursor.clone())).await;
    // THEN all of it is read anew, and compared, for nothing says what was deleted meanwhile; the next round goes on by the
    // clock as it is
    assert_eq!(ids(rows(&pages)), ["2", "2"]);
    assert_eq!(parameter(office.asked().last().unwrap(), "since"), None);
}

#[tokio::test]
async fn what_lies_further_back_than_an_erp_tells_is_listed() {
    let text = description("", &since("{ from: newest, reach: 30d }"), "name: string");
    let (office, rest) = erp(&text, &[], |_| {
        ok(&json!({ "rows": [changed(1, "2020-01-01T00:00:00Z")] }))
    })
    .await;
    let pages = round(&rest, None).await;
    round(&rest, Some(pages[0].cursor.clone())).await;
    assert_eq!(parameter(office.asked().last().unwrap(), "since"), None);
}

#[tokio::test]
async fn deletions_stand_in_a_list_of_their_own_or_show_as_a_status() {
    let listed = "
record: { id: id, modified: changed }
list: { request: GET /things, items: rows }
changes: { query: { since: \"{since}\" }, since: { from: newest } }
deletions: { request: GET /deleted, query: { since: \"{since}\" }, items: gone, id: key, at: when }
read: { request: \"GET /things/{id}\" }
";
    let (office, rest) = erp(&description("", listed, "name: string"), &[], |asked| match asked
        .path
        .starts_with("/deleted")
    {
        true => ok(&json!({ "gone": [{ "key": 7, "when": "2026-03-03T00:00:00Z" }] })),
        false => ok(&json!({ "rows": [changed(1, "2026-03-02T12:00:00Z")] })),
    })
    .await;
    let pages = round(&rest, None).await;
    assert_eq!(ids(rows(&pages)), ["1"], "a first load needs no deletions");
    let pages = round(&rest, Some(pages[0].cursor.clone())).await;
    let shown: Vec<(&str, Presence)> = rows(&pages)
        .iter()
        .map(|row| (row.key.id.as_str(), row.presence))
        .collect();
    assert_eq!(shown, [("1", Presence::Alive), ("7", Presence::Deleted)]);
    assert!(office.asked().last().unwrap().path.starts_with("/deleted?since="));
    assert!(
        pages.iter().all(|page| page.complete.is_none()),
        "nothing is compared"
    );

    let by_status = since("{ from: newest }").replace(
        "modified: changed }",
        "modified: changed, deleted: { at: state, equals: [ARCHIVED, VOIDED] } }",
    );
    let (_office, rest) = erp(&description("", &by_status, "name: string"), &[], |_| {
        let mut gone = changed(2, "2026-03-02T12:00:00Z");
        gone["state"] = json!("VOIDED");
        ok(&json!({ "rows": [changed(1, "2026-03-02T12:00:00Z"), gone] }))
    })
    .await;
    let pages = round(&rest, None).await;
    let row = rows(&pages)[1];
    assert_eq!((row.presence, row.values.len()), (Presence::Deleted, 0));
    let page = rest.list(&things(), None).await.unwrap();
    assert_eq!(ids(&page.observations), ["1"], "a list shows what is alive");
}

#[tokio::test]
async fn records_without_a_list_of_changes_are_compared_now_and_then() {
    let of = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
";
    let (office, rest) = erp(&description("", of, "name: string"), &[], |_| {
        ok(&json!({ "rows": [thing(1)] }))
    })
    .await;
    let pages = round(&rest, None).await;
    assert_eq!((office.asked().len(), ids(rows(&pages))), (1, vec!["1"]));
    // WHEN it is not due, THEN nothing is asked
    let pages = round(&rest, Some(pages[0].cursor.clone())).await;
    assert_eq!((office.asked().len(), rows(&pages).len()), (1, 0));
    // WHEN it is due, THEN the page shows all there is
    let late = String::from_utf8(pages[0].cursor.clone()).unwrap();
    let compared = late
        .split("\"compared\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let late = late.replace(&compared, "2020-01-01T00:00:00Z").into_bytes();
    let pages = round(&rest, Some(late)).await;
    assert_eq!((office.asked().len(), ids(rows(&pages))), (2, vec!["1"]));
    assert_eq!(pages[0].complete.as_ref().unwrap().record_type, things());
}

#[tokio::test]
async fn a_partial_list_is_read_record_by_record() {
    let of = "
record: { id: id, token: \"header:ETag\" }
list: { request: GET /things, items: rows, partial: true }
read: { request: \"GET /things/{id}\", record: data }
";
    let (office, rest) = erp(&description("", of, "name: string"), &[], |asked| {
        if asked.path == "/things" {
            return ok(&json!({ "rows": [{ "id": 1 }, { "id": 2 }, { "id": 3 }] }));
        }
        assert_eq!(method(asked), "GET");
        let id: u32 = asked.path.trim_start_matches("/things/").parse().unwrap();
        match id {
            // It went meanwhile.
            3 => status("404 Not Found"),
            id => (
                "200 OK\r\netag: \"v1\"".to_owned(),
                json!({ "data": thing(id) }).to_string(),
            ),
        }
    })
    .await;
    let page = rest.list(&things(), None).await.unwrap();
    assert_eq!(ids(&page.observations), ["1", "2"]);
    assert_eq!(page.observations[0].version.as_ref().unwrap().token, "\"v1\"");
    assert_eq!(office.asked().len(), 4);
}

#[tokio::test]
async fn deletions_are_asked_for_where_there_is_no_list_of_changes_too() {
    let of = "
record: { id: id }
list: { request: GET /things, items: rows }
deletions: { request: GET /deleted, query: { since: \"{since}\" }, items: gone, id: key }
read: { request: \"GET /things/{id}\" }
";
    let (office, rest) = erp(&description("", of, "name: string"), &[], |asked| {
        match asked.path.starts_with("/deleted") {
            true => ok(&json!({ "gone": [{ "key": 7 }] })),
            false => ok(&json!({ "rows": [thing(1)] })),
        }
    })
    .await;
    let pages = round(&rest, None).await;
    let pages = round(&rest, Some(pages[0].cursor.clone())).await;
    assert_eq!(ids(rows(&pages)), ["7"], "the list is not read again");
    assert_eq!(office.asked().len(), 2);
}

#[tokio::test]
async fn e7_at_rest_the_newest_change_is_passed_once_nothing_can_share_its_moment() {
    for (written, wanted) in [
        ("{ from: newest }", "2026-03-02T12:00:00.001Z"),
        ("{ from: newest, exclusive: true }", "2026-03-02T12:00:00.000Z"),
        // The day is not over for long enough.
        ("{ from: newest, granularity: day }", "2026-03-02"),
        ("{ from: newest, lag: 1h }", "2026-03-02T11:00:00.000Z"),
    ] {
        let text = description("", &since(written), "name: string");
        let (office, rest) = erp(&text, &[], |_| {
            ok(&json!({ "rows": [changed(1, "2026-03-02T12:00:00Z")] }))
        })
        .await;
        let mut cursor = None;
        for _ in 0..3 {
            cursor = Some(round(&rest, cursor).await[0].cursor.clone());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let asked = office.asked();
        assert_eq!(
            parameter(asked.last().unwrap(), "since").as_deref(),
            Some(wanted),
            "{written}"
        );
    }
}
