//! The configuration changes on live data.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};

const FILE: &str = "flows/product-product2.yaml";

/// The flow file without its row of a property, and the row.
fn without(text: &str, property: &str) -> (String, String) {
    let begin = text
        .find(&format!("  - customerp: {property}\n"))
        .or_else(|| text.find(&format!("  - {{ customerp: {property},")));
    let begin = begin.unwrap_or_else(|| panic!("no row of {property} in {text}"));
    let rest = &text[begin + 1..];
    let end = rest.find("\n  - ").map_or(text.len(), |end| begin + 1 + end + 1);
    (
        format!("{}{}", &text[..begin], &text[end..]),
        text[begin..end].to_owned(),
    )
}

#[test]
fn a_property_added_later_meets_like_at_a_first_link_and_plan_says_so() {
    // GIVEN products linked without their descriptions
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    let file = pair.path(FILE);
    let whole = std::fs::read_to_string(&file).unwrap();
    let (less, _) = without(&whole, "description");
    std::fs::write(&file, less).unwrap();
    let first = pair.run(&["sync", "--json"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let links = pair
        .run(&["links", "--flow", "product-product2", "--json"])
        .lines();
    let there = |id: u32| {
        let link = links
            .iter()
            .find(|link| link["customerp"] == format!("Product:{id}"))
            .unwrap();
        let other = link["salesforce"].as_str().unwrap();
        other.strip_prefix("Product2:").unwrap().to_owned()
    };
    let (erp, org) = (&pair.customerp.url, &pair.salesforce.url);
    // WHEN one side of each has one, before they are mapped
    rest::patch_customerp(erp, "products/1", &json!({ "description": "of the ERP" }));
    rest::patch_customerp(erp, "products/2", &json!({ "description": null }));
    rest::patch_salesforce(
        org,
        "Product2",
        &there(2),
        &json!({ "Description": "of the org" }),
    );
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    std::fs::write(&file, &whole).unwrap();
    // THEN plan says what the change moves, and writes nothing
    let plan = pair.run(&["plan", "--json"]);
    assert_eq!(plan.code, Some(0), "{}", plan.err);
    let lines = plan.lines();
    let changes: Vec<&Json> = lines.iter().filter_map(|line| line.get("change")).collect();
    let [change] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!(change["property"], "description");
    assert_eq!(change["what"], "property-added");
    assert!(change["values"].as_u64().unwrap() >= 2, "{change}");
    assert_eq!(rest::get_customerp(erp, "products/2")["description"], Json::Null);
    // AND a sync lets the value go where blank stood, on both sides
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert_eq!(
        rest::get_customerp(erp, "products/2")["description"],
        "of the org"
    );
    let soql = format!("SELECT Description FROM Product2 WHERE Id = '{}'", there(1));
    assert_eq!(rest::query_salesforce(org, &soql)[0]["Description"], "of the ERP");
    assert_eq!(pair.run(&["verify"]).code, Some(0));
    // WHEN it is taken out again, nothing is cleared
    let (less, _) = without(&whole, "description");
    std::fs::write(&file, less).unwrap();
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    assert_eq!(
        rest::get_customerp(erp, "products/2")["description"],
        "of the org"
    );
    assert_eq!(rest::query_salesforce(org, &soql)[0]["Description"], "of the ERP");
}
