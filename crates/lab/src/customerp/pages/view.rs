//! What the pages look like.

use std::fmt::Write;
use std::sync::Arc;

use axum::response::{Html, IntoResponse, Response};

use crate::customerp::form::{self, USER, VERSION, escape, label};
use crate::customerp::problem::Refusal;
use crate::customerp::record::Record;
use crate::customerp::schema::{Kind, RecordType, TypeIndex};
use crate::customerp::server::Erp;
use crate::customerp::store::Store;
use crate::customerp::value::moment;

/// The table of a list.
pub(super) fn rows(store: &Store, record_type: &RecordType, records: &[Arc<Record>]) -> String {
    if records.is_empty() {
        return "<p>No records.</p>".to_owned();
    }
    let mut html = "<table><thead><tr><th>Id</th><th>Name</th>".to_owned();
    for property in &record_type.listed {
        let _ = write!(html, "<th>{}</th>", label(&record_type.properties[*property]));
    }
    html.push_str("<th>Changed</th><th>By</th></tr></thead><tbody>");
    for record in records {
        let path = format!("/{}/{}", record_type.collection, record.id);
        let title = escape(&record.title(record_type));
        let _ = write!(
            html,
            "<tr><td>{0}</td><td><a href=\"{path}\">{title}</a></td>",
            record.id
        );
        for property in &record_type.listed {
            let _ = write!(html, "<td>{}</td>", cell(store, record_type, record, *property));
        }
        let (changed, by) = (moment(record.updated_at), escape(&record.updated_by));
        let _ = write!(html, "<td>{changed}</td><td>{by}</td></tr>");
    }
    html.push_str("</tbody></table>");
    html
}

/// What is part of a record, each kind under a heading, with a way to add to it.
pub(super) fn parts(store: &Store, type_index: TypeIndex, id: u64) -> String {
    let mut html = String::new();
    for (part, records) in store.parts_by_type(type_index, id) {
        let part_type = store.record_type(part);
        let reference = part_type
            .whole()
            .map_or("", |(reference, _)| part_type.properties[reference].name.as_str());
        let _ = write!(
            html,
            "<h2>{}</h2>{}<p><a class=\"button\" href=\"/{}/new?{reference}={id}\">New {}</a></p>",
            heading(&part_type.collection),
            rows(store, part_type, &records),
            part_type.collection,
            part_type.name
        );
    }
    html
}

/// A collection's name as a heading: `order-lines` becomes `Order lines`.
fn heading(collection: &str) -> String {
    let words = collection.replace('-', " ");
    let mut characters = words.chars();
    characters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// The value as HTML: a reference becomes a link to the record it means.
pub(super) fn cell(store: &Store, record_type: &RecordType, record: &Record, position: usize) -> String {
    let text = record.value(position).shown();
    let Kind::Reference(target) = record_type.properties[position].kind else {
        return escape(&text).replace('\n', "<br>");
    };
    let id = text.parse().unwrap_or_default();
    let target_type = store.record_type(target);
    match store.live(target, id) {
        Some(found) => {
            let title = escape(&found.title(target_type));
            format!(
                "<a href=\"/{}/{id}\">{title}</a> <small>{id}</small>",
                target_type.collection
            )
        }
        None => escape(&text),
    }
}

/// The form of a record, or of a new one; after a refusal with what was typed and what is wrong with it.
pub(super) fn edit_form(
    erp: &Erp,
    record_type: &RecordType,
    record: Option<&Record>,
    typed: &[(String, String)],
    refusal: Option<&Refusal>,
) -> String {
    let field = |name: &str| {
        typed
            .iter()
            .find(|(typed, _)| typed == name)
            .map(|(_, text)| text.as_str())
    };
    let (heading, path) = match record {
        Some(record) => (
            record.title(record_type),
            format!("/{}/{}", record_type.collection, record.id),
        ),
        None => (
            format!("New {}", record_type.name),
            format!("/{}", record_type.collection),
        ),
    };
    let mut html = format!("<h1>{}</h1>", escape(&heading));
    if let Some(refusal) = refusal {
        let _ = write!(html, "<p class=\"problem\">{}</p>", escape(&refusal.message));
    }
    // After a refusal the version typed on is kept: a change made meanwhile by someone else is still found.
    let version = record.map_or_else(String::new, |record| record.version.to_string());
    let version = escape(field(VERSION).unwrap_or(&version));
    let _ = write!(
        html,
        "<form method=\"post\" action=\"{path}\"><input type=\"hidden\" name=\"{VERSION}\" value=\"{version}\">"
    );
    for (position, property) in record_type.properties.iter().enumerate() {
        // What is computed, and what is fixed once the record is there, is looked at and not typed.
        if property.derived.is_some() || (property.once && record.is_some()) {
            continue;
        }
        let held = form::shown(record, position);
        let text = field(&property.name).unwrap_or(&held);
        let problems = refusal.map_or(&[][..], |refusal| &refusal.fields);
        let problem = problems.iter().find(|problem| problem.property == property.name);
        let problem = problem.map_or(String::new(), |problem| {
            format!("<span class=\"problem\">{}</span>", escape(&problem.message))
        });
        let mark = if property.required { " *" } else { "" };
        let input = form::input(property, text);
        let _ = write!(
            html,
            "<div class=\"field\"><label for=\"{}\">{}{mark}</label><div>{input}{problem}</div></div>",
            property.name,
            label(property)
        );
    }
    let users = user_choice(erp, field(USER).unwrap_or_default());
    let _ = write!(
        html,
        "<p class=\"actions\">{users} <button>Save</button> <a class=\"button\" href=\"{path}\">Cancel</a></p></form>"
    );
    html
}

pub(super) fn user_choice(erp: &Erp, chosen: &str) -> String {
    // People edit here: the first user is usually the program's.
    let fallback = erp
        .users
        .get(1)
        .or(erp.users.first())
        .map_or("", |user| user.name.as_str());
    let chosen = if chosen.is_empty() { fallback } else { chosen };
    let options: String = erp
        .users
        .iter()
        .map(|user| {
            let selected = if user.name == chosen { " selected" } else { "" };
            format!("<option{selected}>{}</option>", escape(&user.name))
        })
        .collect();
    format!("<label>as user <select name=\"{USER}\">{options}</select></label>")
}

/// A whole page around its main part.
pub(super) fn page(erp: &Erp, title: &str, body: &str) -> Response {
    let links: String = erp
        .catalog
        .types
        .iter()
        .map(|record_type| format!(" <a href=\"/{0}\">{0}</a>", record_type.collection))
        .collect();
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><link rel=\"stylesheet\" href=\"/style.css\"></head><body><nav>\
         <a href=\"/\"><b>Customerp</b></a>{links}</nav><main>{body}</main></body></html>",
        escape(title)
    ))
    .into_response()
}
