//! ERPNext, by Frappe's REST interface (Frappe Framework: "REST API", "Listing Documents", "Filters, Fields & Pagination"):
//! `/api/resource/DOCTYPE` and `/api/resource/DOCTYPE/NAME` with `Authorization: token KEY:SECRET`.
//!
//! Its habits: a list shows twenty records with nothing but their names unless asked otherwise; times are of the site's own zone,
//! to the microsecond; a `modified` that is sent back and is not the record's is refused, and without one the record is overwritten;
//! properties that it does not know are dropped without a word; texts are compared whatever their case; what was deleted stands in
//! `Deleted Document`; what was submitted is changed no more until it is cancelled; e-mail addresses and phones of a contact live in
//! tables of their own, which a read of the contact alone shows.

use std::cmp::Ordering;

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::answer::{Ask, Desk, Reply};
use super::clock::moment;
use super::shape::Kind;
use super::store::{Fault, Row, Store, Table, What, text_of};

pub(super) const TABLE: &str = include_str!("erpnext.txt");
/// Who may ask, by which key and secret.
pub(super) const USERS: [(&str, &str, &str); 2] = [
    ("tandem", "erpnext-tandem-key", "erpnext-tandem-secret"),
    ("alice", "erpnext-alice-key", "erpnext-alice-secret"),
];
/// The zone in which the site writes times.
const ZONE: &str = "Asia/Kolkata";
const DELETED: &str = "Deleted Document";
/// Tables inside a contact: the member that they fill, their name, and where each row has its value.
const TABLES: [(&str, &str, &str); 3] = [
    ("email_id", "email_ids", "email_id"),
    ("phone", "phone_nos", "phone"),
    ("customer", "links", "link_name"),
];

/// The ERP.
#[derive(Debug)]
pub(super) struct Erpnext;

/// A customer with a contact.
pub(super) fn sample(store: &mut Store, number: u32) {
    let mut made = |table: &str, values: Json| {
        let values = values.as_object().cloned().unwrap_or_default();
        store.create(table, &values, "alice").unwrap_or_default()
    };
    let customer = made(
        "Customer",
        json!({ "customer_name": format!("Company {number}"), "customer_group": "Commercial" }),
    );
    made(
        "Contact",
        json!({ "first_name": "Ann", "last_name": format!("Contact {number}"), "customer": customer,
            "email_id": format!("contact@company{number}.example") }),
    );
}

impl Desk for Erpnext {
    fn answer(&mut self, store: &mut Store, ask: &Ask) -> Reply {
        let said = ask.header("authorization").strip_prefix("token ");
        let user = USERS
            .iter()
            .find(|(_, key, secret)| said == Some(format!("{key}:{secret}").as_str()));
        let Some((user, ..)) = user else {
            return error(401, "AuthenticationError", "");
        };
        if store.table("Company").is_some_and(|table| table.rows.is_empty()) {
            let company = json!({ "company_name": "ERPNext Local", "abbr": "EL" });
            // The built-in values fit.
            let _ = store.create("Company", company.as_object().unwrap_or(&Map::new()), "system");
        }
        let done = match (ask.method.as_str(), ask.steps().as_slice()) {
            ("GET", ["api", "method", "frappe.auth.get_logged_user"]) => {
                Ok(Reply::ok(json!({ "message": user })))
            }
            ("GET", ["api", "resource", doctype]) => list(store, doctype, ask),
            ("GET", ["api", "resource", doctype, name]) => {
                found(store, doctype, name).map(|(table, row)| data(document(table, row)))
            }
            ("POST", ["api", "resource", doctype]) => create(store, doctype, ask, user),
            ("PUT", ["api", "resource", doctype, name]) => update(store, doctype, name, ask, user),
            ("DELETE", ["api", "resource", doctype, name]) => delete(store, doctype, name),
            _ => Err(error(404, "DoesNotExistError", "")),
        };
        done.unwrap_or_else(|refused| refused)
    }
}

fn data(json: Json) -> Reply {
    Reply::ok(json!({ "data": json }))
}

fn error(status: u16, kind: &str, words: &str) -> Reply {
    let body = json!({ "exception": format!("frappe.exceptions.{kind}: {words}"), "exc_type": kind });
    Reply::new(status, body)
}

fn table<'s>(store: &'s Store, doctype: &str) -> Result<&'s Table, Reply> {
    let unknown = || error(404, "DoesNotExistError", &format!("DocType {doctype} not found"));
    store.table(doctype).ok_or_else(unknown)
}

fn found<'s>(store: &'s Store, doctype: &str, name: &str) -> Result<(&'s Table, &'s Row), Reply> {
    let table = table(store, doctype)?;
    let absent = || error(404, "DoesNotExistError", &format!("{doctype} {name} not found"));
    table.row(name).map(|row| (table, row)).ok_or_else(absent)
}

/// A stamp as the site writes it.
fn local(stamp: i64) -> String {
    let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
    moment(stamp)
        .to_zoned(zone)
        .strftime("%Y-%m-%d %H:%M:%S.%6f")
        .to_string()
}

fn member(row: &Row, name: &str) -> Option<Json> {
    Some(match name {
        "name" => row.id.clone().into(),
        "creation" => local(row.created).into(),
        "modified" => local(row.modified).into(),
        "owner" => row.made_by.clone().into(),
        "modified_by" => row.by.clone().into(),
        _ => return row.values.get(name).cloned(),
    })
}

/// A record as a read of its own shows it.
fn document(table: &Table, row: &Row) -> Json {
    let own = ["name", "creation", "modified", "owner", "modified_by"];
    let fields = table.shape.fields.keys().map(String::as_str);
    let members = own.into_iter().chain(fields);
    let mut all: Map<String, Json> = members
        .filter_map(|name| Some((name.to_owned(), member(row, name)?)))
        .collect();
    all.insert("doctype".to_owned(), table.shape.name.clone().into());
    if table.shape.name == "Contact" {
        for (field, rows, inner) in TABLES {
            let value = all.get(field).filter(|value| !value.is_null()).cloned();
            let mut list: Vec<Json> = Vec::new();
            list.extend(value.map(|value| match field {
                "customer" => json!({ "link_doctype": "Customer", inner: value }),
                _ => json!({ inner: value, "is_primary": 1 }),
            }));
            all.insert(rows.to_owned(), list.into());
        }
        // Whose it is stands among its links alone.
        all.remove("customer");
    }
    Json::Object(all)
}

fn list(store: &Store, doctype: &str, ask: &Ask) -> Result<Reply, Reply> {
    let parsed = |name: &str| -> Json {
        let text = ask.query.get(name).map(String::as_str).unwrap_or("[]");
        serde_json::from_str(text).unwrap_or_default()
    };
    let (fields, filters) = (parsed("fields"), parsed("filters"));
    let (Some(fields), Some(filters)) = (fields.as_array(), filters.as_array()) else {
        return Err(error(
            417,
            "ValidationError",
            "fields and filters are lists in JSON",
        ));
    };
    let mut rows: Vec<Map<String, Json>> = Vec::new();
    for row in all(store, doctype)? {
        let mut fits = true;
        for filter in filters {
            fits &= holds(&row, filter)?;
        }
        rows.extend(fits.then_some(row));
    }
    let order = ask.query.get("order_by").map_or("modified desc", String::as_str);
    let mut words = order.split_whitespace();
    let (by, down) = (words.next().unwrap_or("modified"), words.next() == Some("desc"));
    rows.sort_by(|one, other| {
        let order = compared(one.get(by), other.get(by)).unwrap_or(Ordering::Equal);
        if down { order.reverse() } else { order }
    });
    let number = |name: &str, otherwise: usize| {
        let text = ask.query.get(name);
        text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let page = rows.into_iter().skip(number("limit_start", 0));
    let page = page.take(number("limit_page_length", 20));
    let shown = |row: Map<String, Json>| -> Result<Json, Reply> {
        match fields.as_slice() {
            [] => Ok(json!({ "name": row.get("name") })),
            [Json::String(star)] if star == "*" => Ok(Json::Object(row)),
            named => named
                .iter()
                .map(|name| {
                    let name = text_of(Some(name));
                    let value = row.get(&name).cloned();
                    value
                        .map(|value| (name.clone(), value))
                        .ok_or_else(|| no_column(&name))
                })
                .collect::<Result<Map<_, _>, _>>()
                .map(Json::Object),
        }
    };
    let shown: Vec<Json> = page.map(shown).collect::<Result<_, _>>()?;
    Ok(data(shown.into()))
}

fn no_column(name: &str) -> Reply {
    error(417, "DataError", &format!("Field not permitted in query: {name}"))
}

/// The rows of a type as its table holds them: without what stands in tables of their own.
fn all(store: &Store, doctype: &str) -> Result<Vec<Map<String, Json>>, Reply> {
    if doctype == DELETED {
        return Ok(deleted(store));
    }
    let table = table(store, doctype)?;
    let own = ["name", "creation", "modified", "owner", "modified_by"];
    let fields = || {
        own.into_iter()
            .chain(table.shape.fields.keys().map(String::as_str))
    };
    let hidden = |name: &str| doctype == "Contact" && name == "customer";
    let row = |row: &Row| {
        fields()
            .filter(|name| !hidden(name))
            .map(|name| (name.to_owned(), member(row, name).unwrap_or_default()))
            .collect()
    };
    Ok(table.rows.values().map(row).collect())
}

/// What was deleted, of all types.
fn deleted(store: &Store) -> Vec<Map<String, Json>> {
    let doctypes = super::shape::read(TABLE).unwrap_or_default();
    let tables = doctypes.iter().filter_map(|shape| store.table(&shape.name));
    let of_table = |table: &Table| -> Vec<Map<String, Json>> {
        let tomb = |(row, at): &(Row, i64)| {
            let name = format!("{}-{}", table.shape.name, row.number);
            let tomb = json!({ "name": name, "deleted_doctype": table.shape.name, "deleted_name": row.id,
                "creation": local(*at), "modified": local(*at), "restored": 0 });
            tomb.as_object().cloned().unwrap_or_default()
        };
        table.deleted.iter().map(tomb).collect()
    };
    tables.flat_map(of_table).collect()
}

/// Texts are compared whatever their case, as the database does.
fn compared(one: Option<&Json>, other: Option<&Json>) -> Option<Ordering> {
    match (one?, other?) {
        (Json::Number(one), Json::Number(other)) => {
            let number =
                |number: &serde_json::Number| number.to_string().parse::<rust_decimal::Decimal>().ok();
            Some(number(one)?.cmp(&number(other)?))
        }
        (Json::String(one), Json::String(other)) => Some(one.to_lowercase().cmp(&other.to_lowercase())),
        _ => None,
    }
}

fn holds(row: &Map<String, Json>, filter: &Json) -> Result<bool, Reply> {
    let Some([Json::String(field), Json::String(sign), value]) = filter.as_array().map(Vec::as_slice) else {
        return Err(error(
            417,
            "ValidationError",
            "a filter is [field, operator, value]",
        ));
    };
    let shown = row.get(field).ok_or_else(|| no_column(field))?;
    let by = compared(Some(shown), Some(value));
    Ok(match sign.as_str() {
        "=" => by == Some(Ordering::Equal),
        "!=" => by != Some(Ordering::Equal),
        ">" => by == Some(Ordering::Greater),
        ">=" => matches!(by, Some(Ordering::Greater | Ordering::Equal)),
        "<" => by == Some(Ordering::Less),
        "<=" => matches!(by, Some(Ordering::Less | Ordering::Equal)),
        "in" => {
            let mut values = value.as_array().into_iter().flatten();
            values.any(|value| compared(Some(shown), Some(value)) == Some(Ordering::Equal))
        }
        _ => {
            return Err(error(
                417,
                "ValidationError",
                "Operator must be one of =, !=, >, >=, <, <=, in",
            ));
        }
    })
}

/// What a body says of properties that there are; others are dropped without a word.
fn given(store: &Store, doctype: &str, ask: &Ask) -> Result<Map<String, Json>, Reply> {
    let table = table(store, doctype)?;
    let body = ask.members();
    let mut values: Map<String, Json> = body
        .iter()
        .filter(|(name, _)| table.shape.fields.contains_key(*name))
        .map(|(name, value)| (name.clone(), kept(table, name, value)))
        .collect();
    if doctype == "Contact" {
        for (field, rows, inner) in TABLES {
            values.remove(field);
            if let Some(rows) = body.get(rows).and_then(Json::as_array) {
                let first = rows.first().and_then(|row| row.get(inner)).cloned();
                values.insert(field.to_owned(), first.unwrap_or_default());
            }
        }
    }
    Ok(values)
}

/// Whole numbers may come as texts, and an empty text is nothing.
fn kept(table: &Table, name: &str, value: &Json) -> Json {
    let kind = table.shape.fields.get(name).map(|field| &field.kind);
    match (kind, value) {
        (_, Json::String(text)) if text.is_empty() => Json::Null,
        (Some(Kind::Integer), Json::Bool(yes)) => u8::from(*yes).into(),
        (Some(Kind::Integer), Json::String(text)) => {
            text.parse::<i64>().map_or_else(|_| value.clone(), Json::from)
        }
        _ => value.clone(),
    }
}

fn create(store: &mut Store, doctype: &str, ask: &Ask, user: &str) -> Result<Reply, Reply> {
    let values = given(store, doctype, ask)?;
    let made = store.create(doctype, &values, user);
    let name = made.map_err(|fault| refused(doctype, &fault))?;
    found(store, doctype, &name).map(|(table, row)| data(document(table, row)))
}

fn update(store: &mut Store, doctype: &str, name: &str, ask: &Ask, user: &str) -> Result<Reply, Reply> {
    let values = given(store, doctype, ask)?;
    let (_, row) = found(store, doctype, name)?;
    if let Some(seen) = ask.members().get("modified")
        && text_of(Some(seen)) != local(row.modified)
    {
        let what = format!("Error: {name} ({doctype}) has been modified after you have opened it");
        return Err(error(417, "TimestampMismatchError", &what));
    }
    let status = |json: Option<&Json>| json.and_then(Json::as_i64).unwrap_or(0);
    let before = status(row.values.get("docstatus"));
    let changes = |name: &str, value: &Json| row.values.get(name).unwrap_or(&Json::Null) != value;
    let edits = values
        .iter()
        .any(|(name, value)| name != "docstatus" && changes(name, value));
    if before > 0 && edits {
        let what = format!("{doctype} {name} is submitted: not allowed to change it");
        return Err(error(417, "UpdateAfterSubmitError", &what));
    }
    let after = values
        .get("docstatus")
        .map_or(before, |value| status(Some(value)));
    if !matches!((before, after), (0, 0 | 1) | (1, 1 | 2) | (2, 2)) {
        let what = format!("Cannot change docstatus from {before} to {after}");
        return Err(error(417, "DocstatusTransitionError", &what));
    }
    store
        .update(doctype, name, &values, user)
        .map_err(|fault| refused(doctype, &fault))?;
    found(store, doctype, name).map(|(table, row)| data(document(table, row)))
}

fn delete(store: &mut Store, doctype: &str, name: &str) -> Result<Reply, Reply> {
    let (_, row) = found(store, doctype, name)?;
    if row.values.get("docstatus").and_then(Json::as_i64) == Some(1) {
        let what = format!("{doctype} {name}: Submitted Record cannot be deleted. You must cancel it first.");
        return Err(error(417, "ValidationError", &what));
    }
    store
        .delete(doctype, name)
        .map_err(|fault| refused(doctype, &fault))?;
    Ok(Reply::new(202, json!({ "data": "ok" })))
}

fn refused(doctype: &str, fault: &Fault) -> Reply {
    let field = &fault.field;
    match fault.what {
        What::Missing => error(417, "MandatoryError", &format!("[{doctype}]: {field}")),
        What::Long => {
            let what = format!("{doctype}: '{field}' will get truncated, as max characters allowed is 140");
            error(417, "CharacterLengthExceededError", &what)
        }
        What::Twice if field == "name" => error(409, "DuplicateEntryError", doctype),
        What::Twice => error(
            417,
            "UniqueValidationError",
            &format!("{doctype}: {field} must be unique"),
        ),
        What::Dangling => error(417, "LinkValidationError", &format!("Could not find {field}")),
        What::Used => {
            let what = format!("Cannot delete or cancel because {doctype} {field} is linked with another");
            error(417, "LinkExistsError", &what)
        }
        What::Unfit | What::Unknown => error(417, "ValidationError", &format!("{field} is not right")),
    }
}
