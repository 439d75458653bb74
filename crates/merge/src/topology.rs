//! The components of a cluster: which properties of which records stand for the same thing.

use crate::cluster::{Anchor, Cluster};
use crate::dataflow::{ConflictPolicy, Dataflow, Direction, Flow, Mapping, Side};
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One use of a property: by a mapping of a flow, on a side.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The flow.
    pub flow: &'a Flow,
    /// The mapping.
    pub mapping: &'a Mapping,
    /// The side.
    pub side: Side,
}

/// One member with all its uses; never empty.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// The member.
    pub at: Anchor,
    /// Its uses, in flow order.
    pub parts: Vec<Part<'a>>,
}

impl Node<'_> {
    /// Values travel from it to some other member.
    #[must_use]
    pub fn source(&self) -> bool {
        self.parts
            .iter()
            .any(|part| part.mapping.travels_to(part.side.other()))
    }

    /// Values travel to it, and its side may be written. A record's own id is never written.
    #[must_use]
    pub fn target(&self) -> bool {
        self.at.property != "id"
            && self
                .parts
                .iter()
                .any(|part| part.mapping.travels_to(part.side) && part.flow.end(part.side).write)
    }

    /// Its value flows from the start.
    #[must_use]
    pub fn from_start(&self) -> bool {
        let starts = |part: &Part<'_>| {
            part.mapping.owned_by == Some(part.side) || part.mapping.given_by == Some(part.side)
        };
        self.parts.iter().any(starts)
    }
}

/// A component: members that mappings tie together along live links.
#[derive(Clone, Debug)]
pub struct Component<'a> {
    /// Its members in order; the first one anchors a new head.
    pub nodes: Vec<Node<'a>>,
}

impl Component<'_> {
    /// The policy of its conflicts: flows that share a component declare one.
    #[must_use]
    pub fn policy(&self) -> ConflictPolicy {
        let part = &self.nodes[0].parts[0];
        part.mapping.conflict.unwrap_or(part.flow.conflict)
    }

    /// No mapping in it travels both ways.
    #[must_use]
    pub fn one_way(&self) -> bool {
        let parts = self.nodes.iter().flat_map(|node| &node.parts);
        parts
            .into_iter()
            .all(|part| part.mapping.direction != Direction::Both)
    }

    /// Nothing flows at the link: what is there stands, and only an edit made afterwards travels.
    #[must_use]
    pub fn starts_with_edit(&self) -> bool {
        self.one_way() && !self.nodes.iter().any(Node::from_start)
    }
}

/// The shadow's value of a member; a record's own id for `id`.
#[must_use]
pub fn own_value(cluster: &Cluster, at: &Anchor) -> Value {
    match (at.property.as_str(), cluster.records.get(&at.record)) {
        ("id", _) => Value::Text(at.record.id.clone()),
        (property, Some(record)) => record.value(property).clone(),
        (_, None) => Value::Blank,
    }
}

/// The components of a cluster's linked records. Records that are not alive take part only `with_dead`.
#[must_use]
pub fn components<'a>(flows: &'a Dataflow, cluster: &Cluster, with_dead: bool) -> Vec<Component<'a>> {
    let mut graph = Graph::default();
    for link in &cluster.links {
        let Some(flow) = flows.flow(&link.flow) else {
            continue;
        };
        let dead = |side| {
            let record = cluster.records.get(link.end(side));
            !record.is_some_and(crate::cluster::Record::alive)
        };
        if !with_dead && (dead(Side::First) || dead(Side::Second)) {
            continue;
        }
        for mapping in &flow.mappings {
            let ends = Side::BOTH.map(|side| Anchor {
                record: link.end(side).clone(),
                property: mapping.property(side).to_owned(),
            });
            graph.join(flow, mapping, ends);
        }
    }
    graph.into_components()
}

/// The components of one record on its own in a flow: what a create starts from.
#[must_use]
pub fn single<'a>(flow: &'a Flow, mapping: &'a Mapping, side: Side, at: Anchor) -> Component<'a> {
    Component {
        nodes: vec![Node {
            at,
            parts: vec![Part { flow, mapping, side }],
        }],
    }
}

#[derive(Default)]
struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    places: BTreeMap<Anchor, usize>,
    /// Per node, the smallest index known to be of the same component.
    root: Vec<usize>,
}

impl<'a> Graph<'a> {
    fn join(&mut self, flow: &'a Flow, mapping: &'a Mapping, ends: [Anchor; 2]) {
        let mut indices = [0; 2];
        for (side, end) in Side::BOTH.into_iter().zip(ends) {
            let index = self.place(end);
            self.nodes[index].parts.push(Part { flow, mapping, side });
            indices[side.index()] = index;
        }
        let (a, b) = (self.find(indices[0]), self.find(indices[1]));
        self.root[a.max(b)] = a.min(b);
    }

    fn place(&mut self, at: Anchor) -> usize {
        if let Some(index) = self.places.get(&at) {
            return *index;
        }
        let index = self.nodes.len();
        self.places.insert(at.clone(), index);
        self.nodes.push(Node {
            at,
            parts: Vec::new(),
        });
        self.root.push(index);
        index
    }

    fn find(&self, mut index: usize) -> usize {
        while self.root[index] != index {
            index = self.root[index];
        }
        index
    }

    fn into_components(self) -> Vec<Component<'a>> {
        let roots: Vec<usize> = (0..self.nodes.len()).map(|index| self.find(index)).collect();
        let mut found: BTreeMap<usize, Vec<Node<'a>>> = BTreeMap::new();
        for (node, root) in self.nodes.into_iter().zip(roots) {
            found.entry(root).or_default().push(node);
        }
        let mut components: Vec<Component<'a>> = found
            .into_values()
            .map(|mut nodes| {
                nodes.sort_by(|a, b| a.at.cmp(&b.at));
                Component { nodes }
            })
            .collect();
        components.sort_by(|a, b| a.nodes[0].at.cmp(&b.nodes[0].at));
        components
    }
}

/// The record keys that take part in live links.
#[must_use]
pub fn linked_records(cluster: &Cluster) -> BTreeSet<&crate::record::RecordKey> {
    cluster
        .links
        .iter()
        .flat_map(|link| [&link.first, &link.second])
        .collect()
}
