//! `tandem backup`: the state in one file.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, count_of};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Copy the state into one file, also while `run` holds it.
#[derive(Debug, Args)]
#[command(after_help = "\
The copy is the state at one moment. An encrypted state stays encrypted in it: keep the key somewhere else.

Examples:
  tandem backup /backup/tandem-$(date +%F).db
  tandem backup --state /var/lib/tandem tandem.backup
  tandem backup tandem.backup --json")]
pub(crate) struct Backup {
    /// The new file; readable by its owner alone
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    /// Copies the state.
    pub(crate) fn make(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let home = loading::existing_home(common, &configuration)?;
        let keys = loading::keys(&configuration)?;
        let now = jiff::Timestamp::now();
        let held = tandem_ledger::back_up(&home, &self.file, &keys, now)?;
        screen.json(&json!({
            "file": self.file,
            "made": held.made,
            "links": held.links,
            "records": held.records,
            "encrypted": keys.current.is_some(),
        }));
        screen.say(format!(
            "{} holds {} and {}, as they were at {now:.0}. `tandem restore` brings them back.",
            self.file.display(),
            count_of(held.links, "link", "links"),
            count_of(held.records, "record", "records"),
        ));
        Ok(Exit::Done)
    }
}
