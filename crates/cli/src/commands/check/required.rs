//! Properties that a create has to give and that nothing gives.

use super::compare::{Finding, Weight};
use std::collections::BTreeSet;
use tandem_connector::{Schema, TypeSchema};
use tandem_merge::dataflow::{CreatePolicy, Flow, Mapping, OnCreate, Side};

/// One finding for each property without which a side takes no record. A sync works without: what is refused is parked, and
/// whatever else there is goes on.
pub(super) fn findings(flow: &Flow, schemas: &[Schema; 2]) -> Vec<Finding> {
    let described = |side: Side| schemas[side.index()].types.get(&flow.end(side).record_type.name);
    let both = Side::BOTH
        .into_iter()
        .filter_map(|side| Some((side, described(side)?)));
    both.flat_map(|(side, described)| of_end(flow, side, described))
        .collect()
}

fn of_end(flow: &Flow, side: Side, described: &TypeSchema) -> Vec<Finding> {
    let end = flow.end(side);
    if end.create == CreatePolicy::Off || !end.write || !described.createable {
        return Vec::new();
    }
    let given = given(flow, side);
    // A person's name is made of its parts.
    let is_person = described.properties.contains_key("IsPersonAccount") && given.contains("LastName");
    let asked = described.properties.iter().filter(|(name, property)| {
        let made_of_parts = is_person && *name == "Name";
        !(property.nillable || property.filled_on_create || made_of_parts) && property.createable
    });
    let missing = asked.filter(|(name, _)| !given.contains(name.as_str()));
    let finding = |name: &String| {
        let what = format!(
            "{}.{name} is required on create, and no row or constant gives it",
            end.object
        );
        let system = &end.record_type.system;
        // A database may have triggers that fill it in, which nobody sees from here.
        let (weight, why) = match side {
            Side::First => (
                Weight::Limit,
                "unless the system fills it in by itself, creates there are refused: ",
            ),
            Side::Second => (Weight::Wrong, "without it no record can be created there: "),
        };
        let why = format!("{why}add a row, or `constants: {{ {system}: {{ {name}: VALUE }} }}`");
        Finding::new(weight, flow, what, why).about(name)
    };
    missing.map(|(name, _)| finding(name)).collect()
}

/// The properties that a create on a side is given.
fn given(flow: &Flow, side: Side) -> BTreeSet<&str> {
    let end = flow.end(side);
    let gives = |mapping: &&Mapping| {
        let at = side.index();
        mapping.travels_to(side)
            || mapping.on_create != OnCreate::Follow
            || mapping.filled_on_create[at]
            || mapping.given_by == Some(side)
    };
    let rows = flow
        .mappings
        .iter()
        .filter(gives)
        .map(|mapping| mapping.property(side));
    let constants = end.constants.keys().chain(end.only.keys()).map(String::as_str);
    let identity = end.identity.iter().map(|identity| identity.property.as_str());
    let companions = flow.companions.iter().filter(|_| side == Side::Second);
    let companions = companions.map(|rule| rule.property.as_str());
    rows.chain(constants).chain(identity).chain(companions).collect()
}
