//! Changes of objects and fields while the org runs, and field-level security.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::{FieldAccess, FieldSecurity, Options};

use super::{Org, Reply};

async fn change(org: &Org, change: Value) -> Reply {
    org.call(Method::POST, "/_local/schema", change).await
}

async fn changed(org: &Org, given: Value) {
    let reply = change(org, given).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

/// A field as describe tells it to the user behind a client.
async fn field(org: &Org, client: &str, object: &str, name: &str) -> Option<Value> {
    let path = format!("sobjects/{object}/describe");
    let told = org.call_as(client, Method::GET, &path, Value::Null).await;
    let fields = told.body["fields"].as_array().unwrap();
    fields.iter().find(|field| field["name"] == name).cloned()
}

#[tokio::test]
async fn a_field_vanishes_and_its_values_with_it() {
    let org = Org::new().await;
    let id = org
        .add(
            "Contact",
            json!({ "LastName": "A", "Title": "Boss", "Phone": "1" }),
        )
        .await;
    changed(
        &org,
        json!({ "change": "remove-field", "object": "Contact", "field": "Title" }),
    )
    .await;
    assert_eq!(field(&org, "tandem", "Contact", "Title").await, None);
    let row = org.read("Contact", &id).await;
    assert_eq!((row.get("Title"), &row["Phone"]), (None, &json!("1")));
    assert_eq!(
        org.query_reply("SELECT Title FROM Contact").await.code(),
        "INVALID_FIELD"
    );
    assert_eq!(
        org.update("Contact", &id, json!({ "Title": "X" })).await.code(),
        "INVALID_FIELD"
    );
    org.update("Contact", &id, json!({ "Phone": "2" })).await;
    assert_eq!(org.read("Contact", &id).await["Phone"], "2");
    // A field of the same name that comes later is another field.
    changed(
        &org,
        json!({ "change": "add-field", "object": "Contact", "field": "Title", "length": 10 }),
    )
    .await;
    assert_eq!(org.read("Contact", &id).await["Title"], Value::Null);
}

#[tokio::test]
async fn fields_become_mandatory_shorter_and_restricted() {
    let org = Org::new().await;
    let id = org
        .add(
            "Account",
            json!({ "Name": "A", "Site": "Somewhere else", "Industry": "Old" }),
        )
        .await;
    for given in [
        json!({ "change": "require", "object": "Account", "field": "AccountNumber" }),
        json!({ "change": "shorten", "object": "Account", "field": "Site", "length": 5 }),
        json!({ "change": "restrict", "object": "Account", "field": "Industry", "values": ["New"] }),
    ] {
        changed(&org, given).await;
    }
    let told = field(&org, "tandem", "Account", "Industry").await.unwrap();
    assert_eq!(
        (&told["restrictedPicklist"], &told["picklistValues"][0]["value"]),
        (&json!(true), &json!("New"))
    );
    assert_eq!(
        field(&org, "tandem", "Account", "AccountNumber").await.unwrap()["nillable"],
        false
    );
    assert_eq!(
        field(&org, "tandem", "Account", "Site").await.unwrap()["length"],
        5
    );
    assert_eq!(
        org.create("Account", json!({ "Name": "B" })).await.code(),
        "REQUIRED_FIELD_MISSING"
    );
    assert_eq!(org.read("Account", &id).await["Site"], "Somewhere else");
    for (body, code) in [
        (json!({ "Site": "Somewhere" }), "STRING_TOO_LONG"),
        (
            json!({ "Industry": "Old" }),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (json!({ "AccountNumber": null }), "REQUIRED_FIELD_MISSING"),
    ] {
        assert_eq!(org.update("Account", &id, body).await.code(), code);
    }
    assert_eq!(
        org.update("Account", &id, json!({ "Industry": "New" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn objects_and_fields_are_deployed_to_an_org_with_records() {
    let org = Org::start(Options {
        metadata: false,
        ..Options::default()
    })
    .await;
    let account = org.add("Account", json!({ "Name": "A" })).await;
    changed(
        &org,
        json!({ "changes": [
            { "change": "add-object", "object": "Project__c", "label": "Project" },
            { "change": "add-field", "object": "Project__c", "field": "Account__c", "type": "reference", "references": ["Account"] },
            { "change": "add-field", "object": "Project__c", "field": "Budget__c", "type": "currency", "precision": 18, "scale": 2 },
            { "change": "add-field", "object": "Account", "field": "Key__c", "length": 40, "external_id": true },
        ] }),
    )
    .await;
    let project = json!({ "Name": "P", "Account__c": account, "Budget__c": 12.5 });
    let id = org.add("Project__c", project).await;
    assert!(id.starts_with('a'), "{id}");
    let found = org
        .query("SELECT Name, Budget__c, Account__r.Name FROM Project__c")
        .await;
    assert_eq!(
        (&found[0]["Budget__c"], &found[0]["Account__r"]["Name"]),
        (&json!(12.5), &json!("A"))
    );
    assert_eq!(
        org.update("Account", &account, json!({ "Key__c": "K" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let twice = org.create("Account", json!({ "Name": "B", "Key__c": "K" })).await;
    assert_eq!(twice.code(), "DUPLICATE_VALUE");
    let by_key = org.get("sobjects/Account/Key__c/K").await;
    assert_eq!(by_key.body["Id"], account);
    let global = org.get("sobjects").await.body;
    assert!(
        global["sobjects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "Project__c")
    );
}

#[tokio::test]
async fn a_change_that_does_not_fit_changes_nothing() {
    let org = Org::new().await;
    let rule = json!({ "object": "Contact", "condition": "Title = 'No'", "message": "No" });
    org.call(Method::POST, "/_local/rules", rule).await;
    for (given, code) in [
        (
            json!({ "change": "add-object", "object": "Plain" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "change": "add-object", "object": "Invoice__c" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "change": "remove-field", "object": "No", "field": "X" }),
            "INVALID_TYPE",
        ),
        (
            json!({ "change": "remove-field", "object": "Contact", "field": "X" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "change": "remove-field", "object": "Contact", "field": "Id" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "change": "remove-field", "object": "Contact" }),
            "MISSING_ARGUMENT",
        ),
        (
            json!({ "change": "shorten", "object": "Contact", "field": "Phone" }),
            "MISSING_ARGUMENT",
        ),
        (
            json!({ "change": "add-field", "object": "Contact", "field": "Phone" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "change": "add-field", "object": "Contact", "field": "Y__c", "type": "no" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "change": "add-field", "object": "Contact", "field": "Y__c", "type": "reference" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "changes": [
            { "change": "remove-field", "object": "Contact", "field": "Phone" },
            { "change": "remove-field", "object": "Contact", "field": "Title" },
        ] }),
            "INVALID_FIELD",
        ),
        (json!({ "change": "no" }), "JSON_PARSER_ERROR"),
    ] {
        assert_eq!(change(&org, given.clone()).await.code(), code, "{given}");
    }
    assert!(field(&org, "tandem", "Contact", "Phone").await.is_some());
    let refused = org
        .create("Contact", json!({ "LastName": "A", "Title": "No" }))
        .await;
    assert_eq!(refused.code(), "FIELD_CUSTOM_VALIDATION_EXCEPTION");
}

fn line(profile: &str, field: &str, access: FieldAccess) -> FieldSecurity {
    FieldSecurity {
        profile: Some(profile.to_owned()),
        object: "Contact".to_owned(),
        field: field.to_owned(),
        access,
    }
}

#[tokio::test]
async fn a_profile_does_not_see_what_is_hidden_and_does_not_write_what_is_closed() {
    let org = Org::start(Options {
        field_security: vec![
            line("Standard User", "Title", FieldAccess::Hidden),
            line("Standard User", "Phone", FieldAccess::ReadOnly),
        ],
        ..Options::default()
    })
    .await;
    let account = org.add("Account", json!({ "Name": "A" })).await;
    let contact = json!({ "LastName": "C", "AccountId": account, "Title": "Boss", "Phone": "1" });
    let id = org.add("Contact", contact).await;
    assert_eq!(field(&org, "bob", "Contact", "Title").await, None);
    assert!(field(&org, "alice", "Contact", "Title").await.is_some());
    let phone = field(&org, "bob", "Contact", "Phone").await.unwrap();
    assert_eq!(
        (&phone["createable"], &phone["updateable"]),
        (&json!(false), &json!(false))
    );

    let path = format!("sobjects/Contact/{id}");
    let seen = org.call_as("bob", Method::GET, &path, Value::Null).await.body;
    assert_eq!((seen.get("Title"), &seen["Phone"]), (None, &json!("1")));
    let query = format!("query?q={}", super::url_encode("SELECT Title FROM Contact"));
    assert_eq!(
        org.call_as("bob", Method::GET, &query, Value::Null).await.code(),
        "INVALID_FIELD"
    );
    let query = format!(
        "query?q={}",
        super::url_encode("SELECT Id FROM Contact WHERE Title = 'Boss'")
    );
    assert_eq!(
        org.call_as("bob", Method::GET, &query, Value::Null).await.code(),
        "INVALID_FIELD"
    );
    for (body, code) in [
        (json!({ "Title": "X" }), "INVALID_FIELD"),
        (json!({ "Phone": "2" }), "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ] {
        assert_eq!(org.call_as("bob", Method::PATCH, &path, body).await.code(), code);
    }
    let fine = org
        .call_as("bob", Method::PATCH, &path, json!({ "Department": "D" }))
        .await;
    assert_eq!(fine.status, StatusCode::NO_CONTENT);
    let row = org.read("Contact", &id).await;
    assert_eq!((&row["Title"], &row["Department"]), (&json!("Boss"), &json!("D")));
}

#[tokio::test]
async fn security_changes_while_the_org_runs() {
    let org = Org::new().await;
    let given = json!({ "object": "Contact", "field": "Title", "access": "hidden" });
    let listed = org.call(Method::POST, "/_local/security", given).await;
    assert_eq!(listed.body["security"][0]["access"], "hidden");
    assert_eq!(field(&org, "tandem", "Contact", "Title").await, None);
    let given = json!({ "profile": "System Administrator", "object": "Contact", "field": "Title", "access": "visible" });
    org.call(Method::POST, "/_local/security", given).await;
    assert!(field(&org, "tandem", "Contact", "Title").await.is_some());
    assert_eq!(field(&org, "bob", "Contact", "Title").await, None);
    for (given, code) in [
        (
            json!({ "object": "No", "field": "Title", "access": "hidden" }),
            "INVALID_TYPE",
        ),
        (
            json!({ "object": "Contact", "field": "No", "access": "hidden" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "profile": "No", "object": "Contact", "field": "Title", "access": "hidden" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "object": "Contact", "field": "Title", "access": "no" }),
            "JSON_PARSER_ERROR",
        ),
    ] {
        assert_eq!(
            org.call(Method::POST, "/_local/security", given).await.code(),
            code
        );
    }
    assert_eq!(
        org.get("/_local/security").await.body["security"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
