//! `tandem bench unchanged`: a complete comparison of linked records in which nothing has changed, against a bare reader
//! that asks for the same pages and parses them.

use super::process::Watched;
use super::scene::Scene;
use super::{Data, Measured, bare, conclude, script};
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

/// Time may be so many percent of the bare reader's.
const LIMIT: u64 = 130;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
The bare reader asks both systems for what the comparison has asked for, as much at once, parses the answers, and does
nothing else.

Examples:
  tandem bench unchanged
  tandem bench unchanged --records 100000 --latency 20 --json")]
pub(super) struct Unchanged {
    #[command(flatten)]
    data: Data,
}

impl Unchanged {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        screen.say("A first sync, which is not measured ...");
        let scene = Scene::start(&self.data.lab().recorded(), screen).await?;
        let linked = scene.first_sync().await?;
        screen.say(format!(
            "A complete comparison of {} links ...",
            thousands(linked)
        ));
        let (since, calls, before) = (Timestamp::now(), scene.calls().await?, scene.taken());
        let compared = Watched::start(scene.command("verify"))?.end().await?;
        compared.result()?;
        let (calls, systems) = (scene.calls().await? - calls, scene.taken_since(before));
        screen.say("The same pages by a bare reader ...");
        let scripts = bare::scripts(scene.folder());
        let summary = script::of_reads(&scene.records(), &scripts, since.as_millisecond())?;
        let bare = bare::run(&scene, summary, true).await?;
        bare.result()?;
        let (took, least) = (compared.taken, bare.taken);
        let share = |of: u64| of.saturating_mul(LIMIT) / 100;
        let measured = [
            Measured::new("wall time, ms", took.wall_ms, share(least.wall_ms)),
            Measured::new("CPU time, ms", took.cpu_ms, share(least.cpu_ms)),
        ];
        let more = json!({
            "data": self.data, "linked": linked, "calls": calls, "verify": took, "bare": least, "systems": systems,
            "requests": summary.steps, "at_once": summary.at_once,
        });
        Ok(conclude(screen, &measured, more))
    }
}
