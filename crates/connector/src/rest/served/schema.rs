//! A record type as it is described.

use super::super::description::property::DataKind;
use super::super::description::times::Granularity;
use super::super::description::{Property, Type};
use super::super::language::Literal;
use crate::{Lack, PropertySchema, TypeSchema, Watched};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use tandem_merge::computed::Computation;

pub(super) fn described(of: &Type, computed: &BTreeMap<String, Computation>) -> TypeSchema {
    let own = of
        .properties
        .iter()
        .map(|(name, property)| (name.clone(), property_schema(property)));
    let computed = computed
        .iter()
        .map(|(name, rule)| (name.clone(), crate::shown::described(rule)));
    let by_links = of.tells_by_links();
    let tombstones = by_links || (of.changes.is_some() && of.record.deleted.is_some());
    let deletions = match (tombstones || of.inside.is_some(), &of.deletions) {
        (true, _) if of.inside.is_some() => "the record around it shows what is there still",
        (true, _) => "changes show what was deleted",
        (false, Some(_)) => "it lists what was deleted",
        (false, None) => "all records are compared now and then, and what is not shown is read by its id",
    };
    TypeSchema {
        object: of.collection.clone(),
        createable: of
            .inside
            .as_ref()
            .map_or(of.create.is_some(), |inside| inside.creates),
        updateable: of
            .inside
            .as_ref()
            .map_or(of.update.is_some(), |inside| inside.updates),
        deletable: of
            .inside
            .as_ref()
            .map_or(of.delete.is_some(), |inside| inside.deletes),
        properties: own.chain(computed).collect(),
        watched: Some(Watched {
            by_events: false,
            why: match of.changes.is_some() {
                true => "its description says how changes are asked for".to_owned(),
                false => {
                    "its description names no list of changes: all records are read now and then".to_owned()
                }
            },
            deletions: deletions.to_owned(),
            tells_deletions: tombstones || of.deletions.is_some(),
            lacks: lacks(of, tombstones),
        }),
    }
}

/// What nothing is described for. Records inside others are read with these.
fn lacks(of: &Type, tombstones: bool) -> Vec<Lack> {
    if of.inside.is_some() {
        return Vec::new();
    }
    let since = of.changes.as_ref().and_then(|changes| changes.since.as_ref());
    let step = since.and_then(|since| since.granularity).map(Granularity::length);
    let all = [
        (of.changes.is_none(), Lack::Changes),
        (!tombstones && of.deletions.is_none(), Lack::Deletions),
        (of.find.is_none(), Lack::Search),
        (
            step.is_some_and(|step| step > SignedDuration::from_secs(1)),
            Lack::FineTimes,
        ),
    ];
    all.into_iter()
        .filter_map(|(lacks, what)| lacks.then_some(what))
        .collect()
}

/// What the values are; of texts also whether they are of one form alone.
fn own_word(property: &Property) -> &'static str {
    let guid = property.form.literal == Some(Literal::Guid);
    match property.data_type.kind {
        DataKind::String => property.form.text.unwrap_or(if guid { "uuid" } else { "string" }),
        kind => kind.word(),
    }
}

fn property_schema(property: &Property) -> PropertySchema {
    let of = &property.data_type;
    PropertySchema {
        data_type: own_word(property).to_owned(),
        max_length: of.length,
        precision: of.precision,
        scale: of.scale,
        nillable: !property.required,
        createable: !property.read_only,
        updateable: !property.read_only && !property.create_only,
        filled_on_create: property.filled || property.read_only,
        unique: property.unique,
        values: of.values.clone(),
        references: of.references.iter().cloned().collect(),
    }
}
