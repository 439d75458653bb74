//! Orders with their lines over both local systems: totals to the cent, activation, locks.

use crate::local::{Pair, northwind};
use crate::rest;
use serde_json::{Value as Json, json};

/// Two systems of which the org takes no discount on a line.
fn without_discounts(customerp: &[&str]) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let options = folder.path().join("org.json");
    std::fs::write(&options, json!({ "line_discounts": false }).to_string()).unwrap();
    let pair = Pair::start(customerp, &["--options", options.to_str().unwrap()]);
    let text = std::fs::read_to_string(pair.path("tandem.yaml")).unwrap();
    assert!(
        text.contains("variants: { order-line: amount, quote-line: amount }"),
        "{text}"
    );
    pair
}

fn sync(pair: &Pair) -> Json {
    let run = pair.run(&["sync", "--json"]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    run.last()
}

/// All orders of Customerp.
fn orders(pair: &Pair) -> Vec<Json> {
    let mut all: Vec<Json> = Vec::new();
    let mut path = "orders?limit=200".to_owned();
    loop {
        let page = rest::get_customerp(&pair.customerp.url, &path);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else {
            return all;
        };
        path = format!("orders?limit=200&cursor={next}");
    }
}

/// The cents of an amount, exactly as it is written.
fn cents(amount: &Json) -> String {
    let text = amount.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}.{rest:0<2}")
}

/// Every order's lines come to the same in both systems, and every confirmed one is activated.
fn agree(pair: &Pair, orders: &[Json]) {
    for order in orders {
        assert_eq!(
            cents(&order["lineTotal"]),
            cents(&order["salesforceTotal"]),
            "{order}"
        );
    }
    let verify = pair.run(&["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    let verify = verify.last();
    assert_eq!((&verify["unequal"], &verify["waiting"]), (&json!(0), &json!(0)));
    assert!(verify["totals"].as_u64().unwrap() >= orders.len() as u64);
}

#[test]
fn totals_agree_where_the_org_takes_no_discount() {
    let pair = without_discounts(&["--records", "6", "--seed", "7"]);
    sync(&pair);
    let all = orders(&pair);
    assert!(all.iter().any(|order| order["status"] == "confirmed"));
    agree(&pair, &all);
    // A discount of the ERP reaches the amount there.
    let draft = all.iter().find(|order| order["status"] == "draft").unwrap();
    let lines = rest::get_customerp(&pair.customerp.url, "order-lines?limit=200");
    let line = lines["items"].as_array().unwrap().iter();
    let line = line.clone().find(|line| line["orderId"] == draft["id"]).unwrap();
    let path = format!("order-lines/{}", line["id"].as_str().unwrap());
    rest::patch_customerp(&pair.customerp.url, &path, &json!({ "discount": 33.33 }));
    sync(&pair);
    agree(&pair, &orders(&pair));
}

#[test]
fn northwinds_830_totals_agree_to_the_cent_in_an_org_without_discounts_too() {
    let Some(dump) = northwind() else { return };
    let pair = without_discounts(&["--northwind", &dump]);
    let done = sync(&pair);
    let lines = done["flows"].as_array().unwrap().iter();
    let lines = lines.clone().find(|flow| flow["flow"] == "order-line").unwrap();
    assert_eq!(lines["linked"], 2_155);
    let all = orders(&pair);
    assert_eq!(all.len(), 830);
    agree(&pair, &all);
}

#[test]
fn a_line_of_an_activated_order_follows_once_the_order_is_a_draft_again() {
    let pair = Pair::start(&["--records", "4", "--seed", "2"], &[]);
    sync(&pair);
    let all = orders(&pair);
    agree(&pair, &all);
    let confirmed = all.iter().find(|order| order["status"] == "confirmed").unwrap();
    let id = confirmed["id"].as_str().unwrap();
    let lines = rest::get_customerp(&pair.customerp.url, "order-lines?limit=200");
    let line = lines["items"].as_array().unwrap().iter();
    let line = line
        .clone()
        .find(|line| line["orderId"] == confirmed["id"])
        .unwrap();
    let path = format!("order-lines/{}", line["id"].as_str().unwrap());
    rest::patch_customerp(&pair.customerp.url, &path, &json!({ "quantity": 77 }));
    // WHEN the order is activated the line is parked, with what to do
    let held = pair.run(&["sync", "--json"]);
    assert_eq!(held.code, Some(3), "{}{}", held.out, held.err);
    let failures = pair.run(&["failures", "--json"]).out;
    assert!(
        failures.contains("set status of the Order back in customerp"),
        "{failures}"
    );
    // THEN it follows once the order is a draft again, and the order is activated after it
    let order = format!("orders/{id}");
    rest::patch_customerp(&pair.customerp.url, &order, &json!({ "status": "draft" }));
    sync(&pair);
    rest::patch_customerp(&pair.customerp.url, &order, &json!({ "status": "confirmed" }));
    sync(&pair);
    agree(&pair, &orders(&pair));
}
