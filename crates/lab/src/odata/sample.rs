//! Fills a service with the records of a local Customerp, generated or out of a Northwind dump.

use std::collections::BTreeMap;

use super::model::{EntitySet, Filling, Kind, Model, Property, SetIndex};
use super::options::Options;
use super::server::StartError;
use super::store::{Key, Lateness, Store};
use super::value::Value;
use super::write::{new_guid, stamp};
use crate::clock::Clock;
use crate::customerp::Options as CustomerpOptions;
use crate::customerp::sample::{Field, Sample, samples};

/// Who made the records that were there before.
const BEFORE: &str = "import";
/// Records without a time stamp of their own were changed then: 1 January 2024.
const EARLIEST: i64 = 1_704_067_200_000;

/// From record type and id to the first entity made from it.
type Made = BTreeMap<(String, u64), (SetIndex, Key)>;

/// Fills an empty store.
pub(crate) fn fill(
    model: &Model,
    store: &mut Store,
    clock: &Clock,
    options: &Options,
) -> Result<(), StartError> {
    let source = CustomerpOptions {
        records: options.records,
        seed: options.seed,
        northwind: options.northwind.clone(),
        northwind_sql: options.northwind_sql.clone(),
        ..CustomerpOptions::default()
    };
    let all = samples(&source)?;
    let mut made = Made::new();
    for (index, set) in model.sets.iter().enumerate() {
        let Some(source) = &set.source else { continue };
        for (place, sample) in (0..).zip(all.iter().filter(|sample| sample.record_type == *source)) {
            let seeds = (options.seed.wrapping_add(index as u64) ^ 0x0DA7_A000, place);
            let mut values: Vec<Value> = Vec::new();
            for (position, property) in set.properties.iter().enumerate() {
                let value = value(model, store, property, sample, &made, seeds);
                let value = value.unwrap_or_else(|| match &property.filling {
                    Filling::Number { prefix, first } => {
                        number(property, prefix, store.number(index, position, *first))
                    }
                    _ => Value::Null,
                });
                values.push(value);
            }
            let at = sample.at.max(EARLIEST);
            stamp(set, &mut values, at, true, BEFORE);
            clock.seeded(at);
            let key = set.key_of(&values);
            made.entry((sample.record_type.clone(), sample.id))
                .or_insert_with(|| (index, key.clone()));
            store.put(index, key, values, at, Lateness::default());
        }
        singles(set, store, index, clock, source);
    }
    Ok(())
}

/// A set that no record type fills has one entity, of what its properties hold by themselves.
fn singles(set: &EntitySet, store: &mut Store, index: usize, clock: &Clock, source: &str) {
    if source != "once" {
        return;
    }
    let defaults = set.properties.iter().map(|property| match &property.filling {
        Filling::Default(value) => value.clone(),
        _ => Value::Null,
    });
    let mut values: Vec<Value> = defaults.collect();
    stamp(set, &mut values, EARLIEST, true, BEFORE);
    clock.seeded(EARLIEST);
    store.put(index, set.key_of(&values), values, EARLIEST, Lateness::default());
}

/// What a property holds by the record; nothing where the record does not say.
fn value(
    model: &Model,
    store: &Store,
    property: &Property,
    sample: &Sample,
    made: &Made,
    (seed, place): (u64, u64),
) -> Option<Value> {
    if property.filling == Filling::NewGuid {
        return Some(new_guid(seed, place));
    }
    let fallback = match &property.filling {
        Filling::Default(value) => Some(value.clone()),
        _ => None,
    };
    let Some(source) = &property.source else {
        return fallback;
    };
    let Some(reference) = source.strip_prefix('@') else {
        let field = sample.fields.iter().find(|(name, _)| name == source);
        return match field {
            Some((_, Field::Text(text))) => of_text(property, text).or(fallback),
            _ => fallback,
        };
    };
    let (reference, theirs) = reference.split_once('.').unwrap_or((reference, ""));
    let target = if reference.is_empty() {
        Some((sample.record_type.clone(), sample.id))
    } else {
        let field = sample.fields.iter().find(|(name, _)| name == reference);
        match field {
            Some((_, Field::Reference(record_type, id))) => Some((record_type.clone(), *id)),
            _ => None,
        }
    };
    let referred = |target| {
        let (set, key) = made.get(&target)?;
        if theirs.is_empty() {
            return key.first().cloned();
        }
        let position = model.sets[*set].property(theirs)?;
        store
            .live(*set, key)
            .map(|entity| entity.values[position].clone())
    };
    target.and_then(referred).or(fallback)
}

/// A text shortened to what the property holds, or a value of its kind.
fn of_text(property: &Property, text: &str) -> Option<Value> {
    let value = match property.kind {
        Kind::Text(most) => Some(Value::Text(text.chars().take(most).collect())),
        kind => Value::of_text(kind, text).ok(),
    };
    value.map(|value| value.padded(property))
}

fn number(property: &Property, prefix: &str, number: u64) -> Value {
    match property.kind {
        Kind::Text(_) => Value::Text(format!("{prefix}{number}")).padded(property),
        _ => Value::Number(number.into()),
    }
}
