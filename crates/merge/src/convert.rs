//! Converting anew: a mapping's converter changed, and what its linked records hold is translated again.
//!
//! The value where the last edit was made stands: out of it the head is read anew, and every other member is owed its
//! new form. Edits not merged yet are left to the merge that follows. Doing it twice changes nothing the second time.

use crate::cluster::{Base, Cluster, Head};
use crate::dataflow::{Dataflow, Side};
use crate::facts::Facts;
use crate::form::Form;
use crate::record::RecordKey;
use crate::topology::{self, Component, Node};
use crate::value::Value;
use std::collections::BTreeSet;

/// Mappings by flow and by the first side's property.
pub type Mappings = BTreeSet<(String, String)>;

/// Converts the components of these mappings anew. Answers the records whose values stand, by flow and side: what is
/// linked with them is rewritten.
pub fn convert(
    flows: &Dataflow,
    cluster: &mut Cluster,
    changed: &Mappings,
    facts: &Facts,
) -> BTreeSet<(String, Side, RecordKey)> {
    let facts = facts.with_types(flows);
    let facts = facts.with_cluster(flows, cluster);
    let mut edited = BTreeSet::new();
    for component in topology::components(flows, cluster, false) {
        let parts = component.nodes.iter().flat_map(|node| &node.parts);
        let mut names = parts.map(|part| (part.flow.name.clone(), part.mapping.properties[0].clone()));
        if names.any(|name| changed.contains(&name))
            && let Some(source) = convert_component(cluster, &component, &facts)
        {
            let parts = source.parts.iter();
            for part in parts.filter(|part| part.mapping.travels_to(part.side.other())) {
                edited.insert((part.flow.name.clone(), part.side, source.at.record.clone()));
            }
        }
    }
    edited
}

/// Reads a component's head anew and leaves the others behind it; the member whose value stands, where any moves.
fn convert_component<'c, 'f>(
    cluster: &mut Cluster,
    component: &'c Component<'f>,
    facts: &Facts,
) -> Option<&'c Node<'f>> {
    let heads = &cluster.heads;
    let found = component
        .nodes
        .iter()
        .find_map(|node| Some((node.at.clone(), heads.get(&node.at)?.clone())));
    let Some((anchor, head)) = found else {
        // It never had a common value: its members meet as at a first link.
        for node in &component.nodes {
            if let Some(record) = cluster.records.get_mut(&node.at.record) {
                record.bases.remove(&node.at.property);
            }
        }
        return None;
    };
    let source = source(cluster, component, &head)?;
    let value = form(source, facts)
        .decode(&topology::own_value(cluster, &source.at))
        .ok()?;
    let others = component.nodes.iter().filter(|node| node.at != source.at);
    let moves = others
        .filter(|node| node.target() && clean_at(cluster, node, head.epoch))
        .any(|node| {
            let own = topology::own_value(cluster, &node.at);
            !form(node, facts).fits(&value, &own)
        });
    if value == head.value && !moves {
        return None;
    }
    raise(cluster, source, &head, value, anchor);
    moves.then_some(source)
}

fn raise(
    cluster: &mut Cluster,
    source: &Node<'_>,
    head: &Head,
    value: Value,
    anchor: crate::cluster::Anchor,
) {
    let epoch = head.epoch + 1;
    let own = topology::own_value(cluster, &source.at);
    if let Some(record) = cluster.records.get_mut(&source.at.record) {
        let base = Base { value: own, epoch };
        record.bases.insert(source.at.property.clone(), base);
    }
    let head = Head {
        value,
        epoch,
        ..head.clone()
    };
    cluster.heads.insert(anchor, head);
}

/// The member whose value stands: where the last edit was made, else the first that agrees with the head.
fn source<'c, 'f>(cluster: &Cluster, component: &'c Component<'f>, head: &Head) -> Option<&'c Node<'f>> {
    let stands = |node: &&Node<'_>| node.source() && clean_at(cluster, node, head.epoch);
    let mut origin = component.nodes.iter().filter(stands);
    let of_origin = origin.find(|node| Some(&node.at.record) == head.origin.as_ref());
    of_origin.or_else(|| component.nodes.iter().find(stands))
}

/// The member and the head agree on what stands there.
fn clean_at(cluster: &Cluster, node: &Node<'_>, epoch: u64) -> bool {
    let record = cluster.records.get(&node.at.record);
    let base = record.and_then(|record| record.bases.get(&node.at.property));
    base.is_some_and(|base| base.epoch == epoch && base.value == topology::own_value(cluster, &node.at))
}

fn form<'a>(node: &Node<'a>, facts: &'a Facts) -> Form<'a> {
    let part = &node.parts[0];
    Form {
        flow: part.flow,
        mapping: part.mapping,
        side: part.side,
        facts,
    }
}
