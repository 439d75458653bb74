//! `tandem bench calls`: what changed records and idle rounds cost in API calls, by the org's own counter.

use super::scene::Scene;
use super::{Measured, conclude};
use crate::demo::edits::choose;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, thousands};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tandem_connector::{Change, Lane, Outcome, Write};
use tandem_engine::{Engine, Quiet};
use tandem_merge::dataflow::{Kind, Side};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

/// Rounds without an edit.
const IDLE_ROUNDS: u64 = 10;
/// Calls of a round that asks for the changes of all types.
const IDLE_CALLS: u64 = 2;
/// Writes of Customerp in a call.
const BATCH: usize = 200;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem bench calls
  tandem bench calls --changes 2000 --json")]
pub(crate) struct Calls {
    /// How many records change
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    changes: u32,
}

impl Calls {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let customers = (self.changes / 3).max(20);
        screen.say(format!(
            "Setting up both systems with {} customers, and a first sync ...",
            thousands(customers.into())
        ));
        let org = ["--preset".to_owned(), "no-divisions".to_owned()];
        let mut scene = Scene::start(customers, &org, screen).await?;
        let mut measured = Vec::new();
        let mut engine = open(&scene).await?;
        rest(&mut engine).await?;
        // 25 to a call, and a few to see the changes and their echoes.
        let changes = u64::from(self.changes);
        let limit = changes.div_ceil(25) + 50;
        measured.push(self.change(&scene, &mut engine, "conditional", limit).await?);

        let before = scene.calls().await?;
        for _ in 0..IDLE_ROUNDS {
            engine.round().await?;
        }
        let idle = scene.calls().await? - before;
        measured.push(Measured::new(
            format!("{IDLE_ROUNDS} idle rounds, all types polled"),
            idle,
            IDLE_ROUNDS * IDLE_CALLS,
        ));
        drop(engine);

        scene.configuration.connections[1].writes.throughput = true;
        let mut engine = open(&scene).await?;
        rest(&mut engine).await?;
        let limit = changes.div_ceil(1_000) + 5;
        measured.push(self.change(&scene, &mut engine, "throughput", limit).await?);
        Ok(conclude(screen, &measured, json!({ "changes": changes })))
    }

    /// Changes records in Customerp, syncs, and counts the org's calls.
    async fn change(
        &self,
        scene: &Scene,
        engine: &mut Engine,
        mode: &str,
        limit: u64,
    ) -> Result<Measured, Failure> {
        let writes = self.writes(engine, mode).await?;
        let customerp = Arc::clone(&engine.systems()[0]);
        for batch in writes.chunks(BATCH) {
            for outcome in customerp.write(batch, Lane::Live).await {
                if !matches!(outcome, Outcome::Applied { .. }) {
                    let what = format!("a record could not be changed: {outcome:?}");
                    return Err(Failure::trouble(what, "Run it again"));
                }
            }
        }
        let before = scene.calls().await?;
        let summary = rest(engine).await?;
        let calls = scene.calls().await? - before;
        let written = summary.written.get(&engine.flows().systems[1]);
        let written = written.copied().unwrap_or_default();
        if written < u64::from(self.changes) {
            let what = format!("of {} changed records {written} were written", self.changes);
            return Err(Failure::trouble(what, "Run it again"));
        }
        let what = format!("{} changed records, {mode}", thousands(u64::from(self.changes)));
        Ok(Measured::new(what, calls, limit))
    }

    /// Changes of linked records, spread over the flows in their order.
    async fn writes(&self, engine: &mut Engine, mode: &str) -> Result<Vec<Write>, Failure> {
        let flows = engine.flows().clone();
        let schemas = loading::describe(&engine.systems().clone()).await?;
        let wanted = usize::try_from(self.changes).unwrap_or(usize::MAX);
        let mut writes: Vec<Write> = Vec::new();
        let mut types: BTreeSet<RecordType> = BTreeSet::new();
        for flow in &flows.flows {
            let end = flow.end(Side::First);
            let described = schemas[0].types.get(&end.record_type.name);
            let chosen = choose(flow, Side::First, described);
            let Some(mapping) = chosen.filter(|mapping| mapping.kind == Kind::String) else {
                continue;
            };
            // A record type may take part in several flows; its records change once.
            if !types.insert(end.record_type.clone()) {
                continue;
            }
            let links = engine.store().links(Some(&flow.name), 0, wanted)?;
            for link in links.into_iter().take(wanted - writes.len()) {
                let intent = writes.len() as u64 + 1;
                let value = Value::text(format!("{mode} {intent}"));
                writes.push(Write {
                    intent,
                    key: format!("bench-{mode}-{intent}"),
                    change: Change::Update {
                        record: link.first,
                        values: [(mapping.property(Side::First).to_owned(), value)].into(),
                        only_if: None,
                    },
                });
            }
        }
        if writes.len() < wanted {
            let what = format!("only {} records can be changed", writes.len());
            return Err(Failure::trouble(what, "Ask for fewer with --changes"));
        }
        Ok(writes)
    }
}

async fn open(scene: &Scene) -> Result<Engine, Failure> {
    let store = loading::state(scene.folder(), &loading::keys(&scene.configuration)?)?;
    let parts = loading::parts(
        &scene.configuration,
        Box::new(store),
        Arc::new(Quiet),
        Some(scene.folder()),
    );
    Ok(Engine::open(parts.await?).await?)
}

/// Syncs until nothing moves, and what is read again for a while is read.
async fn rest(engine: &mut Engine) -> Result<tandem_engine::Summary, Failure> {
    let summary = engine.sync().await?;
    match summary.troubles.first() {
        Some(trouble) => Err(trouble.clone().into()),
        None => Ok(summary),
    }
}
