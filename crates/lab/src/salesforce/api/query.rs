//! `/query` and `/queryAll`.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Call, Caller, Reply};
use crate::salesforce::cursor::Cursor;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;
use crate::salesforce::soql::{Prepared, Selection};

/// Rows of a page: the default and the most, and the least; the least too where two or more long texts are selected.
const PAGE: usize = 2_000;
const SMALL_PAGE: usize = 200;

/// Answers a statement, or the rest of a result.
pub(super) fn query(org: &mut Org, caller: &Caller, call: &Call, all: bool, rest: &[&str]) -> Outcome<Reply> {
    if call.method != "GET" {
        return Err(Fault::method_not_allowed(&call.method, "GET"));
    }
    let resource = if all { "queryAll" } else { "query" };
    if let [locator] = rest {
        return more(org, caller, resource, locator);
    }
    let Some(text) = call.parameter("q") else {
        return Err(Fault::new(Code::MissingArgument, "the parameter q is missing"));
    };
    let query = Arc::new(org.prepare(text)?);
    if call.parameter("columns") == Some("true") {
        return Ok(Reply::ok(columns(org, &query)));
    }
    select(org, caller, call, all, query)
}

/// The first page of what a statement of the org's own making finds.
pub(super) fn list(org: &mut Org, caller: &Caller, call: &Call, statement: &str) -> Outcome<Reply> {
    let query = Arc::new(org.prepare(statement)?);
    select(org, caller, call, false, query)
}

fn select(org: &mut Org, caller: &Caller, call: &Call, all: bool, query: Arc<Prepared>) -> Outcome<Reply> {
    let resource = if all { "queryAll" } else { "query" };
    if let Selection::Groups(grouping) = &query.selection {
        return grouped(org.groups(caller.actor, &query, grouping, all));
    }
    let rows = org.select(caller.actor, &query, all);
    if query.selection == Selection::Count {
        return Ok(Reply::ok(
            json!({ "totalSize": rows.len(), "done": true, "records": [] }),
        ));
    }
    let page = page_size(call.header("sforce-query-options"), query.long_texts);
    let page = org.faults.page().map_or(page, |most| page.min(most));
    let cursor = Cursor {
        user: caller.actor.user,
        query,
        rows: rows.into(),
        page,
    };
    let name = if cursor.rows.len() > page {
        let now = org.now();
        org.cursors.keep(cursor.clone(), now)
    } else {
        String::new()
    };
    Ok(Reply::ok(render_page(org, caller, resource, &cursor, &name, 0)))
}

/// Groups come in one page, or not at all.
fn grouped(records: Vec<Json>) -> Outcome<Reply> {
    if records.len() > PAGE {
        return Err(Fault::new(
            Code::ExceededIdLimit,
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
        ));
    }
    Ok(Reply::ok(
        json!({ "totalSize": records.len(), "done": true, "records": records }),
    ))
}

fn page_size(options: Option<&str>, long_texts: usize) -> usize {
    let asked = options.and_then(|options| {
        let mut parts = options.split([',', ';']).filter_map(|part| part.split_once('='));
        let (_, size) = parts.find(|(name, _)| name.trim().eq_ignore_ascii_case("batchSize"))?;
        size.trim().parse::<usize>().ok()
    });
    let page = asked.unwrap_or(PAGE).clamp(SMALL_PAGE, PAGE);
    if long_texts >= 2 { SMALL_PAGE } else { page }
}

fn more(org: &Org, caller: &Caller, resource: &str, locator: &str) -> Outcome<Reply> {
    let invalid = || Fault::new(Code::InvalidQueryLocator, "invalid query locator");
    let (name, offset) = locator.rsplit_once('-').ok_or_else(invalid)?;
    let offset: usize = offset.parse().map_err(|_| invalid())?;
    let mut cursor = org.cursors.find(name, caller.actor.user, org.now())?;
    cursor.page = org
        .faults
        .page()
        .map_or(cursor.page, |most| cursor.page.min(most));
    if offset >= cursor.rows.len() {
        return Err(invalid());
    }
    Ok(Reply::ok(render_page(
        org, caller, resource, &cursor, name, offset,
    )))
}

fn render_page(
    org: &Org,
    caller: &Caller,
    resource: &str,
    cursor: &Cursor,
    name: &str,
    offset: usize,
) -> Json {
    let end = cursor.rows.len().min(offset + cursor.page);
    let records = cursor.rows[offset..end]
        .iter()
        .filter_map(|id| org.render(caller.actor, &caller.base, &cursor.query, *id));
    let mut page = json!({
        "totalSize": cursor.rows.len(),
        "done": end == cursor.rows.len(),
        "records": records.collect::<Vec<Json>>(),
    });
    if end < cursor.rows.len() {
        page["nextRecordsUrl"] = json!(format!("{}/{resource}/{name}-{end}", caller.base));
    }
    page
}

fn columns(org: &Org, query: &Prepared) -> Json {
    let object = org.schema.object(query.object);
    json!({
        "columnMetadata": query.column_metadata(org),
        "entityName": object.name,
        "groupBy": matches!(query.selection, Selection::Groups(_)),
        "idSelected": query.selects_id(org),
        "keyPrefix": object.prefix,
    })
}
