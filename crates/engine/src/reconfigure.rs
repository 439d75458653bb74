//! Reconfigure: what the configuration changed since the state was last used, taken up on live data.
//!
//! The state keeps how it was. A property that came into use is read first and then meets like at a first link; a
//! mapping that converts otherwise is converted anew; what went out of use is left alone in both systems, and its
//! links and bases rest in the state until it is back. Each step may be done twice, and only after all of them the
//! state keeps the new form: a process that dies in between begins again.

use crate::engine::FENCE;
use crate::{Engine, Error, Round, notes};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use tandem_ledger::{Decided, Page};
use tandem_merge::convert::{Mappings, convert};
use tandem_merge::dataflow::{Dataflow, Direction, Flow, Kind, Mapping, Side};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::RecordKey;

/// Where the state keeps how it was.
const NOTE: &str = "shape";
/// Where it keeps what is to be read first.
const UNREAD: &str = "unread";
/// Links converted in one transaction.
const BATCH: usize = 100;

/// What the configuration changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The flow.
    pub flow: String,
    /// What about it.
    #[serde(flatten)]
    pub what: Changed,
}

/// What changed about a flow. Properties go by the first side's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", content = "property", rename_all = "kebab-case")]
pub enum Changed {
    /// It is new, or back.
    Added,
    /// It is not configured any more: its links rest.
    Removed,
    /// Its records are matched otherwise.
    Matching,
    /// Policies or other settings.
    Settings,
    /// A property is new, or back.
    PropertyAdded(String),
    /// A property is not mapped any more: nothing of it is touched.
    PropertyRemoved(String),
    /// A property is converted otherwise.
    PropertyConverted(String),
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let flow = &self.flow;
        match &self.what {
            Changed::Added => write!(f, "{flow} is new"),
            Changed::Removed => write!(
                f,
                "{flow} is not configured any more; its links rest, and both systems keep what they have"
            ),
            Changed::Matching => write!(f, "{flow} matches otherwise"),
            Changed::Settings => write!(f, "{flow} has other settings"),
            Changed::PropertyAdded(property) => write!(f, "{flow}: {property} is new"),
            Changed::PropertyRemoved(property) => write!(
                f,
                "{flow}: {property} is not mapped any more; both systems keep what they have"
            ),
            Changed::PropertyConverted(property) => write!(f, "{flow}: {property} is converted otherwise"),
        }
    }
}

/// A configuration as far as its changes matter: fingerprints by flow and property.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Shape {
    flows: BTreeMap<String, FlowShape>,
    /// Properties in use, by `system/Type`.
    used: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlowShape {
    matching: String,
    settings: String,
    properties: BTreeMap<String, PropertyShape>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PropertyShape {
    second: String,
    converter: String,
    settings: String,
}

impl Shape {
    fn of(flows: &Dataflow) -> Self {
        let each = flows.flows.iter();
        let shapes = each.map(|flow| (flow.name.clone(), FlowShape::of(flow)));
        let systems = flows.systems.iter();
        let used = systems.flat_map(|system| crate::sight::used(flows, system));
        Self {
            flows: shapes.collect(),
            used: used.map(|(of, names)| (of.to_string(), names)).collect(),
        }
    }

    fn changes(&self, now: &Self) -> Vec<Change> {
        let mut found = Vec::new();
        let mut add = |flow: &str, what| {
            found.push(Change {
                flow: flow.to_owned(),
                what,
            });
        };
        for name in self.flows.keys().filter(|name| !now.flows.contains_key(*name)) {
            add(name, Changed::Removed);
        }
        for (name, flow) in &now.flows {
            let Some(known) = self.flows.get(name) else {
                add(name, Changed::Added);
                continue;
            };
            if known.matching != flow.matching {
                add(name, Changed::Matching);
            }
            let set = |known: &FlowShape| {
                let each = known.properties.iter();
                let each = each.map(|(name, property)| (name.clone(), property.settings.clone()));
                (known.settings.clone(), each.collect::<BTreeMap<_, _>>())
            };
            let (then, is) = (set(known), set(flow));
            let same =
                |(name, settings): (&String, &String)| then.1.get(name).is_none_or(|then| then == settings);
            if then.0 != is.0 || !is.1.iter().all(same) {
                add(name, Changed::Settings);
            }
            known.property_changes(flow, |what| add(name, what));
        }
        found
    }
}

impl FlowShape {
    fn of(flow: &Flow) -> Self {
        let matching = fingerprint(&(&flow.match_rules, &flow.ends.each_ref().map(|end| &end.identity)));
        let properties = flow.mappings.iter().map(|mapping| {
            (
                mapping.property(Side::First).to_owned(),
                PropertyShape::of(mapping),
            )
        });
        let rest = Flow {
            match_rules: Vec::new(),
            mappings: Vec::new(),
            unserved: Vec::new(),
            ..flow.clone()
        };
        Self {
            matching,
            settings: fingerprint(&rest),
            properties: properties.collect(),
        }
    }

    fn property_changes(&self, now: &Self, mut add: impl FnMut(Changed)) {
        for (name, property) in &now.properties {
            match self.properties.get(name) {
                Some(known) if known.second == property.second => {
                    if known.converter != property.converter {
                        add(Changed::PropertyConverted(name.clone()));
                    }
                }
                _ => add(Changed::PropertyAdded(name.clone())),
            }
        }
        for name in self
            .properties
            .keys()
            .filter(|name| !now.properties.contains_key(*name))
        {
            add(Changed::PropertyRemoved(name.clone()));
        }
    }
}

impl PropertyShape {
    fn of(mapping: &Mapping) -> Self {
        let rest = Mapping {
            note: String::new(),
            data_types: <[String; 2]>::default(),
            kind: Kind::String,
            direction: Direction::Both,
            ..mapping.clone()
        };
        Self {
            second: mapping.property(Side::Second).to_owned(),
            converter: fingerprint(&(&mapping.kind, mapping.direction)),
            settings: fingerprint(&rest),
        }
    }
}

/// FNV-1a over a value's text: enough to notice a change.
fn fingerprint(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.write(text.as_bytes());
    format!("{:016x}", hash.finish())
}

struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Engine {
    /// What the configuration changed since the state was last used.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Takes up what the configuration changed.
    pub(crate) fn reconfigure(&mut self) -> Result<(), Error> {
        let now = Shape::of(&self.flows);
        let known: Option<Shape> = notes::kept(self.store.as_mut(), NOTE)?;
        self.find_unread()?;
        if known.as_ref() == Some(&now) {
            return Ok(());
        }
        if let Some(known) = &known {
            self.changes = known.changes(&now);
            self.read_first(known, &now)?;
        }
        if known.is_some() || !self.listed.is_empty() {
            self.store.touch_all(&self.flows)?;
        }
        let converted = self.convert_anew()?;
        let changed: BTreeSet<String> = self.changes.iter().map(|change| change.flow.clone()).collect();
        if !changed.is_empty() {
            let flows = self.flows.clone();
            self.free_refused(|item| {
                let mut of = flows.flows_of(&item.record.record_type);
                of.any(|(flow, _)| changed.contains(&flow.name))
            })?;
        }
        if !converted {
            // Another record stood in the way of some: they are converted at the next start.
            return Ok(());
        }
        Ok(notes::keep(self.store.as_mut(), NOTE, &now)?)
    }

    fn find_unread(&mut self) -> Result<(), Error> {
        self.unread = notes::kept(self.store.as_mut(), UNREAD)?.unwrap_or_default();
        self.hide();
        Ok(())
    }

    fn keep_unread(&mut self) -> Result<(), Error> {
        Ok(notes::keep(self.store.as_mut(), UNREAD, &self.unread)?)
    }

    /// Properties that came into use on records that are known take no part before everything was read: what was
    /// never read is not blank.
    fn read_first(&mut self, known: &Shape, now: &Shape) -> Result<(), Error> {
        let mut systems = BTreeSet::new();
        for system in self.flows.systems.clone() {
            for of in self.flows.types_of(&system) {
                let Some(before) = known.used.get(&of.to_string()) else {
                    continue;
                };
                let used = now.used.get(&of.to_string()).into_iter().flatten();
                for property in used.filter(|property| !before.contains(*property)) {
                    self.unread.insert((of.clone(), property.clone()));
                    systems.insert(system.clone());
                }
            }
        }
        self.hide();
        self.keep_unread()?;
        for system in systems {
            let page = Page {
                system,
                observations: Vec::new(),
                cursor: Some(Vec::new()),
            };
            self.store.commit_page(FENCE, &self.flows, &page)?;
        }
        Ok(())
    }

    /// A system was read to its end: what came into use takes part.
    pub(crate) fn note_read(&mut self, system: &str) -> Result<(), Error> {
        let before = self.unread.len();
        self.unread.retain(|(of, _)| of.system != system);
        if self.unread.len() < before {
            self.hide();
            self.store.touch_all(&self.flows)?;
            self.keep_unread()?;
        }
        Ok(())
    }

    /// Converts linked records anew whose mappings convert otherwise. Whether all could be stored.
    fn convert_anew(&mut self) -> Result<bool, Error> {
        let mut all = true;
        let mut mappings: BTreeMap<String, Mappings> = BTreeMap::new();
        for change in &self.changes {
            if let Changed::PropertyConverted(property) = &change.what {
                let of = mappings.entry(change.flow.clone()).or_default();
                of.insert((change.flow.clone(), property.clone()));
            }
        }
        for (flow, mappings) in mappings {
            let mut after = 0;
            loop {
                let rows = self.store.links(Some(&flow), after, BATCH)?;
                let Some(last) = rows.last() else { break };
                after = last.number;
                let records: Vec<RecordKey> = rows.into_iter().map(|row| row.first).collect();
                all &= self.convert_records(&records, &mappings)?;
            }
        }
        Ok(all)
    }

    fn convert_records(&mut self, records: &[RecordKey], mappings: &Mappings) -> Result<bool, Error> {
        let now = self.clock.now();
        let taken = self.store.take_records(&self.flows, records, now)?;
        let decided = taken.into_iter().map(|dirty| {
            let mut cluster = dirty.cluster;
            let edited = convert(&self.flows, &mut cluster, mappings, &dirty.facts);
            let mut plan = reconcile(&self.flows, cluster, dirty.inbox, &dirty.facts);
            plan.edited.extend(edited);
            Decided {
                plan,
                token: dirty.token,
            }
        });
        let decided = decided.collect();
        let report = self.commit(decided, &mut Round::default())?;
        Ok(report.put_back.is_empty())
    }
}
