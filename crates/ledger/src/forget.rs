//! Forgetting records: nothing of them stays but a keyed hash.

use crate::Error;
use crate::contract::Forgotten;
use crate::db::{Db, Rid, Trouble};
use crate::load;
use crate::storage::Value;
use jiff::Timestamp;
use ring::hmac;
use std::cell::Cell;
use tandem_merge::record::RecordKey;

/// Under which name the state keeps the key of the hashes.
const KEY: &str = "forget key";
/// Under which name it notes that the files still hold bytes of what was forgotten.
const SCRUB: &str = "scrub";

/// Whether anything was ever forgotten, so that nobody asks in vain.
#[derive(Debug, Default)]
pub(crate) struct Known(Cell<Option<bool>>);

impl Known {
    /// To be looked up anew.
    pub(crate) fn clear(&self) {
        self.0.set(None);
    }
}

/// Whether a record was forgotten.
pub(crate) fn is_forgotten(db: &Db, record: &RecordKey) -> Result<bool, Trouble> {
    let any = match db.forgotten.0.get() {
        Some(any) => any,
        None => db
            .one("SELECT 1 FROM forgotten LIMIT 1", [], |_| Ok(()))?
            .is_some(),
    };
    db.forgotten.0.set(Some(any));
    if !any {
        return Ok(false);
    }
    let hash = hash(&key(db)?, record);
    let found = db.one("SELECT 1 FROM forgotten WHERE hash = ?1", [hash], |_| Ok(()))?;
    Ok(found.is_some())
}

/// The key of the hashes, made at the first use.
fn key(db: &Db) -> Result<String, Trouble> {
    if let Some(key) = db.note(KEY)? {
        return Ok(key);
    }
    let made = crate::hash::random(32)?;
    db.set_note(KEY, &made)?;
    Ok(made)
}

fn hash(key: &str, record: &RecordKey) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [&record.record_type.system, &record.record_type.name, &record.id] {
        context.update(part.as_bytes());
        context.update(&[0xff]);
    }
    context.sign().as_ref().to_vec()
}

/// Removes everything that is held of these records.
pub(crate) fn forget(db: &Db, records: &[RecordKey], at: Timestamp) -> Result<Forgotten, Trouble> {
    let mut done = Forgotten::default();
    let key = key(db)?;
    for record in records {
        let Some(rid) = db.rid(record)? else { continue };
        if load::intents_of(db, &[rid])?.iter().any(|intent| intent.sent) {
            return Err(Trouble::Told(Error::UnderWay(record.clone())));
        }
        let sql = "INSERT INTO forgotten (hash, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        db.run(sql, (hash(&key, record), at.as_microsecond()))?;
        done.lines += erase(db, rid)?;
        done.records += 1;
    }
    crate::counts::recount(db)?;
    db.set_note(SCRUB, "due")?;
    db.forgotten.clear();
    Ok(done)
}

/// Erases a record. Its row stays without a name, so that its number is not given again.
fn erase(db: &Db, rid: Rid) -> Result<u64, Trouble> {
    let waiting: Vec<Rid> = db.all(
        "SELECT waiting FROM wait WHERE target = ?1 ORDER BY waiting",
        [rid],
        |row| row.get(0),
    )?;
    let sql = "SELECT count(*), coalesce(sum(length(body)), 0) FROM history WHERE rid = ?1";
    let told = db.one(sql, [rid], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
    let (lines, bytes) = told.unwrap_or_default();
    for sql in [
        "DELETE FROM history WHERE rid = ?1",
        "DELETE FROM inbox WHERE rid = ?1",
        "DELETE FROM dirty WHERE rid = ?1",
        "DELETE FROM link WHERE first = ?1 OR second = ?1",
        "DELETE FROM intent WHERE record = ?1",
        "DELETE FROM companion WHERE owner = ?1",
        "DELETE FROM wait WHERE target = ?1 OR waiting = ?1",
        "DELETE FROM item WHERE rid = ?1",
        "DELETE FROM reread WHERE rid = ?1",
        "DELETE FROM later WHERE rid = ?1",
        "DELETE FROM doubt WHERE rid = ?1",
        "DELETE FROM body WHERE rid = ?1",
        "UPDATE record SET id = 'forgotten-' || rid, revision = revision + 1, presence = NULL, sent = 0, keys = NULL
         WHERE rid = ?1",
    ] {
        db.run(sql, [rid])?;
    }
    crate::match_index::forget(db, rid)?;
    db.run(
        "UPDATE history_size SET lines = lines - ?1, bytes = bytes - ?2",
        (lines, bytes),
    )?;
    for waiting in waiting.into_iter().filter(|waiting| *waiting != rid) {
        db.mark_dirty(waiting, false)?;
    }
    Ok(lines.cast_unsigned())
}

/// Rewrites the files where something was forgotten, so that no byte of it stays in a free page or in the log. What
/// was forgotten is forgotten even where this fails; it is done again when the state is opened.
pub(crate) fn scrub(db: &Db) -> Result<(), Error> {
    let failed = |source| Error::database("rewritten", source);
    let (name, mut due) = ([Value::Text(SCRUB.into())], false);
    let looked = db
        .storage
        .read("SELECT 1 FROM note WHERE name = ?1", &name, &mut |_| {
            due = true;
            Ok(false)
        });
    looked.map_err(|trouble| trouble.told("rewritten"))?;
    if !due {
        return Ok(());
    }
    db.storage.rewrite().map_err(failed)?;
    let done = db.storage.run("DELETE FROM note WHERE name = ?1", &name);
    done.map(drop).map_err(failed)
}
