//! References between records of the ERP. Nobody edits them here, so one whose both ends are there stands as it did,
//! whatever was deleted, asked about, created again or withdrawn in the org (E18).

use super::people::People;
use crate::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{Kind, Side};
use tandem_merge::record::{Observation, RecordKey};

/// What each reference of the ERP named in the beginning: by record and property the id.
#[derive(Default)]
pub(super) struct References(BTreeMap<(RecordKey, String), String>);

impl References {
    /// Reads what refers to what.
    pub(super) async fn read(people: &People) -> Result<Self, Failure> {
        let rows = people.everything().await?;
        Ok(Self(named(people, &rows).collect()))
    }

    /// What is wrong with the references of these rows.
    pub(super) fn check(&self, people: &People, rows: &BTreeMap<RecordKey, Observation>) -> Vec<String> {
        let alive: BTreeSet<&str> = rows
            .keys()
            .filter(|key| key.record_type.system == people.erp())
            .map(|key| key.id.as_str())
            .collect();
        let rows: Vec<Observation> = rows.values().cloned().collect();
        let now: BTreeMap<_, _> = named(people, &rows).collect();
        let wrong = self.0.iter().filter(|((record, _), id)| {
            let there = rows.iter().any(|row| &row.key == record);
            // A merger in the org hands the references of one over to the other.
            there && alive.contains(id.as_str()) && !people.any_merged()
        });
        let wrong = wrong.filter(|(place, id)| now.get(*place) != Some(*id));
        wrong
            .map(|((record, property), id)| {
                let place = (record.clone(), property.clone());
                let shown = now.get(&place);
                format!("E18: {property} of {record} named {id}, and nobody changed it: {shown:?}")
            })
            .collect()
    }
}

/// The references of the ERP's rows that are not blank.
fn named<'a>(
    people: &'a People,
    rows: &'a [Observation],
) -> impl Iterator<Item = ((RecordKey, String), String)> + 'a {
    let own = rows
        .iter()
        .filter(|row| row.key.record_type.system == people.erp());
    own.flat_map(|row| {
        let flows = people.flows().flows_of(&row.key.record_type);
        let mappings = flows.filter(|(_, side)| *side == Side::First);
        let references = mappings.flat_map(|(flow, _)| {
            let of = flow.mappings.iter();
            of.filter(|mapping| matches!(mapping.kind, Kind::Reference(_)))
        });
        references.filter_map(|mapping| {
            let property = mapping.property(Side::First);
            let id = row.values.get(property)?.as_text()?;
            let place = (row.key.clone(), property.to_owned());
            (property != "id").then(|| (place, id.to_owned()))
        })
    })
}
