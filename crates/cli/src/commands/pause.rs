//! `tandem pause` and `tandem resume`: a flow rests, and goes on.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::Screen;
use clap::Args;
use serde_json::json;

/// Let a flow rest: changes are seen and kept, nothing of it is decided or written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem pause order-invoice
  tandem pause order-invoice --json")]
pub(crate) struct Pause {
    /// The flow
    #[arg(value_name = "FLOW")]
    flow: String,
}

/// Let a paused flow go on: what was seen meanwhile is decided with the next sync.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem resume order-invoice
  tandem resume order-invoice --json")]
pub(crate) struct Resume {
    /// The flow
    #[arg(value_name = "FLOW")]
    flow: String,
}

impl Pause {
    /// Notes it.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        loading::known_flow(&loading::configuration(common)?.dataflow, &self.flow)?;
        let mut engine = loading::engine_of_existing_state(common).await?;
        engine.pause(&self.flow)?;
        screen.json(&json!({ "paused": self.flow }));
        screen.say(format!(
            "{} is paused; `tandem resume {}` lets it go on.",
            self.flow, self.flow
        ));
        Ok(Exit::Done)
    }
}

impl Resume {
    /// Notes it.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        loading::known_flow(&loading::configuration(common)?.dataflow, &self.flow)?;
        let mut engine = loading::engine_of_existing_state(common).await?;
        engine.resume(&self.flow)?;
        screen.json(&json!({ "resumed": self.flow }));
        screen.say(format!(
            "{} goes on; the next sync decides what was seen meanwhile.",
            self.flow
        ));
        Ok(Exit::Done)
    }
}
