//! Storing what a system showed.

use crate::commit::records;
use crate::contract::{Page, PageReport};
use crate::db::{Db, Rid, Trouble};
use crate::hash;
use crate::known::{Known, laid_over};
use crate::load::{self, Row};
use crate::sealed::{CURSOR, INBOX, KEYS};
use rusqlite::OptionalExtension;
use std::collections::{BTreeSet, HashMap};
use tandem_merge::cluster::Shadow;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::{Observation, Presence, RecordKey, Values};
use tandem_merge::{echo, late};

/// So many rows are read at once.
const TOGETHER: usize = 200;

/// Stores a page's observations, and the cursor with them (S4).
pub(crate) fn commit(db: &Db, flows: &Dataflow, page: &Page) -> Result<PageReport, Trouble> {
    let mut report = PageReport::default();
    for part in page.observations.chunks(TOGETHER) {
        let mut rows = load::rows_of(db, part.iter().map(|seen| &seen.key))?;
        for Observation { key, .. } in part {
            if !rows.contains_key(key) && !crate::forget::is_forgotten(db, key)? {
                rows.insert(key.clone(), load::make_row(db, key)?);
            }
        }
        for seen in part {
            match admit(db, flows, seen, &mut rows)? {
                Admitted::New => report.new += 1,
                Admitted::Known => report.known += 1,
                Admitted::Echo => report.echoes += 1,
            }
        }
    }
    if let Some(cursor) = &page.cursor {
        let sql = "INSERT INTO system (name, cursor) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor";
        db.run(sql, (&page.system, db.shut(&CURSOR, cursor.clone())?))?;
    }
    Ok(report)
}

/// What an observation came to.
enum Admitted {
    New,
    Known,
    Echo,
}

/// Puts one observation into the inbox, unless it shows nothing new. `rows`: those that were read and did not change since.
fn admit(
    db: &Db,
    flows: &Dataflow,
    seen: &Observation,
    rows: &mut HashMap<RecordKey, Row>,
) -> Result<Admitted, Trouble> {
    if crate::forget::is_forgotten(db, &seen.key)? {
        return Ok(Admitted::Known);
    }
    let mut row = match rows.remove(&seen.key) {
        Some(row) => row,
        None => load::row(db, db.make_rid(&seen.key)?)?,
    };
    let rid = row.rid;
    if row.has.unread() {
        crate::parts::answered(db, rid, seen.read_began)?;
        row = load::row(db, rid)?;
        // It may have woken any other.
        rows.clear();
    }
    let newest = if row.has.inbox() { newest(db, rid)? } else { None };
    let state = row.shadowed()?;
    let known = match (&newest, &state) {
        (Some(newest), _) => Some(Known::from(newest)),
        (None, Some(state)) => Some(Known::shadow(&state.shadow, state.newborn.as_ref())),
        (None, None) => None,
    };
    let unconfirmed = state.as_ref().map_or(&[][..], |state| &state.unconfirmed);
    if known.is_some_and(|known| known.covers(seen)) || late::is_known(unconfirmed, seen) {
        return Ok(Admitted::Known);
    }
    let same = state
        .as_ref()
        .is_some_and(|state| state.shadow.values == seen.values);
    if same && take_echo(db, flows, &row, seen)? {
        return Ok(Admitted::Echo);
    }
    let gone = seen.presence == Presence::Deleted;
    let sql = "INSERT INTO inbox (seq, rid, gone, body) VALUES (?1, ?2, ?3, ?4)";
    db.run(sql, (db.tick(), rid, gone, db.body(&INBOX, seen)?))?;
    db.mark_dirty(rid, true)?;
    let mut keys = indexed(&row);
    if add_keys(
        &mut keys,
        flows,
        seen,
        state.as_ref().map(|state| &state.shadow.values),
    ) && let Some(body) = reindex(db, &row, &keys)?
    {
        let body = db.shut(&KEYS, body)?;
        db.run("UPDATE record SET keys = ?2 WHERE rid = ?1", (rid, body))?;
    }
    Ok(Admitted::New)
}

/// Whether an observation is an echo; then its record has taken it.
fn take_echo(db: &Db, flows: &Dataflow, row: &Row, seen: &Observation) -> Result<bool, Trouble> {
    if row.has.inbox() || row.has.dirty() || row.has.intents() {
        return Ok(false);
    }
    let record = row.bare()?;
    let Some(record) = record.and_then(|record| echo::taken(flows, &record, seen)) else {
        return Ok(false);
    };
    let sql = "WITH RECURSIVE tied (end) AS (SELECT ?1
               UNION SELECT second FROM tied JOIN link ON first = end
               UNION SELECT first FROM tied JOIN link ON second = end)
               SELECT EXISTS (SELECT 1 FROM item WHERE rid IN (SELECT end FROM tied))";
    if db.one(sql, [row.rid], |row| row.get(0))? == Some(true) {
        return Ok(false);
    }
    records::store_state(db, row.rid, &record)?;
    Ok(true)
}

fn newest(db: &Db, rid: Rid) -> Result<Option<Observation>, Trouble> {
    let sql = "SELECT body FROM inbox WHERE rid = ?1 ORDER BY seq DESC LIMIT 1";
    let body: Option<Vec<u8>> = db.one(sql, [rid], |row| row.get(0))?;
    body.map(|body| db.read(&INBOX, body)).transpose()
}

/// Adds the keys that an observation can be found by. Answers whether there are any.
fn add_keys(keys: &mut BTreeSet<i64>, flows: &Dataflow, seen: &Observation, shadow: Option<&Values>) -> bool {
    if seen.presence != Presence::Alive {
        return false;
    }
    let values = laid_over(shadow, seen);
    let more = keys_of(flows, &seen.key, &values);
    let any = !more.is_empty();
    keys.extend(more);
    any
}

/// All keys that a record can be found by: what is known of it, where it is alive or a counterpart may be made for it
/// still (`creating`), and its inbox rows laid over that.
pub(crate) fn keys_shown(
    db: &Db,
    flows: &Dataflow,
    row: &Row,
    key: &RecordKey,
    shadow: Option<&Shadow>,
    creating: bool,
) -> Result<BTreeSet<i64>, Trouble> {
    let mut keys = BTreeSet::new();
    if let Some(shadow) = shadow.filter(|shadow| creating || shadow.presence == Presence::Alive) {
        keys.extend(keys_of(flows, key, &shadow.values));
    }
    if row.has.inbox() {
        for (_, _, seen) in load::inbox_of(db, &[row.rid])? {
            add_keys(&mut keys, flows, &seen, shadow.map(|shadow| &shadow.values));
        }
    }
    Ok(keys)
}

/// The match keys of a record with these values, as numbers.
fn keys_of(flows: &Dataflow, key: &RecordKey, values: &Values) -> Vec<i64> {
    let keys = tandem_merge::reconcile::match_keys(flows, key, values);
    keys.iter().map(hash::match_key).collect()
}

/// The keys that a record is indexed by.
pub(crate) fn indexed(row: &Row) -> BTreeSet<i64> {
    numbers(row.keys.as_deref().unwrap_or_default())
}

/// The keys that a record's row names.
pub(crate) fn numbers(body: &[u8]) -> BTreeSet<i64> {
    let number = |part: &[u8]| part.try_into().map(i64::from_le_bytes).unwrap_or_default();
    body.chunks(8).map(number).collect()
}

/// Lets a record be found by a key.
pub(crate) fn index(db: &Db, key: i64, rid: Rid) -> Result<(), Trouble> {
    let sql = "INSERT INTO match_key (key, rid) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    db.run(sql, (db.blind(key), rid)).map(drop)
}

/// Indexes a record by exactly these keys. Answers what its row must say, if that is news.
pub(crate) fn reindex(db: &Db, row: &Row, keys: &BTreeSet<i64>) -> Result<Option<Vec<u8>>, Trouble> {
    let before = indexed(row);
    if &before == keys {
        return Ok(None);
    }
    for gone in before.difference(keys) {
        db.run(
            "DELETE FROM match_key WHERE key = ?1 AND rid = ?2",
            (db.blind(*gone), row.rid),
        )?;
    }
    for new in keys.difference(&before) {
        index(db, *new, row.rid)?;
    }
    Ok(Some(keys.iter().flat_map(|key| key.to_le_bytes()).collect()))
}

/// Binds a system's name to its identification, or refuses another one.
pub(crate) fn bind(db: &Db, system: &str, identity: &str) -> Result<(), Trouble> {
    let sql = "SELECT identity FROM system WHERE name = ?1";
    let known: Option<Option<String>> = db
        .connection
        .query_row(sql, [system], |row| row.get(0))
        .optional()?;
    match known.flatten() {
        Some(known) if known == identity => Ok(()),
        Some(known) => Err(Trouble::Told(crate::Error::OtherSystem {
            system: system.to_owned(),
            known,
            found: identity.to_owned(),
        })),
        None => {
            let sql = "INSERT INTO system (name, identity) VALUES (?1, ?2)
                       ON CONFLICT (name) DO UPDATE SET identity = excluded.identity";
            db.run(sql, [system, identity]).map(drop)
        }
    }
}
