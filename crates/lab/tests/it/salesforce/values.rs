//! What becomes of the values that are written.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Org;

/// What a field holds after this was written into it.
async fn kept(org: &Org, id: &str, field: &str, value: &str) -> String {
    let body: Value = serde_json::from_str(&format!("{{\"{field}\": {value}}}")).unwrap();
    let reply = org.update("Invoice__c", id, body).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
    org.read("Invoice__c", id).await[field].to_string()
}

#[tokio::test]
async fn numbers_have_fifteen_digits() {
    let org = Org::new().await;
    let id = org.add("Invoice__c", json!({})).await;
    // The examples of Salesforce's own article on it, and what it leaves as it is.
    for (written, held) in [
        ("1222333444555.66", "1222333444555.66"),
        ("9007199254740.93", "9007199254740.93"),
        ("1222333444555666.88", "1222333444555667.0"),
        ("1222333444555666.84", "1222333444555666.8"),
        ("1222333444555666.12", "1222333444555666.0"),
        ("49.9999999999999972", "50.0"),
        ("9999999999999999", "10000000000000000.0"),
        ("-1222333444555666.88", "-1222333444555667.0"),
        // More decimals than the field's scale are kept, as the API does.
        ("0.125", "0.125"),
    ] {
        assert_eq!(
            kept(&org, &id, "TotalAmount__c", written).await,
            held,
            "{written}"
        );
    }
}

#[tokio::test]
async fn numbers_and_booleans_may_be_text() {
    let org = Org::new().await;
    let id = org.add("Invoice__c", json!({})).await;
    assert_eq!(kept(&org, &id, "TotalAmount__c", "\"12.50\"").await, "12.5");
    let account = json!({ "Name": "A", "NumberOfEmployees": "100", "IsActive": "true" });
    let account = org.add("Account", account).await;
    let record = org.read("Account", &account).await;
    assert_eq!(
        (&record["NumberOfEmployees"], &record["IsActive"]),
        (&json!(100), &json!(true))
    );
    for body in [
        json!({ "NumberOfEmployees": "many" }),
        json!({ "NumberOfEmployees": "" }),
        json!({ "NumberOfEmployees": "1.5" }),
        json!({ "IsActive": "yes" }),
        json!({ "Name": 5 }),
    ] {
        let reply = org.update("Account", &account, body.clone()).await;
        assert_eq!(reply.code(), "JSON_PARSER_ERROR", "{body}");
    }
}

#[tokio::test]
async fn lengths_are_counted_as_in_java() {
    let org = Org::new().await;
    let pairs = |count: usize| "\u{1F600}".repeat(count);
    let most = json!({ "Name": "A", "AccountNumber": pairs(20) });
    assert_eq!(org.create("Account", most).await.status, StatusCode::CREATED);
    let more = json!({ "Name": "A", "AccountNumber": pairs(20) + "x" });
    assert_eq!(org.create("Account", more).await.code(), "STRING_TOO_LONG");
}

#[tokio::test]
async fn years_go_from_1700_to_4000() {
    let org = Org::new().await;
    for (object, field, good, bad) in [
        (
            "Contact",
            "Birthdate",
            ["1700-01-01", "4000-12-31"],
            ["1699-12-31", "4001-01-01"],
        ),
        (
            "Order",
            "OrderedDate",
            ["1700-01-01T00:00:00Z", "4000-12-31T00:00:00Z"],
            ["1699-12-31T23:59:59Z", "4001-01-01T00:00:00Z"],
        ),
    ] {
        let id = match object {
            "Order" => org.order().await.0,
            _ => org.add(object, json!({ "LastName": "A" })).await,
        };
        for date in good {
            let reply = org.update(object, &id, json!({ field: date })).await;
            assert_eq!(reply.status, StatusCode::NO_CONTENT, "{date}");
        }
        for date in bad {
            let reply = org.update(object, &id, json!({ field: date })).await;
            assert_eq!(reply.code(), "NUMBER_OUTSIDE_VALID_RANGE", "{date}");
            assert_eq!(reply.body[0]["fields"], json!([field]));
        }
    }
}

#[tokio::test]
async fn several_choices_stand_in_the_order_of_their_definition() {
    let org = Org::new().await;
    let change = json!({
        "change": "add-field", "object": "Account", "field": "Regions__c", "type": "multipicklist",
        "values": ["North", "South", "East"], "restricted": true,
    });
    let reply = org.call(reqwest::Method::POST, "/_local/schema", change).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let id = org
        .add(
            "Account",
            json!({ "Name": "A", "Regions__c": "East; North;East;" }),
        )
        .await;
    assert_eq!(org.read("Account", &id).await["Regions__c"], "North;East");
    let reply = org
        .update("Account", &id, json!({ "Regions__c": "North;West" }))
        .await;
    assert_eq!(reply.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    org.update("Account", &id, json!({ "Regions__c": ";" })).await;
    assert!(org.read("Account", &id).await["Regions__c"].is_null());
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
    let options = tandem_lab::salesforce::Options {
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
