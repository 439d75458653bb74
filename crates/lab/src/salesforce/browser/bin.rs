//! The recycle bin, and the page on which two records become one.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use super::Answer;
use super::form::json_of;
use super::html::{address, escape, list_address, page, refusal, shown, title};
use crate::salesforce::api::Call;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{FieldIndex, ObjectIndex};
use crate::salesforce::table::Row;
use crate::salesforce::value::{Value, moment_text};

/// Where the recycle bin is.
pub(super) const ADDRESS: &str = "/recycle-bin";
/// Deleted records that the page shows, and records that another may be merged with.
const SHOWN: usize = 200;

/// The deleted records, the latest first, each with a button that restores it.
pub(super) fn list(org: &Org, actor: Actor, fault: Option<&Fault>) -> String {
    let mut table = String::from("<table><tr><th>Record</th><th>Object</th><th>Deleted</th><th></th></tr>");
    let rows = org.bin(actor);
    for (object, row) in rows.iter().take(SHOWN) {
        let _ = write!(
            table,
            "<tr><td>{} <span class=\"faint\">{}</span></td><td>{}</td><td class=\"faint\">{} {}</td><td><form \
             method=\"post\" action=\"{ADDRESS}/{}\"><button>Restore</button></form></td></tr>",
            escape(&title(org, row.id)),
            row.id,
            escape(&org.schema.object(*object).label),
            moment_text(row.stamp).replace('T', " ").replace(".000+0000", ""),
            escape(&title(org, row.modified_by)),
            row.id,
        );
    }
    let refused = fault.map(|fault| refusal(&fault.message)).unwrap_or_default();
    let body = format!(
        "<h1>Recycle bin <small>{} records</small></h1>{refused}{table}</table>",
        rows.len()
    );
    page(org, actor, "Recycle bin", &body)
}

/// Restores a record, and shows it.
pub(super) fn restore(org: &mut Org, actor: Actor, id: &str) -> Outcome<Answer> {
    let id = RecordId::parse(id).map_err(|_| Fault::not_found())?;
    Ok(match org.attempt(|org| org.undelete(actor, id)) {
        Ok(()) => {
            let (object, _) = org.row(id).ok_or_else(Fault::not_found)?;
            Answer::Go(address(org, object, id), None)
        }
        Err(fault) => Answer::Page(422, list(org, actor, Some(&fault))),
    })
}

/// The page that merges another record into this one: first which, then whose values stay.
pub(super) fn merge_page(
    org: &Org,
    actor: Actor,
    (object, id): (ObjectIndex, RecordId),
    call: &Call,
    fault: Option<&Fault>,
) -> Outcome<String> {
    let row = org.live_row(actor, object, id)?;
    let heading = format!("Merge into {}", title(org, id));
    let other = call
        .parameter("other")
        .and_then(|text| RecordId::parse(text.trim()).ok());
    let other = other
        .map(|other| org.live_row(actor, object, other))
        .transpose()?;
    let form = match other {
        None => choose(org, actor, object, row),
        Some(other) => compare(org, object, row, other),
    };
    let refused = fault.map(|fault| refusal(&fault.message)).unwrap_or_default();
    let body = format!(
        "<p class=\"faint\"><a href=\"{}\">{}</a></p><h1>{}</h1>{refused}{form}",
        address(org, object, id),
        escape(&title(org, id)),
        escape(&heading)
    );
    Ok(page(org, actor, &heading, &body))
}

fn choose(org: &Org, actor: Actor, object: ObjectIndex, row: &Row) -> String {
    let kind = org.schema.object(object);
    let others = org.table(object).since(i64::MIN).rev();
    let others = others.filter(|other| !other.deleted && other.id != row.id && org.sees(actor, kind, other));
    let mut list = String::new();
    for other in others.take(SHOWN) {
        let _ = write!(
            list,
            "<option value=\"{}\">{}</option>",
            other.id,
            escape(&title(org, other.id))
        );
    }
    format!(
        "<form><p><label>The other record, by its id <input name=\"other\" list=\"others\" required></label>\
         <datalist id=\"others\">{list}</datalist></p><div class=\"bar\"><button class=\"main\">Next</button></div></form>"
    )
}

/// The fields that a person may choose between.
fn differing(org: &Org, object: ObjectIndex, row: &Row, other: &Row) -> Vec<FieldIndex> {
    let kind = org.schema.object(object);
    let fields = kind
        .numbered()
        .filter(|(at, field)| field.updateable && row.values.get(*at) != other.values.get(*at));
    fields.map(|(at, _)| at).collect()
}

fn compare(org: &Org, object: ObjectIndex, row: &Row, other: &Row) -> String {
    let kind = org.schema.object(object);
    let mut table = format!(
        "<table><tr><th></th><th>{} (stays)</th><th>{} (goes)</th></tr>",
        escape(&title(org, row.id)),
        escape(&title(org, other.id))
    );
    for at in differing(org, object, row, other) {
        let field = kind.field(at);
        // What this record lacks is taken from the other, unless a person says otherwise.
        let takes = row.values.get(at).is_none();
        let choice = |value: &str, of: &Row, checked: bool| {
            format!(
                "<td><label><input type=\"radio\" name=\"{}\" value=\"{value}\"{}> {}</label></td>",
                field.name,
                if checked { " checked" } else { "" },
                shown(org, of.values.get(at))
            )
        };
        let _ = write!(
            table,
            "<tr><th title=\"{}\">{}</th>{}{}</tr>",
            field.name,
            escape(&field.label),
            choice("this", row, !takes),
            choice("other", other, takes)
        );
    }
    format!(
        "<form method=\"post\"><input type=\"hidden\" name=\"_other\" value=\"{}\">{table}</table><div \
         class=\"bar\"><button class=\"danger\">Merge</button> <a class=\"button\" href=\"{}\">Cancel</a></div></form>",
        other.id,
        list_address(org, object)
    )
}

/// Merges as the page asks.
pub(super) fn merge(
    org: &mut Org,
    actor: Actor,
    (object, id): (ObjectIndex, RecordId),
    call: &Call,
    fields: &[(String, String)],
) -> Outcome<Answer> {
    let other = fields.iter().find(|(name, _)| name == "_other");
    let other = other.and_then(|(_, text)| RecordId::parse(text).ok());
    let other = other.ok_or_else(|| Fault::new(Code::MissingArgument, "choose the other record first"))?;
    let (row, gone) = (
        org.live_row(actor, object, id)?,
        org.live_row(actor, object, other)?,
    );
    let kind = org.schema.object(object);
    let mut body = Map::new();
    for at in differing(org, object, row, gone) {
        let field = kind.field(at);
        if fields
            .iter()
            .any(|(name, value)| *name == field.name && value == "other")
        {
            let value = gone.values.get(at).map(Value::plain);
            body.insert(
                field.name.clone(),
                value.map_or(Json::Null, |text| json_of(field, &text)),
            );
        }
    }
    Ok(
        match org.attempt(|org| org.merge(actor, object, id, &[other], &body)) {
            Ok(_) => Answer::Go(address(org, object, id), None),
            Err(fault) => Answer::Page(422, merge_page(org, actor, (object, id), call, Some(&fault))?),
        },
    )
}
