//! The values of properties: read from JSON without ever passing a number through floating point.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value as Json};

use super::problem::FieldCode;
use super::schema::{Kind, MONEY_SCALE};

/// The largest amount: decimal(18,2).
const DECIMAL_LIMIT: i64 = 10_000_000_000_000_000;

/// The value of one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Blank,
    Text(String),
    Decimal(Decimal),
    Integer(i64),
    Boolean(bool),
    Date(Date),
    /// Milliseconds since 1970, UTC.
    DateTime(i64),
    /// The number of the record referred to.
    Reference(u64),
}

/// Why a value was not taken.
pub(crate) type Misfit = (FieldCode, String);

impl Value {
    /// A text value; blank when there is no character in it.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Blank
        } else {
            Self::Text(text)
        }
    }

    /// An amount, rounded half up to two places.
    pub(crate) fn amount(amount: Decimal) -> Self {
        Self::scaled(amount, MONEY_SCALE)
    }

    /// A number, rounded half up to so many places.
    pub(crate) fn scaled(number: Decimal, scale: u32) -> Self {
        let mut rounded = number.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
        rounded.rescale(scale);
        Self::Decimal(rounded)
    }

    /// The number that it is; nothing when blank.
    pub(crate) fn number(&self) -> Option<Decimal> {
        match self {
            Self::Decimal(number) => Some(*number),
            Self::Integer(number) => Some(Decimal::from(*number)),
            _ => None,
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        matches!(self, Self::Blank)
    }

    /// Reads a JSON value as one of that kind. References are not looked up here.
    ///
    /// # Errors
    /// The code and the sentence of a field problem.
    pub(crate) fn read(kind: &Kind, json: &Json) -> Result<Self, Misfit> {
        match (kind, json) {
            (_, Json::Null) => Ok(Self::Blank),
            (Kind::Boolean, Json::Bool(value)) => Ok(Self::Boolean(*value)),
            (Kind::Decimal { scale }, Json::Number(number)) => read_decimal(number, *scale),
            (Kind::Integer, Json::Number(number)) => number
                .as_i64()
                .map(Self::Integer)
                .ok_or_else(|| wrong_type("a whole number")),
            (Kind::Boolean, _) => Err(wrong_type("true or false")),
            (Kind::Decimal { .. }, _) => Err(wrong_type("a number")),
            (Kind::Integer, _) => Err(wrong_type("a whole number")),
            (_, Json::String(text)) if text.is_empty() => Ok(Self::Blank),
            (_, Json::String(text)) => read_text(kind, text),
            _ => Err(wrong_type("a string")),
        }
    }

    /// The value as a person reads and types it; empty when blank.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Blank => String::new(),
            Self::Text(text) => text.clone(),
            Self::Decimal(decimal) => decimal.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::Date(date) => date.to_string(),
            Self::DateTime(millis) => moment(*millis),
            Self::Reference(id) => id.to_string(),
        }
    }

    /// The form in which an index keeps the value: trimmed and case-folded, phones by their digits. `None` when blank.
    pub(crate) fn folded(&self, kind: &Kind) -> Option<String> {
        let folded = fold(kind, &self.shown());
        (!folded.is_empty()).then_some(folded)
    }
}

/// A text in the form in which an index keeps values of that kind.
pub(crate) fn fold(kind: &Kind, text: &str) -> String {
    match kind {
        Kind::Text { phone: true, .. } => text.chars().filter(char::is_ascii_digit).collect(),
        _ => text.trim().to_lowercase(),
    }
}

/// A moment in RFC 3339, UTC, with milliseconds.
pub(crate) fn moment(millis: i64) -> String {
    let timestamp = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{timestamp:.3}")
}

/// Milliseconds since 1970 of an RFC 3339 moment; what is below a millisecond is cut.
pub(crate) fn millis(text: &str) -> Option<i64> {
    // RFC 3339 proper: date and time with an offset, nothing else that the parser would also take.
    let shaped = text.len() >= 20 && text.as_bytes()[10].eq_ignore_ascii_case(&b'T') && !text.contains('[');
    let timestamp = shaped.then(|| text.parse::<Timestamp>().ok()).flatten()?;
    Some(timestamp.as_millisecond())
}

fn wrong_type(expected: &str) -> Misfit {
    (FieldCode::WrongType, format!("must be {expected} or null"))
}

fn read_decimal(number: &Number, scale: u32) -> Result<Value, Misfit> {
    let text = number.to_string();
    let parsed = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
    let decimal = parsed.map_err(|_| wrong_type("a decimal number"))?.normalize();
    if decimal.scale() > scale {
        return Err((
            FieldCode::WrongType,
            format!("must have at most {scale} decimal places"),
        ));
    }
    if decimal.abs() >= Decimal::from(DECIMAL_LIMIT) {
        return Err((
            FieldCode::TooLong,
            "must have at most 16 digits before the decimal point".into(),
        ));
    }
    Ok(Value::scaled(decimal, scale))
}

fn read_text(kind: &Kind, text: &str) -> Result<Value, Misfit> {
    match kind {
        Kind::Text { max, .. } => {
            let length = text.chars().count();
            if length > *max {
                return Err((
                    FieldCode::TooLong,
                    format!("must have at most {max} characters, not {length}"),
                ));
            }
            Ok(Value::Text(text.to_owned()))
        }
        Kind::Date => {
            let shaped = text.len() == 10 && text.is_ascii();
            let date = shaped.then(|| Date::from_str(text).ok()).flatten();
            date.map(Value::Date)
                .ok_or_else(|| wrong_type("a date such as 2026-01-31"))
        }
        Kind::DateTime => millis(text)
            .map(Value::DateTime)
            .ok_or_else(|| wrong_type("an RFC 3339 moment such as 2026-01-31T12:00:00Z")),
        Kind::Enum(values) if values.iter().any(|value| value == text) => Ok(Value::Text(text.to_owned())),
        Kind::Enum(values) => Err((
            FieldCode::UnknownValue,
            format!("must be one of {}", values.join(", ")),
        )),
        Kind::Reference(_) => {
            // One spelling per id: no sign, no leading zero.
            let id = text.parse::<u64>().ok().filter(|id| id.to_string() == text);
            id.map(Value::Reference)
                .ok_or_else(|| (FieldCode::NoSuchRecord, "is the id of no record".into()))
        }
        Kind::Boolean => Err(wrong_type("true or false")),
        Kind::Decimal { .. } | Kind::Integer => Err(wrong_type("a number")),
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Blank => serializer.serialize_none(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Decimal(decimal) => {
                // The digits as they stand: a JSON number that keeps both places.
                let number = Number::from_str(&decimal.to_string()).map_err(serde::ser::Error::custom)?;
                number.serialize(serializer)
            }
            Self::Text(text) => serializer.serialize_str(text),
            other => serializer.serialize_str(&other.shown()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MONEY: Kind = Kind::Decimal { scale: MONEY_SCALE };

    fn round_trip(kind: &Kind, json: &str) -> Result<String, FieldCode> {
        let json: Json = serde_json::from_str(json).unwrap();
        let value = Value::read(kind, &json).map_err(|(code, _)| code)?;
        Ok(serde_json::to_string(&value).unwrap())
    }

    #[test]
    fn decimals_keep_their_digits_and_two_places() {
        for (given, kept) in [
            ("12.3", "12.30"),
            ("9007199254740993.01", "9007199254740993.01"),
            ("-0.10", "-0.10"),
            ("1e3", "1000.00"),
            ("5.100", "5.10"),
            ("0", "0.00"),
        ] {
            assert_eq!(round_trip(&MONEY, given), Ok(kept.to_owned()));
        }
        assert_eq!(round_trip(&MONEY, "0.001"), Err(FieldCode::WrongType));
        assert_eq!(round_trip(&MONEY, "\"1.00\""), Err(FieldCode::WrongType));
        assert_eq!(round_trip(&MONEY, "10000000000000000"), Err(FieldCode::TooLong));
        assert_eq!(round_trip(&MONEY, "1e99"), Err(FieldCode::WrongType));
    }

    #[test]
    fn quantities_keep_four_places_and_whole_numbers_none() {
        let quantity = Kind::Decimal { scale: 4 };
        assert_eq!(round_trip(&quantity, "2.5"), Ok("2.5000".into()));
        assert_eq!(round_trip(&quantity, "0.00001"), Err(FieldCode::WrongType));
        assert_eq!(round_trip(&Kind::Integer, "7"), Ok("7".into()));
        assert_eq!(round_trip(&Kind::Integer, "7.5"), Err(FieldCode::WrongType));
        assert_eq!(round_trip(&Kind::Integer, "\"7\""), Err(FieldCode::WrongType));
    }

    #[test]
    fn dates_and_moments_are_strict() {
        assert_eq!(
            round_trip(&Kind::Date, "\"2024-02-29\""),
            Ok("\"2024-02-29\"".into())
        );
        assert_eq!(
            round_trip(&Kind::Date, "\"2023-02-29\""),
            Err(FieldCode::WrongType)
        );
        assert_eq!(round_trip(&Kind::Date, "\"20240229\""), Err(FieldCode::WrongType));
        assert_eq!(
            round_trip(&Kind::DateTime, "\"2026-01-05T11:11:12.123456+01:00\""),
            Ok("\"2026-01-05T10:11:12.123Z\"".into())
        );
        assert_eq!(
            round_trip(&Kind::DateTime, "\"2026-01-05T10:11:12\""),
            Err(FieldCode::WrongType)
        );
        assert_eq!(
            round_trip(&Kind::DateTime, "\"2026-01-05\""),
            Err(FieldCode::WrongType)
        );
    }

    #[test]
    fn texts_are_kept_as_given_and_empty_ones_are_blank() {
        let kind = Kind::Text { max: 3, phone: false };
        assert_eq!(round_trip(&kind, "\" ü \""), Ok("\" ü \"".into()));
        assert_eq!(round_trip(&kind, "\"\""), Ok("null".into()));
        assert_eq!(round_trip(&kind, "\"four\""), Err(FieldCode::TooLong));
        assert_eq!(round_trip(&kind, "7"), Err(FieldCode::WrongType));
    }

    #[test]
    fn references_have_one_spelling() {
        assert_eq!(round_trip(&Kind::Reference(0), "\"17\""), Ok("\"17\"".into()));
        assert_eq!(
            round_trip(&Kind::Reference(0), "\"017\""),
            Err(FieldCode::NoSuchRecord)
        );
        assert_eq!(round_trip(&Kind::Reference(0), "17"), Err(FieldCode::WrongType));
    }

    #[test]
    fn phones_fold_to_digits() {
        let phone = Kind::Text { max: 40, phone: true };
        assert_eq!(fold(&phone, "+49 (30) 12-34"), "49301234");
        assert_eq!(fold(&Kind::Date, " ÄB "), "äb");
    }
}
