//! Seeing every change by asking: late rows, full seconds, merged records, complete comparisons.

use super::config;
use super::stage::{Org, pages, round};
use crate::scene::{applied, plain_client};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::salesforce::{Salesforce, SalesforceConfig, Watch};
use tandem_connector::{Connector, Lane};
use tandem_lab::salesforce::{Options, Server};
use tandem_merge::record::Presence;
use tandem_merge::value::Value;
use url::Url;

impl Org {
    async fn asked(overlap: i64) -> Self {
        let ours = |_: &Server, url: &Url| SalesforceConfig {
            overlap: SignedDuration::from_secs(overlap),
            ..config(url, "tandem")
        };
        Self::start(Options::default(), ours).await
    }
}

#[tokio::test]
async fn s4_rows_visible_up_to_three_minutes_late_and_a_thousand_in_one_second_are_all_seen_once() {
    let org = Org::asked(240).await;
    let (_, mut cursor) = round(&org.ours, None).await;
    let rule = r#"{"action":"late-visibility","object":"Contact","seconds":0,"up_to_seconds":180}"#;
    org.post("/_local/faults", rule.to_owned()).await;
    let many: Vec<_> = (0..1_000)
        .map(|number| {
            super::create(
                "Contact",
                number,
                &[("LastName", Value::text(format!("Late {number}")))],
            )
        })
        .collect();
    let made: BTreeSet<String> = org
        .person
        .write(&many, Lane::Live)
        .await
        .iter()
        .map(applied)
        .collect();
    assert_eq!(made.len(), 1_000);
    let mut states: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut first = 0;
    for turn in 0..9 {
        let (seen, next) = round(&org.ours, Some(cursor)).await;
        for row in seen {
            let state = format!("{:?} {:?}", row.version.map(|version| version.token), row.values);
            states.entry(row.key.id).or_default().insert(state);
        }
        if turn == 0 {
            first = states.len();
        }
        cursor = next;
        org.advance(30).await;
    }
    assert!(first < 1_000, "some were late");
    assert_eq!(states.keys().cloned().collect::<BTreeSet<_>>(), made);
    // What is shown again within the overlap is the same state, which the store knows by its version.
    assert!(states.values().all(|shown| shown.len() == 1));
}

#[tokio::test]
async fn merged_records_name_their_survivor_and_undeleted_ones_come_back() {
    let org = Org::asked(5).await;
    let (loser, winner) = (org.made("Loser").await, org.made("Winner").await);
    let (_, cursor) = round(&org.ours, None).await;
    org.soap(&format!(
        "<merge><mergeRequests><masterRecord><type>Contact</type><Id>{winner}</Id></masterRecord>\
         <recordToMergeIds>{loser}</recordToMergeIds></mergeRequests></merge>"
    ))
    .await;
    let (seen, cursor) = round(&org.ours, Some(cursor)).await;
    let gone = seen.iter().find(|row| row.key.id == loser).unwrap();
    assert_eq!(gone.presence, Presence::Deleted);
    assert_eq!(gone.merged_into.as_ref(), Some(&winner));
    org.soap(&format!("<undelete><ids>{loser}</ids></undelete>"))
        .await;
    let (seen, _) = round(&org.ours, Some(cursor)).await;
    let back = seen.iter().find(|row| row.key.id == loser).unwrap();
    assert_eq!((back.presence, &back.merged_into), (Presence::Alive, &None));
}

#[tokio::test]
async fn a_complete_comparison_goes_on_where_it_was_and_covers_every_id() {
    let org = Org::asked(5).await;
    let many: Vec<_> = (0..2_100)
        .map(|number| {
            super::create(
                "Contact",
                number,
                &[("LastName", Value::text(format!("Row {number}")))],
            )
        })
        .collect();
    org.person.write(&many, Lane::Live).await;
    let daily = Watch {
        compare_every: SignedDuration::from_hours(24),
        ..Watch::polling()
    };
    let ours = Salesforce::connect(SalesforceConfig {
        watch: daily,
        ..config(&org.url, "tandem")
    });
    let ours = ours.unwrap();
    let (_, cursor) = round(&ours, None).await;
    org.advance(25 * 3_600).await;
    ours.identify().await.unwrap();
    let mut after = None;
    let mut shown = BTreeSet::new();
    for page in pages(&ours, Some(cursor)).await {
        if let Some(complete) = page.complete {
            assert_eq!(complete.after, after);
            after = complete.to;
            shown.extend(page.observations.into_iter().map(|row| row.key.id));
        }
    }
    assert_eq!((after, shown.len()), (None, 2_100));
}

impl Org {
    async fn soap(&self, call: &str) {
        let form = "grant_type=client_credentials&client_id=alice&client_secret=alice-secret";
        let request = plain_client().post(self.url.join("/services/oauth2/token").unwrap());
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let reply = request.send().await.unwrap().text().await.unwrap();
        let token = reply.split(r#""access_token":""#).nth(1).unwrap();
        let token = token.split('"').next().unwrap();
        let body = format!(
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><soapenv:Header><SessionHeader><sessionId>{token}</sessionId></SessionHeader></soapenv:Header><soapenv:Body>{call}</soapenv:Body></soapenv:Envelope>"#
        );
        let request = plain_client().post(self.url.join("/services/Soap/u/62.0").unwrap());
        let request = request
            .header("content-type", "text/xml")
            .header("soapaction", "\"\"")
            .body(body);
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.contains("<success>true</success>"), "{text}");
    }
}
