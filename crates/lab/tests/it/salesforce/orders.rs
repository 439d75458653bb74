//! Orders, their lines, quotes and invoices.

use reqwest::StatusCode;
use serde_json::json;
use tandem_lab::salesforce::{InvoiceSeed, Options};

use super::Org;

/// A product with a price in the standard book: (product, entry, book).
pub(super) async fn priced_product(org: &Org) -> (String, String, String) {
    let book = org
        .query("SELECT Id FROM Pricebook2 WHERE IsStandard = true")
        .await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    let product = org
        .add(
            "Product2",
            json!({ "Name": "Chai", "ProductCode": "P1", "IsActive": true }),
        )
        .await;
    let price = json!({ "Product2Id": product, "Pricebook2Id": book, "UnitPrice": 18.25, "IsActive": true });
    (product, org.add("PricebookEntry", price).await, book)
}

/// An order with one line.
pub(super) async fn order_with_line(org: &Org) -> (String, String) {
    let (order, _) = org.order().await;
    let (_, entry, book) = priced_product(org).await;
    assert_eq!(
        org.update("Order", &order, json!({ "Pricebook2Id": book }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let line = org
        .add(
            "OrderItem",
            json!({ "OrderId": order, "PricebookEntryId": entry, "Quantity": 3 }),
        )
        .await;
    (order, line)
}

#[tokio::test]
async fn an_order_is_numbered_and_owned() {
    let org = Org::new().await;
    let (first, _) = org.order().await;
    let (second, _) = org.order().await;
    let record = org.read("Order", &first).await;
    assert_eq!(record["OrderNumber"], "00000100");
    assert_eq!(org.read("Order", &second).await["OrderNumber"], "00000101");
    assert_eq!(record["TotalAmount"].to_string(), "0.0");
    assert_eq!(record["StatusCode"], "Draft");
    assert_eq!(record["OwnerId"], record["CreatedById"]);
    let activated =
        json!({ "AccountId": record["AccountId"], "EffectiveDate": "2024-05-01", "Status": "Activated" });
    assert_eq!(org.create("Order", activated).await.code(), "FAILED_ACTIVATION");
}

#[tokio::test]
async fn activation_needs_a_line_and_is_a_change_of_status_alone() {
    let org = Org::new().await;
    let (empty, _) = org.order().await;
    assert_eq!(
        org.update("Order", &empty, json!({ "Status": "Activated" }))
            .await
            .code(),
        "FAILED_ACTIVATION"
    );
    let (order, _) = order_with_line(&org).await;
    let both = json!({ "Status": "Activated", "Description": "X" });
    assert_eq!(
        org.update("Order", &order, both).await.code(),
        "FAILED_ACTIVATION"
    );
    assert_eq!(
        org.update("Order", &order, json!({ "Status": "Activated" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let record = org.read("Order", &order).await;
    assert_eq!(
        (&record["Status"], &record["StatusCode"]),
        (&json!("Activated"), &json!("Activated"))
    );
    assert_eq!(record["TotalAmount"].to_string(), "54.75");
    assert!(record["ActivatedDate"].is_string());
}

#[tokio::test]
async fn an_activated_order_is_locked() {
    let org = Org::new().await;
    let (order, line) = order_with_line(&org).await;
    org.update("Order", &order, json!({ "Status": "Activated" }))
        .await;
    let other = org.add("Account", json!({ "Name": "Other" })).await;
    let reply = org.update("Order", &order, json!({ "AccountId": other })).await;
    assert_eq!(
        (reply.code(), &reply.body[0]["fields"]),
        ("ENTITY_IS_LOCKED", &json!(["AccountId"]))
    );
    let own = org.read("Order", &order).await["AccountId"].clone();
    let harmless = json!({ "AccountId": own, "Description": "allowed" });
    assert_eq!(
        org.update("Order", &order, harmless).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(org.delete("Order", &order).await.code(), "ENTITY_IS_LOCKED");
    assert_eq!(
        org.delete("Account", own.as_str().unwrap()).await.code(),
        "ENTITY_IS_LOCKED"
    );
    assert_eq!(org.delete("OrderItem", &line).await.code(), "ENTITY_IS_LOCKED");
    assert_eq!(
        org.update("Order", &order, json!({ "Status": "Draft" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(org.delete("Order", &order).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_line_needs_the_price_book_of_its_order() {
    let org = Org::new().await;
    let (order, _) = org.order().await;
    let (product, entry, standard) = priced_product(&org).await;
    let line = json!({ "OrderId": order, "PricebookEntryId": entry, "Quantity": 1 });
    assert_eq!(
        org.create("OrderItem", line.clone()).await.code(),
        "FIELD_INTEGRITY_EXCEPTION"
    );
    let book = org
        .add("Pricebook2", json!({ "Name": "Special", "IsActive": true }))
        .await;
    org.update("Order", &order, json!({ "Pricebook2Id": book })).await;
    assert_eq!(
        org.create("OrderItem", line).await.code(),
        "FIELD_INTEGRITY_EXCEPTION"
    );
    let price = json!({ "Product2Id": product, "Pricebook2Id": standard, "UnitPrice": 1 });
    assert_eq!(
        org.create("PricebookEntry", price).await.code(),
        "DUPLICATE_VALUE"
    );
    let unpriced = org.add("Product2", json!({ "Name": "Other" })).await;
    let custom = json!({ "Product2Id": unpriced, "Pricebook2Id": book, "UnitPrice": 1 });
    assert_eq!(
        org.create("PricebookEntry", custom).await.code(),
        "STANDARD_PRICE_NOT_DEFINED"
    );
    let special = json!({ "Product2Id": product, "Pricebook2Id": book, "UnitPrice": 16 });
    let special = org.add("PricebookEntry", special).await;
    let line = json!({ "OrderId": order, "PricebookEntryId": special, "Quantity": 2, "UnitPrice": 15.5 });
    let line = org.add("OrderItem", line).await;
    let moved = org.update("OrderItem", &line, json!({ "OrderId": order })).await;
    assert_eq!(moved.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(org.read("OrderItem", &line).await["Product2Id"], product);
    assert_eq!(org.read("Order", &order).await["TotalAmount"].to_string(), "31.0");
    org.delete("OrderItem", &line).await;
    assert_eq!(org.read("Order", &order).await["TotalAmount"].to_string(), "0.0");
}

#[tokio::test]
async fn a_product_on_a_line_is_not_deleted() {
    let org = Org::new().await;
    let (_, line) = order_with_line(&org).await;
    let product = org.read("OrderItem", &line).await["Product2Id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(org.delete("Product2", &product).await.code(), "DELETE_FAILED");
    // The price that would have gone first is there as before.
    assert_eq!(org.query("SELECT Id FROM PricebookEntry").await.len(), 1);
    assert_eq!(org.read("Product2", &product).await["IsDeleted"], false);
    org.delete("OrderItem", &line).await;
    assert_eq!(
        org.delete("Product2", &product).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(org.query("SELECT Id FROM PricebookEntry").await.is_empty());
}

#[tokio::test]
async fn a_quote_belongs_to_the_account_of_its_opportunity() {
    let org = Org::new().await;
    let account = org.add("Account", json!({ "Name": "Acme" })).await;
    let body = json!({ "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2024-06-30", "AccountId": account });
    let opportunity = org.add("Opportunity", body).await;
    let body = json!({ "Name": "Q-1", "OpportunityId": opportunity, "Tax": 1.5, "Description": "free", "Email": "a@b.example" });
    let quote = org.add("Quote", body).await;
    let record = org.read("Quote", &quote).await;
    assert_eq!(
        (&record["AccountId"], &record["Status"]),
        (&json!(account), &json!("Draft"))
    );
    assert_eq!(record["QuoteNumber"], "00000001");
    assert_eq!(record["GrandTotal"].to_string(), "1.5");
    let moved = org
        .update("Quote", &quote, json!({ "OpportunityId": opportunity }))
        .await;
    assert_eq!(moved.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    let deal = org.read("Opportunity", &opportunity).await;
    assert_eq!(
        (&deal["IsClosed"], &deal["Probability"].to_string()),
        (&json!(false), &"10.0".to_owned())
    );
    org.update("Opportunity", &opportunity, json!({ "StageName": "Closed Won" }))
        .await;
    let deal = org.read("Opportunity", &opportunity).await;
    assert_eq!(
        (&deal["IsWon"], &deal["Probability"].to_string()),
        (&json!(true), &"100.0".to_owned())
    );
    let other = org.add("Account", json!({ "Name": "Other" })).await;
    org.advance(5).await;
    org.update("Opportunity", &opportunity, json!({ "AccountId": other }))
        .await;
    let followed = org.read("Quote", &quote).await;
    assert_eq!(
        (&followed["AccountId"], &followed["SystemModstamp"]),
        (&json!(other), &record["SystemModstamp"])
    );
}

#[tokio::test]
async fn our_invoice_is_numbered_and_a_draft() {
    let org = Org::new().await;
    let (order, account) = org.order().await;
    let body = json!({ "InvoiceNumber__c": "10248", "Kind__c": "Order", "Order__c": order, "BillingAccount__c": account });
    let id = org.add("Invoice__c", body).await;
    let record = org.read("Invoice__c", &id).await;
    assert_eq!(
        (&record["Name"], &record["Status__c"]),
        (&json!("INV-000001"), &json!("Draft"))
    );
    assert_eq!(
        org.update("Invoice__c", &id, json!({ "Status__c": "Paid" }))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let wrong = org
        .update("Invoice__c", &id, json!({ "Status__c": "Lost" }))
        .await;
    assert_eq!(wrong.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    // A look-up to a deleted record is blanked, and the system's stamp tells.
    org.advance(5).await;
    org.delete("Order", &order).await;
    let after = org.read("Invoice__c", &id).await;
    assert!(after["Order__c"].is_null());
    assert_ne!(after["SystemModstamp"], record["SystemModstamp"]);
}

#[tokio::test]
async fn standard_invoices_are_changed_but_not_created() {
    let seed = |number: &str, status: Option<&str>| InvoiceSeed {
        number: number.to_owned(),
        description: None,
        date: Some("2024-05-01".to_owned()),
        account: None,
        total: Some("99.90".to_owned()),
        status: status.map(str::to_owned),
    };
    let invoices = vec![seed("10248", None), seed("10249", Some("Posted"))];
    let org = Org::start(Options {
        invoices,
        ..Options::preset("billing").unwrap()
    })
    .await;
    let found = org.query("SELECT Id, DocumentNumber, DueDate, Balance, BillingAccount.Name FROM Invoice ORDER BY InvoiceNumber").await;
    assert_eq!(found.len(), 2);
    assert_eq!(
        (&found[0]["DueDate"], &found[0]["Balance"].to_string()),
        (&json!("2024-05-31"), &"99.9".to_owned())
    );
    assert_eq!(found[0]["BillingAccount"]["Name"], "Billing");
    let (draft, posted) = (found[0]["Id"].as_str().unwrap(), found[1]["Id"].as_str().unwrap());
    let (order, _) = org.order().await;
    let change = json!({ "Description": "changed", "ReferenceEntityId": order });
    assert_eq!(
        org.update("Invoice", draft, change).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        org.update("Invoice", draft, json!({ "Status": "Posted" }))
            .await
            .code(),
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
    assert_eq!(
        org.update("Invoice", draft, json!({ "DueDate": null }))
            .await
            .code(),
        "REQUIRED_FIELD_MISSING"
    );
    assert_eq!(
        org.update("Invoice", draft, json!({ "Description": "x".repeat(256) }))
            .await
            .code(),
        "STRING_TOO_LONG"
    );
    assert_eq!(
        org.update("Invoice", posted, json!({ "Description": "x" }))
            .await
            .code(),
        "ENTITY_IS_LOCKED"
    );
    assert_eq!(
        org.delete("Invoice", draft).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
