//! The console of a process that works: who may come in, what programs are told, and what they may do.

mod attacks;
mod beside;
mod contract;
mod many;
mod names;
mod stood;
mod verdicts;

use crate::decide;
use crate::live::until;
use crate::local::{Pair, console_in};
use crate::rest;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// Who signs in with a token, by the configuration that [`Console::start`] writes.
pub(crate) const VIEWER: &str = "token-of-vera";
pub(crate) const OPERATOR: &str = "token-of-otto";
pub(crate) const ADMIN: &str = "token-of-ada";

/// A process that keeps a pair in step and serves its console, until this is dropped.
pub(crate) struct Console {
    pub(crate) url: String,
    /// The link that signs in once.
    pub(crate) link: String,
    /// What it says and logs after the link: each line as it comes.
    said: Arc<Mutex<Vec<String>>>,
    process: Child,
}

/// What an address answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Console {
    /// Starts `tandem run` on a pair, with one person for each role.
    pub(crate) fn start(pair: &Pair) -> Self {
        Self::start_logging(pair, "warn")
    }

    /// The same, which logs what the filter lets through.
    pub(crate) fn start_logging(pair: &Pair, filter: &str) -> Self {
        let config = pair.path("tandem.yaml");
        let text = std::fs::read_to_string(&config).unwrap();
        if !text.contains("console:") {
            let people = "\nconsole:\n  people:\n  - { name: vera, role: viewer, token: { env: VERA } }\n  \
                          - { name: otto, role: operator, token: { env: OTTO } }\n  \
                          - { name: ada, role: admin, token: { env: ADA } }\n";
            std::fs::write(&config, text + people).unwrap();
        }
        let mut process = pair
            .command(&["run", "--console", "127.0.0.1:0"])
            .envs([("VERA", VIEWER), ("OTTO", OPERATOR), ("ADA", ADMIN)])
            .env("TANDEM_LOG", filter)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut notes = BufReader::new(process.stderr.take().unwrap()).lines();
        let said = notes.by_ref().map_while(Result::ok);
        let url = said.filter_map(|line| console_in(&line)).next().unwrap();
        // What is told later must find a reader.
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let noted = said.clone();
        std::thread::spawn(move || notes.for_each(|line| noted.lock().unwrap().extend(line)));
        let told = said.clone();
        std::thread::spawn(move || lines.for_each(|line| told.lock().unwrap().extend(line)));
        Self {
            said,
            link: pair.run(&["console"]).out.trim().to_owned(),
            url,
            process,
        }
    }

    /// What is answered to a request with these headers.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.url),
        };
        rest::answered(|client| {
            let mut request = client.request(method.clone(), &url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            match &body {
                Some(body) => request.body(body.clone()),
                None => request,
            }
        })
    }

    /// What it has said and logged since its link, line by line.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// What a program with a token is told.
    pub(crate) fn get(&self, token: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(
            Method::GET,
            &format!("/api/v1{path}"),
            &[("authorization", &bearer)],
            None,
        )
    }

    /// What a program with a token is told when it asks for something to be done.
    pub(crate) fn post(&self, token: &str, path: &str, body: &Json) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.send(
            Method::POST,
            &format!("/api/v1{path}"),
            &headers,
            Some(body.to_string()),
        )
    }

    /// Signs in by a link: the cookie.
    pub(crate) fn sign_in(&self, link: &str) -> Option<String> {
        let answer = self.send(Method::GET, link, &[], None);
        let cookie = answer.headers.get("set-cookie")?.to_str().unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite"),
            "{cookie}"
        );
        Some(cookie.split(';').next().unwrap().to_owned())
    }

    /// Waits until a flow has links.
    pub(crate) fn linked(&self, flow: &str) -> u64 {
        until(|| {
            let seen = self.get(VIEWER, &format!("/flows/{flow}"));
            (seen.status == 200)
                .then(|| seen.json()["flow"]["linked"].as_u64().unwrap())
                .filter(|n| *n > 0)
        })
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _gone = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ended = self.process.wait();
    }
}

#[test]
fn nobody_looks_or_acts_who_has_not_signed_in_and_each_role_may_what_it_may() {
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    console.linked("contact-contact");
    // Nobody in particular is told that the process is up, how many there are of what, and the way in.
    for path in ["/health/live", "/metrics"] {
        assert_eq!(console.send(Method::GET, path, &[], None).status, 200, "{path}");
    }
    for path in ["/overview", "/items", "/openapi.json", "/events"] {
        for token in ["", "token-of-nobody"] {
            let answer = console.get(token, path);
            assert_eq!(answer.status, 401, "{path}");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
        }
    }
    let page = console.send(Method::GET, "/", &[], None);
    assert_eq!(
        (page.status, page.headers["location"].to_str().unwrap()),
        (303, "/enter")
    );
    // A viewer looks, and what is a person's own is masked; an admin sees it.
    let contact = pair
        .run(&["links", "--flow", "contact-contact", "--json"])
        .lines()[0]["customerp"]
        .clone();
    let address = format!(
        "/records/customerp/{}",
        contact.as_str().unwrap().replace(':', "/")
    );
    let email = |token: &str| {
        let record = console.get(token, &address).json();
        let properties = record["properties"].as_array().unwrap().clone();
        let mut members = properties
            .iter()
            .flat_map(|one| one["members"].as_array().unwrap());
        let email = members.find(|member| member["property"] == "email").unwrap();
        email["value"].as_str().unwrap().to_owned()
    };
    assert!(
        !email(VIEWER).contains('@') && email(ADMIN).contains('@'),
        "{}",
        email(ADMIN)
    );
    // A value that is masked is not found by it either.
    let found = |token: &str| {
        let page = console.get(token, &format!("/records?q={}", email(ADMIN))).json();
        page["rows"].as_array().unwrap().len()
    };
    assert!(found(VIEWER) == 0 && found(ADMIN) > 0);
    // An operator acts, a viewer does not; only an admin takes back.
    let refused = console.post(VIEWER, "/flows/order-order/pause", &json!({}));
    assert_eq!(refused.status, 403, "{}", refused.text);
    let state = || console.get(VIEWER, "/flows/order-order").json()["flow"]["state"].clone();
    assert_ne!(state(), "paused");
    assert_eq!(
        console
            .post(OPERATOR, "/flows/order-order/pause", &json!({}))
            .status,
        200
    );
    assert_eq!(state(), "paused");
    assert_eq!(
        console
            .post(OPERATOR, "/flows/order-order/resume", &json!({}))
            .status,
        200
    );
    assert_ne!(state(), "paused");
    let run = console.get(VIEWER, "/runs").json()["rows"][0]["run"].clone();
    let undo = format!("/runs/{run}/undo");
    assert_eq!(console.post(VIEWER, &undo, &json!({})).status, 403);
    assert_eq!(console.post(OPERATOR, &undo, &json!({})).status, 200);
    assert_eq!(
        console
            .post(OPERATOR, &undo, &json!({ "carry_out": true }))
            .status,
        403
    );
}

#[test]
fn whoever_names_a_record_by_its_id_is_shown_it_at_once_and_the_others_a_page_at_a_time() {
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    console.linked("contact-contact");
    console.linked("invoice-line");
    let id = "1".to_owned();
    // Who names a record by its id is shown it at once, and then whatever else holds the text, once.
    let find = |cursor: &str| {
        console
            .get(ADMIN, &format!("/records?q={id}&limit=500{cursor}"))
            .json()
    };
    let first = find("");
    let named = first["rows"].as_array().unwrap();
    let names = |row: &Json| row["id"] == id.as_str();
    assert!(
        !named.is_empty() && named.iter().any(|row| row["type"] == "Contact" && names(row)),
        "{first}"
    );
    let rest = find(&format!("&cursor={}", first["next"].as_str().unwrap()));
    let rest = rest["rows"].as_array().unwrap();
    assert!(rest.iter().all(|row| !named.contains(row)), "{first} {rest:?}");
    // A page holds no more than was asked for, and all pages together what one large one does.
    let (mut all, mut cursor) = (Vec::new(), first["next"].as_str().map(str::to_owned));
    while let Some(from) = cursor {
        let address = format!("/records?q={id}&limit=3&cursor={from}");
        let page = console.get(ADMIN, &address).json();
        let rows = page["rows"].as_array().unwrap();
        assert!(rows.len() <= 3, "{page}");
        all.extend(rows.iter().cloned());
        cursor = page["next"].as_str().map(str::to_owned);
    }
    // What a record that was named already shows once more is no other record.
    let others = all.iter().filter(|row| !named.contains(row)).count();
    assert!(others > 3 && others >= rest.len(), "{all:?} {rest:?}");
}

#[test]
fn what_is_not_there_or_not_understood_is_told_as_a_problem() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    for (status, path, body) in [
        (404, "/flows/nothing", None),
        (404, "/records/customerp/Order/nowhere", None),
        (404, "/items/999999", None),
        (400, "/items?limit=many", None),
        (409, "/links?cursor=x", None),
        (
            400,
            "/conflicts/7/resolve",
            Some(json!({ "head": true, "value": "x" })),
        ),
        (400, "/flows/order-order/pause", Some(json!({ "sure": true }))),
        (409, "/flows/nothing/pause", Some(json!({}))),
    ] {
        let answer = match &body {
            Some(body) => console.post(ADMIN, path, body),
            None => console.get(ADMIN, path),
        };
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
    }
}

#[test]
fn lists_call_records_by_name_and_people_only_for_those_who_may_see_it() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    console.linked("contact-contact");
    console.linked("product-product2");
    let called = |token: &str, flow: &str| {
        let page = console
            .get(token, &format!("/changes?flow={flow}&limit=1"))
            .json();
        page["rows"][0]["name"].as_str().map(str::to_owned)
    };
    assert!(called(VIEWER, "product-product2").is_some());
    assert_eq!(called(VIEWER, "contact-contact"), None);
    let name = called(ADMIN, "contact-contact").unwrap();
    assert!(name.split(' ').count() > 1, "first and last name: {name}");
}

#[test]
fn a_link_signs_in_once_and_only_the_consoles_own_pages_act_by_its_session() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    console.linked("product-product2");
    let cookie = console.sign_in(&console.link).unwrap();
    assert_eq!(console.sign_in(&console.link), None, "a link is good for once");
    let another = pair.run(&["console"]);
    assert_eq!(another.code, Some(0), "{}", another.err);
    assert!(console.sign_in(another.out.trim()).is_some());
    let mut forged = another.out.trim().to_owned();
    forged.replace_range(forged.len() - 2.., "AA");
    assert_eq!(console.sign_in(&forged), None);
    // With the session there are pages.
    let page = console.send(Method::GET, "/", &[("cookie", &cookie)], None);
    assert_eq!(page.status, 200);
    assert!(page.text.contains("/flows/product-product2"), "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    // Another site's page may send a form, and nothing comes of it.
    let pause = |origin: Option<&str>| {
        let mut headers = vec![
            ("cookie", cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        headers.extend(origin.map(|origin| ("origin", origin)));
        console
            .send(
                Method::POST,
                "/flows/order-order/pause",
                &headers,
                Some(String::new()),
            )
            .status
    };
    assert_eq!(
        [
            pause(None),
            pause(Some("https://evil.example")),
            pause(Some("null"))
        ],
        [403; 3]
    );
    assert_ne!(
        console.get(VIEWER, "/flows/order-order").json()["flow"]["state"],
        "paused"
    );
    assert_eq!(pause(Some(&console.url)), 303);
    assert_eq!(
        console.get(VIEWER, "/flows/order-order").json()["flow"]["state"],
        "paused"
    );
    // Whoever signed out, or has another session, is asked to come in.
    let left = console.send(
        Method::POST,
        "/leave",
        &[("cookie", &cookie), ("origin", &console.url)],
        None,
    );
    assert!(left.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let other = cookie.replace('.', "x.");
    assert_eq!(
        console.send(Method::GET, "/", &[("cookie", &other)], None).status,
        303
    );
}

/// That an edit of a product which was told about is found by its trace, and counts in its hour.
#[track_caller]
fn is_followed(console: &Console, told: &[Json]) {
    // All lines of the change are found by its trace, and no other
    let edited = told.iter().find(|change| change["event"] == "edited").unwrap();
    let trace = edited["trace"].as_str().unwrap();
    let followed = console.get(VIEWER, &format!("/changes?trace={trace}")).json();
    let followed = followed["rows"].as_array().unwrap();
    let events: Vec<&str> = followed.iter().filter_map(|row| row["event"].as_str()).collect();
    assert_eq!(events, ["wrote", "edited"], "{followed:?}");
    // AND it counts in its hour and in those of the system that it went to
    let course = console.get(VIEWER, "/course?over=day").json();
    let of = &course["flows"]["product-product2"];
    for what in ["edited", "written"] {
        let hours = of[what].as_array().unwrap();
        let lately: u64 = hours.iter().rev().take(2).filter_map(Json::as_u64).sum();
        assert!(hours.len() == 24 && lately >= 1, "{what}: {course}");
    }
    let systems = console.get(VIEWER, "/systems").json();
    let org = &systems[1];
    assert!(
        org["answered"].as_u64() > Some(0) && org["median_ms"].as_f64() > Some(0.0),
        "{systems}"
    );
}

#[test]
fn programs_see_a_change_travel_and_answer_a_conflict() {
    let (pair, ids) = decide::asking("2");
    let console = Console::start(&pair);
    console.linked("product-product2");
    let newest = console.get(VIEWER, "/changes?limit=1").json()["rows"][0]["number"].clone();
    // WHEN somebody edits a product, each line is told as it is stored
    let (here, there) = ids.iter().next().unwrap();
    let path = format!("products/{here}");
    let told = rest::events(
        &format!("{}/api/v1/events?after={newest}", console.url),
        VIEWER,
        || {
            drop(rest::patch_customerp(
                &pair.customerp.url,
                &path,
                &json!({ "description": "seen live" }),
            ))
        },
        |change| change["event"] == "wrote" && change["new"] == "seen live",
    );
    assert!(
        told.iter()
            .any(|change| change["event"] == "edited" && change["by"] == "alice"),
        "{told:?}"
    );
    is_followed(&console, &told);
    // AND the record says why its value is what it is
    let record = console
        .get(VIEWER, &format!("/records/salesforce/Product2/{there}"))
        .json();
    let properties = record["properties"].as_array().unwrap();
    let title = properties
        .iter()
        .find(|one| one["head"]["value"] == "seen live")
        .unwrap();
    assert!(
        title["what"].as_str().unwrap().contains("edited by alice"),
        "{title}"
    );
    // WHEN both sides are edited while the flow rests, the conflict is shown with both values
    assert_eq!(
        console
            .post(OPERATOR, "/flows/product-product2/pause", &json!({}))
            .status,
        200
    );
    rest::patch_customerp(&pair.customerp.url, &path, &json!({ "description": "ours" }));
    rest::patch_salesforce(
        &pair.salesforce.url,
        "Product2",
        there,
        &json!({ "Description": "theirs" }),
    );
    let holds = |record: &str, value: &str| record.contains(&format!("\"value\":\"{value}\""));
    until(|| {
        let record = console
            .get(VIEWER, &format!("/records/salesforce/Product2/{there}"))
            .text;
        (holds(&record, "ours") && holds(&record, "theirs")).then_some(())
    });
    assert_eq!(
        console
            .post(OPERATOR, "/flows/product-product2/resume", &json!({}))
            .status,
        200
    );
    let item = until(|| console.get(VIEWER, "/items?standing=conflict").json()["rows"][0]["item"].as_u64());
    let conflict = console.get(VIEWER, &format!("/conflicts/{item}")).json();
    let says = conflict["says"].as_array().unwrap();
    let values: Vec<&str> = says.iter().filter_map(|says| says["value"].as_str()).collect();
    assert!(
        values.contains(&"ours") && values.contains(&"theirs"),
        "{conflict}"
    );
    // AND the answer travels
    let answer = json!({ "record": { "system": "salesforce", "type": "Product2", "id": there } });
    let resolve = format!("/conflicts/{item}/resolve");
    let done = console.post(OPERATOR, &resolve, &answer);
    assert_eq!(
        (done.status, done.json()["done"].clone()),
        (200, json!(1)),
        "{}",
        done.text
    );
    until(|| {
        let product = rest::get_customerp(&pair.customerp.url, &path);
        (product["description"] == "theirs").then_some(())
    });
    // AND asked once more, nothing is done twice
    let again = console.post(OPERATOR, &resolve, &answer);
    assert_eq!(
        StatusCode::from_u16(again.status).unwrap(),
        StatusCode::CONFLICT,
        "{}",
        again.text
    );
}
