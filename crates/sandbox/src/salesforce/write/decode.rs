//! One JSON value as the value of one field.

use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::schema::{Field, Kind};
use crate::salesforce::value::{Value, parse_date, parse_moment, parse_number};

/// Checks type, length, digits, form and picklist. Text is trimmed; what is blank then is no value.
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
    Ok(Value::Number(number))
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
        Kind::Date => Value::Date(parse_date(text).ok_or_else(|| wrong_type(field, json))?),
        Kind::DateTime => Value::Moment(parse_moment(text).ok_or_else(|| wrong_type(field, json))?),
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
        kind if kind.is_text() => {
            check_text(field, text)?;
            Value::text(text)
        }
        _ => return Err(wrong_type(field, json)),
    };
    Ok(Some(value))
}

fn check_text(field: &Field, text: &str) -> Outcome<()> {
    if field.restricted && !field.picklist.iter().any(|value| value == text) {
        return Err(Fault::of_field(
            Code::InvalidPicklistValue,
            &field.name,
            format!("{}: bad value for restricted picklist field: {text}", field.label),
        ));
    }
    if text.chars().count() > field.length {
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
