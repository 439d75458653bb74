//! From a written row to a mapping.

use super::end::filled;
use super::flow::Scope;
use super::flow_file::RowText;
use super::kind::{check_known_types, family, kind};
use super::node::At;
use super::problem::suggestion;
use super::support;
use super::type_text::inside;
use super::written::{PerObject, Table};
use crate::dataflow::{Direction, Kind, Mapping, OnCreate, Reference, Reverse, Side, StandIn, Unserved};

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
    let optional = text.if_present == Some(true);
    if text.computed.is_none() && !optional {
        scope.check_property(Side::First, &first);
    }
    let Some(second) = &text.second else {
        return unserved_everywhere(scope, text, &first);
    };
    scope.check_objects(Side::Second, second);
    let Some(second) = second.of(&scope.objects[1]).cloned() else {
        return Some(Row::Unserved(Unserved {
            first: first.value,
            second: other_name(second),
            why: not_on(&scope.objects[1], text.note.as_deref()),
            personal: text.personal.unwrap_or(false),
        }));
    };
    if !optional {
        scope.check_property(Side::Second, &second);
    }
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
        personal: text.personal.unwrap_or(false),
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
    let direction = direction(scope, text);
    let reverse = reverse(scope, text);
    let stand_in = stand_in(scope, text, first);
    let conflict = text.conflict.as_ref().and_then(|written| scope.conflict(written));
    let given_by = text.given_by.as_ref().and_then(|name| scope.side(name));
    let never_blank = sides(scope, text.never_blank.as_ref());
    let filled_on_create = sides(scope, text.filled_on_create.as_ref());
    let owned_by = owned_by(scope, text, direction, first);
    let kind = kind(scope, text, first)?;
    if text.computed.is_none() {
        check_known_types(scope, text, &kind, first, second);
    }
    support::check_computed(scope, text, direction, first);
    let data_types = data_types(scope, text, &kind);
    let on_create = on_create(scope, text, &kind, direction, first);
    let alone = text.alone.as_ref().and_then(|name| scope.side(name));
    Some(Row::Served(Box::new(Mapping {
        properties: [first.value.clone(), second.value.clone()],
        data_types,
        direction,
        owned_by,
        given_by,
        on_create,
        never_blank,
        filled_on_create,
        max_length: [
            length(text.first_length.as_ref(), &scope.objects[0]),
            length(text.second_length.as_ref(), &scope.objects[1]),
        ],
        reverse,
        blank_is_edit: text.blank_is_edit.unwrap_or(true),
        personal: text.personal.unwrap_or(false),
        conflict,
        alone,
        locks: support::locks(scope, text, &kind),
        create_only: sides(scope, text.create_only.as_ref()),
        awaited: text.companion.is_some() && matches!(kind, Kind::Reference(Reference::Flow(_))),
        stand_in,
        kind,
        note: text.note.clone().unwrap_or_default(),
    })))
}

fn owned_by(scope: &mut Scope<'_>, text: &RowText, direction: Direction, first: &At<String>) -> Option<Side> {
    let side = text.owned_by.as_ref().and_then(|name| scope.side(name));
    if let (Some(owner), Some(written)) = (side, &text.owned_by)
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
    side
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

/// What stands in for a reference that leads nowhere, per side.
fn stand_in(scope: &mut Scope<'_>, text: &RowText, first: &At<String>) -> [Option<StandIn>; 2] {
    let Some(written) = &text.or else {
        return [None, None];
    };
    if text.references.is_none() {
        let help = "Remove it, or add `references:` with a flow's name.";
        scope.problem(first, "`or` is for references through a flow only", help);
    }
    let both = written.both().map(Option::<&At<String>>::cloned);
    let [first, second] = both;
    [(Side::First, first), (Side::Second, second)].map(|(side, written)| {
        let written = written?;
        if written.value == "nothing" {
            return Some(StandIn::Nothing);
        }
        if !written.value.contains("${") {
            return Some(StandIn::Value(written.value));
        }
        // Where the connection names nobody, the system gives one of its own.
        let value = filled(scope, side, &written, &written.value)?;
        Some(value.map_or(StandIn::Nothing, StandIn::Value))
    })
}

fn data_types(scope: &Scope<'_>, text: &RowText, kind: &Kind) -> [String; 2] {
    let plain = match kind {
        Kind::Reference(_) => "reference".to_owned(),
        _ => {
            let implied = match (&text.values, support::formula(text)) {
                (Some(_), _) => "enum",
                (None, Some(formula)) => formula.data_type(),
                (None, None) => "string",
            };
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
    // What is written apart may be given as a constant first: an order is born as a draft.
    let apart = text.alone.is_some() && direction == Direction::Both;
    if direction != Direction::To(Side::First) && !apart {
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
        inside(&known).map(str::to_owned)
    }
}
