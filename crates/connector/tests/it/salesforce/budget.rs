//! The day's budget against the local org, whose own book tells how many calls were made.

use super::{config, start};
use crate::scene::plain_client;
use jiff::SignedDuration;
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, Share};
use tandem_connector::{Connector, Error, ErrorKind};
use tandem_lab::salesforce::Options;
use url::Url;

fn org(url: &Url, percent: u32) -> Salesforce {
    let share = Share {
        percent,
        live_reserve: 20,
        longest_pause: SignedDuration::from_millis(1),
    };
    Salesforce::connect(SalesforceConfig {
        share,
        ..config(url, "tandem")
    })
    .unwrap()
}

/// Live work until it is refused, and the refusal.
async fn exhaust(org: &Salesforce) -> Error {
    for _ in 0..1_000 {
        if let Err(error) = org.identify().await {
            return error;
        }
    }
    panic!("nothing was refused")
}

/// Calls by the org's own book.
async fn counted(url: &Url) -> u64 {
    let reply = plain_client()
        .get(url.join("/_local/calls").unwrap())
        .send()
        .await
        .unwrap();
    let book: serde_json::Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    book["total"].as_u64().unwrap()
}

async fn small() -> (tandem_lab::salesforce::Server, Url) {
    start(Options {
        daily_api_requests: 40,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn the_share_is_spent_to_the_last_call_and_never_beyond() {
    let (_server, url) = small().await;
    let org = org(&url, 50);
    org.identify().await.unwrap();
    // Long work stops first ...
    let contact = super::of("Contact");
    let error = loop {
        if let Err(error) = org.list(&contact, None).await {
            break error;
        }
    };
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.message.contains("16 of 20 calls"), "{error}");
    assert_eq!(counted(&url).await, 16);
    // ... and live work goes on to the share, by several callers at once.
    let (one, two) = futures::join!(exhaust(&org), exhaust(&org));
    for error in [one, two] {
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(
            error
                .message
                .starts_with("budget of the day reached: 20 of 20 calls"),
            "{error}"
        );
        assert!(error.retry_at.is_some());
    }
    assert_eq!(counted(&url).await, 20);
    assert_eq!(org.calls(), 20);
    let budget = org.budget().unwrap();
    assert_eq!((budget.spent, budget.share), (20, Some(20)));
    assert!(budget.live_waits.is_some() && budget.backfill_waits.is_some());
}

#[tokio::test]
async fn the_next_day_by_the_orgs_clock_begins_anew_also_for_another_process() {
    let (_server, url) = small().await;
    let first = org(&url, 50);
    exhaust(&first).await;
    let second = org(&url, 50);
    second.restore_budget(&first.budget().unwrap());
    assert_eq!(second.identify().await.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(counted(&url).await, 20);
    let http = plain_client();
    http.delete(url.join("/_local/calls").unwrap())
        .send()
        .await
        .unwrap();
    let day = http.post(url.join("/_local/clock").unwrap());
    let day = day
        .header("content-type", "application/json")
        .body(r#"{"advance":86400}"#);
    assert!(day.send().await.unwrap().status().is_success());
    let third = org(&url, 50);
    third.restore_budget(&first.budget().unwrap());
    third.identify().await.unwrap();
    assert_eq!(third.budget().unwrap().spent, 1);
}

#[tokio::test]
async fn an_org_whose_calls_others_used_up_says_so_with_a_time() {
    let (_server, url) = small().await;
    let greedy = org(&url, 100);
    exhaust(&greedy).await;
    let ours = org(&url, 50);
    let error = ours.identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(
        error.message.contains("API calls of the day are used up"),
        "{error}"
    );
    assert!(error.retry_at.is_some());
}

#[tokio::test]
async fn limits_are_asked_once_while_fresh() {
    let (_server, url) = small().await;
    let org = org(&url, 50);
    for _ in 0..3 {
        let budget = org.measure_budget().await.unwrap().unwrap();
        assert_eq!(budget.calls.unwrap().allowed, 40);
        assert!(budget.events.is_some());
    }
    assert_eq!(counted(&url).await, 1);
}

#[tokio::test]
async fn a_comparison_waits_for_the_next_day_while_live_changes_are_told() {
    // GIVEN a type that was read to its end, and a share of which long work has no more
    let (_server, url) = small().await;
    let mut config = config(&url, "tandem");
    config.share = Share {
        percent: 50,
        live_reserve: 40,
        longest_pause: SignedDuration::from_millis(1),
    };
    config.watch.compare_every = SignedDuration::from_hours(1);
    let org = Salesforce::connect(config).unwrap();
    let contact = [super::of("Contact")];
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = org.changes(&contact, cursor.as_deref()).await.unwrap();
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    while org.budget().unwrap().backfill_waits.is_none() {
        org.identify().await.unwrap();
    }
    // WHEN its comparison is due
    let http = plain_client();
    let clock = |seconds: u32| {
        http.post(url.join("/_local/clock").unwrap())
            .header("content-type", "application/json")
            .body(format!(r#"{{"advance":{seconds}}}"#))
            .send()
    };
    let day = org.budget().unwrap().day;
    clock(3_700).await.unwrap();
    let page = org.changes(&contact, cursor.as_deref()).await.unwrap();
    let same_day = org.budget().unwrap().day == day;
    // THEN the page is answered without it, and nobody is sent round in circles
    if same_day {
        assert!(page.complete.is_none() && !page.more);
    }
    // AND it is made once the day is over
    clock(86_400).await.unwrap();
    let mut cursor = page.cursor;
    let mut compared = page.complete.is_some();
    for _ in 0..6 {
        let page = org.changes(&contact, Some(&cursor)).await.unwrap();
        compared |= page.complete.is_some();
        cursor = page.cursor;
    }
    assert!(compared);
}
