//! Outcomes of writes, and what is known when a connection or a system fails.

use crate::scene::{Line, Scene, applied, one};
use tandem_connector::{Connector, ErrorKind, Lane, Outcome, RefusalKind};
use tandem_merge::record::Presence;
use tandem_merge::value::Value;

pub(super) async fn carries_out_writes_and_says_what_is_there_now(scene: &Scene) {
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
    assert_ne!(scene.read(&id).await.presence, Presence::Alive);
}

pub(super) async fn a_moved_record_is_stale(scene: &Scene) {
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
    // Where a deletion cannot be conditional, whoever asks for it reads the record just before.
    if scene.ours.capabilities().usual.conditional_delete {
        let delete = scene.delete(&id, Some(version));
        assert_eq!(one(scene.ours.as_ref(), delete).await, Outcome::Stale);
    }
    let read = scene.read(&id).await;
    assert_eq!(read.presence, Presence::Alive);
    assert_eq!(read.values[scene.words.description], Value::text("theirs"));
}

pub(super) async fn a_deleted_record_is_gone(scene: &Scene) {
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

pub(super) async fn refusals_name_kind_property_and_advice(scene: &Scene) {
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
    let outcomes = scene.ours.write(&batch, Lane::Live).await;
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

pub(super) async fn a_reference_to_nobody_is_refused(scene: &Scene) {
    let mut values = scene.named("Refused");
    values.insert(scene.words.reports_to.to_owned(), scene.words.nobody.into());
    let Outcome::Refused(refusal) = one(scene.ours.as_ref(), scene.create(1, values)).await else {
        panic!("taken")
    };
    assert_eq!(refusal.kind, RefusalKind::BadReference, "{refusal:?}");
    assert_eq!(refusal.properties, [scene.words.reports_to], "{refusal:?}");
}

/// Whatever comes before a first write is behind us, such as a token.
async fn greeted(scene: &Scene, ours: &dyn Connector) {
    ours.describe().await.unwrap();
    let nobody = scene.update(scene.words.nobody, scene.described("late"), None);
    one(ours, nobody).await;
}

pub(super) async fn a_lost_reply_is_unknown_and_creates_nothing_twice(scene: &Scene) {
    // GIVEN a connection that is cut after the create was carried out, however often it is tried
    let cut = scene.cut().await;
    let ours = (scene.connect)(cut.url(), "tandem");
    greeted(scene, ours.as_ref()).await;
    let mut values = scene.named("Once");
    values.insert(scene.words.external.to_owned(), "Contact:once".into());
    let write = scene.create(7, values);
    cut.swallow(3);
    let lost = one(ours.as_ref(), write.clone()).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    cut.swallow(0);
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
            assert!(!ours.capabilities().usual.idempotent_create);
        }
        other => panic!("{other:?}"),
    }
    let (all, _) = scene.round(None).await;
    assert_eq!(all.len(), 1);
}

pub(super) async fn an_update_with_a_lost_reply_is_unknown(scene: &Scene) {
    let cut = scene.cut().await;
    let ours = (scene.connect)(cut.url(), "tandem");
    let id = scene.made("Cut").await;
    let version = scene.firm(&id).await;
    greeted(scene, ours.as_ref()).await;
    for lost in [1, 3] {
        cut.swallow(lost);
        let update = scene.update(&id, scene.described("ours"), Some(version.clone()));
        let outcome = one(ours.as_ref(), update).await;
        if lost > 1 && !scene.repeats {
            // Asked a second time, and once: the version moved, and nothing was sent that could be lost.
            assert_eq!(outcome, Outcome::Stale);
        } else {
            // A repetition that finds the version moved cannot say by whom.
            assert!(matches!(outcome, Outcome::Unknown(_)), "{lost}: {outcome:?}");
        }
        cut.swallow(0);
    }
    let read = scene.read(&id).await;
    assert_eq!(read.values[scene.words.description], Value::text("ours"));
}

pub(super) async fn a_system_that_is_down_is_not_sent_to(scene: &Scene) {
    // GIVEN an address where nothing is any more
    let (address, named) = scene.nowhere().await;
    let nobody = (scene.connect)(&address, "tandem");
    let error = nobody.identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Down, "{error}");
    assert!(error.to_string().contains(named), "{error}");
    let outcome = one(nobody.as_ref(), scene.create(1, scene.named("Never"))).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    if matches!(scene.line, Line::Network) {
        assert_eq!(nobody.calls(), 0);
    }
}

pub(super) async fn secrets_show_nowhere(scene: &Scene) {
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
