//! `tandem bench`: what Tandem costs, measured on local systems and held to a limit.

mod bulk;
mod calls;
mod conflicts;
mod latency;
mod scene;
mod stage;

use crate::failure::{Exit, Failure};
use crate::screen::{Cell, Screen};
use clap::{Args, Subcommand};

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem bench calls                 API calls for 10,000 changed records, and of an idle round
  tandem bench calls --changes 2000 --json
  tandem bench conflicts             records edited on both sides, in time
  tandem bench latency --edits 200
  tandem bench bulk --records 200000 a first sync by Bulk API 2.0, killed on its way

Exit codes:
  0  within the limits
  1  beyond a limit, or a system is in trouble")]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// API calls for changed records, with conditions and in throughput mode, and of an idle round
    Calls(calls::Calls),
    /// Time for records edited on both sides, against the same edits without conflicts
    Conflicts(conflicts::Conflicts),
    /// How long an edit in Salesforce takes to arrive in Customerp, by events and by polling
    Latency(latency::Latency),
    /// Calls, memory and refusals of a first sync by Bulk API 2.0, which is killed while jobs run and started again
    Bulk(bulk::Load),
}

impl Bench {
    /// Measures.
    pub(crate) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        match &self.what {
            What::Calls(calls) => calls.measure(screen).await,
            What::Conflicts(conflicts) => conflicts.measure(screen).await,
            What::Latency(latency) => latency.measure(screen).await,
            What::Bulk(load) => load.measure(screen).await,
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
