//! The events kept, in the order of their commits, each under an opaque replay id.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::Event;

/// How long an event is kept, in seconds of the org's clock.
const RETENTION: i64 = 72 * 60 * 60;
/// A place in the log younger than this serves once more as the latest one.
const FRESH: i64 = 60;

/// A place in the log. Marks are places without an event: what a subscriber to whom nothing is new can go on from.
struct Entry {
    replay: u64,
    at: i64,
    event: Option<Arc<Event>>,
}

/// The log; the oldest entries go when it is full or when their time is over.
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    last: u64,
    /// Nothing at or before this replay id is kept.
    floor: u64,
    limit: usize,
}

/// The events after a place, and the place up to which was looked.
pub(crate) struct Page {
    pub(crate) events: Vec<(u64, Arc<Event>)>,
    pub(crate) upto: u64,
}

impl Log {
    pub(crate) fn new(seed: u64, limit: usize) -> Log {
        let first = 1_000_000 + seed % 9_000_000;
        Log {
            entries: VecDeque::new(),
            last: first,
            floor: first,
            limit,
        }
    }

    /// Adds an event under a replay id greater than all before, and not the next one.
    pub(crate) fn push(&mut self, now: i64, event: Option<Arc<Event>>) -> u64 {
        self.last += 1 + (self.last.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61);
        self.entries.push_back(Entry {
            replay: self.last,
            at: now,
            event,
        });
        while self.entries.len() > self.limit.max(1) {
            self.drop_oldest();
        }
        self.last
    }

    /// Drops what is older than 72 hours.
    pub(crate) fn expire(&mut self, now: i64) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.at <= now - RETENTION)
        {
            self.drop_oldest();
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        while !self.entries.is_empty() {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.floor = entry.replay;
        }
    }

    /// The place after everything, kept as long as an event from now on.
    pub(crate) fn latest(&mut self, now: i64) -> u64 {
        self.expire(now);
        match self.entries.back() {
            Some(entry) if entry.at > now - FRESH => entry.replay,
            _ => self.push(now, None),
        }
    }

    /// The place before everything that is kept.
    pub(crate) fn earliest(&mut self, now: i64) -> u64 {
        self.expire(now);
        self.floor
    }

    /// Whether this replay id was given out and is still kept.
    pub(crate) fn knows(&mut self, now: i64, replay: u64) -> bool {
        self.expire(now);
        self.entries
            .binary_search_by_key(&replay, |entry| entry.replay)
            .is_ok()
    }

    /// Up to `count` events after the place that `wanted` holds for; none where what follows it was dropped.
    pub(crate) fn after(&self, place: u64, count: usize, wanted: impl Fn(&Event) -> bool) -> Option<Page> {
        if place < self.floor {
            return None;
        }
        let start = self.entries.partition_point(|entry| entry.replay <= place);
        let mut page = Page {
            events: Vec::new(),
            upto: place,
        };
        for entry in self.entries.range(start..) {
            if let Some(event) = entry.event.as_ref().filter(|event| wanted(event)) {
                if page.events.len() == count {
                    break;
                }
                page.events.push((entry.replay, Arc::clone(event)));
            }
            page.upto = entry.replay;
        }
        Some(page)
    }

    /// Whether there is an event after the place that `wanted` holds for.
    pub(crate) fn has_after(&self, place: u64, wanted: impl Fn(&Event) -> bool) -> bool {
        let start = self.entries.partition_point(|entry| entry.replay <= place);
        self.entries
            .range(start..)
            .any(|entry| entry.event.as_ref().is_some_and(|event| wanted(event)))
    }

    /// How many events are kept.
    pub(crate) fn len(&self) -> usize {
        self.entries.iter().filter(|entry| entry.event.is_some()).count()
    }
}
