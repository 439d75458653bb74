//! `tandem bench calls`: what changed records and idle rounds cost in API calls, by the org's own counter.

use super::engine::{open, open_watched, rest};
use super::scene::{Lab, Scene};
use super::stage::Stage;
use super::{Measured, conclude, edits};
use crate::commands::run::schedule;
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use futures::FutureExt;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tandem_engine::{Engine, Happening, Watcher};
use tandem_lab::salesforce;
use tandem_merge::dataflow::Side;
use tokio::sync::watch;

/// Rounds without an edit, as many as an hour has at the usual interval.
const IDLE_ROUNDS: u64 = 120;
/// Calls of a round that asks for the changes of all types.
const IDLE_CALLS: u64 = 2;
/// Between two rounds of an idle hour, in milliseconds.
const PACE: i64 = 100;
/// An hour in milliseconds.
const HOUR: i64 = 3_600_000;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem bench calls
  tandem bench calls --changes 2000 --json

Records are changed in Customerp, evenly over its record types. Rounds without an edit are those of `tandem run`:
where all types are polled, and where all that can have change events have them (types without are asked at an
interval of their own, here an hour).")]
pub(super) struct Calls {
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
        let mut scene = Scene::start(&Lab::of(customers, &org), screen).await?;
        let mut measured = Vec::new();
        let mut engine = open(&scene.configuration, scene.folder()).await?;
        rest(&mut engine).await?;
        scene.age().await?;
        rest(&mut engine).await?;
        // 25 to a call, and a few to see the changes and their echoes.
        let changes = u64::from(self.changes);
        let limit = changes.div_ceil(25) + 50;
        measured.push(self.change(&scene, &mut engine, "conditional", limit).await?);

        scene.age().await?;
        rest(&mut engine).await?;
        scene.age().await?;
        // Somebody who waits to be told makes rounds those of a live run.
        let waiting = engine.systems()[1].changed().now_or_never();
        debug_assert!(waiting.is_none(), "a local org without events tells nothing");
        engine.round().await?;
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
        let mut engine = open(&scene.configuration, scene.folder()).await?;
        rest(&mut engine).await?;
        scene.age().await?;
        rest(&mut engine).await?;
        let limit = changes.div_ceil(1_000) + 5;
        measured.push(self.change(&scene, &mut engine, "throughput", limit).await?);
        let calls = scene.org("/_local/calls").await?;
        drop((engine, scene));
        measured.push(idle_with_events(screen).await?);
        Ok(conclude(
            screen,
            &measured,
            json!({ "changes": changes, "calls": calls }),
        ))
    }

    /// Changes records in Customerp, syncs, and counts the org's calls.
    async fn change(
        &self,
        scene: &Scene,
        engine: &mut Engine,
        mode: &str,
        limit: u64,
    ) -> Result<Measured, Failure> {
        let wanted = usize::try_from(self.changes).unwrap_or(usize::MAX);
        edits::make(engine, &scene.people().await?, wanted, mode, &[Side::First]).await?;
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
}

/// Counts rounds.
struct Rounds(watch::Sender<u64>);

impl Watcher for Rounds {
    fn happened(&self, what: &Happening<'_>) {
        if let Happening::RoundEnded { round, .. } = what {
            self.0.send_replace(*round);
        }
    }
}

/// Calls of an hour in which nothing happens, where change events tell of whatever can have them.
async fn idle_with_events(screen: &Screen) -> Result<Measured, Failure> {
    screen.say("An idle hour with change events ...");
    let with_events = [
        "Contact",
        "Division__c",
        "Invoice__c",
        "InvoiceLine__c",
        "Order",
        "OrderItem",
        "Product2",
        "Quote",
        "Task",
        "User",
    ];
    let options = salesforce::Options {
        divisions: false,
        event_addon: true,
        change_events: Some(with_events.map(str::to_owned).to_vec()),
        ..salesforce::Options::default()
    };
    let mut stage = Stage::set_up(10, options, screen).await?;
    let configuration = &mut stage.configuration;
    let org = &mut configuration.connections[1];
    let types = configuration.dataflow.types_of(&org.name);
    org.changes.events = types.into_iter().map(|of| of.name.clone()).collect();
    org.changes.poll_ms = HOUR;
    configuration
        .connections
        .iter_mut()
        .for_each(|connection| connection.poll_ms = PACE);
    let (rounds, mut counted) = watch::channel(0);
    let folder = stage.folder.path().join("state");
    let mut engine = open_watched(&stage.configuration, &folder, Arc::new(Rounds(rounds))).await?;
    rest(&mut engine).await?;
    let org = Arc::clone(&engine.systems()[1]);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let schedule = schedule(&stage.configuration);
    let running = engine.run(&schedule, async move { drop(stopped.await) });
    let measuring = async {
        // The subscriptions come, and what became visible late beside them is past.
        settle(&org, &mut counted).await;
        let before = org.calls();
        pass(&mut counted, IDLE_ROUNDS).await;
        drop(stop);
        org.calls() - before
    };
    let (ran, calls) = futures::join!(running, measuring);
    ran?;
    stage.customerp.shutdown().await;
    stage.salesforce.shutdown().await;
    Ok(Measured::new(
        format!("{IDLE_ROUNDS} idle rounds, by change events"),
        calls,
        0,
    ))
}

/// Waits until so many rounds have passed.
async fn pass(counted: &mut watch::Receiver<u64>, rounds: u64) {
    let until = *counted.borrow() + rounds;
    // An error means that the engine has ended, which whoever runs it tells.
    drop(counted.wait_for(|round| *round >= until).await);
}

/// Waits until nothing was asked for a while, longer than what is read again because it is young.
async fn settle(org: &Arc<dyn tandem_connector::Connector>, counted: &mut watch::Receiver<u64>) {
    let quiet = u64::try_from(QUIET.as_millis()).unwrap_or_default() / PACE.unsigned_abs();
    loop {
        let before = org.calls();
        pass(counted, quiet).await;
        if org.calls() == before {
            return;
        }
    }
}

/// Longer than what is read again because it is young: the demo's pace is five seconds.
const QUIET: Duration = Duration::from_secs(12);
