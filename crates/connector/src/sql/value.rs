//! Values as they travel to and from a database, and what they are to everybody else.

use super::catalogue::Kind;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use tandem_merge::value::Value;

/// A value of a row, or one that a statement is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cell {
    Null,
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(String),
    Date(Date),
    Civil(DateTime),
    Moment(Timestamp),
    /// What no value can hold, with what it is.
    Odd(String),
}

impl Cell {
    /// Bytes that tell it from every other cell, also among its neighbours; equal numbers have the same.
    pub(super) fn tell(&self, said: &mut Vec<u8>) {
        match self {
            Self::Null => said.push(b'-'),
            Self::Boolean(yes) => said.extend([b'b', u8::from(*yes)]),
            Self::Integer(number) => told(said, b'i', &number.to_le_bytes()),
            Self::Decimal(number) => told(said, b'n', &number.normalize().serialize()),
            Self::Text(text) => worded(said, b't', text),
            Self::Odd(text) => worded(said, b'o', text),
            Self::Date(date) => day_told(said, b'd', *date),
            Self::Civil(at) => {
                day_told(said, b'c', at.date());
                let time = at.time().duration_since(jiff::civil::Time::midnight());
                said.extend(time.as_nanos().to_le_bytes());
            }
            Self::Moment(at) => told(said, b'm', &at.as_nanosecond().to_le_bytes()),
        }
    }
}

fn told(said: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    said.push(kind);
    said.extend_from_slice(bytes);
}

fn worded(said: &mut Vec<u8>, kind: u8, text: &str) {
    told(said, kind, &(text.len() as u64).to_le_bytes());
    said.extend_from_slice(text.as_bytes());
}

fn day_told(said: &mut Vec<u8>, kind: u8, date: Date) {
    told(said, kind, &date.year().to_le_bytes());
    said.extend([date.month().cast_unsigned(), date.day().cast_unsigned()]);
}

/// How the values of a column are read and written.
#[derive(Clone, Debug)]
pub(super) struct Codec {
    pub(super) kind: Kind,
    /// What they are to others, where they are something else: `string`, `integer`, and so on.
    pub(super) shown: Shown,
    pub(super) zone: TimeZone,
    pub(super) blank_is_empty: bool,
    /// How a database without dates writes a date with its time.
    pub(super) layout: Layout,
}

/// What a value is to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    DateTime,
    /// The id of a record.
    Reference,
}

impl Shown {
    pub(super) fn of(data_type: &str) -> Self {
        match data_type {
            "integer" => Self::Integer,
            "decimal" => Self::Decimal,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "reference" => Self::Reference,
            _ => Self::Text,
        }
    }
}

/// How a date with its time is written as a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// `T` between the two; else a blank.
    pub(super) t: bool,
    /// `Z` at the end.
    pub(super) z: bool,
}

impl Codec {
    /// What a cell says.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn read(&self, cell: &Cell) -> Result<Value, String> {
        if let Cell::Odd(what) = cell {
            return Err(what.clone());
        }
        let wrong = |of: &str| Err(format!("`{}` is no {of}", shortened(&text(cell))));
        match (self.shown, cell) {
            (_, Cell::Null) => Ok(Value::Blank),
            (Shown::Text | Shown::Reference, cell) => Ok(Value::text(text(cell))),
            (Shown::Integer, cell) => {
                integer(cell).map_or_else(|| wrong("whole number"), |n| Ok(Value::Integer(n)))
            }
            (Shown::Decimal, cell) => {
                decimal(cell).map_or_else(|| wrong("number"), |n| Ok(Value::Decimal(n)))
            }
            (Shown::Boolean, cell) => {
                boolean(cell).map_or_else(|| wrong("boolean"), |yes| Ok(Value::Boolean(yes)))
            }
            (Shown::Date, Cell::Text(text)) if text.is_empty() => Ok(Value::Blank),
            (Shown::DateTime, Cell::Text(text)) if text.is_empty() => Ok(Value::Blank),
            (Shown::Date, cell) => date(cell).map_or_else(|| wrong("date"), |date| Ok(Value::Date(date))),
            (Shown::DateTime, cell) => self
                .moment(cell)
                .map_or_else(|| wrong("date with a time"), |at| Ok(Value::DateTime(at))),
        }
    }

    /// The moment that a cell says.
    pub(super) fn moment(&self, cell: &Cell) -> Option<Timestamp> {
        match cell {
            Cell::Moment(at) => Some(*at),
            Cell::Civil(at) => self.in_zone(*at),
            Cell::Date(date) => self.in_zone(date.to_datetime(jiff::civil::Time::midnight())),
            Cell::Integer(number) if self.kind == Kind::Milliseconds => {
                Timestamp::from_millisecond(*number).ok()
            }
            Cell::Integer(number) => Timestamp::from_second(*number).ok(),
            Cell::Text(text) => match text.parse() {
                Ok(at) => Some(at),
                Err(_) => self.in_zone(text.parse().ok()?),
            },
            _ => None,
        }
    }

    /// How coarse the moment is that a cell says: a day is one without its time.
    pub(super) fn coarse(&self, cell: &Cell) -> SignedDuration {
        let day = match cell {
            Cell::Date(_) => true,
            Cell::Text(text) => text.len() == 10 && text.parse::<Date>().is_ok(),
            _ => false,
        };
        if day {
            SignedDuration::from_hours(24)
        } else {
            SignedDuration::ZERO
        }
    }

    fn in_zone(&self, at: DateTime) -> Option<Timestamp> {
        self.zone.to_timestamp(at).ok()
    }

    /// A value as the column takes it.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn write(&self, value: &Value) -> Result<Cell, String> {
        if value.is_blank() {
            return Ok(match self.blank_is_empty {
                true => Cell::Text(String::new()),
                false => Cell::Null,
            });
        }
        let said = shortened(&value.to_string());
        let fits = |cell: Option<Cell>, of: &str| cell.ok_or_else(|| format!("`{said}` is no {of}"));
        match self.kind {
            Kind::Text | Kind::Other | Kind::Bytes => self.written_text(value),
            Kind::Uuid => fits(uuid(value), "UUID"),
            Kind::Integer => fits(whole(value).map(Cell::Integer), "whole number"),
            Kind::Decimal | Kind::Float => fits(number(value).map(Cell::Decimal), "number"),
            Kind::Boolean => fits(yes(value).map(Cell::Boolean), "boolean"),
            Kind::Date => fits(day(value).map(Cell::Date), "date"),
            Kind::Moment | Kind::Civil | Kind::Seconds | Kind::Milliseconds => {
                let at = match value {
                    Value::DateTime(at) => Some(*at),
                    Value::Date(date) => self.in_zone(date.to_datetime(jiff::civil::Time::midnight())),
                    Value::Text(text) => self.moment(&Cell::Text(text.clone())),
                    _ => None,
                };
                fits(at.map(|at| self.at(at)), "date with a time")
            }
        }
    }

    /// A moment as the column takes it.
    pub(super) fn at(&self, at: Timestamp) -> Cell {
        match self.kind {
            Kind::Seconds => Cell::Integer(at.as_second()),
            Kind::Milliseconds => Cell::Integer(at.as_millisecond()),
            Kind::Date => Cell::Date(self.zone.to_datetime(at).date()),
            Kind::Civil => Cell::Civil(self.zone.to_datetime(at)),
            Kind::Text => Cell::Text(self.layout.write(self.zone.to_datetime(at))),
            _ => Cell::Moment(at),
        }
    }

    /// A cell of the column that stands no later than anything that is changed after a moment: where clocks are set
    /// back in autumn, the same hour comes twice.
    pub(super) fn since(&self, at: Timestamp) -> Cell {
        let local = matches!(self.kind, Kind::Civil | Kind::Date | Kind::Text);
        let soon = at.checked_add(SignedDuration::from_hours(2)).unwrap_or(at);
        let (now, then) = (self.zone.to_offset(at), self.zone.to_offset(soon));
        let back = SignedDuration::from_secs(i64::from(now.seconds() - then.seconds()));
        match local && back.is_positive() {
            true => self.at(at.checked_sub(back).unwrap_or(at)),
            false => self.at(at),
        }
    }

    fn written_text(&self, value: &Value) -> Result<Cell, String> {
        let text = match (self.shown, value) {
            (Shown::DateTime, Value::DateTime(at)) => self.layout.write(self.zone.to_datetime(*at)),
            (_, value) => value.to_string(),
        };
        if text.contains('\0') {
            return Err("a text with a NUL character cannot be kept".to_owned());
        }
        Ok(Cell::Text(text))
    }
}

impl Layout {
    /// As others wrote it.
    pub(super) fn of(sample: &str) -> Self {
        Self {
            t: sample.as_bytes().get(10) == Some(&b'T'),
            z: sample.ends_with('Z'),
        }
    }

    pub(super) fn write(self, at: DateTime) -> String {
        let parted = if self.t { "T" } else { " " };
        let end = if self.z { "Z" } else { "" };
        format!("{}{parted}{}{end}", at.date(), at.time())
    }
}

/// A cell as a text, as it stands in an id.
pub(super) fn text(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Boolean(yes) => yes.to_string(),
        Cell::Integer(number) => number.to_string(),
        Cell::Decimal(number) => number.normalize().to_string(),
        Cell::Text(text) | Cell::Odd(text) => text.clone(),
        Cell::Date(date) => date.to_string(),
        Cell::Civil(at) => at.to_string(),
        Cell::Moment(at) => at.to_string(),
    }
}

/// No more of a value than tells which it is.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn integer(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Integer(number) => Some(*number),
        Cell::Boolean(yes) => Some(i64::from(*yes)),
        Cell::Decimal(number) => exact(*number),
        Cell::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn exact(number: Decimal) -> Option<i64> {
    number.is_integer().then(|| number.to_i64()).flatten()
}

fn decimal(cell: &Cell) -> Option<Decimal> {
    match cell {
        Cell::Integer(number) => Some(Decimal::from(*number)),
        Cell::Decimal(number) => Some(*number),
        Cell::Text(text) => parsed(text.trim()),
        _ => None,
    }
}

/// A number by its text, digit for digit; none where it has more digits than are kept.
pub(super) fn parsed(text: &str) -> Option<Decimal> {
    match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok(),
        false => Decimal::from_str_exact(text).ok(),
    }
}

fn boolean(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Boolean(yes) => Some(*yes),
        Cell::Integer(0) => Some(false),
        Cell::Integer(1) => Some(true),
        Cell::Decimal(number) => match exact(*number)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Cell::Text(text) => match text.to_ascii_lowercase().as_str() {
            "0" | "f" | "false" | "n" | "no" => Some(false),
            "1" | "t" | "true" | "y" | "yes" => Some(true),
            _ => None,
        },
        _ => None,
    }
}

fn date(cell: &Cell) -> Option<Date> {
    match cell {
        Cell::Date(date) => Some(*date),
        Cell::Civil(at) => Some(at.date()),
        // As strict as `2024-02-29`, also where a time of midnight stands behind it.
        Cell::Text(text) => match text.parse::<Date>() {
            Ok(date) if text.len() == 10 => Some(date),
            _ => {
                let at: DateTime = text.parse().ok()?;
                (at.time() == jiff::civil::Time::midnight()).then(|| at.date())
            }
        },
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Decimal(number) => exact(*number),
        Value::Boolean(yes) => Some(i64::from(*yes)),
        // Ids of records are texts.
        Value::Text(text) => text
            .parse()
            .ok()
            .filter(|number: &i64| number.to_string() == *text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        Value::Text(text) => parsed(text),
        _ => None,
    }
}

fn yes(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(yes) => Some(*yes),
        Value::Integer(0) => Some(false),
        Value::Integer(1) => Some(true),
        Value::Text(text) => boolean(&Cell::Text(text.clone())),
        _ => None,
    }
}

fn day(value: &Value) -> Option<Date> {
    match value {
        Value::Date(date) => Some(*date),
        Value::Text(text) => date(&Cell::Text(text.clone())),
        _ => None,
    }
}

fn uuid(value: &Value) -> Option<Cell> {
    let text = value.as_text()?.to_ascii_lowercase();
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    (text.len() == 36 && text.bytes().enumerate().all(fits)).then_some(Cell::Text(text))
}
