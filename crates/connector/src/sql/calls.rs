//! Writes by procedures of the database.

use super::description::Call;
use super::driver::{Dialect, Statement, Transaction, Trouble};
use super::statement::Build;
use super::table::{Item, Table};
use super::value::{Cell, text};
use super::write::Stop;
use crate::Outcome;

/// Calls a procedure or a function with values of a record: those that are written, else those that its row has.
/// Answers the first row of what it answers. A procedure that ends the transaction by itself may have done its work
/// although it fails, or although nobody hears of it: then nobody knows, and the record is read.
pub(super) async fn carry_out(
    table: &Table,
    transaction: &mut dyn Transaction,
    call: &Call,
    given: &[(&Item, Cell)],
    row: Option<&[Cell]>,
) -> Result<Option<Vec<Cell>>, Stop> {
    let mark = mark(table.dialect, transaction).await?;
    let statement = statement(table, transaction, call, given, row).await?;
    match transaction.rows(&statement).await {
        Ok(rows) => Ok(rows.iter().next().map(<[Cell]>::to_vec)),
        Err(Trouble::Lost(why)) if may_commit(table.dialect) => Err(unknown(call, &why)),
        Err(Trouble::Said(said)) if !stands(table.dialect, transaction, mark).await => {
            Err(unknown(call, &said.message))
        }
        Err(trouble) => Err(Stop::Trouble(trouble)),
    }
}

/// What came of whatever followed a call.
pub(super) fn then<T>(table: &Table, call: &Call, done: Result<T, Stop>) -> Result<T, Stop> {
    match done {
        Err(Stop::Trouble(Trouble::Lost(why) | Trouble::Away(_, why))) if may_commit(table.dialect) => {
            Err(unknown(call, &why))
        }
        Err(Stop::Trouble(Trouble::Said(said))) if may_commit(table.dialect) => {
            Err(unknown(call, &said.message))
        }
        done => done,
    }
}

fn unknown(call: &Call, why: &str) -> Stop {
    let name = &call.procedure;
    Stop::Outcome(Outcome::Unknown(format!(
        "{why}; {name} may have committed before that"
    )))
}

/// Whether a procedure can end the transaction that it is called in. PostgreSQL lets none.
pub(super) fn may_commit(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Mysql | Dialect::Mssql)
}

/// What the transaction is known by afterwards.
async fn mark(dialect: Dialect, transaction: &mut dyn Transaction) -> Result<Option<Cell>, Trouble> {
    match dialect {
        Dialect::Mysql => transaction.batch("SAVEPOINT tandem_call").await.map(|()| None),
        Dialect::Mssql => number(transaction).await,
        Dialect::Postgres | Dialect::Sqlite => Ok(None),
    }
}

/// Whether it is the same transaction still.
async fn stands(dialect: Dialect, transaction: &mut dyn Transaction, mark: Option<Cell>) -> bool {
    match dialect {
        Dialect::Mysql => transaction.batch("RELEASE SAVEPOINT tandem_call").await.is_ok(),
        Dialect::Mssql => number(transaction).await.is_ok_and(|now| now == mark),
        Dialect::Postgres | Dialect::Sqlite => true,
    }
}

/// The number of the transaction, in SQL Server.
async fn number(transaction: &mut dyn Transaction) -> Result<Option<Cell>, Trouble> {
    let statement = Statement {
        sql: "SELECT CURRENT_TRANSACTION_ID()".to_owned(),
        ..Statement::default()
    };
    Ok(transaction.rows(&statement).await?.cells.into_iter().next())
}

async fn statement(
    table: &Table,
    transaction: &mut dyn Transaction,
    call: &Call,
    given: &[(&Item, Cell)],
    row: Option<&[Cell]>,
) -> Result<Statement, Trouble> {
    let dialect = table.dialect;
    let name = dialect.table(&call.procedure);
    let (begin, end) = match dialect {
        Dialect::Postgres if is_function(transaction, &name).await? => ("SELECT * FROM ", ")"),
        Dialect::Mssql => ("EXEC ", ""),
        _ => ("CALL ", ")"),
    };
    let between = if end.is_empty() { " " } else { "(" };
    let mut build = Build::new(dialect, format!("{begin}{name}{between}"));
    build.list(&call.given, |build, property| {
        // Whoever put the table together has seen that it is there.
        let Some(item) = table.properties.get(property) else {
            return;
        };
        let written = given.iter().find(|(one, _)| one.column.name == item.column.name);
        let stands = || row.zip(table.place_of(property)).map(|(row, at)| row[at].clone());
        let cell = written.map(|(_, cell)| cell.clone()).or_else(stands);
        let cell = cell.unwrap_or(Cell::Null);
        if dialect == Dialect::Mssql {
            // Procedures take values there, and no expressions.
            build.given.push(cell);
            let place = dialect.bare(build.given.len());
            build.push(&place);
        } else {
            build.give(&item.column, cell);
        }
    });
    build.push(end);
    Ok(build.done(Vec::new()))
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
