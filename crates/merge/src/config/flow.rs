//! From a written flow file to a flow.

use super::Users;
use super::companion::{self, RoleHead};
use super::end::end;
use super::flow_file::{EditsText, FirstLinksText, FlowText, GuardText};
use super::kind::family;
use super::known::{Known, PropertyKnown};
use super::mapping::{self, Row};
use super::match_rule::match_rules;
use super::node::At;
use super::problem::{Problems, suggestion};
use super::support;
use super::written::PerObject;
use crate::dataflow::{
    ConflictPolicy, DeleteAgainstEdit, EditGuard, FirstLinkGuard, Flow, Guard, Guarded, Kind, Mapping, Side,
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
    /// Flows in files that cannot be read in full: referring to them is no problem of its own.
    pub(crate) half_read: &'a BTreeSet<String>,
    pub(crate) roles: &'a BTreeMap<String, RoleHead>,
    pub(crate) users: [Option<&'a Users>; 2],
    /// Who owns what has no owner of its own, as the connections say.
    pub(crate) owners: [Option<&'a str>; 2],
    /// The variant in use, as the main file says.
    pub(crate) variant: Option<&'a str>,
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

    pub(crate) fn check_object_names(&mut self, side: Side, names: &[At<String>]) {
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
    let rows = support::rows_in_use(scope, text);
    for row in &rows {
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
    let mut ends = Side::BOTH.map(|side| end(scope, text, side, &mappings));
    ends[0].computed = support::computed(scope, &rows);
    let has_identity = ends.iter().any(|end| end.identity.is_some());
    Flow {
        name: text.flow.value.clone(),
        group: text.group.as_ref().unwrap_or(&text.flow).value.clone(),
        match_rules: match_rules(scope, text, &mappings, &unserved, has_identity),
        conflict: flow_conflict(scope, text),
        delete_against_edit: delete_against_edit(scope, text),
        companions: companion::rules(scope, text),
        guard: guard(text.guard.as_ref()),
        supports: support::support(scope, text, &mappings),
        equal: support::equal(scope, text),
        guarded: Side::BOTH.map(|side| guarded(scope, text, &mappings, side)),
        keeps: keeps(scope, text),
        ends,
        mappings,
        unserved,
    }
}

/// What of a side's records a person approves first.
fn guarded(scope: &mut Scope<'_>, text: &FlowText, mappings: &[Mapping], side: Side) -> Guarded {
    let written = text
        .needs_approval
        .as_ref()
        .and_then(|both| both.both()[side.index()]);
    let Some(written) = written else {
        return Guarded::default();
    };
    let mut guarded = Guarded {
        links: written.links.unwrap_or(false),
        ..Guarded::default()
    };
    for (name, scalar) in written.values.iter().flat_map(|table| &table.0) {
        let named = |mapping: &&Mapping| mapping.property(Side::First) == name.value;
        let Some(mapping) = mappings.iter().find(named) else {
            let known = mappings.iter().map(|mapping| mapping.property(Side::First));
            let help = suggestion(&name.value, known);
            scope.problem(name, format!("no row maps `{}`", name.value), help);
            continue;
        };
        let value = match &mapping.kind {
            Kind::Enum(map) if side == Side::Second => map
                .to_second
                .get(&scalar.text())
                .map(|text| Value::text(text.as_str())),
            Kind::Enum(map) => map
                .to_second
                .contains_key(&scalar.text())
                .then(|| Value::text(scalar.text())),
            kind => family(kind).value(scalar),
        };
        if value.is_none() {
            let message = format!("`{}` is no value of {}", scalar.text(), name.value);
            scope.problem(
                name,
                message,
                "Write a value of the row's type, as the first system has it.",
            );
        }
        guarded
            .values
            .extend(value.map(|value| (mapping.property(side).to_owned(), value)));
    }
    guarded
}

/// The role of the companion that the flow keeps.
fn keeps(scope: &Scope<'_>, text: &FlowText) -> Option<String> {
    let mut roles = scope.roles.iter();
    let kept = roles.find(|(_, role)| role.flow.as_ref() == Some(&text.flow.value));
    kept.map(|(role, _)| role.clone())
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
        edits: edit_guard(text.edits.as_ref()),
        first_links: first_link_guard(text.overwrites.as_ref()),
    }
}

fn first_link_guard(text: Option<&FirstLinksText>) -> Option<FirstLinkGuard> {
    let plain = FirstLinkGuard::default();
    match text {
        None => Some(plain),
        Some(FirstLinksText::Switch(on)) => on.then_some(plain),
        Some(FirstLinksText::Limits(text)) => Some(FirstLinkGuard {
            count: text.count.map_or(plain.count, u64::from),
            percent: text.percent.map_or(plain.percent, u64::from),
            at_least: text.at_least.map_or(plain.at_least, u64::from),
        }),
    }
}

fn edit_guard(text: Option<&EditsText>) -> Option<EditGuard> {
    let plain = EditGuard::default();
    match text {
        None => Some(plain),
        Some(EditsText::Switch(on)) => on.then_some(plain),
        Some(EditsText::Limits(text)) => Some(EditGuard {
            count: text.count.map_or(plain.count, u64::from),
            percent: text.percent.map_or(plain.percent, u64::from),
            hours: text.hours.map_or(plain.hours, i64::from),
        }),
    }
}
