//! Compares a flow with what its two systems describe.

use super::{choices, digits};
use serde::Serialize;
use std::collections::BTreeSet;
use tandem_connector::{Capabilities, PropertySchema, Schema, TypeSchema};
use tandem_merge::config::{Configuration, Places, suggestion, type_to_write};
use tandem_merge::dataflow::{CreatePolicy, Flow, Kind, Mapping, OnCreate, Side};
use tandem_merge::matching;
use tandem_merge::record::RecordType;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weight {
    /// Works as configured.
    Fine,
    /// Works within a limit that a person should know.
    Limit,
    /// Is not kept in step, by the configuration's own word.
    NotServed,
    /// May be wrong: a person has to look.
    Doubtful,
    /// The configuration does not fit the system.
    Wrong,
}

/// What brings our objects and fields to an org.
const DEPLOY: &str = "write our metadata with `tandem salesforce metadata DIR` and deploy it to the org";

impl Weight {
    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Limit => "limit",
            Self::NotServed => "not served",
            Self::Doubtful => "doubtful",
            Self::Wrong => "WRONG",
        }
    }
}

/// Something to know about a flow or system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// How much it weighs.
    pub(crate) weight: Weight,
    /// The flow.
    pub(crate) flow: Option<String>,
    /// The property.
    pub(crate) property: Option<String>,
    /// File and line of the flow, or of its row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<String>,
    /// What was found.
    pub(crate) what: String,
    /// Why it matters.
    pub(crate) why: String,
}

impl Finding {
    pub(super) fn new(weight: Weight, flow: &Flow, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            weight,
            flow: Some(flow.name.clone()),
            property: None,
            place: None,
            what: what.into(),
            why: why.into(),
        }
    }

    pub(super) fn about(self, property: impl Into<String>) -> Self {
        Self {
            property: Some(property.into()),
            ..self
        }
    }
}

/// Says of what is wrong with flows where it is written.
pub(crate) fn placed(findings: &mut [Finding], places: &Places) {
    let told = |finding: &&mut Finding| matches!(finding.weight, Weight::Wrong | Weight::Doubtful);
    for finding in findings.iter_mut().filter(told) {
        let row = finding.property.as_deref().unwrap_or_default();
        let place = finding.flow.as_deref().and_then(|flow| places.of(flow, row));
        finding.place = place.map(str::to_owned);
    }
}

/// What the configuration itself remarks, and the rows passed over for want of a property.
pub(crate) fn remarks(remarks: &[String], passed_over: &[String]) -> Vec<Finding> {
    let of = |weight: Weight| {
        move |text: &String| Finding {
            weight,
            flow: None,
            property: None,
            place: None,
            what: text.clone(),
            why: String::new(),
        }
    };
    let limits = remarks.iter().map(of(Weight::Limit));
    limits
        .chain(passed_over.iter().map(of(Weight::NotServed)))
        .collect()
}

/// Record types whose description does not fit its system, each once: whatever else is said of them follows from that.
pub(crate) fn unfit(configuration: &Configuration, schemas: [&Schema; 2]) -> Vec<Finding> {
    let described = configuration.connections.iter().zip(schemas);
    let described = described.filter(|(connection, _)| connection.is_described());
    let unfit = described.flat_map(|(connection, schema)| {
        let flows = &configuration.dataflow.flows;
        schema.missing.iter().filter_map(|(name, sentence)| {
            let serves = |flow: &&Flow| {
                let mut types = flow.ends.iter().map(|end| &end.record_type);
                types.any(|of| of.system == connection.name && of.name == *name)
            };
            let why = format!("correct {name} in the description: nothing of this flow can be kept in step");
            Some(Finding::new(
                Weight::Wrong,
                flows.iter().find(serves)?,
                sentence.clone(),
                why,
            ))
        })
    });
    unfit.collect()
}

/// Everything to know about one flow.
pub(crate) fn flow(flow: &Flow, schemas: &[Schema; 2]) -> Vec<Finding> {
    let mut found = Vec::new();
    for side in Side::BOTH {
        let end = flow.end(side);
        let schema = &schemas[side.index()];
        match schema.types.get(&end.record_type.name) {
            Some(described) => found.extend(of_end(flow, side, described)),
            None => {
                let sentence = schema.missing.get(&end.record_type.name).cloned();
                let sentence = sentence.unwrap_or_else(|| format!("{} is not there", end.object));
                let why = "nothing of this flow can be kept in step";
                let why = match side {
                    Side::First => why.to_owned(),
                    Side::Second => format!("{why}; {DEPLOY}"),
                };
                found.push(Finding::new(Weight::Wrong, flow, sentence, why));
            }
        }
    }
    found.extend(digits::findings(flow, schemas));
    found.extend(choices::findings(flow, schemas));
    found.extend(companions(flow, &schemas[Side::Second.index()]));
    for row in &flow.unserved {
        let what = match &row.second {
            Some(second) => format!("not served: {second} is not in the binding in use"),
            None => "not served".to_owned(),
        };
        found.push(Finding::new(Weight::NotServed, flow, what, row.why.clone()).about(row.first.clone()));
    }
    if found.iter().all(|finding| finding.weight != Weight::Wrong) {
        let kept = format!("{} properties are kept in step", flow.mappings.len());
        let ends = flow.ends.each_ref().map(|end| end.object.as_str());
        found.insert(
            0,
            Finding::new(Weight::Fine, flow, kept, format!("{} with {}", ends[0], ends[1])),
        );
    }
    found
}

/// Properties of companions that their objects do not have.
fn companions(flow: &Flow, schema: &Schema) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in &flow.companions {
        let Some(described) = schema.types.get(&rule.record_type.name) else {
            continue;
        };
        let identity = rule.identity.iter().map(|identity| &identity.property);
        let names: BTreeSet<&String> = identity.chain(&rule.find).chain(rule.values.keys()).collect();
        let missing = names
            .into_iter()
            .filter(|name| !described.properties.contains_key(*name));
        found.extend(missing.map(|name| absent(flow, described, name)));
    }
    found
}

fn of_end(flow: &Flow, side: Side, described: &TypeSchema) -> Vec<Finding> {
    let end = flow.end(side);
    let object = &end.object;
    let mut found = Vec::new();
    if end.create != CreatePolicy::Off && !described.createable {
        let why = "its records are linked and kept in step; those without a counterpart are listed";
        found.push(Finding::new(
            Weight::Limit,
            flow,
            format!("{object} cannot be created"),
            why,
        ));
    }
    if end.create == CreatePolicy::Off {
        let what = format!("nothing is created in {}", end.record_type.system);
        found.push(Finding::new(
            Weight::Limit,
            flow,
            what,
            "by policy; records without a counterpart are listed",
        ));
    }
    match &end.identity {
        None => {
            let why = "its records are known by their match keys alone, and a create whose answer is lost is looked up first";
            found.push(Finding::new(
                Weight::Limit,
                flow,
                format!("{object} holds no identity"),
                why,
            ));
        }
        Some(identity) => match described.properties.get(&identity.property) {
            None => found.push(absent(flow, described, &identity.property)),
            Some(property) if identity.unique && !property.unique => {
                let what = format!("{object}.{} is not unique", identity.property);
                found.push(Finding::new(
                    Weight::Wrong,
                    flow,
                    what,
                    "a create cannot be repeated safely without it",
                ));
            }
            Some(_) => {}
        },
    }
    for mapping in &flow.mappings {
        let name = mapping.property(side);
        // The record's own id needs no describing.
        if name == "id" && side == Side::First {
            continue;
        }
        match described.properties.get(name) {
            None => found.push(absent(flow, described, name)),
            Some(property) => found.extend(of_property(flow, side, mapping, property, described.createable)),
        }
    }
    found.extend(asked_for(flow, side, described));
    found.extend(lengths(flow, side, described));
    found
}

/// Properties that no row maps and that decide which records belong to the flow and to each other.
fn asked_for(flow: &Flow, side: Side, described: &TypeSchema) -> Vec<Finding> {
    let end = flow.end(side);
    let keys = flow.match_rules.iter().flat_map(|rule| rule.properties(side));
    let filter = end.filter.iter().flat_map(|filter| filter.properties());
    let mapped = |name: &&str| {
        flow.mappings
            .iter()
            .any(|mapping| mapping.property(side) == *name)
    };
    let names: BTreeSet<&str> = keys.chain(filter).filter(|name| !mapped(name)).collect();
    let absent = |name: &&str| *name != matching::ID && !described.properties.contains_key(*name);
    let missing = names.into_iter().filter(absent);
    missing.map(|name| self::absent(flow, described, name)).collect()
}

fn absent(flow: &Flow, described: &TypeSchema, property: &str) -> Finding {
    let object = &described.object;
    let why = "correct its name, or show it to our user (field-level security hides what we may not see)";
    let near = suggestion(property, described.properties.keys().map(String::as_str));
    let why = match flow.supports {
        _ if near.starts_with("Did you mean") => near,
        _ if property.ends_with("__c") => format!("{DEPLOY}, or show it to our user"),
        None => why.to_owned(),
        Some(_) => format!(
            "{why}; where the org has none, choose the variant that does without it: \
             `variants: {{ {}: amount }}` in tandem.yaml",
            flow.name
        ),
    };
    Finding::new(
        Weight::Wrong,
        flow,
        format!("{object} has no property {property}"),
        why,
    )
    .about(property)
}

/// `creates`: whether records of the type can be created at all.
fn of_property(
    flow: &Flow,
    side: Side,
    mapping: &Mapping,
    described: &PropertySchema,
    creates: bool,
) -> Vec<Finding> {
    let end = flow.end(side);
    let name = mapping.property(side);
    let place = format!("{}.{name}", end.object);
    let mut found = Vec::new();
    if let Some(word) = type_to_write(&mapping.kind, &described.data_type) {
        let word = digits::own(described).unwrap_or_else(|| word.to_owned());
        let what = format!("{place} is of type {}", described.data_type);
        let why = format!("the row declares another: write `type: {word}`");
        found.push(Finding::new(Weight::Wrong, flow, what, why).about(name));
    }
    if mapping.travels_to(side) && !described.updateable {
        let (weight, why) = match described.createable {
            true => (
                Weight::Limit,
                "it is given on create and never changed afterwards",
            ),
            false if mapping.create_only[side.index()] && !creates => (
                Weight::Limit,
                "it is given on create alone, and nothing is created there",
            ),
            false => (
                Weight::Wrong,
                "values cannot travel there: turn the row's direction round",
            ),
        };
        found.push(Finding::new(weight, flow, format!("{place} is read-only"), why).about(name));
    }
    let given = side == Side::Second && mapping.on_create != OnCreate::Follow;
    if given && !described.createable && end.create != CreatePolicy::Off {
        let why = "the row gives it on create";
        found.push(
            Finding::new(
                Weight::Wrong,
                flow,
                format!("{place} cannot be given on create"),
                why,
            )
            .about(name),
        );
    }
    found
}

/// Texts that this side holds less of than the other may give: one finding for all of them.
fn lengths(flow: &Flow, side: Side, described: &TypeSchema) -> Option<Finding> {
    let shorter = flow.mappings.iter().filter_map(|mapping| {
        let name = mapping.property(side);
        let here = described.properties.get(name)?.max_length?;
        let there = mapping.max_length[side.other().index()];
        let narrower = mapping.kind == Kind::String && there.is_none_or(|there| there > here);
        (narrower && mapping.travels_to(side)).then(|| format!("{name} {here}"))
    });
    let shorter: Vec<String> = shorter.collect();
    let object = &flow.end(side).object;
    let what = format!("{object} holds texts up to a length; longer ones are parked, never cut");
    (!shorter.is_empty()).then(|| Finding::new(Weight::Limit, flow, what, shorter.join(", ")))
}

/// What a system's abilities mean for these types, those left out that it was found to have only in appearance.
pub(crate) fn capabilities(name: &str, can: &Capabilities, types: &[RecordType]) -> Vec<Finding> {
    let (kept, bare): (Vec<_>, Vec<_>) = types.iter().partition(|of| can.of(of).conditional_write);
    let deleted = kept.iter().filter(|of| !can.of(of).conditional_delete);
    let deleted: Vec<&RecordType> = deleted.copied().collect();
    let compares = bare.iter().any(|of| can.of(of).compares);
    let finding = |weight, of: &[&RecordType], what: String, why: &str| Finding {
        weight,
        flow: None,
        property: None,
        place: None,
        what: match of.len() == types.len() {
            true => what,
            false => format!("{what}: {}", names(of)),
        },
        why: why.to_owned(),
    };
    let mut found = Vec::new();
    if !bare.is_empty() {
        let why = match compares {
            true => {
                "records are read just before they are written, and where they are written back as a whole Tandem compares \
                 them itself: an edit between that read and the write can be overwritten"
            }
            false => {
                "records are read just before they are written, a call more for each; an edit within that moment can be \
                 overwritten"
            }
        };
        let what = format!("{name} has no conditional write that can be relied on");
        found.push(finding(Weight::Limit, &bare, what, why));
    }
    if !kept.is_empty() {
        let what = format!("{name} writes only over what the plan saw");
        let why = "an edit made in between is never overwritten, within the condition's resolution";
        found.push(finding(Weight::Fine, &kept, what, why));
    }
    if !deleted.is_empty() {
        let what = format!("{name} may delete whatever the condition says");
        let why = "a record is read just before it is deleted, and decided again if it was edited; an edit within the moments \
                   between that read and the deletion can go with the record, and is kept in the recycle bin alone";
        found.push(finding(Weight::Limit, &deleted, what, why));
    }
    found
}

pub(super) fn names(types: &[&RecordType]) -> String {
    let names: Vec<&str> = types.iter().map(|of| of.name.as_str()).collect();
    names.join(", ")
}
