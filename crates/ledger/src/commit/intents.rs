//! Intents of a plan: new ones get a number, those that the plan has no more go (S5).

use super::Commit;
use crate::constraint;
use crate::db::{Numbered, Rid, Trouble};
use crate::load::IntentRow;
use crate::outbox::{body, destination, number, slot, subject};
use crate::sealed::INTENT;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::plan::Plan;

impl Commit<'_, '_> {
    pub(super) fn store_intents(&mut self) -> Result<(), Trouble> {
        let mut before = self.intents_before();
        let mut new = Vec::new();
        for intent in Self::intents_after(self.plan) {
            if intent.id == 0 {
                new.push(intent);
                continue;
            }
            // Withdrawn by someone else since it was taken.
            let row = before.remove(&intent.id);
            let row = row.ok_or(Trouble::PutBack(constraint::CHANGED))?;
            self.keep(&row, intent)?;
        }
        for row in before.into_values() {
            self.remove(&row)?;
        }
        for intent in new {
            self.insert(intent)?;
        }
        Ok(())
    }

    fn intents_after(plan: &Plan) -> Vec<&Intent> {
        let cluster = &plan.cluster;
        let own = cluster
            .records
            .values()
            .filter_map(|record| record.intent.as_ref());
        own.chain(&cluster.creates).collect()
    }

    fn intents_before(&mut self) -> BTreeMap<u64, IntentRow> {
        let mut before = BTreeMap::new();
        for (key, member) in self.rows.values_mut() {
            let planned = self.plan.cluster.records.contains_key(key);
            for row in std::mem::take(&mut member.intents) {
                // The write of a record that the plan leaves out is not the plan's to remove.
                if planned || !row.slot.is_empty() {
                    before.insert(row.id.cast_unsigned(), row);
                }
            }
        }
        before
    }

    fn keep(&self, row: &IntentRow, intent: &Intent) -> Result<(), Trouble> {
        let body = body(intent)?;
        if row.sent || row.body == body {
            return Ok(());
        }
        let body = self.db.shut(&INTENT, body)?;
        let sql = "UPDATE intent SET rank = ?2, target = ?3, reservation = ?4, body = ?5 WHERE id = ?1";
        let (target, reservation) = self.reservation(intent)?;
        self.db
            .run(sql, (row.id, number(intent.rank), target, reservation, body))
            .map(drop)
    }

    fn remove(&mut self, row: &IntentRow) -> Result<(), Trouble> {
        self.db.run("DELETE FROM intent WHERE id = ?1", [row.id])?;
        self.removed.push(row.intent()?);
        self.changed.insert(row.record);
        Ok(())
    }

    fn insert(&mut self, intent: &Intent) -> Result<(), Trouble> {
        let record = self.rid(subject(&intent.action))?;
        let slot = slot(&intent.action);
        let (system, creates) = destination(&intent.action);
        let (target, reservation) = self.reservation(intent)?;
        let sql =
            "INSERT INTO intent (id, record, slot, system, creates, rank, sent, target, reservation, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let columns = (
            self.db.next(Numbered::Intent),
            record,
            &slot,
            system,
            creates,
            number(intent.rank),
            intent.sent.is_some(),
            target,
            reservation,
            self.db.shut(&INTENT, body(intent)?)?,
        );
        self.db.run(sql, columns)?;
        self.note_create(record, &slot);
        if matches!(intent.action, Action::Delete { .. }) {
            // What names it goes first.
            self.changed.insert(record);
        }
        Ok(())
    }

    fn note_create(&mut self, record: Rid, slot: &str) {
        if !slot.is_empty() {
            self.changed.insert(record);
        }
    }

    /// The target's type and the key that a create reserves on it.
    fn reservation<'i>(&self, intent: &'i Intent) -> Result<(Option<i64>, Option<Cow<'i, str>>), Trouble> {
        match &intent.action {
            Action::Create {
                target, reservation, ..
            } if !reservation.is_empty() => Ok((
                Some(self.db.make_kind(target)?),
                Some(self.db.blind_text(reservation)),
            )),
            _ => Ok((None, None)),
        }
    }
}
