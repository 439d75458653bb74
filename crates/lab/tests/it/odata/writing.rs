//! Creating, changing and deleting.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Lab, send};

#[tokio::test]
async fn a_create_tells_where_and_what() {
    let lab = Lab::five(100).await;
    let body =
        json!({ "Name": "Neu", "ModifiedBy": "me", "CreditLimit": 10, "@odata.type": "#Company.Customer" });
    let made = lab.post("Customers", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(
        made.header("location"),
        format!("{}/Customers('C10001')", lab.root)
    );
    assert_eq!(
        (&made.body["Number"], &made.body["ModifiedBy"]),
        (&json!("C10001"), &json!("tandem"))
    );
    assert!(made.text.contains("\"CreditLimit\":10.00"), "{}", made.text);
    let request = lab
        .request(Method::POST, "Customers")
        .header("prefer", "return=minimal");
    let minimal = send(request.json(&json!({ "Name": "Kurz" }))).await;
    assert_eq!(minimal.status, StatusCode::NO_CONTENT);
    assert_eq!(minimal.header("odata-entityid"), minimal.header("location"));
    let twice = lab
        .post("Customers", json!({ "Number": "C1", "Name": "x" }))
        .await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    for body in [
        json!({ "City": "x" }),
        json!({ "Name": null }),
        json!({ "Name": 5 }),
        json!({ "Name": "x", "CreditLimit": "5" }),
        json!({ "Name": "x", "CreditLimit": 1.234 }),
        json!({ "Name": "x", "Nothing": 1 }),
        json!({ "Name": "x".repeat(201) }),
        json!([]),
    ] {
        let refused = lab.post("Customers", body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(lab.get("Customers/$count").await.text, "7");
    let xml = lab
        .request(Method::POST, "Customers")
        .header("content-type", "application/xml")
        .body("<a/>");
    assert_eq!(send(xml).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_change_needs_the_entity_tag_of_what_it_changes() {
    let lab = Lab::five(100).await;
    let read = lab.get("Customers('C1')").await;
    let tag = read.header("etag").to_owned();
    let none = lab
        .change("PATCH", "Customers('C1')", "", json!({ "City": "Ulm" }))
        .await;
    assert_eq!(none.status, StatusCode::PRECONDITION_REQUIRED);
    let changed = lab
        .change("PATCH", "Customers('C1')", &tag, json!({ "City": "Ulm" }))
        .await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT);
    assert_ne!(changed.header("etag"), tag);
    let stale = lab
        .change("PATCH", "Customers('C1')", &tag, json!({ "City": "Jena" }))
        .await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let stale = lab.change("DELETE", "Customers('C1')", &tag, json!({})).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let now = lab.get("Customers('C1')").await;
    assert_eq!(
        (&now.body["City"], &now.body["Name"]),
        (&json!("Ulm"), &json!("N1"))
    );
    let list = format!("\"other\", {}", now.header("etag"));
    let put = lab
        .request(Method::PUT, "Customers('C1')")
        .header("if-match", list);
    let put = send(
        put.header("prefer", "return=representation")
            .json(&json!({ "Name": "Ganz" })),
    )
    .await;
    assert_eq!(
        (put.status, &put.body["City"], &put.body["Active"]),
        (StatusCode::OK, &json!(null), &json!(true))
    );
    let same = lab
        .change("PATCH", "Customers('C1')", "*", json!({ "Name": "Ganz" }))
        .await;
    assert_eq!(
        same.header("etag"),
        put.header("etag"),
        "a change of nothing changes no tag"
    );
    let gone = lab.change("DELETE", "Customers('C1')", "*", json!({})).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.get("Customers('C1')").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_change_of_what_is_not_there_creates_where_the_set_allows_it() {
    let lab = Lab::five(100).await;
    let put = |if_none: bool| {
        let request = lab
            .request(Method::PUT, "Products('P1')")
            .json(&json!({ "Name": "Rad" }));
        if if_none {
            request.header("if-none-match", "*")
        } else {
            request
        }
    };
    assert_eq!(send(put(true)).await.status, StatusCode::CREATED);
    let again = lab.request(Method::PUT, "Products('P1')").header("if-match", "*");
    let again = send(
        again
            .header("if-none-match", "*")
            .json(&json!({ "Name": "Zwei" })),
    )
    .await;
    assert_eq!(again.status, StatusCode::PRECONDITION_FAILED);
    let absent = lab
        .change("PATCH", "Products('P2')", "*", json!({ "Name": "x" }))
        .await;
    assert_eq!(absent.status, StatusCode::PRECONDITION_FAILED);
    let contact = lab
        .change(
            "PATCH",
            "Contacts(00000000-0000-4000-8000-000000000000)",
            "*",
            json!({}),
        )
        .await;
    assert_eq!(contact.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn parts_come_and_go_with_their_whole() {
    let lab = Lab::five(100).await;
    let order = json!({ "CustomerNumber": "C1", "OrderDate": "2026-01-05", "Lines": [
        { "LineNumber": 1, "Quantity": 2, "UnitPrice": 3.5 },
        { "LineNumber": 1, "Quantity": 1, "UnitPrice": 1 },
    ] });
    let refused = lab.post("Orders", order).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(lab.get("Orders/$count").await.text, "0", "all or nothing");
    let order = json!({ "Number": 9, "CustomerNumber": "C1", "OrderDate": "2026-01-05", "Lines": [
        { "LineNumber": 1, "Quantity": 2, "UnitPrice": 3.5 } ] });
    let made = lab.post("Orders", order).await;
    let read = lab.get("Orders(9)").await;
    assert_eq!(made.header("etag"), read.header("etag"));
    let line = lab
        .post(
            "Orders(9)/Lines",
            json!({ "LineNumber": 2, "Quantity": 1, "UnitPrice": 1 }),
        )
        .await;
    assert_eq!(
        (line.status, &line.body["OrderNumber"]),
        (StatusCode::CREATED, &json!(9))
    );
    assert_ne!(
        lab.get("Orders(9)").await.header("etag"),
        read.header("etag"),
        "its parts belong to it"
    );
    let used = lab.change("DELETE", "Customers('C1')", "*", json!({})).await;
    assert_eq!(used.status, StatusCode::CONFLICT);
    let nobody = json!({ "CustomerNumber": "C9", "OrderDate": "2026-01-05" });
    assert_eq!(lab.post("Orders", nobody).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        lab.change("DELETE", "Orders(9)", "*", json!({})).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(lab.get("OrderLines/$count").await.text, "0");
}
