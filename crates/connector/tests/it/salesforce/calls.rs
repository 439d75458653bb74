//! What travels in which call, and what happens when the org stops taking calls.

use super::{NOBODY, config, of, scene};
use crate::scene::{applied, one};
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, Watch, Writes};
use tandem_connector::{Connector, ErrorKind, Lane, Outcome, Write};
use tandem_merge::record::{Observation, Presence, RecordType, Version};
use tandem_merge::value::Value;

/// Work whose calls are counted.
#[async_trait::async_trait]
trait AsyncWork: Send {
    async fn run(&mut self, org: &dyn Connector);
}

struct Writing(Vec<Write>, Vec<Outcome>);
struct Finding(RecordType, Vec<Vec<Value>>, Vec<Observation>);
struct Fetching(RecordType, Vec<String>, Vec<Observation>);

#[async_trait::async_trait]
impl AsyncWork for Writing {
    async fn run(&mut self, org: &dyn Connector) {
        self.1 = org.write(&self.0, Lane::Live).await;
    }
}

#[async_trait::async_trait]
impl AsyncWork for Finding {
    async fn run(&mut self, org: &dyn Connector) {
        self.2 = org
            .find(&self.0, &["LastName".to_owned()], &self.1)
            .await
            .unwrap();
    }
}

#[async_trait::async_trait]
impl AsyncWork for Fetching {
    async fn run(&mut self, org: &dyn Connector) {
        self.2 = org.fetch(&self.0, &self.1).await.unwrap();
    }
}

#[tokio::test]
async fn calls_are_packed() {
    let scene = scene().await;
    let org = scene.ours.as_ref();
    org.describe().await.unwrap();
    let measured = async |work: &mut dyn AsyncWork| {
        let before = org.calls();
        work.run(org).await;
        org.calls() - before
    };
    // 400 creates: up to five collections of 200 to a call.
    let many: Vec<_> = (0..400)
        .map(|n| scene.create(n, scene.named(&format!("Name {n}"))))
        .collect();
    let mut made = Writing(many, Vec::new());
    assert_eq!(measured(&mut made).await, 1);
    let ids: Vec<String> = made.1.iter().map(applied).collect();
    // 1,500 keys, 2,000 ids: one call each.
    let keys: Vec<_> = (0..1_500)
        .map(|n| vec![Value::text(format!("Name {n}"))])
        .collect();
    let mut finding = Finding(scene.contact(), keys, Vec::new());
    assert_eq!(measured(&mut finding).await, 1);
    assert_eq!(finding.2.len(), 400);
    let mut fetched: Vec<String> = ids.clone();
    fetched.extend((0..1_600).map(|n| format!("0030000000{n:05}AAA")));
    let mut fetching = Fetching(scene.contact(), fetched, Vec::new());
    assert_eq!(measured(&mut fetching).await, 1);
    assert_eq!(fetching.2.len(), 2_000);
    // 50 conditional updates: 25 to a call.
    scene.firm(&ids[0]).await;
    let alive = org.fetch(&scene.contact(), &ids[..50]).await.unwrap();
    let changed =
        |shown: &Observation| scene.update(&shown.key.id, scene.described("new"), shown.version.clone());
    let mut updates = Writing(alive.iter().map(changed).collect(), Vec::new());
    assert_eq!(measured(&mut updates).await, 2);
    updates.1.iter().for_each(|outcome| drop(applied(outcome)));
}

#[tokio::test]
async fn a_quiet_round_over_eight_types_takes_two_calls() {
    let scene = scene().await;
    let names = [
        "Contact", "Division", "Invoice", "Order", "Product2", "Quote", "Task", "User",
    ];
    let types = names.map(of);
    let round = async |mut cursor: Option<Vec<u8>>| {
        let (mut seen, mut more) = (Vec::new(), true);
        while more {
            let page = scene.ours.changes(&types, cursor.as_deref()).await.unwrap();
            (cursor, more) = (Some(page.cursor), page.more);
            seen.extend(page.observations);
        }
        (seen, cursor)
    };
    let (first, cursor) = round(None).await;
    let names: Vec<_> = first
        .iter()
        .map(|shown| shown.key.record_type.name.as_str())
        .collect();
    assert_eq!(names, ["Division", "User", "User", "User"]);
    let mut last = cursor;
    for quiet in [false, false, true] {
        let before = scene.ours.calls();
        // Beyond the overlap, within the life of the token.
        scene.advance(1_800).await;
        let (seen, cursor) = round(last.clone()).await;
        assert_eq!(scene.ours.calls() - before, 2);
        assert_eq!(seen.is_empty(), quiet, "{seen:?}");
        assert_ne!(cursor, last);
        last = cursor;
    }
    // Deletions were asked for in the same calls: what they cover moved on with the org's clock.
    let cursor: serde_json::Value = serde_json::from_slice(&last.unwrap()).unwrap();
    let covered = cursor["types"]["Contact"]["covered"].as_str().unwrap().to_owned();
    assert!(
        covered.parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::now(),
        "{covered}"
    );
}

#[tokio::test]
async fn where_somebody_listens_types_take_turns_so_that_calls_are_full() {
    let scene = scene().await;
    // GIVEN eleven types, polled, and somebody who listens.
    let names = [
        "Contact",
        "Division",
        "Invoice",
        "InvoiceLine",
        "Order",
        "OrderItem",
        "Product2",
        "Quote",
        "QuoteLineItem",
        "Task",
        "User",
    ];
    let types = names.map(of);
    let connect = || {
        let mut config = config(&scene.url, "tandem");
        let lines = [
            ("InvoiceLine", "InvoiceLine__c"),
            ("OrderItem", "OrderItem"),
            ("QuoteLineItem", "QuoteLineItem"),
        ];
        let lines = lines.map(|(name, object)| (name.to_owned(), object.to_owned()));
        config.bindings.extend(lines);
        Salesforce::connect(config).unwrap()
    };
    let ours = connect();
    let since = |cursor: &[u8], name: &str| {
        let cursor: serde_json::Value = serde_json::from_slice(cursor).unwrap();
        cursor["types"][name]["since"].to_string()
    };
    let round = async |mut cursor: Option<Vec<u8>>| loop {
        let page = ours.changes(&types, cursor.as_deref()).await.unwrap();
        cursor = Some(page.cursor);
        if !page.more {
            return cursor.unwrap();
        }
    };
    let mut cursor = round(None).await;
    assert!(futures::FutureExt::now_or_never(ours.changed()).is_none());
    // WHEN eleven rounds pass in which nothing happens.
    let (before, mut asked) = (ours.calls(), 0);
    for _ in 0..11 {
        scene.advance(60).await;
        let next = round(Some(cursor.clone())).await;
        let of_round = names
            .iter()
            .filter(|name| since(&next, name) != since(&cursor, name));
        asked += of_round.count();
        cursor = next;
    }
    // THEN each takes two calls, and each type was asked in ten of them.
    assert_eq!(ours.calls() - before, 22);
    assert_eq!(asked, 110);
    let oldest = names.iter().map(|name| since(&cursor, name)).min().unwrap();
    assert_ne!(oldest, "null");
    // An asker who does not listen sees all of them.
    let all = connect().changes(&types, Some(&cursor)).await.unwrap();
    assert!(all.more, "eleven types are three calls");
}

#[tokio::test]
async fn unconditional_writes_travel_as_collections_and_answer_each_row() {
    let scene = scene().await;
    let many: Vec<_> = (0..30)
        .map(|n| scene.create(n, scene.named(&format!("Name {n}"))))
        .collect();
    let ids: Vec<String> = scene
        .ours
        .write(&many, Lane::Live)
        .await
        .iter()
        .map(applied)
        .collect();
    let before = scene.ours.calls();
    let mut updates: Vec<_> = ids
        .iter()
        .map(|id| scene.update(id, scene.described("new"), None))
        .collect();
    updates[7] = scene.update(NOBODY, scene.described("new"), None);
    updates[8] = scene.update(&ids[8], scene.named(&"x".repeat(100)), None);
    let outcomes = scene.ours.write(&updates, Lane::Live).await;
    assert_eq!(scene.ours.calls() - before, 1);
    assert_eq!(outcomes[7], Outcome::Gone);
    let Outcome::Refused(refusal) = &outcomes[8] else {
        panic!("{:?}", outcomes[8])
    };
    assert_eq!(refusal.properties, ["LastName"]);
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Applied { .. }))
            .count(),
        28
    );
    // In throughput mode conditions are given up for updates.
    let throughput = SalesforceConfig {
        writes: Writes {
            throughput: true,
            bulk: None,
        },
        watch: Watch::polling(),
        ..config(&scene.url, "tandem")
    };
    let throughput = Salesforce::connect(throughput).unwrap();
    assert!(!throughput.capabilities().usual.conditional_write);
    let old = Version {
        token: "2000-01-01T00:00:00.000+0000".to_owned(),
        order: None,
        modified: "2000-01-01T00:00:00Z".parse().unwrap(),
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    };
    applied(
        &one(
            &throughput,
            scene.update(&ids[0], scene.described("forced"), Some(old.clone())),
        )
        .await,
    );
    let guarded = scene.update(&ids[0], scene.described("guarded"), Some(old));
    assert_eq!(one(scene.ours.as_ref(), guarded).await, Outcome::Stale);
}

#[tokio::test]
async fn users_ride_beside_the_collections_of_a_call() {
    let scene = scene().await;
    let throughput = SalesforceConfig {
        writes: Writes {
            throughput: true,
            bulk: None,
        },
        watch: Watch::polling(),
        ..config(&scene.url, "tandem")
    };
    let org = Salesforce::connect(throughput).unwrap();
    let users = org.list(&of("User"), None).await.unwrap().observations;
    let user = users.iter().find(|user| !user.protected).unwrap().key.id.clone();
    let ids = [scene.made("One").await, scene.made("Two").await];
    let contact = |id: &String| scene.update(id, scene.described("new"), None);
    let named = |id: &str| super::update("User", id, &[("LastName", Value::from("Clerk"))], None);
    let mut writes: Vec<Write> = ids.iter().map(contact).collect();
    writes.extend([named(&user), named("005000000000001AAA")]);
    let before = org.calls();
    let outcomes = org.write(&writes, Lane::Live).await;
    assert_eq!(org.calls() - before, 1, "{outcomes:?}");
    outcomes.iter().take(3).for_each(|outcome| drop(applied(outcome)));
    assert_eq!(outcomes[3], Outcome::Gone);
    let found = org.fetch(&of("User"), std::slice::from_ref(&user)).await.unwrap();
    assert_eq!(found[0].values["LastName"], Value::from("Clerk"));
}

#[tokio::test]
async fn l3_an_object_that_holds_only_what_we_made_is_searched_by_a_count() {
    let scene = scene().await;
    let org = scene.ours.as_ref();
    let keys: Vec<Vec<Value>> = (0..2_001)
        .map(|n| vec![Value::text(format!("Name {n}"))])
        .collect();
    let looked = async || {
        let before = org.calls();
        let property = ["LastName".to_owned()];
        let found = org.find(&scene.contact(), &property, &keys).await.unwrap();
        let known = |row: &Observation| row.values["LastName"].to_string().starts_with("Name");
        (
            org.calls() - before,
            found.iter().filter(|row| known(row)).count(),
        )
    };
    org.describe().await.unwrap();
    assert_eq!(looked().await, (1, 0), "the org has no contacts");
    let many: Vec<Write> = (3_000..3_100)
        .map(|n| scene.create(n, scene.named(&format!("Name {n}"))))
        .collect();
    let made = org.write(&many, Lane::Live).await;
    made.iter().for_each(|outcome| drop(applied(outcome)));
    assert_eq!(looked().await, (1, 0), "all that is there is ours");
    // Somebody else creates one of those that are looked for.
    scene.made("Name 7").await;
    let (_, found) = looked().await;
    assert!(found > 0, "what a person created is found");
}

#[tokio::test]
async fn used_up_calls_are_not_sent_and_say_when_to_return() {
    let scene = scene().await;
    let id = scene.made("Someone").await;
    scene.read(&id).await;
    let calls = scene.url.join("/_local/calls").unwrap();
    let limit = scene
        .http
        .post(calls)
        .header("content-type", "application/json")
        .body("{\"allowed\":0}");
    assert!(limit.send().await.unwrap().status().is_success());
    let outcome = one(scene.ours.as_ref(), scene.create(1, scene.named("Never"))).await;
    let Outcome::NotSent(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.retry_at.unwrap() > jiff::Timestamp::now());
    let error = scene.ours.fetch(&scene.contact(), &[id]).await.unwrap_err();
    assert_eq!((error.kind, error.retry_at.is_some()), (ErrorKind::Refused, true));
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_all() {
    let scene = scene().await;
    let id = scene.made("Someone").await;
    scene.read(&id).await;
    let tokens = scene.url.join("/_local/tokens").unwrap();
    assert!(
        scene
            .http
            .delete(tokens)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let ids = [id.clone()];
    let contact = scene.contact();
    let reads = (0..6).map(|_| scene.ours.fetch(&contact, &ids));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap()[0].presence, Presence::Alive);
    }
    let made = one(scene.ours.as_ref(), scene.create(1, scene.named("After"))).await;
    applied(&made);
}
