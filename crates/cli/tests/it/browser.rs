//! A person with a browser: in the record browsers of the local systems, and in Tandem's own console.
//! Drives Chromium over WebDriver; run by `./test --long`.

mod acts;
mod driver;
mod looks;
mod pages;
mod planning;
mod sign_in;
mod stage;

use crate::local::Pair;
use driver::{Browser, Ended};
use serde_json::{Value as Json, json};
use std::process::Stdio;

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn an_edit_in_either_record_browser_arrives_in_the_other() {
    // GIVEN two systems in step, and Tandem running
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync", "--quiet"]).code, Some(0));
    let links = pair.run(&["links", "--flow", "order-order", "--json"]).lines();
    let (first, second) = ends(&links);
    let _running = Ended(
        pair.command(&["run", "--quiet"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let browser = Browser::start();
    let ours = format!("{}/orders/{first}", pair.customerp.url);
    let theirs = format!("{}/{second}", pair.salesforce.url);

    // WHEN a person edits the order in Customerp
    edit(&browser, &ours, "description", "written in the ERP");
    // THEN it is seen in Salesforce
    browser.reload_until(&theirs, "written in the ERP");

    // WHEN a person edits it in Salesforce
    edit(&browser, &theirs, "Description", "written in the org");
    // THEN it is seen in Customerp
    browser.reload_until(&ours, "written in the org");
}

/// The ids of the first link listed.
fn ends(lines: &[Json]) -> (String, String) {
    let link = lines.iter().find(|line| line["flow"] == "order-order").unwrap();
    let id = |system: &str| {
        link[system]
            .as_str()
            .unwrap()
            .split_once(':')
            .unwrap()
            .1
            .to_owned()
    };
    (id("customerp"), id("salesforce"))
}

/// Opens a record's page in a record browser, its form, writes into one field and saves.
fn edit(browser: &Browser, page: &str, field: &str, text: &str) {
    browser.open(page);
    browser.click("//a[normalize-space()='Edit']");
    let area = browser.find(&format!("//textarea[@name='{field}']"));
    browser.act(&area, "clear", &json!({}));
    browser.act(&area, "value", &json!({ "text": text }));
    browser.click("//button[normalize-space()='Save']");
}
