//! Faults of real data, planted beneath validation so that a test can see what becomes of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::schema::{PropertyIndex, TypeIndex};
use super::server::StartError;
use super::store::Store;
use super::value::Value;

/// A job title longer than most systems take.
const LONG_TITLE: usize = 200;
/// An id that no record ever has.
const NOBODY: u64 = 999_999_999;

/// What is wrong with a planted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A contact's title has 200 characters.
    TooLong,
    /// An order has no due date; the second, fourth, ... of this kind: a contact has no last name.
    MissingMandatory,
    /// A project's status is `paused`, which is none of the values.
    UnknownEnum,
    /// An order's billing contact is an id that never existed.
    ReferenceToNothing,
    /// A product has the product number of another.
    DuplicateKey,
}

/// A record that was spoilt, as `/_local/faults` lists it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Planted {
    pub(crate) kind: FaultKind,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    pub(crate) id: String,
    pub(crate) property: String,
    /// The record that holds the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other: Option<String>,
}

/// Plants the faults on records of the store, no two on one record.
///
/// # Errors
/// [`StartError::Fault`] when there is no record left to spoil.
pub(crate) fn plant(store: &mut Store, kinds: &[FaultKind]) -> Result<(), StartError> {
    let mut spoilt = BTreeSet::new();
    let mut missing = 0;
    for kind in kinds {
        let (type_name, property) = match kind {
            FaultKind::TooLong => ("Contact", "title"),
            FaultKind::MissingMandatory => {
                missing += 1;
                if missing % 2 == 1 {
                    ("Order", "dueDate")
                } else {
                    ("Contact", "lastName")
                }
            }
            FaultKind::UnknownEnum => ("Project", "status"),
            FaultKind::ReferenceToNothing => ("Order", "billingContactId"),
            FaultKind::DuplicateKey => ("Product", "productNumber"),
        };
        let planted = plant_one(store, *kind, type_name, property, &mut spoilt)?;
        store.faults.push(planted);
    }
    Ok(())
}

fn plant_one(
    store: &mut Store,
    kind: FaultKind,
    type_name: &str,
    property_name: &str,
    spoilt: &mut BTreeSet<(TypeIndex, u64)>,
) -> Result<Planted, StartError> {
    let refused = |why: &str| StartError::Fault {
        kind,
        why: why.to_owned(),
    };
    let type_index = store
        .catalog()
        .type_named(type_name)
        .ok_or_else(|| refused("there is no such record type"))?;
    let property = store.record_type(type_index).property(property_name);
    let property = property.ok_or_else(|| refused("there is no such property"))?;
    let nothing_left = || refused(&format!("no {type_name} is left to spoil"));
    let mut free = untouched(store, type_index, property, spoilt).into_iter();
    let id = free.next().ok_or_else(nothing_left)?;
    let other = if kind == FaultKind::DuplicateKey {
        Some(free.next().ok_or_else(nothing_left)?)
    } else {
        None
    };
    let value = match kind {
        FaultKind::TooLong => {
            Value::text("Head of ".to_owned() + &"Everything ".repeat(LONG_TITLE)[..LONG_TITLE - 8])
        }
        FaultKind::MissingMandatory => Value::Blank,
        FaultKind::UnknownEnum => Value::text("paused"),
        FaultKind::ReferenceToNothing => Value::Reference(NOBODY),
        FaultKind::DuplicateKey => {
            let twin = other.and_then(|other| store.live(type_index, other));
            twin.map_or(Value::Blank, |twin| twin.value(property).clone())
        }
    };
    store.amend(type_index, id, property, value);
    spoilt.insert((type_index, id));
    spoilt.extend(other.map(|other| (type_index, other)));
    Ok(Planted {
        kind,
        type_name: type_name.to_owned(),
        id: id.to_string(),
        property: property_name.to_owned(),
        other: other.map(|other| other.to_string()),
    })
}

/// Records that hold the property and no fault yet.
fn untouched(
    store: &Store,
    type_index: TypeIndex,
    property: PropertyIndex,
    spoilt: &BTreeSet<(TypeIndex, u64)>,
) -> Vec<u64> {
    let fit = store
        .by_id(type_index)
        .filter(|record| !record.value(property).is_blank());
    // Not the first ones: those are what a person opens first.
    let ids: Vec<u64> = fit
        .map(|record| record.id)
        .filter(|id| !spoilt.contains(&(type_index, *id)))
        .collect();
    let skipped = (ids.len() / 3).min(20);
    ids[skipped..].iter().chain(&ids[..skipped]).copied().collect()
}
