//! Price books of orders, and the entries that their lines need.

use super::{config, create, of, start};
use crate::scene::applied;
use rust_decimal::Decimal;
use tandem_connector::salesforce::Salesforce;
use tandem_connector::{Connector, Lane, Outcome, RefusalKind, Write};
use tandem_lab::salesforce::{Options, Server};
use tandem_merge::value::Value;
use url::Url;

async fn org() -> (Salesforce, Server, Url) {
    let (server, url) = start(Options::default()).await;
    let mut config = config(&url, "tandem");
    for name in ["OrderItem", "PricebookEntry"] {
        config.bindings.insert(name.to_owned(), name.to_owned());
    }
    (Salesforce::connect(config).unwrap(), server, url)
}

async fn id(org: &Salesforce, write: Write) -> String {
    applied(&org.write(&[write], Lane::Live).await[0])
}

fn order(n: u64, account: &str, book: Option<&str>) -> Write {
    let mut pairs = vec![
        ("AccountId", Value::from(account)),
        ("EffectiveDate", Value::Date("2026-01-01".parse().unwrap())),
        ("Status", Value::from("Draft")),
    ];
    pairs.extend(book.map(|book| ("Pricebook2Id", Value::from(book))));
    create("Order", n, &pairs)
}

fn line(n: u64, order: &str, product: &str) -> Write {
    create(
        "OrderItem",
        n,
        &[
            ("OrderId", Value::from(order)),
            ("Product2Id", Value::from(product)),
            ("PricebookEntryId", Value::from("derive:price-book-entry")),
            ("Quantity", Value::Decimal(Decimal::TWO)),
            ("UnitPrice", Value::Decimal(Decimal::new(1_850, 2))),
        ],
    )
}

const STANDARD: Option<&str> = Some("derive:standard-price-book");

#[tokio::test]
async fn entries_are_found_or_created_for_a_whole_batch_and_remembered() {
    let (org, _server, _) = org().await;
    let account = id(&org, create("Account", 1, &[("Name", Value::from("Blauer See"))])).await;
    let orders = org
        .write(
            &[order(2, &account, STANDARD), order(3, &account, STANDARD)],
            Lane::Live,
        )
        .await;
    let orders: Vec<String> = orders.iter().map(applied).collect();
    let products: Vec<Write> = (0..3)
        .map(|n| create("Product2", n, &[("Name", Value::text(format!("Product {n}")))]))
        .collect();
    let products: Vec<String> = org
        .write(&products, Lane::Live)
        .await
        .iter()
        .map(applied)
        .collect();
    // Sixty lines of three products in two orders: one call asks, one creates the entries, one the lines.
    let lines = |from: u64| -> Vec<Write> {
        let one = |n: u64| {
            let place = usize::try_from(n).unwrap();
            line(from + n, &orders[place % 2], &products[place % 3])
        };
        (0..60).map(one).collect()
    };
    let before = org.calls();
    let made: Vec<String> = org
        .write(&lines(100), Lane::Live)
        .await
        .iter()
        .map(applied)
        .collect();
    assert_eq!(org.calls() - before, 3);
    assert_eq!(made.len(), 60);
    let entries = org.list(&of("PricebookEntry"), None).await.unwrap().observations;
    let priced = entries.iter().filter(|entry| {
        entry.values["UnitPrice"] == Value::Decimal(Decimal::new(1_850, 2))
            && entry.values["IsActive"] == Value::Boolean(true)
    });
    assert_eq!(priced.count(), 3);
    // The entries are known now: only the orders are asked for.
    let before = org.calls();
    org.write(&lines(200), Lane::Live)
        .await
        .iter()
        .for_each(|outcome| drop(applied(outcome)));
    assert_eq!(org.calls() - before, 2);
}

#[tokio::test]
async fn what_has_no_price_is_refused_with_advice_and_stops_nothing_else() {
    let (org, _server, url) = org().await;
    let account = id(&org, create("Account", 1, &[("Name", Value::from("Blauer See"))])).await;
    let with = id(&org, order(2, &account, STANDARD)).await;
    let without = id(&org, order(3, &account, None)).await;
    let product = id(&org, create("Product2", 4, &[("Name", Value::from("Chai"))])).await;
    let outcomes = org
        .write(
            &[line(5, &without, &product), line(6, &with, &product)],
            Lane::Live,
        )
        .await;
    let Outcome::Refused(refusal) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(
        refusal.advice.contains("Choose a price book"),
        "{}",
        refusal.advice
    );
    applied(&outcomes[1]);
    // An entry that a person put out of use stays so.
    let entry = org.list(&of("PricebookEntry"), None).await.unwrap().observations;
    let entry = entry
        .iter()
        .find(|entry| entry.values["Product2Id"] == Value::text(product.clone()))
        .unwrap();
    let other = Salesforce::connect({
        let mut config = config(&url, "alice");
        config
            .bindings
            .insert("OrderItem".to_owned(), "OrderItem".to_owned());
        config
            .bindings
            .insert("PricebookEntry".to_owned(), "PricebookEntry".to_owned());
        config
    })
    .unwrap();
    let off = super::update(
        "PricebookEntry",
        &entry.key.id,
        &[("IsActive", Value::Boolean(false))],
        None,
    );
    applied(&other.write(&[off], Lane::Live).await[0]);
    let outcome = other
        .write(&[line(7, &with, &product)], Lane::Live)
        .await
        .remove(0);
    let Outcome::Refused(refusal) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(refusal.message.contains("inactive"), "{}", refusal.message);
}

#[tokio::test]
async fn the_price_books_of_many_parents_are_two_calls_and_then_none() {
    let (org, _server, _) = org().await;
    let account = id(&org, create("Account", 1, &[("Name", Value::from("Blauer See"))])).await;
    let product = id(&org, create("Product2", 2, &[("Name", Value::from("Tea"))])).await;
    let orders: Vec<Write> = (0..2_010)
        .map(|n| order(10 + n, &account, STANDARD.filter(|_| n != 700)))
        .collect();
    let orders: Vec<String> = org.write(&orders, Lane::Live).await.iter().map(applied).collect();
    let lines: Vec<Write> = (5_000..)
        .zip(&orders)
        .map(|(n, order)| line(n, order, &product))
        .collect();
    // The standard price book is known. The terms of one order and the exceptions, the product's entries, their
    // creation, and the lines.
    let before = org.calls();
    let outcomes = org.write(&lines, Lane::Live).await;
    assert_eq!(org.calls() - before, 4 + 3);
    for (place, outcome) in outcomes.iter().enumerate() {
        match (place, outcome) {
            (700, Outcome::Refused(refusal)) => assert_eq!(refusal.message, "its Order has no price book"),
            (700, other) => panic!("{other:?}"),
            (_, outcome) => drop(applied(outcome)),
        }
    }
    // Later lines know the terms of all but that one order.
    let before = org.calls();
    let lines: Vec<Write> = (9_000..)
        .zip(&orders)
        .map(|(n, order)| line(n, order, &product))
        .collect();
    let outcomes = org.write(&lines, Lane::Live).await;
    let refused = |outcome: &&Outcome| matches!(outcome, Outcome::Refused(_));
    assert_eq!(outcomes.iter().filter(refused).count(), 1);
    assert_eq!(org.calls() - before, 1 + 3);
}
