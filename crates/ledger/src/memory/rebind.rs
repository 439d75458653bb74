//! Rebinding in the model.

use super::books::Books;
use crate::contract::{Rebinding, Rebound};
use crate::rebind::{bared, stays};
use std::collections::BTreeSet;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::RecordKey;

impl Books {
    pub(super) fn rebind(&mut self, flows: &Dataflow, to: &Rebinding) -> Rebound {
        self.inbox.clear();
        self.dirty.clear();
        self.intents.clear();
        self.items.clear();
        self.ignored.clear();
        self.edited.clear();
        self.waits.clear();
        self.approvals.clear();
        for (name, system) in &mut self.systems {
            system.cursor = None;
            system.listed = None;
            if *name == to.system {
                system.identity = Some(to.identity.clone());
            }
        }
        let ends = self
            .links
            .values()
            .flat_map(|(_, link)| [link.first.clone(), link.second.clone()]);
        let linked: BTreeSet<RecordKey> = ends.collect();
        let mut gone = BTreeSet::new();
        for (key, entry) in &mut self.records {
            entry.revision += 1;
            entry.heads.clear();
            entry.questions.clear();
            match &mut entry.state {
                Some(record) if stays(to, key, record, linked.contains(key)) => bared(to, key, record),
                _ => {
                    entry.state = None;
                    entry.keys.clear();
                    entry.companions.clear();
                    gone.insert(key.clone());
                }
            }
            entry.companions.retain(|role, companion| {
                let id = companion.id.clone();
                id.is_some_and(|id| !to.gone_companions.contains(&(role.clone(), id)))
            });
        }
        let before = self.links.len();
        self.links
            .retain(|_, (_, link)| !gone.contains(&link.first) && !gone.contains(&link.second));
        self.touch_all(flows);
        Rebound {
            kept: self.links.len() as u64,
            dropped: (before - self.links.len()) as u64,
        }
    }
}
