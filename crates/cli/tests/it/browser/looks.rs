//! What people see in the console: where a value comes from, what their role lets them see, what happens meanwhile.

use super::driver::Browser;
use super::stage::{links, signed_in};
use crate::console::{Console, VIEWER};
use crate::decide;
use crate::local::Pair;
use crate::rest;
use serde_json::json;

/// What a viewer is shown in place of a person's own values.
const MASK: &str = tandem_merge::privacy::MASK;

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn a_record_is_found_by_a_part_of_a_value_and_says_why_it_holds_what_it_holds() {
    let (pair, ids) = decide::asking("2");
    let here = ids.keys().next().unwrap();
    let console = Console::start(&pair);
    let path = format!("products/{here}");
    let edit = json!({ "description": "Sturdy, with a hazelnut handle" });
    rest::patch_customerp(&pair.customerp.url, &path, &edit);
    let browser = signed_in(&console);
    browser.shows("hazelnut");
    // WHEN a person types a part of the value, in other letters, from wherever they are
    browser.press("/");
    let field = browser.js("return document.activeElement.name").unwrap();
    assert_eq!(field, "q");
    browser.type_into("//input[@name='q']", "HAZELnut\n");
    browser.shows("Find a record");
    browser.click(&format!("//main//a[contains(., 'Product {here}')]"));
    // THEN the record stands beside its counterpart, and says who gave it its value
    browser.shows("Side by side");
    let row = "//table[contains(@class, 'sides')]//tr[contains(., 'hazelnut')]";
    let row = browser.find(&format!(
        "{row}[contains(., 'edited by alice')][contains(., 'in step')]"
    ));
    assert!(!row.is_empty());
    assert_eq!(browser.all("//h1").len(), 1);
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn a_viewer_sees_no_personal_values_and_no_buttons_and_is_refused_what_was_sent_anyway() {
    let pair = Pair::start(&["--records", "3", "--seed", "5", "--faults", "too-long"], &[]);
    let console = Console::start(&pair);
    console.linked("contact-contact");
    let contacts = links(&pair, "contact-contact");
    let (here, there) = contacts.iter().next().unwrap();
    let email = rest::get_customerp(&pair.customerp.url, &format!("contacts/{here}"))["email"].clone();
    let email = email.as_str().unwrap().to_owned();
    // WHEN somebody comes without having signed in, and signs in with a token
    let browser = Browser::start();
    browser.open(&console.url);
    browser.shows("Come in");
    browser.type_into("//input[@name='token']", "token-of-nobody\n");
    browser.shows("This token is nobody's");
    browser.type_into("//input[@name='token']", &format!("{VIEWER}\n"));
    browser.shows("vera");
    // THEN no page has a button but those to look and to leave
    let contact = format!("/records/customerp/Contact/{here}");
    let run = console.get(VIEWER, "/runs").json()["rows"][0]["run"].to_string();
    let pages = [
        "/",
        "/inbox",
        "/inbox?standing=parked",
        "/changes",
        "/runs",
        &format!("/runs/{run}"),
        "/systems",
        "/flows/contact-contact",
        &contact,
    ];
    for page in pages {
        browser.open(&format!("{}{page}", console.url));
        browser.find("//h1");
        let acts = browser.all("//main//form[@method='post']//button | //main//input[@type='checkbox']");
        assert_eq!(acts.len(), 0, "{page}");
        assert!(!browser.text().contains(&email), "{page}");
    }
    // AND a contact shows that there is an address, and not which
    browser.open(&format!("{}{contact}", console.url));
    browser.shows("Side by side");
    browser.shows(MASK);
    // AND nobody finds it by the address
    browser.type_into("//input[@name='q']", &format!("{email}\n"));
    browser.shows("Nothing that is known holds this.");
    // WHEN a form is sent anyway
    let form = "const form = document.createElement('form'); form.method = 'post'; \
                form.action = '/flows/contact-contact/pause'; document.body.append(form); form.submit();";
    browser.js(form);
    // THEN a page says that it is refused, and by which role it would not be
    browser.shows("This needs the role operator");
    let state = console.get(VIEWER, "/flows/contact-contact").json()["flow"]["state"].clone();
    assert_ne!(state, "paused");
    // AND an admin sees the address
    let browser = signed_in(&console);
    browser.open(&format!("{}/records/salesforce/Contact/{there}", console.url));
    browser.shows(&email);
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn a_change_appears_on_the_overview_and_on_its_record_without_a_reload() {
    let (pair, ids) = decide::asking("2");
    let console = Console::start(&pair);
    let (here, there) = ids.iter().next().unwrap();
    let path = format!("products/{here}");
    let browser = signed_in(&console);
    for (page, text) in [
        ("/".to_owned(), "seen on the overview"),
        (
            format!("/records/salesforce/Product2/{there}"),
            "seen on the record",
        ),
    ] {
        browser.open(&format!("{}{page}", console.url));
        browser.find("//h1");
        browser.js("window.mark = 'the same page'; document.querySelector('main a').focus()");
        let focused =
            "return document.activeElement.tagName + ' ' + document.activeElement.getAttribute('href')";
        let before = browser.js(focused).unwrap();
        assert!(before.as_str().unwrap().starts_with("A /"), "{before}");
        // WHEN somebody edits a record
        rest::patch_customerp(&pair.customerp.url, &path, &json!({ "description": text }));
        // THEN the page that is open shows it, and is the same page, with the focus where it was
        browser.shows(text);
        assert_eq!(browser.js("return window.mark").unwrap(), "the same page");
        assert_eq!(browser.js(focused).unwrap(), before);
    }
}
