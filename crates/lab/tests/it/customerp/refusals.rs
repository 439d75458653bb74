//! What is refused, and how it is said.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tandem_lab::customerp::{Options, StartError, serve};

use super::{Erp, problems, send};

#[tokio::test]
async fn every_call_needs_a_token_and_is_counted() {
    let erp = Erp::empty().await;
    let http = reqwest::Client::new();
    let none = send(http.get(erp.url("/api/v1/customers"))).await;
    assert_eq!((none.status, none.count), (StatusCode::UNAUTHORIZED, Some(1)));
    assert_eq!(none.body["error"]["code"], "unauthorized");
    let wrong = send(http.get(erp.url("/api/v1")).bearer_auth("no")).await;
    assert_eq!((wrong.status, wrong.count), (StatusCode::UNAUTHORIZED, Some(2)));
    let described = erp.get("").await;
    assert_eq!((described.status, described.count), (StatusCode::OK, Some(3)));
    assert_eq!(erp.outside("/").await.count, None, "pages do not count");
    assert_eq!(erp.outside("/_local/calls").await.body["total"], 3);
    erp.stop().await;
}

#[tokio::test]
async fn everything_wrong_with_a_record_is_said_at_once() {
    let erp = Erp::empty().await;
    let long = "x".repeat(4001);
    let body = json!({
        "title": long, "status": "paused", "orderDate": "31.12.2026", "totalAmount": "12.00", "customerId": "5",
        "colour": "red", "version": 3, "confirmedAt": 7,
    });
    let refused = erp.post("/orders", &body.to_string()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["error"]["code"], "validation");
    let expected = [
        ("colour", "unknown_property"),
        ("confirmedAt", "wrong_type"),
        ("customerId", "no_such_record"),
        ("orderDate", "wrong_type"),
        ("status", "unknown_value"),
        ("title", "too_long"),
        ("totalAmount", "wrong_type"),
        ("version", "read_only"),
    ];
    assert_eq!(
        problems(&refused),
        expected.map(|(property, code)| (property.to_owned(), code.to_owned()))
    );
    let blank = erp.post("/orders", "{}").await;
    assert_eq!(
        problems(&blank),
        [("orderDate".to_owned(), "required".to_owned())]
    );
    let made = erp.post("/orders", r#"{"orderDate":"2026-01-05"}"#).await;
    assert_eq!(
        made.body["orderNumber"], "100001",
        "refused creates use up no number"
    );
    assert_eq!(
        (&made.body["currency"], &made.body["status"]),
        (&json!("EUR"), &json!("draft"))
    );
    let cleared = erp
        .patch("/orders/1", "\"1\"", r#"{"orderDate":null,"title":"kept?"}"#)
        .await;
    assert_eq!(
        problems(&cleared),
        [("orderDate".to_owned(), "required".to_owned())]
    );
    assert_eq!(erp.get("/orders/1").await.body, made.body, "all or nothing");
}

#[tokio::test]
async fn unique_properties_hold_one_record_each() {
    let erp = Erp::empty().await;
    erp.post(
        "/customers",
        r#"{"name":"A","customerNumber":"C10001","salesforceId":"0Aa"}"#,
    )
    .await;
    let twice = erp
        .post("/customers", r#"{"name":"B","salesforceId":"0Aa"}"#)
        .await;
    assert_eq!(
        (twice.status, &twice.body["error"]["code"]),
        (StatusCode::CONFLICT, &json!("duplicate"))
    );
    assert_eq!(
        problems(&twice),
        [("salesforceId".to_owned(), "duplicate".to_owned())]
    );
    let both = erp.post("/customers", r#"{"salesforceId":"0Aa"}"#).await;
    assert_eq!(
        both.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "with other problems it is a validation"
    );
    assert_eq!(problems(&both).len(), 2);
    let other_case = erp
        .post("/customers", r#"{"name":"B","salesforceId":"0aA"}"#)
        .await;
    assert_eq!(other_case.status, StatusCode::CREATED, "case matters");
    assert_eq!(
        other_case.body["customerNumber"], "C10002",
        "a number in use is passed over"
    );
    let moved = erp
        .patch("/customers/2", "\"1\"", r#"{"salesforceId":"0Aa"}"#)
        .await;
    assert_eq!(moved.status, StatusCode::CONFLICT);
    assert_eq!(
        erp.delete("/customers/1", "\"1\"").await.status,
        StatusCode::NO_CONTENT
    );
    let freed = erp
        .patch("/customers/2", "\"1\"", r#"{"salesforceId":"0Aa"}"#)
        .await;
    assert_eq!(freed.status, StatusCode::OK, "a deleted record holds nothing");
}

#[tokio::test]
async fn wrong_requests_get_clear_answers() {
    let erp = Erp::empty().await;
    for (method, path, body, status, code) in [
        (Method::GET, "/invoices", "", StatusCode::NOT_FOUND, "not_found"),
        (
            Method::GET,
            "/orders/1/lines",
            "",
            StatusCode::NOT_FOUND,
            "not_found",
        ),
        (Method::GET, "/orders/x", "", StatusCode::NOT_FOUND, "not_found"),
        (Method::GET, "/orders/01", "", StatusCode::NOT_FOUND, "not_found"),
        (
            Method::PUT,
            "/orders/1",
            "{}",
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
        ),
        (Method::POST, "/orders", "{", StatusCode::BAD_REQUEST, "malformed"),
        (
            Method::POST,
            "/orders",
            "[]",
            StatusCode::BAD_REQUEST,
            "malformed",
        ),
        (
            Method::GET,
            "/orders?limit=0",
            "",
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
        (
            Method::GET,
            "/orders?limit=1001",
            "",
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
        (
            Method::GET,
            "/orders?sort=id",
            "",
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
        (
            Method::GET,
            "/orders?updatedSince=yesterday",
            "",
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
        (
            Method::GET,
            "/orders?cursor=abc",
            "",
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
        (
            Method::POST,
            "/orders/lookup",
            r#"{"property":"nothing","values":[]}"#,
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
        (
            Method::POST,
            "/orders/lookup",
            r#"{"property":"title"}"#,
            StatusCode::BAD_REQUEST,
            "bad_request",
        ),
    ] {
        let reply = send(erp.request(method.clone(), path).body(body)).await;
        assert_eq!(
            (reply.status, &reply.body["error"]["code"]),
            (status, &json!(code)),
            "{method} {path}"
        );
    }
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    assert_eq!(
        erp.post("/customers", &large).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn a_request_that_does_not_arrive_in_time_has_no_effect() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let erp = Erp::empty().await;
    let address = erp.url("").trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let body = r#"{"name":"late"}"#;
    let head = format!(
        "POST /api/v1/products HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer customerp-tandem-token\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{}",
        body.len(),
        &body[..5]
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The rest of the body never comes; the answer does, after the deadline.
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("\"code\":\"deadline\""), "{answer}");
    assert_eq!(erp.get("/products").await.body["items"], json!([]));
}

#[tokio::test]
async fn only_this_machine_is_served() {
    let options = Options {
        address: "0.0.0.0".parse().unwrap(),
        ..Options::default()
    };
    assert!(matches!(serve(options).await, Err(StartError::NotLoopback(_))));
    let erp = Erp::empty().await;
    let foreign = erp.request(Method::GET, "").header("host", "evil.example");
    assert_eq!(send(foreign).await.status, StatusCode::FORBIDDEN);
    let form = erp
        .request(Method::POST, "/customers")
        .header("origin", "http://evil.example")
        .body("{}");
    assert_eq!(send(form).await.status, StatusCode::FORBIDDEN);
}
