//! What waits for people, by its reason, with the fix in words and one act for many.

mod approve;

use super::layout::Sheet;
use super::parts::{ago, count, encoded, more, nothing, number, record_of, told, value, value_naming};
use super::{Desked, Missing, ROWS, Shown, missing, page};
use crate::access::{Person, Role};
use crate::act::{Acted, choice};
use crate::desk::Desk;
use crate::http_api::Asked;
use crate::problem::Problem;
use axum::Form;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::{Markup, html};
use tandem_api::look::ItemsOf;
use tandem_api::view::{Conflict, Item, ItemGroup, Page};

/// What is shown of the inbox.
#[derive(Clone, Debug, Default)]
struct Choice {
    kind: Option<String>,
    standing: Option<String>,
    flow: Option<String>,
}

impl Choice {
    fn of(asked: &Asked) -> Self {
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Self {
            kind: some(&asked.kind),
            standing: some(&asked.standing),
            flow: some(&asked.flow),
        }
    }

    fn address(&self) -> String {
        let parts = [
            ("kind", &self.kind),
            ("standing", &self.standing),
            ("flow", &self.flow),
        ];
        let parts = parts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let parts: Vec<String> = parts
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        format!("/inbox?{}", parts.join("&"))
    }

    /// What is chosen by its meaning, by its kind where all of that meaning are of one.
    fn narrowed(mut self, groups: &[ItemGroup]) -> Self {
        let mut of = groups
            .iter()
            .filter(|group| Some(&group.standing) == self.standing.as_ref());
        if let (None, Some(only), None) = (&self.kind, of.next(), of.next()) {
            self.kind = Some(only.kind.clone());
        }
        self
    }

    fn items(&self) -> ItemsOf {
        ItemsOf {
            standing: self.standing.clone(),
            kind: self.kind.clone(),
            flow: self.flow.clone(),
            for_people: self.kind.is_none() && self.standing.is_none(),
            ignored: false,
        }
    }
}

/// What waits, with the question where it is a conflict.
type Row = (Item, Option<Conflict>);

pub(super) async fn show(State(desk): Desked, person: Person, asked: Asked) -> Shown {
    let chosen = Choice::of(&asked);
    let of = chosen.items();
    let groups_of = ItemsOf {
        flow: chosen.flow.clone(),
        ..ItemsOf::default()
    };
    let looked = desk.look(&person, move |looker| {
        let groups = looker.item_groups(&groups_of)?;
        let items = looker.items(&of, asked.cursor.as_deref(), ROWS)?;
        let mut rows: Vec<Row> = Vec::new();
        for item in items.rows {
            let question = match item.standing == "conflict" {
                true => looker.question(item.item)?,
                false => None,
            };
            rows.push((item, question));
        }
        let next = items.next;
        Ok((groups, Page { rows, next }))
    });
    let (groups, rows) = looked.await.map_err(missing(&desk, &person))?;
    let chosen = chosen.narrowed(&groups);
    let may = person.role >= Role::Operator;
    let body = html! {
        section.title { div {
            h1 { "Inbox" }
            p.small {
                "What waits for people, by its reason."
                @if may { span.keys { " Keys: " kbd { "j" } " " kbd { "k" } " move, " kbd { "x" } " choose, " kbd { "1" } " "
                    kbd { "2" } " answer a conflict, " kbd { "r" } " retry, " kbd { "a" } " approve, " kbd { "i" } " ignore." } }
            }
        } }
        div.inbox {
            (kinds(&groups, &chosen))
            (list(&rows, &chosen, &groups, may, &desk.window.flows().systems))
        }
    };
    Ok(page(
        Sheet::new(&desk, &person, "Inbox", "/inbox").live().with(&body),
    ))
}

fn kinds(groups: &[ItemGroup], chosen: &Choice) -> Markup {
    let address = |kind: &str| {
        let kind = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
        let flow = chosen.flow.clone();
        let chosen = Choice {
            kind,
            standing: None,
            flow,
        };
        chosen.address()
    };
    let waits = groups
        .iter()
        .filter(|group| !matches!(group.standing.as_str(), "deferred" | "listed"));
    let people: u64 = waits.map(|group| group.count).sum();
    html! {
        nav.kinds aria-label="Reasons" {
            @if let Some(flow) = &chosen.flow { p.small { "Of " (flow) " alone. " a href="/inbox" { "Show all" } } }
            a href=(address("")) aria-current=[(chosen.kind.is_none() && chosen.standing.is_none()).then_some("true")] {
                span { "All that waits for people" } span.badge { (number(people)) }
            }
            @for group in groups {
                a class={ (group.standing) } href=(address(&group.kind)) aria-current=[(chosen.kind.as_deref() == Some(&group.kind)).then_some("true")] {
                    span { (group.title) } span.badge { (number(group.count)) }
                }
            }
        }
    }
}

fn list(rows: &Page<Row>, chosen: &Choice, groups: &[ItemGroup], may: bool, systems: &[String; 2]) -> Markup {
    let group = groups
        .iter()
        .find(|group| Some(&group.kind) == chosen.kind.as_ref());
    let now = Desk::moment();
    html! {
        form.items method="post" action=(chosen.address()) {
            @if let Some(group) = group {
                div.fix {
                    h2 { (group.title) }
                    p { (told(&group.fix)) }
                    p.small { (count(group.count, "item", "items")) ", the oldest since " (ago(group.since, now)) }
                    @if may && group.standing == "parked" {
                        button name="act" value="retry-kind" { (all("Retry", group.count)) }
                    }
                    @if may && group.standing == "approval" {
                        button name="act" value="approve-kind" { (all("Approve", group.count)) " …" }
                    }
                }
            }
            @if rows.rows.is_empty() { (nothing("Nothing waits here.")) }
            @else {
                @if may { (acts(&rows.rows, systems)) }
                ul.cards { @for (item, question) in &rows.rows { (card(item, question.as_ref(), may, now)) } }
            }
            (more(rows, &chosen.address()))
        }
    }
}

/// An act on all of a kind.
fn all(act: &str, many: u64) -> String {
    match many {
        1 => format!("{act} it"),
        many => format!("{act} all {}", number(many)),
    }
}

/// What can be done with the chosen ones.
fn acts(rows: &[Row], systems: &[String; 2]) -> Markup {
    let any = |standing: &str| rows.iter().any(|(item, _)| item.standing == standing);
    html! {
        div.bulk {
            label.scripted { input type="checkbox" data-all; " all on this page" }
            @if any("parked") { button name="act" value="retry" data-key="r" { "Retry" } }
            @if any("approval") {
                button name="act" value="approve" data-key="a" { "Approve" }
                (approve::fates(rows.iter().map(|(item, _)| item)))
            }
            @if any("conflict") {
                @for system in systems { button name="act" value={ "answer:" (system) } { (system) " wins" } }
            }
            button.quiet name="act" value="ignore" data-key="i" { "Ignore" }
        }
    }
}

fn card(item: &Item, question: Option<&Conflict>, may: bool, now: Timestamp) -> Markup {
    let about = match (&item.property, &item.role, &item.flow) {
        (Some(property), ..) => format!(".{property}"),
        (None, Some(role), _) => format!(" (companion {role})"),
        (None, None, Some(flow)) => format!(" (in {flow})"),
        (None, None, None) => String::new(),
    };
    html! {
        li.item tabindex="-1" data-item=(item.item) {
            @if may { input type="checkbox" name="item" value=(item.item) aria-label={ "choose item " (item.item) }; }
            div {
                p.head {
                    span class={ "chip " (item.standing) } { (item.kind) } " "
                    (record_of([&item.system, &item.record_type, &item.id], item.name.as_deref(), &about))
                    span.small { " · item " (item.item) " · " (ago(item.since, now)) }
                }
                @match question {
                    Some(question) => (contenders(item, question, may, now)),
                    None => {
                        p { (told(&item.reason)) }
                        @if !(item.advice.is_empty() || may && said_by_buttons(item)) { p.advice { (told(&item.advice)) } }
                    },
                }
                p.small {
                    @if let Some(who) = &item.who { (can(item)) " " (who) "." }
                    @if let Some(policy) = question.and_then(|question| question.policy.as_ref()) { " Policy: " (policy) "." }
                }
            }
        }
    }
}

/// What is asked of whoever can do something about it.
fn can(item: &Item) -> &'static str {
    match item.standing.as_str() {
        "conflict" => "Can be answered by:",
        "approval" => "Can be approved by:",
        _ => "Can be mended by:",
    }
}

/// Whether the advice names the command that does what the buttons do.
fn said_by_buttons(item: &Item) -> bool {
    item.standing == "approval" && item.advice.starts_with("tandem approve")
}

fn contenders(item: &Item, question: &Conflict, may: bool, now: Timestamp) -> Markup {
    html! {
        div.contenders {
            @for (place, says) in question.says.iter().enumerate() {
                div.says {
                    p.small { (says.system.as_deref().unwrap_or("the value known so far"))
                        @if let Some(id) = &says.id { " " span.key { (says.record_type.as_deref().unwrap_or_default()) " " (id) } } }
                    p.big { (value_naming(says.value.as_deref(), says.names.as_ref())) }
                    p.small {
                        @if says.base.is_some() { span.was { "was: " (value(says.base.as_deref())) } }
                        "edited " (ago(says.to, now))
                        @if let Some(author) = &says.author { " by " (author) }
                    }
                    @if may {
                        button name="act" value={ "choose:" (item.item) ":" (place) } data-choice=(place + 1) {
                            "This holds " kbd { (place + 1) }
                        }
                    }
                }
            }
        }
    }
}

/// Does what a form says.
pub(super) async fn act(
    State(desk): Desked,
    person: Person,
    asked: Asked,
    Form(said): Form<Vec<(String, String)>>,
) -> Result<Response, Missing> {
    let chosen = Choice::of(&asked);
    let fail = missing(&desk, &person);
    let asks = said
        .iter()
        .any(|(name, act)| name == "act" && act == "approve-kind");
    if asks && !said.iter().any(|(name, _)| name == "last") {
        let asked = approve::ask(&desk, &person, &chosen).await;
        return Ok(asked.map_err(&fail)?.into_response());
    }
    let acted = carry_out(&desk, &person, &chosen, &said).await.map_err(&fail)?;
    if acted.refused.is_empty() {
        return Ok(Redirect::to(&chosen.address()).into_response());
    }
    Ok(outcome(&desk, &person, &acted, &chosen).into_response())
}

async fn carry_out(
    desk: &Desk,
    person: &Person,
    chosen: &Choice,
    said: &[(String, String)],
) -> Result<Acted, Problem> {
    let one = |name: &str| {
        said.iter()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.as_str())
    };
    let items = said.iter().filter(|(name, _)| name == "item");
    let items: Vec<u64> = items.filter_map(|(_, number)| number.parse().ok()).collect();
    let act = one("act").unwrap_or_default();
    if let Some(rest) = act.strip_prefix("choose:") {
        return choose(desk, person, rest).await;
    }
    if act == "retry-kind" {
        let kind = chosen.kind.as_deref().unwrap_or_default();
        return desk.retry_kind(person, kind, chosen.flow.clone()).await;
    }
    let fate = one("fate").unwrap_or_default();
    if act == "approve-kind" {
        let last = one("last").and_then(|last| last.parse().ok()).unwrap_or_default();
        return approve::all(desk, person, chosen, last, fate).await;
    }
    if items.is_empty() {
        return Err(
            Problem::bad("nothing is chosen").advised("Tick what it is to be done with, then try again")
        );
    }
    match act {
        "retry" => desk.retry(person, &items).await,
        "ignore" => desk.ignore(person, items, None).await,
        "approve" => desk.approve_many(person, items, approve::fate(fate)?).await,
        _ => match act.strip_prefix("answer:") {
            Some(system) => desk.resolve_by(person, &items, system).await,
            None => Err(Problem::bad("nothing says what to do")),
        },
    }
}

/// Answers one conflict with one of its contenders: `ITEM:PLACE`.
async fn choose(desk: &Desk, person: &Person, said: &str) -> Result<Acted, Problem> {
    let none = || Problem::bad("the answer names no conflict");
    let (item, place) = said.split_once(':').ok_or_else(none)?;
    let item: u64 = item.parse().map_err(|_| none())?;
    let place: usize = place.parse().map_err(|_| none())?;
    let found = desk.look(person, move |looker| looker.question(item)).await?;
    let says = found.and_then(|question| question.says.into_iter().nth(place));
    let choice = says
        .as_ref()
        .and_then(choice)
        .ok_or_else(|| Problem::not_found(format!("no conflict waits under the number {item} any more")))?;
    desk.resolve(person, vec![(item, choice)]).await
}

/// What was done, and why the rest was not.
fn outcome(desk: &Desk, person: &Person, acted: &Acted, chosen: &Choice) -> Html<String> {
    let body = html! {
        section.card.narrow {
            h1 { (count(acted.done, "is done", "are done")) ", " (number(acted.refused.len() as u64)) " not" }
            ul { @for why in &acted.refused { li { (told(why)) } } }
            p { a.button href=(chosen.address()) { "Back to the inbox" } }
        }
    };
    page(Sheet::new(desk, person, "Inbox", "/inbox").with(&body))
}
