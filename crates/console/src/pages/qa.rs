//! What the newest `tandem qa` found, and how to run it.

use super::layout::Sheet;
use super::parts::{ago, count, encoded, marked, number, sentence, told};
use super::{Desked, Shown, missing, page};
use crate::access::Person;
use crate::desk::Desk;
use crate::http_api::Asked;
use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};
use tandem_api::view::{Qa, QaFailure, QaFlow, QaLine, QaResult};

pub(super) async fn show(State(desk): Desked, person: Person, asked: Asked) -> Shown {
    let found = desk.ask(|backstage| backstage.qa()).await;
    let found = found.and_then(|read| Ok(read?));
    let found = found.map_err(missing(&desk, &person))?;
    let now = Desk::moment();
    let body = html! {
        section.title { div {
            h1 { "QA" }
            p.small { "Every sentence of the dataflow document, ticked off against the two systems by " code { "tandem qa" } "." }
        } }
        @match &found {
            Some(qa) => (report(qa, asked.flow.as_deref().filter(|flow| !flow.is_empty()), now)),
            None => section.card { h2 { "It has not run here" } (how()) },
        }
    };
    Ok(page(Sheet::new(&desk, &person, "QA", "/qa").with(&body)))
}

/// How it is run.
fn how() -> Markup {
    html! {
        p { "It makes records of its own in both systems, edits them on either side, looks what arrives, and deletes them again. \
            It says first what it will write and where, and asks. Run it in a sandbox, not where people work." }
        ol {
            li { "Stop " code { "tandem run" } ": " code { "tandem qa" } " works with the state itself." }
            li { "Run " code { "tandem qa" } " with the same " code { "--config" } " and " code { "--state" } "." }
            li { "Start " code { "tandem run" } " again: what was found stands on this page." }
        }
    }
}

fn report(qa: &Qa, flow: Option<&str>, now: Timestamp) -> Markup {
    let chosen = qa.flows.iter().find(|one| Some(key(one)) == flow);
    html! {
        (verdict(qa, now))
        @match chosen {
            Some(one) => section.card {
                p.small { a href="/qa" { "All flows" } }
                h2 { (one.title) }
                (lines(&one.lines))
            },
            None => {
                (failures(qa))
                (by_flow(qa))
                (left(qa))
            },
        }
        details.card { summary { "How to run it again" } (how()) }
    }
}

fn verdict(qa: &Qa, now: Timestamp) -> Markup {
    let counts = qa.counts;
    let (class, sign, words) = match (counts.fail, counts.cannot_be_tried) {
        (1.., _) => (
            "bad",
            "!",
            count(counts.fail, "promise does not hold", "promises do not hold"),
        ),
        (0, 1..) => (
            "warn",
            "!",
            format!(
                "Nothing failed; {} could not be tried in full",
                number(counts.cannot_be_tried)
            ),
        ),
        (0, 0) => ("good", "✓", "Every promise holds".to_owned()),
    };
    html! {
        section class={ "verdict " (class) } {
            span.mark aria-hidden="true" { (sign) }
            div {
                h2 { (words) }
                p { (number(counts.pass)) " passed, " (number(counts.fail)) " failed, " (number(counts.not_served))
                    " not served, " (number(counts.cannot_be_tried)) " could not be tried; " (count(qa.syncs, "sync", "syncs")) ", "
                    (format!("{:.0} s", qa.seconds)) "." }
                p.small { (ago(qa.at, now)) ", with records named " (qa.run) }
            }
        }
    }
}

/// What an address calls a flow's part: its name, or its title where none is configured.
fn key(flow: &QaFlow) -> &str {
    match flow.flow.is_empty() {
        true => &flow.title,
        false => &flow.flow,
    }
}

fn failures(qa: &Qa) -> Markup {
    let failed = qa.flows.iter().flat_map(|flow| {
        let lines = flow.lines.iter();
        lines
            .filter(|line| line.result == QaResult::Fail)
            .map(move |line| (flow, line))
    });
    let failed: Vec<(&QaFlow, &QaLine)> = failed.collect();
    html! {
        @if !failed.is_empty() {
            section.card.attention { h2 { "What does not hold" } ul.notes {
                @for (flow, line) in failed.iter().take(MOST) { li {
                    p { strong { (sentence(&line.text)) } " " span.small { (flow.title) } }
                    @if let Some(failure) = &line.failure { (seen(failure)) }
                } }
                @if failed.len() > MOST { li { "And " (number((failed.len() - MOST) as u64)) " more, flow by flow below." } }
            } }
        }
    }
}

/// Failures that stand on the first page.
const MOST: usize = 50;

fn seen(failure: &QaFailure) -> Markup {
    html! {
        p { (sentence(&failure.done)) " Expected " span.value { (failure.expected) } ", seen " span.value { (failure.seen) } "." }
        @if let Some(because) = &failure.because { p.small { (told(because)) } }
    }
}

/// What is counted flow by flow, with the word that stands beside it where there is no heading.
const COLUMNS: [(QaResult, &str); 4] = [
    (QaResult::Pass, "passed"),
    (QaResult::Fail, "failed"),
    (QaResult::NotServed, "not served"),
    (QaResult::CannotBeTried, "not tried"),
];

fn by_flow(qa: &Qa) -> Markup {
    let of = |flow: &QaFlow, result: QaResult| {
        let lines = flow.lines.iter();
        lines.filter(|line| line.result == result).count() as u64
    };
    html! {
        section.card { h2 #flows { "Flow by flow" } div.scroll tabindex="0" role="region" aria-labelledby="flows" { table.counts {
            thead { tr {
                th scope="col" { "Flow" } th scope="col" { "Passed" } th scope="col" { "Failed" }
                th scope="col" { "Not served" } th scope="col" { "Could not be tried" }
            } }
            tbody { @for flow in &qa.flows { tr {
                td { a href={ "/qa?flow=" (encoded(key(flow))) } { (flow.title) } }
                @for (result, word) in COLUMNS {
                    td.number { (number(of(flow, result))) span.label { " " (word) } }
                }
            } } }
        } } }
    }
}

fn left(qa: &Qa) -> Markup {
    html! {
        @if !qa.kept.is_empty() || !qa.stuck.is_empty() {
            section.card { h2 { "What it left" }
                @if !qa.stuck.is_empty() { h3 { "Could not be deleted" } ul { @for one in qa.stuck.iter().take(MOST) { li { (one) } } } }
                @if !qa.kept.is_empty() { h3 { "Kept for the next run" } ul { @for one in qa.kept.iter().take(MOST) { li { (one) } } } }
                p.small { (marked("`tandem qa --clean` removes what can be removed.")) }
            }
        }
    }
}

/// What failed first, then what could not be tried.
fn lines(lines: &[QaLine]) -> Markup {
    let mut all: Vec<&QaLine> = lines.iter().collect();
    all.sort_by_key(|line| line.result);
    html! {
        div.scroll { table.checks {
            thead { tr { th scope="col" { "Result" } th scope="col" { "What was ticked off" } } }
            tbody { @for line in all { tr {
                td { (result(line.result)) }
                td {
                    (line.text)
                    @if let Some(failure) = &line.failure { (seen(failure)) }
                    @else if let Some(why) = &line.why { div.small { (told(why)) } }
                }
            } } }
        } }
    }
}

fn result(result: QaResult) -> Markup {
    let (class, sign, word) = match result {
        QaResult::Pass => ("good", "✓", "holds"),
        QaResult::Fail => ("bad", "!", "fails"),
        QaResult::NotServed => ("rest", "–", "not served"),
        QaResult::CannotBeTried => ("warn", "?", "not tried"),
    };
    html! { span class={ "state " (class) } { span.mark aria-hidden="true" { (sign) } " " (word) } }
}
