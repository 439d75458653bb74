//! What queries show: tables of records, and what was deleted.

use serde_json::{Map, Value as Json, json};

use super::super::shape::Kind;
use super::super::store::{Row, Store, Table, text_of};
use super::suiteql::{self, Cell, Query};

/// A table of queries: the name, that of the record, and the member that tells its kind.
type Queried = (&'static str, &'static str, Option<(&'static str, &'static str)>);

const TABLES: [Queried; 4] = [
    ("customer", "customer", None),
    ("contact", "contact", None),
    ("item", "inventoryItem", Some(("itemtype", "InvtPart"))),
    ("transaction", "salesOrder", Some(("type", "SalesOrd"))),
];

/// What stands in the columns of a row.
type Line<'s> = Box<dyn Fn(&str) -> Cell + 's>;

/// What a query is about: its rows, and the columns that there are.
struct Source<'s> {
    rows: Vec<Line<'s>>,
    columns: Vec<String>,
}

impl<'s> Source<'s> {
    /// What was deleted, of all record types.
    fn deleted(store: &'s Store) -> Self {
        let mut all: Vec<(&str, &Row, i64)> = Vec::new();
        for (_, of, _) in TABLES {
            let deleted = store.table(of).into_iter().flat_map(|table| &table.deleted);
            all.extend(deleted.map(|(row, at)| (of, row, *at)));
        }
        all.sort_by_key(|(_, row, _)| row.number);
        let line = |(of, row, at): (&'s str, &'s Row, i64)| -> Line<'s> {
            Box::new(move |column: &str| match column {
                "recordid" => number(row.number),
                "type" => Cell::Text(of.to_lowercase()),
                _ => Cell::Time(at / 1_000_000),
            })
        };
        Self {
            rows: all.into_iter().map(line).collect(),
            columns: ["recordid", "type", "deleteddate"].map(str::to_owned).to_vec(),
        }
    }

    /// The records of a table.
    fn alive(store: &'s Store, from: &str) -> Result<Self, String> {
        let wanted = TABLES.into_iter().find(|(name, ..)| *name == from);
        let named = wanted.and_then(|(_, of, kind)| Some((store.table(of)?, kind)));
        let (table, kind) = named.ok_or_else(|| format!("Record '{from}' was not found."))?;
        let line =
            |row: &'s Row| -> Line<'s> { Box::new(move |column: &str| cell(table, row, kind, column)) };
        let mut columns: Vec<String> = table
            .shape
            .fields
            .keys()
            .map(|name| name.to_lowercase())
            .collect();
        let born = if kind.is_some() {
            "createddate"
        } else {
            "datecreated"
        };
        columns.extend(["id", "lastmodifieddate", born].map(str::to_owned));
        columns.extend(kind.map(|(name, _)| name.to_owned()));
        columns.extend((from == "transaction").then(|| "lastmodifiedby".to_owned()));
        Ok(Self {
            rows: table.rows.values().map(line).collect(),
            columns,
        })
    }
}

/// The rows of a query, as they are shown.
///
/// # Errors
/// What it asks for that is not there.
pub(super) fn of(store: &Store, query: &Query) -> Result<Vec<Json>, String> {
    let mut source = match query.from.as_str() {
        "deletedrecord" => Source::deleted(store),
        from => Source::alive(store, from)?,
    };
    let unknown = |name: &&str| !source.columns.iter().any(|known| known == name);
    if let Some(name) = query.names().into_iter().find(unknown) {
        return Err(format!(
            "Field '{name}' for record '{}' was not found.",
            query.from
        ));
    }
    if query.order.is_none() {
        // Nobody promises an order that was not asked for.
        source.rows.reverse();
    }
    let mut shown = Vec::new();
    for row in source.rows {
        if !query.wants(&*row)? {
            continue;
        }
        let mut members = Map::from_iter([("links".to_owned(), json!([]))]);
        for (term, name) in &query.columns {
            let text = match term.value(&*row)? {
                Cell::Blank => continue,
                Cell::Text(text) => text,
                Cell::Number(number) => number.to_string(),
                Cell::Time(at) => suiteql::printed(at, "%-m/%-d/%Y"),
            };
            members.insert(name.clone(), text.into());
        }
        shown.push(Json::Object(members));
    }
    Ok(shown)
}

fn number(number: u64) -> Cell {
    Cell::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

/// What stands in a column of a record.
fn cell(table: &Table, row: &Row, kind: Option<(&str, &str)>, column: &str) -> Cell {
    match column {
        "id" => return number(row.number),
        "lastmodifieddate" => return Cell::Time(row.modified / 1_000_000),
        "createddate" | "datecreated" => return Cell::Time(row.created / 1_000_000),
        "lastmodifiedby" => return Cell::Text(row.by.clone()),
        _ => {}
    }
    if let Some((_, word)) = kind.filter(|(name, _)| *name == column) {
        return Cell::Text(word.to_owned());
    }
    let found = row.values.iter().find(|(name, _)| name.to_lowercase() == column);
    let Some((name, value)) = found else {
        return Cell::Blank;
    };
    match (&table.shape.fields[name].kind, value) {
        (_, Json::Null) => Cell::Blank,
        (_, Json::String(text)) if text.is_empty() => Cell::Blank,
        (_, Json::Bool(yes)) => Cell::Text(if *yes { "T" } else { "F" }.to_owned()),
        (Kind::Date, Json::String(text)) => suiteql::time(text).map_or(Cell::Blank, Cell::Time),
        (Kind::Reference(_), value) => text_of(Some(value)).parse().map_or(Cell::Blank, Cell::Number),
        (_, value) => Cell::Text(text_of(Some(value))),
    }
}
