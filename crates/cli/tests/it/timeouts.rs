//! E3: a time-out after the commit on every create of a sync. With an external id, or a unique natural key, there are
//! exactly as many records as were asked for; without either never more, and each undecidable one is parked and named.

use crate::local::{Pair, Ran};
use crate::proxy::{Fate, Proxy, between};
use crate::rest;
use serde_json::json;
use std::collections::BTreeSet;

/// How many records a sync creates: `TANDEM_RECORDS`, else 200.
fn records() -> usize {
    let asked = std::env::var("TANDEM_RECORDS").ok();
    asked.map_or(200, |text| text.parse().unwrap())
}

/// A pair that keeps customers in step and nothing else, over a line on which no create gets an answer.
fn customers(preset: &str, object: &str) -> (Pair, Proxy) {
    let pair = Pair::start(
        &["--records", &records().to_string(), "--no-lines"],
        &["--preset", preset],
    );
    only(&pair, "customer-division.yaml");
    let [_, line] = between(&pair, [false, true]);
    let record = format!("{{\"type\":\"{object}\"}}");
    line.rule(move |method, _, request| match method {
        "POST" if request.contains(&record) => Fate::CutAfter,
        _ => Fate::Deliver,
    });
    (pair, line)
}

/// Leaves one flow in the configuration.
fn only(pair: &Pair, flow: &str) {
    for entry in std::fs::read_dir(pair.path("flows")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != flow {
            std::fs::remove_file(path).unwrap();
        }
    }
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("create_in_customerp:") && !line.starts_with("with:"));
    std::fs::write(&config, lines.collect::<Vec<_>>().join("\n")).unwrap();
}

/// Syncs until nothing is in trouble any more.
fn synced(pair: &Pair) -> Ran {
    let mut last = String::new();
    for _ in 0..12 {
        let sync = pair.run(&["sync", "--json"]);
        if sync.code != Some(1) {
            return sync;
        }
        last = sync.err;
    }
    panic!("it never came to rest: {last}")
}

/// How many records of an object there are, the org's own apart.
fn count(pair: &Pair, object: &str) -> usize {
    let condition = match object {
        "Division" => "+WHERE+Name+!=+'Global'",
        _ => "",
    };
    let found = rest::get_salesforce(
        &pair.salesforce.url,
        &format!("query?q=SELECT+COUNT()+FROM+{object}{condition}"),
    );
    usize::try_from(found["totalSize"].as_u64().unwrap()).unwrap()
}

#[test]
fn e03_with_an_external_id_there_are_exactly_as_many() {
    let (pair, line) = customers("no-divisions", "Division__c");
    let sync = synced(&pair);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert!(line.struck() > 0, "no create was struck");
    assert_eq!(count(&pair, "Division__c"), records());
    assert_eq!(pair.run(&["links", "--json"]).lines().len(), records());
}

#[test]
fn e03_with_a_unique_natural_key_there_are_exactly_as_many() {
    let (pair, line) = customers("default", "Division");
    let sync = synced(&pair);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert!(line.struck() > 0, "no create was struck");
    assert_eq!(count(&pair, "Division"), records());
    assert_eq!(pair.run(&["links", "--json"]).lines().len(), records());
}

#[test]
fn e03_without_either_there_are_never_more_and_each_undecidable_one_is_named() {
    let (pair, line) = customers("no-divisions", "Division__c");
    // GIVEN a flow that knows its counterparts by nothing
    let file = pair.path("flows/customer-division.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("match:\n").unwrap();
    let (_, rest) = rest.split_once("conflict:").unwrap();
    let lines = rest
        .lines()
        .filter(|line| !line.contains("Customerp_Id__c, prefix") && !line.contains("Customerp_Id__c }"));
    let text = format!(
        "{before}match: []\nconflict:{}",
        lines.collect::<Vec<_>>().join("\n")
    );
    std::fs::write(&file, text).unwrap();
    // WHEN it is synced, and synced again
    let sync = synced(&pair);
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    assert_eq!(synced(&pair).code, Some(3));
    // THEN nothing was created twice, and whoever is not decided is named
    assert!(line.struck() > 0, "no create was struck");
    assert_eq!(count(&pair, "Division__c"), records());
    let parked = pair
        .run(&["failures", "--standing", "parked", "--limit", "10000", "--json"])
        .lines();
    let undecidable = parked.iter().filter(|item| item["kind"] == "undecidable");
    let named: BTreeSet<&str> = undecidable
        .map(|item| {
            assert!(!item["advice"].as_str().unwrap().is_empty(), "{item}");
            item["id"].as_str().unwrap()
        })
        .collect();
    assert_eq!(
        named.len(),
        records(),
        "{} parked, such as {:?}",
        parked.len(),
        parked.first()
    );
}

#[test]
fn e03_creates_in_the_erp_without_an_answer_are_there_once() {
    let asked = records().min(200);
    let pair = Pair::start(&["--records", "1", "--no-lines"], &[]);
    let before = products(&pair);
    only(&pair, "product-product2.yaml");
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        format!("{text}\ncreate_in_customerp: [product-product2]\n"),
    )
    .unwrap();
    let [line, _] = between(&pair, [true, false]);
    line.rule(|method, path, _| match (method, path) {
        ("POST", "/api/v1/products") => Fate::CutAfter,
        _ => Fate::Deliver,
    });
    // GIVEN products that are born in Salesforce
    let records = (0..asked).map(|number| {
        json!({ "attributes": { "type": "Product2" }, "Name": format!("Born {number}"), "IsActive": true })
    });
    let body = json!({ "allOrNone": true, "records": records.collect::<Vec<_>>() });
    rest::post_salesforce(&pair.salesforce.url, "composite/sobjects", &body);
    // WHEN each create in Customerp is carried out and gets no answer
    let sync = synced(&pair);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert!(line.struck() >= asked as u64, "{}", line.struck());
    // THEN each is there once
    assert_eq!(products(&pair), before + asked);
}

fn products(pair: &Pair) -> usize {
    let shown = rest::get_customerp(&pair.customerp.url, "products?limit=1000");
    shown["items"].as_array().unwrap().len()
}
