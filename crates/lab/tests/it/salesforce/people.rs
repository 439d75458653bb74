//! Users, owners, divisions, tasks and contacts.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::Options;

use super::Org;

async fn profile(org: &Org) -> String {
    org.query("SELECT Id FROM Profile WHERE Name = 'Standard User'")
        .await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn person(org: &Org, name: &str) -> Value {
    json!({
        "Username": format!("{name}@people.example"), "LastName": name, "Email": format!("{name}@people.example"),
        "Alias": name, "TimeZoneSidKey": "Europe/Berlin", "LocaleSidKey": "de_DE", "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "de", "ProfileId": profile(org).await,
    })
}

#[tokio::test]
async fn a_user_needs_what_the_reference_names() {
    let org = Org::new().await;
    let reply = org.create("User", json!({ "FirstName": "A" })).await;
    assert_eq!(reply.code(), "REQUIRED_FIELD_MISSING");
    assert_eq!(reply.body[0]["fields"].as_array().unwrap().len(), 9);
    let id = org.add("User", person(&org, "nora").await).await;
    let user = org.read("User", &id).await;
    assert_eq!(
        (&user["IsActive"], &user["UserType"], &user["Name"]),
        (&json!(true), &json!("Standard"), &json!("nora"))
    );
    assert!(user["CommunityNickname"].is_string());
    let again = org.create("User", person(&org, "nora").await).await;
    assert_eq!(
        (again.code(), &again.body[0]["fields"]),
        ("DUPLICATE_USERNAME", &json!(["Username"]))
    );
    let mut loud = person(&org, "nora").await;
    loud["Username"] = json!("NORA@people.example");
    assert_eq!(org.create("User", loud).await.code(), "DUPLICATE_USERNAME");
    let mut nick = person(&org, "olaf").await;
    nick["CommunityNickname"] = json!("Alice");
    assert_eq!(org.create("User", nick).await.code(), "DUPLICATE_COMM_NICKNAME");
    let mut wrong = person(&org, "olaf").await;
    wrong["Username"] = json!("olaf");
    assert_eq!(org.create("User", wrong).await.code(), "INVALID_EMAIL_ADDRESS");
    let mut long = person(&org, "olaf").await;
    long["Alias"] = json!("olafolafo");
    assert_eq!(org.create("User", long).await.code(), "STRING_TOO_LONG");
    let mut zone = person(&org, "olaf").await;
    zone["TimeZoneSidKey"] = json!("Mars/Olympus");
    assert_eq!(
        org.create("User", zone).await.code(),
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    );
}

#[tokio::test]
async fn an_active_user_takes_a_license() {
    let org = Org::start(Options {
        licenses: 4,
        ..Options::default()
    })
    .await;
    let id = org.add("User", person(&org, "nora").await).await;
    assert_eq!(
        org.create("User", person(&org, "olaf").await).await.code(),
        "LICENSE_LIMIT_EXCEEDED"
    );
    let mut idle = person(&org, "olaf").await;
    idle["IsActive"] = json!(false);
    let idle = org.add("User", idle).await;
    assert_eq!(
        org.update("User", &idle, json!({ "IsActive": true }))
            .await
            .code(),
        "LICENSE_LIMIT_EXCEEDED"
    );
    assert_eq!(
        org.update("User", &id, json!({ "IsActive": false })).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        org.update("User", &idle, json!({ "IsActive": true }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let counts = org
        .query("SELECT TotalLicenses, UsedLicenses FROM UserLicense")
        .await;
    assert_eq!(
        (&counts[0]["TotalLicenses"], &counts[0]["UsedLicenses"]),
        (&json!(4), &json!(4))
    );
    let raised = org
        .call(Method::POST, "/_local/license", json!({ "total": 9 }))
        .await
        .body;
    assert_eq!(raised, json!({ "total": 9, "used": 4 }));
}

#[tokio::test]
async fn a_changed_email_waits_for_its_owner() {
    let org = Org::new().await;
    let id = org.add("User", person(&org, "nora").await).await;
    org.advance(5).await;
    assert_eq!(
        org.update(
            "User",
            &id,
            json!({ "Email": "new@people.example", "Title": "Dr" })
        )
        .await
        .status,
        StatusCode::NO_CONTENT
    );
    let user = org.read("User", &id).await;
    assert_eq!(
        (&user["Email"], &user["Title"]),
        (&json!("nora@people.example"), &json!("Dr"))
    );
    let pending = org.get("/_local/emails").await.body;
    assert_eq!(pending["pending"][0]["email"], "new@people.example");
    org.advance(5).await;
    let confirmed = org
        .call(
            Method::POST,
            "/_local/emails",
            json!({ "user": "nora@people.example" }),
        )
        .await;
    assert_eq!(confirmed.status, StatusCode::OK, "{confirmed:?}");
    let after = org.read("User", &id).await;
    assert_eq!(after["Email"], "new@people.example");
    assert_ne!(after["SystemModstamp"], user["SystemModstamp"]);
    let none = org
        .call(Method::POST, "/_local/emails", json!({ "user": id }))
        .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_inactive_user_owns_nothing_new_and_does_not_log_in() {
    let org = Org::new().await;
    let bob = org
        .query("SELECT Id FROM User WHERE Username = 'bob@tandem.example'")
        .await[0]["Id"]
        .clone();
    let id = org.add("Account", json!({ "Name": "A", "OwnerId": bob })).await;
    let token = org.login("bob").await;
    org.update("User", bob.as_str().unwrap(), json!({ "IsActive": false }))
        .await;
    let reply = org
        .create("Account", json!({ "Name": "B", "OwnerId": bob }))
        .await;
    assert_eq!(
        (reply.code(), &reply.body[0]["fields"]),
        ("INACTIVE_OWNER_OR_USER", &json!(["OwnerId"]))
    );
    let kept = org
        .update("Account", &id, json!({ "Name": "A2", "OwnerId": bob }))
        .await;
    assert_eq!(kept.status, StatusCode::NO_CONTENT);
    let refused = org.send(&token, Method::GET, "limits", &[], Value::Null).await;
    assert_eq!(refused.code(), "INVALID_SESSION_ID");
}

#[tokio::test]
async fn only_administrators_write_users_and_divisions() {
    let org = Org::new().await;
    let body = person(&org, "nora").await;
    let refused = org.call_as("bob", Method::POST, "sobjects/User", body).await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::FORBIDDEN, "INSUFFICIENT_ACCESS_OR_READONLY")
    );
    let refused = org
        .call_as("bob", Method::POST, "sobjects/Division", json!({ "Name": "X" }))
        .await;
    assert_eq!(refused.code(), "INSUFFICIENT_ACCESS_OR_READONLY");
    let own = org
        .query("SELECT Id FROM User WHERE Username = 'bob@tandem.example'")
        .await[0]["Id"]
        .clone();
    let path = format!("sobjects/User/{}", own.as_str().unwrap());
    let allowed = org
        .call_as("bob", Method::PATCH, &path, json!({ "Title": "Clerk" }))
        .await;
    assert_eq!(allowed.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_a_user_writes_bears_the_users_name() {
    let org = Org::new().await;
    let id = org.add("Account", json!({ "Name": "A" })).await;
    org.call_as(
        "alice",
        Method::PATCH,
        &format!("sobjects/Account/{id}"),
        json!({ "Name": "B" }),
    )
    .await;
    let by = org
        .query("SELECT CreatedBy.Username, LastModifiedBy.Username FROM Account")
        .await;
    assert_eq!(by[0]["CreatedBy"]["Username"], "integration@tandem.example");
    assert_eq!(by[0]["LastModifiedBy"]["Username"], "alice@tandem.example");
    let log = org.get(&format!("/_local/log?id={id}")).await.body;
    let last = &log["entries"][1];
    assert_eq!(
        (&last["action"], &last["origin"]),
        (&json!("update"), &json!("api"))
    );
    assert_eq!(
        last["fields"],
        json!([{ "field": "Name", "old": "A", "new": "B" }])
    );
    let next = log["next"].as_u64().unwrap();
    assert_eq!(
        org.get(&format!("/_local/log?since={next}")).await.body["entries"],
        json!([])
    );
}

#[tokio::test]
async fn the_global_division_stays_active() {
    let org = Org::new().await;
    let global = org
        .query("SELECT Id, SortOrder FROM Division WHERE IsGlobalDivision = true")
        .await[0]["Id"]
        .clone();
    let refused = org
        .update("Division", global.as_str().unwrap(), json!({ "IsActive": false }))
        .await;
    assert_eq!(refused.code(), "CANNOT_DEACTIVATE_DIVISION");
    let id = org.add("Division", json!({ "Name": "North" })).await;
    let record = org.read("Division", &id).await;
    assert_eq!(
        (&record["IsActive"], &record["SortOrder"]),
        (&json!(true), &json!(1))
    );
    assert!(record.get("IsDeleted").is_none());
    assert_eq!(
        org.update("Division", &id, json!({ "IsActive": false }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn a_tasks_state_derives_from_its_status() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "Acme" })).await;
    let contact = org
        .add("Contact", json!({ "LastName": "Doe", "AccountId": account }))
        .await;
    let task = org
        .add(
            "Task",
            json!({ "Subject": "Call", "WhoId": contact, "Priority": "High" }),
        )
        .await;
    let open = org.read("Task", &task).await;
    assert_eq!(
        (&open["Status"], &open["IsClosed"], &open["CompletedDateTime"]),
        (&json!("Not Started"), &json!(false), &Value::Null)
    );
    assert_eq!(
        (&open["AccountId"], &open["IsHighPriority"]),
        (&json!(account), &json!(true))
    );
    org.update("Task", &task, json!({ "Status": "Completed" })).await;
    let closed = org.read("Task", &task).await;
    assert_eq!(closed["IsClosed"], true);
    assert_eq!(closed["CompletedDateTime"], closed["SystemModstamp"]);
    org.update("Task", &task, json!({ "Status": "In Progress" }))
        .await;
    assert!(org.read("Task", &task).await["CompletedDateTime"].is_null());
    let named = org
        .query("SELECT Who.Name, Who.Type, What.Name, Owner.Name FROM Task")
        .await;
    assert_eq!(
        (&named[0]["Who"]["Name"], &named[0]["What"]),
        (&json!("Doe"), &Value::Null)
    );
}

#[tokio::test]
async fn a_contact_without_an_account_is_private() {
    let org = Org::new().await;
    let id = org
        .add("Contact", json!({ "FirstName": "Jane", "LastName": "Doe" }))
        .await;
    assert_eq!(org.read("Contact", &id).await["Name"], "Jane Doe");
    let path = format!("sobjects/Contact/{id}");
    assert_eq!(
        org.call_as("bob", Method::GET, &path, Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
    let seen = org
        .call_as(
            "bob",
            Method::GET,
            "query?q=SELECT+COUNT()+FROM+Contact",
            Value::Null,
        )
        .await;
    assert_eq!(seen.body["totalSize"], 0);
    let account = org.add("Account", json!({ "Name": "Acme" })).await;
    org.update("Contact", &id, json!({ "AccountId": account })).await;
    assert_eq!(
        org.call_as("bob", Method::GET, &path, Value::Null).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_hangs_on_an_account_goes_with_it() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "Acme" })).await;
    let contact = org
        .add("Contact", json!({ "LastName": "Doe", "AccountId": account }))
        .await;
    let report = org
        .add("Contact", json!({ "LastName": "Roe", "ReportsToId": contact }))
        .await;
    let task = org
        .add("Task", json!({ "Subject": "Call", "WhoId": contact }))
        .await;
    org.delete("Account", &account).await;
    for (object, id) in [("Contact", &contact), ("Task", &task)] {
        assert_eq!(
            org.get(&format!("sobjects/{object}/{id}")).await.code(),
            "ENTITY_IS_DELETED",
            "{object}"
        );
    }
    assert!(org.read("Contact", &report).await["ReportsToId"].is_null());
}
