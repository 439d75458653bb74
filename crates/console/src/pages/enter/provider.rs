//! In by way of a provider: out to it, and back.

use super::{Desked, come_in, door};
use crate::access::{Attempt, LASTS};
use crate::desk::Desk;
use crate::names::host;
use crate::provider::{Brought, Provider, Refusal};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

/// Where the way out begins, and where it comes back.
pub(in crate::pages) const BEGIN: &str = "/enter/provider";
/// Where a browser comes back from the provider.
pub(in crate::pages) const BACK: &str = "/enter/return";

/// What is said with an address that leads to itself by the name that the provider knows.
#[derive(Deserialize)]
pub(in crate::pages) struct Led {
    here: Option<String>,
}

/// What is said where no provider is configured.
fn nobody(desk: &Desk) -> Response {
    let said = door(desk, "Nobody signs in this way here.", "");
    (StatusCode::NOT_FOUND, said).into_response()
}

/// Leads to the provider.
pub(in crate::pages) async fn begin(
    State(desk): Desked,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Query(led): Query<Led>,
) -> Response {
    let now = Desk::moment();
    let Some(provider) = &desk.access.provider else {
        return nobody(&desk);
    };
    if method == Method::HEAD {
        return StatusCode::NO_CONTENT.into_response();
    }
    if desk.access.by_session(&headers, &desk.cookie, now).is_some() {
        return Redirect::to("/").into_response();
    }
    // The browser keeps what it begins for the name that the provider leads back to.
    let name = desk.reached.split_once("://").map_or("", |(_, name)| name);
    if led.here.is_none()
        && !host(&uri, &headers).is_some_and(|host| host.as_str().eq_ignore_ascii_case(name))
    {
        return Redirect::to(&format!("{}{BEGIN}?here=1", desk.reached)).into_response();
    }
    let Some(attempt) = desk.access.begin(now) else {
        return refused(
            &desk,
            provider,
            None,
            &Refusal::away("this machine gives no random numbers"),
        );
    };
    match provider.begin(&attempt, &back(&desk)).await {
        Ok(address) => {
            let keep = kept(&desk, &attempt.cookie, LASTS.as_secs());
            ([(header::SET_COOKIE, keep)], Redirect::to(address.as_str())).into_response()
        }
        Err(refusal) => refused(&desk, provider, None, &refusal),
    }
}

/// Takes in whoever comes back from the provider.
pub(in crate::pages) async fn take_in(
    State(desk): Desked,
    method: Method,
    headers: HeaderMap,
    brought: Result<Query<Brought>, QueryRejection>,
) -> Response {
    let now = Desk::moment();
    let Some(provider) = &desk.access.provider else {
        return nobody(&desk);
    };
    // Whoever only looks ahead does not use anything up.
    if method == Method::HEAD {
        return StatusCode::NO_CONTENT.into_response();
    }
    let brought = brought.ok().map(|Query(brought)| brought);
    let state = brought.as_ref().and_then(|brought| brought.state.as_deref());
    let attempt = state.and_then(|state| desk.access.come_back(&headers, &started(&desk), state, now));
    let (Some(brought), Some(attempt)) = (&brought, &attempt) else {
        return match desk.access.by_session(&headers, &desk.cookie, now).is_some() {
            // Whoever comes back twice is in already.
            true => Redirect::to("/").into_response(),
            false => refused(&desk, provider, None, &Refusal::not_begun()),
        };
    };
    if !desk.access.turn(now) {
        return refused(&desk, provider, None, &Refusal::too_many());
    }
    let guest = match provider.finish(brought, attempt, &back(&desk), now).await {
        Ok(guest) => guest,
        Err(refusal) => return refused(&desk, provider, Some(attempt), &refusal),
    };
    match desk.access.by_provider(&guest, now) {
        Some((person, session)) => {
            tracing::info!(
                target: "tandem::audit", who = person.name, subject = guest.subject, issuer = provider.settings.issuer,
                "{} is vouched for by the provider", person.name
            );
            let mut response = come_in(&desk, &person, &session, desk.secure());
            drop_attempt(&desk, &mut response);
            response
        }
        None => refused(&desk, provider, Some(attempt), &Refusal::no_role(&guest.name)),
    }
}

/// Where the provider leads back to.
fn back(desk: &Desk) -> String {
    format!("{}{BACK}", desk.reached)
}

/// The name of the cookie that keeps what was begun.
fn started(desk: &Desk) -> String {
    format!("{}_begun", desk.cookie)
}

/// A cookie that keeps what was begun; it comes back from the provider's page, and to nowhere else here.
fn kept(desk: &Desk, value: &str, lasts: i64) -> String {
    format!(
        "{}={value}; Path=/enter; HttpOnly; SameSite=Lax; Max-Age={lasts}{}",
        started(desk),
        desk.secure()
    )
}

fn drop_attempt(desk: &Desk, response: &mut Response) {
    if let Ok(gone) = kept(desk, "", 0).parse() {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
}

/// The way in again, with why nobody came in.
fn refused(desk: &Desk, provider: &Provider, attempt: Option<&Attempt>, refusal: &Refusal) -> Response {
    tracing::warn!(
        target: "tandem::audit", issuer = provider.settings.issuer, "a sign-in by the provider came to nothing: {}",
        refusal.what
    );
    let mut response = (refusal.status, door(desk, &refusal.what, refusal.advice)).into_response();
    if attempt.is_some() {
        drop_attempt(desk, &mut response);
    }
    response
}
