//! Values in MySQL's binary protocol.

use super::super::catalogue::Kind;
use super::super::value::{Cell, parsed, text};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use mysql_async::Value;
use mysql_async::consts::ColumnType;
use rust_decimal::Decimal;

/// What a value of a column says.
pub(super) fn cell(value: Value, of: ColumnType, kind: Option<Kind>) -> Cell {
    match value {
        Value::NULL => Cell::Null,
        Value::Int(number) => Cell::Integer(number),
        Value::UInt(number) => {
            i64::try_from(number).map_or_else(|_| Cell::Decimal(Decimal::from(number)), Cell::Integer)
        }
        Value::Float(number) => decimal(&number.to_string()),
        Value::Double(number) => decimal(&number.to_string()),
        Value::Date(year, month, day, hour, minute, second, micros) => {
            let at = [
                year,
                u16::from(month),
                u16::from(day),
                u16::from(hour),
                u16::from(minute),
                u16::from(second),
            ];
            dated(at, micros, of)
                .unwrap_or_else(|| Cell::Odd(format!("`{year:04}-{month:02}-{day:02}` is no date")))
        }
        Value::Time(negative, days, hours, minutes, seconds, _) => {
            let sign = if negative { "-" } else { "" };
            Cell::Text(format!(
                "{sign}{:02}:{minutes:02}:{seconds:02}",
                days * 24 + u32::from(hours)
            ))
        }
        Value::Bytes(bytes) if of == ColumnType::MYSQL_TYPE_BIT => {
            let number = bytes.iter().try_fold(0_i64, |sum, byte| {
                sum.checked_mul(256)?.checked_add(i64::from(*byte))
            });
            number.map_or_else(|| Cell::Odd("it is too large".to_owned()), Cell::Integer)
        }
        Value::Bytes(_) if kind == Some(Kind::Bytes) => {
            Cell::Odd("it holds bytes that are no text".to_owned())
        }
        Value::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text)
                if matches!(
                    of,
                    ColumnType::MYSQL_TYPE_NEWDECIMAL | ColumnType::MYSQL_TYPE_DECIMAL
                ) =>
            {
                decimal(&text)
            }
            Ok(text) => Cell::Text(text),
            Err(_) => Cell::Odd("it is no text of UTF-8".to_owned()),
        },
    }
}

fn decimal(text: &str) -> Cell {
    parsed(text).map_or_else(
        || Cell::Odd(format!("`{text}` cannot be kept digit for digit")),
        Cell::Decimal,
    )
}

fn dated(at: [u16; 6], micros: u32, of: ColumnType) -> Option<Cell> {
    let [year, month, day, hour, minute, second] = at.map(|part| i16::try_from(part).ok());
    let small = |part: Option<i16>| i8::try_from(part?).ok();
    let date = Date::new(year?, small(month)?, small(day)?).ok()?;
    if matches!(of, ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE) {
        return Some(Cell::Date(date));
    }
    let nanos = i32::try_from(micros.checked_mul(1_000)?).ok()?;
    let time = jiff::civil::Time::new(small(hour)?, small(minute)?, small(second)?, nanos).ok()?;
    let at = DateTime::from_parts(date, time);
    match of {
        // The session's zone is UTC.
        ColumnType::MYSQL_TYPE_TIMESTAMP | ColumnType::MYSQL_TYPE_TIMESTAMP2 => {
            TimeZone::UTC.to_timestamp(at).ok().map(Cell::Moment)
        }
        _ => Some(Cell::Civil(at)),
    }
}

/// What a statement is given.
pub(super) fn given(cell: &Cell) -> Value {
    match cell {
        Cell::Null | Cell::Odd(_) => Value::NULL,
        Cell::Boolean(yes) => Value::Int(i64::from(*yes)),
        Cell::Integer(number) => Value::Int(*number),
        Cell::Date(date) => moment(date.to_datetime(jiff::civil::Time::midnight())),
        Cell::Civil(at) => moment(*at),
        Cell::Moment(at) => moment(TimeZone::UTC.to_datetime(*at)),
        // With as many digits behind the point as it has.
        Cell::Decimal(number) => Value::Bytes(number.to_string().into_bytes()),
        cell @ Cell::Text(_) => Value::Bytes(text(cell).into_bytes()),
    }
}

fn moment(at: DateTime) -> Value {
    let small = |part: i8| u8::try_from(part).unwrap_or_default();
    Value::Date(
        u16::try_from(at.year()).unwrap_or_default(),
        small(at.month()),
        small(at.day()),
        small(at.hour()),
        small(at.minute()),
        small(at.second()),
        u32::try_from(at.subsec_nanosecond() / 1_000).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_date_that_is_none_is_odd_and_a_number_is_kept_digit_for_digit() {
        let read = |value, of| cell(value, of, None);
        let zero = Value::Date(0, 0, 0, 0, 0, 0, 0);
        assert_eq!(
            read(zero, ColumnType::MYSQL_TYPE_DATE),
            Cell::Odd("`0000-00-00` is no date".to_owned())
        );
        let bytes = |text: &str| Value::Bytes(text.as_bytes().to_vec());
        let number = "12345678901234567890.1234";
        assert_eq!(
            read(bytes(number), ColumnType::MYSQL_TYPE_NEWDECIMAL),
            Cell::Decimal(number.parse().unwrap())
        );
        assert_eq!(
            read(Value::Bytes(vec![1]), ColumnType::MYSQL_TYPE_BIT),
            Cell::Integer(1)
        );
        assert_eq!(
            read(Value::Float(14.4), ColumnType::MYSQL_TYPE_FLOAT),
            decimal("14.4")
        );
        let most = read(Value::UInt(u64::MAX), ColumnType::MYSQL_TYPE_LONGLONG);
        assert_eq!(most, Cell::Decimal(u64::MAX.into()));
        let at = Cell::Moment("2026-07-01T12:00:00.123456Z".parse().unwrap());
        assert_eq!(read(given(&at), ColumnType::MYSQL_TYPE_TIMESTAMP), at);
        let day = Cell::Date("2024-02-29".parse().unwrap());
        assert_eq!(read(given(&day), ColumnType::MYSQL_TYPE_DATE), day);
    }
}
