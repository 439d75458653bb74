//! Odoo.

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
    let own = ["x_birthdate: date", "x_reports_to: reference(Contact)"];
    with_own_fields(&shipped("odoo.yaml"), "Contact", &own)
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    let contact = [
        "name",
        "email",
        "phone",
        "function",
        "x_birthdate",
        "x_salesforce_id",
        "x_reports_to",
    ];
    Box::new(Rest::connect(ready(url, Vendor::Odoo, user, &described(), &contact)).unwrap())
}

pub(crate) async fn scene() -> Scene {
    let words = Words {
        last_name: "name",
        email: "email",
        phone: "phone",
        description: "function",
        birthdate: "x_birthdate",
        external: "x_salesforce_id",
        reports_to: "x_reports_to",
        nobody: "999999",
        clock: "advanceSeconds",
        secret: "odoo-tandem-key",
    };
    staged(Vendor::Odoo, words, connect).await
}

#[tokio::test]
async fn what_is_shown_as_false_is_blank_and_what_is_false_is_false() {
    let (_server, url) = stub(Vendor::Odoo, 1).await;
    let odoo = all_of(&url, Vendor::Odoo, &shipped("odoo.yaml"));
    let customers = listed(&odoo, "Customer").await;
    assert_eq!(customers.len(), 1);
    assert_eq!(customers[0].values["vat"], Value::Blank);
    assert_eq!(customers[0].values["active"], Value::Boolean(true));
    assert!(
        customers[0].unreadable.is_empty(),
        "{:?}",
        customers[0].unreadable
    );
    // A reference is shown with a name, and none is false.
    let contacts = listed(&odoo, "Contact").await;
    assert_eq!(
        contacts[0].values["parent_id"],
        Value::text(customers[0].key.id.clone())
    );
    let write = update(
        "Contact",
        &contacts[0].key.id,
        &[("parent_id", Value::Blank), ("function", Value::Blank)],
        None,
    );
    applied(&one(&odoo, write).await);
    let read = odoo
        .fetch(&of("Contact"), &[contacts[0].key.id.clone()])
        .await
        .unwrap();
    assert_eq!(read[0].values["parent_id"], Value::Blank);
    assert_eq!(read[0].values["function"], Value::Blank);
}

/// What Odoo hides from lists by default is no less there: taken for deleted it would be lost on the other side.
#[tokio::test]
async fn an_archived_record_is_listed_changed_and_found() {
    let (_server, url) = stub(Vendor::Odoo, 1).await;
    let odoo = all_of(&url, Vendor::Odoo, &shipped("odoo.yaml"));
    let id = listed(&odoo, "Customer").await[0].key.id.clone();
    let page = odoo.changes(&[of("Customer")], None).await.unwrap();
    local(
        &url,
        "PATCH",
        &format!("rows/res.partner/{id}"),
        &json!({ "active": false }),
    )
    .await;
    let seen = odoo.changes(&[of("Customer")], Some(&page.cursor)).await.unwrap();
    assert_eq!(seen.observations[0].values["active"], Value::Boolean(false));
    assert_eq!(listed(&odoo, "Customer").await.len(), 1);
    let names = [vec!["company 1".into()]];
    let found = odoo.find(&of("Customer"), &["name".to_owned()], &names).await;
    assert_eq!(found.unwrap().len(), 1);
}

/// A read of what is not there is an empty list, and a database or model that is not there is no deletion.
#[tokio::test]
async fn only_an_empty_read_is_a_deletion() {
    let (_server, url) = stub(Vendor::Odoo, 1).await;
    let odoo = all_of(&url, Vendor::Odoo, &shipped("odoo.yaml"));
    let id = listed(&odoo, "Customer").await[0].key.id.clone();
    let contact = listed(&odoo, "Contact").await[0].key.id.clone();
    local(&url, "DELETE", &format!("rows/res.partner/{contact}"), &json!({})).await;
    let gone = odoo
        .fetch(&of("Contact"), std::slice::from_ref(&contact))
        .await
        .unwrap();
    assert_eq!(gone[0].presence, Presence::Deleted);
    assert_eq!(
        one(
            &odoo,
            update("Contact", &contact, &[("function", "x".into())], None)
        )
        .await,
        Outcome::Gone
    );
    let elsewhere = shipped("odoo.yaml").replace("{secret.database}", "another");
    let elsewhere = all_of(&url, Vendor::Odoo, &elsewhere);
    let hidden = elsewhere.fetch(&of("Customer"), &[id]).await.unwrap();
    assert_eq!(hidden[0].presence, Presence::Missing);
}

#[tokio::test]
async fn refusals_are_told_apart_by_their_words() {
    let (_server, url) = stub(Vendor::Odoo, 1).await;
    let odoo = all_of(&url, Vendor::Odoo, &shipped("odoo.yaml"));
    let customer = listed(&odoo, "Customer").await[0].key.id.clone();
    let external = |name: &str| [("name", Value::text(name)), ("x_salesforce_id", "001A".into())];
    applied(&one(&odoo, create("Contact", &external("One"))).await);
    let cases = [
        (create("Contact", &external("Two")), RefusalKind::Duplicate),
        (create("Contact", &[("name", Value::Blank)]), RefusalKind::Invalid),
        (
            create("Contact", &[("name", "x".into()), ("parent_id", "999999".into())]),
            RefusalKind::BadReference,
        ),
        (delete("Customer", &customer), RefusalKind::Locked),
        // A word that it does not know is an error of its program, and the transaction was undone.
        (
            create(
                "Order",
                &[
                    ("partner_id", customer.as_str().into()),
                    ("date_order", "x".into()),
                ],
            ),
            RefusalKind::Invalid,
        ),
    ];
    for (write, kind) in cases {
        let refusal = refusal(one(&odoo, write).await);
        assert_eq!(refusal.kind, kind, "{refusal:?}");
    }
    assert!(!odoo.capabilities().usual.conditional_write);
}

/// An order is confirmed by a method of its own, and its amounts follow its lines.
#[tokio::test]
async fn an_order_with_its_lines_is_made_and_confirmed() {
    let (_server, url) = stub(Vendor::Odoo, 1).await;
    let odoo = all_of(&url, Vendor::Odoo, &shipped("odoo.yaml"));
    let customer = listed(&odoo, "Customer").await[0].key.id.clone();
    let moment: jiff::Timestamp = "2026-03-01T10:20:30Z".parse().unwrap();
    let order = [
        ("partner_id", Value::text(customer)),
        ("date_order", Value::DateTime(moment)),
    ];
    let order = applied(&one(&odoo, create("Order", &order)).await);
    let two: rust_decimal::Decimal = "2".parse().unwrap();
    let price: rust_decimal::Decimal = "19.99".parse().unwrap();
    let line = [
        ("order_id", Value::text(order.clone())),
        ("product_uom_qty", Value::Decimal(two)),
        ("price_unit", Value::Decimal(price)),
    ];
    applied(&one(&odoo, create("OrderLine", &line)).await);
    applied(&one(&odoo, update("Order", &order, &[("state", "sale".into())], None)).await);
    let read = &odoo.fetch(&of("Order"), &[order]).await.unwrap()[0];
    assert_eq!(read.values["state"], Value::text("sale"));
    assert_eq!(
        read.values["amount_total"],
        Value::Decimal("39.98".parse().unwrap())
    );
    assert_eq!(read.values["date_order"], Value::DateTime(moment));
}
