//! The values of properties, in the forms of both versions. No number passes through floating point.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use rust_decimal::Decimal;
use serde_json::{Number, Value as Json};

use super::model::{Kind, Property, Version};

/// The value of one property. The order is that of `$orderby`: null first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Number(Decimal),
    Text(String),
    /// In lower case.
    Guid(String),
    Date(Date),
    Time(Time),
    /// Milliseconds since 1970, UTC.
    Moment(i64),
}

/// How values are written in an answer, or read from a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) version: Version,
    /// Int64 and decimals are strings: always in v2, in v4 where the media type says `IEEE754Compatible=true`.
    pub(crate) numbers_as_text: bool,
}

impl Value {
    /// Reads the plain text of a value.
    ///
    /// # Errors
    /// What it should be.
    pub(crate) fn of_text(kind: Kind, text: &str) -> Result<Self, String> {
        let value = match kind {
            Kind::Text(most) => {
                let count = text.chars().count();
                if count > most {
                    return Err(format!("a text of at most {most} characters, not {count}"));
                }
                Some(Self::Text(text.to_owned()))
            }
            Kind::Boolean => text.parse().ok().map(Self::Boolean),
            Kind::Int32 | Kind::Int64 | Kind::Decimal { .. } => match text.parse::<Decimal>() {
                Ok(number) => {
                    kind.fits(number)?;
                    Some(Self::Number(number))
                }
                Err(_) => None,
            },
            Kind::Guid => is_guid(text).then(|| Self::Guid(text.to_ascii_lowercase())),
            Kind::Date => text.parse().ok().map(Self::Date),
            Kind::Time => text.parse().ok().map(Self::Time),
            Kind::Moment => moment_of(text).map(Self::Moment),
        };
        value.ok_or_else(|| format!("{}, not `{text}`", wanted(kind)))
    }

    /// Reads a JSON value as one of that property.
    ///
    /// # Errors
    /// What it should be.
    pub(crate) fn read(property: &Property, json: &Json, form: Form) -> Result<Self, String> {
        let kind = property.kind;
        let textual = match kind {
            Kind::Int64 | Kind::Decimal { .. } => form.numbers_as_text,
            Kind::Int32 | Kind::Boolean => false,
            _ => true,
        };
        let value = match json {
            Json::Null => return Ok(Self::Null),
            Json::Bool(value) if kind == Kind::Boolean => Ok(Self::Boolean(*value)),
            Json::Number(number) if !textual && kind != Kind::Boolean => Self::of_text(kind, &plain(number)?),
            Json::String(text) if textual => match (form.version, kind) {
                (Version::V2, Kind::Date | Kind::Moment) => of_ticks(kind, text),
                (Version::V2, Kind::Time) => {
                    of_duration(text).ok_or_else(|| "a time such as PT13H20M00S".to_owned())
                }
                _ => Self::of_text(kind, text),
            },
            _ if textual => Err(format!("a string: {}", wanted(kind))),
            _ => Err(format!("no string: {}", wanted(kind))),
        };
        value.map(|value| value.padded(property))
    }

    /// A literal as a value of that kind: v2 writes a day as the moment of its start.
    pub(crate) fn of_kind(self, kind: Kind) -> Self {
        match (self, kind) {
            (Self::Moment(ticks), Kind::Date) => day_of(ticks).map_or(Self::Null, Self::Date),
            (value, _) => value,
        }
    }

    /// With the zeros that the property is filled with.
    pub(crate) fn padded(self, property: &Property) -> Self {
        match (self, property.padded) {
            (Self::Text(text), Some(width))
                if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Self::Text(format!("{text:0>width$}"))
            }
            (value, _) => value,
        }
    }

    /// The value as JSON.
    pub(crate) fn write(&self, kind: Kind, form: Form) -> Json {
        match (self, form.version) {
            (Self::Null, _) => Json::Null,
            (Self::Boolean(value), _) => Json::Bool(*value),
            (Self::Number(number), _) => {
                let text = number_text(*number, kind);
                if form.numbers_as_text && kind != Kind::Int32 {
                    return Json::String(text);
                }
                text.parse::<Number>().map_or(Json::Null, Json::Number)
            }
            (Self::Date(date), Version::V2) => {
                let ticks = midnight(*date);
                Json::String(format!("/Date({ticks})/"))
            }
            (Self::Moment(ticks), Version::V2) => Json::String(format!("/Date({ticks}+0000)/")),
            (Self::Time(time), Version::V2) => Json::String(duration(*time)),
            _ => Json::String(self.plain()),
        }
    }

    /// The value without quotes; nothing for null.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) | Self::Guid(text) => text.clone(),
            Self::Date(date) => date.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Moment(ticks) => moment(*ticks),
        }
    }

    /// The value as a literal of an address, not yet percent-encoded.
    pub(crate) fn literal(&self, kind: Kind, version: Version) -> String {
        let plain = self.plain();
        match (self, version) {
            (Self::Null, _) => "null".to_owned(),
            (Self::Text(text), _) => format!("'{}'", text.replace('\'', "''")),
            (Self::Guid(_), Version::V2) => format!("guid'{plain}'"),
            (Self::Date(_), Version::V2) => format!("datetime'{plain}T00:00:00'"),
            (Self::Moment(_), Version::V2) => format!("datetimeoffset'{plain}'"),
            (Self::Time(time), Version::V2) => format!("time'{}'", duration(*time)),
            (Self::Number(_), Version::V2) if kind == Kind::Int64 => format!("{plain}L"),
            (Self::Number(_), Version::V2) if matches!(kind, Kind::Decimal { .. }) => format!("{plain}M"),
            _ => plain,
        }
    }
}

/// A number in JSON without an exponent.
fn plain(number: &Number) -> Result<String, String> {
    let text = number.to_string();
    if !text.contains(['e', 'E']) {
        return Ok(text);
    }
    let number = Decimal::from_scientific(&text);
    number
        .map(|number| number.to_string())
        .map_err(|_| format!("a smaller number than {text}"))
}

/// A decimal with as many places as its property has.
fn number_text(number: Decimal, kind: Kind) -> String {
    let mut number = number;
    match kind {
        Kind::Decimal { scale, .. } => number.rescale(scale),
        _ => number = number.normalize(),
    }
    number.to_string()
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text(_) => "a text",
        Kind::Boolean => "true or false",
        Kind::Int32 | Kind::Int64 => "a whole number",
        Kind::Decimal { .. } => "a decimal number",
        Kind::Guid => "a GUID",
        Kind::Date => "a date such as 2026-01-31",
        Kind::Time => "a time such as 13:20:00",
        Kind::Moment => "a moment such as 2026-01-31T13:20:00Z",
    }
}

/// Whether the text has the form 8-4-4-4-12 in hexadecimal digits.
pub(crate) fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    groups.len() == lengths.len()
        && groups.iter().zip(lengths).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// Milliseconds since 1970 of a moment with its zone.
pub(crate) fn moment_of(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// A moment to the millisecond, in UTC.
pub(crate) fn moment(millis: i64) -> String {
    Timestamp::from_millisecond(millis)
        .map(|moment| format!("{moment:.3}"))
        .unwrap_or_default()
}

/// The start of a day in UTC.
pub(crate) fn midnight(date: Date) -> i64 {
    date.to_zoned(jiff::tz::TimeZone::UTC)
        .map(|start| start.timestamp().as_millisecond())
        .unwrap_or_default()
}

/// The day of a moment in UTC.
pub(crate) fn day_of(millis: i64) -> Option<Date> {
    let moment = Timestamp::from_millisecond(millis).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// The time of day of a moment in UTC, to the second.
pub(crate) fn time_of(millis: i64) -> Option<Time> {
    let moment = Timestamp::from_millisecond(millis - millis.rem_euclid(1000)).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).time())
}

/// `/Date(1767225600000)/`, with an offset in minutes for moments.
fn of_ticks(kind: Kind, text: &str) -> Result<Value, String> {
    let wrong = || format!("a date such as /Date(1767225600000)/, not `{text}`");
    let inner = text
        .strip_prefix("/Date(")
        .and_then(|rest| rest.strip_suffix(")/"));
    let inner = inner.ok_or_else(wrong)?;
    let sign = inner
        .get(1..)
        .and_then(|rest| rest.find(['+', '-']))
        .map(|at| at + 1);
    // The ticks are UTC already; the offset only says where they were written.
    let ticks = sign.map_or(inner, |at| &inner[..at]);
    let ticks: i64 = ticks.parse().map_err(|_| wrong())?;
    let value = match kind {
        Kind::Date => day_of(ticks).map(Value::Date),
        _ => Timestamp::from_millisecond(ticks)
            .ok()
            .map(|_| Value::Moment(ticks)),
    };
    value.ok_or_else(wrong)
}

/// `PT13H20M00S`
pub(crate) fn of_duration(text: &str) -> Option<Value> {
    // Times of other forms would be read as well.
    let span: jiff::SignedDuration = text.starts_with("PT").then(|| text.parse().ok())??;
    let seconds = u32::try_from(span.as_secs())
        .ok()
        .filter(|seconds| *seconds < 86_400)?;
    let part = |number: u32| i8::try_from(number).ok();
    let time = Time::new(
        part(seconds / 3600)?,
        part(seconds / 60 % 60)?,
        part(seconds % 60)?,
        0,
    );
    time.ok().map(Value::Time)
}

fn duration(time: Time) -> String {
    format!("PT{:02}H{:02}M{:02}S", time.hour(), time.minute(), time.second())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn property(kind: Kind) -> Property {
        Property {
            name: "p".to_owned(),
            kind,
            required: false,
            hidden: false,
            once: false,
            padded: None,
            filling: super::super::model::Filling::Client,
            source: None,
        }
    }

    const V2: Form = Form {
        version: Version::V2,
        numbers_as_text: true,
    };
    const V4: Form = Form {
        version: Version::V4,
        numbers_as_text: false,
    };
    const MONEY: Kind = Kind::Decimal {
        precision: 15,
        scale: 2,
    };

    #[test]
    fn each_version_reads_what_it_writes() {
        for (kind, v2, v4) in [
            (MONEY, json!("12.50"), serde_json::from_str("12.50").unwrap()),
            (
                Kind::Int64,
                json!("9007199254740993"),
                json!(9_007_199_254_740_993_i64),
            ),
            (Kind::Int32, json!(7), json!(7)),
            (Kind::Date, json!("/Date(1767225600000)/"), json!("2026-01-01")),
            (Kind::Time, json!("PT13H20M05S"), json!("13:20:05")),
            (
                Kind::Moment,
                json!("/Date(1767225600123+0000)/"),
                json!("2026-01-01T00:00:00.123Z"),
            ),
            (Kind::Boolean, json!(true), json!(true)),
        ] {
            let read = Value::read(&property(kind), &v2, V2).unwrap();
            assert_eq!(read, Value::read(&property(kind), &v4, V4).unwrap());
            assert_eq!(read.write(kind, V2), v2);
            assert_eq!(read.write(kind, V4).to_string(), v4.to_string());
        }
    }

    #[test]
    fn what_is_of_the_other_version_is_refused() {
        for (kind, v2) in [
            (MONEY, json!(12.5)),
            (Kind::Int32, json!("7")),
            (Kind::Date, json!("2026-01-01")),
            (Kind::Time, json!("13:20:05")),
            (Kind::Boolean, json!("true")),
        ] {
            Value::read(&property(kind), &v2, V2).unwrap_err();
        }
        for (kind, v4) in [
            (MONEY, json!("12.5")),
            (MONEY, json!(12.345)),
            (MONEY, json!(1e20)),
            (Kind::Int32, json!(1.5)),
            (Kind::Date, json!("/Date(1767225600000)/")),
            (Kind::Moment, json!("2026-01-01T00:00:00")),
            (Kind::Text(3), json!("four")),
        ] {
            Value::read(&property(kind), &v4, V4).unwrap_err();
        }
    }

    #[test]
    fn a_moment_keeps_its_ticks_whatever_its_offset() {
        let read = |text: &str| Value::read(&property(Kind::Moment), &json!(text), V2).unwrap();
        assert_eq!(read("/Date(0+0060)/"), Value::Moment(0));
        assert_eq!(read("/Date(-5)/"), Value::Moment(-5));
    }
}
