//! What differs between two worlds: flows with their policies, and what the systems are like. Drawn by the seed.

use super::dice::Dice;
use super::quirks::{Quirk, Quirks};
use crate::flows::{CRM, ERP, end, flow, mapping, text, unique};
use std::collections::BTreeMap;
use tandem_merge::dataflow::{
    CompanionRule, CompanionValue, ConflictPolicy, CreatePolicy, Dataflow, DeleteAgainstEdit, DeletePolicy,
    Direction, Flow, Kind, Mapping, MatchPart, MatchRule, Normaliser, Reference, Reverse, Side,
};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

/// One system's nature.
#[derive(Clone, Debug)]
pub struct Nature {
    /// A counter per record orders its states; else modification times of whole seconds, with a condition as coarse.
    pub counted: bool,
    /// Writes can be made conditional.
    pub conditional: bool,
    /// It refuses a second record with the same identity.
    pub unique: bool,
    /// A create sent twice has one effect by its key.
    pub idempotent: bool,
    /// Answers to updates show the record.
    pub answers: bool,
    /// Many creates are accepted for later.
    pub loads: bool,
    /// Its clock is so far ahead, in milliseconds.
    pub ahead: i64,
    /// It writes this property of this type in capitals (the second system: in small letters), without saying so.
    pub shouts: Option<(&'static str, &'static str)>,
    /// It refuses values of `Description` whose number leaves this rest when divided by five, naming it or not.
    pub refuses: Option<(u32, bool)>,
    /// Changes of long transactions are committed late.
    pub late: bool,
    /// Records shown on one page.
    pub page: usize,
}

/// All that a seed decides before anything happens.
#[derive(Clone, Debug)]
pub struct Setting {
    pub flows: Dataflow,
    pub natures: [Nature; 2],
    /// The state is a file; else a model in memory.
    pub on_disk: bool,
    /// People delete records, create them, set values back.
    pub people: People,
    /// What may go wrong.
    pub faults: bool,
    /// For the trace.
    pub words: String,
}

/// What people do beside editing.
#[derive(Clone, Copy, Debug)]
pub struct People {
    pub creates: bool,
    pub deletes: bool,
    pub hides: bool,
}

/// The properties that people edit, by system and record type.
pub fn editable(of: &RecordType) -> &'static [&'static str] {
    match (of.system.as_str(), of.name.as_str()) {
        (ERP, "Order") => &[
            "description",
            "description",
            "description",
            "due",
            "note",
            "title",
        ],
        (ERP, "Quote") => &["description"],
        (ERP, _) => &["name"],
        (_, "Invoice") => &["Description", "Description", "Due"],
        (_, "Order") => &["Description", "Description", "Name", "Note"],
        _ => &["Name"],
    }
}

/// The property that holds a record's natural key.
pub fn key_property(of: &RecordType) -> &'static str {
    match (of.system.as_str(), of.name.as_str()) {
        (ERP, _) => "number",
        (_, "Order") => "Reference",
        _ => "Number",
    }
}

/// The properties that hold identities of counterparts.
pub fn identities(of: &RecordType) -> &'static [&'static str] {
    match (of.system.as_str(), of.name.as_str()) {
        (ERP, "Order") => &["invoiceStamp", "stamp"],
        (ERP, _) => &["stamp"],
        _ => &["Ext"],
    }
}

/// A property that its own system gives on a create: type and name.
pub fn given(of: &RecordType) -> Option<&'static str> {
    (of.system == CRM && of.name == "Order").then_some("Given")
}

impl Setting {
    pub fn draw(dice: &mut Dice, quirks: &Quirks) -> Self {
        let mut people = People {
            creates: dice.below(3) > 0,
            deletes: dice.below(3) > 0,
            hides: dice.one_in(8),
        };
        let about_deletions = [Quirk::Blanks, Quirk::PutsOut, Quirk::Forgets, Quirk::KeepsAll];
        people.deletes |= about_deletions.into_iter().any(|quirk| quirks.any(quirk));
        people.creates |= quirks.any(Quirk::Blanks);
        let mut natures = [nature(dice, true), nature(dice, false)];
        for (index, nature) in natures.iter_mut().enumerate() {
            // Only who counts shows that a state is the one right behind a write.
            nature.counted |= quirks.of(index).contains(&Quirk::Ignores);
        }
        if natures[1].shouts.is_some() && dice.one_in(2) {
            natures[0].shouts = Some(("Order", "title"));
        }
        let with_customers = dice.one_in(4) || quirks.any(Quirk::Blanks);
        let mut flows = flows(dice, with_customers);
        if quirks.any(Quirk::PutsOut) {
            put_out(&mut flows);
        }
        for flow in &mut flows.flows {
            for side in Side::BOTH {
                let end = &mut flow.ends[side.index()];
                let unique = natures[side.index()].unique;
                end.identity
                    .iter_mut()
                    .for_each(|identity| identity.unique = unique);
            }
            for rule in &mut flow.companions {
                rule.identity
                    .iter_mut()
                    .for_each(|identity| identity.unique = natures[1].unique);
            }
        }
        let on_disk = dice.one_in(16);
        let faults = dice.below(8) > 0;
        let policies: Vec<_> = flows.flows.iter().map(policies_of).collect();
        let words = format!(
            "{people:?} on disk {on_disk} faults {faults}\n  {natures:?}\n  {quirks:?}\n  {policies:?}"
        );
        Self {
            flows,
            natures,
            on_disk,
            people,
            faults,
            words,
        }
    }
}

/// The properties that hold ids of others, with the type of those.
pub fn references(of: &RecordType) -> &'static [(&'static str, &'static str)] {
    match (of.system.as_str(), of.name.as_str()) {
        (ERP, "Order") => &[("customer", "Customer")],
        (CRM, "Invoice") => &[("Division", "Division")],
        _ => &[],
    }
}

/// The property that says whether a record is in use, by system.
pub fn in_use(system: &str) -> &'static str {
    if system == ERP { "active" } else { "Active" }
}

/// What says that it is not.
pub const OUT_OF_USE: &str = "no";

/// Orders and invoices are put out of use where their counterpart is deleted, and whether they are travels.
fn put_out(flows: &mut Dataflow) {
    let mut orders = flows.flows.iter_mut();
    for flow in orders.by_ref().filter(|flow| flow.name.starts_with("order-")) {
        flow.mappings.push(text(in_use(ERP), in_use(CRM)));
        for end in &mut flow.ends {
            end.on_delete = DeletePolicy::Deactivate;
            let property = in_use(&end.record_type.system).to_owned();
            end.deactivate = Some((property, Value::from(OUT_OF_USE)));
        }
    }
}

fn policies_of(flow: &Flow) -> String {
    let [first, second] = &flow.ends;
    format!(
        "{}: {:?} {:?} deletes {:?}/{:?} creates {:?}/{:?} writes {}/{}",
        flow.name,
        flow.conflict,
        flow.delete_against_edit,
        first.on_delete,
        second.on_delete,
        first.create,
        second.create,
        first.write,
        second.write,
    )
}

fn nature(dice: &mut Dice, erp: bool) -> Nature {
    let conditional = if erp { dice.one_in(2) } else { !dice.one_in(8) };
    let unique = if erp { !dice.one_in(4) } else { !dice.one_in(6) };
    let (kind, property) = if erp {
        ("Order", "title")
    } else {
        ("Order", "Name")
    };
    Nature {
        counted: if erp { !dice.one_in(6) } else { dice.one_in(6) },
        conditional,
        unique,
        idempotent: erp && dice.one_in(3),
        answers: erp && dice.one_in(2),
        // Updates travel in loads where nothing is conditional.
        loads: dice.one_in(if conditional { 6 } else { 2 }),
        ahead: dice.millis(4_000) - 2_000,
        shouts: dice.one_in(10).then_some((kind, property)),
        refuses: (!erp && dice.one_in(3)).then(|| (2, !dice.one_in(4))),
        late: dice.one_in(2),
        page: 2 + dice.below(6),
    }
}

fn by(first: &str, second: &str) -> Vec<MatchRule> {
    vec![MatchRule {
        parts: vec![MatchPart {
            properties: [first.to_owned(), second.to_owned()],
            normaliser: Normaliser::Trim,
        }],
        ..MatchRule::default()
    }]
}

/// Order to Invoice and Order, by the seed Quote to Invoice and Customer to Division with an Account.
fn flows(dice: &mut Dice, with_customers: bool) -> Dataflow {
    let mut invoice = flow(
        "order-invoice",
        [
            end(ERP, "Order", CreatePolicy::Off, unique("invoiceStamp", "")),
            end(CRM, "Invoice", CreatePolicy::On, unique("Ext", "Order:")),
        ],
        by("number", "Number"),
        vec![
            text("number", "Number"),
            text("description", "Description"),
            text("due", "Due"),
        ],
    );
    let mut order = flow(
        "order-order",
        [
            end(ERP, "Order", CreatePolicy::Off, unique("stamp", "")),
            end(CRM, "Order", CreatePolicy::On, unique("Ext", "Order:")),
        ],
        by("number", "Reference"),
        vec![
            text("number", "Reference"),
            text("description", "Description"),
            text("title", "Name"),
            Mapping {
                direction: Direction::To(Side::Second),
                ..text("note", "Note")
            },
            Mapping {
                direction: Direction::To(Side::First),
                owned_by: Some(Side::Second),
                filled_on_create: [false, true],
                ..text("crmNumber", "Given")
            },
        ],
    );
    if dice.one_in(4) {
        order.mappings[1].max_length[1] = Some(3);
    }
    if dice.one_in(2) {
        invoice.ends[0].create = CreatePolicy::On;
    }
    order.ends[1].write = !dice.one_in(16);
    let mut all = Vec::new();
    if with_customers {
        all.push(customers(&mut invoice, &mut order));
    }
    all.push(invoice);
    if dice.one_in(3) {
        let mut quote = flow(
            "quote-invoice",
            [
                end(ERP, "Quote", CreatePolicy::Off, unique("stamp", "")),
                end(CRM, "Invoice", CreatePolicy::On, unique("Ext", "Quote:")),
            ],
            by("number", "Number"),
            vec![text("number", "Number"), text("description", "Description")],
        );
        quote.group = "order-invoice".to_owned();
        all.push(quote);
    }
    all.push(order);
    decide_policies(dice, &mut all);
    Dataflow {
        paused: std::collections::BTreeSet::new(),
        asks_first: std::collections::BTreeSet::new(),
        ourselves: std::collections::BTreeMap::new(),
        systems: [ERP.to_owned(), CRM.to_owned()],
        flows: all,
        document_order: Vec::new(),
        introduction: String::new(),
        clock_error_seconds: 5,
        out_of_sight: std::collections::BTreeSet::new(),
        clocks_ahead: std::collections::BTreeMap::new(),
        commit_delays: std::collections::BTreeMap::new(),
        request_deadlines: std::collections::BTreeMap::new(),
        unprotected: std::collections::BTreeSet::new(),
    }
}

/// Customers are Divisions with an Account each; invoices refer to the one, orders to the other.
fn customers(invoice: &mut Flow, order: &mut Flow) -> Flow {
    let through = |kind: Reference| Kind::Reference(kind);
    invoice.mappings.push(Mapping {
        reverse: Reverse::Optional,
        ..mapping(
            "customer",
            "Division",
            through(Reference::Flow("customer-division".to_owned())),
        )
    });
    let account = Reference::Companion {
        role: "Account".to_owned(),
        of: RecordType::new(ERP, "Customer"),
    };
    order.mappings.push(Mapping {
        reverse: Reverse::Optional,
        ..mapping("customer", "Account", through(account))
    });
    order.companions = vec![CompanionRule {
        role: "Account".to_owned(),
        property: "Account".to_owned(),
        of: "customer".to_owned(),
        owner: RecordType::new(ERP, "Customer"),
        record_type: RecordType::new(CRM, "Account"),
        find: vec!["Ext".to_owned(), "Name".to_owned()],
        identity: unique("Ext", "Customer:"),
        create: true,
        values: BTreeMap::from([("Name".to_owned(), CompanionValue::Property("name".to_owned()))]),
    }];
    flow(
        "customer-division",
        [
            end(ERP, "Customer", CreatePolicy::On, unique("stamp", "")),
            end(CRM, "Division", CreatePolicy::On, unique("Ext", "Customer:")),
        ],
        by("number", "Number"),
        vec![text("number", "Number"), text("name", "Name")],
    )
}

fn decide_policies(dice: &mut Dice, flows: &mut [Flow]) {
    let conflict = dice.of(&[
        ConflictPolicy::Latest,
        ConflictPolicy::Wins(Side::First),
        ConflictPolicy::Wins(Side::Second),
        ConflictPolicy::Ask,
    ]);
    let against = dice.of(&[
        DeleteAgainstEdit::Ask,
        DeleteAgainstEdit::Ask,
        DeleteAgainstEdit::EditWins,
        DeleteAgainstEdit::DeleteWins,
    ]);
    let policies = [
        DeletePolicy::Propagate,
        DeletePolicy::Propagate,
        DeletePolicy::Ask,
        DeletePolicy::Unlink,
        DeletePolicy::Recreate,
        DeletePolicy::Deactivate,
    ];
    for flow in flows {
        flow.conflict = conflict;
        flow.delete_against_edit = against;
        for side in Side::BOTH {
            let end = &mut flow.ends[side.index()];
            end.on_delete = dice.of(&policies);
            end.deactivate = dice
                .one_in(2)
                .then(|| ("active".to_owned(), Value::Text("no".to_owned())));
        }
    }
}
