//! A person with a browser: opens a record on one side, edits it in the form, and finds it on the other.
//! Drives Chromium over WebDriver; run by `./test --long`.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a change may take to be seen on the other side before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn an_edit_in_either_record_browser_arrives_in_the_other() {
    // GIVEN two systems in step, and Tandem running
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync", "--quiet"]).code, Some(0));
    let links = pair.run(&["links", "--flow", "order-order", "--json"]).lines();
    let (first, second) = ends(&links);
    let _running = Ended(
        pair.command(&["run", "--quiet"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let browser = Browser::start();
    let ours = format!("{}/orders/{first}", pair.customerp.url);
    let theirs = format!("{}/{second}", pair.salesforce.url);

    // WHEN a person edits the order in Customerp
    browser.edit(&ours, "description", "written in the ERP");
    // THEN it is seen in Salesforce
    browser.wait_for(&theirs, "written in the ERP");

    // WHEN a person edits it in Salesforce
    browser.edit(&theirs, "Description", "written in the org");
    // THEN it is seen in Customerp
    browser.wait_for(&ours, "written in the org");
}

/// The ids of the first link listed.
fn ends(lines: &[Json]) -> (String, String) {
    let link = lines.iter().find(|line| line["flow"] == "order-order").unwrap();
    let id = |system: &str| {
        link[system]
            .as_str()
            .unwrap()
            .split_once(':')
            .unwrap()
            .1
            .to_owned()
    };
    (id("customerp"), id("salesforce"))
}

/// A process that ends when this is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Browser {
    session: String,
    _driver: Ended,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    /// Ends the session, and the browser with it.
    fn drop(&mut self) {
        rest::delete(&self.session);
    }
}

impl Browser {
    fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            let line = line.unwrap();
            let port = line.strip_suffix('.')?.rsplit_once("on port ")?.1;
            port.parse::<u16>().ok()
        });
        let driver_url = format!("http://127.0.0.1:{}", port.unwrap());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } });
        let session = rest::post(&format!("{driver_url}/session"), &wanted);
        let id = session["value"]["sessionId"].as_str().unwrap();
        Self {
            session: format!("{driver_url}/session/{id}"),
            _driver: Ended(driver),
            _profile: profile,
        }
    }

    fn open(&self, url: &str) {
        rest::post(&format!("{}/url", self.session), &json!({ "url": url }));
    }

    fn find(&self, selector: &str) -> String {
        let asked = json!({ "using": "xpath", "value": selector });
        let found = rest::post(&format!("{}/element", self.session), &asked);
        found["value"][ELEMENT].as_str().unwrap().to_owned()
    }

    fn act(&self, element: &str, what: &str, body: &Json) {
        rest::post(&format!("{}/element/{element}/{what}", self.session), body);
    }

    /// Opens a record's page, its form, writes into one field and saves.
    fn edit(&self, page: &str, field: &str, text: &str) {
        self.open(page);
        let edit = self.find("//a[normalize-space()='Edit']");
        self.act(&edit, "click", &json!({}));
        let area = self.find(&format!("//textarea[@name='{field}']"));
        self.act(&area, "clear", &json!({}));
        self.act(&area, "value", &json!({ "text": text }));
        let save = self.find("//button[normalize-space()='Save']");
        self.act(&save, "click", &json!({}));
    }

    /// Reloads a page until it shows the text.
    fn wait_for(&self, page: &str, text: &str) {
        let began = Instant::now();
        loop {
            self.open(page);
            let source = rest::get(&format!("{}/source", self.session));
            if source["value"].as_str().unwrap().contains(text) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{page} does not show {text:?}");
        }
    }
}
