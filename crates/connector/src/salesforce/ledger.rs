//! The day's calls: what the org counts for everybody, what we made of them, and what we may make.
//!
//! A day is one of UTC by the org's clock. Every attempt is taken from the budget before it is sent, so the share is
//! never exceeded. Long work stops before live changes do, and pauses grow before anything stops.

use crate::http::{Meter, clock};
use crate::{Allowance, Budget, Error, ErrorKind, Scope};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How old an answer of `/limits` may be.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Pauses begin when this much of the day's share is spent, in percent.
const CALM: u64 = 50;
/// Hours of a day.
const HOURS: u64 = 24;

tokio::task_local! {
    static LONG_WORK: ();
}

/// Marks what a future does as long work: first loads, complete comparisons, bulk loads.
pub(super) async fn as_long_work<F: Future>(work: F) -> F::Output {
    LONG_WORK.scope((), work).await
}

fn is_long_work() -> bool {
    LONG_WORK.try_with(|()| ()).is_ok()
}

/// How much of the org's day may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Of the calls that the org allows in a day, in percent.
    pub percent: u32,
    /// Of the share, what long work leaves for live changes, in percent.
    pub live_reserve: u32,
    /// The longest pause between two calls when they are spent too fast.
    pub longest_pause: SignedDuration,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            percent: 50,
            live_reserve: 20,
            longest_pause: SignedDuration::from_secs(30),
        }
    }
}

/// The book of calls.
pub(super) struct Ledger {
    system: String,
    share: Share,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    day: Option<Date>,
    spent: u64,
    calls: Option<Allowance>,
    bulk: Option<Allowance>,
    events: Option<Allowance>,
    /// When `/limits` was asked.
    asked: Option<Timestamp>,
    /// The org's count when an earlier process ended unawares, and our calls since.
    unaware: Option<(u64, u64)>,
    /// The latest moment of the org's clock.
    now: Option<Timestamp>,
}

impl Book {
    fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(clock::now)
    }

    /// Begins a new day where one has come.
    fn turn(&mut self, now: Timestamp) {
        self.now = Some(self.now.map_or(now, |known| known.max(now)));
        let today = day(self.now());
        if self.day.is_none_or(|day| day < today) {
            *self = Self {
                day: Some(today),
                now: self.now,
                // The limit is likely to stay; what is used of it is told by the next reply.
                calls: self.calls.map(|calls| Allowance { used: 0, ..calls }),
                asked: None,
                ..Self::default()
            };
        }
    }
}

fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// When the next day begins.
fn midnight(now: Timestamp) -> Timestamp {
    let next = day(now).tomorrow().unwrap_or(Date::MAX);
    let begins = next.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    begins.unwrap_or(Timestamp::MAX)
}

impl Ledger {
    pub(super) fn new(system: &str, share: Share) -> Self {
        Self {
            system: system.to_owned(),
            share,
            book: Mutex::default(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our calls of a day: for everything, and for long work.
    fn ours(&self, allowed: u64) -> (u64, u64) {
        let share = allowed.saturating_mul(u64::from(self.share.percent)) / 100;
        let reserve = share.saturating_mul(u64::from(self.share.live_reserve)) / 100;
        (share, share - reserve)
    }

    /// Whether long work waits for the next day. `reached`: a moment that the org's clock has reached.
    pub(super) fn long_work_waits(&self, reached: Option<Timestamp>) -> bool {
        self.budget(reached).backfill_waits.is_some()
    }

    /// How things stand at a moment that the org's clock has reached.
    pub(super) fn budget(&self, reached: Option<Timestamp>) -> Budget {
        let mut book = self.book();
        if let Some(now) = reached {
            book.turn(now);
        }
        let (now, limits) = (book.now(), book.calls.map(|calls| self.ours(calls.allowed)));
        let waits = |limit: Option<u64>| limit.filter(|limit| book.spent >= *limit).map(|_| midnight(now));
        Budget {
            day: book.day.unwrap_or_else(|| day(now)),
            spent: book.spent,
            share: limits.map(|(share, _)| share),
            backfill: limits.map(|(_, backfill)| backfill),
            calls: book.calls,
            bulk: book.bulk,
            events: book.events,
            backfill_waits: waits(limits.map(|(_, backfill)| backfill)),
            live_waits: waits(limits.map(|(share, _)| share)),
            open: false,
        }
    }

    /// Goes on where an earlier process of the day ended.
    pub(super) fn restore(&self, earlier: &Budget) {
        let mut book = self.book();
        if book.day.is_some_and(|day| day > earlier.day) {
            return;
        }
        book.day = Some(earlier.day);
        book.spent += earlier.spent;
        book.calls = book.calls.or(earlier.calls);
        // What the org counted since may be ours: the process did not live to tell.
        book.unaware = earlier
            .calls
            .filter(|_| earlier.open)
            .map(|calls| (calls.used, 0));
    }

    /// Counts calls that were made beside.
    pub(super) fn also_spent(&self, calls: u64) {
        let mut book = self.book();
        book.spent = book.spent.saturating_add(calls);
    }

    /// Whether `/limits` is worth asking.
    pub(super) fn is_stale(&self) -> bool {
        let book = self.book();
        book.asked
            .is_none_or(|asked| book.now().duration_since(asked) >= FRESH)
    }

    /// Takes in the answer of `/limits`.
    pub(super) fn learn_limits(&self, body: &Json) {
        let of = |name: &str| {
            let limit = body.get(name)?;
            let (max, remaining) = (limit.get("Max")?.as_u64()?, limit.get("Remaining")?.as_u64()?);
            Some(Allowance {
                used: max.saturating_sub(remaining),
                allowed: max,
            })
        };
        let mut book = self.book();
        book.calls = of("DailyApiRequests").or(book.calls);
        book.bulk = of("DailyBulkV2QueryJobs").or_else(|| of("DailyBulkApiBatches"));
        book.events = of("DailyDeliveredPlatformEvents");
        book.asked = Some(book.now());
    }

    /// How long to wait before the next call, so that the rest of the share lasts for the rest of the day.
    pub(super) fn pause(&self) -> SignedDuration {
        let book = self.book();
        let Some((share, backfill)) = book.calls.map(|calls| self.ours(calls.allowed)) else {
            return SignedDuration::ZERO;
        };
        let limit = if is_long_work() { backfill } else { share };
        let now = book.now();
        let seconds_left = midnight(now).duration_since(now).as_secs();
        let hours_left = u64::try_from(seconds_left / 3_600 + 1).unwrap_or(1);
        pause(limit, book.spent, hours_left, self.share.longest_pause)
    }

    fn refused(&self, spent: u64, share: u64, long: bool, now: Timestamp) -> Error {
        let (spent, share) = (thousands(spent), thousands(share));
        let message = match long {
            true => format!(
                "budget of the day for long work reached: {spent} of {share} calls; first loads, comparisons and bulk \
                 loads wait until 00:00 UTC, live changes go on"
            ),
            false => {
                format!(
                    "budget of the day reached: {spent} of {share} calls; live changes wait until 00:00 UTC"
                )
            }
        };
        Error {
            system: self.system.clone(),
            kind: ErrorKind::Refused,
            message,
            advice: "Nothing is lost; to go on earlier, raise `budget: { share }` of the connection"
                .to_owned(),
            retry_at: Some(midnight(now)),
            scope: Scope::System,
        }
    }
}

impl Meter for Ledger {
    fn admit(&self, reached: Option<Timestamp>) -> Result<(), Error> {
        let mut book = self.book();
        let now = reached.unwrap_or_else(|| book.now());
        book.turn(now);
        let now = book.now();
        if let Some(calls) = book.calls {
            let (share, backfill) = self.ours(calls.allowed);
            let long = is_long_work();
            if book.spent >= share || (long && book.spent >= backfill) {
                return Err(self.refused(book.spent, share, long && book.spent < share, now));
            }
        }
        book.spent += 1;
        if let Some((_, since)) = &mut book.unaware {
            *since += 1;
        }
        Ok(())
    }

    fn give_back(&self) {
        let mut book = self.book();
        book.spent = book.spent.saturating_sub(1);
    }

    fn learn(&self, headers: &HeaderMap) {
        let usage = headers
            .get("sforce-limit-info")
            .and_then(|value| value.to_str().ok());
        let Some(calls) = usage.and_then(usage_of) else {
            return;
        };
        let mut book = self.book();
        if let Some((used, since)) = book.unaware.take() {
            book.spent += calls.used.saturating_sub(used).saturating_sub(since);
        }
        book.calls = Some(calls);
    }
}

/// `api-usage=18/5000`, perhaps among others.
fn usage_of(text: &str) -> Option<Allowance> {
    let part = text
        .split([',', ';'])
        .find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, allowed) = part.split_once('/')?;
    Some(Allowance {
        used: used.trim().parse().ok()?,
        allowed: allowed.trim().parse().ok()?,
    })
}

/// The pause: none while half of the limit is left or the rest lasts at the pace of the whole; then the longer the
/// faster it was spent, and the longest where nothing is left.
fn pause(limit: u64, spent: u64, hours_left: u64, longest: SignedDuration) -> SignedDuration {
    let left = limit.saturating_sub(spent);
    if limit == 0 || left == 0 {
        return SignedDuration::ZERO;
    }
    // At the even pace `limit / 24` an hour, this much would be left now.
    let even = limit.saturating_mul(hours_left.min(HOURS)) / HOURS;
    if spent.saturating_mul(100) < limit.saturating_mul(CALM) || left >= even {
        return SignedDuration::ZERO;
    }
    let lacking = even - left;
    let part = i64::try_from(lacking.saturating_mul(1_000) / even.max(1)).unwrap_or(1_000);
    let milliseconds = longest.as_millis().saturating_mul(i128::from(part)) / 1_000;
    SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::HeaderValue;

    const NOON: &str = "2026-03-01T12:00:00Z";

    fn ledger(allowed: u64, percent: u32) -> Ledger {
        let ledger = Ledger::new(
            "salesforce",
            Share {
                percent,
                ..Share::default()
            },
        );
        told(&ledger, 0, allowed);
        ledger
    }

    fn told(ledger: &Ledger, used: u64, allowed: u64) {
        let mut headers = HeaderMap::new();
        let text = format!("api-usage={used}/{allowed}");
        headers.insert("sforce-limit-info", HeaderValue::from_str(&text).unwrap());
        ledger.learn(&headers);
    }

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn what_others_of_the_process_spent_is_spent() {
        let ledger = ledger(100, 50);
        ledger.admit(at(NOON)).unwrap();
        ledger.also_spent(49);
        assert_eq!(ledger.budget(at(NOON)).spent, 50);
        assert!(ledger.admit(at(NOON)).is_err());
    }

    fn spend(ledger: &Ledger, now: &str) -> u64 {
        (0..).take_while(|_| ledger.admit(at(now)).is_ok()).count() as u64
    }

    #[tokio::test]
    async fn long_work_stops_before_live_changes_do() {
        let ledger = ledger(100, 50);
        let long = as_long_work(async { spend(&ledger, NOON) }).await;
        assert_eq!(long, 40);
        let error = as_long_work(async { ledger.admit(at(NOON)).unwrap_err() }).await;
        assert!(
            error.message.contains("long work reached: 40 of 50 calls"),
            "{error}"
        );
        assert_eq!(spend(&ledger, NOON), 10);
        let error = ledger.admit(at(NOON)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(
            error
                .message
                .starts_with("budget of the day reached: 50 of 50 calls; live changes wait until 00:00 UTC")
        );
        assert_eq!(error.retry_at, at("2026-03-02T00:00:00Z"));
        assert_eq!(ledger.budget(at(NOON)).live_waits, error.retry_at);
    }

    #[test]
    fn the_next_day_begins_anew() {
        let ledger = ledger(100, 10);
        assert_eq!(spend(&ledger, NOON), 10);
        assert!(ledger.admit(at("2026-03-01T23:59:59Z")).is_err());
        assert_eq!(spend(&ledger, "2026-03-02T00:00:00Z"), 10);
        assert!(ledger.long_work_waits(at("2026-03-02T23:59:59Z")));
        assert!(
            !ledger.long_work_waits(at("2026-03-03T00:00:00Z")),
            "without any call"
        );
        assert_eq!(spend(&ledger, "2026-03-03T00:00:00Z"), 10);
        // A clock that steps back begins no day.
        assert!(ledger.admit(at(NOON)).is_err());
    }

    #[test]
    fn an_earlier_process_of_the_day_counts() {
        let first = ledger(100, 50);
        for _ in 0..30 {
            first.admit(at(NOON)).unwrap();
        }
        told(&first, 45, 100);
        let second = Ledger::new("salesforce", Share::default());
        second.restore(&first.budget(None));
        assert_eq!(spend(&second, NOON), 20);
        // It ended unawares: what the org counted since counts as ours.
        let third = Ledger::new("salesforce", Share::default());
        third.restore(&Budget {
            open: true,
            ..first.budget(None)
        });
        third.admit(at(NOON)).unwrap();
        told(&third, 45 + 8, 100);
        assert_eq!(third.budget(None).spent, 30 + 8);
        let fourth = Ledger::new("salesforce", Share::default());
        fourth.restore(&first.budget(None));
        assert_eq!(spend(&fourth, "2026-03-02T12:00:00Z"), 50, "yesterday is over");
    }

    #[test]
    fn a_call_that_was_not_sent_is_given_back() {
        let ledger = ledger(10, 50);
        assert_eq!(spend(&ledger, NOON), 5);
        ledger.give_back();
        assert_eq!(spend(&ledger, NOON), 1);
    }

    #[test]
    fn pauses_grow_when_calls_are_spent_faster_than_the_day_allows() {
        let longest = SignedDuration::from_secs(30);
        let at = |spent: u64, hours: u64| pause(1_000, spent, hours, longest).as_millis();
        assert_eq!(at(400, 20), 0, "calm");
        assert_eq!(at(900, 2), 0, "the day is nearly over");
        assert!(at(600, 12) > 0 && at(600, 12) < at(800, 12) && at(800, 12) < at(990, 12));
        assert!(at(999, 24) <= 30_000);
    }

    #[test]
    fn limits_are_read_by_their_names() {
        let ledger = ledger(1, 50);
        assert!(ledger.is_stale());
        ledger.learn_limits(&serde_json::json!({
            "DailyApiRequests": {"Max": 15_000, "Remaining": 14_998},
            "DailyDeliveredPlatformEvents": {"Max": 25_000, "Remaining": 24_000},
        }));
        let budget = ledger.budget(None);
        assert_eq!(
            budget.calls,
            Some(Allowance {
                used: 2,
                allowed: 15_000
            })
        );
        assert_eq!(
            budget.events,
            Some(Allowance {
                used: 1_000,
                allowed: 25_000
            })
        );
        assert_eq!((budget.share, budget.backfill), (Some(7_500), Some(6_000)));
        assert!(!ledger.is_stale());
        assert_eq!(
            usage_of("x=1, api-usage=18/5000"),
            Some(Allowance {
                used: 18,
                allowed: 5_000
            })
        );
        assert_eq!(usage_of("per-app"), None);
    }
}
