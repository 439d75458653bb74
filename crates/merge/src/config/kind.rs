//! The canonical type of a row, and whether the properties' own types answer to it.

use super::flow::Scope;
use super::flow_file::RowText;
use super::known::PropertyKnown;
use super::node::At;
use super::problem::suggestion;
use super::support::formula;
use super::type_text::{Family, ROW_TYPES, digits, scale};
use crate::computed::Formula;
use crate::dataflow::{EnumMap, Kind, Reference, Side};
use crate::record::RecordType;
use std::collections::BTreeMap;

pub(crate) fn kind(scope: &mut Scope<'_>, text: &RowText, first: &At<String>) -> Option<Kind> {
    let implied = match (&text.values, &text.references, &text.companion) {
        (Some(_), None, None) => "enum",
        (None, Some(_), None) | (None, None, Some(_)) => "reference",
        (None, None, None) => formula(text).map_or("string", Formula::data_type),
        _ => {
            scope.problem(
                first,
                format!(
                    "`{}` has more than one of values, references and companion",
                    first.value
                ),
                "Keep one of them.",
            );
            return None;
        }
    };
    let written = text
        .r#type
        .clone()
        .unwrap_or_else(|| first.with(implied.to_owned()));
    match (written.value.as_str(), implied) {
        ("enum", "enum") => return enum_map(scope, text).map(Kind::Enum),
        ("reference", "reference") => return reference(scope, text, first).map(Kind::Reference),
        (other, "enum" | "reference") => {
            let message = format!("`{}` is of type {other} but is written as {implied}", first.value);
            scope.problem(
                &written,
                message,
                format!("Write `type: {implied}`, or leave it out."),
            );
            return None;
        }
        ("string", _) => return Some(Kind::String),
        ("integer", _) => return Some(Kind::Integer),
        ("boolean", _) => return Some(Kind::Boolean),
        ("date", _) => return Some(Kind::Date),
        ("datetime", _) => {
            return Some(Kind::DateTime {
                whole_seconds: text.whole_seconds.unwrap_or(false),
            });
        }
        ("enum", _) => {
            scope.problem(
                &written,
                "an enum without values",
                "Add `values: { name: Name, ... }`.",
            );
            return None;
        }
        ("reference", _) => {
            scope.problem(
                &written,
                "a reference to no flow",
                "Add `references:` with a flow's name, or `companion:` with a role.",
            );
            return None;
        }
        _ => {}
    }
    if let Some(scale) = scale(&written.value).filter(|_| written.value.starts_with("decimal(")) {
        return Some(Kind::Decimal { scale });
    }
    let help = suggestion(&written.value, ROW_TYPES);
    scope.problem(&written, format!("unknown type `{}`", written.value), help);
    None
}

pub(crate) fn enum_map(scope: &mut Scope<'_>, text: &RowText) -> Option<EnumMap> {
    let values = text.values.as_ref()?;
    let back = text.back.clone().unwrap_or_default();
    let mut to_second = BTreeMap::new();
    let mut sources: BTreeMap<&str, Vec<&At<String>>> = BTreeMap::new();
    for (name, target) in &values.0 {
        to_second.insert(name.value.clone(), target.value.clone());
        sources.entry(target.value.as_str()).or_default().push(name);
    }
    let mut to_first = BTreeMap::new();
    for (target, names) in &sources {
        match (names.as_slice(), back.get(target)) {
            ([name], None) => {
                to_first.insert((*target).to_owned(), name.value.clone());
            }
            (names, Some(way)) if names.iter().any(|name| name.value == way.value) => {
                to_first.insert((*target).to_owned(), way.value.clone());
            }
            (names, Some(way)) => {
                let help = suggestion(&way.value, names.iter().map(|name| name.value.as_str()));
                scope.problem(way, format!("`{}` does not become `{target}`", way.value), help);
            }
            (names, None) => {
                let list: Vec<_> = names.iter().map(|name| name.value.as_str()).collect();
                scope.problem(
                    names[0],
                    format!(
                        "{} all become `{target}`, and nothing says the way back",
                        list.join(", ")
                    ),
                    format!("Add `back: {{ {target}: {} }}` or another of them.", list[0]),
                );
            }
        }
    }
    for (target, _) in &back.0 {
        if !sources.contains_key(target.value.as_str()) {
            let help = suggestion(&target.value, sources.keys().copied());
            scope.problem(target, format!("no value becomes `{}`", target.value), help);
        }
    }
    Some(EnumMap { to_second, to_first })
}

pub(crate) fn reference(scope: &mut Scope<'_>, text: &RowText, first: &At<String>) -> Option<Reference> {
    if let Some(flow) = &text.references {
        let Some(head) = scope.heads.get(&flow.value) else {
            if scope.half_read.contains(&flow.value) {
                return None;
            }
            let help = suggestion(&flow.value, scope.heads.keys().map(String::as_str));
            scope.problem(flow, format!("`{}` refers to no flow", flow.value), help);
            return None;
        };
        let expected = head.types[0].clone();
        let target = scope.reference_target(text);
        if let Some(target) = target.filter(|target| *target != expected) {
            let message = format!(
                "`{}` refers to {target}, but flow {} keeps {expected}",
                first.value, flow.value
            );
            let fitting = scope.heads.iter().filter(|(_, head)| head.types[0] == target);
            let names: Vec<&str> = fitting.map(|(name, _)| name.as_str()).collect();
            let help = match names.as_slice() {
                [] => format!("Add a flow that keeps {target}."),
                names => format!("Write one of: {}.", names.join(", ")),
            };
            scope.problem(flow, message, help);
        }
        return Some(Reference::Flow(flow.value.clone()));
    }
    let role = text.companion.as_ref()?;
    let Some(known) = scope.roles.get(&role.value) else {
        if !scope.half_read.is_empty() {
            return None;
        }
        let help = suggestion(&role.value, scope.roles.keys().map(String::as_str));
        scope.problem(role, format!("no companion has the role `{}`", role.value), help);
        return None;
    };
    let of = known.owner.clone()?;
    if let Some(target) = scope.reference_target(text).filter(|target| *target != of) {
        let message = format!(
            "`{}` refers to {target}, but {} is the companion of {of}",
            first.value, role.value
        );
        scope.problem(
            role,
            message,
            "Name the companion of the type that the property refers to.",
        );
    }
    if let Some(flow) = known.flow.clone() {
        return Some(Reference::Flow(flow));
    }
    Some(Reference::Companion {
        role: role.value.clone(),
        of: RecordType::new(&scope.systems[0], of),
    })
}

pub(crate) fn family(kind: &Kind) -> Family {
    match kind {
        Kind::String | Kind::Enum(_) => Family::Text,
        Kind::Integer => Family::Integer,
        Kind::Decimal { .. } => Family::Decimal,
        Kind::Boolean => Family::Boolean,
        Kind::Date => Family::Date,
        Kind::DateTime { .. } => Family::DateTime,
        Kind::Reference(_) => Family::Reference,
    }
}

/// The type to write where a described property holds values of another kind than the row; none where they answer to
/// one another, or nothing is known of the described type. Numbers answer to numbers, and references to ids as text.
#[must_use]
pub fn type_to_write(kind: &Kind, described: &str) -> Option<&'static str> {
    let there = Family::of(described)?;
    (!answers(there, family(kind))).then(|| there.noun())
}

/// The digits behind the point that a row of decimals has to keep, where it keeps fewer than both systems hold: what stands
/// behind them would be rounded away, and nobody would see it. None where one of the systems does not say how many it holds.
#[must_use]
pub fn scale_to_write(kind: &Kind, scales: [Option<u32>; 2]) -> Option<u32> {
    let (Kind::Decimal { scale }, [Some(one), Some(other)]) = (kind, scales) else {
        return None;
    };
    let both = one.min(other);
    (*scale < both).then_some(both)
}

/// The type to write for a described one: of a decimal its own digits, as far as the other side holds them, too.
fn written_for(described: &str, other: Option<(u32, u32)>) -> String {
    let Some((all, behind)) = digits(described) else {
        return Family::of(described).map_or("string", Family::noun).to_owned();
    };
    let behind = other.map_or(behind, |(_, other)| behind.min(other));
    format!("decimal({all},{behind})")
}

/// Complains about a row that keeps fewer digits behind the point than both systems hold.
fn check_digits(
    scope: &mut Scope<'_>,
    text: &RowText,
    kind: &Kind,
    [first, second]: [&At<String>; 2],
    known: [Option<(u32, u32)>; 2],
) {
    let scales = known.map(|digits| digits.map(|(_, behind)| behind));
    let (Some(scale), Kind::Decimal { scale: kept }, [Some((all, here)), Some((_, there))]) =
        (scale_to_write(kind, scales), kind, known)
    else {
        return;
    };
    let at = text
        .r#type
        .as_ref()
        .map_or(first.with(()), |written| written.with(()));
    let [object, other] = scope.objects.clone();
    let message = format!(
        "{object}.{} has {here} digits behind the point and {other}.{} has {there}, but the row keeps {kept}: the others \
         would be rounded away",
        first.value, second.value
    );
    scope.problem(&at, message, format!("Write `type: decimal({all},{scale})`."));
}

/// Whether values of the two can stand for the same: numbers for numbers, and references for ids as text.
fn answers(one: Family, other: Family) -> bool {
    let class = |family: Family| match family {
        Family::Text | Family::Reference => 0,
        Family::Integer | Family::Decimal => 1,
        Family::Boolean => 2,
        Family::Date => 3,
        Family::DateTime => 4,
    };
    class(one) == class(other)
}

pub(crate) fn check_known_types(
    scope: &mut Scope<'_>,
    text: &RowText,
    kind: &Kind,
    first: &At<String>,
    second: &At<String>,
) {
    let family = family(kind);
    let held = [(0, first), (1, second)]
        .map(|(side, name): (usize, _)| scope.known[side].digits(&scope.objects[side], &name.value));
    check_digits(scope, text, kind, [first, second], held);
    for (side, name, declared) in [
        (Side::First, first, &text.first_type),
        (Side::Second, second, &text.second_type),
    ] {
        let object = scope.objects[side.index()].clone();
        let known = scope.known[side.index()].property(&object, &name.value);
        if let PropertyKnown::There(there) = known
            && Family::of(&there).is_some_and(|there| !answers(there, family))
        {
            let at = text
                .r#type
                .as_ref()
                .map_or(name.with(()), |written| written.with(()));
            let help = written_for(&there, held[side.other().index()]);
            scope.problem(
                &at,
                format!(
                    "{object}.{} is of type {there}, not {}",
                    name.value,
                    family.noun()
                ),
                format!("Write `type: {help}`."),
            );
        }
        if let Some(declared) = declared
            .as_ref()
            .and_then(|declared| declared.of(&object))
            .cloned()
        {
            check_declared(scope, &declared, family, name);
        }
    }
}

pub(crate) fn check_declared(
    scope: &mut Scope<'_>,
    declared: &At<String>,
    family: Family,
    name: &At<String>,
) {
    const WORDS: [&str; 18] = [
        "string",
        "textarea",
        "email",
        "phone",
        "url",
        "combobox",
        "picklist",
        "autonumber",
        "enum",
        "integer",
        "int",
        "decimal",
        "currency",
        "double",
        "percent",
        "boolean",
        "date",
        "datetime",
    ];
    match Family::of(&declared.value) {
        None => {
            let help = suggestion(&declared.value, WORDS);
            scope.problem(declared, format!("unknown type `{}`", declared.value), help);
        }
        Some(other) if other != family => scope.problem(
            declared,
            format!(
                "{} is declared {}, but the row is of type {}",
                name.value,
                declared.value,
                family.noun()
            ),
            format!(
                "Write a type that holds {} values, or change the row's `type`.",
                family.noun()
            ),
        ),
        Some(_) => {}
    }
}
