//! The first page: is everything in step, and if not, what waits for whom.

use super::layout::Sheet;
use super::parts::{ago, changes, count, number, seconds, size, state, told};
use super::past::Past;
use super::{Desked, Shown, chart, missing, page, stood};
use crate::access::Person;
use crate::desk::Desk;
use crate::http_api::Asked;
use crate::pulse::Pulse;
use axum::extract::State;
use maud::{Markup, html};
use tandem_api::look::ChangesOf;
use tandem_api::view::{Change, Flow, FlowState, Overview, Page};

/// Latest lines shown.
const LATEST: usize = 12;

pub(super) async fn show(State(desk): Desked, person: Person, asked: Asked) -> Shown {
    let over = asked.over().ok().flatten();
    let looked = desk.look(&person, move |looker| {
        let now = Desk::moment();
        let overview = looker.overview(now)?;
        let latest = looker.changes(&ChangesOf::default(), None, LATEST)?;
        let course = over.map(|over| looker.course(now, over)).transpose()?;
        Ok((overview, latest, course))
    });
    let (overview, latest, course) = looked.await.map_err(missing(&desk, &person))?;
    let past = Past::of(&desk.pulse, over.zip(course), Desk::moment());
    let troubles = desk.now().troubles.len() as u64;
    let body = html! {
        (verdict(&overview, troubles))
        (tiles(&overview, &past))
        (flows(&overview, &desk, &past))
        (notes(&overview))
        (happened(&overview, &latest))
    };
    Ok(page(
        Sheet::new(&desk, &person, "Overview", "/").live().with(&body),
    ))
}

/// The time that charts show.
fn choice(past: &Past) -> Markup {
    html! {
        nav.over aria-label="How far back" {
            @for (name, words) in [("", "Hour"), ("day", "Day"), ("week", "Week"), ("month", "30 days")] {
                a href={ @if name.is_empty() { "/" } @else { "/?over=" (name) } } aria-current=[(past.name == name).then_some("true")] { (words) }
            }
        }
    }
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

fn tiles(overview: &Overview, past: &Past) -> Markup {
    let (written, backlog) = (&past.all, &past.backlog);
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
                h2 { "Written in the last " (past.length) } p.big { (number(sum)) }
                (chart::bars(written, past.columns, &format!("{} in the last {}, {}", count(sum, "write", "writes"), past.length, past.step)))
            }
            div.tile {
                h2 { "On the way" } p.big { (number(moving)) }
                (chart::bars(backlog, past.columns, &format!("What waited to be decided or sent in the last {}, {}", past.length, past.step)))
                (stood::told(past.stood(), &format!("How everything stood in the last {}", past.length)))
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

fn flows(overview: &Overview, desk: &Desk, past: &Past) -> Markup {
    let homes = overview.systems.iter().zip(&desk.homes);
    let home = |(system, home): (&tandem_api::view::System, &Option<String>)| match home {
        Some(address) => html! { a href=(address) rel="noreferrer" { (system.system) } },
        None => html! { (system.system) },
    };
    let [one, two] = [0, 1].map(|place| homes.clone().nth(place).map(home));
    html! {
        section.card {
            div.head { h2 { "Flows" } (choice(past)) }
            div.scroll { table.lanes {
                thead { tr {
                    th scope="col" { @if let Some(one) = one { (one) } }
                    th scope="col" { "Links" }
                    th scope="col" { @if let Some(two) = two { (two) } }
                    th scope="col" { "Stands" }
                    th scope="col" { "Waits for you" }
                    th scope="col" { "Lag" }
                    th scope="col" { "Written in the last " (past.length) }
                } }
                tbody { @for flow in &overview.flows { (lane(flow, &desk.pulse, past)) } }
            } }
        }
    }
}

fn lane(flow: &Flow, pulse: &Pulse, past: &Past) -> Markup {
    let written = past.written(&flow.flow);
    let lag = match past.lag(&flow.flow) {
        Some(most) => seconds(most),
        None => pulse
            .lags()
            .get(&flow.flow)
            .map_or_else(String::new, |lag| format!("{lag:.1} s")),
    };
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
            td.lag { @if !lag.is_empty() { span.label { "lag " } (lag) } }
            td.chart { (chart::bars(written, past.columns, &format!("{}: {} in the last {}", flow.flow, count(sum, "write", "writes"), past.length)))
                (stood::band(past.flow_stood(&flow.flow), &format!("{} in the last {}", flow.flow, past.length))) }
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
