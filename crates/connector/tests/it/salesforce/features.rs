//! What an org may have beside the usual, and what becomes of it here: person accounts, record types, approvals, queues.

use super::{connect, create, of, start, values};
use crate::scene::{applied, one};
use serde_json::{Value as Json, json};
use tandem_connector::{Change, Lane, Outcome, Refusal, RefusalKind, Write};
use tandem_lab::salesforce::{Options, Server};
use tandem_merge::record::{Presence, RecordKey, Version};
use tandem_merge::value::Value;
use url::Url;

/// An org with these options beside the usual ones.
async fn org(options: Json) -> (Server, Url) {
    start(Options::from_json(&options.to_string()).unwrap()).await
}

fn update(name: &str, id: &str, pairs: &[(&str, Value)], only_if: Option<Version>) -> Write {
    Write {
        intent: 9,
        key: "key-9".to_owned(),
        change: Change::Update {
            record: RecordKey {
                record_type: of(name),
                id: id.to_owned(),
            },
            values: values(pairs),
            only_if,
        },
    }
}

fn refused(outcome: &Outcome) -> &Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn e9_the_contact_of_a_person_account_is_read_and_never_written() {
    // GIVEN a person account with its contact, and a contact of a company
    let (_server, url) = org(json!({ "person_accounts": true })).await;
    let org = connect(&url, "tandem");
    let contact = create("Contact", 1, &[("LastName", "Worker".into())]);
    let worker = applied(&one(org.as_ref(), contact).await);
    let person = create(
        "Account",
        2,
        &[("FirstName", "Ada".into()), ("LastName", "Byron".into())],
    );
    applied(&one(org.as_ref(), person).await);
    // WHEN the contacts are listed
    let seen = org.list(&of("Contact"), None).await.unwrap().observations;
    // THEN the person's is shown as one that is not to be written, the other is not
    assert_eq!(seen.len(), 2);
    for contact in seen {
        assert_eq!(contact.protected, contact.key.id != worker, "{contact:?}");
        if contact.protected {
            assert_eq!(contact.values["LastName"], "Byron".into());
            let change = update("Contact", &contact.key.id, &[("Phone", "1".into())], None);
            let outcome = one(org.as_ref(), change).await;
            assert_eq!(refused(&outcome).kind, RefusalKind::Forbidden);
        }
    }
}

#[tokio::test]
async fn an_entry_that_the_record_type_lacks_is_refused_alone_and_by_name() {
    // GIVEN a record type with fewer entries than the picklist has
    let types = json!([{
        "object": "Contact", "name": "Partner", "default": true, "values": { "LeadSource": ["Web"] },
    }]);
    let (_server, url) = org(json!({ "record_types": types })).await;
    let org = connect(&url, "tandem");
    // WHEN contacts with both kinds of entries are created
    let with = |intent: u64, source: &str| {
        let pairs = [("LastName", "A".into()), ("LeadSource", source.into())];
        create("Contact", intent, &pairs)
    };
    let batch = [with(1, "Web"), with(2, "Other"), with(3, "Web")];
    let outcomes = org.write(&batch, Lane::Live).await;
    // THEN one is refused, with the property and what can be done, and the others are there
    applied(&outcomes[0]);
    applied(&outcomes[2]);
    let refusal = refused(&outcomes[1]);
    assert_eq!(refusal.properties, ["LeadSource"]);
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(refusal.advice.contains("record type"), "{}", refusal.advice);
}

#[tokio::test]
async fn a_record_in_approval_is_locked_until_the_approval_ends() {
    // GIVEN a record that waits for approval, and a user who is no administrator
    let locks = json!([{ "object": "Contact", "condition": "Title = 'in approval'" }]);
    let (_server, url) = org(json!({ "approval_locks": locks })).await;
    let (admin, org) = (connect(&url, "alice"), connect(&url, "bob"));
    let account = create("Account", 1, &[("Name", "Acme".into())]);
    let account = applied(&one(admin.as_ref(), account).await);
    let pairs = [
        ("LastName", "A".into()),
        ("Title", "in approval".into()),
        ("AccountId", account.as_str().into()),
    ];
    let id = applied(&one(admin.as_ref(), create("Contact", 2, &pairs)).await);
    // WHEN it is written, with and without a condition
    let read = org
        .fetch(&of("Contact"), std::slice::from_ref(&id))
        .await
        .unwrap()
        .remove(0);
    for only_if in [read.version, None] {
        let change = update("Contact", &id, &[("Phone", "1".into())], only_if);
        let outcome = one(org.as_ref(), change).await;
        // THEN it is refused as locked, which says what to do
        let refusal = refused(&outcome);
        assert_eq!(refusal.kind, RefusalKind::Locked);
        assert!(refusal.properties.is_empty());
        assert!(refusal.advice.contains("approval"), "{}", refusal.advice);
    }
    // AND it is written once the approval is over
    let lifted = update("Contact", &id, &[("Title", "approved".into())], None);
    applied(&one(admin.as_ref(), lifted).await);
    let change = update("Contact", &id, &[("Phone", "1".into())], None);
    applied(&one(org.as_ref(), change).await);
}

#[tokio::test]
async fn a_queue_is_an_owner_that_is_no_user() {
    // GIVEN a task that a queue owns
    let queues = json!([{ "name": "Desk", "objects": ["Task"] }]);
    let (_server, url) = org(json!({ "queues": queues })).await;
    let org = connect(&url, "tandem");
    let queue = queue(&url).await;
    let pairs = [("Subject", "Call".into()), ("OwnerId", queue.as_str().into())];
    let id = applied(&one(org.as_ref(), create("Task", 1, &pairs)).await);
    // WHEN the task is read
    let task = org.fetch(&of("Task"), &[id]).await.unwrap().remove(0);
    // THEN its owner is the queue, and no user answers to the queue's id: the owner is left as it is
    assert_eq!(task.values["OwnerId"], queue.as_str().into());
    let nobody = org.fetch(&of("User"), &[queue]).await.unwrap().remove(0);
    assert_eq!(nobody.presence, Presence::Missing);
}

/// The id of the only queue.
async fn queue(url: &Url) -> String {
    let http = crate::scene::plain_client();
    let token = http.post(url.join("/services/oauth2/token").unwrap());
    let form = "grant_type=client_credentials&client_id=tandem&client_secret=tandem-secret";
    let token = token
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let token: Json = serde_json::from_str(&token.send().await.unwrap().text().await.unwrap()).unwrap();
    let query = url
        .join("/services/data/v62.0/query?q=SELECT+Id+FROM+Group")
        .unwrap();
    let reply = http.get(query).header(
        "authorization",
        format!("Bearer {}", token["access_token"].as_str().unwrap()),
    );
    let reply: Json = serde_json::from_str(&reply.send().await.unwrap().text().await.unwrap()).unwrap();
    reply["records"][0]["Id"].as_str().unwrap().to_owned()
}
