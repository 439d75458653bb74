//! An ERP that ignores its conditions is found out by `tandem check`, and is not relied on from then on.

use crate::examples::Example;
use crate::local::System;
use crate::rest;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tandem_lab::odata::Lie;

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

/// An ERP that speaks OData, and what is kept in step with it.
fn service() -> (System, Example) {
    service_of(&["--records", "6", "--seed", "3"])
}

fn service_of(options: &[&str]) -> (System, Example) {
    let example = Example::of("northwind-odata");
    let erp = System::start("odata", options);
    example.edit("tandem.yaml", "http://127.0.0.1:8083", &erp.url);
    example.edit("tandem.yaml", "{ env: ERP_TOKEN }", "{ file: token }");
    std::fs::write(example.path("token"), "odata-tandem-token").unwrap();
    (erp, example)
}

/// What it does wrong from now on.
fn lies(erp: &System, lies: &[&str]) {
    let address = format!("{}/_local/lies", erp.url.trim_end_matches('/'));
    rest::post(&address, &json!({ "lies": lies }));
}

#[test]
fn e2_a_type_that_was_found_to_ignore_conditions_is_not_relied_on_and_the_others_are() {
    let (erp, example) = service();
    // GIVEN an ERP that ignored conditions when contacts were tried by writing
    lies(&erp, &["ignores-conditions"]);
    let tested = example.run(&["connector", "test", "erp", "--write", "--type", "Contact"]);
    assert_eq!(tested.code, Some(2), "{}{}", tested.out, tested.err);
    // WHEN it is checked with what is tried without writing, which it heeds now
    lies(&erp, &[]);
    let found = found(&example);
    // THEN contacts are read before they are written, and lines, of which it could not be tried; not those for which it holds
    let told = |what: &str| {
        let mut found = found.iter();
        let names = found.find_map(|one| one[1].strip_prefix(what));
        let names = names.unwrap_or_else(|| panic!("{what}: {found:#?}"));
        names.split(", ").map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let bare = told("erp has no conditional write that can be relied on: ");
    let lines = ["Contact", "OrderLine", "QuoteLine"];
    assert_eq!(bare, lines.map(str::to_owned).into());
    let kept = told("erp writes only over what the plan saw: ");
    let others = ["Customer", "Employee", "Order", "Product", "Project", "Quote"];
    assert_eq!(kept, others.map(str::to_owned).into());
}

#[test]
fn e2_a_service_that_ignores_conditions_is_not_relied_on_where_whole_records_are_written_back() {
    // GIVEN an ERP whose customers are written back as a whole, so that Tandem compares them itself
    let (erp, example) = service();
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
    lies(&erp, &["ignores-conditions"]);
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

#[test]
fn r8_a_search_that_is_answered_with_everything_is_not_relied_on() {
    let (erp, example) = service();
    // GIVEN an ERP that ignores filters, which a check finds
    lies(&erp, &["ignores-filters"]);
    let checked = example.run(&["check"]);
    assert_eq!(checked.code, Some(2), "{}{}", checked.out, checked.err);
    assert!(checked.out.contains("an unknown filter"), "{}", checked.out);
    // WHEN it is kept in step all the same, THEN its searches are not used, and everything is right
    let told = "answers a search by a value with something else";
    let synced = example.run(&["sync", "--yes"]);
    assert!(synced.err.contains(told), "{}", synced.err);
    let verified = example.done(&["verify", "--json"]).last();
    assert_eq!(verified["different"], 0, "{verified}");
    // Mended and checked again, they are.
    lies(&erp, &[]);
    example.done(&["check"]);
    let synced = example.run(&["sync", "--yes"]);
    assert!(!synced.err.contains(told), "{}", synced.err);
}

/// Lies that show themselves with time alone.
const SLOW: [Lie; 2] = [Lie::LateTombstones, Lie::SlowCommit];
/// The longest wait for what is shown late.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn every_lie_is_found_and_costs_no_record() {
    let lies = Lie::ALL.into_iter().filter(|lie| !SLOW.contains(lie));
    lies.for_each(is_found_and_costs_no_record);
}

#[test]
#[ignore = "long: what is shown late is waited for"]
fn every_lie_that_takes_time_is_found_and_costs_no_record() {
    SLOW.into_iter().rev().for_each(is_found_and_costs_no_record);
}

/// `check` finds a lie, or the trial of writing, and what is kept in step all the same overwrites nothing unseen and deletes
/// nothing.
fn is_found_and_costs_no_record(lie: Lie) {
    let name = serde_json::to_value(lie).unwrap().as_str().unwrap().to_owned();
    let found_by: &[&str] = match lie {
        Lie::IgnoresFilters | Lie::IgnoresDeltaTokens | Lie::IgnoresConditions | Lie::RepeatsAPage => {
            &["check", "--all"]
        }
        Lie::OffsetPaging | Lie::LateTombstones | Lie::EtagNeverChanges | Lie::SlowCommit => {
            &["connector", "test", "erp", "--write"]
        }
    };
    let (erp, example) = service_of(&["--records", "6", "--seed", "3", "--page-size", "4"]);
    let edit = |edit: Json| rest::post(&format!("{}/_local/edit", erp.url.trim_end_matches('/')), &edit);
    example.done(&["sync", "--yes"]);
    let people = example.query("SELECT Id FROM Contact").len();
    let accounts = "SELECT Id, Customerp_Id__c, Phone, BillingCity FROM Account ORDER BY Customerp_Id__c";
    let [first, second, ..] = &example.query(accounts)[..] else {
        panic!("there are customers");
    };
    let number = |of: &Json| {
        of["Customerp_Id__c"]
            .as_str()
            .unwrap()
            .trim_start_matches("Customer:")
            .to_owned()
    };
    // WHEN it lies, THEN that is found
    lies(&erp, &[&name]);
    let ran = example.run(found_by);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(
        ran.code == Some(2) || said.contains("breaks a law") || said.contains("BROKEN"),
        "{name}: {said}"
    );
    // WHEN both sides edit the same record, and the same of another one, and it is kept in step by what lies
    let edited = |of: &Json, values: Json| {
        edit(json!({ "set": "Customers", "key": { "Number": number(of) }, "values": values }))
    };
    edited(first, json!({ "City": "Potsdam" }));
    rest::patch_salesforce(
        &example.org.url,
        "Account",
        first["Id"].as_str().unwrap(),
        &json!({ "Phone": "030-77" }),
    );
    edited(second, json!({ "Phone": "030-88" }));
    for _ in 0..2 {
        example.run(&["sync", "--yes"]);
    }
    // THEN once it is honest again all is there, on both sides
    lies(&erp, &[]);
    example.run(&["check"]);
    // What it shows late it shows in the end, to whoever asks again.
    let began = Instant::now();
    loop {
        example.done(&["sync", "--yes"]);
        let verified = example.run(&["verify", "--json"]).last();
        if verified["different"] == 0 {
            break;
        }
        let waits = SLOW.contains(&lie) && began.elapsed() < PATIENCE;
        assert!(waits, "{name}: {verified}");
    }
    assert_eq!(example.query("SELECT Id FROM Contact").len(), people, "{name}");
    let [first, second, ..] = &example.query(accounts)[..] else {
        panic!("{name}: customers are gone");
    };
    assert_eq!(
        (&first["BillingCity"], &first["Phone"]),
        (&json!("Potsdam"), &json!("030-77")),
        "{name}"
    );
    assert_eq!(second["Phone"], "030-88", "{name}");
}
