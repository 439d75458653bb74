//! Creates: an insert that tells the key of what it made.

use super::Sql;
use super::calls;
use super::driver::{Dialect, Statement, Transaction};
use super::statement::Build;
use super::table::{Item, Place, Table};
use super::value::Cell;
use super::write::{Left, Stop, kept_by_us, left, unwilling};
use crate::{Outcome, Refusal, RefusalKind};

/// Creates a record and reads it back.
pub(super) async fn create(
    erp: &Sql,
    table: &Table,
    transaction: &mut dyn Transaction,
    given: Vec<(&Item, Cell)>,
) -> Result<Left, Stop> {
    if let Some(call) = &table.record.calls.create {
        let answer = calls::carry_out(table, transaction, call, &given, None).await?;
        let Some(key) = calls::key_of(table, answer, &given) else {
            return Ok(Left::Nothing);
        };
        return calls::then(table, call, left(table, transaction, &key).await);
    }
    let dialect = table.dialect;
    let own = (dialect == Dialect::Mysql)
        .then(|| own_key(table, &given))
        .transpose()?;
    let statement = insert(erp, table, given);
    let key = match own {
        None => {
            let rows = transaction.rows(&statement).await?;
            rows.iter().next().map(<[Cell]>::to_vec)
        }
        Some(own) => {
            transaction.change(&statement).await?;
            let mut key = Vec::with_capacity(own.len());
            for part in own {
                key.push(match part {
                    Some(cell) => cell,
                    None => Cell::Integer(transaction.last_id().await?),
                });
            }
            Some(key)
        }
    };
    let Some(key) = key else {
        return Err(unwilling("a trigger or a rule did not let the row be created"));
    };
    let left = left(table, transaction, &key).await?;
    Ok(match left {
        // A trigger in place of the insert may have made another row, or none, whatever the insert answered.
        Left::Hidden(_) if table.dialect == Dialect::Mssql => Left::Nothing,
        left => left,
    })
}

/// The insert. Where the dialect can, it answers with the key.
fn insert(erp: &Sql, table: &Table, given: Vec<(&Item, Cell)>) -> Statement {
    let dialect = table.dialect;
    let mut build = Build::new(dialect, "");
    let (mut columns, mut values): (Vec<String>, Vec<String>) =
        kept_by_us(erp, table, &mut build, true).into_iter().unzip();
    for (item, cell) in given {
        columns.push(dialect.quoted(&item.column.name));
        build.given.push(cell);
        values.push(dialect.given(build.given.len(), &item.column));
    }
    let into = match columns.as_slice() {
        [] => table.into.clone(),
        columns => format!("{} ({})", table.into, columns.join(", ")),
    };
    let values = match (values.as_slice(), dialect) {
        ([], Dialect::Mysql) => "() VALUES ()".to_owned(),
        ([], _) => "DEFAULT VALUES".to_owned(),
        (values, _) => format!("VALUES ({})", values.join(", ")),
    };
    let each = |of: &dyn Fn(&Place) -> String| table.key.iter().map(of).collect::<Vec<_>>().join(", ");
    let asked = each(&|place| dialect.asked(&place.column));
    build.sql = match dialect {
        Dialect::Mysql => format!("INSERT INTO {into} {values}"),
        Dialect::Postgres | Dialect::Sqlite => format!("INSERT INTO {into} {values} RETURNING {asked}"),
        // By a table of its own, for a table that has triggers answers no other way.
        Dialect::Mssql => {
            let made = each(&|place| format!("{} {}", place.sql, place.column.native));
            let inserted = each(&|place| format!("inserted.{}", place.sql));
            format!(
                "DECLARE @made TABLE ({made}); INSERT INTO {into} OUTPUT {inserted} INTO @made {values}; SELECT {asked} FROM @made"
            )
        }
    };
    build.done(table.key.iter().map(|place| place.column.kind).collect())
}

/// The key of what is made where an insert does not answer with it: what is given, and none for the one column by which
/// the database counts.
fn own_key(table: &Table, given: &[(&Item, Cell)]) -> Result<Vec<Option<Cell>>, Stop> {
    let mut counts = true;
    let mut key = Vec::with_capacity(table.key.len());
    for place in &table.key {
        let own = given
            .iter()
            .find(|(item, _)| item.column.name == place.column.name);
        match own {
            Some((_, cell)) if *cell != Cell::Null => key.push(Some(cell.clone())),
            _ if place.column.counts && counts => {
                counts = false;
                key.push(None);
            }
            _ => {
                let column = &place.column.name;
                return Err(Stop::Outcome(Outcome::Refused(Refusal {
                    kind: RefusalKind::Invalid,
                    properties: Vec::new(),
                    message: format!(
                        "nothing gives {column}, a part of the key of {}, and the database would not say what it filled in",
                        table.name
                    ),
                    advice: format!(
                        "Map a property to {column}, make it AUTO_INCREMENT, or let a procedure create and answer with the key"
                    ),
                })));
            }
        }
    }
    Ok(key)
}
