//! Defaults that end in nothing stuck: people without accounts, customers as Accounts, accounts nobody takes over.

use crate::local::{Pair, Ran};
use crate::rest;
use serde_json::{Value as Json, json};

/// Both systems with a configuration in which no account is created.
fn without_profile() -> Pair {
    let pair = Pair::start(&[], &[]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("    users:"))
        .collect();
    std::fs::write(&config, kept.join("\n") + "\n").unwrap();
    pair
}

fn ended(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
}

fn created(pair: &Pair, collection: &str, body: &Json) -> String {
    rest::create_customerp(&pair.customerp.url, collection, std::slice::from_ref(body)).remove(0)
}

/// A customer with an order of the salesperson; the order's id.
fn ordered_by(pair: &Pair, salesperson: &str) -> String {
    let customer = created(
        pair,
        "customers",
        &json!({ "name": "Acme", "customerNumber": "C1" }),
    );
    let order = json!({
        "orderNumber": "A1", "orderDate": "2026-01-05", "dueDate": "2026-02-05", "title": "One",
        "customerId": customer, "salespersonId": salesperson,
    });
    created(pair, "orders", &order)
}

fn employee(pair: &Pair, mail: &str) -> String {
    let body = json!({
        "firstName": "Eva", "lastName": "Late", "email": mail, "username": mail, "employeeNumber": "E77", "active": true,
    });
    created(pair, "employees", &body)
}

/// What of the given standing waits on records of a type.
fn waiting(pair: &Pair, standing: &str, of: &str) -> Vec<Json> {
    let all = pair.run(&["failures", "--standing", standing, "--json"]).lines();
    let items = all.into_iter().filter(|item| item["type"] == of);
    items.collect()
}

fn order_in_salesforce(pair: &Pair) -> Json {
    let rows = rest::query_salesforce(
        &pair.salesforce.url,
        "SELECT Id, OwnerId, Owner.Name, Account.Name FROM Order WHERE OrderReferenceNumber = 'A1'",
    );
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

/// A user of the org, made by an administrator.
fn user(pair: &Pair, mail: &str) -> String {
    let org = &pair.salesforce.url;
    let profile = rest::query_salesforce(org, "SELECT Id FROM Profile WHERE Name = 'Standard User'");
    let body = json!({
        "Username": mail, "Email": mail, "FirstName": "Eva", "LastName": "Late", "Alias": "elate", "ProfileId": profile[0]["Id"],
        "CommunityNickname": "elate", "TimeZoneSidKey": "Europe/Berlin", "LocaleSidKey": "en_US",
        "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
    });
    rest::create_salesforce(org, "User", &[body]).remove(0)
}

#[test]
fn an_order_of_someone_without_an_account_has_an_owner_and_goes_over_later() {
    for named in [false, true] {
        // GIVEN an org in which no account is created, and perhaps who owns what has no owner
        let pair = without_profile();
        let org = &pair.salesforce.url;
        let bob =
            rest::query_salesforce(org, "SELECT Id, Username FROM User WHERE Name LIKE 'Bob%'").remove(0);
        if named {
            let config = pair.path("tandem.yaml");
            let text = std::fs::read_to_string(&config).unwrap();
            let owner = format!("url: {org}\n    owner: {}\n", bob["Username"]);
            std::fs::write(&config, text.replace(&format!("url: {org}\n"), &owner)).unwrap();
        }
        let someone = employee(&pair, "eva.late@acme.example");
        ordered_by(&pair, &someone);
        // WHEN it is synced, THEN the order is there, and nothing needs anybody or waits for ever
        ended(&pair.run(&["sync"]), 0);
        let before = order_in_salesforce(&pair);
        assert_eq!(before["OwnerId"] == bob["Id"], named, "{before}");
        assert_eq!(before["Account"]["Name"], "Acme");
        assert!(waiting(&pair, "deferred", "Order").is_empty());
        assert_eq!(waiting(&pair, "listed", "Order").len(), 1);
        ended(&pair.run(&["status"]), 0);
        // WHEN there is an account, THEN the order goes over
        let late = user(&pair, "eva.late@acme.example");
        ended(&pair.run(&["sync"]), 0);
        assert_eq!(order_in_salesforce(&pair)["OwnerId"], late.as_str());
        assert!(waiting(&pair, "listed", "Order").is_empty());
        ended(&pair.run(&["verify"]), 0);
    }
}

#[test]
fn init_says_what_it_does_without_and_how_that_is_given() {
    let pair = Pair::start(&[], &[]);
    let folder = tempfile::tempdir().unwrap();
    let urls = [
        "--customerp-url",
        pair.customerp.url.as_str(),
        "--salesforce-url",
        pair.salesforce.url.as_str(),
    ];
    let plain = crate::local::run_in(folder.path(), &[&["init"], urls.as_slice()].concat());
    ended(&plain, 0);
    for word in ["--users-profile", "--owner"] {
        assert!(plain.out.contains(word), "{word}\n{}", plain.out);
    }
    let folder = tempfile::tempdir().unwrap();
    let given = [
        "init",
        "--users-profile",
        "Standard User",
        "--owner",
        "bob@acme.example",
        "--customer-account",
    ];
    let full = crate::local::run_in(folder.path(), &[given.as_slice(), urls.as_slice()].concat());
    ended(&full, 0);
    assert!(
        !full.out.contains("--users-profile") && !full.out.contains("--owner"),
        "{}",
        full.out
    );
    let config = std::fs::read_to_string(folder.path().join("tandem.yaml")).unwrap();
    assert!(config.contains("owner: \"bob@acme.example\"") && config.contains("with: [customer-account]"));
    let document = crate::local::run_in(folder.path(), &["document", "--plain"]);
    assert!(
        document.out.contains("Customerp Customer to Salesforce Account"),
        "{}",
        document.err
    );
}

#[test]
fn accounts_that_were_companions_become_counterparts_and_are_kept_in_step() {
    // GIVEN an installation that made the Account as a companion
    let pair = Pair::start(&[], &[]);
    let someone = employee(&pair, "eva.late@acme.example");
    ordered_by(&pair, &someone);
    pair.run(&["sync"]);
    let org = &pair.salesforce.url;
    let accounts = || {
        rest::query_salesforce(
            org,
            "SELECT Id, Name, Phone, AccountNumber FROM Account WHERE Name LIKE 'Acme%'",
        )
    };
    let before = accounts();
    assert_eq!(before.len(), 1, "{before:?}");
    // WHEN the flow is switched on
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "with: [customer-account]\n").unwrap();
    ended(&pair.run(&["check"]), 0);
    pair.run(&["sync"]);
    // THEN that very Account is the counterpart
    let after = accounts();
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!(
        (&after[0]["Id"], &after[0]["AccountNumber"]),
        (&before[0]["Id"], &json!("C1"))
    );
    // and both ways are open
    rest::write_salesforce(
        org,
        "PATCH",
        "Account",
        &[json!({ "Id": after[0]["Id"], "Phone": "+49 30 1" })],
    );
    pair.run(&["sync"]);
    let customers = rest::get_customerp(&pair.customerp.url, "customers?limit=1000");
    let rows = customers["items"]
        .as_array()
        .or_else(|| customers["data"].as_array())
        .cloned();
    let acme = rows
        .unwrap_or_default()
        .into_iter()
        .find(|row| row["name"] == "Acme")
        .unwrap();
    assert_eq!(acme["phone"], "+49 30 1");
    rest::patch_customerp(
        &pair.customerp.url,
        &format!("customers/{}", acme["id"].as_str().unwrap()),
        &json!({ "name": "Acme and Sons" }),
    );
    pair.run(&["sync"]);
    assert_eq!(accounts()[0]["Name"], "Acme and Sons");
    assert_eq!(order_in_salesforce(&pair)["Account"]["Name"], "Acme and Sons");
    ended(&pair.run(&["verify"]), 0);
}

#[test]
fn an_account_is_neither_taken_over_nor_switched_on_again_without_approval() {
    let pair = without_profile();
    let org = &pair.salesforce.url;
    let chief = user(&pair, "chief@acme.example");
    ended(&pair.run(&["sync"]), 0);
    // WHEN somebody writes the account's e-mail into an employee
    employee(&pair, "chief@acme.example");
    ended(&pair.run(&["sync"]), 3);
    // THEN it is neither linked nor written before a person approves it
    let name = |id: &str| {
        rest::query_salesforce(
            org,
            &format!("SELECT EmployeeNumber, IsActive FROM User WHERE Id = '{id}'"),
        )
        .remove(0)
    };
    assert_eq!(name(&chief)["EmployeeNumber"], Json::Null);
    let items = waiting(&pair, "approval", "Employee");
    assert_eq!(items.len(), 1, "{items:?}");
    let shown = pair.run(&["approve", "employee-user"]);
    assert!(shown.out.contains("linked with"), "{}", shown.out);
    ended(&pair.run(&["approve", &items[0]["item"].to_string()]), 0);
    ended(&pair.run(&["sync"]), 0);
    assert_eq!(name(&chief)["EmployeeNumber"], "E77");
    // WHEN an administrator switches it off, and the ERP on again
    rest::write_salesforce(org, "PATCH", "User", &[json!({ "Id": chief, "IsActive": false })]);
    ended(&pair.run(&["sync"]), 0);
    let employees = rest::get_customerp(&pair.customerp.url, "employees?limit=1000");
    let rows = employees["items"]
        .as_array()
        .or_else(|| employees["data"].as_array())
        .cloned();
    let eva = rows
        .unwrap_or_default()
        .into_iter()
        .find(|row| row["employeeNumber"] == "E77")
        .unwrap();
    assert_eq!(eva["active"], false);
    rest::patch_customerp(
        &pair.customerp.url,
        &format!("employees/{}", eva["id"].as_str().unwrap()),
        &json!({ "active": true }),
    );
    ended(&pair.run(&["sync"]), 3);
    assert_eq!(name(&chief)["IsActive"], false);
    // THEN that waits too
    let items = waiting(&pair, "approval", "User");
    assert_eq!((items.len(), &items[0]["property"]), (1, &json!("IsActive")));
    ended(&pair.run(&["approve", "employee-user", "--yes"]), 0);
    ended(&pair.run(&["sync"]), 0);
    assert_eq!(name(&chief)["IsActive"], true);
}
