//! Discounts and totals of lines, and the lines of our own invoices.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tandem_lab::salesforce::Options;

use super::Org;
use super::orders::{order_with_line, priced_product};

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_discount_lowers_the_line_half_up_to_the_cent() {
    let org = Org::new().await;
    let (order, line) = order_with_line(&org).await;
    for (price, quantity, discount, total) in [
        ("18.00", "5", "15", "76.5"),
        ("7.70", "25", "15", "163.63"),
        ("35.10", "15", "25", "394.88"),
        ("2.50", "3", "0", "7.5"),
    ] {
        let body =
            json!({ "UnitPrice": number(price), "Quantity": number(quantity), "Discount": number(discount) });
        assert_eq!(
            org.update("OrderItem", &line, body).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(
            org.read("OrderItem", &line).await["TotalPrice"].to_string(),
            total
        );
        assert_eq!(org.read("Order", &order).await["TotalAmount"].to_string(), total);
    }
    org.update("Order", &order, json!({ "Status": "Activated" }))
        .await;
    let locked = org.update("OrderItem", &line, json!({ "Discount": 5 })).await;
    assert_eq!(locked.code(), "ENTITY_IS_LOCKED");
}

#[tokio::test]
async fn a_quotes_totals_are_its_lines() {
    let org = Org::new().await;
    let (_, entry, book) = priced_product(&org).await;
    let deal = json!({ "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2024-06-30" });
    let deal = org.add("Opportunity", deal).await;
    let quote = org
        .add(
            "Quote",
            json!({ "Name": "Q", "OpportunityId": deal, "Pricebook2Id": book }),
        )
        .await;
    for (quantity, discount, id) in [("2", "10", "1"), ("1", "0", "2")] {
        let line = json!({
            "QuoteId": quote, "PricebookEntryId": entry, "Quantity": number(quantity), "UnitPrice": number("18.25"),
            "Discount": number(discount), "Customerp_Id__c": id,
        });
        org.add("QuoteLineItem", line).await;
    }
    let record = org.read("Quote", &quote).await;
    assert_eq!(record["TotalPrice"].to_string(), "51.1");
    assert_eq!(record["LineItemCount"], 2);
    let again = json!({ "QuoteId": quote, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 1, "Customerp_Id__c": "1" });
    assert_eq!(org.create("QuoteLineItem", again).await.code(), "DUPLICATE_VALUE");
}

#[tokio::test]
async fn without_line_discounts_the_field_is_missing() {
    let org = Org::start(Options {
        line_discounts: false,
        ..Options::default()
    })
    .await;
    for object in ["OrderItem", "QuoteLineItem"] {
        let described = org.get(&format!("sobjects/{object}/describe")).await.body;
        let fields = described["fields"].as_array().unwrap();
        assert!(fields.iter().all(|field| field["name"] != "Discount"), "{object}");
    }
    let (_, line) = order_with_line(&org).await;
    let refused = org.update("OrderItem", &line, json!({ "Discount": 5 })).await;
    assert_eq!(refused.code(), "INVALID_FIELD");
    assert_eq!(
        org.read("OrderItem", &line).await["TotalPrice"].to_string(),
        "54.75"
    );
}

#[tokio::test]
async fn lines_of_our_invoice_live_and_die_with_it() {
    let org = Org::new().await;
    let (product, _, _) = priced_product(&org).await;
    let invoice = org.add("Invoice__c", json!({ "InvoiceNumber__c": "1" })).await;
    let line = json!({
        "Invoice__c": invoice, "Customerp_Id__c": "7", "Product2__c": product, "LineNumber__c": 1, "Quantity__c": number("2.5"),
        "UnitPrice__c": number("18.00"), "Discount__c": number("15"), "Description__c": "Chai", "Amount__c": number("38.25"),
    });
    let id = org.add("InvoiceLine__c", line.clone()).await;
    let record = org.read("InvoiceLine__c", &id).await;
    assert_eq!(
        (&record["Name"], record["Amount__c"].to_string()),
        (&json!("IL-000001"), "38.25".to_owned())
    );
    assert_eq!(org.create("InvoiceLine__c", line).await.code(), "DUPLICATE_VALUE");
    assert_eq!(
        org.create("InvoiceLine__c", json!({ "Amount__c": 1 }))
            .await
            .code(),
        "REQUIRED_FIELD_MISSING"
    );
    let moved = org
        .update("InvoiceLine__c", &id, json!({ "Invoice__c": invoice }))
        .await;
    assert_eq!(moved.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    org.delete("Invoice__c", &invoice).await;
    assert!(org.query("SELECT Id FROM InvoiceLine__c").await.is_empty());
}
