//! Onboarding of new records alone, and selective sync by an expression, over both local systems.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};

fn contact(name: &str, department: &str) -> Json {
    json!({ "lastName": name, "email": format!("{name}@example.org"), "department": department })
}

/// Changes the flow of contacts.
fn change(pair: &Pair, from: &str, to: &str) {
    let file = pair.path("flows/contact-contact.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
}

fn linked(pair: &Pair) -> Vec<Json> {
    pair.run(&["links", "--flow", "contact-contact", "--json"])
        .lines()
}

#[test]
fn only_new_records_are_created_where_the_flow_says_so() {
    let pair = Pair::start(&[], &[]);
    change(
        &pair,
        "create: { salesforce: on, customerp: off }",
        "create: { salesforce: only-new, customerp: only-new }",
    );
    rest::create_customerp(
        &pair.customerp.url,
        "contacts",
        &[contact("old", ""), contact("both", "")],
    );
    let theirs = [
        json!({ "LastName": "both", "Email": "both@example.org" }),
        json!({ "LastName": "old there", "Email": "there@example.org" }),
    ];
    rest::create_salesforce(&pair.salesforce.url, "Contact", &theirs);
    let shown = pair.run(&["plan", "--matches", "--json"]);
    assert!(
        shown.out.contains("it is older than the first load"),
        "{}",
        shown.out
    );
    let first = pair.run(&["sync", "--json"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    assert_eq!(linked(&pair).len(), 1);
    // The org's times have whole seconds: what is born within the second of the first load counts as old.
    let clock = format!("{}/_local/clock", pair.salesforce.url);
    rest::post(&clock, &json!({ "advance": 5 }));
    rest::create_customerp(&pair.customerp.url, "contacts", &[contact("new", "")]);
    rest::create_salesforce(
        &pair.salesforce.url,
        "Contact",
        &[json!({ "LastName": "new there" })],
    );
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    assert_eq!(linked(&pair).len(), 3);
    let listed = pair
        .run(&[
            "failures",
            "--standing",
            "listed",
            "--flow",
            "contact-contact",
            "--json",
        ])
        .lines();
    assert_eq!(listed.len(), 2, "{listed:?}");
}

#[test]
fn what_leaves_the_filter_is_unlinked_and_never_deleted() {
    let pair = Pair::start(&[], &[]);
    change(
        &pair,
        "\nproperties:",
        "\nonly: { customerp: \"department in ('Sales', 'Support') and email is not blank\" }\nproperties:",
    );
    let ours = [contact("a", "Sales"), contact("b", "Kitchen")];
    let ours = rest::create_customerp(&pair.customerp.url, "contacts", &ours);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let first = linked(&pair);
    assert_eq!(first.len(), 1);
    let path = format!("contacts/{}", ours[0]);
    rest::patch_customerp(
        &pair.customerp.url,
        &path,
        &json!({ "department": "Kitchen", "title": "Cook" }),
    );
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    assert!(linked(&pair).is_empty());
    let history = pair.run(&["history", "--json"]).out;
    assert!(
        history.contains("left the filter of contact-contact"),
        "{history}"
    );
    let log = rest::get(&format!("{}/_local/log", pair.salesforce.url)).to_string();
    assert!(!log.contains("\"delete\"") && !log.contains("Cook"), "{log}");
    // Back inside it is the same counterpart, and its edits travel again.
    rest::patch_customerp(&pair.customerp.url, &path, &json!({ "department": "Support" }));
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let again = linked(&pair);
    assert_eq!(again[0]["salesforce"], first[0]["salesforce"]);
    let verify = pair.run(&["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    // A filter by a property that is not there is told before anything is done.
    change(&pair, "department in", "departmnt in");
    let broken = pair.run(&["sync"]);
    assert_eq!(broken.code, Some(2));
    assert!(
        broken
            .err
            .contains("contact-contact: contacts has no property departmnt. Did you mean `department`?"),
        "{}",
        broken.err
    );
}
