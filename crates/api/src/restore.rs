//! A backup in the place of the state: what is in its way, and how it comes there.

use crate::Refused;
use crate::words::thousands;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tandem_ledger::{Error, Holding, Home, Keys};

/// A backup that is to take the place of the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Restore {
    /// The backup's file.
    pub file: PathBuf,
    /// Even where a state is there that may be newer.
    pub yes: bool,
}

/// What is there now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Restored {
    /// When the backup was made.
    pub made: Option<Timestamp>,
    /// Links.
    pub links: u64,
    /// Records.
    pub records: u64,
    /// Where the state before is kept; none where there was none.
    pub kept: Option<String>,
}

/// Why a backup did not take the place of the state, which is as it was.
#[derive(Debug)]
pub enum NotRestored {
    /// The backup or the state cannot be opened, or written.
    Store(Error),
    /// The state that is there may be newer.
    Newer(String),
}

impl From<Error> for NotRestored {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<NotRestored> for Refused {
    fn from(why: NotRestored) -> Self {
        match why {
            NotRestored::Store(error) => error.into(),
            NotRestored::Newer(why) => Self::usage(
                format!("{why}; nothing was changed"),
                "Run `tandem restore FILE --yes` to let it give way: it is kept beside the restored one",
            ),
        }
    }
}

impl Restore {
    /// Weighs it while a process works with the state: the backup is read in full.
    ///
    /// # Errors
    /// What is in its way.
    pub fn weigh(&self, home: &Home, keys: &Keys) -> Result<(), NotRestored> {
        let backup = tandem_ledger::look_at_backup(&self.file, keys)?;
        self.may_give_way(&backup, || tandem_ledger::look_at_held_state(home, keys))
    }

    /// Puts the backup in the place of a state with which nobody works, once more weighed.
    ///
    /// # Errors
    /// What is in its way.
    pub fn carry_out(&self, home: &Home, keys: &Keys, now: Timestamp) -> Result<Restored, NotRestored> {
        let backup = tandem_ledger::look_at_backup(&self.file, keys)?;
        self.may_give_way(&backup, || tandem_ledger::look_at_state(home, keys))?;
        let kept = tandem_ledger::restore(&self.file, home, keys, now)?;
        Ok(Restored {
            made: backup.made,
            links: backup.links,
            records: backup.records,
            kept,
        })
    }

    fn may_give_way(
        &self,
        backup: &Holding,
        there: impl FnOnce() -> Result<Option<Holding>, Error>,
    ) -> Result<(), NotRestored> {
        if self.yes {
            return Ok(());
        }
        match in_the_way(there(), backup)? {
            Some(why) => Err(NotRestored::Newer(why)),
            None => Ok(()),
        }
    }
}

/// What of the state that is there must not give way unasked; none where nothing can be lost.
fn in_the_way(there: Result<Option<Holding>, Error>, backup: &Holding) -> Result<Option<String>, Error> {
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
            | Error::Lost(_)
            | Error::Unreachable { .. }
            | Error::Folder { .. }
            | Error::Full(_)
            | Error::ReadOnly(_)),
        ) => Err(error),
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
