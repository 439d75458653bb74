//! Forms to create and to change records.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use super::Answer;
use super::html::{address, escape, list_address, page, refusal, title};
use crate::salesforce::fault::{Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{Field, Kind, Object, ObjectIndex};
use crate::salesforce::value::Value;

/// The member that carries the record's `SystemModstamp` in seconds, so that a form does not write over a later change.
const SEEN: &str = "_seen";

/// What a person typed, by field name.
type Typed = [(String, String)];

fn typed<'t>(fields: &'t Typed, name: &str) -> Option<&'t str> {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, text)| text.as_str())
}

/// The form for a new record.
pub(super) fn new(
    org: &Org,
    actor: Actor,
    object: ObjectIndex,
    fields: &Typed,
    fault: Option<&Fault>,
) -> String {
    let kind = org.schema.object(object);
    let heading = format!("New {}", kind.label);
    let open = |field: &Field| field.createable;
    let value = |field: &Field| typed(fields, &field.name).map(str::to_owned);
    let inputs = inputs(kind, &open, &value);
    let action = format!("{}/new", list_address(org, object));
    page(
        org,
        actor,
        &heading,
        &form(&heading, &action, &list_address(org, object), "", &inputs, fault),
    )
}

/// The form for a record that is there.
pub(super) fn edit(
    org: &Org,
    actor: Actor,
    object: ObjectIndex,
    id: RecordId,
    fields: &Typed,
    fault: Option<&Fault>,
) -> Outcome<String> {
    let row = org.live_row(actor, object, id)?;
    let kind = org.schema.object(object);
    let heading = format!("Edit {}", title(org, id));
    let open = |field: &Field| field.updateable;
    let value = |field: &Field| {
        let kept = || {
            kind.find(&field.name)
                .and_then(|at| row.values.get(at))
                .map(Value::plain)
        };
        // A box that is not ticked is not sent: after a refusal only what was typed counts.
        if fields.is_empty() {
            kept()
        } else {
            typed(fields, &field.name).map(str::to_owned)
        }
    };
    let inputs = inputs(kind, &open, &value);
    let here = address(org, object, id);
    let seen = typed(fields, SEEN).map_or_else(|| row.stamp.to_string(), str::to_owned);
    let seen = format!(
        "<input type=\"hidden\" name=\"{SEEN}\" value=\"{}\">",
        escape(&seen)
    );
    Ok(page(
        org,
        actor,
        &heading,
        &form(&heading, &format!("{here}/edit"), &here, &seen, &inputs, fault),
    ))
}

fn form(
    heading: &str,
    action: &str,
    back: &str,
    hidden: &str,
    inputs: &str,
    fault: Option<&Fault>,
) -> String {
    let refused = fault.map(|fault| refusal(&fault.message)).unwrap_or_default();
    format!(
        "<h1>{}</h1>{refused}<form method=\"post\" action=\"{action}\">{hidden}{inputs}<div class=\"bar\">\
         <button class=\"main\">Save</button> <a class=\"button\" href=\"{back}\">Cancel</a></div></form>",
        escape(heading)
    )
}

fn inputs(kind: &Object, open: &dyn Fn(&Field) -> bool, value: &dyn Fn(&Field) -> Option<String>) -> String {
    let (mut first, mut more) = (String::new(), String::new());
    for field in kind.fields().filter(|field| open(field)) {
        let text = value(field);
        let target = if field.key || field.required || (text.is_some() && field.kind != Kind::Boolean) {
            &mut first
        } else {
            &mut more
        };
        target.push_str(&input(field, text.as_deref()));
    }
    format!(
        "<div class=\"fields\">{first}</div><details><summary>More fields</summary><div \
         class=\"fields\">{more}</div></details>"
    )
}

fn input(field: &Field, text: Option<&str>) -> String {
    let name = &field.name;
    let star = if field.required { " *" } else { "" };
    let label = format!("<span title=\"{name}\">{}{star}</span>", escape(&field.label));
    let value = escape(text.unwrap_or_default());
    let control = match field.kind {
        Kind::Boolean => {
            let checked = if text == Some("true") { " checked" } else { "" };
            return format!(
                "<label class=\"check\"><input type=\"checkbox\" name=\"{name}\" value=\"true\"{checked}>{label}</label>"
            );
        }
        Kind::Picklist if !field.picklist.is_empty() => choice(field, text),
        Kind::TextArea => format!("<textarea name=\"{name}\" rows=\"3\">\n{value}</textarea>"),
        Kind::Date => format!("<input type=\"date\" name=\"{name}\" value=\"{value}\">"),
        _ => format!("<input name=\"{name}\" value=\"{value}\">"),
    };
    format!("<label>{label}{control}</label>")
}

fn choice(field: &Field, text: Option<&str>) -> String {
    let mut options = String::from("<option></option>");
    let other = text.filter(|text| !text.is_empty() && !field.picklist.iter().any(|value| value == text));
    for value in field.picklist.iter().map(String::as_str).chain(other) {
        let selected = if text == Some(value) { " selected" } else { "" };
        let _ = write!(options, "<option{selected}>{}</option>", escape(value));
    }
    format!("<select name=\"{}\">{options}</select>", field.name)
}

/// Creates what a form asks for.
pub(super) fn create(org: &mut Org, actor: Actor, object: ObjectIndex, fields: &Typed) -> Answer {
    let schema = org.view(actor);
    let mut body = Map::new();
    for field in schema.object(object).fields().filter(|field| field.createable) {
        if let Some(text) = typed(fields, &field.name).filter(|text| !text.is_empty()) {
            body.insert(field.name.clone(), json_of(field, text));
        }
    }
    match org.attempt(|org| org.create(actor, object, &body)) {
        Ok(id) => Answer::Go(address(org, object, id), None),
        Err(fault) => Answer::Page(422, new(org, actor, object, fields, Some(&fault))),
    }
}

/// Changes what a form changed, unless the record changed since the form was shown.
pub(super) fn update(
    org: &mut Org,
    actor: Actor,
    object: ObjectIndex,
    id: RecordId,
    fields: &Typed,
) -> Outcome<Answer> {
    let schema = org.view(actor);
    let seen = typed(fields, SEEN).and_then(|text| text.parse().ok());
    let row = org.live_row(actor, object, id)?.clone();
    let mut body = Map::new();
    for (at, field) in schema
        .object(object)
        .numbered()
        .filter(|(_, field)| field.updateable)
    {
        let kept = row.values.get(at).map(Value::plain).unwrap_or_default();
        let given = match (typed(fields, &field.name), field.kind) {
            (Some(text), _) => text,
            (None, Kind::Boolean) => "false",
            (None, _) => continue,
        };
        let kept = if field.kind == Kind::Boolean && kept.is_empty() {
            "false".to_owned()
        } else {
            kept
        };
        // A browser sends every line break as two characters: that alone is no change.
        if given.replace("\r\n", "\n") != kept.replace("\r\n", "\n") {
            body.insert(field.name.clone(), json_of(field, given));
        }
    }
    if body.is_empty() {
        return Ok(Answer::Go(address(org, object, id), None));
    }
    Ok(
        match org.attempt(|org| org.update(actor, object, id, &body, seen)) {
            Ok(()) => Answer::Go(address(org, object, id), None),
            Err(fault) => Answer::Page(422, edit(org, actor, object, id, fields, Some(&fault))?),
        },
    )
}

/// What a person typed as the JSON of a request.
pub(super) fn json_of(field: &Field, text: &str) -> Json {
    if text.trim().is_empty() {
        return Json::Null;
    }
    match field.kind {
        Kind::Boolean => Json::Bool(text == "true"),
        kind if kind.is_number() => text
            .trim()
            .parse()
            .map_or_else(|_| Json::String(text.to_owned()), Json::Number),
        _ => Json::String(text.to_owned()),
    }
}
