//! Systems in hostile moods: one that does not answer, one that shows what cannot be read, one that lists for ever.

use crate::local::{Pair, Ran};
use crate::proxy::{Fate, Proxy, between};
use crate::rest;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tandem_ledger::{Ledger, Store};

/// A stop is carried out within this.
const STOPS_WITHIN: Duration = Duration::from_secs(2);
/// The longest wait for anything else here.
const PATIENCE: Duration = Duration::from_secs(120);

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn spawn(pair: &Pair, command: &str) -> Child {
    let mut command = pair.command(&[command]);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends a signal and waits for the end: how it ended, and that it took no longer than a stop may.
fn stop(run: Child, signal: &str) -> Ran {
    let began = Instant::now();
    let sent = Command::new("kill")
        .args([signal, &run.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let ended = run.wait_with_output().unwrap();
    let took = began.elapsed();
    assert!(
        took < STOPS_WITHIN + Duration::from_millis(500),
        "it took {took:?}"
    );
    ended.into()
}

/// A pair whose one system answers certain requests after a minute.
fn frozen(asked: &'static str) -> (Pair, Proxy) {
    let pair = Pair::start(&["--records", "2", "--no-lines"], &[]);
    let [_, line] = between(&pair, [false, true]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("request_deadline: 5s", "request_deadline: 2m"),
    )
    .unwrap();
    line.rule(
        move |_, path, request| match path.contains(asked) || request.contains(asked) {
            true => Fate::Delay(60_000),
            false => Fate::Deliver,
        },
    );
    (pair, line)
}

#[test]
fn e17_a_sync_stops_within_two_seconds_whatever_it_waits_for() {
    // While it signs in, while it reads, while a write is on its way.
    for (asked, signal) in [
        ("oauth2/token", "-TERM"),
        ("FROM+Contact", "-INT"),
        ("sobjects", "-TERM"),
    ] {
        let (pair, line) = frozen(asked);
        let sync = spawn(&pair, "sync");
        until(|| (line.struck() > 0).then_some(()));
        let ended = stop(sync, signal);
        assert_eq!(ended.code, Some(130), "{asked}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains("Stopped."), "{asked}: {}", ended.err);
        // THEN nothing is lost, and nothing done twice.
        line.rule(|_, _, _| Fate::Deliver);
        let again = until(|| Some(pair.run(&["sync"])).filter(|sync| sync.code != Some(1)));
        assert!(
            matches!(again.code, Some(0 | 3)),
            "{asked}: {}{}",
            again.out,
            again.err
        );
        let verify = pair.run(&["verify"]);
        assert_eq!(verify.code, Some(0), "{asked}: {}{}", verify.out, verify.err);
    }
}

#[test]
fn e17_a_run_stops_within_two_seconds_inside_a_round_and_while_it_pauses() {
    for asked in ["FROM+Contact", "oauth2/token"] {
        let (pair, line) = frozen(asked);
        let run = spawn(&pair, "run");
        until(|| (line.struck() > 0).then_some(()));
        let ended = stop(run, "-TERM");
        assert_eq!(ended.code, Some(0), "{asked}: {}{}", ended.out, ended.err);
    }
    // In the pause after a failure.
    let pair = Pair::start(&["--records", "2", "--no-lines"], &[]);
    let [_, line] = between(&pair, [false, true]);
    assert!(matches!(pair.run(&["sync"]).code, Some(0 | 3)));
    let mut run = spawn(&pair, "run");
    let mut told = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(told.any(|line| line.contains("Keeping in step")));
    line.rule(|_, _, _| Fate::CutBefore);
    until(|| (line.struck() > 2).then_some(()));
    let rest = std::thread::spawn(move || told.for_each(drop));
    assert_eq!(stop(run, "-TERM").code, Some(0));
    rest.join().unwrap();
}

#[test]
fn e17_a_frozen_system_is_named_with_what_is_waited_for() {
    let (pair, line) = frozen("FROM+Contact");
    let mut sync = spawn(&pair, "sync");
    until(|| (line.struck() > 0).then_some(()));
    let began = Instant::now();
    let mut told = BufReader::new(sync.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let line = told.find(|line| line.contains("no answer")).unwrap();
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(
        line.contains("salesforce") && line.contains("/composite"),
        "{line}"
    );
    stop(sync, "-TERM");
}

/// What `failures` lists of a kind.
fn listed(pair: &Pair, kind: &str) -> Vec<Json> {
    let lines = pair.run(&["failures", "--json"]).lines();
    lines.into_iter().filter(|item| item["kind"] == kind).collect()
}

#[test]
fn e14_one_record_that_cannot_be_read_is_named_and_all_others_travel() {
    let pair = Pair::start(&["--records", "0", "--no-lines"], &[]);
    let erp = pair.customerp.url.clone();
    let customer = rest::post_customerp(&erp, "customers", &json!({ "name": "Acme" }))["id"].clone();
    let contact = |name: &str| {
        let email = format!("{name}@example.org");
        let values = json!({ "lastName": name, "email": email, "title": "first", "customerId": customer });
        rest::post_customerp(&erp, "contacts", &values)["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (broken, sound) = (contact("Broken"), contact("Sound"));
    assert!(matches!(pair.run(&["sync"]).code, Some(0 | 3)));
    // WHEN the ERP shows a day that is none, while people edit that record and another
    let [line, _] = between(&pair, [true, false]);
    let id = broken.clone();
    line.alter(move |path, body| match path.contains("/contacts") {
        true => spoilt(body, &id),
        false => body,
    });
    for id in [&broken, &sound] {
        rest::patch_customerp(&erp, &format!("contacts/{id}"), &json!({ "title": "second" }));
    }
    let sync = pair.run(&["sync"]);
    // THEN it is named with record and property, and nobody waits for it
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    let items = listed(&pair, "unreadable");
    assert_eq!(items.len(), 1, "{items:?}");
    let named = items[0].to_string();
    assert!(
        named.contains("birthdate") && named.contains(&broken) && named.contains("Contact"),
        "{named}"
    );
    assert_eq!(pair.run(&["status"]).code, Some(3));
    let title = |id: &str| {
        let link = rest::get_customerp(&erp, &format!("contacts/{id}"))["salesforceId"].clone();
        let path = format!("sobjects/Contact/{}", link.as_str().unwrap());
        rest::get_salesforce(&pair.salesforce.url, &path)["Title"].clone()
    };
    assert_eq!([title(&broken), title(&sound)], ["second", "second"]);
    // AND it is taken once it can be read
    line.alter(|_, body| body);
    let sync = pair.run(&["sync"]);
    assert!(matches!(sync.code, Some(0 | 3)), "{}{}", sync.out, sync.err);
    assert_eq!(listed(&pair, "unreadable"), Vec::<Json>::new());
}

/// A listing in which the birthdate of one contact is no day.
fn spoilt(body: Vec<u8>, id: &str) -> Vec<u8> {
    let Ok(mut json) = serde_json::from_slice::<Json>(&body) else {
        return body;
    };
    let items = json["items"].as_array_mut().into_iter().flatten();
    for item in items.filter(|item| item["id"] == id) {
        item["birthdate"] = "0000-00-00".into();
    }
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn e14_one_row_of_the_org_that_cannot_be_read_is_named_and_all_others_travel() {
    let pair = Pair::start(&["--records", "0", "--no-lines"], &[]);
    let (erp, org) = (pair.customerp.url.clone(), pair.salesforce.url.clone());
    let customer = rest::post_customerp(&erp, "customers", &json!({ "name": "Acme" }))["id"].clone();
    let contact = |name: &str| {
        let values = json!({ "lastName": name, "customerId": customer });
        let id = rest::post_customerp(&erp, "contacts", &values)["id"]
            .as_str()
            .unwrap()
            .to_owned();
        format!("contacts/{id}")
    };
    let paths = [contact("Broken"), contact("Sound")];
    assert!(matches!(pair.run(&["sync"]).code, Some(0 | 3)));
    let ids = paths.each_ref().map(|path| {
        let shown = rest::get_customerp(&erp, path);
        shown["salesforceId"].as_str().unwrap().to_owned()
    });
    let [_, line] = between(&pair, [false, true]);
    let id = ids[0].clone();
    line.alter(move |_, body| {
        let Ok(mut json) = serde_json::from_slice::<Json>(&body) else {
            return body;
        };
        spoil(&mut json, &id);
        serde_json::to_vec(&json).unwrap()
    });
    for id in &ids {
        rest::patch_salesforce(&org, "Contact", id, &json!({ "Title": "typed there" }));
    }
    let sync = pair.run(&["sync"]);
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    let items = listed(&pair, "unreadable");
    assert!(
        items.len() == 1 && items[0].to_string().contains("Birthdate"),
        "{items:?}"
    );
    let titles = paths
        .each_ref()
        .map(|path| rest::get_customerp(&erp, path)["title"].clone());
    assert_eq!(titles, ["typed there", "typed there"]);
}

/// Gives rows of a contact, wherever they are, a birthdate that is none.
fn spoil(json: &mut Json, id: &str) {
    match json {
        Json::Object(members) => {
            if members.get("Id").is_some_and(|own| own == id) && members.contains_key("Birthdate") {
                members.insert("Birthdate".to_owned(), "0000-00-00".into());
            }
            members.values_mut().for_each(|value| spoil(value, id));
        }
        Json::Array(values) => values.iter_mut().for_each(|value| spoil(value, id)),
        _ => {}
    }
}

#[test]
fn e17_a_listing_without_end_stops_and_other_types_go_on() {
    let pair = Pair::start(&["--records", "0", "--no-lines"], &[]);
    let erp = pair.customerp.url.clone();
    let customer = rest::post_customerp(&erp, "customers", &json!({ "name": "Acme" }))["id"].clone();
    let contact = json!({ "lastName": "One", "email": "one@example.org", "customerId": customer });
    rest::post_customerp(&erp, "contacts", &contact);
    rest::post_customerp(
        &erp,
        "products",
        &json!({ "name": "Chai", "productNumber": "P-1" }),
    );
    // GIVEN an ERP whose list of contacts always goes on at the same place
    let [line, _] = between(&pair, [true, false]);
    line.alter(|path, body| match path.contains("/contacts?") {
        true => endless(body),
        false => body,
    });
    let sync = pair.run(&["sync"]);
    // THEN that is said, and the products travel all the same
    assert_eq!(sync.code, Some(1), "{}{}", sync.out, sync.err);
    let said = format!("{}{}", sync.out, sync.err);
    assert!(
        said.contains("customerp: the listing of Contact is incomplete"),
        "{said}"
    );
    let count = |object: &str| {
        let path = format!("query?q=SELECT+COUNT()+FROM+{object}+WHERE+Customerp_Id__c+!=+null");
        rest::get_salesforce(&pair.salesforce.url, &path)["totalSize"]
            .as_u64()
            .unwrap()
    };
    assert_eq!([count("Product2"), count("Contact")], [1, 0]);
    // AND the contacts follow once they can be listed
    line.alter(|_, body| body);
    let sync = pair.run(&["sync"]);
    assert!(matches!(sync.code, Some(0 | 3)), "{}{}", sync.out, sync.err);
    assert_eq!([count("Product2"), count("Contact")], [1, 1]);
}

fn endless(body: Vec<u8>) -> Vec<u8> {
    let Ok(mut json) = serde_json::from_slice::<Json>(&body) else {
        return body;
    };
    if json.get("items").is_none() {
        return body;
    }
    json["nextCursor"] = "the same".into();
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn clocks_apart_are_measured_told_and_corrected() {
    let pair = Pair::start(&["--records", "0", "--no-lines"], &[]);
    let (erp, org) = (pair.customerp.url.clone(), pair.salesforce.url.clone());
    let customer = rest::post_customerp(&erp, "customers", &json!({ "name": "Acme" }))["id"].clone();
    let contact = |name: &str| {
        let values = json!({ "lastName": name, "title": "none", "customerId": customer });
        rest::post_customerp(&erp, "contacts", &values)["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (one, two) = (contact("One"), contact("Two"));
    assert!(matches!(pair.run(&["sync"]).code, Some(0 | 3)));
    assert!(pair.run(&["check"]).out.contains("clocks agree"));
    let counterpart = |id: &str| {
        let record = rest::get_customerp(&erp, &format!("contacts/{id}"));
        record["salesforceId"].as_str().unwrap().to_owned()
    };
    let in_erp = |id: &str, title: &str| {
        rest::patch_customerp(&erp, &format!("contacts/{id}"), &json!({ "title": title }));
    };
    let in_org = |id: &str, title: &str| {
        rest::patch_salesforce(&org, "Contact", &counterpart(id), &json!({ "Title": title }));
    };
    let wins = |id: &str| rest::get_customerp(&erp, &format!("contacts/{id}"))["title"].clone();
    // More than the allowed error of two seconds, and a system's times may have whole ones.
    let pause = || std::thread::sleep(Duration::from_secs(4));
    // WHEN the org's clock goes ahead, and its edit is the earlier one
    rest::post(&format!("{org}/_local/clock"), &json!({ "advance": 600 }));
    in_org(&one, "first");
    pause();
    in_erp(&one, "later");
    let sync = pair.run(&["sync"]);
    // THEN the later edit wins, and everybody who looks is told
    assert_eq!(wins(&one), "later", "{}{}", sync.out, sync.err);
    for command in ["sync", "status", "check"] {
        let told = pair.run(&[command]);
        // By whole seconds, as the systems tell their time.
        let said = ["10m", "9m 59s"].map(|length| format!("the clock of salesforce is {length}"));
        let any = said.iter().any(|words| told.out.contains(words));
        assert!(any, "{command}: {}{}", told.out, told.err);
    }
    // The same where the ERP's clock is ahead of both.
    rest::post(&format!("{erp}/_local/clock"), &json!({ "advanceSeconds": 1800 }));
    in_erp(&two, "first");
    pause();
    in_org(&two, "later");
    let sync = pair.run(&["sync"]);
    assert_eq!(wins(&two), "later", "{}{}", sync.out, sync.err);
    let told = pair.run(&["status"]);
    assert!(
        told.out.contains("behind that of customerp"),
        "{}{}",
        told.out,
        told.err
    );
}

#[test]
fn what_was_written_before_the_clock_was_set_back_can_be_written_after_it() {
    let pair = Pair::start(&["--records", "0", "--no-lines"], &[]);
    let (erp, org) = (pair.customerp.url.clone(), pair.salesforce.url.clone());
    let customer = rest::post_customerp(&erp, "customers", &json!({ "name": "Acme" }))["id"].clone();
    let values = json!({ "lastName": "One", "customerId": customer });
    let id = rest::post_customerp(&erp, "contacts", &values)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("contacts/{id}");
    assert!(matches!(pair.run(&["sync"]).code, Some(0 | 3)));
    // GIVEN a state that was last used while this machine's clock was an hour ahead
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    {
        let mut state = Ledger::open(&pair.path("state")).unwrap();
        state.set_note("reached", &format!("\"{ahead}\"")).unwrap();
    }
    let counterpart = rest::get_customerp(&erp, &path)["salesforceId"]
        .as_str()
        .unwrap()
        .to_owned();
    let title = || rest::get_salesforce(&org, &format!("sobjects/Contact/{counterpart}"))["Title"].clone();
    for (in_erp, in_org) in [("1", "2"), ("3", "4")] {
        // THEN edits travel at once, to records that were written in that hour too, both ways.
        rest::patch_customerp(&erp, &path, &json!({ "title": in_erp }));
        let sync = pair.run(&["sync"]);
        assert!(sync.err.contains("behind the latest moment"), "{}", sync.err);
        assert_eq!(title(), in_erp);
        rest::patch_salesforce(&org, "Contact", &counterpart, &json!({ "Title": in_org }));
        assert!(matches!(pair.run(&["sync"]).code, Some(0 | 3)));
        assert_eq!(rest::get_customerp(&erp, &path)["title"], in_org);
    }
}
