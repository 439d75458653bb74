//! What happened, newest first.

use super::layout::Sheet;
use super::parts::{changes, encoded, more, nothing};
use super::{Desked, ROWS, Shown, missing, page};
use crate::access::Person;
use crate::desk::Desk;
use crate::http_api::Asked;
use axum::extract::State;
use maud::html;
use tandem_api::look::ChangesOf;

/// What may be shown alone: the kind, and what it is called.
const KINDS: [(&str, &str); 8] = [
    ("", "everything"),
    ("edited", "edits"),
    ("wrote", "writes"),
    ("conflict", "conflicts"),
    ("linked", "links"),
    ("created", "creates"),
    ("parked", "what was parked"),
    ("undone", "what was taken back"),
];

pub(super) async fn show(State(desk): Desked, person: Person, asked: Asked) -> Shown {
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (flow, event) = (some(&asked.flow), some(&asked.event));
    let of = ChangesOf {
        flow: flow.clone(),
        event: event.clone(),
        trace: asked.trace().ok().flatten(),
        ..ChangesOf::default()
    };
    let followed = of.trace;
    let cursor = asked.cursor.clone();
    let looked = desk.look(&person, move |looker| {
        looker.changes(&of, cursor.as_deref(), ROWS)
    });
    let found = looked.await.map_err(missing(&desk, &person))?;
    let names: Vec<String> = desk
        .window
        .flows()
        .flows
        .iter()
        .map(|flow| flow.name.clone())
        .collect();
    let (flow, event) = (flow.unwrap_or_default(), event.unwrap_or_default());
    let address = match followed {
        Some(trace) => format!("/changes?trace={trace}"),
        None => format!("/changes?flow={}&event={}", encoded(&flow), encoded(&event)),
    };
    let body = html! {
        section.title { div {
            @if let Some(trace) = followed {
                h1 { "One change, followed" }
                p.small {
                    "From the look that showed it to the last answer, newest first. In logs and traces it is "
                    code { (trace) } ". " a href="/changes" { "All changes" }
                }
            } @else {
                h1 { "Changes" }
                p.small { "What happened, newest first." }
            }
        } }
        section.card {
            @if followed.is_none() { form.filter action="/changes" {
                label { "Flow "
                    select name="flow" {
                        option value="" { "all" }
                        @for name in &names { option value=(name) selected[*name == flow] { (name) } }
                    }
                }
                label { "Show "
                    select name="event" {
                        @for (kind, words) in KINDS { option value=(kind) selected[kind == event] { (words) } }
                    }
                }
                button type="submit" { "Show" }
            } }
            @if found.rows.is_empty() { (nothing("Nothing of this kind here.")) }
            @else { div.scroll { (changes(&found.rows, Desk::moment(), true)) } }
            (more(&found, &address))
        }
    };
    let sheet = Sheet::new(&desk, &person, "Changes", "/changes");
    let sheet = if asked.cursor.is_none() {
        sheet.live()
    } else {
        sheet
    };
    Ok(page(sheet.with(&body)))
}
