//! What the real systems change by themselves because a record was deleted, and what we put out of use.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};

/// Makes a record of Customerp; its id.
fn make(pair: &Pair, collection: &str, body: &Json) -> String {
    let made = rest::post_customerp(&pair.customerp.url, collection, body);
    made["id"].as_str().unwrap().to_owned()
}

/// The counterpart's id of a record of Customerp.
fn counterpart(pair: &Pair, path: &str) -> String {
    let record = rest::get_customerp(&pair.customerp.url, path);
    record["salesforceId"].as_str().unwrap().to_owned()
}

fn sync(pair: &Pair, code: i32) {
    let ran = pair.run(&["sync"]);
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
}

#[test]
fn references_that_the_org_blanks_wait_with_the_deletion_and_come_back_with_an_undelete() {
    // GIVEN a contact that reports to another, in both systems
    let pair = Pair::start(&[], &[]);
    let customer = make(&pair, "customers", &json!({ "name": "Blauer See" }));
    let boss = json!({ "lastName": "Boss", "customerId": customer });
    let boss = make(&pair, "contacts", &boss);
    let report = json!({ "lastName": "Report", "customerId": customer, "reportsToId": boss });
    let report = format!("contacts/{}", make(&pair, "contacts", &report));
    sync(&pair, 0);
    let theirs = counterpart(&pair, &format!("contacts/{boss}"));
    let path = format!("sobjects/Contact/{}", counterpart(&pair, &report));
    let there = || rest::get_salesforce(&pair.salesforce.url, &path)["ReportsToId"].clone();
    let here = || rest::get_customerp(&pair.customerp.url, &report)["reportsToId"].clone();
    assert_eq!((here(), there()), (json!(boss), json!(theirs)));
    // WHEN the other one is deleted in the org
    rest::soap(
        &pair.salesforce.url,
        "alice",
        &format!("<delete><ids>{theirs}</ids></delete>"),
    );
    assert_eq!(there(), Json::Null);
    // THEN a person is asked, is told what went blank with it, and nothing is carried over
    sync(&pair, 3);
    assert_eq!(here(), json!(boss));
    let asked = pair.run(&["approve", "contact-contact", "--json"]).out;
    assert!(asked.contains("1 record lost its reference to it"), "{asked}");
    // AND an undelete in a later second (the org's times know no smaller unit) withdraws it all
    let clock = format!("{}/_local/clock", pair.salesforce.url);
    rest::post(&clock, &json!({ "advance": 2 }));
    rest::soap(
        &pair.salesforce.url,
        "alice",
        &format!("<undelete><ids>{theirs}</ids></undelete>"),
    );
    sync(&pair, 0);
    assert_eq!((here(), there()), (json!(boss), json!(theirs)));
    let verified = pair.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.out);
}

#[test]
fn our_own_deactivation_is_asked_about_by_nobody() {
    let pair = Pair::start(&[], &[]);
    let product = make(
        &pair,
        "products",
        &json!({ "name": "Chai", "productNumber": "P1" }),
    );
    let product = format!("products/{product}");
    sync(&pair, 0);
    let path = format!("sobjects/Product2/{}", counterpart(&pair, &product));
    rest::delete_customerp(&pair.customerp.url, &product);
    for _ in 0..2 {
        sync(&pair, 0);
        let there = rest::get_salesforce(&pair.salesforce.url, &path);
        assert_eq!(there["IsActive"], false);
    }
    let verified = pair.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.out);
}
