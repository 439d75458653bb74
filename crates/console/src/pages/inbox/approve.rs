//! Letting go ahead what a guard holds: how many they are and some of them first, then all at once.

use super::super::layout::Sheet;
use super::super::page;
use super::super::parts::{count, number, record_of, told};
use super::Choice;
use crate::access::{Person, Role};
use crate::act::{Acted, Fate};
use crate::desk::Desk;
use crate::problem::Problem;
use axum::response::Html;
use maud::{Markup, html};
use std::collections::BTreeSet;
use tandem_api::view::Item;
use tandem_api::{Verdict, words};

/// So many are shown before all are approved.
const SAMPLE: usize = 8;

/// What may become of the counterparts of deleted records that these items are about; nothing to choose where none is.
pub(super) fn fates<'a>(items: impl IntoIterator<Item = &'a Item>) -> Markup {
    let said: BTreeSet<&str> = items
        .into_iter()
        .flat_map(|item| item.verdicts.iter().map(String::as_str))
        .collect();
    let offered = Verdict::ALL
        .into_iter()
        .filter(|verdict| said.contains(verdict.word()));
    html! {
        @if !said.is_empty() {
            label {
                span { "Counterparts of deleted records" } " "
                select #fate name="fate" {
                    option value="" { "as the flow says" }
                    @for verdict in offered { option value=(verdict.word()) { (words::verdict(verdict)) } }
                }
            }
        }
    }
}

/// What was chosen of them.
pub(super) fn fate(said: &str) -> Result<Option<Fate>, Problem> {
    if said.is_empty() {
        return Ok(None);
    }
    let chosen = Verdict::ALL.into_iter().find(|verdict| verdict.word() == said);
    chosen
        .map(|verdict| Some(verdict.into()))
        .ok_or_else(|| Problem::bad(format!("`{said}` is nothing that can become of a record")))
}

/// Tells what would go ahead, and asks.
pub(super) async fn ask(desk: &Desk, person: &Person, chosen: &Choice) -> Result<Html<String>, Problem> {
    if person.role < Role::Operator {
        return Err(Problem::forbidden("this needs the role operator"));
    }
    let kind = chosen.kind.as_deref().unwrap_or_default();
    let all = desk.of_kind(person, kind, chosen.flow.clone()).await?;
    let Some(last) = all.iter().map(|item| item.item).max() else {
        return Err(Problem::not_found("nothing of this kind waits any more"));
    };
    let of = chosen.items();
    let some = desk
        .look(person, move |looker| looker.items(&of, None, SAMPLE))
        .await?;
    let flows: BTreeSet<&str> = all.iter().filter_map(|item| item.flow.as_deref()).collect();
    let many = all.len() as u64;
    let rest = many.saturating_sub(some.rows.len() as u64);
    let place = match (flows.len(), flows.first()) {
        (1, Some(flow)) => format!(" of {flow}"),
        (0, _) => String::new(),
        (flows, _) => format!(" of {flows} flows"),
    };
    let body = html! {
        section.card.narrow {
            h1 { "Approve " (number(many)) (place) "?" }
            ul.waits { @for item in &some.rows { li {
                (record_of([&item.system, &item.record_type, &item.id], item.name.as_deref(), ""))
                p.small { (told(&item.reason)) }
            } } }
            @if rest > 0 { p.small { "and " (count(rest, "other", "others")) "." } }
            form method="post" action=(chosen.address()) {
                input type="hidden" name="last" value=(last);
                (fates(&all))
                button.strong name="act" value="approve-kind" { (super::all("Approve", many)) }
            }
            p { a href=(chosen.address()) { "Leave them as they are" } }
        }
    };
    Ok(page(Sheet::new(desk, person, "Approve", "/inbox").with(&body)))
}

/// Lets all go ahead that were counted: what came to wait since then goes on waiting.
pub(super) async fn all(
    desk: &Desk,
    person: &Person,
    chosen: &Choice,
    last: u64,
    said: &str,
) -> Result<Acted, Problem> {
    let fate = fate(said)?;
    let kind = chosen.kind.as_deref().unwrap_or_default();
    let items = desk.of_kind(person, kind, chosen.flow.clone()).await?;
    let items = items.into_iter().map(|item| item.item);
    let items: Vec<u64> = items.filter(|item| *item <= last).collect();
    desk.approve_many(person, items, fate).await
}
