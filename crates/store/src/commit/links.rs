//! Links and companions of a plan.

use super::Commit;
use crate::companion;
use crate::db::{Rid, Trouble};
use crate::load::{self, LinkLine, Row};
use std::collections::BTreeMap;
use tandem_merge::cluster::Link;
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::RecordKey;

impl Commit<'_> {
    pub(super) fn store_links(&mut self) -> Result<(), Trouble> {
        let mut before = self.links_before()?;
        let mut new = Vec::new();
        let plan = self.plan;
        for link in &plan.cluster.links {
            let first = self.rid(&link.first)?;
            let second = self.rid(&link.second)?;
            match before.remove(&(link.flow.clone(), first, second)) {
                Some(line) => self.keep_link(&line, link)?,
                None => new.push((link, first, second)),
            }
        }
        for ((_, first, second), line) in before {
            self.db.run("DELETE FROM link WHERE number = ?1", [line.number])?;
            self.changed.extend([first, second]);
        }
        for (link, first, second) in new {
            self.insert_link(link, first, second)?;
        }
        Ok(())
    }

    fn links_before(&self) -> Result<BTreeMap<(String, Rid, Rid), LinkLine>, Trouble> {
        let mut before = BTreeMap::new();
        for (rid, _) in &self.token.records {
            let linked = |(_, row): &(RecordKey, Row)| row.has.links();
            if !self.rows.get(&rid.cast_signed()).is_none_or(linked) {
                continue;
            }
            for line in load::links_of(self.db, rid.cast_signed())? {
                before.insert((line.flow.clone(), line.first, line.second), line);
            }
        }
        Ok(before)
    }

    fn keep_link(&mut self, line: &LinkLine, link: &Link) -> Result<(), Trouble> {
        let verdict = verdict(link)?;
        let since = link.since.to_string();
        if line.verdict == verdict && line.since == since {
            return Ok(());
        }
        self.changed.extend([line.first, line.second]);
        let sql = "UPDATE link SET verdict = ?2, since = ?3 WHERE number = ?1";
        self.db.run(sql, (line.number, verdict, since)).map(drop)
    }

    fn insert_link(&mut self, link: &Link, first: Rid, second: Rid) -> Result<(), Trouble> {
        let flow = self.flows.flow(&link.flow);
        let mut group = flow.map_or(&link.flow, |flow| &flow.group).clone();
        if removed(Mutation::SharedLink) {
            group = format!("{group} {first} {second}");
        }
        let sql =
            "INSERT INTO link (flow, grp, first, second, verdict, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let since = link.since.to_string();
        self.db
            .run(sql, (&link.flow, group, first, second, verdict(link)?, since))?;
        self.changed.extend([first, second]);
        Ok(())
    }

    pub(super) fn store_companions(&mut self) -> Result<(), Trouble> {
        let plan = self.plan;
        for (key, record) in &plan.cluster.records {
            let rid = self.rid(key)?;
            let row = self.rows.get(&rid).map(|(_, row)| row);
            let first = row.is_none_or(|row| row.state.is_none());
            let before = if row.is_none_or(|row| row.has.companions()) {
                companion::of_owner(self.db, rid)?
            } else {
                BTreeMap::new()
            };
            let (changed, kept) = companion::replace(self.db, rid, &before, &record.companions, first)?;
            if changed {
                self.changed.insert(rid);
            }
            if kept {
                self.again.insert(rid);
            }
        }
        Ok(())
    }
}

fn verdict(link: &Link) -> Result<Option<String>, Trouble> {
    let verdict = link.verdict.as_ref();
    Ok(verdict.map(serde_json::to_string).transpose()?)
}
