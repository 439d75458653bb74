//! What guards of the model count.

use super::books::Books;
use crate::contract::Edits;
use crate::guards::unversioned;
use crate::lists::group_of;
use jiff::Timestamp;
use std::collections::BTreeSet;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::{RecordKey, RecordType};

impl Books {
    pub(super) fn edits(&mut self, flow: &str, from: Timestamp) -> Edits {
        self.edited.retain(|(of, ..), at| of != flow || *at > from);
        let on = |side: Side| {
            let of = self.edited.keys();
            of.filter(|(of, at, _)| of == flow && *at == side).count() as u64
        };
        let edited = Side::BOTH.map(on);
        let links = self.links.values().filter(|(_, link)| link.flow == flow);
        let any = edited.iter().any(|edited| *edited > 0);
        Edits {
            edited,
            links: if any { links.count() as u64 } else { 0 },
        }
    }

    pub(super) fn touch_types(&mut self, types: &[RecordType]) {
        for of in types {
            let records = self.records.iter();
            let known = records.filter(|(key, entry)| &key.record_type == of && entry.state.is_some());
            let mut all: Vec<(u64, RecordKey)> =
                known.map(|(key, entry)| (entry.number, key.clone())).collect();
            all.sort();
            for (_, key) in all {
                self.mark_dirty(&key, true);
            }
        }
    }

    pub(super) fn forget_versions(&mut self, system: &str) {
        self.inbox.retain(|_, seen| seen.key.record_type.system != system);
        for (key, entry) in &mut self.records {
            if let Some(record) = entry.state.as_mut().filter(|_| key.record_type.system == system) {
                unversioned(record);
                entry.revision += 1;
            }
        }
    }

    /// Gives every link the group that its flow is in now; one that clashes there ends.
    pub(super) fn regroup_links(&mut self, flows: &Dataflow) {
        let moves = |flow: &str, group: &str| group != group_of(flows, flow);
        let stays = self
            .links
            .values()
            .filter(|(group, link)| !moves(&link.flow, group));
        let mut taken: BTreeSet<(String, Side, RecordKey)> = BTreeSet::new();
        for (group, link) in stays {
            taken.extend(Side::BOTH.map(|side| (group.clone(), side, link.end(side).clone())));
        }
        self.links.retain(|_, (group, link)| {
            if !moves(&link.flow, group) {
                return true;
            }
            *group = group_of(flows, &link.flow);
            let places = Side::BOTH.map(|side| (group.clone(), side, link.end(side).clone()));
            let free = places.iter().all(|place| !taken.contains(place));
            if free {
                taken.extend(places);
            }
            free
        });
    }
}
