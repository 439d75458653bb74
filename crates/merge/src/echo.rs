//! An echo ends at the door: a look at a record that shows what is known of it, at a later version, moves the version and
//! leads to no decision. Most echoes are of our own writes; a person who saves a record unchanged makes them, too.

use crate::admit;
use crate::cluster::{Record, Unconfirmed};
use crate::dataflow::Dataflow;
use crate::record::{Observation, Presence};
use crate::unreadable;

/// The record once it has taken an echo; none where the observation is none, or where a decision may hang on it: what is
/// open, parked, held or in doubt is decided anew at whatever is seen. `record`: without its open intents; give none that
/// has one, that waits to be decided, or of whose cluster anything is listed.
#[must_use]
pub fn taken(flows: &Dataflow, record: &Record, seen: &Observation) -> Option<Record> {
    let echo = shows_the_same(record, seen)
        && is_settled(record)
        && !admit::older(&record.shadow, seen)
        && unreadable::contradicts(&record.shadow, seen).is_none()
        && record.unconfirmed.iter().all(|write| is_shown(write, seen));
    echo.then(|| {
        let mut record = record.clone();
        admit::take(flows, &mut record, seen.clone());
        record
    })
}

/// Whether nothing but the version, its author and the moment of the look differ from what is known.
fn shows_the_same(record: &Record, seen: &Observation) -> bool {
    let shadow = &record.shadow;
    let alive = [shadow.presence, seen.presence] == [Presence::Alive; 2];
    let whole = !seen.partial && shadow.unreadable.is_empty() && seen.unreadable.is_empty();
    let same =
        shadow.protected == seen.protected && seen.merged_into.is_none() && shadow.values == seen.values;
    alive && whole && same && seen.version.is_some()
}

/// Whether the last decision left nothing of the record that the next look at it bears on.
fn is_settled(record: &Record) -> bool {
    record.intent.is_none()
        && record.newborn.is_none()
        && record.parked.is_empty()
        && record.held.is_empty()
        && record.cleared.is_empty()
        && record.unmade.is_none()
}

/// Whether an observation shows all that a write of ours left, and cannot be the state before it.
fn is_shown(write: &Unconfirmed, seen: &Observation) -> bool {
    let stands = |(property, planned): (&String, &crate::cluster::Planned)| {
        seen.values.get(property) == Some(&planned.value)
    };
    !write.doubted && !write.is_before(seen) && write.wrote.iter().all(stands)
}
