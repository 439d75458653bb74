//! What waits for a person, and what becomes of the answers.

use crate::local::Pair;
use crate::rest;
use serde_json::json;

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
