//! Delta links.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Lab, Reply, send};

async fn tracked(lab: &Lab, path: &str) -> Reply {
    let request = lab
        .request(Method::GET, path)
        .header("prefer", "odata.track-changes");
    let mut reply = send(request).await;
    assert_eq!(reply.header("preference-applied"), "odata.track-changes");
    while let Some(next) = reply.body["@odata.nextLink"].as_str() {
        reply = lab.get(next).await;
    }
    reply
}

fn delta(reply: &Reply) -> &str {
    reply.body["@odata.deltaLink"]
        .as_str()
        .unwrap_or_else(|| panic!("{}", reply.text))
}

#[tokio::test]
async fn a_delta_link_tells_what_changed_and_what_went() {
    let lab = Lab::five(2).await;
    let all = tracked(&lab, "Customers?$select=Number,Name").await;
    let nothing = lab.get(delta(&all)).await;
    assert_eq!(nothing.body["value"], json!([]));
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C2" }, "values": { "Name": "neu" } }))
        .await;
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C4" }, "delete": true }))
        .await;
    lab.edit(json!({ "set": "Customers", "values": { "Number": "C6", "Name": "N6" } }))
        .await;
    let (pages, last) = lab.pages(delta(&all), "Number").await;
    assert_eq!(pages, [vec!["C2", "C4"], vec!["C6"]], "a page holds two");
    let first = lab.get(delta(&all)).await;
    assert_eq!(first.body["value"][0]["Name"], "neu");
    assert!(
        first.body["value"][0].get("City").is_none(),
        "the selection holds on"
    );
    assert_eq!(first.body["value"][1]["@removed"], json!({ "reason": "deleted" }));
    assert_eq!(
        first.body["value"][1]["@odata.id"],
        format!("{}/Customers('C4')", lab.root)
    );
    assert!(
        first.body["@odata.context"]
            .as_str()
            .unwrap()
            .ends_with("#Customers(Number,Name)/$delta")
    );
    assert_eq!(lab.get(delta(&last)).await.body["value"], json!([]));
    let old = lab
        .request(Method::GET, delta(&all))
        .header("odata-maxversion", "4.0");
    let old = send(old).await;
    assert_eq!(
        old.body["value"][1]["reason"], "deleted",
        "4.0 writes it otherwise"
    );
    assert_eq!(old.header("odata-version"), "4.0");
}

#[tokio::test]
async fn changes_during_a_listing_are_told_afterwards() {
    let lab = Lab::five(2).await;
    let first = send(
        lab.request(Method::GET, "Customers")
            .header("prefer", "track-changes"),
    )
    .await;
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C1" }, "values": { "Name": "spät" } }))
        .await;
    let next = first.body["@odata.nextLink"].as_str().unwrap();
    let (_, last) = lab.pages(next, "Number").await;
    assert_eq!(lab.get(delta(&last)).await.all("Name"), ["spät"]);
}

#[tokio::test]
async fn what_leaves_the_filter_is_told_as_changed() {
    let lab = Lab::five(100).await;
    let all = tracked(&lab, "Customers?$filter=City%20eq%20'Bonn'").await;
    assert_eq!(all.all("Number"), ["C2", "C4"]);
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C2" }, "values": { "City": "Ulm" } }))
        .await;
    let told = lab.get(delta(&all)).await;
    assert_eq!(
        told.body["value"][0]["@removed"],
        json!({ "reason": "changed" }),
        "{}",
        told.text
    );
}

#[tokio::test]
async fn unknown_and_expired_tokens_are_gone() {
    let lab = Lab::five(100).await;
    let all = tracked(&lab, "Customers").await;
    for token in ["nonsense", "0-1", "-"] {
        let reply = lab.get(&format!("Customers?$deltatoken={token}")).await;
        assert_eq!(reply.status, StatusCode::GONE, "{token}");
    }
    let link = delta(&all).to_owned();
    assert_eq!(lab.get(&link).await.status, StatusCode::OK);
    assert_eq!(
        lab.get(&format!("{link}999")).await.status,
        StatusCode::GONE,
        "a change that never was"
    );
    lab.local("expire", json!({ "what": "delta" })).await;
    assert_eq!(lab.get(&link).await.status, StatusCode::GONE);
}
