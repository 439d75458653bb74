//! Values as Customerp writes them in JSON.

use crate::http::json;
use rust_decimal::Decimal;
use serde_json::Value as Json;
use tandem_merge::value::Value;

/// A value of that data type; text where the type says nothing else. `None`: it is not of that type.
pub(super) fn decode(data_type: &str, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Blank);
    }
    match data_type {
        "integer" => json.as_i64().map(Value::Integer),
        "decimal" => match json {
            Json::Number(number) => json::decimal(number).map(Value::Decimal),
            Json::String(text) => text.parse::<Decimal>().ok().map(Value::Decimal),
            _ => None,
        },
        "boolean" => json.as_bool().map(Value::Boolean),
        "date" => json.as_str()?.parse().ok().map(Value::Date),
        "datetime" => json.as_str()?.parse().ok().map(Value::DateTime),
        _ => json.as_str().map(Value::text),
    }
}

/// A value as a lookup takes it.
pub(super) fn lookup_text(value: &Value) -> String {
    match json::encode(value) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_read_is_what_would_be_written() {
        for (data_type, text) in [
            ("string", r#"" two  blanks ""#),
            ("decimal", "9999999999999999.90"),
            ("integer", "42"),
            ("boolean", "false"),
            ("date", r#""2024-02-29""#),
            ("datetime", r#""2024-02-29T12:00:00.123Z""#),
            ("reference", r#""1001""#),
            ("enum", "null"),
        ] {
            let read: Json = serde_json::from_str(text).unwrap();
            let value = decode(data_type, &read).unwrap();
            assert_eq!(json::encode(&value).to_string(), text, "{data_type}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_not_guessed() {
        assert_eq!(decode("boolean", &json!("yes")), None);
        assert_eq!(decode("date", &json!("29.2.2024")), None);
        assert_eq!(decode("string", &json!(5)), None);
        assert_eq!(decode("string", &json!("")), Some(Value::Blank));
    }

    #[test]
    fn lookups_take_text() {
        assert_eq!(lookup_text(&"a".into()), "a");
        assert_eq!(lookup_text(&Value::Integer(7)), "7");
    }
}
