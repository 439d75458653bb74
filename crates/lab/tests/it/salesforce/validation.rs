//! Validation rules, on every way into the org.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::{Options, ServeError, ValidationRule, serve};

use super::Org;

const MESSAGE: &str = "A contact called Refused needs an e-mail address.";

fn rule() -> ValidationRule {
    ValidationRule {
        object: "Contact".to_owned(),
        condition: "LastName LIKE 'Refused%' AND Email = null".to_owned(),
        message: MESSAGE.to_owned(),
        field: Some("Email".to_owned()),
    }
}

async fn guarded() -> Org {
    Org::start(Options {
        validation_rules: vec![rule()],
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn a_record_that_fits_the_condition_is_refused_with_the_rules_message() {
    let org = guarded().await;
    let refused = org.create("Contact", json!({ "LastName": "Refused" })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        refused.body,
        json!([{ "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": MESSAGE, "fields": ["Email"] }])
    );
    let id = org
        .add(
            "Contact",
            json!({ "LastName": "Refused", "Email": "a@b.example" }),
        )
        .await;
    let refused = org.update("Contact", &id, json!({ "Email": null })).await;
    assert_eq!(refused.code(), "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(org.read("Contact", &id).await["Email"], "a@b.example");
}

#[tokio::test]
async fn collections_and_the_browser_are_judged_too() {
    let org = guarded().await;
    let record = |name: &str| json!({ "attributes": { "type": "Contact" }, "LastName": name });
    let body = json!({ "records": [record("Fine"), record("Refused 1")] });
    let reply = org.call(Method::POST, "composite/sobjects", body).await;
    assert_eq!(reply.body[0]["success"], true);
    assert_eq!(
        reply.body[1]["errors"][0],
        json!({ "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": MESSAGE, "fields": ["Email"] })
    );
    let url = format!("{}/browse/Contact/new", org.server.url());
    let page = org
        .http
        .post(url)
        .form(&[("LastName", "Refused")])
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text().await.unwrap().contains(MESSAGE));
    assert_eq!(org.query("SELECT Id FROM Contact").await.len(), 1);
}

#[tokio::test]
async fn rules_come_and_go_while_the_org_runs() {
    let org = Org::new().await;
    let rule = json!({ "object": "Account", "condition": "Name = 'No'", "message": "Not this name" });
    let listed = org.call(Method::POST, "/_local/rules", rule).await;
    assert_eq!(listed.body["rules"][0]["message"], "Not this name");
    let refused = org.create("Account", json!({ "Name": "No" })).await;
    assert_eq!(refused.body[0]["message"], "Not this name");
    assert_eq!(refused.body[0].get("fields"), None);
    org.call(Method::DELETE, "/_local/rules", Value::Null).await;
    org.add("Account", json!({ "Name": "No" })).await;

    for (rule, code) in [
        (
            json!({ "object": "Nothing", "condition": "Id = null", "message": "" }),
            "INVALID_TYPE",
        ),
        (
            json!({ "object": "Account", "condition": "Nothing = 1", "message": "" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "object": "Account", "condition": "Name =", "message": "" }),
            "MALFORMED_QUERY",
        ),
        (json!({ "object": "Account" }), "JSON_PARSER_ERROR"),
    ] {
        assert_eq!(org.call(Method::POST, "/_local/rules", rule).await.code(), code);
    }
}

#[tokio::test]
async fn an_org_does_not_start_with_a_rule_that_it_cannot_read() {
    let mut rule = rule();
    rule.field = Some("Nothing".to_owned());
    let options = Options {
        validation_rules: vec![rule],
        ..Options::default()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = serve(options, listener).await.unwrap_err();
    assert!(
        matches!(&refused, ServeError::Seed(text) if text.contains("Nothing")),
        "{refused}"
    );
}
