//! What every connector must do, run against each.

use crate::proxy::Proxy;
use crate::scene::{Scene, applied, one};
use std::collections::BTreeSet;
use tandem_connector::{ErrorKind, Outcome, RefusalKind};
use tandem_merge::record::{Observation, Presence};
use tandem_merge::value::Value;

macro_rules! conformance {
    ($($law:ident)*) => {
        mod of_customerp {
            $(#[tokio::test]
            async fn $law() {
                super::$law(&crate::customerp::scene().await).await;
            })*
        }
        mod of_salesforce {
            $(#[tokio::test]
            async fn $law() {
                super::$law(&crate::salesforce::scene().await).await;
            })*
        }
    };
}

conformance! {
    says_who_it_is_and_what_it_has
    shows_every_change_once_and_again_within_the_overlap
    goes_on_from_any_page
    shows_deletions
    lists_what_is_alive
    answers_every_id
    finds_by_value
    carries_out_writes_and_says_what_is_there_now
    a_moved_record_is_stale
    a_deleted_record_is_gone
    refusals_name_kind_property_and_advice
    a_lost_reply_is_unknown_and_creates_nothing_twice
    an_update_with_a_lost_reply_is_unknown
    a_system_that_is_down_is_not_sent_to
    secrets_show_nowhere
}

fn ids(observations: &[Observation]) -> BTreeSet<String> {
    observations.iter().map(|shown| shown.key.id.clone()).collect()
}

async fn says_who_it_is_and_what_it_has(scene: &Scene) {
    let us = scene.ours.identify().await.unwrap();
    let person = scene.person.identify().await.unwrap();
    assert_eq!(us.id, person.id);
    assert_ne!(us.user, person.user);
    let schema = scene.ours.describe().await.unwrap();
    let contact = &schema.types["Contact"];
    assert!(contact.createable && contact.updateable && contact.deletable);
    assert!(!contact.properties[scene.words.last_name].nillable);
    assert!(contact.properties[scene.words.email].nillable);
    assert!(contact.properties[scene.words.external].unique);
    assert_eq!(contact.properties[scene.words.reports_to].references, ["Contact"]);
    assert_eq!(schema.missing.keys().collect::<Vec<_>>(), ["Nonsense"]);
    assert!(schema.missing["Nonsense"].contains("Nonsense"));
}

async fn shows_every_change_once_and_again_within_the_overlap(scene: &Scene) {
    // GIVEN a first load with one record
    let first = scene.made("First").await;
    let (loaded, cursor) = scene.round(None).await;
    assert_eq!(ids(&loaded), BTreeSet::from([first.clone()]));
    // WHEN one is edited and one made within the overlap, THEN both are shown, once in the round
    let second = scene.made("Second").await;
    let edit = scene.update(&first, scene.described("edited"), None);
    applied(&one(scene.person.as_ref(), edit).await);
    let (seen, cursor) = scene.round(Some(cursor)).await;
    assert_eq!(ids(&seen), BTreeSet::from([first.clone(), second.clone()]));
    assert_eq!(seen.len(), 2);
    let edited = seen.iter().find(|shown| shown.key.id == first).unwrap();
    assert_eq!(edited.values[scene.words.description], Value::text("edited"));
    assert_eq!(edited.values[scene.words.email], Value::Blank);
    // WHEN nothing changes, THEN the overlap is read again, and once it has passed nothing is
    let (again, cursor) = scene.round(Some(cursor)).await;
    assert_eq!(ids(&again), ids(&seen));
    scene.advance(3_600).await;
    let (_, cursor) = scene.round(Some(cursor)).await;
    scene.advance(3_600).await;
    let (_, cursor) = scene.round(Some(cursor)).await;
    let (quiet, cursor) = scene.round(Some(cursor)).await;
    assert_eq!(quiet, []);
    // WHEN something changes after that, THEN it is shown
    let third = scene.made("Third").await;
    let (seen, _) = scene.round(Some(cursor)).await;
    assert_eq!(ids(&seen), BTreeSet::from([third]));
}

async fn goes_on_from_any_page(scene: &Scene) {
    // GIVEN more records than a page holds
    let many: Vec<_> = (0..2_300)
        .map(|n| scene.create(n, scene.named(&format!("Name {n}"))))
        .collect();
    let made: BTreeSet<String> = scene.person.write(&many).await.iter().map(applied).collect();
    assert_eq!(made.len(), 2_300);
    // WHEN every page is read twice from its cursor, THEN it shows the same records, and together all of them
    let (mut seen, mut at, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = scene.page(at.as_deref()).await;
        let again = scene.page(at.as_deref()).await;
        assert_eq!(ids(&page.observations), ids(&again.observations));
        seen.extend(page.observations);
        pages += 1;
        at = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert!(pages > 1);
    assert_eq!(seen.len(), 2_300);
    assert_eq!(ids(&seen), made);
    // WHEN a record changes between two pages, THEN the round or the next one shows it
    scene.advance(3_600).await;
    let (_, cursor) = scene.round(at).await;
    let page = scene.page(Some(&cursor)).await;
    let edited = made.iter().next().unwrap();
    let edit = scene.update(edited, scene.described("between"), None);
    applied(&one(scene.person.as_ref(), edit).await);
    let (later, _) = scene.round(Some(page.cursor)).await;
    let shown = later.iter().find(|shown| shown.key.id == *edited).unwrap();
    assert_eq!(shown.values[scene.words.description], Value::text("between"));
}

async fn shows_deletions(scene: &Scene) {
    let gone = scene.made("Gone").await;
    let (_, cursor) = scene.round(None).await;
    let before = scene.read(&gone).await.version.unwrap().modified;
    scene.advance(2).await;
    applied(&one(scene.person.as_ref(), scene.delete(&gone, None)).await);
    let (seen, cursor) = scene.round(Some(cursor)).await;
    let tombs: Vec<_> = seen
        .iter()
        .filter(|shown| shown.presence == Presence::Deleted)
        .collect();
    assert_eq!(tombs.len(), 1, "{seen:?}");
    assert_eq!(tombs[0].key, scene.key(&gone));
    assert!(tombs[0].values.is_empty());
    assert!(tombs[0].version.as_ref().unwrap().modified > before);
    // Also when the next look comes much later.
    let late = scene.made("Late").await;
    scene.round(Some(cursor.clone())).await;
    applied(&one(scene.person.as_ref(), scene.delete(&late, None)).await);
    scene.advance(86_400).await;
    let (seen, _) = scene.round(Some(cursor)).await;
    let tomb = seen
        .iter()
        .rfind(|shown| shown.key.id == late)
        .map(|shown| shown.presence);
    assert_eq!(tomb, Some(Presence::Deleted));
}

async fn lists_what_is_alive(scene: &Scene) {
    let (kept, gone) = (scene.made("Kept").await, scene.made("Gone").await);
    applied(&one(scene.person.as_ref(), scene.delete(&gone, None)).await);
    let (mut seen, mut resume) = (Vec::new(), None);
    loop {
        let page = scene
            .ours
            .list(&scene.contact(), resume.as_deref())
            .await
            .unwrap();
        seen.extend(page.observations);
        resume = page.resume;
        if resume.is_none() {
            break;
        }
    }
    assert_eq!(ids(&seen), BTreeSet::from([kept]));
    assert_eq!(seen[0].values[scene.words.last_name], Value::text("Kept"));
    assert!(!seen[0].partial && !seen[0].protected);
    assert!(seen[0].created.is_some() && seen[0].author.is_some());
}

async fn answers_every_id(scene: &Scene) {
    let (alive, gone) = (scene.made("Alive").await, scene.made("Gone").await);
    applied(&one(scene.person.as_ref(), scene.delete(&gone, None)).await);
    let nobody = scene.words.nobody.to_owned();
    let odd = "no id, at 'all'".to_owned();
    let asked = [alive.clone(), gone.clone(), nobody.clone(), odd.clone()];
    let shown = scene.ours.fetch(&scene.contact(), &asked).await.unwrap();
    let presence = |id: &String| {
        let mut of_id = shown.iter().filter(|shown| shown.key.id == *id);
        let presence = of_id.next().map(|shown| shown.presence);
        assert!(of_id.next().is_none(), "{id} is answered twice");
        presence
    };
    assert_eq!(presence(&alive), Some(Presence::Alive));
    assert_eq!(presence(&gone), Some(Presence::Deleted));
    assert_eq!(presence(&nobody), Some(Presence::Missing));
    assert_eq!(presence(&odd), Some(Presence::Missing));
    assert_eq!(shown.len(), 4);
    assert_eq!(scene.ours.fetch(&scene.contact(), &[]).await.unwrap(), []);
}

async fn finds_by_value(scene: &Scene) {
    let words = &scene.words;
    let mut values = scene.named("O'Neil \\ \"Sons\" %");
    values.insert(words.email.to_owned(), "Ann@Example.com".into());
    values.insert(words.phone.to_owned(), "+49 30 1234-5".into());
    let ann = applied(&one(scene.person.as_ref(), scene.create(1, values)).await);
    scene.made("Someone else").await;
    let find = async |properties: &[&str], key: &[&str]| {
        let properties: Vec<_> = properties.iter().map(|name| (*name).to_owned()).collect();
        let mut keys = vec![vec![Value::text("nothing"); key.len()]];
        keys.push(key.iter().map(|text| Value::text(*text)).collect());
        let found = scene.ours.find(&scene.contact(), &properties, &keys).await;
        ids(&found.unwrap())
    };
    let expected = BTreeSet::from([ann.clone()]);
    assert_eq!(
        find(&[words.last_name], &["O'Neil \\ \"Sons\" %"]).await,
        expected
    );
    assert_eq!(find(&[words.email], &["ann@example.COM"]).await, expected);
    let by_phone = find(
        &[words.last_name, words.phone],
        &["O'Neil \\ \"Sons\" %", "+493012345"],
    )
    .await;
    assert_eq!(by_phone, expected);
    assert_eq!(find(&[words.email], &["bob@example.com"]).await, BTreeSet::new());
    // Deleted records are not found.
    applied(&one(scene.person.as_ref(), scene.delete(&ann, None)).await);
    assert_eq!(find(&[words.email], &["ann@example.com"]).await, BTreeSet::new());
}

async fn carries_out_writes_and_says_what_is_there_now(scene: &Scene) {
    let mut values = scene.named("Adams");
    values.insert(
        scene.words.birthdate.to_owned(),
        Value::Date("1980-02-29".parse().unwrap()),
    );
    let id = applied(&one(scene.ours.as_ref(), scene.create(1, values)).await);
    let read = scene.read(&id).await;
    assert_eq!(
        read.values[scene.words.birthdate],
        Value::Date("1980-02-29".parse().unwrap())
    );
    // WHEN it is updated under its firm version, THEN other values stay
    let version = scene.firm(&id).await;
    let update = scene.update(&id, scene.described("line 1\nline 2"), Some(version));
    let outcome = one(scene.ours.as_ref(), update).await;
    let Outcome::Applied { state, .. } = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(state.is_some(), scene.ours.capabilities().answers_with_state);
    let read = scene.read(&id).await;
    assert_eq!(
        read.values[scene.words.description],
        Value::text("line 1\nline 2")
    );
    assert_eq!(read.values[scene.words.last_name], Value::text("Adams"));
    if let Some(state) = state {
        assert_eq!(state.values, read.values);
        assert_eq!(state.version, read.version);
    }
    // WHEN it is deleted under its firm version, THEN it is
    let version = scene.firm(&id).await;
    applied(&one(scene.ours.as_ref(), scene.delete(&id, Some(version))).await);
    assert_eq!(scene.read(&id).await.presence, Presence::Deleted);
}

async fn a_moved_record_is_stale(scene: &Scene) {
    let id = scene.made("Moved").await;
    let version = scene.firm(&id).await;
    applied(
        &one(
            scene.person.as_ref(),
            scene.update(&id, scene.described("theirs"), None),
        )
        .await,
    );
    let update = scene.update(&id, scene.described("ours"), Some(version.clone()));
    assert_eq!(one(scene.ours.as_ref(), update).await, Outcome::Stale);
    let delete = scene.delete(&id, Some(version));
    assert_eq!(one(scene.ours.as_ref(), delete).await, Outcome::Stale);
    let read = scene.read(&id).await;
    assert_eq!(read.presence, Presence::Alive);
    assert_eq!(read.values[scene.words.description], Value::text("theirs"));
}

async fn a_deleted_record_is_gone(scene: &Scene) {
    let id = scene.made("Gone").await;
    let version = scene.firm(&id).await;
    applied(&one(scene.person.as_ref(), scene.delete(&id, None)).await);
    for only_if in [None, Some(version)] {
        let update = scene.update(&id, scene.described("late"), only_if.clone());
        assert_eq!(
            one(scene.ours.as_ref(), update).await,
            Outcome::Gone,
            "{only_if:?}"
        );
        let delete = scene.delete(&id, only_if.clone());
        assert_eq!(
            one(scene.ours.as_ref(), delete).await,
            Outcome::Gone,
            "{only_if:?}"
        );
    }
    let nobody = scene.update(scene.words.nobody, scene.described("late"), None);
    assert_eq!(one(scene.ours.as_ref(), nobody).await, Outcome::Gone);
}

async fn refusals_name_kind_property_and_advice(scene: &Scene) {
    let words = &scene.words;
    let with = |property: &str, value: Value| {
        let mut values = scene.named("Refused");
        values.insert(property.to_owned(), value);
        values
    };
    let external = |name: &str| with(words.external, Value::text(name));
    applied(&one(scene.ours.as_ref(), scene.create(1, external("Contact:1"))).await);
    let too_long = Value::text("x".repeat(200_000));
    let cases = [
        (external("Contact:1"), RefusalKind::Duplicate, words.external),
        (
            with(words.last_name, too_long),
            RefusalKind::Invalid,
            words.last_name,
        ),
        (
            with(words.last_name, Value::Blank),
            RefusalKind::Invalid,
            words.last_name,
        ),
        (
            with(words.reports_to, words.nobody.into()),
            RefusalKind::BadReference,
            words.reports_to,
        ),
        (
            with("Nonsense__c", "x".into()),
            RefusalKind::Invalid,
            "Nonsense__c",
        ),
    ];
    // All in one batch with one that is right: a refusal concerns its own write alone.
    let mut batch: Vec<_> = (2..)
        .zip(&cases)
        .map(|(n, (values, ..))| scene.create(n, values.clone()))
        .collect();
    batch.push(scene.create(99, external("Contact:2")));
    let outcomes = scene.ours.write(&batch).await;
    for ((_, kind, property), outcome) in cases.iter().zip(&outcomes) {
        let Outcome::Refused(refusal) = outcome else {
            panic!("{property}: {outcome:?}")
        };
        assert_eq!(refusal.kind, *kind, "{refusal:?}");
        assert_eq!(refusal.properties, [*property], "{refusal:?}");
        assert!(!refusal.message.is_empty() && !refusal.advice.is_empty());
        assert!(refusal.message.len() < 2_000, "{}", refusal.message.len());
    }
    applied(outcomes.last().unwrap());
}

async fn a_lost_reply_is_unknown_and_creates_nothing_twice(scene: &Scene) {
    // GIVEN a connection that is cut after the create was carried out, however often it is tried
    let proxy = Proxy::before(&scene.url).await;
    let ours = (scene.connect)(proxy.url(), "tandem");
    ours.describe().await.unwrap();
    let mut values = scene.named("Once");
    values.insert(scene.words.external.to_owned(), "Contact:once".into());
    let write = scene.create(7, values);
    proxy.swallow(3);
    let lost = one(ours.as_ref(), write.clone()).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    proxy.swallow(0);
    // WHEN the same bytes are sent again, THEN there is one record, known by its external value
    let again = one(ours.as_ref(), write).await;
    let found = ours
        .find(
            &scene.contact(),
            &[scene.words.external.to_owned()],
            &[vec!["Contact:once".into()]],
        )
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    match again {
        Outcome::Applied { id, .. } => assert_eq!(id, found[0].key.id),
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::Duplicate);
            assert!(!ours.capabilities().idempotent_create);
        }
        other => panic!("{other:?}"),
    }
    let (all, _) = scene.round(None).await;
    assert_eq!(all.len(), 1);
}

async fn an_update_with_a_lost_reply_is_unknown(scene: &Scene) {
    let proxy = Proxy::before(&scene.url).await;
    let ours = (scene.connect)(proxy.url(), "tandem");
    let id = scene.made("Cut").await;
    let version = scene.firm(&id).await;
    ours.describe().await.unwrap();
    for lost in [1, 3] {
        proxy.swallow(lost);
        let update = scene.update(&id, scene.described("ours"), Some(version.clone()));
        let outcome = one(ours.as_ref(), update).await;
        // A repetition that finds the version moved cannot say by whom.
        assert!(matches!(outcome, Outcome::Unknown(_)), "{lost}: {outcome:?}");
        proxy.swallow(0);
    }
    let read = scene.read(&id).await;
    assert_eq!(read.values[scene.words.description], Value::text("ours"));
}

async fn a_system_that_is_down_is_not_sent_to(scene: &Scene) {
    // GIVEN an address where nothing listens any more
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let nobody = (scene.connect)(&address.parse().unwrap(), "tandem");
    let error = nobody.identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Down, "{error}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    let outcome = one(nobody.as_ref(), scene.create(1, scene.named("Never"))).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    assert_eq!(nobody.calls(), 0);
}

async fn secrets_show_nowhere(scene: &Scene) {
    let stranger = (scene.connect)(&scene.url, "nobody");
    let error = stranger.identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SignIn);
    let outcome = one(stranger.as_ref(), scene.create(1, scene.named("Never"))).await;
    let Outcome::NotSent(unsent) = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(unsent.kind, ErrorKind::SignIn);
    for said in [format!("{error} {error:?}"), format!("{outcome:?}")] {
        assert!(
            !said.contains(scene.words.secret) && !said.contains("nobody-secret"),
            "{said}"
        );
    }
}
