//! `tandem bench bulk`: a first sync of many records into an empty org, by `tandem sync` as a process of its own,
//! which is killed while jobs run and started again.

use super::process::{Taken, Watched};
use super::scene::{Lab, Scene};
use super::{Measured, RECORDS_PER_CUSTOMER, conclude};
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Calls that a first sync may take.
const CALLS: u64 = 150;
/// Memory that the process may take, in MB.
const MEMORY: u64 = 300;
/// What the org's rule says of the records that it refuses.
const RULE: &str = "Numbers that end in 00 are not taken here";

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem bench bulk --records 200000
  tandem bench bulk --records 20000 --json")]
pub(crate) struct Load {
    /// About how many records to generate
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    records: u32,
    /// Let the process run to its end
    #[arg(long)]
    no_kill: bool,
}

impl Load {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let customers = (self.records / RECORDS_PER_CUSTOMER).max(1);
        let rules = tempfile::NamedTempFile::new();
        let options = json!({
            "preset": "no-divisions",
            "validation_rules": [
                {"object": "Contact", "condition": "Customerp_Id__c LIKE '%00'", "message": RULE},
                {"object": "Order", "condition": "Customerp_Id__c LIKE '%00'", "message": RULE},
            ],
        });
        let unwritable = |error: std::io::Error| {
            Failure::trouble(
                format!("no temporary file could be made ({error})"),
                "Free space, or set TMPDIR",
            )
        };
        let rules = rules.map_err(unwritable)?;
        std::fs::write(rules.path(), options.to_string()).map_err(unwritable)?;
        let org = ["--options".to_owned(), rules.path().display().to_string()];
        screen.say(format!(
            "Setting up both systems with {} customers ...",
            thousands(customers.into())
        ));
        let scene = Scene::start(&Lab::of(customers, &org), screen).await?;
        throughput(&scene.config())?;
        let before = scene.calls().await?;
        let began = Instant::now();
        let mut taken = Taken::default();
        if !self.no_kill {
            screen.say("A first sync, to be killed while jobs run ...");
            let killed;
            (killed, taken) = self.begin_and_kill(&scene).await?;
            if !killed {
                screen.say("It ended before a job ran long enough to be killed.");
            }
        }
        screen.say("The sync is started again and goes to its end ...");
        let ended = Watched::start(scene.command("sync"))?.end().await?;
        let memory = taken.memory_kb.max(ended.taken.memory_kb);
        let said = ended.result()?;
        let calls = scene.calls().await? - before;
        let seconds = began.elapsed().as_secs();
        let flows = said["flows"].as_array().cloned().unwrap_or_default();
        let total = |what: &str| flows.iter().filter_map(|flow| flow[what].as_u64()).sum::<u64>();
        let created = total("linked");
        let measured = [
            Measured::new(
                format!("API calls for {} links", thousands(created)),
                calls,
                CALLS,
            ),
            Measured::new("memory at its peak, MB", memory / 1024, MEMORY),
            Measured::new("writes without an outcome", total("failed"), 0),
        ];
        let more = json!({
            "seconds": seconds,
            "linked": created,
            "parked": total("parked"),
            "flows": flows,
            "calls": scene.org("/_local/calls").await?,
        });
        screen.say(format!(
            "{} links in {seconds} seconds; {} records are parked with the org's own words.",
            thousands(created),
            thousands(total("parked"))
        ));
        Ok(conclude(screen, &measured, more))
    }

    /// Starts a sync and kills it once a job was submitted. Answers whether it was, and what it took.
    async fn begin_and_kill(&self, scene: &Scene) -> Result<(bool, Taken), Failure> {
        let mut process = Watched::start(scene.command("sync"))?;
        let jobs = scene.folder().join("bulk").join("salesforce");
        match process.run_until(|| submitted(&jobs)).await? {
            true => Ok((false, process.end().await?.taken)),
            false => Ok((true, process.kill().await?)),
        }
    }
}

/// Whether a job in the folder was handed to the org and is not settled.
fn submitted(folder: &Path) -> bool {
    let jobs = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut notes = jobs.filter_map(|job| std::fs::read_to_string(job.path().join("job.json")).ok());
    notes.any(|note| note.contains("\"stage\":\"submitted\""))
}

/// Nobody edits the org meanwhile: updates give up their conditions.
fn throughput(config: &Path) -> Result<(), Failure> {
    let unwritable = |error: std::io::Error| {
        Failure::trouble(format!("the configuration cannot be changed ({error})"), "")
    };
    let text = std::fs::read_to_string(config).map_err(unwritable)?;
    let kind = "    kind: salesforce\n";
    let text = text.replacen(kind, &format!("{kind}    writes: {{ mode: throughput }}\n"), 1);
    std::fs::write(config, text).map_err(unwritable)
}
