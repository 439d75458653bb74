//! How many events may be delivered in 24 hours, to all subscribers together.

use std::collections::VecDeque;

/// The span of the limit, in seconds.
const SPAN: i64 = 24 * 60 * 60;

/// The book of deliveries.
pub(crate) struct Allowance {
    allowed: u64,
    /// Minute, and how many in it.
    minutes: VecDeque<(i64, u64)>,
}

impl Allowance {
    pub(crate) fn new(allowed: u64) -> Allowance {
        Allowance {
            allowed,
            minutes: VecDeque::new(),
        }
    }

    pub(crate) fn allow(&mut self, allowed: u64) {
        self.allowed = allowed;
    }

    pub(crate) fn allowed(&self) -> u64 {
        self.allowed
    }

    /// How many were delivered in the 24 hours before `now`, which is in seconds.
    pub(crate) fn used(&self, now: i64) -> u64 {
        let within = self
            .minutes
            .iter()
            .rev()
            .take_while(|(minute, _)| counts(*minute, now));
        within.map(|(_, count)| count).sum()
    }

    /// How many more may be delivered at this second.
    pub(crate) fn left(&self, now: i64) -> u64 {
        self.allowed.saturating_sub(self.used(now))
    }

    pub(crate) fn spend(&mut self, now: i64, count: u64) {
        while self
            .minutes
            .front()
            .is_some_and(|(minute, _)| !counts(*minute, now))
        {
            self.minutes.pop_front();
        }
        let minute = now / 60;
        match self.minutes.back_mut() {
            Some((last, sum)) if *last == minute => *sum += count,
            _ => self.minutes.push_back((minute, count)),
        }
    }

    /// Begins a new day.
    pub(crate) fn reset(&mut self) {
        *self = Allowance::new(self.allowed);
    }
}

/// Whether what was delivered in this minute still counts.
fn counts(minute: i64, now: i64) -> bool {
    minute * 60 > now - SPAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_delivered_a_day_ago_no_longer_counts() {
        let mut allowance = Allowance::new(5);
        allowance.spend(0, 3);
        allowance.spend(3_600, 2);
        assert_eq!(allowance.left(3_600), 0);
        assert_eq!(allowance.left(SPAN), 3, "the first minute is over");
        assert_eq!(allowance.left(SPAN + 3_600), 5);
    }
}
