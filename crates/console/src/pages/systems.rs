//! The two systems: calls of the day, clocks, troubles.

use super::layout::Sheet;
use super::parts::{ago, count, number, told};
use super::{Desked, Missing, Shown, chart, missing, page};
use crate::access::{Person, Role};
use crate::desk::Desk;
use crate::http_api::Named;
use crate::pulse::Now;
use axum::extract::State;
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use tandem_api::view::{Answering, Budget, Overview, Share, System};

pub(super) async fn show(State(desk): Desked, person: Person) -> Shown {
    let looked = desk.look(&person, |looker| looker.overview(Desk::moment()));
    let overview = looked.await.map_err(missing(&desk, &person))?;
    let now = desk.now();
    let body = html! {
        section.title { div { h1 { "Systems" } p.small { "The day of the calls ends at 00:00 UTC." } } }
        div.columns { @for (place, system) in overview.systems.iter().enumerate() {
            (card(system, &overview, &now, desk.homes[place].as_deref(), &person))
        } }
    };
    Ok(page(
        Sheet::new(&desk, &person, "Systems", "/systems")
            .live()
            .with(&body),
    ))
}

fn card(system: &System, overview: &Overview, now: &Now, home: Option<&str>, person: &Person) -> Markup {
    let name = &system.system;
    let answering = now.answering(name);
    let trouble = &answering.trouble;
    let held = overview
        .holds
        .iter()
        .find(|hold| hold.system.as_ref() == Some(name));
    let records: u64 = overview
        .records
        .iter()
        .filter(|(of, _)| of.split(' ').next() == Some(name))
        .map(|(_, n)| n)
        .sum();
    html! {
        section.card {
            h2 { (name) }
            p {
                @match (trouble, held) {
                    (Some(trouble), _) => { span.state.bad { span.mark aria-hidden="true" { "!" } " in trouble" } " " (trouble) },
                    (None, Some(hold)) => { span.state.bad { span.mark aria-hidden="true" { "■" } " " (hold.stands) } " " (hold.words) ". " (told(&hold.advice)) },
                    (None, None) => span.state.good { span.mark aria-hidden="true" { "✓" } " answers" },
                }
            }
            @if held.is_some_and(|hold| hold.needs_approval) && person.role >= Role::Operator {
                form method="post" action={ "/systems/" (name) "/approve" } { button.strong { "Believe it again" } }
            }
            dl.policies {
                dt { "Records known" } dd { (number(records)) }
                @if let Some(at) = system.listed { dt { "Listed in full" } dd { (ago(at, overview.at)) } }
                @if let Some(ahead) = system.clock_ahead { dt { "Its clock" } dd { (clock(ahead)) } }
                (answers(&answering))
                @if let Some(address) = home { dt { "Its own pages" } dd { a href=(address) rel="noreferrer" { (address) } } }
            }
            @if let Some(budget) = &system.budget { (calls(budget, overview.at)) }
        }
    }
}

/// How fast it answers, and how often it did not, since the start of the process.
fn answers(it: &Answering) -> Markup {
    let failed = it.failed.iter().map(|(status, n)| format!("{n} × {status}"));
    let silent = (it.unanswered > 0).then(|| count(it.unanswered, "without an answer", "without an answer"));
    let failed: Vec<String> = failed.chain(silent).collect();
    html! {
        dt { "Calls since the start" } dd { (number(it.calls)) }
        @if let (Some(median), Some(most)) = (it.median_ms, it.most_ms) {
            dt { "Answers within" }
            dd { (milliseconds(median)) " at the median, " (milliseconds(most)) " for 95 of 100" }
        }
        dt { "Errors since the start" }
        dd { @if failed.is_empty() { "none" } @else { (failed.join(", ")) } }
    }
}

fn milliseconds(ms: f64) -> String {
    match ms {
        short if short < 10.0 => format!("{short:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        long => format!("{:.1} s", long / 1_000.0),
    }
}

fn clock(ahead: f64) -> String {
    match ahead {
        small if small.abs() < 1.0 => "agrees with ours".to_owned(),
        ahead if ahead > 0.0 => format!("{ahead:.0} s ahead of ours"),
        behind => format!("{:.0} s behind ours", behind.abs()),
    }
}

fn calls(budget: &Budget, now: Timestamp) -> Markup {
    let of = |words: &str, share: Option<Share>| {
        share.map(|share| {
            let told = format!("{words}: {} of {}", number(share.used), number(share.allowed));
            html! { p.small { (told) } (chart::gauge(share.used, share.allowed, &told)) }
        })
    };
    let own = budget.share.map(|allowed| Share {
        used: budget.spent,
        allowed,
    });
    html! {
        h3 { "Calls of the day" }
        @match own { Some(own) => { @if let Some(shown) = of("ours", Some(own)) { (shown) } }, None => p.small { "ours: " (number(budget.spent)) } }
        @for shown in [of("of everybody", budget.calls), of("bulk jobs", budget.bulk), of("event deliveries", budget.events)].into_iter().flatten() { (shown) }
        @if budget.live_waits.is_some_and(|until| until > now) { p.state.bad { "Live changes wait until 00:00 UTC." } }
        @else if budget.long_work_waits.is_some_and(|until| until > now) { p.state.warn { "Long work waits until 00:00 UTC; live changes go on." } }
    }
}

pub(super) async fn approve(
    State(desk): Desked,
    person: Person,
    Named(system): Named<String>,
) -> Result<Redirect, Missing> {
    let done = desk.approve_system(&person, system).await;
    done.map_err(missing(&desk, &person))?;
    Ok(Redirect::to("/systems"))
}
