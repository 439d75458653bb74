//! The HTTP API: one list of routes, from which both the server and its description are made.

mod asked;
mod routes;
mod schema;

pub(crate) use asked::{Asked, Named, holds_nul};
pub(crate) use routes::{key, routes, unknown};
pub(crate) use schema::openapi;

use crate::desk::Desk;
use crate::problem::Problem;
use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::sync::Arc;

/// Where it begins.
pub(crate) const ROOT: &str = "/api/v1";

/// Whether an address is one that programs ask at, whatever is there.
pub(crate) fn has(uri: &Uri) -> bool {
    uri.path() == "/api" || uri.path().starts_with("/api/")
}

/// The largest number that a program can name: a larger one is not the same number everywhere that JSON is read.
pub(crate) const LARGEST: u64 = (1 << 53) - 1;

/// One thing that programs can ask for.
pub(crate) struct Route {
    method: Method,
    /// Behind [`ROOT`], with `{names}` in it.
    path: &'static str,
    summary: &'static str,
    /// Names of what may stand behind the question mark.
    query: &'static [&'static str],
    /// What is sent along.
    body: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// It may be left out.
    optional: bool,
    /// What is answered; none for a stream of events.
    answer: Option<fn(&mut SchemaGenerator) -> Schema>,
    handler: MethodRouter<Arc<Desk>>,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The routes as a server knows them.
pub(crate) fn router() -> Router<Arc<Desk>> {
    let described = openapi(&routes());
    let mut router = Router::new();
    for route in routes() {
        router = router.route(&format!("{ROOT}{}", route.path), route.handler);
    }
    let described = serde_json::to_string_pretty(&described).unwrap_or_default();
    let router = router.route(
        &format!("{ROOT}/openapi.json"),
        axum::routing::get(move || async move { ([("content-type", "application/json")], described) }),
    );
    router.method_not_allowed_fallback(|| async { Problem::other_method() })
}
