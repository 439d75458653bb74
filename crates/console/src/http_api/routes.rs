//! What programs can ask for.

mod beside;

use super::asked::{
    AnswerSaid, ApprovalSaid, Asked, IgnoreSaid, Named, RetrySaid, Said, UndoSaid, UnlinkSaid,
};
use super::{Route, schema_of};
use crate::access::Person;
use crate::act::Acted;
use crate::desk::Desk;
use crate::live;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tandem_api::look::{ChangesOf, ItemsOf, Over};
use tandem_api::view::{
    Answering, Change, Conflict, Course, FlowPage, Item, ItemGroup, Link, Overview, Page, Record, RecordName,
    Run, Undo,
};
use tandem_api::{Choice, Command, RecordKey, RecordType, Selection};

type Desked = State<Arc<Desk>>;
type Answer<T> = Result<Json<T>, Problem>;

const PAGED: &[&str] = &["cursor", "limit"];

fn looks<T: JsonSchema>(
    path: &'static str,
    summary: &'static str,
    query: &'static [&'static str],
    handler: MethodRouter<Arc<Desk>>,
) -> Route {
    Route {
        method: Method::GET,
        path,
        summary,
        query,
        body: None,
        optional: true,
        answer: Some(schema_of::<T>),
        handler,
    }
}

fn acts<B: JsonSchema + DeserializeOwned, T: JsonSchema>(
    path: &'static str,
    summary: &'static str,
    handler: MethodRouter<Arc<Desk>>,
) -> Route {
    Route {
        method: Method::POST,
        path,
        summary,
        query: &[],
        body: Some(schema_of::<B>),
        optional: serde_json::from_str::<B>("{}").is_ok(),
        answer: Some(schema_of::<T>),
        handler,
    }
}

/// All of them.
pub(crate) fn routes() -> Vec<Route> {
    let mut all = looking();
    all.extend(acting());
    all.extend(beside::routes());
    all.push(Route {
        method: Method::GET,
        path: "/events",
        summary: "What happens from now on (or after a line), as server-sent events named `change`",
        query: &["after"],
        body: None,
        optional: true,
        answer: None,
        handler: get(live::events),
    });
    all
}

fn looking() -> Vec<Route> {
    vec![
        looks::<Overview>("/overview", "How everything stands", &[], get(overview)),
        looks::<Course>(
            "/course",
            "How things went over a day, a week or a month, by flow",
            &["over"],
            get(course),
        ),
        looks::<Vec<Answering>>(
            "/systems",
            "How the systems answer, since the start of the process",
            &[],
            get(systems),
        ),
        looks::<FlowPage>(
            "/flows/{flow}",
            "A flow with its properties and policies",
            &[],
            get(flow),
        ),
        looks::<Page<Link>>(
            "/links",
            "Links, newest first",
            &["flow", "cursor", "limit"],
            get(links),
        ),
        looks::<Page<RecordName>>(
            "/records",
            "Records that contain a text in their id or in a value",
            &["q", "cursor", "limit"],
            get(find),
        ),
        looks::<Record>(
            "/records/{system}/{type}/{id}",
            "A record side by side with its counterparts, and why each value is what it is",
            &[],
            get(record),
        ),
        looks::<Page<Change>>(
            "/records/{system}/{type}/{id}/changes",
            "What happened to a record and to all that is linked with it, newest first",
            PAGED,
            get(changes_of),
        ),
        looks::<Page<Item>>(
            "/items",
            "What waits: conflicts, parked work, approvals, what is deferred or listed",
            &["standing", "kind", "flow", "ignored", "cursor", "limit"],
            get(items),
        ),
        looks::<Vec<ItemGroup>>("/groups", "What waits, by its kind", &["flow"], get(groups)),
        looks::<Item>("/items/{item}", "One thing that waits", &[], get(item)),
        looks::<Conflict>("/conflicts/{item}", "A conflict in full", &[], get(conflict)),
        looks::<Page<Change>>(
            "/changes",
            "What happened, newest first",
            &["flow", "run", "event", "trace", "cursor", "limit"],
            get(changes),
        ),
        looks::<Page<Run>>(
            "/runs",
            "Syncs, rounds and commands, newest first",
            PAGED,
            get(runs),
        ),
        looks::<Run>("/runs/{run}", "One of them", &[], get(run)),
    ]
}

fn acting() -> Vec<Route> {
    vec![
        acts::<ApprovalSaid, Acted>("/items/{item}/approve", "Let an item go ahead", post(approve)),
        acts::<IgnoreSaid, Acted>("/items/{item}/ignore", "Leave an item out", post(ignore)),
        acts::<Nothing, Acted>("/items/{item}/retry", "Try an item's record again", post(retry)),
        acts::<RetrySaid, Acted>(
            "/retry",
            "Try everything parked of a kind again",
            post(retry_kind),
        ),
        acts::<AnswerSaid, Acted>("/conflicts/{item}/resolve", "Answer a conflict", post(resolve)),
        acts::<ApprovalSaid, Acted>(
            "/flows/{flow}/approve",
            "Let all that waits in a flow go ahead",
            post(approve_flow),
        ),
        acts::<Nothing, Acted>("/flows/{flow}/pause", "Let a flow rest", post(pause)),
        acts::<Nothing, Acted>("/flows/{flow}/resume", "Let a paused flow go on", post(resume)),
        acts::<Nothing, Acted>(
            "/systems/{system}/approve",
            "Believe a system again that a guard stopped",
            post(approve_system),
        ),
        acts::<UndoSaid, Undo>(
            "/runs/{run}/undo",
            "Take a run back, or tell what that would come to",
            post(undo_run),
        ),
        acts::<UndoSaid, Undo>(
            "/changes/{change}/undo",
            "Take a line of the history back, or tell what that would come to",
            post(undo_change),
        ),
        acts::<UnlinkSaid, Acted>(
            "/records/{system}/{type}/{id}/unlink",
            "End a record's links",
            post(unlink),
        ),
    ]
}

/// Nothing is said.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn overview(State(desk): Desked, person: Person) -> Answer<Overview> {
    let seen = desk
        .look(&person, |looker| looker.overview(Desk::moment()))
        .await?;
    Ok(Json(seen))
}

async fn flow(State(desk): Desked, person: Person, Named(name): Named<String>) -> Answer<FlowPage> {
    let none = Problem::not_found(format!("no flow is called `{name}`"));
    let seen = desk.look(&person, move |looker| looker.flow(&name)).await?;
    seen.map(Json).ok_or(none)
}

async fn links(State(desk): Desked, person: Person, asked: Asked) -> Answer<Page<Link>> {
    let look = desk.look(&person, move |looker| {
        looker.links(asked.flow.as_deref(), asked.cursor.as_deref(), asked.rows())
    });
    Ok(Json(look.await?))
}

async fn find(State(desk): Desked, person: Person, asked: Asked) -> Answer<Page<RecordName>> {
    let text = asked.q.clone().filter(|text| !text.trim().is_empty());
    let Some(text) = text else {
        return Err(Problem::bad("nothing says what to look for").advised("Add `q=TEXT`"));
    };
    let look = desk.look(&person, move |looker| {
        looker.find(&text, asked.cursor.as_deref(), asked.rows(), Desk::patience())
    });
    Ok(Json(look.await?))
}

async fn course(State(desk): Desked, person: Person, asked: Asked) -> Answer<Course> {
    let over = asked.over()?.unwrap_or(Over::Week);
    let look = desk.look(&person, move |looker| looker.course(Desk::moment(), over));
    Ok(Json(look.await?))
}

async fn systems(State(desk): Desked, _: Person) -> Answer<Vec<Answering>> {
    let now = desk.now();
    let systems = desk.window.flows().systems.iter();
    Ok(Json(systems.map(|system| now.answering(system)).collect()))
}

/// A record as an address names it.
type Address = (String, String, String);

pub(crate) fn key((system, name, id): Address) -> RecordKey {
    RecordKey {
        record_type: RecordType::new(system, name),
        id,
    }
}

pub(crate) fn unknown(key: &RecordKey) -> Problem {
    Problem::not_found(format!("no record is known as {key}"))
}

async fn record(State(desk): Desked, person: Person, Named(address): Named<Address>) -> Answer<Record> {
    let key = key(address);
    let none = unknown(&key);
    let seen = desk
        .look(&person, move |looker| looker.record(&key, None))
        .await?;
    seen.map(Json).ok_or(none)
}

async fn changes_of(
    State(desk): Desked,
    person: Person,
    Named(address): Named<Address>,
    asked: Asked,
) -> Answer<Page<Change>> {
    let of = ChangesOf {
        record: Some(key(address)),
        ..ChangesOf::default()
    };
    let look = desk.look(&person, move |looker| {
        looker.changes(&of, asked.cursor.as_deref(), asked.rows())
    });
    Ok(Json(look.await?))
}

async fn items(State(desk): Desked, person: Person, asked: Asked) -> Answer<Page<Item>> {
    let of = ItemsOf {
        standing: asked.standing.clone(),
        kind: asked.kind.clone(),
        flow: asked.flow.clone(),
        for_people: false,
        ignored: asked.ignored,
    };
    let look = desk.look(&person, move |looker| {
        looker.items(&of, asked.cursor.as_deref(), asked.rows())
    });
    Ok(Json(look.await?))
}

async fn groups(State(desk): Desked, person: Person, asked: Asked) -> Answer<Vec<ItemGroup>> {
    let of = ItemsOf {
        flow: asked.flow,
        ..ItemsOf::default()
    };
    let seen = desk.look(&person, move |looker| looker.item_groups(&of)).await?;
    Ok(Json(seen))
}

async fn item(State(desk): Desked, person: Person, Named(number): Named<u64>) -> Answer<Item> {
    Ok(Json(desk.item(&person, number).await?))
}

async fn conflict(State(desk): Desked, person: Person, Named(number): Named<u64>) -> Answer<Conflict> {
    let none = Problem::not_found(format!("no conflict waits under the number {number} any more"));
    let seen = desk.look(&person, move |looker| looker.conflict(number)).await?;
    seen.map(Json).ok_or(none)
}

async fn changes(State(desk): Desked, person: Person, asked: Asked) -> Answer<Page<Change>> {
    let of = ChangesOf {
        flow: asked.flow.clone(),
        run: asked.run,
        record: None,
        event: asked.event.clone(),
        trace: asked.trace()?,
    };
    let look = desk.look(&person, move |looker| {
        looker.changes(&of, asked.cursor.as_deref(), asked.rows())
    });
    Ok(Json(look.await?))
}

async fn runs(State(desk): Desked, person: Person, asked: Asked) -> Answer<Page<Run>> {
    let look = desk.look(&person, move |looker| {
        looker.runs(asked.cursor.as_deref(), asked.rows())
    });
    Ok(Json(look.await?))
}

async fn run(State(desk): Desked, person: Person, Named(number): Named<u64>) -> Answer<Run> {
    let seen = desk.look(&person, move |looker| looker.run(number)).await?;
    let none = || Problem::not_found(format!("there is no run {number}"));
    seen.map(Json).ok_or_else(none)
}

async fn approve(
    State(desk): Desked,
    person: Person,
    Named(item): Named<u64>,
    Said(said): Said<ApprovalSaid>,
) -> Answer<Acted> {
    Ok(Json(desk.approve(&person, item, said.verdict).await?))
}

async fn ignore(
    State(desk): Desked,
    person: Person,
    Named(item): Named<u64>,
    Said(said): Said<IgnoreSaid>,
) -> Answer<Acted> {
    Ok(Json(desk.ignore(&person, vec![item], said.until).await?))
}

async fn retry(
    State(desk): Desked,
    person: Person,
    Named(item): Named<u64>,
    Said(Nothing {}): Said<Nothing>,
) -> Answer<Acted> {
    Ok(Json(desk.retry(&person, &[item]).await?))
}

async fn retry_kind(State(desk): Desked, person: Person, Said(said): Said<RetrySaid>) -> Answer<Acted> {
    Ok(Json(
        desk.retry_kind(&person, &said.kind.0, said.flow.map(|flow| flow.0))
            .await?,
    ))
}

async fn resolve(
    State(desk): Desked,
    person: Person,
    Named(item): Named<u64>,
    Said(said): Said<AnswerSaid>,
) -> Answer<Acted> {
    let choice = match said {
        AnswerSaid::Record(record) => {
            Choice::Record(key((record.system.0, record.record_type.0, record.id.0)))
        }
        AnswerSaid::Head(_) => Choice::Head,
        AnswerSaid::Value(value) => Choice::Text(value.0),
    };
    let mut acted = desk.resolve(&person, vec![(item, choice)]).await?;
    match acted.refused.pop() {
        Some(why) if acted.done == 0 => Err(tandem_api::Refused::usage(why, "").into()),
        _ => Ok(Json(acted)),
    }
}

async fn approve_flow(
    State(desk): Desked,
    person: Person,
    Named(flow): Named<String>,
    Said(said): Said<ApprovalSaid>,
) -> Answer<Acted> {
    Ok(Json(desk.approve_flow(&person, flow, said.verdict).await?))
}

async fn pause(
    State(desk): Desked,
    person: Person,
    Named(flow): Named<String>,
    Said(Nothing {}): Said<Nothing>,
) -> Answer<Acted> {
    Ok(Json(desk.rest(&person, flow, true).await?))
}

async fn resume(
    State(desk): Desked,
    person: Person,
    Named(flow): Named<String>,
    Said(Nothing {}): Said<Nothing>,
) -> Answer<Acted> {
    Ok(Json(desk.rest(&person, flow, false).await?))
}

async fn approve_system(
    State(desk): Desked,
    person: Person,
    Named(system): Named<String>,
    Said(Nothing {}): Said<Nothing>,
) -> Answer<Acted> {
    Ok(Json(desk.approve_system(&person, system).await?))
}

async fn undo_run(
    State(desk): Desked,
    person: Person,
    Named(run): Named<u64>,
    Said(said): Said<UndoSaid>,
) -> Answer<Undo> {
    let selection = Selection {
        run: Some(run),
        ..Selection::default()
    };
    let what = format!("run {run}");
    Ok(Json(desk.undo(&person, selection, what, said.carry_out).await?))
}

async fn undo_change(
    State(desk): Desked,
    person: Person,
    Named(change): Named<u64>,
    Said(said): Said<UndoSaid>,
) -> Answer<Undo> {
    let selection = Selection {
        line: Some(change),
        ..Selection::default()
    };
    let what = format!("change {change}");
    Ok(Json(desk.undo(&person, selection, what, said.carry_out).await?))
}

async fn unlink(
    State(desk): Desked,
    person: Person,
    Named(address): Named<Address>,
    Said(said): Said<UnlinkSaid>,
) -> Answer<Acted> {
    let command = Command::Unlink {
        record: key(address),
        flow: said.flow.map(|flow| flow.0),
    };
    desk.act(&person, command).await?;
    Ok(Json(Acted::well(1)))
}
