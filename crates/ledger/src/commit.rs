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
use crate::gathered::{Gathered, Member};
use crate::load::{self, Row};
use crate::{counts, tally};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::Intent;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::plan::{Event, Plan};
use tandem_merge::record::RecordKey;

/// Stores plans, or fails where one breaks a uniqueness constraint: then none may stay.
pub(crate) fn all(db: &Db, flows: &Dataflow, plans: &[Decided]) -> Result<CommitReport, Trouble> {
    together(db, flows, plans)?.store(db)?;
    Ok(CommitReport {
        stored: plans.len() as u64,
        put_back: Vec::new(),
    })
}

/// Stores plans; one that breaks a uniqueness constraint is undone and reported, the others stay (S6).
pub(crate) fn each(db: &Db, flows: &Dataflow, plans: &[Decided]) -> Result<CommitReport, Trouble> {
    let mut report = CommitReport::default();
    let mut told = Told::default();
    for plan in plans {
        match db.part(|| together(db, flows, std::slice::from_ref(plan))) {
            Ok(of) => {
                report.stored += 1;
                told.add(of);
            }
            Err(trouble) => match trouble.put_back() {
                Some(why) => report.put_back.push(why.to_owned()),
                None => return Err(trouble),
            },
        }
    }
    told.store(db)?;
    Ok(report)
}

/// Stores plans, or none of them.
fn together<'a>(db: &'a Db, flows: &'a Dataflow, plans: &'a [Decided]) -> Result<Told<'a>, Trouble> {
    let seqs = plans.iter().flat_map(|decided| &decided.token.inbox);
    let seqs: Vec<i64> = seqs.map(|seq| seq.cast_signed()).collect();
    if !seqs.is_empty() {
        let sql = "DELETE FROM inbox WHERE seq IN (SELECT value FROM json_each(?1))";
        db.run(sql, [load::numbers(&seqs)])?;
    }
    let mut gathered = Gathered::without_inbox();
    gathered.read(db, plans.iter().flat_map(|decided| taken(&decided.token)))?;
    let mut told = Told::default();
    for decided in plans {
        told.add(Commit::begin(db, flows, decided, &mut gathered)?.store()?);
    }
    gathered.rows.store(db)?;
    Ok(told)
}

/// The numbers of the records that were taken.
fn taken(token: &Taken) -> impl Iterator<Item = Rid> {
    token.records.iter().map(|(rid, _)| rid.cast_signed())
}

/// What plans that were stored leave in the history and in the counts of flows, stored for all of them at once.
#[derive(Default)]
struct Told<'a> {
    history: Vec<(Rid, &'a Event)>,
    counts: tally::Counts,
    changed: counts::Changed,
}

impl<'a> Told<'a> {
    fn add(&mut self, other: Self) {
        self.history.extend(other.history);
        for (of, n) in other.counts {
            *self.counts.entry(of).or_default() += n;
        }
        self.changed.add(other.changed);
    }

    fn store(self, db: &Db) -> Result<(), Trouble> {
        crate::history::store(db, &self.history)?;
        for ((flow, what), n) in self.counts {
            counts::add(db, &flow, what, n.cast_signed())?;
        }
        self.changed.store(db)
    }
}

/// One plan on its way into the tables.
struct Commit<'a, 'g> {
    db: &'a Db,
    flows: &'a Dataflow,
    plan: &'a Plan,
    token: &'a Taken,
    /// What was read for this plan and those stored with it.
    gathered: &'g mut Gathered,
    /// The records of the plan and those taken, as they were, by number.
    rows: BTreeMap<Rid, (RecordKey, Member)>,
    /// Their numbers.
    rids: BTreeMap<RecordKey, Rid>,
    /// Records whose links, open creates, companions, presence or standing changed, or about which a doubt ended:
    /// whoever waits for one is woken.
    changed: BTreeSet<Rid>,
    /// Records to mark dirty when all is stored.
    again: BTreeSet<Rid>,
    /// Records that the plan waits for.
    waited_for: BTreeSet<Rid>,
    /// Intents that the plan has no more.
    removed: Vec<Intent>,
    /// What is counted of it.
    counted: counts::Changed,
}

impl<'a, 'g> Commit<'a, 'g> {
    fn begin(
        db: &'a Db,
        flows: &'a Dataflow,
        decided: &'a Decided,
        gathered: &'g mut Gathered,
    ) -> Result<Self, Trouble> {
        let mut commit = Self {
            db,
            flows,
            plan: &decided.plan,
            token: &decided.token,
            gathered,
            rows: BTreeMap::new(),
            rids: BTreeMap::new(),
            changed: BTreeSet::new(),
            again: BTreeSet::new(),
            waited_for: BTreeSet::new(),
            removed: Vec::new(),
            counted: counts::Changed::default(),
        };
        for (rid, revision) in &commit.token.records {
            let member = commit.gathered.take(db, rid.cast_signed())?;
            if member.row.revision.cast_unsigned() != *revision {
                return Err(Trouble::PutBack(constraint::CHANGED));
            }
            commit.add_member(member)?;
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

    fn add_member(&mut self, member: Member) -> Result<Rid, Trouble> {
        let key = member.row.key(self.db)?;
        let rid = member.row.rid;
        self.rids.insert(key.clone(), rid);
        self.rows.insert(rid, (key, member));
        Ok(rid)
    }

    /// The row of a record as it was.
    fn row(&self, rid: Rid) -> Option<&Row> {
        self.rows.get(&rid).map(|(_, member)| &member.row)
    }

    /// A record that was not taken: the answer to a create. Where it was admitted on its own in the
    /// meantime, that state is put into the inbox, to be weighed like any other observation, and what it was
    /// about to write is withdrawn; where it is linked or something was sent for it, the plan is put back.
    fn add_newcomer(&mut self, key: &RecordKey) -> Result<(), Trouble> {
        let mut member = self.gathered.make(self.db, key)?;
        if let Some(shadow) = member.row.shadow()? {
            if !member.links.is_empty() || member.intents.iter().any(|row| row.sent) {
                return Err(Trouble::PutBack(constraint::CHANGED));
            }
            records::requeue(self.db, member.row.rid, key, shadow)?;
            member.row.has.received();
        }
        self.add_member(member).map(drop)
    }

    /// The number of a record that the plan names.
    fn rid(&mut self, key: &RecordKey) -> Result<Rid, Trouble> {
        if let Some(rid) = self.rids.get(key) {
            return Ok(*rid);
        }
        let member = self.gathered.make(self.db, key)?;
        self.add_member(member)
    }

    fn store(mut self) -> Result<Told<'a>, Trouble> {
        self.store_companions()?;
        self.store_intents()?;
        self.store_links()?;
        self.clear_dirty()?;
        self.store_records()?;
        self.store_items()?;
        self.store_waits()?;
        self.store_counted()?;
        self.wake()?;
        let mut told = Told {
            history: Vec::new(),
            counts: tally::counts(self.flows, self.plan, &self.removed),
            changed: std::mem::take(&mut self.counted),
        };
        for event in &self.plan.history {
            told.history.push((self.known_rid(&event.record)?, event));
        }
        // Whatever is stored next reads anew what this one may have changed.
        let touched = [&self.again, &self.waited_for].into_iter().flatten().copied();
        self.gathered.forget(self.rows.keys().copied().chain(touched));
        Ok(told)
    }

    /// The number of a record, mostly one of the plan's own.
    fn known_rid(&self, key: &RecordKey) -> Result<Rid, Trouble> {
        match self.rids.get(key) {
            Some(rid) => Ok(*rid),
            None => self.db.make_rid(key),
        }
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
            let rid = self.known_rid(key)?;
            self.db.run(sql, (flow, crate::guards::number(*side), rid, now))?;
        }
        Ok(())
    }
}
