//! Our own values: what we write of our own accord, as what puts a record out of use, is nobody's edit (E18). Where the
//! property is kept in step with other records, it is the head's next value all the same (E8).

use crate::cluster::{Base, Head};
use crate::record::RecordKey;
use crate::topology;
use crate::value::Value;
use crate::work::Work;

impl Work<'_> {
    /// A value that stood for no head was written into a property of a component, or stands there by an answer that was
    /// lost.
    pub(crate) fn take_own_value(&mut self, key: &RecordKey, property: &str, value: &Value) {
        if self.note_release(key, property, value) {
            return;
        }
        let known = self.record(key).and_then(|record| record.bases.get(property));
        let Some(epoch) = known.map(|base| base.epoch) else {
            return;
        };
        let epoch = self.lead(key, property, value).unwrap_or(epoch);
        if let Some(record) = self.cluster.records.get_mut(key) {
            let value = value.clone();
            record.bases.insert(property.to_owned(), Base { value, epoch });
        }
    }

    /// Makes what put a record out of use the head of its component. The head's epoch.
    fn lead(&mut self, key: &RecordKey, property: &str, value: &Value) -> Option<u64> {
        let mut ends = self.flows.flows_of(&key.record_type);
        let puts_out = ends.any(|(flow, side)| {
            let wanted = flow.end(side).deactivate.as_ref();
            wanted.is_some_and(|(own, wanted)| own == property && wanted == value)
        });
        if !puts_out {
            return None;
        }
        let own = |node: &&topology::Node<'_>| &node.at.record == key && node.at.property == property;
        let components = topology::components(self.flows, &self.cluster, true);
        let mut members = components.iter().map(|component| &component.nodes);
        let nodes = members.find(|nodes| nodes.iter().any(|node| own(&node)))?;
        let node = nodes.iter().find(own)?;
        let canonical = self.form(node).decode(value).ok()?;
        let heads = &self.cluster.heads;
        let anchor = nodes.iter().find(|node| heads.contains_key(&node.at))?;
        let before = heads.get(&anchor.at)?;
        if before.value == canonical {
            return None;
        }
        let head = Head {
            value: canonical,
            epoch: before.epoch + 1,
            span: self.record(key)?.span(property),
            origin: Some(key.clone()),
            before: None,
            rewritten: 0,
        };
        let epoch = head.epoch;
        let anchor = anchor.at.clone();
        self.cluster.heads.insert(anchor, head);
        Some(epoch)
    }
}
