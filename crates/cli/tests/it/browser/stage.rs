//! What browser tests begin with: a console with somebody who looks at it.

use super::driver::Browser;
use crate::console::{ADMIN, Console};
use crate::decide;
use crate::live::until;
use crate::local::Pair;
use crate::rest;
use serde_json::json;
use std::collections::BTreeMap;

/// A browser that the link in the terminal has signed in.
pub(super) fn signed_in(console: &Console) -> Browser {
    let browser = Browser::start();
    browser.open(&console.link);
    browser.shows("owner");
    browser
}

/// The ids in Salesforce of a flow's links, by those in Customerp.
pub(super) fn links(pair: &Pair, flow: &str) -> BTreeMap<String, String> {
    let listed = pair.run(&["links", "--flow", flow, "--json"]).lines();
    let id = |of: &serde_json::Value| of.as_str().unwrap().split_once(':').unwrap().1.to_owned();
    let ids = listed
        .iter()
        .map(|link| (id(&link["customerp"]), id(&link["salesforce"])));
    ids.collect()
}

/// Products that were edited differently on both sides before anybody looked: so many conflicts, in a console that works.
pub(super) fn conflicts(many: usize) -> (Pair, BTreeMap<String, String>, Console) {
    let (pair, mut ids) = decide::asking("2");
    while ids.len() > many {
        ids.pop_last();
    }
    assert_eq!(ids.len(), many);
    for (here, there) in &ids {
        let path = format!("products/{here}");
        let ours = json!({ "description": format!("of the ERP {here}") });
        rest::patch_customerp(&pair.customerp.url, &path, &ours);
        let theirs = json!({ "Description": format!("of the org {here}") });
        rest::patch_salesforce(&pair.salesforce.url, "Product2", there, &theirs);
    }
    let console = Console::start(&pair);
    waiting(&console, "standing=conflict", many);
    (pair, ids, console)
}

/// Waits until so many items of a kind wait.
pub(super) fn waiting(console: &Console, of: &str, many: usize) {
    until(|| {
        let seen = console.get(ADMIN, &format!("/items?limit=100&{of}"));
        let rows = seen.json()["rows"].as_array().map_or(0, Vec::len);
        (rows == many).then_some(())
    });
}
