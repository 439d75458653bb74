//! What belongs to one side of a flow.

use super::Users;
use super::filter;
use super::flow::Scope;
use super::flow_file::{DeletesText, FlowText, IdentityText, OnlyOfObject, OnlyText, SwitchText};
use super::node::At;
use super::problem::suggestion;
use super::type_text::{Family, as_it_looks};
use super::written::Scalar;
use crate::dataflow::{CreatePolicy, DeletePolicy, End, Identity, Kind, Mapping, Side};
use crate::value::Value;
use std::collections::BTreeMap;

pub(crate) fn end(scope: &mut Scope<'_>, text: &FlowText, side: Side, mappings: &[Mapping]) -> End {
    let at = side.index();
    let mut create = create(scope, text, side);
    let (constants, all_settings) = constants(scope, text, side);
    if !all_settings {
        create = CreatePolicy::Off;
    }
    let deactivate = deactivate(scope, text, side, mappings);
    let approval = text.deactivate.as_ref().and_then(|text| text.approval.clone());
    let needs_approval = approval
        .iter()
        .flatten()
        .any(|name| scope.side(name) == Some(side));
    End {
        record_type: scope.types[at].clone(),
        object: scope.objects[at].clone(),
        create,
        write: text
            .write
            .as_ref()
            .and_then(|write| write.both()[at].copied())
            .unwrap_or(true),
        on_delete: on_delete(scope, text, side),
        identity: identity(scope, text, side),
        only: only(scope, text, side),
        filter: filter::filter(scope, text, side),
        constants,
        deactivate,
        deactivate_needs_approval: needs_approval,
        computed: BTreeMap::new(),
    }
}

/// Creates go on in the second system and are off in the first, unless the flow says otherwise.
pub(crate) fn create(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> CreatePolicy {
    let plain = match side {
        Side::First => CreatePolicy::Off,
        Side::Second => CreatePolicy::On,
    };
    let Some(written) = text
        .create
        .as_ref()
        .and_then(|create| create.both()[side.index()])
    else {
        return plain;
    };
    scope.check_objects(side, written);
    let Some(word) = written.of(&scope.objects[side.index()]) else {
        return plain;
    };
    let SwitchText(switch) = &word.value;
    switch_policy(scope, &word.with(switch.clone())).unwrap_or(plain)
}

pub(crate) fn switch_policy(scope: &mut Scope<'_>, written: &At<String>) -> Option<CreatePolicy> {
    let options = [
        ("on", CreatePolicy::On),
        ("off", CreatePolicy::Off),
        ("only-new", CreatePolicy::OnlyNew),
    ];
    scope.choose("create policy", written, &options)
}

pub(crate) fn on_delete(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> DeletePolicy {
    let written = match (&text.on_delete, side) {
        (Some(DeletesText::First(written)), Side::First) => Some(written),
        (Some(DeletesText::Sided(sided)), _) => sided.both()[side.index()],
        _ => None,
    };
    let options = [
        ("propagate", DeletePolicy::Propagate),
        ("deactivate", DeletePolicy::Deactivate),
        ("unlink", DeletePolicy::Unlink),
        ("recreate", DeletePolicy::Recreate),
        ("ask", DeletePolicy::Ask),
        ("ask-then-deactivate", DeletePolicy::AskThenDeactivate),
    ];
    let chosen = written.and_then(|written| scope.choose("delete policy", written, &options));
    let deactivates = matches!(
        chosen,
        Some(DeletePolicy::Deactivate | DeletePolicy::AskThenDeactivate)
    );
    if let Some(written) = written.filter(|_| deactivates && text.deactivate.is_none()) {
        scope.problem(
            written,
            "nothing says how a record is put out of use",
            "Add `deactivate: { property: NAME, value: false }`.",
        );
    }
    chosen.unwrap_or(DeletePolicy::Ask)
}

pub(crate) fn identity(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> Option<Identity> {
    let written: &IdentityText = text.identity.as_ref()?.both()[side.index()]?;
    scope.check_objects(side, &written.property);
    let property = written.property.of(&scope.objects[side.index()])?.clone();
    scope.check_property(side, &property);
    Some(Identity {
        property: property.value,
        prefix: written.prefix.clone().unwrap_or_default(),
        unique: written.unique.unwrap_or(true),
    })
}

/// A written value of a property, typed as far as the property is known.
pub(crate) fn typed(scope: &mut Scope<'_>, side: Side, name: &At<String>, scalar: &Scalar) -> Option<Value> {
    let object = &scope.objects[side.index()];
    let known = scope.known[side.index()].type_of(object, &name.value);
    let Some(family) = known.as_deref().and_then(Family::of) else {
        return Some(as_it_looks(scalar));
    };
    let value = family.value(scalar);
    if value.is_none() {
        let message = format!("`{}` is no {} for {}", scalar.text(), family.noun(), name.value);
        scope.problem(name, message, format!("Write a value of type {}.", family.noun()));
    }
    value
}

pub(crate) fn only(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> BTreeMap<String, Value> {
    let written = text.only.as_ref().and_then(|only| only.both()[side.index()]);
    let Some(OnlyText::Objects(by_object)) = written else {
        return BTreeMap::new();
    };
    let objects: Vec<At<String>> = by_object.0.iter().map(|(name, _)| name.clone()).collect();
    scope.check_object_names(side, &objects);
    let Some(OnlyOfObject::Values(values)) = by_object.get(&scope.objects[side.index()]).cloned() else {
        return BTreeMap::new();
    };
    let mut only = BTreeMap::new();
    for (name, scalar) in values
        .0
        .iter()
        .filter(|(name, _)| name.value != OnlyOfObject::WHERE)
    {
        scope.check_property(side, name);
        if let Some(value) = typed(scope, side, name, scalar) {
            only.insert(name.value.clone(), value);
        }
    }
    only
}

/// The constants of creates on a side, and whether the connection has all settings that they take.
pub(crate) fn constants(
    scope: &mut Scope<'_>,
    text: &FlowText,
    side: Side,
) -> (BTreeMap<String, Value>, bool) {
    let mut constants = BTreeMap::new();
    let mut complete = true;
    let written = text
        .constants
        .as_ref()
        .and_then(|constants| constants.both()[side.index()]);
    for (name, scalar) in written.iter().flat_map(|table| &table.0) {
        scope.check_property(side, name);
        let template = scalar.text();
        if !template.contains("${") {
            if let Some(value) = typed(scope, side, name, scalar) {
                constants.insert(name.value.clone(), value);
            }
            continue;
        }
        match filled(scope, side, name, &template) {
            Some(Some(text)) => {
                constants.insert(name.value.clone(), Value::text(text));
            }
            Some(None) => complete = false,
            None => {}
        }
    }
    (constants, complete)
}

/// `profile:${users.profile}` with the setting in place; `Some(None)` where the connection has no such settings.
pub(crate) fn filled(
    scope: &mut Scope<'_>,
    side: Side,
    name: &At<String>,
    template: &str,
) -> Option<Option<String>> {
    let (before, rest) = template.split_once("${")?;
    let (setting, after) = rest.split_once('}').unwrap_or((rest, ""));
    let known = Users::SETTINGS.map(|name| format!("users.{name}"));
    let known: Vec<String> = known.into_iter().chain(["owner".to_owned()]).collect();
    if !known.iter().any(|name| name == setting) {
        let help = suggestion(setting, known.iter().map(String::as_str));
        scope.problem(name, format!("unknown setting `{setting}`"), help);
        return None;
    }
    let users = scope.users[side.index()];
    let value = match setting.strip_prefix("users.") {
        Some(setting) => users.and_then(|users| users.setting(setting)),
        None => scope.owners[side.index()],
    };
    Some(value.map(|value| format!("{before}{value}{after}")))
}

pub(crate) fn deactivate(
    scope: &mut Scope<'_>,
    text: &FlowText,
    side: Side,
    mappings: &[Mapping],
) -> Option<(String, Value)> {
    let written = text.deactivate.as_ref()?;
    let named = |mapping: &&Mapping| mapping.property(Side::First) == written.property.value;
    let Some(mapping) = mappings.iter().find(named) else {
        let names: Vec<&str> = mappings
            .iter()
            .map(|mapping| mapping.property(Side::First))
            .collect();
        let help = suggestion(&written.property.value, names);
        scope.problem(
            &written.property,
            format!("no row maps `{}`", written.property.value),
            help,
        );
        return None;
    };
    let family = match mapping.kind {
        Kind::Boolean => Family::Boolean,
        _ => Family::Text,
    };
    let value = family.value(&written.value);
    if value.is_none() {
        scope.problem(
            &written.property,
            "the value does not fit the property",
            "Write `value: false`.",
        );
    }
    Some((mapping.property(side).to_owned(), value?))
}
