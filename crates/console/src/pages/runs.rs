//! Syncs, rounds and commands, with what happened in each; and taking one back.

use super::layout::Sheet;
use super::parts::{ago, changes, count, marked, more, nothing, told, value};
use super::{Desked, ROWS, Shown, missing, page};
use crate::access::{Person, Role};
use crate::desk::Desk;
use crate::http_api::{Asked, Named};
use crate::problem::Problem;
use axum::Form;
use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;
use tandem_api::Selection;
use tandem_api::look::ChangesOf;
use tandem_api::view::{GoesBack, Run, Undo};

pub(super) async fn show(State(desk): Desked, person: Person, asked: Asked) -> Shown {
    let cursor = asked.cursor.clone();
    let looked = desk.look(&person, move |looker| looker.runs(cursor.as_deref(), ROWS));
    let found = looked.await.map_err(missing(&desk, &person))?;
    let now = Desk::moment();
    let body = html! {
        section.title { div {
            h1 { "Runs" }
            p.small { "Syncs, rounds and commands of people in which something happened, newest first." }
        } }
        section.card {
            @if found.rows.is_empty() { (nothing("Nothing has happened yet.")) }
            @else { div.scroll { table.runs {
                thead { tr {
                    th scope="col" { "Run" } th scope="col" { "What" } th scope="col" { "When" } th scope="col" { "Took" }
                    th scope="col" { "Happened" }
                } }
                tbody { @for run in &found.rows { tr {
                    td.number { a href={ "/runs/" (run.run) } { (run.run) } }
                    td { (run.kind) }
                    td.when { (ago(run.began, now)) }
                    td.number { (took(run)) }
                    td { (counts(&run.counts)) }
                } } }
            } } }
            (more(&found, "/runs"))
        }
    };
    let sheet = Sheet::new(&desk, &person, "Runs", "/runs");
    let sheet = if asked.cursor.is_none() {
        sheet.live()
    } else {
        sheet
    };
    Ok(page(sheet.with(&body)))
}

fn took(run: &Run) -> String {
    match run.ended.duration_since(run.began).as_secs() {
        0 => "under 1 s".to_owned(),
        seconds @ 1..=119 => format!("{seconds} s"),
        more => format!("{} min", more / 60),
    }
}

fn counts(counts: &BTreeMap<String, u64>) -> Markup {
    let words = |what: &str, many: u64| match what {
        "conflict" => count(many, "conflict", "conflicts"),
        "wrote" => count(many, "written", "written"),
        other => count(many, other, other),
    };
    html! { @for (what, many) in counts { span.chip.rest { (words(what, *many)) } " " } }
}

pub(super) async fn one(State(desk): Desked, person: Person, Named(run): Named<u64>, asked: Asked) -> Shown {
    let fail = missing(&desk, &person);
    let of = ChangesOf {
        run: Some(run),
        ..ChangesOf::default()
    };
    let looked = desk.look(&person, move |looker| {
        let found = looker.run(run)?;
        let lines = looker.changes(&of, asked.cursor.as_deref(), ROWS)?;
        Ok((found, lines))
    });
    let (found, lines) = looked.await.map_err(&fail)?;
    let Some(found) = found else {
        return Err(fail(Problem::not_found(format!("there is no run {run}"))));
    };
    let now = Desk::moment();
    let body = html! {
        section.title {
            div {
                p.small { a href="/runs" { "Runs" } }
                h1 { "Run " (run) ": " (found.kind) }
                p { (ago(found.began, now)) " · " (counts(&found.counts)) }
            }
            @if person.role == Role::Admin {
                div.acts { form method="post" action={ "/runs/" (run) "/undo" } { button { "Take it back …" } } }
            }
        }
        section.card {
            div.scroll { (changes(&lines.rows, now, false)) }
            (more(&lines, &format!("/runs/{run}")))
        }
    };
    let title = format!("Run {run}");
    Ok(page(Sheet::new(&desk, &person, &title, "/runs").with(&body)))
}

/// Whether it is done, or only told.
#[derive(Deserialize)]
pub(super) struct Sure {
    #[serde(default)]
    sure: bool,
}

pub(super) async fn undo(
    State(desk): Desked,
    person: Person,
    Named(run): Named<u64>,
    Form(Sure { sure }): Form<Sure>,
) -> Shown {
    let selection = Selection {
        run: Some(run),
        ..Selection::default()
    };
    let undone = desk.undo(&person, selection, format!("run {run}"), sure).await;
    let undone = undone.map_err(missing(&desk, &person))?;
    let back = undone.back.len() as u64;
    let body = html! {
        section.title {
            div {
                p.small { a href={ "/runs/" (run) } { "Run " (run) } }
                h1 { @if sure { "Taken back" } @else { "What taking it back would do" } }
                p { (count(back, "value goes back", "values go back")) ", "
                    (count(undone.left.len() as u64, "change is left alone", "changes are left alone")) "." }
            }
            @if !sure && back > 0 {
                div.acts { form method="post" {
                    input type="hidden" name="sure" value="true";
                    button.strong { "Take " (count(back, "value", "values")) " back" }
                } }
            }
        }
        (plan(&undone))
    };
    Ok(page(Sheet::new(&desk, &person, "Take back", "/runs").with(&body)))
}

fn plan(undone: &Undo) -> Markup {
    html! {
        @if !undone.back.is_empty() {
            section.card { h2 #back { "Goes back" } div.scroll tabindex="0" role="region" aria-labelledby="back" { table {
                thead { tr { th scope="col" { "Record" } th scope="col" { "What" } th scope="col" { "Now" } th scope="col" { "Then" } } }
                tbody { @for back in undone.back.iter().take(500) { tr { @match back {
                    GoesBack::Value { record, property, now, then, waits } => {
                        td.key { (record) } td.prop { (property) } td { (value(now.as_deref())) }
                        td { (value(then.as_deref())) @if let Some(why) = waits { div.small { "waits: " (why) } } }
                    },
                    GoesBack::Delete { record } => {
                        td.key { (record) } td { "its create" } td { "there" } td { "deleted" }
                    },
                    GoesBack::Recreate { record, counterpart } => {
                        td.key { (record) } td { "its counterpart" } td { (counterpart) " is deleted" } td { "created again" }
                    },
                } } } }
            } } }
        }
        @if !undone.left.is_empty() {
            section.card { h2 #left { "Left alone" } div.scroll tabindex="0" role="region" aria-labelledby="left" { table {
                thead { tr { th scope="col" { "Record" } th scope="col" { "Why" } th scope="col" { "What to do" } } }
                tbody { @for left in undone.left.iter().take(500) { tr {
                    td.key { (left.record) @if let Some(property) = &left.property { "." (property) } }
                    td { (marked(&left.why)) } td { (told(&left.advice)) }
                } } }
            } } }
        }
    }
}
