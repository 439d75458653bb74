//! Subscriptions to messages of changes, at an ERP that ends them after three days and knows one for each address and resource.

use super::config;
use super::stage::{OK, description, header, method, sent, status};
use crate::salesforce::office::{Answer, Asked, Office};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};
use tandem_connector::rest::{Keep, Rest, RestConfig};
use tandem_connector::webhook::Listener;
use tandem_connector::{Connector, ErrorKind};
use tandem_seal::Files;

const HEAD: &str = "
errors: { rules: [{ status: [400], code: [exists], means: duplicate }], code: error.code }
push:
  subscribe: { request: POST /subscriptions, body: { notificationUrl: \"{listener}\", resource: \"/{resource}\", clientState: \"{word}\" }, id: subscriptionId, expires: expirationDateTime }
  renew: { request: \"PATCH /subscriptions('{id}')\", headers: { If-Match: \"*\" }, body: { clientState: \"{word}\" }, expires: expirationDateTime }
  find: { request: GET /subscriptions, items: value, id: subscriptionId, listener: notificationUrl, resource: resource }
  resources: { Thing: things }
";
const THINGS: &str = "
record: { id: id }
list: { request: GET /things, items: rows }
read: { request: \"GET /things/{id}\" }
";

/// What the ERP knows of who subscribed, and its clock.
struct Erp {
    now: Mutex<Timestamp>,
    held: Mutex<Vec<Json>>,
    asked: Mutex<Vec<String>>,
}

impl Erp {
    fn ends(&self) -> String {
        let now = *self.now.lock().unwrap();
        (now + SignedDuration::from_hours(72)).to_string()
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let word = format!("{} {}", method(asked), asked.path);
        self.asked.lock().unwrap().push(word);
        let now = *self.now.lock().unwrap();
        let mut held = self.held.lock().unwrap();
        held.retain(|one| {
            one["expirationDateTime"]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap()
                > now
        });
        match method(asked) {
            "GET" => (OK.to_owned(), json!({ "value": *held }).to_string()),
            "POST" => {
                let mut made = sent(asked);
                let same = |one: &&Json| {
                    ["notificationUrl", "resource"]
                        .iter()
                        .all(|name| one[name] == made[name])
                };
                if held.iter().find(same).is_some() {
                    return (
                        "400 Bad Request".to_owned(),
                        json!({ "error": { "code": "exists" } }).to_string(),
                    );
                }
                made["subscriptionId"] = json!(format!("s{}", self.asked.lock().unwrap().len()));
                made["expirationDateTime"] = json!(self.ends());
                held.push(made.clone());
                ("201 Created".to_owned(), made.to_string())
            }
            "PATCH" if header(asked, "if-match").is_none() => status("428 Precondition Required"),
            "PATCH" => {
                let named = |one: &&mut Json| asked.path.contains(one["subscriptionId"].as_str().unwrap());
                match held.iter_mut().find(named) {
                    None => status("404 Not Found"),
                    Some(one) => {
                        one["expirationDateTime"] = json!(self.ends());
                        (OK.to_owned(), one.to_string())
                    }
                }
            }
            _ => status("405 Method Not Allowed"),
        }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn pass(&self, hours: i64) -> Timestamp {
        let mut now = self.now.lock().unwrap();
        *now += SignedDuration::from_hours(hours);
        *now
    }
}

fn listener(host: &str) -> Listener {
    Listener {
        address: format!("https://{host}.example.com/webhooks/erp"),
        secret: "a secret that nobody guesses".into(),
    }
}

/// An ERP, and a process that connects to it with what it keeps in a folder.
async fn scene() -> (Arc<Erp>, Office, impl Fn() -> Rest, tempfile::TempDir) {
    let erp = Arc::new(Erp {
        now: Mutex::new("2026-03-01T00:00:00Z".parse().unwrap()),
        held: Mutex::default(),
        asked: Mutex::default(),
    });
    let own = Arc::clone(&erp);
    let office = Office::open(move |asked: &Asked| own.answer(asked)).await;
    let folder = tempfile::tempdir().unwrap();
    let (url, place) = (office.url.clone(), folder.path().to_owned());
    let process = move || {
        let text = description(HEAD, THINGS, "name: string");
        let keep = Keep {
            folder: place.clone(),
            files: Files::default(),
        };
        Rest::connect(RestConfig {
            keep: Some(keep),
            ..config(&url, &text, &[])
        })
        .unwrap()
    };
    (erp, office, process, folder)
}

#[tokio::test]
async fn a_subscription_goes_on_before_it_ends_and_is_made_once() {
    let (erp, _office, process, folder) = scene().await;
    let rest = process();
    assert!(rest.subscribes());
    let home = listener("home");
    // WHEN it is subscribed to, THEN the ERP is told where, and what for
    let began = erp.pass(0);
    let next = rest.subscribe(&home, began).await.unwrap().unwrap();
    assert_eq!(erp.asked(), ["GET /subscriptions", "POST /subscriptions"]);
    let held = erp.held.lock().unwrap()[0].clone();
    assert_eq!(held["notificationUrl"], "https://home.example.com/webhooks/erp");
    assert_eq!(held["resource"], "/things");
    assert_eq!(held["clientState"], "a secret that nobody guesses");
    // It ends after three days, and is to go on a day before.
    assert_eq!(next, began + SignedDuration::from_hours(48));
    // WHEN another process comes, THEN nothing is asked before that moment
    let next = process().subscribe(&home, erp.pass(47)).await.unwrap();
    assert_eq!(next, Some(began + SignedDuration::from_hours(48)));
    assert_eq!(erp.asked(), [""; 0]);
    // WHEN it has come, THEN the same one goes on
    let now = erp.pass(1);
    let next = process().subscribe(&home, now).await.unwrap();
    assert_eq!(next, Some(now + SignedDuration::from_hours(48)));
    assert_eq!(erp.asked(), ["PATCH /subscriptions('s2')"]);
    // WHEN what was kept is lost, THEN the ERP's own list says that there is one
    std::fs::remove_file(folder.path().join("erp.subscriptions")).unwrap();
    process().subscribe(&home, now).await.unwrap();
    assert_eq!(erp.asked(), ["GET /subscriptions", "PATCH /subscriptions('s2')"]);
    // WHEN it was taken away over there, THEN another is made when it is to go on
    erp.held.lock().unwrap().clear();
    process().subscribe(&home, erp.pass(50)).await.unwrap();
    assert_eq!(erp.asked(), ["PATCH /subscriptions('s2')", "POST /subscriptions"]);
    // WHEN nobody was there for a week, THEN it has ended, and another is made
    process().subscribe(&home, erp.pass(168)).await.unwrap();
    assert_eq!(erp.asked(), ["GET /subscriptions", "POST /subscriptions"]);
    // WHEN messages are to come elsewhere, THEN another is made there
    process().subscribe(&listener("away"), erp.pass(0)).await.unwrap();
    assert_eq!(erp.asked(), ["GET /subscriptions", "POST /subscriptions"]);
    assert_eq!(erp.held.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_an_erp_does_not_take_is_told_with_its_words() {
    let office = Office::open(|asked: &Asked| match method(asked) {
        "GET" => (OK.to_owned(), json!({ "value": [] }).to_string()),
        _ => (
            "400 Bad Request".to_owned(),
            json!({ "error": { "message": "nobody answers there" } }).to_string(),
        ),
    })
    .await;
    let head = HEAD.replace("code: error.code }", "code: error.code, message: error.message }");
    let text = description(&head, THINGS, "name: string");
    let rest = Rest::connect(config(&office.url, &text, &[])).unwrap();
    let error = rest
        .subscribe(&listener("home"), Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(error.message.contains("nobody answers there"), "{error}");
    assert_ne!(error.kind, ErrorKind::Down, "{error}");
}

#[test]
fn what_is_wrong_with_a_subscription_is_told_with_its_place() {
    let head = HEAD
        .replace("Thing: things", "Thnig: things")
        .replace("{word}", "{wrod}");
    let problems =
        tandem_connector::rest::Description::read("erp.yaml", &description(&head, THINGS, "name: string"));
    let told: Vec<String> = problems.unwrap_err().iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    assert!(
        told.contains("there is no record type `Thnig`") && told.contains("`Thing`"),
        "{told}"
    );
    assert!(
        told.contains("nothing is filled in for `{wrod}` in `subscribe`"),
        "{told}"
    );
}
