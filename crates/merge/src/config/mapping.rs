//! From a written row to a mapping.

use super::flow::Scope;
use super::flow_file::RowText;
use super::known::PropertyKnown;
use super::node::At;
use super::problem::suggestion;
use super::type_text::{Family, ROW_TYPES, inside, scale};
use super::written::{PerObject, Table};
use crate::dataflow::{Direction, EnumMap, Kind, Mapping, OnCreate, Reference, Reverse, Side, Unserved};
use crate::record::RecordType;
use std::collections::BTreeMap;

/// What became of a row.
pub(crate) enum Row {
    /// The bindings in use serve it.
    Served(Box<Mapping>),
    /// They do not.
    Unserved(Unserved),
}

/// Builds a row's mapping; none after adding problems.
pub(crate) fn row(scope: &mut Scope<'_>, text: &RowText) -> Option<Row> {
    let first = text.first.of(&scope.objects[0])?.clone();
    scope.check_objects(Side::First, &text.first);
    scope.check_property(Side::First, &first);
    let Some(second) = &text.second else {
        return unserved_everywhere(scope, text, &first);
    };
    scope.check_objects(Side::Second, second);
    let Some(second) = second.of(&scope.objects[1]).cloned() else {
        return Some(Row::Unserved(Unserved {
            first: first.value,
            second: other_name(second),
            why: not_on(&scope.objects[1], text.note.as_deref()),
        }));
    };
    scope.check_property(Side::Second, &second);
    served(scope, text, &first, &second)
}

fn unserved_everywhere(scope: &mut Scope<'_>, text: &RowText, first: &At<String>) -> Option<Row> {
    if text.note.is_none() {
        let key = scope.systems[1].clone();
        scope.problem(
            first,
            format!("`{}` has no counterpart", first.value),
            format!("Add `{key}:` with its property, or `note:` that says why there is none."),
        );
        return None;
    }
    Some(Row::Unserved(Unserved {
        first: first.value.clone(),
        second: None,
        why: text.note.clone().unwrap_or_default(),
    }))
}

fn other_name(per_object: &PerObject<String>) -> Option<String> {
    match per_object {
        PerObject::Plain(name) => Some(name.value.clone()),
        PerObject::Objects(Table(objects)) => objects.first().map(|(_, name)| name.value.clone()),
    }
}

fn not_on(object: &str, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{object} has no such property: {note}"),
        None => format!("{object} has no such property"),
    }
}

fn served(scope: &mut Scope<'_>, text: &RowText, first: &At<String>, second: &At<String>) -> Option<Row> {
    let kind = kind(scope, text, first)?;
    check_known_types(scope, text, &kind, first, second);
    let direction = direction(scope, text);
    let data_types = data_types(scope, text, &kind, first);
    let on_create = on_create(scope, text, &kind, direction, first);
    let owned_by = text.owned_by.as_ref().and_then(|name| scope.side(name));
    if let (Some(owner), Some(written)) = (owned_by, &text.owned_by)
        && direction != Direction::To(owner.other())
    {
        let (from, to) = (scope.name(owner), scope.name(owner.other()));
        scope.problem(
            written,
            format!(
                "`{}` is owned by {from} but does not travel from there alone",
                first.value
            ),
            format!("Add `direction: to-{to}`, or remove `owned_by`."),
        );
    }
    Some(Row::Served(Box::new(Mapping {
        properties: [first.value.clone(), second.value.clone()],
        data_types,
        kind,
        direction,
        owned_by,
        given_by: text.given_by.as_ref().and_then(|name| scope.side(name)),
        on_create,
        never_blank: sides(scope, text.never_blank.as_ref()),
        filled_on_create: sides(scope, text.filled_on_create.as_ref()),
        max_length: [
            length(text.first_length.as_ref(), &scope.objects[0]),
            length(text.second_length.as_ref(), &scope.objects[1]),
        ],
        reverse: reverse(scope, text),
        blank_is_edit: text.blank_is_edit.unwrap_or(true),
        personal: text.personal.unwrap_or(false),
        conflict: text.conflict.as_ref().and_then(|written| scope.conflict(written)),
        note: text.note.clone().unwrap_or_default(),
    })))
}

fn length(text: Option<&PerObject<u32>>, object: &str) -> Option<usize> {
    text?
        .of(object)
        .and_then(|length| usize::try_from(length.value).ok())
}

fn sides(scope: &mut Scope<'_>, names: Option<&Vec<At<String>>>) -> [bool; 2] {
    let mut sides = [false; 2];
    for name in names.into_iter().flatten() {
        if let Some(side) = scope.side(name) {
            sides[side.index()] = true;
        }
    }
    sides
}

fn direction(scope: &mut Scope<'_>, text: &RowText) -> Direction {
    let Some(written) = &text.direction else {
        return Direction::Both;
    };
    let [first, second] = Side::BOTH.map(|side| format!("to-{}", scope.name(side)));
    let options = [
        ("both", Direction::Both),
        (first.as_str(), Direction::To(Side::First)),
        (second.as_str(), Direction::To(Side::Second)),
    ];
    scope
        .choose("direction", written, &options)
        .unwrap_or(Direction::Both)
}

fn reverse(scope: &mut Scope<'_>, text: &RowText) -> Reverse {
    let Some(written) = &text.reverse else {
        return Reverse::Follow;
    };
    let options = [("required", Reverse::Required), ("optional", Reverse::Optional)];
    let reverse = scope
        .choose("reverse", written, &options)
        .unwrap_or(Reverse::Follow);
    if text.references.is_none() && text.companion.is_none() {
        scope.problem(written, "`reverse` is for references only", "Remove it.");
    }
    reverse
}

fn kind(scope: &mut Scope<'_>, text: &RowText, first: &At<String>) -> Option<Kind> {
    let implied = match (&text.values, &text.references, &text.companion) {
        (Some(_), None, None) => "enum",
        (None, Some(_), None) | (None, None, Some(_)) => "reference",
        (None, None, None) => "string",
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

fn enum_map(scope: &mut Scope<'_>, text: &RowText) -> Option<EnumMap> {
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

fn reference(scope: &mut Scope<'_>, text: &RowText, first: &At<String>) -> Option<Reference> {
    if let Some(flow) = &text.references {
        let Some(head) = scope.heads.get(&flow.value) else {
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
            let help = suggestion("", fitting.map(|(name, _)| name.as_str()));
            scope.problem(flow, message, help);
        }
        return Some(Reference::Flow(flow.value.clone()));
    }
    let role = text.companion.as_ref()?;
    let Some(known) = scope.roles.get(&role.value) else {
        let help = suggestion(&role.value, scope.roles.keys().map(String::as_str));
        scope.problem(role, format!("no companion has the role `{}`", role.value), help);
        return None;
    };
    let of = known.owner.clone();
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
    Some(Reference::Companion {
        role: role.value.clone(),
        of: RecordType::new(&scope.systems[0], of),
    })
}

fn family(kind: &Kind) -> Family {
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

fn check_known_types(
    scope: &mut Scope<'_>,
    text: &RowText,
    kind: &Kind,
    first: &At<String>,
    second: &At<String>,
) {
    let family = family(kind);
    for (side, name, declared) in [
        (Side::First, first, &text.first_type),
        (Side::Second, second, &text.second_type),
    ] {
        let object = scope.objects[side.index()].clone();
        let known = scope.known[side.index()].property(&object, &name.value);
        if let PropertyKnown::There(there) = known
            && Family::of(there).is_some_and(|there| there != family)
        {
            let at = text
                .r#type
                .as_ref()
                .map_or(name.with(()), |written| written.with(()));
            let help = Family::of(there).map_or("string", Family::noun);
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

fn check_declared(scope: &mut Scope<'_>, declared: &At<String>, family: Family, name: &At<String>) {
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

fn data_types(scope: &Scope<'_>, text: &RowText, kind: &Kind, first: &At<String>) -> [String; 2] {
    let plain = match kind {
        Kind::Reference(_) => "reference".to_owned(),
        _ => {
            let implied = if text.values.is_some() { "enum" } else { "string" };
            text.r#type
                .as_ref()
                .map_or_else(|| implied.to_owned(), |written| written.value.clone())
        }
    };
    let targets: [Option<String>; 2] = match kind {
        Kind::Reference(Reference::Flow(flow)) => {
            let head = scope.heads.get(flow);
            [
                head.map(|head| head.types[0].clone()),
                head.map(|head| head.objects[1].clone()),
            ]
        }
        Kind::Reference(Reference::Companion { role, of }) => [
            Some(of.name.clone()),
            scope.roles.get(role).map(|role| role.object.clone()),
        ],
        _ => [None, None],
    };
    let [first_target, second_target] = targets;
    let shown = |declared: &Option<PerObject<String>>, object: &str, target: Option<String>| {
        let declared = declared.as_ref().and_then(|declared| declared.of(object));
        match (declared, target) {
            (Some(declared), _) => declared.value.clone(),
            (None, Some(target)) => format!("reference({target})"),
            (None, None) => plain.clone(),
        }
    };
    let _ = first;
    [
        shown(&text.first_type, &scope.objects[0], first_target),
        shown(&text.second_type, &scope.objects[1], second_target),
    ]
}

fn on_create(
    scope: &mut Scope<'_>,
    text: &RowText,
    kind: &Kind,
    direction: Direction,
    first: &At<String>,
) -> OnCreate {
    let Some(written) = &text.on_create else {
        return OnCreate::Follow;
    };
    if direction != Direction::To(Side::First) {
        let [left, right] = [scope.name(Side::First), scope.name(Side::Second)];
        scope.problem(
            written,
            format!(
                "`on_create` of `{}` is on the wrong side: the value travels to {right} anyway",
                first.value
            ),
            format!("Remove it, or write `direction: to-{left}`: it is for creates in {right}."),
        );
        return OnCreate::Follow;
    }
    if written.value.text() == "value" {
        return OnCreate::Value;
    }
    let value = family(kind).value(&written.value);
    if let Kind::Enum(map) = kind
        && !map.to_first.contains_key(&written.value.text())
    {
        let help = suggestion(&written.value.text(), map.to_first.keys().map(String::as_str));
        scope.problem(
            written,
            format!("`{}` is none of the values", written.value.text()),
            help,
        );
    }
    if value.is_none() {
        let message = format!("`{}` is no {}", written.value.text(), family(kind).noun());
        scope.problem(
            written,
            message,
            "Write `value`, or a constant of the row's type.",
        );
    }
    value.map_or(OnCreate::Follow, OnCreate::Constant)
}

impl Scope<'_> {
    /// The first-side record type that a reference row points to, as declared or as known.
    pub(crate) fn reference_target(&self, text: &RowText) -> Option<String> {
        let object = &self.objects[0];
        if let Some(declared) = text.first_type.as_ref().and_then(|declared| declared.of(object)) {
            return inside(&declared.value).map(str::to_owned);
        }
        let property = text.first.of(object)?;
        if property.value == "id" {
            return Some(self.types[0].name.clone());
        }
        let known = self.known[0].type_of(object, &property.value)?;
        inside(known).map(str::to_owned)
    }
}
