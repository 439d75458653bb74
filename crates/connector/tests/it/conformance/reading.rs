//! Describing, listing, finding, and seeing every change.

use crate::scene::{Scene, applied, one};
use std::collections::BTreeSet;
use tandem_connector::Lane;
use tandem_merge::record::{Observation, Presence};
use tandem_merge::value::Value;

fn ids(observations: &[Observation]) -> BTreeSet<String> {
    observations.iter().map(|shown| shown.key.id.clone()).collect()
}

pub(super) async fn says_who_it_is_and_what_it_has(scene: &Scene) {
    let us = scene.ours.identify().await.unwrap();
    let person = scene.person.identify().await.unwrap();
    assert_eq!(us.id, person.id);
    let schema = scene.ours.describe().await.unwrap();
    let contact = &schema.types["Contact"];
    assert!(contact.createable && contact.updateable && contact.deletable);
    assert!(!contact.properties[scene.words.last_name].nillable);
    assert!(contact.properties[scene.words.email].nillable);
    assert_eq!(schema.missing.keys().collect::<Vec<_>>(), ["Nonsense"]);
    assert!(schema.missing["Nonsense"].contains("Nonsense"));
}

pub(super) async fn says_what_is_unique_and_what_refers(scene: &Scene) {
    let schema = scene.ours.describe().await.unwrap();
    let contact = &schema.types["Contact"];
    assert!(contact.properties[scene.words.external].unique);
    assert_eq!(contact.properties[scene.words.reports_to].references, ["Contact"]);
}

pub(super) async fn tells_users_apart(scene: &Scene) {
    let us = scene.ours.identify().await.unwrap();
    let person = scene.person.identify().await.unwrap();
    assert_ne!(us.user, person.user);
}

/// A record, loaded; another one and an edit of the first, seen by the next round; and where to go on.
async fn edited_and_made(scene: &Scene) -> (Vec<Observation>, [String; 2], Vec<u8>) {
    let first = scene.made("First").await;
    let (loaded, cursor) = scene.round(None).await;
    assert_eq!(ids(&loaded), BTreeSet::from([first.clone()]));
    let second = scene.made("Second").await;
    let edit = scene.update(&first, scene.described("edited"), None);
    applied(&one(scene.person.as_ref(), edit).await);
    let (seen, cursor) = scene.round(Some(cursor)).await;
    (seen, [first, second], cursor)
}

pub(super) async fn shows_every_change_once(scene: &Scene) {
    // GIVEN a first load with one record, WHEN one is edited and one made, THEN both are shown, once in the round
    let (seen, [first, second], mut cursor) = edited_and_made(scene).await;
    assert_eq!(ids(&seen), BTreeSet::from([first.clone(), second]));
    assert_eq!(seen.len(), 2);
    let edited = seen.iter().find(|shown| shown.key.id == first).unwrap();
    assert_eq!(edited.values[scene.words.description], Value::text("edited"));
    assert_eq!(edited.values[scene.words.email], Value::Blank);
    // WHEN nothing changes for long, THEN nothing is shown
    for _ in 0..2 {
        scene.advance(3_600).await;
        cursor = scene.round(Some(cursor)).await.1;
    }
    let (quiet, cursor) = scene.round(Some(cursor)).await;
    assert_eq!(quiet, []);
    // WHEN something changes after that, THEN it is shown
    let third = scene.made("Third").await;
    let (seen, _) = scene.round(Some(cursor)).await;
    assert_eq!(ids(&seen), BTreeSet::from([third]));
}

/// What is committed late may stand before what was seen.
pub(super) async fn shows_what_changed_again_within_the_overlap(scene: &Scene) {
    let (seen, _, cursor) = edited_and_made(scene).await;
    let (again, _) = scene.round(Some(cursor)).await;
    assert_eq!(ids(&again), ids(&seen));
}

pub(super) async fn goes_on_from_any_page(scene: &Scene) {
    // GIVEN more records than a page holds
    let many: Vec<_> = (0..2_300)
        .map(|n| scene.create(n, scene.named(&format!("Name {n}"))))
        .collect();
    let made: BTreeSet<String> = scene
        .person
        .write(&many, Lane::Live)
        .await
        .iter()
        .map(applied)
        .collect();
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
    let (mut later, cursor) = scene.round(Some(page.cursor)).await;
    // Pages in the order of ids may have passed it already.
    later.extend(scene.round(Some(cursor)).await.0);
    let shown = later.iter().rfind(|shown| shown.key.id == *edited).unwrap();
    assert_eq!(shown.values[scene.words.description], Value::text("between"));
}

pub(super) async fn shows_deletions(scene: &Scene) {
    let gone = scene.made("Gone").await;
    let (_, cursor) = scene.round(None).await;
    scene.advance(2).await;
    applied(&one(scene.person.as_ref(), scene.delete(&gone, None)).await);
    let (seen, _) = scene.round(Some(cursor)).await;
    let tombs: Vec<_> = seen
        .iter()
        .filter(|shown| shown.presence == Presence::Deleted)
        .collect();
    assert_eq!(tombs.len(), 1, "{seen:?}");
    assert_eq!(tombs[0].key, scene.key(&gone));
    assert!(tombs[0].values.is_empty());
}

pub(super) async fn says_when_a_record_was_deleted(scene: &Scene) {
    let gone = scene.made("Gone").await;
    let (_, cursor) = scene.round(None).await;
    let before = scene.read(&gone).await.version.unwrap().modified;
    scene.advance(2).await;
    applied(&one(scene.person.as_ref(), scene.delete(&gone, None)).await);
    let (seen, _) = scene.round(Some(cursor)).await;
    let tomb = seen.iter().rfind(|shown| shown.key.id == gone).unwrap();
    assert!(tomb.version.as_ref().unwrap().modified > before);
}

pub(super) async fn shows_deletions_however_late(scene: &Scene) {
    let (_, cursor) = scene.round(None).await;
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

pub(super) async fn lists_what_is_alive(scene: &Scene) {
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
}

pub(super) async fn says_who_made_a_record_and_when(scene: &Scene) {
    let id = scene.made("Kept").await;
    let (seen, _) = scene.round(None).await;
    for shown in [&seen[0], &scene.read(&id).await] {
        assert!(shown.created.is_some() && shown.author.is_some(), "{shown:?}");
    }
}

pub(super) async fn answers_every_id(scene: &Scene) {
    let (alive, gone) = (scene.made("Alive").await, scene.made("Gone").await);
    applied(&one(scene.person.as_ref(), scene.delete(&gone, None)).await);
    let odd = "no id, at 'all'".to_owned();
    let asked = [alive.clone(), gone, scene.words.nobody.to_owned(), odd];
    let shown = scene.ours.fetch(&scene.contact(), &asked).await.unwrap();
    assert_eq!(shown.len(), asked.len());
    for id in asked {
        let of_id: Vec<_> = shown.iter().filter(|shown| shown.key.id == id).collect();
        assert_eq!(of_id.len(), 1, "{id}");
        assert_eq!(of_id[0].presence == Presence::Alive, id == alive, "{id}");
    }
    assert_eq!(scene.ours.fetch(&scene.contact(), &[]).await.unwrap(), []);
}

pub(super) async fn tells_what_was_deleted_from_what_never_was(scene: &Scene) {
    let gone = scene.made("Gone").await;
    applied(&one(scene.person.as_ref(), scene.delete(&gone, None)).await);
    assert_eq!(scene.read(&gone).await.presence, Presence::Deleted);
    for id in [scene.words.nobody, "no id, at 'all'"] {
        assert_eq!(scene.read(id).await.presence, Presence::Missing, "{id}");
    }
}

/// The ids of contacts that have one of two lists of values: those given, or some that nobody has.
async fn found(scene: &Scene, properties: &[&str], key: &[&str]) -> BTreeSet<String> {
    let properties: Vec<_> = properties.iter().map(|name| (*name).to_owned()).collect();
    let mut keys = vec![vec![Value::text("nothing"); key.len()]];
    keys.push(key.iter().map(|text| Value::text(*text)).collect());
    let found = scene.ours.find(&scene.contact(), &properties, &keys).await;
    ids(&found.unwrap())
}

const SONS: &str = "O'Neil \\ \"Sons\" %";

pub(super) async fn finds_by_value(scene: &Scene) {
    let words = &scene.words;
    let mut values = scene.named(SONS);
    values.insert(words.email.to_owned(), "Ann@Example.com".into());
    let ann = applied(&one(scene.person.as_ref(), scene.create(1, values)).await);
    scene.made("Someone else").await;
    let expected = BTreeSet::from([ann.clone()]);
    assert_eq!(found(scene, &[words.last_name], &[SONS]).await, expected);
    assert_eq!(found(scene, &[words.email], &["ann@example.COM"]).await, expected);
    let both = found(scene, &[words.last_name, words.email], &[SONS, "ann@example.com"]).await;
    assert_eq!(both, expected);
    let nobody = found(scene, &[words.email], &["bob@example.com"]).await;
    assert_eq!(nobody, BTreeSet::new());
    // Deleted records are not found.
    applied(&one(scene.person.as_ref(), scene.delete(&ann, None)).await);
    assert_eq!(
        found(scene, &[words.email], &["ann@example.com"]).await,
        BTreeSet::new()
    );
}

pub(super) async fn finds_a_number_however_it_is_written(scene: &Scene) {
    let words = &scene.words;
    let mut values = scene.named(SONS);
    values.insert(words.phone.to_owned(), "+49 30 1234-5".into());
    let ann = applied(&one(scene.person.as_ref(), scene.create(1, values)).await);
    let by_phone = found(scene, &[words.last_name, words.phone], &[SONS, "+493012345"]).await;
    assert_eq!(by_phone, BTreeSet::from([ann]));
}
