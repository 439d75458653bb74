//! What people call a record.

use super::Looker;
use crate::mask::shorten;
use crate::view::RecordName;
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::{RecordKey, RecordType, Values};
use tandem_merge::value::Value;

impl Looker<'_> {
    /// A record of a cluster with its name.
    pub(super) fn name_in(&self, cluster: &Cluster, key: &RecordKey) -> RecordName {
        let record = cluster.records.get(key);
        self.name_by(record.map(|record| &record.shadow.values), key)
    }

    /// A record with its name, by what it shows.
    pub(super) fn name_by(&self, values: Option<&Values>, key: &RecordKey) -> RecordName {
        let mut name = RecordName::of(key);
        let of = &key.record_type;
        name.name = values.and_then(|values| {
            let mut properties = naming(self.flows, of).into_iter();
            properties.find_map(|property| {
                let value = values.get(property);
                let value = value.filter(|value| **value != Value::Blank)?;
                self.masks.text(of, property, value).map(|text| shorten(&text))
            })
        });
        name
    }
}

/// The properties of a type that may be its records' names, the likeliest first: those that call themselves one, then
/// those that records are matched by.
fn naming<'a>(flows: &'a Dataflow, of: &'a RecordType) -> Vec<&'a str> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for (flow, side) in flows.flows_of(of) {
        let mapped = flow.mappings.iter().map(|mapping| mapping.property(side));
        found.extend(mapped.filter_map(|name| Some((rank(name)?, name))));
        let keys = flow.match_rules.iter().filter(|rule| rule.parts.len() == 1);
        let keys = keys.map(|rule| rule.parts[0].properties[Side::index(side)].as_str());
        found.extend(keys.map(|name| (ENDINGS.len(), name)));
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(_, name)| name).collect()
}

/// How names of properties that hold a name end.
const ENDINGS: [&str; 5] = ["name", "subject", "title", "description", "number"];

fn rank(property: &str) -> Option<usize> {
    let property = property.trim_end_matches("__c").to_lowercase();
    ENDINGS.iter().position(|ending| property.ends_with(ending))
}
