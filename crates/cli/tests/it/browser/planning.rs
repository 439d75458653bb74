//! What people see of what would be done, of the configuration and of the newest report, and how they ask for it.

use super::driver::Browser;
use super::stage::{links, signed_in};
use crate::console::{Console, VIEWER};
use crate::local::Pair;
use crate::rest;
use serde_json::json;

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn a_plan_is_made_by_a_button_also_without_scripts_and_a_viewer_only_reads_it() {
    // GIVEN a process that looks once an hour, and an order that was edited since
    let pair = Pair::start(&["--records", "4", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("poll: 1s", "poll: 1h")).unwrap();
    let console = Console::start(&pair);
    let browser = signed_in(&console);
    browser.click("//nav//a[normalize-space()='Plan']");
    browser.shows("No plan was made since this process began");
    browser.click("//button[normalize-space()='Make a plan']");
    browser.shows("nothing to do");
    browser.shows("Nothing would be done: everything that can be is in step.");
    let orders = links(&pair, "order-order");
    let (here, there) = orders.iter().next().unwrap();
    let path = format!("orders/{here}");
    let contact = links(&pair, "contact-contact").into_keys().next_back().unwrap();
    let edit = json!({ "description": "Leave it with the porter", "billingContactId": contact });
    rest::patch_customerp(&pair.customerp.url, &path, &edit);
    // WHEN it is made again by somebody whose browser runs no scripts
    browser.without_scripts();
    browser.open(&format!("{}/plan", console.url));
    browser.click("//button[normalize-space()='Make it again']");
    // THEN the page shows the write with both values, and leads to the records that they name
    browser.shows("Leave it with the porter");
    let row = "//table[contains(@class, 'plan')]//tr[contains(., 'Leave it with the porter')]";
    browser.find(&format!("{row}//a[contains(@href, '{there}')]"));
    browser.find(&format!(
        "{row}//a[contains(@href, '/Contact/')]//span[@class='called']"
    ));
    // AND only that kind is left where it is asked for
    browser.open(&format!("{}/plan?action=delete", console.url));
    browser.shows("No line of this kind.");
    // AND a viewer reads it, and makes none
    let viewer = Browser::start();
    viewer.open(&console.url);
    viewer.type_into("//input[@name='token']", &format!("{VIEWER}\n"));
    viewer.click("//nav//a[normalize-space()='Plan']");
    viewer.shows("Leave it with the porter");
    assert_eq!(viewer.all("//main//form[@method='post']").len(), 0);
    // AND nothing was written
    let order = rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Order/{there}"));
    assert_ne!(order["Description"], "Leave it with the porter");
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn the_configuration_says_what_is_wrong_with_its_files_and_the_report_how_to_come_by_it() {
    let pair = Pair::start(&["--records", "1", "--seed", "5"], &[]);
    let console = Console::start(&pair);
    let browser = signed_in(&console);
    browser.click("//nav//a[normalize-space()='Configuration']");
    browser.shows("The files say what is in force");
    browser.shows("the environment variable CUSTOMERP_TOKEN");
    assert!(!browser.text().contains("customerp-tandem-token"));
    browser.click("//details//summary[contains(., 'order-order')]");
    browser.shows("Its properties, and how it stands");
    let file = pair.path("flows/order-order.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("on_delete: { customerp: ask,", "on_delete: { customerp: burn,"),
    )
    .unwrap();
    browser.reload_until(
        &format!("{}/configuration", console.url),
        "The files cannot be used: 1 problem",
    );
    browser.shows("order-order.yaml, line");
    browser.click("//nav//a[normalize-space()='QA']");
    browser.shows("It has not run here");
    browser.shows("Stop tandem run");
}
