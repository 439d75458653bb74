//! What people do in the console with mouse and keyboard, seen in both systems afterwards.

use super::stage::{conflicts, links, signed_in, waiting};
use crate::console::{Console, VIEWER};
use crate::live::until;
use crate::local::Pair;
use crate::rest;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn ten_conflicts_are_answered_by_keyboard_alone_and_all_answers_arrive() {
    let (pair, ids, console) = conflicts(10);
    let browser = signed_in(&console);
    browser.open(&format!("{}/inbox?standing=conflict", console.url));
    browser.shows("of the ERP");
    // The card that the keys are for: its number, its record's address, and what the two sides say.
    let focused = "const at = document.activeElement.closest('[data-item]'); \
                   return at && [at.dataset.item, at.querySelector('a.record').href, \
                   ...[...at.querySelectorAll('.says .value')].map((value) => value.textContent)]";
    let card = |before: Option<&str>| {
        browser.wait("another card in focus", || {
            let seen = browser.js(focused)?;
            let texts: Option<Vec<String>> = seen
                .as_array()?
                .iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect();
            texts.filter(|texts| Some(texts[0].as_str()) != before)
        })
    };
    // j and k move: down two, and back to the first.
    browser.press("j");
    let first = card(None);
    browser.press("j");
    let second = card(Some(&first[0]));
    browser.press("k");
    assert_eq!(card(Some(&second[0])), first);
    let mut wanted = BTreeMap::new();
    let mut now = first;
    for place in 0..10 {
        let key = if place % 2 == 0 { "1" } else { "2" };
        let said = now.iter().filter(|text| text.starts_with("of the "));
        let said: Vec<&String> = said.collect();
        let answer = said[(place % 2).min(said.len() - 1)].clone();
        let product = answer.rsplit_once(' ').unwrap().1.to_owned();
        wanted.insert(product, answer);
        browser.press(key);
        if place < 9 {
            // The next one is in focus as soon as the answer is noted: no key is needed to go there.
            now = card(Some(&now[0]));
        }
    }
    browser.shows("Nothing waits here.");
    assert_eq!(wanted.len(), 10, "{wanted:?}");
    for (here, there) in &ids {
        until(|| {
            let product = rest::get_customerp(&pair.customerp.url, &format!("products/{here}"));
            let path = format!("sobjects/Product2/{there}");
            let other = rest::get_salesforce(&pair.salesforce.url, &path);
            let both = [&product["description"], &other["Description"]];
            both.iter().all(|held| **held == wanted[here]).then_some(())
        });
    }
    let answers: Vec<&str> = wanted.values().map(|value| &value[..10]).collect();
    assert!(answers.contains(&"of the ERP") && answers.contains(&"of the org"));
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn an_answer_needs_no_script() {
    let (pair, ids, console) = conflicts(1);
    let (here, there) = ids.first_key_value().unwrap();
    let browser = signed_in(&console);
    browser.without_scripts();
    browser.open(&format!("{}/inbox", console.url));
    // What only a script does is not offered.
    browser.shows("This holds");
    assert!(!browser.text().contains("all on this page"));
    browser.click("//*[@class='says'][contains(., 'of the org')]//button");
    browser.shows("Nothing waits here.");
    until(|| {
        let product = rest::get_customerp(&pair.customerp.url, &format!("products/{here}"));
        (product["description"] == format!("of the org {here}")).then_some(())
    });
    browser.open(&format!("{}/records/salesforce/Product2/{there}", console.url));
    browser.shows("Side by side");
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn held_deletions_are_approved_by_count_and_sample_and_the_counterparts_go() {
    // GIVEN seven of some twenty contacts deleted in one go, which is more than the guard lets pass
    let pair = Pair::start(&["--records", "2", "--seed", "9"], &[]);
    let file = pair.path("flows/contact-contact.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let deletes = text.replace(
        "on_delete: { customerp: ask,",
        "on_delete: { customerp: propagate,",
    );
    assert_ne!(text, deletes);
    std::fs::write(&file, deletes).unwrap();
    let customer =
        rest::get_customerp(&pair.customerp.url, "contacts?limit=1")["items"][0]["customerId"].clone();
    let added = (0..20).map(|nth| {
        let name = format!("Guarded {nth:02}");
        let body = json!({ "firstName": "Gus", "lastName": name, "customerId": customer });
        let made = rest::post_customerp(&pair.customerp.url, "contacts", &body);
        made["id"].to_string().replace('"', "")
    });
    let ids: Vec<String> = added.collect();
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    for id in &ids[..7] {
        rest::delete_customerp(&pair.customerp.url, &format!("contacts/{id}"));
    }
    let console = Console::start(&pair);
    waiting(&console, "standing=approval", 7);
    let there = || {
        let guarded = "SELECT Id FROM Contact WHERE LastName LIKE 'Guarded%'";
        rest::query_salesforce(&pair.salesforce.url, guarded).len()
    };
    assert_eq!(there(), 20);
    // WHEN a person follows the overview to them, there is how many they are, and which
    let browser = signed_in(&console);
    browser.click("//a[normalize-space()='7 approvals']");
    browser.find("//*[@class='fix']//h2[normalize-space()='Waiting for approval']");
    browser.shows("7 items");
    assert_eq!(browser.all("//li[@data-item]").len(), 7);
    // AND asks for all at once, it is told what is about to happen, with some of them by name, and nothing is done
    browser.click("//button[normalize-space()='Approve all 7 …']");
    browser.shows("Approve 7 of contact-contact?");
    browser.shows("Gus Guarded 0");
    browser.shows("so many of contact-contact were that a person must approve");
    assert_eq!(there(), 20);
    // AND says what becomes of the counterparts
    browser.click("//select[@name='fate']/option[.='delete the counterpart']");
    browser.click("//button[normalize-space()='Approve all 7']");
    browser.shows("Nothing waits here.");
    // THEN they are gone, and no others
    until(|| (there() == 13).then_some(()));
    let waits = console.get(VIEWER, "/items?standing=approval").json();
    assert_eq!(waits["rows"], json!([]));
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn parked_work_is_tried_again_by_class_once_its_cause_is_mended() {
    // GIVEN an org with a rule that refuses all contacts
    let pair = Pair::start(&["--records", "4", "--seed", "5"], &[]);
    let rules = format!("{}/_local/rules", pair.salesforce.url);
    let rule =
        json!({ "object": "Contact", "condition": "LastName != null", "message": "No contacts today" });
    rest::post(&rules, &rule);
    let console = Console::start(&pair);
    let parked = until(|| {
        let refused = console.get(VIEWER, "/items?kind=refused&limit=100").json();
        let refused = refused["rows"].as_array()?.len();
        let contacts = rest::get_customerp(&pair.customerp.url, "contacts?limit=1000");
        let all = contacts["items"].as_array()?.len();
        (refused == all).then_some(all)
    });
    assert!(links(&pair, "contact-contact").is_empty());
    // WHEN a person reads why
    let browser = signed_in(&console);
    browser.open(&format!("{}/inbox", console.url));
    browser.click("//nav[@aria-label='Reasons']//a[contains(., 'Writes that a system refused')]");
    browser.shows("Mend what the system says; then retry.");
    browser.shows("No contacts today");
    // AND the org's administrator takes the rule away, and the person has all of it tried again
    rest::delete(&rules);
    browser.click(&format!("//button[normalize-space()='Retry all {parked}']"));
    // THEN all are linked, and nothing of the class is left
    until(|| (links(&pair, "contact-contact").len() == parked).then_some(()));
    browser.shows("Nothing waits here.");
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn a_run_is_taken_back_from_its_page_after_its_plan_was_shown() {
    // GIVEN a contact whose title somebody changed in the org, and the change has travelled
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let contacts = links(&pair, "contact-contact");
    let (here, there) = contacts.iter().next().unwrap();
    let path = format!("contacts/{here}");
    let title = || rest::get_customerp(&pair.customerp.url, &path)["title"].clone();
    let before = title();
    let console = Console::start(&pair);
    let captain = json!({ "Title": "Captain" });
    rest::patch_salesforce(&pair.salesforce.url, "Contact", there, &captain);
    until(|| (title() == "Captain").then_some(()));
    // WHEN a person opens the run in which it travelled
    let browser = signed_in(&console);
    let written = "//tr[.//*[contains(@class, 'wrote')] and contains(., 'Captain')]/td[last()]/a";
    browser.open(&format!("{}/changes?event=wrote", console.url));
    browser.click(written);
    browser.shows("Captain");
    // AND asks what taking it back would do, nothing is done
    browser.click("//button[normalize-space()='Take it back …']");
    browser.shows("What taking it back would do");
    browser.shows("Captain");
    assert_eq!(title(), "Captain");
    // AND has it done, it is as it was on both sides
    browser.click("//button[starts-with(normalize-space(), 'Take ') and contains(., 'back')]");
    browser.shows("Taken back");
    until(|| {
        let path = format!("sobjects/Contact/{there}");
        let other = rest::get_salesforce(&pair.salesforce.url, &path);
        (title() == before && other["Title"] == before).then_some(())
    });
}
