//! Chromium over WebDriver. Whatever is looked for is waited for: nothing here sleeps for a time that somebody guessed.

use crate::rest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take to be seen before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for.
const BEAT: Duration = Duration::from_millis(50);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// What is said of an element that a page which was made anew took away, or moved at this moment.
const MOVED: [&str; 5] = [
    "stale element reference",
    "no such element",
    "element click intercepted",
    "element not interactable",
    "detached shadow root",
];

/// A process that ends when this is dropped.
pub(super) struct Ended(pub(super) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How pages are shown: colours and measures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// `light` or `dark`.
    pub(super) colours: &'static str,
    /// `wide` or `phone`.
    pub(super) device: &'static str,
}

impl Sight {
    /// Width and height in pixels.
    pub(super) fn measures(self) -> (u32, u32) {
        match self.device {
            "phone" => (390, 844),
            _ => (1280, 800),
        }
    }
}

/// A browser with a profile of its own.
pub(super) struct Browser {
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

/// A driver with its address. It takes a port that is free in one family of addresses and ends where the other has it
/// already: then another one is started.
fn driver() -> (Child, String) {
    for _ in 0..5 {
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
        if let Some(port) = port {
            return (driver, format!("http://127.0.0.1:{port}"));
        }
        driver.wait().unwrap();
    }
    panic!("chromedriver does not start");
}

impl Browser {
    pub(super) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (driver, driver_url) = driver();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1280,800",
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

    /// What the driver answers to a command: its value, or the name of what went wrong with its message.
    fn ask(&self, method: &Method, path: &str, body: &Json) -> Result<Json, (String, String)> {
        let url = format!("{}{path}", self.session);
        let answer = rest::answered(|client| {
            let request = client.request(method.clone(), &url);
            match *method == Method::POST {
                true => request.json(body),
                false => request,
            }
        });
        let said = answer.json()["value"].clone();
        match answer.status {
            200 => Ok(said),
            _ => {
                let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
                Err((text("error"), text("message")))
            }
        }
    }

    fn post(&self, path: &str, body: &Json) -> Json {
        let done = self.ask(&Method::POST, path, body);
        done.unwrap_or_else(|(error, message)| panic!("{path}: {error}: {message}"))
    }

    pub(super) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Where the browser is.
    pub(super) fn address(&self) -> String {
        let address = self.ask(&Method::GET, "/url", &Json::Null).unwrap();
        address.as_str().unwrap().to_owned()
    }

    /// Waits until something can be seen; `what` says so where it cannot.
    #[track_caller]
    pub(super) fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain for {what} at {}:\n{}",
                self.address(),
                self.text()
            );
            std::thread::sleep(BEAT);
        }
    }

    /// All elements that there are of a kind.
    pub(super) fn all(&self, xpath: &str) -> Vec<String> {
        let found = self.post("/elements", &json!({ "using": "xpath", "value": xpath }));
        let found = found.as_array().unwrap().iter();
        found
            .map(|one| one[ELEMENT].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits for an element.
    #[track_caller]
    pub(super) fn find(&self, xpath: &str) -> String {
        self.wait(xpath, || self.all(xpath).into_iter().next())
    }

    /// Does something with an element.
    pub(super) fn act(&self, element: &str, what: &str, body: &Json) {
        self.post(&format!("/element/{element}/{what}"), body);
    }

    /// Clicks an element, once it is there and stays where it is.
    #[track_caller]
    pub(super) fn click(&self, xpath: &str) {
        self.wait(&format!("a click on {xpath}"), || {
            let element = self.all(xpath).into_iter().next()?;
            match self.ask(&Method::POST, &format!("/element/{element}/click"), &json!({})) {
                Ok(_) => Some(()),
                Err((error, _)) if MOVED.contains(&error.as_str()) => None,
                Err((error, message)) => panic!("{xpath}: {error}: {message}"),
            }
        });
    }

    /// Types into a field; a line break sends its form.
    #[track_caller]
    pub(super) fn type_into(&self, xpath: &str, text: &str) {
        let field = self.find(xpath);
        self.act(&field, "value", &json!({ "text": text }));
    }

    /// Presses a key, wherever the focus is.
    pub(super) fn press(&self, key: &str) {
        let stroke = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let keys = json!({ "actions": [{ "type": "key", "id": "keys", "actions": stroke }] });
        self.post("/actions", &keys);
    }

    /// What a function's body returns in the page; none while the page is made anew.
    pub(super) fn js(&self, body: &str) -> Option<Json> {
        let asked = json!({ "script": body, "args": [] });
        match self.ask(&Method::POST, "/execute/sync", &asked) {
            Ok(value) => Some(value),
            Err((error, message)) => {
                let away = message.contains("unloaded") || message.contains("null");
                assert!(away, "{error}: {message}\n{body}");
                None
            }
        }
    }

    /// What a function's body comes to that calls `done` in the end.
    pub(super) fn js_later(&self, body: &str) -> Json {
        let script = format!("const done = arguments[arguments.length - 1];{body}");
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// The text that a person can read.
    pub(super) fn text(&self) -> String {
        let text = self.js("return document.body.innerText");
        text.and_then(|text| Some(text.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    /// Waits until the page that is open shows a text.
    #[track_caller]
    pub(super) fn shows(&self, text: &str) {
        self.wait(&format!("{text:?}"), || self.text().contains(text).then_some(()));
    }

    /// Opens a page again and again until it shows a text.
    #[track_caller]
    pub(super) fn reload_until(&self, page: &str, text: &str) {
        self.wait(&format!("{text:?}"), || {
            self.open(page);
            let source = self.ask(&Method::GET, "/source", &Json::Null).unwrap();
            source.as_str().unwrap().contains(text).then_some(())
        });
    }

    /// Shows pages in other colours and measures from now on.
    pub(super) fn see(&self, sight: Sight) {
        let (width, height) = sight.measures();
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": sight.device == "phone" });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": sight.colours }] });
        self.devtools("Emulation.setEmulatedMedia", &media);
    }

    /// Runs no scripts of pages from now on.
    pub(super) fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    }

    /// What can be seen, as a PNG.
    pub(super) fn picture(&self) -> Vec<u8> {
        let taken = self.ask(&Method::GET, "/screenshot", &Json::Null).unwrap();
        STANDARD.decode(taken.as_str().unwrap()).unwrap()
    }

    fn devtools(&self, command: &str, parameters: &Json) {
        let asked = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", &asked);
    }
}
