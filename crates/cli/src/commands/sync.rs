//! `tandem sync`: works until nothing is left to do.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupt, STOPPED};
use crate::loading;
use crate::screen::{CountTable, Screen, Sentence, thousands};
use clap::Args;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Instant;
use tandem_api::words;
use tandem_engine::{FlowSummary, Summary};
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;

/// Work until nothing is left to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem sync
  tandem sync --json
  tandem sync --plan plan.jsonl            what `tandem plan --save plan.jsonl` kept, if nothing changed since
  tandem sync --config /etc/tandem/tandem.yaml --state /var/lib/tandem --quiet")]
pub(crate) struct Sync {
    /// Only if it would do what this file says, which `tandem plan --save` wrote
    #[arg(long, value_name = "FILE")]
    plan: Option<std::path::PathBuf>,
    /// Do not ask before the first sync of a new configuration
    #[arg(long)]
    yes: bool,
}

impl Sync {
    /// Syncs and tells what was done.
    pub(crate) async fn work(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        if let Some(file) = &self.plan {
            super::plan::kept::still_holds(file, common, &configuration, screen).await?;
        } else if !self.agreed(common, &configuration, screen).await? {
            screen.say("Nothing was done.");
            return Ok(Exit::Done);
        }
        let began = Instant::now();
        let watcher = crate::progress::watcher(screen, false);
        let mut interrupt = Interrupt::listen(Exit::Stopped.code());
        let work = async {
            let mut engine = loading::engine(common, &configuration, watcher.clone()).await?;
            let asks = loading::listen(&mut engine);
            let _door = loading::open_door(&common.state_folder(), asks, None);
            Ok::<_, Failure>(engine.sync().await?)
        };
        let done = interrupt.cut(work).await;
        drop(watcher);
        let Some(summary) = done.transpose()? else {
            screen.note(STOPPED);
            return Ok(Exit::Stopped);
        };
        let mut shown = as_json(&configuration.dataflow, &summary);
        shown["seconds"] = seconds(began).into();
        screen.json(&shown);
        screen.result(words::kinds(&summary.done));
        screen.result(flow_table(&configuration.dataflow, &summary.flows));
        screen.say(calls(&summary));
        for notice in &summary.notices {
            screen.say(Sentence(notice));
        }
        for stranger in &summary.strangers {
            screen.say(Sentence(stranger));
        }
        summary
            .clocks_apart
            .iter()
            .for_each(|words| screen.say(Sentence(words)));
        for hold in &summary.holds {
            screen.say(Sentence(hold));
        }
        for trouble in &summary.troubles {
            screen.complain(&Failure::from(trouble.clone()));
        }
        let exit = Exit::from(summary.standing());
        if exit == Exit::Waits {
            screen.say("Some things wait: `tandem failures` and `tandem conflicts` list them.");
        }
        Ok(exit)
    }
}

impl Sync {
    /// Whether it is to be done: on a terminal the first sync of a new configuration is shown as one line and asked about.
    async fn agreed(
        &self,
        common: &Common,
        configuration: &Configuration,
        screen: &Screen,
    ) -> Result<bool, Failure> {
        let asks =
            !self.yes && !screen.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !asks || tandem_ledger::is_there(&loading::home(common, configuration)?)? {
            return Ok(true);
        }
        let report = super::plan::rehearsed(common, configuration, screen).await?;
        screen.note(format!("The first sync: {}.", super::plan::in_a_line(&report)));
        screen.note("`tandem plan` shows all of it, record by record.");
        Ok(super::init::typed("Do it? (y/N)").is_some_and(|word| word.to_lowercase().starts_with('y')))
    }
}

/// Seconds since a moment, to milliseconds.
pub(crate) fn seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

/// What was done as JSON.
pub(crate) fn as_json(flows: &Dataflow, summary: &Summary) -> Json {
    let each = words::order(flows);
    let each = each.iter().map(|name| {
        let mut flow = counts(flows, summary.flows.get(*name).copied().unwrap_or_default());
        flow["flow"] = (*name).into();
        flow
    });
    json!({
        "flows": each.collect::<Vec<_>>(),
        "api_calls": summary.api_calls,
        "rows_read": summary.rows_read,
        "keys_looked_up": summary.keys_looked_up,
        "written": summary.written,
        "done": summary.done,
        "rounds": summary.rounds,
        "strangers": summary.strangers,
        "notices": summary.notices.iter().map(crate::standing::notice).collect::<Vec<_>>(),
        "clocks_apart": summary.clocks_apart,
        "holds": summary.holds.iter().map(crate::standing::hold).collect::<Vec<_>>(),
        "troubles": summary.troubles.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The counts of one flow as JSON.
pub(crate) fn counts(flows: &Dataflow, flow: FlowSummary) -> Json {
    let [first, second] = &flows.systems;
    let mut shown = json!({
        "linked": flow.linked,
        "updated": flow.updated,
        "conflicts": flow.conflicts,
        "questions": flow.questions,
        "parked": flow.parked,
        "deferred": flow.deferred,
        "approvals": flow.approvals,
        "failed": flow.failed,
        "not_created": flow.not_created,
    });
    shown[format!("created_{first}")] = flow.created_first.into();
    shown[format!("created_{second}")] = flow.created_second.into();
    shown
}

/// What was done, one line per flow.
pub(crate) fn flow_table(flows: &Dataflow, done: &BTreeMap<String, FlowSummary>) -> CountTable {
    let [first, second] = &flows.systems;
    let headings = [
        "linked",
        &format!("created in {first}"),
        &format!("created in {second}"),
        "updated",
        "conflicts",
        "parked",
        "deferred",
        "to approve",
        "listed only",
        "failed",
    ];
    let mut table = CountTable::new("flow", headings);
    for name in words::order(flows) {
        let flow = done.get(name).copied().unwrap_or_default();
        let counts = [
            flow.linked,
            flow.created_first,
            flow.created_second,
            flow.updated,
            flow.conflicts,
            flow.parked,
            flow.deferred,
            flow.approvals,
            flow.not_created,
            flow.failed,
        ];
        table.add_row(name, counts);
    }
    table
}

/// `12 API calls to customerp, 34 to salesforce, in 3 rounds`.
pub(crate) fn calls(summary: &Summary) -> String {
    let each = summary.api_calls.iter();
    let each: Vec<String> = each
        .map(|(system, calls)| format!("{} to {system}", thousands(*calls)))
        .collect();
    format!("API calls: {}; rounds: {}.", each.join(", "), summary.rounds)
}
