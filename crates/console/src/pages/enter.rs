//! The way in, and out.

pub(super) mod provider;

use super::layout::Sheet;
use super::parts::told;
use super::{Desked, page};
use crate::access::Person;
use crate::desk::Desk;
use crate::names::from_ourselves;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Link {
    key: Option<String>,
    left: Option<String>,
}

/// Signs in by a link, or shows how to come in.
pub(super) async fn show(
    State(desk): Desked,
    method: Method,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Response {
    let now = Desk::moment();
    let known = desk.access.by_session(&headers, &desk.cookie, now).is_some();
    match link.key {
        // Whoever opens a link twice is in already.
        _ if known => Redirect::to("/").into_response(),
        None if link.left.is_some() => (StatusCode::UNAUTHORIZED, left(&desk)).into_response(),
        None => (StatusCode::UNAUTHORIZED, door(&desk, "", "")).into_response(),
        // Whoever only looks ahead does not use the link up.
        Some(_) if method == Method::HEAD => StatusCode::NO_CONTENT.into_response(),
        Some(key) => match desk.access.by_link(&key, now) {
            Some((person, session)) => come_in(&desk, &person, &session, ""),
            None => {
                let why = "This link was used already, or is older than an hour.";
                (StatusCode::UNAUTHORIZED, door(&desk, why, "")).into_response()
            }
        },
    }
}

#[derive(Deserialize)]
pub(super) struct Given {
    token: String,
}

/// Signs in by a token.
pub(super) async fn by_token(
    State(desk): Desked,
    uri: Uri,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    let found = match from_ourselves(&uri, &headers) {
        true => desk.access.by_token(given.token.trim(), Desk::moment()),
        false => None,
    };
    match found {
        Some((person, session)) => come_in(&desk, &person, &session, ""),
        None => {
            let why =
                "This token is nobody's, or too many wrong ones were given: wait a minute, then try again.";
            (StatusCode::UNAUTHORIZED, door(&desk, why, "")).into_response()
        }
    }
}

fn come_in(desk: &Desk, person: &Person, session: &str, secure: &str) -> Response {
    tracing::info!(target: "tandem::audit", who = person.name, role = ?person.role, "{} signed in", person.name);
    let cookie = format!(
        "{}={session}; Path=/; HttpOnly; SameSite=Lax{secure}",
        desk.cookie
    );
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

/// Signs out.
pub(super) async fn leave(State(desk): Desked, headers: HeaderMap) -> Response {
    desk.access.end(&headers, &desk.cookie, Desk::moment());
    let cookie = format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0", desk.cookie);
    let door = match desk.access.provider {
        Some(_) => "/enter?left=1",
        None => "/enter",
    };
    ([(header::SET_COOKIE, cookie)], Redirect::to(door)).into_response()
}

/// The way in for whoever just went out: the provider may still know them.
fn left(desk: &Desk) -> Html<String> {
    let Some(provider) = &desk.access.provider else {
        return door(desk, "", "");
    };
    let called = &provider.settings.called;
    let body = html! {
        section.card.narrow {
            h1 { "Signed out" }
            p { "You are signed out of Tandem. " (called) " may still know you: then whoever sits here next comes in as you without a word." }
            @if let Some(out) = provider.way_out() {
                p { a.button href=(out) rel="noreferrer" { "Sign out of " (called) ", too" } }
            }
            p { a href="/enter" { "Come in again" } }
        }
    };
    page(Sheet::outside("Signed out").with(&body))
}

fn door(desk: &Desk, why: &str, advice: &str) -> Html<String> {
    let provider = desk.access.provider.as_ref();
    let body = html! {
        section.card.narrow {
            h1 { "Come in" }
            @if !why.is_empty() {
                p.state.bad role="alert" { (why) }
                @if !advice.is_empty() { p.advice { (told(advice)) } }
            }
            @if let Some(provider) = provider {
                p { a.button.strong href=(provider::BEGIN) { "Sign in with " (provider.settings.called) } }
            }
            p { "On the machine that Tandem runs on, " code { "tandem console" } " prints a link that signs you in once." }
            p { "Or sign in with a token that the configuration names under " code { "console:" } "." }
            form method="post" action="/enter" {
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="current-password";
                button.strong[provider.is_none()] type="submit" { "Sign in" }
            }
        }
    };
    page(Sheet::outside("Come in").with(&body))
}
