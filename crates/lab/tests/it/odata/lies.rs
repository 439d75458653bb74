//! What the service does wrong when it is told to, and only then.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Lab, send};

#[tokio::test]
async fn an_offset_passes_over_a_row() {
    let lab = Lab::five(2).await;
    lab.lies(&["offset-paging"]).await;
    let first = lab.get("Customers").await;
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C1" }, "delete": true }))
        .await;
    let (rest, _) = lab
        .pages(first.body["@odata.nextLink"].as_str().unwrap(), "Number")
        .await;
    assert_eq!(rest, [vec!["C4", "C5"]], "C3 is never shown");
}

#[tokio::test]
async fn filters_conditions_and_tokens_are_passed_over() {
    let lab = Lab::five(100).await;
    lab.lies(&[
        "ignores-filters",
        "ignores-conditions",
        "ignores-delta-tokens",
        "etag-never-changes",
    ])
    .await;
    assert_eq!(
        lab.get("Customers?$filter=Number%20eq%20'C1'")
            .await
            .all("Number")
            .len(),
        5
    );
    let stale = lab
        .change(
            "PATCH",
            "Customers('C1')",
            "W/\"stale\"",
            json!({ "Name": "über" }),
        )
        .await;
    assert_eq!(stale.status, StatusCode::NO_CONTENT);
    let read = lab.get("Customers('C1')").await;
    assert_eq!(
        (&read.body["Name"], read.header("etag")),
        (&json!("über"), stale.header("etag"))
    );
    let token = lab.get("Customers?$deltatoken=nonsense").await;
    assert_eq!((token.status, token.all("Number").len()), (StatusCode::OK, 5));
    lab.lies(&[]).await;
    assert_eq!(
        lab.get("Customers?$deltatoken=nonsense").await.status,
        StatusCode::GONE
    );
}

#[tokio::test]
async fn the_second_page_comes_again_and_again() {
    let lab = Lab::five(2).await;
    lab.lies(&["repeats-a-page"]).await;
    let first = lab.get("Customers").await;
    let link = first.body["@odata.nextLink"].as_str().unwrap().to_owned();
    let second = lab.get(&link).await;
    assert_eq!(second.all("Number"), ["C3", "C4"]);
    assert_eq!(second.body["@odata.nextLink"], link);
}

#[tokio::test]
async fn deletions_and_changes_are_told_late_but_told() {
    let lab = Lab::five(100).await;
    let all = send(
        lab.request(Method::GET, "Customers")
            .header("prefer", "track-changes"),
    )
    .await;
    lab.lies(&["late-tombstones"]).await;
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C1" }, "delete": true }))
        .await;
    let early = lab.get(all.body["@odata.deltaLink"].as_str().unwrap()).await;
    assert_eq!(early.body["value"], json!([]));
    assert_eq!(
        lab.get("Customers").await.all("Number").len(),
        4,
        "the listing knows"
    );
    lab.lies(&["slow-commit"]).await;
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C2" }, "values": { "Name": "spät" } }))
        .await;
    let stamp = lab.get("Customers('C2')").await.body["ModifiedAt"].clone();
    assert_eq!(
        lab.get("Customers?$filter=Name%20eq%20'spät'")
            .await
            .all("Number")
            .len(),
        0
    );
    lab.advance(6).await;
    let late = lab.get("Customers?$filter=Name%20eq%20'spät'").await;
    assert_eq!(
        late.body["value"][0]["ModifiedAt"], stamp,
        "with the time of when it was made"
    );
    let link = early.body["@odata.deltaLink"].as_str().unwrap();
    assert_eq!(lab.get(link).await.all("Number"), ["C1", "C2"]);
}
