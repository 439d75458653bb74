//! An ERP that ignores its conditions is found out by `tandem check`, and is not relied on from then on.

use crate::examples::Example;
use crate::local::System;
use crate::rest;
use serde_json::{Value as Json, json};

/// What a check finds, as weight, what and why.
fn found(example: &Example) -> Vec<[String; 3]> {
    let checked = example.done(&["check", "--json"]);
    let text = |finding: &Json, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let findings = checked.lines();
    let findings = findings.iter().filter(|line| line.get("weight").is_some());
    findings
        .map(|finding| ["weight", "what", "why"].map(|name| text(finding, name)))
        .collect()
}

fn says(found: &[[String; 3]], weight: &str, what: &str, why: &str) -> bool {
    let mut found = found.iter();
    found.any(|one| one[0] == weight && one[1].contains(what) && one[2].contains(why))
}

#[test]
fn e2_a_service_that_ignores_conditions_is_not_relied_on_where_whole_records_are_written_back() {
    // GIVEN an ERP whose customers are written back as a whole, so that Tandem compares them itself
    let example = Example::of("northwind-odata");
    let erp = System::start("odata", &["--records", "6", "--seed", "3"]);
    example.edit("tandem.yaml", "http://127.0.0.1:8083", &erp.url);
    example.edit("tandem.yaml", "{ env: ERP_TOKEN }", "{ file: token }");
    std::fs::write(example.path("token"), "odata-tandem-token").unwrap();
    example.edit(
        "northwind.yaml",
        "    collection: Customers\n",
        "    collection: Customers\n    update: { request: \"PUT /{collection}({id:literal})\", style: full }\n",
    );
    let honest = found(&example);
    assert!(
        says(&honest, "fine", "erp writes only over what the plan saw", ""),
        "{honest:#?}"
    );
    // WHEN it begins to ignore conditions
    let lies = format!("{}/_local/lies", erp.url.trim_end_matches('/'));
    rest::post(&lies, &json!({ "lies": ["ignores-conditions"] }));
    // THEN that is found, and what it costs is said
    let lying = found(&example);
    let law = "erp Customer breaks a law: an update of a version that never was";
    assert!(says(&lying, "limit", law, "it compares itself"), "{lying:#?}");
    let limit = "erp has no conditional write that can be relied on";
    assert!(
        says(&lying, "limit", limit, "between that read and the write"),
        "{lying:#?}"
    );
    assert!(
        !says(&lying, "fine", "erp writes only over what the plan saw", ""),
        "{lying:#?}"
    );
    // AND it is kept, and said by whoever works with it
    let kept = std::fs::read_to_string(example.path("state/proofs.json")).unwrap();
    assert!(kept.contains("\"broken\""), "{kept}");
    let synced = example.done(&["sync", "--yes"]);
    assert!(synced.err.contains("only in appearance"), "{}", synced.err);
}
