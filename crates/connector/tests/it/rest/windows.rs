//! Queries that show so many records at most.

use super::stage::{description, erp, ids, listed, ok, parameter, round, rows};
use crate::salesforce::office::{Answer, Asked};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use tandem_connector::Connector;

const CAP: usize = 4;

/// A list of things that is asked for in parts.
fn of(window: &str, query: &str) -> String {
    format!(
        "record: {{ id: id, modified: changed }}\n\
         list: {{ request: GET /things, query: {{ since: \"{{since}}\", until: \"{{until}}\"{query} }}, items: rows, window: {window} }}\n\
         changes: {{ query: {{ only: changed }}, since: {{ from: newest }} }}\nread: {{ request: \"GET /things/{{id}}\" }}\ncompare_every: 9d"
    )
}

/// Things by id and the minute of their change.
fn things(minutes: &[i64]) -> Vec<(usize, Timestamp)> {
    let start: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
    let at = |(id, minute): (usize, &i64)| (id, start + SignedDuration::from_mins(*minute));
    minutes.iter().enumerate().map(at).collect()
}

/// Shows no more than its cap, in the order of the ids, whatever there is.
fn capped(asked: &Asked, all: &[(usize, Timestamp)], inclusive: bool) -> Answer {
    let moment = |name| parameter(asked, name).map(|text| text.parse::<Timestamp>().unwrap());
    let after: i64 = parameter(asked, "after").map_or(-1, |text| text.parse().unwrap());
    let fits = |(id, at): &&(usize, Timestamp)| {
        let early = moment("since").is_none_or(|since| *at >= since);
        let late = moment("until").is_none_or(|until| *at < until || (inclusive && *at == until));
        early && late && *id as i64 > after
    };
    let row = |(id, at): &(usize, Timestamp)| json!({ "id": id, "name": "n", "changed": at.to_string() });
    let rows: Vec<Json> = all.iter().filter(fits).take(CAP).map(row).collect();
    ok(&json!({ "rows": rows }))
}

fn unique<'i>(ids: &[&'i str]) -> BTreeSet<&'i str> {
    ids.iter().copied().collect()
}

#[tokio::test]
async fn a_query_that_shows_no_more_is_asked_for_in_parts_until_nothing_is_missing() {
    let minutes: Vec<i64> = (0..60).map(|number| number * number % 97).collect();
    for (window, inclusive) in [
        ("{ at_most: 4 }", false),
        ("{ at_most: 4, inclusive: true }", true),
    ] {
        let all = things(&minutes);
        let text = description("", &of(window, ", after: \"{after}\""), "name: string");
        let (office, rest) = erp(&text, &[], move |asked| capped(asked, &all, inclusive)).await;
        let shown = listed(&rest).await.unwrap();
        assert_eq!(unique(&ids(&shown)).len(), 60, "{window}");
        let pages = round(&rest, None).await;
        assert_eq!(unique(&ids(rows(&pages))).len(), 60, "{window}");
        // WHEN changes are asked for, THEN what lies before them is not
        let before = office.asked().len();
        let late = things(&[96])[0].1 - SignedDuration::from_mins(9);
        let cursor = String::from_utf8(pages.last().unwrap().cursor.clone()).unwrap();
        let newest = cursor
            .split("\"since\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned();
        let cursor = cursor.replace(&format!("\"since\":\"{newest}"), &format!("\"since\":\"{late}"));
        let pages = round(&rest, Some(cursor.into_bytes())).await;
        let wanted = minutes.iter().filter(|minute| **minute >= 87).count();
        assert_eq!(unique(&ids(rows(&pages))).len(), wanted, "{window}");
        assert!(
            office.asked()[before..]
                .iter()
                .all(|asked| parameter(asked, "only").is_some())
        );
    }
}

#[tokio::test]
async fn a_moment_with_more_records_than_a_query_shows_is_read_on_by_key_or_said() {
    let mut minutes = vec![30; 11];
    minutes.extend([1, 2, 3, 90]);
    let all = things(&minutes);
    let held = all.clone();
    let text = description(
        "",
        &of("{ at_most: 4, first: \"-1\" }", ", after: \"{after}\""),
        "name: string",
    );
    let (office, rest) = erp(&text, &[], move |asked| capped(asked, &held, false)).await;
    assert_eq!(unique(&ids(&listed(&rest).await.unwrap())).len(), 15);
    assert_eq!(
        parameter(&office.asked()[0], "after").as_deref(),
        Some("-1"),
        "nothing is left out yet"
    );
    // WHEN the query takes no key, THEN nothing is silently lost
    let text = description("", &of("{ at_most: 4 }", ""), "name: string");
    let (_office, rest) = erp(&text, &[], move |asked| capped(asked, &all, false)).await;
    let error = listed(&rest).await.unwrap_err();
    assert!(
        error
            .message
            .contains("4 or more records of Thing share the moment 2026-03-02T12:30:00Z"),
        "{error}"
    );
    assert!(error.advice.contains("{after}"), "{error}");
    let error = rest.changes(&[super::stage::things()], None).await.unwrap_err();
    assert!(error.message.contains("share the moment"), "{error}");
}

#[tokio::test]
async fn pages_of_a_part_are_followed_and_a_total_tells_early_that_it_is_too_large() {
    let all = things(&(0..12).collect::<Vec<_>>());
    let list = of("{ at_most: 6 }", ", p: \"{page}\"").replace(
        "items: rows,",
        "items: rows, paging: { kind: page, total: total },",
    );
    let (office, rest) = erp(&description("", &list, "name: string"), &[], move |asked| {
        let moment = |name| parameter(asked, name).unwrap().parse::<Timestamp>().unwrap();
        let fits = |(_, at): &&(usize, Timestamp)| *at >= moment("since") && *at < moment("until");
        let page: usize = parameter(asked, "p").unwrap().parse().unwrap();
        let found: Vec<_> = all.iter().filter(fits).collect();
        // However many there are, six are shown, on pages of two.
        let shown = found.iter().take(6).skip((page - 1) * 2).take(2);
        let rows: Vec<Json> = shown
            .map(|(id, at)| json!({ "id": id, "name": "n", "changed": at.to_string() }))
            .collect();
        ok(&json!({ "rows": rows, "total": found.len() }))
    })
    .await;
    assert_eq!(unique(&ids(&listed(&rest).await.unwrap())).len(), 12);
    let too_large = office
        .asked()
        .iter()
        .filter(|asked| parameter(asked, "p").as_deref() == Some("2"))
        .count();
    assert!(
        too_large <= 12,
        "a part that is too large is left at its page at the beginning: {too_large}"
    );
}
