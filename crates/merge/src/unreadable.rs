//! Values that a system shows and nobody can read: out of sight for their record alone.
//!
//! Such a property takes no part in any decision, its base stays, and a person is told. What says who a record is, or
//! whether it belongs to a flow, is needed for more: a record that hides it is neither linked nor created there.

use crate::cluster::{Parked, ParkedKind, Record, Shadow};
use crate::dataflow::{Flow, Mapping, Side};
use crate::record::{Observation, Presence, RecordKey, Values};
use crate::work::Work;
use jiff::Timestamp;
use std::collections::BTreeMap;

const ADVICE: &str = "correct it there; it is read again by itself, `tandem retry` does it at once";

/// Whether a property that tells who a record of a flow is, or whether it belongs there, cannot be read.
pub(crate) fn hides_identity(record: &Record, flow: &Flow, side: Side) -> bool {
    identity_in(record, flow, side).is_some()
}

/// Why the first such property cannot be read.
fn identity_in<'r>(record: &'r Record, flow: &Flow, side: Side) -> Option<(&'r String, &'r String)> {
    let end = flow.end(side);
    let parts = flow.match_rules.iter().flat_map(|rule| &rule.parts);
    let tells = |property: &str| {
        parts
            .clone()
            .any(|part| part.properties[side.index()] == property)
            || end.only.keys().any(|name| name == property)
            || end
                .identity
                .as_ref()
                .is_some_and(|identity| identity.property == property)
            || end
                .filter
                .iter()
                .any(|filter| filter.properties().contains(&property))
    };
    record
        .shadow
        .unreadable
        .iter()
        .find(|(property, _)| tells(property))
}

/// What stands for a record's state as a whole among what cannot be read. No property has a space in its name.
const STATE: &str = "the state";

/// What stands for a record that its system does not show to whoever asks for it by its id.
pub const WHOLE: &str = "the record";

/// Notes that a record cannot be read by its id, and why. What is known of it stands. Whether that is news.
pub fn mark(record: &mut Record, why: &str) -> bool {
    if record.is_deleted()
        || record
            .shadow
            .unreadable
            .get(WHOLE)
            .is_some_and(|known| known == why)
    {
        return false;
    }
    record.shadow.unreadable.insert(WHOLE.to_owned(), why.to_owned());
    true
}

/// What is seen of a record of which nothing is known, and which cannot be read by its id: that it is so.
#[must_use]
pub fn unseen(key: &RecordKey, why: &str, read_began: Timestamp) -> Observation {
    Observation {
        key: key.clone(),
        presence: Presence::Missing,
        values: Values::new(),
        version: None,
        created: None,
        author: None,
        read_began,
        partial: false,
        protected: false,
        merged_into: None,
        unreadable: BTreeMap::from([(WHOLE.to_owned(), why.to_owned())]),
    }
}

/// Whatever shows a record shows that it can be read.
pub(crate) fn unmark(record: &mut Record, seen: &Observation) {
    if !seen.unreadable.contains_key(WHOLE) {
        record.shadow.unreadable.remove(WHOLE);
    }
}

/// Times of one system that are no further apart may be the same.
const SAME: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

const ADVICE_ON_STATE: &str = "if it is meant (a backup was restored, a counter reset), `tandem retry` takes what it shows \
                               for edits; if the id stands for another record now, end its link first";

/// What an observation shows that no later state of the same record can show: another moment of its creation, or fewer
/// changes at a later time. None where nothing is strange. That it is merely older is not strange: it was late.
pub(crate) fn contradicts(known: &Shadow, seen: &Observation) -> Option<String> {
    if seen.presence != Presence::Alive || known.presence == Presence::Deleted {
        return None;
    }
    if let (Some(before), Some(now)) = (known.created, seen.created)
        && now.duration_since(before) > SAME
    {
        return Some(format!(
            "it was created at {before:.0} and is shown as created at {now:.0}: its id seems to stand for another record"
        ));
    }
    let (before, now) = (known.version.as_ref()?, seen.version.as_ref()?);
    let (older, newer) = (
        now.order? < before.order?,
        now.modified.duration_since(before.modified),
    );
    (older && newer > SAME).then(|| {
        format!(
            "it shows change {} after change {}, and at a later time: its counter seems to have been reset",
            now.order.unwrap_or_default(),
            before.order.unwrap_or_default()
        )
    })
}

/// The observation as it is taken: one that contradicts what is known shows nothing but that.
pub(crate) fn believed(known: Option<&Shadow>, seen: Observation) -> Observation {
    let Some(why) = known.and_then(|known| contradicts(known, &seen)) else {
        return seen;
    };
    Observation {
        presence: Presence::Missing,
        values: Values::new(),
        version: None,
        created: None,
        partial: false,
        unreadable: BTreeMap::from([(STATE.to_owned(), why)]),
        ..seen
    }
}

/// Lets a record be read again whatever state it showed before: a person said that what it shows holds.
pub fn believe(record: &mut Record) {
    if record.is_unreadable(STATE) {
        record.shadow.version = None;
        record.shadow.created = None;
    }
}

impl Work<'_> {
    /// Whether a property of a record is out of sight: for its whole type, or because it cannot be read.
    pub(crate) fn is_hidden(&self, key: &RecordKey, property: &str) -> bool {
        self.flows.hides(&key.record_type, property)
            || self
                .record(key)
                .is_some_and(|record| record.is_unreadable(property))
    }

    /// Holds records of which nobody can tell who they are.
    pub(crate) fn hold_unreadable(&mut self) {
        let mut holds = Vec::new();
        for (key, record) in &self.cluster.records {
            if record.shadow.unreadable.is_empty() || !record.alive() {
                continue;
            }
            for (flow, side) in self.flows.flows_of(&key.record_type) {
                let linked = self.linked_in_group(key, &flow.group);
                if let Some((property, why)) = identity_in(record, flow, side).filter(|_| !linked) {
                    holds.push((key.clone(), flow.name.clone(), self.unreadable(property, why)));
                }
            }
        }
        for (key, flow, parked) in holds {
            self.hold(&key, &flow, parked);
        }
    }

    /// Parks what cannot be read, each property alone.
    pub(crate) fn park_unreadable(&mut self) {
        let mut parked = Vec::new();
        for (key, record) in self
            .cluster
            .records
            .iter()
            .filter(|(_, record)| !record.is_deleted())
        {
            for (property, why) in &record.shadow.unreadable {
                let why = self.unreadable(property, why);
                // Told once: where it holds the whole record, it is told of that.
                let mut holds = record
                    .held
                    .values()
                    .filter(|held| held.kind == ParkedKind::Unreadable);
                if !holds.any(|held| held.reason.contains(&why.reason)) {
                    parked.push((key.clone(), property.clone(), why));
                }
            }
        }
        for (key, property, why) in parked {
            if let Some(record) = self.cluster.records.get_mut(&key) {
                record.parked.insert(property, why);
            }
        }
    }

    /// A create that must have a value waits until it can be read.
    pub(crate) fn unreadable_need(&self, key: &RecordKey, mapping: &Mapping, side: Side) -> Option<Parked> {
        let property = mapping.property(side);
        let why = self.record(key)?.shadow.unreadable.get(property)?;
        mapping.never_blank[side.other().index()].then(|| self.unreadable(property, why))
    }

    fn unreadable(&self, property: &str, why: &str) -> Parked {
        if property == STATE {
            let advice = ADVICE_ON_STATE.to_owned();
            return self.parked(ParkedKind::Unreadable, 0, why.to_owned(), advice);
        }
        let reason = format!("{property} cannot be read: {why}");
        self.parked(ParkedKind::Unreadable, 0, reason, ADVICE.to_owned())
    }
}
