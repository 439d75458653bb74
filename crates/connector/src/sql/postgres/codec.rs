//! Values in PostgreSQL's binary format.

use super::super::value::{Cell, parsed, text};
use jiff::civil::{Date, DateTime, date};
use jiff::{SignedDuration, Span, Timestamp};
use rust_decimal::Decimal;
use std::error::Error;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

/// PostgreSQL counts from here.
const EPOCH: Date = date(2000, 1, 1);
const EPOCH_SECOND: i64 = 946_684_800;
const INFINITE: &str = "it is infinite";

type Fault = Box<dyn Error + Sync + Send>;

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        let of = base(of);
        Ok(match *of {
            Type::BOOL => Self::Boolean(raw.first() == Some(&1)),
            Type::INT2 => Self::Integer(i64::from(i16::from_be_bytes(raw.try_into()?))),
            Type::INT4 => Self::Integer(i64::from(i32::from_be_bytes(raw.try_into()?))),
            Type::INT8 => Self::Integer(i64::from_be_bytes(raw.try_into()?)),
            // The shortest text that stands for a floating number is what people see of it.
            Type::FLOAT4 => float(&f32::from_be_bytes(raw.try_into()?).to_string()),
            Type::FLOAT8 => float(&f64::from_be_bytes(raw.try_into()?).to_string()),
            Type::NUMERIC => numeric(raw).unwrap_or_else(Self::Odd),
            Type::DATE => day(i32::from_be_bytes(raw.try_into()?)),
            Type::TIMESTAMP => civil(i64::from_be_bytes(raw.try_into()?)),
            Type::TIMESTAMPTZ => moment(i64::from_be_bytes(raw.try_into()?)),
            Type::UUID => Self::Text(uuid(raw)),
            // Blanks at its end are no part of it.
            Type::BPCHAR => Self::Text(std::str::from_utf8(raw)?.trim_end_matches(' ').to_owned()),
            _ => Self::Text(std::str::from_utf8(raw)?.to_owned()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Cell {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        let of = base(of);
        match (of, self) {
            (_, Self::Null) => return Ok(IsNull::Yes),
            (&Type::BOOL, Self::Boolean(yes)) => out.extend_from_slice(&[u8::from(*yes)]),
            (&Type::INT2, Self::Integer(number)) => {
                out.extend_from_slice(&i16::try_from(*number)?.to_be_bytes())
            }
            (&Type::INT4, Self::Integer(number)) => {
                out.extend_from_slice(&i32::try_from(*number)?.to_be_bytes())
            }
            (&Type::INT8, Self::Integer(number)) => out.extend_from_slice(&number.to_be_bytes()),
            (&Type::DATE, Self::Date(date)) => {
                let days = EPOCH.until((jiff::Unit::Day, *date))?.get_days();
                out.extend_from_slice(&days.to_be_bytes());
            }
            (&Type::TIMESTAMP, Self::Civil(at)) => {
                let since = at.duration_since(EPOCH.to_datetime(jiff::civil::Time::midnight()));
                out.extend_from_slice(&i64::try_from(since.as_micros())?.to_be_bytes());
            }
            (&Type::TIMESTAMPTZ, Self::Moment(at)) => {
                let micros = at.as_microsecond() - EPOCH_SECOND * 1_000_000;
                out.extend_from_slice(&micros.to_be_bytes());
            }
            (&Type::BOOL | &Type::INT2 | &Type::INT4 | &Type::INT8, _)
            | (&Type::DATE | &Type::TIMESTAMP | &Type::TIMESTAMPTZ, _) => {
                return Err(format!("a value of another type is given for one of {of}").into());
            }
            (_, cell) => out.extend_from_slice(text(cell).as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn base(of: &Type) -> &Type {
    match of.kind() {
        Kind::Domain(inner) => base(inner),
        _ => of,
    }
}

fn float(text: &str) -> Cell {
    parsed(text).map_or_else(
        || Cell::Odd(format!("`{text}` cannot be kept digit for digit")),
        Cell::Decimal,
    )
}

fn day(days: i32) -> Cell {
    if days == i32::MAX || days == i32::MIN {
        return Cell::Odd(INFINITE.to_owned());
    }
    let date = Span::new()
        .try_days(days)
        .and_then(|span| EPOCH.checked_add(span));
    date.map_or_else(|_| Cell::Odd("its year is out of reach".to_owned()), Cell::Date)
}

fn civil(micros: i64) -> Cell {
    if micros == i64::MAX || micros == i64::MIN {
        return Cell::Odd(INFINITE.to_owned());
    }
    let epoch = DateTime::from_parts(EPOCH, jiff::civil::Time::midnight());
    let at = epoch.checked_add(SignedDuration::from_micros(micros));
    at.map_or_else(|_| Cell::Odd("its year is out of reach".to_owned()), Cell::Civil)
}

fn moment(micros: i64) -> Cell {
    if micros == i64::MAX || micros == i64::MIN {
        return Cell::Odd(INFINITE.to_owned());
    }
    let since = micros.checked_add(EPOCH_SECOND * 1_000_000);
    let at = since.and_then(|since| Timestamp::from_microsecond(since).ok());
    at.map_or_else(|| Cell::Odd("its year is out of reach".to_owned()), Cell::Moment)
}

/// Digits of ten thousand each, the first of them before the point.
fn numeric(raw: &[u8]) -> Result<Cell, String> {
    let word = |at: usize| {
        raw.get(at * 2..at * 2 + 2)
            .map(|two| i16::from_be_bytes([two[0], two[1]]))
    };
    let [Some(count), Some(weight), Some(sign), Some(shown)] = [0, 1, 2, 3].map(word) else {
        return Err("it is no number".to_owned());
    };
    let negative = match sign.cast_unsigned() {
        0 => false,
        0x4000 => true,
        0xC000 => return Err("it is not a number (NaN)".to_owned()),
        _ => return Err(INFINITE.to_owned()),
    };
    let long = || "it has more digits than can be kept".to_owned();
    let mut whole: i128 = 0;
    for at in 0..usize::try_from(count).unwrap_or_default() {
        let digit = word(4 + at).ok_or_else(long)?;
        whole = whole
            .checked_mul(10_000)
            .and_then(|whole| whole.checked_add(i128::from(digit)))
            .ok_or_else(long)?;
    }
    let mut exponent = (i32::from(weight) + 1 - i32::from(count)) * 4;
    while exponent > 0 && whole != 0 {
        whole = whole.checked_mul(10).ok_or_else(long)?;
        exponent -= 1;
    }
    let mut scale = exponent.min(0).unsigned_abs();
    while scale > u32::from(shown.unsigned_abs()) && whole % 10 == 0 {
        whole /= 10;
        scale -= 1;
    }
    let whole = if negative { -whole } else { whole };
    Decimal::try_from_i128_with_scale(whole, scale)
        .map(Cell::Decimal)
        .map_err(|_| long())
}

fn uuid(raw: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in raw.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_read_digit_for_digit() {
        let read = |words: &[u16]| {
            let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            Cell::from_sql(&Type::NUMERIC, &raw).unwrap()
        };
        let number = |text: &str| Cell::Decimal(text.parse().unwrap());
        assert_eq!(read(&[2, 0, 0, 2, 12, 3400]), number("12.34"));
        assert_eq!(read(&[2, 0, 0x4000, 1, 12, 5000]), number("-12.5"));
        assert_eq!(read(&[1, 2, 0, 0, 5]), number("500000000"));
        assert_eq!(read(&[1, 0xFFFF, 0, 4, 7]), number("0.0007"));
        assert_eq!(read(&[0, 0, 0, 2]), number("0"));
        assert!(matches!(read(&[0, 0, 0xC000, 0]), Cell::Odd(_)));
        assert!(matches!(read(&[0, 0, 0xD000, 0]), Cell::Odd(_)));
        assert!(matches!(read(&[1, 30, 0, 0, 9999]), Cell::Odd(_)));
    }

    #[test]
    fn what_is_given_is_what_is_read() {
        let cells = [
            (Type::BOOL, Cell::Boolean(true)),
            (Type::INT2, Cell::Integer(-7)),
            (Type::INT8, Cell::Integer(i64::MIN)),
            (Type::TEXT, Cell::Text("ä'\"\\".to_owned())),
            (Type::DATE, Cell::Date("1999-12-31".parse().unwrap())),
            (Type::DATE, Cell::Date("2024-02-29".parse().unwrap())),
            (
                Type::TIMESTAMP,
                Cell::Civil("1970-01-01T00:00:00.000001".parse().unwrap()),
            ),
            (
                Type::TIMESTAMPTZ,
                Cell::Moment("2026-07-01T12:00:00.123456Z".parse().unwrap()),
            ),
        ];
        for (of, cell) in cells {
            let mut raw = BytesMut::new();
            assert!(matches!(cell.to_sql(&of, &mut raw).unwrap(), IsNull::No));
            assert_eq!(Cell::from_sql(&of, &raw).unwrap(), cell, "{of}");
        }
        let mut raw = BytesMut::new();
        assert!(Cell::Integer(40_000).to_sql(&Type::INT2, &mut raw).is_err());
        assert!(Cell::Text("1".to_owned()).to_sql(&Type::INT4, &mut raw).is_err());
        let infinite = i64::MAX.to_be_bytes();
        assert!(matches!(
            Cell::from_sql(&Type::TIMESTAMPTZ, &infinite).unwrap(),
            Cell::Odd(_)
        ));
        let price = 14.4_f32.to_be_bytes();
        assert_eq!(
            Cell::from_sql(&Type::FLOAT4, &price).unwrap(),
            Cell::Decimal("14.4".parse().unwrap())
        );
    }
}
