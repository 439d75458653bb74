//! What happened hour by hour: lines of the history by record type, how late edits were taken up, how much waited, and for
//! how many seconds flows rested and systems were away.

use crate::contract::Hour;
use crate::db::{Db, Trouble};
use crate::stood::StoodFor;
use jiff::Timestamp;
use std::collections::BTreeMap;
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::RecordType;

/// Under which name the longest an edit had been made before it was taken up is kept, in seconds.
pub(crate) const LAG: &str = "lag";
/// Under which name the most that waited to be decided or sent is kept, of all types together.
pub(crate) const BACKLOG: &str = "backlog";

/// The kind of what is of no record type.
const ALL: i64 = 0;

/// Counts add up, and of the two others the largest stays.
const ADD: &str = "INSERT INTO hourly (hour, kind, what, n) VALUES
    ON CONFLICT (hour, kind, what) DO UPDATE SET n = CASE
        WHEN excluded.what NOT IN ('lag', 'backlog') THEN hourly.n + excluded.n
        WHEN hourly.n < excluded.n THEN excluded.n ELSE hourly.n END";

/// The hour of a moment, counted from 1970.
pub(crate) fn of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3_600)
}

/// What an event adds to its hour.
pub(crate) fn added(event: &Event) -> Vec<(&'static str, i64)> {
    let mut all = vec![(event.what.name(), 1)];
    if let EventKind::Edited { made: Some(made), .. } = &event.what {
        let late = event.at.duration_since(made.to).as_secs();
        all.extend((late > 0).then_some((LAG, late)));
    }
    all
}

/// What two numbers of an hour come to.
pub(crate) fn together(what: &str, one: i64, other: i64) -> i64 {
    match what {
        LAG | BACKLOG => one.max(other),
        _ => one + other,
    }
}

/// Adds lines of the history to their hours.
pub(crate) fn count<'e>(db: &Db, events: impl Iterator<Item = &'e Event>) -> Result<(), Trouble> {
    let mut sums: BTreeMap<(i64, i64, &str), i64> = BTreeMap::new();
    for event in events {
        let Some(kind) = db.kind(&event.record.record_type)? else {
            continue;
        };
        for (what, n) in added(event) {
            let sum = sums.entry((of(event.at), kind, what)).or_default();
            *sum = together(what, *sum, n);
        }
    }
    let rows = sums.into_iter();
    let rows =
        rows.map(|((hour, kind, what), n)| [hour.into(), kind.into(), what.to_owned().into(), n.into()]);
    db.many(ADD, rows.collect())
}

/// Notes how much waits to be decided or sent at a moment; nothing where nothing does.
pub(crate) fn note_backlog(db: &Db, at: Timestamp) -> Result<(), Trouble> {
    let sql = "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM intent)";
    let waits: i64 = db.one(sql, [], |row| row.get(0))?.unwrap_or_default();
    if waits == 0 {
        return Ok(());
    }
    let row = [of(at).into(), ALL.into(), BACKLOG.to_owned().into(), waits.into()];
    db.many(ADD, vec![row])
}

/// Adds for how long things stood in some way, in one statement.
pub(crate) fn note_stood(db: &Db, all: &[StoodFor]) -> Result<(), Trouble> {
    let row = |one: &StoodFor| {
        let seconds = one.seconds.cast_signed();
        [
            of(one.at).into(),
            ALL.into(),
            one.stood.what().into(),
            seconds.into(),
        ]
    };
    db.many(ADD, all.iter().map(row).collect())
}

/// What happened from an hour on, in order.
pub(crate) fn since(db: &Db, from: Timestamp) -> Result<Vec<Hour>, Trouble> {
    let sql = "SELECT hour, kind, what, n FROM hourly WHERE hour >= ?1 ORDER BY hour, kind, what";
    let rows: Vec<(i64, i64, String, i64)> = db.all(sql, [of(from)], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let mut known: BTreeMap<i64, RecordType> = BTreeMap::new();
    let mut hours = Vec::new();
    for (hour, kind, what, n) in rows {
        let record_type = match known.get(&kind) {
            _ if kind == ALL => None,
            Some(known) => Some(known.clone()),
            None => {
                let of = db.record_type(kind)?;
                known.insert(kind, of.clone());
                Some(of)
            }
        };
        hours.push(Hour {
            began: Timestamp::from_second(hour * 3_600)?,
            record_type,
            what,
            n: n.cast_unsigned(),
        });
    }
    // The types have other numbers in every state.
    hours.sort_by(|one, other| {
        (one.began, &one.record_type, &one.what).cmp(&(other.began, &other.record_type, &other.what))
    });
    Ok(hours)
}

/// Forgets hours before a moment.
pub(crate) fn drop_before(db: &Db, before: Timestamp) -> Result<(), Trouble> {
    db.run("DELETE FROM hourly WHERE hour < ?1", [of(before)])
        .map(drop)
}
