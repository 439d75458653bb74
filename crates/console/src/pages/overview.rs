//! The first page: is everything in step, and if not, what waits for whom.

use super::layout::Sheet;
use super::parts::{ago, changes, count, number, size, state, told};
use super::{Desked, Shown, chart, missing, page};
use crate::access::Person;
use crate::desk::Desk;
use crate::pulse::{COLUMNS, Pulse};
use axum::extract::State;
use maud::{Markup, html};
use tandem_api::look::ChangesOf;
use tandem_api::view::{Change, Flow, FlowState, Overview, Page};

/// Latest lines shown.
const LATEST: usize = 12;

pub(super) async fn show(State(desk): Desked, person: Person) -> Shown {
    let looked = desk.look(&person, |looker| {
        let overview = looker.overview(Desk::moment())?;
        let latest = looker.changes(&ChangesOf::default(), None, LATEST)?;
        Ok((overview, latest))
    });
    let (overview, latest) = looked.await.map_err(missing(&desk, &person))?;
    let troubles = desk.now().troubles.len() as u64;
    let body = html! {
        (verdict(&overview, troubles))
        (tiles(&overview, &desk.pulse))
        (flows(&overview, &desk))
        (notes(&overview))
        (happened(&overview, &latest))
    };
    Ok(page(
        Sheet::new(&desk, &person, "Overview", "/").live().with(&body),
    ))
}

/// What waits for a person in a flow.
pub(super) fn waiting(flow: &Flow) -> u64 {
    flow.questions + flow.parked + flow.approvals
}

fn verdict(overview: &Overview, troubles: u64) -> Markup {
    let waits: u64 = overview.flows.iter().map(waiting).sum();
    let stopped = overview.holds.iter().filter(|hold| hold.needs_approval).count() as u64;
    let moving = overview.to_decide + overview.to_send + overview.unanswered;
    let first = overview.systems.iter().any(|system| system.listed.is_none());
    let (class, words) = match (troubles, stopped, waits, moving) {
        (1.., ..) => (
            "bad",
            count(troubles, "system is in trouble", "systems are in trouble"),
        ),
        (_, 1.., ..) => (
            "bad",
            count(stopped, "guard stopped something", "guards stopped something"),
        ),
        (_, _, 1.., _) => ("warn", count(waits, "thing waits for you", "things wait for you")),
        _ if first => ("rest", "The first sync is under way".to_owned()),
        (.., 1..) => (
            "good",
            format!("In step; {} on the way", count(moving, "change", "changes")),
        ),
        _ => ("good", "Everything is in step".to_owned()),
    };
    let sign = match class {
        "good" => "✓",
        "rest" => "↻",
        _ => "!",
    };
    let [one, two] = overview.systems.each_ref().map(|system| system.system.as_str());
    html! {
        section class={ "verdict " (class) } {
            span.mark aria-hidden="true" { (sign) }
            div {
                h1 { (words) }
                p { (one) " and " (two) " · looked at " (ago(overview.at, overview.at)) }
            }
            @if class == "warn" { a.button.strong href="/inbox" { "Open the inbox" } }
        }
    }
}

fn tiles(overview: &Overview, pulse: &Pulse) -> Markup {
    let written = pulse.written(None);
    let backlog = pulse.backlog();
    let sum: u64 = written.iter().sum();
    let links: u64 = overview.flows.iter().map(|flow| flow.linked).sum();
    let records: u64 = overview.records.values().sum();
    let moving = overview.to_decide + overview.to_send + overview.unanswered;
    html! {
        section.tiles aria-label="In numbers" {
            div.tile {
                h2 { "Links" } p.big { (number(links)) }
                p.small { "between " (count(records, "record", "records")) }
            }
            div.tile {
                h2 { "Written in the last hour" } p.big { (number(sum)) }
                (chart::bars(&written, COLUMNS, &format!("{} in the last hour, minute by minute", count(sum, "write", "writes"))))
            }
            div.tile {
                h2 { "On the way" } p.big { (number(moving)) }
                (chart::bars(&backlog, COLUMNS, "What waited to be decided or sent in the last hour, minute by minute"))
            }
            div.tile {
                h2 { "History" } p.big { (number(overview.history.lines)) }
                p.small {
                    "lines"
                    @if let Some(oldest) = overview.history.oldest { ", oldest " (ago(oldest, overview.at)) }
                    "; state " (size(overview.bytes))
                }
            }
        }
    }
}

fn flows(overview: &Overview, desk: &Desk) -> Markup {
    let homes = overview.systems.iter().zip(&desk.homes);
    let home = |(system, home): (&tandem_api::view::System, &Option<String>)| match home {
        Some(address) => html! { a href=(address) rel="noreferrer" { (system.system) } },
        None => html! { (system.system) },
    };
    let [one, two] = [0, 1].map(|place| homes.clone().nth(place).map(home));
    html! {
        section.card {
            h2 { "Flows" }
            div.scroll { table.lanes {
                thead { tr {
                    th scope="col" { @if let Some(one) = one { (one) } }
                    th scope="col" { "Links" }
                    th scope="col" { @if let Some(two) = two { (two) } }
                    th scope="col" { "Stands" }
                    th scope="col" { "Waits for you" }
                    th scope="col" { "Last hour" }
                } }
                tbody { @for flow in &overview.flows { (lane(flow, &desk.pulse)) } }
            } }
        }
    }
}

fn lane(flow: &Flow, pulse: &Pulse) -> Markup {
    let written = pulse.written(Some(&flow.flow));
    let sum: u64 = written.iter().sum();
    let kind = match flow.state {
        FlowState::Fine => "lane",
        FlowState::Waits => "lane warn",
        FlowState::Paused => "lane rest",
        FlowState::Held => "lane bad",
    };
    html! {
        tr {
            td.first { a href={ "/flows/" (flow.flow) } { (flow.types[0]) span.sr { " to " (flow.types[1]) } } }
            td class=(kind) { span.line { span.linked { (number(flow.linked)) } } }
            td.second { (flow.types[1]) }
            td { (state(flow.state)) @if let Some(why) = &flow.why { div.small { (why) } } }
            td { (waits(flow)) }
            td.chart { (chart::bars(&written, COLUMNS, &format!("{}: {} in the last hour", flow.flow, count(sum, "write", "writes")))) }
        }
    }
}

fn waits(flow: &Flow) -> Markup {
    let all = [
        (flow.questions, "conflict", "conflicts", "conflict"),
        (flow.approvals, "approval", "approvals", "approval"),
        (flow.parked, "to mend", "to mend", "parked"),
    ];
    html! {
        @for (many, one, more, standing) in all.into_iter().filter(|(many, ..)| *many > 0) {
            a.chip href={ "/inbox?standing=" (standing) "&flow=" (flow.flow) } { (count(many, one, more)) }
        }
        @if flow.deferred > 0 { span.chip.rest { (count(flow.deferred, "waits for a link", "wait for a link")) } }
    }
}

fn notes(overview: &Overview) -> Markup {
    html! {
        @if !overview.holds.is_empty() || !overview.notices.is_empty() {
            section.card {
                h2 { "To know" }
                ul.notes {
                    @for hold in &overview.holds {
                        li {
                            strong { (hold.flow.as_ref().or(hold.system.as_ref()).map_or("", String::as_str)) " is " (hold.stands) }
                            ": " (hold.words) ". " (told(&hold.advice))
                        }
                    }
                    @for notice in &overview.notices { li { (notice) } }
                }
            }
        }
    }
}

fn happened(overview: &Overview, latest: &Page<Change>) -> Markup {
    html! {
        section.card {
            h2 { "Latest changes" }
            @if latest.rows.is_empty() { (super::parts::nothing("Nothing has happened yet.")) }
            @else {
                div.scroll { (changes(&latest.rows, overview.at, true)) }
                p.more { a.button href="/changes" { "All changes" } }
            }
        }
    }
}
