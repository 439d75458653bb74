//! Custom objects and fields, as the flows use them.

use std::collections::{BTreeMap, BTreeSet};

use tandem_merge::dataflow::{CompanionRule, Dataflow, Flow, Kind, Mapping, Reference, Side};
use tandem_merge::value::Value;

use super::xml::Xml;
use super::{is_custom, known, words};

/// Texts up to this length fit an ordinary text area.
const SHORT_TEXT: usize = 255;

/// What a custom field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Definition {
    /// Holds the identity of the record's counterpart.
    ExternalId,
    Text(usize),
    TextArea(usize),
    /// `Email`, `Phone` and `Url`, `Date` and `DateTime`, which need nothing but their name.
    Plain(&'static str),
    Checkbox,
    /// `Number`, `Currency` or `Percent` with digits in all and behind the point.
    Number(&'static str, u32, u32),
    /// Values, the default first where it is given on every create.
    Picklist(Vec<String>),
    Lookup(String),
    MasterDetail(String),
}

/// Custom fields by object, and which custom objects there are.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) objects: BTreeMap<String, BTreeMap<String, Definition>>,
    /// Standard fields that flows read or write, by object; whether they are written.
    pub(super) standard: BTreeMap<String, BTreeMap<String, bool>>,
    /// Custom fields that are read and never written, as (object, field).
    pub(super) read_only: BTreeSet<(String, String)>,
}

impl Model {
    /// What the flows use.
    pub(super) fn of(flows: &Dataflow) -> Self {
        let mut model = Self::default();
        for flow in &flows.flows {
            model.add_flow(flows, flow);
        }
        if model.objects.contains_key("Invoice__c") {
            model.add_invoice_lines();
        }
        model
    }

    /// Custom objects, in the order of their names.
    pub(super) fn custom_objects(&self) -> impl Iterator<Item = &str> {
        let names = self.objects.keys().map(String::as_str);
        names.filter(|name| is_custom(name))
    }

    /// Every custom field as `Object.Field`.
    pub(super) fn field_names(&self) -> Vec<String> {
        let fields = self
            .objects
            .iter()
            .flat_map(|(object, fields)| fields.keys().map(move |field| format!("{object}.{field}")));
        fields.collect()
    }

    fn add_flow(&mut self, flows: &Dataflow, flow: &Flow) {
        let end = flow.end(Side::Second);
        let object = &end.object;
        // A custom object is there even if it had no field but its name.
        let own = self.objects.entry(object.clone()).or_default();
        if let Some(identity) = end.identity.as_ref().filter(|it| is_custom(&it.property)) {
            own.insert(identity.property.clone(), Definition::ExternalId);
        }
        for (name, value) in &end.only {
            let Value::Text(text) = value else { continue };
            let values = match own.get(name) {
                Some(Definition::Picklist(values)) => values.clone(),
                _ => Vec::new(),
            };
            let all: BTreeSet<String> = values.into_iter().chain([text.clone()]).collect();
            own.insert(name.clone(), Definition::Picklist(all.into_iter().collect()));
        }
        for mapping in &flow.mappings {
            self.add_mapping(flows, flow, mapping);
        }
        for rule in &flow.companions {
            self.add_companion(object, rule);
        }
    }

    fn add_mapping(&mut self, flows: &Dataflow, flow: &Flow, mapping: &Mapping) {
        let object = &flow.end(Side::Second).object;
        let name = mapping.property(Side::Second);
        let written =
            mapping.travels_to(Side::Second) || mapping.on_create != tandem_merge::dataflow::OnCreate::Follow;
        if !is_custom(name) {
            let fields = self.standard.entry(object.clone()).or_default();
            *fields.entry(name.to_owned()).or_default() |= written;
            return;
        }
        if !written {
            self.read_only.insert((object.clone(), name.to_owned()));
        }
        let definition = definition(flows, flow, mapping);
        let fields = self.objects.entry(object.clone()).or_default();
        fields.entry(name.to_owned()).or_insert(definition);
    }

    fn add_companion(&mut self, object: &str, rule: &CompanionRule) {
        let target = &rule.record_type.name;
        let fields = self.objects.entry(target.clone()).or_default();
        let identities = rule.identity.iter().map(|identity| &identity.property);
        for name in identities.chain(&rule.find).filter(|name| is_custom(name)) {
            fields.insert(name.clone(), Definition::ExternalId);
        }
        let written = self.standard.entry(target.clone()).or_default();
        for name in rule.values.keys().filter(|name| !is_custom(name)) {
            written.insert(name.clone(), true);
        }
        if is_custom(&rule.property) {
            let own = self.objects.entry(object.to_owned()).or_default();
            own.entry(rule.property.clone())
                .or_insert_with(|| Definition::Lookup(target.clone()));
        }
    }

    /// The lines of our invoices come with them, whether a flow keeps them in step or not.
    fn add_invoice_lines(&mut self) {
        let fields = self.objects.entry("InvoiceLine__c".to_owned()).or_default();
        for (name, text) in known::INVOICE_LINE {
            fields
                .entry(name.to_owned())
                .or_insert_with(|| written_type(text, None));
        }
        for (detail, field, master) in known::DETAILS {
            if let Some(fields) = self.objects.get_mut(detail) {
                fields.insert(field.to_owned(), Definition::MasterDetail(master.to_owned()));
            }
        }
    }
}

fn definition(flows: &Dataflow, flow: &Flow, mapping: &Mapping) -> Definition {
    let object = &flow.end(Side::Second).object;
    let name = mapping.property(Side::Second);
    let known = known::PICKLISTS
        .iter()
        .find(|(of, field, _)| of == object && *field == name);
    match &mapping.kind {
        Kind::Reference(Reference::Flow(target)) => {
            let target = flows.flow(target).unwrap_or(flow);
            Definition::Lookup(target.end(Side::Second).object.clone())
        }
        Kind::Reference(Reference::Companion { role, .. }) => {
            let mut rules = flows.flows.iter().flat_map(|flow| &flow.companions);
            let rule = rules.find(|rule| rule.role == *role);
            Definition::Lookup(rule.map_or_else(|| role.clone(), |rule| rule.record_type.name.clone()))
        }
        _ if known.is_some() => Definition::Picklist(
            known
                .into_iter()
                .flat_map(|(.., values)| *values)
                .map(|value| (*value).to_owned())
                .collect(),
        ),
        Kind::Enum(map) => Definition::Picklist(map.to_first.keys().cloned().collect()),
        Kind::Boolean => Definition::Checkbox,
        Kind::Date => Definition::Plain("Date"),
        Kind::DateTime { .. } => Definition::Plain("DateTime"),
        Kind::Integer => Definition::Number("Number", 18, 0),
        Kind::Decimal { .. } | Kind::String => written_type(
            &mapping.data_types[Side::Second.index()],
            mapping.max_length[Side::Second.index()],
        ),
    }
}

/// The type that a flow writes as `currency(18,2)`, `textarea` or `reference(Product2)`.
fn written_type(text: &str, length: Option<usize>) -> Definition {
    let (name, size) = match text.split_once('(') {
        Some((name, rest)) => (name, rest.trim_end_matches(')')),
        None => (text, ""),
    };
    let (digits, places) = size.split_once(',').unwrap_or((size, "0"));
    let number = |word: &'static str| {
        let places = places.trim().parse().unwrap_or(2);
        Definition::Number(word, digits.trim().parse().unwrap_or(18), places)
    };
    let length = length.or_else(|| size.parse().ok()).unwrap_or(SHORT_TEXT);
    match name.trim() {
        "external-id" => Definition::ExternalId,
        "reference" => Definition::Lookup(size.to_owned()),
        "currency" => number("Currency"),
        "percent" => number("Percent"),
        "decimal" | "double" | "number" | "int" | "integer" => number("Number"),
        "email" => Definition::Plain("Email"),
        "phone" => Definition::Plain("Phone"),
        "url" => Definition::Plain("Url"),
        "textarea" => Definition::TextArea(length),
        _ if length > SHORT_TEXT => Definition::TextArea(length),
        _ => Definition::Text(length),
    }
}

impl Definition {
    /// Whether field-level security applies: a record's master is always seen.
    pub(super) fn secured(&self) -> bool {
        !matches!(self, Self::MasterDetail(_))
    }

    /// The file's contents.
    pub(super) fn xml(&self, object: &str, name: &str) -> Xml {
        let xml = Xml::default().put("fullName", name).put("label", words(name));
        let optional = |xml: Xml| xml.put("required", "false");
        match self {
            Self::ExternalId => optional(xml)
                .put("type", "Text")
                .put("length", "255")
                .put("externalId", "true")
                .put("unique", "true")
                .put("caseSensitive", "true")
                .put(
                    "description",
                    "The record of the ERP that this one is kept in step with.",
                ),
            Self::Text(length) => optional(xml)
                .put("type", "Text")
                .put("length", length.to_string())
                .put("externalId", "false")
                .put("unique", "false"),
            Self::TextArea(length) if *length > SHORT_TEXT => xml
                .put("type", "LongTextArea")
                .put("length", length.to_string())
                .put("visibleLines", "3"),
            Self::TextArea(_) => optional(xml).put("type", "TextArea"),
            Self::Plain(kind) => optional(xml).put("type", kind),
            Self::Checkbox => {
                let ticked = known::TICKED.contains(&(object, name));
                xml.put("type", "Checkbox")
                    .put("defaultValue", ticked.to_string())
            }
            Self::Number(kind, precision, scale) => optional(xml)
                .put("type", kind)
                .put("precision", precision.to_string())
                .put("scale", scale.to_string()),
            Self::Picklist(values) => {
                let default = known::PICKLISTS
                    .iter()
                    .any(|(of, field, _)| *of == object && *field == name);
                optional(xml)
                    .put("type", "Picklist")
                    .nest("valueSet", value_set(values, default))
            }
            Self::Lookup(target) => optional(xml)
                .put("type", "Lookup")
                .put("referenceTo", target)
                .put("relationshipName", relationship(object, name))
                .put("deleteConstraint", "SetNull"),
            Self::MasterDetail(target) => xml
                .put("type", "MasterDetail")
                .put("referenceTo", target)
                .put("relationshipName", plural(object).replace(' ', ""))
                .put("relationshipOrder", "0")
                .put("reparentableMasterDetail", "false")
                .put("writeRequiresMasterRead", "false"),
        }
    }
}

fn value_set(values: &[String], default: bool) -> Xml {
    let mut definition = Xml::default().put("sorted", "false");
    for (place, value) in values.iter().enumerate() {
        let first = default && place == 0;
        definition = definition.nest(
            "value",
            Xml::default()
                .put("fullName", value)
                .put("default", first.to_string())
                .put("label", value),
        );
    }
    Xml::default()
        .put("restricted", "true")
        .nest("valueSetDefinition", definition)
}

/// What the records of an object are called from the record that a field points to; unique there.
fn relationship(object: &str, field: &str) -> String {
    format!(
        "{}_{}",
        plural(object).replace(' ', ""),
        field.trim_end_matches("__c")
    )
}

fn plural(object: &str) -> String {
    let known = known::OBJECTS.iter().find(|known| known.object == object);
    known.map_or_else(|| format!("{}s", words(object)), |known| known.plural.to_owned())
}

/// A custom object without its fields.
pub(super) fn object(name: &str) -> Xml {
    let known = known::OBJECTS.iter().find(|known| known.object == name);
    let label = known.map_or_else(|| words(name), |known| known.label.to_owned());
    let detail = known::DETAILS.iter().any(|(detail, ..)| *detail == name);
    let sharing = if detail { "ControlledByParent" } else { "ReadWrite" };
    let number = known.and_then(|known| known.numbered);
    let name_field = match number {
        Some(format) => Xml::default()
            .put("label", format!("{label} Number"))
            .put("type", "AutoNumber")
            .put("displayFormat", format),
        None => Xml::default()
            .put("label", format!("{label} Name"))
            .put("type", "Text"),
    };
    Xml::default()
        .put("label", &label)
        .put("pluralLabel", plural(name))
        .put("description", known.map_or("", |known| known.description))
        .nest("nameField", name_field)
        .put("deploymentStatus", "Deployed")
        .put("sharingModel", sharing)
}
