//! Xero.

use super::{all_of, create, delete, listed, local, of, ready, refusal, shipped, staged, stub, update};
use crate::scene::{Scene, Words, applied, one, plain_client};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tandem_connector::rest::Rest;
use tandem_connector::{Connector, ErrorKind, RefusalKind};
use tandem_lab::stubs::{Server, Vendor};
use tandem_merge::record::Presence;
use tandem_merge::value::Value;
use url::Url;

const TOKENS: &str = "https://identity.xero.com/connect/token";

/// The description, with tokens given out by the stub, and without the sixty requests a minute that tests would wait for.
pub(super) fn described() -> String {
    let text = shipped("xero.yaml");
    assert!(text.contains(TOKENS) && text.contains("per_minute: 60"));
    text.replace(TOKENS, "/connect/token")
        .replace("per_minute: 60", "per_minute: 1000000")
        .replace("per_day: 5000", "per_day: 1000000")
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    let contact = ["Name", "EmailAddress", "Phone", "TaxNumber", "ContactNumber"];
    Box::new(Rest::connect(ready(url, Vendor::Xero, user, &described(), &contact)).unwrap())
}

pub(crate) async fn scene() -> Scene {
    let words = Words {
        last_name: "Name",
        email: "EmailAddress",
        phone: "Phone",
        description: "TaxNumber",
        birthdate: "none",
        external: "ContactNumber",
        reports_to: "none",
        nobody: "11111111-2222-3333-4444-555555555555",
        clock: "advanceSeconds",
        secret: "xero-tandem-secret",
    };
    staged(Vendor::Xero, words, connect).await
}

async fn xero() -> (Server, Url, Rest) {
    let (server, url) = stub(Vendor::Xero, 1).await;
    let rest = all_of(&url, Vendor::Xero, &described());
    (server, url, rest)
}

#[tokio::test]
async fn a_token_that_is_over_is_replaced() {
    let (_server, url, xero) = xero().await;
    assert_eq!(listed(&xero, "Contact").await.len(), 1);
    local(&url, "POST", "clock", &json!({ "advanceSeconds": 1_801 })).await;
    assert_eq!(listed(&xero, "Contact").await.len(), 1);
}

/// A phone stands in a list of phones of all kinds, of which the others stay as they are.
#[tokio::test]
async fn a_contact_is_made_changed_and_archived() {
    let (_server, _url, xero) = xero().await;
    let values = [("Name", Value::text("Acme")), ("Phone", "123".into())];
    let id = applied(&one(&xero, create("Contact", &values)).await);
    applied(
        &one(
            &xero,
            update(
                "Contact",
                &id,
                &[("EmailAddress", "a@acme.example".into()), ("Phone", Value::Blank)],
                None,
            ),
        )
        .await,
    );
    let read = xero
        .fetch(&of("Contact"), std::slice::from_ref(&id))
        .await
        .unwrap();
    assert_eq!(read[0].values["EmailAddress"], Value::text("a@acme.example"));
    assert_eq!(read[0].values["Phone"], Value::Blank);
    applied(&one(&xero, delete("Contact", &id)).await);
    let read = xero
        .fetch(&of("Contact"), std::slice::from_ref(&id))
        .await
        .unwrap();
    assert_eq!(read[0].presence, Presence::Deleted);
    let names = [vec!["Acme".into()]];
    assert_eq!(
        xero.find(&of("Contact"), &["Name".to_owned()], &names)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn an_invoice_shows_days_and_whose_it_is() {
    let (_server, url, xero) = xero().await;
    let contact = listed(&xero, "Contact").await[0].key.id.clone();
    let invoice =
        json!({ "Contact": contact, "Date": "2026-01-31", "Total": 12.5, "InvoiceNumber": "INV-1" });
    let made = local(&url, "POST", "rows/Invoices", &invoice).await;
    let id = made["id"].as_str().unwrap();
    let due = Value::Date("2026-02-28".parse().unwrap());
    applied(&one(&xero, update("Invoice", id, &[("DueDate", due.clone())], None)).await);
    let rows = listed(&xero, "Invoice").await;
    assert_eq!(rows[0].values["Contact"], Value::text(contact));
    assert_eq!(rows[0].values["Date"], Value::Date("2026-01-31".parse().unwrap()));
    assert_eq!(rows[0].values["DueDate"], due);
    assert_eq!(rows[0].values["Total"], Value::Decimal("12.5".parse().unwrap()));
    // What was voided is no more.
    local(
        &url,
        "PATCH",
        &format!("rows/Invoices/{id}"),
        &json!({ "Status": "VOIDED" }),
    )
    .await;
    let read = xero.fetch(&of("Invoice"), &[id.to_owned()]).await.unwrap();
    assert_eq!(read[0].presence, Presence::Deleted);
}

#[tokio::test]
async fn refusals_are_told_apart_by_their_words() {
    let (_server, _url, xero) = xero().await;
    let cases = [
        (
            create("Contact", &[("Name", "Company 1".into())]),
            RefusalKind::Duplicate,
        ),
        (
            create("Contact", &[("Name", Value::text("x".repeat(256)))]),
            RefusalKind::Invalid,
        ),
    ];
    for (write, kind) in cases {
        let refusal = refusal(one(&xero, write).await);
        assert_eq!(refusal.kind, kind, "{refusal:?}");
        assert!(refusal.message.contains("Name"), "{refusal:?}");
    }
}

/// With `summarizeErrors=false` what is wrong stands inside a success; a description that asks so says where.
#[tokio::test]
async fn an_error_inside_a_success_is_an_error() {
    let (_server, url) = stub(Vendor::Xero, 1).await;
    let text = described()
        .replace("      headers: { Idempotency-Key: \"{key}\" }\n", "      query: { summarizeErrors: false }\n")
        .replace("Elements.0.ValidationErrors.0.Message", "Contacts.0.ValidationErrors.0.Message")
        .replace("  rules:\n", "  failed: { at: Contacts.0.StatusAttributeString, equals: [ERROR] }\n  rules:\n    - { status: [200], contains: already assigned, means: duplicate }\n");
    let xero = all_of(&url, Vendor::Xero, &text);
    let refused = refusal(one(&xero, create("Contact", &[("Name", "Company 1".into())])).await);
    assert_eq!(refused.kind, RefusalKind::Duplicate, "{refused:?}");
    applied(&one(&xero, create("Contact", &[("Name", "Company 2".into())])).await);
}

#[tokio::test]
async fn too_many_requests_are_told_with_the_time_to_wait() {
    let (_server, url, xero) = xero().await;
    xero.identify().await.unwrap();
    // As often as it may be asked again by itself.
    for _ in 0..5 {
        local(
            &url,
            "POST",
            "instead",
            &json!({ "status": 429, "retryAfter": 3600 }),
        )
        .await;
    }
    let error = xero.list(&of("Contact"), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    let wait = error.retry_at.unwrap().duration_since(jiff::Timestamp::now());
    assert!(wait.as_secs() > 3_000, "{wait}");
}

/// The stub itself: a refresh token serves once, as Xero has it.
#[tokio::test]
async fn a_refresh_token_of_the_stub_serves_once() {
    let (_server, url) = stub(Vendor::Xero, 0).await;
    let ask = async |token: &str| -> Json {
        let form: BTreeMap<&str, &str> =
            BTreeMap::from([("grant_type", "refresh_token"), ("refresh_token", token)]);
        let request = plain_client()
            .post(url.join("/connect/token").unwrap())
            .form(&form);
        let reply = request
            .basic_auth("tandem", Some("xero-tandem-secret"))
            .send()
            .await
            .unwrap();
        serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
    };
    let first = ask("xero-tandem-refresh-0").await;
    let next = first["refresh_token"].as_str().unwrap();
    assert_eq!(ask("xero-tandem-refresh-0").await["error"], "invalid_grant");
    assert!(ask(next).await["access_token"].is_string());
}
