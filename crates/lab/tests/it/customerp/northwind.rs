//! The import of Northwind, and faults planted on it.
//!
//! The dump is not part of this repository: `TANDEM_NORTHWIND` names it, or it lies in `../shared/northwind` beside the
//! repository. Where there is none, these tests say so and pass over.

use std::path::PathBuf;

use serde_json::{Value, json};
use tandem_lab::customerp::{FaultKind, Options, StartError, serve};

use super::{Erp, all};

/// Where the dump lies, if it does.
pub(super) fn dump() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/northwind/northwind.sql");
    let path = std::env::var_os("TANDEM_NORTHWIND").map_or(beside, PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "passed over: no Northwind dump at {}; set TANDEM_NORTHWIND",
        path.display()
    );
    None
}

async fn imported(faults: Vec<FaultKind>) -> Option<Erp> {
    let northwind = Some(dump()?);
    Some(
        Erp::start(Options {
            northwind,
            faults,
            ..Options::default()
        })
        .await,
    )
}

async fn found(erp: &Erp, collection: &str, property: &str, value: &str) -> Value {
    let body = json!({ "property": property, "values": [value] }).to_string();
    let reply = erp.post(&format!("/{collection}/lookup"), &body).await.body;
    assert_eq!(
        reply["items"].as_array().unwrap().len(),
        1,
        "{collection} {property} {value}"
    );
    reply["items"][0].clone()
}

#[tokio::test]
async fn all_records_are_there() {
    let Some(erp) = imported(vec![]).await else { return };
    for (collection, count) in [
        ("customers", 91),
        ("contacts", 91),
        ("employees", 9),
        ("products", 77),
        ("orders", 830),
        ("quotes", 83),
        ("projects", 27),
        ("order-lines", 2_155),
        ("quote-lines", 213),
    ] {
        assert_eq!(all(&erp, collection).await.len(), count, "{collection}");
    }
    erp.stop().await;
}

#[tokio::test]
async fn customers_and_contacts_follow_the_rule() {
    let Some(erp) = imported(vec![]).await else { return };
    let customer = found(&erp, "customers", "customerNumber", "ANATR").await;
    assert_eq!(customer["name"], "Ana Trujillo Emparedados y helados");
    assert_eq!(
        (&customer["city"], &customer["state"], &customer["postalCode"]),
        (&json!("México D.F."), &json!(null), &json!("05021"))
    );
    assert_eq!(
        (&customer["phone"], &customer["active"]),
        (&json!("(5) 555-4729"), &json!(true))
    );
    let contact = found(&erp, "contacts", "lastName", "de Castro").await;
    assert_eq!(
        (&contact["firstName"], &contact["email"]),
        (&json!("Isabel"), &json!(null))
    );
    let freyre = found(&erp, "contacts", "lastName", "Freyre").await;
    assert_eq!(freyre["firstName"], "José Pedro");
    let trujillo = found(&erp, "contacts", "lastName", "Trujillo").await;
    assert_eq!(
        (&trujillo["customerId"], &trujillo["title"]),
        (&customer["id"], &json!("Owner"))
    );
    assert_eq!(
        (&trujillo["phone"], &trujillo["fax"]),
        (&customer["phone"], &json!("(5) 555-3745"))
    );
    assert_eq!(trujillo["mailingStreet"], customer["street"]);
}

#[tokio::test]
async fn employees_and_products_follow_the_rule() {
    let Some(erp) = imported(vec![]).await else { return };
    let nancy = found(&erp, "employees", "employeeNumber", "1").await;
    assert_eq!(nancy["username"], "nancy.davolio@northwind.example");
    assert_eq!(nancy["email"], nancy["username"]);
    assert_eq!(nancy["street"], "507 - 20th Ave. E.\nApt. 2A");
    let fuller = found(&erp, "employees", "employeeNumber", "2").await;
    assert_eq!(
        (&nancy["managerId"], &fuller["managerId"]),
        (&fuller["id"], &json!(null))
    );
    let chai = found(&erp, "products", "productNumber", "1").await;
    assert_eq!(
        (&chai["name"], &chai["active"], &chai["sku"]),
        (&json!("Chai"), &json!(false), &json!(null))
    );
    assert_eq!(
        (&chai["category"], &chai["description"]),
        (&json!("Beverages"), &json!("10 boxes x 30 bags"))
    );
}

#[tokio::test]
async fn orders_quotes_and_projects_follow_the_rule() {
    let Some(erp) = imported(vec![]).await else { return };
    let order = found(&erp, "orders", "orderNumber", "10250").await;
    let customer = found(&erp, "customers", "customerNumber", "HANAR").await;
    assert_eq!(
        (&order["title"], &order["status"]),
        (&json!("Order 10250"), &json!("confirmed"))
    );
    assert_eq!(
        (&order["orderDate"], &order["dueDate"]),
        (&json!("1996-07-08"), &json!("1996-08-07"))
    );
    assert_eq!(
        (&order["customerId"], &order["billingStreet"]),
        (&customer["id"], &customer["street"])
    );
    assert_eq!(order["totalAmount"].to_string(), "1552.60");
    assert_eq!(order["confirmedAt"], "1996-07-12T00:00:00.000Z");
    let quote = found(&erp, "quotes", "quoteNumber", "Q-10250").await;
    assert_eq!(
        (&order["quoteId"], &quote["title"]),
        (&quote["id"], &json!("Quote Q-10250"))
    );
    assert_eq!(
        (&quote["validUntil"], quote["totalAmount"].to_string()),
        (&json!("1996-08-07"), "1552.60".to_owned())
    );
    assert_eq!(quote["shippingCost"].to_string(), "65.83");
    let first = found(&erp, "orders", "orderNumber", "10248").await;
    assert_eq!(
        (&first["quoteId"], first["totalAmount"].to_string()),
        (&json!(null), "440.00".to_owned())
    );
    assert_eq!(first["shippingStreet"], "59 rue de l'Abbaye");
    // A line of 15 percent off that ends in half a cent: 7.70, which the dump prints as 7.69999981, x 25 x 0.85.
    assert_eq!(
        found(&erp, "orders", "orderNumber", "10264").await["totalAmount"].to_string(),
        "695.63"
    );
    let drafts = all(&erp, "orders")
        .await
        .iter()
        .filter(|order| order["status"] == "draft")
        .count();
    assert_eq!(drafts, 21, "not shipped yet");
    let project = found(&erp, "projects", "name", "Nancy Davolio 1997").await;
    assert_eq!(
        (&project["dueDate"], &project["status"], &project["managerId"]),
        (&json!("1997-12-31"), &json!("active"), &json!("1"))
    );
}

#[tokio::test]
async fn faults_are_planted_on_real_data_and_listed() {
    use FaultKind::{DuplicateKey, MissingMandatory, ReferenceToNothing, TooLong, UnknownEnum};
    let kinds = vec![
        TooLong,
        MissingMandatory,
        MissingMandatory,
        UnknownEnum,
        ReferenceToNothing,
        DuplicateKey,
    ];
    let Some(erp) = imported(kinds).await else { return };
    check_faults(&erp).await;
    erp.stop().await;
}

#[tokio::test]
async fn faults_are_planted_on_generated_data_and_listed() {
    let faults = r#"{"records":50,"faults":["too-long","missing-mandatory","missing-mandatory","unknown-enum","reference-to-nothing","duplicate-key"]}"#;
    let erp = Erp::start(Options::from_json(faults).unwrap()).await;
    check_faults(&erp).await;
    // A fault does not stand in the way of a change of something else, or of being sent back unchanged.
    let project = erp.outside("/_local/faults").await.body[3]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/projects/{project}");
    let changed = erp
        .patch(&path, "\"1\"", r#"{"status":"paused","salesforceId":"00T1"}"#)
        .await;
    assert_eq!(
        (changed.status.as_u16(), &changed.body["status"]),
        (200, &json!("paused"))
    );
    erp.stop().await;
}

async fn check_faults(erp: &Erp) {
    let faults = erp.outside("/_local/faults").await.body;
    let listed: Vec<_> = faults
        .as_array()
        .unwrap()
        .iter()
        .map(|f| format!("{} {} {}", f["kind"], f["type"], f["property"]))
        .collect();
    let expected = [
        r#""too-long" "Contact" "title""#,
        r#""missing-mandatory" "Order" "dueDate""#,
        r#""missing-mandatory" "Contact" "lastName""#,
        r#""unknown-enum" "Project" "status""#,
        r#""reference-to-nothing" "Order" "billingContactId""#,
        r#""duplicate-key" "Product" "productNumber""#,
    ];
    assert_eq!(listed, expected);
    let mut spoilt = Vec::new();
    for fault in faults.as_array().unwrap() {
        let collection = format!("{}s", fault["type"].as_str().unwrap().to_lowercase());
        let record = erp
            .get(&format!("/{collection}/{}", fault["id"].as_str().unwrap()))
            .await
            .body;
        spoilt.push(record[fault["property"].as_str().unwrap()].clone());
    }
    assert_eq!(spoilt[0].as_str().unwrap().chars().count(), 200);
    assert_eq!((&spoilt[1], &spoilt[2]), (&json!(null), &json!(null)));
    assert_eq!((&spoilt[3], &spoilt[4]), (&json!("paused"), &json!("999999999")));
    let twins = json!({ "property": "productNumber", "values": [spoilt[5]] }).to_string();
    assert_eq!(
        erp.post("/products/lookup", &twins).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_ne!(faults[1]["id"], faults[4]["id"], "no two faults on one record");
}

#[tokio::test]
async fn a_broken_dump_is_refused_with_its_line() {
    let text = "-- header\nINSERT INTO categories VALUES (1, 'Beverages', 'x');\nINSERT INTO customers VALUES ('ALFKI', 'open";
    let options = Options {
        northwind_sql: Some(text.to_owned()),
        ..Options::default()
    };
    let error = serve(options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Northwind dump, line 3: a string that does not end"
    );
    let missing = Options {
        northwind: Some("/nowhere/northwind.sql".into()),
        ..Options::default()
    };
    assert!(matches!(serve(missing).await, Err(StartError::Read { .. })));
    let empty = Options {
        northwind_sql: Some(String::new()),
        ..Options::default()
    };
    assert!(
        serve(empty)
            .await
            .unwrap_err()
            .to_string()
            .contains("no row of the table categories")
    );
    let nothing = Options {
        faults: vec![FaultKind::TooLong],
        ..Options::default()
    };
    assert!(matches!(serve(nothing).await, Err(StartError::Fault { .. })));
}
