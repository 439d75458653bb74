//! `tandem links`: linked records, to look at, to hand on and to take over.

mod export;
mod import;
mod rows;

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, named, shown_of, table};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tandem_api::look::Looker;
use tandem_ledger::{LinkRow, Store};
use tandem_merge::record::RecordKey;

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
    /// Only those after the link of this number, where a list before ended
    #[arg(long, value_name = "LINK", default_value_t = 0, hide_default_value = true)]
    after: u64,
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
        let flows = &configuration.dataflow;
        let masks = common.masks(flows);
        let limit = super::limit(self.limit, screen);
        let [first, second] = flows.systems.clone();
        let mut shown = table(["flow", first.as_str(), second.as_str(), "since"]);
        let (mut after, mut listed, mut more) = (self.after, 0, true);
        while more && listed < limit {
            let size = PAGE.min(limit - listed);
            let rows = store.links(self.flow.as_deref(), after, size)?;
            more = rows.len() == size;
            listed += rows.len();
            after = rows.last().map_or(after, |row| row.number);
            let ends = rows
                .iter()
                .flat_map(|row| [row.first.clone(), row.second.clone()]);
            let looker = &mut Looker {
                store: &mut store,
                flows,
                masks: &masks,
            };
            let names = looker.names(ends)?;
            for row in rows {
                screen.json(&as_json(&row, [&first, &second], &names));
                if !screen.json {
                    let end = |end: &RecordKey| {
                        named(format!("{} {}", end.record_type.name, end.id), names.get(end))
                    };
                    let ends = [end(&row.first), end(&row.second)];
                    let [one, two] = ends;
                    shown.add_row([row.flow, one, two, format!("{:.0}", row.since)]);
                }
            }
        }
        screen.result(shown);
        // A full page may have been the last one.
        let next = match more {
            true => store.links(self.flow.as_deref(), after, 1)?.pop(),
            false => None,
        };
        let status = store.status(flows)?;
        let counted = status.flows.iter();
        let counted = counted.filter(|(flow, _)| self.flow.as_ref().is_none_or(|wanted| wanted == *flow));
        let all = counted
            .map(|(_, flow)| flow.linked)
            .sum::<u64>()
            .max(listed as u64);
        let next = next.map(|_| format!("--after {after}"));
        screen.say(shown_of(listed, all, ["link", "links"], next));
        Ok(Exit::Done)
    }
}

/// A link as JSON.
fn as_json(row: &LinkRow, systems: [&String; 2], names: &BTreeMap<RecordKey, String>) -> Json {
    let mut object = json!({ "number": row.number, "flow": row.flow, "since": row.since, "names": {} });
    for (system, end) in systems.into_iter().zip([&row.first, &row.second]) {
        object[system] = format!("{}:{}", end.record_type.name, end.id).into();
        object["names"][system] = json!(names.get(end));
    }
    object
}
