//! What orgs have beyond fields: locks of approvals, record types with entries of their own, queues as owners. What becomes
//! of their records is told, holds up nobody, and ends with its cause.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};
use std::io::Write as _;

/// Both systems, the org with these options.
fn pair(options: &Json) -> Pair {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{options}").unwrap();
    Pair::start(&[], &["--options", file.path().to_str().unwrap()])
}

fn first(org: &str, soql: &str) -> Json {
    rest::query_salesforce(org, soql).remove(0)
}

/// What is listed of a kind, by its reason.
fn listed(pair: &Pair, kind: &str) -> Vec<String> {
    let lines = pair.run(&["failures", "--json"]).lines();
    let fitting = lines.iter().filter(|line| line["kind"] == kind);
    fitting
        .map(|line| line["reason"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_lock_is_told_at_both_ends_holds_up_nobody_and_ends_with_retry() {
    // GIVEN two contacts in step, and an approval that locks those of one account
    let lock = json!({ "object": "Contact", "condition": "Account.Name = 'Under review'", "everyone": true });
    let pair = pair(&json!({ "approval_locks": [lock] }));
    let (erp, org) = (&pair.customerp.url, &pair.salesforce.url);
    let customer = rest::create_customerp(erp, "customers", &[json!({ "name": "Acme" })]).remove(0);
    let people = [
        json!({ "lastName": "Alpha", "customerId": customer }),
        json!({ "lastName": "Beta" }),
    ];
    let people = rest::create_customerp(erp, "contacts", &people);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let account = first(org, "SELECT Id FROM Account")["Id"].clone();
    let account = account.as_str().unwrap();
    rest::patch_salesforce(org, "Account", account, &json!({ "Name": "Under review" }));
    // WHEN both are edited in the ERP
    for person in &people {
        rest::patch_customerp(erp, &format!("contacts/{person}"), &json!({ "title": "Boss" }));
    }
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    // THEN the other one travels, and the locked one is sent no second time
    let titled = "SELECT Id FROM Contact WHERE Title = 'Boss'";
    assert_eq!(rest::query_salesforce(org, titled).len(), 1);
    assert_eq!(listed(&pair, "refused").len(), 1);
    let edits = || first(org, "SELECT COUNT(Id) n FROM Contact WHERE Title = 'Boss'");
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    assert_eq!(edits()["n"], 1);
    // and both its ends tell why, what to do and who can
    let name = format!("customerp/Contact:{}", people[0]);
    let explained = pair.run(&["explain", &name, "--json"]);
    let waits = explained.last()["waits"][0].clone();
    assert_eq!(explained.code, Some(3), "{}", explained.out);
    assert!(
        waits["reason"].as_str().unwrap().starts_with("ENTITY_IS_LOCKED"),
        "{waits}"
    );
    assert!(
        waits["advice"].as_str().unwrap().contains("tandem retry"),
        "{waits}"
    );
    assert_eq!(waits["who"], "salesforce administrator");
    // WHEN it is unlocked and tried again, THEN it follows
    rest::patch_salesforce(org, "Account", account, &json!({ "Name": "Free" }));
    assert_eq!(pair.run(&["retry", "--kind", "refused"]).code, Some(0));
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    assert_eq!(rest::query_salesforce(org, titled).len(), 2);
    assert_eq!(pair.run(&["explain", &name]).code, Some(0));
}

#[test]
fn a_queue_as_owner_stays_and_an_edit_on_the_other_side_is_not_lost_silently() {
    // GIVEN a project and its task
    let pair = pair(&json!({ "queues": [{ "name": "Night shift", "objects": ["Task"] }] }));
    let (erp, org) = (&pair.customerp.url, &pair.salesforce.url);
    let person = |name: &str| json!({ "lastName": name, "email": format!("{name}@acme.example"), "username": format!("{name}@acme.example") });
    let people = rest::create_customerp(erp, "employees", &[person("eva"), person("ed")]);
    let project = json!({ "name": "Roof", "managerId": people[0] });
    let project = rest::create_customerp(erp, "projects", &[project]).remove(0);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let task = first(org, "SELECT Id, OwnerId FROM Task");
    let queue = first(org, "SELECT Id FROM Group WHERE Type = 'Queue'")["Id"].clone();
    let owner = || first(org, "SELECT OwnerId FROM Task")["OwnerId"].clone();
    let give = |to: &Json| {
        rest::patch_salesforce(
            org,
            "Task",
            task["Id"].as_str().unwrap(),
            &json!({ "OwnerId": to }),
        )
    };
    let managed_by =
        |who: &str| rest::patch_customerp(erp, &format!("projects/{project}"), &json!({ "managerId": who }));
    // WHEN it is given to a queue, THEN that stays, the manager too, and it is only listed
    give(&queue);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    assert_eq!(owner(), queue);
    assert_eq!(listed(&pair, "stand-in").len(), 1);
    // WHEN the manager changes meanwhile, THEN the queue stays, and a person is told
    managed_by(&people[1]);
    assert_eq!(pair.run(&["sync"]).code, Some(3));
    assert_eq!(owner(), queue);
    let told = listed(&pair, "no-counterpart");
    assert!(
        matches!(told.as_slice(), [one] if one.contains("OwnerId")),
        "{told:?}"
    );
    // WHEN it is given to somebody who has an account, THEN nothing waits any more
    give(&task["OwnerId"]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    assert_eq!(listed(&pair, "no-counterpart"), Vec::<String>::new());
    assert_eq!(pair.run(&["verify"]).code, Some(0));
}
