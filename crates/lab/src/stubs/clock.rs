//! A stub's clock: the machine's, moved on by tests. Microseconds since 1970.

use crate::machine;
use jiff::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Clock {
    advanced: i64,
}

impl Clock {
    /// The present moment.
    pub(super) fn now(&self) -> i64 {
        machine::now().as_microsecond() + self.advanced
    }

    /// Moves the clock on.
    pub(super) fn advance(&mut self, seconds: u32) {
        self.advanced += i64::from(seconds) * 1_000_000;
    }

    /// The moment as HTTP writes it.
    pub(super) fn date(&self) -> String {
        moment(self.now())
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    }
}

/// A stamp as a moment.
pub(super) fn moment(stamp: i64) -> Timestamp {
    Timestamp::from_microsecond(stamp).unwrap_or(Timestamp::UNIX_EPOCH)
}
