//! The configuration in force, and how its files stand to it.

use super::layout::Sheet;
use super::parts::{ago, count, encoded, marked, sentence, told};
use super::{Desked, Shown, missing, page};
use crate::access::Person;
use crate::desk::Desk;
use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};
use tandem_api::view::{Configuration, ConnectionSettings, FileProblem, Files, FlowSettings, Setting};

pub(super) async fn show(State(desk): Desked, person: Person) -> Shown {
    let asked = desk.ask(|backstage| backstage.configuration()).await;
    let all = asked.map_err(missing(&desk, &person))?;
    let now = Desk::moment();
    let body = html! {
        section.title { div {
            h1 { "Configuration" }
            p.small { "In force since " (ago(all.since, now)) ", from " code.path { (all.file) }
                ". No secret is known here: only where each comes from." }
        } }
        (files(&all.files, now))
        (remarks(&all.remarks))
        div.columns { @for one in &all.connections { (connection(one)) } }
        (flows(&all.flows))
        div.columns {
            section.card { h2 { "State" } (settings(&all.state)) }
            (console(&all))
            section.card { h2 { "Alerts" }
                @if all.alerts.is_empty() { p.nothing { "Nobody is told. With " code { "alerts:" } " the configuration says whom." } }
                @else { (settings(&all.alerts)) }
            }
        }
    };
    Ok(page(
        Sheet::new(&desk, &person, "Configuration", "/configuration").with(&body),
    ))
}

/// How the files stand to what is in force.
fn files(files: &Files, now: Timestamp) -> Markup {
    let problems = files.problems.len() as u64;
    let (class, sign, words) = match (problems, files.differ.len()) {
        (1.., _) => (
            "bad",
            "!",
            format!(
                "The files cannot be used: {}",
                count(problems, "problem", "problems")
            ),
        ),
        (0, 1..) => (
            "warn",
            "!",
            "The files say something else than what is in force".to_owned(),
        ),
        (0, 0) => ("good", "✓", "The files say what is in force".to_owned()),
    };
    html! {
        section class={ "verdict " (class) } {
            span.mark aria-hidden="true" { (sign) }
            div {
                h2 { (words) }
                p { (advice(files)) " Looked at " (ago(files.at, now)) "." }
            }
        }
        @if !files.differ.is_empty() {
            section.card.attention {
                h2 { "What differs" }
                ul { @for part in &files.differ { li { (told(part)) } } }
                p { a href="/plan" { "Plan what the files say" } ": what would be done once they were read again." }
            }
            (remarks(&files.remarks))
        }
        @if !files.problems.is_empty() {
            section.card.attention { h2 { "What is wrong" } ul.notes {
                @for one in &files.problems { li { (problem(one)) } }
            } }
        }
    }
}

fn advice(files: &Files) -> Markup {
    marked(match (files.problems.is_empty(), files.differ.is_empty()) {
        (false, _) => {
            "What is in force stays in force: files like these are not taken, and `tandem run` would not start with them."
        }
        (true, false) => {
            "They are taken once they are read again: by SIGHUP (`systemctl reload tandem`), or by a new start."
        }
        (true, true) => "Reading them again would change nothing.",
    })
}

fn problem(one: &FileProblem) -> Markup {
    html! {
        @if let Some(line) = one.line {
            p.small { code.path { (one.file) } ", line " (line) @if let Some(column) = one.column { ", column " (column) } }
        }
        p { (told(&one.what)) }
        p.advice { (told(&one.instead)) }
    }
}

fn remarks(remarks: &[String]) -> Markup {
    html! {
        @if !remarks.is_empty() {
            section.card { h2 { "To mind" } ul { @for remark in remarks { li { (marked(&sentence(remark))) } } } }
        }
    }
}

fn settings(all: &[Setting]) -> Markup {
    html! { dl.policies { @for one in all { dt { (one.about) } dd { (one.is) } } } }
}

fn connection(one: &ConnectionSettings) -> Markup {
    html! {
        section.card {
            h2 { (one.system) @if one.kind != one.system { span.small { " " (one.kind) } } }
            (settings(&one.settings))
            @if !one.secrets.is_empty() { h3 { "Secrets come from" } (settings(&one.secrets)) }
        }
    }
}

fn flows(all: &[FlowSettings]) -> Markup {
    html! {
        section.card {
            h2 { "Flows" }
            @for flow in all { details.flow {
                summary {
                    span.called { (flow.types[0]) " ↔ " (flow.types[1]) } " " span.small { (flow.flow) ", "
                        (count(flow.properties, "property", "properties")) }
                }
                div.columns {
                    div { h3 { "Policies" } (settings(&flow.policies)) }
                    div { h3 { "Guards" } (settings(&flow.guards)) }
                }
                p.more { a href={ "/flows/" (encoded(&flow.flow)) } { "Its properties, and how it stands" } }
            } }
        }
    }
}

fn console(all: &Configuration) -> Markup {
    html! {
        section.card {
            h2 { "Console" }
            (settings(&all.console))
            @if all.people.is_empty() { p.small { "Nobody signs in with a token; links of " code { "tandem console" } " let in." } }
            @else { h3 { "Who signs in with a token" } dl.policies { @for one in &all.people {
                dt { (one.name) } dd { (one.role) "; from " (one.token) }
            } } }
        }
    }
}
