//! `tandem approve`: lets a waiting deletion or deactivation go ahead.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::Screen;
use clap::{Args, ValueEnum};
use serde_json::json;
use tandem_merge::cluster;

/// Let a waiting deletion or deactivation go ahead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem approve 12                     what the flow's policy offers first
  tandem approve 12 --verdict unlink    keep the counterpart, end the link")]
pub(crate) struct Approve {
    /// The item, as `tandem failures` numbers it
    #[arg(value_name = "ITEM")]
    item: u64,
    /// What happens to the counterpart of a deleted record
    #[arg(long, value_name = "VERDICT")]
    verdict: Option<Verdict>,
}

/// What happens to the counterpart of a deleted record.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Verdict {
    /// It is deleted too
    Propagate,
    /// It is put out of use
    Deactivate,
    /// The link ends, it stays
    Unlink,
    /// The deleted record is created again
    Recreate,
}

impl From<Verdict> for cluster::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Propagate => Self::Propagate,
            Verdict::Deactivate => Self::Deactivate,
            Verdict::Unlink => Self::Unlink,
            Verdict::Recreate => Self::Recreate,
        }
    }
}

impl Approve {
    /// Notes the approval; the next sync carries it out.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let mut engine = loading::engine_of_existing_state(common).await?;
        engine.approve(self.item, self.verdict.map(Into::into))?;
        screen.json(&json!({ "approved": self.item }));
        screen.say(format!(
            "Item {} is approved; the next sync carries it out.",
            self.item
        ));
        Ok(Exit::Done)
    }
}
