//! What must be true whatever happened. The engine never sees any of this.

use super::drive::World;
use super::engine::Engine;
use super::systems::{Systems, identity};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Action, Intent, Verdict};
use tandem_merge::dataflow::{Direction, Side};
use tandem_merge::form::Form;
use tandem_merge::plan::EventKind;
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::value::Value;

/// What people did, and what the systems were made to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    edits: BTreeSet<String>,
    /// Values that a person edited over or deleted.
    superseded: BTreeSet<String>,
    broken: Vec<String>,
    /// Records whose removal a person decided.
    judged: BTreeSet<RecordKey>,
}

fn plain(value: &Value) -> String {
    value.to_string().trim().to_owned()
}

impl Oracle {
    pub(crate) fn edited(&mut self, old: Option<&Value>, new: &str) {
        self.superseded.extend(old.map(plain));
        self.edits.insert(new.trim().to_owned());
    }

    pub(crate) fn deleted(&mut self, values: &Values) {
        self.superseded.extend(values.values().map(plain));
    }

    /// A person decided what becomes of two ends.
    pub(crate) fn judged(&mut self, ends: &[RecordKey]) {
        self.judged.extend(ends.iter().cloned());
    }

    /// A request is about to be carried out: a deletion must not take an edit along (D1), a create must not
    /// bring back what a person deleted (E16).
    pub(crate) fn about_to(&mut self, systems: &Systems, engine: &Engine, intent: &Intent) {
        match &intent.action {
            Action::Delete { record } => {
                let decided = engine.cluster.links.iter().any(|link| {
                    (&link.first == record || &link.second == record)
                        && link.verdict == Some(Verdict::Propagate)
                });
                // What the deleter shares with it; a due date it does not know is kept in history.
                let shared = ["description", "Description"];
                let values = systems.rows[record]
                    .values
                    .iter()
                    .filter(|(name, _)| shared.contains(&name.as_str()));
                let lost = values
                    .map(|(_, value)| plain(value))
                    .filter(|value| self.edits.contains(value));
                let fresh = systems.observe(record).version.map(|version| version.token)
                    == intent.version.as_ref().map(|version| version.token.clone());
                if !decided && fresh {
                    let alive = |text: &String| {
                        systems.rows.iter().any(|(key, row)| {
                            key != record
                                && row.alive
                                && row.values.values().any(|value| &plain(value) == text)
                        })
                    };
                    let lost: Vec<String> = lost
                        .filter(|text| {
                            !self.superseded.contains(text) && !alive(text) && !filed(engine, text)
                        })
                        .collect();
                    if !lost.is_empty() {
                        self.broken
                            .push(format!("D1: deleting {record} would lose {lost:?}"));
                    }
                } else {
                    let gone = systems.rows[record].values.values().map(plain);
                    self.superseded.extend(gone);
                }
            }
            Action::Create {
                target,
                identity: Some((property, value)),
                source,
                ..
            } => {
                let before = systems.find_identity(target, property, value);
                let recreates = engine
                    .flows
                    .flows
                    .iter()
                    .flat_map(|flow| &flow.ends)
                    .any(|end| end.on_delete == tandem_merge::dataflow::DeletePolicy::Recreate)
                    || engine.flows.flows[0].delete_against_edit
                        == tandem_merge::dataflow::DeleteAgainstEdit::EditWins;
                if before.is_some_and(|key| !systems.rows[&key].alive)
                    && !recreates
                    && !self.judged.contains(source)
                {
                    self.broken
                        .push(format!("E16: {value} was deleted and is created again"));
                }
            }
            _ => {}
        }
    }
}

fn filed(engine: &Engine, text: &str) -> bool {
    engine.history.iter().any(|event| match &event.what {
        EventKind::Conflict { contenders, .. } => {
            contenders.iter().any(|contender| plain(&contender.value) == text)
        }
        EventKind::Overwrote { old, .. } => plain(old) == text,
        _ => false,
    })
}

/// Everything that must hold at rest.
pub(crate) fn check(world: &World) -> Vec<String> {
    let mut broken = world.oracle.broken.clone();
    no_edit_lost(world, &mut broken);
    one_record_per_identity(world, &mut broken);
    one_link_per_group(world, &mut broken);
    all_agree(world, &mut broken);
    nobody_is_forgotten(world, &mut broken);
    bases_below_heads(world, &mut broken);
    broken
}

fn no_edit_lost(world: &World, broken: &mut Vec<String>) {
    let present: BTreeSet<String> = world
        .systems
        .rows
        .values()
        .filter(|row| row.alive)
        .flat_map(|row| row.values.values())
        .map(plain)
        .collect();
    for edit in &world.oracle.edits {
        let traced =
            present.contains(edit) || world.oracle.superseded.contains(edit) || filed(&world.engine, edit);
        if !traced {
            broken.push(format!("E5: {edit} is lost without trace"));
        }
    }
}

fn one_record_per_identity(world: &World, broken: &mut Vec<String>) {
    let mut seen: BTreeMap<(String, String, &str), &RecordKey> = BTreeMap::new();
    for (key, row) in world.systems.rows.iter().filter(|(_, row)| row.alive) {
        for property in identity(&key.record_type) {
            let Some(value) = row.values.get(*property).filter(|value| !value.is_blank()) else {
                continue;
            };
            if let Some(other) = seen.insert((key.record_type.to_string(), plain(value), *property), key) {
                broken.push(format!("E3: {key} and {other} are both made for {value}"));
            }
        }
    }
}

fn one_link_per_group(world: &World, broken: &mut Vec<String>) {
    let links = &world.engine.cluster.links;
    for (index, link) in links.iter().enumerate() {
        let rival = links[index + 1..].iter().find(|other| {
            other.flow == link.flow && (other.first == link.first || other.second == link.second)
        });
        if let Some(other) = rival {
            broken.push(format!("R8: {link:?} and {other:?}"));
        }
    }
}

fn all_agree(world: &World, broken: &mut Vec<String>) {
    let engine = &world.engine;
    let facts = engine.facts(&world.systems);
    for link in &engine.cluster.links {
        let flow = engine.flows.flow(&link.flow).unwrap();
        if engine.deleted(&link.first) || engine.deleted(&link.second) {
            continue;
        }
        let rows = [
            &world.systems.rows[&link.first],
            &world.systems.rows[&link.second],
        ];
        for mapping in flow
            .mappings
            .iter()
            .filter(|mapping| mapping.direction == Direction::Both || mapping.owned_by.is_some())
        {
            let own = Side::BOTH.map(|side| {
                rows[side.index()]
                    .values
                    .get(mapping.property(side))
                    .cloned()
                    .unwrap_or_default()
            });
            let same = plain(&own[0]) == plain(&own[1]);
            let excused = Side::BOTH.into_iter().any(|side| {
                let record = &engine.cluster.records[link.end(side)];
                let form = Form {
                    flow,
                    mapping,
                    side,
                    facts: &facts,
                };
                record.parked.contains_key(mapping.property(side))
                    || form.encode(&own[side.other().index()]).is_err()
            });
            // A parked member stands alone; so does whoever shares the head with one of the others.
            if !same && !excused && engine.cluster.questions.is_empty() {
                broken.push(format!(
                    "E8: {} and {} differ in {:?}: {own:?}",
                    link.first, link.second, mapping.properties
                ));
            }
        }
    }
}

fn nobody_is_forgotten(world: &World, broken: &mut Vec<String>) {
    for (key, record) in &world.engine.cluster.records {
        let alive = world.systems.rows.get(key).is_some_and(|row| row.alive);
        if alive != record.alive() {
            broken.push(format!("{key} is known as {:?}", record.shadow.presence));
        }
        for (flow, _) in world.engine.flows.flows_of(&key.record_type) {
            let linked = world
                .engine
                .cluster
                .links
                .iter()
                .any(|link| link.flow == flow.name && (&link.first == key || &link.second == key));
            let told = record.held.contains_key(&flow.name) || record.suppressed.contains(&flow.name);
            if alive && !linked && !told {
                broken.push(format!(
                    "E8: {key} has no counterpart in {} and nobody is told",
                    flow.name
                ));
            }
        }
    }
}

fn bases_below_heads(world: &World, broken: &mut Vec<String>) {
    let cluster = &world.engine.cluster;
    for component in tandem_merge::topology::components(&world.engine.flows, cluster, true) {
        let heads: Vec<u64> = component
            .nodes
            .iter()
            .filter_map(|node| cluster.heads.get(&node.at))
            .map(|head| head.epoch)
            .collect();
        let most = heads.iter().max().copied().unwrap_or_default();
        for node in &component.nodes {
            let base = cluster
                .records
                .get(&node.at.record)
                .and_then(|record| record.bases.get(&node.at.property));
            if base.is_some_and(|base| base.epoch > most) {
                broken.push(format!("S3: {:?} has a base above the head", node.at));
            }
        }
    }
}
