//! `tandem bench initial`: a first sync into an empty org, against a bare loader that reads the same pages, sends the
//! same requests to fresh systems, keeps a row of every record, and decides nothing.

use super::process::Watched;
use super::scene::Scene;
use super::{Data, Measured, bare, conclude, script};
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use serde_json::json;

/// Time may be so many percent of the bare loader's.
const WALL: u64 = 125;
/// Time of the processor, the same.
const CPU: u64 = 250;
/// Memory that the process may take, in MB.
const MEMORY: u64 = 300;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
The bare loader reads the same pages of Customerp, sends what the sync has sent, packed alike and as many at once, and
keeps a row of every record in a database as durable. So the figures are ratios of one run. What the local systems
take themselves is told apart.

Examples:
  tandem bench initial
  tandem bench initial --records 100000 --latency 20 --json")]
pub(super) struct Initial {
    #[command(flatten)]
    data: Data,
}

impl Initial {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        screen.say("A first sync ...");
        let scene = Scene::start(&self.data.lab().recorded(), screen).await?;
        let before = scene.taken();
        let ended = Watched::start(scene.command("sync"))?.end().await?;
        let systems = scene.taken_since(before);
        let linked = super::scene::linked(&ended.result()?);
        let state = scene.state_bytes()?;
        screen.say(format!(
            "The same by a bare loader, for {} links ...",
            thousands(linked)
        ));
        let fresh = Scene::start(&self.data.lab(), screen).await?;
        let summary = script::of_writes(&scene.records(), &bare::scripts(fresh.folder()))?;
        drop(scene);
        let before = fresh.taken();
        let bare = bare::run(&fresh, summary, false).await?;
        let bare_systems = fresh.taken_since(before);
        let loaded = bare.result()?;
        let (took, least) = (ended.taken, bare.taken);
        let share = |of: u64, percent: u64| of.saturating_mul(percent) / 100;
        let measured = [
            Measured::new("wall time, ms", took.wall_ms, share(least.wall_ms, WALL)),
            Measured::new("CPU time, ms", took.cpu_ms, share(least.cpu_ms, CPU)),
            Measured::new("memory at its peak, MB", took.memory_kb / 1024, MEMORY),
            Measured::new("written to disk, KB", took.written / 1024, state * 4 / 1024),
        ];
        let more = json!({
            "data": self.data, "linked": linked, "state_bytes": state,
            "sync": took, "bare": least,
            "wall_ratio_percent": took.wall_ms * 100 / least.wall_ms.max(1),
            "cpu_ratio_percent": took.cpu_ms * 100 / least.cpu_ms.max(1),
            "systems": { "sync": systems, "bare": bare_systems },
            "loaded": loaded, "at_once": summary.at_once,
        });
        screen.say(format!(
            "{} links; the sync took {} ms and {} ms of CPU, the bare loader {} ms and {} ms.",
            thousands(linked),
            thousands(took.wall_ms),
            thousands(took.cpu_ms),
            thousands(least.wall_ms),
            thousands(least.cpu_ms),
        ));
        Ok(conclude(screen, &measured, more))
    }
}
