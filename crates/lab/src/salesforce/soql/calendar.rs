//! Date literals: from when to when `TODAY` and its like last.

use jiff::Span;
use jiff::civil::{Date, Weekday};

/// The literals that stand alone, as (name, unit, first unit from now, number of units).
const PLAIN: [(&str, Unit, i64, i64); 17] = [
    ("YESTERDAY", Unit::Day, -1, 1),
    ("TODAY", Unit::Day, 0, 1),
    ("TOMORROW", Unit::Day, 1, 1),
    ("LAST_WEEK", Unit::Week, -1, 1),
    ("THIS_WEEK", Unit::Week, 0, 1),
    ("NEXT_WEEK", Unit::Week, 1, 1),
    ("LAST_MONTH", Unit::Month, -1, 1),
    ("THIS_MONTH", Unit::Month, 0, 1),
    ("NEXT_MONTH", Unit::Month, 1, 1),
    ("LAST_QUARTER", Unit::Quarter, -1, 1),
    ("THIS_QUARTER", Unit::Quarter, 0, 1),
    ("NEXT_QUARTER", Unit::Quarter, 1, 1),
    ("LAST_YEAR", Unit::Year, -1, 1),
    ("THIS_YEAR", Unit::Year, 0, 1),
    ("NEXT_YEAR", Unit::Year, 1, 1),
    // Both of 90 days include the end of today, as the ones of n days do.
    ("LAST_90_DAYS", Unit::Day, -90, 91),
    ("NEXT_90_DAYS", Unit::Day, 1, 90),
];

const UNITS: [(&str, Unit); 5] = [
    ("DAYS", Unit::Day),
    ("WEEKS", Unit::Week),
    ("MONTHS", Unit::Month),
    ("QUARTERS", Unit::Quarter),
    ("YEARS", Unit::Year),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

#[derive(Clone, Copy)]
enum Direction {
    Last,
    Next,
    Ago,
}

fn counted(name: &str) -> Option<(Direction, Unit)> {
    let unit = |text: &str| {
        UNITS
            .iter()
            .find(|(known, _)| *known == text)
            .map(|(_, unit)| *unit)
    };
    if let Some(rest) = name.strip_prefix("LAST_N_") {
        return Some((Direction::Last, unit(rest)?));
    }
    if let Some(rest) = name.strip_prefix("NEXT_N_") {
        return Some((Direction::Next, unit(rest)?));
    }
    let rest = name.strip_prefix("N_")?.strip_suffix("_AGO")?;
    Some((Direction::Ago, unit(rest)?))
}

/// Whether the word (in capitals) is a date literal.
pub(super) fn is_period(name: &str) -> bool {
    PLAIN.iter().any(|(known, ..)| *known == name) || counted(name).is_some()
}

/// Whether the literal wants `:n`.
pub(super) fn is_counted(name: &str) -> bool {
    counted(name).is_some()
}

/// The first day of the period and the first day after it.
pub(super) fn period(name: &str, count: Option<i64>, today: Date) -> Option<(Date, Date)> {
    let (unit, first, length) = match (counted(name), count) {
        (Some((Direction::Last, Unit::Day)), Some(n)) => (Unit::Day, -n, n.checked_add(1)?),
        (Some((Direction::Last, unit)), Some(n)) => (unit, -n, n),
        (Some((Direction::Next, unit)), Some(n)) => (unit, 1, n),
        (Some((Direction::Ago, unit)), Some(n)) => (unit, -n, 1),
        _ => PLAIN
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(_, unit, first, length)| (*unit, *first, *length))?,
    };
    let start = step(start_of(unit, today)?, unit, first)?;
    Some((start, step(start, unit, length)?))
}

fn start_of(unit: Unit, day: Date) -> Option<Date> {
    match unit {
        Unit::Day => Some(day),
        Unit::Week => {
            let back = day.weekday().since(Weekday::Sunday);
            day.checked_sub(Span::new().try_days(back).ok()?).ok()
        }
        Unit::Month => Some(day.first_of_month()),
        Unit::Quarter => Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok(),
        Unit::Year => Some(day.first_of_year()),
    }
}

fn step(day: Date, unit: Unit, count: i64) -> Option<Date> {
    let span = match unit {
        Unit::Day => Span::new().try_days(count),
        Unit::Week => Span::new().try_weeks(count),
        Unit::Month => Span::new().try_months(count),
        Unit::Quarter => Span::new().try_months(count.checked_mul(3)?),
        Unit::Year => Span::new().try_years(count),
    };
    day.checked_add(span.ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::civil::date;

    #[test]
    fn periods_begin_and_end_where_the_calendar_says() {
        let today = date(2024, 5, 15);
        let check =
            |name: &str, count, from, to| assert_eq!(period(name, count, today), Some((from, to)), "{name}");
        check("TODAY", None, today, date(2024, 5, 16));
        check("LAST_WEEK", None, date(2024, 5, 5), date(2024, 5, 12));
        check("THIS_QUARTER", None, date(2024, 4, 1), date(2024, 7, 1));
        check("LAST_YEAR", None, date(2023, 1, 1), date(2024, 1, 1));
        check("LAST_N_DAYS", Some(7), date(2024, 5, 8), date(2024, 5, 16));
        check("NEXT_N_DAYS", Some(2), date(2024, 5, 16), date(2024, 5, 18));
        check("LAST_N_MONTHS", Some(2), date(2024, 3, 1), date(2024, 5, 1));
        check("N_DAYS_AGO", Some(3), date(2024, 5, 12), date(2024, 5, 13));
        assert_eq!(period("LAST_N_DAYS", Some(i64::MAX), today), None);
    }
}
