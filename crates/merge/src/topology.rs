//! The components of a cluster: which properties of which records stand for the same thing.

use crate::cluster::{Anchor, Cluster, Link, Record};
use crate::dataflow::{ConflictPolicy, Dataflow, Direction, Flow, Mapping, Side};
use crate::record::RecordKey;
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
    Sketch::of(flows, cluster, with_dead).components(|_| true)
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

/// A member by numbers: its record's among the ends of links, and its property.
pub(crate) type Place<'a> = (usize, &'a str);

/// A mapping along a link, with the members that it ties.
struct Join<'a> {
    flow: &'a Flow,
    mapping: &'a Mapping,
    ends: [usize; 2],
}

/// The components of a cluster before they are told: which members belong together.
pub(crate) struct Sketch<'a, 'c> {
    /// The records at the ends of links, in order.
    pub(crate) records: Vec<&'c RecordKey>,
    joins: Vec<Join<'a>>,
    /// Members, numbered as they were met.
    places: BTreeMap<Place<'a>, usize>,
    /// Per member, the smallest number known to be of the same component.
    root: Vec<usize>,
}

impl<'a, 'c> Sketch<'a, 'c> {
    /// What links tie together. Records that are not alive take part only `with_dead`.
    pub(crate) fn of(flows: &'a Dataflow, cluster: &'c Cluster, with_dead: bool) -> Self {
        let alive = |key| cluster.records.get(key).is_some_and(Record::alive);
        let links = cluster.links.iter();
        let links = links.filter(|link| with_dead || alive(&link.first) && alive(&link.second));
        let links: Vec<(&Flow, &Link)> = links
            .filter_map(|link| Some((flows.flow(&link.flow)?, link)))
            .collect();
        let ends = links.iter().flat_map(|(_, link)| [&link.first, &link.second]);
        let mut records: Vec<&RecordKey> = ends.collect();
        records.sort_unstable();
        records.dedup();
        let mut sketch = Self {
            records,
            joins: Vec::new(),
            places: BTreeMap::new(),
            root: Vec::new(),
        };
        for (flow, link) in links {
            let number = |side| sketch.records.partition_point(|key| *key < link.end(side));
            let ends = Side::BOTH.map(number);
            for mapping in &flow.mappings {
                sketch.join(flow, mapping, ends);
            }
        }
        sketch
    }

    fn join(&mut self, flow: &'a Flow, mapping: &'a Mapping, records: [usize; 2]) {
        let ends = Side::BOTH.map(|side| self.place((records[side.index()], mapping.property(side))));
        self.joins.push(Join { flow, mapping, ends });
        let (a, b) = (self.find(ends[0]), self.find(ends[1]));
        self.root[a.max(b)] = a.min(b);
    }

    fn place(&mut self, at: Place<'a>) -> usize {
        let next = self.root.len();
        let number = *self.places.entry(at).or_insert(next);
        if number == next {
            self.root.push(next);
        }
        number
    }

    fn find(&self, mut number: usize) -> usize {
        while self.root[number] != number {
            number = self.root[number];
        }
        number
    }

    /// Those components of whose members, in order, this holds.
    pub(crate) fn components(&self, mut wanted: impl FnMut(&[Place<'a>]) -> bool) -> Vec<Component<'a>> {
        let mut groups: Vec<Vec<Place<'a>>> = Vec::new();
        let mut group_of: Vec<Option<usize>> = vec![None; self.root.len()];
        for (place, number) in &self.places {
            let group = *group_of[self.find(*number)].get_or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[group].push(*place);
        }
        let mut parts: BTreeMap<usize, Vec<Part<'a>>> = BTreeMap::new();
        groups.retain(|group| {
            let kept = wanted(group);
            if kept {
                parts.extend(group.iter().map(|place| (self.places[place], Vec::new())));
            }
            kept
        });
        for Join { flow, mapping, ends } in self.joins.iter().filter(|_| !groups.is_empty()) {
            for side in Side::BOTH {
                if let Some(parts) = parts.get_mut(&ends[side.index()]) {
                    parts.push(Part { flow, mapping, side });
                }
            }
        }
        let mut node = |(record, property): Place<'a>| Node {
            at: Anchor {
                record: self.records[record].clone(),
                property: property.to_owned(),
            },
            parts: parts
                .remove(&self.places[&(record, property)])
                .unwrap_or_default(),
        };
        let components = groups.into_iter().map(|group| Component {
            nodes: group.into_iter().map(&mut node).collect(),
        });
        components.collect()
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
