//! Parts and parents: how the records of supporting flows stand, what is known of the records they are parts of, and
//! parents that are to be read again.

use crate::db::{Db, Rid, Trouble};
use crate::facts::undecided;
use crate::hash;
use crate::load::{self, links_of};
use crate::take::{self, Net};
use jiff::Timestamp;
use tandem_merge::dataflow::{Dataflow, Reference, Side};
use tandem_merge::facts::{Parent, Part, PartsOf, Referral, Waits};
use tandem_merge::record::{Presence, RecordKey, Values};
use tandem_merge::support;

/// How the parts of a record stand.
pub(crate) fn of(db: &Db, flows: &Dataflow, net: &Net, of: &PartsOf) -> Result<Vec<Part>, Trouble> {
    let key = db.blind(hash::match_key(&support::key_of(of)));
    let sql = "SELECT rid FROM match_key WHERE key = ?1 ORDER BY rid";
    let found: Vec<Rid> = db.all(sql, [key], |row| row.get(0))?;
    let mut parts = Vec::new();
    for rid in found {
        let record = db.key(rid)?;
        let is_part = flows
            .flow(&of.flow)
            .is_some_and(|flow| flow.end(of.side).record_type == record.record_type);
        if !is_part || net.rows.contains_key(&rid) {
            continue;
        }
        let cluster = take::as_it_is(db, rid)?;
        let standing = support::standing(flows, of, &cluster, &record, undecided(db, rid)?);
        parts.extend(standing.map(|standing| Part { record, standing }));
    }
    Ok(parts)
}

/// What is known of a parent; none of a reference that leads to no flow.
pub(crate) fn parent(db: &Db, flows: &Dataflow, referral: &Referral) -> Result<Option<Parent>, Trouble> {
    let (Reference::Flow(flow), Some(key)) = (&referral.through, support::parent_record(flows, referral))
    else {
        return Ok(None);
    };
    let Some(rid) = db.rid(&key)? else {
        return Ok(Some(Parent::default()));
    };
    let mut parent = Parent {
        own: shown(db, rid)?,
        undecided: undecided(db, rid)?,
        unread: is_unread(db, rid)?,
        ..Parent::default()
    };
    for line in links_of(db, rid)? {
        let (own, other) = match referral.side {
            Side::First => (line.first, line.second),
            Side::Second => (line.second, line.first),
        };
        if line.flow == *flow && own == rid {
            parent.other = shown(db, other)?;
            let verdict = line.verdict.as_deref().map(serde_json::from_str);
            parent.verdict = verdict.transpose()?;
        }
    }
    Ok(Some(parent))
}

/// Whether a record is to be read again, which was not done yet.
pub(crate) fn is_unread(db: &Db, rid: Rid) -> Result<bool, Trouble> {
    let sql = "SELECT 1 FROM reread WHERE rid = ?1";
    Ok(db.one(sql, [rid], |row| row.get::<_, i64>(0))?.is_some())
}

/// How many clusters wait for what becomes of a deleted record that they named; its parts are not among them.
pub(crate) fn losses(db: &Db, flows: &Dataflow, key: &RecordKey) -> Result<u64, Trouble> {
    let Some(rid) = db.rid(key)? else { return Ok(0) };
    let sql = "SELECT kind, count(*) FROM wait JOIN record ON rid = waiting WHERE target = ?1 GROUP BY kind";
    let waiting: Vec<(i64, i64)> = db.all(sql, [rid], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut losses = 0;
    for (kind, count) in waiting {
        let of = db.record_type(kind)?;
        if !flows.flows_of(&of).any(|(flow, _)| flow.supports.is_some()) {
            losses += count.cast_unsigned();
        }
    }
    Ok(losses)
}

fn shown(db: &Db, rid: Rid) -> Result<Option<(Presence, Values)>, Trouble> {
    let shadow = load::row(db, rid)?.shadow()?;
    Ok(shadow.map(|shadow| (shadow.presence, shadow.values)))
}

/// Notes that records are to be read again, by reads that begin at these moments or later.
pub(crate) fn note(db: &Db, waits: &Waits) -> Result<(), Trouble> {
    let again = "INSERT INTO reread (rid, at) VALUES (?1, ?2)
                 ON CONFLICT (rid) DO UPDATE SET at = max(at, excluded.at)";
    let later = "INSERT INTO later (rid, at) VALUES (?1, ?2)
                 ON CONFLICT (rid) DO UPDATE SET at = max(at, excluded.at)";
    for (sql, records) in [(again, &waits.reread), (later, &waits.later)] {
        for (key, at) in records {
            if !crate::forget::is_forgotten(db, key)? {
                db.run(sql, (db.make_rid(key)?, at.as_microsecond()))?;
            }
        }
    }
    Ok(())
}

/// A read that began at that moment answers what was to be read again, and wakes who waits for it.
pub(crate) fn answered(db: &Db, rid: Rid, began: Timestamp) -> Result<(), Trouble> {
    let sql = "DELETE FROM later WHERE rid = ?1 AND at <= ?2";
    db.run(sql, (rid, began.as_microsecond()))?;
    let sql = "DELETE FROM reread WHERE rid = ?1 AND at <= ?2";
    if db.run(sql, (rid, began.as_microsecond()))? > 0 {
        let sql = "SELECT waiting FROM wait WHERE target = ?1 ORDER BY waiting";
        let waiting: Vec<Rid> = db.all(sql, [rid], |row| row.get(0))?;
        for waiting in waiting {
            db.mark_dirty(waiting, false)?;
        }
    }
    Ok(())
}

/// Records to read again, and those to read once more by now, at most `limit`.
pub(crate) fn to_read(db: &Db, now: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Trouble> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "SELECT rid FROM reread UNION SELECT rid FROM later WHERE at <= ?1 ORDER BY rid LIMIT ?2";
    let rids: Vec<Rid> = db.all(sql, (now.as_microsecond(), limit), |row| row.get(0))?;
    rids.into_iter().map(|rid| db.key(rid)).collect()
}
