//! The Avro schema of an object's change events: a header, then every field that events carry, each of which may be null.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::event::ChangeType;
use crate::salesforce::schema::{Field, FieldIndex, Kind, Object, Source};

/// Standard objects that have change events; every custom object has them too.
const WITH_EVENTS: [&str; 11] = [
    "Account",
    "Contact",
    "Opportunity",
    "Order",
    "OrderItem",
    "Pricebook2",
    "Product2",
    "Quote",
    "QuoteLineItem",
    "Task",
    "User",
];
/// Formulas and roll-ups, which events never carry.
const COMPUTED: [(&str, &[&str]); 6] = [
    (
        "Opportunity",
        &[
            "ExpectedRevenue",
            "Fiscal",
            "FiscalQuarter",
            "FiscalYear",
            "HasOpportunityLineItem",
        ],
    ),
    ("Order", &["TotalAmount"]),
    ("OrderItem", &["TotalPrice"]),
    (
        "Quote",
        &["GrandTotal", "LineItemCount", "Subtotal", "TotalPrice"],
    ),
    ("QuoteLineItem", &["Subtotal", "TotalPrice"]),
    ("Task", &["WhatCount", "WhoCount"]),
];
/// System fields that are about the looking, not about the record.
const NEVER: [&str; 6] = [
    "Id",
    "IsDeleted",
    "SystemModstamp",
    "LastViewedDate",
    "LastReferencedDate",
    "LastActivityDate",
];
const NAME_PARTS: [&str; 6] = [
    "Salutation",
    "FirstName",
    "LastName",
    "MiddleName",
    "InformalName",
    "Suffix",
];
const ADDRESS_PARTS: [&str; 11] = [
    "Street",
    "City",
    "State",
    "PostalCode",
    "Country",
    "StateCode",
    "CountryCode",
    "Latitude",
    "Longitude",
    "Xyz",
    "GeocodeAccuracy",
];

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Primitive {
    Text,
    Boolean,
    Int,
    Double,
    /// Days and moments, as milliseconds since 1970 UTC.
    Long,
}

impl Primitive {
    fn of(kind: Kind) -> Primitive {
        match kind {
            Kind::Boolean => Primitive::Boolean,
            Kind::Int => Primitive::Int,
            Kind::Double | Kind::Currency | Kind::Percent => Primitive::Double,
            Kind::Date | Kind::DateTime | Kind::Time => Primitive::Long,
            _ => Primitive::Text,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Primitive::Text => "string",
            Primitive::Boolean => "boolean",
            Primitive::Int => "int",
            Primitive::Double => "double",
            Primitive::Long => "long",
        }
    }
}

/// The type of a top-level field, apart from null.
#[derive(Debug)]
pub(crate) enum Shape {
    Plain(Primitive),
    /// A name or an address: its parts.
    Compound(Vec<(&'static str, Primitive)>),
    /// Text, or the name of a person: an account's name, which here always is text.
    TextOrName(Vec<(&'static str, Primitive)>),
}

/// A field of the schema, and the part of it where it is compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// The position among the schema's fields, in which the header is the first.
    pub(crate) field: usize,
    pub(crate) part: Option<usize>,
}

#[derive(Debug)]
struct EventField {
    name: String,
    record: &'static str,
    doc: String,
    shape: Shape,
}

/// The schema of one object's events.
#[derive(Debug)]
pub(crate) struct EventSchema {
    pub(crate) id: String,
    /// The Avro schema as JSON.
    pub(crate) json: String,
    /// The object's name.
    pub(crate) entity: String,
    fields: Vec<EventField>,
    places: HashMap<FieldIndex, Place>,
}

/// `Contact` has `ContactChangeEvent`, `Invoice__c` has `Invoice__ChangeEvent`.
pub(crate) fn event_name(entity: &str) -> String {
    match entity.strip_suffix("__c") {
        Some(stem) => format!("{stem}__ChangeEvent"),
        None => format!("{entity}ChangeEvent"),
    }
}

/// The object of an event's name.
pub(crate) fn entity_name(event: &str) -> Option<String> {
    match event.strip_suffix("__ChangeEvent") {
        Some(stem) => Some(format!("{stem}__c")),
        None => event.strip_suffix("ChangeEvent").map(str::to_owned),
    }
    .filter(|name| !name.is_empty())
}

/// Whether changes of this object make events.
pub(crate) fn has_events(object: &Object) -> bool {
    object.custom() || WITH_EVENTS.contains(&object.name.as_str())
}

impl EventSchema {
    pub(crate) fn new(object: &Object) -> EventSchema {
        let mut fields = Vec::new();
        let mut places = HashMap::new();
        for (at, field) in object.numbered().filter(|(_, field)| carried(object, field)) {
            // The header is the first field.
            let position = fields.len() + 1;
            let (made, parts) = event_field(object, field);
            match parts {
                None => {
                    places.insert(
                        at,
                        Place {
                            field: position,
                            part: None,
                        },
                    );
                }
                Some(parts) => places.extend(parts.into_iter().map(|(part_of, part)| {
                    (
                        part_of,
                        Place {
                            field: position,
                            part: Some(part),
                        },
                    )
                })),
            }
            fields.push(made);
        }
        let name = event_name(&object.name);
        let mut described = json!({
            "name": name,
            "namespace": "com.sforce.eventbus",
            "type": "record",
            "fields": described(&fields),
        });
        let digest = Sha256::digest(described.to_string());
        let id = URL_SAFE_NO_PAD.encode(&digest[..16]);
        described["uuid"] = json!(id);
        EventSchema {
            id,
            json: described.to_string(),
            entity: object.name.clone(),
            fields,
            places,
        }
    }

    /// Where the schema has this field of the object; none where events do not carry it.
    pub(crate) fn place(&self, field: FieldIndex) -> Option<Place> {
        self.places.get(&field).copied()
    }

    /// The types of the fields after the header.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.fields.iter().map(|field| &field.shape)
    }
}

/// Whether the field stands in the schema by itself.
fn carried(object: &Object, field: &Field) -> bool {
    let computed = COMPUTED
        .iter()
        .any(|(name, fields)| *name == object.name && fields.contains(&field.name.as_str()));
    !computed && !NEVER.contains(&field.name.as_str()) && !is_part(object, field)
}

/// Whether the object is a person, whose name has parts.
fn is_person(object: &Object) -> bool {
    object.find("LastName").is_some() && object.find("Name").is_some()
}

/// Whether the field stands inside a name or an address.
fn is_part(object: &Object, field: &Field) -> bool {
    if field.source == Source::Compound {
        return false;
    }
    if is_person(object) && NAME_PARTS.contains(&field.name.as_str()) {
        return true;
    }
    addresses(object).any(|prefix| {
        field
            .name
            .strip_prefix(prefix)
            .is_some_and(|rest| ADDRESS_PARTS.contains(&rest))
    })
}

/// What the parts of each address begin with: `Mailing` for `MailingAddress`.
fn addresses(object: &Object) -> impl Iterator<Item = &str> {
    object
        .fields()
        .filter(|field| field.kind == Kind::Address)
        .filter_map(|field| field.name.strip_suffix("Address"))
}

/// The fields of the object that are parts of a compound one, and which part each is.
type Parts = Vec<(FieldIndex, usize)>;

fn event_field(object: &Object, field: &Field) -> (EventField, Option<Parts>) {
    let compound = |record: &'static str, prefix: &str, names: &[&'static str], always: bool| {
        let kept: Vec<&'static str> = names
            .iter()
            .copied()
            .filter(|name| always || object.find(&format!("{prefix}{name}")).is_some())
            .collect();
        let parts: Vec<(&'static str, Primitive)> = kept
            .iter()
            .map(|name| {
                let number = matches!(*name, "Latitude" | "Longitude");
                (
                    *name,
                    if number {
                        Primitive::Double
                    } else {
                        Primitive::Text
                    },
                )
            })
            .collect();
        let places = kept
            .iter()
            .enumerate()
            .filter_map(|(part, name)| Some((object.find(&format!("{prefix}{name}"))?, part)))
            .collect();
        (record, parts, places)
    };
    let field_of = |record, shape, doc: String| EventField {
        name: field.name.clone(),
        record,
        doc,
        shape,
    };
    if field.kind == Kind::Address {
        let prefix = field.name.strip_suffix("Address").unwrap_or_default();
        let (record, parts, places) = compound("Address", prefix, &ADDRESS_PARTS, true);
        let made = field_of(record, Shape::Compound(parts), "Data:Address".to_owned());
        return (made, Some(places));
    }
    if field.name == "Name" && is_person(object) {
        let (record, parts, places) = compound("PersonName", "", &NAME_PARTS, false);
        let made = field_of(record, Shape::Compound(parts), "Data:PersonName".to_owned());
        return (made, Some(places));
    }
    if field.name == "Name" && object.name == "Account" {
        let (record, parts, _) = compound("Switchable_PersonName", "", &NAME_PARTS[..3], true);
        let made = field_of(
            record,
            Shape::TextOrName(parts),
            "Data:Switchable_PersonName".to_owned(),
        );
        return (made, None);
    }
    (
        field_of("", Shape::Plain(Primitive::of(field.kind)), doc(field)),
        None,
    )
}

/// The remark of a field: what Salesforce's own types call it.
fn doc(field: &Field) -> String {
    match field.name.as_str() {
        "CreatedDate" => return "CreatedDate:DateTime".to_owned(),
        "CreatedById" => return "CreatedBy:EntityId".to_owned(),
        "LastModifiedDate" => return "LastModifiedDate:DateTime".to_owned(),
        "LastModifiedById" => return "LastModifiedBy:EntityId".to_owned(),
        _ => {}
    }
    let kind = match field.kind {
        Kind::Id | Kind::Reference => "EntityId",
        Kind::Text if field.name == "Name" => "Name",
        Kind::Text | Kind::Combobox => "Text",
        Kind::TextArea if field.long_text() => "StringPlusClob",
        Kind::TextArea => "MultiLineText",
        Kind::Email => "Email",
        Kind::Phone => "Phone",
        Kind::Url => "Url",
        Kind::Picklist => "DynamicEnum",
        Kind::MultiPicklist => "MultiEnum",
        Kind::Boolean => "Boolean",
        Kind::Int | Kind::Double => "Double",
        Kind::Currency => "Currency",
        Kind::Percent => "Percent",
        Kind::Date => "DateOnly",
        Kind::DateTime => "DateTime",
        Kind::Time => "TimeOnly",
        Kind::Address => "Address",
    };
    format!("Data:{kind}")
}

fn described(fields: &[EventField]) -> Json {
    let mut known: Vec<&str> = Vec::new();
    let mut list = vec![json!({ "name": "ChangeEventHeader", "type": header() })];
    for field in fields {
        // A named type is written out once, and named afterwards.
        let mut record = |parts: &[(&str, Primitive)]| {
            if known.contains(&field.record) {
                return json!(field.record);
            }
            known.push(field.record);
            let parts = parts
                .iter()
                .map(|(name, kind)| json!({ "name": name, "type": ["null", kind.name()], "default": null }));
            json!({ "type": "record", "name": field.record, "fields": parts.collect::<Vec<Json>>() })
        };
        let kind = match &field.shape {
            Shape::Plain(kind) => json!(["null", kind.name()]),
            Shape::Compound(parts) => json!(["null", record(parts)]),
            Shape::TextOrName(parts) => json!(["null", "string", record(parts)]),
        };
        list.push(json!({ "name": field.name, "type": kind, "doc": field.doc, "default": null }));
    }
    Json::Array(list)
}

fn header() -> Json {
    let symbols: Vec<&str> = ChangeType::ALL.iter().map(|(name, _)| *name).collect();
    let texts = json!({ "type": "array", "items": "string" });
    json!({
        "type": "record",
        "name": "ChangeEventHeader",
        "fields": [
            { "name": "entityName", "type": "string" },
            { "name": "recordIds", "type": texts },
            { "name": "changeType", "type": { "type": "enum", "name": "ChangeType", "symbols": symbols } },
            { "name": "changeOrigin", "type": "string" },
            { "name": "transactionKey", "type": "string" },
            { "name": "sequenceNumber", "type": "int" },
            { "name": "commitTimestamp", "type": "long" },
            { "name": "commitNumber", "type": "long" },
            { "name": "commitUser", "type": "string" },
            { "name": "nulledFields", "type": texts },
            { "name": "diffFields", "type": texts },
            { "name": "changedFields", "type": texts },
        ],
    })
}
