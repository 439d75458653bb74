//! `tandem pause` and `tandem resume`: a flow rests, and goes on.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, Hand};
use crate::screen::Screen;
use clap::Args;
use serde_json::json;
use tandem_api::Command;

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
        let configuration = loading::configuration(common)?;
        loading::known_flow(&configuration.dataflow, &self.flow)?;
        let mut hand = Hand::of(common, &configuration).await?;
        let flow = self.flow.clone();
        hand.act(Command::Pause { flow }).await?;
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
        let configuration = loading::configuration(common)?;
        loading::known_flow(&configuration.dataflow, &self.flow)?;
        let mut hand = Hand::of(common, &configuration).await?;
        let flow = self.flow.clone();
        hand.act(Command::Resume { flow }).await?;
        screen.json(&json!({ "resumed": self.flow }));
        screen.say(format!(
            "{} goes on; {} decides what was seen meanwhile.",
            self.flow,
            hand.who_goes_on()
        ));
        Ok(Exit::Done)
    }
}
