//! Our clock, and what the `Date` headers of replies tell about a system's.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The wall clock; in a simulation what the thread takes for it.
pub(crate) fn now() -> Timestamp {
    #[cfg(feature = "simulation")]
    if let Some(moment) = crate::simulation::now() {
        return moment;
    }
    Timestamp::now()
}

/// `Date` headers show whole seconds.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);

/// A bound below a system's clock: at an instant of ours it had reached a moment of its own.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    bound: Option<(Instant, Timestamp)>,
}

impl ServerClock {
    /// A moment that the system's clock has surely reached at `now`; none before the first reply.
    pub(crate) fn reached(&self, now: Instant) -> Option<Timestamp> {
        let (instant, moment) = self.bound?;
        let since = SignedDuration::try_from(now.saturating_duration_since(instant)).ok()?;
        moment.checked_add(since).ok()
    }

    /// Learns from a reply that shows `date`, to a request sent and answered at these instants.
    pub(crate) fn learn(&mut self, date: Timestamp, sent: Instant, answered: Instant) {
        // The clock stood within [date, date + 1 s) at some instant between the two: at the second it stands
        // at `date` or later, and not later than this.
        let slack = SignedDuration::try_from(answered.duration_since(sent)).unwrap_or_default();
        let ceiling = date.checked_add(RESOLUTION.saturating_add(slack)).unwrap_or(date);
        let kept = self
            .reached(answered)
            .filter(|known| *known > date && *known <= ceiling);
        self.bound = Some((answered, kept.unwrap_or(date)));
    }
}

/// A moment as HTTP headers write it.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}

/// A moment as HTTP headers write it, in whole seconds.
pub(crate) fn print(moment: Timestamp) -> Option<String> {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&moment)
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_read_and_written_as_http_does() {
        let moment = parse("Tue, 02 Jan 2024 03:04:05 GMT").unwrap();
        assert_eq!(moment, at("2024-01-02T03:04:05Z"));
        assert_eq!(print(moment).unwrap(), "Tue, 02 Jan 2024 03:04:05 GMT");
    }

    #[test]
    fn the_bound_grows_with_our_time_and_never_beyond_what_a_reply_allows() {
        let start = Instant::now();
        let mut clock = ServerClock::default();
        assert_eq!(clock.reached(start), None);
        clock.learn(at("2024-01-01T00:00:10Z"), start, start);
        let later = start + Duration::from_millis(900);
        assert_eq!(clock.reached(later), Some(at("2024-01-01T00:00:10.9Z")));
        // WHEN a reply shows the same second, the better bound stays.
        clock.learn(at("2024-01-01T00:00:10Z"), later, later);
        assert_eq!(clock.reached(later), Some(at("2024-01-01T00:00:10.9Z")));
        // WHEN the system's clock was set back, the bound follows.
        clock.learn(at("2024-01-01T00:00:05Z"), later, later);
        assert_eq!(clock.reached(later), Some(at("2024-01-01T00:00:05Z")));
    }
}
