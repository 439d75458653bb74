//! Anchors: heads stay with the members that remain tied when records die and links end.

use crate::cluster::{Action, Anchor, Head};
use crate::record::RecordKey;
use crate::topology::{self, Component};
use crate::work::Work;
use std::collections::BTreeSet;

/// A head with the members that it is of.
struct Held {
    anchor: Anchor,
    head: Head,
    members: BTreeSet<Anchor>,
    /// Those among them that values travel from.
    sources: BTreeSet<Anchor>,
}

impl Work<'_> {
    /// A head anchored at a record that is not there moves to a member that is: components of the living alone
    /// must find it.
    pub(crate) fn anchor_to_the_living(&mut self) {
        if self.cluster.heads.keys().all(|at| self.lives(at)) {
            return;
        }
        let components = topology::components(self.flows, &self.cluster, true);
        for held in self.held_heads(&components) {
            if self.lives(&held.anchor) {
                continue;
            }
            if let Some(to) = held.members.iter().find(|at| self.lives(at)).cloned() {
                self.move_head(&held.anchor, to);
            }
        }
    }

    fn lives(&self, at: &Anchor) -> bool {
        let record = self.cluster.records.get(&at.record);
        record.is_some_and(crate::cluster::Record::alive)
    }

    /// Ends a link for heads and bases: every part that remains tied keeps the head it had, what is tied to
    /// nothing any more forgets it.
    pub(crate) fn part(&mut self, link: &crate::cluster::Link) {
        let before = topology::components(self.flows, &self.cluster, true);
        let held = self.held_heads(&before);
        self.cluster.links.retain(|other| other != link);
        let after = topology::components(self.flows, &self.cluster, true);
        let mut tied: BTreeSet<Anchor> = after
            .iter()
            .flat_map(|component| &component.nodes)
            .map(|node| node.at.clone())
            .collect();
        for held in held {
            self.cluster.heads.remove(&held.anchor);
            let parts = after
                .iter()
                .filter(|component| held.members.contains(&component.nodes[0].at));
            let mut anchors: Vec<Anchor> = parts.map(|component| component.nodes[0].at.clone()).collect();
            let alone = held.sources.iter().filter(|at| !tied.contains(at));
            anchors.extend(alone.filter(|at| self.is_being_copied(&at.record)).cloned());
            tied.extend(anchors.iter().cloned());
            for at in anchors {
                self.cluster.heads.insert(at, held.head.clone());
            }
        }
        // What the link did not tie may travel with a create all the same.
        let heads = self.cluster.heads.keys();
        tied.extend(heads.filter(|at| self.is_being_copied(&at.record)).cloned());
        for key in [&link.first, &link.second] {
            self.forget_untied(key, &tied);
            if let Some(record) = self.cluster.records.get_mut(key) {
                record.born = false;
            }
        }
        let heads = &self.cluster.heads;
        self.cluster
            .questions
            .retain(|question| heads.contains_key(&question.anchor) || tied.contains(&question.anchor));
    }

    /// A create under way carries its values at the epochs of these heads.
    fn is_being_copied(&self, key: &RecordKey) -> bool {
        self.cluster.creates.iter().any(|intent| {
            intent.sent.is_some() && matches!(&intent.action, Action::Create { source, .. } if source == key)
        })
    }

    fn forget_untied(&mut self, key: &RecordKey, tied: &BTreeSet<Anchor>) {
        let Some(record) = self.cluster.records.get_mut(key) else {
            return;
        };
        let at = |property: &String| Anchor {
            record: key.clone(),
            property: property.clone(),
        };
        record.bases.retain(|property, _| tied.contains(&at(property)));
        record.parked.retain(|property, _| tied.contains(&at(property)));
        self.cluster
            .heads
            .retain(|anchor, _| &anchor.record != key || tied.contains(anchor));
    }

    fn held_heads(&self, components: &[Component<'_>]) -> Vec<Held> {
        let mut found = Vec::new();
        for component in components {
            let members: BTreeSet<Anchor> = component.nodes.iter().map(|node| node.at.clone()).collect();
            let heads: Vec<_> = members
                .iter()
                .filter_map(|at| Some((at, self.cluster.heads.get(at)?)))
                .collect();
            if let [(anchor, head)] = heads.as_slice() {
                let (anchor, head) = ((*anchor).clone(), (*head).clone());
                let sources = component.nodes.iter().filter(|node| node.source());
                found.push(Held {
                    anchor,
                    head,
                    sources: sources.map(|node| node.at.clone()).collect(),
                    members,
                });
            }
        }
        found
    }

    fn move_head(&mut self, from: &Anchor, to: Anchor) {
        if let Some(head) = self.cluster.heads.remove(from) {
            self.cluster.heads.insert(to.clone(), head);
        }
        for question in self
            .cluster
            .questions
            .iter_mut()
            .filter(|question| &question.anchor == from)
        {
            question.anchor = to.clone();
        }
    }
}
