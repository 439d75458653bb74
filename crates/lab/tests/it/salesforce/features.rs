//! What an org may have beside the usual: person accounts, record types, approvals, queues.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::Options;

use super::{BASE, Org};

async fn org(options: Value) -> Org {
    Org::start(Options::from_json(&options.to_string()).unwrap()).await
}

#[tokio::test]
async fn a_person_account_has_a_contact_that_follows_it() {
    let org = org(json!({ "person_accounts": true })).await;
    let person = json!({ "FirstName": "Ada", "LastName": "Byron", "PersonEmail": "ada@example.com" });
    let id = org.add("Account", person).await;
    let account = org.read("Account", &id).await;
    assert_eq!(
        (&account["Name"], &account["IsPersonAccount"]),
        (&json!("Ada Byron"), &json!(true))
    );
    let contact = account["PersonContactId"].as_str().unwrap().to_owned();
    let row = org.read("Contact", &contact).await;
    assert_eq!(
        (&row["AccountId"], &row["Email"], &row["IsPersonAccount"]),
        (&json!(id), &json!("ada@example.com"), &json!(true))
    );
    let moved = org
        .update("Account", &id, json!({ "LastName": "Lovelace" }))
        .await;
    assert_eq!(moved.status, StatusCode::NO_CONTENT);
    assert_eq!(org.read("Contact", &contact).await["Name"], "Ada Lovelace");
    for (reply, code) in [
        (
            org.update("Account", &id, json!({ "Name": "Ada" })).await,
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            org.update("Contact", &contact, json!({ "Title": "Countess" }))
                .await,
            "INVALID_OPERATION",
        ),
        (org.delete("Contact", &contact).await, "INVALID_OPERATION"),
        (
            org.create("Contact", json!({ "LastName": "B", "AccountId": id }))
                .await,
            "FIELD_INTEGRITY_EXCEPTION",
        ),
    ] {
        assert_eq!(reply.code(), code);
    }
    let company = org.add("Account", json!({ "Name": "Acme" })).await;
    let company = org.read("Account", &company).await;
    assert_eq!(
        (&company["IsPersonAccount"], &company["PersonContactId"]),
        (&json!(false), &Value::Null)
    );
    let gone = org.delete("Account", &id).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let contact = org.get(&format!("sobjects/Contact/{contact}")).await;
    assert_eq!(contact.code(), "ENTITY_IS_DELETED");
}

#[tokio::test]
async fn a_record_type_takes_fewer_entries() {
    let types = json!([
        { "object": "Account", "name": "Customer", "default": true },
        { "object": "Account", "name": "Partner", "values": { "Industry": ["Banking"] } },
        { "object": "Contact", "name": "Person" },
    ]);
    let org = org(json!({ "record_types": types })).await;
    let found = org
        .query("SELECT Id, Name FROM RecordType WHERE SobjectType = 'Account' ORDER BY Name")
        .await;
    let id = |at: usize| found[at]["Id"].as_str().unwrap().to_owned();
    let (customer, partner) = (id(0), id(1));
    let a = org
        .add("Account", json!({ "Name": "A", "Industry": "Chemicals" }))
        .await;
    assert_eq!(org.read("Account", &a).await["RecordTypeId"], customer);
    let retyped = org
        .update("Account", &a, json!({ "RecordTypeId": partner }))
        .await;
    assert_eq!(retyped.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    let both = json!({ "RecordTypeId": partner, "Industry": "Banking" });
    assert_eq!(
        org.update("Account", &a, both).await.status,
        StatusCode::NO_CONTENT
    );
    let refused = org
        .update("Account", &a, json!({ "Industry": "Chemicals" }))
        .await;
    assert_eq!(refused.body[0]["fields"], json!(["Industry"]));
    let strange = org
        .create("Contact", json!({ "LastName": "B", "RecordTypeId": partner }))
        .await;
    assert_eq!(strange.code(), "INVALID_CROSS_REFERENCE_KEY");
    let described = org.get("sobjects/Account/describe").await.body;
    let infos = described["recordTypeInfos"].as_array().unwrap().clone();
    assert_eq!(
        (
            infos.len(),
            &infos[0]["name"],
            &infos[0]["defaultRecordTypeMapping"]
        ),
        (2, &json!("Customer"), &json!(true))
    );
}

#[tokio::test]
async fn what_waits_for_approval_is_locked() {
    let locks = json!([{ "object": "Account", "condition": "Rating = 'Hot'" }]);
    let org = org(json!({ "approval_locks": locks })).await;
    let id = org.add("Account", json!({ "Name": "A", "Rating": "Hot" })).await;
    let path = format!("{BASE}/sobjects/Account/{id}");
    for (method, body) in [
        (Method::PATCH, json!({ "Phone": "1" })),
        (Method::DELETE, Value::Null),
    ] {
        let reply = org.call_as("bob", method, &path, body).await;
        assert_eq!(reply.code(), "ENTITY_IS_LOCKED");
    }
    // An administrator ends the approval.
    assert_eq!(
        org.update("Account", &id, json!({ "Rating": "Cold" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let reply = org
        .call_as("bob", Method::PATCH, &path, json!({ "Phone": "1" }))
        .await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_queue_owns_records_of_its_objects() {
    let org = org(json!({ "queues": [{ "name": "Desk", "objects": ["Task"] }] })).await;
    let queue = org.query("SELECT Id FROM Group WHERE Type = 'Queue'").await[0]["Id"].clone();
    let task = org
        .add("Task", json!({ "Subject": "Call", "OwnerId": queue }))
        .await;
    let found = org
        .query(&format!(
            "SELECT Owner.Type, Owner.Name FROM Task WHERE Id = '{task}'"
        ))
        .await;
    assert_eq!(
        (&found[0]["Owner"]["Type"], &found[0]["Owner"]["Name"]),
        (&json!("Group"), &json!("Desk"))
    );
    let refused = org.create("Invoice__c", json!({ "OwnerId": queue })).await;
    assert_eq!(refused.code(), "FIELD_INTEGRITY_EXCEPTION");
}
