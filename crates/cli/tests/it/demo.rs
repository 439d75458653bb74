//! The demo proves itself; its last line is the result.

use crate::local::{Pair, northwind, tandem};
use serde_json::Value as Json;
use std::collections::BTreeMap;

fn demo(arguments: &[&str]) -> Json {
    let run = tandem()
        .args(["demo", "--once", "--json"])
        .args(arguments)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8(run.stdout).unwrap(),
        String::from_utf8(run.stderr).unwrap(),
    );
    assert_eq!(run.status.code(), Some(0), "{out}\n{err}");
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

fn flow<'a>(result: &'a Json, name: &str) -> &'a Json {
    let flows = result["flows"].as_array().unwrap();
    flows.iter().find(|flow| flow["flow"] == name).unwrap()
}

#[test]
fn a_small_demo_proves_itself() {
    let result = demo(&["--records", "6", "--seed", "3"]);
    assert_eq!(result["flows"].as_array().unwrap().len(), 13);
    for flow in result["flows"].as_array().unwrap() {
        assert!(flow["linked"].as_u64().unwrap() > 0, "{flow}");
        assert_eq!(flow["parked"], 0, "{flow}");
        assert_eq!(flow["failed"], 0, "{flow}");
        assert_eq!(flow["first_sync"]["parked"], 0, "{flow}");
    }
    let mut edits: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for edit in result["edits"].as_array().unwrap() {
        let key = (edit["flow"].as_str().unwrap(), edit["side"].as_str().unwrap());
        edits.insert(key, edit["seconds"].as_f64().unwrap());
    }
    assert_eq!(edits.len(), 26, "one edit per flow and direction: {edits:?}");
    let activations = result["edits"].as_array().unwrap().iter();
    let activations =
        activations.filter(|edit| edit["property"].as_str().unwrap().eq_ignore_ascii_case("status"));
    assert_eq!(
        activations.count(),
        2,
        "an order is confirmed here, another activated there"
    );
    for name in [
        "contact-contact",
        "product-product2",
        "order-order",
        "project-task",
        "order-invoice",
        "order-line",
    ] {
        assert!(
            flow(&result, name)["created_customerp"].as_u64().unwrap() >= 1,
            "{name}"
        );
    }
    assert!(result["verify"]["compared"].as_u64().unwrap() > 0);
    assert_eq!(result["verify"]["different"], 0);
    assert!(result["peak_memory_bytes"].as_u64().unwrap() < 300 << 20);
    assert_eq!(
        result["first_sync_calls"]["salesforce"]["kept"], true,
        "{}",
        result["first_sync_calls"]
    );
    for system in ["customerp", "salesforce"] {
        assert!(result["api_calls"][system].as_u64().unwrap() > 0);
    }
}

#[test]
fn a_small_demo_proves_itself_where_customers_are_accounts() {
    let result = demo(&["--records", "6", "--seed", "3", "--preset", "no-divisions"]);
    let arrived = |of: &str| -> Vec<(String, bool)> {
        let all = result[of].as_array().unwrap().iter();
        all.map(|one| (one["flow"].as_str().unwrap().to_owned(), one["seconds"].is_f64()))
            .collect()
    };
    // Records that people make in Salesforce carry what it wants, and every one of them arrives, as every edit does.
    for of in ["births", "edits"] {
        let arrived = arrived(of);
        assert!(!arrived.is_empty(), "{of}");
        assert!(arrived.iter().all(|(_, seen)| *seen), "{of}: {arrived:?}");
    }
    assert!(flow(&result, "customer-account")["linked"].as_u64().unwrap() > 0);
    assert_eq!(result["verify"]["different"], 0);
}

#[test]
fn northwind_is_linked_in_full() {
    let Some(dump) = northwind() else { return };
    let result = demo(&["--northwind", &dump]);
    let expected = [
        ("customer-division", 91),
        ("contact-contact", 91),
        ("employee-user", 9),
        ("product-product2", 77),
        ("order-order", 830),
        ("order-invoice", 830),
        ("quote-quote", 83),
        ("quote-invoice", 83),
        ("project-task", 27),
        ("order-line", 2_155),
        ("quote-line", 213),
        ("invoice-line", 2_155),
        ("quote-invoice-line", 213),
    ];
    for (name, linked) in expected {
        let first = &flow(&result, name)["first_sync"];
        assert_eq!(first["linked"], linked, "{name}");
        assert_eq!(first["parked"], 0, "{name}");
        assert_eq!(first["failed"], 0, "{name}");
    }
    assert_eq!(result["verify"]["different"], 0);
    // Each order and quote agrees with its counterpart to the cent; in the demo an order was born, and an
    // invoice that became one.
    assert_eq!(result["verify"]["totals"], 830 + 83 + 2);
    assert_eq!(result["verify"]["unequal"], 0);
    let calls = result["first_sync_calls"]["salesforce"]["calls"]
        .as_u64()
        .unwrap();
    assert!(calls <= 150, "{calls} calls");
}

#[test]
fn a_plan_is_what_a_sync_then_does_and_a_second_sync_writes_nothing() {
    // GIVEN two systems and no state
    let pair = Pair::start(&["--records", "5", "--seed", "9"], &[]);
    // WHEN a sync is planned, then done
    let plan = pair.run(&["plan", "--json"]);
    assert_eq!(plan.code, Some(0), "{}", plan.err);
    assert!(
        !pair.path("state/tandem.db").exists(),
        "a plan leaves no state behind"
    );
    let log = crate::rest::get(&format!("{}/_local/log", pair.salesforce.url));
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    // THEN the plan wrote nothing, and its counts are the sync's
    let written = log["entries"].as_array().unwrap().iter();
    assert_eq!(
        written
            .filter(|entry| entry["action"] == "create" && entry["object"] == "Contact")
            .count(),
        0
    );
    let planned = &plan.last()["plan"];
    let done = sync.last();
    for flow in done["flows"].as_array().unwrap() {
        let name = flow["flow"].as_str().unwrap();
        let planned = planned["flows"].as_array().unwrap().iter();
        let planned = planned.clone().find(|planned| planned["flow"] == name).unwrap();
        assert_eq!(planned, flow, "{name}");
    }
    assert_eq!(planned["written"], done["written"]);
    let writes: Vec<_> = plan
        .lines()
        .into_iter()
        .filter(|line| line.get("action").is_some())
        .collect();
    let all: u64 = done["written"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(writes.len() as u64, all, "one line for each write");
    let follows = writes.iter().filter(|write| write["follows"] == true);
    assert!(follows.clone().count() > 0 && follows.clone().all(|write| write["action"] == "update"));
    // AND a second sync writes nothing
    let again = pair.run(&["sync", "--json"]).last();
    let written: u64 = again["written"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(written, 0, "{again}");
    let verify = pair.run(&["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    // AND the lists have what was linked
    let links = pair
        .run(&["links", "--json", "--flow", "customer-division"])
        .lines();
    assert_eq!(links.len(), 5);
    let status = pair.run(&["status", "--json"]).last();
    assert_eq!(flow(&status, "customer-division")["linked"], 5);
    let number = links[0]["customerp"].as_str().unwrap();
    let history = pair
        .run(&["history", "--json", &format!("customerp/{number}")])
        .lines();
    assert!(
        history.iter().any(|line| line["event"] == "linked"),
        "{history:?}"
    );
}

#[test]
fn an_edit_travels_and_history_tells_who() {
    let pair = Pair::start(&["--records", "3", "--seed", "4"], &[]);
    let first = pair.run(&["sync", "--json"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let body = serde_json::json!({ "description": "seen by Alice" });
    crate::rest::patch_customerp(&pair.customerp.url, "products/1", &body);
    let run = pair.run(&["sync", "--json"]);
    assert_eq!(run.last()["written"]["salesforce"], 1, "{}", run.out);
    let history = pair.run(&["history", "--json", "customerp/Product:1"]).lines();
    let told = history.iter().any(|line| {
        line["event"] == "edited"
            && line["new"] == "seen by Alice"
            && line["what"].as_str().unwrap().contains("alice")
    });
    assert!(told, "{history:?}");
}
