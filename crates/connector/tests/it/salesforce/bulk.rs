//! Jobs of Bulk API 2.0: what they settle, what a crash leaves of them, and reading by query.

use super::{config, create, of, start, update};
use crate::scene::applied;
use std::collections::BTreeMap;
use std::path::Path;
use tandem_connector::salesforce::{Bulk, Salesforce, SalesforceConfig, Writes};
use tandem_connector::{Connector, Lane, Outcome, RefusalKind, Resumed, Write};
use tandem_lab::salesforce::{Options, Server};
use tandem_merge::value::Value;
use url::Url;

struct Stage {
    url: Url,
    folder: tempfile::TempDir,
    _server: Server,
}

impl Stage {
    async fn new() -> Self {
        let (server, url) = start(Options::default()).await;
        Self {
            url,
            folder: tempfile::tempdir().unwrap(),
            _server: server,
        }
    }

    /// A process of its own, as far as the org can tell.
    fn connect(&self, throughput: bool, job_bytes: Option<u64>) -> Salesforce {
        let bulk = Bulk {
            above: Some(5),
            query_above: Some(10),
            job_bytes,
            folder: self.folder.path().join("bulk"),
            files: Default::default(),
        };
        let writes = Writes {
            throughput,
            bulk: Some(bulk),
        };
        Salesforce::connect(SalesforceConfig {
            writes,
            ..config(&self.url, "tandem")
        })
        .unwrap()
    }

    fn jobs_on_disk(&self) -> usize {
        let folder: &Path = &self.folder.path().join("bulk");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

fn contacts(intents: std::ops::Range<u64>) -> Vec<Write> {
    intents
        .map(|intent| {
            let name = format!("Person, \"{intent}\"\nof two lines");
            let key = format!("Customer:{intent}");
            create(
                "Contact",
                intent,
                &[
                    ("LastName", Value::text(name)),
                    ("Customerp_Id__c", Value::text(key)),
                ],
            )
        })
        .collect()
}

/// The handle that every write was accepted under.
fn handle(outcomes: &[Outcome]) -> String {
    let handles: Vec<&String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Accepted { handle } => handle,
            other => panic!("not accepted: {other:?}"),
        })
        .collect();
    assert!(handles.windows(2).all(|pair| pair[0] == pair[1]));
    handles[0].clone()
}

/// Asks until a job is over.
async fn outcomes(org: &Salesforce, handle: &str) -> BTreeMap<u64, Outcome> {
    let mut told = BTreeMap::new();
    loop {
        match org.resume(handle).await.unwrap() {
            Resumed::NotYet(pause) => tokio::time::sleep(pause.try_into().unwrap()).await,
            Resumed::Some(more) => told.extend(more),
            Resumed::Done(last) => {
                told.extend(last);
                return told;
            }
        }
    }
}

async fn count(org: &Salesforce) -> usize {
    let (mut seen, mut resume) = (0, None);
    loop {
        let page = org.list(&of("Contact"), resume.as_deref()).await.unwrap();
        seen += page.observations.len();
        resume = page.resume;
        if resume.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn rows_of_a_job_are_settled_one_by_one() {
    let stage = Stage::new().await;
    let org = stage.connect(true, None);
    let before = count(&org).await;
    let mut batch = contacts(0..30);
    batch[7] = create(
        "Contact",
        7,
        &[
            ("LastName", "X".into()),
            ("Email", "no address".into()),
            ("Customerp_Id__c", "Customer:7".into()),
        ],
    );
    let first = handle(&org.write(&batch[..20], Lane::Load).await);
    let calls = org.calls();
    let second = handle(&org.write(&batch[20..], Lane::Load).await);
    assert_eq!(first, second, "one job for both batches");
    assert_eq!(org.calls(), calls, "the second batch costs no call");
    // Nothing takes effect before the handle comes back.
    assert_eq!(count(&org).await, before);
    let told = outcomes(&org, &first).await;
    assert_eq!(told.len(), 30);
    let Outcome::Refused(refusal) = &told[&7] else {
        panic!("{:?}", told[&7])
    };
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert_eq!(refusal.properties, ["Email"]);
    assert!(
        refusal.message.starts_with("INVALID_EMAIL_ADDRESS"),
        "{}",
        refusal.message
    );
    let shown = org.fetch(&of("Contact"), &[applied(&told[&3])]).await.unwrap();
    assert_eq!(shown[0].values["LastName"], "Person, \"3\"\nof two lines".into());
    assert_eq!(stage.jobs_on_disk(), 0);
    assert_eq!(org.resume(&first).await.unwrap(), Resumed::Done(Vec::new()));

    // Updates travel so, too: blank is not the same as unsaid.
    let changed: Vec<Write> = (10..20)
        .map(|intent| Write {
            intent,
            ..update(
                "Contact",
                &applied(&told[&intent]),
                &[("Email", Value::Blank), ("Description", "new".into())],
                None,
            )
        })
        .collect();
    let third = handle(&org.write(&changed, Lane::Load).await);
    let calls = org.calls();
    let changed = outcomes(&org, &third).await;
    assert_eq!(changed.len(), 10);
    assert_eq!(applied(&changed[&12]), applied(&told[&12]));
    assert!(
        org.calls() - calls <= 5,
        "uploaded, begun, asked: {}",
        org.calls() - calls
    );
    let shown = org.fetch(&of("Contact"), &[applied(&told[&12])]).await.unwrap();
    assert_eq!(shown[0].values["Description"], "new".into());
    assert_eq!(shown[0].values["Customerp_Id__c"], "Customer:12".into());
}

#[tokio::test]
async fn a_crash_leaves_a_job_that_is_resumed_or_one_that_never_was() {
    let stage = Stage::new().await;
    let org = stage.connect(false, None);
    let before = count(&org).await;
    // GIVEN a process that died before the job was submitted
    let unsent = handle(&org.write(&contacts(0..10), Lane::Load).await);
    drop(org);
    let org = stage.connect(false, None);
    let told = outcomes(&org, &unsent).await;
    assert_eq!(told.len(), 10);
    assert!(
        told.values()
            .all(|outcome| matches!(outcome, Outcome::NotSent(_)))
    );
    assert_eq!(count(&org).await, before);
    // AND one that died right after
    let sent = handle(&org.write(&contacts(0..10), Lane::Load).await);
    assert!(matches!(org.resume(&sent).await.unwrap(), Resumed::NotYet(_)));
    drop(org);
    let org = stage.connect(false, None);
    let told = outcomes(&org, &sent).await;
    // THEN the very job is told of, and nothing is there twice
    assert_eq!(told.values().map(applied).count(), 10);
    assert_eq!(count(&org).await, before + 10);
    // Whoever begins anew with the same connector has not noted what was accepted.
    let forgotten = handle(&org.write(&contacts(10..20), Lane::Load).await);
    org.identify().await.unwrap();
    let told = outcomes(&org, &forgotten).await;
    assert!(
        told.values()
            .all(|outcome| matches!(outcome, Outcome::NotSent(_)))
    );
    assert_eq!(count(&org).await, before + 10);
}

#[tokio::test]
async fn a_job_takes_no_more_than_it_may() {
    let stage = Stage::new().await;
    let org = stage.connect(false, Some(500));
    let before = count(&org).await;
    let first = handle(&org.write(&contacts(0..20), Lane::Load).await);
    let second = handle(&org.write(&contacts(20..40), Lane::Load).await);
    assert_ne!(first, second);
    assert_eq!(outcomes(&org, &first).await.len(), 20);
    assert_eq!(outcomes(&org, &second).await.len(), 20);
    assert_eq!(count(&org).await, before + 40);
    // What no column tells apart is written at once.
    let keyless = create("Contact", 99, &[("LastName", "Keyless".into())]);
    applied(&org.write(&[keyless], Lane::Load).await[0]);
}

#[tokio::test]
async fn many_rows_are_read_by_a_query_as_by_pages() {
    const MANY: u64 = 2_400;
    let stage = Stage::new().await;
    let org = stage.connect(false, None);
    let handle = handle(&org.write(&contacts(0..MANY), Lane::Load).await);
    outcomes(&org, &handle).await;
    let types = [of("Contact")];
    let (mut by_query, mut cursor, mut calls) = (BTreeMap::new(), None, 0);
    loop {
        // Every page is asked for by a process of its own.
        let org = stage.connect(false, None);
        let page = org.changes(&types, cursor.as_deref()).await.unwrap();
        by_query.extend(page.observations.into_iter().map(|seen| (seen.key.clone(), seen)));
        calls += org.calls();
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    let plain = Salesforce::connect(config(&stage.url, "tandem")).unwrap();
    let (mut by_pages, mut cursor) = (BTreeMap::new(), None);
    loop {
        let page = plain.changes(&types, cursor.as_deref()).await.unwrap();
        by_pages.extend(page.observations.into_iter().map(|seen| (seen.key.clone(), seen)));
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert!(by_pages.len() >= usize::try_from(MANY).unwrap());
    assert_eq!(by_query.len(), by_pages.len());
    for (key, seen) in &by_pages {
        let other = &by_query[key];
        assert_eq!(other.values, seen.values);
        assert_eq!(
            other.version.as_ref().map(|version| &version.token),
            seen.version.as_ref().map(|version| &version.token)
        );
        assert_eq!((&other.author, &other.created), (&seen.author, &seen.created));
    }
    assert!(calls < 25, "{calls} calls");
}
