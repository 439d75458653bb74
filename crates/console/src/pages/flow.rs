//! One flow: how it stands, what it keeps in step, and what happened in it.

use super::layout::Sheet;
use super::overview::waiting;
use super::parts::{ago, changes, count, more, nothing, number, record, seconds, state};
use super::stood::{self, Column};
use super::{Desked, Missing, ROWS, Shown, chart, missing, page};
use crate::access::{Person, Role};
use crate::desk::Desk;
use crate::http_api::{Asked, Named};
use crate::problem::Problem;
use crate::pulse::COLUMNS;
use axum::extract::State;
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use tandem_api::look::{ChangesOf, Over};
use tandem_api::view::{FlowCourse, FlowPage, FlowState, Link, Page, PropertyRow};

/// Latest lines shown.
const LATEST: usize = 15;

pub(super) async fn show(
    State(desk): Desked,
    person: Person,
    Named(name): Named<String>,
    asked: Asked,
) -> Shown {
    let fail = missing(&desk, &person);
    let (of, cursor) = (name.clone(), asked.cursor);
    let looked = desk.look(&person, move |looker| {
        let Some(flow) = looker.flow(&of)? else {
            return Ok(None);
        };
        let links = looker.links(Some(&of), cursor.as_deref(), ROWS)?;
        let of = ChangesOf {
            flow: Some(of),
            ..ChangesOf::default()
        };
        let latest = looker.changes(&of, None, LATEST)?;
        let course = looker.course(Desk::moment(), Over::Week)?;
        Ok(Some((flow, links, latest, course)))
    });
    let Some((flow, links, latest, mut course)) = looked.await.map_err(&fail)? else {
        return Err(fail(Problem::not_found(format!("no flow is called `{name}`"))));
    };
    let now = Desk::moment();
    let stood = stood::of_course(&course, Some(&name), now);
    let written = desk.pulse.written(Some(&name));
    let sum: u64 = written.iter().sum();
    let lag = desk.pulse.lags().get(&name).map(|lag| format!("{lag:.1} s"));
    let body = html! {
        (head(&flow, &person, now))
        section.tiles {
            div.tile { h2 { "Links" } p.big { (number(flow.flow.linked)) } }
            div.tile {
                h2 { "Written in the last hour" } p.big { (number(sum)) }
                (chart::bars(&written, COLUMNS, "Writes in the last hour, minute by minute"))
                @if let Some(lag) = lag { p.small { "the latest edit was taken up after " (lag) } }
            }
            div.tile {
                h2 { "Waits for you" }
                p.big { a href={ "/inbox?flow=" (name) } { (number(waiting(&flow.flow))) } }
                @if flow.flow.deferred > 0 { p.small { (count(flow.flow.deferred, "waits for a link", "wait for a link")) } }
            }
            div.tile {
                h2 { "Since the beginning" } p.big { (number(flow.flow.updated)) }
                p.small { "updates; " (number(flow.flow.created[0] + flow.flow.created[1])) " creates; "
                    (count(flow.flow.conflicts, "conflict", "conflicts")) }
            }
        }
        @if let Some(week) = course.flows.remove(&name) { (over_time(&week, &stood)) }
        (properties(&flow, &desk))
        section.card {
            h2 { "Latest changes" }
            @if latest.rows.is_empty() { (nothing("Nothing has happened in it yet.")) }
            @else { div.scroll { (changes(&latest.rows, now, true)) } }
            p.more { a.button href={ "/changes?flow=" (name) } { "All its changes" } }
        }
        (linked(&links, &name, now))
    };
    Ok(page(Sheet::new(&desk, &person, &name, "/").live().with(&body)))
}

fn head(flow: &FlowPage, person: &Person, now: Timestamp) -> Markup {
    let name = &flow.flow.flow;
    let rests = flow.flow.state == FlowState::Paused;
    html! {
        section.title {
            div {
                p.small { a href="/" { "Overview" } }
                h1 { (flow.flow.types[0]) " ↔ " (flow.flow.types[1]) }
                p { (state(flow.flow.state))
                    @if let Some(why) = &flow.flow.why { " · " (why) }
                    @if let Some(since) = flow.flow.since { " · since " (ago(since, now)) }
                }
            }
            @if person.role >= Role::Operator {
                div.acts {
                    @if flow.flow.state == FlowState::Held {
                        form method="post" action={ "/flows/" (name) "/approve" } { button.strong { "Approve what is held" } }
                    }
                    @if rests { form method="post" action={ "/flows/" (name) "/resume" } { button.strong { "Let it go on" } } }
                    @else { form method="post" action={ "/flows/" (name) "/pause" } { button { "Pause" } } }
                }
            }
        }
    }
}

/// What happened in the last week.
fn over_time(week: &FlowCourse, stood: &[Column]) -> Markup {
    let columns = week.edited.len();
    let sums = [
        ("Edits", &week.edited),
        ("Written", &week.written),
        ("Conflicts", &week.conflicts),
        ("Parked", &week.parked),
    ];
    let most = week.lag_seconds.iter().max().copied().unwrap_or_default();
    html! {
        section.card {
            h2 { "The last week" }
            div.tiles.weeks {
                @for (words, counts) in sums {
                    div {
                        h3 { (words) " " (number(counts.iter().sum())) }
                        (chart::bars(counts, columns, &format!("{words} of the last week, in steps of six hours")))
                    }
                }
                div {
                    h3 { "Lag " @if most > 0 { "up to " (seconds(most)) } @else { "below 1 s" } }
                    (chart::bars(&week.lag_seconds, columns, "How long edits had been made before they were taken up, at most, in steps of six hours"))
                }
                div {
                    h3 { "How it stood" }
                    (stood::told(stood, "How it stood in the last week, in steps of six hours"))
                }
            }
        }
    }
}

fn properties(flow: &FlowPage, desk: &Desk) -> Markup {
    let [one, two] = &desk.window.flows().systems;
    html! {
        section.card {
            h2 { "What it keeps in step" }
            div.scroll { table.rows {
                thead { tr {
                    th scope="col" { (one) span.small { " " (flow.flow.types[0]) } }
                    th scope="col" { span.sr { "Direction" } }
                    th scope="col" { (two) span.small { " " (flow.objects[1]) } }
                    th scope="col" { "Types" }
                    th scope="col" { "To mind" }
                } }
                tbody { @for row in &flow.properties { (property(row)) } }
            } }
            dl.policies {
                dt { "Conflicts" } dd { (flow.conflict) }
                dt { "Without a counterpart in " (two) } dd { (flow.create[1]) }
                dt { "Without a counterpart in " (one) } dd { (flow.create[0]) }
                dt { "Deleted in " (one) } dd { (flow.on_delete[0]) }
                dt { "Deleted in " (two) } dd { (flow.on_delete[1]) }
                @if !flow.unserved.is_empty() { dt { "Not served here" } dd { (flow.unserved.join(", ")) } }
            }
        }
    }
}

fn property(row: &PropertyRow) -> Markup {
    let words = match row.direction.as_str() {
        "→" => "goes there only",
        "←" => "comes from there only",
        _ => "both ways",
    };
    html! {
        tr {
            td.prop.from { (row.properties[0]) }
            td.arrow { span title=(words) aria-hidden="true" { (row.direction) } span.sr { (words) } }
            td.prop.to { (row.properties[1]) }
            td.small.types { (row.types[0]) @if row.types[0] != row.types[1] { " / " (row.types[1]) } }
            td.small.mind {
                @if row.personal { span.chip.rest { "personal" } " " }
                @if let Some(policy) = &row.conflict { "conflicts: " (policy) ". " }
                (row.note)
            }
        }
    }
}

fn linked(links: &Page<Link>, name: &str, now: Timestamp) -> Markup {
    html! {
        section.card #links {
            h2 { "Linked records" }
            @if links.rows.is_empty() { (nothing("None yet.")) }
            @else { div.scroll { table {
                thead { tr { th scope="col" { "First" } th scope="col" { "Second" } th scope="col" { "Since" } } }
                tbody { @for link in &links.rows { tr {
                    td { (record(&link.first)) } td { (record(&link.second)) } td.when { (ago(link.since, now)) }
                } } }
            } } }
            (more(links, &format!("/flows/{name}")))
        }
    }
}

/// `pause`, `resume`, `approve`.
pub(super) async fn act(
    State(desk): Desked,
    person: Person,
    Named((name, act)): Named<(String, String)>,
) -> Result<Redirect, Missing> {
    let done = match act.as_str() {
        "pause" => desk.rest(&person, name.clone(), true).await,
        "resume" => desk.rest(&person, name.clone(), false).await,
        "approve" => desk.approve_flow(&person, name.clone(), None).await,
        _ => Err(Problem::not_found("there is no such thing to do")),
    };
    done.map_err(missing(&desk, &person))?;
    Ok(Redirect::to(&format!("/flows/{}", super::parts::encoded(&name))))
}
