//! Values in SQL Server's protocol.

use super::super::catalogue::Kind;
use super::super::value::{Cell, parsed};
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use rust_decimal::Decimal;
use std::borrow::Cow;
use tiberius::numeric::Numeric;
use tiberius::time::{Date as Day, DateTime2, DateTimeOffset, Time as Clock};
use tiberius::{ColumnData, ColumnType, ToSql};

/// Days are counted from here, and those of the older types from the other.
const FIRST: Date = date(1, 1, 1);
const OLD: Date = date(1900, 1, 1);
const OUT_OF_REACH: &str = "its year is out of reach";

/// What a value of a column says.
pub(super) fn cell(value: ColumnData<'static>, of: ColumnType, kind: Option<Kind>) -> Cell {
    let read = match value {
        ColumnData::U8(number) => number.map(|number| Cell::Integer(i64::from(number))),
        ColumnData::I16(number) => number.map(|number| Cell::Integer(i64::from(number))),
        ColumnData::I32(number) => number.map(|number| Cell::Integer(i64::from(number))),
        ColumnData::I64(number) => number.map(Cell::Integer),
        ColumnData::F32(number) => number.map(|number| float(&number.to_string())),
        ColumnData::F64(number) => number.map(|number| float(&number.to_string())),
        ColumnData::Bit(yes) => yes.map(Cell::Boolean),
        ColumnData::String(text) => text.map(|text| match of {
            // Blanks at its end are no part of it.
            ColumnType::BigChar | ColumnType::NChar => Cell::Text(text.trim_end_matches(' ').to_owned()),
            _ => Cell::Text(text.into_owned()),
        }),
        ColumnData::Guid(id) => id.map(|id| Cell::Text(id.to_string())),
        ColumnData::Binary(bytes) => bytes.map(|bytes| match std::str::from_utf8(&bytes) {
            Ok(text) if kind != Some(Kind::Bytes) => Cell::Text(text.to_owned()),
            _ => Cell::Odd("it holds bytes that are no text".to_owned()),
        }),
        ColumnData::Numeric(number) => number.map(decimal),
        ColumnData::Xml(xml) => xml.map(|xml| Cell::Text(xml.to_string())),
        ColumnData::DateTime(at) => at.map(|at| {
            // Three hundredths of a second, told in whole milliseconds as the server itself tells them.
            let milliseconds = (u64::from(at.seconds_fragments()) * 10 + 1) / 3;
            civil(OLD, i64::from(at.days()), milliseconds.saturating_mul(1_000_000))
        }),
        ColumnData::SmallDateTime(at) => at.map(|at| {
            let minutes = u64::from(at.seconds_fragments());
            civil(OLD, i64::from(at.days()), minutes * 60_000_000_000)
        }),
        ColumnData::Time(time) => time.map(|time| match clock(nanoseconds(time)) {
            Some(time) => Cell::Text(time.to_string()),
            None => Cell::Odd("it is no time of a day".to_owned()),
        }),
        ColumnData::Date(day) => day.map(|day| {
            let date = later(FIRST, i64::from(day.days()));
            date.map_or_else(|| Cell::Odd(OUT_OF_REACH.to_owned()), Cell::Date)
        }),
        ColumnData::DateTime2(at) => at.map(civil2),
        // It is asked for in UTC.
        ColumnData::DateTimeOffset(at) => at.map(|at| match civil2(at.datetime2()) {
            Cell::Civil(at) => TimeZone::UTC
                .to_timestamp(at)
                .map_or_else(|_| Cell::Odd(OUT_OF_REACH.to_owned()), Cell::Moment),
            odd => odd,
        }),
    };
    read.unwrap_or(Cell::Null)
}

fn float(text: &str) -> Cell {
    parsed(text).map_or_else(
        || Cell::Odd(format!("`{text}` cannot be kept digit for digit")),
        Cell::Decimal,
    )
}

fn decimal(number: Numeric) -> Cell {
    let (mut value, mut scale) = (number.value(), u32::from(number.scale()));
    // More digits behind the point than are kept may all be noughts.
    while scale > 28 && value % 10 == 0 {
        value /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(value, scale).map_or_else(
        |_| Cell::Odd("it has more digits than can be kept".to_owned()),
        Cell::Decimal,
    )
}

fn later(from: Date, days: i64) -> Option<Date> {
    let span = Span::new().try_days(days).ok()?;
    from.checked_add(span).ok()
}

fn clock(nanoseconds: u64) -> Option<Time> {
    let since = SignedDuration::from_nanos(i64::try_from(nanoseconds).ok()?);
    Time::midnight().checked_add(since).ok()
}

fn civil(from: Date, days: i64, nanoseconds: u64) -> Cell {
    let at = later(from, days).zip(clock(nanoseconds));
    at.map_or_else(
        || Cell::Odd(OUT_OF_REACH.to_owned()),
        |(date, time)| Cell::Civil(DateTime::from_parts(date, time)),
    )
}

fn civil2(at: DateTime2) -> Cell {
    civil(FIRST, i64::from(at.date().days()), nanoseconds(at.time()))
}

/// A time is counted in parts of a second, ten to the power of its scale.
fn nanoseconds(time: Clock) -> u64 {
    let power = 9_u32.saturating_sub(u32::from(time.scale()));
    time.increments().saturating_mul(10_u64.pow(power))
}

/// A value that a statement is given.
#[derive(Debug)]
pub(super) struct Given<'a>(pub(super) &'a Cell);

impl ToSql for Given<'_> {
    fn to_sql(&self) -> ColumnData<'_> {
        match self.0 {
            Cell::Null | Cell::Odd(_) => ColumnData::String(None),
            Cell::Boolean(yes) => ColumnData::Bit(Some(*yes)),
            Cell::Integer(number) => ColumnData::I64(Some(*number)),
            Cell::Decimal(number) => {
                let scale = u8::try_from(number.scale()).unwrap_or_default();
                ColumnData::Numeric(Some(Numeric::new_with_scale(number.mantissa(), scale)))
            }
            Cell::Text(text) => ColumnData::String(Some(Cow::Borrowed(text))),
            Cell::Date(date) => ColumnData::Date(Some(Day::new(days(*date)))),
            Cell::Civil(at) => ColumnData::DateTime2(Some(moment(*at))),
            Cell::Moment(at) => {
                let at = moment(TimeZone::UTC.to_datetime(*at));
                ColumnData::DateTimeOffset(Some(DateTimeOffset::new(at, 0)))
            }
        }
    }
}

fn days(date: Date) -> u32 {
    let days = FIRST.until((jiff::Unit::Day, date)).map(|span| span.get_days());
    u32::try_from(days.unwrap_or_default()).unwrap_or_default()
}

fn moment(at: DateTime) -> DateTime2 {
    let time = at.time().duration_since(Time::midnight());
    let hundreds = u64::try_from(time.as_nanos() / 100).unwrap_or_default();
    DateTime2::new(Day::new(days(at.date())), Clock::new(hundreds, 7))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tiberius::time::{DateTime as Old, SmallDateTime};

    fn read(value: ColumnData<'static>) -> Cell {
        cell(value, ColumnType::NVarchar, None)
    }

    fn at(text: &str) -> Cell {
        Cell::Civil(text.parse().unwrap())
    }

    #[test]
    fn dates_and_times_are_read_as_the_server_tells_them() {
        for (parts, shown) in [
            (0, "00:00"),
            (1, "00:00:00.003"),
            (2, "00:00:00.007"),
            (299, "00:00:00.997"),
        ] {
            let shown = at(&format!("1900-01-02T{shown}"));
            assert_eq!(read(ColumnData::DateTime(Some(Old::new(1, parts)))), shown);
        }
        let small = SmallDateTime::new(365, 61);
        assert_eq!(
            read(ColumnData::SmallDateTime(Some(small))),
            at("1901-01-01T01:01")
        );
        let seven = DateTime2::new(Day::new(738_000), Clock::new(1_234_567, 7));
        assert_eq!(
            read(ColumnData::DateTime2(Some(seven))),
            at("2021-07-30T00:00:00.1234567")
        );
        let three = DateTime2::new(Day::new(738_000), Clock::new(1_234, 3));
        assert_eq!(
            read(ColumnData::DateTime2(Some(three))),
            at("2021-07-30T00:00:01.234")
        );
        assert_eq!(read(ColumnData::Date(None)), Cell::Null);
    }

    #[test]
    fn what_is_given_is_what_is_read() {
        let cells = [
            Cell::Boolean(true),
            Cell::Integer(i64::MIN),
            Cell::Text("ä'\"\\".to_owned()),
            Cell::Decimal("-12345678901234567890.1234".parse().unwrap()),
            Cell::Date("0001-01-01".parse().unwrap()),
            Cell::Date("2024-02-29".parse().unwrap()),
            at("1969-12-31T23:59:59.9999999"),
            Cell::Moment("2026-07-01T12:00:00.123456Z".parse().unwrap()),
        ];
        for cell in cells {
            let owned = match Given(&cell).to_sql() {
                ColumnData::String(Some(text)) => ColumnData::String(Some(Cow::Owned(text.into_owned()))),
                ColumnData::Bit(yes) => ColumnData::Bit(yes),
                ColumnData::I64(number) => ColumnData::I64(number),
                ColumnData::Numeric(number) => ColumnData::Numeric(number),
                ColumnData::Date(day) => ColumnData::Date(day),
                ColumnData::DateTime2(at) => ColumnData::DateTime2(at),
                ColumnData::DateTimeOffset(at) => ColumnData::DateTimeOffset(at),
                other => panic!("{other:?}"),
            };
            assert_eq!(read(owned), cell);
        }
    }
}
