//! `tandem bench incremental`: edits on both sides among many linked records, with their echoes, against the same edits
//! among few.

use super::engine::{open, rest};
use super::process::Taken;
use super::scene::Scene;
use super::{Data, Measured, conclude, edits};
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::time::Instant;
use tandem_merge::dataflow::Side;

/// CPU may be so many percent of that among few.
const LIMIT: u64 = 120;
/// SQL statements an edit, its echo and its settlement among them.
const STATEMENTS: u64 = 12;
/// Records that are generated for each edit, at least, so that there are enough of the types that are edited.
const RECORDS_PER_EDIT: u32 = 4;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Half of the edits are made in Customerp, half in Salesforce, each of another record; a sync carries them over and sees
its own writes. The same is done among four times as many records as there are edits.

Examples:
  tandem bench incremental
  tandem bench incremental --records 1000000 --edits 10000 --json")]
pub(super) struct Incremental {
    #[command(flatten)]
    data: Data,
    /// How many records are edited
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..))]
    edits: u32,
}

/// What the edits took of this process.
#[derive(Debug, Serialize)]
struct Cost {
    linked: u64,
    cpu_ms: u64,
    wall_ms: u64,
    statements: u64,
    calls: u64,
}

impl Incremental {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let least = self.edits.saturating_mul(RECORDS_PER_EDIT);
        if self.data.records < least {
            return Err(Failure::usage(
                format!(
                    "{} edits need {} records at least",
                    self.edits,
                    thousands(least.into())
                ),
                "Ask for fewer with --edits, or for more with --records",
            ));
        }
        let few = Data {
            records: least,
            ..self.data.clone()
        };
        let few = self.cost(&few, screen).await?;
        let many = self.cost(&self.data, screen).await?;
        let edits = u64::from(self.edits);
        let measured = [
            Measured::new(
                format!(
                    "CPU time of {} edits among {} links, ms",
                    thousands(edits),
                    thousands(many.linked)
                ),
                many.cpu_ms,
                few.cpu_ms * LIMIT / 100,
            ),
            Measured::new("SQL statements an edit", many.statements / edits, STATEMENTS),
        ];
        let more = json!({ "data": self.data, "edits": edits, "few": few, "many": many });
        Ok(conclude(screen, &measured, more))
    }

    /// What the edits cost among generated records.
    async fn cost(&self, data: &Data, screen: &Screen) -> Result<Cost, Failure> {
        screen.say(format!(
            "About {} records: a first sync, which is not measured ...",
            thousands(data.records.into())
        ));
        let scene = Scene::start(&data.lab(), screen).await?;
        scene.first_sync().await?;
        let mut engine = open(&scene.configuration, scene.folder()).await?;
        rest(&mut engine).await?;
        scene.age().await?;
        rest(&mut engine).await?;
        let wanted = usize::try_from(self.edits).unwrap_or(usize::MAX);
        edits::make(
            &mut engine,
            &scene.people().await?,
            wanted,
            "incremental",
            &Side::BOTH,
        )
        .await?;
        screen.say(format!("{} edits ...", thousands(self.edits.into())));
        let (calls, before) = (scene.calls().await?, Taken::of(std::process::id()));
        let (statements, began) = (tandem_ledger::statements(), Instant::now());
        let summary = rest(&mut engine).await?;
        let wall = began.elapsed().as_millis();
        let written: u64 = summary.written.values().sum();
        if written < u64::from(self.edits) {
            let what = format!("of {} edits {written} travelled", self.edits);
            return Err(Failure::trouble(what, "Run it again"));
        }
        let flows = summary.flows.values();
        Ok(Cost {
            linked: flows.map(|flow| flow.linked).sum(),
            cpu_ms: Taken::of(std::process::id()).since(before).cpu_ms,
            wall_ms: u64::try_from(wall).unwrap_or(u64::MAX),
            statements: tandem_ledger::statements() - statements,
            calls: scene.calls().await? - calls,
        })
    }
}
