//! What is ticked off: per flow the rows that were promised, as the bindings in use can serve them.

use super::table::{self, Cell, TableRow};
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::{PropertySchema, Schema};
use tandem_merge::dataflow::{
    CompanionValue, Dataflow, Direction, EnumMap, Flow, Kind, Mapping, OnCreate, Reference, Reverse, Side,
};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

/// Record types whose property in the table's last columns belongs to an object of another name
/// (`Invoice__c`), not to the standard object.
const WITH_AN_OBJECT_OF_OUR_OWN: [&str; 2] = ["Division", "Invoice"];

/// A flow as it was promised.
#[derive(Clone, Debug)]
pub(crate) struct PromisedFlow {
    /// The record types, first and second.
    pub(crate) types: [String; 2],
    /// The name of the configured flow between them; none where the configuration has none.
    pub(crate) name: Option<String>,
    /// The object that serves the second record type.
    pub(crate) object: String,
    /// Its rows, in the order of the table.
    pub(crate) rows: Vec<Row>,
}

/// A row as it was promised.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Properties, kind and direction. The second property is blank where none is named.
    pub(crate) mapping: Mapping,
    /// Why the binding in use does not serve it.
    pub(crate) unserved: Option<String>,
    /// It travels through a companion alone: no property of the second record shows it.
    pub(crate) through_companion: bool,
    /// A person can change the property on a side.
    pub(crate) editable: [bool; 2],
    /// The entries that a restricted list allows, on the second side.
    pub(crate) entries: Vec<String>,
}

impl Row {
    /// A value is given once on creates on the second side.
    pub(crate) fn given_on_create(&self) -> bool {
        self.mapping.travels_to(Side::Second) || self.mapping.on_create == OnCreate::Value
    }

    /// Nobody can edit it on the second side: something else moves it.
    pub(crate) fn derived(&self) -> bool {
        self.mapping.direction == Direction::To(Side::First) && !self.editable[1]
    }

    /// How it is shown: `name <-> Name`.
    pub(crate) fn shown(&self) -> String {
        let [first, second] = &self.mapping.properties;
        let second = if second.is_empty() { "(none)" } else { second };
        match self.mapping.direction {
            Direction::Both => format!("{first} <-> {second}"),
            Direction::To(Side::Second) => format!("{first} -> {second}"),
            Direction::To(Side::First) => format!("{first} <- {second}"),
        }
    }
}

/// The promise of a table for a dataflow: flows that the table does not know promise what they are configured to.
pub(crate) fn promise(table: &[TableRow], flows: &Dataflow) -> Vec<PromisedFlow> {
    let mut promised: Vec<PromisedFlow> = Vec::new();
    for row in table {
        let at = promised.iter().position(|flow| flow.types == row.types);
        let at = at.unwrap_or_else(|| {
            promised.push(empty(&row.types, flows));
            promised.len() - 1
        });
        let row = row_of_table(row, &promised[at], flows);
        promised[at].rows.push(row);
    }
    // Supporting flows, such as those of lines, are no part of the document.
    for flow in flows.flows.iter().filter(|flow| flow.supports.is_none()) {
        let types = flow.ends.each_ref().map(|end| end.record_type.name.clone());
        match promised.iter_mut().find(|promised| promised.types == types) {
            Some(promised) => add_rows_of_its_own(promised, flow),
            None => {
                let mut promised_flow = empty(&types, flows);
                add_rows_of_its_own(&mut promised_flow, flow);
                promised.push(promised_flow);
            }
        }
    }
    promised
}

fn configured<'a>(types: &[String; 2], flows: &'a Dataflow) -> Option<&'a Flow> {
    let same = |flow: &&Flow| {
        flow.ends
            .iter()
            .zip(types)
            .all(|(end, name)| &end.record_type.name == name)
    };
    flows.flows.iter().find(same)
}

fn empty(types: &[String; 2], flows: &Dataflow) -> PromisedFlow {
    let flow = configured(types, flows);
    PromisedFlow {
        types: types.clone(),
        name: flow.map(|flow| flow.name.clone()),
        object: flow.map_or_else(|| types[1].clone(), |flow| flow.end(Side::Second).object.clone()),
        rows: Vec::new(),
    }
}

/// Rows that a configuration has beside those of the table are promised by the configuration itself.
fn add_rows_of_its_own(promised: &mut PromisedFlow, flow: &Flow) {
    let known: BTreeSet<String> = promised
        .rows
        .iter()
        .flat_map(|row| row.mapping.properties.clone())
        .collect();
    let own = |mapping: &&Mapping| !mapping.properties.iter().any(|name| known.contains(name));
    promised
        .rows
        .extend(flow.mappings.iter().filter(own).map(|mapping| Row {
            mapping: mapping.clone(),
            unserved: None,
            through_companion: false,
            editable: [true; 2],
            entries: Vec::new(),
        }));
}

fn row_of_table(row: &TableRow, flow: &PromisedFlow, flows: &Dataflow) -> Row {
    let served = cell(row, &flow.object);
    let second = served.map(|cell| cell.property.clone()).unwrap_or_default();
    let through_companion = second.is_empty() && leads_through_companion(row, flow, flows);
    let first = &row.first.property;
    let unserved = (second.is_empty() && !through_companion)
        .then(|| format!("{} has no counterpart of {first}", flow.object));
    let mapping = Mapping {
        properties: [first.clone(), second],
        data_types: [
            row.first.data_type.clone(),
            served.map(|cell| cell.data_type.clone()).unwrap_or_default(),
        ],
        kind: kind(row, flows),
        direction: row.direction,
        owned_by: None,
        given_by: None,
        on_create: match row.on_create.as_str() {
            "" => OnCreate::Follow,
            "value" => OnCreate::Value,
            constant => OnCreate::Constant(Value::from(constant)),
        },
        never_blank: [false; 2],
        filled_on_create: [false; 2],
        max_length: [None, served.and_then(|cell| cell.length)],
        reverse: Reverse::Follow,
        blank_is_edit: true,
        personal: false,
        conflict: None,
        alone: None,
        locks: std::collections::BTreeSet::new(),
        create_only: [false; 2],
        awaited: false,
        stand_in: [None, None],
        note: row.note.clone(),
    };
    Row {
        mapping,
        unserved,
        through_companion,
        editable: [first != "id", !through_companion],
        entries: Vec::new(),
    }
}

/// The second side's cell for the object in use.
fn cell<'a>(row: &'a TableRow, object: &str) -> Option<&'a Cell> {
    let name = row.types[1].as_str();
    if object != name {
        row.custom.as_ref()
    } else if WITH_AN_OBJECT_OF_OUR_OWN.contains(&name) {
        row.standard.as_ref()
    } else {
        row.standard.as_ref().or(row.custom.as_ref())
    }
}

/// Whether a companion of the created record takes the first property's record over.
fn leads_through_companion(row: &TableRow, flow: &PromisedFlow, flows: &Dataflow) -> bool {
    let configured = flow.name.as_deref().and_then(|name| flows.flow(name));
    let rules = configured.into_iter().flat_map(|flow| &flow.companions);
    rules
        .flat_map(|rule| rule.values.values())
        .any(|value| {
            matches!(
                value,
                CompanionValue::Companion { of, .. } | CompanionValue::Linked { of, .. } if of == &row.first.property
            )
        })
}

fn kind(row: &TableRow, flows: &Dataflow) -> Kind {
    let (name, inner) = match row.first.data_type.split_once('(') {
        Some((name, rest)) => (name, rest.trim_end_matches(')')),
        None => (row.first.data_type.as_str(), ""),
    };
    match name {
        "integer" => Kind::Integer,
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime { whole_seconds: true },
        "decimal" => Kind::Decimal {
            scale: inner
                .split(',')
                .nth(1)
                .and_then(|scale| scale.trim().parse().ok())
                .unwrap_or(0),
        },
        "enum" => {
            let pairs = table::vocabulary(&row.note);
            let back = |(first, second): (String, String)| (second, first);
            Kind::Enum(EnumMap {
                to_first: pairs.iter().cloned().map(back).collect(),
                to_second: pairs.into_iter().collect(),
            })
        }
        "reference" => Kind::Reference(reference(inner, row, flows)),
        _ => Kind::String,
    }
}

/// Where a reference to a record type leads: through a companion where the note says so, else through the flow
/// whose other end is called the same, else through the first flow of the type.
fn reference(of: &str, row: &TableRow, flows: &Dataflow) -> Reference {
    let owner = RecordType::new(&flows.systems[0], of);
    if row.note.contains("through the companion") {
        let rules = flows.flows.iter().flat_map(|flow| &flow.companions);
        let rule = rules.clone().find(|rule| rule.owner == owner);
        return Reference::Companion {
            role: rule.map_or_else(|| "Account".to_owned(), |rule| rule.role.clone()),
            of: owner,
        };
    }
    let of_type = flows
        .flows
        .iter()
        .filter(|flow| flow.ends[0].record_type == owner);
    let same_name = of_type.clone().find(|flow| flow.ends[1].record_type.name == of);
    let flow = same_name.or_else(|| of_type.clone().next());
    Reference::Flow(flow.map_or_else(|| of.to_lowercase(), |flow| flow.name.clone()))
}

/// Takes into account what the systems say of the properties: what is absent is not served, what is read-only
/// cannot be edited, and the shorter length counts.
pub(crate) fn follow_describe(promised: &mut [PromisedFlow], schemas: &[Schema; 2]) {
    for flow in promised {
        let described = [0, 1].map(|side| schemas[side].types.get(&flow.types[side]));
        let [Some(first), Some(second)] = described else {
            continue;
        };
        for row in flow.rows.iter_mut().filter(|row| row.unserved.is_none()) {
            for (side, schema) in [first, second].into_iter().enumerate() {
                let name = row.mapping.properties[side].clone();
                if name == "id" || name.is_empty() {
                    continue;
                }
                match schema.properties.get(&name) {
                    Some(property) => take_over(row, side, property),
                    None => {
                        let object = &schema.object;
                        row.unserved = Some(format!("{object} has no {name} in this system"));
                    }
                }
            }
        }
    }
}

fn take_over(row: &mut Row, side: usize, property: &PropertySchema) {
    row.editable[side] = property.updateable;
    let known = row.mapping.max_length[side];
    row.mapping.max_length[side] = match (known, property.max_length) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    if side == 1 {
        row.entries.clone_from(&property.values);
    }
}

/// The properties that must be read to tick everything off: by side, record type and name.
pub(crate) fn properties(promised: &[PromisedFlow]) -> [BTreeMap<String, BTreeSet<String>>; 2] {
    let mut wanted = [BTreeMap::new(), BTreeMap::new()];
    for flow in promised {
        for (side, wanted) in wanted.iter_mut().enumerate() {
            let names: &mut BTreeSet<String> = wanted.entry(flow.types[side].clone()).or_default();
            let own = flow.rows.iter().map(|row| row.mapping.properties[side].clone());
            names.extend(own.filter(|name| !name.is_empty() && name != "id"));
        }
    }
    wanted
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_merge::config::{Sources, load};

    /// The dataflow that comes with the program, on custom Invoices and standard Divisions.
    pub(in super::super) fn flows() -> Dataflow {
        let main = include_str!("../../../../examples/demo/tandem.yaml");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows/customerp-salesforce");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let flows = files.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
        let sources = Sources {
            main: ("tandem.yaml".to_owned(), main.to_owned()),
            flows: flows
                .map(|path| {
                    (
                        path.display().to_string(),
                        std::fs::read_to_string(&path).unwrap(),
                    )
                })
                .collect(),
            kinds: tandem_connector::kinds::KINDS,
        };
        load(&sources).unwrap().dataflow
    }

    /// The shipped promise, before anything is known of the systems.
    pub(in super::super) fn shipped() -> Vec<PromisedFlow> {
        promise(&table::read("properties.csv", table::SHIPPED).unwrap(), &flows())
    }

    fn row<'a>(promised: &'a [PromisedFlow], types: [&str; 2], first: &str) -> &'a Row {
        let flow = promised.iter().find(|flow| flow.types == types).unwrap();
        let named = |row: &&Row| row.mapping.properties[0] == first;
        flow.rows.iter().find(named).unwrap()
    }

    #[test]
    fn the_binding_in_use_decides_what_is_served() {
        let promised = shipped();
        let invoice = ["Order", "Invoice"];
        assert_eq!(
            row(&promised, invoice, "orderNumber").mapping.properties[1],
            "InvoiceNumber__c"
        );
        let balance = row(&promised, invoice, "invoiceBalance");
        assert_eq!(
            balance.unserved.as_deref(),
            Some("Invoice__c has no counterpart of invoiceBalance")
        );
        assert!(
            row(&promised, ["Customer", "Division"], "email")
                .unserved
                .is_some()
        );
        let number = row(&promised, ["Quote", "Quote"], "quoteNumber");
        assert_eq!(number.mapping.properties[1], "Customerp_Number__c");
        assert!(row(&promised, ["Quote", "Quote"], "customerId").through_companion);
    }

    #[test]
    fn references_lead_where_the_table_says() {
        let promised = shipped();
        let kind = |types, first| row(&promised, types, first).mapping.kind.clone();
        let flow = |name: &str| Kind::Reference(Reference::Flow(name.to_owned()));
        assert_eq!(kind(["Order", "Order"], "quoteId"), flow("quote-quote"));
        assert_eq!(kind(["Order", "Invoice"], "id"), flow("order-order"));
        assert_eq!(kind(["Employee", "User"], "managerId"), flow("employee-user"));
        let account = kind(["Contact", "Contact"], "customerId");
        assert!(matches!(account, Kind::Reference(Reference::Companion { role, .. }) if role == "Account"));
    }

    #[test]
    fn the_promise_does_not_follow_a_broken_flow() {
        // GIVEN a flow file whose direction was turned and whose values were mixed up
        let mut flows = flows();
        for mapping in flows.flows.iter_mut().flat_map(|flow| &mut flow.mappings) {
            mapping.direction = Direction::To(Side::First);
            if let Kind::Enum(map) = &mut mapping.kind {
                map.to_second
                    .values_mut()
                    .for_each(|name| *name = "Other".to_owned());
            }
        }
        // WHEN the promise is made
        let promised = promise(&table::read("properties.csv", table::SHIPPED).unwrap(), &flows);
        // THEN it still says what the table says
        let priority = row(&promised, ["Project", "Task"], "priority");
        assert_eq!(priority.mapping.direction, Direction::Both);
        let Kind::Enum(map) = &priority.mapping.kind else {
            panic!("{priority:?}")
        };
        assert_eq!(map.to_second["high"], "High");
    }

    #[test]
    fn what_a_system_lacks_is_not_served_and_what_it_keeps_to_itself_cannot_be_edited() {
        let mut promised = shipped();
        let all = properties(&promised);
        let schemas = [0, 1].map(|side: usize| {
            let types = all[side].iter().map(|(name, properties)| {
                let properties = properties
                    .iter()
                    .filter(|name| *name != "CurrencyIsoCode")
                    .map(|name| {
                        let property = PropertySchema {
                            updateable: name != "OrderNumber",
                            max_length: Some(30),
                            ..PropertySchema::default()
                        };
                        (name.clone(), property)
                    });
                let schema = tandem_connector::TypeSchema {
                    object: name.clone(),
                    properties: properties.collect(),
                    ..tandem_connector::TypeSchema::default()
                };
                (name.clone(), schema)
            });
            Schema {
                types: types.collect(),
                ..Schema::default()
            }
        });
        follow_describe(&mut promised, &schemas);
        let order = ["Order", "Order"];
        assert!(row(&promised, order, "currency").unserved.is_some());
        assert!(row(&promised, order, "salesforceOrderNumber").derived());
        assert!(!row(&promised, order, "title").derived());
        assert_eq!(row(&promised, order, "title").mapping.max_length[1], Some(30));
    }
}
