//! References between records of the ERP. Nobody edits them here, so one whose both ends are there stands as it did,
//! whatever was deleted, asked about, created again or withdrawn in the org (E18).

use super::people::People;
use crate::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{Dataflow, Kind, Mapping, Reference, Side};
use tandem_merge::record::{Observation, RecordKey, RecordType};

/// What each reference of the ERP named in the beginning: by record and property the record.
#[derive(Default)]
pub(super) struct References(BTreeMap<(RecordKey, String), RecordKey>);

impl References {
    /// Reads what refers to what.
    pub(super) async fn read(people: &People) -> Result<Self, Failure> {
        let rows = people.everything().await?;
        Ok(Self(named(people, &rows).collect()))
    }

    /// What is wrong with the references of these rows.
    pub(super) fn check(&self, people: &People, rows: &BTreeMap<RecordKey, Observation>) -> Vec<String> {
        let alive: BTreeSet<RecordKey> = rows.keys().cloned().collect();
        let rows: Vec<Observation> = rows.values().cloned().collect();
        let now: BTreeMap<_, _> = named(people, &rows).collect();
        let wrong = self.0.iter().filter(|((record, _), named)| {
            // A merger in the org hands the references of one over to the other.
            alive.contains(record) && alive.contains(*named) && !people.any_merged()
        });
        let wrong = wrong.filter(|(place, named)| now.get(*place) != Some(*named));
        wrong
            .map(|((record, property), named)| {
                let place = (record.clone(), property.clone());
                let shown = now.get(&place);
                format!("E18: {property} of {record} named {named}, and nobody changed it: {shown:?}")
            })
            .collect()
    }
}

/// The references of the ERP's rows that are not blank.
fn named<'a>(
    people: &'a People,
    rows: &'a [Observation],
) -> impl Iterator<Item = ((RecordKey, String), RecordKey)> + 'a {
    let own = rows
        .iter()
        .filter(|row| row.key.record_type.system == people.erp());
    own.flat_map(|row| {
        let flows = people.flows().flows_of(&row.key.record_type);
        let mappings = flows.filter(|(_, side)| *side == Side::First);
        let references = mappings.flat_map(|(flow, _)| {
            let of = flow.mappings.iter();
            of.filter_map(|mapping| Some((mapping, of_what(people.flows(), mapping)?)))
        });
        references.filter_map(|(mapping, of)| {
            let property = mapping.property(Side::First);
            let id = row.values.get(property)?.as_text()?;
            let place = (row.key.clone(), property.to_owned());
            let record_type = of.clone();
            let id = id.to_owned();
            (property != "id").then_some((place, RecordKey { record_type, id }))
        })
    })
}

/// Which record type of the ERP a mapped reference names.
fn of_what<'a>(flows: &'a Dataflow, mapping: &'a Mapping) -> Option<&'a RecordType> {
    match &mapping.kind {
        Kind::Reference(Reference::Flow(name)) => Some(&flows.flow(name)?.end(Side::First).record_type),
        Kind::Reference(Reference::Companion { of, .. }) => Some(of),
        _ => None,
    }
}
