//! Values in cells.

use super::description::{Column, Records};
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp, Zoned};
use rust_decimal::Decimal;
use tandem_merge::value::Value;

/// What a cell says, or why it cannot be read.
pub(super) fn read(of: &Records, column: &Column, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    match column.data_type.as_str() {
        "boolean" if trimmed == column.yes => return Ok(Value::Boolean(true)),
        "boolean" if trimmed == column.no => return Ok(Value::Boolean(false)),
        _ if trimmed.is_empty() => return Ok(Value::Blank),
        _ => {}
    }
    let wrong = || format!("`{}` is no {}", shortened(trimmed), column.data_type);
    match column.data_type.as_str() {
        "integer" => trimmed.parse().map(Value::Integer).map_err(|_| wrong()),
        "decimal" => decimal(trimmed, of.decimal_comma)
            .map(Value::Decimal)
            .ok_or_else(wrong),
        "boolean" => Err(format!(
            "`{}` is neither `{}` nor `{}`",
            shortened(trimmed),
            column.yes,
            column.no
        )),
        "date" => date(column, trimmed).map(Value::Date).ok_or_else(wrong),
        "datetime" => moment(of, column.format.as_deref(), trimmed)
            .map(Value::DateTime)
            .ok_or_else(wrong),
        _ => Ok(Value::text(text)),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn decimal(text: &str, comma: bool) -> Option<Decimal> {
    if !comma {
        return text.parse().ok();
    }
    // `1.234,50`: points part thousands there.
    text.replace(['.', ' ', '\u{a0}'], "")
        .replace(',', ".")
        .parse()
        .ok()
}

fn date(column: &Column, text: &str) -> Option<Date> {
    match &column.format {
        Some(format) => Date::strptime(format, text).ok(),
        None => text.parse().ok(),
    }
}

/// A moment; without a zone of its own it is one of the file's zone.
pub(super) fn moment(of: &Records, format: Option<&str>, text: &str) -> Option<Timestamp> {
    let local = |time: DateTime| of.zone.to_zoned(time).ok().map(|zoned| zoned.timestamp());
    match format {
        Some(format) => {
            let parsed = strtime::parse(format, text).ok()?;
            parsed
                .to_timestamp()
                .ok()
                .or_else(|| local(parsed.to_datetime().ok()?))
        }
        None => text
            .parse()
            .ok()
            .or_else(|| local(text.replacen(' ', "T", 1).parse().ok()?)),
    }
}

/// How coarse a moment is that is written so: a day is one without its time.
pub(super) fn coarse(text: &str) -> SignedDuration {
    let day = text.len() == 10 && text.parse::<Date>().is_ok();
    if day {
        SignedDuration::from_hours(24)
    } else {
        SignedDuration::ZERO
    }
}

/// A value as a cell.
pub(super) fn write(of: &Records, column: &Column, value: &Value) -> String {
    match (value, column.format.as_deref()) {
        (Value::Decimal(number), _) if of.decimal_comma => number.to_string().replace('.', ","),
        (Value::Boolean(true), _) => column.yes.clone(),
        (Value::Boolean(false), _) => column.no.clone(),
        (Value::Date(day), Some(format)) => strtime::format(format, *day).unwrap_or_else(|_| day.to_string()),
        (Value::DateTime(moment), Some(format)) => {
            let zoned: Zoned = moment.to_zoned(of.zone.clone());
            strtime::format(format, &zoned).unwrap_or_else(|_| moment.to_string())
        }
        (Value::DateTime(moment), None) => format!("{moment:.3}"),
        (value, _) => value.to_string(),
    }
}
