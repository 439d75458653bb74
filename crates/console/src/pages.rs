//! Pages for people: made here as a whole, readable without scripts; a little script keeps them fresh.

mod changes;
mod chart;
mod configuration;
mod enter;
mod flow;
mod inbox;
mod layout;
mod overview;
mod parts;
mod past;
mod plan;
mod qa;
mod record;
mod reference;
mod runs;
mod search;
mod stood;
mod systems;

use crate::access::Person;
use crate::desk::Desk;
use crate::http_api;
use crate::problem::Problem;
use crate::signs::is_harmful;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use layout::Sheet;
use maud::{Markup, html};
use std::sync::Arc;

type Desked = State<Arc<Desk>>;
type Shown = Result<Html<String>, Missing>;

/// Rows of a page.
const ROWS: usize = 50;

/// Pages for those who signed in.
pub(crate) fn router() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(overview::show))
        .route("/flows/{flow}", get(flow::show))
        .route("/flows/{flow}/{act}", post(flow::act))
        .route("/records/{system}/{type}/{id}", get(record::show))
        .route("/search", get(search::show))
        .route("/inbox", get(inbox::show).post(inbox::act))
        .route("/changes", get(changes::show))
        .route("/runs", get(runs::show))
        .route("/runs/{run}", get(runs::one))
        .route("/runs/{run}/undo", post(runs::undo))
        .route("/plan", get(plan::show).post(plan::make))
        .route("/systems", get(systems::show))
        .route("/systems/{system}/approve", post(systems::approve))
        .route("/configuration", get(configuration::show))
        .route("/qa", get(qa::show))
        .route("/reference", get(reference::show))
        .route("/leave", post(enter::leave))
        .fallback(nowhere)
}

/// What everybody may have: the way in, and what pages look like.
pub(crate) fn open() -> Router<Arc<Desk>> {
    Router::new()
        .route("/enter", get(enter::show).post(enter::by_token))
        .route(enter::provider::BEGIN, get(enter::provider::begin))
        .route(enter::provider::BACK, get(enter::provider::take_in))
        .route("/assets/console.css", get(style))
        .route("/assets/console.js", get(script))
        .route("/assets/icon.svg", get(icon))
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("assets/console.css"))
}

async fn script() -> Response {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("assets/console.js"),
    )
}

async fn icon() -> Response {
    asset("image/svg+xml", include_str!("assets/icon.svg"))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, text).into_response()
}

async fn nowhere(State(desk): Desked, person: Person, uri: Uri) -> Response {
    if http_api::has(&uri) {
        return Problem::not_found("there is nothing to ask for at this address").into_response();
    }
    let missing = Missing::new(
        &desk,
        &person,
        Problem::not_found("there is no page at this address"),
    );
    missing.into_response()
}

/// A page as text. Signs that would do more than stand where they are shown are shown as what they are: none of ours is
/// one of them.
fn page(markup: Markup) -> Html<String> {
    let text = markup.into_string();
    if !text.contains(|sign| sign != '\n' && is_harmful(sign)) {
        return Html(text);
    }
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            harmful if harmful != '\n' && is_harmful(harmful) => shown.extend(harmful.escape_default()),
            plain => shown.push(plain),
        }
    }
    Html(shown)
}

/// A page that says why there is none.
pub(crate) struct Missing {
    status: u16,
    page: Html<String>,
}

impl Missing {
    fn new(desk: &Desk, person: &Person, problem: Problem) -> Self {
        let body = html! {
            section.card.narrow {
                h1 { (problem.title) }
                p { (parts::told(&problem.detail)) }
                @if !problem.advice.is_empty() { p.advice { (parts::told(&problem.advice)) } }
                p { a href="/" { "To the overview" } }
            }
        };
        let sheet = Sheet::new(desk, person, problem.title, "");
        Self {
            status: problem.status,
            page: page(sheet.with(&body)),
        }
    }
}

impl IntoResponse for Missing {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, self.page).into_response()
    }
}

/// Turns a problem into a page that says so.
fn missing<'a>(desk: &'a Desk, person: &'a Person) -> impl Fn(Problem) -> Missing + 'a {
    move |problem| Missing::new(desk, person, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_systems_is_escaped() {
        let value = "<script>\u{202e}exe\u{1b}";
        let Html(page) = page(html! { td { (value) } "\n" });
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script>"),
            "{page}"
        );
        assert!(page.contains("\\u{202e}exe\\u{1b}"), "{page}");
        assert!(!page.contains(|sign| sign != '\n' && is_harmful(sign)), "{page}");
    }
}
