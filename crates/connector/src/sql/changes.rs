//! Changes of a database, type by type: all rows first, then what was changed since, as the description says.

use super::catalogue::{Column, Kind};
use super::comparison::{self, Comparing};
use super::description::{Changes, TableName};
use super::driver::Dialect;
use super::reading::{by_ids, last_key};
use super::statement::{Build, PAGE};
use super::table::Table;
use super::value::{Cell, Codec, text};
use super::{Error, ErrorKind, Scope, Sql};
use crate::ChangePage;
use crate::http::clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, RecordType};

/// How far the changes were seen. What cannot be read begins anew: that costs time, never data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// By record type.
    types: BTreeMap<String, Seen>,
    /// A round is running.
    round: bool,
}

/// How far the changes of one type were seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// When the last complete round of the type began, by the database's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// When the running round of the type began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Timestamp>,
    /// The last row of the running round: what it is ordered by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Vec<Cell>>,
    /// The type was read to its end in the running round.
    #[serde(default)]
    done: bool,
    /// The running round reads everything, deleted rows too.
    #[serde(default)]
    anew: bool,
    /// Up to where the change table was read, and up to where it is when the running round ends.
    #[serde(default)]
    told: i64,
    #[serde(default)]
    tells: i64,
    /// When the last complete comparison began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compared: Option<Timestamp>,
    /// The comparison under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) comparing: Option<Comparing>,
}

impl Seen {
    /// The clock that dates the changes went back beyond what is read again: changes since are not shown.
    fn is_ahead_of(&self, now: Timestamp, overlap: SignedDuration) -> bool {
        let end = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        self.since.is_some_and(|since| since > end)
    }

    /// The running round shows no more of it; the next one begins anew.
    fn give_up(&mut self) {
        self.began = None;
        self.after = None;
        self.done = true;
    }

    fn reaches_its_end(&mut self) {
        let began = self.began.take();
        if self.since.is_none() || self.anew {
            // All of it was just read.
            self.compared = began;
        }
        self.since = began.or(self.since);
        self.after = None;
        self.anew = false;
        self.told = self.tells;
        self.done = true;
    }
}

/// The next page: types in the order given, until it is full or the round is over; then a page of a comparison.
pub(super) async fn page(
    erp: &Sql,
    types: &[RecordType],
    cursor: Option<&[u8]>,
) -> Result<ChangePage, Error> {
    let read = cursor.and_then(|bytes| serde_json::from_slice(bytes).ok());
    let mut cursor: Cursor = read.unwrap_or_default();
    if !cursor.round {
        cursor.round = true;
        cursor.types.values_mut().for_each(|seen| seen.done = false);
    }
    let now = erp.ask_time().await?;
    let mut page = ChangePage::default();
    let mut given_up: Vec<(&RecordType, Error)> = Vec::new();
    let mut any = false;
    for of in types {
        let seen = cursor.types.entry(of.name.clone()).or_default();
        if let Some(resting) = erp.listings.rests(of).filter(|_| !seen.done) {
            seen.give_up();
            page.incomplete.push(resting);
        } else {
            any |= seen.done;
        }
        while !seen.done && page.observations.len() < PAGE {
            match read_on(erp, of, seen, now).await {
                Ok(rows) => {
                    any = true;
                    page.observations.extend(rows);
                }
                // One type alone is passed over; where nothing else is answered either, the database is in trouble.
                Err(error) if is_of_one_type(&error) && (any || given_up.is_empty()) => {
                    seen.give_up();
                    given_up.push((of, error));
                }
                Err(error) => return Err(error),
            }
        }
        page.more |= !seen.done;
    }
    let resting = page.incomplete.iter().map(|one| &one.record_type);
    let open: Vec<&RecordType> = resting.chain(given_up.iter().map(|(of, _)| *of)).collect();
    let first = given_up
        .first()
        .map(|(_, error)| error)
        .or(page.incomplete.first().map(|one| &one.error));
    if types.iter().all(|of| open.contains(&of))
        && let Some(error) = first
    {
        return Err(error.clone());
    }
    let given_up: Vec<_> = given_up
        .into_iter()
        .map(|(of, error)| erp.listings.rest(of, error))
        .collect();
    page.incomplete.extend(given_up);
    cursor.round = page.more;
    if !page.more {
        compare(erp, types, &mut cursor, &mut page, now).await?;
    }
    page.cursor = serde_json::to_vec(&cursor).unwrap_or_default();
    Ok(page)
}

/// One page of the first comparison that is under way or due.
async fn compare(
    erp: &Sql,
    types: &[RecordType],
    cursor: &mut Cursor,
    page: &mut ChangePage,
    now: Timestamp,
) -> Result<(), Error> {
    let mut due = Vec::new();
    for of in types {
        let skipped = page.incomplete.iter().any(|one| one.record_type == *of);
        let table = erp.table(of).await?;
        let seen = cursor.types.entry(of.name.clone()).or_default();
        if !skipped && comparison::is_due(&table, seen, now) {
            due.push((of, table));
        }
    }
    due.sort_by_key(|(of, _)| cursor.types[&of.name].comparing.is_none());
    let Some((of, table)) = due.first() else {
        return Ok(());
    };
    let seen = cursor.types.entry(of.name.clone()).or_default();
    let ended = comparison::page(erp, of, table, seen, page, now).await?;
    page.more |= !ended || due.len() > 1;
    Ok(())
}

/// Whether a trouble may be that of one type: not how we stand there, nor a table that is not there.
fn is_of_one_type(error: &Error) -> bool {
    let general = matches!(error.kind, ErrorKind::SignIn | ErrorKind::Missing);
    !general && error.scope != Scope::System
}

/// The next page of one type.
async fn read_on(
    erp: &Sql,
    of: &RecordType,
    seen: &mut Seen,
    now: Timestamp,
) -> Result<Vec<Observation>, Error> {
    let table = erp.table(of).await?;
    if seen.began.is_none() {
        if seen.is_ahead_of(now, erp.overlap()) {
            let system = &erp.config.name;
            tracing::warn!(
                system,
                "{system}: its clock was set back: {} is read anew as a whole",
                of.name
            );
            seen.anew = true;
        }
        seen.began = Some(now);
        if table.record.changes == Changes::ChangeTable {
            seen.tells = horizon(erp, now).await?;
        }
    }
    let began = clock::now();
    let rows = match (&table.modified, table.record.changes) {
        _ if seen.since.is_none() || seen.anew => {
            let rows = erp.read(&table.by_key(seen.after.as_deref(), seen.anew)).await?;
            seen.after = last_key(&table, &rows);
            rows
        }
        (Some(modified), Changes::Modified) => {
            let fine = table
                .record
                .modified
                .as_ref()
                .map(|modified| modified.granularity);
            let from = since(
                &modified.codec,
                seen.since.unwrap_or(now),
                erp.overlap(),
                fine.unwrap_or_default(),
            );
            let rows = erp
                .read(&table.by_modified(modified, from, seen.after.as_deref()))
                .await?;
            let last = rows.iter().next_back();
            let places = std::iter::once(modified).chain(&table.key);
            seen.after = last.map(|row| places.map(|place| row[place.at].clone()).collect());
            rows
        }
        (_, Changes::ChangeTable) => return read_told(erp, of, &table, seen).await,
        _ => {
            seen.reaches_its_end();
            erp.listings.done(of);
            return Ok(Vec::new());
        }
    };
    if rows.len() < PAGE {
        seen.reaches_its_end();
        erp.listings.done(of);
    }
    Ok(erp.all_seen(&table, &rows, began))
}

/// From where on changes are read again.
fn since(codec: &Codec, since: Timestamp, overlap: SignedDuration, granularity: SignedDuration) -> Cell {
    // Texts of a moment are compared as texts, whose fractions may be written or not.
    let fine = match codec.kind {
        Kind::Date => SignedDuration::from_hours(24),
        Kind::Text | Kind::Seconds => SignedDuration::from_secs(1),
        _ => SignedDuration::ZERO,
    };
    let back = overlap.saturating_add(granularity.max(fine));
    codec.since(since.checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Up to where the change table is known to be complete: what has this number or a later one may still come to light. In
/// PostgreSQL transactions are numbered; where there is one writer at a time the rows themselves are in order; else a
/// transaction may stay open as long as the overlap.
async fn horizon(erp: &Sql, now: Timestamp) -> Result<i64, Error> {
    let dialect = erp.driver.dialect();
    if dialect == Dialect::Postgres {
        let sql = "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)";
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

/// The columns of a change table, besides its number.
pub(super) fn log_columns(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "tx",
        Dialect::Sqlite | Dialect::Mysql => "seq",
    }
}

/// The next page of what triggers told of a type.
async fn read_told(
    erp: &Sql,
    of: &RecordType,
    table: &Table,
    seen: &mut Seen,
) -> Result<Vec<Observation>, Error> {
    let dialect = erp.driver.dialect();
    let order = log_columns(dialect);
    let number = Column::new(order, Kind::Integer, "bigint");
    let named = Column::new("of", Kind::Text, "text");
    let after = match seen.after.as_deref() {
        Some([first, second]) => [first.clone(), second.clone()],
        // Rows of the first number that is still open are read again.
        _ => [Cell::Integer(seen.told - 1), Cell::Integer(i64::MAX)],
    };
    let mut build = Build::new(
        dialect,
        format!(
            "SELECT {order}, seq, id, op FROM {} WHERE {} = ",
            dialect.table(change_table(erp)?),
            dialect.quoted("of")
        ),
    );
    build.give(&named, Cell::Text(table.record.table.to_string()));
    build.push(&format!(" AND ({order}, seq) > ("));
    build.list(after, |build, cell| {
        build.give(&number, cell);
    });
    build.push(&format!(") ORDER BY {order}, seq LIMIT {PAGE}"));
    let began = clock::now();
    let told = erp
        .read(&build.done(vec![Kind::Integer, Kind::Integer, Kind::Text, Kind::Text]))
        .await?;
    seen.after = told.iter().next_back().map(|row| row[..2].to_vec());
    let mut last: BTreeMap<String, bool> = BTreeMap::new();
    for row in told.iter() {
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
    found.extend(gone.map(|(id, _)| table.absent(&erp.config.name, id, true, began, moment)));
    Ok(found)
}

/// An id as rows show it: triggers may write numbers otherwise.
fn canonical(table: &Table, id: &str) -> String {
    let parts = super::key::split(id, table.key.len()).unwrap_or_default();
    let parts = parts.iter().zip(&table.key).map(|(part, place)| {
        let cell = place.codec.write(&part.as_str().into()).ok()?;
        Some(text(&cell))
    });
    let parts: Option<Vec<String>> = parts.collect();
    parts
        .filter(|parts| !parts.is_empty())
        .map_or_else(|| id.to_owned(), |parts| super::key::join(&parts))
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
    Ok(rows.cells.iter().map(text).collect())
}
