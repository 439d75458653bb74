//! `tandem status`: how things stand, flow by flow.

use crate::arguments::Common;
use crate::commands::run::{Outage, outages};
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{CountTable, Screen, Sentence, count_of, thousands};
use crate::standing;
use clap::Args;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tandem_api::{door, words};
use tandem_connector::Budget;
use tandem_engine::{Hold, Notice};
use tandem_ledger::{FlowStatus, Status as Standing, Store, Worker};
use tandem_merge::dataflow::Dataflow;

/// Show how things stand, flow by flow.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem status
  tandem status --json
  tandem status --state /var/lib/tandem")]
pub(crate) struct Status {}

impl Status {
    /// Shows the counts.
    pub(crate) fn show(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        // What a process that is gone said of the systems is out of date.
        let folder = common.state_folder();
        let troubles = match door::is_open(&folder) {
            true => outages(&folder),
            false => BTreeMap::new(),
        };
        let mut store = loading::look(common, &configuration)?;
        let status = store.status(&configuration.dataflow)?;
        let systems = &configuration.dataflow.systems;
        let budgets = tandem_engine::budgets(&mut store, systems)?;
        let notices = tandem_engine::notices(&mut store, systems)?;
        let holds = tandem_engine::holds(&mut store)?;
        let clocks = tandem_engine::clocks(&mut store, systems)?;
        let apart = tandem_engine::apart(systems, clocks, configuration.dataflow.clock_error_seconds);
        let mut shown = as_json(&configuration.dataflow, &status);
        add(&mut shown, &budgets, &notices, &holds);
        let strangers = tandem_engine::strangers(&mut store, systems)?;
        shown["strangers"] = json!(strangers);
        shown["clocks"] = json!(clocks.map(|clock| clock.map(|clock| clock.ahead().as_secs_f64())));
        shown["clocks_apart"] = json!(apart);
        shown["troubles"] = json!(troubles);
        let workers = store.workers()?;
        shown["workers"] = json!(workers);
        screen.json(&shown);
        screen.result(flow_table(&configuration.dataflow, &status));
        screen.result(Sentence(summary(&status)));
        for outage in troubles.values() {
            let Outage { words, since } = outage;
            screen.result(Sentence(format!("{words} (since {since:.0})")));
        }
        for line in lines(&budgets, &notices, &holds).into_iter().chain(apart) {
            screen.result(Sentence(line));
        }
        for stranger in &strangers {
            screen.result(Sentence(stranger));
        }
        for worker in &workers {
            screen.result(Sentence(turn(worker)));
        }
        let quiet = notices.is_empty() && !holds.iter().any(Hold::needs_approval);
        Ok(if quiet { exit(&status) } else { Exit::Waits })
    }
}

/// Whether somebody works with a state on a server, or stands by for it.
fn turn(worker: &Worker) -> String {
    let Worker { name, since, .. } = worker;
    match (worker.works, worker.seen) {
        (true, true) => format!("{name} works (since {since:.0})"),
        (true, false) => format!("Nobody works: {name} did not renew its lease in time"),
        (false, _) => format!("{name} stands by (since {since:.0})"),
    }
}

/// Budgets, notices and holds, one line each.
pub(crate) fn lines(budgets: &[(String, Budget)], notices: &[Notice], holds: &[Hold]) -> Vec<String> {
    let now = jiff::Timestamp::now();
    let budgets = budgets.iter().map(|(system, budget)| {
        standing::reached(system, budget, now).unwrap_or_else(|| standing::budget(system, budget))
    });
    let said = notices.iter().map(ToString::to_string);
    let said = said.chain(holds.iter().map(ToString::to_string));
    budgets.chain(said).collect()
}

/// Adds budgets, notices and holds to the counts.
pub(crate) fn add(shown: &mut Json, budgets: &[(String, Budget)], notices: &[Notice], holds: &[Hold]) {
    let by_system: BTreeMap<&str, &Budget> = budgets
        .iter()
        .map(|(system, budget)| (system.as_str(), budget))
        .collect();
    shown["budgets"] = json!(by_system);
    shown["notices"] = notices.iter().map(standing::notice).collect();
    shown["holds"] = holds.iter().map(standing::hold).collect();
}

/// What the exit code says of a state.
pub(crate) fn exit(status: &Standing) -> Exit {
    let waits = |flow: &FlowStatus| flow.parked + flow.questions + flow.approvals > 0;
    if status.flows.values().any(waits) {
        Exit::Waits
    } else {
        Exit::Done
    }
}

/// One line per flow, in the order of the dataflow document.
pub(crate) fn flow_table(flows: &Dataflow, status: &Standing) -> CountTable {
    let [first, second] = &flows.systems;
    let headings = [
        "linked",
        &format!("created in {first}"),
        &format!("created in {second}"),
        "updated",
        "conflicts",
        "to answer",
        "parked",
        "deferred",
        "to approve",
        "listed only",
    ];
    let mut table = CountTable::new("flow", headings);
    for name in words::order(flows) {
        let flow = status.flows.get(name).cloned().unwrap_or_default();
        let counts = [
            flow.linked,
            flow.created[0],
            flow.created[1],
            flow.updated,
            flow.conflicts,
            flow.questions,
            flow.parked,
            flow.deferred,
            flow.approvals,
            flow.not_created,
        ];
        table.add_row(name, counts);
    }
    table
}

fn summary(status: &Standing) -> String {
    let records: u64 = status.records.values().sum();
    let (waiting, sent) = status.outbox;
    let mut parts = vec![count_of(records, "record known", "records known")];
    if status.inbox > 0 {
        parts.push(count_of(
            status.inbox,
            "observation to decide",
            "observations to decide",
        ));
    }
    if waiting + sent > 0 {
        parts.push(format!(
            "{} and {} without an answer",
            count_of(waiting, "write to send", "writes to send"),
            thousands(sent)
        ));
    }
    let ignored: u64 = status.flows.values().map(|flow| flow.ignored).sum();
    if ignored > 0 {
        parts.push(format!(
            "{} (`tandem failures --ignored`)",
            count_of(ignored, "item ignored", "items ignored")
        ));
    }
    for (system, at) in &status.listed {
        parts.push(format!("{system} listed in full at {at:.0}"));
    }
    parts.push(format!("state {} KiB", thousands(status.bytes / 1024)));
    let history = &status.history;
    if let Some(oldest) = history.oldest {
        parts.push(format!(
            "history {}, {} KiB, back to {oldest:.0}",
            count_of(history.lines, "line", "lines"),
            thousands(history.bytes / 1024)
        ));
    }
    parts.join("; ")
}

/// The counts as JSON.
pub(crate) fn as_json(flows: &Dataflow, status: &Standing) -> Json {
    let [first, second] = &flows.systems;
    let flow = |name: &&str| {
        let flow = status.flows.get(*name).cloned().unwrap_or_default();
        let mut shown = json!({
            "flow": name,
            "linked": flow.linked,
            "updated": flow.updated,
            "conflicts": flow.conflicts,
            "questions": flow.questions,
            "parked": flow.parked,
            "deferred": flow.deferred,
            "approvals": flow.approvals,
            "not_created": flow.not_created,
            "ignored": flow.ignored,
        });
        shown[format!("created_{first}")] = flow.created[0].into();
        shown[format!("created_{second}")] = flow.created[1].into();
        shown
    };
    json!({
        "flows": words::order(flows).iter().map(flow).collect::<Vec<_>>(),
        "records": status.records,
        "inbox": status.inbox,
        "outbox": { "waiting": status.outbox.0, "sent": status.outbox.1 },
        "listed": status.listed,
        "bytes": status.bytes,
        "history": status.history,
    })
}
