//! What the next round would do, record by record, before it does it.

use super::layout::Sheet;
use super::parts::{
    ago, count, encoded, more_by, nothing, number, record, record_of, sentence, told, value_naming,
};
use super::{Desked, Missing, ROWS, Shown, missing, page};
use crate::access::{Person, Role};
use crate::desk::Desk;
use crate::http_api::Asked;
use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;
use tandem_api::look::{LinesOf, most_first};
use tandem_api::view::{ByConfiguration, Made, Making, Plan, PlanLine, PlanValue};

pub(super) async fn show(State(desk): Desked, person: Person, asked: Asked) -> Shown {
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let of = LinesOf {
        flow: some(&asked.flow),
        action: some(&asked.action),
    };
    let plan = desk.plan(&person, of.clone(), asked.cursor.clone(), ROWS).await;
    let plan = plan.map_err(missing(&desk, &person))?;
    let files = desk.ask(|backstage| backstage.configuration()).await;
    let files = files.map_err(missing(&desk, &person))?.files;
    let now = Desk::moment();
    let differ = !files.differ.is_empty();
    let body = html! {
        section.title {
            div {
                h1 { "Plan" }
                p.small { "What the next round would do: both systems are read, and nothing is written." }
            }
            @if person.role >= Role::Operator && plan.making.is_none() { (buttons(&plan, differ)) }
        }
        @if differ {
            section.card.attention { p {
                "The files of the configuration say something else than what is in force: "
                a href="/configuration" { "what differs" } "."
            } }
        }
        (standing(&plan, now))
        @if let Some(made) = &plan.made { (shown(made, &of, asked.cursor.is_some(), now)) }
        @else if plan.making.is_none() { section.card {
            (nothing("No plan was made since this process began with its configuration."))
            @if person.role < Role::Operator { p.small { "Somebody with the role operator can make one." } }
        } }
    };
    let sheet = Sheet::new(&desk, &person, "Plan", "/plan");
    let sheet = match plan.making.is_some() {
        true => sheet.live().soon(),
        false => sheet,
    };
    Ok(page(sheet.with(&body)))
}

/// What it is made by, and the way to make it.
fn buttons(plan: &Plan, differ: bool) -> Markup {
    let words = match plan.made {
        Some(_) => "Make it again",
        None => "Make a plan",
    };
    html! {
        form.acts method="post" action="/plan" {
            button.strong name="configuration" value="in-force" { (words) }
            @if differ { button name="configuration" value="files" { "Plan what the files say" } }
        }
    }
}

/// One that is being made, and one that did not come about.
fn standing(plan: &Plan, now: Timestamp) -> Markup {
    html! {
        @if let Some(making) = &plan.making { (being_made(making, now)) }
        @if let Some(failed) = &plan.failed {
            section.card.attention role="status" {
                h2 { "No plan came about" }
                p { (told(&failed.why)) }
                @if !failed.advice.is_empty() { p.advice { (told(&failed.advice)) } }
                p.small { (ago(failed.at, now)) }
            }
        }
    }
}

fn being_made(making: &Making, now: Timestamp) -> Markup {
    let read: Vec<String> = making
        .read
        .iter()
        .map(|(system, records)| format!("{} of {system} read", count(*records, "record", "records")))
        .collect();
    html! {
        section.verdict.rest role="status" {
            span.mark aria-hidden="true" { "↻" }
            div {
                h2 { "A plan is being made" }
                p {
                    @if read.is_empty() { "The state is copied, and both systems are asked what they are" }
                    @else {
                        (read.join(", ")) "; " (number(making.decided)) " decided, "
                        (count(making.found, "write", "writes")) " found"
                    }
                    "."
                }
                p.small { (making.by) " asked for it " (ago(making.since, now)) ". The work goes on meanwhile." }
            }
        }
    }
}

fn shown(made: &Made, of: &LinesOf, later: bool, now: Timestamp) -> Markup {
    html! {
        @if !later { (summary(made, now)) }
        section.card {
            h2 { @if later { "Lines, continued" } @else { "Line by line" } }
            @if made.lines > 0 { (filter(made, of)) }
            @if made.kept < made.lines {
                p.small { "Of " (number(made.lines)) " lines " (number(made.kept)) " are kept here, those that end something or ask \
                    somebody first; " code { "tandem plan --limit 0" } " shows all." }
            }
            @if made.page.rows.is_empty() { (nothing(none(made))) }
            @else { div.scroll { (lines(&made.page.rows)) } }
            (more_by(&made.page, &address(of), "More"))
        }
    }
}

fn none(made: &Made) -> &'static str {
    match (made.lines, made.troubles.is_empty()) {
        (0, true) => "Nothing would be done: everything that can be is in step.",
        (0, false) => "Nothing is known to be done.",
        _ => "No line of this kind.",
    }
}

fn summary(made: &Made, now: Timestamp) -> Markup {
    let (class, sign) = match (made.troubles.is_empty(), made.nothing) {
        (false, _) => ("bad", "!"),
        (true, true) => ("good", "✓"),
        (true, false) => ("rest", "→"),
    };
    let calls: Vec<String> = made
        .calls
        .iter()
        .map(|(system, calls)| format!("{} to {system}", count(*calls, "call", "calls")))
        .collect();
    html! {
        section class={ "verdict " (class) } {
            span.mark aria-hidden="true" { (sign) }
            div {
                h2 { (made.line) @if made.nothing { ": nothing to do" } }
                p { (by(made.configuration)) ", " (ago(made.at, now)) ", for " (made.by) "; it took "
                    (format!("{:.1} s", made.seconds)) @if !calls.is_empty() { " and " (calls.join(", ")) } "." }
                @if made.since > 0 {
                    p { (count(made.since, "thing has", "things have")) " "
                        a href="/changes" { "happened since" } ": what was done then may stand here still." }
                }
            }
        }
        @if !(made.troubles.is_empty() && made.notes.is_empty() && made.changes.is_empty() && made.waiting == 0) {
            section.card { h2 { "To know" } ul.notes {
                @for trouble in &made.troubles { li { span.state.bad { span.mark aria-hidden="true" { "!" } " not whole" } " " (told(trouble)) } }
                @for change in &made.changes { li { "The configuration changed: " (sentence_of(change)) } }
                @for note in &made.notes { li { (told(note)) } }
                @if made.waiting > 0 { li {
                    (count(made.waiting, "thing waits", "things wait")) " already and would go on to: "
                    a href="/inbox" { "the inbox" } "."
                } }
            } }
        }
    }
}

/// A text that ends with a stop; it goes on with what stands before it.
fn sentence_of(text: &str) -> String {
    let whole = sentence(text);
    let rest = whole.chars().skip(1);
    text.chars().next().into_iter().chain(rest).collect()
}

fn by(configuration: ByConfiguration) -> &'static str {
    match configuration {
        ByConfiguration::InForce => "Made by the configuration in force",
        ByConfiguration::Files => "Made by the files",
    }
}

fn address(of: &LinesOf) -> String {
    let parts = [("flow", &of.flow), ("action", &of.action)];
    let parts = parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
    format!("/plan?{}", parts.collect::<Vec<_>>().join("&"))
}

/// All flows and all that would be done, to choose from.
fn filter(made: &Made, of: &LinesOf) -> Markup {
    let select = |name: &str, chosen: &Option<String>, all: &str, counts: &BTreeMap<String, u64>| {
        html! {
            select name=(name) {
                option value="" { (all) }
                @for (one, many) in most_first(counts).into_iter().filter(|(one, _)| !one.is_empty()) {
                    option value=(one) selected[chosen.as_deref() == Some(one)] { (one) " (" (number(many)) ")" }
                }
            }
        }
    };
    html! {
        form.filter action="/plan" {
            label { "Flow " (select("flow", &of.flow, "all", &made.flows)) }
            label { "What " (select("action", &of.action, "everything", &made.actions)) }
            button { "Show" }
        }
    }
}

fn lines(rows: &[PlanLine]) -> Markup {
    html! {
        table.plan {
            thead { tr {
                th scope="col" { "What" } th scope="col" { "Record" } th scope="col" { "Before → after" } th scope="col" { "Why" }
            } }
            tbody { @for row in rows { tr {
                td { span class={ "chip " (weight(&row.action)) } { (row.action) }
                    @if let Some(flow) = &row.flow { div.small { (flow) } } }
                td.about { (about(row)) }
                td.values { @for value in &row.values { (changed(row, value)) } }
                td.why { (told(&row.why)) @if row.follows { div.small { "follows from a create" } } }
            } } }
        }
    }
}

/// How grave a line is, by its colour; its word says it too.
fn weight(action: &str) -> &'static str {
    match action {
        "delete" | "unlink" | "put-out-of-use" | "park" => "parked",
        "ask" | "settle" => "",
        _ => "rest",
    }
}

fn about(row: &PlanLine) -> Markup {
    let name = &row.record;
    let property = row.property.as_ref().map(|property| format!(".{property}"));
    let whole = record_of(
        [&name.system, &name.record_type, &name.id],
        name.name.as_deref(),
        property.as_deref().unwrap_or_default(),
    );
    html! {
        @match (row.action.as_str(), &row.with) {
            ("create" | "companion", _) => {
                (row.system) " " (row.record_type) div.small { "for " (whole) }
            },
            (_, Some(with)) => { (whole) div.small { "and " (record(with)) } },
            _ => (whole),
        }
        @if let Some(role) = &row.role { div.small { "companion " (role) } }
    }
}

/// A value before and after; a record that is created has none before.
fn changed(row: &PlanLine, value: &PlanValue) -> Markup {
    let created = matches!(row.action.as_str(), "create" | "companion" | "settle");
    html! {
        div.change {
            span.prop { (value.property) } " "
            @if !created {
                span.old { (value_naming(value.before.as_deref(), value.before_names.as_ref())) } " → "
            }
            (value_naming(value.after.as_deref(), value.after_names.as_ref()))
        }
    }
}

/// By which configuration one is wanted.
#[derive(Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    configuration: ByConfiguration,
}

/// Begins to make one.
pub(super) async fn make(
    State(desk): Desked,
    person: Person,
    Form(said): Form<Said>,
) -> Result<Redirect, Missing> {
    let begun = desk.make_plan(&person, said.configuration);
    begun.map_err(missing(&desk, &person))?;
    Ok(Redirect::to("/plan"))
}
