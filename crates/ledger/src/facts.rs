//! What a decision needs to know of other clusters.

use crate::db::{Db, Rid, Trouble};
use crate::load::{self, links_of};
use crate::named::{Known, Named};
use crate::parts::Parts;
use crate::storage::Given;
use crate::take::Net;
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_merge::absent;
use tandem_merge::dataflow::{Dataflow, Reference, Side};
use tandem_merge::facts::{Facts, Needs, Referent, Referral, Removals, Types};
use tandem_merge::fates::Stored;
use tandem_merge::record::{RecordKey, RecordType};

/// What holds for all clusters of one taking.
pub(crate) struct Overall {
    now: Timestamp,
    listed_at: Option<Timestamp>,
    approvals: BTreeMap<String, Timestamp>,
    types: Types,
    deletions: RefCell<BTreeMap<String, Removals>>,
}

impl Overall {
    /// Reads it.
    pub(crate) fn read(db: &Db, flows: &Dataflow, now: Timestamp) -> Result<Self, Trouble> {
        let mut listed = Vec::new();
        for system in &flows.systems {
            let sql = "SELECT listed FROM system WHERE name = ?1";
            let at: Option<Option<String>> = db.one(sql, [system], |row| row.get(0))?;
            let at = at.flatten().map(|at| at.parse::<Timestamp>()).transpose()?;
            listed.push(at);
        }
        let all = listed.iter().all(Option::is_some);
        let sql = "SELECT flow, at FROM approval";
        let approvals: Vec<(String, String)> = db.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let parse = |(flow, at): (String, String)| Ok((flow, at.parse()?));
        Ok(Self {
            now,
            listed_at: if all {
                listed.into_iter().max().flatten()
            } else {
                None
            },
            approvals: approvals.into_iter().map(parse).collect::<Result<_, Trouble>>()?,
            types: tandem_merge::facts::types(flows),
            deletions: RefCell::default(),
        })
    }

    fn deletions(&self, db: &Db, flows: &Dataflow, flow: &str) -> Result<Removals, Trouble> {
        if let Some(known) = self.deletions.borrow().get(flow) {
            return Ok(*known);
        }
        let hours = flows.flow(flow).map_or(0, |flow| flow.guard.hours);
        let from = self.now.saturating_sub(SignedDuration::from_hours(hours));
        let from = from.unwrap_or(Timestamp::MIN).as_microsecond();
        let sql = "WITH gone AS (SELECT rid FROM record WHERE presence = 1
                                 UNION SELECT rid FROM inbox WHERE gone = 1)
                   SELECT count(*) FROM (
                       SELECT number FROM gone JOIN link ON first = rid WHERE flow = ?1
                       UNION SELECT number FROM gone JOIN link ON second = rid WHERE flow = ?1) AS lost";
        let waiting = count(db, sql, [flow])?;
        let sql = "SELECT count(*) FROM deletion WHERE flow = ?1 AND at > ?2";
        let carried_on = count(db, sql, (flow, from))?;
        let links = crate::counts::linked(db, flow)?;
        if waiting > links {
            return Err(crate::counts::miscounted(flow));
        }
        let answer = Removals {
            waiting,
            carried_on,
            links,
        };
        self.deletions.borrow_mut().insert(flow.to_owned(), answer);
        Ok(answer)
    }
}

/// A count.
pub(crate) fn count(db: &Db, sql: &str, params: impl Given) -> Result<u64, Trouble> {
    let n: Option<i64> = db.one(sql, params, |row| row.get(0))?;
    Ok(n.unwrap_or_default().cast_unsigned())
}

/// Answers what a cluster needs to know.
pub(crate) fn answer(
    db: &Db,
    flows: &Dataflow,
    net: &Net,
    needs: &Needs,
    named: &Named<'_>,
    parts: &mut Parts,
    overall: &Overall,
) -> Result<Facts, Trouble> {
    let mut facts = Facts {
        listed: overall.listed_at.is_some(),
        listed_at: overall.listed_at,
        now: overall.now,
        types: Arc::clone(&overall.types),
        ..Facts::default()
    };
    for referral in &needs.referrals {
        let referent = match &referral.through {
            Reference::Flow(flow) => counterpart(db, flows, net, flow, referral, named)?,
            Reference::Companion { role, of } => match referral.side {
                Side::First => companion_of(db, net, (role, of), referral, named)?,
                Side::Second => owner_of(of, referral, named),
            },
        };
        facts.referrals.insert(referral.clone(), referent);
    }
    for of in &needs.reservations {
        // The cluster's own are no other's.
        let other = |(rid, _): &&(Rid, RecordKey)| !net.rows.contains_key(rid);
        if let Some((_, holder)) = named.reserved.holder(of).filter(other) {
            facts.reserved.insert(of.clone(), holder.clone());
        }
    }
    for of in &needs.parts {
        facts.parts.insert(of.clone(), parts.of(db, flows, net, of)?);
    }
    for referral in &needs.parents {
        if let Some(parent) = named.parent(referral) {
            facts.parents.insert(referral.clone(), parent.clone());
        }
    }
    for referral in &needs.fates {
        let mut look = |key: &RecordKey| stored(db, net, key);
        if let Some(fate) = tandem_merge::fates::fate(flows, referral, &mut look)? {
            facts.fates.insert(referral.clone(), fate);
        }
    }
    for key in &needs.named {
        let losses = crate::parts::losses(db, flows, key)?;
        facts.named.insert(key.clone(), losses);
    }
    for flow in &needs.guards {
        let approved = overall.approvals.get(flow);
        if approved.is_some_and(|at| net.last_gone(flow).is_none_or(|gone| gone <= *at)) {
            facts.approved.insert(flow.clone());
        }
        let counts = overall.deletions(db, flows, flow)?;
        facts.deletions.insert(flow.clone(), counts);
    }
    Ok(facts)
}

/// What is stored of a record that a reference named.
fn stored(db: &Db, net: &Net, key: &RecordKey) -> Result<Option<Stored>, Trouble> {
    if crate::forget::is_forgotten(db, key)? {
        return Ok(Some(Stored {
            forgotten: true,
            ..Stored::default()
        }));
    }
    let Some(rid) = db.rid(key)? else {
        return Ok(None);
    };
    // The cluster's own records are decided right now: it would wait for itself.
    let own = net.rows.contains_key(&rid);
    Ok(Some(Stored {
        cluster: crate::take::as_it_is(db, rid)?,
        undecided: !own && undecided(db, rid)?,
        unread: crate::parts::is_unread(db, rid)?,
        forgotten: false,
    }))
}

/// What a reference through a flow leads to.
fn counterpart(
    db: &Db,
    flows: &Dataflow,
    net: &Net,
    flow: &str,
    referral: &Referral,
    named: &Named<'_>,
) -> Result<Referent, Trouble> {
    let Some(end) = flows.flow(flow).map(|flow| flow.end(referral.side)) else {
        return Ok(Referent::Unlinked);
    };
    let known = named.of(referral);
    let (rid, undecided) = match standing(db, net, &end.record_type, &referral.id, known)? {
        Standing::Known { rid, undecided } => (rid, undecided),
        Standing::Told(referent) => return Ok(referent),
    };
    if let Some((presence, id)) = known.and_then(|known| known.counterpart.clone()) {
        // One that was deleted is no counterpart that a reference could name.
        return Ok(match presence {
            Some(1) => Referent::Unlinked,
            _ => Referent::Linked(id),
        });
    }
    if undecided || open_intent(db, rid, &crate::outbox::create_slot(flow))? {
        return Ok(Referent::Pending);
    }
    let why = why_never(db, flows, (flow, referral.side), rid)?;
    Ok(why.map_or(Referent::Unlinked, Referent::Never))
}

/// Why a record that was decided gets no counterpart in a flow by itself.
fn why_never(
    db: &Db,
    flows: &Dataflow,
    (flow, side): (&str, Side),
    rid: Rid,
) -> Result<Option<String>, Trouble> {
    let (Some(flow), Some(record)) = (flows.flow(flow), load::row(db, rid)?.bare()?) else {
        return Ok(None);
    };
    let mut links = Vec::new();
    for line in links_of(db, rid)? {
        links.push(line.link(db.key(line.first)?, db.key(line.second)?)?);
    }
    Ok(absent::why_never(
        flows,
        flow,
        side,
        &db.key(rid)?,
        &record,
        &links,
    ))
}

/// What a reference from an owner to its companion leads to.
fn companion_of(
    db: &Db,
    net: &Net,
    (role, of): (&str, &RecordType),
    referral: &Referral,
    named: &Named<'_>,
) -> Result<Referent, Trouble> {
    let known = named.of(referral);
    let (rid, undecided) = match standing(db, net, of, &referral.id, known)? {
        Standing::Known { rid, undecided } => (rid, undecided),
        Standing::Told(referent) => return Ok(referent),
    };
    let companion = known.and_then(|known| known.companion.as_ref());
    if let Some(id) = companion.and_then(|companion| companion.id.clone()) {
        return Ok(Referent::Linked(id));
    }
    let wanted = companion.is_some_and(|companion| companion.parked.is_none());
    let pending = undecided || wanted || open_intent(db, rid, &crate::outbox::companion_slot(role))?;
    Ok(if pending {
        Referent::Pending
    } else {
        Referent::Unlinked
    })
}

/// Whose companion an id is.
fn owner_of(of: &RecordType, referral: &Referral, named: &Named<'_>) -> Referent {
    let owners = named.owners(referral).iter();
    let first = owners.filter(|key| &key.record_type == of).min();
    first.map_or(Referent::Unlinked, |key| Referent::Linked(key.id.clone()))
}

/// What is known of a record that is referred to.
enum Standing {
    /// It is there; `undecided`: it has not been decided since it was last seen.
    Known { rid: Rid, undecided: bool },
    /// Unknown or gone.
    Told(Referent),
}

fn standing(
    db: &Db,
    net: &Net,
    of: &RecordType,
    id: &str,
    known: Option<&Known>,
) -> Result<Standing, Trouble> {
    let key = RecordKey {
        record_type: of.clone(),
        id: id.to_owned(),
    };
    if crate::forget::is_forgotten(db, &key)? {
        return Ok(Standing::Told(Referent::Forgotten));
    }
    let Some(known) = known else {
        return Ok(Standing::Told(Referent::Unknown));
    };
    Ok(match known.presence {
        None if !known.undecided => Standing::Told(Referent::Unknown),
        Some(1 | 2) => Standing::Told(Referent::Gone),
        // The cluster's own records are decided right now: it would wait for itself.
        _ => Standing::Known {
            rid: known.rid,
            undecided: known.undecided && !net.rows.contains_key(&known.rid),
        },
    })
}

pub(crate) fn undecided(db: &Db, rid: Rid) -> Result<bool, Trouble> {
    let sql = "SELECT EXISTS (SELECT 1 FROM inbox WHERE rid = ?1)
                   OR EXISTS (SELECT 1 FROM dirty WHERE rid = ?1 AND own = 1)";
    Ok(db.one(sql, [rid], |row| row.get(0))?.unwrap_or(false))
}

fn open_intent(db: &Db, rid: Rid, slot: &str) -> Result<bool, Trouble> {
    let sql = "SELECT EXISTS (SELECT 1 FROM intent WHERE record = ?1 AND slot = ?2)";
    Ok(db.one(sql, (rid, slot), |row| row.get(0))?.unwrap_or(false))
}
