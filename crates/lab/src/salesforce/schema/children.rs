//! The names under which a parent lists its children: of subqueries, trees and describes.

use super::{FieldIndex, Object, ObjectIndex, Schema};

/// (child, its reference, the name at the parent). References that are not here have no such name.
const NAMES: [(&str, &str, &str); 27] = [
    ("Account", "ParentId", "ChildAccounts"),
    ("Contact", "AccountId", "Contacts"),
    ("Invoice", "BillingAccountId", "Invoices"),
    ("Invoice", "BillToContactId", "Invoices"),
    ("Invoice", "ReferenceEntityId", "Invoices"),
    ("InvoiceLine", "InvoiceId", "InvoiceLines"),
    ("Opportunity", "AccountId", "Opportunities"),
    ("Opportunity", "Pricebook2Id", "Opportunities"),
    ("Order", "AccountId", "Orders"),
    ("Order", "OriginalOrderId", "Orders"),
    ("Order", "Pricebook2Id", "Orders"),
    ("Order", "QuoteId", "Orders"),
    ("OrderItem", "OrderId", "OrderItems"),
    ("OrderItem", "OriginalOrderItemId", "ChildOrderItems"),
    ("OrderItem", "PricebookEntryId", "OrderItems"),
    ("OrderItem", "QuoteLineItemId", "OrderItems"),
    ("PricebookEntry", "Pricebook2Id", "PricebookEntries"),
    ("PricebookEntry", "Product2Id", "PricebookEntries"),
    ("Quote", "AccountId", "Quotes"),
    ("Quote", "ContactId", "Quotes"),
    ("Quote", "OpportunityId", "Quotes"),
    ("Quote", "Pricebook2Id", "Quotes"),
    ("QuoteLineItem", "PricebookEntryId", "QuoteLineItems"),
    ("QuoteLineItem", "Product2Id", "QuoteLineItems"),
    ("QuoteLineItem", "QuoteId", "QuoteLineItems"),
    ("Task", "WhatId", "Tasks"),
    ("Task", "WhoId", "Tasks"),
];

/// The name at the parent. Custom references are called after the children: `Invoices__r`.
pub(super) fn child_name(child: &Object, reference: &str) -> Option<String> {
    if reference.ends_with("__c") {
        let plural = child.plural.replace(' ', "_");
        return Some(format!("{plural}__r"));
    }
    let found = NAMES
        .iter()
        .find(|(object, field, _)| *object == child.name && *field == reference);
    found.map(|(.., name)| (*name).to_owned())
}

impl Schema {
    /// The children that a parent lists under a name: their object, their reference to it, and the name as written.
    pub(crate) fn children_named(
        &self,
        parent: ObjectIndex,
        name: &str,
    ) -> Option<(ObjectIndex, FieldIndex, String)> {
        let parent = &self.object(parent).name;
        self.objects.iter().enumerate().find_map(|(at, child)| {
            child
                .numbered()
                .filter(|(_, field)| field.references.contains(parent))
                .find_map(|(field, of)| {
                    let known = child_name(child, &of.name)?;
                    known.eq_ignore_ascii_case(name).then_some((at, field, known))
                })
        })
    }
}
