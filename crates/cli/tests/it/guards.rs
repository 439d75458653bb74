//! Deletions beyond the guard, a system that suddenly answers empty, flows that rest, links by hand.

use crate::local::Pair;
use crate::rest;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A pair with so many customers that nothing refers to, linked with divisions and at rest; their ids.
fn customers(count: usize) -> (Pair, Vec<String>) {
    let pair = Pair::start(&["--records", "2", "--seed", "9"], &[]);
    let add = |at: usize| {
        let body = json!({ "name": format!("Guarded {at:02}"), "active": true });
        let made = rest::post_customerp(&pair.customerp.url, "customers", &body);
        made["id"].to_string().trim_matches('"').to_owned()
    };
    let ids = (0..count).map(add).collect();
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    (pair, ids)
}

fn delete(pair: &Pair, id: &str) {
    rest::delete_customerp(&pair.customerp.url, &format!("customers/{id}"));
}

/// Divisions that are out of use, and those that are there.
fn divisions(pair: &Pair) -> (usize, usize) {
    let all = rest::query_salesforce(
        &pair.salesforce.url,
        "SELECT Id, IsActive FROM Division WHERE Name LIKE 'Guarded%'",
    );
    let idle = all.iter().filter(|row| row["IsActive"] == false);
    (idle.count(), all.len())
}

#[test]
fn r7_thirty_percent_of_the_customers_deleted_in_one_go_are_held_until_approved() {
    let (pair, ids) = customers(20);
    // WHEN seven of twenty-two are deleted in one go
    ids[..7].iter().for_each(|id| delete(&pair, id));
    let sync = pair.run(&["sync", "--json"]);
    // THEN nothing of theirs is touched, and all wait
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    assert_eq!(divisions(&pair), (0, 20));
    let waits = pair.run(&["approve", "--json"]);
    assert_eq!(waits.code, Some(3), "{}", waits.err);
    assert_eq!(waits.last(), json!({ "flow": "customer-division", "waiting": 7 }));
    // AND what approving would do is shown first, without doing it
    let shown = pair.run(&["approve", "customer-division", "--json"]);
    assert_eq!(shown.code, Some(2), "{}", shown.err);
    assert_eq!(shown.lines().len(), 7, "{}", shown.out);
    assert_eq!(shown.lines()[0]["verdict"], "deactivate");
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    assert_eq!(divisions(&pair), (0, 20));
    // WHEN it is approved, it is carried out
    let approved = pair.run(&["approve", "customer-division", "--yes", "--json"]);
    assert_eq!(approved.code, Some(0), "{}", approved.err);
    assert_eq!(approved.last()["approved"], 7);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert_eq!(divisions(&pair), (7, 20));
    assert_eq!(pair.run(&["approve"]).code, Some(0));
}

#[test]
fn r7_four_deletions_a_minute_are_held_as_well() {
    let (pair, ids) = customers(28);
    let advance = json!({ "advanceSeconds": 60 });
    for four in ids[..24].chunks(4) {
        four.iter().for_each(|id| delete(&pair, id));
        pair.run(&["sync"]);
        rest::post(&format!("{}/_local/clock", pair.customerp.url), &advance);
    }
    // The guard lets three of thirty go: the first four are more.
    assert_eq!(divisions(&pair), (0, 28));
    assert_eq!(pair.run(&["status"]).code, Some(3));
    assert_eq!(pair.run(&["approve", "--json"]).last()["waiting"], 24);
}

const PASS: u8 = 0;
const EMPTY: u8 = 1;
const DOWN: u8 = 2;

/// A proxy before the ERP that shows empty lists, or is out of order.
struct Mood {
    url: String,
    mode: Arc<AtomicU8>,
}

impl Mood {
    fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let mode = Arc::new(AtomicU8::new(PASS));
        let shared = Arc::clone(&mode);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (target, mode) = (target.clone(), shared.load(Ordering::SeqCst));
                std::thread::spawn(move || answer(client, &target, mode));
            }
        });
        Self { url: own, mode }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

/// One request on a connection of its own.
fn answer(mut client: TcpStream, target: &str, mode: u8) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) > 0 {
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let listing = text.starts_with("GET") && text.lines().next().unwrap_or_default().contains("?limit=");
    let plain = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let reply = match mode {
        DOWN => Some(plain("503 Service Unavailable", "{}")),
        EMPTY if listing => {
            let as_of = jiff::Timestamp::now();
            Some(plain(
                "200 OK",
                &json!({ "items": [], "asOf": as_of, "nextCursor": null }).to_string(),
            ))
        }
        _ => None,
    };
    if let Some(reply) = reply {
        let _ = client.write_all(reply.as_bytes());
        return;
    }
    let mut server = TcpStream::connect(target).unwrap();
    let closing = text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(closing.as_bytes()).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
}

#[test]
fn r6_an_empty_list_and_then_503_delete_nothing_anywhere() {
    // GIVEN an ERP behind a proxy, linked and at rest
    let (pair, _) = customers(12);
    let mood = Mood::before(&pair.customerp.url);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&pair.customerp.url, &mood.url)).unwrap();
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let links = pair.run(&["links", "--json"]).lines().len();
    let (_, written) = journal(&pair);
    // WHEN it answers an empty list once, and 503 after that
    mood.set(EMPTY);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    mood.set(DOWN);
    for _ in 0..2 {
        assert_eq!(pair.run(&["sync"]).code, Some(1));
    }
    // THEN nothing was deleted or unlinked on either side, and nothing is when it is back
    mood.set(PASS);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert_eq!(divisions(&pair), (0, 12));
    let (deletions, now) = journal(&pair);
    assert_eq!((deletions, now), (0, written));
    assert_eq!(pair.run(&["links", "--json"]).lines().len(), links);
    assert_eq!(pair.run(&["verify"]).code, Some(0));
}

/// Deletions and all changes of the ERP, by its own log.
fn journal(pair: &Pair) -> (usize, usize) {
    let log = rest::get(&format!("{}/_local/log", pair.customerp.url));
    let changes = log["changes"].as_array().unwrap();
    let deletions = changes.iter().filter(|change| change["action"] == "delete");
    (deletions.count(), changes.len())
}

#[test]
fn a_flow_rests_and_goes_on_and_links_end_and_come_back_by_hand() {
    let (pair, ids) = customers(2);
    let url = &pair.customerp.url;
    // WHEN the flow is paused, an edit waits
    assert_eq!(pair.run(&["pause", "no-such-flow"]).code, Some(2));
    assert_eq!(pair.run(&["resume", "customer-division"]).code, Some(2));
    assert_eq!(pair.run(&["pause", "customer-division"]).code, Some(0));
    rest::patch_customerp(
        url,
        &format!("customers/{}", ids[0]),
        &json!({ "name": "Guarded anew" }),
    );
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let status = pair.run(&["status", "--json"]).last();
    assert_eq!(status["holds"][0]["flow"], "customer-division", "{status}");
    let named = |name: &str| {
        let soql = format!("SELECT Id FROM Division WHERE Name = '{name}'");
        rest::query_salesforce(&pair.salesforce.url, &soql)
    };
    assert!(named("Guarded anew").is_empty());
    // AND travels when it goes on
    assert_eq!(pair.run(&["resume", "customer-division"]).code, Some(0));
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let division = named("Guarded anew")[0]["Id"].as_str().unwrap().to_owned();
    // WHEN the link ends by hand, it is shown first
    let customer = format!("customerp/Customer:{}", ids[0]);
    let shown = pair.run(&["unlink", &customer, "--json"]);
    assert_eq!(shown.code, Some(2), "{}", shown.err);
    assert_eq!(shown.lines().len(), 1, "{}", shown.out);
    assert_eq!(pair.run(&["unlink", &customer, "--yes"]).code, Some(0));
    assert_eq!(pair.run(&["unlink", &customer, "--yes"]).code, Some(2));
    rest::patch_customerp(
        url,
        &format!("customers/{}", ids[0]),
        &json!({ "name": "Guarded alone" }),
    );
    pair.run(&["sync"]);
    assert!(named("Guarded alone").is_empty());
    // AND comes back by hand alone
    let division = format!("salesforce/Division:{division}");
    let link = ["link", "customer-division", customer.as_str(), division.as_str()];
    let shown = pair.run(&link);
    assert_eq!(shown.code, Some(2), "{}", shown.err);
    assert!(
        shown.out.contains("Guarded alone") && shown.out.contains("Guarded anew"),
        "{}",
        shown.out
    );
    let linked = pair.run(&[link.as_slice(), &["--yes"]].concat());
    assert_eq!(linked.code, Some(0), "{}", linked.err);
    let again = pair.run(&[link.as_slice(), &["--yes"]].concat());
    assert_eq!(again.code, Some(0), "it is so already: {}", again.err);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    assert_eq!(named("Guarded alone").len(), 1);
}

#[test]
fn an_item_is_ignored_until_a_day_and_says_who_can_mend_it() {
    let pair = Pair::start(&["--records", "20", "--faults", "too-long"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    let parked = pair.run(&["failures", "--standing", "parked", "--json"]).lines();
    assert!(!parked.is_empty());
    for item in &parked {
        assert_eq!(item["who"], "customerp user", "{item}");
    }
    let items: Vec<String> = parked.iter().map(|item| item["item"].to_string()).collect();
    let ignore = |until: &str| {
        let mut words = vec!["ignore"];
        words.extend(items.iter().map(String::as_str));
        words.extend(["--until", until]);
        pair.run(&words)
    };
    assert_eq!(ignore("tomorrow").code, Some(2));
    assert_eq!(ignore("2999-12-31").code, Some(0));
    for command in [&["sync"][..], &["status"], &["failures", "--standing", "parked"]] {
        assert_eq!(pair.run(command).code, Some(0), "{command:?}");
    }
    let all = pair.run(&["failures", "--standing", "parked", "--ignored", "--json"]);
    assert_eq!((all.code, all.lines().len()), (Some(0), parked.len()));
    assert_eq!(ignore("2000-01-01").code, Some(0));
    assert_eq!(pair.run(&["status"]).code, Some(3));
    // Many are tried again by kind.
    let retried = pair.run(&["retry", "--kind", "too-long", "--json"]);
    assert_eq!(retried.code, Some(0), "{}", retried.err);
    assert!(!retried.last()["retried"].as_array().unwrap().is_empty());
}
