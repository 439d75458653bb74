//! Creating, reading, changing and deleting single records.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Erp, problems, send};

#[tokio::test]
async fn it_describes_itself() {
    let erp = Erp::empty().await;
    let described = erp.get("").await.body;
    assert_eq!(described["company"], "customerp-local");
    assert_eq!(described["requestDeadlineSeconds"], 5);
    assert_eq!(described["user"], "tandem");
    assert_eq!(described["types"].as_object().unwrap().len(), 9);
    let order = &described["types"]["Order"];
    assert_eq!(order["collection"], "orders");
    let property = |name: &str| {
        let all = order["properties"].as_array().unwrap();
        all.iter()
            .find(|property| property["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(property("billingContactId")["references"], "Contact");
    assert_eq!(property("totalAmount")["scale"], 2);
    assert_eq!(property("status")["values"], json!(["draft", "confirmed"]));
    assert_eq!(property("orderDate")["required"], true);
    assert_eq!(property("orderNumber")["assigned"], true);
    assert_eq!(property("updatedAt")["readOnly"], true);
    assert_eq!(property("currency")["default"], "EUR");
}

#[tokio::test]
async fn the_openapi_document_needs_no_token_and_names_all_that_is_validated() {
    let erp = Erp::empty().await;
    let document = erp.outside("/api/v1/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let described = erp.get("").await.body;
    for (name, record_type) in described["types"].as_object().unwrap() {
        let collection = record_type["collection"].as_str().unwrap();
        for path in [
            format!("/{collection}"),
            format!("/{collection}/{{id}}"),
            format!("/{collection}/lookup"),
        ] {
            assert!(document["paths"][&path].is_object(), "{path}");
        }
        for property in record_type["properties"].as_array().unwrap() {
            let property = property["name"].as_str().unwrap();
            assert!(
                schemas[name]["properties"][property].is_object(),
                "{name}.{property}"
            );
        }
    }
    // Every reference of the document leads somewhere.
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn a_record_lives_from_create_to_tombstone() {
    let erp = Erp::empty().await;
    let made = erp
        .post(
            "/customers",
            r#"{"name":"Alfreds Futterkiste","city":"","country":" Germany "}"#,
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.location.as_deref(), Some("/api/v1/customers/1"));
    assert_eq!(made.body["customerNumber"], "C10001");
    assert_eq!(made.body["city"], json!(null), "no characters are blank");
    assert_eq!(made.body["country"], " Germany ", "texts are kept as given");
    assert_eq!(made.body["active"], true);
    assert_eq!(made.body["updatedBy"], "tandem");
    let etag = made.etag.clone().unwrap();

    let read = erp.get("/customers/1").await;
    assert_eq!((read.etag.as_ref(), &read.body), (made.etag.as_ref(), &made.body));

    let patch = erp
        .as_user("alice", Method::PATCH, "/customers/1")
        .header("if-match", &etag);
    let changed = send(patch.body(r#"{"city":"Berlin"}"#)).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(
        (&changed.body["version"], &changed.body["updatedBy"]),
        (&json!(2), &json!("alice"))
    );
    assert_ne!(changed.etag, made.etag);
    assert!(changed.body["updatedAt"].as_str().unwrap() > made.body["updatedAt"].as_str().unwrap());

    let same = erp
        .patch(
            "/customers/1",
            changed.etag.as_deref().unwrap(),
            r#"{"city":"Berlin"}"#,
        )
        .await;
    assert_eq!(
        (same.status, &same.body),
        (StatusCode::OK, &changed.body),
        "nothing changed: no new version"
    );

    assert_eq!(
        erp.delete("/customers/1", &etag).await.status,
        StatusCode::PRECONDITION_FAILED
    );
    let etag = changed.etag.unwrap();
    assert_eq!(
        erp.delete("/customers/1", &etag).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(erp.get("/customers/1").await.status, StatusCode::GONE);
    assert_eq!(
        erp.patch("/customers/1", &etag, "{}").await.status,
        StatusCode::GONE
    );
    assert_eq!(
        erp.delete("/customers/1", &etag).await.body["error"]["code"],
        "deleted"
    );
    let tombstone = &erp.get("/customers?ids=1").await.body["items"][0];
    assert_eq!(
        (&tombstone["deleted"], &tombstone["version"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(tombstone.as_object().unwrap().len(), 5);
    erp.stop().await;
}

#[tokio::test]
async fn a_change_needs_the_version_it_was_made_on() {
    let erp = Erp::empty().await;
    erp.post("/products", r#"{"name":"Chai"}"#).await;
    let missing = send(erp.request(Method::PATCH, "/products/1").body("{}")).await;
    assert_eq!(missing.status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(missing.body["error"]["code"], "precondition_required");
    let stale = erp.patch("/products/1", "\"7\"", r#"{"name":"Chang"}"#).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(erp.get("/products/1").await.body["name"], "Chai");
    let weak = erp.patch("/products/1", "W/\"1\"", r#"{"name":"Chang"}"#).await;
    assert_eq!(
        weak.status,
        StatusCode::PRECONDITION_FAILED,
        "a weak tag proves nothing"
    );
    assert_eq!(
        erp.patch("/products/1", "\"7\", \"1\"", r#"{"name":"Chang"}"#)
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        erp.patch("/products/1", "*", r#"{"name":"Chef"}"#).await.body["version"],
        3
    );
}

#[tokio::test]
async fn what_is_referred_to_cannot_be_deleted() {
    let erp = Erp::empty().await;
    erp.post("/customers", r#"{"name":"A"}"#).await;
    erp.post("/contacts", r#"{"lastName":"Anders","customerId":"1"}"#)
        .await;
    erp.patch("/contacts/1", "\"1\"", r#"{"reportsToId":"1"}"#).await;
    let used = erp.delete("/customers/1", "\"1\"").await;
    assert_eq!(
        (used.status, &used.body["error"]["code"]),
        (StatusCode::CONFLICT, &json!("in_use"))
    );
    assert_eq!(
        erp.delete("/contacts/1", "\"2\"").await.status,
        StatusCode::NO_CONTENT,
        "itself does not count"
    );
    assert_eq!(
        erp.delete("/customers/1", "\"1\"").await.status,
        StatusCode::NO_CONTENT
    );
    let orphan = erp
        .post("/contacts", r#"{"lastName":"Anders","customerId":"1"}"#)
        .await;
    assert_eq!(
        problems(&orphan),
        [("customerId".to_owned(), "no_such_record".to_owned())]
    );
}

#[tokio::test]
async fn amounts_keep_their_digits() {
    let erp = Erp::empty().await;
    let body = r#"{"title":"Q","totalAmount":9007199254740993.07,"tax":0.1,"shippingCost":7}"#;
    let made = erp.post("/quotes", body).await;
    let text = made.body.to_string();
    for part in [
        "\"totalAmount\":9007199254740993.07",
        "\"tax\":0.10",
        "\"shippingCost\":7.00",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(made.body["quoteNumber"], "Q-100001");
    let fine = erp.patch("/quotes/1", "\"1\"", r#"{"tax":0.001}"#).await;
    assert_eq!(problems(&fine), [("tax".to_owned(), "wrong_type".to_owned())]);
}

#[tokio::test]
async fn accepted_changes_and_calls_are_on_record() {
    let erp = Erp::empty().await;
    erp.post("/products", r#"{"name":"Chai"}"#).await;
    erp.patch("/products/1", "\"1\"", r#"{"name":"Chang","sku":"S"}"#)
        .await;
    erp.patch("/products/1", "\"1\"", r#"{"name":"stale"}"#).await;
    erp.delete("/products/1", "\"2\"").await;
    let log = erp.outside("/_local/log").await.body;
    let changes = log["changes"].as_array().unwrap();
    let actions: Vec<_> = changes
        .iter()
        .map(|change| (change["action"].clone(), change["property"].clone()))
        .collect();
    let expected = [
        ("create", json!("productNumber")),
        ("create", json!("name")),
        ("create", json!("active")),
        ("update", json!("name")),
        ("update", json!("sku")),
        ("delete", json!(null)),
    ];
    assert_eq!(
        actions,
        expected.map(|(action, property)| (json!(action), property))
    );
    assert_eq!(
        (&changes[3]["old"], &changes[3]["new"]),
        (&json!("Chai"), &json!("Chang"))
    );
    assert_eq!(
        (&changes[3]["by"], &changes[3]["type"], &changes[3]["id"]),
        (&json!("tandem"), &json!("Product"), &json!("1"))
    );
    let later = erp.outside("/_local/log?after=4").await.body;
    assert_eq!(
        (later["changes"].as_array().unwrap().len(), &later["next"]),
        (2, &json!(6))
    );
    let calls = erp.outside("/_local/calls").await.body;
    assert_eq!(calls["byKind"]["update"]["requests"], 2);
    assert_eq!(calls["byCollection"]["products"]["create"]["requests"], 1);
    assert_eq!(calls["byStatus"]["412"], 1);
}
