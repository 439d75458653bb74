//! `tandem retry`: tries again what is parked.

use super::items;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, count_of};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use tandem_merge::record::RecordKey;

/// Try again what is parked on a record.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem retry Order:10248
  tandem retry customerp/Contact:17
  tandem retry --all")]
pub(crate) struct Retry {
    /// A record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD", required_unless_present = "all")]
    record: Option<String>,
    /// Everything that is parked
    #[arg(long, conflicts_with = "record")]
    all: bool,
}

impl Retry {
    /// Frees what is parked; the next sync tries again.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let mut engine = loading::engine_of_existing_state(common).await?;
        let flows = engine.flows().clone();
        let records: BTreeSet<RecordKey> = match &self.record {
            Some(text) => loading::records_named(engine.store(), &flows, text)?
                .into_iter()
                .collect(),
            None => items::all(engine.store(), usize::MAX, |item| {
                items::standing(item) == "parked"
            })?
            .into_iter()
            .map(|item| item.record)
            .collect(),
        };
        for record in &records {
            engine.retry(record)?;
        }
        screen.json(&json!({ "retried": records.iter().map(ToString::to_string).collect::<Vec<_>>() }));
        let count = count_of(records.len() as u64, "record", "records");
        screen.say(format!("{count} to try again; the next sync does."));
        Ok(Exit::Done)
    }
}
