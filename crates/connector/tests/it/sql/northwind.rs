//! Northwind, as its dump has it: read in full, edited, deleted.

use super::stage::Stage;
use super::{of, pages, round};
use crate::scene::{applied, one};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tandem_connector::sql::{Sql, triggers};
use tandem_connector::{Change, Connector, Outcome, RefusalKind, Write};
use tandem_merge::record::{Presence, RecordKey, RecordType, Values};
use tandem_merge::value::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The dump: `TANDEM_NORTHWIND`, else beside the repository. None is told of and passed over.
fn dump() -> Option<String> {
    let named = std::env::var_os("TANDEM_NORTHWIND").map(PathBuf::from);
    let path = named.unwrap_or_else(|| root().join("../shared/northwind/northwind.sql"));
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!(
            "passed over: no Northwind dump at {} (TANDEM_NORTHWIND names one)",
            path.display()
        );
    }
    text
}

fn example(name: &str) -> String {
    std::fs::read_to_string(root().join("examples/northwind-postgres").join(name)).unwrap()
}

async fn stage() -> Option<Stage> {
    let stage = Stage::postgres(&dump()?).await;
    // The dump leaves the search path empty for its own session alone.
    Some(stage)
}

fn write(change: Change) -> Write {
    Write {
        intent: 1,
        key: "k-1".to_owned(),
        change,
    }
}

fn update(name: &str, id: &str, values: &[(&str, Value)]) -> Write {
    write(Change::Update {
        record: RecordKey::new("erp", name, id),
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        only_if: None,
    })
}

fn delete(name: &str, id: &str) -> Write {
    write(Change::Delete {
        record: RecordKey::new("erp", name, id),
        only_if: None,
    })
}

fn types(erp: &[&str]) -> Vec<RecordType> {
    erp.iter().map(|name| of(name)).collect()
}

async fn read(erp: &Sql, name: &str, id: &str) -> (Presence, Values) {
    let read = erp.fetch(&of(name), &[id.to_owned()]).await.unwrap().remove(0);
    assert_eq!(read.unreadable, BTreeMap::new());
    (read.presence, read.values)
}

const ALL: [&str; 6] = ["Customer", "Employee", "Product", "Shipper", "Order", "OrderLine"];

#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
async fn northwind_is_read_in_full() {
    let Some(stage) = stage().await else { return };
    let erp = stage.erp(&example("northwind.yaml"));
    let schema = erp.describe().await.unwrap();
    assert_eq!(schema.missing, BTreeMap::new());
    let customer = &schema.types["Customer"].properties;
    assert_eq!(
        (customer["name"].max_length, customer["name"].nillable),
        (Some(40), false)
    );
    assert!(
        customer["customer_id"].unique
            && customer["customer_id"].createable
            && !customer["customer_id"].updateable
    );
    assert_eq!(
        schema.types["Order"].properties["shipper"].references,
        ["Shipper"]
    );
    assert!(
        !schema.types["Shipper"].createable && !schema.types["Employee"].properties.contains_key("photo")
    );
    let (seen, _) = round(&erp, &types(&ALL), None).await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &seen {
        assert_eq!(
            (row.presence, &row.unreadable),
            (Presence::Alive, &BTreeMap::new())
        );
        *counts.entry(&row.key.record_type.name).or_default() += 1;
    }
    let expected = [
        ("Customer", 91),
        ("Employee", 9),
        ("Order", 830),
        ("OrderLine", 2_155),
        ("Product", 77),
        ("Shipper", 6),
    ];
    assert_eq!(counts, expected.into());
    // Accents, blanks, floating prices to the digit, and truths that are numbers.
    let (_, berglunds) = read(&erp, "Customer", "BERGS").await;
    assert_eq!(berglunds["name"], Value::text("Berglunds snabbköp"));
    assert_eq!(berglunds["region"], Value::Blank);
    let (_, chang) = read(&erp, "Product", "5").await;
    assert_eq!(
        (&chang["price"], &chang["discontinued"]),
        (&Value::Decimal("21.35".parse().unwrap()), &Value::Boolean(true))
    );
    let (_, line) = read(&erp, "OrderLine", "10248|11").await;
    assert_eq!(
        (&line["order"], &line["product"]),
        (&Value::text("10248"), &Value::text("11"))
    );
    assert_eq!(line["price"], Value::Decimal("14".parse().unwrap()));
    let (_, davolio) = read(&erp, "Employee", "1").await;
    assert_eq!(
        (&davolio["manager"], &davolio["hireDate"]),
        (&Value::text("2"), &Value::Date("1992-05-01".parse().unwrap()))
    );
    let found = erp
        .find(
            &of("Customer"),
            &["phone".to_owned()],
            &[vec![Value::text("0921123465")]],
        )
        .await
        .unwrap();
    assert_eq!(
        found.iter().map(|seen| seen.key.id.as_str()).collect::<Vec<_>>(),
        ["BERGS"]
    );
}

#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
async fn northwind_is_edited_and_deleted() {
    let Some(stage) = stage().await else { return };
    let text = example("northwind.yaml").replace(
        "table: order_details",
        "compare_every: 0s\n    table: order_details",
    );
    let erp = stage.erp(&text);
    // All are read, and then compared.
    let (seen, cursor) = round(&erp, &types(&["OrderLine"]), None).await;
    assert_eq!(seen.len(), 2 * 2_155);
    // WHEN a line is edited and one deleted
    let discount = [
        ("discount", Value::Decimal("0.15".parse().unwrap())),
        ("price", Value::Decimal("9.99".parse().unwrap())),
    ];
    let outcome = one(&erp, update("OrderLine", "10248|11", &discount)).await;
    let Outcome::Applied {
        state: Some(state), ..
    } = &outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (&state.values["discount"], &state.values["price"]),
        (&discount[0].1, &discount[1].1)
    );
    applied(&one(&erp, delete("OrderLine", "10248|42")).await);
    assert_eq!(read(&erp, "OrderLine", "10248|42").await.0, Presence::Deleted);
    // THEN the comparison shows the edit, and all but the deleted one
    let mut shown = Vec::new();
    let mut cursor = cursor;
    for _ in 0..3 {
        let page = erp.changes(&types(&["OrderLine"]), Some(&cursor)).await.unwrap();
        assert!(page.complete.is_some());
        cursor = page.cursor;
        shown.extend(page.observations);
    }
    assert_eq!(shown.len(), 2_154);
    let edited = shown.iter().find(|seen| seen.key.id == "10248|11").unwrap();
    assert_eq!((&edited.values, &edited.version), (&state.values, &state.version));
    // What others refer to stays, and what is too long is told with its property.
    let refusals = [
        (delete("Customer", "ALFKI"), RefusalKind::Locked, vec![]),
        (
            update("Customer", "ALFKI", &[("name", Value::text("x".repeat(41)))]),
            RefusalKind::Invalid,
            vec!["name"],
        ),
        (
            update("Customer", "ALFKI", &[("name", Value::Blank)]),
            RefusalKind::Invalid,
            vec!["name"],
        ),
        (
            update("Order", "10248", &[("customer", Value::text("NOONE"))]),
            RefusalKind::BadReference,
            vec!["customer"],
        ),
        (
            update("Product", "1", &[("units_in_stock", Value::Integer(40_000))]),
            RefusalKind::Invalid,
            vec!["units_in_stock"],
        ),
        (
            update("Shipper", "1", &[("phone", Value::text("1"))]),
            RefusalKind::Forbidden,
            vec![],
        ),
    ];
    for (write, kind, properties) in refusals {
        let outcome = one(&erp, write).await;
        let Outcome::Refused(refusal) = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(
            (refusal.kind, refusal.properties.clone()),
            (kind, properties.into_iter().map(str::to_owned).collect()),
            "{refusal:?}"
        );
    }
    let values = [
        ("customer_id", "TANDM"),
        ("name", "Tandem"),
        ("country", "Norway"),
    ];
    let values = values
        .map(|(name, text)| (name.to_owned(), Value::text(text)))
        .into();
    let made = write(Change::Create {
        record_type: of("Customer"),
        values,
    });
    assert_eq!(applied(&one(&erp, made.clone()).await), "TANDM");
    let Outcome::Refused(refusal) = one(&erp, made).await else {
        panic!("made twice")
    };
    assert_eq!(
        (refusal.kind, refusal.properties),
        (RefusalKind::Duplicate, vec!["customer_id".to_owned()])
    );
}

#[tokio::test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
async fn northwind_with_triggers_tells_of_changes() {
    let Some(stage) = stage().await else { return };
    let text = example("northwind-with-triggers.yaml");
    stage
        .run(&triggers(&super::described(&text), stage.dialect))
        .await;
    let erp = stage.erp(&text);
    let three = types(&["Customer", "Order", "OrderLine"]);
    let (seen, cursor) = round(&erp, &three, None).await;
    assert_eq!(seen.len(), 91 + 830 + 2_155);
    stage
        .run("UPDATE customers SET fax = '1' WHERE customer_id = 'ALFKI'; DELETE FROM order_details WHERE order_id = 10248 AND product_id = 42")
        .await;
    let (pages, cursor) = pages(&erp, &three, Some(cursor)).await;
    let seen: Vec<(String, Presence)> = pages
        .into_iter()
        .flat_map(|page| page.observations)
        .map(|seen| (seen.key.id, seen.presence))
        .collect();
    assert_eq!(
        seen,
        [
            ("ALFKI".to_owned(), Presence::Alive),
            ("10248|42".to_owned(), Presence::Deleted)
        ]
    );
    super::comes_to_rest(&erp, &three, cursor).await;
}
