//! What is known of our own objects and of Salesforce's, and no configuration says.

/// A custom object of ours.
pub(super) struct Known {
    pub(super) object: &'static str,
    pub(super) label: &'static str,
    pub(super) plural: &'static str,
    /// The display format of an automatic number as name; none: the name is a text.
    pub(super) numbered: Option<&'static str>,
    pub(super) description: &'static str,
}

/// Our custom objects.
pub(super) const OBJECTS: [Known; 3] = [
    Known {
        object: "Division__c",
        label: "Division",
        plural: "Divisions",
        numbered: None,
        description: "A customer of the ERP, in an org without Divisions.",
    },
    Known {
        object: "Invoice__c",
        label: "Invoice",
        plural: "Invoices",
        numbered: Some("INV-{000000}"),
        description: "An invoice of an order or a quote of the ERP.",
    },
    Known {
        object: "InvoiceLine__c",
        label: "Invoice Line",
        plural: "Invoice Lines",
        numbered: Some("IL-{000000}"),
        description: "A line of an invoice.",
    },
];

/// Whether a custom object is one of ours. Others are the customer's own, and there already.
pub(super) fn is_ours(object: &str) -> bool {
    OBJECTS.iter().any(|known| known.object == object)
}

/// Whether our metadata gives an object a field. To a customer's own object it gives the identity alone.
pub(super) fn is_given(object: &str, definition: &super::fields::Definition) -> bool {
    let own = object.ends_with("__c") && !is_ours(object);
    !own || *definition == super::fields::Definition::ExternalId
}

/// Fields of lines of our invoices: name and type as flows write it. A master-detail to the invoice comes first.
pub(super) const INVOICE_LINE: [(&str, &str); 8] = [
    ("LineNumber__c", "decimal(18,0)"),
    ("Product2__c", "reference(Product2)"),
    ("Quantity__c", "decimal(18,4)"),
    ("UnitPrice__c", "currency(18,2)"),
    ("Discount__c", "percent(5,2)"),
    ("Description__c", "textarea(32000)"),
    ("Amount__c", "currency(18,2)"),
    ("Customerp_Id__c", "external-id"),
];

/// Details: an object that lives and dies with another, and the field that says with which.
pub(super) const DETAILS: [(&str, &str, &str); 1] = [("InvoiceLine__c", "Invoice__c", "Invoice__c")];

/// The values of picklists that no mapping lists, the default first.
pub(super) const PICKLISTS: [(&str, &str, &[&str]); 1] =
    [("Invoice__c", "Status__c", &["Draft", "Posted", "Paid", "Voided"])];

/// Checkboxes that are ticked on a new record.
pub(super) const TICKED: [(&str, &str); 1] = [("Division__c", "IsActive__c")];

/// Objects whose records are reached through another object or a user permission, not by object permissions.
pub(super) const WITHOUT_PERMISSIONS: [&str; 6] = [
    "Division",
    "OrderItem",
    "PricebookEntry",
    "QuoteLineItem",
    "Task",
    "User",
];

/// Standard objects that do not tell of changes by events.
pub(super) const WITHOUT_EVENTS: [&str; 5] = [
    "Division",
    "Invoice",
    "InvoiceLine",
    "Pricebook2",
    "PricebookEntry",
];

/// Standard fields with field-level security of their own. All others are seen and written by whoever may see and
/// write the record, and a permission set that names them is refused.
pub(super) const SECURED: [(&str, &[&str]); 9] = [
    (
        "Account",
        &[
            "AccountNumber",
            "BillingAddress",
            "Description",
            "Phone",
            "Website",
        ],
    ),
    (
        "Contact",
        &[
            "AccountId",
            "Birthdate",
            "Department",
            "Description",
            "Email",
            "Fax",
            "HomePhone",
            "MailingAddress",
            "MobilePhone",
            "Phone",
            "ReportsToId",
            "Title",
        ],
    ),
    ("Opportunity", &["AccountId"]),
    (
        "Order",
        &[
            "BillToContactId",
            "BillingAddress",
            "Description",
            "Name",
            "OrderReferenceNumber",
            "PoDate",
            "PoNumber",
            "QuoteId",
            "ShipToContactId",
            "ShippingAddress",
        ],
    ),
    ("OrderItem", &["Description"]),
    (
        "Product2",
        &[
            "Description",
            "DisplayUrl",
            "Family",
            "ProductCode",
            "StockKeepingUnit",
        ],
    ),
    (
        "Quote",
        &[
            "BillingAddress",
            "ContactId",
            "Description",
            "Email",
            "ExpirationDate",
            "Phone",
            "ShippingAddress",
            "ShippingHandling",
            "Tax",
        ],
    ),
    ("QuoteLineItem", &["Description", "Discount"]),
    ("Task", &["Description", "WhatId", "WhoId"]),
];

/// What a part of an address is called besides its address's name.
pub(super) const ADDRESS_PARTS: [&str; 5] = ["Street", "City", "State", "PostalCode", "Country"];
