//! Changes by links: where they lead, what they say of deletions, and what happens when they do not hold.

use super::stage::{description, erp, ids, ok, parameter, round, rows, status};
use serde_json::{Value as Json, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tandem_connector::{Connector, ErrorKind, Probe, Probed};
use tandem_merge::record::{Presence, RecordKey};

const OF: &str = "
record: { id: id, token: v }
list: { request: GET /things, items: value }
changes:
  request: GET /things
  headers: { Prefer: track }
  items: value
  paging: { kind: url, next: next, relative_to: request }
  delta:
    link: delta
    removed: [{ at: /@removed, reason: /@removed/reason }]
    address: [/@id]
    deleted: [deleted]
read: { request: \"GET /things/{id}\" }
";

fn row(id: u32, version: u32) -> Json {
    json!({ "id": id, "v": version, "name": format!("n{id}") })
}

fn text() -> String {
    description("", OF, "name: string")
}

/// The link that a listing of two records ends with, and what it leads to.
fn leads_to(
    link: &'static str,
    then: Json,
) -> impl Fn(&crate::salesforce::office::Asked) -> (String, String) {
    move |asked| match parameter(asked, "t") {
        None => ok(&json!({ "value": [row(1, 1), row(2, 1)], "delta": link })),
        Some(token) if token == "1" => ok(&then),
        Some(_) => ok(&json!({ "value": [], "delta": "/things?t=3" })),
    }
}

#[tokio::test]
async fn a_link_of_any_kind_shows_what_changed_and_ends_with_the_next() {
    for link in ["things?t=1", "/things?t=1", "?t=1"] {
        let then = json!({
            "value": [row(2, 2), { "@id": "things/1", "@removed": { "reason": "deleted" } }],
            "delta": "/things?t=2"
        });
        let (office, rest) = erp(&text(), &[], leads_to(link, then)).await;
        let first = round(&rest, None).await;
        assert_eq!(ids(rows(&first)), ["1", "2"]);
        let second = round(&rest, Some(first[0].cursor.clone())).await;
        let seen = rows(&second);
        assert_eq!(ids(seen.clone()), ["2", "1"]);
        assert_eq!(
            [seen[0].presence, seen[1].presence],
            [Presence::Alive, Presence::Deleted]
        );
        assert!(second.iter().all(|page| page.complete.is_none()));
        round(&rest, Some(second[0].cursor.clone())).await;
        let paths: Vec<String> = office.asked().iter().map(|asked| asked.path.clone()).collect();
        assert_eq!(paths, ["/things", "/things?t=1", "/things?t=2"], "{link}");
    }
}

#[tokio::test]
async fn what_left_the_list_and_what_is_shown_in_part_is_looked_at_again() {
    let then = json!({
        "value": [{ "id": 1, "v": 2 }, { "id": 2, "@removed": { "reason": "changed" } }],
        "delta": "/things?t=2"
    });
    let (_office, rest) = erp(&text(), &[], leads_to("/things?t=1", then)).await;
    let first = round(&rest, None).await;
    let second = round(&rest, Some(first[0].cursor.clone())).await;
    assert!(rows(&second).is_empty());
    let hints: Vec<RecordKey> = second.into_iter().flat_map(|page| page.hints).collect();
    assert_eq!(hints, ["1", "2"].map(|id| RecordKey::new("erp", "Thing", id)));
}

#[tokio::test]
async fn a_refused_link_is_followed_by_all_records_and_a_comparison() {
    for refusal in ["410 Gone", "404 Not Found", "400 Bad Request"] {
        let refused = AtomicUsize::new(0);
        let (_office, rest) = erp(&text(), &[], move |asked| match parameter(asked, "t") {
            Some(_) if refused.fetch_add(1, Ordering::SeqCst) == 0 => status(refusal),
            Some(_) => ok(&json!({ "value": [], "delta": "/things?t=3" })),
            None => ok(&json!({ "value": [row(2, 1)], "delta": "/things?t=2" })),
        })
        .await;
        let first = round(&rest, None).await;
        let second = round(&rest, Some(first[0].cursor.clone())).await;
        let complete: Vec<_> = second.iter().filter_map(|page| page.complete.as_ref()).collect();
        assert_eq!(complete.len(), 1, "{refusal}: what went meanwhile is looked for");
        assert!(ids(rows(&second)).contains(&"2"));
        // Once.
        let third = round(&rest, Some(second.last().unwrap().cursor.clone())).await;
        assert!(
            third
                .iter()
                .all(|page| page.complete.is_none() && page.observations.is_empty())
        );
    }
    // A trouble of the moment is none of the link's.
    let (_office, rest) = erp(&text(), &[], |asked| match parameter(asked, "t") {
        Some(_) => status("403 Forbidden"),
        None => ok(&json!({ "value": [], "delta": "/things?t=2" })),
    })
    .await;
    let first = round(&rest, None).await;
    let error = rest
        .changes(&[super::stage::things()], Some(&first[0].cursor))
        .await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Refused);
}

#[tokio::test]
async fn a_link_that_shows_the_beginning_again_is_noticed() {
    // GIVEN a system that ignores the token of a link, where one record goes
    let all = Mutex::new(vec![row(1, 1), row(2, 1), row(3, 1)]);
    let asked_for = AtomicUsize::new(0);
    let (_office, rest) = erp(&text(), &[], move |_| {
        let mut all = all.lock().unwrap();
        if asked_for.fetch_add(1, Ordering::SeqCst) == 1 {
            all.remove(0);
        }
        ok(&json!({ "value": *all, "delta": "/things?t=1" }))
    })
    .await;
    let first = round(&rest, None).await;
    // WHEN its changes are asked for, THEN all records are compared, so that what went is not lost
    let second = round(&rest, Some(first[0].cursor.clone())).await;
    assert!(second.iter().any(|page| page.complete.is_some()));
    // The proof finds it as well.
    let cursor = &second.last().unwrap().cursor;
    let probed = rest
        .probe(Probe::UnknownLink(&super::stage::things(), cursor))
        .await;
    assert_eq!(probed.unwrap(), Some(Probed::Shown(2)));
}

#[tokio::test]
async fn changes_without_a_link_for_the_next_time_are_no_changes() {
    let (_office, rest) = erp(&text(), &[], |_| ok(&json!({ "value": [row(1, 1)] }))).await;
    let error = rest.changes(&[super::stage::things()], None).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("end without a link for the next time at `delta`"),
        "{error}"
    );
}

#[tokio::test]
async fn pages_of_a_link_that_repeat_themselves_are_broken_off() {
    let (_office, rest) = erp(&text(), &[], |_| {
        ok(&json!({ "value": [row(1, 1)], "next": "/things?t=1" }))
    })
    .await;
    let error = rest.changes(&[super::stage::things()], None).await.unwrap_err();
    assert!(
        error.to_string().contains("the same continuation again"),
        "{error}"
    );
}
