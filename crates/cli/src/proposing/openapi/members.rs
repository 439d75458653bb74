//! The properties of a record type, out of the schema of its records and those of what is sent.

use super::super::names::{capital, plain};
use super::super::picture::{Guess, Kind, Property, Topic};
use super::document::{Document, Shape};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// What is sent to make and to change a record.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) create: Option<Shape>,
    pub(super) update: Option<Shape>,
}

impl Sent {
    fn shapes(&self) -> impl Iterator<Item = &Shape> {
        [&self.create, &self.update]
            .into_iter()
            .flatten()
            .filter(|shape| !shape.members.is_empty())
    }
}

/// What has no property: members that are lists or too deep.
pub(super) struct Members {
    pub(super) properties: Vec<Property>,
    pub(super) lists: Vec<String>,
}

/// The properties of a record. `types`: the record types that there are.
pub(super) fn members(document: &Document, record: &Shape, sent: &Sent, types: &BTreeSet<String>) -> Members {
    let mut found = Members {
        properties: Vec::new(),
        lists: Vec::new(),
    };
    for (name, schema) in &record.members {
        let shape = document.shape(schema);
        match shape.kind() {
            "array" => found.lists.push(name.clone()),
            "object" => inner(document, name, &shape, types, &mut found),
            _ => {
                let mut property = one(name, &shape, types);
                written(&mut property, name, record, sent, document);
                found.properties.push(property);
            }
        }
    }
    found
}

/// The members of an address, an amount, or another record that is shown within.
fn inner(document: &Document, outer: &str, shape: &Shape, types: &BTreeSet<String>, found: &mut Members) {
    for (name, schema) in &shape.members {
        let within = document.shape(schema);
        if matches!(within.kind(), "array" | "object") {
            continue;
        }
        let own = format!("{outer}{}", capital(name));
        if found.properties.iter().any(|property| property.name == own) {
            continue;
        }
        let mut property = one(&own, &within, types);
        property.at = Some(match outer.contains(['.', '/']) || name.contains(['.', '/']) {
            true => format!("/{}/{}", pointer(outer), pointer(name)),
            false => format!("{outer}.{name}"),
        });
        property.read_only = within.flag("readOnly") || shape.flag("readOnly");
        found.properties.push(property);
    }
}

fn pointer(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// What a schema says by itself.
fn one(name: &str, shape: &Shape, types: &BTreeSet<String>) -> Property {
    let mut property = Property::new(name, kind(shape));
    if shape.kind() == "string" && matches!(property.kind, Kind::Decimal(_)) {
        property.form = Some("{ as: text }".to_owned());
    }
    property.read_only = shape.flag("readOnly");
    property.unique = shape.flag("x-unique");
    property.create_only = shape.flag("x-create-only") && !property.read_only;
    property.filled = shape
        .words
        .get("default")
        .is_some_and(|default| !default.is_null());
    // A member that another record's type names is likely its id.
    if matches!(property.kind, Kind::Text(_) | Kind::Integer)
        && let Some((to, why)) = refers(name, shape.word("description"), types)
    {
        property.kind = Kind::Reference(to.clone());
        property.guess = Some(Guess::new(
            Topic::Values,
            why,
            format!("does the id of a {to} stand there?"),
        ));
        // Ids are texts to Tandem; where the ERP wants numbers it is told so.
        if shape.kind() == "integer" {
            property.form = Some("{ as: number }".to_owned());
        }
    }
    if let (Kind::Text(_), Some("time"), None) = (&property.kind, shape.word("format"), &property.form) {
        property.form = Some("{ as: time }".to_owned());
    }
    property
}

fn kind(shape: &Shape) -> Kind {
    let values = shape.words.get("enum").and_then(Json::as_array);
    let texts: Vec<String> = values
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
        .collect();
    // What a description cannot write as one of several is a text.
    let plain = |text: &String| !text.contains(['|', '(', ')', '\n']) && text.trim() == text;
    if !texts.is_empty() && texts.iter().all(plain) && shape.kind() != "integer" {
        return Kind::Enum(texts);
    }
    match (shape.kind(), shape.word("format").unwrap_or_default()) {
        ("integer", _) => Kind::Integer,
        ("number", "int32" | "int64") => Kind::Integer,
        ("number", _) => Kind::Decimal(scale(shape).map(|scale| (18, scale))),
        ("string", "decimal" | "money") => Kind::Decimal(scale(shape).map(|scale| (18, scale))),
        ("boolean", _) => Kind::Boolean,
        ("string", "date") => Kind::Date,
        ("string", "date-time" | "datetime") => Kind::DateTime,
        _ => Kind::Text(shape.number("maxLength").filter(|length| *length > 0)),
    }
}

/// The digits behind the point, by the least step: `0.01` has two.
fn scale(shape: &Shape) -> Option<u64> {
    let step = shape.words.get("multipleOf")?.to_string();
    if let Some((digits, exponent)) = step.to_lowercase().split_once("e-") {
        let exponent: u64 = exponent.parse().ok()?;
        return (digits == "1" && exponent <= 18).then_some(exponent);
    }
    let scale = step
        .split_once('.')
        .map_or(0, |(_, behind)| behind.trim_end_matches('0').len());
    u64::try_from(scale).ok().filter(|scale| *scale <= 18)
}

/// The record type that a member refers to, and why it is likely.
pub(super) fn refers(
    name: &str,
    says: Option<&str>,
    types: &BTreeSet<String>,
) -> Option<(String, &'static str)> {
    let plain_name = plain(name);
    let stem = plain_name
        .strip_suffix("id")
        .or_else(|| plain_name.strip_suffix("ref"))
        .filter(|stem| !stem.is_empty())?;
    // A word of its own, not the end of another: `billingContactId` and `billing_contact_id`, but not `reorderid`.
    let apart = |of: &String| {
        let word = plain(of);
        stem.ends_with(&word)
            && (name.contains(of.as_str()) || name.to_lowercase().contains(&format!("_{word}")))
    };
    let by_end = |of: &&String| stem == plain(of) || apart(of);
    let longest = types.iter().filter(by_end).max_by_key(|of| of.len());
    if let Some(of) = longest {
        return Some((of.clone(), "by its name"));
    }
    // Or its description names the type: "The id of a record of type Employee."
    let words = |text: &str| -> Vec<String> {
        text.split(|sign: char| !sign.is_alphanumeric())
            .map(str::to_owned)
            .collect()
    };
    let said = words(says?);
    let named = types.iter().filter(|of| said.iter().any(|word| word == *of));
    let mut named = named.collect::<Vec<_>>();
    match (named.pop(), named.is_empty()) {
        (Some(of), true) => Some((of.clone(), "by what is said of it")),
        _ => None,
    }
}

/// What those bodies say that are sent.
fn written(property: &mut Property, name: &str, record: &Shape, sent: &Sent, document: &Document) {
    let takes = |shape: &Shape| {
        shape
            .members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, of)| document.shape(of))
    };
    let create = sent.create.as_ref().filter(|shape| !shape.members.is_empty());
    let update = sent.update.as_ref().filter(|shape| !shape.members.is_empty());
    let any = sent.shapes().next().is_some();
    let taken = sent
        .shapes()
        .any(|shape| takes(shape).is_some_and(|of| !of.flag("readOnly")));
    if any && !taken {
        property.read_only = true;
        property.create_only = false;
    }
    if let (Some(create), Some(update)) = (create, update)
        && !property.read_only
        && takes(create).is_some()
        && takes(update).is_none()
    {
        property.create_only = true;
    }
    let shape = record
        .members
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, of)| document.shape(of));
    let shape = shape.unwrap_or_default();
    let required = match create {
        Some(create) => create.required.contains(name) && takes(create).is_some_and(|of| !of.nullable),
        None => record.required.contains(name) && !shape.nullable,
    };
    property.required = required || shape.flag("x-required");
    // What those bodies know of its length the record need not say.
    if let (Kind::Text(None), Some(of)) = (&property.kind, create.and_then(takes)) {
        property.kind = kind(&of);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn types() -> BTreeSet<String> {
        ["Customer", "Contact", "Order"].map(str::to_owned).into()
    }

    #[test]
    fn a_member_that_names_a_record_type_refers_to_it() {
        let refers = |name: &str, says: Option<&str>| refers(name, says, &types()).map(|(to, _)| to);
        assert_eq!(refers("customerId", None).as_deref(), Some("Customer"));
        assert_eq!(refers("billingContactId", None).as_deref(), Some("Contact"));
        assert_eq!(refers("customer_id", None).as_deref(), Some("Customer"));
        assert_eq!(
            refers("managerId", Some("The id of a record of type Contact.")).as_deref(),
            Some("Contact")
        );
        assert_eq!(refers("billing_contact_id", None).as_deref(), Some("Contact"));
        // Neither a word that ends alike, nor two that may be meant.
        assert_eq!(refers("reorderid", None), None);
        assert_eq!(refers("managerId", Some("A Customer or a Contact.")), None);
        assert_eq!(refers("customer", None), None);
    }

    #[test]
    fn the_digits_of_a_number_are_told_by_its_step() {
        let document = Document::new("it", json!({ "openapi": "3.1.0", "paths": { "/": {} } })).unwrap();
        let of = |schema: Json| kind(&document.shape(&schema));
        let number = |step: Json| of(json!({ "type": ["number", "null"], "multipleOf": step }));
        assert_eq!(number(json!(0.01)), Kind::Decimal(Some((18, 2))));
        assert_eq!(number(json!(1)), Kind::Decimal(Some((18, 0))));
        assert_eq!(of(json!({ "type": "number" })), Kind::Decimal(None));
        assert_eq!(
            of(json!({ "enum": ["a", "b", null] })),
            Kind::Enum(vec!["a".into(), "b".into()])
        );
        assert_eq!(of(json!({ "enum": ["a|b"] })), Kind::Text(None));
    }
}
