//! Lines of orders and quotes, and the prices they come from.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Draft, order, quote};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::value::Value;

/// The reference from a line to what it is a line of.
fn parent_field(draft: &Draft) -> &'static str {
    if draft.kind().name == "OrderItem" {
        "OrderId"
    } else {
        "QuoteId"
    }
}

pub(super) fn fill_in(org: &Org, draft: &mut Draft) {
    draft.set_default("Quantity", Value::Number(1.into()));
    if let Some(entry) = draft.reference("PricebookEntryId") {
        let price = org.value_of(entry, "UnitPrice");
        let product = org.value_of(entry, "Product2Id");
        draft.set_default("UnitPrice", price.clone());
        draft.set_default("ListPrice", price);
        draft.set_default("Product2Id", product);
    }
    if let Some(parent) = draft.reference(parent_field(draft)) {
        let currency = org.value_of(parent, "CurrencyIsoCode");
        draft.set_default("CurrencyIsoCode", currency);
    }
}

/// A line needs an entry of the price book that its order or quote uses, for its own product.
pub(super) fn check(org: &Org, draft: &mut Draft) -> Outcome<()> {
    let parent = draft.reference(parent_field(draft));
    if draft.is_new() {
        let book = parent.and_then(|id| org.value_of(id, "Pricebook2Id"));
        let entry = draft.reference("PricebookEntryId");
        if book.is_none() || entry.and_then(|id| org.value_of(id, "Pricebook2Id")) != book {
            return Err(Fault::of_field(
                Code::FieldIntegrity,
                "PricebookEntryId",
                "field integrity exception: PricebookEntryId (pricebook entry is in a different pricebook than the \
                 one assigned to the parent)",
            ));
        }
        let product = entry.and_then(|id| org.value_of(id, "Product2Id"));
        if product.as_ref() != draft.get("Product2Id") {
            return Err(Fault::of_field(
                Code::FieldIntegrity,
                "Product2Id",
                "field integrity exception: Product2Id (the price book entry is for another product)",
            ));
        }
    }
    if draft.kind().name == "OrderItem"
        && ["Quantity", "UnitPrice", "Discount"]
            .iter()
            .any(|field| draft.is_new() || draft.changed(field))
    {
        order::check_unlocked(org, parent.map(Value::Reference))?;
    }
    let total = product(draft.number("Quantity"), draft.number("UnitPrice"));
    let off = draft.number("Discount").unwrap_or_default() / Decimal::ONE_HUNDRED;
    draft.set("Subtotal", Some(Value::Number(cents(total))));
    let discounted = total.checked_mul(Decimal::ONE - off).unwrap_or_default();
    draft.set("TotalPrice", Some(Value::Number(cents(discounted))));
    Ok(())
}

/// Rounded half up to the cent.
fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

fn product(quantity: Option<Decimal>, price: Option<Decimal>) -> Decimal {
    quantity
        .unwrap_or_default()
        .checked_mul(price.unwrap_or_default())
        .unwrap_or_default()
}

/// One price per product and book; a custom price needs a standard one.
pub(super) fn check_entry(org: &Org, draft: &mut Draft) -> Outcome<()> {
    let (Some(product), Some(book)) = (draft.reference("Product2Id"), draft.reference("Pricebook2Id")) else {
        return Ok(());
    };
    let books: Vec<RecordId> = org
        .children(product, "PricebookEntry", "Product2Id")
        .into_iter()
        .filter(|entry| *entry != draft.row.id && same_currency(org, *entry, draft))
        .filter_map(|entry| org.value_of(entry, "Pricebook2Id")?.as_reference())
        .collect();
    if draft.is_new() && books.contains(&book) {
        return Err(Fault::new(
            Code::DuplicateValue,
            "This price definition already exists in this price book",
        ));
    }
    let is_standard = |book: &RecordId| org.value_of(*book, "IsStandard") == Some(Value::Bool(true));
    if draft.is_new() && !is_standard(&book) && !books.iter().any(is_standard) {
        return Err(Fault::new(
            Code::StandardPriceNotDefined,
            "Before creating a custom price, create a standard price.",
        ));
    }
    draft.set("Name", org.value_of(product, "Name"));
    draft.set("ProductCode", org.value_of(product, "ProductCode"));
    Ok(())
}

fn same_currency(org: &Org, entry: RecordId, draft: &Draft) -> bool {
    org.value_of(entry, "CurrencyIsoCode").as_ref() == draft.get("CurrencyIsoCode")
}

/// Prices bear the name and code of their product.
pub(super) fn follow_product(org: &mut Org, product: &Draft) {
    let Some(entries) = org.optional("PricebookEntry") else {
        return;
    };
    let (name, code) = (product.get("Name").cloned(), product.get("ProductCode").cloned());
    for entry in org.children(product.row.id, "PricebookEntry", "Product2Id") {
        org.recompute(entries, entry, |draft| {
            draft.set("Name", name.clone());
            draft.set("ProductCode", code.clone());
        });
    }
}

/// `TotalAmount` of the order.
pub(super) fn roll_up_order(org: &mut Org, line: &Draft) {
    let (Some(orders), Some(id)) = (org.optional("Order"), line.reference("OrderId")) else {
        return;
    };
    let (sum, _) = sum_of(org, &org.children(id, "OrderItem", "OrderId"));
    org.recompute(orders, id, |draft| {
        draft.set("TotalAmount", Some(Value::Number(sum)))
    });
}

/// The totals of the quote.
pub(super) fn roll_up_quote(org: &mut Org, line: &Draft) {
    let (Some(quotes), Some(id)) = (org.optional("Quote"), line.reference("QuoteId")) else {
        return;
    };
    let (sum, count) = sum_of(org, &org.children(id, "QuoteLineItem", "QuoteId"));
    org.recompute(quotes, id, |draft| {
        draft.set("LineItemCount", Some(Value::Number(count.into())));
        quote::total(draft, sum);
    });
}

fn sum_of(org: &Org, lines: &[RecordId]) -> (Decimal, u64) {
    let total = |id: &RecordId| {
        org.value_of(*id, "TotalPrice")
            .and_then(|value| value.as_number())
    };
    (lines.iter().filter_map(total).sum(), lines.len() as u64)
}
