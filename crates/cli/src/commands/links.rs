//! `tandem links`: linked records, to look at, to hand on and to take over.

mod export;
mod import;
mod rows;

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, count_of, table};
use clap::{Args, Subcommand};
use serde_json::json;
use tandem_store::Store;

/// Links read at a time.
const PAGE: usize = 1_000;

/// List linked records; export and import links.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  tandem links
  tandem links --flow order-invoice --limit 20
  tandem links --json | jq -r .salesforce
  tandem links export links.csv
  tandem links import decisions.csv"
)]
pub(crate) struct Links {
    #[command(subcommand)]
    what: Option<What>,
    /// Only this flow
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// At most this many; 0 for all [default: 100, with --json all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write which record is linked with which, as CSV
    Export(export::Export),
    /// Carry out decisions about links, or take over another tool's links, from CSV
    Import(import::Import),
}

impl Links {
    /// Lists, exports or imports.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        match &self.what {
            None => self.list(common, screen),
            Some(What::Export(export)) => export.write(common, screen),
            Some(What::Import(import)) => import.carry_out(common, screen).await,
        }
    }

    /// Lists links; as JSON one object per line.
    fn list(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        if let Some(flow) = &self.flow {
            loading::known_flow(&configuration.dataflow, flow)?;
        }
        let mut store = loading::look(common, &configuration)?;
        let limit = match self.limit.unwrap_or(if screen.json { 0 } else { 100 }) {
            0 => usize::MAX,
            limit => limit,
        };
        let [first, second] = configuration.dataflow.systems.clone();
        let mut shown = table(["flow", first.as_str(), second.as_str(), "since"]);
        let (mut after, mut listed, mut more) = (0, 0, true);
        while more && listed < limit {
            let rows = store.links(self.flow.as_deref(), after, PAGE.min(limit - listed))?;
            more = rows.len() == PAGE.min(limit - listed);
            for row in rows {
                after = row.number;
                listed += 1;
                let mut object = json!({ "flow": row.flow, "since": row.since });
                object[&first] = format!("{}:{}", row.first.record_type.name, row.first.id).into();
                object[&second] = format!("{}:{}", row.second.record_type.name, row.second.id).into();
                screen.json(&object);
                if !screen.json {
                    shown.add_row([
                        row.flow.clone(),
                        format!("{} {}", row.first.record_type.name, row.first.id),
                        format!("{} {}", row.second.record_type.name, row.second.id),
                        format!("{:.0}", row.since),
                    ]);
                }
            }
        }
        screen.result(shown);
        let rest = if more {
            "; there may be more: raise --limit"
        } else {
            ""
        };
        screen.say(format!("{}{rest}", count_of(listed as u64, "link", "links")));
        Ok(Exit::Done)
    }
}
