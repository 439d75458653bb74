//! How keys and references are written in filters and addresses.

use super::super::place::Place;
use super::super::property::DataKind;
use super::super::record::{Ids, RecordText};
use super::super::{Property, Type};
use crate::rest::language::{Literal, Part};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The members of a record's id, each as the property that stands there is written in filters, else by what ids look like.
pub(super) fn key(record: &RecordText, properties: &BTreeMap<String, Property>) -> Vec<Part> {
    let usual = match record.ids {
        Some(Ids::Digits) => Literal::Bare,
        Some(Ids::Guid) => Literal::Guid,
        Some(Ids::Text) | None => Literal::Text,
    };
    let part = |place: &Place| {
        let here = properties.values().find(|property| property.at == *place);
        let said = here.and_then(|property| property.form.literal.or(kind_of_key(property)));
        Part {
            place: place.clone(),
            literal: said.unwrap_or(usual),
        }
    };
    record.id.iter().flat_map(|id| &id.value.0).map(part).collect()
}

/// How a property is written in filters, where its type alone says so.
fn kind_of_key(property: &Property) -> Option<Literal> {
    match property.data_type.kind {
        DataKind::String | DataKind::Reference => None,
        kind => Some(crate::rest::form::usual(kind)),
    }
}

/// References are written in filters as the ids that they hold.
pub(super) fn as_their_targets(types: &mut BTreeMap<String, Arc<Type>>) {
    let single = |of: &Type| match of.key.as_slice() {
        [part] => Some(part.literal),
        _ => None,
    };
    let ids: BTreeMap<String, Option<Literal>> = types
        .iter()
        .map(|(name, of)| (name.clone(), single(of)))
        .collect();
    let target = |property: &Property| {
        ids.get(property.data_type.references.as_ref()?)
            .copied()
            .flatten()
    };
    for of in types.values_mut().filter_map(Arc::get_mut) {
        for property in of.properties.values_mut() {
            property.form.literal = property.form.literal.or_else(|| target(property));
        }
        // A key may hold a reference, as that of a line does.
        let said = |place: &Place| {
            let mut all = of.properties.values();
            all.find(|property| property.at == *place && property.data_type.references.is_some())
                .and_then(|property| property.form.literal)
        };
        let literals: Vec<Option<Literal>> = of.key.iter().map(|part| said(&part.place)).collect();
        for (part, literal) in of.key.iter_mut().zip(literals) {
            part.literal = literal.unwrap_or(part.literal);
        }
    }
}
