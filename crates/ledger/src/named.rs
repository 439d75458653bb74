//! What references lead to, asked for together: of all clusters that are taken at once.

use crate::db::{Db, Rid, Trouble};
use crate::parts;
use crate::reserved::Reserved;
use crate::sealed::COMPANION;
use crate::storage::Row;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::Companion;
use tandem_merge::dataflow::{Dataflow, Reference, Side};
use tandem_merge::facts::{Needs, Parent, Referral};
use tandem_merge::record::{RecordKey, RecordType};

/// What is stored of a record that a reference names.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) rid: Rid,
    pub(crate) presence: Option<i64>,
    /// Something seen of it was not decided yet.
    pub(crate) undecided: bool,
    /// Through a flow: its counterpart there, by presence and id.
    pub(crate) counterpart: Option<(Option<i64>, String)>,
    /// Through a companion's role: what is known of that companion.
    pub(crate) companion: Option<Companion>,
}

/// What is stored of all records that references name.
#[derive(Default)]
pub(crate) struct Named<'a> {
    known: BTreeMap<&'a Referral, Known>,
    /// Of a companion's id: its owners.
    owners: BTreeMap<&'a Referral, Vec<RecordKey>>,
    parents: BTreeMap<&'a Referral, Parent>,
    pub(crate) reserved: Reserved<'a>,
}

/// References of one kind, each with the number that its answer carries.
pub(crate) type Asked<'a> = Vec<&'a Referral>;

pub(crate) const UNDECIDED: &str = "EXISTS (SELECT 1 FROM inbox WHERE inbox.rid = record.rid)
     OR EXISTS (SELECT 1 FROM dirty WHERE dirty.rid = record.rid AND own = 1)";

impl<'a> Named<'a> {
    /// Looks up what references lead to, with one statement for each kind of reference.
    pub(crate) fn look_up(db: &Db, flows: &Dataflow, needs: &'a [Needs]) -> Result<Self, Trouble> {
        let referrals = needs.iter().flat_map(|needs| &needs.referrals);
        let parents = needs.iter().flat_map(|needs| &needs.parents);
        let mut named = Self {
            parents: parts::parents(db, flows, parents)?,
            reserved: Reserved::look_up(db, needs)?,
            ..Self::default()
        };
        let mut through = [Asked::new(), Asked::new()];
        let (mut companions, mut owned) = (Asked::new(), Asked::new());
        for referral in referrals.collect::<BTreeSet<_>>() {
            match (&referral.through, referral.side) {
                (Reference::Flow(_), side) => through[side.index()].push(referral),
                (Reference::Companion { .. }, Side::First) => companions.push(referral),
                (Reference::Companion { .. }, Side::Second) => owned.push(referral),
            }
        }
        for side in Side::BOTH {
            named.look_through(db, flows, side, &through[side.index()])?;
        }
        named.look_for_companions(db, &companions)?;
        named.look_for_owners(db, &owned)?;
        Ok(named)
    }

    pub(crate) fn of(&self, referral: &Referral) -> Option<&Known> {
        self.known.get(referral)
    }

    /// What is known of a parent; none of a reference that leads to no flow.
    pub(crate) fn parent(&self, referral: &Referral) -> Option<&Parent> {
        self.parents.get(referral)
    }

    /// Whose companion an id is.
    pub(crate) fn owners(&self, referral: &Referral) -> &[RecordKey] {
        self.owners.get(referral).map_or(&[], Vec::as_slice)
    }

    fn look_through(
        &mut self,
        db: &Db,
        flows: &Dataflow,
        side: Side,
        asked: &Asked<'a>,
    ) -> Result<(), Trouble> {
        let (own, other) = match side {
            Side::First => ("first", "second"),
            Side::Second => ("second", "first"),
        };
        // The plus keeps the planner from walking all links of the flow.
        let sql = format!(
            "SELECT CAST(asked.value ->> 0 AS BIGINT), record.rid, record.presence, {UNDECIDED}, link.number, other.presence, other.id
             FROM json_each(?1) AS asked
             CROSS JOIN record ON record.kind = CAST(asked.value ->> 1 AS BIGINT) AND record.id = asked.value ->> 2
             LEFT JOIN link ON link.{own} = record.rid AND +link.flow = asked.value ->> 3
             LEFT JOIN record AS other ON other.rid = link.{other}"
        );
        let Some(asking) = array(db, asked.iter().map(|referral| through_flow(flows, referral)))? else {
            return Ok(());
        };
        db.each(&sql, [asking], |row| {
            let counterpart = match (row.get::<Option<i64>>(4)?, row.get::<Option<String>>(6)?) {
                (None, _) => None,
                (Some(_), Some(id)) => Some((row.get(5)?, id)),
                (Some(link), None) => {
                    return Err(Trouble::Unreadable(format!("an end of link {link} is not there")));
                }
            };
            let known = Known {
                counterpart,
                ..known(row)?
            };
            self.known.insert(asked_for(asked, row)?, known);
            Ok(())
        })
    }

    fn look_for_companions(&mut self, db: &Db, asked: &Asked<'a>) -> Result<(), Trouble> {
        let sql = format!(
            "SELECT CAST(asked.value ->> 0 AS BIGINT), record.rid, record.presence, {UNDECIDED}, companion.body
             FROM json_each(?1) AS asked
             CROSS JOIN record ON record.kind = CAST(asked.value ->> 1 AS BIGINT) AND record.id = asked.value ->> 2
             LEFT JOIN companion ON companion.owner = record.rid AND companion.role = asked.value ->> 3"
        );
        let rows = asked.iter().map(|referral| match &referral.through {
            Reference::Companion { role, of } => Some((of, &*referral.id, &**role)),
            Reference::Flow(_) => None,
        });
        let Some(asking) = array(db, rows)? else {
            return Ok(());
        };
        db.each(&sql, [asking], |row| {
            let body: Option<Vec<u8>> = row.get(4)?;
            let known = Known {
                companion: body.map(|body| db.read(&COMPANION, body)).transpose()?,
                ..known(row)?
            };
            self.known.insert(asked_for(asked, row)?, known);
            Ok(())
        })
    }

    fn look_for_owners(&mut self, db: &Db, asked: &Asked<'a>) -> Result<(), Trouble> {
        let sql = "SELECT CAST(asked.value ->> 0 AS BIGINT), record.kind, record.id
                   FROM json_each(?1) AS asked
                   CROSS JOIN companion ON companion.role = asked.value ->> 1 AND companion.id = asked.value ->> 2
                   JOIN record ON record.rid = companion.owner";
        let rows = asked.iter().enumerate();
        let rows = rows.filter_map(|(place, referral)| match &referral.through {
            Reference::Companion { role, .. } => Some(json!([place, role, referral.id])),
            Reference::Flow(_) => None,
        });
        let rows: Vec<Json> = rows.collect();
        if rows.is_empty() {
            return Ok(());
        }
        db.each(sql, [Json::from(rows).to_string()], |row| {
            let key = RecordKey {
                record_type: db.record_type(row.get(1)?)?,
                id: row.get(2)?,
            };
            let referral = asked_for(asked, row)?;
            self.owners.entry(referral).or_default().push(key);
            Ok(())
        })
    }
}

/// References as a JSON array of place, number of the record type, id, and flow or role; those that lead nowhere left out.
/// None where nothing is left.
pub(crate) fn array<'r>(
    db: &Db,
    rows: impl Iterator<Item = Option<(&'r RecordType, &'r str, &'r str)>>,
) -> Result<Option<String>, Trouble> {
    let mut all = Vec::new();
    for (place, row) in rows.enumerate() {
        let Some((of, id, name)) = row else { continue };
        if let Some(kind) = db.kind(of)? {
            all.push(json!([place, kind, id, name]));
        }
    }
    Ok((!all.is_empty()).then(|| Json::from(all).to_string()))
}

/// The record type, the id and the flow of a reference through a flow.
pub(crate) fn through_flow<'r>(
    flows: &'r Dataflow,
    referral: &'r Referral,
) -> Option<(&'r RecordType, &'r str, &'r str)> {
    let Reference::Flow(name) = &referral.through else {
        return None;
    };
    let flow = flows.flow(name)?;
    Some((&flow.end(referral.side).record_type, &referral.id, &flow.name))
}

/// What an answer is about.
pub(crate) fn asked_for<'a, T>(asked: &[&'a T], row: &dyn Row) -> Result<&'a T, Trouble> {
    let place: u32 = row.get(0)?;
    let asked = asked.get(place as usize).copied();
    asked.ok_or_else(|| Trouble::Unreadable(format!("answer {place} was not asked for")))
}

/// The first columns of an answer.
fn known(row: &dyn Row) -> Result<Known, Trouble> {
    Ok(Known {
        rid: row.get(1)?,
        presence: row.get(2)?,
        undecided: row.get(3)?,
        counterpart: None,
        companion: None,
    })
}
