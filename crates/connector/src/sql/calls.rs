//! Writes by procedures of the database.

use super::description::Call;
use super::driver::{Dialect, Statement, Transaction, Trouble};
use super::statement::Build;
use super::table::{Item, Table};
use super::value::{Cell, text};

/// Calls a procedure or a function with values of a record: those that are written, else those that its row has.
/// Answers the first row of what it answers.
pub(super) async fn carry_out(
    table: &Table,
    transaction: &mut dyn Transaction,
    call: &Call,
    given: &[(&Item, Cell)],
    row: Option<&[Cell]>,
) -> Result<Option<Vec<Cell>>, Trouble> {
    let dialect = table.dialect;
    let name = dialect.table(&call.procedure);
    let begin = match dialect {
        Dialect::Postgres if is_function(transaction, &name).await? => "SELECT * FROM ",
        _ => "CALL ",
    };
    let mut build = Build::new(dialect, format!("{begin}{name}("));
    build.list(&call.given, |build, property| {
        // Whoever put the table together has seen that it is there.
        let Some(item) = table.properties.get(property) else {
            return;
        };
        let written = given.iter().find(|(one, _)| one.column.name == item.column.name);
        let stands = || row.zip(table.place_of(property)).map(|(row, at)| row[at].clone());
        let cell = written.map(|(_, cell)| cell.clone()).or_else(stands);
        build.give(&item.column, cell.unwrap_or(Cell::Null));
    });
    build.push(")");
    let rows = transaction.rows(&build.done(Vec::new())).await?;
    Ok(rows.iter().next().map(<[Cell]>::to_vec))
}

async fn is_function(transaction: &mut dyn Transaction, name: &str) -> Result<bool, Trouble> {
    let statement = Statement {
        sql: "SELECT CAST(prokind AS text) FROM pg_proc WHERE oid = CAST(to_regproc($1) AS oid)".to_owned(),
        given: vec![Cell::Text(name.to_owned())],
        answers: Vec::new(),
    };
    let rows = transaction.rows(&statement).await?;
    Ok(rows.cells.first().is_none_or(|kind| text(kind) != "p"))
}

/// The key of the record that a procedure made: what it answers with, else what it was given.
pub(super) fn key_of(table: &Table, answer: Option<Vec<Cell>>, given: &[(&Item, Cell)]) -> Option<Vec<Cell>> {
    let own = |place: &super::table::Place| {
        let written = given
            .iter()
            .find(|(item, _)| item.column.name == place.column.name);
        written.map(|(_, cell)| cell.clone())
    };
    let answered = answer.and_then(|row| {
        let key = row.get(..table.key.len())?.iter().zip(&table.key);
        let key = key.map(|(cell, place)| match cell {
            Cell::Null | Cell::Odd(_) => None,
            cell => place.codec.write(&text(cell).as_str().into()).ok(),
        });
        key.collect()
    });
    answered.or_else(|| table.key.iter().map(own).collect())
}
