//! Late visibility: what was written is seen later than its modification time says, as by a transaction that stayed open.

use std::collections::BTreeMap;

use super::FaultAction;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::ObjectIndex;
use crate::salesforce::table::Row;

/// A write that is not seen yet.
struct Pending {
    /// The second it was made, and the first second it is seen.
    at: i64,
    until: i64,
    /// What is seen meanwhile.
    before: Option<Row>,
}

/// The writes that are not seen yet, by row, the oldest first.
#[derive(Default)]
pub(crate) struct Veil {
    pending: BTreeMap<(ObjectIndex, RecordId), Vec<Pending>>,
}

impl Veil {
    /// Hides what was written to a row just now. A row's writes are seen in the order they were made.
    fn hide(&mut self, key: (ObjectIndex, RecordId), at: i64, until: i64, before: Option<Row>) {
        let pending = self.pending.entry(key).or_default();
        let until = pending.last().map_or(until, |last| last.until.max(until));
        pending.push(Pending { at, until, before });
    }

    fn lift(&mut self, now: i64) {
        self.pending.retain(|_, pending| {
            pending.retain(|one| one.until > now);
            !pending.is_empty()
        });
    }

    /// The second from which on the row is seen as it is, if a write to it is hidden.
    pub(super) fn until(&self, key: (ObjectIndex, RecordId)) -> Option<i64> {
        self.pending.get(&key)?.last().map(|last| last.until)
    }

    /// What is seen of a row instead of itself, if anything is hidden.
    fn instead(&self, key: (ObjectIndex, RecordId), now: i64) -> Option<Option<&Row>> {
        let first = self.pending.get(&key)?.iter().find(|one| one.until > now)?;
        Some(first.before.as_ref())
    }
}

impl Org {
    /// The row as the API sees it: without what is not visible yet.
    pub(crate) fn seen(&self, object: ObjectIndex, id: RecordId) -> Option<&Row> {
        match self.veil.instead((object, id), self.now()) {
            Some(before) => before,
            None => self.table(object).get(id),
        }
    }

    /// Every row as the API sees it among `rows`, and the older versions that hidden writes leave in sight. Not in order.
    pub(crate) fn veiled<'o>(
        &'o self,
        object: ObjectIndex,
        rows: Box<dyn Iterator<Item = &'o Row> + 'o>,
    ) -> Box<dyn Iterator<Item = &'o Row> + 'o> {
        if self.veil.pending.is_empty() {
            return rows;
        }
        let now = self.now();
        let uncovered = rows.filter(move |row| self.veil.instead((object, row.id), now).is_none());
        let keys = (object, RecordId::MIN)..(object + 1, RecordId::MIN);
        let older = self.veil.pending.range(keys);
        let older = older.filter_map(move |(key, _)| self.veil.instead(*key, now)?);
        Box::new(uncovered.chain(older))
    }

    /// The rows that the API sees, of modification times within the span, by (SystemModstamp, Id).
    pub(crate) fn seen_within(&self, object: ObjectIndex, from: i64, to: i64) -> Vec<&Row> {
        let rows = self
            .table(object)
            .since(from)
            .take_while(move |row| row.stamp <= to);
        let mut seen: Vec<&Row> = self
            .veiled(object, Box::new(rows))
            .filter(|row| (from..=to).contains(&row.stamp))
            .collect();
        seen.sort_unstable_by_key(|row| (row.stamp, row.id));
        seen
    }

    /// The second of the oldest write that is not seen yet: the start of the oldest open transaction.
    pub(crate) fn oldest_hidden(&self) -> Option<i64> {
        let now = self.now();
        let pending = self.veil.pending.values().flatten();
        pending.filter(|one| one.until > now).map(|one| one.at).min()
    }

    /// Hides the rows of the transaction that ends, where rules say so; `written` are they before it.
    pub(crate) fn draw_veil(&mut self, written: Vec<(ObjectIndex, RecordId, Option<Row>)>) {
        let now = self.now();
        self.veil.lift(now);
        for (object, id, before) in written {
            let after = self.table(object).get(id);
            if after == before.as_ref() {
                continue;
            }
            let method = match (&before, after) {
                (None, _) => "POST",
                (_, Some(row)) if row.deleted => "DELETE",
                _ => "PATCH",
            };
            let Some((rule, throw)) = self.row_fault(FaultAction::LateVisibility, method, object, Some(id))
            else {
                // What is not hidden itself still comes after what is.
                let until = self
                    .veil
                    .pending
                    .get(&(object, id))
                    .and_then(|all| all.last())
                    .map(|last| last.until);
                if let Some(until) = until {
                    self.veil.hide((object, id), now, until, before);
                }
                continue;
            };
            let least = rule.seconds.unwrap_or(60);
            let span = u64::from(rule.up_to_seconds.unwrap_or(least).saturating_sub(least)) + 1;
            let delay = i64::from(least) + i64::try_from(throw % span).unwrap_or_default();
            self.veil.hide((object, id), now, now + delay, before);
        }
    }

    /// Whether any rule or hidden row makes the veil matter.
    pub(crate) fn veil_matters(&self) -> bool {
        let late = |armed: &super::Armed| armed.rule.action == FaultAction::LateVisibility;
        !self.veil.pending.is_empty() || self.faults.armed.iter().any(late)
    }
}
