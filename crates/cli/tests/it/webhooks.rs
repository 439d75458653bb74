//! Systems that tell of changes by themselves: the real process listens, and whoever posts must prove who it is.

use crate::examples::{Example, copy, examples};
use crate::local::{Pair, System, tandem};
use crate::proxy::{Fate, Proxy};
use crate::rest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
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

/// The real process asks an ERP to send messages, answers its question whether somebody listens, and believes those that
/// carry the secret.
#[test]
fn a_run_subscribes_and_is_woken_by_what_comes_of_it() {
    const WORD: &str = "a word that nobody guesses";
    let example = Example::of("customerp-rest");
    let erp = System::start("customerp", &["--records", "2", "--seed", "6"]);
    // GIVEN an ERP that subscribes whoever answers its question, and says so for three days
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&asked);
    let line = Proxy::before(&erp.url);
    line.rule(move |method, path, whole| {
        if !path.ends_with("/subscriptions") || method != "POST" {
            return Fate::Deliver;
        }
        let (_, body) = whole.split_once("\r\n\r\n").unwrap();
        let body: Json = serde_json::from_str(body).unwrap();
        let address = body["notificationUrl"].as_str().unwrap();
        let echoed = rest::answered(|client| client.post(format!("{address}?validationToken=abc")));
        heard
            .lock()
            .unwrap()
            .push(format!("{} {} {body}", echoed.status, echoed.text));
        match (echoed.status, echoed.text.as_str()) {
            (200, "abc") => Fate::Answer(201, r#"{"id":"s1","ends":"2099-01-01T00:00:00Z"}"#),
            _ => Fate::Answer(400, r#"{"error":"nobody answers there"}"#),
        }
    });
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    example.edit("tandem.yaml", "http://127.0.0.1:8081", &line.url);
    example.edit("tandem.yaml", "{ env: ERP_TOKEN }", "{ file: token }");
    std::fs::write(example.path("token"), "customerp-tandem-token").unwrap();
    std::fs::write(example.path("word"), WORD).unwrap();
    example.edit(
        "tandem.yaml",
        "description: customerp.yaml",
        "description: customerp.yaml\n    webhooks: { secret: { file: word }, word: value.clientState, echo: validationToken }",
    );
    example.edit("tandem.yaml", "poll: 2s\n  salesforce", "poll: 1h\n  salesforce");
    let listens =
        format!("\nwebhooks: {{ address: 127.0.0.1:{port}, public: http://127.0.0.1:{port} }}\nflows:");
    example.edit("tandem.yaml", "\nflows:", &listens);
    copy(
        &examples().join("../flows/customerp-salesforce"),
        &example.path("flows"),
    );
    example.edit("tandem.yaml", "../../flows/customerp-salesforce", "flows");
    example.edit(
        "customerp.yaml",
        "\nrecord_types:",
        "\npush:\n  subscribe: { request: POST /subscriptions, body: { notificationUrl: \"{listener}\", resource: \"{resource}\", clientState: \"{word}\" }, id: id, expires: ends }\n  resources: { Product: products }\nrecord_types:",
    );
    example.done(&["sync", "--yes"]);
    assert!(asked.lock().unwrap().is_empty(), "only who listens subscribes");
    // WHEN it runs
    let mut run = tandem()
        .args(["run", "--no-console", "--json"])
        .current_dir(example.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    until("it subscribes", || !asked.lock().unwrap().is_empty());
    // THEN the ERP was answered, and told where its messages go and what proves them
    let said = asked.lock().unwrap().join("\n");
    let address = format!("http://127.0.0.1:{port}/webhooks/customerp");
    assert!(
        said.starts_with("200 abc") && said.contains(&address) && said.contains(WORD),
        "{said}"
    );
    // WHEN a record is edited and a message comes that carries another word, THEN it is refused; with the right one, it brings the edit
    let product = &example.query("SELECT Customerp_Id__c FROM Product2 LIMIT 1")[0];
    let id = product["Customerp_Id__c"]
        .as_str()
        .unwrap()
        .trim_start_matches("Product:")
        .to_owned();
    rest::patch_customerp(
        &erp.url,
        &format!("products/{id}"),
        &json!({ "name": "Chai Latte" }),
    );
    let sent = |word: &str| {
        let body = json!({ "value": [{ "clientState": word, "resource": "products" }] });
        rest::answered(|client| client.post(&address).body(body.to_string())).status
    };
    assert_eq!(sent("another word that is long"), 401);
    assert_eq!(sent(WORD), 204);
    assert!(lines.any(|line| line.contains("Chai Latte")), "the edit is told");
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1, "it subscribes once");
    let kept = example.path("state/sign-in/customerp.subscriptions");
    assert!(std::fs::read_to_string(kept).unwrap().contains("s1"));
}
