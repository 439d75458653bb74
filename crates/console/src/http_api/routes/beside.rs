//! What programs can ask for beside the state: a plan, the configuration, the newest report of `tandem qa`.

use super::super::Route;
use super::super::asked::{Asked, PlanSaid, Said};
use super::{Answer, Desked, acts, looks};
use crate::access::Person;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use tandem_api::look::LinesOf;
use tandem_api::view::{Configuration, Plan, Qa};

/// All of them.
pub(super) fn routes() -> Vec<Route> {
    vec![
        looks::<Plan>(
            "/plan",
            "The newest plan: what the next round would do, line by line; and how far one is that is being made",
            &["flow", "action", "cursor", "limit"],
            get(plan),
        ),
        looks::<Configuration>(
            "/configuration",
            "The configuration in force, and how its files stand to it; no secret, only where each comes from",
            &[],
            get(configuration),
        ),
        looks::<Qa>("/qa", "What the newest `tandem qa` found", &[], get(qa)),
        acts::<PlanSaid, Plan>(
            "/plan",
            "Begin to make a plan, unless one is being made: both systems are read, and nothing is written",
            post(make_plan),
        ),
    ]
}

async fn plan(State(desk): Desked, person: Person, asked: Asked) -> Answer<Plan> {
    let of = LinesOf {
        flow: asked.flow.clone(),
        action: asked.action.clone(),
    };
    let rows = asked.rows();
    Ok(Json(desk.plan(&person, of, asked.cursor, rows).await?))
}

async fn make_plan(State(desk): Desked, person: Person, Said(said): Said<PlanSaid>) -> Answer<Plan> {
    desk.make_plan(&person, said.configuration)?;
    let all = LinesOf::default();
    Ok(Json(
        desk.plan(&person, all, None, Asked::default().rows()).await?,
    ))
}

async fn configuration(State(desk): Desked, _: Person) -> Answer<Configuration> {
    Ok(Json(desk.ask(|backstage| backstage.configuration()).await?))
}

async fn qa(State(desk): Desked, _: Person) -> Answer<Qa> {
    let found = desk.ask(|backstage| backstage.qa()).await??;
    found.map(Json).ok_or_else(no_report)
}

/// What is said where `tandem qa` has not run.
fn no_report() -> Problem {
    Problem::not_found("no report of `tandem qa` is kept beside this state").advised(
        "Stop `tandem run`, run `tandem qa`, and start it again; an org to try things in is the place for it",
    )
}
