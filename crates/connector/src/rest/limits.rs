//! How much an ERP takes: requests in a minute and a day, and errors in an hour.

use super::ask::Errand;
use super::description::errors::LimitsText;
use crate::http::{Http, Reply, clock};
use crate::{Allowance, Budget, Error, ErrorKind};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Keeps requests within the limits that a description names.
pub(super) struct Pace {
    per_minute: Option<usize>,
    per_day: Option<u64>,
    errors_per_hour: Option<usize>,
    remaining: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When requests of the last minute were sent.
    sent: VecDeque<Instant>,
    /// Requests of a day.
    day: Option<(jiff::civil::Date, u64)>,
    /// When errors of the last hour came, by what was asked.
    errors: BTreeMap<(String, &'static str), VecDeque<Instant>>,
    /// The ERP said that nothing is left; so it is left alone until then.
    until: Option<Instant>,
}

impl Pace {
    pub(super) fn new(written: Option<&LimitsText>) -> Self {
        let count = |of: fn(&LimitsText) -> Option<u32>| written.and_then(of).map(|count| count as usize);
        Self {
            per_minute: count(|limits| limits.per_minute).filter(|count| *count > 0),
            per_day: count(|limits| limits.per_day).map(|count| count as u64),
            errors_per_hour: count(|limits| limits.errors_per_hour).filter(|count| *count > 0),
            remaining: written
                .and_then(|limits| limits.remaining.as_ref())
                .map(|header| header.value.to_lowercase()),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// It may not be for longer than anybody waits here; nothing was sent.
    pub(super) async fn admit(&self, http: &Http, errand: Errand<'_>) -> Result<(), Error> {
        loop {
            let wait = {
                let mut state = self.state();
                self.check_errors(&mut state, http, errand)?;
                self.check_day(&mut state, http)?;
                let now = Instant::now();
                let pause = state.until.filter(|until| *until > now).map(|until| until - now);
                match pause.or_else(|| self.full(&mut state, now)) {
                    None => {
                        state.sent.push_back(now);
                        if let Some((_, spent)) = &mut state.day {
                            *spent += 1;
                        }
                        return Ok(());
                    }
                    Some(wait) => wait,
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// How long the minute is full.
    fn full(&self, state: &mut State, now: Instant) -> Option<Duration> {
        let most = self.per_minute?;
        while state
            .sent
            .front()
            .is_some_and(|sent| now.duration_since(*sent) >= MINUTE)
        {
            state.sent.pop_front();
        }
        let oldest = *state.sent.front().filter(|_| state.sent.len() >= most)?;
        Some(
            MINUTE
                .saturating_sub(now.duration_since(oldest))
                .max(Duration::from_millis(1)),
        )
    }

    fn check_day(&self, state: &mut State, http: &Http) -> Result<(), Error> {
        let today = today();
        if state.day.is_none_or(|(day, _)| day != today) {
            state.day = Some((today, 0));
        }
        let spent = state.day.map_or(0, |(_, spent)| spent);
        let Some(most) = self.per_day.filter(|most| spent >= *most) else {
            return Ok(());
        };
        let what = format!("the {most} requests of a day are used up");
        let advice =
            "It goes on by itself tomorrow; raise `per_day` in the description where the ERP takes more";
        let mut error = http.error(ErrorKind::Refused, what, advice);
        error.retry_at = tomorrow(today);
        Err(error)
    }

    fn check_errors(&self, state: &mut State, http: &Http, errand: Errand<'_>) -> Result<(), Error> {
        let Some(most) = self.errors_per_hour else {
            return Ok(());
        };
        let now = Instant::now();
        let Some(errors) = state.errors.get_mut(&(errand.of.to_owned(), errand.operation)) else {
            return Ok(());
        };
        while errors
            .front()
            .is_some_and(|came| now.duration_since(*came) >= HOUR)
        {
            errors.pop_front();
        }
        let Some(oldest) = errors.front().copied().filter(|_| errors.len() >= most) else {
            return Ok(());
        };
        let what = format!(
            "{} of {} was answered with {most} errors within an hour",
            errand.operation, errand.of
        );
        let advice = "It rests until the hour is over, so that the ERP does not block us, and all else goes on; look at the \
                      errors before";
        // Of this operation alone: others go on.
        let mut error = http.error(ErrorKind::Protocol, what, advice).as_answer();
        let wait = HOUR.saturating_sub(now.duration_since(oldest));
        error.retry_at = clock::now().checked_add(wait).ok();
        Err(error)
    }

    /// Learns from a reply.
    pub(super) fn learn(&self, errand: Errand<'_>, reply: &Reply, failed: bool) {
        let mut state = self.state();
        let now = Instant::now();
        if failed && self.errors_per_hour.is_some() {
            let of = (errand.of.to_owned(), errand.operation);
            state.errors.entry(of).or_default().push_back(now);
        }
        let left = self.remaining.as_ref().and_then(|name| reply.headers.get(name));
        let left = left.and_then(|left| left.to_str().ok()?.trim().parse::<i64>().ok());
        if left.is_some_and(|left| left <= 0) {
            let wait = reply.retry_after().unwrap_or(MINUTE).min(MINUTE);
            state.until = Some(now + wait);
        }
    }

    /// How the day stands, where it has a limit.
    pub(super) fn budget(&self) -> Option<Budget> {
        let most = self.per_day?;
        let today = today();
        let spent = self
            .state()
            .day
            .filter(|(day, _)| *day == today)
            .map_or(0, |(_, spent)| spent);
        let over = spent >= most;
        Some(Budget {
            day: today,
            spent,
            share: Some(most),
            backfill: None,
            calls: Some(Allowance {
                used: spent,
                allowed: most,
            }),
            bulk: None,
            events: None,
            backfill_waits: tomorrow(today).filter(|_| over),
            live_waits: tomorrow(today).filter(|_| over),
            open: false,
        })
    }

    /// Goes on with what an earlier process of the same day spent.
    pub(super) fn restore(&self, earlier: &Budget) {
        let mut state = self.state();
        if earlier.day == today() {
            let spent = state
                .day
                .filter(|(day, _)| *day == earlier.day)
                .map_or(0, |(_, spent)| spent);
            state.day = Some((earlier.day, spent.max(earlier.spent)));
        }
    }
}

fn today() -> jiff::civil::Date {
    TimeZone::UTC.to_datetime(clock::now()).date()
}

fn tomorrow(today: jiff::civil::Date) -> Option<Timestamp> {
    let midnight = today.to_zoned(TimeZone::UTC).ok()?.timestamp();
    midnight.checked_add(SignedDuration::from_hours(24)).ok()
}
