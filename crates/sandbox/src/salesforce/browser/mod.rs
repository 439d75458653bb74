//! The record browser.

use axum::body::Body;
use axum::http::Response;

use super::api::Call;
use super::org::Org;

/// Answers a page.
pub(crate) fn answer(_org: &mut Org, _call: &Call) -> Response<Body> {
    Response::new(Body::from("soon"))
}
