//! The index of match keys: which records can be found by which.
//!
//! Keys are hashes, so every batch of records writes all over the index, and the larger it is the more of it. So new
//! entries go into a small table of their own (`match_new`), and all of it goes over into the large one in order of its
//! keys, once it has grown: each page of that is written once for many batches. Whoever looks, looks into both.

use crate::db::{Db, Rid, Trouble};
use crate::load;
use crate::storage::{Row, Value};
use std::collections::HashMap;

/// More new entries than this go over. Few where the store is tested, so that they often do.
pub(crate) const NEW: u64 = if cfg!(feature = "faults") { 8 } else { 60_000 };

/// So many keys are asked for by one statement.
const TOGETHER: usize = 1_000;

/// So many records in all are looked at for them: beyond that, some key says nothing, and each is asked for alone.
const FEW: u32 = if cfg!(feature = "faults") { 4 } else { 10_000 };

/// Records that have each of these keys, at most `limit` of each, the lowest numbers first.
pub(crate) fn having_each(
    db: &Db,
    keys: &[i64],
    limit: usize,
) -> Result<impl Iterator<Item = (i64, Vec<Rid>)>, Trouble> {
    let blinded: HashMap<i64, i64> = keys.iter().map(|key| (db.blind(*key), *key)).collect();
    let mut found: HashMap<i64, Vec<Rid>> = keys.iter().map(|key| (*key, Vec::new())).collect();
    let all: Vec<i64> = blinded.keys().copied().collect();
    for part in all.chunks(TOGETHER) {
        for (key, rid) in few(db, part, limit)? {
            if let Some(rids) = blinded.get(&key).and_then(|key| found.get_mut(key)) {
                rids.push(rid);
            }
        }
    }
    Ok(found.into_iter().map(move |(key, mut rids)| {
        rids.sort_unstable();
        rids.truncate(limit);
        (key, rids)
    }))
}

/// Records that have one of these keys, at least the `limit` with the lowest numbers of each, with the key.
fn few(db: &Db, blinded: &[i64], limit: usize) -> Result<Vec<(i64, Rid)>, Trouble> {
    let read = |row: &dyn Row| Ok((row.get(0)?, row.get(1)?));
    let sql = "SELECT key, rid FROM (SELECT match_key.key, rid FROM json_each(?1) AS asked
                   CROSS JOIN match_key ON match_key.key = CAST(asked.value ->> 0 AS BIGINT) LIMIT ?2) AS old
               UNION SELECT key, rid FROM (SELECT match_new.key, rid FROM json_each(?1) AS asked
                   CROSS JOIN match_new ON match_new.key = CAST(asked.value ->> 0 AS BIGINT) LIMIT ?2) AS new";
    let asked: Vec<String> = blinded.iter().map(|key| format!("[{key}]")).collect();
    let found = db.all(sql, (format!("[{}]", asked.join(",")), i64::from(FEW)), read)?;
    if found.len() < FEW as usize {
        return Ok(found);
    }
    let sql =
        "SELECT key, rid FROM match_key WHERE key = ?1 UNION SELECT key, rid FROM match_new WHERE key = ?1
               ORDER BY rid LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for key in blinded {
        found.extend(db.all(sql, (*key, limit), read)?);
    }
    Ok(found)
}

/// Records that have one of these keys, by their numbers, each with the key as the index holds it.
pub(crate) fn having_any(db: &Db, blinded: &[i64]) -> Result<Vec<(i64, Rid)>, Trouble> {
    let sql = "SELECT key, rid FROM match_key WHERE key IN (SELECT value FROM json_each(?1))
               UNION SELECT key, rid FROM match_new WHERE key IN (SELECT value FROM json_each(?1)) ORDER BY rid";
    load::of_all(db, sql, blinded, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Keys that records are to be found by, on their way into the index.
#[derive(Default)]
pub(crate) struct News(Vec<[Value<'static>; 2]>);

impl News {
    /// Lets a record be found by a key, once it is stored.
    pub(crate) fn add(&mut self, db: &Db, key: i64, rid: Rid) {
        self.0.push([db.blind(key).into(), rid.into()]);
    }

    /// Stores them. To be done before anyone looks.
    pub(crate) fn store(&mut self, db: &Db) -> Result<(), Trouble> {
        db.indexed(self.0.len() as u64);
        let sql = "INSERT INTO match_new (key, rid) VALUES ON CONFLICT DO NOTHING";
        db.many(sql, std::mem::take(&mut self.0))
    }
}

/// Lets a record be found by a key no more.
pub(crate) fn remove(db: &Db, key: i64, rid: Rid) -> Result<(), Trouble> {
    let key = db.blind(key);
    db.run("DELETE FROM match_new WHERE key = ?1 AND rid = ?2", (key, rid))?;
    db.run("DELETE FROM match_key WHERE key = ?1 AND rid = ?2", (key, rid))
        .map(drop)
}

/// Lets a record be found no more.
pub(crate) fn forget(db: &Db, rid: Rid) -> Result<(), Trouble> {
    db.run("DELETE FROM match_key WHERE rid = ?1", [rid])?;
    db.run("DELETE FROM match_new WHERE rid = ?1", [rid]).map(drop)
}

/// Lets nothing be found.
pub(crate) fn clear(db: &Db) -> Result<(), Trouble> {
    db.run("DELETE FROM match_key", [])?;
    db.run("DELETE FROM match_new", []).map(drop)
}

/// How many entries are new.
pub(crate) fn count_new(db: &Db) -> Result<u64, Trouble> {
    let count: Option<i64> = db.one("SELECT count(*) FROM match_new", [], |row| row.get(0))?;
    Ok(count.unwrap_or_default().cast_unsigned())
}

/// Lets what is new go over.
pub(crate) fn settle(db: &Db) -> Result<(), Trouble> {
    let sql = "INSERT INTO match_key (key, rid) SELECT key, rid FROM match_new WHERE true ORDER BY key, rid
               ON CONFLICT DO NOTHING";
    db.run(sql, [])?;
    db.run("DELETE FROM match_new", []).map(drop)
}
