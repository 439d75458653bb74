//! Sample values: different for every record, property and step, and marked as of a QA run.

use super::promise::Row;
use jiff::{Timestamp, ToSpan, civil::Date};
use rust_decimal::Decimal;
use tandem_merge::dataflow::Kind;
use tandem_merge::value::Value;

/// Currencies to choose from where a text holds no more than a currency's code.
const CURRENCIES: [&str; 3] = ["EUR", "USD", "GBP"];

/// For which place a value is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The run, a few letters.
    pub(crate) run: &'a str,
    /// The record's letter among those of its type.
    pub(crate) letter: char,
    /// The property's number in its type, below 100.
    pub(crate) number: usize,
    /// The step of the run, below 10 for edits.
    pub(crate) step: usize,
    /// The longest text that every property it reaches holds.
    pub(crate) longest: usize,
}

/// A canonical value for a row. None for references, which point to records of the run.
pub(crate) fn sample(row: &Row, place: Place<'_>) -> Option<Value> {
    let count = |scale: i64| i64::try_from(place.number * 10 + place.step).unwrap_or(1) * scale;
    Some(match &row.mapping.kind {
        Kind::String => Value::from(text(row, place).as_str()),
        Kind::Integer => Value::Integer(count(1) + letter(place)),
        Kind::Decimal { scale } => {
            let cents = (count(1_000) + letter(place) * 100 + 25) * 10_i64.pow(scale.saturating_sub(2));
            Value::Decimal(Decimal::new(cents, *scale).normalize())
        }
        Kind::Boolean => Value::Boolean(place.step.is_multiple_of(2)),
        Kind::Date => Value::Date(day(place)),
        Kind::DateTime { .. } => Value::DateTime(moment(place)),
        Kind::Enum(map) => {
            let names: Vec<&String> = map.to_second.keys().collect();
            Value::Text((*names.get(place.step % names.len().max(1))?).clone())
        }
        Kind::Reference(_) => return None,
    })
}

fn letter(place: Place<'_>) -> i64 {
    i64::from(u32::from(place.letter) % 64)
}

/// A day of this decade; people's birthdays may be in the future.
fn day(place: Place<'_>) -> Date {
    let days = place.number * 10 + place.step + usize::try_from(letter(place)).unwrap_or(0) * 20;
    let first = Date::constant(2027, 1, 1);
    first.saturating_add(i64::try_from(days).unwrap_or(0).days())
}

fn moment(place: Place<'_>) -> Timestamp {
    let seconds = i64::try_from(place.number * 1_000 + place.step * 61).unwrap_or(0);
    // 2027-01-01T09:00:00Z.
    Timestamp::from_second(1_798_794_000 + seconds + letter(place) * 3_600).unwrap_or_default()
}

fn text(row: &Row, place: Place<'_>) -> String {
    let Place {
        run,
        letter,
        number,
        step,
        longest,
    } = place;
    if !row.entries.is_empty() {
        return row.entries[step % row.entries.len()].clone();
    }
    if longest == 3 {
        return CURRENCIES[step % CURRENCIES.len()].to_owned();
    }
    let [first, second] = &row.mapping.properties;
    let mark = format!("QA-{run}-{letter}{step}{number:02}");
    let address = |host: &str| format!("{}@{host}", mark.to_lowercase());
    let long = match row.mapping.data_types[1].as_str() {
        _ if second.eq_ignore_ascii_case("username") => address("qa.example"),
        "email" => address("example.com"),
        "phone" => format!("+49 30 {:03}{step}{number:02}", u32::from(letter)),
        "url" => format!("https://qa.example/{}", mark.to_lowercase()),
        "textarea" if longest > 60 => format!("{mark} {first}\nits second line"),
        _ => format!("{mark} {first}"),
    };
    long.chars()
        .take(longest)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::promise::tests::shipped;
    use super::*;
    use std::collections::BTreeSet;

    fn place(letter: char, number: usize, step: usize, longest: usize) -> Place<'static> {
        Place {
            run: "tests6",
            letter,
            number,
            step,
            longest,
        }
    }

    #[test]
    fn samples_fit_and_differ_by_record_property_and_step() {
        for flow in shipped() {
            for (number, row) in flow.rows.iter().enumerate() {
                let longest = row.mapping.max_length[1].unwrap_or(255);
                let mut seen = BTreeSet::new();
                for letter in ['A', 'B'] {
                    for step in [0, 1, 9] {
                        let Some(value) = sample(row, place(letter, number, step, longest)) else {
                            continue;
                        };
                        if let Some(text) = value.as_text() {
                            assert!(text.chars().count() <= longest, "{text}");
                        }
                        let few = longest == 3 || matches!(row.mapping.kind, Kind::Boolean | Kind::Enum(_));
                        assert!(seen.insert(value) || few, "{}", row.shown());
                    }
                }
            }
        }
    }

    #[test]
    fn two_steps_of_a_short_list_differ() {
        let promised = shipped();
        let rows = promised.iter().flat_map(|flow| &flow.rows);
        for row in rows.filter(|row| row.mapping.properties[0] == "currency") {
            let at = |step| sample(row, place('A', 4, step, 3));
            assert_ne!(at(0), at(1));
            assert_ne!(at(1), at(2));
        }
    }

    #[test]
    fn money_keeps_its_scale() {
        let promised = shipped();
        let mut rows = promised.iter().flat_map(|flow| &flow.rows);
        let total = rows
            .find(|row| row.mapping.properties[0] == "totalAmount")
            .unwrap();
        let value = sample(total, place('A', 9, 1, 255)).unwrap();
        assert_eq!(value.to_string(), "911.25");
    }
}
