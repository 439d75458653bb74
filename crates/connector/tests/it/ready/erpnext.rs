//! ERPNext.

use super::{
    all_of, create, delete, listed, local, of, ready, refusal, shipped, staged, stub, update, with_own_fields,
};
use crate::scene::{Scene, Words, applied, one};
use serde_json::json;
use tandem_connector::rest::Rest;
use tandem_connector::{Connector, Outcome, RefusalKind};
use tandem_lab::stubs::Vendor;
use tandem_merge::record::Presence;
use tandem_merge::value::Value;
use url::Url;

pub(super) fn described() -> String {
    let own = [
        "custom_description: text",
        "custom_birthdate: date",
        "custom_reports_to: reference(Contact)",
    ];
    with_own_fields(&shipped("erpnext.yaml"), "Contact", &own)
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    let contact = [
        "last_name",
        "email_id",
        "phone",
        "custom_description",
        "custom_birthdate",
        "custom_salesforce_id",
        "custom_reports_to",
    ];
    Box::new(Rest::connect(ready(url, Vendor::Erpnext, user, &described(), &contact)).unwrap())
}

pub(crate) async fn scene() -> Scene {
    let words = Words {
        last_name: "last_name",
        email: "email_id",
        phone: "phone",
        description: "custom_description",
        birthdate: "custom_birthdate",
        external: "custom_salesforce_id",
        reports_to: "custom_reports_to",
        nobody: "CON-99999",
        clock: "advanceSeconds",
        secret: "erpnext-tandem-secret",
    };
    staged(Vendor::Erpnext, words, connect).await
}

/// Twenty records with nothing but names are what it shows unasked.
#[tokio::test]
async fn more_than_the_usual_page_is_read_with_all_that_is_used() {
    let (_server, url) = stub(Vendor::Erpnext, 1_100).await;
    let erpnext = all_of(&url, Vendor::Erpnext, &shipped("erpnext.yaml"));
    let customers = listed(&erpnext, "Customer").await;
    assert_eq!(customers.len(), 1_100);
    assert!(
        customers
            .iter()
            .all(|row| row.values["customer_group"] == Value::text("Commercial"))
    );
}

/// Times are the site's own: read in another zone every change would be hours away.
#[tokio::test]
async fn times_are_read_in_the_zone_of_the_site() {
    let (_server, url) = stub(Vendor::Erpnext, 1).await;
    let right = all_of(&url, Vendor::Erpnext, &shipped("erpnext.yaml"));
    let now = jiff::Timestamp::now();
    let away = |modified: jiff::Timestamp| modified.duration_since(now).as_secs().abs();
    let modified = listed(&right, "Customer").await[0]
        .version
        .as_ref()
        .unwrap()
        .modified;
    assert!(away(modified) < 600, "{modified}");
    let wrong = shipped("erpnext.yaml").replace("Asia/Kolkata", "UTC");
    let wrong = all_of(&url, Vendor::Erpnext, &wrong);
    let modified = listed(&wrong, "Customer").await[0]
        .version
        .as_ref()
        .unwrap()
        .modified;
    assert!(away(modified) > 5 * 3_600, "{modified}");
}

#[tokio::test]
async fn what_tables_inside_a_contact_hold_is_read_and_given_when_it_is_made() {
    let (_server, url) = stub(Vendor::Erpnext, 1).await;
    let erpnext = all_of(&url, Vendor::Erpnext, &shipped("erpnext.yaml"));
    let values = [
        ("last_name", Value::text("Lee")),
        ("email_id", "lee@acme.example".into()),
        ("customer", "Company 1".into()),
    ];
    let id = applied(&one(&erpnext, create("Contact", &values)).await);
    let read = &erpnext
        .fetch(&of("Contact"), std::slice::from_ref(&id))
        .await
        .unwrap()[0];
    assert_eq!(read.values["email_id"], Value::text("lee@acme.example"));
    assert_eq!(read.values["customer"], Value::text("Company 1"));
    assert_eq!(read.values["phone"], Value::Blank);
    // One row would stand in the place of all: that is refused here, and nothing is sent.
    let refused = refusal(
        one(
            &erpnext,
            update("Contact", &id, &[("email_id", "x@y.example".into())], None),
        )
        .await,
    );
    assert_eq!(refused.properties, ["email_id"]);
}

/// What was submitted is changed no more, and cancelled only after it was submitted.
#[tokio::test]
async fn an_invoice_that_was_submitted_is_locked() {
    let (_server, url) = stub(Vendor::Erpnext, 1).await;
    let erpnext = all_of(&url, Vendor::Erpnext, &shipped("erpnext.yaml"));
    let made = local(
        &url,
        "POST",
        "rows/Sales Invoice",
        &json!({ "customer": "Company 1", "grand_total": 12.5 }),
    )
    .await;
    let id = made["id"].as_str().unwrap();
    let status = |to: i64| update("SalesInvoice", id, &[("docstatus", Value::Integer(to))], None);
    let due = || {
        update(
            "SalesInvoice",
            id,
            &[("due_date", Value::Date("2026-05-01".parse().unwrap()))],
            None,
        )
    };
    assert_eq!(refusal(one(&erpnext, status(2)).await).kind, RefusalKind::Locked);
    applied(&one(&erpnext, due()).await);
    applied(&one(&erpnext, status(1)).await);
    let again = update("SalesInvoice", id, &[("due_date", Value::Blank)], None);
    assert_eq!(refusal(one(&erpnext, again).await).kind, RefusalKind::Locked);
    assert_eq!(
        refusal(one(&erpnext, delete("SalesInvoice", id)).await).kind,
        RefusalKind::Invalid
    );
    applied(&one(&erpnext, status(2)).await);
}

#[tokio::test]
async fn refusals_are_told_apart_by_their_kind() {
    let (_server, url) = stub(Vendor::Erpnext, 1).await;
    let erpnext = all_of(&url, Vendor::Erpnext, &shipped("erpnext.yaml"));
    let long = Value::text("x".repeat(141));
    let cases = [
        (
            create("Customer", &[("customer_name", "Company 1".into())]),
            RefusalKind::Duplicate,
        ),
        (
            create("Customer", &[("customer_name", long)]),
            RefusalKind::Invalid,
        ),
        (
            create("Customer", &[("customer_name", Value::Blank)]),
            RefusalKind::Invalid,
        ),
        (
            create(
                "Contact",
                &[("last_name", "x".into()), ("customer", "Nobody".into())],
            ),
            RefusalKind::BadReference,
        ),
        (delete("Customer", "Company 1"), RefusalKind::Locked),
    ];
    for (write, kind) in cases {
        let refusal = refusal(one(&erpnext, write).await);
        assert_eq!(refusal.kind, kind, "{refusal:?}");
    }
}

/// Without the token whatever stands there is overwritten, and a document type that is not there is no deletion.
#[tokio::test]
async fn the_token_goes_along_and_an_unknown_type_deletes_nothing() {
    let (_server, url) = stub(Vendor::Erpnext, 1).await;
    let erpnext = all_of(&url, Vendor::Erpnext, &shipped("erpnext.yaml"));
    assert!(
        erpnext.capabilities().usual.conditional_write && !erpnext.capabilities().usual.conditional_delete
    );
    let before = listed(&erpnext, "Customer").await[0].version.clone();
    local(
        &url,
        "PATCH",
        "rows/Customer/Company 1",
        &json!({ "territory": "Belgium" }),
    )
    .await;
    let write = update("Customer", "Company 1", &[("territory", "France".into())], before);
    assert_eq!(one(&erpnext, write).await, Outcome::Stale);
    let unknown = shipped("erpnext.yaml").replace("collection: Sales Order", "collection: Sails Order");
    let unknown = all_of(&url, Vendor::Erpnext, &unknown);
    let read = unknown
        .fetch(&of("SalesOrder"), &["SAL-ORD-00001".to_owned()])
        .await;
    assert!(read.is_err(), "{read:?}");
    let read = erpnext
        .fetch(&of("SalesOrder"), &["SAL-ORD-00001".to_owned()])
        .await
        .unwrap();
    assert_eq!(read[0].presence, Presence::Missing);
}
