//! What must be true at rest, whatever happened: from the systems' rows and the log of what people did, with Tandem's
//! links, parked items and history beside them.

use super::log::plain;
use super::setting::{editable, identities};
use super::system::Row;
use super::world::{World, history_keeps};
use std::collections::{BTreeMap, BTreeSet};
use tandem_engine::Engine;
use tandem_ledger::LinkRow;
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::{Direction, Kind, Side};
use tandem_merge::record::RecordKey;

/// What is compared.
pub struct Found<'a> {
    pub world: &'a World,
    pub rows: BTreeMap<RecordKey, Row>,
    pub links: Vec<LinkRow>,
    pub clusters: BTreeMap<RecordKey, Cluster>,
    pub broken: Vec<String>,
}

/// All that is wrong.
pub fn check(world: &mut World, engine: &mut Engine) -> Vec<String> {
    let mut rows = BTreeMap::new();
    for system in &world.systems {
        let state = system.state.lock().unwrap();
        rows.extend(state.rows.iter().map(|(key, row)| (key.clone(), row.clone())));
    }
    rows.retain(|key, _| key.record_type.name != "Account");
    let links = engine.store().links(None, 0, 10_000).unwrap();
    let mut clusters = BTreeMap::new();
    for key in rows.keys() {
        if let Some(cluster) = engine.store().cluster(&world.setting.flows, key).unwrap() {
            clusters.insert(key.clone(), cluster);
        }
    }
    let broken = world.log.lock().unwrap().broken.clone();
    let mut found = Found {
        world,
        rows,
        links,
        clusters,
        broken,
    };
    found.edits_are_kept(engine);
    found.values_are_whole();
    found.one_record_per_identity();
    found.one_link_per_group();
    found.all_agree();
    found.nobody_is_forgotten();
    found.bases_are_below_heads();
    found.dead_links_are_told();
    found.references_agree();
    found.no_reference_is_taken();
    let mut broken = found.broken;
    nothing_is_left(engine, &mut broken);
    broken
}

impl Found<'_> {
    pub fn alive(&self) -> impl Iterator<Item = (&RecordKey, &Row)> {
        self.rows.iter().filter(|(_, row)| row.alive)
    }

    /// E5, D1.
    fn edits_are_kept(&mut self, engine: &mut Engine) {
        let present: BTreeSet<String> = self
            .alive()
            .flat_map(|(_, row)| row.values.values().map(plain))
            .collect();
        let log = self.world.log.lock().unwrap();
        let mut lost = Vec::new();
        for text in log.edits() {
            if present.contains(text) || log.is_superseded(text) {
                continue;
            }
            let filed = log.may_go(text) || log.is_buried(text);
            if !filed {
                lost.push(format!("E5: {text:?} is lost without trace"));
            } else if !log.is_raced(text) && !history_keeps(engine, text) {
                lost.push(format!(
                    "E5: {text:?} is nowhere, and the history does not keep it"
                ));
            }
        }
        for (text, record) in &log.endangered {
            if !present.contains(text) && !log.may_go(text) {
                lost.push(format!("D1: {text:?} went with {record}"));
            }
        }
        drop(log);
        self.broken.extend(lost);
    }

    /// E1.
    fn values_are_whole(&mut self) {
        let mut strange = Vec::new();
        for (key, row) in self.alive() {
            for property in editable(&key.record_type) {
                let text = row.values.get(*property).map(plain).unwrap_or_default();
                if !text.is_empty() && !self.world.log.lock().unwrap().knows(&text) {
                    strange.push(format!("E1: nobody typed the {text:?} in {property} of {key}"));
                }
            }
        }
        self.broken.extend(strange);
    }

    /// E3.
    fn one_record_per_identity(&mut self) {
        let mut seen: BTreeMap<(String, String, &str), &RecordKey> = BTreeMap::new();
        let mut doubled = Vec::new();
        for (key, row) in self.alive() {
            for property in identities(&key.record_type) {
                let Some(value) = row.values.get(*property).filter(|value| !value.is_blank()) else {
                    continue;
                };
                if let Some(other) = seen.insert((key.record_type.to_string(), plain(value), *property), key)
                {
                    doubled.push(format!("E3: {key} and {other} both are for {value}"));
                }
            }
        }
        self.broken.extend(doubled);
    }

    /// R8, S1.
    fn one_link_per_group(&mut self) {
        let mut ends = BTreeSet::new();
        let mut wrong = Vec::new();
        for link in &self.links {
            let group = &self.world.setting.flows.flow(&link.flow).unwrap().group;
            for end in [&link.first, &link.second] {
                if !ends.insert((group, end)) {
                    wrong.push(format!("R8: {end} has two links in {group}"));
                }
                if !self.rows.contains_key(end) {
                    wrong.push(format!("S1: {end} is linked and not there"));
                }
            }
        }
        self.broken.extend(wrong);
    }

    /// E8.
    fn all_agree(&mut self) {
        let mut differ = Vec::new();
        for link in &self.links {
            let flow = self.world.setting.flows.flow(&link.flow).unwrap();
            let (Some(first), Some(second)) = (self.rows.get(&link.first), self.rows.get(&link.second))
            else {
                continue;
            };
            if !first.alive || !second.alive {
                if !self.waits(link) {
                    differ.push(format!(
                        "E8: {} and {} are linked, one is deleted and nobody is told",
                        link.first, link.second
                    ));
                }
                continue;
            }
            let travels = |mapping: &&tandem_merge::dataflow::Mapping| {
                let kept = mapping.direction == Direction::Both || mapping.owned_by.is_some();
                kept && matches!(mapping.kind, Kind::String)
            };
            for mapping in flow.mappings.iter().filter(travels) {
                let own = |row: &Row, side: Side| {
                    row.values
                        .get(mapping.property(side))
                        .map(plain)
                        .unwrap_or_default()
                };
                let (a, b) = (own(first, Side::First), own(second, Side::Second));
                let open = Side::BOTH
                    .into_iter()
                    .any(|side| flow.end(side).write && mapping.travels_to(side));
                let one_sided = Side::BOTH.into_iter().any(|side| !flow.end(side).write);
                if a != b && open && !one_sided && !self.excused(link, mapping) {
                    let known = self.known(link, mapping);
                    differ.push(format!(
                        "E8: {} and {} differ in {:?}: {a:?}, {b:?}; {known}",
                        link.first, link.second, mapping.properties
                    ));
                }
            }
        }
        self.broken.extend(differ);
    }

    /// What Tandem holds of a property of two linked records.
    fn known(&self, link: &LinkRow, mapping: &tandem_merge::dataflow::Mapping) -> String {
        let Some(cluster) = self.clusters.get(&link.first) else {
            return "nothing is known".to_owned();
        };
        let ends = [(&link.first, Side::First), (&link.second, Side::Second)];
        let bases = ends.map(|(end, side)| {
            let record = cluster.records.get(end);
            record.and_then(|record| record.bases.get(mapping.property(side)).cloned())
        });
        let heads: Vec<_> = cluster
            .heads
            .iter()
            .filter(|(at, _)| mapping.properties.contains(&at.property))
            .map(|(at, head)| format!("{}: {:?} at {}", at.record.id, head.value, head.epoch))
            .collect();
        format!("bases {bases:?}, heads {heads:?}")
    }

    fn waits(&self, link: &LinkRow) -> bool {
        [&link.first, &link.second].into_iter().any(|end| {
            let record = self
                .clusters
                .get(end)
                .and_then(|cluster| cluster.records.get(end));
            record.is_some_and(|record| record.held.contains_key(&link.flow))
        })
    }

    /// The property is parked, or a conflict about the records waits.
    pub fn excused(&self, link: &LinkRow, mapping: &tandem_merge::dataflow::Mapping) -> bool {
        let ends = [(&link.first, Side::First), (&link.second, Side::Second)];
        ends.into_iter().any(|(end, side)| {
            let Some(cluster) = self.clusters.get(end) else {
                return false;
            };
            let parked = cluster
                .records
                .get(end)
                .is_some_and(|record| record.parked.contains_key(mapping.property(side)));
            parked || !cluster.questions.is_empty()
        })
    }

    /// S9, E8: Tandem knows every record as it is, and says why one has no counterpart.
    fn nobody_is_forgotten(&mut self) {
        let flows = &self.world.setting.flows;
        let mut wrong = Vec::new();
        for (key, row) in &self.rows {
            let Some(record) = self
                .clusters
                .get(key)
                .and_then(|cluster| cluster.records.get(key))
            else {
                if row.alive {
                    wrong.push(format!("E8: {key} is not known"));
                }
                continue;
            };
            if record.alive() != row.alive {
                wrong.push(format!("E8: {key} is known as {:?}", record.shadow.presence));
                continue;
            }
            if !row.alive {
                continue;
            }
            for (name, value) in &row.values {
                if record.value(name) != value && !value.is_blank() {
                    wrong.push(format!(
                        "E8: {name} of {key} is {value:?} and known as {:?}",
                        record.value(name)
                    ));
                }
            }
            for (flow, _) in flows.flows_of(&key.record_type) {
                let linked = self.links.iter().any(|link| {
                    let same = flows
                        .flow(&link.flow)
                        .is_some_and(|other| other.group == flow.group);
                    same && (&link.first == key || &link.second == key)
                });
                let told = record.held.contains_key(&flow.name) || record.suppressed.contains(&flow.name);
                if !linked && !told {
                    wrong.push(format!(
                        "E8: {key} has no counterpart in {} and nobody is told",
                        flow.name
                    ));
                }
            }
        }
        self.broken.extend(wrong);
    }

    /// S3.
    fn bases_are_below_heads(&mut self) {
        let mut wrong = BTreeSet::new();
        for cluster in self.clusters.values() {
            for component in tandem_merge::topology::components(&self.world.setting.flows, cluster, true) {
                let heads = component
                    .nodes
                    .iter()
                    .filter_map(|node| cluster.heads.get(&node.at));
                let most = heads.map(|head| head.epoch).max().unwrap_or_default();
                for node in &component.nodes {
                    let record = cluster.records.get(&node.at.record);
                    let base = record.and_then(|record| record.bases.get(&node.at.property));
                    if base.is_some_and(|base| base.epoch > most) {
                        wrong.insert(format!(
                            "S3: the base of {} of {} is above its head",
                            node.at.property, node.at.record
                        ));
                    }
                }
            }
        }
        self.broken.extend(wrong);
    }
}

/// Nothing is on its way.
fn nothing_is_left(engine: &mut Engine, broken: &mut Vec<String>) {
    let status = engine.status().unwrap();
    if status.outbox != (0, 0) || status.inbox != 0 {
        broken.push(format!(
            "E8: at rest {:?} writes and {} observations wait",
            status.outbox, status.inbox
        ));
    }
}
