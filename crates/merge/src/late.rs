//! Late sight: what a write of ours left is not shown yet, or not by every read (RULES.md section 2, *admit*).
//!
//! A read that shows the very state a write was computed from, at its version, is no edit back, however late it began.
//! It is dropped and the write is doubted; once the commit delay has passed a read by id decides ([`crate::kept`]). So
//! it does where a read that began before the answer to a write, which named no version, shows what is not known: that
//! may have been before the write or since.

use crate::admit::is_earlier;
use crate::cluster::{Deed, Record, Shadow, Unconfirmed};
use crate::mutation::{Mutation, removed};
use crate::record::{Observation, Presence, Version};
use jiff::Timestamp;

/// More writes than this that no read has shown are not remembered of one record.
const MOST: usize = 4;

impl Unconfirmed {
    /// Whether an observation shows the state before the write, although its read began after the answer.
    #[must_use]
    pub fn is_before(&self, seen: &Observation) -> bool {
        if seen.read_began <= self.at || removed(Mutation::LateSight) {
            return false;
        }
        let alive = seen.presence == Presence::Alive;
        match self.deed {
            Deed::Create => seen.presence == Presence::Missing,
            Deed::Update => alive && self.stood_at(seen.version.as_ref()) && self.shows_before(seen),
            Deed::Delete => alive && self.stood_at(seen.version.as_ref()),
        }
    }

    /// Whether that is the version it was computed from. Behind a write whose answer named none the version is not
    /// known, only that it is no earlier one; behind a create of which no read has shown anything, not even that.
    fn stood_at(&self, version: Option<&Version>) -> bool {
        let reached = |shown: &Version| shown.modified <= self.there.unwrap_or(self.at);
        match (&self.version, version) {
            (Some(known), Some(shown)) if known.token == shown.token => true,
            (Some(known), Some(shown)) if !known.firm => !is_earlier(shown, known) && reached(shown),
            (None, Some(shown)) => reached(shown),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether the properties that it changed stand as they stood before. A system may show nothing at all of a blank one,
    /// and another value than we had written there before.
    fn shows_before(&self, seen: &Observation) -> bool {
        let mut changed = false;
        for (property, planned) in &self.wrote {
            let before = self.before.get(property).cloned().unwrap_or_default();
            match seen.values.get(property) {
                None => changed |= !seen.partial && before.is_blank() && planned.value != before,
                Some(shown) if *shown == before => changed |= planned.value != before,
                Some(shown) if self.unshown.contains(property) && *shown != planned.value => {}
                Some(_) => return false,
            }
        }
        changed
    }

    /// Whether the version fence cannot tell the state before the write from what is known by now.
    fn is_open(&self, shadow: &Shadow) -> bool {
        match (self.deed, &self.version, &shadow.version) {
            (Deed::Update, Some(before), Some(known)) => !is_earlier(before, known),
            _ => false,
        }
    }
}

impl Record {
    /// Notes an applied write.
    pub(crate) fn note_applied(&mut self, mut write: Unconfirmed) {
        let earlier = self.unconfirmed.iter().flat_map(|earlier| earlier.wrote.keys());
        let again = earlier.filter(|property| write.wrote.contains_key(*property));
        write.unshown = again.cloned().collect();
        if self.unconfirmed.len() == MOST {
            self.unconfirmed.remove(0);
        }
        self.unconfirmed.push(write);
    }

    /// An observation was taken: writes whose state before it cannot come back are confirmed.
    pub(crate) fn confirm_by_sight(&mut self) {
        let shadow = &self.shadow;
        self.unconfirmed.retain(|write| write.is_open(shadow));
    }

    /// We made it, and a look did not show it: whether it is there still a read by id tells, once the commit delay has passed.
    pub(crate) fn may_be_gone(&self) -> bool {
        let mut all = self.unconfirmed.iter();
        all.any(|write| write.doubted && write.deed == Deed::Create)
    }

    /// When the last of its writes was answered, if a read has shown the state before one of them. Once the commit
    /// delay has passed since, a read by id tells whether it was kept.
    #[must_use]
    pub fn doubted(&self) -> Option<Timestamp> {
        let mut all = self.unconfirmed.iter();
        let last = self.unconfirmed.iter().map(|write| write.at).max();
        last.filter(|_| all.any(|write| write.doubted))
    }
}

/// Doubts the write of a record whose state before it an observation shows. Whether there is one.
pub(crate) fn doubt(record: &mut Record, seen: &Observation) -> bool {
    let found = record.unconfirmed.iter_mut().find(|write| write.is_before(seen));
    found.is_some_and(|write| {
        write.doubted = true;
        true
    })
}

/// Doubts the last write of a record: what a read has shown stood before it or behind it.
pub(crate) fn doubt_last(record: &mut Record) {
    if let Some(write) = record.unconfirmed.last_mut() {
        write.doubted = true;
    }
}

/// Whether an observation shows the state before a write that is doubted already: nothing new.
#[must_use]
pub fn is_known(unconfirmed: &[Unconfirmed], seen: &Observation) -> bool {
    unconfirmed
        .iter()
        .any(|write| write.doubted && write.is_before(seen))
}
