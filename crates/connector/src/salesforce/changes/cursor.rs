//! How far the changes of an org were seen: what is stored with the observations that it covers.

use super::super::bulk::query::Large;
use super::super::schema::Object;
use super::super::soql;
use super::looks::Look;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// getDeleted ignores seconds and wants at least a minute.
const DELETED_STEP: SignedDuration = SignedDuration::from_secs(60);
/// getDeleted reaches 15 days back, and refuses what lies before.
const DELETED_REACH: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The org keeps events for 72 hours.
const EVENTS_REACH: SignedDuration = SignedDuration::from_hours(71);

/// How far the changes were seen. What cannot be read begins anew: that costs calls, never data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// By record type.
    pub(super) types: BTreeMap<String, Seen>,
    /// A round is running.
    pub(super) round: bool,
    /// Records that events named and that do not show yet what the events told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) looks: Vec<Look>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// When the last complete round of the type began, by the org's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Timestamp>,
    /// Deletions are known until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) covered: Option<Timestamp>,
    /// When the running round of the type began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) began: Option<Timestamp>,
    /// The last row of the running round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<(Timestamp, String)>,
    /// The type was read to its end in the running round.
    #[serde(default)]
    pub(super) done: bool,
    /// At least so many rows of the running round are left, as its last page said.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) left: u64,
    /// What is left of the running round was counted: by pages or by a query is decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) counted: bool,
    /// The query that reads what is left of the running round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) large: Option<Large>,
    /// Where its events go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<Position>,
    /// When the last complete comparison began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compared: Option<Timestamp>,
    /// The running comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) comparing: Option<Comparing>,
    /// More happened than was told: it must be compared in full.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) stale: bool,
}

/// A position in a type's events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The replay id.
    pub(super) replay: Vec<u8>,
    /// When the subscription was begun afresh: what was committed before is not told.
    pub(super) from: Timestamp,
    /// When events were last known to come.
    pub(super) alive: Timestamp,
}

/// A comparison that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Comparing {
    /// When it began.
    pub(super) began: Timestamp,
    /// The last id that it has seen.
    pub(super) after: Option<String>,
}

fn is_none(rows: &u64) -> bool {
    *rows == 0
}

impl Cursor {
    /// Reads a stored cursor.
    pub(super) fn read(bytes: Option<&[u8]>) -> Self {
        let read = bytes.and_then(|bytes| serde_json::from_slice(bytes).ok());
        read.unwrap_or_default()
    }

    pub(super) fn seen(&mut self, name: &str) -> &mut Seen {
        self.types.entry(name.to_owned()).or_default()
    }
}

impl Seen {
    /// The statement of the next page, and whether it looks at deleted rows too.
    pub(super) fn statement(&self, object: &Object, overlap: SignedDuration, limit: u64) -> (String, bool) {
        let (condition, deleted) = self.condition(object, overlap);
        let statement = format!(
            "{}{condition} ORDER BY SystemModstamp, Id LIMIT {limit}",
            object.select()
        );
        (statement, deleted)
    }

    /// Which rows are left of the round, and whether deleted ones are among them.
    pub(super) fn condition(&self, object: &Object, overlap: SignedDuration) -> (String, bool) {
        let from = self
            .since
            .map(|since| since.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH));
        let condition = match (&self.after, from) {
            (Some((stamp, id)), _) => {
                let id = soql::quoted(id);
                format!(" WHERE (SystemModstamp > {stamp:.0} OR (SystemModstamp = {stamp:.0} AND Id > {id}))")
            }
            (None, Some(from)) => format!(" WHERE SystemModstamp >= {from:.0}"),
            (None, None) => String::new(),
        };
        // A first load needs no tombstones: nothing of theirs was ever known.
        (condition, object.soft_deletion && self.since.is_some())
    }

    /// The span of deletions to ask for, where it is time to.
    pub(super) fn deletions(&self, object: &Object, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let covered = self
            .covered
            .filter(|_| object.replicateable && self.after.is_none())?;
        let earliest = now.checked_sub(DELETED_REACH).ok()?;
        let start = covered.checked_sub(DELETED_STEP).ok()?.max(earliest);
        (now.duration_since(covered) >= DELETED_STEP).then_some((start, now))
    }

    pub(super) fn advance(&mut self, began: Timestamp, last: Option<(Timestamp, String)>, end: bool) {
        let began = *self.began.get_or_insert(began);
        if end {
            self.since = Some(began);
            self.covered.get_or_insert(began);
            // The first load has shown everything there was.
            self.compared.get_or_insert(began);
            self.began = None;
            self.after = None;
            self.left = 0;
            self.counted = false;
            self.large = None;
            self.done = true;
        } else if last.is_some() {
            self.after = last;
        }
    }

    /// The clock that dates the changes went back beyond what is read again: everything is read, and compared in full
    /// for what went.
    pub(super) fn notice_set_back(&mut self, now: Timestamp, overlap: SignedDuration) -> bool {
        let end = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        let back = self.since.is_some_and(|since| since > end);
        if back {
            *self = Self {
                since: Some(Timestamp::UNIX_EPOCH),
                stale: true,
                ..Self::default()
            };
        }
        back
    }

    /// The running round shows no more of it; the next one begins anew.
    pub(super) fn give_up(&mut self) {
        self.began = None;
        self.after = None;
        self.left = 0;
        self.counted = false;
        self.large = None;
        self.done = true;
    }

    /// After so long a pause neither deletions nor events tell everything.
    pub(super) fn notice_pause(&mut self, now: Timestamp) {
        let longer =
            |then: Option<Timestamp>, reach| then.is_some_and(|then| now.duration_since(then) > reach);
        let deaf = self.events.as_ref().map(|events| events.alive);
        if longer(deaf, EVENTS_REACH) {
            self.events = None;
            // Unless it was asked for since.
            self.stale |= longer(self.since, EVENTS_REACH);
        }
        if self.events.is_none() && longer(self.covered, DELETED_REACH) {
            self.stale = true;
        }
    }

    /// Events serve the type, but for what was committed before they came: the rounds that show it are still due.
    pub(super) fn due_beside_events(&self, now: Timestamp, overlap: SignedDuration) -> bool {
        let (Some(since), Some(events)) = (self.since, &self.events) else {
            return true;
        };
        let late = events.from.checked_add(overlap).unwrap_or(events.from);
        since < events.from || (since < late && now >= late)
    }

    /// Whether a complete comparison is due or running.
    pub(super) fn compares(&self, now: Timestamp, every: SignedDuration) -> bool {
        let Some(last) = self.compared.or(self.since).filter(|_| self.since.is_some()) else {
            return false;
        };
        let passed = every > SignedDuration::ZERO && now.duration_since(last) >= every;
        self.comparing.is_some() || self.stale || passed
    }

    /// A comparison has come to the end.
    pub(super) fn compared(&mut self, began: Timestamp) {
        self.comparing = None;
        self.compared = Some(began);
        // It has shown whatever was there when it began, and what was gone.
        self.since = self.since.map(|since| since.max(began));
        self.covered = self.covered.map(|covered| covered.max(began));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn polled(since: i64) -> Seen {
        Seen {
            since: Some(at(since)),
            covered: Some(at(since)),
            ..Seen::default()
        }
    }

    fn subscribed(since: i64, from: i64) -> Seen {
        let events = Position {
            replay: vec![1],
            from: at(from),
            alive: at(from),
        };
        Seen {
            events: Some(events),
            ..polled(since)
        }
    }

    #[test]
    fn s4_between_the_load_and_the_subscription_nothing_is_lost() {
        let overlap = SignedDuration::from_secs(300);
        // GIVEN a load that began before the subscription: one round more, at once.
        assert!(subscribed(0, 10).due_beside_events(at(10), overlap));
        // That round began after it: rows that become visible late may still be missing, but not yet.
        assert!(!subscribed(11, 10).due_beside_events(at(12), overlap));
        // Once the overlap has passed, one round more.
        assert!(subscribed(11, 10).due_beside_events(at(310), overlap));
        assert!(!subscribed(311, 10).due_beside_events(at(99_999), overlap));
    }

    #[test]
    fn a_clock_set_back_beyond_the_overlap_leads_to_reading_everything() {
        let overlap = SignedDuration::from_secs(300);
        let mut near = polled(1_000);
        assert!(!near.notice_set_back(at(700), overlap));
        assert_eq!(near, polled(1_000));
        let mut far = polled(1_000);
        assert!(far.notice_set_back(at(699), overlap));
        assert_eq!(far.since, Some(Timestamp::UNIX_EPOCH));
        assert!(far.compares(at(699), SignedDuration::ZERO));
        assert!(!far.notice_set_back(at(699), overlap), "once");
    }

    #[test]
    fn a_pause_longer_than_events_or_deletions_are_kept_leads_to_a_comparison() {
        const HOUR: i64 = 3_600;
        let mut week = subscribed(0, 0);
        week.notice_pause(at(7 * 24 * HOUR));
        assert!(week.stale && week.events.is_none());
        let mut day = subscribed(0, 0);
        day.notice_pause(at(24 * HOUR));
        assert!(!day.stale && day.events.is_some());
        let mut polled_week = polled(0);
        polled_week.notice_pause(at(7 * 24 * HOUR));
        assert!(!polled_week.stale, "getDeleted and the time stamps cover it");
        let mut month = polled(0);
        month.notice_pause(at(30 * 24 * HOUR));
        assert!(month.stale);
        assert!(month.compares(at(30 * 24 * HOUR), SignedDuration::ZERO));
    }

    #[test]
    fn comparisons_come_at_their_interval_after_the_first_load() {
        let every = SignedDuration::from_secs(100);
        assert!(
            !Seen::default().compares(at(1_000), every),
            "nothing was loaded yet"
        );
        assert!(!polled(0).compares(at(99), every));
        assert!(polled(0).compares(at(100), every));
        assert!(!polled(0).compares(at(100), SignedDuration::ZERO));
        let mut done = polled(0);
        done.compared(at(100));
        assert_eq!(done.since, Some(at(100)));
        assert!(!done.compares(at(150), every));
    }
}
