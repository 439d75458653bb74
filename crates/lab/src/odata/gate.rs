//! What every request passes first: from where it comes, who asks, with which token.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::exchange::{Answer, Call};
use super::model::{Service, Version};
use super::options::User;
use super::refusal::Refusal;
use super::server::Erp;
use super::subscriptions;

/// The largest body, in bytes.
const BODY_MAX: usize = 16 * 1024 * 1024;

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}

/// Answers a request to one of the services.
pub(crate) async fn serve(State(erp): State<Arc<Erp>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let Some((service, rest)) = erp.service_at(&path) else {
        let refusal = Refusal::not_found(format!("No service is at {path}."));
        return Answer::refused(&refusal, Version::V4).into_response();
    };
    let rest = rest.to_owned();
    let (head, body) = request.into_parts();
    let outcome = admit(&erp, service, &head.method, &head.headers);
    let (user, ticket) = match outcome {
        Ok(admitted) => admitted,
        Err(refusal) => {
            erp.calls.count("refused", None, 0, refusal.status.as_u16());
            return Answer::refused(&refusal, service.version).into_response();
        }
    };
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        let message = format!("The body could not be read or is larger than {BODY_MAX} bytes.");
        let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", message);
        return Answer::refused(&refusal, service.version).into_response();
    };
    let host = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let call = Call {
        method: head.method,
        path: rest,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body: body.to_vec(),
    };
    if let Some(answer) = subscriptions::answer(&erp, &call).await {
        return answer.into_response();
    }
    let root = format!("http://{host}{}", service.root);
    let mut answer = erp.answer(service, root, user, &call);
    if let Some(ticket) = ticket {
        answer = answer.with("x-csrf-token", &ticket.token);
        if let Some(cookie) = ticket.cookie {
            answer = answer.with("set-cookie", &cookie);
        }
    }
    subscriptions::tell(&erp);
    let kind = kind(&call);
    erp.calls
        .count(kind, set_of(&erp, service, &call), 0, answer.status.as_u16());
    if call.method == Method::HEAD {
        answer.body.clear();
    }
    answer.into_response()
}

/// What a request is, for the counts.
fn kind(call: &Call) -> &'static str {
    let last = call.path.rsplit('/').next().unwrap_or_default();
    match (call.method.as_str(), last) {
        (_, "$batch") => "batch",
        (_, "$metadata") => "metadata",
        ("GET" | "HEAD", "$count") => "count",
        ("GET" | "HEAD", _) if call.query.contains("deltatoken=") => "delta",
        ("GET" | "HEAD", "") => "document",
        ("GET" | "HEAD", _) if last.ends_with(')') => "read",
        ("GET" | "HEAD", _) => "list",
        ("POST", _) if call.header("x-http-method").is_empty() => "create",
        ("DELETE", _) => "delete",
        ("PATCH" | "PUT" | "MERGE" | "POST", _) => "update",
        _ => "other",
    }
}

/// The set that is counted: the one that the path begins with.
fn set_of(erp: &Erp, service: &Service, call: &Call) -> Option<String> {
    let first = call.path.trim_start_matches('/').split(['/', '(']).next()?;
    let mut sets = service.sets.iter().map(|set| &erp.model.sets[*set].name);
    sets.find(|name| *name == first).cloned()
}

type Admitted = (String, Option<super::csrf::Ticket>);

fn admit(erp: &Erp, service: &Service, method: &Method, headers: &HeaderMap) -> Result<Admitted, Refusal> {
    let user = caller(&erp.users, headers).ok_or_else(|| {
        let refusal = Refusal::new(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "Sign in with Basic or a bearer token.",
        );
        refusal.with("www-authenticate", "Basic realm=\"OData\"")
    })?;
    let guarded = erp.csrf.unwrap_or(service.version == Version::V2);
    let ticket = if guarded {
        erp.sessions.pass(method, headers)?
    } else {
        None
    };
    Ok((user, ticket))
}

/// The user that signs in by this header.
fn caller(users: &[User], headers: &HeaderMap) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = header.split_once(' ')?;
    let user = if scheme.eq_ignore_ascii_case("bearer") {
        users.iter().find(|user| user.token == rest.trim())?
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        users
            .iter()
            .find(|user| user.name == name && user.password == password)?
    } else {
        return None;
    };
    Some(user.name.clone())
}

/// What a client sends for a token.
#[derive(Deserialize)]
pub(crate) struct Grant {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
}

/// A bearer token for a client id and its secret.
pub(crate) async fn token(State(erp): State<Arc<Erp>>, Form(grant): Form<Grant>) -> Response {
    let refused = |code: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response();
    if grant.grant_type != "client_credentials" {
        return refused("unsupported_grant_type");
    }
    let mut users = erp.users.iter();
    match users.find(|user| user.name == grant.client_id && user.password == grant.client_secret) {
        Some(user) => {
            let body = json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": user.token });
            Json(body).into_response()
        }
        None => refused("invalid_client"),
    }
}

/// Refuses what a page of another site could make a browser send here.
pub(crate) async fn this_machine(request: Request<Body>, next: Next) -> Response {
    let headers = request.headers();
    let foreign = headers.contains_key(header::ORIGIN) && !own_origin(headers);
    if crate::host::is_for_this_machine(headers, request.uri()) && !foreign {
        return next.run(request).await;
    }
    let message = "This service serves this machine only: call it localhost, 127.0.0.1 or [::1].";
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message);
    Answer::refused(&refusal, Version::V4).into_response()
}

fn own_origin(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (origin, host) = (text(header::ORIGIN), text(header::HOST));
    origin.is_some() && origin == host.map(|host| format!("http://{host}"))
}
