//! Messages of changes that an ERP posts only to whoever subscribed, against the local service that does so as Business Central.

use super::ready::{BUSINESS_CENTRAL, filled};
use super::{config, described};
use crate::salesforce::office::{Answer, Asked, Office};
use crate::scene::plain_client;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tandem_connector::Beside;
use tandem_connector::rest::{Description, Keep, Rest, RestConfig};
use tandem_connector::webhook::{Callback, Webhook};
use tandem_connector::{Connector, Error};
use tandem_lab::odata::{Options, Preset, Server, serve};
use tandem_merge::config::{self as merge, Encoding, SecretReference, SignedPart, Tells};
use tandem_merge::record::{RecordKey, RecordType};
use url::Url;

const SECRET: &str = "a word that nobody guesses";

/// The service, somebody who listens, and a connector that keeps what it knows in a folder.
struct Scene {
    server: Server,
    listener: Office,
    silent: Arc<AtomicBool>,
    folder: tempfile::TempDir,
    began: Timestamp,
}

impl Scene {
    async fn open() -> Self {
        let options = Options {
            preset: Preset::BusinessCentral,
            records: 3,
            ..Options::default()
        };
        let silent: Arc<AtomicBool> = Arc::default();
        let mute = Arc::clone(&silent);
        let listener = Office::open(move |asked: &Asked| -> Answer {
            let word = asked
                .path
                .split_once("?validationToken=")
                .map(|(_, word)| word.to_owned());
            match word.filter(|_| !mute.load(Ordering::Relaxed)) {
                Some(word) => ("200 OK".to_owned(), word),
                None => ("204 No Content".to_owned(), String::new()),
            }
        })
        .await;
        Self {
            server: serve(options).await.unwrap(),
            listener,
            silent,
            folder: tempfile::tempdir().unwrap(),
            began: Timestamp::now(),
        }
    }

    /// A process of its own.
    fn process(&self) -> Rest {
        process(&self.server.url().parse().unwrap(), self.folder.path())
    }

    async fn subscribe(
        &self,
        rest: &dyn Connector,
        after: SignedDuration,
        word: &str,
    ) -> Result<Option<Timestamp>, Error> {
        let address = self.listener.url.join("webhooks/erp").unwrap();
        let secret: SecretString = word.into();
        let to = Callback {
            address: address.as_str(),
            secret: &secret,
        };
        rest.subscribe(to, self.began + after).await
    }

    async fn local(&self, path: &str, body: &Json) {
        let url = format!("{}/_local/{path}", self.server.url());
        let sent = plain_client()
            .post(url)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert!(sent.status().is_success());
    }

    /// The subscriptions that the service holds, by what they are about.
    async fn held(&self) -> BTreeMap<String, Json> {
        let url = format!("{}/subscriptions", self.server.services()[0]);
        let sent = plain_client()
            .get(url)
            .bearer_auth("odata-tandem-token")
            .send()
            .await
            .unwrap();
        let held: Json = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
        let all = held["value"].as_array().unwrap().iter();
        let by_set = all.map(|one| {
            (
                one["resource"]
                    .as_str()
                    .unwrap()
                    .rsplit('/')
                    .next()
                    .unwrap()
                    .to_owned(),
                one.clone(),
            )
        });
        by_set.collect()
    }
}

fn process(url: &Url, folder: &Path) -> Rest {
    let keep = Keep {
        folder: folder.to_owned(),
        files: tandem_seal::Files::default(),
    };
    let with = config(url, &filled(BUSINESS_CENTRAL), &[("token", "odata-tandem-token")]);
    Rest::connect(RestConfig {
        keep: Some(keep),
        ..with
    })
    .unwrap()
}

fn ids(held: &BTreeMap<String, Json>) -> Vec<&str> {
    held.values()
        .map(|one| one["subscriptionId"].as_str().unwrap())
        .collect()
}

fn ends(held: &BTreeMap<String, Json>) -> Timestamp {
    held["customers"]["expirationDateTime"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn a_subscription_is_made_renewed_in_time_over_restarts_and_made_anew_when_it_lapsed() {
    let scene = Scene::open().await;
    let rest = scene.process();
    assert!(rest.subscribes());
    // WHEN it is asked for the first time
    let next = scene
        .subscribe(&rest, SignedDuration::ZERO, SECRET)
        .await
        .unwrap()
        .unwrap();
    let first = scene.held().await;
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        ["contacts", "customers", "items", "salesOrders"]
    );
    // THEN it comes back when half of the three days is over, and nothing is asked before
    let half = next.duration_since(scene.began) - HOUR * 36;
    assert!(half.abs() < HOUR, "{half}");
    let calls = rest.calls();
    scene.subscribe(&rest, HOUR * 35, SECRET).await.unwrap();
    assert_eq!(rest.calls(), calls);
    // WHEN another process comes in the second half, each is renewed by the state that was seen
    scene
        .local("clock", &json!({ "advanceSeconds": 40 * 3_600 }))
        .await;
    let rest = scene.process();
    scene.subscribe(&rest, HOUR * 40, SECRET).await.unwrap();
    let second = scene.held().await;
    assert_eq!(ids(&second), ids(&first));
    let longer = ends(&second).duration_since(ends(&first)) - HOUR * 40;
    assert!(longer.abs() < HOUR, "{longer}");
    // WHEN it is renewed once more, by the state that renewing left
    scene
        .local("clock", &json!({ "advanceSeconds": 40 * 3_600 }))
        .await;
    scene.subscribe(&rest, HOUR * 80, SECRET).await.unwrap();
    assert_eq!(ids(&scene.held().await), ids(&first));
    // WHEN nobody came for longer than it lasts
    scene
        .local("clock", &json!({ "advanceSeconds": 80 * 3_600 }))
        .await;
    assert!(scene.held().await.is_empty());
    scene.subscribe(&rest, HOUR * 160, SECRET).await.unwrap();
    let third = scene.held().await;
    assert_eq!(third.len(), 4);
    assert!(ids(&third).iter().all(|id| !ids(&first).contains(id)));
    // Another secret wants other subscriptions, and the old ones are ended.
    scene
        .subscribe(&rest, HOUR * 161, "another word nobody guesses")
        .await
        .unwrap();
    let fourth = scene.held().await;
    assert_eq!(fourth.len(), 4);
    assert!(ids(&fourth).iter().all(|id| !ids(&third).contains(id)));
}

#[tokio::test]
async fn one_that_was_left_over_is_ended_before_another_is_made() {
    let mut scene = Scene::open().await;
    let rest = scene.process();
    scene
        .subscribe(&rest, SignedDuration::ZERO, SECRET)
        .await
        .unwrap();
    let first = scene.held().await;
    // WHEN what was known of them is lost, as after a reply that never came
    scene.folder = tempfile::tempdir().unwrap();
    // AND somebody else listens to the same
    let other = json!({ "notificationUrl": scene.listener.url.join("others").unwrap().as_str(), "resource": first["customers"]["resource"] });
    let url = format!("{}/subscriptions", scene.server.services()[0]);
    let sent = plain_client().post(&url).bearer_auth("odata-tandem-token");
    assert!(
        sent.body(other.to_string())
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    scene.subscribe(&scene.process(), HOUR, SECRET).await.unwrap();
    // THEN each stands once, and the other one as it was
    let sent = plain_client().get(&url).bearer_auth("odata-tandem-token").send();
    let held: Json = serde_json::from_slice(&sent.await.unwrap().bytes().await.unwrap()).unwrap();
    let held = held["value"].as_array().unwrap();
    assert_eq!(held.len(), 5, "{held:?}");
    let ours = |one: &&Json| one["notificationUrl"] != other["notificationUrl"];
    let left = held
        .iter()
        .filter(ours)
        .map(|one| one["subscriptionId"].as_str().unwrap());
    assert!(left.into_iter().all(|id| !ids(&first).contains(&id)));
}

#[tokio::test]
async fn a_subscription_that_the_erp_forgot_is_made_anew_in_its_turn() {
    let scene = Scene::open().await;
    let rest = scene.process();
    scene
        .subscribe(&rest, SignedDuration::ZERO, SECRET)
        .await
        .unwrap();
    scene
        .local("clock", &json!({ "advanceSeconds": 80 * 3_600 }))
        .await;
    // By our clock it lasts, and is due.
    scene.subscribe(&rest, HOUR * 40, SECRET).await.unwrap();
    assert_eq!(scene.held().await.len(), 4);
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_told_and_changes_are_asked_for_all_the_same() {
    let scene = Scene::open().await;
    scene.silent.store(true, Ordering::Relaxed);
    let rest = scene.process();
    let error = scene
        .subscribe(&rest, SignedDuration::ZERO, SECRET)
        .await
        .unwrap_err();
    assert!(
        error.message.contains("no messages of changes of Contact"),
        "{error}"
    );
    assert!(
        error.message.contains("did not send the validation token back"),
        "{error}"
    );
    assert!(scene.held().await.is_empty());
    let customers = RecordType::new("erp", "Customer");
    rest.changes(std::slice::from_ref(&customers), None)
        .await
        .unwrap();
    let page = rest.list(&customers, None).await.unwrap();
    assert_eq!(page.observations.len(), 3);
    scene.silent.store(false, Ordering::Relaxed);
    scene.subscribe(&rest, HOUR, SECRET).await.unwrap();
    assert_eq!(scene.held().await.len(), 4);
}

fn hook() -> Webhook {
    let of = merge::Webhook {
        secret: SecretReference::Env("HOOK".to_owned()),
        signature: "webhook-signature".to_owned(),
        prefix: "v1,".to_owned(),
        encoding: Encoding::Base64,
        signs: vec![SignedPart::Body],
        timestamp: None,
        id: "webhook-id".to_owned(),
        window_ms: 300_000,
        tells: Some(Tells {
            at: "value".to_owned(),
            record_type: "type".to_owned(),
            id: "id".to_owned(),
            address: Some("resource".to_owned()),
            types: [("customers".to_owned(), "Customer".to_owned())].into(),
        }),
        echo: Some("validationToken".to_owned()),
        word: Some("value.clientState".to_owned()),
    };
    Webhook::new("erp", &of, SECRET, [RecordType::new("erp", "Customer")].into()).unwrap()
}

#[tokio::test]
async fn a_message_wakes_the_record_that_was_changed() {
    let scene = Scene::open().await;
    let hook = Arc::new(hook());
    let rest = Beside::new(Arc::new(scene.process())).told_by(Some(Arc::clone(&hook)));
    let customers = [RecordType::new("erp", "Customer")];
    let page = rest.changes(&customers, None).await.unwrap();
    let listed = rest.list(&customers[0], None).await.unwrap();
    let key = listed.observations[0].key.clone();
    scene
        .subscribe(&rest, SignedDuration::ZERO, SECRET)
        .await
        .unwrap();
    let edit = json!({ "set": "customers", "key": { "id": key.id }, "values": { "city": "Ulm" } });
    scene.local("edit", &edit).await;
    let message = async {
        loop {
            let asked = scene.listener.asked();
            if let Some(asked) = asked.into_iter().find(|asked| !asked.body.is_empty()) {
                return asked;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let message = tokio::time::timeout(Duration::from_secs(20), message)
        .await
        .unwrap();
    let headers = reqwest::header::HeaderMap::new();
    hook.take(&headers, message.body.as_bytes(), Timestamp::now())
        .unwrap();
    tokio::time::timeout(Duration::from_secs(20), rest.changed())
        .await
        .unwrap();
    let page = rest.changes(&customers, Some(&page.cursor)).await.unwrap();
    assert_eq!(page.hints, [RecordKey::new("erp", "Customer", key.id)]);
}

#[test]
fn what_a_subscription_lacks_is_told_with_its_place() {
    described(&filled(BUSINESS_CENTRAL));
    for (from, to, said) in [
        (
            "{ notificationUrl: \"{address}\", resource",
            "{ resource",
            "nothing says where messages go",
        ),
        (
            "      token: /@odata.etag\n    existing",
            "    existing",
            "nothing says where a subscription shows it",
        ),
        (
            "      token: /@odata.etag\n    renew",
            "    renew",
            "nothing says where one that is left over shows it",
        ),
        (
            "ours: { notificationUrl: \"{address}\", resource",
            "ours: { resource",
            "nothing tells our subscriptions from those of others",
        ),
        (
            "    unsubscribe: { request: \"DELETE /subscriptions('{subscription}')\", headers: { If-Match: \"{token}\" } }\n",
            "",
            "nothing says how a subscription that is left over is ended",
        ),
        (
            "'{subscription}'",
            "'{id}'",
            "nothing is filled in for `{id}` in `renew`",
        ),
    ] {
        let text = filled(BUSINESS_CENTRAL);
        assert!(text.contains(from), "{from}");
        let read = Description::read("erp.yaml", &text.replacen(from, to, 1));
        let Err(problems) = read else {
            panic!("nothing is said: {said}");
        };
        assert!(
            problems.iter().any(|one| one.to_string().contains(said)),
            "{said}: {problems:?}"
        );
    }
}
