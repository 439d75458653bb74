//! Values that an org would keep otherwise than written, or is known to refuse: told before anything is sent.

use super::Salesforce;
use super::schema::Object;
use crate::{Change, Outcome, PropertySchema, Refusal, RefusalKind, Write};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use tandem_merge::record::Values;
use tandem_merge::value::Value;

/// The years of the dates that an org takes.
const YEARS: RangeInclusive<i16> = 1700..=4000;

/// Adds a refusal for each write of the batch that holds a value which does not fit.
pub(super) async fn check(org: &Salesforce, batch: &[Write], outcomes: &mut BTreeMap<usize, Outcome>) {
    for (place, write) in batch.iter().enumerate() {
        let (name, values) = match &write.change {
            Change::Create { record_type, values } => (&record_type.name, values),
            Change::Update { record, values, .. } => (&record.record_type.name, values),
            Change::Delete { .. } => continue,
        };
        // Without a description the write is not sent anyway.
        let Ok(object) = org.object(name).await else {
            continue;
        };
        if let Some(refusal) = misfits(&object, values) {
            outcomes.entry(place).or_insert(Outcome::Refused(refusal));
        }
    }
}

/// Why some of the values cannot be written, for all of them.
fn misfits(object: &Object, values: &Values) -> Option<Refusal> {
    let found = values.iter().filter_map(|(name, value)| {
        let schema = object.schema.properties.get(name)?;
        Some((name, misfit(schema, value)?))
    });
    let found: Vec<(&String, (String, &'static str))> = found.collect();
    let (_, (_, advice)) = found.first()?;
    let words: Vec<String> = found
        .iter()
        .map(|(name, (what, _))| format!("{name}: {what}"))
        .collect();
    Some(Refusal {
        kind: RefusalKind::Invalid,
        properties: found.iter().map(|(name, _)| (*name).clone()).collect(),
        message: words.join("; "),
        advice: (*advice).to_owned(),
    })
}

/// What is wrong with a value, and what to do about it.
fn misfit(schema: &PropertySchema, value: &Value) -> Option<(String, &'static str)> {
    const DIGITS: &str = "Round the value on the side it comes from, or map the property to a text";
    const YEAR: &str = "Correct the date on the side it comes from";
    const SHORTEN: &str = "Shorten the value on the side it comes from";
    let in_range = |year: i16| YEARS.contains(&year);
    match value {
        Value::Decimal(number) if !survives(*number) => Some((
            "Salesforce keeps 15 digits of a number and would round it".to_owned(),
            DIGITS,
        )),
        Value::Date(date) if !in_range(date.year()) => Some((wrong_year(), YEAR)),
        Value::DateTime(at) if !in_range(at.to_zoned(jiff::tz::TimeZone::UTC).year()) => {
            Some((wrong_year(), YEAR))
        }
        Value::Text(text) => {
            let most = schema.max_length?;
            // An org counts as Java does: a character beyond the basic plane is two.
            let length = text.encode_utf16().count();
            (length > most && schema.data_type != "reference").then(|| {
                let words = format!("{length} characters as Salesforce counts them, {most} fit");
                (words, SHORTEN)
            })
        }
        _ => None,
    }
}

fn wrong_year() -> String {
    format!(
        "Salesforce takes dates from the year {} to {}",
        YEARS.start(),
        YEARS.end()
    )
}

/// Whether a number comes back as it was written: the API carries it as a binary fraction of 64 bits.
fn survives(number: Decimal) -> bool {
    let nearest = number.to_string().parse::<f64>().ok();
    let back = nearest.and_then(|nearest| nearest.to_string().parse::<Decimal>().ok());
    back == Some(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(schema: &PropertySchema, value: impl Into<Value>) -> Option<String> {
        misfit(schema, &value.into()).map(|(what, _)| what)
    }

    #[test]
    fn numbers_that_would_be_rounded_do_not_fit() {
        for (number, fits) in [
            ("0.1", true),
            ("-12.50", true),
            ("999999999999999", true),
            ("123456789012345.67", true),
            ("9007199254740993", false),
            ("9007199254740993.01", false),
            ("1222333444555666.88", false),
            ("0.1000000000000000055", false),
        ] {
            assert_eq!(survives(number.parse().unwrap()), fits, "{number}");
        }
    }

    #[test]
    fn texts_are_counted_as_an_org_counts() {
        let schema = PropertySchema {
            max_length: Some(4),
            ..PropertySchema::default()
        };
        assert_eq!(told(&schema, "abcd"), None);
        assert_eq!(told(&schema, "\u{e4}\u{df}cd"), None);
        assert_eq!(told(&schema, "\u{1F600}\u{1F600}"), None);
        assert_eq!(
            told(&schema, "\u{1F600}\u{1F600}c").unwrap(),
            "5 characters as Salesforce counts them, 4 fit"
        );
        let free = PropertySchema::default();
        assert_eq!(told(&free, "abcde"), None);
    }

    #[test]
    fn dates_have_years_that_an_org_knows() {
        let schema = PropertySchema::default();
        let date = |text: &str| told(&schema, Value::Date(text.parse().unwrap()));
        assert_eq!(date("1700-01-01"), None);
        assert_eq!(date("4000-12-31"), None);
        assert!(date("1699-12-31").is_some() && date("4001-01-01").is_some());
        let moment = |text: &str| told(&schema, Value::DateTime(text.parse().unwrap()));
        assert_eq!(moment("2024-01-01T00:00:00Z"), None);
        assert!(moment("0001-01-01T00:00:00Z").is_some());
    }
}
