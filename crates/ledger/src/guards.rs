//! What guards count, and what people want to hear nothing of.

use crate::at_rest;
use crate::contract::{Edits, Item};
use crate::db::{Db, Trouble};
use crate::facts::count;
use crate::sealed::STATE;
use jiff::Timestamp;
use tandem_merge::cluster::Record;
use tandem_merge::dataflow::Side;
use tandem_merge::record::RecordType;

/// A side as it is stored.
pub(crate) fn number(side: Side) -> i64 {
    match side {
        Side::First => 0,
        Side::Second => 1,
    }
}

/// A moment out of its microseconds; what lies behind the end of time is its end.
pub(crate) fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// Whether an item says something else than before.
pub(crate) fn is_news(before: &Item, now: &Item) -> bool {
    before.kind != now.kind || before.reason != now.reason
}

/// The edits of a flow after a moment; older ones are forgotten.
pub(crate) fn edits(db: &Db, flow: &str, from: Timestamp) -> Result<Edits, Trouble> {
    let from = from.as_microsecond();
    let mut found = Edits::default();
    for side in Side::BOTH {
        let sql = "DELETE FROM edited WHERE flow = ?1 AND side = ?2 AND at <= ?3";
        db.run(sql, (flow, number(side), from))?;
        let sql = "SELECT count(*) FROM edited WHERE flow = ?1 AND side = ?2";
        found.edited[side.index()] = count(db, sql, (flow, number(side)))?;
    }
    if found.edited.iter().any(|edited| *edited > 0) {
        found.links = crate::counts::linked(db, flow)?;
    }
    Ok(found)
}

/// Leaves an item out of what needs a person.
pub(crate) fn ignore(db: &Db, item: u64, until: Option<Timestamp>) -> Result<bool, Trouble> {
    let until = until.unwrap_or(Timestamp::MAX).as_microsecond();
    let sql = "UPDATE item SET ignored = ?2 WHERE number = ?1";
    Ok(db.run(sql, (item.cast_signed(), until))? > 0)
}

/// What is left of a record whose system went back to an earlier state: its values, of no known version.
pub(crate) fn unversioned(record: &mut Record) {
    record.shadow.version = None;
    record.shadow.seen = Timestamp::UNIX_EPOCH;
    record.unconfirmed.clear();
}

/// Forgets the versions of a system's records, and what was seen of them and not decided.
pub(crate) fn forget_versions(db: &Db, system: &str) -> Result<(), Trouble> {
    let sql = "SELECT rid, state FROM record JOIN body USING (rid) JOIN kind ON kind.number = record.kind
               WHERE kind.system = ?1 AND rid > ?2 AND state IS NOT NULL ORDER BY rid LIMIT 500";
    let mut after = 0;
    loop {
        let rows: Vec<(i64, Vec<u8>)> = db.all(sql, (system, after), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        for (rid, state) in rows {
            let mut record = at_rest::record(&db.opened(&STATE, state)?, "record")?;
            unversioned(&mut record);
            let sql = "UPDATE body SET state = ?2 WHERE rid = ?1";
            db.run(sql, (rid, db.shut(&STATE, at_rest::of_record(&record)?)?))?;
            db.run("UPDATE record SET revision = revision + 1 WHERE rid = ?1", [rid])?;
        }
    }
    for table in ["inbox", "doubt"] {
        let sql = format!(
            "DELETE FROM {table} WHERE rid IN
             (SELECT rid FROM record JOIN kind ON kind.number = record.kind WHERE kind.system = ?1)"
        );
        db.run(&sql, [system])?;
    }
    Ok(())
}

/// Marks all records of these types dirty, one at a time.
pub(crate) fn touch_types(db: &Db, types: &[RecordType]) -> Result<(), Trouble> {
    for of in types {
        let Some(kind) = db.kind(of)? else { continue };
        let sql = "SELECT rid FROM record WHERE kind = ?1 AND rid > ?2 AND presence IS NOT NULL ORDER BY rid LIMIT 500";
        let mut after = 0;
        loop {
            let rids: Vec<i64> = db.all(sql, (kind, after), |row| row.get(0))?;
            let Some(last) = rids.last() else { break };
            after = *last;
            for rid in rids {
                db.mark_dirty(rid, true)?;
            }
        }
    }
    Ok(())
}
