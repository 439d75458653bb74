//! Systems that tell of changes by themselves: the real process listens, and whoever posts must prove who it is.

use crate::local::Pair;
use crate::rest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const SECRET: &str = "a secret that nobody guesses";
/// The longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that asks for changes once an hour, and listens.
struct Listening {
    pair: Pair,
    run: Child,
    url: String,
    notes: Box<dyn Iterator<Item = String> + Send>,
}

impl Listening {
    fn start() -> Self {
        let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
        let config = pair.path("tandem.yaml");
        let text = std::fs::read_to_string(&config).unwrap();
        // The first connection alone: what it does not tell is not seen for an hour.
        let told = "    poll: 1h\n    webhooks: { secret: { env: HOOK }, records: { at: events, type: type, id: id } }\n";
        let text = text.replacen("    poll: 1s\n", told, 1) + "\nwebhooks: { address: 127.0.0.1:0 }\n";
        std::fs::write(&config, text).unwrap();
        synced(&pair);
        let mut run = pair.command(&["run", "--no-console", "--json"]);
        let run = run
            .env("HOOK", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut run = run.spawn().unwrap();
        let mut lines = BufReader::new(run.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let events = lines
            .by_ref()
            .map(|line| serde_json::from_str::<Json>(&line).unwrap());
        let mut url = None;
        for event in events {
            url = url.or_else(|| event["webhooks"].as_str().map(str::to_owned));
            // The first round is over, and from now on only messages lead to another one with the ERP.
            if event["event"] == "round" || event["event"] == "in-step" || url.is_some() {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        let notes = BufReader::new(run.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        Self {
            pair,
            run,
            url: format!("{}customerp", url.unwrap()),
            notes: Box::new(notes),
        }
    }

    /// What is answered to a message with this id and body.
    fn post(&self, id: &str, body: &str, secret: &str) -> u16 {
        let at = jiff::Timestamp::now().as_second();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = ring::hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(tag));
        let answered = rest::answered(|client| {
            client
                .post(&self.url)
                .header("webhook-id", id)
                .header("webhook-timestamp", at.to_string())
                .header("webhook-signature", &signature)
                .body(body.to_owned())
        });
        answered.status
    }
}

/// The first sync, with the secret of the messages.
fn synced(pair: &Pair) {
    let synced = pair
        .command(&["sync", "--yes"])
        .env("HOOK", SECRET)
        .output()
        .unwrap();
    assert!(
        synced.status.success(),
        "{}",
        String::from_utf8_lossy(&synced.stderr)
    );
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}

fn described(pair: &Pair, number: &str) -> String {
    let soql = format!("SELECT Description FROM Product2 WHERE ProductCode = '{number}'");
    let found = rest::query_salesforce(&pair.salesforce.url, &soql);
    found[0]["Description"].as_str().unwrap_or_default().to_owned()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_signed_message_brings_an_edit_over_long_before_it_would_be_asked_for() {
    let mut listening = Listening::start();
    let erp = listening.pair.customerp.url.clone();
    let product = rest::get_customerp(&erp, "products/1");
    let number = product["productNumber"].as_str().or(product["number"].as_str());
    let number = number.unwrap_or_else(|| panic!("{product}")).to_owned();
    rest::patch_customerp(&erp, "products/1", &json!({ "description": "told at once" }));
    // Nobody else makes it look.
    let body = r#"{"events":[{"type":"Product","id":"1"}]}"#;
    assert_eq!(listening.post("m0", body, "the secret of somebody else"), 401);
    let refused = listening.notes.by_ref().find(|line| line.contains("is refused"));
    assert!(refused.unwrap().contains("its signature does not fit"));
    assert_ne!(described(&listening.pair, &number), "told at once");
    assert_eq!(listening.post("m1", body, SECRET), 204);
    until("the edit arrives", || {
        described(&listening.pair, &number) == "told at once"
    });
    // Again, and of what is not there: taken, and nothing breaks.
    assert_eq!(listening.post("m1", body, SECRET), 204);
    assert_eq!(
        listening.post("m2", r#"{"events":[{"type":"Product","id":"999999"}]}"#, SECRET),
        204
    );
    // What is not understood is told as such, and the system is asked.
    rest::patch_customerp(&erp, "products/1", &json!({ "description": "asked for" }));
    assert_eq!(listening.post("m3", "what?", SECRET), 400);
    until("the next edit arrives", || {
        described(&listening.pair, &number) == "asked for"
    });
}

#[test]
fn what_is_too_large_or_for_nobody_is_refused() {
    let mut listening = Listening::start();
    let large = "x".repeat(1024 * 1024 + 1);
    assert_eq!(listening.post("m1", &large, SECRET), 413);
    listening.url = listening.url.replace("customerp", "salesforce");
    assert_eq!(listening.post("m2", "{}", SECRET), 404);
}

const PUBLIC: &str = "https://tandem.example.com";

/// The local Customerp posts no messages: a product stands for a subscription, and of contacts there is nothing to subscribe to.
#[test]
fn run_subscribes_once_at_the_public_address_and_tells_where_that_fails() {
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    let described = include_str!("../../../../examples/customerp-rest/customerp.yaml")
        .replace(
            "    collection: products\n",
            "    collection: products\n    push: { subscribe: { request: POST /products, body: { name: Hook, sku: \"{word}\", description: \"{address}\" }, id: id } }\n",
        )
        .replace(
            "    collection: contacts\n",
            "    collection: contacts\n    push: { subscribe: { request: POST /nowhere, body: { url: \"{address}\" }, id: id } }\n",
        );
    std::fs::write(pair.path("erp.yaml"), described).unwrap();
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let hook = "    poll: 1s\n    webhooks: { secret: { env: HOOK } }\n";
    let text = text
        .replace("kind: customerp\n", "kind: rest\n    description: erp.yaml\n")
        .replacen("    poll: 1s\n", hook, 1);
    let listen = format!("\nwebhooks: {{ address: 127.0.0.1:0, public: {PUBLIC} }}\n");
    std::fs::write(&config, text + &listen).unwrap();
    synced(&pair);
    let subscriptions = || {
        let shown = rest::get_customerp(&pair.customerp.url, "products?limit=1000");
        let all = shown["items"].as_array().unwrap().clone();
        let address = format!("{PUBLIC}/webhooks/customerp");
        let told = all
            .iter()
            .filter(|product| product["description"] == address.as_str());
        told.count()
    };
    assert_eq!(subscriptions(), 0);
    // Again by another process, which knows of what the one before did.
    for _ in 0..2 {
        let mut run = pair.command(&["run", "--no-console", "-vvv"]);
        let run = run
            .env("HOOK", SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut run = run.spawn().unwrap();
        let mut lines = BufReader::new(run.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut secret = false;
        let said = lines.find(|line| {
            secret |= line.contains(SECRET);
            line.contains("posts no messages of changes of Contact")
        });
        let _ = run.kill();
        let _ = run.wait();
        assert!(said.unwrap().contains("asked for every `poll` meanwhile"));
        assert!(!secret, "the secret of the messages is shown");
        assert_eq!(subscriptions(), 1);
    }
}
