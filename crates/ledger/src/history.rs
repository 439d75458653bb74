//! The history: lines, the runs that they belong to, and how old ones go.

use crate::contract::{Compaction, HistorySize, Run, RunRow};
use crate::db::{Db, Numbered, Rid, Trouble};
use crate::hours;
use crate::outbox::number;
use crate::sealed::HISTORY;
use crate::storage::Row;
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tandem_merge::plan::Event;
use tandem_merge::record::{RecordKey, RecordType};

/// The run that lines belong to from now on.
#[derive(Debug, Default)]
pub(crate) struct CurrentRun(RefCell<Option<Run>>);

impl CurrentRun {
    /// Begins a run.
    pub(crate) fn begin(&self, kind: &str, began: Timestamp) {
        self.swap(Some(Run {
            kind: kind.to_owned(),
            began,
            number: None,
        }));
    }

    /// Puts another in the place of the one at hand.
    pub(crate) fn swap(&self, run: Option<Run>) -> Option<Run> {
        self.0.replace(run)
    }

    /// The number of the run at hand; it gets one where it has none, or where the unit that gave it one failed.
    fn number(&self, db: &Db) -> Result<i64, Trouble> {
        let mut current = self.0.borrow_mut();
        let Some(run) = current.as_mut() else {
            return Ok(0);
        };
        if let Some(number) = run.number.map(u64::cast_signed) {
            let sql = "SELECT 1 FROM run WHERE number = ?1";
            if db.one(sql, [number], |_| Ok(()))?.is_some() {
                return Ok(number);
            }
        }
        let number = db.next(Numbered::Run);
        let sql = "INSERT INTO run (number, kind, began, ended, first, last) VALUES (?1, ?2, ?3, ?3, 0, 0)";
        db.run(sql, (number, &run.kind, run.began.as_microsecond()))?;
        run.number = Some(number.cast_unsigned());
        Ok(number)
    }
}

/// Stores lines of plans, each with its record's number, under the run at hand.
pub(crate) fn store(db: &Db, events: &[(Rid, &Event)]) -> Result<(), Trouble> {
    let Some(last) = events.iter().map(|(_, event)| event.at).max() else {
        return Ok(());
    };
    let run = db.run.number(db)?;
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    let mut bytes = 0;
    let (mut rows, mut lines) = (Vec::new(), (0, 0));
    for (rid, event) in events {
        let event = Event {
            run: run.cast_unsigned(),
            ..Event::clone(event)
        };
        let body = db.body(&HISTORY, &event)?;
        bytes += number(body.len());
        lines.1 = db.next(Numbered::Line);
        if rows.is_empty() {
            lines.0 = lines.1;
        }
        rows.push([
            lines.1.into(),
            (*rid).into(),
            event.at.as_microsecond().into(),
            body.into(),
        ]);
        *counts.entry(event.what.name()).or_default() += 1;
    }
    db.many("INSERT INTO history (number, rid, at, body) VALUES", rows)?;
    hours::count(db, events.iter().map(|(_, event)| *event))?;
    let sql = "UPDATE history_size SET lines = lines + ?1, bytes = bytes + ?2";
    db.run(sql, (number(events.len()), bytes))?;
    if run == 0 {
        return Ok(());
    }
    let sql = "UPDATE run SET ended = CASE WHEN ended < ?2 THEN ?2 ELSE ended END,
               first = CASE first WHEN 0 THEN ?3 ELSE first END, last = ?4 WHERE number = ?1";
    db.run(sql, (run, last.as_microsecond(), lines.0, lines.1))?;
    for (what, n) in counts {
        let sql = "INSERT INTO run_count (run, what, n) VALUES (?1, ?2, ?3)
                   ON CONFLICT (run, what) DO UPDATE SET n = run_count.n + excluded.n";
        db.run(sql, (run, what, n))?;
    }
    Ok(())
}

/// History after a number, of one record or of all.
pub(crate) fn lines(
    db: &Db,
    record: Option<&RecordKey>,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Event)>, Trouble> {
    let of = [
        "SELECT number, body FROM history WHERE rid = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        "SELECT number, body FROM history WHERE number > ?1 ORDER BY number LIMIT ?2",
    ];
    read_lines(db, record, start(after), limit, of)
}

/// History before a number, newest first, of one record or of all.
pub(crate) fn latest(
    db: &Db,
    record: Option<&RecordKey>,
    before: u64,
    limit: usize,
) -> Result<Vec<(u64, Event)>, Trouble> {
    let of = [
        "SELECT number, body FROM history WHERE rid = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
        "SELECT number, body FROM history WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    ];
    read_lines(db, record, start(before), limit, of)
}

/// History of records of some types before a number and after another, newest first. Lines of other records are not
/// opened.
pub(crate) fn latest_of(
    db: &Db,
    types: &[RecordType],
    (after, before): (u64, u64),
    limit: usize,
) -> Result<Vec<(u64, Event)>, Trouble> {
    let mut kinds = Vec::new();
    for of in types {
        kinds.extend(db.kind(of)?);
    }
    let sql = "SELECT history.number, body FROM history CROSS JOIN record ON record.rid = history.rid
               WHERE kind IN (SELECT value FROM json_each(?1))
               AND history.number > ?2 AND history.number < ?3 ORDER BY history.number DESC LIMIT ?4";
    let given = (
        crate::load::numbers(&kinds),
        start(after),
        start(before),
        number(limit),
    );
    let rows: Vec<(i64, Vec<u8>)> = db.all(sql, given, |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.into_iter().map(|row| opened(db, row)).collect()
}

/// A stored line.
fn opened(db: &Db, (number, body): (i64, Vec<u8>)) -> Result<(u64, Event), Trouble> {
    Ok((number.cast_unsigned(), db.read(&HISTORY, body)?))
}

/// Lines by one of two statements: of one record, or of all.
fn read_lines(
    db: &Db,
    record: Option<&RecordKey>,
    from: i64,
    limit: usize,
    [of_one, of_all]: [&str; 2],
) -> Result<Vec<(u64, Event)>, Trouble> {
    let read = |row: &dyn Row| Ok((row.get(0)?, row.get(1)?));
    let rows: Vec<(i64, Vec<u8>)> = match record {
        Some(key) => {
            let Some(rid) = db.rid(key)? else {
                return Ok(Vec::new());
            };
            db.all(of_one, (rid, from, number(limit)), read)?
        }
        None => db.all(of_all, (from, number(limit)), read)?,
    };
    rows.into_iter().map(|row| opened(db, row)).collect()
}

/// Runs after a number.
pub(crate) fn runs(db: &Db, after: u64, limit: usize) -> Result<Vec<RunRow>, Trouble> {
    read_runs(db, after, limit, "number > ?1 ORDER BY number")
}

/// Runs before a number, newest first.
pub(crate) fn latest_runs(db: &Db, before: u64, limit: usize) -> Result<Vec<RunRow>, Trouble> {
    read_runs(db, before, limit, "number < ?1 ORDER BY number DESC")
}

fn read_runs(db: &Db, from: u64, limit: usize, which: &str) -> Result<Vec<RunRow>, Trouble> {
    let sql = format!("SELECT number, kind, began, ended, first, last FROM run WHERE {which} LIMIT ?2");
    let rows = db.all(&sql, (start(from), number(limit)), |row| {
        let lines = (row.get::<i64>(4)?, row.get::<i64>(5)?);
        Ok((row.get::<i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?, lines))
    })?;
    let row = |(number, kind, began, ended, lines): (i64, String, i64, i64, (i64, i64))| {
        let sql = "SELECT what, n FROM run_count WHERE run = ?1";
        let counts: Vec<(String, i64)> = db.all(sql, [number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(RunRow {
            number: number.cast_unsigned(),
            kind,
            began: moment(began)?,
            ended: moment(ended)?,
            lines: (lines.0.cast_unsigned(), lines.1.cast_unsigned()),
            counts: counts
                .into_iter()
                .map(|(what, n)| (what, n.cast_unsigned()))
                .collect(),
        })
    };
    rows.into_iter().map(row).collect()
}

/// One step of removing what is older than a moment.
pub(crate) fn compact(db: &Db, before: Timestamp, after: u64, limit: usize) -> Result<Compaction, Trouble> {
    let before = before.as_microsecond();
    let sql = "SELECT number, at, length(body), EXISTS (SELECT 1 FROM item WHERE item.rid = history.rid)
                   OR EXISTS (SELECT 1 FROM link JOIN item ON item.rid = second WHERE first = history.rid)
                   OR EXISTS (SELECT 1 FROM link JOIN item ON item.rid = first WHERE second = history.rid)
               FROM history WHERE number > ?1 ORDER BY number LIMIT ?2";
    let rows: Vec<(i64, i64, i64, bool)> = db.all(sql, (start(after), number(limit)), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let full = rows.len() == limit;
    let mut done = Compaction::default();
    let (mut bytes, mut last) = (0, None);
    for (line, at, size, needed) in rows {
        if at >= before {
            last = None;
            break;
        }
        last = Some(line.cast_unsigned());
        if !needed {
            db.run("DELETE FROM history WHERE number = ?1", [line])?;
            done.removed += 1;
            bytes += size;
        }
    }
    done.next = last.filter(|_| full);
    let sql = "UPDATE history_size SET lines = lines - ?1, bytes = bytes - ?2";
    db.run(sql, (done.removed.cast_signed(), bytes))?;
    if done.next.is_none() {
        drop_runs(db, before)?;
        hours::drop_before(db, moment(before)?)?;
    }
    Ok(done)
}

/// Old runs of which no line is left.
fn drop_runs(db: &Db, before: i64) -> Result<(), Trouble> {
    let gone = "SELECT number FROM run WHERE ended < ?1
                AND NOT EXISTS (SELECT 1 FROM history WHERE history.number BETWEEN first AND last)";
    db.run(&format!("DELETE FROM run_count WHERE run IN ({gone})"), [before])?;
    db.run(&format!("DELETE FROM run WHERE number IN ({gone})"), [before])
        .map(drop)
}

/// How much history there is.
pub(crate) fn size(db: &Db) -> Result<HistorySize, Trouble> {
    let sql = "SELECT lines, bytes, (SELECT at FROM history ORDER BY number LIMIT 1) FROM history_size";
    let found = db.one(sql, [], |row| {
        Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<Option<i64>>(2)?))
    })?;
    let (lines, bytes, oldest) = found.unwrap_or_default();
    Ok(HistorySize {
        lines: lines.cast_unsigned(),
        bytes: bytes.cast_unsigned(),
        oldest: oldest.map(moment).transpose()?,
    })
}

fn moment(micros: i64) -> Result<Timestamp, Trouble> {
    Ok(Timestamp::from_microsecond(micros)?)
}

fn start(after: u64) -> i64 {
    i64::try_from(after).unwrap_or(i64::MAX)
}
