//! Which members of a record are looked at: what `{fields}` asks an ERP for, where it shows only what it is asked for.

use super::super::description::place::Place;
use super::super::description::record::Moment;
use super::super::description::{Property, Type};

/// The outermost names of all members that are looked at, each once.
pub(super) fn looked_at(of: &Type, shown: &[String]) -> Vec<String> {
    named(of, shown, outermost)
}

/// The ways to all members that are looked at, each once.
pub(super) fn ways(of: &Type, shown: &[String]) -> Vec<String> {
    named(of, shown, way)
}

fn named(of: &Type, shown: &[String], name: fn(&Place) -> Option<String>) -> Vec<String> {
    let record = &of.record;
    let moments = [&record.modified, &record.created].into_iter().flatten();
    let single = [
        record.order.as_ref(),
        record.author.as_ref(),
        record.deleted.as_ref().map(|tombstone| &tombstone.at),
    ];
    let mut places: Vec<&Place> = record.id.iter().flat_map(|id| &id.value.0).collect();
    places.extend(record.token.iter().flat_map(|token| &token.value.0));
    places.extend(single.into_iter().flatten());
    for moment in moments {
        match moment {
            Moment::At(all) | Moment::Latest(all) => places.extend(all),
            Moment::Split { date, time } => places.extend([date, time]),
        }
    }
    // What goes back with a write must have been read.
    let updated = of.update.iter().flat_map(|update| update.holes());
    let deleted = of.delete.iter().flat_map(|delete| delete.call().holes());
    let named = updated
        .chain(deleted)
        .filter_map(|hole| hole.strip_prefix("record."));
    let sent: Vec<Place> = named.filter_map(|text| Place::parse(text).ok()).collect();
    places.extend(&sent);
    let properties: Vec<&Property> = shown.iter().filter_map(|name| of.properties.get(name)).collect();
    let plain = properties.iter().filter(|property| property.computed.is_none());
    places.extend(plain.map(|property| &property.at));
    let mut names: Vec<String> = places.into_iter().filter_map(name).collect();
    let computed = properties
        .iter()
        .filter_map(|property| property.computed.as_ref());
    names.extend(computed.flat_map(|computed| computed.members.iter().cloned()));
    let mut once = std::collections::BTreeSet::new();
    names.retain(|name| once.insert(name.clone()));
    names
}

pub(super) fn outermost(place: &Place) -> Option<String> {
    match place {
        Place::Body(steps) => steps.first().cloned(),
        Place::Header(_) => None,
    }
}

/// The names from the outside in, up to what stands in a list.
pub(super) fn way(place: &Place) -> Option<String> {
    let Place::Body(steps) = place else {
        return None;
    };
    let names = steps.iter().take_while(|step| step.parse::<usize>().is_err());
    let names: Vec<&str> = names.map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join("."))
}
