//! JSON without floating point: numbers are read and written as decimals.

use rust_decimal::Decimal;
use serde_json::{Number, Value as Json};
use tandem_merge::value::Value;

/// Reads JSON; numbers keep every digit.
pub(crate) fn parse(bytes: &[u8]) -> Option<Json> {
    serde_json::from_slice(bytes).ok()
}

/// A member of a record as a value of that data type.
///
/// # Errors
/// Why it cannot be read. What is not there is not blank.
pub(crate) fn read(
    json: Option<&Json>,
    data_type: &str,
    decode: fn(&str, &Json) -> Option<Value>,
) -> Result<Value, String> {
    let Some(json) = json else {
        return Err("it is not shown".to_owned());
    };
    if let Some(why) = super::salvage::reason(json) {
        return Err(why.to_owned());
    }
    let shown = match json {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a table",
    };
    decode(data_type, json).ok_or_else(|| format!("{shown} is shown that is no {data_type}"))
}

/// A text member of an object.
pub(crate) fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    json.get(name).and_then(Json::as_str)
}

/// A boolean member of an object; false where absent.
pub(crate) fn flag(json: &Json, name: &str) -> bool {
    json.get(name).and_then(Json::as_bool).unwrap_or_default()
}

/// A whole-number member of an object, none where it is absent or negative.
pub(crate) fn count(json: &Json, name: &str) -> Option<u32> {
    json.get(name)
        .and_then(Json::as_u64)
        .and_then(|number| u32::try_from(number).ok())
}

/// Text members of an array.
pub(crate) fn texts(json: &Json, name: &str) -> Vec<String> {
    let members = json.get(name).and_then(Json::as_array).into_iter().flatten();
    members.filter_map(Json::as_str).map(str::to_owned).collect()
}

/// An exact decimal, `1.5` or `1.5E+3`.
pub(crate) fn decimal(number: &Number) -> Option<Decimal> {
    let text = number.to_string();
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// A decimal as a JSON number with the digits it has.
pub(crate) fn number(decimal: Decimal) -> Json {
    decimal.to_string().parse().map_or(Json::Null, Json::Number)
}

/// A value as both systems write it in JSON.
pub(crate) fn encode(value: &Value) -> Json {
    match value {
        Value::Blank => Json::Null,
        Value::Text(text) => Json::String(text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Decimal(decimal) => number(*decimal),
        Value::Boolean(yes) => Json::Bool(*yes),
        Value::Date(date) => Json::String(date.to_string()),
        Value::DateTime(moment) => Json::String(format!("{moment:.3}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn amounts_beyond_a_double_survive() {
        let parsed = parse(br#"{"a": 1234567890123456.78, "b": 1E+2}"#).unwrap();
        let Json::Number(amount) = &parsed["a"] else {
            panic!("a number")
        };
        let decimal = decimal(amount).unwrap();
        assert_eq!(decimal.to_string(), "1234567890123456.78");
        assert_eq!(
            encode(&Value::Decimal(decimal)).to_string(),
            "1234567890123456.78"
        );
        let Json::Number(power) = &parsed["b"] else {
            panic!("a number")
        };
        assert_eq!(super::decimal(power).unwrap(), Decimal::from(100));
    }
}
