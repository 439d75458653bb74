//! Companions: what a create needs and no flow covers.

use super::flow::Scope;
use super::flow_file::{CompanionSourceText, CompanionText, CompanionValueText, FlowText};
use super::known::{Known, PropertyKnown};
use super::node::At;
use super::problem::suggestion;
use super::type_text::{Family, as_it_looks};
use crate::dataflow::{CompanionRule, CompanionValue, Identity, Side};
use crate::record::RecordType;
use crate::value::Value;
use std::collections::BTreeMap;

/// The description of a companion's role, which one flow gives and all share.
#[derive(Clone, Debug)]
pub(crate) struct RoleHead {
    /// The flow file that describes it.
    pub(crate) file: String,
    /// The object it is.
    pub(crate) object: String,
    /// The first-side record type that it belongs to; none where that cannot be told.
    pub(crate) owner: Option<String>,
    /// The description.
    pub(crate) text: CompanionText,
    /// The flow that keeps the owner in step with the object: then it is no companion but a counterpart.
    pub(crate) flow: Option<String>,
}

impl CompanionText {
    /// The name of the role.
    pub(crate) fn role_name(&self) -> &At<String> {
        self.role.as_ref().or(self.object.as_ref()).unwrap_or(&self.of)
    }

    /// Whether it describes its role, not only names it.
    pub(crate) fn describes(&self) -> bool {
        self.object.is_some()
    }
}

/// The first-side record type that a companion entry speaks of.
pub(crate) fn owner_type(scope: &Scope<'_>, flow: &FlowText, companion: &CompanionText) -> Option<String> {
    if companion.of.value == "id" {
        return Some(scope.types[0].name.clone());
    }
    let object = &scope.objects[0];
    let named = |name: &At<String>| name.value == companion.of.value;
    let row = flow
        .properties
        .value
        .iter()
        .find(|row| row.first.of(object).is_some_and(named))?;
    scope.reference_target(row)
}

/// The companion rules of a flow.
pub(crate) fn rules(scope: &mut Scope<'_>, flow: &FlowText) -> Vec<CompanionRule> {
    let companions = flow.companions.iter().flatten();
    companions
        .filter_map(|companion| rule(scope, flow, companion))
        .collect()
}

fn rule(scope: &mut Scope<'_>, flow: &FlowText, text: &CompanionText) -> Option<CompanionRule> {
    scope.check_objects(Side::Second, &text.second);
    let role_name = text.role_name().clone();
    let owner = owner_type(scope, flow, text);
    if owner.is_none() {
        let references = flow
            .properties
            .value
            .iter()
            .filter(|row| scope.reference_target(row).is_some());
        let names: Vec<String> = references
            .filter_map(|row| row.first.of(&scope.objects[0]).map(|name| name.value.clone()))
            .chain(["id".to_owned()])
            .collect();
        let help = suggestion(&text.of.value, names.iter().map(String::as_str));
        scope.problem(
            &text.of,
            format!("`{}` is no reference of this flow", text.of.value),
            help,
        );
    }
    let Some(role) = scope.roles.get(&role_name.value).cloned() else {
        if !scope.half_read.is_empty() {
            return None;
        }
        let help = suggestion(&role_name.value, scope.roles.keys().map(String::as_str));
        scope.problem(
            &role_name,
            format!("no companion has the role `{}`", role_name.value),
            help,
        );
        return None;
    };
    if text.describes() && role.file == scope.file {
        check_description(scope, &role);
    }
    if let (Some(owner), Some(of)) = (&owner, &role.owner)
        && owner != of
    {
        let message = format!("{} is the companion of {of}", role_name.value);
        scope.problem(&text.of, message, format!("Name a property that refers to {of}."));
    }
    let property = text.second.of(&scope.objects[1])?.clone();
    scope.check_property(Side::Second, &property);
    if role.flow.is_some() {
        return None;
    }
    Some(CompanionRule {
        role: role_name.value,
        property: property.value,
        of: text.of.value.clone(),
        owner: RecordType::new(&scope.systems[0], role.owner.as_ref()?),
        record_type: RecordType::new(&scope.systems[1], &role.object),
        find: role
            .text
            .find
            .iter()
            .flatten()
            .map(|name| name.value.clone())
            .collect(),
        identity: role.text.identity.as_ref().map(|identity| Identity {
            property: identity.property.value.clone(),
            prefix: identity.prefix.clone().unwrap_or_default(),
            unique: identity.unique.unwrap_or(true),
        }),
        create: role.text.create.unwrap_or(true),
        values: values(scope, &role),
    })
}

fn check_description(scope: &mut Scope<'_>, role: &RoleHead) {
    if role.text.find.as_ref().is_none_or(Vec::is_empty) {
        let at = role.text.role_name().clone();
        let message = format!("nothing says how to find {}", role.object);
        scope.problem(&at, message, "Add `find: [PROPERTY, ...]`.");
    }
    let named = role
        .text
        .find
        .iter()
        .flatten()
        .chain(role.text.identity.as_ref().map(|one| &one.property));
    let targets = role
        .text
        .values
        .iter()
        .flat_map(|values| values.0.iter().map(|(name, _)| name));
    let names: Vec<At<String>> = named.chain(targets).cloned().collect();
    for name in names {
        check(scope, &scope.known[1].clone(), &role.object, &name);
    }
}

fn check(scope: &mut Scope<'_>, known: &Known, object: &str, name: &At<String>) {
    if let PropertyKnown::Absent(help) = known.property(object, &name.value) {
        scope.problem(name, format!("{object} has no property `{}`", name.value), help);
    }
}

fn check_owner(scope: &mut Scope<'_>, role: &RoleHead, name: &At<String>) {
    if let Some(owner) = &role.owner {
        check(scope, &scope.known[0].clone(), owner, name);
    }
}

fn values(scope: &mut Scope<'_>, role: &RoleHead) -> BTreeMap<String, CompanionValue> {
    let described_here = role.file == scope.file;
    let mut values = BTreeMap::new();
    for (name, text) in role.text.values.iter().flat_map(|values| &values.0) {
        let known = scope.known[1].type_of(&role.object, &name.value);
        let family = known.as_deref().and_then(Family::of);
        let value = match text {
            CompanionValueText::Property(property) => {
                if described_here {
                    check_owner(scope, role, property);
                }
                Some(CompanionValue::Property(property.value.clone()))
            }
            CompanionValueText::Source(source) => {
                companion_value(scope, role, source, family, described_here)
            }
        };
        if let Some(value) = value {
            values.insert(name.value.clone(), value);
        }
    }
    values
}

fn companion_value(
    scope: &mut Scope<'_>,
    role: &RoleHead,
    source: &At<CompanionSourceText>,
    family: Option<Family>,
    described_here: bool,
) -> Option<CompanionValue> {
    let constant = |written: &At<super::written::Scalar>| {
        family.map_or(Some(as_it_looks(&written.value)), |family| {
            family.value(&written.value)
        })
    };
    let text = &source.value;
    match (
        &text.any_of,
        &text.otherwise,
        &text.constant,
        &text.companion,
        &text.of,
    ) {
        (Some(names), Some(otherwise), None, None, None) => {
            for name in names.iter().filter(|_| described_here) {
                check_owner(scope, role, name);
            }
            let names = names.iter().map(|name| name.value.clone()).collect();
            fitting(scope, otherwise, constant(otherwise)).map(|value| CompanionValue::FirstOf(names, value))
        }
        (None, None, Some(written), None, None) => {
            fitting(scope, written, constant(written)).map(CompanionValue::Constant)
        }
        (None, None, None, Some(other), Some(of)) => {
            let Some(target) = scope.roles.get(&other.value) else {
                let help = suggestion(&other.value, scope.roles.keys().map(String::as_str));
                scope.problem(
                    other,
                    format!("no companion has the role `{}`", other.value),
                    help,
                );
                return None;
            };
            let owner = RecordType::new(&scope.systems[0], target.owner.as_ref()?);
            let kept_by = target.flow.clone();
            if described_here {
                check_owner(scope, role, of);
            }
            if let Some(flow) = kept_by {
                let of = of.value.clone();
                return Some(CompanionValue::Linked { flow, of });
            }
            Some(CompanionValue::Companion {
                role: other.value.clone(),
                of: of.value.clone(),
                owner,
            })
        }
        _ => {
            scope.problem(
                source,
                "this says not clearly where the value comes from",
                "Write `{ constant: X }`, `{ any_of: [A, B], otherwise: X }` or `{ companion: ROLE, of: PROPERTY }`.",
            );
            None
        }
    }
}

fn fitting<T>(scope: &mut Scope<'_>, at: &At<T>, value: Option<Value>) -> Option<Value> {
    if value.is_none() {
        scope.problem(
            at,
            "the constant does not fit the property",
            "Write a value of the property's type.",
        );
    }
    value
}
