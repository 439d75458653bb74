//! Pages to look at.

use std::fmt::Write;

use super::html::{address, escape, list_address, page, shown, title};
use crate::salesforce::api::Call;
use crate::salesforce::fault::Outcome;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{FieldIndex, Kind, ObjectIndex, Source};
use crate::salesforce::table::Row;
use crate::salesforce::value::{Value, moment_text};
use crate::salesforce::write::MERGEABLE;

/// Records of one page of a list.
const PAGE: usize = 50;
/// Columns of a list besides the record's name and its last change.
const COLUMNS: usize = 4;

/// The objects and how many records each has.
pub(super) fn home(org: &Org, actor: Actor) -> String {
    let mut rows = String::new();
    for (at, object) in org.schema.objects.iter().enumerate() {
        let _ = write!(
            rows,
            "<tr><td><a href=\"{}\">{}</a></td><td class=\"faint\">{}</td><td class=\"number\">{}</td></tr>",
            list_address(org, at),
            escape(&object.plural),
            object.name,
            org.table(at).live()
        );
    }
    let body = format!(
        "<h1>Objects</h1><table><tr><th>Object</th><th>API name</th><th>Records</th></tr>{rows}</table><p><a \
         href=\"/recycle-bin\">Recycle bin</a></p>"
    );
    page(org, actor, "Objects", &body)
}

/// The records of an object, the last changed first.
pub(super) fn list(org: &Org, actor: Actor, object: ObjectIndex, call: &Call) -> String {
    let kind = org.schema.object(object);
    let wanted = call.parameter("q").unwrap_or_default().trim().to_owned();
    let number: usize = call
        .parameter("page")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
        .max(1);
    let needle = wanted.to_lowercase();
    let found: Vec<&Row> = org
        .table(object)
        .since(i64::MIN)
        .rev()
        .filter(|row| !row.deleted && org.sees(actor, kind, row) && contains(row, &needle))
        .skip((number - 1) * PAGE)
        .take(PAGE + 1)
        .collect();
    let columns: Vec<FieldIndex> = kind
        .numbered()
        .filter(|(_, field)| {
            field.key && field.kind != Kind::TextArea && field.name != "Name" && field.name != "Subject"
        })
        .map(|(at, _)| at)
        .take(COLUMNS)
        .collect();
    let mut table = String::from("<table><tr><th>Record</th>");
    for at in &columns {
        let _ = write!(table, "<th>{}</th>", escape(&kind.field(*at).label));
    }
    table.push_str("<th>Last change</th></tr>");
    for row in found.iter().take(PAGE) {
        table.push_str(&list_row(org, object, row, &columns));
    }
    table.push_str("</table>");
    let mut body = format!(
        "<h1>{} <small>{} records</small></h1><div class=\"bar\"><form><input name=\"q\" value=\"{}\" \
         placeholder=\"Search\" aria-label=\"Search\"> <button>Search</button></form>",
        escape(&kind.plural),
        org.table(object).live(),
        escape(&wanted)
    );
    if kind.createable {
        let _ = write!(
            body,
            "<a class=\"button\" href=\"{}/new\">New {}</a>",
            list_address(org, object),
            escape(&kind.label)
        );
    }
    body.push_str("</div>");
    body.push_str(&table);
    if found.len() > PAGE {
        let query: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        let _ = write!(
            body,
            "<p><a href=\"?q={query}&amp;page={}\">Older</a></p>",
            number + 1
        );
    }
    page(org, actor, &kind.plural, &body)
}

fn contains(row: &Row, needle: &str) -> bool {
    let fits = |value: &Value| match value {
        Value::Text(text) => text.to_lowercase().contains(needle),
        _ => false,
    };
    needle.is_empty()
        || row.id.to_string().to_lowercase() == needle
        || row.values.iter().any(|(_, value)| fits(value))
}

fn list_row(org: &Org, object: ObjectIndex, row: &Row, columns: &[FieldIndex]) -> String {
    let kind = org.schema.object(object);
    let mut cells = format!(
        "<tr><td><a href=\"{}\">{}</a></td>",
        address(org, object, row.id),
        escape(&title(org, row.id))
    );
    for at in columns {
        let value = org.cell_at(kind, *at, row);
        let _ = write!(cells, "<td>{}</td>", shown(org, value.as_deref()));
    }
    let by = escape(&title(org, row.modified_by));
    let _ = write!(
        cells,
        "<td class=\"faint\">{} {by}</td></tr>",
        readable(row.stamp)
    );
    cells
}

fn readable(seconds: i64) -> String {
    moment_text(seconds).replace('T', " ").replace(".000+0000", "")
}

/// Every field of a record that has a value.
pub(super) fn record(org: &Org, actor: Actor, object: ObjectIndex, id: RecordId) -> Outcome<String> {
    let row = org.live_row(actor, object, id)?;
    let kind = org.schema.object(object);
    let (mut first, mut system, mut blank) = (String::new(), String::new(), Vec::new());
    for (at, field) in kind.numbered().filter(|(_, field)| field.kind != Kind::Address) {
        let value = org.cell_at(kind, at, row);
        let unset =
            field.kind == Kind::Boolean && !field.key && value.as_deref() == Some(&Value::Bool(false));
        if value.is_none() || (unset && field.source == Source::Stored) {
            blank.push(field.name.as_str());
            continue;
        }
        let line = format!(
            "<tr><th title=\"{}\">{}</th><td class=\"value\">{}</td></tr>",
            field.name,
            escape(&field.label),
            shown(org, value.as_deref())
        );
        if field.source == Source::Stored {
            first.push_str(&line)
        } else {
            system.push_str(&line)
        }
    }
    let mut body = format!(
        "<p class=\"faint\"><a href=\"{}\">{}</a></p><h1>{} <small>{}</small></h1>{}<table class=\"record\">{first}{system}</table>",
        list_address(org, object),
        escape(&kind.plural),
        escape(&title(org, id)),
        id,
        actions(org, object, id),
    );
    let _ = write!(
        body,
        "<details><summary>{} blank fields</summary><p class=\"faint\">{}</p></details>",
        blank.len(),
        blank.join(", ")
    );
    Ok(page(org, actor, &title(org, id), &body))
}

fn actions(org: &Org, object: ObjectIndex, id: RecordId) -> String {
    let kind = org.schema.object(object);
    let here = address(org, object, id);
    let mut bar = String::from("<div class=\"bar\">");
    if kind.updateable {
        let _ = write!(bar, "<a class=\"button\" href=\"{here}/edit\">Edit</a>");
    }
    if kind.deletable {
        let _ = write!(
            bar,
            "<form method=\"post\" action=\"{here}/delete\"><button class=\"danger\">Delete</button></form>"
        );
    }
    if MERGEABLE.contains(&kind.name.as_str()) {
        let _ = write!(bar, "<a class=\"button\" href=\"{here}/merge\">Merge</a>");
    }
    if let Some((_, email)) = org.pending_emails.iter().find(|(user, _)| *user == id) {
        let _ = write!(
            bar,
            "<form method=\"post\" action=\"{here}/confirm\"><button>Confirm {}</button></form>",
            escape(email)
        );
    }
    bar.push_str("</div>");
    bar
}
