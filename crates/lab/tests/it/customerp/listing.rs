//! Pages of changes, records by id, lookups.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Erp;

async fn products(erp: &Erp, count: usize) {
    for number in 1..=count {
        let body = json!({ "name": format!("Product {number}") });
        erp.post("/products", &body.to_string()).await;
    }
}

fn ids(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_follow_the_order_of_changes_and_lose_nothing_meanwhile() {
    let erp = Erp::empty().await;
    products(&erp, 7).await;
    let first = erp.get("/products?limit=3").await.body;
    assert_eq!(ids(&first), ["1", "2", "3"]);
    // A record behind the cursor and one before it change while the pages are read.
    erp.patch("/products/2", "\"1\"", r#"{"sku":"two"}"#).await;
    erp.patch("/products/5", "\"1\"", r#"{"sku":"five"}"#).await;
    let mut seen = BTreeSet::new();
    let mut page = first.clone();
    let mut order: Vec<(String, u64)> = Vec::new();
    loop {
        for item in page["items"].as_array().unwrap() {
            seen.insert(format!("{}:{}", item["id"].as_str().unwrap(), item["version"]));
            let id = item["id"].as_str().unwrap().parse().unwrap();
            order.push((item["updatedAt"].as_str().unwrap().to_owned(), id));
        }
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        page = erp.get(&format!("/products?limit=3&cursor={cursor}")).await.body;
    }
    assert!(order.is_sorted(), "{order:?}");
    for id in ["1:1", "2:2", "3:1", "4:1", "5:2", "6:1", "7:1"] {
        assert!(seen.contains(id), "{id} in {seen:?}");
    }
    let since = first["asOf"].as_str().unwrap();
    let later = erp.get(&format!("/products?updatedSince={since}")).await.body;
    // The last creates may have been in the very millisecond of the reading.
    let items = later["items"].as_array().unwrap();
    let newer = items
        .iter()
        .filter(|item| item["updatedAt"].as_str() > Some(since));
    let newer: Vec<_> = newer.map(|item| item["id"].clone()).collect();
    assert_eq!(
        newer,
        ["2", "5"],
        "what changed after a page was read has a later stamp"
    );
    erp.stop().await;
}

#[tokio::test]
async fn tombstones_are_shown_on_request() {
    let erp = Erp::empty().await;
    products(&erp, 3).await;
    erp.advance(1).await;
    erp.delete("/products/2", "\"1\"").await;
    assert_eq!(ids(&erp.get("/products").await.body), ["1", "3"]);
    let all = erp.get("/products?includeDeleted=true&limit=2").await.body;
    assert_eq!(ids(&all), ["1", "3"]);
    let cursor = all["nextCursor"].as_str().unwrap();
    let rest = erp.get(&format!("/products?limit=2&cursor={cursor}")).await.body;
    assert_eq!(ids(&rest), ["2"], "the cursor remembers");
    let tombstone = &rest["items"][0];
    assert_eq!(
        (
            &tombstone["deleted"],
            &tombstone["version"],
            &tombstone["updatedBy"]
        ),
        (&json!(true), &json!(2), &json!("tandem"))
    );
    assert_eq!(tombstone.get("name"), None);
    assert_eq!(rest["nextCursor"], json!(null));
}

#[tokio::test]
async fn records_are_found_by_id_and_by_value() {
    let erp = Erp::empty().await;
    erp.post("/contacts", r#"{"lastName":"Anders","email":" Maria@Alfreds.example","phone":"030-0074321","mobilePhone":"+49 1"}"#).await;
    erp.post(
        "/contacts",
        r#"{"lastName":"ÅNDERS","email":"x@y.example","title":"Owner"}"#,
    )
    .await;
    erp.post("/contacts", r#"{"lastName":"Gone","email":"x@y.example"}"#)
        .await;
    erp.delete("/contacts/3", "\"1\"").await;
    let by_ids = erp.get("/contacts?ids=3,1,99,x").await.body;
    assert_eq!(ids(&by_ids), ["1", "3"]);
    assert!(by_ids["asOf"].is_string());
    for (property, values, found) in [
        (
            "email",
            json!(["maria@alfreds.EXAMPLE ", "x@y.example"]),
            vec!["1", "2"],
        ),
        ("phone", json!(["(030) 0074321"]), vec!["1"]),
        ("mobilePhone", json!(["491"]), vec!["1"]),
        ("lastName", json!(["ånders"]), vec!["2"]),
        ("title", json!([" OWNER"]), vec!["2"]),
        ("id", json!(["2", "3"]), vec!["2"]),
        ("phone", json!(["", "nothing"]), vec![]),
    ] {
        let body = json!({ "property": property, "values": values });
        let reply = erp.post("/contacts/lookup", &body.to_string()).await;
        assert_eq!(ids(&reply.body), found, "{body}");
    }
    let calls = erp.outside("/_local/calls").await.body;
    assert_eq!(calls["byKind"]["lookup"], json!({ "requests": 7, "rows": 7 }));
    assert_eq!(calls["byKind"]["fetch"], json!({ "requests": 1, "rows": 2 }));
}
