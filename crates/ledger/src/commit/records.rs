//! Records of a plan: states, heads, questions, match keys; what was taken of them is done.

use super::Commit;
use crate::at_rest;
use crate::db::{Db, Rid, Trouble};
use crate::gathered::Member;
use crate::load::{Row, presence_number};
use crate::page;
use crate::sealed::{INBOX, packed};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Head, Question, Record, Shadow};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::plan::Plan;
use tandem_merge::record::{Presence, RecordKey};

impl Commit<'_, '_> {
    /// Removes the dirty marks that were taken. A record with inbox rows left, or marked since it was taken, stays dirty.
    pub(super) fn clear_dirty(&mut self) -> Result<(), Trouble> {
        for rid in super::taken(self.token) {
            if !self.row(rid).is_none_or(|row| row.has.dirty()) {
                continue;
            }
            let sql = "DELETE FROM dirty WHERE rid = ?1 AND mark <= ?2
                       AND NOT EXISTS (SELECT 1 FROM inbox WHERE rid = ?1) RETURNING own";
            let marks = self.token.marks.cast_signed();
            let own: Option<bool> = self.db.one(sql, (rid, marks), |row| row.get(0))?;
            if own == Some(true) {
                self.changed.insert(rid);
            }
        }
        Ok(())
    }

    pub(super) fn store_records(&mut self) -> Result<(), Trouble> {
        let mut heads: BTreeMap<&RecordKey, BTreeMap<&str, &Head>> = BTreeMap::new();
        for (anchor, head) in &self.plan.cluster.heads {
            let of = heads.entry(&anchor.record).or_default();
            of.insert(&anchor.property, head);
        }
        let mut questions: BTreeMap<&RecordKey, Vec<&Question>> = BTreeMap::new();
        for question in &self.plan.cluster.questions {
            questions
                .entry(&question.anchor.record)
                .or_default()
                .push(question);
        }
        let rids: Vec<Rid> = self.rows.keys().copied().collect();
        for rid in rids {
            let Some((key, Member { row, .. })) = self.rows.get(&rid) else {
                continue;
            };
            let planned = self.plan.cluster.records.get(key);
            let mut next = Row {
                heads: heads
                    .get(key)
                    .map(|heads| at_rest::of_heads(key, planned, heads))
                    .transpose()?,
                questions: questions.get(key).map(packed).transpose()?,
                state: planned.map(at_rest::of_record).transpose()?,
                ..row.without_body()
            };
            if let Some(record) = planned {
                next.presence = Some(presence_number(record.shadow.presence));
                next.sent = record.in_flight();
                let keys = keys(self.db, self.flows, self.plan, row, (key, record))?;
                let found_by = &mut self.gathered.rows.found_by;
                let news = page::reindex(self.db, row, &keys, found_by)?;
                next.keys = news.or(next.keys);
                if doubt(self.db, row, record)? {
                    self.changed.insert(rid);
                }
            } else {
                next.state.clone_from(&row.state);
            }
            if next.presence != row.presence {
                self.changed.insert(rid);
                let known = |row: &Row| i64::from(row.presence.is_some());
                *self.counted.records.entry(row.kind).or_default() += known(&next) - known(row);
            }
            self.store_row(rid, next)?;
        }
        Ok(())
    }

    fn store_row(&mut self, rid: Rid, mut next: Row) -> Result<(), Trouble> {
        let woken = self.changed.contains(&rid);
        let row = self.row(rid);
        let same_body = row.is_some_and(|row| {
            row.state == next.state && row.heads == next.heads && row.questions == next.questions
        });
        let same = row.is_some_and(|row| {
            row.keys == next.keys && row.sent == next.sent && row.presence == next.presence
        });
        if same && same_body && !woken {
            return Ok(());
        }
        if woken {
            next.woke = self.db.tick();
        }
        self.gathered.rows.add(self.db, next, !same_body)
    }
}

/// What a record is to be found by: what its shadow and its inbox rows show now.
fn keys(
    db: &Db,
    flows: &Dataflow,
    plan: &Plan,
    row: &Row,
    (key, record): (&RecordKey, &Record),
) -> Result<BTreeSet<i64>, Trouble> {
    let mut creates = plan.cluster.creates.iter();
    let creating = creates.any(|intent| intent.source() == Some(key));
    page::keys_shown(db, flows, row, key, Some(&record.shadow), creating)
}

/// Notes whether a read by id is to decide about the record's last write, and when that was answered. Whether one was to
/// and is no more.
fn doubt(db: &Db, Row { rid, has, .. }: &Row, record: &Record) -> Result<bool, Trouble> {
    let Some(at) = record.doubted() else {
        return Ok(has.doubt() && db.run("DELETE FROM doubt WHERE rid = ?1", [rid])? > 0);
    };
    let sql = "INSERT INTO doubt (rid, at) VALUES (?1, ?2) ON CONFLICT (rid) DO UPDATE SET at = excluded.at";
    db.run(sql, (rid, at.as_microsecond()))?;
    Ok(false)
}

/// Puts a state back into the inbox as the observation that it came from.
pub(super) fn requeue(db: &Db, rid: Rid, key: &RecordKey, shadow: Shadow) -> Result<(), Trouble> {
    let gone = shadow.presence == Presence::Deleted;
    let seen = shadow.into_observation(key.clone());
    let sql = "INSERT INTO inbox (seq, rid, gone, body) VALUES (?1, ?2, ?3, ?4)";
    db.run(sql, (db.tick(), rid, gone, db.body(&INBOX, &seen)?))?;
    db.mark_dirty(rid, true)
}
