//! Carrying a package out: everything is judged against the org as it would become, and then done, or nothing is.

use std::sync::Arc;

use super::DeployOptions;
use super::custom::{Component, What, object_of, read};
use super::package::{Package, Unusable};
use crate::salesforce::events::event_name;
use crate::salesforce::fault::Code;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{Kind, Schema, SchemaChange};

/// The channel of change events that every org has.
const CHANNEL: &str = "ChangeEvents";

/// What became of a component.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) file: String,
    pub(super) place: (u32, u32),
    pub(super) fate: Fate,
}

/// How a component fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    /// It is there already.
    Unchanged,
    Refused(String),
}

/// What a deployment came to.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) messages: Vec<Message>,
    /// Code and text, where the package as a whole cannot be used.
    pub(super) error: Option<(&'static str, String)>,
}

impl Report {
    pub(super) fn errors(&self) -> usize {
        let refused = |message: &&Message| matches!(message.fate, Fate::Refused(_));
        self.messages.iter().filter(refused).count()
    }

    pub(super) fn succeeded(&self) -> bool {
        self.error.is_none() && self.errors() == 0
    }

    fn refuse(&mut self, kind: &'static str, name: &str, file: &str, problem: String) {
        self.messages.push(Message {
            kind,
            name: name.to_owned(),
            file: file.to_owned(),
            place: (1, 1),
            fate: Fate::Refused(problem),
        });
    }
}

/// Deploys a zip file, or says why not.
pub(super) fn carry_out(org: &mut Org, options: DeployOptions, zip: &[u8]) -> Report {
    let mut report = Report::default();
    let package = match Package::open(zip) {
        Ok(package) => package,
        Err(Unusable::Zip(text)) => {
            report.error = Some((Code::InvalidInput.as_str(), text));
            return report;
        }
        Err(Unusable::Manifest(text)) => {
            report.refuse("", "package.xml", "package.xml", text);
            return report;
        }
    };
    let components = components(&package, &mut report);
    if !options.allow_missing_files {
        missing(&package, &components, &mut report);
    }
    let (changes, schema) = judge_schema(org, &components, &mut report);
    let members = org.events.members.clone();
    let whole = std::mem::replace(&mut org.schema, Arc::new(schema));
    let sets = judge_rest(org, &components, &mut report);
    org.schema = whole;
    if !report.succeeded() || options.check_only {
        org.events.members = members;
        return report;
    }
    if let Err(fault) = org.change_schema(&changes) {
        org.events.members = members;
        report.error = Some((fault.code.as_str(), fault.message));
        return report;
    }
    org.deployments.permission_sets.extend(sets);
    report
}

/// The components of the files that `package.xml` names.
fn components(package: &Package, report: &mut Report) -> Vec<Component> {
    let mut all = Vec::new();
    for (path, text) in &package.files {
        let read = read(path, text);
        let refused = read.iter().any(|component| component.kind.is_empty());
        let named: Vec<Component> = read
            .into_iter()
            .filter(|component| refused || is_named(package, component))
            .collect();
        if named.is_empty() {
            report.refuse("", path, path, "Not in package.xml".to_owned());
        }
        all.extend(named);
    }
    all
}

/// Fields come with their object, or by themselves.
fn is_named(package: &Package, component: &Component) -> bool {
    let object = component.name.split_once('.').map(|(object, _)| object);
    package.names(component.kind, &component.name)
        || object.is_some_and(|object| package.names("CustomObject", object))
}

fn missing(package: &Package, components: &[Component], report: &mut Report) {
    for (kind, name) in package.members() {
        let found = components.iter().any(|one| one.kind == kind && one.name == name);
        if !found {
            let problem = format!(
                "An object '{name}' of type {kind} was named in package.xml, but was not found in zipped directory"
            );
            report.refuse("", name, "package.xml", problem);
        }
    }
}

/// Objects, then their fields: what to change, and the schema that comes of it.
fn judge_schema(org: &Org, components: &[Component], report: &mut Report) -> (Vec<SchemaChange>, Schema) {
    let (mut changes, mut schema) = (Vec::new(), Schema::clone(&org.schema));
    let fields = |component: &&Component| component.kind == "CustomField";
    let objects = components.iter().filter(|component| !fields(component));
    for component in objects.chain(components.iter().filter(fields)) {
        let fate = match &component.what {
            Err(problem) => Fate::Refused(problem.clone()),
            Ok(What::Object(change) | What::Field(change)) => match standing(&schema, change) {
                Some(fate) => fate,
                None => match schema.changed(std::slice::from_ref(&**change)) {
                    Ok(changed) => {
                        schema = changed;
                        changes.push(SchemaChange::clone(change));
                        Fate::Created
                    }
                    Err(fault) => Fate::Refused(fault.message),
                },
            },
            Ok(What::Known(object)) => match schema.find(object) {
                Some(_) => Fate::Unchanged,
                None => Fate::Refused(format!(
                    "Entity of type 'CustomObject' named '{object}' cannot be found"
                )),
            },
            Ok(What::PermissionSet(..) | What::Member(..)) => continue,
        };
        report.messages.push(message(component, fate));
    }
    (changes, schema)
}

fn message(component: &Component, fate: Fate) -> Message {
    Message {
        kind: component.kind,
        name: component.name.clone(),
        file: component.file.clone(),
        place: component.place,
        fate,
    }
}

/// The fate of what need not, or cannot, be changed; none where the change has to be tried.
fn standing(schema: &Schema, change: &SchemaChange) -> Option<Fate> {
    let Some(object) = schema.find(&change.object).map(|at| schema.object(at)) else {
        let problem = || {
            Fate::Refused(format!(
                "Entity Enumeration Or ID: bad value for restricted picklist field: {}",
                change.object
            ))
        };
        return change.field.as_ref().map(|_| problem());
    };
    let Some(name) = &change.field else {
        return Some(Fate::Unchanged);
    };
    if let Some(unknown) = change.references.iter().find(|one| schema.find(one).is_none()) {
        return Some(Fate::Refused(format!(
            "referenceTo value of '{unknown}' does not resolve to a valid sObject type"
        )));
    }
    let known = object.named(name)?;
    let wanted = change.kind.as_deref().unwrap_or("string");
    if Kind::named(wanted) == Some(known.kind) && known.external_id == change.external_id {
        return Some(Fate::Unchanged);
    }
    Some(Fate::Refused(format!(
        "Cannot update {}.{name}: it is there as a field of type {}, and the local org changes no type",
        object.name,
        known.kind.name()
    )))
}

/// Members and permission sets under the schema that would be; the names of the latter.
fn judge_rest(org: &mut Org, components: &[Component], report: &mut Report) -> Vec<String> {
    let mut sets = Vec::new();
    for component in components {
        let fate = match &component.what {
            Ok(What::Member(channel, entity)) => select(org, &component.name, channel, entity),
            Ok(What::PermissionSet(fields, objects)) => {
                let known = org.deployments.permission_sets.contains(&component.name);
                sets.push(component.name.clone());
                match unresolved(&org.schema, fields, objects) {
                    Some(problem) => Fate::Refused(problem),
                    None if known => Fate::Unchanged,
                    None => Fate::Created,
                }
            }
            _ => continue,
        };
        report.messages.push(message(component, fate));
    }
    sets
}

fn select(org: &mut Org, name: &str, channel: &str, entity: &str) -> Fate {
    if channel != CHANNEL {
        return Fate::Refused(format!(
            "no channel is called {channel}: the local org has {CHANNEL} alone"
        ));
    }
    let known = org.events.members.list().iter();
    let selected = |member: &str| event_name(member) == entity;
    if known
        .clone()
        .any(|member| selected(&member.entity) && member.name == name)
    {
        return Fate::Unchanged;
    }
    match org.select_for_events(entity, Some(name)) {
        Ok(_) => Fate::Created,
        Err(fault) => Fate::Refused(fault.message),
    }
}

/// What a permission set names and the org has not, or does not let be named.
fn unresolved(schema: &Schema, fields: &[String], objects: &[String]) -> Option<String> {
    let mut objects = objects.iter();
    if let Some(unknown) = objects.find(|name| schema.find(name).is_none()) {
        return Some(format!(
            "In field: object - no CustomObject named {unknown} found"
        ));
    }
    fields.iter().find_map(|name| {
        let (object, field) = name.split_once('.').unwrap_or((name, ""));
        let object = schema.find(object_of(object)).map(|at| schema.object(at));
        match object.and_then(|object| object.named(field)) {
            None => Some(format!("In field: field - no CustomField named {name} found")),
            Some(field) if field.required => Some(format!("You cannot deploy to a required field: {name}")),
            Some(_) => None,
        }
    })
}
