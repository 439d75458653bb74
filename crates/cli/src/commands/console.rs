//! `tandem console`: a link that leads into the pages of the process that works.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::screen::Screen;
use crate::serving;
use clap::Args;
use serde_json::json;
use tandem_api::door;

/// Print a link that signs in once to the console of the process that works.
#[derive(Debug, Args)]
#[command(after_help = "\
The link signs in whoever opens it first, for twelve hours, with every right; it is good for an hour.

Examples:
  tandem console
  tandem console --json")]
pub(crate) struct Console {}

impl Console {
    /// Prints it.
    pub(crate) async fn print(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let folder = common.state_folder();
        let open = match door::knock(&folder).await {
            Some(_) => serving::whereabouts(&folder),
            None => None,
        };
        let at = open.ok_or_else(|| {
            Failure::usage(
                format!("no process serves pages for the state in {}", folder.display()),
                "Start `tandem run` (without --no-console), or name the state's folder with --state",
            )
        })?;
        let link = serving::link(&folder, &at).map_err(|error| {
            Failure::trouble(
                format!("no link can be made ({error})"),
                "Ask whoever owns the state's folder: only they can read its key",
            )
        })?;
        screen.json(&json!({ "console": at.url, "link": link }));
        screen.result(link);
        Ok(Exit::Done)
    }
}
