//! `tandem forget`: erases a person from state and history.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, count_of, table};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use tandem_api::{Command, Done, door};
use tandem_ledger::{Forgotten, Ledger, Store};
use tandem_merge::config::Configuration;
use tandem_merge::record::RecordKey;

/// Lines of history read at a time.
const PAGE: usize = 1_000;

/// Erase a person from state and history.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --yes it says what would be erased and changes nothing. The record and all that is linked with it are
forgotten; the systems themselves are not touched. What stays is a keyed hash, by which the records are recognised and
neither linked, created nor shown again.

Examples:
  tandem forget Contact:alice@example.com
  tandem forget customerp/Contact:17 --yes
  tandem forget Contact:17 --json")]
pub(crate) struct Forget {
    /// A record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD")]
    record: String,
    /// Do it
    #[arg(long)]
    yes: bool,
}

impl Forget {
    /// Shows what is held of a person, and forgets it where asked to.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        let mut store = loading::look(common, &configuration)?;
        let named = loading::records_named(&mut store, flows, &self.record)?;
        let all = loading::with_linked(&mut store, flows, named.clone())?;
        let first = loading::with_linked(&mut store, flows, named[..1].to_vec())?;
        if all != first {
            return Err(Failure::usage(
                format!("`{}` names several records that are not linked", self.record),
                "Name the system and the id: SYSTEM/TYPE:ID, and forget one after the other",
            ));
        }
        let mut shown = table(["record", "lines of history"]);
        let mut told = Vec::new();
        for key in &all {
            let lines = lines_of(&mut store, key)?;
            shown.add_row([key.to_string(), lines.to_string()]);
            told.push(json!({ "record": key.to_string(), "lines": lines }));
        }
        screen.result(shown);
        if !self.yes {
            screen.json(&json!({ "forgotten": false, "records": told }));
            screen.say("Nothing was erased; --yes does it. It cannot be undone.");
            return Ok(Exit::Done);
        }
        let keys: Vec<RecordKey> = all.iter().cloned().collect();
        drop(store);
        let done = erase(keys, &configuration, common).await?;
        screen.json(&json!({ "forgotten": true, "records": told, "lines": done.lines }));
        screen.say(format!(
            "{} and {} of history forgotten; {} hold{} them still.",
            count_of(done.records, "record", "records"),
            count_of(done.lines, "line", "lines"),
            systems(&all),
            if systems(&all).contains(" and ") { "" } else { "s" },
        ));
        Ok(Exit::Done)
    }
}

/// By the process that works with the state. Where none does the state is enough: the systems need not answer.
async fn erase(
    records: Vec<RecordKey>,
    configuration: &Configuration,
    common: &Common,
) -> Result<Forgotten, Failure> {
    let Some(client) = door::knock(&common.state_folder()).await else {
        let mut store = loading::existing_state(common, configuration)?;
        return Ok(store.forget(&records, Timestamp::now())?);
    };
    match client.ask(Command::Forget { records }).await? {
        Done::Forgotten { forgotten } => Ok(forgotten),
        _ => Err(loading::misunderstood()),
    }
}

fn lines_of(store: &mut Ledger, key: &RecordKey) -> Result<usize, Failure> {
    let (mut count, mut after) = (0, 0);
    loop {
        let page = store.history(Some(key), after, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(count);
        };
        after = *last;
        count += page.len();
    }
}

/// The systems that records are of.
fn systems(records: &BTreeSet<RecordKey>) -> String {
    let names: BTreeSet<&str> = records
        .iter()
        .map(|key| key.record_type.system.as_str())
        .collect();
    names.into_iter().collect::<Vec<_>>().join(" and ")
}
