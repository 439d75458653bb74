//! Field values: how they stand in memory, arrive as JSON, and leave as JSON.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Number, Value as Json};

use super::id::RecordId;

/// A value that is not blank. Blank is the absence of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    /// Any text, picklist value, e-mail address, phone number or address of a page.
    Text(Box<str>),
    /// A checkbox.
    Bool(bool),
    /// Every number, exactly as many digits as given.
    Number(Decimal),
    /// A day without a zone.
    Date(Date),
    /// A moment in whole seconds since 1970 UTC: the API knows nothing finer.
    Moment(i64),
    /// A time of day.
    Time(Time),
    /// The id of another record.
    Reference(RecordId),
}

impl Value {
    pub(crate) fn text(text: impl Into<Box<str>>) -> Value {
        Value::Text(text.into())
    }

    /// The text of a text value.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The id of a reference.
    pub(crate) fn as_reference(&self) -> Option<RecordId> {
        match self {
            Value::Reference(id) => Some(*id),
            _ => None,
        }
    }

    /// The number of a number.
    pub(crate) fn as_number(&self) -> Option<Decimal> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The form in a JSON reply; `whole` numbers (the type int) have no decimal point, all others at least one decimal.
    pub(crate) fn to_json(&self, whole: bool) -> Json {
        match self {
            Value::Text(text) => Json::String(text.to_string()),
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => number_json(*number, whole),
            Value::Date(date) => Json::String(date.to_string()),
            Value::Moment(seconds) => Json::String(moment_text(*seconds)),
            Value::Time(time) => Json::String(format!("{}Z", time.strftime("%H:%M:%S.000"))),
            Value::Reference(id) => Json::String(id.to_string()),
        }
    }

    /// The form in a page or in the log: what a person reads.
    pub(crate) fn plain(&self) -> String {
        match self {
            Value::Text(text) => text.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Date(date) => date.to_string(),
            Value::Moment(seconds) => moment_text(*seconds),
            Value::Time(time) => time.to_string(),
            Value::Reference(id) => id.to_string(),
        }
    }
}

fn number_json(number: Decimal, whole: bool) -> Json {
    let mut text = number.normalize().to_string();
    if !whole && !text.contains('.') {
        text.push_str(".0");
    }
    text.parse::<Number>().map_or(Json::String(text), Json::Number)
}

/// A moment as the API writes it: `2024-01-01T00:00:00.000+0000`.
pub(crate) fn moment_text(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string())
        .unwrap_or_default()
}

/// A moment as HTTP headers write it: `Mon, 01 Jan 2024 00:00:00 GMT`.
pub(crate) fn http_date_text(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map(|at| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}

/// The day of a moment in UTC.
pub(crate) fn moment_date(seconds: i64) -> Option<Date> {
    let at = Timestamp::from_second(seconds).ok()?;
    Some(at.to_zoned(TimeZone::UTC).date())
}

/// Reads an ISO 8601 moment with a zone (`Z`, `+01:00` or `+0100`); fractions of a second are cut off.
pub(crate) fn parse_moment(text: &str) -> Option<i64> {
    let (clock, offset) = split_zone(text)?;
    let civil: DateTime = clock.parse().ok()?;
    if !clock.contains('T') {
        return None;
    }
    let at = civil.to_zoned(TimeZone::fixed(offset)).ok()?.timestamp();
    let seconds = at.as_second();
    // as_second cuts towards zero; before 1970 a fraction belongs to the second before.
    Some(if at.subsec_nanosecond() < 0 {
        seconds - 1
    } else {
        seconds
    })
}

fn split_zone(text: &str) -> Option<(&str, Offset)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, Offset::UTC));
    }
    let start = text.rfind(['+', '-']).filter(|at| *at > 10)?;
    let (clock, zone) = text.split_at(start);
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits[2..].parse().ok()?;
    let size = SignedDuration::from_mins(hours * 60 + minutes);
    let signed = if zone.starts_with('-') { -size } else { size };
    Some((
        clock,
        Offset::from_seconds(i32::try_from(signed.as_secs()).ok()?).ok()?,
    ))
}

/// Reads a `yyyy-mm-dd` day, and nothing more liberal.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shape { text.parse().ok() } else { None }
}

/// Reads a JSON number without going through a binary fraction; `None` where it has more digits than fit.
pub(crate) fn parse_number(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        Decimal::from_scientific(text).ok()
    } else {
        Decimal::from_str_exact(text).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn moments_are_whole_seconds_in_utc() {
        assert_eq!(moment_text(1_704_067_200), "2024-01-01T00:00:00.000+0000");
        for text in [
            "2024-01-01T00:00:00Z",
            "2024-01-01T01:00:00.999+01:00",
            "2023-12-31T19:30:00.000-0430",
        ] {
            assert_eq!(parse_moment(text), Some(1_704_067_200), "{text}");
        }
        for text in [
            "2024-01-01",
            "2024-01-01T00:00:00",
            "yesterday",
            "2024-13-01T00:00:00Z",
            "2024-01-01T00:00:00+1",
        ] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }

    #[test]
    fn days_have_one_form() {
        assert!(parse_date("2024-02-29").is_some());
        for text in [
            "2023-02-29",
            "2024-2-9",
            "20240229",
            "2024-02-29T00:00:00Z",
            "29.02.2024",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_keep_every_digit() {
        let number = parse_number("9007199254740993.01").unwrap();
        assert_eq!(
            Value::Number(number).to_json(false).to_string(),
            "9007199254740993.01"
        );
        assert_eq!(
            Value::Number(parse_number("12.50").unwrap())
                .to_json(false)
                .to_string(),
            "12.5"
        );
        assert_eq!(
            Value::Number(parse_number("1e3").unwrap())
                .to_json(false)
                .to_string(),
            "1000.0"
        );
        assert_eq!(
            Value::Number(parse_number("7").unwrap())
                .to_json(true)
                .to_string(),
            "7"
        );
    }
}
