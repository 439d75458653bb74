//! One JSON value as the value of one field.

use std::ops::RangeInclusive;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::schema::{Field, Kind};
use crate::salesforce::value::{Value, moment_date, parse_date, parse_moment, parse_number};

/// The significant digits that the API keeps of a number; beyond them it is what a binary fraction of 64 bits makes of it.
const EXACT_DIGITS: usize = 15;
/// The years of the dates that the API takes.
const YEARS: RangeInclusive<i16> = 1700..=4000;

/// Checks type, length, digits, form and picklist. Text is trimmed; what is blank then is no value. Numbers and booleans
/// may come as text.
pub(super) fn decode(field: &Field, json: &Json) -> Outcome<Option<Value>> {
    match json {
        Json::Null if field.kind == Kind::Boolean => Ok(Some(Value::Bool(false))),
        Json::Null => Ok(None),
        Json::Bool(flag) if field.kind == Kind::Boolean => Ok(Some(Value::Bool(*flag))),
        Json::Number(number) if field.kind.is_number() => {
            decode_number(field, json, &number.to_string()).map(Some)
        }
        Json::String(text) => decode_text(field, json, text),
        _ => Err(wrong_type(field, json)),
    }
}

fn decode_number(field: &Field, json: &Json, text: &str) -> Outcome<Value> {
    let outside = || {
        Fault::of_field(
            Code::NumberOutsideRange,
            &field.name,
            format!("{}: value outside of valid range: {text}", field.label),
        )
    };
    let number = parse_number(text).ok_or_else(outside)?;
    if field.kind == Kind::Int && !number.fract().is_zero() {
        return Err(wrong_type(field, json));
    }
    let whole_digits = field.precision.saturating_sub(field.scale);
    let bound = Decimal::TEN.checked_powi_exact(whole_digits);
    if bound.is_some_and(|bound| number.abs() >= bound) {
        return Err(outside());
    }
    Ok(Value::Number(kept(number)))
}

/// The number as the API keeps it.
fn kept(number: Decimal) -> Decimal {
    let digits = number.normalize().mantissa().unsigned_abs().to_string().len();
    if digits <= EXACT_DIGITS {
        return number;
    }
    let nearest = number.to_string().parse::<f64>().ok();
    nearest
        .and_then(|nearest| parse_number(&nearest.to_string()))
        .unwrap_or(number)
}

/// Powers of ten without rounding.
trait PowExact {
    fn checked_powi_exact(self, exponent: u32) -> Option<Decimal>;
}

impl PowExact for Decimal {
    fn checked_powi_exact(self, exponent: u32) -> Option<Decimal> {
        (0..exponent).try_fold(Decimal::ONE, |power, _| power.checked_mul(self))
    }
}

fn decode_text(field: &Field, json: &Json, given: &str) -> Outcome<Option<Value>> {
    // The API trims what Java trims: controls and spaces. A no-break space survives.
    let text = given.trim_matches(|letter| letter <= ' ');
    if text.is_empty() && (field.kind.is_text() || field.kind == Kind::Reference) {
        return Ok(None);
    }
    let value = match field.kind {
        Kind::Date => {
            let date = parse_date(text).ok_or_else(|| wrong_type(field, json))?;
            check_year(field, Some(date), text)?;
            Value::Date(date)
        }
        Kind::DateTime => {
            let moment = parse_moment(text).ok_or_else(|| wrong_type(field, json))?;
            check_year(field, moment_date(moment), text)?;
            Value::Moment(moment)
        }
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        kind if kind.is_number() && parse_number(text).is_some() => decode_number(field, json, text)?,
        Kind::Time => {
            let clock = text.strip_suffix('Z').unwrap_or(text);
            Value::Time(clock.parse().map_err(|_| wrong_type(field, json))?)
        }
        Kind::Reference => Value::Reference(RecordId::parse(text).map_err(|_| {
            Fault::of_field(
                Code::MalformedId,
                &field.name,
                format!("{}: id value of incorrect type: {text}", field.label),
            )
        })?),
        Kind::MultiPicklist => {
            let text = in_order(field, text);
            if text.is_empty() {
                return Ok(None);
            }
            check_text(field, &text)?;
            Value::text(text)
        }
        kind if kind.is_text() => {
            check_text(field, text)?;
            Value::text(text)
        }
        _ => return Err(wrong_type(field, json)),
    };
    Ok(Some(value))
}

fn check_year(field: &Field, date: Option<Date>, text: &str) -> Outcome<()> {
    if date.is_some_and(|date| YEARS.contains(&date.year())) {
        return Ok(());
    }
    Err(Fault::of_field(
        Code::NumberOutsideRange,
        &field.name,
        format!("{}: invalid date: {text}", field.label),
    ))
}

/// The entries of a multi-select picklist, once each, in the order of their definition; what is not defined comes last.
fn in_order(field: &Field, text: &str) -> String {
    let mut entries: Vec<&str> = Vec::new();
    for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| field.place_of(entry));
    entries.join(";")
}

fn check_text(field: &Field, text: &str) -> Outcome<()> {
    let mut entries: Vec<&str> = vec![text];
    if field.kind == Kind::MultiPicklist {
        entries = text.split(';').collect();
    }
    let unknown = |entry: &&str| field.place_of(entry) == field.picklist.len();
    if field.restricted && entries.iter().any(unknown) {
        return Err(Fault::of_field(
            Code::InvalidPicklistValue,
            &field.name,
            format!("{}: bad value for restricted picklist field: {text}", field.label),
        ));
    }
    // A character beyond the basic plane counts two, as in Java.
    if text.encode_utf16().count() > field.length {
        return Err(Fault::of_field(
            Code::StringTooLong,
            &field.name,
            format!(
                "{}: data value too large: {text} (max length={})",
                field.label, field.length
            ),
        ));
    }
    if field.kind == Kind::Email && !is_email(text) {
        return Err(Fault::of_field(
            Code::InvalidEmail,
            &field.name,
            format!("{}: invalid email address: {text}", field.label),
        ));
    }
    Ok(())
}

/// One `@`, a local part, and a domain of at least two labels, without spaces.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let clean = |part: &str| {
        !part.is_empty()
            && !part.contains(|c: char| c.is_whitespace() || c.is_control() || "@<>(),;:\"[]\\".contains(c))
    };
    let labels = domain
        .split('.')
        .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    clean(local)
        && clean(domain)
        && domain.contains('.')
        && labels
        && !local.starts_with('.')
        && !local.ends_with('.')
}

fn wrong_type(field: &Field, json: &Json) -> Fault {
    let (token, shown) = match json {
        Json::Null => ("VALUE_NULL", String::new()),
        Json::Bool(true) => ("VALUE_TRUE", "true".to_owned()),
        Json::Bool(false) => ("VALUE_FALSE", "false".to_owned()),
        Json::Number(number) if number.to_string().contains(['.', 'e', 'E']) => {
            ("VALUE_NUMBER_FLOAT", number.to_string())
        }
        Json::Number(number) => ("VALUE_NUMBER_INT", number.to_string()),
        Json::String(text) => ("VALUE_STRING", text.clone()),
        Json::Array(_) => ("START_ARRAY", "[".to_owned()),
        Json::Object(_) => ("START_OBJECT", "{".to_owned()),
    };
    let expected = match field.kind {
        Kind::Currency | Kind::Double | Kind::Percent => "double",
        Kind::Reference | Kind::Id => "id",
        kind if kind.is_text() => "string",
        kind => kind.name(),
    };
    Fault::of_field(
        Code::JsonParser,
        &field.name,
        format!(
            "Cannot deserialize instance of {expected} from {token} value {shown} or request may be missing a \
             required field"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn addresses_look_like_addresses() {
        for good in [
            "a@b.co",
            "first.last@northwind.example",
            "x+y@sub.example.org",
            "o'neil@example.com",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "", "a", "a@b", "@b.co", "a@.co", "a b@c.de", "a@b@c.de", "a@b..de", ".a@b.de", "a@-b.de",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
