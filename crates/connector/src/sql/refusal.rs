//! What a database's refusals mean.

use super::Sql;
use super::catalogue::Kind;
use super::driver::{Class, Said, Trouble};
use super::table::Table;
use crate::{Outcome, Refusal, RefusalKind};
use tandem_merge::record::Values;
use tandem_merge::value::Value;

/// What is done: a deletion is refused for other reasons than a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    Update,
    Delete,
}

/// The longest message that is kept of what a database says.
const LONGEST: usize = 500;

/// What a class means for a write, and what to do about it.
fn meaning(class: Class, deed: Deed) -> (RefusalKind, &'static str) {
    match class {
        Class::Unique => (
            RefusalKind::Duplicate,
            "Another record holds the value: link to that one, or change one of the two",
        ),
        Class::Foreign if deed == Deed::Delete => (
            RefusalKind::Locked,
            "Other records refer to it: delete or change those first",
        ),
        Class::Foreign => (RefusalKind::BadReference, "Let it refer to a record that exists"),
        Class::Null => (RefusalKind::Invalid, "Give it a value"),
        Class::Check => (
            RefusalKind::Invalid,
            "Correct the value to one that the database takes",
        ),
        Class::TooLong => (RefusalKind::Invalid, "Shorten the value"),
        Class::Range => (
            RefusalKind::Invalid,
            "Correct the number to one that the database takes",
        ),
        Class::Type => (
            RefusalKind::Invalid,
            "Correct the type in the description or in the mapping",
        ),
        Class::Forbidden => (
            RefusalKind::Forbidden,
            "Let a database administrator grant Tandem's user the right to do this",
        ),
        Class::Busy => (RefusalKind::Busy, "It is tried again by itself"),
        Class::Limit => (RefusalKind::Limit, "Let a database administrator make room"),
        Class::Missing => (
            RefusalKind::Unclear,
            "Correct the description, or have the table mended, then retry",
        ),
        Class::System | Class::Other => (
            RefusalKind::Unclear,
            "Let a database administrator look why it answers so, then retry",
        ),
    }
}

/// What became of a write that a database did not carry out. Nothing was committed.
pub(super) fn outcome(erp: &Sql, table: &Table, values: &Values, deed: Deed, trouble: Trouble) -> Outcome {
    match trouble {
        Trouble::Said(said) => Outcome::Refused(refusal(table, values, deed, said)),
        // What was not committed is rolled back with its connection.
        other => Outcome::NotSent(erp.trouble(other)),
    }
}

fn refusal(table: &Table, values: &Values, deed: Deed, said: Said) -> Refusal {
    let (kind, advice) = meaning(said.class, deed);
    Refusal {
        kind,
        properties: if deed == Deed::Delete {
            Vec::new()
        } else {
            blamed(table, values, &said)
        },
        message: short(&said.message),
        advice: advice.to_owned(),
    }
}

/// The properties that a refusal is about.
fn blamed(table: &Table, values: &Values, said: &Said) -> Vec<String> {
    let constraint = said.constraint.as_ref();
    let target = constraint.and_then(|name| table.target.constraints.get(name));
    let named = target.or_else(|| constraint.and_then(|name| table.relation.constraints.get(name)));
    let columns = match named {
        Some(columns) if said.columns.is_empty() => columns,
        _ => &said.columns,
    };
    let stands_for = |column: &String| {
        let mut items = table.properties.iter();
        items
            .find(|(_, item)| item.column.name == *column)
            .map(|(name, _)| name.clone())
    };
    let joined = values.keys().filter(|name| {
        let joined = table.joined.get(*name);
        joined.is_some_and(|joined| joined.is_in(columns))
    });
    let joined: Vec<String> = joined.cloned().collect();
    if !joined.is_empty() {
        return joined;
    }
    if !columns.is_empty() {
        return columns.iter().filter_map(stands_for).collect();
    }
    let fits = |(name, value): &(&String, &Value)| {
        let Some(item) = table.properties.get(*name) else {
            return false;
        };
        match said.class {
            Class::TooLong => {
                let length = value.as_text().map_or(0, |text| text.chars().count());
                item.column.max_length.is_some_and(|most| length > most)
            }
            Class::Range => too_large(item.column.precision, item.column.scale, item.codec.kind, value),
            // A condition that names its column tells which one it is about.
            Class::Check => names(&said.message, &item.column.name),
            _ => false,
        }
    };
    values.iter().filter(fits).map(|(name, _)| name.clone()).collect()
}

fn too_large(precision: Option<u32>, scale: Option<u32>, kind: Kind, value: &Value) -> bool {
    let Some(before) = precision.map(|digits| digits.saturating_sub(scale.unwrap_or_default())) else {
        return false;
    };
    let whole = match value {
        Value::Integer(number) => number.unsigned_abs().to_string(),
        Value::Decimal(number) => number.trunc().abs().to_string(),
        _ => return false,
    };
    let digits = u32::try_from(whole.len()).unwrap_or(u32::MAX);
    let most = match (kind, precision) {
        (Kind::Integer, Some(5)) => "32767",
        (Kind::Integer, Some(10)) => "2147483647",
        _ => "",
    };
    digits > before || (digits == before && !most.is_empty() && whole.as_str() > most)
}

/// Whether a text holds a name as a word.
fn names(text: &str, name: &str) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.split(|letter| !part(letter)).any(|word| word == name)
}

pub(super) fn short(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message.to_owned(),
    }
}
