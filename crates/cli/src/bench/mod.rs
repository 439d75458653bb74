//! `tandem bench`: what Tandem costs, measured on local systems and held to a limit.

mod bare;
mod bulk;
mod calls;
mod conflicts;
mod console;
mod edits;
mod engine;
mod erp;
mod idle;
mod incremental;
mod initial;
mod latency;
mod merge;
mod people;
mod process;
mod scene;
mod script;
mod stage;
mod storage;
mod unchanged;

use crate::failure::{Exit, Failure};
use crate::screen::{Cell, Screen};
use clap::{Args, Subcommand};
use std::path::Path;
use tandem_ledger::{Home, Server};

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem bench initial --records 100000 --latency 20   a first sync, against a loader that decides nothing
  tandem bench unchanged             a complete comparison in which nothing has changed
  tandem bench idle                  a quiet hour, and commands with nothing to do
  tandem bench incremental           500 edits among many links, against the same among few
  tandem bench merge                 decisions a second on one core
  tandem bench storage               clusters settled a second, against bare row writes
  tandem bench calls                 API calls for 10,000 changed records, and of an idle round
  tandem bench calls --changes 2000 --json
  tandem bench conflicts             records edited on both sides, in time
  tandem bench latency --edits 200
  tandem bench people --latency 20   looks and commands while a first sync and edits go on
  tandem bench console               pages and HTTP API over 200,000 links and 1,000,000 lines of history
  tandem bench bulk --records 200000 a first sync by Bulk API 2.0, killed on its way
  tandem bench erp                   rows of an ERP's database into observations, against a bare client

initial, unchanged, idle, incremental, latency, people and storage keep the state on a PostgreSQL server where TANDEM_POSTGRES holds its connection string (what the server takes is not
counted; schemas called bench_... stay there): clients/with-postgres tandem bench initial

Exit codes:
  0  within the limits
  1  beyond a limit, or a system is in trouble")]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A first sync of generated records, against a bare loader that sends the same and decides nothing
    Initial(initial::Initial),
    /// A complete comparison in which nothing has changed, against a bare reader of the same pages
    Unchanged(unchanged::Unchanged),
    /// A quiet hour of `run`, and commands with nothing to do
    Idle(idle::Idle),
    /// Edits on both sides among many linked records, against the same among few; SQL statements an edit
    Incremental(incremental::Incremental),
    /// Decisions a second on one core
    Merge(merge::Merge),
    /// Clusters settled a second against bare writes of the same rows, on each storage
    Storage(storage::Storage),
    /// The bare loader and reader, as a process of its own
    #[command(hide = true)]
    Bare(bare::Bare),
    /// API calls for changed records, with conditions and in throughput mode, and of an idle round
    Calls(calls::Calls),
    /// Time for records edited on both sides, against the same edits without conflicts
    Conflicts(conflicts::Conflicts),
    /// How long an edit in Salesforce takes to arrive in Customerp, by events and by polling
    Latency(latency::Latency),
    /// How long people wait who look and act while a process works
    People(people::People),
    /// How long pages and HTTP API of the console take over a large state
    Console(console::Console),
    /// Calls, memory and refusals of a first sync by Bulk API 2.0, which is killed while jobs run and started again
    Bulk(bulk::Load),
    /// Rows of an ERP's database read into observations, against a bare client that reads the same rows
    Erp(erp::Erp),
}

impl Bench {
    /// Measures.
    pub(crate) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        match &self.what {
            What::Initial(initial) => initial.measure(screen).await,
            What::Unchanged(unchanged) => unchanged.measure(screen).await,
            What::Idle(idle) => idle.measure(screen).await,
            What::Incremental(incremental) => incremental.measure(screen).await,
            What::Merge(merge) => merge.measure(screen).await,
            What::Storage(storage) => storage.measure(screen).await,
            What::Bare(bare) => bare.load(screen).await,
            What::Calls(calls) => calls.measure(screen).await,
            What::Conflicts(conflicts) => conflicts.measure(screen).await,
            What::Latency(latency) => latency.measure(screen).await,
            What::People(people) => people.measure(screen).await,
            What::Console(console) => console.measure(screen).await,
            What::Bulk(load) => load.measure(screen).await,
            What::Erp(erp) => erp.measure(screen).await,
        }
    }
}

/// The data of a measurement.
#[derive(Clone, Debug, Args, serde::Serialize)]
struct Data {
    /// About how many records to generate
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..))]
    records: u32,
    /// The seed of the generator
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How many milliseconds every request is on its way
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u32,
}

/// Where a measurement keeps its state: in a schema of its own on the server that `TANDEM_POSTGRES` names, else in the folder.
fn home(folder: &Path, name: &str) -> Result<Home, Failure> {
    match std::env::var(SERVER) {
        Err(_) => Ok(Home::Folder(folder.to_owned())),
        Ok(connection) => Server::new(&connection, &schema(name))
            .map(Home::Server)
            .map_err(|why| Failure::usage(why, format!("Correct {SERVER}"))),
    }
}

/// A schema of this measurement's own.
fn schema(name: &str) -> String {
    format!("bench_{}_{name}", std::process::id())
}

/// Names a server for states to be kept on while they are measured.
const SERVER: &str = "TANDEM_POSTGRES";

/// Records that the generator makes for a customer, lines among them, at least.
const RECORDS_PER_CUSTOMER: u32 = 10;

impl Data {
    fn lab(&self) -> scene::Lab {
        scene::Lab {
            seed: self.seed,
            latency: self.latency,
            ..scene::Lab::of(self.records / RECORDS_PER_CUSTOMER, &[])
        }
    }
}

/// Something that was measured, with its limit.
#[derive(Clone, Debug, serde::Serialize)]
struct Measured {
    what: String,
    measured: u64,
    limit: u64,
    /// Measured per limit, in percent.
    percent: u64,
}

impl Measured {
    fn new(what: impl Into<String>, measured: u64, limit: u64) -> Self {
        Self {
            what: what.into(),
            measured,
            limit,
            percent: measured
                .saturating_mul(100)
                .checked_div(limit)
                .unwrap_or(measured * 100),
        }
    }

    fn kept(&self) -> bool {
        self.measured <= self.limit
    }
}

/// Shows what was measured; beyond a limit is trouble.
fn conclude(screen: &Screen, measured: &[Measured], more: serde_json::Value) -> Exit {
    let mut shown = crate::screen::table(["measured", "", "limit", "of it"]);
    for one in measured {
        shown.add_row([
            Cell::new(&one.what),
            crate::screen::number(one.measured),
            crate::screen::number(one.limit),
            Cell::new(format!("{} %", one.percent)),
        ]);
    }
    screen.result(shown);
    let kept = measured.iter().all(Measured::kept);
    screen.json(&serde_json::json!({ "measured": measured, "kept": kept, "more": more }));
    if kept { Exit::Done } else { Exit::Trouble }
}
