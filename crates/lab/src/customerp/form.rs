//! The record browser's form: what is shown in it, and how what comes back becomes the body of a write.

use std::str::FromStr;

use serde_json::{Map, Number, Value as Json};

use super::record::Record;
use super::schema::{Kind, Property, RecordType, TEXT_MAX};
use super::value::Value;

/// The fields of a form that are no properties.
pub(crate) const USER: &str = "_user";
/// The version that the form was made from.
pub(crate) const VERSION: &str = "_version";

/// Text with the characters that HTML reads as its own made harmless, fit for content and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A property's name as a person reads it: `billingContactId` becomes `Billing contact`.
pub(crate) fn label(property: &Property) -> String {
    let reference = matches!(property.kind, Kind::Reference(_));
    let name = if reference {
        property.name.trim_end_matches("Id")
    } else {
        &property.name
    };
    let mut label = String::new();
    for character in name.chars() {
        if character.is_uppercase() {
            label.push(' ');
        }
        label.extend(character.to_lowercase());
    }
    let mut characters = label.chars();
    characters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// The properties of a submitted form that differ from the record's, as the body of a write.
///
/// A form holds every property; sending those that nobody touched would make faults of old data stand in the way.
pub(crate) fn body(
    record_type: &RecordType,
    record: Option<&Record>,
    fields: &[(String, String)],
) -> Map<String, Json> {
    let mut body = Map::new();
    for (position, property) in record_type.properties.iter().enumerate() {
        let Some((_, text)) = fields.iter().find(|(name, _)| *name == property.name) else {
            continue;
        };
        // Browsers send line ends as CR LF.
        let text = text.replace("\r\n", "\n");
        let held = record.map_or_else(String::new, |record| {
            record.value(position).shown().replace("\r\n", "\n")
        });
        if text != held {
            body.insert(property.name.clone(), json(&property.kind, &text));
        }
    }
    body
}

fn json(kind: &Kind, text: &str) -> Json {
    let trimmed = text.trim();
    if text.is_empty() {
        return Json::Null;
    }
    match kind {
        Kind::Boolean if trimmed == "true" || trimmed == "false" => Json::Bool(trimmed == "true"),
        // What is no number stays a string, which validation refuses with a sentence.
        Kind::Decimal { .. } | Kind::Integer => {
            Number::from_str(trimmed).map_or_else(|_| Json::String(text.to_owned()), Json::Number)
        }
        Kind::Text { .. } => Json::String(text.to_owned()),
        _ => Json::String(trimmed.to_owned()),
    }
}

/// The input for a property, holding that text.
pub(crate) fn input(property: &Property, text: &str) -> String {
    let name = escape(&property.name);
    let value = escape(text);
    let long = matches!(property.kind, Kind::Text { max: TEXT_MAX, .. }) || property.name.ends_with("treet");
    match &property.kind {
        Kind::Boolean => select(&name, &["true", "false"], text),
        Kind::Enum(values) => select(
            &name,
            &values.iter().map(String::as_str).collect::<Vec<_>>(),
            text,
        ),
        Kind::Text { .. } if long || text.contains('\n') => {
            // A line end right after the tag is not part of the text.
            format!("<textarea id=\"{name}\" name=\"{name}\" rows=\"3\">\n{value}</textarea>")
        }
        Kind::Date => {
            format!("<input id=\"{name}\" name=\"{name}\" value=\"{value}\" placeholder=\"2026-01-31\">")
        }
        Kind::DateTime => {
            format!(
                "<input id=\"{name}\" name=\"{name}\" value=\"{value}\" placeholder=\"2026-01-31T12:00:00Z\">"
            )
        }
        Kind::Integer => {
            format!("<input id=\"{name}\" name=\"{name}\" value=\"{value}\" inputmode=\"numeric\">")
        }
        Kind::Decimal { .. } => {
            format!(
                "<input id=\"{name}\" name=\"{name}\" value=\"{value}\" inputmode=\"decimal\" placeholder=\"0.00\">"
            )
        }
        Kind::Reference(_) => {
            format!("<input id=\"{name}\" name=\"{name}\" value=\"{value}\" placeholder=\"id\">")
        }
        Kind::Text { .. } => format!("<input id=\"{name}\" name=\"{name}\" value=\"{value}\">"),
    }
}

fn select(name: &str, values: &[&str], chosen: &str) -> String {
    // A value that is none of the choices is offered too: an edit of something else must not change it.
    let foreign = (!chosen.is_empty() && !values.contains(&chosen)).then_some(chosen);
    let options: String = [""]
        .into_iter()
        .chain(values.iter().copied())
        .chain(foreign)
        .map(|value| {
            let selected = if value == chosen { " selected" } else { "" };
            format!("<option value=\"{0}\"{selected}>{0}</option>", escape(value))
        })
        .collect();
    format!("<select id=\"{name}\" name=\"{name}\">{options}</select>")
}

/// What a value of the record looks like before any input: empty where there is no record.
pub(crate) fn shown(record: Option<&Record>, position: usize) -> String {
    record
        .map_or(Value::Blank, |record| record.value(position).clone())
        .shown()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::customerp::schema::Catalog;

    #[test]
    fn labels_read_like_words() {
        let catalog = Catalog::built_in().unwrap();
        let order = &catalog.types[catalog.type_named("Order").unwrap()];
        let labels: Vec<_> = ["billingContactId", "dueDate", "salesforceId"]
            .map(|name| label(&order.properties[order.property(name).unwrap()]))
            .into();
        assert_eq!(labels, ["Billing contact", "Due date", "Salesforce id"]);
    }

    #[test]
    fn only_touched_properties_are_sent() {
        let catalog = Catalog::built_in().unwrap();
        let order = &catalog.types[catalog.type_named("Order").unwrap()];
        let mut values = vec![Value::Blank; order.properties.len()];
        values[order.property("billingStreet").unwrap()] = Value::text("a\nb");
        values[order.property("status").unwrap()] = Value::text("gone");
        let record = Record {
            id: 1,
            version: 1,
            created_at: 0,
            updated_at: 0,
            updated_by: String::new(),
            deleted: false,
            values,
        };
        let field = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let fields = [
            field("billingStreet", "a\r\nb"),
            field("status", "gone"),
            field("totalAmount", "12.3"),
            field("title", ""),
            field("dueDate", " 2026-02-01 "),
            field(USER, "alice"),
        ];
        let body = body(order, Some(&record), &fields);
        assert_eq!(
            Json::Object(body).to_string(),
            r#"{"dueDate":"2026-02-01","totalAmount":12.3}"#
        );
    }

    #[test]
    fn nothing_escapes_its_attribute() {
        let catalog = Catalog::built_in().unwrap();
        let customer = &catalog.types[0];
        let name = &customer.properties[customer.property("name").unwrap()];
        let html = input(name, "\"><script>'&");
        assert!(
            html.contains("value=\"&quot;&gt;&lt;script&gt;&#39;&amp;\""),
            "{html}"
        );
    }
}
