//! Looking for a record by anything that is known of it.

use super::layout::Sheet;
use super::parts::{encoded, nothing, record_of};
use super::{Desked, ROWS, Shown, missing, page};
use crate::access::Person;
use crate::desk::Desk;
use crate::http_api::Asked;
use axum::extract::State;
use maud::html;
use tandem_api::look::EVERYTHING;
use tandem_api::view::Page;

pub(super) async fn show(State(desk): Desked, person: Person, asked: Asked) -> Shown {
    let text = asked.q.clone().unwrap_or_default().trim().to_owned();
    let found = match text.is_empty() {
        true => Page {
            rows: Vec::new(),
            next: None,
        },
        false => {
            let (text, cursor) = (text.clone(), asked.cursor.clone());
            let look = desk.look(&person, move |looker| {
                looker.find(&text, cursor.as_deref(), ROWS, Desk::patience())
            });
            look.await.map_err(missing(&desk, &person))?
        }
    };
    // Whoever names a record is not after others that mention it.
    let named = found.next.as_deref() == Some(EVERYTHING) && !found.rows.is_empty();
    let body = html! {
        section.title { div {
            h1 { "Find a record" }
            p.small { "By its id or by any value that is kept in step." }
        } }
        section.card data-further[!named] {
            @if text.is_empty() { (nothing("Type something into the field above.")) }
            @else if found.rows.is_empty() {
                @match found.next {
                    Some(_) => (nothing("Nothing yet among those that became known last.")),
                    None => (nothing("Nothing that is known holds this.")),
                }
            } @else {
                ul.found { @for name in &found.rows { li { (record_of([&name.system, &name.record_type, &name.id], name.name.as_deref(), "")) } } }
            }
            @if let Some(next) = &found.next {
                p.more {
                    a.button href={ "/search?q=" (encoded(&text)) "&cursor=" (encoded(next)) } rel="next" { "Look further" }
                }
            }
        }
    };
    Ok(page(
        Sheet::new(&desk, &person, "Find a record", "/search")
            .sought(&text)
            .with(&body),
    ))
}
