//! What people call a record.

use super::Looker;
use crate::Refused;
use crate::mask::shorten;
use crate::view::RecordName;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::{RecordKey, RecordType, Values};
use tandem_merge::value::Value;

impl Looker<'_> {
    /// What people call records, of those that have a name that whoever looks may see.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn names(
        &mut self,
        records: impl IntoIterator<Item = RecordKey>,
    ) -> Result<BTreeMap<RecordKey, String>, Refused> {
        let records: BTreeSet<RecordKey> = records.into_iter().collect();
        let values = self.store.values(&records.into_iter().collect::<Vec<_>>())?;
        let named = values.iter().filter_map(|(key, values)| {
            let name = self.name_by(Some(values), key).name?;
            Some((key.clone(), name))
        });
        Ok(named.collect())
    }

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
            let properties = naming(self.flows, of);
            let text = |property: &str| {
                let value = values.get(property);
                value
                    .filter(|value| **value != Value::Blank)
                    .map(ToString::to_string)
            };
            // Where the likeliest name is personal, no other stands in for it.
            let likeliest = *properties.iter().find(|property| text(property).is_some())?;
            if self.masks.hides(of, likeliest) {
                return None;
            }
            let part = |ending: &str| {
                let mut parts = properties.iter().filter(|property| ends(property, ending));
                parts
                    .find(|property| !self.masks.hides(of, property))
                    .and_then(|property| text(property))
            };
            let person = part("firstname").zip(part("lastname"));
            let person = person.map(|(first, last)| format!("{first} {last}"));
            person.or_else(|| text(likeliest)).map(|text| shorten(&text))
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
    ENDINGS.iter().position(|ending| ends(property, ending))
}

fn ends(property: &str, ending: &str) -> bool {
    property.trim_end_matches("__c").to_lowercase().ends_with(ending)
}
