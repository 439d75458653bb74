//! Our time: the machine's clock, that never goes back.
//!
//! A clock that is set back would let waits last as long as the step, and what was noted meanwhile lie in the future.
//! So our time goes on at its pace until the machine's clock has caught up. The same holds from one process to the next:
//! a state says which moment was reached.

use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

static FORWARD: Mutex<Forward> = Mutex::new(Forward { last: None });

/// Now.
#[must_use]
pub fn now() -> Timestamp {
    let wall = Timestamp::now();
    lock().reach(wall, Instant::now())
}

/// Our time has reached this moment before. Answers how far the machine's clock is behind it, where it is.
pub fn not_before(moment: Timestamp) -> Option<SignedDuration> {
    let wall = Timestamp::now();
    lock().reach(moment.max(wall), Instant::now());
    (moment > wall).then(|| moment.duration_since(wall))
}

fn lock() -> MutexGuard<'static, Forward> {
    FORWARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that follows another one forward and never back.
#[derive(Debug)]
struct Forward {
    last: Option<(Instant, Timestamp)>,
}

impl Forward {
    /// The time at an instant at which the other clock showed `wall`.
    fn reach(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let went_on = self.last.and_then(|(then, moment)| {
            let since = SignedDuration::try_from(at.saturating_duration_since(then)).ok()?;
            moment.checked_add(since).ok()
        });
        let now = went_on.map_or(wall, |went_on| went_on.max(wall));
        self.last = Some((at, now));
        now
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn time_goes_on_where_the_clock_is_set_back_and_follows_where_it_is_set_forward() {
        let mut clock = Forward { last: None };
        let (start, noon): (_, Timestamp) = (Instant::now(), "2026-03-01T12:00:00Z".parse().unwrap());
        let hour = SignedDuration::from_hours(1);
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let later = |seconds: i64| noon + SignedDuration::from_secs(seconds);
        assert_eq!(clock.reach(noon, start), noon);
        // WHEN it is set back by an hour
        assert_eq!(clock.reach(later(10) - hour, after(10)), later(10));
        assert_eq!(clock.reach(later(20) - hour, after(20)), later(20));
        // WHEN it is right again, and goes forward
        assert_eq!(clock.reach(later(30), after(30)), later(30));
        assert_eq!(clock.reach(later(40) + hour, after(40)), later(40) + hour);
        // A state that knows a later moment.
        clock.reach(later(50) + hour + hour, after(50));
        assert_eq!(clock.reach(later(60) + hour, after(60)), later(60) + hour + hour);
    }
}
