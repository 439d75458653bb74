//! Carrying all rows of a state from one storage to another.

use crate::db::Trouble;
use crate::schema::OF_THE_MOMENT;
use crate::storage::{Column, Row, Storage, Type, Value};

/// A table: its name, and its columns with what each holds.
type Table = (String, Vec<(String, Type)>);

/// So many rows are given to one statement.
const TOGETHER: usize = 50;

/// Does all of it or nothing.
pub(crate) fn in_one(
    target: &dyn Storage,
    work: impl FnOnce() -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    target.run("BEGIN IMMEDIATE", &[])?;
    let done = work().and_then(|()| Ok(target.run("COMMIT", &[]).map(drop)?));
    done.inspect_err(|_| target.roll_back())
}

/// Carries the rows of every table. `named`: the one of the two that is an SQLite file, and says what its tables are.
pub(crate) fn rows(source: &dyn Storage, target: &dyn Storage, named: &dyn Storage) -> Result<(), Trouble> {
    let kept = |(name, _): &&Table| !OF_THE_MOMENT.contains(&name.as_str());
    tables(named)?
        .iter()
        .filter(kept)
        .try_for_each(|table| one(source, target, table))
}

/// The tables of an SQLite file.
fn tables(file: &dyn Storage) -> Result<Vec<Table>, Trouble> {
    let sql = "SELECT m.name, c.name, c.type FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
               WHERE m.type = 'table' ORDER BY m.name, c.cid";
    let mut tables: Vec<Table> = Vec::new();
    file.read(sql, &[], &mut |row| {
        let (table, column, of) = (row.get::<String>(0)?, row.get(1)?, row.get::<String>(2)?);
        let of = match of.as_str() {
            "INTEGER" => Type::Int,
            "BLOB" => Type::Blob,
            _ => Type::Text,
        };
        match tables.last_mut().filter(|(last, _)| *last == table) {
            Some((_, columns)) => columns.push((column, of)),
            None => tables.push((table, vec![(column, of)])),
        }
        Ok(true)
    })?;
    Ok(tables)
}

fn one(source: &dyn Storage, target: &dyn Storage, (table, columns): &Table) -> Result<(), Trouble> {
    target.run(&format!("DELETE FROM {table}"), &[])?;
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    let mut open: Vec<Value<'static>> = Vec::new();
    let full = TOGETHER * columns.len();
    source.walk(&format!("SELECT {names} FROM {table}"), &[], &mut |row| {
        for (place, (name, of)) in columns.iter().enumerate() {
            open.push(value(row, place, *of).ok_or_else(|| Trouble::Unreadable(format!("{table}.{name}")))?);
        }
        if open.len() >= full {
            insert(target, table, &names, columns.len(), &mut open)?;
        }
        Ok(true)
    })?;
    insert(target, table, &names, columns.len(), &mut open)
}

fn value(row: &dyn Row, place: usize, of: Type) -> Option<Value<'static>> {
    Some(match row.column(place)? {
        Column::Null => Value::Null(of),
        Column::Int(number) => Value::Int(number),
        Column::Text(text) => Value::Text(text.to_owned().into()),
        Column::Blob(bytes) => Value::Blob(bytes.to_owned().into()),
    })
}

fn insert(
    target: &dyn Storage,
    table: &str,
    names: &str,
    width: usize,
    open: &mut Vec<Value<'static>>,
) -> Result<(), Trouble> {
    if open.is_empty() {
        return Ok(());
    }
    let row = format!("({})", vec!["?"; width].join(","));
    let rows = vec![row; open.len() / width].join(",");
    target.run(&format!("INSERT INTO {table} ({names}) VALUES {rows}"), open)?;
    open.clear();
    Ok(())
}
