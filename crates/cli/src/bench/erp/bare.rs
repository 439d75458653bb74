//! The bare client: it takes the rows of one statement as they come, and decodes each into the types that it stands for.

use super::unwilling;
use crate::failure::Failure;
use futures::TryStreamExt;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use std::error::Error;
use std::time::Instant;
use tokio_postgres::types::{FromSql, Type, accepts};
use tokio_postgres::{Client, Row};

/// PostgreSQL counts days and microseconds from here.
const EPOCH: Date = date(2000, 1, 1);
const EPOCH_MICROSECOND: i64 = 946_684_800_000_000;

type Fault = Box<dyn Error + Sync + Send>;

/// A row of the table.
struct Customer {
    _id: i64,
    _name: String,
    _email: Option<String>,
    _phone: Option<String>,
    _city: Option<String>,
    _amount: Option<Number>,
    _points: Option<i32>,
    _active: bool,
    _born: Option<Day>,
    _changed: Moment,
}

struct Number(#[expect(dead_code, reason = "it is decoded, and that is all")] Decimal);
struct Day(#[expect(dead_code, reason = "it is decoded, and that is all")] Date);
struct Moment(#[expect(dead_code, reason = "it is decoded, and that is all")] Timestamp);

impl Customer {
    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            _id: row.try_get(0)?,
            _name: row.try_get(1)?,
            _email: row.try_get(2)?,
            _phone: row.try_get(3)?,
            _city: row.try_get(4)?,
            _amount: row.try_get(5)?,
            _points: row.try_get(6)?,
            _active: row.try_get(7)?,
            _born: row.try_get(8)?,
            _changed: row.try_get(9)?,
        })
    }
}

/// Reads the whole table. What is decoded is not kept.
pub(super) async fn read(client: Client, table: &str) -> Result<Json, Failure> {
    let began = Instant::now();
    let sql = format!(
        "SELECT id, name, email, phone, city, amount, points, active, born, changed FROM {table} ORDER BY id"
    );
    let none: [&str; 0] = [];
    let rows = client.query_raw(sql.as_str(), none).await.map_err(unwilling)?;
    let mut rows = std::pin::pin!(rows);
    let mut read = 0_u64;
    while let Some(row) = rows.try_next().await.map_err(unwilling)? {
        std::hint::black_box(Customer::of(&row).map_err(unwilling)?);
        read += 1;
    }
    Ok(json!({ "rows": read, "milliseconds": began.elapsed().as_millis() as u64 }))
}

impl<'a> FromSql<'a> for Day {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        let days = i64::from(i32::from_be_bytes(raw.try_into()?));
        Ok(Self(EPOCH.checked_add(jiff::Span::new().try_days(days)?)?))
    }

    accepts!(DATE);
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        let since = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(Timestamp::from_microsecond(since + EPOCH_MICROSECOND)?))
    }

    accepts!(TIMESTAMPTZ);
}

impl<'a> FromSql<'a> for Number {
    /// Digits of ten thousand each; their number, the place of the first, the sign and the digits behind the point before.
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        let word = |at: usize| {
            raw.get(at * 2..at * 2 + 2)
                .map(|two| i16::from_be_bytes([two[0], two[1]]))
        };
        let count = word(0).ok_or("it is no number")?;
        let digits = (0..count).map_while(|at| word(4 + usize::try_from(at).unwrap_or_default()));
        let whole = digits.fold(0_i128, |whole, digit| whole * 10_000 + i128::from(digit));
        let behind = (i32::from(count) - 1 - i32::from(word(1).unwrap_or_default())) * 4;
        let (whole, scale) = match u32::try_from(behind) {
            Ok(scale) => (whole, scale),
            Err(_) => (whole * 10_i128.pow(behind.unsigned_abs()), 0),
        };
        let sign = if word(2) == Some(0x4000) { -1 } else { 1 };
        Ok(Self(Decimal::try_from_i128_with_scale(whole * sign, scale)?))
    }

    accepts!(NUMERIC);
}
