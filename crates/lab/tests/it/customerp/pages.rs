//! The record browser as a person's browser uses it.

use reqwest::StatusCode;
use serde_json::json;

use super::{Erp, Reply, send};

async fn submit(erp: &Erp, path: &str, fields: &[(&str, &str)]) -> Reply {
    send(erp.http.post(erp.url(path)).form(fields)).await
}

fn html(reply: &Reply) -> &str {
    reply.body.as_str().unwrap()
}

#[tokio::test]
async fn a_person_can_create_look_change_and_delete() {
    let erp = Erp::empty().await;
    let home = erp.outside("/").await;
    assert!(html(&home).contains("<a href=\"/customers\">Customer</a>"));
    let made = submit(
        &erp,
        "/customers",
        &[
            ("_user", "alice"),
            ("name", "Bólido"),
            ("street", "a\r\nb"),
            ("city", ""),
        ],
    )
    .await;
    assert_eq!(
        (made.status, made.location.as_deref()),
        (StatusCode::SEE_OTHER, Some("/customers/1"))
    );
    assert!(html(&erp.outside("/customers/1").await).contains("a<br>b"));
    let form = erp.outside("/customers/1/edit").await;
    assert!(html(&form).contains("name=\"name\" value=\"Bólido\""));
    assert!(html(&form).contains("name=\"_version\" value=\"1\""));
    let fields = [
        ("_user", "bob"),
        ("_version", "1"),
        ("name", "Bólido"),
        ("street", "a\r\nb"),
        ("city", "Madrid"),
    ];
    assert_eq!(
        submit(&erp, "/customers/1", &fields).await.status,
        StatusCode::SEE_OTHER
    );
    let record = erp.get("/customers/1").await.body;
    assert_eq!(
        (&record["city"], &record["street"], &record["updatedBy"]),
        (&json!("Madrid"), &json!("a\nb"), &json!("bob"))
    );
    let log = erp.outside("/_local/log?after=4").await.body;
    assert_eq!(
        log["changes"].as_array().unwrap().len(),
        1,
        "only what was touched is changed"
    );
    assert!(html(&erp.outside("/customers?q=madrid").await).contains("/customers/1"));
    assert!(!html(&erp.outside("/customers?q=berlin").await).contains("/customers/1"));
    let gone = submit(
        &erp,
        "/customers/1/delete",
        &[("_user", "bob"), ("_version", "2")],
    )
    .await;
    assert_eq!(gone.location.as_deref(), Some("/customers"));
    assert_eq!(erp.outside("/customers/1").await.status, StatusCode::GONE);
    erp.stop().await;
}

#[tokio::test]
async fn edits_pass_the_same_validation_and_locking() {
    let erp = Erp::empty().await;
    erp.post("/orders", r#"{"orderDate":"2026-01-05"}"#).await;
    let fields = [
        ("_user", "alice"),
        ("_version", "1"),
        ("totalAmount", "a lot"),
        ("orderDate", ""),
    ];
    let refused = submit(&erp, "/orders/1", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(html(&refused).contains("must be a number or null"));
    assert!(html(&refused).contains("must not be blank"));
    assert!(
        html(&refused).contains("value=\"a lot\""),
        "what was typed is not lost"
    );
    let stale = [("_user", "alice"), ("_version", "0"), ("title", "x")];
    assert_eq!(
        submit(&erp, "/orders/1", &stale).await.status,
        StatusCode::PRECONDITION_FAILED
    );
    let nobody = [("_user", "mallory"), ("_version", "1"), ("title", "x")];
    assert_eq!(
        submit(&erp, "/orders/1", &nobody).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(erp.get("/orders/1").await.body["version"], 1);
    let good = [("_user", "alice"), ("_version", "1"), ("totalAmount", "12.5")];
    assert_eq!(
        submit(&erp, "/orders/1", &good).await.status,
        StatusCode::SEE_OTHER
    );
    assert!(
        erp.get("/orders/1")
            .await
            .body
            .to_string()
            .contains("\"totalAmount\":12.50")
    );
}

#[tokio::test]
async fn nothing_in_a_record_becomes_markup() {
    let erp = Erp::empty().await;
    let evil = "</textarea><script>alert('1')</script>\"";
    let body = json!({ "name": evil, "description": evil, "city": evil });
    erp.post("/customers", &body.to_string()).await;
    erp.post("/contacts", r#"{"lastName":"A","customerId":"1"}"#)
        .await;
    for path in [
        "/customers",
        "/customers/1",
        "/customers/1/edit",
        "/contacts",
        "/contacts/1",
        "/customers?q=%3Cscript%3E",
    ] {
        let page = erp.outside(path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!html(&page).contains("<script>"), "{path}");
    }
    assert!(html(&erp.outside("/contacts/1").await).contains("&lt;script&gt;"));
}
