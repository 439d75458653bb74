//! What is shown of a record, where connectors do alike.

use crate::PropertySchema;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use std::collections::BTreeMap;
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, Presence, RecordKey, Values};

/// A record of which nothing is known.
pub(crate) fn missing(key: RecordKey, began: Timestamp) -> Observation {
    Observation {
        key,
        presence: Presence::Missing,
        values: Values::new(),
        version: None,
        created: None,
        author: None,
        read_began: began,
        partial: false,
        protected: false,
        merged_into: None,
        unreadable: BTreeMap::new(),
    }
}

/// A version made of what a state consists of, for systems that have none: the same has the same, other has another.
pub(crate) fn token(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    BASE64_URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16).unwrap_or_default())
}

/// A computed property as if the system had described it.
pub(crate) fn described(rule: &Computation) -> PropertySchema {
    let data_type = rule.formula.data_type();
    PropertySchema {
        data_type: data_type.split('(').next().unwrap_or(data_type).to_owned(),
        nillable: true,
        filled_on_create: true,
        ..PropertySchema::default()
    }
}

/// Adds what is computed out of what is shown.
pub(crate) fn compute(shown: &mut Observation, rules: &BTreeMap<String, Computation>) {
    if shown.presence != Presence::Alive {
        return;
    }
    for (name, rule) in rules {
        let unreadable = rule.inputs().find(|input| shown.unreadable.contains_key(*input));
        match unreadable {
            Some(input) => {
                let why = format!("it is computed from {input}, which cannot be read");
                shown.unreadable.insert(name.clone(), why);
            }
            None => drop(shown.values.insert(name.clone(), rule.value(&shown.values))),
        }
    }
}
