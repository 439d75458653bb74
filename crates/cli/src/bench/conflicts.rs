//! `tandem bench conflicts`: what records edited on both sides cost in time, against the same edits without
//! conflicts.

use super::edits::{self, Edit};
use super::engine::{open, rest};
use super::scene::{Lab, Scene};
use super::{Measured, conclude};
use crate::demo::people::People;
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use serde_json::json;
use std::time::Instant;
use tandem_engine::Engine;
use tandem_ledger::LinkRow;
use tandem_merge::dataflow::{ConflictPolicy, Dataflow, Side};
use tandem_merge::value::Value;

/// The flow whose records are edited, and two of its free texts.
const FLOW: &str = "contact-contact";
const TEXTS: [[&str; 2]; 2] = [["description", "Description"], ["title", "Title"]];
/// With conflicts at most so many percent of the time without.
const LIMIT: u64 = 200;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Every record is edited on both sides before each sync: first in two properties, so that nothing conflicts, then in
the same one. Both are measured in one run, so the figure is a ratio.

Examples:
  tandem bench conflicts
  tandem bench conflicts --records 2000 --json")]
pub(super) struct Conflicts {
    /// How many records are edited on both sides
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
}

impl Conflicts {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        // The generator makes twelve contacts for ten customers.
        let customers = (self.records.saturating_mul(10) / 12 + 10).max(20);
        screen.say(format!(
            "Setting up both systems with {} customers, and a first sync ...",
            thousands(customers.into())
        ));
        let org = ["--preset".to_owned(), "no-divisions".to_owned()];
        let mut scene = Scene::start(&Lab::of(customers, &org), screen).await?;
        contacts_alone(&mut scene.configuration.dataflow);
        let mut engine = open(&scene.configuration, scene.folder()).await?;
        rest(&mut engine).await?;
        let wanted = usize::try_from(self.records).unwrap_or(usize::MAX);
        let mut links = engine.store().links(Some(FLOW), 0, wanted)?;
        links.truncate(wanted);
        if links.len() < wanted {
            let what = format!("only {} records can be edited", links.len());
            return Err(Failure::trouble(what, "Ask for fewer with --records"));
        }
        let people = scene.people().await?;
        let apart = edit(&mut engine, &people, &links, "apart", [0, 1]).await?;
        screen.say(format!("without conflicts: {apart} ms"));
        let before = conflicts(&mut engine)?;
        let together = edit(&mut engine, &people, &links, "together", [0, 0]).await?;
        screen.say(format!("with conflicts: {together} ms"));
        let met = conflicts(&mut engine)? - before;
        if met < u64::from(self.records) {
            let what = format!("of {} conflicts {met} were met", self.records);
            return Err(Failure::trouble(what, "Run it again"));
        }
        let measured = [Measured::new(
            format!(
                "{} records edited on both sides, in percent of the time without conflicts",
                thousands(met)
            ),
            together * 100 / apart.max(1),
            LIMIT,
        )];
        let more = json!({ "records": self.records, "apart_ms": apart, "together_ms": together });
        Ok(conclude(screen, &measured, more))
    }
}

/// Edits every record on both sides, each in its own text, and times the sync that follows, in milliseconds.
async fn edit(
    engine: &mut Engine,
    people: &People,
    links: &[LinkRow],
    mark: &str,
    texts: [usize; 2],
) -> Result<u64, Failure> {
    let Some(flow) = engine.flows().flow(FLOW).cloned() else {
        return Err(Failure::trouble(
            format!("there is no flow {FLOW}"),
            "Run it again",
        ));
    };
    for side in Side::BOTH {
        let system = &engine.flows().systems[side.index()];
        let edits = links.iter().enumerate().map(|(place, link)| Edit {
            side,
            end: flow.end(side).clone(),
            id: link.end(side).id.clone(),
            property: TEXTS[texts[side.index()]][side.index()].to_owned(),
            value: Value::text(format!("{mark} {place} in {system}")),
        });
        let edits: Vec<Edit> = edits.collect();
        edits::carry(people, &edits).await?;
    }
    let began = Instant::now();
    rest(engine).await?;
    Ok(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// What contacts need and nothing else, under the policy that decides by itself.
fn contacts_alone(flows: &mut Dataflow) {
    let needed = [FLOW, "customer-division", "customer-account"];
    flows.flows.retain(|flow| needed.contains(&flow.name.as_str()));
    for flow in &mut flows.flows {
        flow.conflict = ConflictPolicy::Latest;
    }
}

fn conflicts(engine: &mut Engine) -> Result<u64, Failure> {
    let status = engine.status()?;
    Ok(status.flows.get(FLOW).map_or(0, |flow| flow.conflicts))
}
