//! `tandem links export`: which record is linked with which.

use super::PAGE;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, count_of};
use crate::sheet::Writer;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tandem_ledger::Store;

/// Write which record is linked with which, as CSV.
#[derive(Debug, Args)]
#[command(after_help = "\
The columns are flow and the ids in both systems; `tandem links import` takes the file back.

Examples:
  tandem links export
  tandem links export links.csv --flow contact-contact
  tandem links export links.csv --json")]
pub(super) struct Export {
    /// A new file; standard output if absent
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only this flow
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
}

impl Export {
    /// Writes the links, page by page.
    pub(super) fn write(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        if let Some(flow) = &self.flow {
            loading::known_flow(&configuration.dataflow, flow)?;
        }
        let mut store = loading::look(common, &configuration)?;
        let mut sheet = match &self.file {
            Some(file) => Writer::create(file)?,
            None => Writer::stdout(),
        };
        let [first, second] = &configuration.dataflow.systems;
        sheet.row(["flow", first, second]);
        let (mut after, mut count) = (0, 0);
        loop {
            let page = store.links(self.flow.as_deref(), after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            for link in page {
                sheet.row([&link.flow, &link.first.id, &link.second.id]);
                count += 1;
            }
        }
        sheet.finish()?;
        if let Some(file) = &self.file {
            screen.json(&json!({ "file": file, "links": count }));
            let count = count_of(count, "link", "links");
            screen.say(format!("{count} written to {}.", file.display()));
        }
        Ok(Exit::Done)
    }
}
