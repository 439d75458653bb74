//! Change events through the Pub/Sub API.

use apache_avro::types::Value as Avro;
use reqwest::Method;
use serde_json::{Value, json};
use tandem_sandbox::salesforce::Options;
use tonic::Code;

use super::Org;
use super::pubsub::{Bus, From, code};

const CONTACTS: &str = "/data/ContactChangeEvent";
const EVERYTHING: &str = "/data/ChangeEvents";

fn text(text: &str) -> Avro {
    Avro::String(text.to_owned())
}

#[tokio::test]
async fn create_update_and_delete_are_told_as_they_happen() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 10).await;
    let named = [("Sforce-Call-Options", "client=Tandem")];
    let body = json!({ "FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.com",
        "MailingCity": "London", "Phone": "1" });
    let made = org
        .call_with(Method::POST, "sobjects/Contact", &named, body)
        .await;
    let id = made.id();
    let row = format!("sobjects/Contact/{id}");
    let created = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(
        (created.change.as_str(), created.entity.as_str()),
        ("CREATE", "Contact")
    );
    assert_eq!(created.records, [id.clone()]);
    assert_eq!(created.origin, "com/salesforce/api/rest/62.0;client=Tandem");
    assert!(created.user.starts_with("005"));
    assert_eq!(created.fields["Name.FirstName"], text("Ada"));
    assert_eq!(created.fields["MailingAddress.City"], text("London"));
    assert_eq!(created.fields["HasOptedOutOfEmail"], Avro::Boolean(false));
    assert!(matches!(created.fields["CreatedDate"], Avro::Long(at) if at > 1_700_000_000_000));
    assert!(created.changed.is_empty() && created.nulled.is_empty());
    assert!(!created.fields.contains_key("SystemModstamp"));

    let change = json!({ "LastName": "King", "MailingCity": null, "Phone": "", "Email": "ada@example.com" });
    assert_eq!(org.call(Method::PATCH, &row, change).await.status, 204);
    let updated = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(updated.change, "UPDATE");
    assert_eq!(
        updated.changed,
        [
            "LastModifiedDate",
            "MailingAddress.City",
            "Name.LastName",
            "Phone"
        ]
    );
    assert_eq!(updated.nulled, ["MailingAddress.City", "Phone"]);
    assert_eq!(updated.fields["Name.LastName"], text("King"));
    assert_eq!(updated.fields.len(), 2, "only what changed: {:?}", updated.fields);
    assert!(updated.number > created.number && updated.at >= created.at);
    assert_ne!(updated.transaction, created.transaction);
    assert_ne!(updated.replay, created.replay);

    assert_eq!(org.call(Method::DELETE, &row, Value::Null).await.status, 204);
    let deleted = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!((deleted.change.as_str(), deleted.sequence), ("DELETE", 1));
    assert_eq!(deleted.records, [id]);
    assert!(deleted.fields.is_empty());
}

#[tokio::test]
async fn what_was_refused_or_not_selected_makes_no_event() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let mut reader = bus.subscribe(EVERYTHING, From::Latest, 10).await;
    assert_eq!(
        org.call(Method::POST, "sobjects/Contact", json!({ "FirstName": "No" }))
            .await
            .status,
        400
    );
    org.call(
        Method::POST,
        "sobjects/Account",
        json!({ "Name": "Not selected" }),
    )
    .await
    .id();
    org.call(
        Method::POST,
        "sobjects/Invoice__c",
        json!({ "InvoiceNumber__c": "1", "TotalAmount__c": 12.5 }),
    )
    .await
    .id();
    let only = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(only.entity, "Invoice__c");
    assert_eq!(only.fields["TotalAmount__c"], Avro::Double(12.5));
}

#[tokio::test]
async fn topics_and_schemas_are_described() {
    let org = Org::new().await;
    let bus = Bus::of(&org).await;
    let topic = bus.topic("/data/Invoice__ChangeEvent").await.unwrap();
    assert!(topic.can_subscribe && !topic.can_publish);
    let schema = bus.schema(&topic.schema_id).await.unwrap();
    let json: Value = serde_json::from_str(&schema.schema_json).unwrap();
    assert_eq!(json["name"], "Invoice__ChangeEvent");
    assert_eq!(json["fields"][0]["name"], "ChangeEventHeader");
    assert!(bus.topic(EVERYTHING).await.unwrap().can_subscribe);

    for (name, expected, said) in [
        ("", Code::InvalidArgument, "topic.validation.empty"),
        ("/data/NothingChangeEvent", Code::NotFound, "topic.not.found"),
        ("/data/AccountChangeEvent", Code::NotFound, "topic.not.found"),
        ("/event/Something__e", Code::NotFound, "topic.not.found"),
    ] {
        let status = bus.topic(name).await.unwrap_err();
        assert_eq!(
            (status.code(), code(&status).as_str()),
            (expected, said),
            "{name}"
        );
        assert!(status.message().contains("rpcId: "));
    }
    let unknown = bus.schema("nothing").await.unwrap_err();
    assert_eq!(code(&unknown), "schema.meta.permission");
    let blank = bus.schema("").await.unwrap_err();
    assert_eq!(code(&blank), "schema.validation.failed");
}

#[tokio::test]
async fn the_three_headers_are_checked() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let good = bus.headers.clone();
    for (at, value, said) in [
        (0, "", "service.auth.headers.invalid"),
        (0, "nonsense", "service.auth.error"),
        (1, "https://login.salesforce.com", "service.auth.error"),
        (2, "00D000000000001", "service.auth.error"),
        (2, "nonsense", "service.auth.headers.invalid"),
    ] {
        bus.headers = good.clone();
        value.clone_into(&mut bus.headers[at].1);
        let status = bus.topic(CONTACTS).await.unwrap_err();
        assert_eq!(
            (status.code(), code(&status).as_str()),
            (Code::Unauthenticated, said),
            "{value}"
        );
    }
    bus.headers = good;
    bus.headers[0].1 = org.login("bob").await;
    let status = bus.topic(CONTACTS).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(code(&status), "subscription.topic.cannot.subscribe");
}

#[tokio::test]
async fn more_objects_than_five_need_the_add_on() {
    let six = ["Account", "Contact", "Order", "Quote", "Task", "Product2"].map(str::to_owned);
    let options = Options {
        change_events: Some(six.into()),
        ..Options::default()
    };
    let listener = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = tandem_sandbox::salesforce::serve(options.clone(), listener())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("5 entities"), "{refused}");
    let with = Options {
        event_addon: true,
        ..options
    };
    tandem_sandbox::salesforce::serve(with, listener())
        .await
        .unwrap()
        .shutdown()
        .await;
    let none = Options {
        change_events: Some(vec!["Division".to_owned()]),
        ..Options::default()
    };
    let refused = tandem_sandbox::salesforce::serve(none, listener())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("Division"), "{refused}");
}
