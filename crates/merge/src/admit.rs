//! Admit: lay an observation over what is known of its record, or drop it as older (S9, E6).

use crate::cluster::{Record, Shadow, Span};
use crate::dataflow::Dataflow;
use crate::mutation::{Mutation, removed};
use crate::record::{Observation, Presence, RecordKey, Values, Version};
use crate::trace::Trace;
use crate::value::Value;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What admitting an observation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is older than what is known.
    Older,
    /// It shows the state before a write of ours, late ([`crate::late`]).
    Late,
    /// It is the shadow now.
    Taken,
}

/// Admits one observation into the records of a cluster. The times of its edits are those of our clock.
pub fn admit(flows: &Dataflow, records: &mut BTreeMap<RecordKey, Record>, seen: Observation) -> Admitted {
    let Some(record) = records.get_mut(&seen.key) else {
        let (since, latest) = (changed(flows, &seen), latest(flows, &seen));
        let until = Some(latest).filter(|latest| *latest > since);
        let key = seen.key.clone();
        let record = Record::new(Shadow::from(seen));
        records.insert(
            key,
            Record {
                since,
                until,
                ..record
            },
        );
        return Admitted::Taken;
    };
    crate::unreadable::unmark(record, &seen);
    if crate::late::doubt(record, &seen) {
        return Admitted::Late;
    }
    if older(&record.shadow, &seen) {
        if is_between(&record.shadow, &seen) {
            crate::late::doubt_last(record);
        }
        return Admitted::Older;
    }
    take(flows, record, seen);
    Admitted::Taken
}

/// When the state that an observation shows came to be, by our clock.
fn changed(flows: &Dataflow, seen: &Observation) -> Timestamp {
    let version = seen.version.as_ref();
    version.map_or(seen.read_began, |version| {
        flows.by_our_clock(&seen.key.record_type.system, version.modified)
    })
}

/// The latest moment at which that state may have come to be: as far as a coarse time leaves it open, and no later than
/// the read that showed it began.
fn latest(flows: &Dataflow, seen: &Observation) -> Timestamp {
    let at = changed(flows, seen);
    let coarse = seen.version.as_ref().map(|version| version.coarse);
    let end = at.saturating_add(coarse.unwrap_or_default()).unwrap_or(at);
    at.max(end.min(seen.read_began))
}

/// The change that an observation shows: its record, as it was saved then.
#[must_use]
pub fn trace(flows: &Dataflow, seen: &Observation) -> Trace {
    Trace::of(&seen.key, changed(flows, seen))
}

/// Whether an observation shows a state before the shadow's. The system's own order decides where it declares
/// one, else the modification time, then the moment the read began, which also decides where the version is not firm.
#[must_use]
pub fn older(shadow: &Shadow, seen: &Observation) -> bool {
    if removed(Mutation::NoFence) {
        return false;
    }
    // What is not to be found any more was purged or hidden: that it was deleted stands.
    if shadow.presence == Presence::Deleted && seen.presence == Presence::Missing {
        return true;
    }
    let later_read = seen.read_began > shadow.seen;
    match (&shadow.version, &seen.version) {
        (Some(known), Some(new)) => match place(known, new) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => is_unclear(shadow, known, seen),
            std::cmp::Ordering::Equal => match (shadow.presence, seen.presence) {
                (Presence::Deleted, Presence::Alive) => true,
                (Presence::Alive, Presence::Deleted) => false,
                _ => !later_read,
            },
        },
        (None, Some(_)) => false,
        (_, None) => !later_read,
    }
}

/// Whether an observation at a later version than the known one may still show an earlier state: a write whose answer
/// named no version left the one before it, and what was read before that answer may lie between the two.
fn is_unclear(shadow: &Shadow, known: &Version, seen: &Observation) -> bool {
    !known.firm && seen.read_began < shadow.seen
}

/// Whether an observation that is dropped for that shows something else than is known: it may as well lie behind the
/// write, and no later read need show it again.
fn is_between(shadow: &Shadow, seen: &Observation) -> bool {
    let (Some(known), Some(new)) = (&shadow.version, &seen.version) else {
        return false;
    };
    let tells =
        || seen.presence != shadow.presence || laid_over(shadow.values.clone(), seen) != shadow.values;
    is_unclear(shadow, known, seen) && place(known, new) == std::cmp::Ordering::Greater && tells()
}

/// Whether a version stands before another one of the same record.
#[must_use]
pub fn is_earlier(version: &Version, than: &Version) -> bool {
    place(than, version) == std::cmp::Ordering::Less
}

fn place(known: &Version, new: &Version) -> std::cmp::Ordering {
    match (known.order, new.order) {
        (Some(known), Some(new)) => new.cmp(&known),
        _ => new.modified.cmp(&known.modified),
    }
}

/// Makes an observation the shadow.
pub(crate) fn take(flows: &Dataflow, record: &mut Record, seen: Observation) {
    let to = latest(flows, &seen);
    // A clock that was set in between tells nothing about the lower end.
    let lower = lower_end(flows, &seen.key, record).filter(|from| *from <= to);
    let as_created = is_as_created(record, &seen);
    if seen.presence == Presence::Alive {
        for (property, value) in &seen.values {
            let known = record.shadow.values.get(property);
            if known != Some(value) {
                let from = lower.filter(|_| known.is_some() || !as_created);
                record.times.insert(property.clone(), Span { from, to });
            }
        }
        // A system may show nothing at all of what is blank.
        let blanked = |(property, known): &(&String, &Value)| {
            let told = seen.values.contains_key(*property) || seen.unreadable.contains_key(*property);
            !seen.partial && !told && !known.is_blank()
        };
        let blanked = record.shadow.values.iter().filter(blanked);
        let blanked: Vec<String> = blanked.map(|(property, _)| property.clone()).collect();
        for property in blanked {
            record.times.insert(property, Span { from: lower, to });
        }
    }
    let known = std::mem::take(&mut record.shadow.values);
    let values = match seen.presence {
        Presence::Alive => laid_over(known, &seen),
        Presence::Deleted | Presence::Missing => known,
    };
    let mut unreadable = std::mem::take(&mut record.shadow.unreadable);
    if seen.partial {
        // What is not shown this time stands as it was.
        unreadable.retain(|property, _| !seen.values.contains_key(property));
    } else {
        unreadable.clear();
    }
    unreadable.extend(seen.unreadable.clone());
    let full = seen.presence == Presence::Alive && !seen.partial;
    let known_version = record.shadow.version.take();
    let created = seen.created.or(record.shadow.created);
    record.shadow = Shadow {
        values,
        created,
        unreadable,
        ..Shadow::from(seen)
    };
    record.shadow.version = record.shadow.version.take().or(known_version);
    if full && let Some(newborn) = &mut record.newborn {
        newborn.observed = true;
    }
    record.confirm_by_sight();
}

/// We created it, and this is the first look at it, which nobody changed since: what the create did not give has no
/// old value.
fn is_as_created(record: &Record, seen: &Observation) -> bool {
    let unseen = record.newborn.as_ref().is_some_and(|newborn| !newborn.observed);
    let modified = seen.version.as_ref().map(|version| version.modified);
    unseen && seen.created.is_some() && modified <= seen.created
}

/// The values that a record has once an observation of it is laid over those known: what is not shown, or cannot be
/// read, is known as it was.
#[must_use]
pub fn laid_over(mut known: Values, seen: &Observation) -> Values {
    if !seen.partial {
        known.retain(|property, _| seen.unreadable.contains_key(property));
    }
    known.extend(seen.values.clone());
    known
}

/// No edit seen from now on was made before this.
fn lower_end(flows: &Dataflow, key: &RecordKey, record: &Record) -> Option<Timestamp> {
    let version = record.shadow.version.as_ref();
    let modified = version.map(|version| flows.by_our_clock(&key.record_type.system, version.modified));
    modified.max(record.wrote_at)
}
