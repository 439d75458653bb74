//! An org that is watched, and a person who edits there.

use super::{config, of, start};
use crate::scene::{applied, one, plain_client};
use tandem_connector::salesforce::{Salesforce, SalesforceConfig};
use tandem_connector::{ChangePage, Connector};
use tandem_lab::salesforce::{Options, Server};
use tandem_merge::record::Observation;
use tandem_merge::value::Value;
use url::Url;

pub(super) struct Org {
    pub(super) server: Server,
    pub(super) url: Url,
    pub(super) ours: Salesforce,
    pub(super) person: Salesforce,
}

impl Org {
    /// An org that `ours` says how to watch.
    pub(super) async fn start(
        options: Options,
        ours: impl FnOnce(&Server, &Url) -> SalesforceConfig,
    ) -> Self {
        let (server, url) = start(options).await;
        Self {
            ours: Salesforce::connect(ours(&server, &url)).unwrap(),
            person: Salesforce::connect(config(&url, "alice")).unwrap(),
            server,
            url,
        }
    }

    pub(super) async fn post(&self, path: &str, body: String) -> String {
        let request = plain_client().post(self.url.join(path).unwrap()).body(body);
        let request = request.header("authorization", format!("Bearer {}", self.server.admin_token()));
        let reply = request
            .header("content-type", "application/json")
            .send()
            .await
            .unwrap();
        assert!(reply.status().is_success(), "{}", reply.status());
        reply.text().await.unwrap()
    }

    pub(super) async fn advance(&self, seconds: u32) {
        self.post("/_local/clock", format!(r#"{{"advance":{seconds}}}"#))
            .await;
        // A reply shows the moved clock.
        self.ours
            .fetch(&of("Contact"), &["003000000000001AAA".to_owned()])
            .await
            .unwrap();
    }

    pub(super) async fn made(&self, last_name: &str) -> String {
        let write = super::create("Contact", 1, &[("LastName", Value::text(last_name))]);
        applied(&one(&self.person, write).await)
    }
}

pub(super) async fn pages(org: &Salesforce, cursor: Option<Vec<u8>>) -> Vec<ChangePage> {
    let (mut pages, mut at) = (Vec::new(), cursor);
    loop {
        let page = org.changes(&[of("Contact")], at.as_deref()).await.unwrap();
        at = Some(page.cursor.clone());
        let more = page.more;
        pages.push(page);
        if !more {
            return pages;
        }
    }
}

pub(super) async fn round(org: &Salesforce, cursor: Option<Vec<u8>>) -> (Vec<Observation>, Vec<u8>) {
    let pages = pages(org, cursor).await;
    let cursor = pages.last().unwrap().cursor.clone();
    (
        pages.into_iter().flat_map(|page| page.observations).collect(),
        cursor,
    )
}
