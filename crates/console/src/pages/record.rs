//! One record, side by side with its counterparts: why is this value here?

use super::layout::Sheet;
use super::parts::{
    ago, changes, marked, more, nothing, record_address, record_of, told, value, value_naming, what,
};
use super::{Desked, ROWS, Shown, missing, page};
use crate::access::Person;
use crate::desk::Desk;
use crate::http_api::{Asked, Named, key, unknown};
use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};
use tandem_api::look::ChangesOf;
use tandem_api::view::{Property, PropertyMember, Record, RecordName};

pub(super) async fn show(
    State(desk): Desked,
    person: Person,
    Named(address): Named<(String, String, String)>,
    asked: Asked,
) -> Shown {
    let fail = missing(&desk, &person);
    let key = key(address);
    let none = unknown(&key);
    let looked = desk.look(&person, move |looker| {
        let record = looker.record(&key, None)?;
        let of = ChangesOf {
            record: Some(key),
            ..ChangesOf::default()
        };
        let story = looker.changes(&of, asked.cursor.as_deref(), ROWS)?;
        Ok((record, story))
    });
    let (record, story) = looked.await.map_err(&fail)?;
    let Some(record) = record else {
        return Err(fail(none));
    };
    let now = Desk::moment();
    let name = &record.name;
    let called = name
        .name
        .clone()
        .unwrap_or_else(|| format!("{} {}", name.record_type, name.id));
    let address = record_address(&name.system, &name.record_type, &name.id);
    let body = html! {
        (head(&record, &called, now))
        (waits(&record, now))
        (sides(&record, &desk.window.flows().systems, now))
        section.card {
            h2 { "What happened to it and to all that is linked with it" }
            @if story.rows.is_empty() { (nothing("Nothing yet.")) }
            @else { div.scroll { (changes(&story.rows, now, true)) } }
            (more(&story, &address))
        }
    };
    Ok(page(Sheet::new(&desk, &person, &called, "").live().with(&body)))
}

fn head(record: &Record, called: &str, now: Timestamp) -> Markup {
    let gone = match record.presence.as_str() {
        "alive" => None,
        "missing" => Some("out of sight"),
        other => Some(other),
    };
    html! {
        section.title { div {
            p.small { (record.name.system) " · " (record.name.record_type) " · " span.key { (record.name.id) } }
            h1 { (called) }
            p {
                @if let Some(gone) = gone { span.state.bad { span.mark aria-hidden="true" { "!" } " " (gone) } " · " }
                @if let Some(at) = record.changed { (if gone.is_some() { "changed " } else { "Changed " }) (ago(at, now)) }
                @if let Some(by) = &record.by { " by " (by) }
            }
            ul.links { @for link in &record.links { li {
                "linked with " (linked_with(&link.other)) " in "
                a href={ "/flows/" (link.flow) } { (link.flow) } " since " (ago(link.since, now))
            } } }
            @if record.links.is_empty() { p.small { "It is linked with nothing." } }
            @for flow in &record.suppressed { p.small { "Neither linked nor created again in " (flow) "." } }
        } }
    }
}

fn linked_with(other: &RecordName) -> Markup {
    record_of(
        [&other.system, &other.record_type, &other.id],
        other.name.as_deref(),
        "",
    )
}

fn waits(record: &Record, now: Timestamp) -> Markup {
    html! {
        @if !record.waits.is_empty() {
            section.card.attention {
                h2 { "What waits" }
                ul.waits { @for waiting in &record.waits { li {
                    p { strong { (waiting.about) } ": " (marked(&waiting.reason)) "." }
                    p.advice { (told(&waiting.advice)) }
                    p.small { "since " (ago(waiting.since, now)) " · " (waiting.who) " can mend it" }
                } } }
            }
        }
    }
}

/// All that is kept in step, with what each side holds.
fn sides(record: &Record, [one, two]: &[String; 2], now: Timestamp) -> Markup {
    html! {
        section.card {
            h2 { "Side by side" }
            @if record.properties.is_empty() { (nothing("Nothing of it is kept in step.")) }
            @else { div.scroll { table.sides {
                thead { tr {
                    th scope="col" { (one) } th scope="col" { (two) } th scope="col" { "Stands" } th scope="col" { "Why" }
                } }
                tbody { @for property in in_order(&record.properties) { tr {
                    td { span.label { (one) } (of_system(property, one)) }
                    td { span.label { (two) } (of_system(property, two)) }
                    td.stands { (stands(property)) }
                    td.why { (why(property, now)) }
                } } }
            } } }
        }
    }
}

/// What is not in step first, then what changed last.
fn in_order(properties: &[Property]) -> Vec<&Property> {
    let mut all: Vec<&Property> = properties.iter().collect();
    let fine = |property: &Property| property.members.iter().all(|member| member.stands == "in step");
    all.sort_by_key(|property| (fine(property), std::cmp::Reverse(property.last_change)));
    all
}

fn of_system(property: &Property, system: &str) -> Markup {
    let own: Vec<&PropertyMember> = property
        .members
        .iter()
        .filter(|member| member.system == system)
        .collect();
    let several = own.len() > 1;
    html! {
        @for member in own {
            div.member {
                span.prop { (member.property) } " "
                @if several { span.small.key { (member.record.split_once(' ').map_or("", |(_, rest)| rest)) } }
                div { (value_naming(member.value.as_deref(), member.names.as_ref())) }
                @if let Some(base) = member.base.as_ref().filter(|base| base.value != member.value) {
                    div.small { "agreed on " (value(base.value.as_deref())) }
                }
            }
        }
    }
}

fn stands(property: &Property) -> Markup {
    let mut words: Vec<&str> = property
        .members
        .iter()
        .map(|member| member.stands.as_str())
        .collect();
    words.sort_unstable();
    words.dedup();
    let fine = words == ["in step"];
    let asked = property.asked;
    html! {
        @if fine { span.state.good { span.mark aria-hidden="true" { "✓" } " in step" } }
        @else {
            @for member in property.members.iter().filter(|member| member.stands != "in step") {
                div {
                    span.state.warn { span.mark aria-hidden="true" { "!" } " " (member.stands) }
                    " " span.small { (member.system) }
                    @if let Some(why) = &member.waits { div.small { (why) } }
                }
            }
        }
        @if asked { a.chip href="/inbox?standing=conflict" { "answer it" } }
        @if property.one_way { div.small { "travels one way" } }
    }
}

fn why(property: &Property, now: Timestamp) -> Markup {
    html! {
        @match (&property.line, &property.head) {
            (Some(line), head) => {
                (what(line))
                @if let Some(head) = head { " · " (ago(head.at, now)) }
                @if let Some(why) = &property.why { div.small { (why) } }
            },
            (None, Some(head)) => {
                @match &head.from { Some(from) => { "as it was in " (from) }, None => { "given by a person" } }
                " · " (ago(head.at, now))
            },
            (None, None) => span.small { "nothing has flowed yet" },
        }
    }
}
