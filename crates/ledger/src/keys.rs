//! The key of a state: which one it has, and how it gets one or another.

use crate::db::{Db, Trouble};
use crate::sealed::{self, ALL, KEYS, Place};
use crate::{Error, load, match_index, page};
use std::sync::Arc;
use tandem_merge::cluster::Action;
use tandem_seal::Seal;

/// The keys that a state is opened with.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// What the state is sealed with from now on; none: it is in clear.
    pub current: Option<Arc<Seal>>,
    /// What it was sealed with before, where that changes.
    pub former: Option<Arc<Seal>>,
}

/// The key that a state says it has, of those given; none of one in clear.
///
/// # Errors
/// [`Error::KeyMissing`], [`Error::KeyWrong`].
pub(crate) fn found(db: &Db, keys: &Keys) -> Result<Option<Arc<Seal>>, Error> {
    let Some(name) = db.unit("opened", |db| db.note("seal"))? else {
        return Ok(None);
    };
    if keys.current.is_none() {
        return Err(Error::KeyMissing);
    }
    let mut given = keys.current.iter().chain(&keys.former);
    let found = given.find(|seal| seal.name() == name);
    found.cloned().map(Some).ok_or(Error::KeyWrong)
}

/// Seals a state anew where it is in clear, or sealed with the former key.
pub(crate) fn fit(db: &mut Db, keys: &Keys) -> Result<(), Error> {
    let name = |seal: &Option<Arc<Seal>>| seal.as_ref().map(|seal| seal.name().to_owned());
    if name(&db.seal) != name(&keys.current) {
        let before = std::mem::replace(&mut db.seal, keys.current.clone());
        let done = db.unit("sealed", |db| seal_anew(db, before.as_deref()));
        if done.is_err() {
            db.seal = before;
        }
        done?;
    }
    sweep(db).map_err(|trouble| trouble.told("sealed"))
}

/// Seals everything with the key of `db`, in one transaction.
fn seal_anew(db: &Db, before: Option<&Seal>) -> Result<(), Trouble> {
    let Some(after) = db.seal.as_deref() else {
        return Ok(());
    };
    for place in ALL {
        turn_column(db, place, before, after)?;
    }
    turn_notes(db, before, after)?;
    index_anew(db)?;
    reserve_anew(db)?;
    db.set_note("seal", after.name())?;
    db.set_note("swept", "no")
}

/// What was in clear, or sealed with another key, is not left behind in free pages and the log.
fn sweep(db: &Db) -> Result<(), Trouble> {
    if db.note("swept")?.as_deref() != Some("no") {
        return Ok(());
    }
    db.storage.rewrite()?;
    db.set_note("swept", "yes")
}

/// Rows turned in one go.
const PAGE: i64 = 500;

fn turn_column(db: &Db, place: &Place, before: Option<&Seal>, after: &Seal) -> Result<(), Trouble> {
    let Place {
        table, row, column, ..
    } = place;
    let read = format!(
        "SELECT {row}, {column} FROM {table} WHERE {row} > ?1 AND {column} IS NOT NULL ORDER BY {row} LIMIT {PAGE}"
    );
    let write = format!("UPDATE {table} SET {column} = ?2 WHERE {row} = ?1");
    let mut last = i64::MIN;
    loop {
        let rows: Vec<(i64, Vec<u8>)> = db.all(&read, [last], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((end, _)) = rows.last() else {
            return Ok(());
        };
        last = *end;
        for (number, stored) in rows {
            let plain = sealed::opened(before, place, stored)?;
            db.run(&write, (number, sealed::shut(Some(after), place, plain)?))?;
        }
    }
}

fn turn_notes(db: &Db, before: Option<&Seal>, after: &Seal) -> Result<(), Trouble> {
    let sql = "SELECT name, value FROM note";
    let notes: Vec<(String, Vec<u8>)> = db.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (name, stored) in notes.into_iter().filter(|(name, _)| !sealed::is_open(name)) {
        let place = sealed::note_place(&name);
        let plain = match before {
            Some(before) => sealed::unseal(before, &place, &stored)?,
            None => stored,
        };
        let sealed = sealed::sealed(after, &place, &plain)?;
        db.run("UPDATE note SET value = ?2 WHERE name = ?1", (&name, sealed))?;
    }
    Ok(())
}

/// The index of match keys, blinded by the key.
fn index_anew(db: &Db) -> Result<(), Trouble> {
    match_index::clear(db)?;
    let mut last = i64::MIN;
    let sql =
        format!("SELECT rid, keys FROM record WHERE rid > ?1 AND keys IS NOT NULL ORDER BY rid LIMIT {PAGE}");
    loop {
        let rows: Vec<(i64, Vec<u8>)> = db.all(&sql, [last], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((end, _)) = rows.last() else {
            return Ok(());
        };
        last = *end;
        let mut news = match_index::News::default();
        for (rid, stored) in rows {
            for key in page::numbers(&db.opened(&KEYS, stored)?) {
                news.add(db, key, rid);
            }
        }
        news.store(db)?;
    }
}

fn reserve_anew(db: &Db) -> Result<(), Trouble> {
    let sql = "SELECT id FROM intent WHERE reservation IS NOT NULL";
    let all: Vec<i64> = db.all(sql, [], |row| row.get(0))?;
    for id in all {
        let Some(row) = load::intent_by_id(db, id.cast_unsigned())? else {
            continue;
        };
        if let Action::Create { reservation, .. } = row.intent()?.action {
            let sql = "UPDATE intent SET reservation = ?2 WHERE id = ?1";
            db.run(sql, (id, db.blind_text(&reservation)))?;
        }
    }
    Ok(())
}
