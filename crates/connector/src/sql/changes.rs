//! Changes of a database, type by type: all rows first, then what was changed since, as the description says.

use super::catalogue::Kind;
use super::comparison::{self, Comparing};
use super::description::Changes;
use super::reading::last_key;
use super::statement::PAGE;
use super::told;
use super::value::{Cell, Codec};
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
    /// Types that were compared since there was nothing more.
    #[serde(default)]
    compared: BTreeSet<String>,
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
    pub(super) after: Option<Vec<Cell>>,
    /// The type was read to its end in the running round.
    #[serde(default)]
    done: bool,
    /// The running round reads everything, deleted rows too.
    #[serde(default)]
    anew: bool,
    /// Up to where the change table was read, and up to where it is when the running round ends.
    #[serde(default)]
    pub(super) told: i64,
    #[serde(default)]
    tells: i64,
    /// The last note of a change table by which all rows went at once.
    #[serde(default)]
    pub(super) emptied: i64,
    /// A comparison is asked for.
    #[serde(default)]
    pub(super) asked: bool,
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

    /// All rows went at once, as a note of that number says: a comparison shows which. Notes are read more than once.
    pub(super) fn is_emptied(&mut self, note: &Cell) {
        if let Cell::Integer(number) = note
            && *number > self.emptied
        {
            self.emptied = *number;
            self.asked = true;
        }
    }

    /// The running round shows no more of it; the next one begins anew.
    fn give_up(&mut self) {
        self.began = None;
        self.after = None;
        self.done = true;
    }

    pub(super) fn reaches_its_end(&mut self) {
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
    if !page.more {
        cursor.compared.clear();
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
    let (mut due, started) = (Vec::new(), erp.there(erp.started));
    for of in types {
        let skipped =
            cursor.compared.contains(&of.name) || page.incomplete.iter().any(|one| one.record_type == *of);
        let table = erp.table(of).await?;
        let seen = cursor.types.entry(of.name.clone()).or_default();
        if !skipped && comparison::is_due(&table, seen, now, started) {
            due.push((of, table));
        }
    }
    due.sort_by_key(|(of, _)| cursor.types[&of.name].comparing.is_none());
    let Some((of, table)) = due.first() else {
        return Ok(());
    };
    let seen = cursor.types.entry(of.name.clone()).or_default();
    let ended = match comparison::page(erp, of, table, seen, page, now).await {
        Ok(ended) => ended,
        // One table alone is passed over for this turn: the others are compared, and what was read before is kept.
        Err(error) if is_of_one_type(&error) => {
            page.incomplete.push(erp.listings.rest(of, error));
            true
        }
        Err(error) => return Err(error),
    };
    if ended {
        cursor.compared.insert(of.name.clone());
    }
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
            seen.tells = told::horizon(erp, now).await?;
        }
    }
    let mut began = clock::now();
    let rows = match (&table.modified, table.record.changes) {
        _ if seen.since.is_none() || seen.anew => {
            let statement = table.by_key(seen.after.as_deref(), seen.anew);
            let rows = match erp.ahead.take(&of.name, &statement).await {
                Some((rows, earlier)) => {
                    began = earlier;
                    rows
                }
                None => erp.read(&statement).await?,
            };
            seen.after = last_key(&table, &rows);
            if rows.len() == PAGE {
                let next = table.by_key(seen.after.as_deref(), seen.anew);
                erp.ahead.begin(&erp.driver, &of.name, next);
            }
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
        (_, Changes::ChangeTable) => return told::page(erp, of, &table, seen).await,
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
    Ok(erp.all_seen(&table, rows, began))
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
