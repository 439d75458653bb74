//! Pieces that every page is made of.

use std::fmt::Write;

use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::ObjectIndex;
use crate::salesforce::value::Value;

/// Text as it stands in a page.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A whole page around a body that is already safe.
pub(super) fn page(org: &Org, actor: Actor, title: &str, body: &str) -> String {
    let mut people = String::new();
    for (id, name) in org.people() {
        let selected = if id == actor.user { " selected" } else { "" };
        let _ = write!(
            people,
            "<option value=\"{id}\"{selected}>{}</option>",
            escape(&name)
        );
    }
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} · {org_name}</title><style>{style}</style></head><body>\
         <header><strong><a href=\"/\">{org_name}</a></strong><span class=\"faint\">a local Salesforce org</span>\
         <form method=\"post\" action=\"/as\">as <select name=\"user\">{people}</select> <button>Switch</button></form>\
         </header><main>{body}</main></body></html>",
        title = escape(title),
        org_name = escape(&org.options.name),
        style = include_str!("style.css"),
    )
}

/// A refusal at the top of a page.
pub(super) fn refusal(message: &str) -> String {
    format!("<p class=\"refused\" role=\"alert\">{}</p>", escape(message))
}

/// Where the list of an object is.
pub(super) fn list_address(org: &Org, object: ObjectIndex) -> String {
    format!("/browse/{}", org.schema.object(object).name)
}

/// Where a record is.
pub(super) fn address(org: &Org, object: ObjectIndex, id: RecordId) -> String {
    format!("{}/{id}", list_address(org, object))
}

/// What a person calls a record.
pub(super) fn title(org: &Org, id: RecordId) -> String {
    [
        "Name",
        "Subject",
        "OrderNumber",
        "OrderItemNumber",
        "LineNumber",
        "InvoiceNumber",
        "DocumentNumber",
    ]
    .iter()
    .find_map(|field| org.text_of(id, field))
    .unwrap_or_else(|| id.to_string())
}

/// A value as a page shows it: a reference is a link to its record.
pub(super) fn shown(org: &Org, value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Reference(id)) => match org.row(*id) {
            Some((object, _)) => {
                format!(
                    "<a href=\"{}\">{}</a>",
                    address(org, object, *id),
                    escape(&title(org, *id))
                )
            }
            None => id.to_string(),
        },
        Some(Value::Bool(flag)) => if *flag { "yes" } else { "no" }.to_owned(),
        Some(value) => escape(&value.plain()),
    }
}
