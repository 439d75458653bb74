//! `tandem bench people`: how long people wait while a process works: who looks, and who acts, by commands and by the HTTP API.

mod caller;

use super::edits::Subjects;
use super::process::Watched;
use super::scene::Scene;
use super::{Data, Measured, conclude};
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::Screen;
use caller::Caller;
use clap::Args;
use serde_json::json;
use std::time::{Duration, Instant};
use tandem_ledger::{Keys, Ledger, Store};
use tandem_merge::dataflow::Side;
use tokio::process::Command;

/// Whoever looks may wait so many milliseconds, the start of the command included.
const LOOK: u64 = 300;
/// Whoever acts, likewise.
const ACT: u64 = 1_500;
/// People rest so long between two commands.
const REST: Duration = Duration::from_millis(100);
/// A first sync is over where nothing waited for so many looks in a row.
const QUIET: u32 = 3;

/// What people look at.
const LOOKS: [&[&str]; 7] = [
    &["status"],
    &["links", "--limit", "20"],
    &["conflicts"],
    &["failures", "--limit", "20"],
    &["history", "--limit", "20"],
    &["history", "--runs"],
    &["approve"],
];
/// What they do: a flow rests, and goes on.
const ACTS: [&[&str]; 2] = [&["pause", "quote-quote"], &["resume", "quote-quote"]];

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
`tandem run` begins with nothing, and people look and act as long as its first sync takes; then edits are made every second,
on both sides, and they go on. Each command is a process of its own, and its start counts. Then edits are made for as long
once more, and a program looks and acts alike by the HTTP API.

Examples:
  tandem bench people
  tandem bench people --records 20000 --latency 20 --json")]
pub(super) struct People {
    #[command(flatten)]
    data: Data,
    /// For how many seconds people edit
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many edits they make a second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    edits: u16,
}

/// How long each command took, in milliseconds.
#[derive(Default, serde::Serialize)]
struct Waits {
    looks: Vec<u64>,
    acts: Vec<u64>,
}

impl People {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let scene = Scene::start(&self.data.lab(), screen).await?;
        screen.say("A first sync by `run`, while people look and act ...");
        caller::let_in(&scene)?;
        let mut run = Watched::start(scene.command("run"))?;
        while Ledger::open_to_look(&scene.home()?, &Keys::default())?.is_none() {
            if run.run_until(|| true).await? {
                return Err(Failure::trouble(
                    "`tandem run` has ended",
                    "Its own words say why",
                ));
            }
            tokio::time::sleep(REST).await;
        }
        let first = self.first_sync(&scene).await?;
        screen.say(format!(
            "{} edits a second for {} seconds, while people look and act ...",
            self.edits, self.seconds
        ));
        let later = self.under_edits(&scene, None).await?;
        screen.say(format!(
            "The same for {} seconds by the HTTP API ...",
            self.seconds
        ));
        let by_api = self.under_edits(&scene, Some(&Caller::of(&scene)?)).await?;
        let taken = run.kill().await?;
        let worst = |waits: &[u64]| waits.iter().max().copied().unwrap_or_default();
        let measured = [
            Measured::new(
                "a look during a first sync, the longest, ms",
                worst(&first.looks),
                LOOK,
            ),
            Measured::new(
                "an act during a first sync, the longest, ms",
                worst(&first.acts),
                ACT,
            ),
            Measured::new("a look under edits, the longest, ms", worst(&later.looks), LOOK),
            Measured::new("an act under edits, the longest, ms", worst(&later.acts), ACT),
            Measured::new(
                "a look under edits by the HTTP API, the longest, ms",
                worst(&by_api.looks),
                LOOK,
            ),
            Measured::new(
                "an act under edits by the HTTP API, the longest, ms",
                worst(&by_api.acts),
                ACT,
            ),
        ];
        let more = json!({
            "data": self.data, "edits": self.edits, "seconds": self.seconds,
            "first": first, "later": later, "api": by_api, "run": taken,
        });
        Ok(conclude(screen, &measured, more))
    }

    /// Until nothing is left to decide or to send.
    async fn first_sync(&self, scene: &Scene) -> Result<Waits, Failure> {
        let (mut waits, mut quiet) = (Waits::default(), 0);
        let mut looker = looker(scene)?;
        while quiet < QUIET {
            turn(scene, &mut waits).await?;
            let status = looker.status(&scene.configuration.dataflow)?;
            let both = status.listed.len() == 2;
            let rests = both && status.inbox == 0 && status.outbox == (0, 0);
            quiet = if rests { quiet + 1 } else { 0 };
        }
        Ok(waits)
    }

    /// As long as people edit; by commands, or by the HTTP API.
    async fn under_edits(&self, scene: &Scene, caller: Option<&Caller>) -> Result<Waits, Failure> {
        let (people, each) = (scene.people().await?, usize::from(self.edits));
        let systems = loading::connect(&scene.configuration, None).await?;
        let described = loading::describe(&systems).await?;
        let flows = &scene.configuration.dataflow;
        let mut looker = looker(scene)?;
        let subjects = Subjects::of(flows, &mut looker, &described, each, &Side::BOTH)?;
        let by = if caller.is_some() {
            "by the API"
        } else {
            "by commands"
        };
        let began = Instant::now();
        let edits = async {
            for second in 0..self.seconds {
                tokio::time::sleep_until((began + Duration::from_secs(second)).into()).await;
                subjects
                    .edit(&people, each, &format!("second {second} {by}"), &Side::BOTH)
                    .await?;
            }
            Ok::<_, Failure>(())
        };
        let acting = async {
            let mut waits = Waits::default();
            while began.elapsed() < Duration::from_secs(self.seconds) {
                match caller {
                    Some(caller) => caller.turn(&mut waits).await?,
                    None => turn(scene, &mut waits).await?,
                }
            }
            Ok::<_, Failure>(waits)
        };
        let ((), waits) = futures::try_join!(edits, acting)?;
        Ok(waits)
    }
}

fn looker(scene: &Scene) -> Result<Ledger, Failure> {
    let found = Ledger::open_to_look(&scene.home()?, &Keys::default())?;
    found.ok_or_else(|| Failure::trouble("the state is gone", "Run it again"))
}

/// Each look and each act once.
async fn turn(scene: &Scene, waits: &mut Waits) -> Result<(), Failure> {
    for words in LOOKS {
        waits.looks.push(timed(scene, words).await?);
    }
    for words in ACTS {
        waits.acts.push(timed(scene, words).await?);
    }
    Ok(())
}

/// How long a command takes, in milliseconds.
async fn timed(scene: &Scene, words: &[&str]) -> Result<u64, Failure> {
    tokio::time::sleep(REST).await;
    let lost = |error: std::io::Error| Failure::trouble(format!("no process ({error})"), "Free memory");
    let program = std::env::current_exe().map_err(lost)?;
    let mut command = Command::new(program);
    command.args(words).arg("--config").arg(scene.config());
    command.arg("--state").arg(scene.folder());
    let began = Instant::now();
    let ran = command.output().await.map_err(lost)?;
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match ran.status.code() {
        Some(0 | 3) => Ok(took),
        _ => Err(Failure::trouble(
            format!(
                "`tandem {}` was refused: {}",
                words.join(" "),
                String::from_utf8_lossy(&ran.stderr)
            ),
            "Its own words say why",
        )),
    }
}
