//! What every request passes first: who asks, from where, how much, and by when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::calls::classify;
use super::problem::Refusal;
use super::server::Erp;

/// A request that could not be carried out by then is not carried out at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// The largest body, in bytes.
pub(crate) const BODY_MAX: usize = 4 * 1024 * 1024;

/// When the request arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival(Instant);

impl Arrival {
    /// A request that arrives now.
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// To be asked when nothing can delay the request any more: with the store's lock in hand.
    ///
    /// # Errors
    /// The request has waited too long.
    pub(crate) fn in_time(self) -> Result<(), Refusal> {
        if self.0.elapsed() < DEADLINE {
            Ok(())
        } else {
            Err(Refusal::late())
        }
    }
}

/// The user whose token the request carries.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) String);

/// How many records a reply holds, for the counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows(pub(crate) usize);

/// Authenticates a request to the API, reads its body in time, and counts it.
pub(crate) async fn api(State(erp): State<Arc<Erp>>, request: Request, next: Next) -> Response {
    let arrival = Arrival::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    // Inside the nested router the path is relative to the API's base.
    let (kind, collection) = classify(&method, uri.path(), uri.query().unwrap_or_default());
    // Only collections that exist are counted apart, so that the counts stay small.
    let collection = collection.filter(|name| erp.catalog.type_of_collection(name).is_some());
    let mut response = match admit(&erp, request, arrival).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let rows = response
        .extensions()
        .get::<Rows>()
        .map_or(0, |rows| rows.0 as u64);
    let number = erp
        .calls
        .count(kind, collection, rows, response.status().as_u16());
    response
        .headers_mut()
        .insert("x-request-count", HeaderValue::from(number));
    response
}

async fn admit(erp: &Erp, request: Request, arrival: Arrival) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    let public = parts.method == Method::GET && parts.uri.path() == "/openapi.json";
    match caller(erp, &parts.headers) {
        Some(caller) => {
            parts.extensions.insert(caller);
        }
        None if public => {}
        None => return Err(Refusal::unauthorized()),
    }
    parts.extensions.insert(arrival);
    let read = tokio::time::timeout(DEADLINE, to_bytes(body, BODY_MAX)).await;
    let bytes = read.map_err(|_| Refusal::late())?.map_err(|_| too_large())?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn too_large() -> Refusal {
    let message = format!("The body could not be read or is larger than {BODY_MAX} bytes.");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

fn caller(erp: &Erp, headers: &HeaderMap) -> Option<Caller> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    let user = erp.users.iter().find(|user| user.token == token.trim())?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Caller(user.name.clone()))
}

/// Refuses what a page of another site could make a browser send here: a foreign host name, or a foreign form.
pub(crate) async fn this_machine(request: Request, next: Next) -> Response {
    let host = header_text(request.headers(), header::HOST.as_str());
    let origin = header_text(request.headers(), header::ORIGIN.as_str());
    let own_host = crate::host::is_for_this_machine(request.headers(), request.uri());
    let own_form = origin.is_empty() || origin == format!("http://{host}");
    if own_host && own_form {
        return next.run(request).await;
    }
    Refusal::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "This Customerp serves this machine only: call it localhost, 127.0.0.1 or [::1].",
    )
    .into_response()
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_that_waited_too_long_is_not_carried_out() {
        assert!(Arrival::now().in_time().is_ok());
        let long_ago = Arrival(Instant::now().checked_sub(DEADLINE).unwrap());
        let refusal = long_ago.in_time().unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code),
            (StatusCode::SERVICE_UNAVAILABLE, "deadline")
        );
    }
}
