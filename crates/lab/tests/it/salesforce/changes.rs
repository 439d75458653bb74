//! getUpdated, getDeleted and queryAll.

use reqwest::StatusCode;
use serde_json::json;

use super::{Org, url_encode};

/// `/updated` or `/deleted` from minutes ago to minutes ahead.
async fn span(org: &Org, object: &str, what: &str, from: i64, to: i64) -> super::Reply {
    let now = org
        .call(reqwest::Method::GET, "/_local/clock", serde_json::Value::Null)
        .await
        .body;
    let now: jiff::Timestamp = now["now"]
        .as_str()
        .unwrap()
        .replace("+0000", "Z")
        .parse()
        .unwrap();
    let at = |minutes: i64| url_encode(&(now + jiff::SignedDuration::from_mins(minutes)).to_string());
    org.get(&format!(
        "sobjects/{object}/{what}?start={}&end={}",
        at(from),
        at(to)
    ))
    .await
}

#[tokio::test]
async fn updates_and_deletions_are_listed_apart() {
    let org = Org::new().await;
    let kept = org.add("Contact", json!({ "LastName": "A" })).await;
    let gone = org.add("Contact", json!({ "LastName": "B" })).await;
    org.delete("Contact", &gone).await;
    let updated = span(&org, "Contact", "updated", -5, 5).await.body;
    assert_eq!(updated["ids"], json!([kept]));
    assert!(
        updated["latestDateCovered"]
            .as_str()
            .unwrap()
            .ends_with(".000+0000")
    );
    let deleted = span(&org, "Contact", "deleted", -5, 5).await.body;
    assert_eq!(deleted["deletedRecords"][0]["id"], gone);
    assert_eq!(deleted["deletedRecords"].as_array().unwrap().len(), 1);
    org.advance(600).await;
    assert_eq!(
        span(&org, "Contact", "updated", -5, 5).await.body["ids"],
        json!([])
    );
}

#[tokio::test]
async fn the_span_has_limits() {
    let org = Org::new().await;
    for (what, from, to) in [
        ("updated", 0, 0),
        ("updated", 5, 1),
        ("updated", -31 * 1_440, 0),
        ("deleted", -16 * 1_440, 0),
    ] {
        let reply = span(&org, "Contact", what, from, to).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::BAD_REQUEST, "INVALID_REPLICATION_DATE"),
            "{what} {from}"
        );
    }
    assert_eq!(
        span(&org, "Profile", "updated", -5, 5).await.code(),
        "INVALID_TYPE_FOR_OPERATION"
    );
}

#[tokio::test]
async fn query_all_shows_what_is_deleted() {
    let org = Org::new().await;
    let id = org
        .add("Account", json!({ "Name": "A", "Customerp_Id__c": "Customer:1" }))
        .await;
    let before = org.read("Account", &id).await["SystemModstamp"].clone();
    org.advance(5).await;
    org.delete("Account", &id).await;
    assert!(org.query("SELECT Id FROM Account").await.is_empty());
    let soql =
        url_encode("SELECT Id, IsDeleted, SystemModstamp FROM Account WHERE Customerp_Id__c = 'Customer:1'");
    let all = org.get(&format!("queryAll?q={soql}")).await.body;
    assert_eq!(all["records"][0]["IsDeleted"], true);
    assert_ne!(all["records"][0]["SystemModstamp"], before);
}
