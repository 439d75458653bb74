//! Lists and counts of the model.

use super::books::{Books, Entry};
use crate::contract::{FlowStatus, Item, LinkRow, Sought, Status};
use crate::item::kind_text;
use crate::lists::{add_items, add_tally, holds};
use crate::seek::{folded, mentions};
use jiff::Timestamp;
use std::collections::BTreeSet;
use tandem_merge::cluster::{ParkedKind, Record};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::MatchKey;
use tandem_merge::record::{Presence, RecordKey, RecordType};

impl Books {
    /// Records whose last write a read did not show.
    pub(super) fn doubted(&self, system: &str, until: Timestamp, limit: usize) -> Vec<RecordKey> {
        let mut all: Vec<(u64, &RecordKey)> = self
            .records
            .iter()
            .filter(|(key, entry)| {
                let state = entry.state.as_ref().filter(|_| key.record_type.system == system);
                state
                    .and_then(Record::doubted)
                    .is_some_and(|at| at.as_microsecond() <= until.as_microsecond())
            })
            .map(|(key, entry)| (entry.number, key))
            .collect();
        all.sort();
        all.into_iter().take(limit).map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn status(&self, flows: &Dataflow) -> Status {
        let mut status = Status::default();
        for flow in &flows.flows {
            status.flows.insert(flow.name.clone(), FlowStatus::default());
        }
        for (_, link) in self.links.values() {
            status.flows.entry(link.flow.clone()).or_default().linked += 1;
        }
        for (number, (_, standing)) in &self.items {
            let flow = status.flows.entry(standing.area.clone()).or_default();
            let ignored = self.ignored.contains_key(number);
            add_items(flow, kind_text(standing.item.kind), ignored, 1);
        }
        for ((flow, what), n) in &self.tallies {
            add_tally(status.flows.entry(flow.clone()).or_default(), what, *n);
        }
        for (key, _) in self.records.iter().filter(|(_, entry)| entry.state.is_some()) {
            *status.records.entry(key.record_type.to_string()).or_default() += 1;
        }
        status.history = self.history_size();
        status.inbox = self.inbox.len() as u64;
        let sent = self.intents.values().filter(|intent| intent.sent.is_some());
        let sent = sent.count();
        status.outbox = ((self.intents.len() - sent) as u64, sent as u64);
        for (name, system) in &self.systems {
            status
                .listed
                .extend(system.listed.map(|listed| (name.clone(), listed)));
        }
        status
    }

    pub(super) fn link_rows(&self, flow: Option<&str>, after: u64, limit: usize) -> Vec<LinkRow> {
        let all = self.links.range(after.saturating_add(1)..);
        let of = all.filter(|(_, (_, link))| flow.is_none_or(|flow| flow == link.flow));
        of.take(limit).map(link_row).collect()
    }

    pub(super) fn latest_link_rows(&self, flow: Option<&str>, before: u64, limit: usize) -> Vec<LinkRow> {
        let all = self.links.range(..before).rev();
        let of = all.filter(|(_, (_, link))| flow.is_none_or(|flow| flow == link.flow));
        of.take(limit).map(link_row).collect()
    }

    pub(super) fn item_rows(&self, after: u64, limit: usize) -> Vec<Item> {
        let all = self.items.range(after.saturating_add(1)..).take(limit);
        all.map(|(number, (_, standing))| Item {
            number: *number,
            ignored: self.ignored.get(number).copied(),
            area: standing.area.clone(),
            ..standing.item.clone()
        })
        .collect()
    }

    pub(super) fn search(&self, of: &RecordType, property: &str, value: &str) -> Vec<RecordKey> {
        let wanted = folded(value);
        let records = self.records.iter().filter(|(key, _)| &key.record_type == of);
        let hits = records.filter(|(key, entry)| {
            let by_id = property == "id" && folded(&key.id) == wanted;
            let state = entry.state.as_ref();
            state.is_some_and(|record| by_id || holds(record, property, &wanted))
        });
        hits.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn seek(&self, text: &str, before: u64, limit: usize) -> Sought {
        let wanted = folded(text);
        let known = self.records.iter().filter(|(_, entry)| entry.state.is_some());
        let mut older: Vec<_> = known.filter(|(_, entry)| entry.number < before).collect();
        older.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.number));
        older.truncate(limit);
        let hit = |(key, entry): &&(&RecordKey, &Entry)| {
            let state = entry.state.as_ref();
            state.is_some_and(|record| mentions(&key.id, &record.shadow.values, &wanted))
        };
        Sought {
            found: older
                .iter()
                .filter(hit)
                .map(|(key, entry)| (entry.number, (*key).clone()))
                .collect(),
            next: older
                .last()
                .filter(|_| older.len() == limit)
                .map(|(_, entry)| entry.number),
        }
    }

    pub(super) fn companion_rows(&self, role: &str, after: &str, limit: usize) -> Vec<(RecordKey, String)> {
        let mut all = Vec::new();
        for (key, entry) in &self.records {
            let companion = entry.companions.get(role);
            if let Some(id) = companion.and_then(|companion| companion.id.clone())
                && id.as_str() > after
            {
                all.push((id, entry.number, key.clone()));
            }
        }
        all.sort();
        let last = limit
            .checked_sub(1)
            .and_then(|at| all.get(at.min(all.len().saturating_sub(1))));
        let last = last.map(|(id, ..)| id.clone()).unwrap_or_default();
        all.retain(|(id, ..)| id <= &last);
        all.into_iter().map(|(id, _, key)| (key, id)).collect()
    }

    pub(super) fn unread(&self, limit: usize) -> Vec<RecordKey> {
        let targets: BTreeSet<&RecordKey> = self.waits.iter().map(|(target, _)| target).collect();
        let unread = targets
            .into_iter()
            .filter(|key| self.records[*key].state.is_none() && !self.has_inbox(key));
        let mut all: Vec<(u64, &RecordKey)> = unread.map(|key| (self.records[key].number, key)).collect();
        all.sort();
        all.into_iter().take(limit).map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn approve(&mut self, flow: &str, now: Timestamp) {
        self.approvals.insert(flow.to_owned(), now);
        let waits = |standing: &crate::item::Standing| {
            standing.item.kind == Some(ParkedKind::Approval) && standing.area == flow
        };
        let held = self.items.values().filter(|(_, standing)| waits(standing));
        let all: BTreeSet<(u64, RecordKey)> = held
            .map(|(key, _)| (self.records[key].number, key.clone()))
            .collect();
        for (_, key) in all {
            self.mark_dirty(&key, true);
        }
    }
}

impl Books {
    /// Records that are indexed by a match key.
    pub(crate) fn with_key(&self, key: &MatchKey) -> Vec<RecordKey> {
        let records = self.records.iter();
        let mut found: Vec<(u64, &RecordKey)> = records
            .filter(|(_, entry)| entry.keys.contains(key))
            .map(|(key, entry)| (entry.number, key))
            .collect();
        found.sort();
        found.into_iter().map(|(_, key)| key.clone()).collect()
    }

    /// Records of a type that are known to be alive, by a range of ids.
    pub(crate) fn alive_between(
        &self,
        record_type: &RecordType,
        after: Option<&str>,
        to: Option<&str>,
    ) -> Vec<RecordKey> {
        let inside = |key: &&RecordKey| {
            let behind = after.is_none_or(|after| key.id.as_str() > after);
            &key.record_type == record_type && behind && to.is_none_or(|to| key.id.as_str() <= to)
        };
        let shown = |key: &&RecordKey| {
            let mut rows = self.inbox.values();
            self.is_alive(key) || rows.any(|seen| &seen.key == *key && seen.presence != Presence::Deleted)
        };
        let keys = self.records.keys().filter(inside).filter(shown);
        keys.cloned().collect()
    }

    fn is_alive(&self, key: &RecordKey) -> bool {
        let state = &self.records[key].state;
        state.as_ref().is_some_and(tandem_merge::cluster::Record::alive)
    }

    pub(crate) fn alive_after(
        &self,
        record_type: &RecordType,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<RecordKey> {
        let behind = |key: &&RecordKey| after.is_none_or(|after| key.id.as_str() > after);
        let of_type = self.records.keys().filter(|key| &key.record_type == record_type);
        let alive = of_type.filter(behind).filter(|key| self.is_alive(key));
        alive.take(limit).cloned().collect()
    }
}

fn link_row((number, (_, link)): (&u64, &(String, tandem_merge::cluster::Link))) -> LinkRow {
    LinkRow {
        number: *number,
        flow: link.flow.clone(),
        first: link.first.clone(),
        second: link.second.clone(),
        since: link.since,
        verdict: link.verdict,
    }
}
