//! Change events through the Pub/Sub API.

use apache_avro::types::Value as Avro;
use reqwest::Method;
use serde_json::{Value, json};
use tandem_lab::salesforce::Options;
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
    assert_eq!(created.records, std::slice::from_ref(&id));
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
    let refused = tandem_lab::salesforce::serve(options.clone(), listener())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("5 entities"), "{refused}");
    let with = Options {
        event_addon: true,
        ..options
    };
    tandem_lab::salesforce::serve(with, listener())
        .await
        .unwrap()
        .shutdown()
        .await;
    let none = Options {
        change_events: Some(vec!["Division".to_owned()]),
        ..Options::default()
    };
    let refused = tandem_lab::salesforce::serve(none, listener()).await.unwrap_err();
    assert!(refused.to_string().contains("Division"), "{refused}");
}

/// Creates a contact and answers with its id.
async fn contact(org: &Org, name: &str) -> String {
    org.call(Method::POST, "sobjects/Contact", json!({ "LastName": name }))
        .await
        .id()
}

#[tokio::test]
async fn no_more_is_delivered_than_was_asked_for() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 1).await;
    for name in ["a", "b", "c"] {
        contact(&org, name).await;
    }
    let first = reader.next().await.unwrap();
    assert_eq!((first.events.len(), first.pending_num_requested), (1, 0));
    assert_eq!(first.latest_replay_id, first.events[0].replay_id);
    reader.more(1).await;
    reader.more(3).await;
    let rest = bus.read(&mut reader, 2).await;
    assert_eq!(rest[1].fields["Name.LastName"], text("c"));
    contact(&org, "d").await;
    let last = reader.next().await.unwrap();
    assert_eq!(last.pending_num_requested, 1, "requests add up");

    for count in [0, -1] {
        let status = bus.refused(CONTACTS, From::Latest, count).await;
        assert_eq!(
            (status.code(), code(&status).as_str()),
            (
                Code::InvalidArgument,
                "subscription.fetch.requested.events.invalid"
            )
        );
    }
    reader.ask_of(EVERYTHING, 1).await;
    let status = reader.next().await.unwrap_err();
    assert_eq!(code(&status), "subscription.fetch.topic.mismatch");
    let status = bus.refused("/data/NothingChangeEvent", From::Latest, 1).await;
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_request_counts_for_a_hundred_at_most() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let start = bus.subscribe(CONTACTS, From::Latest, 5).await;
    let records: Vec<Value> = (0..110)
        .map(|n| json!({ "attributes": { "type": "Contact" }, "LastName": format!("n{n}") }))
        .collect();
    let made = org
        .call(Method::POST, "composite/sobjects", json!({ "records": records }))
        .await;
    assert_eq!(made.status, 200);
    let mut reader = bus.subscribe(CONTACTS, From::Earliest, 1_000).await;
    let events = bus.read(&mut reader, 100).await;
    assert_eq!(events.len(), 100);
    assert!(events.windows(2).all(|pair| pair[0].replay < pair[1].replay));
    assert!(
        events.windows(2).all(
            |pair| pair[0].transaction == pair[1].transaction && pair[0].sequence + 1 == pair[1].sequence
        )
    );
    reader.more(10).await;
    assert_eq!(
        bus.read(&mut reader, 10).await[9].fields["Name.LastName"],
        text("n109")
    );
    drop(start);
}

#[tokio::test]
async fn a_subscriber_goes_on_where_it_stopped_as_long_as_that_is_kept() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    for name in ["a", "b", "c"] {
        contact(&org, name).await;
    }
    let mut all = bus.subscribe(CONTACTS, From::Earliest, 10).await;
    let events = bus.read(&mut all, 3).await;
    let gaps: Vec<u64> = events
        .windows(2)
        .map(|pair| number(&pair[1].replay) - number(&pair[0].replay))
        .collect();
    assert!(gaps.iter().all(|gap| *gap > 0));
    let mut rest = bus
        .subscribe(CONTACTS, From::After(events[0].replay.clone()), 10)
        .await;
    assert_eq!(bus.read(&mut rest, 2).await[0].fields["Name.LastName"], text("b"));

    let missing = bus.refused(CONTACTS, From::After(Vec::new()), 1).await;
    assert_eq!(code(&missing), "subscription.fetch.replayid.validation.failed");
    for bad in [vec![1, 2, 3], vec![0; 8], vec![0xff; 8]] {
        let status = bus.refused(CONTACTS, From::After(bad), 1).await;
        assert_eq!(
            (status.code(), code(&status).as_str()),
            (Code::InvalidArgument, "subscription.fetch.replayid.corrupted")
        );
    }
    // 71 hours later it is kept, after 72 it is not.
    org.call(Method::POST, "/_local/clock", json!({ "advance": 71 * 3_600 }))
        .await;
    let org = Org {
        token: org.login("tandem").await,
        ..org
    };
    let mut bus = Bus::of(&org).await;
    let mut rest = bus
        .subscribe(CONTACTS, From::After(events[1].replay.clone()), 10)
        .await;
    assert_eq!(bus.read(&mut rest, 1).await[0].fields["Name.LastName"], text("c"));
}

fn number(replay: &[u8]) -> u64 {
    u64::from_be_bytes(replay.try_into().unwrap())
}

#[tokio::test]
async fn events_older_than_72_hours_are_gone() {
    let mut org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    contact(&org, "old").await;
    let mut reader = bus.subscribe(CONTACTS, From::Earliest, 1).await;
    let old = bus.read(&mut reader, 1).await.remove(0).replay;
    org.call(Method::POST, "/_local/clock", json!({ "advance": 72 * 3_600 }))
        .await;
    org.token = org.login("tandem").await;
    contact(&org, "new").await;
    let mut bus = Bus::of(&org).await;
    let status = bus.refused(CONTACTS, From::After(old), 1).await;
    assert_eq!(code(&status), "subscription.fetch.replayid.corrupted");
    let mut reader = bus.subscribe(CONTACTS, From::Earliest, 5).await;
    assert_eq!(
        bus.read(&mut reader, 1).await[0].fields["Name.LastName"],
        text("new")
    );
}

#[tokio::test]
async fn the_log_is_bounded_and_what_it_dropped_cannot_be_gone_on_from() {
    let org = Org::start(Options {
        event_entries: 2,
        ..Options::default()
    })
    .await;
    let mut bus = Bus::of(&org).await;
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 5).await;
    let mut seen = Vec::new();
    for name in ["a", "b", "c"] {
        contact(&org, name).await;
        seen.extend(bus.read(&mut reader, 1).await);
    }
    let status = bus
        .refused(CONTACTS, From::After(seen[0].replay.clone()), 1)
        .await;
    assert_eq!(code(&status), "subscription.fetch.replayid.corrupted");
    let mut rest = bus
        .subscribe(CONTACTS, From::After(seen[1].replay.clone()), 1)
        .await;
    assert_eq!(bus.read(&mut rest, 1).await[0].fields["Name.LastName"], text("c"));
    assert_eq!(
        org.call(Method::DELETE, "/_local/events", Value::Null).await.body["kept"],
        0
    );
    let status = bus
        .refused(CONTACTS, From::After(seen[2].replay.clone()), 1)
        .await;
    assert_eq!(code(&status), "subscription.fetch.replayid.corrupted");
}

#[tokio::test]
async fn a_silent_stream_shows_signs_of_life_from_which_one_can_go_on() {
    let org = Org::start(Options {
        event_keepalive_seconds: 1,
        ..Options::default()
    })
    .await;
    let mut bus = Bus::of(&org).await;
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 3).await;
    let sign = reader.next().await.unwrap();
    assert!(sign.events.is_empty());
    assert_eq!(sign.pending_num_requested, 3);
    contact(&org, "next").await;
    let mut again = bus
        .subscribe(CONTACTS, From::After(sign.latest_replay_id), 1)
        .await;
    assert_eq!(
        bus.read(&mut again, 1).await[0].fields["Name.LastName"],
        text("next")
    );
}

#[tokio::test]
async fn the_day_s_deliveries_are_shared_and_run_out() {
    let org = Org::start(Options {
        daily_event_deliveries: 3,
        ..Options::default()
    })
    .await;
    let mut bus = Bus::of(&org).await;
    let mut one = bus.subscribe(CONTACTS, From::Latest, 10).await;
    let mut two = bus.subscribe(EVERYTHING, From::Latest, 10).await;
    contact(&org, "a").await;
    bus.read(&mut one, 1).await;
    bus.read(&mut two, 1).await;
    let limits = org.get("limits").await.body;
    assert_eq!(
        limits["DailyDeliveredPlatformEvents"],
        json!({ "Max": 3, "Remaining": 1 })
    );
    contact(&org, "b").await;
    contact(&org, "c").await;
    let mut ends = [false; 2];
    for (reader, end) in [&mut one, &mut two].into_iter().zip(&mut ends) {
        *end = loop {
            match reader.next().await {
                Ok(_) => {}
                Err(status) => {
                    break status.code() == Code::ResourceExhausted
                        && code(&status) == "subscription.limit.exceeded";
                }
            }
        };
    }
    assert_eq!(ends, [true, true]);
    let book = org.get("/_local/events").await.body;
    assert_eq!((&book["delivered"], &book["allowed"]), (&json!(3), &json!(3)));
    org.call(Method::POST, "/_local/events", json!({ "allowed": 100 }))
        .await;
    let mut three = bus.subscribe(CONTACTS, From::Earliest, 10).await;
    assert_eq!(bus.read(&mut three, 3).await.len(), 3);
}

#[tokio::test]
async fn gaps_and_overflows_are_told_on_request() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let id = contact(&org, "a").await;
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 10).await;
    let ask = |body: Value| org.call(Method::POST, "/_local/events", body);
    ask(json!({ "gap": "GAP_UPDATE", "object": "Contact", "ids": [id] })).await;
    let gap = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!((gap.change.as_str(), gap.records), ("GAP_UPDATE", vec![id]));
    assert!(gap.fields.is_empty());
    ask(json!({ "gap": "GAP_OVERFLOW", "object": "Contact" })).await;
    let overflow = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(overflow.change, "GAP_OVERFLOW");
    assert_eq!(overflow.records, ["000000000000000AAA"]);
    for bad in [
        json!({ "gap": "GAP_UPDATE", "object": "Contact" }),
        json!({ "gap": "UPDATE", "object": "Contact", "ids": [] }),
        json!({ "gap": "GAP_OVERFLOW", "object": "Account" }),
        json!({ "gap": "nonsense", "object": "Contact" }),
    ] {
        assert_eq!(ask(bad.clone()).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_transaction_of_too_many_changes_overflows() {
    let org = Org::start(Options {
        event_overflow: 3,
        ..Options::default()
    })
    .await;
    let mut bus = Bus::of(&org).await;
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 10).await;
    let records: Vec<Value> = (0..6)
        .map(|n| json!({ "attributes": { "type": "Contact" }, "LastName": format!("n{n}") }))
        .collect();
    org.call(Method::POST, "composite/sobjects", json!({ "records": records }))
        .await;
    let changes: Vec<String> = bus
        .read(&mut reader, 4)
        .await
        .into_iter()
        .map(|event| event.change)
        .collect();
    assert_eq!(changes, ["CREATE", "CREATE", "CREATE", "GAP_OVERFLOW"]);
}

#[tokio::test]
async fn the_same_change_of_several_records_is_one_event() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let (a, b) = (contact(&org, "a").await, contact(&org, "b").await);
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 10).await;
    let change = |id: &str| json!({ "attributes": { "type": "Contact" }, "id": id, "Department": "Sales" });
    let body = json!({ "records": [change(&a), change(&b)] });
    org.call(Method::PATCH, "composite/sobjects", body).await;
    let shared = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(shared.records, [a.clone(), b.clone()]);
    assert_eq!(shared.changed, ["Department", "LastModifiedDate"]);
    let both = format!("composite/sobjects?ids={a},{b}");
    org.call(Method::DELETE, &both, Value::Null).await;
    let gone = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!((gone.change.as_str(), gone.records), ("DELETE", vec![a, b]));
}

#[tokio::test]
async fn cascades_are_told_and_roll_ups_are_not() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let account = org
        .call(Method::POST, "sobjects/Account", json!({ "Name": "Acme" }))
        .await
        .id();
    let body = json!({ "LastName": "a", "AccountId": account });
    let child = org.call(Method::POST, "sobjects/Contact", body).await.id();
    let mut reader = bus.subscribe(EVERYTHING, From::Latest, 10).await;
    org.call(
        Method::DELETE,
        &format!("sobjects/Account/{account}"),
        Value::Null,
    )
    .await;
    let gone = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!((gone.change.as_str(), gone.records), ("DELETE", vec![child]));
    let topic = bus.topic("/data/OrderChangeEvent").await.unwrap();
    let schema = bus.schema(&topic.schema_id).await.unwrap().schema_json;
    assert!(schema.contains("\"OrderReferenceNumber\"") && !schema.contains("\"TotalAmount\""));
}

#[tokio::test]
async fn members_of_the_channel_are_selected_at_run_time() {
    let org = Org::new().await;
    let mut bus = Bus::of(&org).await;
    let path = "tooling/sobjects/PlatformEventChannelMember";
    let member = |event: &str| {
        json!({ "FullName": format!("ChangeEvents_{event}"),
        "Metadata": { "eventChannel": "ChangeEvents", "selectedEntity": event } })
    };
    let sixth = org.call(Method::POST, path, member("AccountChangeEvent")).await;
    assert_eq!(sixth.code(), "LIMIT_EXCEEDED");
    let query = "tooling/query?q=SELECT+Id,SelectedEntity+FROM+PlatformEventChannelMember+WHERE+SelectedEntity='TaskChangeEvent'";
    let found = org.get(query).await.body;
    assert_eq!(found["totalSize"], 1, "{found}");
    let task = found["records"][0]["Id"].as_str().unwrap().to_owned();
    assert_eq!(
        org.call(Method::DELETE, &format!("{path}/{task}"), Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        bus.topic("/data/TaskChangeEvent").await.unwrap_err().code(),
        Code::NotFound
    );
    let made = org.call(Method::POST, path, member("AccountChangeEvent")).await;
    assert_eq!(made.status, 201);
    let shown = org.get(&format!("{path}/{}", made.id())).await.body;
    assert_eq!(shown["Metadata"]["selectedEntity"], "AccountChangeEvent");
    let mut reader = bus.subscribe("/data/AccountChangeEvent", From::Latest, 1).await;
    org.call(Method::POST, "sobjects/Account", json!({ "Name": "Acme" }))
        .await
        .id();
    let event = bus.read(&mut reader, 1).await.remove(0);
    assert_eq!(event.fields["Name"], text("Acme"));

    let again = org.call(Method::POST, path, member("AccountChangeEvent")).await;
    assert_eq!(again.code(), "DUPLICATE_VALUE");
    let nothing = org.call(Method::POST, path, member("DivisionChangeEvent")).await;
    assert_eq!(nothing.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    let bob = org
        .call_as("bob", Method::POST, path, member("UserChangeEvent"))
        .await;
    assert_eq!(bob.status, 403);
    assert_eq!(org.get(&format!("{path}/{task}")).await.status, 404);
    assert_eq!(
        // So the sf command learns that the org tracks no source.
        org.get("tooling/sobjects/SourceMember/describe").await.code(),
        "NOT_FOUND"
    );
    assert_eq!(
        org.get("tooling/query?q=SELECT+Id+FROM+ApexClass").await.code(),
        "INVALID_TYPE"
    );
}

#[tokio::test]
async fn a_subscription_ends_with_its_token_and_with_the_org() {
    let org = Org::new().await;
    let bus = Bus::of(&org).await;
    let mut reader = bus.subscribe(CONTACTS, From::Latest, 5).await;
    let mut other = bus.subscribe(CONTACTS, From::Latest, 5).await;
    org.call(Method::DELETE, "/_local/tokens", Value::Null).await;
    contact_as(&org, "x").await;
    assert_eq!(code(&reader.next().await.unwrap_err()), "service.auth.error");
    assert_eq!(code(&other.next().await.unwrap_err()), "service.auth.error");
    let org = Org {
        token: org.login("tandem").await,
        ..org
    };
    let bus = Bus::of(&org).await;
    let mut last = bus.subscribe(CONTACTS, From::Latest, 5).await;
    contact(&org, "y").await;
    assert_eq!(last.next().await.unwrap().events.len(), 1);
    let ended = tokio::spawn(async move { last.next().await.unwrap_err() });
    org.server.shutdown().await;
    let status = ended.await.unwrap();
    assert_eq!(
        (status.code(), code(&status).as_str()),
        (Code::Unavailable, "service.unavailable")
    );
}

async fn contact_as(org: &Org, name: &str) {
    let made = org
        .call_as(
            "tandem",
            Method::POST,
            "sobjects/Contact",
            json!({ "LastName": name }),
        )
        .await;
    assert_eq!(made.status, 201);
}
