//! A description held against the database's catalogue: whether its key tells rows apart, and of which zone its times are.

use super::catalogue::{Column, Kind};
use super::driver::Dialect;
use super::table::Table;
use super::value::Layout;
use crate::proof::{KEY, Verdict, ZONE};
use crate::{Shape, Told};
use std::collections::BTreeSet;

/// What the catalogue says of a description.
pub(super) fn shape(table: &Table, names_zone: bool) -> Shape {
    let columns = table.properties.iter();
    Shape {
        nobody: stranger(table),
        places: columns
            .map(|(name, item)| (name.clone(), item.column.name.clone()))
            .collect(),
        told: std::iter::once(key(table))
            .chain(zone(table, names_zone))
            .collect(),
    }
}

/// A key that no row has, and that its columns can hold.
fn stranger(table: &Table) -> Option<String> {
    let parts = table.key.iter().map(|place| stranger_in(&place.column));
    match parts.collect::<Option<Vec<String>>>()?.as_slice() {
        [one] => Some(one.clone()),
        all => Some(crate::key::join(all)),
    }
}

fn stranger_in(column: &Column) -> Option<String> {
    let native = column.native.to_lowercase();
    let small = ["small", "tiny", "medium", "int2"];
    match column.kind {
        Kind::Integer if small.iter().any(|word| native.contains(word)) => None,
        Kind::Integer => Some("2147483646".to_owned()),
        Kind::Uuid => Some("ffffffff-ffff-4fff-bfff-fffffffffff0".to_owned()),
        Kind::Text if column.max_length.is_none_or(|most| most >= 23) => {
            Some("tandem-no-such-record-0".to_owned())
        }
        _ => None,
    }
}

/// Rows that share a key hide each other.
fn key(table: &Table) -> Told {
    let record = &table.record;
    let key: BTreeSet<&String> = record.key.iter().collect();
    let mut unique = table.relation.unique.iter();
    let holds =
        unique.any(|columns| !columns.is_empty() && columns.iter().all(|column| key.contains(column)));
    let named = record.key.join(", ");
    let (verdict, seen) = match (holds, table.relation.unique.is_empty()) {
        (true, _) => (Verdict::Holds, format!("{named} is unique in {}", record.table)),
        (false, true) => {
            let what = if table.relation.is_view {
                "a view"
            } else {
                "a table without a key"
            };
            let seen = format!(
                "{} is {what}: nothing tells whether two rows may have the same {named}, of which one would be hidden",
                record.table
            );
            (Verdict::Doubtful, seen)
        }
        (false, false) => {
            let known: Vec<String> = table
                .relation
                .unique
                .iter()
                .map(|columns| columns.join(", "))
                .collect();
            let seen = format!(
                "{named} is not unique in {}: of two rows that share it one is hidden. What is unique there: {}. Correct `key:`",
                record.table,
                known.join("; ")
            );
            (Verdict::Broken, seen)
        }
    };
    Told {
        law: KEY,
        verdict,
        seen,
    }
}

/// Times of columns that know no zone are taken for those of UTC where nothing is said.
fn zone(table: &Table, named: bool) -> Option<Told> {
    let own = table
        .record
        .modified
        .as_ref()
        .and_then(|modified| modified.zone.as_ref());
    let silent = |kind: Kind, layout: Layout, column: &Column| match table.dialect {
        // Its texts of times are those of UTC where its own functions write them.
        Dialect::Sqlite => kind == Kind::Text && column.kind == Kind::Civil && layout.t && !layout.z,
        _ => kind == Kind::Civil,
    };
    let modified = table.modified.iter().filter(|_| own.is_none());
    let modified = modified.map(|place| (&place.column, &place.codec));
    let shown = table
        .shown
        .iter()
        .map(|(_, place, _)| (&place.column, &place.codec));
    let dated = modified
        .chain(shown)
        .filter(|(column, codec)| silent(codec.kind, codec.layout, column));
    let columns: BTreeSet<&str> = dated.map(|(column, _)| column.name.as_str()).collect();
    if named || columns.is_empty() {
        return None;
    }
    let columns: Vec<&str> = columns.into_iter().collect();
    Some(Told {
        law: ZONE,
        verdict: Verdict::Doubtful,
        seen: format!(
            "no zone stands with the times in {}, and none is described: UTC is assumed. Write `zone: Europe/Berlin`, or whichever it is, at the top of the description; `zone: UTC` where that is right",
            columns.join(", ")
        ),
    })
}
