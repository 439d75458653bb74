//! The record browser: look at records, change them, create and delete some, as one of the users.

mod view;

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::customerp::form::{self, USER, VERSION, escape, label};
use crate::customerp::gate::Arrival;
use crate::customerp::problem::Refusal;
use crate::customerp::record::Record;
use crate::customerp::schema::{RecordType, TypeIndex};
use crate::customerp::server::Erp;
use crate::customerp::store::Store;
use crate::customerp::value::moment;
use crate::customerp::write::{self, Expected};

use view::{cell, edit_form, page, parts, rows, user_choice};

/// Rows on a page of a list.
const ROWS: usize = 50;
const STYLE: &str = include_str!("style.css");

type Shared = State<Arc<Erp>>;
type Answer = Result<Response, Failure>;

/// A refusal shown as a page.
struct Failure(Refusal);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    page: Option<String>,
}

/// The routes of the pages.
pub(crate) fn routes() -> Router<Arc<Erp>> {
    Router::new()
        .route("/", get(home))
        .route("/style.css", get(style))
        .route("/{collection}", get(list).post(create))
        .route("/{collection}/new", get(new))
        .route("/{collection}/{id}", get(show).post(update))
        .route("/{collection}/{id}/edit", get(edit))
        .route("/{collection}/{id}/delete", post(delete))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn home(State(erp): Shared) -> Response {
    let store = erp.read();
    let mut rows = String::new();
    for (index, record_type) in erp.catalog.types.iter().enumerate() {
        let (collection, count) = (&record_type.collection, store.count(index));
        let _ = write!(
            rows,
            "<tr><td><a href=\"/{collection}\">{}</a></td><td class=\"number\">{count}</td></tr>",
            record_type.name
        );
    }
    let body = format!(
        "<h1>Customerp</h1><p>The records of <b>{}</b>. Programs use the <a href=\"/api/v1/openapi.json\">API</a> at \
         <code>/api/v1</code>.</p><table><thead><tr><th>Record type</th><th class=\"number\">Records</th></tr></thead>\
         <tbody>{rows}</tbody></table>",
        escape(&erp.company)
    );
    page(&erp, "Customerp", &body)
}

async fn list(State(erp): Shared, Path(collection): Path<String>, Query(query): Query<ListQuery>) -> Answer {
    let (type_index, record_type) = type_of(&erp, &collection)?;
    let number: usize = query
        .page
        .as_deref()
        .and_then(|page| page.parse().ok())
        .unwrap_or(0);
    let wanted = query.q.trim().to_lowercase();
    let store = erp.read();
    let matching = store
        .newest(type_index)
        .filter(|record| wanted.is_empty() || holds(record_type, record, &wanted));
    let mut records: Vec<_> = matching
        .skip(number.saturating_mul(ROWS))
        .take(ROWS + 1)
        .cloned()
        .collect();
    let more = records.len() > ROWS;
    records.truncate(ROWS);
    let mut body = format!(
        "<h1>{0}</h1><form class=\"search\" method=\"get\"><input name=\"q\" value=\"{1}\" placeholder=\"Search\" \
         aria-label=\"Search\"> <button>Search</button> <a class=\"button\" href=\"/{2}/new\">New {0}</a></form>",
        record_type.name,
        escape(&query.q),
        record_type.collection
    );
    body.push_str(&rows(&store, record_type, &records));
    let link = |page: usize, text: &str| {
        let q: String = url::form_urlencoded::byte_serialize(query.q.as_bytes()).collect();
        format!(
            " <a class=\"button\" href=\"/{}?q={q}&amp;page={page}\">{text}</a>",
            record_type.collection
        )
    };
    if number > 0 {
        body.push_str(&link(number - 1, "Newer"));
    }
    if more {
        body.push_str(&link(number + 1, "Older"));
    }
    Ok(page(&erp, &record_type.name, &body))
}

fn holds(record_type: &RecordType, record: &Record, wanted: &str) -> bool {
    let values = record
        .values
        .iter()
        .any(|value| value.shown().to_lowercase().contains(wanted));
    values || record.id.to_string() == wanted || record.title(record_type).to_lowercase().contains(wanted)
}

async fn show(State(erp): Shared, Path((collection, id)): Path<(String, String)>) -> Answer {
    let (type_index, record_type) = type_of(&erp, &collection)?;
    let store = erp.read();
    let record = find(&store, type_index, &id)?;
    let path = format!("/{}/{}", record_type.collection, record.id);
    let mut body = format!(
        "<h1>{title}</h1><p class=\"meta\">{name} {id}, version {version}, created {created}, changed {changed} by {by}</p>\
         <p><a class=\"button\" href=\"{path}/edit\">Edit</a></p><table class=\"record\"><tbody>",
        title = escape(&record.title(record_type)),
        name = record_type.name,
        id = record.id,
        version = record.version,
        created = moment(record.created_at),
        changed = moment(record.updated_at),
        by = escape(&record.updated_by),
    );
    for (position, property) in record_type.properties.iter().enumerate() {
        let value = cell(&store, record_type, &record, position);
        let _ = write!(
            body,
            "<tr><th title=\"{}\">{}</th><td>{value}</td></tr>",
            property.name,
            label(property)
        );
    }
    body.push_str("</tbody></table>");
    body.push_str(&parts(&store, type_index, record.id));
    let _ = write!(
        body,
        "<form method=\"post\" action=\"{path}/delete\"><input type=\"hidden\" name=\"{VERSION}\" \
         value=\"{}\">{} <button class=\"danger\">Delete</button></form>",
        record.version,
        user_choice(&erp, "")
    );
    Ok(page(&erp, &record.title(record_type), &body))
}

/// An empty form; the query may fill in properties, as the link from an order to a new line does.
async fn new(
    State(erp): Shared,
    Path(collection): Path<String>,
    Query(given): Query<Vec<(String, String)>>,
) -> Answer {
    let (_, record_type) = type_of(&erp, &collection)?;
    let body = edit_form(&erp, record_type, None, &given, None);
    Ok(page(&erp, &format!("New {}", record_type.name), &body))
}

async fn edit(State(erp): Shared, Path((collection, id)): Path<(String, String)>) -> Answer {
    let (type_index, record_type) = type_of(&erp, &collection)?;
    let record = find(&erp.read(), type_index, &id)?;
    let body = edit_form(&erp, record_type, Some(&record), &[], None);
    Ok(page(&erp, &record.title(record_type), &body))
}

async fn create(
    State(erp): Shared,
    Path(collection): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    let arrival = Arrival::now();
    let (type_index, record_type) = type_of(&erp, &collection)?;
    let user = user(&erp, &fields)?;
    let body = form::body(record_type, None, &fields);
    let mut store = erp.write();
    arrival.in_time()?;
    let made = write::create(&mut store, type_index, &body, &erp.currency, &user);
    drop(store);
    match made {
        Ok(record) => Ok(Redirect::to(&format!("/{}/{}", record_type.collection, record.id)).into_response()),
        Err(refusal) => Ok(again(&erp, record_type, None, &fields, &refusal)),
    }
}

async fn update(
    State(erp): Shared,
    Path((collection, id)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    let arrival = Arrival::now();
    let (type_index, record_type) = type_of(&erp, &collection)?;
    let user = user(&erp, &fields)?;
    let mut store = erp.write();
    arrival.in_time()?;
    let record = find(&store, type_index, &id)?;
    let body = form::body(record_type, Some(&record), &fields);
    let made = write::update(
        &mut store,
        type_index,
        record.id,
        &expected(&fields),
        &body,
        &user,
    );
    drop(store);
    match made {
        Ok(record) => Ok(Redirect::to(&format!("/{}/{}", record_type.collection, record.id)).into_response()),
        Err(refusal) => Ok(again(&erp, record_type, Some(&record), &fields, &refusal)),
    }
}

async fn delete(
    State(erp): Shared,
    Path((collection, id)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    let arrival = Arrival::now();
    let (type_index, record_type) = type_of(&erp, &collection)?;
    let user = user(&erp, &fields)?;
    let mut store = erp.write();
    arrival.in_time()?;
    let record = find(&store, type_index, &id)?;
    write::delete(&mut store, type_index, record.id, &expected(&fields), &user)?;
    Ok(Redirect::to(&format!("/{}", record_type.collection)).into_response())
}

fn again(
    erp: &Erp,
    record_type: &RecordType,
    record: Option<&Record>,
    fields: &[(String, String)],
    refusal: &Refusal,
) -> Response {
    let body = edit_form(erp, record_type, record, fields, Some(refusal));
    let mut response = page(erp, &record_type.name, &body);
    *response.status_mut() = refusal.status;
    response
}

fn user(erp: &Erp, fields: &[(String, String)]) -> Result<String, Refusal> {
    let given = fields
        .iter()
        .find(|(name, _)| name == USER)
        .map_or("", |(_, user)| user.as_str());
    let known = erp.users.iter().find(|user| user.name == given);
    known
        .map(|user| user.name.clone())
        .ok_or_else(|| Refusal::bad_request("Choose one of the users."))
}

fn expected(fields: &[(String, String)]) -> Expected {
    let version = fields.iter().find(|(name, _)| name == VERSION);
    version.map_or(Expected::Missing, |(_, version)| {
        Expected::Tags(vec![format!("\"{version}\"")])
    })
}

fn type_of<'a>(erp: &'a Erp, collection: &str) -> Result<(TypeIndex, &'a RecordType), Refusal> {
    let type_index = crate::customerp::api::type_of(erp, collection)?;
    Ok((type_index, &erp.catalog.types[type_index]))
}

fn find(store: &Store, type_index: TypeIndex, id: &str) -> Result<Arc<Record>, Refusal> {
    let number = id
        .parse()
        .map_err(|_| Refusal::not_found("There is no such record."))?;
    write::existing(store, type_index, number)
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(refusal) = self;
        let status = if refusal.status.is_client_error() {
            refusal.status
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let message = escape(&refusal.message);
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Customerp</title><link rel=\"stylesheet\" \
             href=\"/style.css\"></head><body><nav><a href=\"/\"><b>Customerp</b></a></nav><main><p class=\"problem\">{message}</p>\
             </main></body></html>"
        );
        (status, Html(html)).into_response()
    }
}
