//! Supporting flows: what they support, their variants, computed values, and numbers that must be equal.

use super::flow::Scope;
use super::flow_file::{ComputedText, FlowText, RowText};
use super::node::At;
use super::problem::suggestion;
use super::type_text::scale;
use crate::computed::{Computation, Formula};
use crate::dataflow::{Direction, Equal, Kind, Mapping, Reference, Side, Support};
use std::collections::{BTreeMap, BTreeSet};

/// The rows of the variant in use; those of others are passed over.
pub(crate) fn rows_in_use<'t>(scope: &mut Scope<'_>, text: &'t FlowText) -> Vec<&'t RowText> {
    let known: Vec<&str> = text
        .variants
        .iter()
        .flatten()
        .map(|name| name.value.as_str())
        .collect();
    let usual = known.first().copied();
    let used = scope.variant.filter(|name| known.contains(name)).or(usual);
    let mut rows = Vec::new();
    for row in &text.properties.value {
        let Some(variant) = &row.variant else {
            rows.push(row);
            continue;
        };
        if !known.contains(&variant.value.as_str()) {
            let help = match known.as_slice() {
                [] => format!(
                    "Add `variants: [NAME, {}]` to the flow, the usual one first.",
                    variant.value
                ),
                _ => suggestion(&variant.value, known.iter().copied()),
            };
            let message = format!("flow {} has no variant `{}`", text.flow.value, variant.value);
            scope.problem(variant, message, help);
        }
        if used == Some(variant.value.as_str()) {
            rows.push(row);
        }
    }
    rows
}

/// What the flow supports.
pub(crate) fn support(scope: &mut Scope<'_>, text: &FlowText, mappings: &[Mapping]) -> Option<Support> {
    let Some(flow) = &text.supports else {
        if let Some(written) = &text.rolls_up_to {
            let message = "`rolls_up_to` is for flows that support another";
            scope.problem(
                written,
                message,
                "Add `supports:` with that flow's name, or remove it.",
            );
        }
        return None;
    };
    if !scope.heads.contains_key(&flow.value) {
        if !scope.half_read.contains(&flow.value) {
            let help = suggestion(&flow.value, scope.heads.keys().map(String::as_str));
            scope.problem(flow, format!("`{}` supports no flow", flow.value), help);
        }
        return None;
    }
    let leads = |mapping: &&Mapping| matches!(&mapping.kind, Kind::Reference(Reference::Flow(name)) if *name == flow.value);
    let parents: Vec<&str> = mappings
        .iter()
        .filter(leads)
        .map(|mapping| mapping.property(Side::First))
        .collect();
    let [parent] = parents.as_slice() else {
        let help = format!(
            "Let exactly one row have `references: {}`: it names the parent.",
            flow.value
        );
        let count = parents.len();
        scope.problem(
            flow,
            format!("{count} rows lead to a record of {}, not one", flow.value),
            help,
        );
        return None;
    };
    if let Some(written) = text
        .rolls_up_to
        .as_ref()
        .filter(|written| written.value != *parent)
    {
        let message = format!("`{}` does not name the parent", written.value);
        scope.problem(written, message, format!("Write `rolls_up_to: {parent}`."));
    }
    Some(Support {
        flow: flow.value.clone(),
        rolls_up: text.rolls_up_to.is_some(),
    })
}

/// The numbers that must be equal.
pub(crate) fn equal(scope: &mut Scope<'_>, text: &FlowText) -> Vec<Equal> {
    let mut all = Vec::new();
    for written in text.equal.iter().flatten() {
        scope.check_property(Side::First, &written.first);
        scope.check_property(Side::Second, &written.second);
        let digits = match &written.r#type {
            None => Some(2),
            Some(declared) => {
                let digits = scale(&declared.value).filter(|_| declared.value.starts_with("decimal("));
                if digits.is_none() {
                    let message = format!("`{}` is no decimal", declared.value);
                    scope.problem(declared, message, "Write `type: decimal(18,2)`.");
                }
                digits
            }
        };
        all.extend(digits.map(|scale| Equal {
            properties: [written.first.value.clone(), written.second.value.clone()],
            scale,
        }));
    }
    all
}

/// The formula of a computed row, if it is known.
pub(crate) fn formula(text: &RowText) -> Option<Formula> {
    let named = &text.computed.as_ref()?.value.is.value;
    let found = Formula::NAMES.iter().find(|(name, _)| name == named);
    found.map(|(_, formula)| *formula)
}

/// The computed properties of the first side.
pub(crate) fn computed(scope: &mut Scope<'_>, rows: &[&RowText]) -> BTreeMap<String, Computation> {
    let mut all = BTreeMap::new();
    for row in rows {
        let name = row.first.of(&scope.objects[0]).cloned();
        let (Some(name), Some(written)) = (name, &row.computed) else {
            continue;
        };
        all.extend(computation(scope, written).map(|rule| (name.value, rule)));
    }
    all
}

fn computation(scope: &mut Scope<'_>, written: &At<ComputedText>) -> Option<Computation> {
    let ComputedText {
        is,
        quantity,
        price,
        discount,
        text,
    } = &written.value;
    let formula = scope.choose("formula", is, &Formula::NAMES)?;
    let mut named = |name: &Option<At<String>>, needed: bool, key: &str| {
        match name {
            Some(name) => scope.check_property(Side::First, name),
            None if needed => {
                let message = format!("`{}` needs `{key}`", is.value);
                scope.problem(
                    is,
                    message,
                    format!("Add `{key}:` with the property that holds it."),
                );
            }
            None => {}
        }
        name.as_ref().map(|name| name.value.clone())
    };
    let needed = formula != Formula::One;
    Some(Computation {
        formula,
        quantity: named(quantity, needed, "quantity"),
        price: named(price, needed, "price"),
        discount: named(discount, false, "discount"),
        text: named(text, false, "text"),
    })
}

/// Computed values go one way: away from where they are computed.
pub(crate) fn check_computed(
    scope: &mut Scope<'_>,
    text: &RowText,
    direction: Direction,
    first: &At<String>,
) {
    if text.computed.is_some() && direction != Direction::To(Side::Second) {
        let second = scope.name(Side::Second);
        let message = format!("`{}` is computed, and nothing can be written to it", first.value);
        scope.problem(first, message, format!("Add `direction: to-{second}`."));
    }
}

/// The values that lock.
pub(crate) fn locks(scope: &mut Scope<'_>, text: &RowText, kind: &Kind) -> BTreeSet<String> {
    let mut locks = BTreeSet::new();
    for written in text.locks.iter().flatten() {
        if text.alone.is_none() {
            let second = scope.name(Side::Second);
            let help = format!("Add `alone: {second}`, or remove `locks`.");
            scope.problem(written, "`locks` is for a property that is written alone", help);
        }
        if let Kind::Enum(map) = kind
            && !map.to_second.contains_key(&written.value)
        {
            let help = suggestion(&written.value, map.to_second.keys().map(String::as_str));
            scope.problem(
                written,
                format!("`{}` is none of the values", written.value),
                help,
            );
        }
        locks.insert(written.value.clone());
    }
    locks
}
