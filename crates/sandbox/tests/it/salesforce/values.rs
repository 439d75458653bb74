//! What becomes of the values that are written.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Org;

#[tokio::test]
async fn money_keeps_every_digit() {
    let org = Org::new().await;
    let body: Value = serde_json::from_str(r#"{"TotalAmount__c": 9007199254740993.01}"#).unwrap();
    let id = org.add("Invoice__c", body).await;
    assert_eq!(
        org.read("Invoice__c", &id).await["TotalAmount__c"].to_string(),
        "9007199254740993.01"
    );
    // More decimals than the field's scale are kept, as the API does.
    let body: Value = serde_json::from_str(r#"{"TotalAmount__c": 0.125}"#).unwrap();
    assert_eq!(
        org.update("Invoice__c", &id, body).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        org.read("Invoice__c", &id).await["TotalAmount__c"].to_string(),
        "0.125"
    );
}

#[tokio::test]
async fn text_is_trimmed_and_blank_is_null() {
    let org = Org::new().await;
    let id = org
        .add(
            "Account",
            json!({ "Name": " \t A\u{a0} \n", "Description": "a\r\nb\nc", "Phone": "   " }),
        )
        .await;
    let record = org.read("Account", &id).await;
    assert_eq!(record["Name"], "A\u{a0}");
    assert_eq!(record["Description"], "a\r\nb\nc");
    assert!(record["Phone"].is_null());
}

#[tokio::test]
async fn moments_are_cut_to_the_second_and_shown_in_utc() {
    let org = Org::new().await;
    let (order, _) = org.order().await;
    org.update(
        "Order",
        &order,
        json!({ "OrderedDate": "2024-05-01T12:00:00.999+02:00" }),
    )
    .await;
    assert_eq!(
        org.read("Order", &order).await["OrderedDate"],
        "2024-05-01T10:00:00.000+0000"
    );
}

#[tokio::test]
async fn parts_of_an_address_make_a_compound() {
    let org = Org::new().await;
    let id = org
        .add(
            "Account",
            json!({ "Name": "A", "BillingCity": "Oslo", "BillingStreet": "Gate 1" }),
        )
        .await;
    let record = org.read("Account", &id).await;
    assert_eq!(
        (
            &record["BillingAddress"]["city"],
            &record["BillingAddress"]["state"]
        ),
        (&json!("Oslo"), &Value::Null)
    );
    assert!(record["ShippingAddress"].is_null());
}

#[tokio::test]
async fn a_parent_can_be_named_by_its_external_id() {
    let org = Org::new().await;
    let account = org
        .add("Account", json!({ "Name": "A", "Customerp_Id__c": "Customer:1" }))
        .await;
    let id = org
        .add(
            "Contact",
            json!({ "LastName": "Doe", "Account": { "Customerp_Id__c": "Customer:1" } }),
        )
        .await;
    assert_eq!(org.read("Contact", &id).await["AccountId"], account);
    let reply = org
        .create(
            "Contact",
            json!({ "LastName": "Doe", "Account": { "Customerp_Id__c": "Customer:2" } }),
        )
        .await;
    assert_eq!(reply.code(), "INVALID_FIELD");
}

#[tokio::test]
async fn an_update_without_a_change_moves_the_stamp() {
    let org = Org::new().await;
    let id = org.add("Account", json!({ "Name": "A" })).await;
    let before = org.read("Account", &id).await["SystemModstamp"].clone();
    org.advance(3).await;
    org.update("Account", &id, json!({})).await;
    assert_ne!(org.read("Account", &id).await["SystemModstamp"], before);
}

#[tokio::test]
async fn without_several_currencies_there_is_no_currency_field() {
    let options = tandem_sandbox::salesforce::Options {
        multi_currency: false,
        ..Default::default()
    };
    let org = Org::start(options).await;
    let reply = org
        .create("Account", json!({ "Name": "A", "CurrencyIsoCode": "USD" }))
        .await;
    assert_eq!(reply.code(), "INVALID_FIELD");
    let org = Org::new().await;
    let id = org.add("Account", json!({ "Name": "A" })).await;
    assert_eq!(org.read("Account", &id).await["CurrencyIsoCode"], "USD");
}
