//! The change table: what triggers told of a type.

use super::catalogue::{Column, Kind};
use super::changes::Seen;
use super::description::TableName;
use super::driver::Dialect;
use super::reading::by_ids;
use super::statement::{Build, PAGE};
use super::table::Table;
use super::value::{Cell, text};
use super::{Error, ErrorKind, Scope, Sql};
use crate::http::clock;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, RecordType};

/// What a note says by which all rows of a table went at once: it names none of them.
pub(super) const EMPTIED: &str = "T";

/// Up to where the change table is known to be complete: what has this number or a later one may still come to light. In
/// PostgreSQL transactions are numbered; where there is one writer at a time the rows themselves are in order; else a
/// transaction may stay open as long as the overlap.
pub(super) async fn horizon(erp: &Sql, now: Timestamp) -> Result<i64, Error> {
    let dialect = erp.driver.dialect();
    let numbered = match dialect {
        Dialect::Postgres => {
            Some("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")
        }
        Dialect::Mssql => Some("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint)"),
        Dialect::Sqlite | Dialect::Mysql => None,
    };
    if let Some(sql) = numbered {
        return number(erp, Build::new(dialect, sql)).await;
    }
    let name = dialect.table(change_table(erp)?);
    let behind = format!("SELECT COALESCE(MAX(seq), 0) + 1 FROM {name}");
    if dialect == Dialect::Sqlite {
        return number(erp, Build::new(dialect, behind)).await;
    }
    let since = now.checked_sub(erp.overlap()).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut build = Build::new(
        dialect,
        format!("SELECT COALESCE((SELECT MIN(seq) FROM {name} WHERE at >= "),
    );
    let at = Column::new("at", Kind::Moment, "timestamp");
    build.give(&at, Cell::Moment(since));
    build.push(&format!("), ({behind}))"));
    number(erp, build).await
}

async fn number(erp: &Sql, build: Build) -> Result<i64, Error> {
    match erp.read(&build.done(vec![Kind::Integer])).await?.cells.first() {
        Some(Cell::Integer(number)) => Ok(*number),
        _ => Ok(0),
    }
}

fn change_table(erp: &Sql) -> Result<&TableName, Error> {
    let table = erp.config.description.change_table.as_ref();
    table.ok_or_else(|| {
        let advice = "Add `change_table:` to the description";
        erp.error(
            ErrorKind::Missing,
            "the description names no change table",
            advice,
            Scope::System,
        )
    })
}

/// The column of a change table that orders its rows before their number does.
fn ordering(dialect: Dialect) -> Column {
    match dialect {
        Dialect::Postgres => Column::new("tx", Kind::Integer, "bigint"),
        Dialect::Mssql => Column::new("ver", Kind::Integer, "rowversion"),
        Dialect::Sqlite | Dialect::Mysql => Column::new("seq", Kind::Integer, "bigint"),
    }
}

/// The next page of what triggers told of a type.
pub(super) async fn page(
    erp: &Sql,
    of: &RecordType,
    table: &Table,
    seen: &mut Seen,
) -> Result<Vec<Observation>, Error> {
    let dialect = erp.driver.dialect();
    let (order, number) = (ordering(dialect), Column::new("seq", Kind::Integer, "bigint"));
    let named = Column::new("of", Kind::Text, "text");
    let after = match seen.after.as_deref() {
        Some([first, second]) => [first.clone(), second.clone()],
        // Rows of the first number that is still open are read again.
        _ => [Cell::Integer((seen.told - 1).max(0)), Cell::Integer(i64::MAX)],
    };
    let mut build = Build::new(
        dialect,
        format!(
            "SELECT {}, seq, id, op FROM {} WHERE {} = ",
            dialect.asked(&order),
            dialect.table(change_table(erp)?),
            dialect.quoted("of")
        ),
    );
    build.give(&named, Cell::Text(table.record.table.to_string()));
    build.push(" AND ");
    build.behind(&[(&order.name, &order), ("seq", &number)], &after);
    // Twice by the same column is once, and not every database takes it.
    let then = if order.name == "seq" { "" } else { ", seq" };
    build.push(&format!(" ORDER BY {}{then}{}", order.name, dialect.first(PAGE)));
    let began = clock::now();
    let told = erp
        .read(&build.done(vec![Kind::Integer, Kind::Integer, Kind::Text, Kind::Text]))
        .await?;
    seen.after = told.iter().next_back().map(|row| row[..2].to_vec());
    let mut last: BTreeMap<String, bool> = BTreeMap::new();
    for row in told.iter() {
        if text(&row[3]) == EMPTIED {
            seen.is_emptied(&row[1]);
            continue;
        }
        last.insert(canonical(table, &text(&row[2])), text(&row[3]) == "D");
    }
    if told.len() < PAGE {
        seen.reaches_its_end();
        erp.listings.done(of);
    }
    let ids: Vec<String> = last.keys().cloned().collect();
    let mut found = by_ids(erp, table, &ids, began).await?;
    let known: BTreeSet<String> = found.iter().map(|seen| seen.key.id.clone()).collect();
    let moment = erp.there(began);
    let gone = last
        .iter()
        .filter(|(id, deleted)| **deleted && !known.contains(*id));
    found.extend(gone.map(|(id, _)| table.absent(id, true, began, moment)));
    Ok(found)
}

/// An id as rows show it: triggers may write numbers otherwise.
fn canonical(table: &Table, id: &str) -> String {
    let parts = crate::key::split(id, table.key.len()).unwrap_or_default();
    let parts = parts.iter().zip(&table.key).map(|(part, place)| {
        // Some databases fill such texts up with blanks when they are told, and not when they are shown.
        let native = place.column.native.split('(').next().unwrap_or_default();
        let padded = matches!(native, "char" | "nchar" | "bpchar" | "character");
        let part = if padded {
            part.trim_end_matches(' ')
        } else {
            part.as_str()
        };
        let cell = place.codec.write(&part.into()).ok()?;
        Some(text(&cell))
    });
    let parts: Option<Vec<String>> = parts.collect();
    parts
        .filter(|parts| !parts.is_empty())
        .map_or_else(|| id.to_owned(), |parts| crate::key::join(&parts))
}

/// Which of the ids triggers told the deletion of.
pub(super) async fn deleted(erp: &Sql, table: &Table, ids: &[String]) -> Result<BTreeSet<String>, Error> {
    let dialect = erp.driver.dialect();
    let column = Column::new("id", Kind::Text, "text");
    let mut build = Build::new(
        dialect,
        format!(
            "SELECT DISTINCT id FROM {} WHERE {} = ",
            dialect.table(change_table(erp)?),
            dialect.quoted("of")
        ),
    );
    build.give(&column, Cell::Text(table.record.table.to_string()));
    build.push(" AND op = 'D' AND id IN (");
    build.list(ids, |build, id| {
        build.give(&column, Cell::Text(id.clone()));
    });
    build.push(")");
    let rows = erp.read(&build.done(vec![Kind::Text])).await?;
    Ok(rows
        .cells
        .iter()
        .map(|cell| canonical(table, &text(cell)))
        .collect())
}
