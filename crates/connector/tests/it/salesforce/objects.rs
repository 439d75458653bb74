//! Users, companions, and what an org has or lacks.

use super::{config, create, delete, of, scene, start, update};
use crate::scene::{Scene, applied, one};
use std::collections::BTreeMap;
use tandem_connector::salesforce::Salesforce;
use tandem_connector::{Change, Connector, ErrorKind, Lane, Outcome, RefusalKind, Write};
use tandem_lab::salesforce::{InvoiceSeed, Options};
use tandem_merge::record::{Presence, RecordKey};
use tandem_merge::value::Value;

fn user(username: &str) -> Write {
    let text = |name: &'static str, value: &str| (name, Value::text(value));
    create(
        "User",
        50,
        &[
            text("Username", username),
            text("LastName", "New"),
            text("Email", username),
            text("Alias", "new"),
            text("TimeZoneSidKey", "Europe/Berlin"),
            text("LocaleSidKey", "en_US"),
            text("EmailEncodingKey", "UTF-8"),
            text("LanguageLocaleKey", "en_US"),
        ],
    )
}

/// The profile of a user that the org began with.
async fn profile_of(scene: &Scene, username: &str) -> Value {
    let mut config = config(&scene.url, "tandem");
    config.fields.insert(
        "User".to_owned(),
        vec!["Username".to_owned(), "ProfileId".to_owned()],
    );
    let org = Salesforce::connect(config).unwrap();
    let found = org
        .find(&of("User"), &["Username".to_owned()], &[vec![username.into()]])
        .await;
    found.unwrap()[0].values["ProfileId"].clone()
}

#[tokio::test]
async fn users_with_powers_are_protected_and_created_apart() {
    let scene = scene().await;
    let page = scene.ours.list(&of("User"), None).await.unwrap();
    let protected: BTreeMap<&str, bool> = page
        .observations
        .iter()
        .map(|shown| (shown.values["Username"].as_text().unwrap(), shown.protected))
        .collect();
    let expected = [("alice", true), ("bob", false), ("integration", true)];
    let names: Vec<_> = expected
        .iter()
        .map(|(name, on)| (format!("{name}@tandem.example"), *on))
        .collect();
    assert_eq!(
        protected,
        names.iter().map(|(name, on)| (name.as_str(), *on)).collect()
    );
    // A batch may hold users and others; they travel apart.
    let mut new = user("new@tandem.example");
    if let Change::Create { values, .. } = &mut new.change {
        values.insert(
            "ProfileId".to_owned(),
            profile_of(&scene, "bob@tandem.example").await,
        );
    }
    let batch = [
        scene.create(1, scene.named("First")),
        new,
        scene.create(2, scene.named("Last")),
    ];
    let outcomes = scene.ours.write(&batch, Lane::Live).await;
    let ids: Vec<String> = outcomes.iter().map(applied).collect();
    assert_eq!([&ids[0][..3], &ids[1][..3], &ids[2][..3]], ["003", "005", "003"]);
    let twice = one(scene.ours.as_ref(), user("new@tandem.example")).await;
    let Outcome::Refused(refusal) = twice else {
        panic!("{twice:?}")
    };
    assert!(
        matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Duplicate),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn companions_are_known_by_their_object_and_amounts_are_exact() {
    let scene = scene().await;
    let org = scene.ours.as_ref();
    let account = [
        ("Name", Value::text("Acme")),
        ("Customerp_Id__c", "Customer:1".into()),
    ];
    let account = applied(&one(org, create("Account", 1, &account)).await);
    let close = Value::Date("2030-01-01".parse().unwrap());
    let opportunity = [
        ("Name", Value::text("Offer")),
        ("StageName", "Prospecting".into()),
        ("CloseDate", close.clone()),
        ("AccountId", account.as_str().into()),
        ("Customerp_Id__c", "Quote:1".into()),
    ];
    let opportunity = applied(&one(org, create("Opportunity", 2, &opportunity)).await);
    let found = org
        .find(
            &of("Opportunity"),
            &["Customerp_Id__c".to_owned()],
            &[vec!["Quote:1".into()]],
        )
        .await
        .unwrap();
    assert_eq!(
        found[0].key,
        RecordKey::new("salesforce", "Opportunity", &opportunity)
    );
    assert_eq!(found[0].values["CloseDate"], close);
    let amount: rust_decimal::Decimal = "123456789012345.67".parse().unwrap();
    let quote = [
        ("Name", Value::text("Offer")),
        ("OpportunityId", opportunity.as_str().into()),
        ("Tax", Value::Decimal(amount)),
    ];
    let quote = applied(&one(org, create("Quote", 3, &quote)).await);
    let read = org.fetch(&of("Quote"), &[quote]).await.unwrap().remove(0);
    assert_eq!(read.values["Tax"], Value::Decimal(amount));
    assert!(!read.values["QuoteNumber"].is_blank());
}

#[tokio::test]
async fn e16_what_was_deleted_is_found_in_the_recycle_bin_by_its_external_id() {
    // GIVEN two accounts with external ids, one of which is deleted
    let scene = scene().await;
    let org = scene.ours.as_ref();
    let property = "Customerp_Id__c";
    let made = |id: &'static str| [("Name", Value::text("Acme")), (property, id.into())];
    let kept = applied(&one(org, create("Account", 1, &made("Customer:1"))).await);
    let gone = applied(&one(org, create("Account", 2, &made("Customer:2"))).await);
    applied(&one(org, delete("Account", &gone)).await);
    // WHEN both ids are looked for among what was deleted
    let wanted = ["Customer:1", "Customer:2", "Customer:3"].map(Value::from);
    let found = org.find_deleted(&of("Account"), property, &wanted).await.unwrap();
    // THEN the deleted one alone is shown, as deleted and with its id
    assert_eq!(found.len(), 1, "{kept} is there still: {found:#?}");
    assert_eq!(found[0].key, RecordKey::new("salesforce", "Account", &gone));
    assert_eq!(found[0].presence, Presence::Deleted);
    assert_eq!(found[0].values[property], "Customer:2".into());
}

#[tokio::test]
async fn the_org_decides_what_there_is() {
    // GIVEN an org with the standard Invoice, to which Invoice is bound
    let invoice = InvoiceSeed {
        number: "INV-1".to_owned(),
        description: None,
        date: None,
        account: None,
        total: None,
        status: None,
    };
    let options = Options {
        invoices: vec![invoice],
        ..Options::preset("billing").unwrap()
    };
    let (_server, url) = start(options).await;
    let mut standard = config(&url, "tandem");
    let fields = ["InvoiceNumber", "Description", "Balance"].map(str::to_owned);
    standard.fields.insert("Invoice".to_owned(), fields.into());
    // WHEN our custom object is bound, THEN it is missing, with one clear sentence
    let custom = Salesforce::connect(standard.clone()).unwrap();
    let missing = &custom.describe().await.unwrap().missing["Invoice"];
    assert!(
        missing.contains("no object Invoice__c (deploy Tandem's metadata, or bind"),
        "{missing}"
    );
    let error = custom.list(&of("Invoice"), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    // WHEN the standard one is bound, THEN it can be read and changed, not created
    standard
        .bindings
        .insert("Invoice".to_owned(), "Invoice".to_owned());
    let org = Salesforce::connect(standard).unwrap();
    let schema = org.describe().await.unwrap();
    assert!(!schema.types["Invoice"].createable && schema.types["Invoice"].updateable);
    assert!(!schema.types["Division"].deletable);
    let page = org.list(&of("Invoice"), None).await.unwrap();
    let shown = &page.observations[0];
    assert_eq!(shown.values["InvoiceNumber"], Value::text("INV-1"));
    assert_eq!(page.resume, None);
    applied(
        &one(
            &org,
            update("Invoice", &shown.key.id, &[("Description", "new".into())], None),
        )
        .await,
    );
    let outcome = one(&org, create("Invoice", 1, &[("InvoiceNumber", "INV-2".into())])).await;
    let Outcome::Refused(refusal) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(refusal.kind, RefusalKind::Forbidden, "{refusal:?}");
}

#[tokio::test]
async fn the_reserve_of_licences_is_never_touched() {
    // GIVEN three used licences of six, two of which are to stay free
    let scene = scene().await;
    let license = scene.url.join("/_local/license").unwrap();
    let request = scene
        .http
        .post(license)
        .header("content-type", "application/json");
    assert!(
        request
            .body("{\"total\":6}")
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let org = Salesforce::connect(config(&scene.url, "tandem"))
        .unwrap()
        .with_user_reserve(2);
    let profile = profile_of(&scene, "bob@tandem.example").await;
    let batch = ["one", "two", "idle"].map(|name| {
        let mut write = user(&format!("{name}@tandem.example"));
        if let Change::Create { values, .. } = &mut write.change {
            values.insert("ProfileId".to_owned(), profile.clone());
            values.insert("IsActive".to_owned(), Value::Boolean(name != "idle"));
        }
        write
    });
    // WHEN two active users and one inactive are created, THEN the second active one is refused
    let outcomes = org.write(&batch, Lane::Live).await;
    applied(&outcomes[0]);
    applied(&outcomes[2]);
    let Outcome::Refused(refusal) = &outcomes[1] else {
        panic!("{:?}", outcomes[1])
    };
    assert_eq!(refusal.kind, RefusalKind::Limit);
    assert!(
        refusal.message.starts_with("3 user licences are free"),
        "{}",
        refusal.message
    );
}

#[tokio::test]
async fn rules_for_new_users_are_carried_out() {
    let scene = scene().await;
    let by_rules = |username: &str, profile: &str| {
        let mut write = user(username);
        if let Change::Create { values, .. } = &mut write.change {
            values.insert("ProfileId".to_owned(), Value::text(profile));
            values.insert("Alias".to_owned(), "derive:alias".into());
            values.insert("CommunityNickname".to_owned(), "derive:nickname".into());
            // The same words in a person's property are a person's.
            values.insert("Title".to_owned(), "profile:Standard User".into());
        }
        write
    };
    let mut contact = scene.named("derive:alias");
    contact.insert(scene.words.description.to_owned(), "profile:Nobody".into());
    let batch = [
        by_rules("ann.archer@tandem.example", "profile:Standard User"),
        by_rules("bea.beck@tandem.example", "profile:Nobody"),
        scene.create(3, contact),
    ];
    let outcomes = scene.ours.write(&batch, Lane::Live).await;
    let Outcome::Refused(refusal) = &outcomes[1] else {
        panic!("{:?}", outcomes[1])
    };
    assert!(refusal.message.contains("Nobody"), "{refusal:?}");
    let contact = scene.read(&applied(&outcomes[2])).await;
    assert_eq!(contact.values["LastName"], "derive:alias".into());
    assert_eq!(contact.values["Description"], "profile:Nobody".into());
    let mut all = config(&scene.url, "tandem");
    all.fields.remove("User");
    let org = Salesforce::connect(all).unwrap();
    let made = org
        .fetch(&of("User"), &[applied(&outcomes[0])])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        made.values["ProfileId"],
        profile_of(&scene, "bob@tandem.example").await
    );
    assert_eq!(made.values["Alias"], "new".into());
    assert_eq!(made.values["CommunityNickname"], "ann.archer-a5f379fc49".into());
    assert_eq!(made.values["Title"], "profile:Standard User".into());
}
