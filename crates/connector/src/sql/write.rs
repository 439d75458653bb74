//! Writes to a database: one transaction each, which looks at the row before it changes it.

use super::Sql;
use super::calls;
use super::create::create;
use super::driver::{Class, Said, Transaction, Trouble};
use super::given::{given, refused, with_references};
use super::refusal::{self, Deed};
use super::statement::Build;
use super::table::{Item, Table};
use super::value::Cell;
use crate::http::clock;
use crate::{Change, Outcome, Refusal, RefusalKind, Write};
use jiff::Timestamp;
use std::sync::Arc;
use tandem_merge::record::{RecordKey, RecordType, Values, Version};

/// What a transaction left.
pub(super) enum Left {
    /// A row, as it was read within.
    Row(Vec<Cell>),
    /// It is there under this id, but is not shown.
    Hidden(String),
    Nothing,
}

/// How a transaction ended before it could be committed.
pub(super) enum Stop {
    Outcome(Outcome),
    Trouble(Trouble),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Carries out one write.
pub(super) async fn carry_out(erp: &Sql, write: &Write) -> Outcome {
    let (of, deed): (&RecordType, Deed) = match &write.change {
        Change::Create { record_type, .. } => (record_type, Deed::Create),
        Change::Update { record, .. } => (&record.record_type, Deed::Update),
        Change::Delete { record, .. } => (&record.record_type, Deed::Delete),
    };
    let table = match erp.table(of).await {
        Ok(table) => table,
        Err(error) => return Outcome::NotSent(error),
    };
    let none = Values::new();
    let values = match &write.change {
        Change::Create { values, .. } | Change::Update { values, .. } => values,
        Change::Delete { .. } => &none,
    };
    if let Some(refusal) = refused(erp, &table) {
        return Outcome::Refused(refusal);
    }
    let given = match given(&table, values, deed) {
        Ok(given) => given,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let mut transaction = match erp.driver.begin().await {
        Ok(transaction) => transaction,
        Err(trouble) => return refusal::outcome(erp, &table, values, deed, trouble),
    };
    let began = clock::now();
    let work = async {
        match &write.change {
            Change::Create { .. } => create(erp, &table, transaction.as_mut(), given).await,
            Change::Update { record, only_if, .. } => {
                let at = look(&table, transaction.as_mut(), record, only_if.as_ref()).await?;
                update(erp, &table, transaction.as_mut(), &at, given).await
            }
            Change::Delete { record, only_if } => {
                let at = look(&table, transaction.as_mut(), record, only_if.as_ref()).await?;
                delete(erp, &table, transaction.as_mut(), &at).await
            }
        }
    };
    let left = match work.await {
        Ok(left) => left,
        Err(Stop::Outcome(outcome)) => return outcome,
        Err(Stop::Trouble(trouble)) => {
            drop(transaction);
            let outcome = refusal::outcome(erp, &table, values, deed, trouble);
            return with_references(erp, &table, values, outcome).await;
        }
    };
    match transaction.commit().await {
        Ok(()) => applied(erp, &table, write, left, began),
        // Where a procedure may have ended the transaction before, this was the end of another one.
        Err(Trouble::Said(said))
            if table
                .called(&write.change)
                .is_some_and(|_| calls::may_commit(table.dialect)) =>
        {
            Outcome::Unknown(said.message)
        }
        // What is checked at the end is refused at the end.
        Err(Trouble::Said(said)) => {
            let outcome = refusal::outcome(erp, &table, values, deed, Trouble::Said(said));
            with_references(erp, &table, values, outcome).await
        }
        Err(Trouble::Lost(why) | Trouble::Away(_, why)) => Outcome::Unknown(why),
    }
}

/// The key of a record that stands as it was seen, kept from others until the end.
async fn look(
    table: &Table,
    transaction: &mut dyn Transaction,
    record: &RecordKey,
    only_if: Option<&Version>,
) -> Result<Standing, Stop> {
    let key = table.key_of(&record.id).ok_or(Stop::Outcome(Outcome::Gone))?;
    let own = table.record.write_to.is_none();
    if !own {
        let (hint, end) = table.dialect.locked();
        let mut build = Build::new(
            table.dialect,
            format!("SELECT 1 FROM {}{hint} WHERE ", table.into),
        );
        table.has_key(&mut build, &key);
        build.push(end);
        transaction.rows(&build.done(Vec::new())).await?;
    }
    let rows = transaction.rows(&table.one(&key, own)).await?;
    let Some(row) = rows.iter().next() else {
        return Err(Stop::Outcome(Outcome::Gone));
    };
    // A database may take texts for equal that are not.
    if table.is_deleted(row) || table.id(row).as_ref() != Some(&record.id) {
        return Err(Stop::Outcome(Outcome::Gone));
    }
    if only_if.is_some_and(|seen| seen.token != table.token(row)) {
        return Err(Stop::Outcome(Outcome::Stale));
    }
    let row = row.to_vec();
    Ok(Standing { key, row })
}

/// A row that stands as it was seen.
struct Standing {
    key: Vec<Cell>,
    row: Vec<Cell>,
}

/// What we set ourselves: `(column, value as SQL)`.
pub(super) fn kept_by_us(
    erp: &Sql,
    table: &Table,
    build: &mut Build,
    creates: bool,
) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    let modified = table.record.modified.as_ref().zip(table.modified.as_ref());
    if let Some((_, place)) = modified.filter(|(modified, _)| modified.set) {
        build.given.push(place.codec.at(erp.there(clock::now())));
        let value = build.dialect.given(build.given.len(), &place.column);
        kept.push((build.dialect.quoted(&place.column.name), value));
    }
    let version = table.record.version.as_ref().zip(table.version.as_ref());
    if let Some((_, place)) = version.filter(|(version, _)| version.set) {
        let next = if creates {
            "1".to_owned()
        } else {
            format!("COALESCE({}, 0) + 1", place.sql)
        };
        kept.push((place.sql.clone(), next));
    }
    kept
}

async fn update(
    erp: &Sql,
    table: &Table,
    transaction: &mut dyn Transaction,
    Standing { key, row }: &Standing,
    given: Vec<(&Item, Cell)>,
) -> Result<Left, Stop> {
    if let Some(call) = &table.record.calls.update {
        calls::carry_out(table, transaction, call, &given, Some(row)).await?;
        return calls::then(table, call, left(table, transaction, key).await);
    }
    let dialect = table.dialect;
    let mut build = Build::new(dialect, format!("UPDATE {} SET ", table.into));
    let kept = kept_by_us(erp, table, &mut build, false);
    let mut sets: Vec<String> = kept
        .into_iter()
        .map(|(column, value)| format!("{column} = {value}"))
        .collect();
    for (item, cell) in given {
        build.given.push(cell);
        let value = dialect.given(build.given.len(), &item.column);
        sets.push(format!("{} = {value}", dialect.quoted(&item.column.name)));
    }
    if sets.is_empty() {
        return left(table, transaction, key).await;
    }
    build.push(&format!("{} WHERE ", sets.join(", ")));
    table.has_key(&mut build, key);
    one_row(transaction.change(&build.done(Vec::new())).await?)?;
    left(table, transaction, key).await
}

async fn delete(
    erp: &Sql,
    table: &Table,
    transaction: &mut dyn Transaction,
    Standing { key, row }: &Standing,
) -> Result<Left, Stop> {
    if let Some(call) = &table.record.calls.delete {
        calls::carry_out(table, transaction, call, &[], Some(row)).await?;
        return Ok(Left::Nothing);
    }
    let dialect = table.dialect;
    let mut build = match (&table.deleted, &table.record.deleted) {
        (Some(place), Some(deleted)) => {
            let mut build = Build::new(dialect, format!("UPDATE {} SET ", table.into));
            let mark = mark(erp, place, deleted.is.as_deref())?;
            let kept = kept_by_us(erp, table, &mut build, false);
            let kept = kept
                .into_iter()
                .map(|(column, value)| format!("{column} = {value}"));
            let mut sets: Vec<String> = kept.collect();
            // In the order in which they stand: not every database counts what it is given.
            build.given.push(mark);
            let value = dialect.given(build.given.len(), &place.column);
            sets.push(format!("{} = {value}", dialect.quoted(&place.column.name)));
            build.push(&format!("{} WHERE ", sets.join(", ")));
            build
        }
        _ => Build::new(dialect, format!("DELETE FROM {} WHERE ", table.into)),
    };
    table.has_key(&mut build, key);
    one_row(transaction.change(&build.done(Vec::new())).await?)?;
    Ok(Left::Nothing)
}

/// A write is one of one row. A key that several rows share is none.
fn one_row(changed: u64) -> Result<(), Stop> {
    match changed {
        1 => Ok(()),
        0 => Err(unwilling("a trigger or a rule kept the row as it is")),
        _ => Err(unwilling(
            "several rows have that key, so `key:` of the description does not name one",
        )),
    }
}

/// The value that marks a row as deleted.
fn mark(erp: &Sql, place: &super::table::Place, is: Option<&str>) -> Result<Cell, Stop> {
    use super::catalogue::Kind;
    let now = erp.there(clock::now());
    let refused = |why: String| {
        Stop::Trouble(Trouble::Said(Said {
            class: Class::Type,
            message: format!("`deleted: {{ is: ... }}` of the description: {why}"),
            constraint: None,
            columns: Vec::new(),
        }))
    };
    match (is, place.codec.kind) {
        (Some(is), _) => place.codec.write(&is.into()).map_err(refused),
        (None, Kind::Boolean) => Ok(Cell::Boolean(true)),
        (None, Kind::Integer) => Ok(Cell::Integer(1)),
        (None, _) => Ok(place.codec.at(now)),
    }
}

pub(super) fn unwilling(why: &str) -> Stop {
    Stop::Outcome(Outcome::Refused(Refusal {
        kind: RefusalKind::Unclear,
        properties: Vec::new(),
        message: why.to_owned(),
        advice: "Let a database administrator look which one it is, then retry".to_owned(),
    }))
}

/// The row as it stands at the end of the transaction: triggers may have changed what we gave.
pub(super) async fn left(
    table: &Table,
    transaction: &mut dyn Transaction,
    key: &[Cell],
) -> Result<Left, Stop> {
    let rows = transaction.rows(&table.one(key, false)).await?;
    Ok(match rows.iter().next() {
        Some(row) => Left::Row(row.to_vec()),
        None => {
            let id = table.id_of_key(key);
            id.map_or(Left::Nothing, Left::Hidden)
        }
    })
}

fn applied(erp: &Sql, table: &Arc<Table>, write: &Write, left: Left, began: Timestamp) -> Outcome {
    // No read that began before the commit was answered shows anything later.
    let moment = erp.there(clock::now());
    match (left, &write.change) {
        (Left::Row(mut row), _) => match erp.seen_at(table, &mut row, began, moment) {
            Some(state) => Outcome::Applied {
                id: state.key.id.clone(),
                state: Some(Box::new(state)),
            },
            None => Outcome::Unknown("the row that was written has no whole key".to_owned()),
        },
        (Left::Hidden(id), _) => Outcome::Applied { id, state: None },
        (Left::Nothing, Change::Update { record, .. } | Change::Delete { record, .. }) => Outcome::Applied {
            id: record.id.clone(),
            state: None,
        },
        (Left::Nothing, Change::Create { .. }) => {
            Outcome::Unknown("the database does not say which row it made".to_owned())
        }
    }
}
