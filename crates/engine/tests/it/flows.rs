//! A small dataflow with all that the nine flows need: two counterparts of one record, references, a
//! companion, values given by the other side, a one-way property.

use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{
    CompanionRule, CompanionValue, ConflictPolicy, CreatePolicy, Dataflow, DeleteAgainstEdit, DeletePolicy,
    Direction, End, EnumMap, Flow, Guard, Identity, Kind, Mapping, MatchPart, MatchRule, Normaliser,
    OnCreate, Reference, Reverse, Side, Support,
};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

pub const ERP: &str = "erp";
pub const CRM: &str = "crm";

/// One end: type, whether it creates, whether it carries its counterpart's identity.
pub fn end(system: &str, name: &str, create: CreatePolicy, identity: Option<Identity>) -> End {
    End {
        record_type: RecordType::new(system, name),
        object: name.to_owned(),
        create,
        write: true,
        on_delete: DeletePolicy::Propagate,
        identity,
        only: BTreeMap::new(),
        filter: None,
        constants: BTreeMap::new(),
        deactivate: None,
        deactivate_needs_approval: false,
        computed: BTreeMap::new(),
    }
}

pub fn unique(property: &str, prefix: &str) -> Option<Identity> {
    Some(Identity {
        property: property.to_owned(),
        prefix: prefix.to_owned(),
        unique: true,
    })
}

pub fn mapping(first: &str, second: &str, kind: Kind) -> Mapping {
    Mapping {
        properties: [first.to_owned(), second.to_owned()],
        data_types: ["string".to_owned(), "string".to_owned()],
        kind,
        direction: Direction::Both,
        owned_by: None,
        given_by: None,
        on_create: OnCreate::Follow,
        never_blank: [false, false],
        filled_on_create: [false, false],
        max_length: [None, None],
        reverse: Reverse::Follow,
        blank_is_edit: true,
        personal: false,
        conflict: None,
        alone: None,
        locks: std::collections::BTreeSet::new(),
        create_only: [false, false],
        awaited: false,
        stand_in: [None, None],
        note: String::new(),
    }
}

pub fn text(first: &str, second: &str) -> Mapping {
    mapping(first, second, Kind::String)
}

fn by(first: &str, second: &str) -> MatchRule {
    MatchRule {
        parts: vec![MatchPart {
            properties: [first.to_owned(), second.to_owned()],
            normaliser: Normaliser::CaseFold,
        }],
        ..MatchRule::default()
    }
}

pub fn flow(name: &str, ends: [End; 2], match_rules: Vec<MatchRule>, mappings: Vec<Mapping>) -> Flow {
    Flow {
        name: name.to_owned(),
        group: name.to_owned(),
        ends,
        match_rules,
        conflict: ConflictPolicy::Wins(Side::First),
        delete_against_edit: DeleteAgainstEdit::Ask,
        mappings,
        unserved: Vec::new(),
        companions: Vec::new(),
        guard: Guard::default(),
        supports: None,
        equal: Vec::new(),
        guarded: Default::default(),
        keeps: None,
    }
}

/// Customer to Division with an Account as companion; Order to Invoice and Order to Order.
pub fn dataflow() -> Dataflow {
    let customer = flow(
        "customer-division",
        [
            end(ERP, "Customer", CreatePolicy::On, unique("stamp", "")),
            end(CRM, "Division", CreatePolicy::On, unique("Ext", "Customer:")),
        ],
        vec![by("number", "Number"), by("name", "Name")],
        vec![
            text("number", "Number"),
            text("name", "Name"),
            text("email", "Email"),
        ],
    );
    let mut invoice = flow(
        "order-invoice",
        [
            end(ERP, "Order", CreatePolicy::Off, unique("invoiceStamp", "")),
            end(CRM, "Invoice", CreatePolicy::On, unique("Ext", "Order:")),
        ],
        vec![by("number", "Number")],
        vec![
            text("number", "Number"),
            text("description", "Description"),
            account("customer", "Account"),
            given("invoiceNumber", "Name"),
            Mapping {
                direction: Direction::To(Side::Second),
                ..mapping(
                    "id",
                    "OrderId",
                    Kind::Reference(Reference::Flow("order-order".to_owned())),
                )
            },
        ],
    );
    invoice.companions = vec![companion()];
    let mut order = flow(
        "order-order",
        [
            end(ERP, "Order", CreatePolicy::On, unique("stamp", "")),
            end(CRM, "Order", CreatePolicy::On, unique("Ext", "Order:")),
        ],
        vec![by("number", "Number")],
        vec![
            Mapping {
                given_by: Some(Side::First),
                filled_on_create: [true, false],
                ..text("number", "Number")
            },
            text("description", "Description"),
            text("title", "Name"),
            account("customer", "Account"),
        ],
    );
    order.companions = vec![companion()];
    Dataflow {
        systems: [ERP.to_owned(), CRM.to_owned()],
        document_order: Vec::new(),
        flows: vec![customer, invoice, order],
        introduction: String::new(),
        clock_error_seconds: 0,
        out_of_sight: BTreeSet::new(),
        clocks_ahead: std::collections::BTreeMap::new(),
        commit_delays: std::collections::BTreeMap::new(),
        request_deadlines: std::collections::BTreeMap::new(),
        unprotected: std::collections::BTreeSet::new(),
        paused: BTreeSet::new(),
        asks_first: BTreeSet::new(),
        ourselves: BTreeMap::new(),
    }
}

/// The same with contacts that name their boss, a contact as well, and orders that name one.
pub fn with_contacts() -> Dataflow {
    let mut flows = dataflow();
    let contact = |first: &str, second: &str| {
        mapping(
            first,
            second,
            Kind::Reference(Reference::Flow("contact-contact".to_owned())),
        )
    };
    let mut contacts = flow(
        "contact-contact",
        [
            end(ERP, "Contact", CreatePolicy::On, unique("stamp", "")),
            end(CRM, "Contact", CreatePolicy::On, unique("Ext", "Contact:")),
        ],
        vec![by("name", "Name")],
        vec![text("name", "Name"), text("use", "Use"), contact("boss", "Boss")],
    );
    for end in &mut contacts.ends {
        end.on_delete = DeletePolicy::Ask;
    }
    flows.flows[2].mappings.push(contact("contact", "Contact"));
    flows.flows.insert(1, contacts);
    flows
}

/// The same with lines of orders and a status that locks an order with its lines.
pub fn with_lines() -> Dataflow {
    let mut flows = dataflow();
    // Orders first: their lines refer to them.
    let status = EnumMap {
        to_second: names(&[("draft", "Draft"), ("confirmed", "Activated")]),
        to_first: names(&[("Draft", "draft"), ("Activated", "confirmed")]),
    };
    flows.flows[2].mappings.extend([
        Mapping {
            alone: Some(Side::Second),
            locks: BTreeSet::from(["confirmed".to_owned()]),
            on_create: OnCreate::Constant(t("Draft")),
            ..mapping("status", "Status", Kind::Enum(status))
        },
        Mapping {
            direction: Direction::To(Side::First),
            owned_by: Some(Side::Second),
            ..text("sum", "Sum")
        },
    ]);
    let parent = Mapping {
        create_only: [true, true],
        awaited: false,
        stand_in: [None, None],
        never_blank: [true, true],
        reverse: Reverse::Required,
        ..mapping(
            "order",
            "OrderId",
            Kind::Reference(Reference::Flow("order-order".to_owned())),
        )
    };
    let mut lines = flow(
        "order-line",
        [
            end(ERP, "Line", CreatePolicy::On, unique("stamp", "")),
            end(CRM, "Item", CreatePolicy::On, unique("Ext", "Line:")),
        ],
        Vec::new(),
        vec![parent, text("quantity", "Quantity")],
    );
    lines.supports = Some(Support {
        flow: "order-order".to_owned(),
        rolls_up: true,
    });
    flows.flows.push(lines);
    flows
}

fn names(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(own).collect()
}

/// A reference to a customer that is its account over there.
fn account(first: &str, second: &str) -> Mapping {
    let through = Reference::Companion {
        role: "Account".to_owned(),
        of: RecordType::new(ERP, "Customer"),
    };
    Mapping {
        never_blank: [false, true],
        reverse: Reverse::Required,
        ..mapping(first, second, Kind::Reference(through))
    }
}

/// A number that the second side gives and that flows back.
fn given(first: &str, second: &str) -> Mapping {
    Mapping {
        direction: Direction::To(Side::First),
        owned_by: Some(Side::Second),
        filled_on_create: [false, true],
        ..text(first, second)
    }
}

fn companion() -> CompanionRule {
    let property = |name: &str| CompanionValue::Property(name.to_owned());
    CompanionRule {
        role: "Account".to_owned(),
        property: "Account".to_owned(),
        of: "customer".to_owned(),
        owner: RecordType::new(ERP, "Customer"),
        record_type: RecordType::new(CRM, "Account"),
        find: vec!["Ext".to_owned(), "Name".to_owned()],
        identity: unique("Ext", "Customer:"),
        create: true,
        values: BTreeMap::from([("Name".to_owned(), property("name"))]),
    }
}

/// What each side's systems refuse twice, and what they give on a create.
pub fn unique_properties(system: &str) -> BTreeMap<String, BTreeSet<String>> {
    let of = |names: &[&str], properties: &[&str]| -> BTreeMap<String, BTreeSet<String>> {
        let properties: BTreeSet<String> = properties.iter().map(|name| (*name).to_owned()).collect();
        names
            .iter()
            .map(|name| ((*name).to_owned(), properties.clone()))
            .collect()
    };
    if system == ERP {
        of(
            &["Customer", "Order", "Line", "Contact"],
            &["stamp", "invoiceStamp"],
        )
    } else {
        let kinds = ["Division", "Invoice", "Order", "Account", "Item", "Contact"];
        of(&kinds, &["Ext"])
    }
}

/// Counters that systems fill in: type and property with a prefix.
pub fn given_properties(system: &str) -> BTreeMap<String, (String, String)> {
    let one = |name: &str, property: &str, prefix: &str| {
        (name.to_owned(), (property.to_owned(), prefix.to_owned()))
    };
    if system == ERP {
        BTreeMap::from([one("Order", "number", "E-")])
    } else {
        BTreeMap::from([one("Invoice", "Name", "INV-")])
    }
}

/// A text value.
pub fn t(text: &str) -> Value {
    Value::text(text)
}
