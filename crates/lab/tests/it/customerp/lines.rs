//! Lines of orders and quotes: amounts, sums, numbers, and that they live and die with what they are part of.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};
use tandem_lab::customerp::Options;

use super::northwind::dump;
use super::{Erp, all, problems, send};

/// An order with a product, and its address.
async fn order(erp: &Erp) -> String {
    erp.post("/products", r#"{"name":"Chai"}"#).await;
    let made = erp.post("/orders", r#"{"orderDate":"2026-01-05"}"#).await;
    assert_eq!(made.body["lineTotal"].to_string(), "0.00");
    format!("/orders/{}", made.body["id"].as_str().unwrap())
}

async fn add(erp: &Erp, line: &str) -> Value {
    let made = erp.post("/order-lines", line).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.body
}

fn text(value: &Value) -> Decimal {
    value.to_string().parse().unwrap()
}

#[tokio::test]
async fn amounts_are_exact_and_rounded_half_up() {
    let erp = Erp::empty().await;
    order(&erp).await;
    for (price, quantity, discount, amount) in [
        ("18.00", "5", "15", "76.50"),
        ("0.10", "3", "null", "0.30"),
        // Half a cent, which a float would lose: 1.05 x 1 x 0.5 = 0.525.
        ("1.05", "1", "50", "0.53"),
        ("2.675", "1", "0", ""),
        ("-1.05", "1", "50", "-0.53"),
        ("19.99", "0.3333", "12.5", "5.83"),
        ("9007199254740993.01", "1", "0", "9007199254740993.01"),
        ("7.70", "0", "0", "0.00"),
    ] {
        let body = format!(
            r#"{{"orderId":"1","productId":"1","unitPrice":{price},"quantity":{quantity},"discount":{discount}}}"#
        );
        let made = erp.post("/order-lines", &body).await;
        if amount.is_empty() {
            assert_eq!(problems(&made), [("unitPrice".into(), "wrong_type".into())]);
        } else {
            assert_eq!(made.body["amount"].to_string(), amount, "{body}");
        }
    }
}

#[tokio::test]
async fn a_sum_moves_without_a_version() {
    let erp = Erp::empty().await;
    let path = order(&erp).await;
    let before = erp.get(&path).await.body;
    let first = add(
        &erp,
        r#"{"orderId":"1","unitPrice":18,"quantity":5,"discount":15}"#,
    )
    .await;
    let second = add(&erp, r#"{"orderId":"1","unitPrice":0.5,"quantity":1}"#).await;
    assert_eq!(
        (&first["lineNumber"], &second["lineNumber"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(erp.get(&path).await.body["lineTotal"].to_string(), "77.00");
    let line = format!("/order-lines/{}", second["id"].as_str().unwrap());
    let changed = erp.patch(&line, "\"1\"", r#"{"quantity":4}"#).await.body;
    assert_eq!(
        (changed["amount"].to_string(), &changed["version"]),
        ("2.00".to_owned(), &json!(2))
    );
    assert_eq!(erp.get(&path).await.body["lineTotal"].to_string(), "78.50");
    let line = format!("/order-lines/{}", first["id"].as_str().unwrap());
    assert_eq!(erp.delete(&line, "\"1\"").await.status, StatusCode::NO_CONTENT);
    let after = erp.get(&path).await.body;
    assert_eq!(after["lineTotal"].to_string(), "2.00");
    assert_eq!(
        (&after["version"], &after["updatedAt"]),
        (&before["version"], &before["updatedAt"])
    );
    // The number of a line that is gone is not given again while a later one is there.
    let third = add(&erp, r#"{"orderId":"1","unitPrice":1,"quantity":1}"#).await;
    assert_eq!(third["lineNumber"], 3);
    // What the ERP computes is in no log of what was given.
    let log = erp.outside("/_local/log").await.body.to_string();
    assert!(!log.contains("lineTotal") && !log.contains("\"amount\""), "{log}");
}

#[tokio::test]
async fn a_deleted_order_takes_its_lines_along() {
    let erp = Erp::empty().await;
    let path = order(&erp).await;
    for _ in 0..2 {
        add(
            &erp,
            r#"{"orderId":"1","productId":"1","unitPrice":1,"quantity":1}"#,
        )
        .await;
    }
    // A product that a line names stays; the line does not keep the order from going.
    let product = erp.delete("/products/1", "\"1\"").await;
    assert_eq!(
        (product.status, &product.body["error"]["code"]),
        (StatusCode::CONFLICT, &json!("in_use"))
    );
    assert_eq!(erp.delete(&path, "\"1\"").await.status, StatusCode::NO_CONTENT);
    let left = erp.get("/order-lines?includeDeleted=true").await.body;
    let left: Vec<_> = left["items"].as_array().unwrap().iter().collect();
    assert_eq!(left.len(), 2);
    for line in left {
        assert_eq!((&line["deleted"], &line["version"]), (&json!(true), &json!(2)));
    }
    let late = erp
        .post("/order-lines", r#"{"orderId":"1","unitPrice":1,"quantity":1}"#)
        .await;
    assert_eq!(problems(&late), [("orderId".into(), "no_such_record".into())]);
    assert_eq!(
        erp.delete("/products/1", "\"1\"").await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn what_no_line_may_be_is_refused() {
    let erp = Erp::empty().await;
    let path = order(&erp).await;
    for (body, property, code) in [
        (
            r#"{"orderId":"1","unitPrice":1,"quantity":-1}"#,
            "quantity",
            "out_of_range",
        ),
        (
            r#"{"orderId":"1","unitPrice":1,"quantity":1,"discount":100.01}"#,
            "discount",
            "out_of_range",
        ),
        (
            r#"{"orderId":"1","unitPrice":1,"quantity":1,"discount":-0.01}"#,
            "discount",
            "out_of_range",
        ),
        (
            r#"{"orderId":"1","unitPrice":1,"quantity":1,"lineNumber":0}"#,
            "lineNumber",
            "out_of_range",
        ),
        (
            r#"{"orderId":"1","unitPrice":1,"quantity":1,"amount":1}"#,
            "amount",
            "read_only",
        ),
        (r#"{"unitPrice":1,"quantity":1}"#, "orderId", "required"),
        (r#"{"orderId":"1","unitPrice":1}"#, "quantity", "required"),
        (r#"{"orderId":"1","quantity":1}"#, "unitPrice", "required"),
        (
            r#"{"orderId":"1","unitPrice":1,"quantity":0.00001}"#,
            "quantity",
            "wrong_type",
        ),
    ] {
        let made = erp.post("/order-lines", body).await;
        assert_eq!(made.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(problems(&made), [(property.into(), code.into())], "{body}");
    }
    let line = add(&erp, r#"{"orderId":"1","unitPrice":1,"quantity":1}"#).await;
    erp.post("/orders", r#"{"orderDate":"2026-01-05"}"#).await;
    let moved = erp.patch("/order-lines/1", "\"1\"", r#"{"orderId":"2"}"#).await;
    assert_eq!(problems(&moved), [("orderId".into(), "read_only".into())]);
    let total = erp.patch(&path, "\"1\"", r#"{"lineTotal":5}"#).await;
    assert_eq!(problems(&total), [("lineTotal".into(), "read_only".into())]);
    // A record sent back as it was read is no change.
    let mut whole = line.as_object().unwrap().clone();
    for kept in ["id", "version", "createdAt", "updatedAt", "updatedBy"] {
        whole.remove(kept);
    }
    let again = erp
        .patch("/order-lines/1", "\"1\"", &Value::Object(whole).to_string())
        .await;
    assert_eq!(
        (again.status, &again.body["version"]),
        (StatusCode::OK, &json!(1))
    );
}

#[tokio::test]
async fn lines_describe_themselves() {
    let erp = Erp::empty().await;
    let described = erp.get("").await.body;
    let line = &described["types"]["OrderLine"];
    assert_eq!(line["collection"], "order-lines");
    let property = |name: &str| -> Value {
        let properties = line["properties"].as_array().unwrap().iter();
        properties
            .clone()
            .find(|property| property["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (
            &property("orderId")["references"],
            &property("orderId")["createOnly"]
        ),
        (&json!("Order"), &json!(true))
    );
    assert_eq!(property("productId")["references"], "Product");
    assert_eq!(
        (&property("quantity")["scale"], &property("quantity")["minimum"]),
        (&json!(4), &json!(0))
    );
    assert_eq!(
        (&property("discount")["minimum"], &property("discount")["maximum"]),
        (&json!(0), &json!(100))
    );
    assert_eq!(
        (
            &property("lineNumber")["type"],
            &property("lineNumber")["assigned"]
        ),
        (&json!("integer"), &json!(true))
    );
    assert_eq!(property("amount")["readOnly"], true);
    let document = erp.outside("/api/v1/openapi.json").await.body;
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["QuoteLine"]["properties"]["quantity"]["multipleOf"].to_string(),
        "0.0001"
    );
    assert_eq!(schemas["QuoteLine"]["properties"]["amount"]["readOnly"], true);
    assert!(schemas["QuoteLineInput"]["properties"].get("amount").is_none());
    assert!(schemas["OrderInput"]["properties"].get("lineTotal").is_none());
    assert!(document["paths"].get("/order-lines/lookup").is_some());
}

#[tokio::test]
async fn an_orders_page_shows_its_lines() {
    let erp = Erp::empty().await;
    order(&erp).await;
    add(
        &erp,
        r#"{"orderId":"1","productId":"1","unitPrice":18,"quantity":5,"discount":15,"description":"Chai"}"#,
    )
    .await;
    let page = erp.outside("/orders/1").await.body;
    let page = page.as_str().unwrap();
    for part in [
        "<h2>Order lines</h2>",
        "1 Chai",
        "76.50",
        "/order-lines/new?orderId=1",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let form = erp.outside("/order-lines/new?orderId=1").await.body;
    let form = form.as_str().unwrap();
    assert!(form.contains("name=\"orderId\" value=\"1\""), "{form}");
    assert!(!form.contains("name=\"amount\""), "{form}");
    let form = erp.outside("/order-lines/1/edit").await.body;
    assert!(!form.as_str().unwrap().contains("name=\"orderId\""));
    let fields = [
        ("_user", "alice"),
        ("_version", "1"),
        ("quantity", "6"),
        ("discount", ""),
    ];
    let saved = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .request(Method::POST, erp.url("/order-lines/1"))
        .form(&fields);
    assert_eq!(send(saved).await.status, StatusCode::SEE_OTHER);
    let line = erp.get("/order-lines/1").await.body;
    assert_eq!(
        (line["amount"].to_string(), &line["updatedBy"]),
        ("108.00".into(), &json!("alice"))
    );
}

#[tokio::test]
async fn generated_totals_are_those_of_their_lines() {
    let options = |lines| Options {
        records: 100,
        seed: 4,
        lines,
        ..Options::default()
    };
    let erp = Erp::start(options(true)).await;
    for (wholes, lines, reference) in [
        ("orders", "order-lines", "orderId"),
        ("quotes", "quote-lines", "quoteId"),
    ] {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for line in all(&erp, lines).await {
            *counts
                .entry(line[reference].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        for whole in all(&erp, wholes).await {
            assert_eq!(whole["lineTotal"], whole["totalAmount"], "{whole}");
            assert!((1..=5).contains(&counts[whole["id"].as_str().unwrap()]));
        }
    }
    let bare = Erp::start(options(false)).await;
    assert!(all(&bare, "order-lines").await.is_empty());
    // But for what they come to and when they were put in, orders are the same without lines.
    for (with, without) in all(&erp, "orders")
        .await
        .into_iter()
        .zip(all(&bare, "orders").await)
    {
        let strip = |mut order: Value| {
            let fields = order.as_object_mut().unwrap();
            // Records are put in one after the other, so lines move the time of all that follow.
            let moved = ["lineTotal", "totalAmount", "createdAt", "updatedAt"];
            fields.retain(|name, _| !moved.contains(&name.as_str()));
            order
        };
        assert_eq!(strip(with), strip(without));
    }
}

/// One row of `order_details`: order, product, price, quantity, discount.
fn details(sql: &str) -> Vec<(u32, u32, Decimal, Decimal, Decimal)> {
    let rows = sql
        .lines()
        .filter_map(|line| line.strip_prefix("INSERT INTO order_details VALUES ("));
    rows.map(|row| {
        let row: Vec<&str> = row.trim_end_matches(");").split(", ").collect();
        // The dump prints floats: 7.69999981 was 7.70.
        let meant = |text: &str| text.parse::<Decimal>().unwrap().round_dp(3).normalize();
        (
            row[0].parse().unwrap(),
            row[1].parse().unwrap(),
            meant(row[2]),
            meant(row[3]),
            meant(row[4]),
        )
    })
    .collect()
}

#[tokio::test]
async fn northwinds_lines_and_totals_agree_with_the_dump() {
    let Some(path) = dump() else { return };
    let sql = std::fs::read_to_string(&path).unwrap();
    let rows = details(&sql);
    assert_eq!(rows.len(), 2_155);
    let erp = Erp::start(Options {
        northwind: Some(path),
        ..Options::default()
    })
    .await;
    let orders = all(&erp, "orders").await;
    let numbers: BTreeMap<&str, &str> = orders
        .iter()
        .map(|order| {
            (
                order["id"].as_str().unwrap(),
                order["orderNumber"].as_str().unwrap(),
            )
        })
        .collect();
    let products: BTreeMap<String, u32> = all(&erp, "products")
        .await
        .iter()
        .map(|product| {
            let number = product["productNumber"].as_str().unwrap();
            (
                product["id"].as_str().unwrap().to_owned(),
                number.parse().unwrap(),
            )
        })
        .collect();
    let mut held: Vec<_> = all(&erp, "order-lines")
        .await
        .iter()
        .map(|line| {
            let order: u32 = numbers[line["orderId"].as_str().unwrap()].parse().unwrap();
            let discount = text(&line["discount"]) / Decimal::ONE_HUNDRED;
            (
                order,
                products[line["productId"].as_str().unwrap()],
                text(&line["unitPrice"]).normalize(),
                text(&line["quantity"]).normalize(),
                discount.normalize(),
            )
        })
        .collect();
    let mut expected = rows.clone();
    expected.sort();
    held.sort();
    assert_eq!(held, expected);
    let mut totals: BTreeMap<u32, Decimal> = BTreeMap::new();
    for (order, _, price, quantity, discount) in rows {
        let line = price * quantity * (Decimal::ONE - discount);
        *totals.entry(order).or_default() +=
            line.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    }
    assert_eq!(totals.len(), 830);
    for order in &orders {
        let total = totals[&order["orderNumber"].as_str().unwrap().parse().unwrap()];
        assert_eq!(
            (text(&order["lineTotal"]), text(&order["totalAmount"])),
            (total, total),
            "{order}"
        );
    }
    for quote in all(&erp, "quotes").await {
        let number = quote["quoteNumber"].as_str().unwrap().trim_start_matches("Q-");
        assert_eq!(
            text(&quote["lineTotal"]),
            totals[&number.parse().unwrap()],
            "{quote}"
        );
    }
    erp.stop().await;
}
