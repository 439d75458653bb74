//! From a written flow file to a flow.

use super::Users;
use super::companion::{self, RoleHead};
use super::flow_file::{DeletesText, FlowText, GuardText, IdentityText, MatchText, SwitchText};
use super::known::{Known, PropertyKnown};
use super::mapping::{self, Row};
use super::node::At;
use super::problem::{Problems, suggestion};
use super::type_text::{Family, as_it_looks};
use super::written::{PerObject, Scalar};
use crate::dataflow::{
    ConflictPolicy, CreatePolicy, DeleteAgainstEdit, DeletePolicy, End, Flow, Guard, Identity, Kind, Mapping,
    MatchPart, MatchRule, Normaliser, Side, Unserved,
};
use crate::record::RecordType;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What other flows need to know of a flow.
#[derive(Clone, Debug)]
pub(crate) struct FlowHead {
    /// Its record types' names, first and second.
    pub(crate) types: [String; 2],
    /// The objects that serve them.
    pub(crate) objects: [String; 2],
}

/// Everything that building one flow looks at, and where its problems go.
pub(crate) struct Scope<'a> {
    pub(crate) file: &'a str,
    pub(crate) systems: &'a [String; 2],
    pub(crate) types: [RecordType; 2],
    pub(crate) objects: [String; 2],
    pub(crate) known: &'a [Known; 2],
    pub(crate) heads: &'a BTreeMap<String, FlowHead>,
    pub(crate) roles: &'a BTreeMap<String, RoleHead>,
    pub(crate) users: [Option<&'a Users>; 2],
    pub(crate) problems: &'a mut Problems,
}

impl Scope<'_> {
    /// Adds a problem of this file.
    pub(crate) fn problem<T>(&mut self, at: &At<T>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.add(self.file, at, message, help);
    }

    /// A side's system.
    pub(crate) fn name(&self, side: Side) -> String {
        self.systems[side.index()].clone()
    }

    /// The side of a system's name.
    pub(crate) fn side(&mut self, name: &At<String>) -> Option<Side> {
        let [first, second] = self.systems.clone();
        self.choose("system", name, &[(&first, Side::First), (&second, Side::Second)])
    }

    /// One of a few words.
    pub(crate) fn choose<T: Copy>(
        &mut self,
        what: &str,
        written: &At<String>,
        options: &[(&str, T)],
    ) -> Option<T> {
        let found = options.iter().find(|(word, _)| *word == written.value);
        if found.is_none() {
            let help = suggestion(&written.value, options.iter().map(|(word, _)| *word));
            self.problem(written, format!("unknown {what} `{}`", written.value), help);
        }
        found.map(|(_, value)| *value)
    }

    /// A conflict policy of a property.
    pub(crate) fn conflict(&mut self, written: &At<String>) -> Option<ConflictPolicy> {
        let [first, second] = self.systems.clone();
        let options = [
            ("latest", ConflictPolicy::Latest),
            ("ask", ConflictPolicy::Ask),
            (first.as_str(), ConflictPolicy::Wins(Side::First)),
            (second.as_str(), ConflictPolicy::Wins(Side::Second)),
        ];
        self.choose("conflict policy", written, &options)
    }

    /// Complains about a property that its object does not have.
    pub(crate) fn check_property(&mut self, side: Side, name: &At<String>) {
        let object = &self.objects[side.index()];
        if let PropertyKnown::Absent(help) = self.known[side.index()].property(object, &name.value) {
            let message = format!("{} has no property `{}`", object, name.value);
            self.problem(name, message, help);
        }
    }

    /// Complains about objects that cannot serve the record type.
    pub(crate) fn check_objects<T>(&mut self, side: Side, per_object: &PerObject<T>) {
        if let PerObject::Objects(objects) = per_object {
            let names: Vec<At<String>> = objects.0.iter().map(|(name, _)| name.clone()).collect();
            self.check_object_names(side, &names);
        }
    }

    fn check_object_names(&mut self, side: Side, names: &[At<String>]) {
        let of = self.types[side.index()].name.clone();
        let choices: Vec<&str> = match self.known[side.index()].choices(&of) {
            Some(choices) => choices.to_vec(),
            None => vec![self.objects[side.index()].as_str()],
        };
        let choices: Vec<String> = choices.into_iter().map(str::to_owned).collect();
        for name in names {
            if !choices.contains(&name.value) {
                let help = suggestion(&name.value, choices.iter().map(String::as_str));
                let message = format!("no object `{}` serves {of}", name.value);
                self.problem(name, message, help);
            }
        }
    }
}

/// Builds a flow from its file. Parts with problems are left out; the problems are in the scope.
pub(crate) fn build(scope: &mut Scope<'_>, text: &FlowText) -> Flow {
    let mut mappings: Vec<Mapping> = Vec::new();
    let mut unserved = Vec::new();
    let mut seen: [BTreeSet<String>; 2] = Default::default();
    for row in &text.properties.value {
        check_twice(
            scope,
            text,
            row.first.of(&scope.objects[0]).cloned(),
            &mut seen[0],
        );
        let second = row
            .second
            .as_ref()
            .and_then(|second| second.of(&scope.objects[1]));
        check_twice(scope, text, second.cloned(), &mut seen[1]);
        match mapping::row(scope, row) {
            Some(Row::Served(mapping)) => mappings.push(*mapping),
            Some(Row::Unserved(row)) => unserved.push(row),
            None => {}
        }
    }
    let ends = Side::BOTH.map(|side| end(scope, text, side, &mappings));
    let has_identity = ends.iter().any(|end| end.identity.is_some());
    Flow {
        name: text.flow.value.clone(),
        group: text.group.as_ref().unwrap_or(&text.flow).value.clone(),
        match_rules: match_rules(scope, text, &mappings, &unserved, has_identity),
        conflict: flow_conflict(scope, text),
        delete_against_edit: delete_against_edit(scope, text),
        companions: companion::rules(scope, text),
        guard: guard(text.guard.as_ref()),
        ends,
        mappings,
        unserved,
    }
}

fn check_twice(
    scope: &mut Scope<'_>,
    text: &FlowText,
    name: Option<At<String>>,
    seen: &mut BTreeSet<String>,
) {
    let Some(name) = name else { return };
    if !seen.insert(name.value.clone()) {
        let message = format!("`{}` is mapped twice in flow {}", name.value, text.flow.value);
        scope.problem(&name, message, "Remove one of the two rows.");
    }
}

fn flow_conflict(scope: &mut Scope<'_>, text: &FlowText) -> ConflictPolicy {
    let owner = text.owner.as_ref().and_then(|name| scope.side(name));
    let Some(written) = &text.conflict else {
        return ConflictPolicy::Latest;
    };
    if written.value != "owner" {
        return scope.conflict(written).unwrap_or(ConflictPolicy::Latest);
    }
    if text.owner.is_none() {
        let [first, second] = scope.systems.clone();
        scope.problem(
            written,
            "`conflict: owner` without an owner",
            format!("Add `owner: {first}` or `owner: {second}`."),
        );
    }
    owner.map_or(ConflictPolicy::Latest, ConflictPolicy::Wins)
}

fn delete_against_edit(scope: &mut Scope<'_>, text: &FlowText) -> DeleteAgainstEdit {
    let options = [
        ("ask", DeleteAgainstEdit::Ask),
        ("edit-wins", DeleteAgainstEdit::EditWins),
        ("delete-wins", DeleteAgainstEdit::DeleteWins),
    ];
    let written = text.delete_against_edit.as_ref();
    written
        .and_then(|written| scope.choose("policy of delete against edit", written, &options))
        .unwrap_or(DeleteAgainstEdit::Ask)
}

fn guard(text: Option<&GuardText>) -> Guard {
    let plain = Guard::default();
    let Some(text) = text else { return plain };
    Guard {
        count: text.count.map_or(plain.count, u64::from),
        percent: text.percent.map_or(plain.percent, u64::from),
        at_least: text.at_least.map_or(plain.at_least, u64::from),
        hours: text.hours.map_or(plain.hours, i64::from),
    }
}

fn end(scope: &mut Scope<'_>, text: &FlowText, side: Side, mappings: &[Mapping]) -> End {
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
        constants,
        deactivate,
        deactivate_needs_approval: needs_approval,
    }
}

/// Creates go on in the second system and are off in the first, unless the flow says otherwise.
fn create(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> CreatePolicy {
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

fn switch_policy(scope: &mut Scope<'_>, written: &At<String>) -> Option<CreatePolicy> {
    let options = [
        ("on", CreatePolicy::On),
        ("off", CreatePolicy::Off),
        ("only-new", CreatePolicy::OnlyNew),
    ];
    scope.choose("create policy", written, &options)
}

fn on_delete(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> DeletePolicy {
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

fn identity(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> Option<Identity> {
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
fn typed(scope: &mut Scope<'_>, side: Side, name: &At<String>, scalar: &Scalar) -> Option<Value> {
    let object = &scope.objects[side.index()];
    let known = scope.known[side.index()].type_of(object, &name.value);
    let Some(family) = known.and_then(Family::of) else {
        return Some(as_it_looks(scalar));
    };
    let value = family.value(scalar);
    if value.is_none() {
        let message = format!("`{}` is no {} for {}", scalar.text(), family.noun(), name.value);
        scope.problem(name, message, format!("Write a value of type {}.", family.noun()));
    }
    value
}

fn only(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> BTreeMap<String, Value> {
    let Some(by_object) = text.only.as_ref().and_then(|only| only.both()[side.index()]) else {
        return BTreeMap::new();
    };
    let objects: Vec<At<String>> = by_object.0.iter().map(|(name, _)| name.clone()).collect();
    scope.check_object_names(side, &objects);
    let Some(values) = by_object.get(&scope.objects[side.index()]).cloned() else {
        return BTreeMap::new();
    };
    let mut only = BTreeMap::new();
    for (name, scalar) in &values.0 {
        scope.check_property(side, name);
        if let Some(value) = typed(scope, side, name, scalar) {
            only.insert(name.value.clone(), value);
        }
    }
    only
}

/// The constants of creates on a side, and whether the connection has all settings that they take.
fn constants(scope: &mut Scope<'_>, text: &FlowText, side: Side) -> (BTreeMap<String, Value>, bool) {
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
fn filled(scope: &mut Scope<'_>, side: Side, name: &At<String>, template: &str) -> Option<Option<String>> {
    let (before, rest) = template.split_once("${")?;
    let (setting, after) = rest.split_once('}').unwrap_or((rest, ""));
    let known = Users::SETTINGS.map(|name| format!("users.{name}"));
    if !known.iter().any(|name| name == setting) {
        let help = suggestion(setting, known.iter().map(String::as_str));
        scope.problem(name, format!("unknown setting `{setting}`"), help);
        return None;
    }
    let users = scope.users[side.index()];
    let value = users.and_then(|users| users.setting(setting.trim_start_matches("users.")));
    Some(value.map(|value| format!("{before}{value}{after}")))
}

fn deactivate(
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

fn match_rules(
    scope: &mut Scope<'_>,
    text: &FlowText,
    mappings: &[Mapping],
    unserved: &[Unserved],
    has_identity: bool,
) -> Vec<MatchRule> {
    let rules: Vec<MatchRule> = text
        .r#match
        .value
        .iter()
        .filter_map(|rule| match_rule(scope, rule, mappings, unserved))
        .collect();
    if rules.is_empty() && !has_identity {
        scope.problem(
            &text.r#match,
            format!("flow {} has no match key and no identity", text.flow.value),
            "Name a property under `match:` that both sides have, or declare `identity:`.",
        );
    }
    rules
}

fn match_rule(
    scope: &mut Scope<'_>,
    rule: &MatchText,
    mappings: &[Mapping],
    unserved: &[Unserved],
) -> Option<MatchRule> {
    let parts: Vec<(At<String>, Option<At<String>>)> = match rule {
        MatchText::One(name) => vec![(name.clone(), None)],
        MatchText::All(names) => names.iter().map(|name| (name.clone(), None)).collect(),
        MatchText::Compared(table) => table
            .0
            .iter()
            .map(|(name, how)| (name.clone(), Some(how.clone())))
            .collect(),
    };
    let mut known = Vec::new();
    for (name, how) in parts {
        let normaliser = how.map_or(Some(Normaliser::Trim), |how| normaliser(scope, &how));
        if unserved.iter().any(|row| row.first == name.value) {
            return None;
        }
        let named = |mapping: &&Mapping| mapping.property(Side::First) == name.value;
        let Some(mapping) = mappings.iter().find(named) else {
            let names = mappings.iter().map(|mapping| mapping.property(Side::First));
            let help = suggestion(&name.value, names);
            scope.problem(
                &name,
                format!("match key `{}` is mapped by no row", name.value),
                help,
            );
            continue;
        };
        if let Some(normaliser) = normaliser {
            known.push(MatchPart {
                properties: mapping.properties.clone(),
                normaliser,
            });
        }
    }
    (!known.is_empty()).then_some(MatchRule { parts: known })
}

fn normaliser(scope: &mut Scope<'_>, how: &At<String>) -> Option<Normaliser> {
    let options = [
        ("exact", Normaliser::Exact),
        ("trim", Normaliser::Trim),
        ("case-fold", Normaliser::CaseFold),
        ("email", Normaliser::Email),
        ("phone", Normaliser::Phone),
        ("digits", Normaliser::Digits),
    ];
    scope.choose("comparison", how, &options)
}
