//! `tandem worker`: keeps in step as one of several.

use super::run::Run;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::screen::Screen;
use clap::Args;

/// Keep in step as one of several: one works, the others stand by.
#[derive(Debug, Args)]
#[command(after_help = "\
Start it on two machines or more, with the same configuration and a state on a PostgreSQL server. One of them works as
`tandem run` does. When it is stopped or dies another one goes on within a second or two; when it stands still or is cut
off from the server, within 15 seconds.

Examples:
  tandem worker
  tandem worker --console 0.0.0.0:8743 --console-name status.example.com
  tandem status")]
pub(crate) struct Worker {
    #[command(flatten)]
    run: Run,
}

impl Worker {
    /// Works, or stands by, until interrupted.
    pub(crate) async fn work(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        self.run.in_turn(common, screen).await
    }
}
