//! What waits for a person, and what becomes of the answers.

use crate::local::Pair;
use crate::rest;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn a_conflict_waits_for_an_answer_and_then_travels() {
    // GIVEN products that ask when both sides were edited, linked and at rest
    let pair = Pair::start(&["--records", "2", "--seed", "5"], &[]);
    let file = pair.path("flows/product-product2.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("conflict: latest"), "{text}");
    std::fs::write(&file, text.replace("conflict: latest", "conflict: ask")).unwrap();
    let first = pair.run(&["sync", "--json"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let links = pair
        .run(&["links", "--flow", "product-product2", "--json"])
        .lines();
    let there = links
        .iter()
        .find(|link| link["customerp"] == "Product:1")
        .unwrap();
    let there = there["salesforce"]
        .as_str()
        .unwrap()
        .strip_prefix("Product2:")
        .unwrap()
        .to_owned();
    // WHEN both sides are edited before the next sync
    rest::patch_customerp(
        &pair.customerp.url,
        "products/1",
        &json!({ "description": "from the ERP" }),
    );
    rest::patch_salesforce(
        &pair.salesforce.url,
        "Product2",
        &there,
        &json!({ "Description": "from Salesforce" }),
    );
    let sync = pair.run(&["sync", "--json"]);
    // THEN nothing is written, and the conflict is listed with both values
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    let conflicts = pair.run(&["conflicts", "--json"]);
    assert_eq!(conflicts.code, Some(3), "{}", conflicts.err);
    let conflict = &conflicts.lines()[0];
    for value in ["from the ERP", "from Salesforce"] {
        assert!(conflicts.out.contains(value), "{value}: {}", conflicts.out);
    }
    // AND an answer travels to both sides with the next sync
    let item = conflict["item"].to_string();
    let answer = pair.run(&[
        "resolve",
        &item,
        "--record",
        &format!("salesforce/Product2:{there}"),
    ]);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let product = rest::get_customerp(&pair.customerp.url, "products/1");
    assert_eq!(product["description"], "from Salesforce");
    assert_eq!(pair.run(&["conflicts"]).code, Some(0));
}

/// Products that ask, linked and at rest: their ids in Salesforce by those in Customerp.
pub(crate) fn asking(products: &str) -> (Pair, BTreeMap<String, String>) {
    let pair = Pair::start(&["--records", products, "--seed", "5"], &[]);
    let file = pair.path("flows/product-product2.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("conflict: latest", "conflict: ask")).unwrap();
    let first = pair.run(&["sync", "--json"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let links = pair
        .run(&["links", "--flow", "product-product2", "--json"])
        .lines();
    let id = |of: &serde_json::Value| of.as_str().unwrap().split_once(':').unwrap().1.to_owned();
    let ids = links
        .iter()
        .map(|link| (id(&link["customerp"]), id(&link["salesforce"])));
    let ids = ids.collect();
    (pair, ids)
}

fn edit(pair: &Pair, (here, there): (&String, &String), ours: &str, theirs: &str) {
    let path = format!("products/{here}");
    rest::patch_customerp(&pair.customerp.url, &path, &json!({ "description": ours }));
    let body = json!({ "Description": theirs });
    rest::patch_salesforce(&pair.salesforce.url, "Product2", there, &body);
}

#[test]
fn a_conflict_is_shown_whole_and_an_answer_to_what_has_changed_is_refused() {
    let (pair, ids) = asking("2");
    let ids = ids.first_key_value().unwrap();
    edit(&pair, ids, "from the ERP", "from Salesforce");
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    // Side by side, with what stood there before, when, and by whom.
    let list = pair.run(&["conflicts"]).out;
    for part in [
        "customerp",
        "salesforce",
        "from the ERP",
        "from Salesforce",
        "was ",
        "edited ",
        "by alice",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let listed = pair.run(&["conflicts", "--json"]).lines().remove(0);
    let item = listed["item"].to_string();
    assert_eq!(listed["contenders"][0]["author"], "alice");
    let whole = pair.run(&["conflicts", &item]);
    assert_eq!(whole.code, Some(3), "{}", whole.err);
    for part in ["a person is asked", "contends", "conflict: "] {
        assert!(whole.out.contains(part), "{part}: {}", whole.out);
    }
    let whole = pair.run(&["conflicts", &item, "--json"]).last();
    assert_eq!(whole["members"].as_array().unwrap().len(), 2);
    assert!(
        whole["history"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line["why"] == "a person is asked")
    );
    // WHEN a value changes before the answer
    edit(&pair, ids, "from the ERP", "changed since");
    let record = format!("customerp/Product:{}", ids.0);
    let refused = pair.run(&["resolve", &item, "--record", &record]);
    assert_eq!(refused.code, Some(2), "{}", refused.out);
    assert!(
        refused.err.contains("has changed since the conflict was shown"),
        "{}",
        refused.err
    );
    // THEN it is asked about under another number
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    let gone = pair.run(&["resolve", &item, "--record", &record]);
    assert_eq!(gone.code, Some(2));
    assert!(
        gone.err.contains("any more, or another one than was shown"),
        "{}",
        gone.err
    );
    assert_eq!(pair.run(&["conflicts", &item]).code, Some(2));
    let again = pair.run(&["conflicts", "--json"]).lines().remove(0)["item"].to_string();
    let answer = pair.run(&["resolve", &again, "--value", "of a person"]);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let product = rest::get_customerp(&pair.customerp.url, &format!("products/{}", ids.0));
    assert_eq!(product["description"], "of a person");
    assert!(pair.run(&["history"]).out.contains("answered by a person"));
}

#[test]
fn many_conflicts_are_shown_first_and_answered_by_a_rule() {
    let (pair, ids) = asking("6");
    let ids: Vec<(&String, &String)> = ids.iter().take(4).collect();
    assert_eq!(ids.len(), 4);
    for (place, ids) in ids.iter().enumerate() {
        let theirs = if place == 0 { "" } else { "from Salesforce" };
        edit(&pair, *ids, &format!("from the ERP {place}"), theirs);
    }
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    let here = |id: &String| {
        let product = rest::get_customerp(&pair.customerp.url, &format!("products/{id}"));
        product["description"].as_str().unwrap_or_default().to_owned()
    };
    // Shown, and nothing answered.
    let flow = ["resolve", "--all", "--flow", "product-product2"];
    let shown = pair.run(&[&flow[..], &["--owner", "salesforce", "--json"]].concat());
    assert_eq!(shown.code, Some(3), "{}", shown.err);
    assert_eq!(shown.lines().len(), 4);
    assert_eq!(pair.run(&["conflicts", "--json"]).lines().len(), 4);
    // Blank loses where there is a blank, and leaves the others.
    let blank = pair.run(&["resolve", "--all", "--blank-loses", "--yes", "--json"]);
    assert_eq!(blank.code, Some(3), "{}", blank.err);
    assert_eq!(
        (
            &blank.last()["left"],
            blank.last()["resolved"].as_array().unwrap().len()
        ),
        (&json!(3), 1)
    );
    // Some by their numbers, the rest by the latest edit.
    let items = pair.run(&["conflicts", "--json"]).lines();
    let numbers: Vec<String> = items
        .iter()
        .take(2)
        .map(|item| item["item"].to_string())
        .collect();
    let owner = pair.run(&[
        "resolve",
        &numbers[0],
        &numbers[1],
        "--owner",
        "customerp",
        "--yes",
    ]);
    assert_eq!(owner.code, Some(0), "{}", owner.err);
    let latest = pair.run(&[&flow[..], &["--property", "description", "--latest", "--yes"]].concat());
    assert_eq!(latest.code, Some(0), "{}", latest.err);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let held: Vec<String> = ids.iter().map(|(id, _)| here(id)).collect();
    assert_eq!(held[0], "from the ERP 0");
    // Which edit was the latest is a matter of the org's whole seconds; two were answered for the ERP.
    let ours = held[1..].iter().filter(|value| value.starts_with("from the ERP"));
    assert!(ours.count() >= 2, "{held:?}");
    assert_eq!(pair.run(&["verify"]).code, Some(0));
    let none = pair.run(&["resolve", "--all", "--latest"]);
    assert_eq!(none.code, Some(0), "{}", none.err);
    assert_eq!(pair.run(&["resolve", "--all", "--owner", "sap"]).code, Some(2));
}

#[test]
fn what_was_mended_is_tried_again() {
    // GIVEN a contact whose title is too long
    let pair = Pair::start(&["--records", "20", "--faults", "too-long"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    let parked = pair.run(&["failures", "--kind", "too-long", "--json"]).lines();
    let planted = rest::get(&format!("{}/_local/faults", pair.customerp.url));
    let id = planted[0]["id"].as_str().unwrap();
    assert!(!parked.is_empty());
    // WHEN a person shortens it
    rest::patch_customerp(
        &pair.customerp.url,
        &format!("contacts/{id}"),
        &json!({ "title": "Head of Everything" }),
    );
    // THEN the next sync carries it, and nothing is parked any more
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert_eq!(pair.run(&["failures", "--standing", "parked"]).code, Some(0));
    assert_eq!(pair.run(&["verify"]).code, Some(0));
    let retried = pair.run(&["retry", &format!("customerp/Contact:{id}"), "--json"]);
    assert_eq!(retried.code, Some(0), "{}", retried.err);
}
