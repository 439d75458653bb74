//! The flow files against the committed copy of the property table, row by row and column by column.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests read the files that the core is given as text"
)]

use crate::config::{configuration, root};
use std::collections::BTreeMap;
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::{Direction, Flow, Kind, Mapping, OnCreate, Reverse, Side};

type Row = BTreeMap<String, String>;

/// The table's rows by column name.
fn table() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("flows/customerp-salesforce/properties.csv")).unwrap();
    let mut lines = text.lines().map(cells);
    let header = lines.next().unwrap();
    lines
        .map(|cells| header.iter().cloned().zip(cells).collect())
        .collect()
}

/// The cells of a line, of which some are quoted.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for sign in line.chars() {
        match sign {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => cells.last_mut().unwrap().push(sign),
        }
    }
    cells
}

const FLOWS: [&str; 9] = [
    "customer-division",
    "order-invoice",
    "project-task",
    "quote-invoice",
    "contact-contact",
    "employee-user",
    "order-order",
    "product-product2",
    "quote-quote",
];

fn flow_of<'a>(configuration: &'a Configuration, row: &Row) -> &'a Flow {
    let number: usize = row["flow"].parse().unwrap();
    configuration.dataflow.flow(FLOWS[number - 1]).unwrap()
}

/// The columns of the table that speak of the object in use: property, data type, length.
fn columns<'a>(row: &'a Row, flow: &Flow) -> (&'a str, String, &'a str) {
    let custom = flow.end(Side::Second).object.ends_with("__c");
    let choice = ["Invoice", "Division"].contains(&row["salesforce_type"].as_str());
    if custom || (!choice && row["salesforce_property"].is_empty()) {
        return (
            &row["custom_property"],
            row["custom_data_type"].clone(),
            &row["custom_length"],
        );
    }
    let mut data_type = row["salesforce_data_type"].clone();
    if !row["precision_scale"].is_empty() {
        data_type = format!("{data_type}({})", row["precision_scale"]);
    }
    (&row["salesforce_property"], data_type, &row["length"])
}

#[test]
fn every_row_of_the_table_stands_in_its_flow_file() {
    for (invoice, division) in [("Invoice__c", "Division"), ("Invoice", "Division__c")] {
        let configuration = configuration(|main| {
            main.replace("Invoice: Invoice__c", &format!("Invoice: {invoice}"))
                .replace("Division: Division", &format!("Division: {division}"))
        });
        let mut served = 0;
        for row in table() {
            let flow = flow_of(&configuration, &row);
            let name = row["customerp_property"].as_str();
            let what = format!("{} {name} with {invoice} and {division}", flow.name);
            let (property, ..) = columns(&row, flow);
            let mapping = flow
                .mappings
                .iter()
                .find(|mapping| mapping.property(Side::First) == name);
            if property.is_empty() {
                assert!(mapping.is_none(), "{what}");
                assert!(
                    flow.unserved.iter().any(|unserved| unserved.first == name),
                    "{what}"
                );
            } else {
                compare(&row, flow, mapping.unwrap_or_else(|| panic!("{what}")), &what);
                served += 1;
            }
        }
        // Supporting flows are no sections of the document, and no rows of its table.
        let flows = configuration.dataflow.flows.iter();
        let flows: Vec<&Flow> = flows.filter(|flow| flow.supports.is_none()).collect();
        assert_eq!(
            served,
            flows.iter().map(|flow| flow.mappings.len()).sum::<usize>()
        );
        let unserved: usize = flows.iter().map(|flow| flow.unserved.len()).sum();
        assert_eq!(served + unserved, table().len());
    }
}

fn compare(row: &Row, flow: &Flow, mapping: &Mapping, what: &str) {
    assert_eq!(
        flow.end(Side::First).record_type.name,
        row["customerp_type"],
        "{what}"
    );
    assert_eq!(
        flow.end(Side::Second).record_type.name,
        row["salesforce_type"],
        "{what}"
    );
    let (property, data_type, length) = columns(row, flow);
    assert_eq!(mapping.property(Side::Second), property, "{what}");
    assert_eq!(mapping.data_types[0], row["customerp_data_type"], "{what}");
    let reference = matches!(mapping.kind, Kind::Reference(_));
    if data_type == "reference" {
        assert!(mapping.data_types[1].starts_with("reference("), "{what}");
    } else {
        assert_eq!(mapping.data_types[1], data_type, "{what}");
    }
    if !reference {
        assert_eq!(mapping.max_length[1], length.parse().ok(), "{what}");
    }
    let direction = match row["direction"].as_str() {
        "both" => Direction::Both,
        "to-salesforce" => Direction::To(Side::Second),
        "to-customerp" => Direction::To(Side::First),
        other => panic!("{other}"),
    };
    assert_eq!(mapping.direction, direction, "{what}");
    let on_create = match row["on_create"].as_str() {
        "" => OnCreate::Follow,
        "value" => OnCreate::Value,
        constant => OnCreate::Constant(constant.into()),
    };
    assert_eq!(mapping.on_create, on_create, "{what}");
    compare_kind(row, mapping, what);
    compare_note(row, flow, mapping, what);
}

fn compare_kind(row: &Row, mapping: &Mapping, what: &str) {
    let fits = match row["customerp_data_type"].as_str() {
        "string" => mapping.kind == Kind::String,
        "boolean" => mapping.kind == Kind::Boolean,
        "date" => mapping.kind == Kind::Date,
        "datetime" => mapping.kind == Kind::DateTime { whole_seconds: true },
        "decimal(18,2)" => mapping.kind == Kind::Decimal { scale: 2 },
        "enum" => matches!(mapping.kind, Kind::Enum(_)),
        other => other.starts_with("reference(") && matches!(mapping.kind, Kind::Reference(_)),
    };
    assert!(fits, "{what}: {:?}", mapping.kind);
    if let Kind::Enum(map) = &mapping.kind {
        let pairs: Vec<String> = map
            .to_second
            .iter()
            .map(|(from, to)| format!("{from}={to}"))
            .collect();
        for pair in &pairs {
            assert!(row["note"].contains(pair.as_str()), "{what}: {pair}");
        }
        assert_eq!(pairs.len(), row["note"].matches('=').count(), "{what}");
    }
}

fn compare_note(row: &Row, flow: &Flow, mapping: &Mapping, what: &str) {
    let note = row["note"].as_str();
    assert!(note.ends_with(&mapping.note), "{what}");
    let owned = note.starts_with("owned by Salesforce").then_some(Side::Second);
    assert_eq!(mapping.owned_by, owned, "{what}");
    if note.contains("given by Customerp") {
        assert_eq!(mapping.given_by, Some(Side::First), "{what}");
    }
    if note.contains("never blank") {
        assert!(mapping.never_blank[1], "{what}");
    }
    if row["customerp_data_type"] == "reference(Customer)" {
        let deferred = note.contains("deferred");
        let reverse = if deferred {
            Reverse::Required
        } else {
            Reverse::Optional
        };
        assert_eq!(mapping.reverse, reverse, "{what}");
        assert!(
            flow.companions.iter().any(|rule| rule.role == "Account"),
            "{what}"
        );
    }
    if note.contains("multi-currency") {
        assert!(what.contains("currency"), "{what}");
    }
    if note.contains("match key") {
        let in_rule = |part: &tandem_merge::dataflow::MatchPart| part.properties == mapping.properties;
        let rule = flow
            .match_rules
            .iter()
            .position(|rule| rule.parts.iter().any(in_rule));
        assert!(rule.is_some(), "{what}");
        let expected = ["match key 1", "match key 2", "match key 3"]
            .iter()
            .position(|key| note.starts_with(key));
        // A key that the object in use does not serve moves the later ones up.
        assert!(rule.unwrap() <= expected.unwrap_or(0), "{what}");
    }
}
