//! `tandem bench idle`: what a start costs, a look, a sync with nothing to do, and an hour of `run` in which nothing
//! happens.

use super::process::{Taken, Watched};
use super::scene::Scene;
use super::{Data, Measured, conclude};
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use serde_json::json;
use std::time::{Duration, Instant};

/// An hour of `run` may take so many milliseconds of the processor.
const HOUR: u64 = 20_000;
/// A command with nothing to do may take so many milliseconds.
const START: u64 = 1_000;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
`run` is watched for a while after it has begun, and what it takes then is told for an hour. The systems are polled
as often as the demo polls them, once a second; a configuration without a `poll` of its own polls less.

Examples:
  tandem bench idle
  tandem bench idle --records 100000 --seconds 300 --json")]
pub(super) struct Idle {
    #[command(flatten)]
    data: Data,
    /// For how many seconds `run` is watched
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

impl Idle {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        screen.say("A first sync, which is not measured ...");
        let scene = Scene::start(&self.data.lab(), screen).await?;
        let linked = scene.first_sync().await?;
        // What is read again because it is young is read.
        Watched::start(scene.command("sync"))?.end().await?.result()?;
        screen.say(format!(
            "Commands with nothing to do, over {} links ...",
            thousands(linked)
        ));
        let sync = Watched::start(scene.command("sync"))?.end().await?;
        sync.result()?;
        let status = Watched::start(scene.command("status"))?.end().await?;
        status.result()?;
        screen.say(format!(
            "A run in which nothing happens, for {} seconds ...",
            self.seconds
        ));
        let hour = self.hour(&scene).await?;
        let measured = [
            Measured::new("a sync with nothing to do, ms", sync.taken.wall_ms, START),
            Measured::new("a status, ms", status.taken.wall_ms, START),
            Measured::new("CPU time of an hour of run, ms", hour, HOUR),
        ];
        let more = json!({
            "data": self.data, "linked": linked, "sync": sync.taken, "status": status.taken, "seconds": self.seconds,
        });
        Ok(conclude(screen, &measured, more))
    }

    /// What an hour of a run takes of the processor in which nothing happens, in milliseconds.
    async fn hour(&self, scene: &Scene) -> Result<u64, Failure> {
        let mut run = Watched::start(scene.command("run"))?;
        // Its start is measured above.
        let begins = Instant::now();
        let waits = Duration::from_secs(self.seconds.min(10));
        let over = run.run_until(|| begins.elapsed() >= waits).await?;
        let before = run.taken();
        let watched = Duration::from_secs(self.seconds);
        let over = over || run.run_until(|| begins.elapsed() >= waits + watched).await?;
        if over {
            return Err(Failure::trouble(
                "the run ended by itself",
                "Its own words stand above",
            ));
        }
        let taken: Taken = run.kill().await?;
        Ok(taken.since(before).cpu_ms * 3_600 / self.seconds)
    }
}
