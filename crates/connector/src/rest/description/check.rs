//! Whether a description is right as a whole, and what it means with its defaults filled in.

mod calls;
mod computed;
mod keys;
mod parts;
mod properties;
mod records;
mod sessions;

use super::errors::LimitsText;
use super::record::{DescriptionText, IdentityText, Possible, RecordTypeText};
use super::requests::Call;
use super::session::Session;
use super::template::Body;
use super::{Description, Type};
use crate::rest::description::operations::{ListText, Style};
use crate::rest::description::property::{DataKind, FormText, PropertyText};
use crate::rest::form::Form;
use crate::rest::language::Language;
use calls::Calls;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_merge::config::node::{At, Node};
use tandem_merge::config::suggestion;
use tandem_merge::config::written::{Reader, Table};

/// Names under which `forms` may say something.
const FORMS: [&str; 9] = [
    "any",
    "string",
    "integer",
    "decimal",
    "boolean",
    "date",
    "datetime",
    "enum",
    "reference",
];

/// The description that is written; problems go to the reader.
pub(super) fn checked(text: DescriptionText, root: &Node, reader: &mut Reader<'_>) -> Description {
    let mut secrets = BTreeSet::new();
    let headers = text.headers.unwrap_or_default();
    for (_, header) in &headers.0 {
        sessions::secrets(reader, header, &mut secrets);
    }
    if let Some(session) = &text.session {
        sessions::session(reader, session, &mut secrets);
    }
    if let Some(csrf) = &text.csrf {
        Calls::new(reader, &[], &[]).check("csrf", csrf, csrf.value.call(), &[]);
        if matches!(
            text.session.as_ref().map(|session| &session.value),
            Some(Session::None(_)) | None
        ) {
            reader.problem(
                csrf,
                "a CSRF token belongs to a session",
                "Add `session:`, such as `{ kind: basic }`.",
            );
        }
    }
    check_seats(reader, text.limits.as_ref(), text.session.as_ref());
    if let Some(identity) = &text.identity {
        check_identity(reader, identity);
    }
    let forms = text.forms.unwrap_or_default();
    for (name, _) in forms
        .0
        .iter()
        .filter(|(name, _)| !FORMS.contains(&name.value.as_str()))
    {
        let help = suggestion(&name.value, FORMS);
        reader.problem(name, format!("`{}` is no type of values", name.value), help);
    }
    let names: Vec<String> = text.record_types.keys().map(str::to_owned).collect();
    if names.is_empty() {
        let help = "Describe at least one: `record_types: { Customer: { properties: { name: string } } }`.";
        reader.problem(root, "there are no record types", help);
    }
    let mut types = BTreeMap::new();
    // What stands inside others comes behind these.
    let (parts, whole): (Vec<_>, Vec<_>) = text
        .record_types
        .0
        .into_iter()
        .partition(|(_, own)| own.inside.is_some());
    for (group, of_others) in [(whole, false), (parts, true)] {
        if of_others {
            keys::as_their_targets(&mut types);
        }
        for (name, own) in group {
            let mut scope = Scope {
                reader,
                name: &name,
                forms: &forms,
                names: &names,
                language: text.filters.as_ref().map(|language| language.value),
                odata: text.odata.is_some(),
            };
            let of = match own.inside.clone() {
                Some(inside) => scope.part(own, &inside, &types),
                None => scope.record_type(own, text.defaults.as_ref()),
            };
            if let Some(of) = of {
                types.insert(name.value.clone(), Arc::new(of));
            }
        }
    }
    if let Some(all) = &text.defaults {
        found_by_nobody(reader, all, &types);
    }
    if let Some(batch) = &text.batch {
        Calls::new(reader, &[], &[]).batch(batch);
    }
    let base = text.base.map(|base| {
        if !base.value.starts_with('/') || base.value.contains(['?', '#', '{']) {
            reader.problem(
                &base,
                format!("`{}` is no path", base.value),
                "Write a path such as `/api/v1`.",
            );
        }
        base.value
    });
    let base = base.unwrap_or_default();
    Description {
        name: text.name.unwrap_or_else(|| "the ERP".to_owned()),
        slash: if base.ends_with('/') { "/" } else { "" },
        base: base.trim_end_matches('/').to_owned(),
        session: text.session.map(|session| session.value),
        csrf: text.csrf.map(|csrf| csrf.value),
        headers,
        identity: text.identity,
        errors: text.errors,
        limits: text.limits,
        request_deadline: text.request_deadline,
        batch: text.batch.map(|batch| batch.value),
        types,
        secrets,
    }
}

/// Seats are those of log-ins.
fn check_seats(reader: &mut Reader<'_>, limits: Option<&LimitsText>, session: Option<&At<Session>>) {
    if let Some(seats) = limits.and_then(|limits| limits.seats.as_ref()) {
        let logs_in = session.is_some_and(|at| matches!(at.value, Session::Login(_)));
        if !logs_in || seats.value == 0 {
            let help = "Write `session: { kind: login, ... }` with 1 seat or more, or take `seats` out.";
            reader.problem(seats, "seats are those of log-ins", help);
        }
    }
}

/// Properties under `defaults` that records are found by, and no type has.
fn found_by_nobody(reader: &mut Reader<'_>, all: &RecordTypeText, types: &BTreeMap<String, Arc<Type>>) {
    let find = all.find.as_ref().and_then(|find| find.value.yes());
    let known: BTreeSet<&str> = types
        .values()
        .flat_map(|of| of.properties.keys().map(String::as_str))
        .collect();
    let named = find.and_then(|find| find.properties.as_ref());
    for property in named.into_iter().flatten() {
        if !known.contains(property.value.as_str()) {
            let help = suggestion(&property.value, known.iter().copied());
            let message = format!("no record type has a property `{}`", property.value);
            reader.problem(property, message, help);
        }
    }
}

fn check_identity(reader: &mut Reader<'_>, identity: &IdentityText) {
    let mut calls = Calls::new(reader, &[], &[]);
    calls.check("identity", &identity.request, identity.call(), &[]);
    if let Some(who) = &identity.who {
        calls.check("who", &who.request, who.call(), &[]);
    }
}

/// One record type under check.
struct Scope<'a, 'r> {
    reader: &'a mut Reader<'r>,
    name: &'a At<String>,
    forms: &'a Table<FormText>,
    names: &'a [String],
    /// The language of filters and keys.
    language: Option<Language>,
    /// It speaks OData.
    odata: bool,
}

/// What a type says, else what holds for all.
fn either<T: Clone>(own: Option<At<T>>, defaults: Option<&At<T>>) -> Option<At<T>> {
    own.or_else(|| defaults.cloned())
}

fn possible<T: Clone>(own: Option<At<Possible<T>>>, defaults: Option<&At<Possible<T>>>) -> Option<At<T>> {
    let said = either(own, defaults)?;
    said.value.yes().cloned().map(|inner| said.with(inner))
}

/// The properties of a type, and those of all that it says nothing about.
fn joined(own: Option<Table<PropertyText>>, defaults: Option<&Table<PropertyText>>) -> Table<PropertyText> {
    let mut all = own.unwrap_or_default();
    for (name, property) in defaults.into_iter().flat_map(|defaults| &defaults.0) {
        if all.get(&name.value).is_none() {
            all.0.push((name.clone(), property.clone()));
        }
    }
    all
}

/// Whether only some members are asked for.
fn in_part(call: Call<'_>) -> bool {
    call.takes("fields") || call.takes("ways")
}

impl Scope<'_, '_> {
    fn problem<T>(&mut self, at: &At<T>, message: impl Into<String>, help: impl Into<String>) {
        self.reader.problem(at, message, help);
    }

    fn record_type(&mut self, own: RecordTypeText, defaults: Option<&RecordTypeText>) -> Option<Type> {
        let name = self.name;
        let record = self.record(own.record, defaults.and_then(|all| all.record.as_ref()));
        let list = either(own.list, defaults.and_then(|all| all.list.as_ref()));
        if list.is_none() {
            let help = "Add `list: { request: GET /... }` here or under `defaults:`.";
            self.problem(name, format!("nothing says how {} is listed", name.value), help);
        }
        let changes = possible(own.changes, defaults.and_then(|all| all.changes.as_ref()));
        let deletions = possible(own.deletions, defaults.and_then(|all| all.deletions.as_ref()));
        let read = either(own.read, defaults.and_then(|all| all.read.as_ref()));
        let finds_as_all = own.find.is_none();
        let find = possible(own.find, defaults.and_then(|all| all.find.as_ref()));
        let create = possible(own.create, defaults.and_then(|all| all.create.as_ref()));
        let update = possible(own.update, defaults.and_then(|all| all.update.as_ref()));
        let delete = possible(own.delete, defaults.and_then(|all| all.delete.as_ref()));
        let push = possible(own.push, defaults.and_then(|all| all.push.as_ref()));
        let actions = own
            .actions
            .or_else(|| defaults.and_then(|all| all.actions.clone()))
            .unwrap_or_default();
        let properties = joined(own.properties, defaults.and_then(|all| all.properties.as_ref()));
        let names: Vec<String> = properties.keys().map(str::to_owned).collect();
        if names.is_empty() {
            let help = "Add `properties: { name: string }`.";
            self.problem(name, format!("{} has no properties", name.value), help);
        }
        let list = list?;
        let fill = self.fill(own.fill, defaults.and_then(|all| all.fill.as_ref()));
        let filled: Vec<&str> = fill.keys().map(String::as_str).collect();
        let mut calls = Calls::new(self.reader, &names, &filled).speaking(self.language, &record);
        calls.list(&list);
        changes
            .iter()
            .for_each(|changes| calls.changes(changes, &list.value, &record));
        deletions.iter().for_each(|deletions| calls.deletions(deletions));
        read.iter().for_each(|read| calls.read(read));
        find.iter().for_each(|find| calls.find(find, finds_as_all));
        create.iter().for_each(|create| calls.create(create));
        update.iter().for_each(|update| calls.update(update, &record));
        delete.iter().for_each(|delete| calls.delete(delete, &record));
        actions.iter().for_each(|action| calls.action(action));
        push.iter().for_each(|push| calls.push(push));
        self.token_in_lists(&record, &list);
        self.needs_reading(
            &list,
            read.is_some(),
            update
                .as_ref()
                .map(|update| (update, update.value.style.as_ref())),
        );
        let whole = update.as_ref().is_some_and(|update| {
            let style = update.value.style.as_ref();
            style.is_some_and(|style| style.value != Style::Partial)
        });
        if let Some(read) = read.as_ref().filter(|read| whole && in_part(read.value.call())) {
            let help = "Take `{fields}` and `{ways}` out of `read`, or write `style: partial`.";
            self.problem(read, "what is written back as a whole is read in part", help);
        }
        let writes = create.is_some() || update.is_some();
        let properties = self.properties(properties, writes);
        for action in &actions {
            let property = &action.value.property;
            if !names.contains(&property.value) {
                let help = suggestion(&property.value, names.iter().map(String::as_str));
                self.problem(
                    property,
                    format!("{} has no property `{}`", name.value, property.value),
                    help,
                );
            }
        }
        let moments = self.form(DataKind::DateTime, name, &[]);
        let key = keys::key(&record, &properties);
        Some(Type {
            key,
            language: self.language,
            name: name.value.clone(),
            collection: own.collection.unwrap_or_else(|| name.value.clone()),
            record,
            list: list.value,
            changes: changes.map(|changes| changes.value),
            deletions: deletions.map(|deletions| deletions.value),
            read: read.map(|read| read.value),
            find: find.map(|find| find.value),
            create: create.map(|create| create.value),
            update: update.map(|update| update.value),
            delete: delete.map(|delete| delete.value),
            actions: actions.into_iter().map(|action| action.value).collect(),
            push: push.map(|push| push.value),
            compare_every: own
                .compare_every
                .or_else(|| defaults.and_then(|all| all.compare_every)),
            properties,
            moments,
            fill,
            inside: None,
        })
    }

    /// What a type's own holes stand for: what it says, else what holds for all.
    fn fill(&mut self, own: Option<Table<Body>>, defaults: Option<&Table<Body>>) -> BTreeMap<String, Json> {
        let all = defaults.into_iter().flat_map(|all| all.0.iter().cloned());
        let said = all.chain(own.unwrap_or_default().0);
        let mut fill = BTreeMap::new();
        for (name, body) in said {
            if body.texts().iter().any(|text| text.holes().next().is_some()) {
                let message = format!("`{}` has holes, and nothing fills them", name.value);
                self.problem(&name, message, "Write `{{` and `}}` for braces.");
            }
            fill.insert(name.value, body.json(&|_: &str| None).unwrap_or_default());
        }
        fill
    }

    fn needs_reading(
        &mut self,
        list: &At<ListText>,
        reads: bool,
        update: Option<(&At<super::operations::UpdateText>, Option<&At<Style>>)>,
    ) {
        let help = "Add `read: { request: \"GET /.../{id}\" }`.";
        if reads {
            return;
        }
        let name = self.name;
        if list.value.partial == Some(true) {
            self.problem(
                list,
                "a list that is partial needs a way to read one record",
                help,
            );
        } else if let Some((_, Some(style))) = update
            && style.value != Style::Partial
        {
            self.problem(
                style,
                "a record that is written back as a whole must be read before",
                help,
            );
        } else {
            self.problem(name, format!("nothing says how one {} is read", name.value), help);
        }
    }

    /// The form of a property's values.
    fn form<T>(&mut self, kind: DataKind, at: &At<T>, own: &[&FormText]) -> Form {
        let named = |name: &str| self.forms.get(name);
        let word = match kind {
            DataKind::String => "string",
            other => other.word(),
        };
        // What `any` says of numbers and times says nothing of texts.
        let any = named("any").map(|any| FormText {
            r#as: any.r#as.clone().filter(|_| kind != DataKind::String),
            ..any.clone()
        });
        let texts: Vec<&FormText> = own
            .iter()
            .copied()
            .chain(named(word))
            .chain(any.as_ref())
            .collect();
        match Form::read(kind, &texts) {
            Ok(form) => form,
            Err((_, message, help)) => {
                self.reader.problem(at, message, help);
                Form::default()
            }
        }
    }
}
