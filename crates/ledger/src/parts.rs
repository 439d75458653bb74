//! Parts and parents: how the records of supporting flows stand, what is known of the records they are parts of, and
//! parents that are to be read again.

use crate::db::{Db, Rid, Trouble};
use crate::gathered::Gathered;
use crate::hash;
use crate::load::{Row, Shadowed};
use crate::named::{self, Asked, UNDECIDED};
use crate::sealed::STATE;
use crate::take::{self, Net};
use crate::{at_rest, match_index};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::facts::{Needs, Parent, Part, PartsOf, Referral, Waits};
use tandem_merge::record::{Presence, RecordKey, Values};
use tandem_merge::support;

/// Parts of the records that are decided, looked up for all of them at once: an order and its lines ask for the same ones.
#[derive(Default)]
pub(crate) struct Parts {
    /// By the number of the key that they are found by.
    found: HashMap<i64, Vec<Rid>>,
    gathered: Gathered,
    /// Clusters of parts that were read, and in which of them a record is.
    nets: Vec<Net>,
    places: HashMap<Rid, usize>,
}

impl Parts {
    /// Looks up whose parts are asked for.
    pub(crate) fn look_up(db: &Db, needs: &[Needs]) -> Result<Self, Trouble> {
        let mut parts = Self {
            gathered: Gathered::without_inbox(),
            ..Self::default()
        };
        let asked = needs.iter().flat_map(|needs| &needs.parts);
        let keys: BTreeSet<i64> = asked.map(|of| number(db, of)).collect();
        let keys: Vec<i64> = keys.into_iter().collect();
        let found = match_index::having_any(db, &keys)?;
        parts.gathered.read(db, found.iter().map(|(_, rid)| *rid))?;
        for (key, rid) in found {
            parts.found.entry(key).or_default().push(rid);
        }
        Ok(parts)
    }

    /// How the parts of a record stand, those that are decided with it left out.
    pub(crate) fn of(
        &mut self,
        db: &Db,
        flows: &Dataflow,
        net: &Net,
        of: &PartsOf,
    ) -> Result<Vec<Part>, Trouble> {
        let found = self.found.get(&number(db, of)).cloned().unwrap_or_default();
        let mut parts = Vec::new();
        for rid in found.into_iter().filter(|rid| !net.rows.contains_key(rid)) {
            let part = self.net(db, rid)?;
            let Some((row, record)) = part.rows.get(&rid) else {
                continue;
            };
            let is_part = flows
                .flow(&of.flow)
                .is_some_and(|flow| flow.end(of.side).record_type == record.record_type);
            if is_part {
                let standing = support::standing(flows, of, &part.cluster, record, row.has.undecided());
                let record = record.clone();
                parts.extend(standing.map(|standing| Part { record, standing }));
            }
        }
        Ok(parts)
    }

    /// The cluster that a record is in.
    fn net(&mut self, db: &Db, rid: Rid) -> Result<&Net, Trouble> {
        let place = match self.places.get(&rid) {
            Some(place) => *place,
            None => {
                let net = take::as_gathered(db, &mut self.gathered, rid)?;
                let place = self.nets.len();
                self.places.extend(net.rows.keys().map(|rid| (*rid, place)));
                self.nets.push(net);
                place
            }
        };
        let net = self.nets.get(place);
        net.ok_or_else(|| Trouble::Unreadable(format!("record {rid} is not there")))
    }
}

/// The number of the key that parts are found by, as the index holds it.
fn number(db: &Db, of: &PartsOf) -> i64 {
    db.blind(hash::match_key(&support::key_of(of)))
}

/// What is known of parents, of all at once; nothing of a reference that leads to no flow.
pub(crate) fn parents<'a>(
    db: &Db,
    flows: &Dataflow,
    referrals: impl Iterator<Item = &'a Referral>,
) -> Result<BTreeMap<&'a Referral, Parent>, Trouble> {
    let mut parents = BTreeMap::new();
    let mut asked = [Asked::new(), Asked::new()];
    for referral in referrals.collect::<BTreeSet<_>>() {
        if support::parent_record(flows, referral).is_some() {
            parents.insert(referral, Parent::default());
            asked[referral.side.index()].push(referral);
        }
    }
    for side in Side::BOTH {
        look_at_parents(db, flows, side, &asked[side.index()], &mut parents)?;
    }
    Ok(parents)
}

fn look_at_parents<'a>(
    db: &Db,
    flows: &Dataflow,
    side: Side,
    asked: &Asked<'a>,
    parents: &mut BTreeMap<&'a Referral, Parent>,
) -> Result<(), Trouble> {
    let (own, other) = match side {
        Side::First => ("first", "second"),
        Side::Second => ("second", "first"),
    };
    let sql = format!(
        "SELECT CAST(asked.value ->> 0 AS BIGINT), body.state, {UNDECIDED},
                EXISTS (SELECT 1 FROM reread WHERE reread.rid = record.rid), link.verdict, other.state
         FROM json_each(?1) AS asked
         CROSS JOIN record ON record.kind = CAST(asked.value ->> 1 AS BIGINT) AND record.id = asked.value ->> 2
         LEFT JOIN body ON body.rid = record.rid
         LEFT JOIN link ON link.{own} = record.rid AND +link.flow = asked.value ->> 3
         LEFT JOIN body AS other ON other.rid = link.{other}"
    );
    let rows = asked.iter().map(|referral| named::through_flow(flows, referral));
    let Some(asking) = named::array(db, rows)? else {
        return Ok(());
    };
    db.each(&sql, [asking], |row| {
        let verdict: Option<String> = row.get(4)?;
        let parent = Parent {
            own: shown(db, row.get(1)?)?,
            other: shown(db, row.get(5)?)?,
            verdict: verdict.as_deref().map(serde_json::from_str).transpose()?,
            undecided: row.get(2)?,
            unread: row.get(3)?,
        };
        parents.insert(named::asked_for(asked, row)?, parent);
        Ok(())
    })
}

/// Whether a record is to be read again, which was not done yet.
pub(crate) fn is_unread(db: &Db, rid: Rid) -> Result<bool, Trouble> {
    let sql = "SELECT 1 FROM reread WHERE rid = ?1";
    Ok(db.one(sql, [rid], |row| row.get::<i64>(0))?.is_some())
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

/// What a record's state shows.
fn shown(db: &Db, state: Option<Vec<u8>>) -> Result<Option<(Presence, Values)>, Trouble> {
    let state = db.opened_if(&STATE, state)?;
    let state: Option<Shadowed> = state.map(|state| at_rest::part(&state, "record")).transpose()?;
    Ok(state.map(|state| (state.shadow.presence, state.shadow.values)))
}

/// Notes that records are to be read again, by reads that begin at these moments or later.
pub(crate) fn note(db: &Db, waits: &Waits) -> Result<(), Trouble> {
    let again = "INSERT INTO reread (rid, at) VALUES (?1, ?2)
                 ON CONFLICT (rid) DO UPDATE SET at = excluded.at WHERE excluded.at > reread.at";
    let later = "INSERT INTO later (rid, at) VALUES (?1, ?2)
                 ON CONFLICT (rid) DO UPDATE SET at = excluded.at WHERE excluded.at > later.at";
    for (sql, records) in [(again, &waits.reread), (later, &waits.later)] {
        for (key, at) in records {
            if !crate::forget::is_forgotten(db, key)? {
                db.run(sql, (db.make_rid(key)?, at.as_microsecond()))?;
            }
        }
    }
    Ok(())
}

/// A read that began at that moment answers what was to be read again. Who is to be woken: whoever waits for it, and the
/// record itself where its create can arrive no more.
pub(crate) fn answered(db: &Db, row: &Row, began: Timestamp) -> Result<Vec<Rid>, Trouble> {
    let (rid, began) = (row.rid, began.as_microsecond());
    let mut woken = Vec::new();
    let later = db.run("DELETE FROM later WHERE rid = ?1 AND at <= ?2", (rid, began))? > 0;
    if later && row.shadowed()?.is_some_and(|known| known.arrives_until.is_some()) {
        woken.push(rid);
    }
    if db.run("DELETE FROM reread WHERE rid = ?1 AND at <= ?2", (rid, began))? > 0 {
        let sql = "SELECT waiting FROM wait WHERE target = ?1 ORDER BY waiting";
        let waiting: Vec<Rid> = db.all(sql, [rid], |row| row.get(0))?;
        woken.extend(waiting);
    }
    Ok(woken)
}

/// Records to read again, and those to read once more by now, at most `limit`.
pub(crate) fn to_read(db: &Db, now: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Trouble> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "SELECT rid FROM reread UNION SELECT rid FROM later WHERE at <= ?1 ORDER BY rid LIMIT ?2";
    let rids: Vec<Rid> = db.all(sql, (now.as_microsecond(), limit), |row| row.get(0))?;
    db.keys(&rids)
}
