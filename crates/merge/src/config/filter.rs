//! Filters of a side, checked against what is known of its properties.

use super::flow::Scope;
use super::flow_file::{FlowText, OnlyOfObject, OnlyText};
use super::node::At;
use super::type_text::Family;
use crate::dataflow::Side;
use crate::filter::Filter;
use crate::value::Value;

/// The filter of a side, for the object in use.
pub(super) fn filter(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> Option<Filter> {
    let written = written(
        text.only.as_ref()?.both()[side.index()]?,
        &scope.objects[side.index()],
    )?;
    let filter = match Filter::parse(&written.value) {
        Ok(filter) => filter,
        Err(wrong) => {
            let message = format!(
                "the filter cannot be read at its character {}: {}",
                wrong.at, wrong.message
            );
            scope.problem(&written, message, wrong.help);
            return None;
        }
    };
    for (property, literals) in filter.comparisons() {
        let name = written.with(property.to_owned());
        scope.check_property(side, &name);
        for literal in literals {
            check_type(scope, side, &name, literal);
        }
    }
    Some(filter)
}

/// The text of the filter in use.
fn written(only: &OnlyText, object: &str) -> Option<At<String>> {
    let by_object = match only {
        OnlyText::Filter(text) => return Some(text.clone()),
        OnlyText::Objects(by_object) => by_object,
    };
    match by_object.get(object)? {
        OnlyOfObject::Filter(text) => Some(text.clone()),
        OnlyOfObject::Values(values) => {
            let mut entries = values.0.iter();
            let (name, scalar) = entries.find(|(name, _)| name.value == OnlyOfObject::WHERE)?;
            Some(name.with(scalar.text()))
        }
    }
}

/// A comparison with a value of another kind would hold for no record.
fn check_type(scope: &mut Scope<'_>, side: Side, name: &At<String>, literal: &Value) {
    let object = &scope.objects[side.index()];
    let known = scope.known[side.index()].type_of(object, &name.value);
    let Some(family) = known.as_deref().and_then(Family::of) else {
        return;
    };
    let (fits, example) = match family {
        Family::Text | Family::Reference => (matches!(literal, Value::Text(_)), "a text in single quotes"),
        Family::Integer | Family::Decimal => {
            let number = matches!(literal, Value::Integer(_) | Value::Decimal(_));
            (number, "a number without quotes")
        }
        Family::Boolean => (
            matches!(literal, Value::Boolean(_)),
            "true or false without quotes",
        ),
        Family::Date => (
            matches!(literal, Value::Date(_)),
            "a day without quotes, such as 2026-01-31",
        ),
        Family::DateTime => {
            let moment = matches!(literal, Value::DateTime(_));
            (moment, "a moment without quotes, such as 2026-01-31T00:00:00Z")
        }
    };
    if !fits {
        let message = format!("`{literal}` is no {} for {}", family.noun(), name.value);
        scope.problem(name, message, format!("Write {example}."));
    }
}
