//! The table of properties that a dataflow promises: the comma-separated file beside the flow files.

use crate::failure::Failure;
use std::collections::BTreeMap;
use tandem_merge::dataflow::{Direction, Side};

/// The table of the flows that come with the program. It states the promise independently of the flow files.
pub(crate) const SHIPPED: &str = include_str!("../../../../flows/customerp-salesforce/properties.csv");

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableRow {
    /// The flow's number.
    pub(crate) flow: u32,
    /// The record types, first and second.
    pub(crate) types: [String; 2],
    /// The first side's property with its data type.
    pub(crate) first: Cell,
    /// The second side's property on the object of the record type's own name.
    pub(crate) standard: Option<Cell>,
    /// The second side's property on an object of another name, or one added to the standard object.
    pub(crate) custom: Option<Cell>,
    /// Which way values travel.
    pub(crate) direction: Direction,
    /// `value`, a constant, or nothing.
    pub(crate) on_create: String,
    /// What to mind; an enum's two vocabularies stand here.
    pub(crate) note: String,
}

/// A property in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Its name.
    pub(crate) property: String,
    /// Its data type as written.
    pub(crate) data_type: String,
    /// The longest text it holds, in characters.
    pub(crate) length: Option<usize>,
}

/// Reads the table.
///
/// # Errors
/// [`Failure`] naming the first line that cannot be read, with what it lacks.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<TableRow>, Failure> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let head: Vec<String> = fields(lines.next().unwrap_or_default());
    let mut rows = Vec::new();
    for (number, line) in lines.enumerate() {
        let named: BTreeMap<&str, String> = head.iter().map(String::as_str).zip(fields(line)).collect();
        rows.push(row(&named).map_err(|lacks| {
            Failure::usage(
                format!("{file}, row {}: {lacks}", number + 1),
                "Write the table with the columns of properties.csv",
            )
        })?);
    }
    Ok(rows)
}

fn row(named: &BTreeMap<&str, String>) -> Result<TableRow, String> {
    let text = |column: &str| named.get(column).cloned().unwrap_or_default();
    let given = |column: &str| {
        let text = text(column);
        if text.is_empty() {
            Err(format!("`{column}` is blank"))
        } else {
            Ok(text)
        }
    };
    let cell = |property: &str, data_type: &str, length: &str| {
        let property = text(property);
        (!property.is_empty()).then(|| Cell {
            property,
            data_type: text(data_type),
            length: text(length).parse().ok(),
        })
    };
    let direction = match text("direction").as_str() {
        "both" => Direction::Both,
        "to-salesforce" => Direction::To(Side::Second),
        "to-customerp" => Direction::To(Side::First),
        other => return Err(format!("`direction` is `{other}`")),
    };
    Ok(TableRow {
        flow: given("flow")?
            .parse()
            .map_err(|_| "`flow` is no number".to_owned())?,
        types: [given("customerp_type")?, given("salesforce_type")?],
        first: Cell {
            property: given("customerp_property")?,
            data_type: given("customerp_data_type")?,
            length: None,
        },
        standard: cell("salesforce_property", "salesforce_data_type", "length"),
        custom: cell("custom_property", "custom_data_type", "custom_length"),
        direction,
        on_create: text("on_create"),
        note: text("note"),
    })
}

/// The fields of a line; quotes protect commas, a doubled quote is a quote.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                push(&mut fields, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => push(&mut fields, other),
        }
    }
    fields
}

fn push(fields: &mut [String], letter: char) {
    if let Some(last) = fields.last_mut() {
        last.push(letter);
    }
}

/// The pairs of an enum's two vocabularies, from a note such as `draft=Draft, confirmed=Activated. Created as ...`.
pub(crate) fn vocabulary(note: &str) -> Vec<(String, String)> {
    let list = note.split(". ").next().unwrap_or_default();
    let pairs = list.split(", ").filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(first, second)| (first.trim().to_owned(), second.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_row_of_the_shipped_table_is_read() {
        let rows = read("properties.csv", SHIPPED).unwrap();
        assert_eq!(rows.len(), SHIPPED.lines().count() - 1);
        let flows: std::collections::BTreeSet<u32> = rows.iter().map(|row| row.flow).collect();
        assert_eq!(flows, (1..=9).collect());
        let row = rows
            .iter()
            .find(|row| row.first.property == "orderNumber")
            .unwrap();
        assert_eq!(row.standard.as_ref().unwrap().property, "InvoiceNumber");
        assert_eq!(row.custom.as_ref().unwrap().property, "InvoiceNumber__c");
    }

    #[test]
    fn quotes_protect_commas() {
        assert_eq!(fields(r#"a,"b, ""c""",,d"#), ["a", "b, \"c\"", "", "d"]);
    }

    #[test]
    fn an_enum_is_read_from_its_note() {
        let pairs = vocabulary("draft=Draft, confirmed=Activated. Created as Draft, x=y");
        let wanted = [("draft", "Draft"), ("confirmed", "Activated")];
        assert_eq!(pairs, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_row_without_a_type_is_refused_by_its_number() {
        let text = "flow,customerp_type,direction\n1,,both\n";
        assert!(matches!(read("t.csv", text), Err(Failure::One { what, .. }) if what.contains("row 1")));
    }
}
