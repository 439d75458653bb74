//! `tandem restore`: a backup in the place of the state.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, AGAIN, PATIENCE};
use crate::screen::{Screen, Sentence, count_of};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use tandem_api::{NotRestored, Restored, door};
use tandem_ledger::Error;
use tandem_merge::config::Configuration;

/// Put a backup in the place of the state.
#[derive(Debug, Args)]
#[command(after_help = "\
The backup is read in full and checked first. A state that is there, or cannot be read, gives way with --yes alone, and
is kept beside the new one, in a folder or a schema of its own. The next sync lists and compares both systems anew before it decides anything:
edits made since the backup are seen as edits, and nothing old is written over them. What people decided in Tandem
since the backup (links, answers, approvals) is to be decided again. `tandem plan` shows what would follow.

A `tandem run` that works with the state does it: it checks the backup beside its work, brings what is under way to an end,
and goes on with the restored state by itself. What is refused leaves it undisturbed.

Examples:
  tandem restore /backup/tandem-2026-03-01.db
  tandem restore tandem.backup --yes
  tandem restore tandem.backup --state /var/lib/tandem --json")]
pub(crate) struct Restore {
    /// A file that `tandem backup` made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Even where a state is there that may be newer
    #[arg(long)]
    yes: bool,
}

impl Restore {
    /// Restores the backup, by the process that works with the state where there is one.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let (restored, working) = self.restored(common, &configuration).await?;
        screen.json(&json!({
            "file": self.file,
            "made": restored.made,
            "links": restored.links,
            "records": restored.records,
            "kept": restored.kept,
        }));
        let made = restored.made.map(|made| format!("{made:.0}")).unwrap_or_default();
        screen.say(Sentence(format!(
            "The state is as it was at {made}: {}, {}.",
            count_of(restored.links, "link", "links"),
            count_of(restored.records, "record", "records"),
        )));
        if let Some(kept) = restored.kept {
            screen.say(Sentence(format!("The state before it is kept in {kept}.")));
        }
        screen.say(Sentence(match working {
            true => "The process that works goes on with it: it lists and compares both systems anew before it decides.",
            false => "`tandem plan` shows what follows; `tandem sync` lists and compares both systems anew before it decides.",
        }));
        Ok(Exit::Done)
    }

    /// What came of it, and whether a process did it that goes on with it.
    async fn restored(
        &self,
        common: &Common,
        configuration: &Configuration,
    ) -> Result<(Restored, bool), Failure> {
        let keys = loading::keys(configuration)?;
        let home = loading::home(common, configuration)?;
        // What is wrong with the file is said of the name that was typed, whoever is to read it.
        tandem_ledger::look_at_backup(&self.file, &keys)?;
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        let restore = tandem_api::Restore { file, yes: self.yes };
        let began = Instant::now();
        loop {
            if let Some(client) = door::knock(&common.state_folder()).await {
                return Ok((client.restore(restore).await?, true));
            }
            match restore.carry_out(&home, &keys, jiff::Timestamp::now()) {
                // Whoever holds it is about to open its door, or done in a moment.
                Err(NotRestored::Store(Error::Held(_))) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(AGAIN).await;
                }
                done => return Ok((done.map_err(Failure::from)?, false)),
            }
        }
    }
}
