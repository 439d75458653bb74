//! Seeing every change by events.

use super::stage::{Org, pages, round};
use super::{config, update};
use crate::proxy::Proxy;
use crate::scene::{applied, one};
use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, Watch};
use tandem_connector::{Connector, Scope};
use tandem_lab::salesforce::{Options, Server};
use tandem_merge::record::{Observation, Presence};
use tandem_merge::value::Value;
use url::Url;

/// What is told in time is told within this.
const SOON: Duration = Duration::from_secs(20);

impl Org {
    async fn told_by(overlap: i64, events: bool) -> Self {
        let options = Options {
            event_keepalive_seconds: 1,
            ..Options::default()
        };
        Self::start(options, |server, url| watched(server, url, overlap, events)).await
    }

    async fn edited(&self, id: &str, property: &str, text: &str) {
        let write = update("Contact", id, &[(property, Value::text(text))], None);
        applied(&one(&self.person, write).await);
    }

    /// A loaded org whose events of contacts are open, and that is asked for nothing any more.
    async fn listened_to(&self) -> Vec<u8> {
        let (_, mut cursor) = round(&self.ours, None).await;
        for _ in 0..2 {
            tokio::time::timeout(SOON, self.ours.changed()).await.unwrap();
            cursor = round(&self.ours, Some(cursor)).await.1;
        }
        self.advance(60).await;
        round(&self.ours, Some(cursor)).await.1
    }

    /// Rounds until one shows what is looked for.
    async fn told(
        &self,
        mut cursor: Vec<u8>,
        looked_for: impl Fn(&Observation) -> bool,
    ) -> (Observation, Vec<u8>) {
        let found = async {
            loop {
                self.ours.changed().await;
                let (seen, next) = round(&self.ours, Some(cursor)).await;
                cursor = next;
                if let Some(found) = seen.into_iter().find(|row| looked_for(row)) {
                    return (found, cursor);
                }
            }
        };
        tokio::time::timeout(SOON, found).await.unwrap()
    }
}

fn watched(server: &Server, url: &Url, overlap: i64, events: bool) -> SalesforceConfig {
    let polling = Watch::polling();
    SalesforceConfig {
        overlap: SignedDuration::from_secs(overlap),
        watch: Watch {
            events: vec!["Contact".to_owned()],
            pubsub: events.then(|| server.pubsub_url().parse().unwrap()),
            ..polling
        },
        certificate_authority: Some(server.certificate().as_bytes().to_vec()),
        ..config(url, "tandem")
    }
}

fn says(text: &'static str) -> impl Fn(&Observation) -> bool {
    move |row| row.values.get("Description") == Some(&Value::text(text))
}

#[tokio::test]
async fn events_tell_of_a_change_and_silence_costs_no_call() {
    let org = Org::told_by(5, true).await;
    let id = org.made("Watched").await;
    let cursor = org.listened_to().await;
    // WHEN nothing happens, THEN no round costs a call.
    let before = org.ours.calls();
    let mut at = cursor;
    for _ in 0..120 {
        at = round(&org.ours, Some(at)).await.1;
    }
    assert_eq!(org.ours.calls(), before);
    // WHEN a field is edited that nobody uses, and one that somebody does, THEN one call reads the record.
    org.edited(&id, "Title", "nobody asked").await;
    org.edited(&id, "Description", "told").await;
    let (seen, cursor) = org.told(at, says("told")).await;
    assert_eq!(seen.key.id, id);
    assert_eq!(org.ours.calls(), before + 1);
    // WHEN it is deleted, THEN a tombstone comes.
    applied(&one(&org.person, super::delete("Contact", &id)).await);
    let (seen, _) = org.told(cursor, |row| row.presence == Presence::Deleted).await;
    assert_eq!(seen.key.id, id);
}

#[tokio::test]
async fn s4_after_a_crash_events_go_on_behind_the_stored_position() {
    let org = Org::told_by(5, true).await;
    let id = org.made("Watched").await;
    let cursor = org.listened_to().await;
    // GIVEN a round whose cursor was never stored
    org.edited(&id, "Description", "told").await;
    org.told(cursor.clone(), says("told")).await;
    // WHEN another process goes on from the stored one, THEN it is told again.
    let next = Org {
        ours: Salesforce::connect(watched(&org.server, &org.url, 5, true)).unwrap(),
        ..org
    };
    next.told(cursor, says("told")).await;
}

#[tokio::test]
async fn events_that_are_no_longer_kept_lead_to_a_complete_comparison() {
    let org = Org::told_by(5, true).await;
    let id = org.made("Watched").await;
    let cursor = org.listened_to().await;
    // GIVEN four days in which nobody listened
    org.advance(4 * 24 * 3_600).await;
    let next = Salesforce::connect(watched(&org.server, &org.url, 5, true)).unwrap();
    next.identify().await.unwrap();
    let pages = pages(&next, Some(cursor)).await;
    let complete: Vec<_> = pages.iter().filter(|page| page.complete.is_some()).collect();
    assert_eq!(complete.len(), 1);
    assert!(complete[0].observations.iter().any(|row| row.key.id == id));
}

#[tokio::test]
async fn a_change_that_becomes_visible_late_is_told_then() {
    let org = Org::told_by(120, true).await;
    let id = org.made("Watched").await;
    let cursor = org.listened_to().await;
    let rule = r#"{"action":"late-visibility","object":"Contact","seconds":30,"times":1}"#;
    org.post("/_local/faults", rule.to_owned()).await;
    org.edited(&id, "Description", "late").await;
    let (seen, cursor) = round(&org.ours, Some(cursor)).await;
    assert!(!seen.iter().any(says("late")));
    org.advance(60).await;
    org.told(cursor, says("late")).await;
}

/// A cursor at which these contacts are still to be looked at, as events leave it.
fn with_looks(cursor: &[u8], ids: &[String]) -> Vec<u8> {
    let mut cursor: Json = serde_json::from_slice(cursor).unwrap();
    let at = "2020-01-01T00:00:00Z";
    let look = |id: &String| json!({ "of": "Contact", "id": id, "want": "any", "at": at, "next": at });
    cursor["looks"] = ids.iter().map(look).collect();
    serde_json::to_vec(&cursor).unwrap()
}

#[tokio::test]
async fn e17_a_record_that_cannot_be_read_keeps_no_other_from_being_told() {
    let org = Org::told_by(5, false).await;
    let mut ids = Vec::new();
    for name in ["Sound", "Second", "Broken", "Fourth", "Fifth"] {
        ids.push(org.made(name).await);
    }
    let line = Proxy::before(&org.url).await;
    let ours = Salesforce::connect(watched(&org.server, line.url(), 5, false)).unwrap();
    let (_, cursor) = round(&ours, None).await;
    org.advance(60).await;
    let (_, cursor) = round(&ours, Some(cursor)).await;
    let (_, cursor) = round(&ours, Some(cursor)).await;
    // GIVEN events that told of five, of which one is answered with an error whenever it is asked for by its id, or not
    // at all
    for strike in [Proxy::refuse, Proxy::hang_up] {
        strike(&line, &["WHERE+Id", &ids[2]]);
        let pages = pages(&ours, Some(with_looks(&cursor, &ids))).await;
        // THEN the others are shown, and that one is handed on as a hint
        let shown: BTreeSet<&String> = pages
            .iter()
            .flat_map(|page| &page.observations)
            .map(|row| &row.key.id)
            .collect();
        let hints: Vec<&String> = pages
            .iter()
            .flat_map(|page| &page.hints)
            .map(|hint| &hint.id)
            .collect();
        assert_eq!(shown, ids.iter().filter(|id| **id != ids[2]).collect());
        assert_eq!(hints, [&ids[2]]);
    }
    // AND an org that answers nothing is in trouble
    line.refuse(&["WHERE+Id"]);
    let failed = ours
        .changes(&[super::of("Contact")], Some(&with_looks(&cursor, &ids)))
        .await;
    assert!(failed.is_err_and(|error| error.scope == Scope::Answer));
    line.refuse(&[]);
    let (seen, _) = round(&ours, Some(with_looks(&cursor, &ids))).await;
    assert_eq!(seen.len(), ids.len());
}

#[tokio::test]
async fn without_events_polling_goes_on() {
    let org = Org::told_by(5, true).await;
    let id = org.made("Watched").await;
    // GIVEN an org whose day's deliveries are used up, or whose address of events leads nowhere
    let nowhere = Watch {
        pubsub: Some("https://127.0.0.1:9".parse().unwrap()),
        ..watched(&org.server, &org.url, 5, true).watch
    };
    let deaf = Salesforce::connect(SalesforceConfig {
        watch: nowhere,
        ..watched(&org.server, &org.url, 5, true)
    });
    let deaf = deaf.unwrap();
    let (_, cursor) = round(&deaf, None).await;
    deaf.changed().await;
    let (_, cursor) = round(&deaf, Some(cursor)).await;
    org.edited(&id, "Description", "polled").await;
    let (seen, _) = round(&deaf, Some(cursor)).await;
    assert!(seen.iter().any(says("polled")));
}

#[tokio::test]
async fn a_schema_that_changes_in_mid_stream_is_read_anew() {
    let org = Org::told_by(5, true).await;
    let id = org.made("Watched").await;
    let cursor = org.listened_to().await;
    org.edited(&id, "Description", "before").await;
    let (_, cursor) = org.told(cursor, says("before")).await;
    // WHEN a field comes to the object, in front of which others now have other places
    let field = r#"{"change":"add-field","object":"Contact","field":"Aisle__c","type":"string","length":40}"#;
    org.post("/_local/schema", field.to_owned()).await;
    // THEN events made by the new schema are understood
    org.edited(&id, "Description", "after").await;
    let (_, cursor) = org.told(cursor, says("after")).await;
    // AND so when one goes
    let field = r#"{"change":"remove-field","object":"Contact","field":"Aisle__c"}"#;
    org.post("/_local/schema", field.to_owned()).await;
    org.edited(&id, "Description", "again").await;
    org.told(cursor, says("again")).await;
}

#[tokio::test]
async fn when_the_days_deliveries_are_used_up_the_type_is_polled() {
    let org = Org::told_by(5, true).await;
    let id = org.made("Watched").await;
    let cursor = org.listened_to().await;
    org.post("/_local/events", r#"{"allowed":1}"#.to_owned()).await;
    // GIVEN the last delivery of the day
    org.edited(&id, "Description", "the last").await;
    let (_, cursor) = org.told(cursor, says("the last")).await;
    // WHEN more is edited, THEN the rounds that come anyway show it
    org.edited(&id, "Description", "beyond").await;
    let shown = async {
        let mut cursor = cursor;
        loop {
            let (seen, next) = round(&org.ours, Some(cursor)).await;
            if seen.iter().any(says("beyond")) {
                return;
            }
            cursor = next;
        }
    };
    tokio::time::timeout(SOON, shown).await.unwrap();
}
