//! Values that name other records.

use super::Looker;
use crate::Refused;
use crate::view::RecordName;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{Dataflow, Kind, Reference, Side};
use tandem_merge::record::{RecordKey, RecordType};

/// The records that values name, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Named(BTreeMap<RecordKey, RecordName>);

impl Named {
    /// The record that a value names.
    pub(super) fn of(&self, key: Option<&RecordKey>) -> Option<RecordName> {
        self.0.get(key?).cloned()
    }
}

impl Looker<'_> {
    /// The record that a value of a property names; none where it is no reference, or whoever looks may not see the value.
    pub(super) fn referred_by(
        &self,
        of: &RecordType,
        property: &str,
        value: Option<&str>,
    ) -> Option<RecordKey> {
        let id = value?.to_owned();
        if self.masks.hides(of, property) {
            return None;
        }
        let record_type = referred(self.flows, of, property)?;
        Some(RecordKey { record_type, id })
    }

    /// What is known of records that values name: no more than those, all at once.
    pub(super) fn known(&mut self, keys: impl IntoIterator<Item = RecordKey>) -> Result<Named, Refused> {
        let keys: BTreeSet<RecordKey> = keys.into_iter().collect();
        let keys: Vec<RecordKey> = keys.into_iter().collect();
        let values = self.store.values(&keys)?;
        let named = values
            .iter()
            .map(|(key, values)| (key.clone(), self.name_by(Some(values), key)));
        Ok(Named(named.collect()))
    }
}

/// The type of the records that a property's values name, where it is a reference.
fn referred(flows: &Dataflow, of: &RecordType, property: &str) -> Option<RecordType> {
    flows.flows_of(of).find_map(|(flow, side)| {
        let mut rows = flow.mappings.iter();
        let row = rows.find(|row| row.property(side) == property)?;
        match (&row.kind, side) {
            (Kind::Reference(Reference::Flow(name)), _) => {
                Some(flows.flow(name)?.end(side).record_type.clone())
            }
            // On the second side it names a companion, of which nothing is known here.
            (Kind::Reference(Reference::Companion { of, .. }), Side::First) => Some(of.clone()),
            _ => None,
        }
    })
}
