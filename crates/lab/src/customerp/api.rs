//! The REST API, version 1.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, OriginalUri, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::gate::{Arrival, Caller, DEADLINE, Rows};
use super::idempotency::{KeyScope, Known, Reply, fingerprint};
use super::problem::Refusal;
use super::record::{Record, Shown};
use super::schema::{RecordType, TypeIndex};
use super::server::Erp;
use super::write::{self, Expected};
use super::{listing, openapi};

/// Base path of the API.
pub(crate) const BASE: &str = "/api/v1";
/// Longest idempotency key, in characters.
const KEY_MAX: usize = 200;

type Shared = State<Arc<Erp>>;
type Answer = Result<Response, Refusal>;

/// The routes below [`BASE`].
pub(crate) fn routes() -> Router<Arc<Erp>> {
    Router::new()
        .route("/", get(describe))
        .route("/openapi.json", get(openapi_document))
        .route("/{collection}", get(listing::list).post(create))
        .route("/{collection}/lookup", post(listing::lookup))
        .route("/{collection}/{id}", get(read).patch(update).delete(delete))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::extract::DefaultBodyLimit::disable())
}

async fn unknown_path(OriginalUri(uri): OriginalUri) -> Refusal {
    Refusal::not_found(format!("There is nothing at {}.", uri.path()))
}

async fn wrong_method(method: Method, OriginalUri(uri): OriginalUri) -> Refusal {
    let message = format!("{method} does nothing at {}.", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

async fn describe(State(erp): Shared, Extension(Caller(user)): Extension<Caller>) -> Json<Value> {
    Json(json!({
        "name": "Customerp",
        "company": erp.company,
        "apiVersion": "v1",
        "requestDeadlineSeconds": DEADLINE.as_secs(),
        "user": user,
        "types": openapi::types(&erp.catalog, &erp.currency),
    }))
}

async fn openapi_document(State(erp): Shared) -> Json<Value> {
    Json(openapi::document(&erp.catalog, &erp.currency))
}

async fn read(State(erp): Shared, Path((collection, id)): Path<(String, String)>) -> Answer {
    let type_index = type_of(&erp, &collection)?;
    let id = record_id(&erp, type_index, &id)?;
    let record = write::existing(&erp.read(), type_index, id)?;
    Ok(reply(StatusCode::OK, &erp.catalog.types[type_index], &record))
}

async fn create(
    State(erp): Shared,
    Path(collection): Path<String>,
    Extension(arrival): Extension<Arrival>,
    Extension(Caller(user)): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let type_index = type_of(&erp, &collection)?;
    let body = object(&body)?;
    let scope = idempotency_key(&headers)?.map(|key| KeyScope {
        user: user.clone(),
        collection,
        key,
    });
    let record_type = &erp.catalog.types[type_index];
    let mut store = erp.write();
    arrival.in_time()?;
    let fingerprint = fingerprint(&body);
    if let Some(scope) = &scope {
        let now = erp.clock.now();
        match store.replies.look_up(scope, &fingerprint, now) {
            Known::No => {}
            Known::Same(first) => return Ok(created(first, true)),
            Known::Mismatch => return Err(mismatch()),
        }
    }
    let record = write::create(&mut store, type_index, &body, &erp.currency, &user)?;
    let first = Reply {
        body: json_text(record_type, &record),
        etag: record.etag(),
        location: format!("{BASE}/{}/{}", record_type.collection, record.id),
    };
    if let Some(scope) = scope {
        store
            .replies
            .keep(scope, fingerprint, first.clone(), record.created_at);
    }
    Ok(created(first, false))
}

async fn update(
    State(erp): Shared,
    Path((collection, id)): Path<(String, String)>,
    Extension(arrival): Extension<Arrival>,
    Extension(Caller(user)): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let type_index = type_of(&erp, &collection)?;
    let id = record_id(&erp, type_index, &id)?;
    let body = object(&body)?;
    let mut store = erp.write();
    arrival.in_time()?;
    let record = write::update(&mut store, type_index, id, &expected(&headers), &body, &user)?;
    drop(store);
    Ok(reply(StatusCode::OK, &erp.catalog.types[type_index], &record))
}

async fn delete(
    State(erp): Shared,
    Path((collection, id)): Path<(String, String)>,
    Extension(arrival): Extension<Arrival>,
    Extension(Caller(user)): Extension<Caller>,
    headers: HeaderMap,
) -> Answer {
    let type_index = type_of(&erp, &collection)?;
    let id = record_id(&erp, type_index, &id)?;
    let mut store = erp.write();
    arrival.in_time()?;
    write::delete(&mut store, type_index, id, &expected(&headers), &user)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The type whose records the collection holds.
pub(crate) fn type_of(erp: &Erp, collection: &str) -> Result<TypeIndex, Refusal> {
    let unknown = || Refusal::not_found(format!("There is no collection `{collection}`."));
    erp.catalog.type_of_collection(collection).ok_or_else(unknown)
}

/// The body as a JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let malformed = |why: String| Refusal::new(StatusCode::BAD_REQUEST, "malformed", why);
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(malformed("The body must be a JSON object.".into())),
        Err(error) => Err(malformed(format!("The body is not JSON: {error}."))),
    }
}

fn record_id(erp: &Erp, type_index: TypeIndex, text: &str) -> Result<u64, Refusal> {
    let id = text.parse::<u64>().ok().filter(|id| id.to_string() == text);
    let name = &erp.catalog.types[type_index].name;
    id.ok_or_else(|| Refusal::not_found(format!("There is no {name} `{text}`.")))
}

fn expected(headers: &HeaderMap) -> Expected {
    let mut tags = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        // A tag that is not text matches nothing.
        let value = value.to_str().unwrap_or_default().trim();
        if value == "*" {
            return Expected::Any;
        }
        tags.extend(value.split(',').map(|tag| tag.trim().to_owned()));
    }
    if tags.is_empty() {
        Expected::Missing
    } else {
        Expected::Tags(tags)
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.chars().count() <= KEY_MAX);
    let unfit = || {
        Refusal::bad_request(format!(
            "Idempotency-Key must have 1 to {KEY_MAX} visible ASCII characters."
        ))
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(unfit)
}

fn mismatch() -> Refusal {
    let message = "This Idempotency-Key came with another body before; use a new key for a new record.";
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch", message)
}

fn json_text(record_type: &RecordType, record: &Record) -> String {
    // Strings, booleans and numbers under string keys: nothing that JSON could not hold.
    serde_json::to_string(&Shown { record_type, record }).unwrap_or_default()
}

fn reply(status: StatusCode, record_type: &RecordType, record: &Record) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::ETAG, record.etag()),
    ];
    let mut response = (status, headers, json_text(record_type, record)).into_response();
    response.extensions_mut().insert(Rows(1));
    response
}

fn created(reply: Reply, again: bool) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::ETAG, reply.etag),
        (header::LOCATION, reply.location),
    ];
    let replay = again.then_some([("idempotent-replay", "true")]);
    let mut response = match replay {
        Some(replay) => (StatusCode::CREATED, headers, replay, reply.body).into_response(),
        None => (StatusCode::CREATED, headers, reply.body).into_response(),
    };
    response.extensions_mut().insert(Rows(1));
    response
}
