//! `tandem bench bulk`: a first sync of many records into an empty org, by `tandem sync` as a process of its own,
//! which is killed while jobs run and started again.

use super::scene::Scene;
use super::{Measured, conclude};
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::Args;
use serde_json::{Value as Json, json};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Records that the generator makes for a customer, lines among them, at least.
const RECORDS_PER_CUSTOMER: u32 = 10;
/// Calls that a first sync may take.
const CALLS: u64 = 150;
/// Memory that the process may take, in MB.
const MEMORY: u64 = 300;
/// Between two looks at the process.
const LOOK: Duration = Duration::from_millis(100);
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
        let scene = Scene::start(customers, &org, screen).await?;
        throughput(&scene.config())?;
        let before = scene.calls().await?;
        let began = Instant::now();
        let mut memory = 0;
        if !self.no_kill {
            screen.say("A first sync, to be killed while jobs run ...");
            let killed = self.begin_and_kill(&scene, &mut memory).await?;
            if !killed {
                screen.say("It ended before a job ran long enough to be killed.");
            }
        }
        screen.say("The sync is started again and goes to its end ...");
        let said = finish(&scene, &mut memory).await?;
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

    /// Starts a sync and kills it once a job was submitted.
    async fn begin_and_kill(&self, scene: &Scene, memory: &mut u64) -> Result<bool, Failure> {
        let mut process = sync(scene)?;
        loop {
            if process.try_wait().map_err(|error| lost(&error))?.is_some() {
                return Ok(false);
            }
            *memory = (*memory).max(peak(&process));
            if submitted(&scene.folder().join("bulk").join("salesforce")) {
                process.kill().await.map_err(|error| lost(&error))?;
                return Ok(true);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Lets a sync go to its end. Answers what it said.
async fn finish(scene: &Scene, memory: &mut u64) -> Result<Json, Failure> {
    let mut process = sync(scene)?;
    let mut output = process.stdout.take();
    let reading = tokio::spawn(async move {
        let mut text = Vec::new();
        if let Some(output) = output.as_mut() {
            let _ = tokio::io::AsyncReadExt::read_to_end(output, &mut text).await;
        }
        text
    });
    let status = loop {
        if let Some(status) = process.try_wait().map_err(|error| lost(&error))? {
            break status;
        }
        *memory = (*memory).max(peak(&process));
        tokio::time::sleep(LOOK).await;
    };
    let text = reading.await.unwrap_or_default();
    if !matches!(status.code(), Some(0 | 3)) {
        return Err(Failure::trouble(
            format!("the sync ended with {status}"),
            "Its own words stand above",
        ));
    }
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().last().unwrap_or_default();
    Ok(serde_json::from_str(last)
        .or_else(|_| serde_json::from_str(&text))
        .unwrap_or_default())
}

fn sync(scene: &Scene) -> Result<Child, Failure> {
    let program = std::env::current_exe().map_err(|error| lost(&error))?;
    Command::new(program)
        .args(["sync", "--json", "--quiet", "--config"])
        .arg(scene.config())
        .arg("--state")
        .arg(scene.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| lost(&error))
}

/// The most memory that a process has taken, in KB; 0 where the machine does not tell.
fn peak(process: &Child) -> u64 {
    let Some(id) = process.id() else { return 0 };
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    number.unwrap_or_default()
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

fn lost(error: &std::io::Error) -> Failure {
    Failure::trouble(
        format!("the sync could not be started or watched ({error})"),
        "Run it again",
    )
}
