//! Dates and times as ERPs write them.

use crate::http::clock;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

/// How dates and times are written.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    written: How,
    zone: TimeZone,
    /// The zone is one that the description names.
    named: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// `2026-01-31`, `2026-01-31T12:00:00.000Z`.
    Iso,
    /// The same with a blank for the T, and without a zone.
    Local,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// `/Date(1767225600000)/`.
    Slash,
    /// As HTTP headers do.
    Http,
    /// A table with `year`, `month`, `day`, and `hour`, `minute`, `second`, `microsecond`.
    Parts,
    /// By a pattern such as `%d.%m.%Y`.
    Pattern(String),
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            written: How::Iso,
            zone: TimeZone::UTC,
            named: false,
        }
    }
}

/// Forms of dates and times.
const FORMS: [&str; 7] = [
    "iso",
    "local",
    "seconds",
    "milliseconds",
    "/Date()/",
    "http",
    "parts",
];

/// Whether what is written by a pattern names its zone.
fn tells_zone(pattern: &str) -> bool {
    ["%z", "%:z", "%Z", "%Q", "%:Q", "%s"]
        .iter()
        .any(|sign| pattern.contains(sign))
}

impl Moments {
    /// The form of that name, with a zone for times without one.
    ///
    /// # Errors
    /// Which of the two is not known, and what may be written.
    pub(crate) fn read(
        times: bool,
        written: Option<&str>,
        zone: Option<&str>,
    ) -> Result<Self, (&'static str, String, String)> {
        let how = match written {
            None | Some("iso") => How::Iso,
            Some("local") => How::Local,
            Some("seconds") => How::Seconds,
            Some("milliseconds") => How::Milliseconds,
            Some("/Date()/") => How::Slash,
            Some("http") => How::Http,
            Some("parts") => How::Parts,
            Some(pattern) if pattern.contains('%') && fits(pattern, times) => {
                How::Pattern(pattern.to_owned())
            }
            Some(other) => {
                let help = format!(
                    "Write one of {}, or a pattern such as `%d.%m.%Y`{}.",
                    FORMS.join(", "),
                    if times { " with `%H:%M:%S` behind it" } else { "" }
                );
                return Err(("as", format!("no time is written as `{other}`"), help));
            }
        };
        let at = match zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                let help = "Write the name of a zone, such as `Europe/Berlin` or `UTC`.".to_owned();
                ("zone", format!("unknown zone `{name}`"), help)
            })?,
        };
        Ok(Self {
            written: how,
            zone: at,
            named: zone.is_some(),
        })
    }

    /// Whether a time that is shown says nothing of its zone, and the description neither: it is taken for one of UTC.
    pub(crate) fn is_assumed(&self, shown: &Json) -> bool {
        let silent = match &self.written {
            How::Iso | How::Local => shown
                .as_str()
                .is_some_and(|text| text.trim().parse::<Timestamp>().is_err()),
            How::Parts => true,
            How::Pattern(pattern) => !tells_zone(pattern),
            How::Seconds | How::Milliseconds | How::Slash | How::Http => false,
        };
        silent && !self.named && self.moment(shown).is_some()
    }

    /// Whether the description names the zone.
    pub(crate) fn names_zone(&self) -> bool {
        self.named
    }

    /// Whether a time is written without its zone, and the description names none.
    pub(crate) fn is_written_without_zone(&self) -> bool {
        let silent = match &self.written {
            How::Local | How::Parts => true,
            // A letter Z stands for UTC.
            How::Pattern(pattern) => !tells_zone(pattern) && !pattern.contains("SZ"),
            _ => false,
        };
        silent && !self.named
    }

    /// A day.
    pub(crate) fn date(&self, shown: &Json) -> Option<Date> {
        if let (How::Pattern(pattern), Some(text)) = (&self.written, shown.as_str()) {
            return Date::strptime(pattern, text).ok();
        }
        if self.written == How::Parts {
            return Some(of_parts(shown)?.date());
        }
        let text = shown.as_str();
        if let (How::Iso | How::Local, Some(text)) = (&self.written, text) {
            // A day may be written as its midnight.
            let day = text.get(..10)?;
            let rest = text.get(10..)?;
            let bare = rest.trim_end_matches('Z').trim_matches(['T', ' ']);
            let midnight = bare.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'));
            return midnight.then(|| day.parse().ok()).flatten();
        }
        // Days travel as midnights of UTC.
        let moment = self.moment(shown)?;
        Some(TimeZone::UTC.to_datetime(moment).date())
    }

    /// Whether what is shown is a day without a time of day.
    pub(crate) fn is_day(&self, shown: &Json) -> bool {
        match &self.written {
            How::Iso | How::Local => {
                let text = shown.as_str().map(str::trim);
                text.is_some_and(|text| text.len() == 10 && text.parse::<Date>().is_ok())
            }
            How::Pattern(pattern) => {
                let parsed = shown
                    .as_str()
                    .map(|text| jiff::fmt::strtime::parse(pattern, text));
                parsed.is_some_and(|parsed| {
                    parsed.is_ok_and(|parsed| parsed.hour().is_none() && parsed.to_timestamp().is_err())
                })
            }
            How::Parts => shown.get("hour").is_none(),
            How::Seconds | How::Milliseconds | How::Slash | How::Http => false,
        }
    }

    /// A moment.
    pub(crate) fn moment(&self, shown: &Json) -> Option<Timestamp> {
        let text = shown.as_str();
        match &self.written {
            How::Iso | How::Local => self.iso(text?),
            How::Http => clock::parse(text?),
            How::Seconds => whole(shown).and_then(|seconds| Timestamp::from_second(seconds).ok()),
            How::Milliseconds => whole(shown).and_then(|millis| Timestamp::from_millisecond(millis).ok()),
            How::Slash => {
                let inner = text?.strip_prefix("/Date(")?.strip_suffix(")/")?;
                // What follows the sign is the zone in which it was entered; the moment stands before it.
                let end = inner
                    .get(1..)
                    .and_then(|rest| rest.find(['+', '-']))
                    .map(|at| at + 1);
                let millis = inner.get(..end.unwrap_or(inner.len()))?.parse().ok()?;
                Timestamp::from_millisecond(millis).ok()
            }
            How::Parts => self.at(of_parts(shown)?),
            How::Pattern(pattern) => {
                let parsed = jiff::fmt::strtime::parse(pattern, text?).ok()?;
                match parsed.to_timestamp() {
                    Ok(moment) => Some(moment),
                    Err(_) => self.at(parsed.to_datetime().ok()?),
                }
            }
        }
    }

    fn iso(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Some(moment);
        }
        let civil = text.parse::<DateTime>().ok();
        let civil = civil.or_else(|| {
            text.parse::<Date>()
                .ok()
                .map(|day| day.to_datetime(Time::midnight()))
        });
        self.at(civil?)
    }

    fn at(&self, civil: DateTime) -> Option<Timestamp> {
        self.zone.to_ambiguous_timestamp(civil).compatible().ok()
    }

    /// A moment out of a date and a time of day, such as `2026-01-31` and `12:00:00`, or `120000`.
    pub(crate) fn joined(&self, date: &Json, time: &Json) -> Option<Timestamp> {
        let day = self.date(date)?;
        let text = match time {
            Json::String(text) => text.clone(),
            Json::Number(number) => format!("{:0>6}", number.to_string()),
            _ => return None,
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let time = match (digits, text.len()) {
            (true, 4) => Time::strptime("%H%M", &text).ok()?,
            (true, 6) => Time::strptime("%H%M%S", &text).ok()?,
            _ => text.parse::<Time>().ok()?,
        };
        self.at(day.to_datetime(time))
    }

    /// A day as it is written.
    pub(crate) fn print_date(&self, date: Date) -> Json {
        match &self.written {
            How::Iso | How::Local => Json::String(date.to_string()),
            How::Pattern(pattern) => Json::String(date.strftime(pattern).to_string()),
            How::Parts => {
                serde_json::json!({ "year": date.year(), "month": date.month(), "day": date.day() })
            }
            _ => match date.to_zoned(TimeZone::UTC) {
                Ok(midnight) => self.print(midnight.timestamp()),
                Err(_) => Json::Null,
            },
        }
    }

    /// A moment as it is written.
    pub(crate) fn print(&self, moment: Timestamp) -> Json {
        self.print_to(moment, 3)
    }

    /// A moment as it is written, with so many digits of a second where the form has any.
    pub(crate) fn print_to(&self, moment: Timestamp, digits: usize) -> Json {
        let here = || moment.to_zoned(self.zone.clone());
        match &self.written {
            How::Iso => Json::String(format!("{moment:.digits$}")),
            How::Local => {
                let civil = here().datetime();
                Json::String(format!("{civil:.digits$}").replace('T', " "))
            }
            How::Seconds => moment.as_second().into(),
            How::Milliseconds => moment.as_millisecond().into(),
            How::Slash => Json::String(format!("/Date({})/", moment.as_millisecond())),
            How::Http => clock::print(moment).map_or(Json::Null, Json::String),
            How::Parts => {
                let civil = here().datetime();
                serde_json::json!({
                    "year": civil.year(), "month": civil.month(), "day": civil.day(),
                    "hour": civil.hour(), "minute": civil.minute(), "second": civil.second(),
                    "microsecond": civil.subsec_nanosecond() / 1_000,
                })
            }
            How::Pattern(pattern) => Json::String(here().strftime(pattern).to_string()),
        }
    }

    /// The day on which a moment lies, in the zone of times without one.
    pub(crate) fn day(&self, moment: Timestamp) -> Date {
        self.zone.to_datetime(moment).date()
    }

    /// The moment on which a coarser clock stands.
    pub(crate) fn floor(&self, moment: Timestamp, step: SignedDuration) -> Timestamp {
        let offset = self.zone.to_offset(moment).seconds();
        let step = step.as_nanos().max(1);
        let here = moment.as_nanosecond() + i128::from(offset) * 1_000_000_000;
        let floored = here.div_euclid(step) * step - i128::from(offset) * 1_000_000_000;
        Timestamp::from_nanosecond(floored).unwrap_or(moment)
    }
}

/// A date, with a time of day where there is one, out of a table of its parts.
fn of_parts(shown: &Json) -> Option<DateTime> {
    let part = |name: &str| shown.get(name).map_or(Some(0), Json::as_i64);
    let small = |name: &str| i8::try_from(part(name)?).ok();
    let day = Date::new(i16::try_from(part("year")?).ok()?, small("month")?, small("day")?).ok()?;
    let nanosecond = i32::try_from(part("microsecond")?.checked_mul(1_000)?).ok()?;
    let time = Time::new(small("hour")?, small("minute")?, small("second")?, nanosecond).ok()?;
    Some(day.to_datetime(time))
}

fn whole(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whether what a pattern prints can be read by it: the day, and the time of day where there is one.
fn fits(pattern: &str, times: bool) -> bool {
    let sample = jiff::civil::date(1999, 11, 22).at(13, 45, 0, 0);
    let printed = sample
        .to_zoned(TimeZone::UTC)
        .map(|zoned| jiff::fmt::strtime::format(pattern, &zoned));
    let Ok(Ok(printed)) = printed else {
        return false;
    };
    match times {
        false => Date::strptime(pattern, &printed).is_ok_and(|day| day == sample.date()),
        true => jiff::fmt::strtime::parse(pattern, &printed)
            .and_then(|parsed| parsed.to_datetime())
            .is_ok_and(|read| read == sample),
    }
}
