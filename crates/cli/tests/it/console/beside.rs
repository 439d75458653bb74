//! What the console shows beside the state: what the next round would do, the configuration with its files, the newest report of
//! `tandem qa`.

use super::{ADMIN, Console, OPERATOR, VIEWER};
use crate::live::until;
use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};

/// Makes a plan and waits for it.
fn planned(console: &Console, configuration: &str) -> Json {
    let before = console.get(ADMIN, "/plan").json()["made"]["at"].clone();
    let said = json!({ "configuration": configuration });
    let begun = console.post(OPERATOR, "/plan", &said);
    assert_eq!(begun.status, 200, "{}", begun.text);
    until(|| {
        let plan = console.get(ADMIN, "/plan?limit=500").json();
        let new = plan["making"].is_null() && (plan["made"]["at"] != before || !plan["failed"].is_null());
        new.then_some(plan)
    })
}

/// Replaces a text in a file of a pair's configuration, which must hold it.
fn rewrite(pair: &Pair, file: &str, from: &str, to: &str) {
    let path = pair.path(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

#[test]
fn a_plan_is_made_beside_the_work_and_shows_each_value_before_and_after() {
    // GIVEN two systems in step, and a flow that rests: what is edited in it stays undone
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let console = Console::start_logging(&pair, "tandem::audit=info");
    let none = console.get(VIEWER, "/plan").json();
    assert_eq!(none, json!({ "making": null, "failed": null, "made": null }));
    // WHEN nothing is to be done, the plan says so
    let plan = planned(&console, "in-force");
    let made = &plan["made"];
    assert_eq!(made["nothing"], true, "{plan}");
    assert_eq!(
        made["line"],
        "create 0, update 0, link 0, unlink 0, delete 0, ask 0"
    );
    assert_eq!(
        (made["by"].as_str(), made["since"].as_u64()),
        (Some("otto"), Some(0))
    );
    assert!(made["calls"]["salesforce"].as_u64() > Some(0), "{plan}");
    // WHEN the files stop taking e-mail addresses over as they are, and nobody has read them again
    let contact = console.get(ADMIN, "/links?flow=contact-contact&limit=1").json();
    let id = contact["rows"][0]["first"]["id"].as_str().unwrap().to_owned();
    let there = contact["rows"][0]["second"]["id"].as_str().unwrap().to_owned();
    let runs = console.get(ADMIN, "/runs?limit=1").json();
    rewrite(
        &pair,
        "flows/contact-contact.yaml",
        "on_delete: { customerp: ask,",
        "on_delete: { customerp: propagate,",
    );
    rest::delete_customerp(&pair.customerp.url, &format!("contacts/{id}"));
    // THEN what would be done by the files is shown, and what is in force asks as before
    until(|| {
        let waits = console.get(ADMIN, "/items?standing=approval").json();
        (!waits["rows"].as_array().unwrap().is_empty()).then_some(())
    });
    let plan = planned(&console, "files");
    let rows = plan["made"]["page"]["rows"].as_array().unwrap().clone();
    let deletes = |row: &&Json| row["action"] == "delete" && row["record"]["id"] == there.as_str();
    assert!(rows.iter().any(|row| deletes(&row)), "{plan}");
    assert_eq!(plan["made"]["configuration"], "files");
    assert!(
        plan["made"]["line"].as_str().unwrap().contains("delete 1"),
        "{plan}"
    );
    let filtered = console.get(ADMIN, "/plan?action=create").json();
    assert_eq!(filtered["made"]["page"]["rows"], json!([]));
    assert_eq!(console.get(ADMIN, "/plan?flow=nobody").status, 409);
    // AND nothing was done: the contact is there, and no run came of the plans
    let contact = rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Contact/{there}"));
    assert_eq!(contact["Id"], there.as_str());
    let since = console.get(ADMIN, "/runs?limit=5").json();
    let kinds: Vec<&str> = since["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["run"].as_u64() > runs["rows"][0]["run"].as_u64())
        .filter_map(|run| run["kind"].as_str())
        .collect();
    assert!(kinds.iter().all(|kind| *kind == "run"), "{since}");
    // AND only an operator makes one, and the log says who
    assert_eq!(console.post(VIEWER, "/plan", &json!({})).status, 403);
    let said = console.said().join("\n");
    assert!(
        said.contains("otto asked (command plan, outcome begun)"),
        "{said}"
    );
}

#[test]
fn values_of_a_plan_are_masked_for_whoever_may_not_see_them_and_references_have_names() {
    // GIVEN a process that looks once an hour, and a contact that was edited since
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    rewrite(&pair, "tandem.yaml", "poll: 1s", "poll: 1h");
    let console = Console::start(&pair);
    assert_eq!(planned(&console, "in-force")["made"]["nothing"], true);
    let link = console.get(ADMIN, "/links?flow=contact-contact&limit=1").json();
    let id = link["rows"][0]["first"]["id"].as_str().unwrap().to_owned();
    let path = format!("contacts/{id}");
    let old = rest::get_customerp(&pair.customerp.url, &path)["email"].clone();
    let edit = json!({ "email": "new.address@example.com" });
    rest::patch_customerp(&pair.customerp.url, &path, &edit);
    // WHEN a plan is made, it holds the update with both values
    let plan = planned(&console, "in-force");
    let row = &plan["made"]["page"]["rows"][0];
    assert_eq!(
        (row["action"].as_str(), plan["made"]["lines"].as_u64()),
        (Some("update"), Some(1)),
        "{plan}"
    );
    let value = &row["values"][0];
    assert_eq!((&value["before"], &value["after"]), (&old, &edit["email"]));
    // THEN a viewer sees that it changes, and not from what to what
    let masked = console.get(VIEWER, "/plan");
    assert_eq!(masked.json()["made"]["lines"], 1);
    for address in [old.as_str().unwrap(), "new.address"] {
        assert!(!masked.text.contains(address), "{}", masked.text);
    }
    // AND what names another record has that record's name
    let record = console
        .get(ADMIN, &format!("/records/customerp/Contact/{id}"))
        .json();
    let properties = record["properties"].as_array().unwrap().iter();
    let mut members = properties.flat_map(|one| one["members"].as_array().unwrap());
    let customer = members.find(|one| one["property"] == "customerId").unwrap();
    let names = &customer["names"];
    assert_eq!(
        (&names["type"], &names["id"]),
        (&json!("Customer"), &customer["value"])
    );
    assert!(names["name"].is_string(), "{customer}");
}

#[test]
fn the_configuration_is_shown_without_its_secrets_and_its_files_with_what_is_wrong() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    let shown = || console.get(VIEWER, "/configuration");
    let first = shown();
    for secret in ["customerp-tandem-token", "tandem-secret", super::ADMIN] {
        assert!(!first.text.contains(secret), "{}", first.text);
    }
    let first = first.json();
    assert_eq!(first["files"]["differ"], json!([]));
    assert_eq!(first["files"]["problems"], json!([]));
    assert_eq!(first["flows"].as_array().unwrap().len(), 13);
    let secrets = first["connections"][0]["secrets"].to_string();
    assert!(
        secrets.contains("the environment variable CUSTOMERP_TOKEN"),
        "{secrets}"
    );
    assert!(first["people"].to_string().contains("\"role\":\"operator\""));
    // A comment changes nothing.
    rewrite(
        &pair,
        "flows/order-order.yaml",
        "conflict:",
        "# a remark\nconflict:",
    );
    assert_eq!(shown().json()["files"]["differ"], json!([]));
    rewrite(
        &pair,
        "flows/order-order.yaml",
        "on_delete: { customerp: ask,",
        "on_delete: { customerp: unlink,",
    );
    assert_eq!(
        shown().json()["files"]["differ"],
        json!(["the flow order-order is set otherwise"])
    );
    rewrite(
        &pair,
        "flows/order-order.yaml",
        "customerp: unlink,",
        "customerp: burn,",
    );
    let wrong = shown().json()["files"]["problems"].clone();
    let one = &wrong[0];
    assert!(
        one["file"].as_str().unwrap().ends_with("order-order.yaml"),
        "{wrong}"
    );
    assert!(
        one["line"].as_u64() > Some(1) && one["instead"].as_str().unwrap().contains("unlink"),
        "{wrong}"
    );
    // What is wrong is no plan either, and what is in force still is.
    let failed = planned(&console, "files");
    assert!(
        failed["failed"]["why"]
            .as_str()
            .unwrap()
            .contains("order-order.yaml"),
        "{failed}"
    );
    assert!(failed["made"].is_null());
    assert_eq!(planned(&console, "in-force")["made"]["troubles"], json!([]));
    std::fs::remove_file(pair.path("tandem.yaml")).unwrap();
    let gone = shown().json()["files"]["problems"][0].clone();
    assert!(
        gone["what"].as_str().unwrap().contains("cannot be read") && gone["line"].is_null(),
        "{gone}"
    );
}

#[test]
fn the_newest_report_of_qa_is_shown_or_how_to_come_by_one() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let none = {
        let console = Console::start(&pair);
        console.get(VIEWER, "/qa")
    };
    assert_eq!(none.status, 404);
    assert!(
        none.json()["advice"].as_str().unwrap().contains("`tandem qa`"),
        "{}",
        none.text
    );
    let ran = pair.run(&["qa", "--yes", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let console = Console::start(&pair);
    let report = console.get(VIEWER, "/qa").json();
    let said = ran.last();
    for part in ["run", "counts", "kept", "seconds", "at"] {
        assert_eq!(report[part], said[part], "{part}");
    }
    let lines = |of: &Json| {
        let flows = of["flows"].as_array().unwrap().iter();
        flows
            .map(|flow| flow["lines"].as_array().unwrap().len())
            .sum::<usize>()
    };
    assert!(lines(&report) > 50 && lines(&report) == lines(&said));
}
