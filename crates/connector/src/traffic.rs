//! How a system answers: how fast, and how often not.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Up to how many seconds the counts of [`Traffic::within`] go.
pub const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// So many of the latest answers say how fast a system answers now.
const LATEST: usize = 200;

/// How a system answered since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that nobody answered.
    pub unanswered: u64,
    /// How often each status was answered, of those from 400 on.
    pub failed: BTreeMap<u16, u64>,
    /// How many answers took no longer than each of [`BOUNDS`].
    pub within: [u64; BOUNDS.len()],
    /// How long all answers took together.
    pub seconds: f64,
    latest: VecDeque<Duration>,
}

impl Traffic {
    /// Notes an answer.
    pub fn note(&mut self, status: u16, took: Duration) {
        self.answered += 1;
        if status >= 400 {
            *self.failed.entry(status).or_default() += 1;
        }
        let seconds = took.as_secs_f64();
        self.seconds += seconds;
        for (count, bound) in self.within.iter_mut().zip(BOUNDS) {
            *count += u64::from(seconds <= bound);
        }
        if self.latest.len() == LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(took);
    }

    /// Of the latest answers: how long one took at the median, and 95 of 100 at most. None before the first.
    #[must_use]
    pub fn now(&self) -> Option<[Duration; 2]> {
        let mut latest: Vec<Duration> = self.latest.iter().copied().collect();
        latest.sort_unstable();
        let last = latest.len().checked_sub(1)?;
        Some([latest[last / 2], latest[last * 95 / 100]])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_told_is_of_the_latest_answers() {
        let mut traffic = Traffic::default();
        assert_eq!(traffic.now(), None);
        for _ in 0..1_000 {
            traffic.note(200, Duration::from_secs(3));
        }
        for took in 1..=200 {
            traffic.note(if took == 7 { 503 } else { 200 }, Duration::from_millis(took));
        }
        assert_eq!(traffic.now().unwrap(), [100, 190].map(Duration::from_millis));
        assert_eq!((traffic.answered, traffic.failed[&503]), (1_200, 1));
        assert_eq!(traffic.within, [5, 10, 25, 50, 100, 200, 200, 200, 1_200, 1_200]);
    }
}
