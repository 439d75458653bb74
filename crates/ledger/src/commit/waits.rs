//! Who waits for whom, and who is woken.

use super::Commit;
use crate::companion;
use crate::db::{Rid, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::Link;
use tandem_merge::record::RecordKey;

impl Commit<'_, '_> {
    /// Replaces what the cluster waits for, and puts down the companions that it needs.
    pub(super) fn store_waits(&mut self) -> Result<(), Trouble> {
        let rows = self.rows.iter();
        for (rid, _) in rows.filter(|(_, (_, member))| member.row.has.waits()) {
            self.db.run("DELETE FROM wait WHERE waiting = ?1", [rid])?;
        }
        let plan = self.plan;
        let waits = &plan.waits;
        crate::parts::note(self.db, waits)?;
        for key in &waits.wake {
            self.again.extend(self.db.rid(key)?);
        }
        if waits.on.is_empty() && waits.read.is_empty() && waits.companions.is_empty() {
            return Ok(());
        }
        let waiting = self.waiting();
        for key in waits.on.union(&waits.read) {
            self.wait_for(key, &waiting)?;
        }
        for key in &waits.companions {
            let owner = self.db.make_rid(&key.owner)?;
            if companion::want(self.db, owner, &key.role)? {
                self.gathered.rows.store_for(self.db, owner)?;
                let sql = "UPDATE record SET revision = revision + 1 WHERE rid = ?1 AND presence IS NOT NULL";
                self.db.run(sql, [owner])?;
                self.again.insert(owner);
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, key: &RecordKey, waiting: &BTreeSet<Rid>) -> Result<(), Trouble> {
        let target = self.db.make_rid(key)?;
        self.waited_for.insert(target);
        for waiting in waiting {
            let sql = "INSERT INTO wait (target, waiting) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.db.run(sql, (target, waiting))?;
        }
        if self.rows.contains_key(&target) {
            return Ok(());
        }
        self.gathered.rows.store_for(self.db, target)?;
        // It may have changed after the facts were looked up, when nobody was known to wait for it.
        let sql = "SELECT woke FROM record WHERE rid = ?1";
        let woke: Option<i64> = self.db.one(sql, [target], |row| row.get(0))?;
        if woke.unwrap_or_default() > self.token.marks.cast_signed() {
            self.again.extend(waiting);
        }
        Ok(())
    }

    /// One record of each set that links tie together: whichever part of the cluster is decided next
    /// replaces its own waits.
    fn waiting(&self) -> BTreeSet<Rid> {
        let links = &self.plan.cluster.links;
        let records = self.plan.cluster.records.keys();
        let smallest = smallest_linked(records, links);
        let rid = |key: &RecordKey| self.rids.get(key).copied();
        smallest.into_iter().filter_map(rid).collect()
    }

    /// Marks dirty who waits for what the plan changed, and what the plan left to be done.
    pub(super) fn wake(&mut self) -> Result<(), Trouble> {
        let awaited = |rid: &&Rid| self.row(**rid).is_none_or(|row| row.has.awaited());
        let awaited: Vec<Rid> = self.changed.iter().filter(awaited).copied().collect();
        for rid in awaited {
            let sql = "SELECT waiting FROM wait WHERE target = ?1 ORDER BY waiting";
            let waiting: Vec<Rid> = self.db.all(sql, [rid], |row| row.get(0))?;
            let others = waiting.into_iter();
            self.again
                .extend(others.filter(|waiting| !self.rows.contains_key(waiting)));
        }
        for rid in &self.again {
            self.db.mark_dirty(*rid, false)?;
        }
        Ok(())
    }
}

/// The smallest record of each set that links tie together.
pub(crate) fn smallest_linked<'a>(
    records: impl Iterator<Item = &'a RecordKey>,
    links: &'a [Link],
) -> BTreeSet<&'a RecordKey> {
    let mut smallest: BTreeMap<&RecordKey, &RecordKey> = records.map(|key| (key, key)).collect();
    let mut settled = false;
    while !settled {
        settled = true;
        for link in links {
            let ends = [&link.first, &link.second];
            let of = |key: &'a RecordKey| smallest.get(key).copied().unwrap_or(key);
            let least = of(ends[0]).min(of(ends[1]));
            for end in ends {
                if smallest.insert(end, least) != Some(least) {
                    settled = false;
                }
            }
        }
    }
    smallest.into_values().collect()
}
