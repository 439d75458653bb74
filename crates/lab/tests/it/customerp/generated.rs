//! The seeded generator: same seed, same records; everything fits; everything refers to something.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};
use tandem_lab::customerp::{Counts, Options};

use super::{Erp, all};

const TYPES: [&str; 9] = [
    "customers",
    "contacts",
    "employees",
    "products",
    "quotes",
    "orders",
    "projects",
    "quote-lines",
    "order-lines",
];

fn options(records: u32, seed: u64) -> Options {
    Options {
        records,
        seed,
        ..Options::default()
    }
}

async fn everything(options: Options) -> BTreeMap<&'static str, Vec<Value>> {
    let erp = Erp::start(options).await;
    let mut records = BTreeMap::new();
    for collection in TYPES {
        records.insert(collection, all(&erp, collection).await);
    }
    erp.stop().await;
    records
}

#[tokio::test]
async fn the_same_seed_gives_the_same_records() {
    let first = everything(options(60, 7)).await;
    assert_eq!(first, everything(options(60, 7)).await);
    assert_ne!(first, everything(options(60, 8)).await);
}

#[tokio::test]
async fn counts_follow_the_ratio() {
    let counts = Counts::of(200);
    let expected =
        "200 customers, 240 contacts, 5 employees, 20 products, 100 quotes, 300 orders, 60 projects";
    assert_eq!(counts.to_string(), expected);
    let records = everything(options(200, 1)).await;
    let held: Vec<_> = TYPES[..7]
        .iter()
        .map(|collection| records[collection].len())
        .collect();
    assert_eq!(held, [200, 240, 5, 20, 100, 300, 60]);
    assert_eq!(Counts::of(100_000).products, 2_000);
}

#[tokio::test]
async fn names_and_addresses_are_unique_unless_ties_are_asked_for() {
    for (ties, distinct) in [(0, 3_000), (4, 2_996)] {
        let records = everything(Options {
            ties,
            ..options(3_000, 3)
        })
        .await;
        let folded = |collection: &str, property: &str| -> HashSet<String> {
            let values = records[collection]
                .iter()
                .map(|record| record[property].as_str().unwrap().to_lowercase());
            values.collect()
        };
        assert_eq!(folded("customers", "name").len(), distinct);
        assert_eq!(folded("contacts", "email").len(), records["contacts"].len());
        assert_eq!(folded("employees", "username").len(), records["employees"].len());
        assert_eq!(folded("products", "sku").len(), records["products"].len());
        assert_eq!(folded("quotes", "title").len(), records["quotes"].len());
    }
}

/// How long Salesforce takes each property, and which it needs, over all flows that carry it.
const LIMITS: [(&str, &[(&str, usize)]); 7] = [
    (
        "customers",
        &[
            ("name", 80),
            ("customerNumber", 40),
            ("email", 80),
            ("phone", 40),
            ("website", 255),
            ("street", 255),
            ("city", 40),
        ],
    ),
    (
        "contacts",
        &[
            ("salutation", 40),
            ("firstName", 40),
            ("lastName", 80),
            ("title", 128),
            ("department", 80),
            ("email", 80),
            ("phone", 40),
            ("mobilePhone", 40),
            ("homePhone", 40),
            ("fax", 40),
            ("mailingStreet", 255),
            ("mailingCity", 40),
            ("mailingState", 80),
            ("mailingPostalCode", 20),
            ("mailingCountry", 80),
        ],
    ),
    (
        "employees",
        &[
            ("employeeNumber", 20),
            ("email", 128),
            ("username", 80),
            ("firstName", 40),
            ("lastName", 80),
            ("title", 80),
            ("department", 80),
            ("phone", 40),
            ("mobilePhone", 40),
            ("street", 255),
            ("city", 40),
            ("postalCode", 20),
        ],
    ),
    (
        "products",
        &[
            ("productNumber", 255),
            ("sku", 180),
            ("name", 255),
            ("description", 4000),
            ("category", 255),
            ("url", 1000),
        ],
    ),
    (
        "quotes",
        &[
            ("quoteNumber", 40),
            ("title", 255),
            ("description", 255),
            ("email", 80),
            ("phone", 40),
            ("billingCity", 40),
        ],
    ),
    (
        "orders",
        &[
            ("orderNumber", 80),
            ("title", 80),
            ("description", 255),
            ("customerReference", 80),
            ("billingStreet", 255),
            ("billingCity", 40),
            ("shippingStreet", 255),
            ("shippingCity", 40),
            ("shippingPostalCode", 20),
        ],
    ),
    ("projects", &[("name", 255), ("description", 32_000)]),
];

const NEEDED: [(&str, &[&str]); 7] = [
    (
        "customers",
        &["name", "customerNumber", "country", "city", "postalCode"],
    ),
    ("contacts", &["lastName", "firstName", "email", "customerId"]),
    ("employees", &["lastName", "username", "email", "employeeNumber"]),
    ("products", &["name", "productNumber"]),
    (
        "quotes",
        &[
            "title",
            "quoteDate",
            "validUntil",
            "customerId",
            "salespersonId",
            "contactId",
        ],
    ),
    (
        "orders",
        &[
            "title",
            "orderDate",
            "dueDate",
            "customerId",
            "salespersonId",
            "billingContactId",
        ],
    ),
    (
        "projects",
        &["name", "status", "managerId", "contactId", "customerId"],
    ),
];

#[tokio::test]
async fn everything_fits_and_nothing_needed_is_blank() {
    let records = everything(options(2_000, 11)).await;
    for (collection, limits) in LIMITS {
        for record in &records[collection] {
            for (property, max) in limits {
                let text = record[property].as_str().unwrap_or_default();
                assert!(text.chars().count() <= *max, "{collection}.{property}: {text}");
                assert_eq!(text, text.trim(), "{collection}.{property}");
            }
        }
    }
    for (collection, needed) in NEEDED {
        for (record, property) in records[collection]
            .iter()
            .flat_map(|record| needed.iter().map(move |name| (record, name)))
        {
            assert!(
                !record[property].is_null(),
                "{collection}.{property} of {}",
                record["id"]
            );
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_sensible() {
    let records = everything(options(500, 5)).await;
    let by_id = |collection: &str| -> HashMap<String, Value> {
        let held = records[collection].iter();
        held.map(|record| (record["id"].as_str().unwrap().to_owned(), record.clone()))
            .collect()
    };
    let (contacts, quotes, employees) = (by_id("contacts"), by_id("quotes"), by_id("employees"));
    let contact_of = |record: &Value, property: &str| contacts[record[property].as_str().unwrap()].clone();
    for order in &records["orders"] {
        assert_eq!(
            contact_of(order, "billingContactId")["customerId"],
            order["customerId"]
        );
        assert_eq!(
            contact_of(order, "shippingContactId")["customerId"],
            order["customerId"]
        );
        if let Some(quote) = order["quoteId"].as_str() {
            let quote = &quotes[quote];
            assert_eq!(
                (&quote["customerId"], &quote["status"]),
                (&order["customerId"], &json!("accepted"))
            );
            assert_eq!(quote["totalAmount"], order["totalAmount"]);
            assert!(quote["quoteDate"].as_str() < order["orderDate"].as_str());
        }
    }
    for record in records["quotes"].iter().chain(&records["projects"]) {
        assert_eq!(
            contact_of(record, "contactId")["customerId"],
            record["customerId"]
        );
    }
    let accepted = quotes
        .values()
        .filter(|quote| quote["status"] == "accepted")
        .count();
    let quoted = records["orders"]
        .iter()
        .filter(|order| !order["quoteId"].is_null())
        .count();
    assert_eq!(accepted, quoted, "an accepted quote became one order");
    let reporting: Vec<_> = contacts
        .values()
        .filter(|contact| !contact["reportsToId"].is_null())
        .collect();
    assert!(
        (30..90).contains(&reporting.len()),
        "about a tenth: {}",
        reporting.len()
    );
    for contact in reporting {
        assert_eq!(
            contact_of(contact, "reportsToId")["customerId"],
            contact["customerId"]
        );
        assert_ne!(contact["reportsToId"], contact["id"]);
    }
    managers_form_a_tree(&employees);
}

fn managers_form_a_tree(employees: &HashMap<String, Value>) {
    // Following managers ends at the one who has none.
    for employee in employees.values() {
        let mut current = employee;
        for _ in 0..employees.len() {
            let Some(manager) = current["managerId"].as_str() else {
                break;
            };
            current = &employees[manager];
        }
        assert_eq!(
            (&current["managerId"], &current["id"]),
            (&json!(null), &json!("1"))
        );
    }
}

#[tokio::test]
async fn it_passes_its_own_validation() {
    let generated = everything(options(40, 2)).await;
    let erp = Erp::empty().await;
    for collection in TYPES {
        for record in &generated[collection] {
            let mut body = record.as_object().unwrap().clone();
            for kept in [
                "id",
                "version",
                "createdAt",
                "updatedAt",
                "updatedBy",
                "lineTotal",
                "amount",
            ] {
                body.remove(kept);
            }
            let made = erp
                .post(&format!("/{collection}"), &Value::Object(body).to_string())
                .await;
            assert_eq!(made.status, 201, "{}", made.body);
            assert_eq!(made.body["id"], record["id"]);
        }
        let numbered = erp.get(&format!("/{collection}")).await.body;
        assert!(!numbered["items"].as_array().unwrap().is_empty());
    }
    erp.stop().await;
}

#[tokio::test]
async fn new_records_are_numbered_after_the_generated_ones() {
    let erp = Erp::start(options(30, 1)).await;
    let made = erp.post("/customers", r#"{"name":"New"}"#).await.body;
    assert_eq!(
        (&made["customerNumber"], &made["id"]),
        (&json!("C10031"), &json!("31"))
    );
    let listed = erp
        .get(&format!(
            "/customers?updatedSince={}",
            made["updatedAt"].as_str().unwrap()
        ))
        .await
        .body;
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        1,
        "generated records are older"
    );
}
