//! Which properties of which record types are read.

use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{CompanionRule, CompanionValue, Dataflow, Flow, Side};
use tandem_merge::record::RecordType;

/// The record's own id: always shown, never named.
const ID: &str = "id";

/// Properties to read, by record type name: mappings, match rules, identities, what decides membership, what puts
/// out of use, and what companions are made and found by.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<RecordType, BTreeSet<String>>);

impl Fields {
    /// What a dataflow needs.
    pub(crate) fn of(flows: &Dataflow) -> Self {
        let mut fields = Self::default();
        for flow in &flows.flows {
            fields.add_flow(flow);
            for rule in &flow.companions {
                fields.add_companion(rule);
            }
        }
        fields
    }

    /// Those of one system, by record type name.
    pub(crate) fn of_system(&self, system: &str) -> BTreeMap<String, Vec<String>> {
        let own = self
            .0
            .iter()
            .filter(|(record_type, _)| record_type.system == system);
        own.map(|(record_type, names)| (record_type.name.clone(), names.iter().cloned().collect()))
            .collect()
    }

    fn add_flow(&mut self, flow: &Flow) {
        for side in Side::BOTH {
            let end = flow.end(side);
            // What is computed is read as what it is made of.
            let mut names: Vec<&str> = flow
                .mappings
                .iter()
                .map(|mapping| mapping.property(side))
                .filter(|name| !end.computed.contains_key(*name))
                .collect();
            names.extend(
                end.computed
                    .values()
                    .flat_map(tandem_merge::computed::Computation::inputs),
            );
            let equal = flow.equal.iter();
            names.extend(equal.map(|equal| equal.properties[side.index()].as_str()));
            names.extend(flow.match_rules.iter().flat_map(|rule| rule.properties(side)));
            names.extend(end.identity.as_ref().map(|identity| identity.property.as_str()));
            names.extend(end.only.keys().map(String::as_str));
            names.extend(end.filter.iter().flat_map(|filter| filter.properties()));
            names.extend(end.deactivate.as_ref().map(|(property, _)| property.as_str()));
            self.add(&end.record_type, names);
        }
    }

    fn add_companion(&mut self, rule: &CompanionRule) {
        let mut own: Vec<&str> = rule.find.iter().map(String::as_str).collect();
        own.extend(rule.identity.as_ref().map(|identity| identity.property.as_str()));
        self.add(&rule.record_type, own);
        let owner = rule.values.values().flat_map(|value| match value {
            CompanionValue::Property(name) => vec![name.as_str()],
            CompanionValue::FirstOf(names, _) => names.iter().map(String::as_str).collect(),
            CompanionValue::Companion { of, .. } | CompanionValue::Linked { of, .. } => vec![of.as_str()],
            CompanionValue::Constant(_) => Vec::new(),
        });
        self.add(&rule.owner, owner);
    }

    fn add<'a>(&mut self, record_type: &RecordType, names: impl IntoIterator<Item = &'a str>) {
        let fields = self.0.entry(record_type.clone()).or_default();
        fields.extend(names.into_iter().filter(|name| *name != ID).map(str::to_owned));
    }
}
