//! How much an ERP takes: requests in a minute and a day, and errors in an hour.

use super::RestConfig;
use super::ask::Errand;
use super::description::errors::{LeftText, LimitsText, Period, ResetForm};
use crate::http::{Http, Reply, clock};
use crate::kept::Kept;
use crate::{Allowance, Budget, Error, ErrorKind};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Keeps requests within the limits that a description names.
pub(super) struct Pace {
    per_minute: Option<usize>,
    per_day: Option<u64>,
    errors_per_hour: Option<usize>,
    remaining: Vec<Left>,
    state: Mutex<State>,
    /// Where errors are kept for the next process.
    kept: Option<Kept>,
}

/// A header that says how many requests are left.
struct Left {
    header: String,
    /// What they are counted in.
    window: Duration,
    /// The header that says when they are counted anew, and how.
    reset: Option<(String, ResetForm)>,
}

/// The ERP said that no request is left; it is left alone until then.
struct Rest {
    until: Instant,
    at: Timestamp,
    header: String,
}

/// An answer with an error, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Mistake {
    at: Timestamp,
    of: String,
    operation: String,
}

#[derive(Default)]
struct State {
    /// When requests of the last minute were sent.
    sent: VecDeque<Instant>,
    /// Requests of a day.
    day: Option<(jiff::civil::Date, u64)>,
    /// Errors of the last hour.
    errors: BTreeSet<Mistake>,
    /// Nothing is left.
    rest: Option<Rest>,
}

impl Pace {
    pub(super) fn new(written: Option<&LimitsText>, config: &RestConfig) -> Self {
        let count = |of: fn(&LimitsText) -> Option<u32>| written.and_then(of).map(|count| count as usize);
        let errors_per_hour = count(|limits| limits.errors_per_hour).filter(|count| *count > 0);
        let keep = config.keep.as_ref().filter(|_| errors_per_hour.is_some());
        let kept = keep.map(|keep| {
            let path = keep.folder.join(format!("{}.errors", config.name));
            Kept::new(path, keep.files.clone())
        });
        let state = State {
            errors: kept.as_ref().map(earlier).unwrap_or_default(),
            ..State::default()
        };
        Self {
            per_minute: count(|limits| limits.per_minute).filter(|count| *count > 0),
            per_day: count(|limits| limits.per_day).map(|count| count as u64),
            errors_per_hour,
            remaining: written
                .and_then(|limits| limits.remaining.as_ref())
                .map(|remaining| remaining.0.iter().map(Left::of).collect())
                .unwrap_or_default(),
            state: Mutex::new(state),
            kept,
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
                let pause = check_rest(&state, now, http)?;
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
        forget_old(&mut state.errors);
        let mut errors = state.errors.iter().filter(|one| one.is_of(errand));
        let (oldest, count) = (errors.next().map(|one| one.at), state.count(errand));
        let Some(oldest) = oldest.filter(|_| count >= most) else {
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
        error.retry_at = oldest.checked_add(HOUR).ok();
        Err(error)
    }

    /// Whether an operation may be answered with an error for a try: half of its errors of an hour are for the work itself.
    pub(super) fn spares(&self, errand: Errand<'_>) -> bool {
        let mut state = self.state();
        forget_old(&mut state.errors);
        let count = state.count(errand);
        self.errors_per_hour.is_none_or(|most| count * 2 < most)
    }

    /// Notes that an operation was answered with an error, before anything else is asked, for the next process too.
    async fn note(&self, errand: Errand<'_>) {
        let mut one = Mistake {
            at: clock::now(),
            of: errand.of.to_owned(),
            operation: errand.operation.to_owned(),
        };
        // Two at one moment are two.
        while !self.state().errors.insert(one.clone()) {
            one.at += SignedDuration::from_nanos(1);
        }
        let Some(kept) = &self.kept else {
            return;
        };
        if let Err(error) = self.keep(kept, one).await {
            let path = kept.path().display();
            tracing::warn!(
                "errors of the last hour cannot be kept in {path} ({error}): the next process forgets them"
            );
        }
    }

    /// Adds one to those that are kept, and learns what other processes noted.
    async fn keep(&self, kept: &Kept, one: Mistake) -> io::Result<()> {
        let _turn = kept.turn().await?;
        let mut all = earlier(kept);
        all.insert(one);
        kept.replace(&serde_json::to_vec(&all)?)?;
        self.state().errors.append(&mut all);
        Ok(())
    }

    /// Learns from a reply.
    pub(super) async fn learn(&self, errand: Errand<'_>, reply: &Reply, failed: bool) {
        if failed && self.errors_per_hour.is_some() {
            self.note(errand).await;
        }
        let mut state = self.state();
        let now = Instant::now();
        for left in self.remaining.iter().filter(|left| left.is_used_up(reply)) {
            let wait = left.wait(reply);
            let until = now + wait;
            if state.rest.as_ref().is_none_or(|known| known.until < until) {
                let (at, header) = (clock::now().saturating_add(wait), left.header.clone());
                let at = at.unwrap_or(Timestamp::MAX);
                state.rest = Some(Rest { until, at, header });
            }
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

impl Left {
    fn of(text: &LeftText) -> Self {
        Self {
            header: text.header.to_lowercase(),
            window: match text.of {
                None | Some(Period::Minute) => MINUTE,
                Some(Period::Hour) => MINUTE * 60,
                Some(Period::Day) => DAY,
            },
            reset: text
                .reset
                .as_ref()
                .map(|reset| (reset.header.to_lowercase(), reset.r#as)),
        }
    }

    fn is_used_up(&self, reply: &Reply) -> bool {
        let left = said(reply, &self.header).and_then(|text| text.parse::<f64>().ok());
        left.is_some_and(|left| left < 1.0)
    }

    /// How long it is until requests are counted anew: as the reply says, else as long as they are counted in.
    fn wait(&self, reply: &Reply) -> Duration {
        let reset = self.reset.as_ref();
        let shown = reset.and_then(|(header, form)| until_reset(reply, said(reply, header)?, *form));
        match shown {
            Some(wait) => wait.min(DAY),
            None => reply.retry_after().unwrap_or(self.window).min(self.window),
        }
    }
}

fn said<'r>(reply: &'r Reply, header: &str) -> Option<&'r str> {
    Some(reply.headers.get(header)?.to_str().ok()?.trim())
}

/// A moment is one of the ERP's clock, which its `Date` shows.
fn until_reset(reply: &Reply, text: &str, form: ResetForm) -> Option<Duration> {
    let moment = match form {
        ResetForm::Seconds => return Duration::try_from_secs_f64(text.parse().ok()?).ok(),
        ResetForm::Epoch => Timestamp::from_second(text.parse().ok()?).ok()?,
        ResetForm::Date => clock::parse(text).or_else(|| text.parse().ok())?,
    };
    let now = said(reply, "date").and_then(clock::parse).unwrap_or(reply.began);
    Some(Duration::try_from(moment.duration_since(now)).unwrap_or_default())
}

/// How long the ERP is left alone because it said that no request is left.
///
/// # Errors
/// Longer than anybody waits here; nothing was sent.
fn check_rest(state: &State, now: Instant, http: &Http) -> Result<Option<Duration>, Error> {
    let Some(rest) = state.rest.as_ref().filter(|rest| rest.until > now) else {
        return Ok(None);
    };
    let wait = rest.until - now;
    if wait <= MINUTE {
        return Ok(Some(wait));
    }
    let what = format!("no requests are left, as its header `{}` says", rest.header);
    let advice = "It goes on by itself when they are counted anew";
    let mut error = http.error(ErrorKind::Refused, what, advice);
    error.retry_at = Some(rest.at);
    Err(error)
}

impl Mistake {
    fn is_of(&self, errand: Errand<'_>) -> bool {
        self.of == errand.of && self.operation == errand.operation
    }
}

impl State {
    /// How many errors of the last hour an operation has.
    fn count(&self, errand: Errand<'_>) -> usize {
        self.errors.iter().filter(|one| one.is_of(errand)).count()
    }
}

/// The errors of the last hour that were kept; none where they cannot be read.
fn earlier(kept: &Kept) -> BTreeSet<Mistake> {
    let read = kept.read().and_then(|bytes| match bytes {
        Some(bytes) => Ok(serde_json::from_slice(&bytes)?),
        None => Ok(BTreeSet::new()),
    });
    let mut errors = read.unwrap_or_else(|error| {
        let path = kept.path().display();
        tracing::warn!("{path} cannot be read ({error}): the errors of the last hour are counted anew");
        BTreeSet::new()
    });
    forget_old(&mut errors);
    errors
}

fn forget_old(errors: &mut BTreeSet<Mistake>) {
    let now = clock::now();
    errors.retain(|one| now.duration_since(one.at) < HOUR);
}

fn today() -> jiff::civil::Date {
    TimeZone::UTC.to_datetime(clock::now()).date()
}

fn tomorrow(today: jiff::civil::Date) -> Option<Timestamp> {
    let midnight = today.to_zoned(TimeZone::UTC).ok()?.timestamp();
    midnight.checked_add(SignedDuration::from_hours(24)).ok()
}
