//! An ERP's clock: the machine's, moved on by tests, and never handing out a moment that a reader believes past.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use crate::machine;

/// Milliseconds since 1970 as the ERP sees them.
///
/// Writes are stamped under the store's write lock, listings read the clock under its read lock, so the two never
/// interleave.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    advanced: AtomicI64,
    last_write: AtomicI64,
    last_read: AtomicI64,
}

impl Clock {
    /// The present moment, not before the last write.
    pub(crate) fn now(&self) -> i64 {
        let machine = machine::now().as_millisecond() + self.advanced.load(SeqCst);
        machine.max(self.last_write.load(SeqCst))
    }

    /// The moment of a listing. Every write that it does not show gets a later stamp, so a reader that goes on from
    /// this moment, or from the last row of a page, passes over nothing.
    pub(crate) fn reading(&self) -> i64 {
        let now = self.now();
        self.last_read.fetch_max(now, SeqCst);
        now
    }

    /// The stamp of a write to a record last changed at `previous`.
    pub(crate) fn writing(&self, previous: i64) -> i64 {
        let stamp = self.now().max(self.last_read.load(SeqCst) + 1).max(previous + 1);
        self.last_write.fetch_max(stamp, SeqCst);
        stamp
    }

    /// Takes note of a stamp given before the clock ran.
    pub(crate) fn seeded(&self, stamp: i64) {
        self.last_write.fetch_max(stamp, SeqCst);
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, seconds: u32) {
        self.advanced.fetch_add(i64::from(seconds) * 1000, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn stamps_rise_per_record_and_lie_after_every_earlier_listing() {
        let clock = Clock::default();
        let first = clock.writing(0);
        let second = clock.writing(first);
        assert!(second > first);
        let listed = clock.reading();
        assert!(listed >= second);
        assert!(
            clock.writing(0) > listed,
            "even of a record that never changed before"
        );
    }

    #[test]
    fn it_can_be_moved_on_and_never_runs_back() {
        let clock = Clock::default();
        clock.advance(3600);
        let later = clock.now();
        assert!(later >= Timestamp::now().as_millisecond() + 3_599_000);
        clock.seeded(later + 10_000);
        assert_eq!(clock.now(), later + 10_000);
    }
}
