//! Which entries the lists of either system have, and which of them a row carries over.
//!
//! Lists change while everything runs, and a value that finds no entry holds up its own property alone: so nothing that is found
//! here keeps a sync from its work.

use super::compare::{Finding, Weight};
use std::collections::BTreeMap;
use tandem_connector::Schema;
use tandem_merge::config::suggestion;
use tandem_merge::dataflow::{EnumMap, Flow, Kind, Mapping, Side};

/// So many entries are named.
const NAMED: usize = 6;

/// One finding for each row that carries what the other side's list does not have, or leaves out what a list has.
pub(super) fn findings(flow: &Flow, schemas: &[Schema; 2]) -> Vec<Finding> {
    let rows = flow.mappings.iter();
    let found = rows.flat_map(|mapping| {
        Side::BOTH.map(|to| {
            let lists = Side::BOTH.map(|side| list(flow, mapping, side, schemas));
            of_row(flow, mapping, to, &lists).filter(|_| mapping.travels_to(to) && flow.end(to).write)
        })
    });
    found.flatten().collect()
}

/// The entries of a property's list; none where anything goes.
fn list<'s>(flow: &Flow, mapping: &Mapping, side: Side, schemas: &'s [Schema; 2]) -> &'s [String] {
    let of = schemas[side.index()].types.get(&flow.end(side).record_type.name);
    let property = of.and_then(|of| of.properties.get(mapping.property(side)));
    // Several of a list stand in one text.
    let one = property.filter(|property| property.data_type != "multipicklist");
    one.map_or(&[], |property| &property.values)
}

fn of_row(flow: &Flow, mapping: &Mapping, to: Side, lists: &[&[String]; 2]) -> Option<Finding> {
    let [from_here, there] = [to.other(), to].map(|side| lists[side.index()]);
    let place = |side: Side| format!("{}.{}", flow.end(side).object, mapping.property(side));
    let (target, source) = (place(to), place(to.other()));
    let finding = |weight, what: String, why: String| {
        Some(Finding::new(weight, flow, what, why).about(mapping.property(Side::First)))
    };
    match &mapping.kind {
        Kind::Enum(map) => {
            let carried = carried(map, to);
            let mut words = carried.values();
            if let Some(word) = words.find(|word| !there.is_empty() && !there.contains(word)) {
                let help = suggestion(word, there.iter().map(String::as_str));
                return finding(Weight::Doubtful, format!("{target} has no entry `{word}`"), help);
            }
            let left: Vec<&String> = from_here
                .iter()
                .filter(|entry| !carried.contains_key(*entry))
                .collect();
            let what = format!(
                "{source} has entries that the row's `values` do not name: {}",
                named(&left)
            );
            let why = "a record that holds one keeps what it has in the other system, and is told";
            (!left.is_empty()).then(|| finding(Weight::Limit, what, why.to_owned()))?
        }
        Kind::String if !there.is_empty() => {
            let strange: Vec<&String> = from_here.iter().filter(|entry| !there.contains(entry)).collect();
            let all: Vec<&String> = there.iter().collect();
            match (from_here.is_empty(), strange.is_empty()) {
                (true, _) => finding(
                    Weight::Limit,
                    format!("{target} takes its own entries alone: {}", named(&all)),
                    "a record that holds anything else keeps what it has there, and is told".to_owned(),
                ),
                (false, true) => None,
                (false, false) => finding(
                    Weight::Doubtful,
                    format!("{target} has no entries for {} of {source}", named(&strange)),
                    format!("say what becomes what: `{}`", map_to_write(lists)),
                ),
            }
        }
        _ => None,
    }
}

/// What becomes of what on a side.
fn carried(map: &EnumMap, to: Side) -> &BTreeMap<String, String> {
    match to {
        Side::First => &map.to_first,
        Side::Second => &map.to_second,
    }
}

/// The row's map, as far as equal names tell; what a person has to choose stays open.
fn map_to_write([first, second]: &[&[String]; 2]) -> String {
    let fold = |word: &str| -> String {
        word.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let pairs = first.iter().map(|entry| {
        let same = second.iter().find(|other| fold(other) == fold(entry));
        format!("{entry}: {}", same.map_or("?", String::as_str))
    });
    let pairs: Vec<String> = pairs.collect();
    format!("type: enum, values: {{ {} }}", pairs.join(", "))
}

fn named(entries: &[&String]) -> String {
    let shown: Vec<String> = entries
        .iter()
        .take(NAMED)
        .map(|entry| format!("`{entry}`"))
        .collect();
    match entries.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
