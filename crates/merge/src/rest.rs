//! Rest: components whose members all agree with the head, and about which nothing is open. Merging one would leave
//! everything as it is, and most components of most clusters are so: they are passed over.

use crate::cluster::{Cluster, Head, Record};
use crate::dataflow::Dataflow;
use crate::record::RecordKey;
use crate::topology::Place;

/// What tells whether a component of a cluster is at rest.
pub(crate) struct Rest<'c> {
    flows: &'c Dataflow,
    /// The records at the ends of links, in order.
    records: Vec<(&'c RecordKey, Option<&'c Record>)>,
    /// The heads, each with the place of its anchor, in order.
    heads: Vec<(Place<'c>, &'c Head)>,
    /// Nothing is asked, and no flow of a link rests: else no component is passed over.
    quiet: bool,
}

impl<'c> Rest<'c> {
    pub(crate) fn of(flows: &'c Dataflow, cluster: &'c Cluster, records: &[&'c RecordKey]) -> Self {
        let mut heads = Vec::with_capacity(cluster.heads.len());
        let mut number = 0;
        for (anchor, head) in &cluster.heads {
            // Both are in the order of keys.
            while records.get(number).is_some_and(|key| **key < anchor.record) {
                number += 1;
            }
            if records.get(number).is_some_and(|key| **key == anchor.record) {
                heads.push(((number, anchor.property.as_str()), head));
            }
        }
        let known = records.iter().map(|key| (*key, cluster.records.get(*key)));
        Self {
            flows,
            records: known.collect(),
            heads,
            quiet: cluster.questions.is_empty() && !cluster.links.iter().any(|link| flows.rests(&link.flow)),
        }
    }

    /// Whether the component of these members is at rest.
    pub(crate) fn holds(&self, members: &[Place<'_>]) -> bool {
        let mut heads = members.iter().filter_map(|place| self.head(place));
        let (Some(head), None) = (heads.next(), heads.next()) else {
            return false;
        };
        self.quiet && members.iter().all(|place| self.is_clean(place, head.epoch))
    }

    fn head(&self, place: &Place<'_>) -> Option<&'c Head> {
        let found = self.heads.binary_search_by(|(at, _)| at.cmp(place));
        found.ok().map(|index| self.heads[index].1)
    }

    /// Whether a member holds what it agreed on with a head of that epoch, and nothing is open about it.
    fn is_clean(&self, (number, property): &Place<'_>, epoch: u64) -> bool {
        let (key, Some(record)) = self.records[*number] else {
            return false;
        };
        let agreed = record.bases.get(*property).is_some_and(|base| {
            let own = match *property {
                "id" => base.value.as_text() == Some(&key.id),
                property => record.value(property) == &base.value,
            };
            own && base.epoch == epoch
        });
        let open = record.intent.is_some()
            || record.newborn.is_some()
            || record.parked.contains_key(*property)
            || record.cleared.contains_key(*property);
        let hidden = self.flows.hides(&key.record_type, property) || record.is_unreadable(property);
        agreed && !open && !hidden && record.alive()
    }
}
