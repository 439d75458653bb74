//! Items that stand on the records of a plan; one keeps its number as long as it stands.

use super::Commit;
use crate::contract::Item;
use crate::db::{Numbered, Rid, Trouble};
use crate::guards::is_news;
use crate::item::{self, Standing, kind_text};
use crate::sealed::ITEM;
use std::collections::BTreeMap;
use tandem_merge::cluster::Question;
use tandem_merge::record::RecordKey;

impl Commit<'_, '_> {
    pub(super) fn store_items(&mut self) -> Result<(), Trouble> {
        for (rid, (key, member)) in &self.rows {
            let record = self.plan.cluster.records.get(key);
            let questions = self.questions(key);
            let links = &self.plan.cluster.links;
            let standing = item::of_record(self.flows, key, record, &questions, links);
            if member.row.has.items() || !standing.is_empty() {
                self.store_standing(*rid, standing)?;
            }
        }
        Ok(())
    }

    fn questions(&self, key: &RecordKey) -> Vec<Question> {
        let all = self.plan.cluster.questions.iter();
        all.filter(|question| &question.anchor.record == key)
            .cloned()
            .collect()
    }

    fn store_standing(&self, rid: Rid, standing: Vec<Standing>) -> Result<(), Trouble> {
        let sql = "SELECT slot, number, area, body, ignored IS NOT NULL FROM item WHERE rid = ?1";
        type Line = (String, i64, String, Vec<u8>, bool);
        let rows: Vec<Line> = self.db.all(sql, [rid], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let mut before: BTreeMap<String, (i64, String, Item, bool)> = BTreeMap::new();
        for (slot, number, area, body, ignored) in rows {
            before.insert(slot, (number, area, self.db.read(&ITEM, body)?, ignored));
        }
        for Standing { slot, area, item } in standing {
            let body = self.db.body(&ITEM, &item)?;
            let kind = kind_text(item.kind);
            match before.remove(&slot) {
                Some((_, known_area, known, _)) if known == item && known_area == area => {}
                Some((number, _, known, ignored)) => {
                    if ignored && is_news(&known, &item) {
                        let sql = "UPDATE item SET ignored = NULL WHERE number = ?1";
                        self.db.run(sql, [number])?;
                    }
                    let sql = "UPDATE item SET area = ?2, kind = ?3, body = ?4 WHERE number = ?1";
                    self.db.run(sql, (number, area, kind, body))?;
                }
                None => {
                    let sql = "INSERT INTO item (number, rid, slot, area, kind, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                    let number = self.db.next(Numbered::Item);
                    self.db.run(sql, (number, rid, slot, area, kind, body))?;
                }
            }
        }
        for (number, ..) in before.into_values() {
            self.db.run("DELETE FROM item WHERE number = ?1", [number])?;
        }
        Ok(())
    }
}
