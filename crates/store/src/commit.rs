//! Storing plans, each as a whole or not at all.

mod intents;
mod items;
mod links;
pub(crate) mod records;
mod waits;

pub(crate) use waits::smallest_linked;

use crate::constraint;
use crate::contract::{CommitReport, Decided, Taken};
use crate::db::{Db, Rid, Trouble};
use crate::load::{self, Row};
use crate::tally;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::Intent;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::plan::Plan;
use tandem_merge::record::RecordKey;

/// Stores plans; one that breaks a uniqueness constraint is undone and reported, the others stay (S6).
pub(crate) fn plans(db: &Db, flows: &Dataflow, plans: &[Decided]) -> Result<CommitReport, Trouble> {
    let mut report = CommitReport::default();
    for decided in plans {
        let stored = db.part(|| Commit::begin(db, flows, decided)?.store());
        match stored {
            Ok(()) => report.stored += 1,
            Err(trouble) => match trouble.put_back() {
                Some(why) => report.put_back.push(why.to_owned()),
                None => return Err(trouble),
            },
        }
    }
    Ok(report)
}

/// One plan on its way into the tables.
struct Commit<'a> {
    db: &'a Db,
    flows: &'a Dataflow,
    plan: &'a Plan,
    token: &'a Taken,
    /// The records of the plan and those taken, as they were, by number.
    rows: BTreeMap<Rid, (RecordKey, Row)>,
    /// Their numbers.
    rids: BTreeMap<RecordKey, Rid>,
    /// Records whose links, open creates, companions, presence or standing changed, or about which a doubt ended:
    /// whoever waits for one is woken.
    changed: BTreeSet<Rid>,
    /// Records to mark dirty when all is stored.
    again: BTreeSet<Rid>,
    /// Intents that the plan has no more.
    removed: Vec<Intent>,
}

impl<'a> Commit<'a> {
    fn begin(db: &'a Db, flows: &'a Dataflow, decided: &'a Decided) -> Result<Self, Trouble> {
        let mut commit = Self {
            db,
            flows,
            plan: &decided.plan,
            token: &decided.token,
            rows: BTreeMap::new(),
            rids: BTreeMap::new(),
            changed: BTreeSet::new(),
            again: BTreeSet::new(),
            removed: Vec::new(),
        };
        for (rid, revision) in &commit.token.records {
            let row = load::row(db, rid.cast_signed())?;
            if row.revision.cast_unsigned() != *revision {
                return Err(Trouble::PutBack(constraint::CHANGED));
            }
            commit.add_row(row)?;
        }
        let plan = commit.plan;
        for key in plan.cluster.records.keys() {
            if !commit.rids.contains_key(key) {
                commit.add_newcomer(key)?;
            }
        }
        for anchor in plan.cluster.heads.keys() {
            commit.rid(&anchor.record)?;
        }
        for question in &plan.cluster.questions {
            commit.rid(&question.anchor.record)?;
        }
        Ok(commit)
    }

    fn add_row(&mut self, row: Row) -> Result<Rid, Trouble> {
        let key = row.key(self.db)?;
        let rid = row.rid;
        self.rids.insert(key.clone(), rid);
        self.rows.insert(rid, (key, row));
        Ok(rid)
    }

    /// A record that was not taken: the answer to a create. Where it was admitted on its own in the
    /// meantime, that state is put into the inbox, to be weighed like any other observation, and what it was
    /// about to write is withdrawn; where it is linked or something was sent for it, the plan is put back.
    fn add_newcomer(&mut self, key: &RecordKey) -> Result<(), Trouble> {
        let rid = self.db.make_rid(key)?;
        let mut row = load::row(self.db, rid)?;
        if let Some(shadow) = row.shadow()? {
            let intents = load::intent_rows(self.db, rid)?;
            let tied = !load::links_of(self.db, rid)?.is_empty() || intents.iter().any(|row| row.sent);
            if tied {
                return Err(Trouble::PutBack(constraint::CHANGED));
            }
            records::requeue(self.db, rid, key, shadow)?;
            row.has.received();
        }
        self.add_row(row).map(drop)
    }

    /// The number of a record that the plan names.
    fn rid(&mut self, key: &RecordKey) -> Result<Rid, Trouble> {
        if let Some(rid) = self.rids.get(key) {
            return Ok(*rid);
        }
        let rid = self.db.make_rid(key)?;
        self.add_row(load::row(self.db, rid)?)
    }

    fn store(mut self) -> Result<(), Trouble> {
        self.store_companions()?;
        self.store_intents()?;
        self.store_links()?;
        self.clear_inbox()?;
        self.store_records()?;
        self.store_items()?;
        self.store_waits()?;
        self.store_history()?;
        self.wake()
    }

    /// What guards count: deletions carried on, and edits taken over.
    fn store_counted(&self) -> Result<(), Trouble> {
        let now = self.plan.at.as_microsecond();
        for flow in &self.plan.carried_on {
            let sql = "INSERT INTO deletion (flow, at) VALUES (?1, ?2)";
            self.db.run(sql, (flow, now))?;
        }
        for (flow, side, key) in &self.plan.edited {
            let sql = "INSERT INTO edited (flow, side, rid, at) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (flow, side, rid) DO UPDATE SET at = excluded.at";
            let rid = self.db.make_rid(key)?;
            self.db.run(sql, (flow, crate::guards::number(*side), rid, now))?;
        }
        Ok(())
    }

    fn store_history(&mut self) -> Result<(), Trouble> {
        crate::history::store(self.db, &self.plan.history)?;
        self.store_counted()?;
        for ((flow, what), n) in tally::counts(self.flows, self.plan, &self.removed) {
            let sql = "INSERT INTO tally (flow, what, n) VALUES (?1, ?2, ?3)
                       ON CONFLICT (flow, what) DO UPDATE SET n = n + excluded.n";
            self.db.run(sql, (flow, what, n.cast_signed()))?;
        }
        Ok(())
    }
}
