//! What tests see and move: counts, clock, changes by somebody else, lies. No sign-in: loopback only, like everything here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Plain, json};

use super::exchange::Answer;
use super::lies::{Lie, Lies};
use super::model::{Service, SetIndex, Version};
use super::refusal::Refusal;
use super::server::Erp;
use super::service::Talk;
use super::store::Key;
use super::subscriptions;
use super::value::{Form, Value, moment};
use super::write;

/// In whose name somebody else's changes are made, where none is given.
const SOMEBODY: &str = "somebody";
/// Values are given and shown in the form of v4.
const FORM: Form = Form {
    version: Version::V4,
    numbers_as_text: false,
};

type Outcome = Result<Json<Plain>, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Answer::refused(&self, Version::V4).into_response()
    }
}

/// The routes below `/_local`.
pub(crate) fn routes() -> Router<Arc<Erp>> {
    Router::new()
        .route("/_local/calls", get(calls))
        .route("/_local/clock", post(advance).get(clock))
        .route("/_local/log", get(log))
        .route("/_local/lies", get(lies).post(lie))
        .route("/_local/edit", post(edit))
        .route("/_local/expire", post(expire))
}

async fn calls(State(erp): State<Arc<Erp>>) -> Json<Plain> {
    Json(serde_json::to_value(erp.calls.report()).unwrap_or_default())
}

async fn clock(State(erp): State<Arc<Erp>>) -> Json<Plain> {
    Json(json!({ "now": moment(erp.clock.now()) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Advance {
    advance_seconds: u32,
}

async fn advance(State(erp): State<Arc<Erp>>, body: Bytes) -> Outcome {
    let Advance { advance_seconds } = sent(&body)?;
    // Under the lock, so that no write is stamped in between.
    let _state = erp.state();
    erp.clock.advance(advance_seconds);
    Ok(Json(json!({ "now": moment(erp.clock.now()) })))
}

#[derive(Default, Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn log(State(erp): State<Arc<Erp>>, Query(query): Query<After>) -> Json<Plain> {
    let state = erp.state();
    let changes = state.store.log_after(query.after);
    let next = changes.last().map_or(query.after, |change| change.change);
    Json(json!({ "changes": changes, "next": next }))
}

async fn lies(State(erp): State<Arc<Erp>>) -> Json<Plain> {
    Json(json!({ "lies": erp.state().lies, "all": Lie::ALL }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Telling {
    lies: Lies,
    lateness_ms: Option<u32>,
}

/// From now on exactly these lies are told.
async fn lie(State(erp): State<Arc<Erp>>, body: Bytes) -> Outcome {
    let telling: Telling = sent(&body)?;
    let mut state = erp.state();
    state.lies = telling.lies;
    if let Some(lateness) = telling.lateness_ms {
        state.lateness = i64::from(lateness);
    }
    Ok(Json(json!({ "lies": state.lies })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expiry {
    /// `delta` or `csrf`.
    what: String,
}

/// Ends delta tokens or CSRF sessions that were given before.
async fn expire(State(erp): State<Arc<Erp>>, body: Bytes) -> Outcome {
    let Expiry { what } = sent(&body)?;
    match what.as_str() {
        "delta" => {
            let mut state = erp.state();
            state.oldest_token = state.store.changes() + 1;
        }
        "csrf" => erp.sessions.end(),
        _ => {
            return Err(Refusal::bad(
                "Send {\"what\": \"delta\"} or {\"what\": \"csrf\"}.",
            ));
        }
    }
    Ok(Json(json!({ "expired": what })))
}

/// What somebody else does, past sign-in, conditions and refusals.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    set: String,
    /// Nothing: a new entity.
    #[serde(default)]
    key: Option<Map<String, Plain>>,
    #[serde(default)]
    values: Map<String, Plain>,
    #[serde(default)]
    delete: bool,
    #[serde(default)]
    by: Option<String>,
}

async fn edit(State(erp): State<Arc<Erp>>, body: Bytes) -> Outcome {
    let edit: Edit = sent(&body)?;
    let unknown = || Refusal::not_found(format!("There is no entity set {}.", edit.set));
    let set = erp.model.set_named(&edit.set).ok_or_else(unknown)?;
    // Values are read as v4 writes them, whatever versions are served.
    let service = Service {
        version: Version::V4,
        root: String::new(),
        namespace: String::new(),
        sets: (0..erp.model.sets.len()).collect(),
    };
    let by = edit.by.clone().unwrap_or_else(|| SOMEBODY.to_owned());
    let talk = erp.talk(&service, String::new(), by);
    let key = carry_out(&erp, &talk, set, edit)?;
    subscriptions::tell(&erp);
    let key: Vec<String> = key.iter().map(Value::plain).collect();
    Ok(Json(json!({ "key": key })))
}

fn carry_out(erp: &Erp, talk: &Talk<'_>, set: SetIndex, edit: Edit) -> Result<Key, Refusal> {
    let mut state = erp.state();
    let definition = talk.set(set);
    let Some(given) = edit.key else {
        let (key, _) = write::insert(talk, &mut state, set, &[], &edit.values, FORM)?;
        return Ok(key);
    };
    let mut key = Key::new();
    for property in &definition.key {
        let property = &definition.properties[*property];
        let value = given.get(&property.name).unwrap_or(&Plain::Null);
        let value = Value::read(property, value, FORM);
        key.push(value.map_err(|wanted| Refusal::bad(format!("{} must be {wanted}.", property.name)))?);
    }
    let entity = state.store.live(set, &key).cloned();
    let entity = entity.ok_or_else(|| Refusal::not_found("There is no entity with this key."))?;
    if edit.delete {
        write::discard(talk, &mut state, set, &key, &entity);
        return Ok(key);
    }
    let mut values = entity.values.clone();
    for (name, json) in &edit.values {
        let position = definition.property(name);
        let position = position.ok_or_else(|| Refusal::bad(format!("There is no property {name}.")))?;
        let value = Value::read(&definition.properties[position], json, FORM);
        values[position] = value.map_err(|wanted| Refusal::bad(format!("{name} must be {wanted}.")))?;
    }
    write::store(talk, &mut state, set, &key, values, Some(&entity));
    Ok(key)
}

fn sent<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("The body: {error}.")))
}
