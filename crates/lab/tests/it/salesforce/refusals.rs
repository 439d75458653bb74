//! One refusal after the other, with its code, its fields, and nothing written.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Org;

/// The code and the fields of the refusal of a create.
async fn refused(org: &Org, object: &str, body: Value) -> (String, Value) {
    let reply = org.create(object, body).await;
    assert!(reply.status.is_client_error(), "{reply:?}");
    (reply.code().to_owned(), reply.body[0]["fields"].clone())
}

#[tokio::test]
async fn an_unknown_object_or_field() {
    let org = Org::new().await;
    assert_eq!(org.create("Nothing", json!({})).await.code(), "NOT_FOUND");
    let reply = org
        .create("Account", json!({ "Name": "A", "Colour": "red" }))
        .await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.code(), "INVALID_FIELD");
    assert_eq!(
        reply.body[0]["message"],
        "No such column 'Colour' on sobject of type Account"
    );
    let with_id = refused(&org, "Account", json!({ "Id": "001000000000001", "Name": "A" })).await;
    assert_eq!(with_id.0, "INVALID_FIELD");
}

#[tokio::test]
async fn a_read_only_field() {
    let org = Org::new().await;
    for (object, field, value) in [
        ("Contact", "Name", json!("X")),
        ("Account", "CreatedDate", json!("2024-01-01T00:00:00Z")),
        ("Order", "TotalAmount", json!(5)),
        ("Order", "OrderNumber", json!("1")),
        ("Task", "IsClosed", json!(true)),
        ("Quote", "QuoteNumber", json!("1")),
        ("Invoice__c", "Name", json!("INV-1")),
    ] {
        let (code, fields) = refused(&org, object, json!({ field: value })).await;
        assert_eq!(
            (code.as_str(), fields),
            ("INVALID_FIELD_FOR_INSERT_UPDATE", json!([field])),
            "{object}"
        );
    }
}

#[tokio::test]
async fn missing_mandatory_fields() {
    let org = Org::new().await;
    for (object, body, fields) in [
        ("Account", json!({}), json!(["Name"])),
        ("Contact", json!({ "FirstName": "A" }), json!(["LastName"])),
        (
            "Order",
            json!({}),
            json!(["AccountId", "EffectiveDate", "Status"]),
        ),
        ("Product2", json!({}), json!(["Name"])),
        ("Quote", json!({}), json!(["Name", "OpportunityId"])),
        (
            "Opportunity",
            json!({}),
            json!(["Name", "CloseDate", "StageName"]),
        ),
        ("Division", json!({}), json!(["Name"])),
    ] {
        assert_eq!(
            refused(&org, object, body).await,
            ("REQUIRED_FIELD_MISSING".to_owned(), fields),
            "{object}"
        );
    }
    assert_eq!(org.create("Task", json!({})).await.status, StatusCode::CREATED);
    assert_eq!(
        org.create("Invoice__c", json!({})).await.status,
        StatusCode::CREATED
    );
    let id = org.add("Contact", json!({ "LastName": "A" })).await;
    let blanked = org.update("Contact", &id, json!({ "LastName": "  " })).await;
    assert_eq!(blanked.code(), "REQUIRED_FIELD_MISSING");
}

#[tokio::test]
async fn values_too_long_too_large_or_outside_a_list() {
    let org = Org::new().await;
    let long = "x".repeat(81);
    let reply = org.create("Contact", json!({ "LastName": long })).await;
    assert_eq!(
        (reply.code(), &reply.body[0]["fields"]),
        ("STRING_TOO_LONG", &json!(["LastName"]))
    );
    assert!(
        reply.body[0]["message"]
            .as_str()
            .unwrap()
            .ends_with("(max length=80)")
    );
    assert_eq!(
        org.create("Contact", json!({ "LastName": "ü".repeat(80) }))
            .await
            .status,
        StatusCode::CREATED
    );
    let (code, fields) = refused(&org, "Task", json!({ "Status": "Someday" })).await;
    assert_eq!(
        (code.as_str(), fields),
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", json!(["Status"]))
    );
    for (object, body) in [
        ("Account", json!({ "Name": "A", "CurrencyIsoCode": "XXX" })),
        ("Invoice__c", json!({ "Status__c": "XXX" })),
        (
            "Opportunity",
            json!({ "Name": "A", "CloseDate": "2024-01-01", "StageName": "XXX" }),
        ),
    ] {
        let (code, _) = refused(&org, object, body).await;
        assert_eq!(code, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "{object}");
    }
    let open = org
        .create(
            "Product2",
            json!({ "Name": "A", "Family": "Whatever people write" }),
        )
        .await;
    assert_eq!(open.status, StatusCode::CREATED);
    let (code, _) = refused(
        &org,
        "Account",
        json!({ "Name": "A", "AnnualRevenue": 1_000_000_000_000_000_000_u64 }),
    )
    .await;
    assert_eq!(code, "NUMBER_OUTSIDE_VALID_RANGE");
}

#[tokio::test]
async fn values_of_the_wrong_type() {
    let org = Org::new().await;
    for (object, field, value) in [
        ("Account", "Name", json!(5)),
        ("Account", "Name", json!({ "a": 1 })),
        ("Account", "NumberOfEmployees", json!("many")),
        ("Account", "NumberOfEmployees", json!(1.5)),
        ("Contact", "DoNotCall", json!("yes")),
        ("Contact", "Birthdate", json!("1.2.1990")),
        ("Order", "OrderedDate", json!("2024-01-01")),
    ] {
        let (code, fields) = refused(&org, object, json!({ field: value })).await;
        assert_eq!(
            (code.as_str(), fields),
            ("JSON_PARSER_ERROR", json!([field])),
            "{object}.{field}"
        );
    }
    let broken = org.http.post(format!(
        "{}/services/data/v62.0/sobjects/Account",
        org.server.url()
    ));
    let broken = broken
        .bearer_auth(org.login("tandem").await)
        .header("content-type", "application/json")
        .body("{");
    let reply = broken.send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    let body: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(body[0]["errorCode"], "JSON_PARSER_ERROR");
    let (code, fields) = refused(
        &org,
        "Contact",
        json!({ "LastName": "A", "Email": "not an address" }),
    )
    .await;
    assert_eq!(
        (code.as_str(), fields),
        ("INVALID_EMAIL_ADDRESS", json!(["Email"]))
    );
}

#[tokio::test]
async fn bad_references() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "A" })).await;
    let contact = org.add("Contact", json!({ "LastName": "A" })).await;
    org.delete("Account", &account).await;
    for (value, code) in [
        (account.as_str(), "INVALID_CROSS_REFERENCE_KEY"),
        ("001000000000009", "INVALID_CROSS_REFERENCE_KEY"),
        (contact.as_str(), "MALFORMED_ID"),
        ("nonsense", "MALFORMED_ID"),
    ] {
        let body = json!({ "LastName": "B", "AccountId": value });
        assert_eq!(
            refused(&org, "Contact", body).await,
            (code.to_owned(), json!(["AccountId"])),
            "{value}"
        );
    }
}

#[tokio::test]
async fn a_second_record_with_a_unique_value() {
    let org = Org::new().await;
    let first = org
        .add(
            "Contact",
            json!({ "LastName": "A", "Customerp_Id__c": "Contact:1" }),
        )
        .await;
    let reply = org
        .create(
            "Contact",
            json!({ "LastName": "B", "Customerp_Id__c": "Contact:1" }),
        )
        .await;
    assert_eq!(reply.code(), "DUPLICATE_VALUE");
    let message = reply.body[0]["message"].as_str().unwrap();
    assert!(
        message.ends_with(&format!("record with id: {}", &first[..15])),
        "{message}"
    );
    assert_eq!(
        org.create(
            "Contact",
            json!({ "LastName": "B", "Customerp_Id__c": "contact:1" })
        )
        .await
        .status,
        StatusCode::CREATED
    );
    org.delete("Contact", &first).await;
    let again = org
        .create(
            "Contact",
            json!({ "LastName": "C", "Customerp_Id__c": "Contact:1" }),
        )
        .await;
    assert_eq!(again.status, StatusCode::CREATED);
}

#[tokio::test]
async fn calls_that_an_object_does_not_support() {
    let org = Org::preset("billing").await;
    let created = org.create("Invoice", json!({ "InvoiceNumber": "1" })).await;
    assert_eq!(
        (created.status, created.code()),
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    );
    let record = json!({ "attributes": { "type": "Invoice" }, "InvoiceNumber": "1" });
    let reply = org
        .call(Method::POST, "composite/sobjects", json!({ "records": [record] }))
        .await
        .body;
    assert_eq!(reply[0]["errors"][0]["statusCode"], "INVALID_TYPE_FOR_OPERATION");
    let user = org.query("SELECT Id FROM User LIMIT 1").await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    let division = org.query("SELECT Id FROM Division LIMIT 1").await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (object, id) in [("User", user), ("Division", division)] {
        assert_eq!(
            org.delete(object, &id).await.status,
            StatusCode::METHOD_NOT_ALLOWED
        );
        let reply = org
            .call(
                Method::DELETE,
                &format!("composite/sobjects?ids={id}"),
                Value::Null,
            )
            .await
            .body;
        assert_eq!(
            reply[0]["errors"][0]["statusCode"], "INVALID_TYPE_FOR_OPERATION",
            "{object}"
        );
    }
}

#[tokio::test]
async fn records_that_are_gone_or_never_were() {
    let org = Org::new().await;
    let id = org.add("Task", json!({ "Subject": "A" })).await;
    org.delete("Task", &id).await;
    assert_eq!(
        org.update("Task", &id, json!({ "Subject": "B" })).await.code(),
        "ENTITY_IS_DELETED"
    );
    assert_eq!(org.delete("Task", &id).await.code(), "ENTITY_IS_DELETED");
    for id in ["00T000000000009", "003000000000009", "nonsense"] {
        let reply = org.get(&format!("sobjects/Task/{id}")).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::NOT_FOUND, "NOT_FOUND"),
            "{id}"
        );
    }
}
