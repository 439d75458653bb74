//! Links and companions of a plan.

use super::Commit;
use crate::companion;
use crate::db::{Numbered, Rid, Trouble};
use crate::load::LinkLine;
use std::collections::BTreeMap;
use tandem_merge::cluster::Link;
use tandem_merge::mutation::{Mutation, removed};

impl Commit<'_, '_> {
    pub(super) fn store_links(&mut self) -> Result<(), Trouble> {
        let mut before = self.links_before();
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
        for ((flow, first, second), line) in before {
            self.db.run("DELETE FROM link WHERE number = ?1", [line.number])?;
            *self.counted.links.entry(flow).or_default() -= 1;
            self.changed.extend([first, second]);
        }
        for (link, first, second) in new {
            self.insert_link(link, first, second)?;
        }
        Ok(())
    }

    fn links_before(&mut self) -> BTreeMap<(String, Rid, Rid), LinkLine> {
        let mut before = BTreeMap::new();
        for rid in super::taken(self.token) {
            let member = self.rows.get_mut(&rid).map(|(_, member)| member);
            for line in member
                .map(|member| std::mem::take(&mut member.links))
                .unwrap_or_default()
            {
                before.insert((line.flow.clone(), line.first, line.second), line);
            }
        }
        before
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
        let sql = "INSERT INTO link (number, flow, grp, first, second, verdict, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (number, since) = (self.db.next(Numbered::Link), link.since.to_string());
        self.db.run(
            sql,
            (number, &link.flow, group, first, second, verdict(link)?, since),
        )?;
        self.changed.extend([first, second]);
        *self.counted.links.entry(link.flow.clone()).or_default() += 1;
        Ok(())
    }

    pub(super) fn store_companions(&mut self) -> Result<(), Trouble> {
        let plan = self.plan;
        for (key, record) in &plan.cluster.records {
            let rid = self.rid(key)?;
            let member = self.rows.get_mut(&rid).map(|(_, member)| member);
            let first = member.as_ref().is_none_or(|member| member.row.state.is_none());
            let before = member
                .map(|member| std::mem::take(&mut member.companions))
                .unwrap_or_default();
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
