//! Values, moments and ids as Salesforce writes them.

use crate::http::json;
use jiff::Timestamp;
use serde_json::Value as Json;
use tandem_merge::value::Value;

/// A value of that describe type; text where the type says nothing else. `None`: it is not of that type.
pub(super) fn decode(data_type: &str, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Blank);
    }
    match data_type {
        "int" | "long" => json.as_i64().map(Value::Integer),
        "double" | "currency" | "percent" => match json {
            Json::Number(number) => json::decimal(number).map(Value::Decimal),
            _ => None,
        },
        "boolean" => json.as_bool().map(Value::Boolean),
        "date" => json.as_str()?.parse().ok().map(Value::Date),
        "datetime" => moment(json.as_str()?).map(Value::DateTime),
        _ => match json {
            Json::String(text) => Some(Value::text(text)),
            // Compound values are read-only and mapped by their parts.
            Json::Object(_) | Json::Array(_) => Some(Value::Text(json.to_string())),
            _ => None,
        },
    }
}

/// A moment such as `2024-01-01T00:00:00.000+0000`.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    match text.strip_suffix("+0000") {
        Some(utc) => format!("{utc}Z").parse().ok(),
        None => text.parse().ok(),
    }
}

/// The 18-character form of an id; none for what cannot be one.
pub(super) fn whole_id(text: &str) -> Option<String> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    if !matches!(text.len(), 15 | 18) || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let mut whole = text[..15].to_owned();
    for group in text.as_bytes()[..15].chunks(5) {
        let bits = group
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase());
        let index: usize = bits.map(|(place, _)| 1 << place).sum();
        whole.push(char::from(LETTERS[index]));
    }
    (text.len() == 15 || whole.eq_ignore_ascii_case(text)).then_some(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_read_has_the_type_that_describe_says() {
        let read = |data_type: &str, text: &str| {
            let json: Json = serde_json::from_str(text).unwrap();
            decode(data_type, &json)
        };
        let amount = read("currency", "9007199254740993.01").unwrap();
        assert_eq!(json::encode(&amount).to_string(), "9007199254740993.01");
        assert_eq!(read("int", "7"), Some(Value::Integer(7)));
        assert_eq!(read("picklist", r#""Draft""#), Some("Draft".into()));
        assert_eq!(read("reference", "null"), Some(Value::Blank));
        assert_eq!(
            read("date", r#""2024-02-29""#),
            Some(Value::Date("2024-02-29".parse().unwrap()))
        );
        assert_eq!(read("boolean", r#""true""#), None);
        let moment = read("datetime", r#""2024-01-01T10:00:00.000+0000""#).unwrap();
        assert_eq!(json::encode(&moment), json!("2024-01-01T10:00:00.000Z"));
        assert_eq!(
            super::moment("2024-01-01T10:00:00+02:00").unwrap().to_string(),
            "2024-01-01T08:00:00Z"
        );
    }

    #[test]
    fn ids_have_a_checksum() {
        assert_eq!(whole_id("0019000000B98de").unwrap(), "0019000000B98deAAB");
        assert_eq!(whole_id("a0D30000001n7Pi").unwrap(), "a0D30000001n7PiEAI");
        assert_eq!(whole_id("0019000000B98deAAB").unwrap(), "0019000000B98deAAB");
        for wrong in ["", "0019000000B98deAAA", "0019000000B98d", "0019000000B98d'"] {
            assert_eq!(whole_id(wrong), None, "{wrong}");
        }
    }
}
