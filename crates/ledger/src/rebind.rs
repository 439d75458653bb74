//! Rebinding: the state goes over to another system of the same kind, such as a refreshed sandbox.
//!
//! What stays is what holds there too: links whose records were found, tombs, history. Everything else that was
//! learnt of the former system is forgotten, so that all is listed, matched and compared anew, and nothing is
//! taken for deleted because it is absent.

use crate::contract::{Rebinding, Rebound};
use crate::db::{Db, Rid, Trouble};
use crate::sealed::STATE;
use crate::{at_rest, lists, load, match_index};
use jiff::Timestamp;
use tandem_merge::cluster::Record;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::RecordKey;

/// Whether anything of a record stays.
pub(crate) fn stays(to: &Rebinding, key: &RecordKey, record: &Record, linked: bool) -> bool {
    let other = key.record_type.system != to.system;
    other || !record.suppressed.is_empty() || !record.apart.is_empty() || (linked && !to.gone.contains(key))
}

/// What stays of a record: its last values, without all that was agreed on them.
pub(crate) fn bared(to: &Rebinding, key: &RecordKey, record: &mut Record) {
    record.bases.clear();
    record.parked.clear();
    record.held.clear();
    record.newborn = None;
    record.wrote_at = None;
    record.unconfirmed.clear();
    record.intent = None;
    if key.record_type.system == to.system {
        record.shadow.version = None;
        record.shadow.seen = Timestamp::UNIX_EPOCH;
        record.times.clear();
        record.since = Timestamp::UNIX_EPOCH;
        record.until = None;
    }
}

/// Goes over to the other system.
pub(crate) fn carry_out(db: &Db, flows: &Dataflow, to: &Rebinding) -> Result<Rebound, Trouble> {
    for table in [
        "inbox", "dirty", "intent", "item", "wait", "approval", "edited", "doubt",
    ] {
        db.run(&format!("DELETE FROM {table}"), [])?;
    }
    db.run("UPDATE system SET cursor = NULL, listed = NULL", [])?;
    let sql = "UPDATE system SET identity = ?2 WHERE name = ?1";
    db.run(sql, [&to.system, &to.identity])?;
    let mut done = Rebound::default();
    let mut after = 0;
    let sql = "SELECT rid FROM record WHERE rid > ?1 ORDER BY rid LIMIT 500";
    loop {
        let rids: Vec<Rid> = db.all(sql, [after], |row| row.get(0))?;
        let Some(last) = rids.last() else { break };
        after = *last;
        for rid in rids {
            done.dropped += one(db, to, rid)?;
        }
    }
    for (role, id) in &to.gone_companions {
        db.run("DELETE FROM companion WHERE role = ?1 AND id = ?2", [role, id])?;
    }
    db.run("DELETE FROM companion WHERE id IS NULL", [])?;
    done.kept = crate::facts::count(db, "SELECT count(*) FROM link", [])?;
    lists::touch_all(db, flows)?;
    Ok(done)
}

/// One record; how many of its links ended.
fn one(db: &Db, to: &Rebinding, rid: Rid) -> Result<u64, Trouble> {
    let row = load::row(db, rid)?;
    let key = row.key(db)?;
    let sql = "SELECT 1 FROM link WHERE first = ?1 OR second = ?1";
    let linked = db.one(sql, [rid], |_| Ok(()))?.is_some();
    let record = row.bare()?;
    match record {
        Some(mut record) if stays(to, &key, &record, linked) => {
            bared(to, &key, &mut record);
            db.run(
                "UPDATE record SET revision = revision + 1, sent = 0 WHERE rid = ?1",
                [rid],
            )?;
            let sql = "UPDATE body SET state = ?2, heads = NULL, questions = NULL WHERE rid = ?1";
            db.run(sql, (rid, db.shut(&STATE, at_rest::of_record(&record)?)?))?;
            Ok(0)
        }
        _ => {
            let ended = db.run("DELETE FROM link WHERE first = ?1 OR second = ?1", [rid])?;
            match_index::forget(db, rid)?;
            db.run("DELETE FROM companion WHERE owner = ?1", [rid])?;
            let sql = "UPDATE record SET revision = revision + 1, presence = NULL, sent = 0, keys = NULL WHERE rid = ?1";
            db.run(sql, [rid])?;
            db.run("DELETE FROM body WHERE rid = ?1", [rid])?;
            Ok(ended as u64)
        }
    }
}
