//! The files of a folder: what they show, what is news in them, and what is written to them.

use super::description::{Column, NewId, Records, Results};
use super::pending::{self, Pending};
use super::table::{Hidden, Place, Row, Stamp, Table};
use super::write::{self, Planned};
use super::{FolderConfig, cell};
use crate::http::clock;
use crate::{ChangePage, Complete, Error, ErrorKind, Incomplete, Outcome, Scope, Write};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// Records in one page.
const PAGE: usize = 1_000;

/// The files of a folder.
pub(super) struct Files {
    pub(super) config: FolderConfig,
    pub(super) tables: Mutex<BTreeMap<String, Arc<Table>>>,
    /// Files as they were listed to their ends: what differs from them is news.
    pub(super) listed: Mutex<BTreeMap<String, Arc<Table>>>,
    /// The state in which each file was seen last, and since when; none: we left it so.
    pub(super) seen: Mutex<BTreeMap<String, (Stamp, Option<Instant>)>>,
    /// One writes at a time.
    pub(super) writing: Mutex<()>,
    pub(super) calls: AtomicU64,
}

/// Which state of each file was read to its end, and how far the one that is being read is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    read: BTreeMap<String, Stamp>,
    reading: Option<Reading>,
    /// Files that this round looked at.
    looked: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    of: String,
    stamp: Stamp,
    after: String,
}

impl Files {
    pub(super) fn error(&self, kind: ErrorKind, message: String, advice: &str) -> Error {
        Error {
            system: self.config.name.clone(),
            kind,
            message,
            advice: advice.to_owned(),
            retry_at: None,
            scope: Scope::System,
        }
    }

    pub(super) fn records(&self, name: &str) -> Result<&Records, Error> {
        self.config.description.records.get(name).ok_or_else(|| {
            let what = format!("no file is described for {name}");
            self.error(
                ErrorKind::Missing,
                what,
                "Add it to the description, or take it out of the flows",
            )
        })
    }

    pub(super) fn unreadable(&self, of: &Records, error: &std::io::Error) -> Error {
        let what = format!(
            "{} cannot be read ({error})",
            self.config.folder.join(&of.file).display()
        );
        self.error(
            ErrorKind::Down,
            what,
            "Let the ERP write it; nothing is taken for deleted meanwhile",
        )
    }

    /// Where a file is; a link leads to it, and is none itself.
    fn path(&self, of: &Records) -> PathBuf {
        let path = self.config.folder.join(&of.file);
        path.canonicalize().unwrap_or(path)
    }

    /// Whether a file is as we left it, or has rested so long that nobody writes to it any more: by its own time, or, where
    /// the clock that dates it is another, by ours since it was seen first.
    fn rests(&self, of: &Records, stamp: Stamp) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.get(&of.file).filter(|(known, _)| *known == stamp);
        let since = known.map(|(_, since)| *since);
        let since = since.unwrap_or_else(|| {
            let now = Some(Instant::now());
            seen.insert(of.file.clone(), (stamp, now));
            now
        });
        let old = SystemTime::now().duration_since(stamp.changed);
        since.is_none_or(|since| since.elapsed() >= of.settle) || old.is_ok_and(|age| age >= of.settle)
    }

    /// The file is as we left it.
    fn left(&self, of: &Records, stamp: Stamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(of.file.clone(), (stamp, None));
    }

    /// The table of a file to which nobody writes now.
    pub(super) fn resting(&self, of: &Records) -> Result<Arc<Table>, Error> {
        let table = self.table(of)?;
        if self.rests(of, table.stamp.alone()) {
            return Ok(table);
        }
        Err(self.unrested(of))
    }

    fn unrested(&self, of: &Records) -> Error {
        let what = format!("{} was written a moment ago, and may still be", of.file);
        self.error(ErrorKind::Down, what, "It is tried again by itself")
    }

    /// The rows of a type as its file stands.
    pub(super) fn table(&self, of: &Records) -> Result<Arc<Table>, Error> {
        let path = self.path(of);
        let stamp = self.stamp(of)?;
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tables.get(&of.name).filter(|known| known.stamp == stamp) {
            return Ok(Arc::clone(known));
        }
        let mut table = Table::open(&path, of).map_err(|error| self.unreadable(of, &error))?;
        let known = if of.json {
            table.members.iter().collect()
        } else {
            table.headings.iter().collect::<BTreeSet<_>>()
        };
        if !of.json || !table.rows.is_empty() {
            let columns = of
                .properties
                .values()
                .map(|column| &column.column)
                .chain([&of.id])
                .chain(&of.modified)
                .chain(&of.key);
            let lacking: Vec<&str> = columns
                .filter(|column| !known.contains(column))
                .map(String::as_str)
                .collect();
            if !lacking.is_empty() {
                let what = format!(
                    "{} has no column {}; it has {}",
                    of.file,
                    lacking.join(", "),
                    known
                        .iter()
                        .map(|name| name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                );
                return Err(self.error(ErrorKind::Missing, what, "Correct the columns in the description"));
            }
        }
        for line in &table.nameless {
            let (system, file, id) = (&self.config.name, &of.file, &of.id);
            tracing::warn!(
                system,
                "{system}: line {line} of {file} has no {id} and is passed over"
            );
        }
        if of.new_id == Some(NewId::Number)
            && !of.read_only
            && let Err(error) = write::note_largest(&table)
        {
            let (system, file) = (&self.config.name, &of.file);
            tracing::warn!(
                system,
                "{system}: the largest number of {file} cannot be kept beside it ({error})"
            );
        }
        if let Some(results) = &of.results {
            let laid = self.lay_over(of, results, &mut table);
            laid.map_err(|error| self.unreadable(of, &error))?;
        }
        let table = Arc::new(table);
        tables.insert(of.name.clone(), Arc::clone(&table));
        Ok(table)
    }

    /// The state of a file, with what is pending over it.
    fn stamp(&self, of: &Records) -> Result<Stamp, Error> {
        let path = self.path(of);
        let stamp = || -> std::io::Result<Stamp> {
            let mut stamp = Stamp::of(&path)?;
            if let Some(results) = &of.results {
                let pending = Pending::over(&path)?;
                stamp.over = pending.sum(&pending.look(&self.folders(results))?);
            }
            Ok(stamp)
        };
        stamp().map_err(|error| self.unreadable(of, &error))
    }

    /// Reads what is pending over an export, after a look at what became of it.
    fn lay_over(&self, of: &Records, results: &Results, table: &mut Table) -> std::io::Result<()> {
        let _alone = pending::alone(&table.path)?;
        let mut pending = Pending::over(&table.path)?;
        let looked = pending.look(&self.folders(results))?;
        let before = pending.clone();
        let refused = pending.settle(of, table, &looked)?;
        if pending != before {
            pending.keep(&table.path)?;
        }
        for file in refused {
            let (system, name) = (&self.config.name, &of.name);
            tracing::warn!(
                system,
                "{system}: the ERP refused {file}: what it says of {name} is out of sight until it is gone from there"
            );
        }
        pending.lay_over(of, table, &looked)?;
        table.stamp.over = pending.sum(&pending.look(&self.folders(results))?);
        Ok(())
    }

    /// The records that a column refers to, where these go by keys.
    pub(super) fn keyed(&self, column: &Column) -> Option<&Records> {
        let target = self.config.description.records.get(column.references.as_ref()?)?;
        target.key.is_some().then_some(target)
    }

    /// What a cell says; a reference by the id that the record goes by.
    fn value(&self, of: &Records, column: &Column, text: &str) -> Result<Value, String> {
        match (self.keyed(column), cell::read(of, column, text)?) {
            (Some(target), Value::Text(number)) => {
                let table = self.table(target).map_err(|error| error.to_string())?;
                Ok(Value::text(table.known_as(number.trim())))
            }
            (_, value) => Ok(value),
        }
    }

    /// What the rows of these ids show, page by page.
    pub(super) fn shown(
        &self,
        of: &Records,
        table: &Table,
        ids: &[&String],
        began: Timestamp,
    ) -> Result<Vec<Observation>, Error> {
        let places: Vec<Place> = ids
            .iter()
            .filter_map(|id| Some(*table.rows.get(*id)?.first()?))
            .collect();
        let rows = table
            .read(&places, of.json)
            .map_err(|error| self.unreadable(of, &error))?;
        let shown = ids.iter().zip(places).zip(rows);
        Ok(shown
            .map(|((id, place), row)| self.observation(of, table, id, place, &row, began))
            .collect())
    }

    fn observation(
        &self,
        of: &Records,
        table: &Table,
        id: &str,
        place: Place,
        row: &Row,
        began: Timestamp,
    ) -> Observation {
        let nothing = crate::shown::missing(RecordKey::new(&self.config.name, &of.name, id), began);
        let others = table.rows.get(id).map_or(0, Vec::len);
        let why = match row.content.broken() {
            Some(why) => Some(format!("line {} of {}: {why}", place.line, of.file)),
            None if others > 1 => Some(format!(
                "{others} rows of {} have this id, line {} is one of them",
                of.file, place.line
            )),
            None => None,
        };
        if let Some(why) = why {
            let unreadable = BTreeMap::from([(of.id.clone(), why)]);
            return Observation {
                unreadable,
                ..nothing
            };
        }
        let over = table.over.get(&place.over);
        let used = self.config.fields.get(&of.name);
        let (mut values, mut unreadable) = (Values::new(), BTreeMap::new());
        for (name, column) in of
            .properties
            .iter()
            .filter(|(name, _)| used.is_none_or(|used| used.contains(name)))
        {
            let text = row.content.get(&table.headings, &column.column);
            if let Some(why) = over.and_then(|over| over.unreadable.get(&column.column)) {
                unreadable.insert(name.clone(), why.clone());
                continue;
            }
            match self.value(of, column, text.as_deref().unwrap_or_default()) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(why) => drop(
                    unreadable.insert(name.clone(), format!("line {} of {}: {why}", place.line, of.file)),
                ),
            }
        }
        let own = of.modified.as_ref().and_then(|column| {
            let text = row.content.get(&table.headings, column)?;
            let text = text.trim();
            Some((cell::moment(of, None, text)?, cell::coarse(text)))
        });
        let mut shown = Observation {
            presence: Presence::Alive,
            values,
            unreadable,
            version: Some(Version {
                token: write::token(row),
                order: None,
                modified: own
                    .map_or_else(|| moment(table.stamp.changed), |(modified, _)| modified)
                    .max(over.and_then(|over| over.at).unwrap_or(Timestamp::MIN)),
                firm: true,
                coarse: own.map_or(jiff::SignedDuration::ZERO, |(_, coarse)| coarse),
            }),
            ..nothing
        };
        if let Some(rules) = self.config.computed.get(&of.name) {
            crate::shown::compute(&mut shown, rules);
        }
        shown
    }

    /// A record that is not in its file.
    pub(super) fn absent(&self, of: &Records, table: &Table, id: &str, began: Timestamp) -> Observation {
        let missing = crate::shown::missing(RecordKey::new(&self.config.name, &of.name, id), began);
        let when = match table.hidden.get(id) {
            Some(Hidden::Refused(why)) => {
                return Observation {
                    unreadable: BTreeMap::from([(of.id.clone(), why.clone())]),
                    ..missing
                };
            }
            Some(Hidden::Deleted(at)) => *at,
            None if of.absent_is_deleted => moment(table.stamp.changed),
            None => return missing,
        };
        let version = Version {
            token: "absent".to_owned(),
            order: None,
            modified: when,
            firm: false,
            coarse: jiff::SignedDuration::ZERO,
        };
        Observation {
            presence: Presence::Deleted,
            version: Some(version),
            ..missing
        }
    }

    /// A page of a file, behind an id; the last id where there is more.
    pub(super) fn page(
        &self,
        of: &Records,
        table: &Table,
        after: Option<&str>,
    ) -> Result<(Vec<Observation>, Option<String>), Error> {
        let began = clock::now();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rows = table.rows.range::<str, _>((from, Bound::Unbounded));
        let ids: Vec<&String> = rows.by_ref().take(PAGE).map(|(id, _)| id).collect();
        let last = ids
            .last()
            .map(|last| (*last).clone())
            .filter(|_| rows.next().is_some());
        Ok((self.shown(of, table, &ids, began)?, last))
    }

    pub(super) fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        let read = cursor.and_then(|bytes| serde_json::from_slice::<Cursor>(bytes).ok());
        let mut cursor = read.unwrap_or_default();
        let mut page = ChangePage::default();
        for record_type in types
            .iter()
            .filter(|of| !cursor.looked.contains(&of.name))
            .collect::<Vec<_>>()
        {
            let of = self.records(&record_type.name)?;
            match self.next(of, record_type, &mut cursor, &mut page) {
                Ok(true) => break,
                Ok(false) => {}
                // Another file is read all the same.
                Err(error) => page.incomplete.push(Incomplete {
                    record_type: record_type.clone(),
                    error,
                }),
            }
            cursor.looked.insert(record_type.name.clone());
        }
        page.more = types.iter().any(|of| !cursor.looked.contains(&of.name));
        if !page.more {
            cursor.looked.clear();
        }
        if page.incomplete.len() == types.len()
            && let Some(first) = page.incomplete.first()
        {
            return Err(first.error.clone());
        }
        page.cursor = serde_json::to_vec(&cursor).unwrap_or_default();
        Ok(page)
    }

    /// The next page of a file that changed; whether there is one.
    fn next(
        &self,
        of: &Records,
        record_type: &RecordType,
        cursor: &mut Cursor,
        page: &mut ChangePage,
    ) -> Result<bool, Error> {
        let stamp = self.stamp(of)?;
        let before = cursor.read.get(&of.name);
        if before == Some(&stamp) {
            return Ok(false);
        }
        if !self.rests(of, stamp.alone()) {
            // What was never read is not nothing.
            return match before {
                Some(_) => Ok(false),
                None => Err(self.unrested(of)),
            };
        }
        let table = self.table(of)?;
        let reading = cursor
            .reading
            .take()
            .filter(|reading| reading.of == of.name && reading.stamp == table.stamp);
        if reading.is_none() && self.news(of, &table, cursor, page)? {
            return Ok(true);
        }
        let after = reading.map(|reading| reading.after);
        let (observations, last) = self.page(of, &table, after.as_deref())?;
        page.observations = observations;
        page.complete = Some(Complete {
            record_type: record_type.clone(),
            after,
            to: last.clone(),
        });
        match last {
            Some(after) => {
                cursor.reading = Some(Reading {
                    of: of.name.clone(),
                    stamp: table.stamp,
                    after,
                });
            }
            None => self.read_to_the_end(of, &table, cursor),
        }
        Ok(true)
    }

    fn read_to_the_end(&self, of: &Records, table: &Arc<Table>, cursor: &mut Cursor) {
        cursor.read.insert(of.name.clone(), table.stamp);
        cursor.looked.insert(of.name.clone());
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.insert(of.name.clone(), Arc::clone(table));
    }

    /// What is new since the file was listed, where that is known and little; else all of it is listed again.
    fn news(
        &self,
        of: &Records,
        table: &Arc<Table>,
        cursor: &mut Cursor,
        page: &mut ChangePage,
    ) -> Result<bool, Error> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = listed.get(&of.name).cloned();
        drop(listed);
        let Some(before) = before.filter(|before| cursor.read.get(&of.name) == Some(&before.stamp)) else {
            return Ok(false);
        };
        let (moved, gone) = table.since(&before);
        if moved.len() > PAGE || gone.len() > PAGE {
            return Ok(false);
        }
        page.observations = self.shown(of, table, &moved, clock::now())?;
        page.hints = gone
            .into_iter()
            .map(|id| RecordKey::new(&self.config.name, &of.name, id))
            .collect();
        self.read_to_the_end(of, table, cursor);
        Ok(true)
    }

    /// Carries out the writes of one file: all go into one new file.
    pub(super) fn write(&self, of: &Records, writes: &[Write]) -> Result<Vec<Outcome>, Error> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match &of.results {
            Some(results) => self.write_results(of, results, writes),
            None => self.write_in_place(of, writes),
        }
    }

    fn write_in_place(&self, of: &Records, writes: &[Write]) -> Result<Vec<Outcome>, Error> {
        let mut table = Table::clone(&*self.resting(of)?);
        let mut edits = write::Edits::default();
        let planned = writes
            .iter()
            .map(|write| write::plan(&mut table, of, write, &mut edits));
        let planned = planned
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|error| self.unreadable(of, &error))?;
        let written = match planned.iter().any(|one| matches!(one, Planned::Done(_))) {
            true => write::replace(&table, &edits),
            false => Ok(Some(table.stamp)),
        };
        let left = match written {
            Ok(Some(left)) => left,
            Ok(None) => {
                let what = format!("{} was written by somebody else at the same time", of.file);
                return Err(self.error(ErrorKind::Down, what, "It is tried again by itself"));
            }
            Err(error) => {
                let what = format!("{} cannot be written ({error})", of.file);
                return Err(self.error(
                    ErrorKind::Refused,
                    what,
                    "Let Tandem's user write into the folder",
                ));
            }
        };
        self.left(of, left);
        Ok(self.answered(of, planned, Some(left)))
    }

    /// The outcomes with what the records show now. What was written is written, whether it can be read or not; what somebody else
    /// wrote since is no answer to it.
    pub(super) fn answered(&self, of: &Records, planned: Vec<Planned>, left: Option<Stamp>) -> Vec<Outcome> {
        let began = clock::now();
        let now = self.table(of).ok();
        let now = now.filter(|now| left.is_none_or(|left| now.stamp == left));
        let outcome = |planned: Planned| match planned {
            Planned::Ends(outcome) => *outcome,
            Planned::Done(id) => {
                let now = now.as_ref().filter(|now| now.rows.contains_key(&id));
                let shown = now.and_then(|now| self.shown(of, now, &[&id], began).ok()?.pop());
                Outcome::Applied {
                    id,
                    state: shown.map(Box::new),
                }
            }
        };
        planned.into_iter().map(outcome).collect()
    }
}

fn moment(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
