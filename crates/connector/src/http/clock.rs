//! Our clock, and what the `Date` headers of replies tell about a system's.

use crate::ClockOffset;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Our time, which never goes back; in a simulation what the thread takes for it.
pub(crate) fn now() -> Timestamp {
    #[cfg(feature = "simulation")]
    if let Some(moment) = crate::simulation::now() {
        return moment;
    }
    crate::time::now()
}

/// The machine's clock as it stands, for what others judge by theirs.
pub(crate) fn wall() -> Timestamp {
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

/// How far a system's clock is ahead of ours, as far as its replies tell.
#[derive(Debug, Default)]
pub(crate) struct Offset {
    known: Option<ClockOffset>,
}

impl Offset {
    /// What is known.
    pub(crate) fn known(&self) -> Option<ClockOffset> {
        self.known
    }

    /// Learns from a reply that shows `date`, to a request sent and answered at these moments of our clock.
    pub(crate) fn learn(&mut self, date: Timestamp, sent: Timestamp, answered: Timestamp) {
        let shown = ClockOffset {
            least: date.duration_since(answered),
            most: date.duration_since(sent).saturating_add(RESOLUTION),
        };
        let narrowed = self.known.map(|known| ClockOffset {
            least: known.least.max(shown.least),
            most: known.most.min(shown.most),
        });
        // What does not fit together was measured before one of the clocks was set.
        self.known = Some(narrowed.filter(|both| both.least <= both.most).unwrap_or(shown));
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
    fn the_offset_narrows_with_every_reply_and_follows_a_clock_that_is_set() {
        let ten = SignedDuration::from_mins(10);
        let mut offset = Offset::default();
        assert_eq!(offset.known(), None);
        // A clock like ours shows the second that ours is in.
        offset.learn(
            at("2024-01-01T00:00:00Z"),
            at("2024-01-01T00:00:00.9Z"),
            at("2024-01-01T00:00:01Z"),
        );
        assert_eq!(offset.known().unwrap().ahead(), SignedDuration::ZERO);
        // WHEN it is set forward
        offset.learn(
            at("2024-01-01T00:10:02Z"),
            at("2024-01-01T00:00:02Z"),
            at("2024-01-01T00:00:02.4Z"),
        );
        offset.learn(
            at("2024-01-01T00:10:03Z"),
            at("2024-01-01T00:00:03.8Z"),
            at("2024-01-01T00:00:03.9Z"),
        );
        let known = offset.known().unwrap();
        assert!(known.least <= ten && ten <= known.most, "{known:?}");
        assert_eq!(
            known.most.saturating_sub(known.least),
            SignedDuration::from_millis(600)
        );
        assert!(known.ahead().saturating_sub(ten).abs() < SignedDuration::from_millis(300));
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
