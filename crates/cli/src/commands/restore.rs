//! `tandem restore`: a backup in the place of the state.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, Sentence, thousands};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tandem_store::{Error, Holding};

/// Put a backup in the place of the state.
#[derive(Debug, Args)]
#[command(after_help = "\
The backup is read in full and checked first. A state that is there, or cannot be read, gives way with --yes alone, and
is kept beside the new one, in a folder or a schema of its own. The next sync lists and compares both systems anew before it decides anything:
edits made since the backup are seen as edits, and nothing old is written over them. What people decided in Tandem
since the backup (links, answers, approvals) is to be decided again. `tandem plan` shows what would follow.

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
    /// Restores the backup.
    pub(crate) fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let keys = loading::keys(&configuration)?;
        let home = loading::home(common, &configuration)?;
        let backup = tandem_store::look_at_backup(&self.file, &keys)?;
        if !self.yes
            && let Some(why) = in_the_way(tandem_store::look_at_state(&home, &keys), &backup)?
        {
            return Err(Failure::usage(
                format!("{why}; nothing was changed"),
                "Run `tandem restore FILE --yes` to let it give way: it is kept beside the restored one",
            ));
        }
        let kept = tandem_store::restore(&self.file, &home, &keys, jiff::Timestamp::now())?;
        screen.json(&json!({
            "file": self.file,
            "made": backup.made,
            "links": backup.links,
            "records": backup.records,
            "kept": kept,
        }));
        let made = backup.made.map(|made| format!("{made:.0}")).unwrap_or_default();
        screen.say(Sentence(format!(
            "The state is as it was at {made}: {} links, {} records.",
            thousands(backup.links),
            thousands(backup.records),
        )));
        if let Some(kept) = kept {
            screen.say(Sentence(format!("The state before it is kept in {kept}.")));
        }
        screen.say(Sentence(
            "`tandem plan` shows what follows; `tandem sync` lists and compares both systems anew before it decides.",
        ));
        Ok(Exit::Done)
    }
}

/// What of the state that is there must not give way unasked; none where nothing can be lost.
fn in_the_way(there: Result<Option<Holding>, Error>, backup: &Holding) -> Result<Option<String>, Failure> {
    match there {
        Ok(None) => Ok(None),
        Ok(Some(state)) if state.state == backup.state && state.changes <= backup.changes => Ok(None),
        Ok(Some(state)) if state.state == backup.state => Ok(Some(format!(
            "the state that is there is newer than the backup ({} changes more, {} links instead of {})",
            thousands((state.changes - backup.changes).unsigned_abs()),
            thousands(state.links),
            thousands(backup.links),
        ))),
        Ok(Some(state)) => Ok(Some(format!(
            "another state is there, with {} links, and the backup is not of it",
            thousands(state.links)
        ))),
        Err(
            error @ (Error::Held(_)
            | Error::Unreachable { .. }
            | Error::Folder { .. }
            | Error::Full(_)
            | Error::ReadOnly(_)),
        ) => Err(error.into()),
        Err(error) => Ok(Some(format!(
            "a state is there that cannot be read ({})",
            short(&error)
        ))),
    }
}

/// The first sentence of a complaint.
fn short(error: &Error) -> String {
    let text = error.to_string();
    text.split(". ").next().unwrap_or_default().to_owned()
}
