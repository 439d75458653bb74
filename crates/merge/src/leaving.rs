//! Selective sync: a linked record that leaves its flow's filter is unlinked, never deleted, and linked again with
//! the same counterpart when it comes back.

use crate::cluster::{Link, Record};
use crate::dataflow::{Flow, Side};
use crate::matching;
use crate::plan::EventKind;
use crate::record::RecordKey;
use crate::work::Work;

impl Work<'_> {
    /// Ends the links of which an end is outside its flow's filter. Both ends remember each other, so that neither
    /// gets another counterpart.
    pub(crate) fn part_outside(&mut self) {
        let flows = self.flows;
        let filtered = |link: &&Link| {
            let flow = flows.flow(&link.flow);
            flow.is_some_and(|flow| flow.ends.iter().any(|end| end.filter.is_some()))
        };
        let links: Vec<Link> = self.cluster.links.iter().filter(filtered).cloned().collect();
        for link in links {
            let Some(flow) = flows.flow(&link.flow).filter(|flow| !flows.rests(&flow.name)) else {
                continue;
            };
            let settled = Side::BOTH.into_iter().all(|side| {
                let record = self.record(link.end(side));
                record.is_some_and(|record| record.alive() && !record.in_flight())
            });
            let outside = Side::BOTH
                .into_iter()
                .find(|side| self.is_outside(flow, &link, *side));
            if let Some(side) = outside.filter(|_| settled) {
                self.part_from(flow, &link, side);
            }
        }
    }

    /// Only what is known counts: a property out of sight, or a record of ours not seen yet, leaves nothing.
    fn is_outside(&self, flow: &Flow, link: &Link, side: Side) -> bool {
        let (end, key) = (flow.end(side), link.end(side));
        let (Some(filter), Some(record)) = (&end.filter, self.record(key)) else {
            return false;
        };
        let unseen = record.newborn.as_ref().is_some_and(|newborn| !newborn.observed);
        let mut properties = filter.properties().into_iter();
        let hidden = properties.any(|property| self.is_hidden(key, property));
        !unseen && !hidden && !filter.holds(&record.shadow.values)
    }

    fn part_from(&mut self, flow: &Flow, link: &Link, leaving: Side) {
        self.part(link);
        for side in Side::BOTH {
            if let Some(record) = self.cluster.records.get_mut(link.end(side)) {
                record
                    .left
                    .insert(link.flow.clone(), link.end(side.other()).clone());
            }
        }
        let (gone, stays) = (link.end(leaving), link.end(leaving.other()));
        let why = format!("{gone} left the filter of {}", flow.name);
        let what = EventKind::Unlinked { from: gone.clone() };
        self.note(stays, None, Some(&flow.name), what, why);
    }

    /// Links again what is back inside, and forgets counterparts that were deleted meanwhile: what a person deleted
    /// is not created again.
    pub(crate) fn join_inside(&mut self) {
        let parted = self.cluster.records.iter().flat_map(|(key, record)| {
            let left = record.left.iter();
            left.map(|(flow, other)| (key.clone(), flow.clone(), other.clone()))
        });
        let parted: Vec<(RecordKey, String, RecordKey)> = parted.collect();
        for (key, name, other) in parted {
            let flows = self.flows;
            let Some(flow) = flows.flow(&name).filter(|flow| !flows.rests(&flow.name)) else {
                continue;
            };
            if self.record(&other).is_some_and(Record::is_deleted) {
                self.forget_left(&key, &name);
                if let Some(record) = self.cluster.records.get_mut(&key) {
                    record.suppressed.insert(name.clone());
                }
            } else if self.is_back(flow, &key) && self.is_back(flow, &other) {
                self.forget_left(&key, &name);
                self.forget_left(&other, &name);
                let first_is = flow.end(Side::First).record_type == key.record_type;
                let (first, second) = if first_is { (&key, &other) } else { (&other, &key) };
                self.link(flow, first, second);
            }
        }
    }

    fn is_back(&self, flow: &Flow, key: &RecordKey) -> bool {
        let Some(record) = self.record(key) else {
            return false;
        };
        let side = flow.side_of(&key.record_type);
        record.alive()
            && !record.in_flight()
            && record.left.contains_key(&flow.name)
            && !self.linked_in_group(key, &flow.group)
            && side.is_some_and(|side| matching::belongs(flow, side, &record.shadow.values))
    }

    pub(crate) fn forget_left(&mut self, key: &RecordKey, flow: &str) {
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.left.remove(flow);
        }
    }
}
