//! `tandem retry`: tries again what is parked.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, Hand};
use crate::screen::{Screen, count_of};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use tandem_api::Command;
use tandem_api::look::all_items;
use tandem_api::words;
use tandem_ledger::Item;
use tandem_merge::record::RecordKey;

/// Try again what is parked: on records, of a kind, in a flow, or everything.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem retry Order:10248
  tandem retry customerp/Contact:17 customerp/Contact:18
  tandem retry --kind refused --flow order-order
  tandem retry --all")]
pub(crate) struct Retry {
    /// Records: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD", required_unless_present_any = ["all", "kind", "flow"])]
    records: Vec<String>,
    /// Everything that is parked
    #[arg(long, conflicts_with_all = ["records", "kind", "flow"])]
    all: bool,
    /// What is parked for this kind of trouble, as `tandem failures` names it
    #[arg(long, value_name = "KIND", conflicts_with = "records")]
    kind: Option<String>,
    /// What is parked in this flow
    #[arg(long, value_name = "FLOW", conflicts_with = "records")]
    flow: Option<String>,
}

impl Retry {
    /// Frees what is parked; the next sync tries again.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        let mut store = loading::look(common, &configuration)?;
        if let Some(flow) = &self.flow {
            loading::known_flow(flows, flow)?;
        }
        let mut records: BTreeSet<RecordKey> = BTreeSet::new();
        for text in &self.records {
            records.extend(loading::records_named(&mut store, flows, text)?);
        }
        if self.records.is_empty() {
            let parked = all_items(&mut store, usize::MAX, |item| self.wants(item))?;
            records.extend(parked.into_iter().map(|item| item.record));
        }
        drop(store);
        let mut hand = Hand::of(common, &configuration).await?;
        let all = records.iter().cloned().collect();
        hand.act(Command::Retry { records: all }).await?;
        screen.json(&json!({ "retried": records.iter().map(ToString::to_string).collect::<Vec<_>>() }));
        let count = count_of(records.len() as u64, "record", "records");
        screen.say(format!("{count} to try again; {} does.", hand.who_goes_on()));
        Ok(Exit::Done)
    }

    fn wants(&self, item: &Item) -> bool {
        let fits =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        words::standing(item) == "parked"
            && fits(&self.kind, &words::kind(item))
            && fits(&self.flow, item.flow.as_deref().unwrap_or_default())
    }
}
