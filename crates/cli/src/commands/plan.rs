//! `tandem plan`: everything a sync would do, writing nothing.

mod decisions;
pub(crate) mod kept;
mod matches;
mod part;
mod values;
mod waits;

use super::sync;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, Sentence, count_of, table};
use clap::Args;
use serde_json::{Value as Json, json};
use tandem_api::{Masks, words};
use tandem_engine::{PlanReport, PlannedAction, PlannedWrite};
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::Values;
use tandem_merge::value::Value;

/// Show everything a sync would do, record by record, writing nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem plan
  tandem plan --limit 20
  tandem plan --save plan.jsonl                        to be carried out by `tandem sync --plan plan.jsonl`
  tandem plan --flow order-order                       only what concerns this flow
  tandem plan --matches                                which records would be linked, tie, or stand alone
  tandem plan --matches --flow contact-contact --export decisions.csv
  tandem plan --json | jq 'select(.action == \"create\")'
  tandem plan --json | jq 'select(.summary)'           how much would be done, by kind")]
pub(crate) struct Plan {
    /// At most this many lines; 0 for all [default: 200, with --json all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Show matches instead: pairs, ties with their candidates, singles, duplicates
    #[arg(long)]
    matches: bool,
    /// Only this flow
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// Keep the plan in this file; `tandem sync --plan FILE` carries it out if it still is what would be done
    #[arg(long, value_name = "FILE", conflicts_with_all = ["matches", "flow"])]
    save: Option<std::path::PathBuf>,
    /// Write the matches as CSV for decisions, which `tandem links import` carries out
    #[arg(long, value_name = "FILE", requires = "matches")]
    export: Option<std::path::PathBuf>,
}

impl Plan {
    /// Rehearses a sync on a copy of the state and shows it; as JSON one object per write and a last one with
    /// the counts.
    pub(crate) async fn rehearse(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        if self.matches {
            return self.show_matches(common, screen).await;
        }
        let configuration = loading::configuration(common)?;
        let mut flows = configuration.dataflow.clone();
        if let Some(flow) = &self.flow {
            loading::known_flow(&flows, flow)?;
        }
        let masks = common.masks(&flows);
        let (mut parts, copy) =
            loading::parts_on_a_copy(common, &configuration, crate::progress::rehearsal(screen)).await?;
        let held = tandem_engine::holds(parts.store.as_mut())?;
        let mut report = tandem_engine::plan(parts).await?;
        drop(copy);
        if let Some(flow) = self.flow.as_deref().and_then(|name| flows.flow(name)) {
            part::of_flow(&mut report, flow, &held);
            flows = part::alone(&flows, &flow.name);
        }
        match &self.save {
            Some(file) if report.summary.troubles.is_empty() => kept::save(file, &report, &masks)?,
            Some(file) => screen.note(format!(
                "{} was not written: the plan is not whole.",
                file.display()
            )),
            None => {}
        }
        self.tell(&report, &flows, &masks, screen);
        for trouble in &report.summary.troubles {
            screen.complain(&Failure::from(trouble.clone()));
        }
        Ok(match report.summary.troubles.is_empty() {
            true if waits::are_parked(&report) => Exit::Waits,
            true => Exit::Done,
            false => Exit::Trouble,
        })
    }

    /// Tells the plan: its lines, how it would leave the flows, and how much there is of each kind.
    fn tell(&self, report: &PlanReport, flows: &Dataflow, masks: &Masks, screen: &Screen) {
        let limit = match self.limit.unwrap_or(if screen.json { 0 } else { 200 }) {
            0 => usize::MAX,
            limit => limit,
        };
        for (change, values) in &report.changes {
            let mut line = json!({ "change": change });
            line["change"]["values"] = (*values).into();
            screen.json(&line);
            let moves = count_of(*values, "value would move", "values would move");
            screen.result(Sentence(format!("The configuration changed: {change}; {moves}.")));
        }
        screen.json(&json!({ "summary": report.summary.done, "nothing_to_do": is_nothing(report) }));
        show_lines(&report.writes, limit, (flows, masks), screen);
        if report.waiting > 0 {
            let count = count_of(report.waiting, "thing waits already", "things wait already");
            screen.result(Sentence(match &self.flow {
                Some(flow) => format!(
                    "{count}, in all flows together: `tandem failures --flow {flow}` and \
                     `tandem conflicts --flow {flow}` list those of {flow}."
                ),
                None => format!("{count}: `tandem failures` and `tandem conflicts` list them."),
            }));
        }
        for notice in &report.summary.notices {
            screen.say(Sentence(notice));
        }
        for hold in &report.summary.holds {
            screen.say(Sentence(hold));
        }
        screen.result(sync::flow_table(flows, &report.summary.flows));
        screen.say("Nothing was written.");
        screen.result(match is_nothing(report) {
            true => format!("{}: nothing to do", words::kinds(&report.summary.done)),
            false => in_a_line(report),
        });
        let mut counts = sync::as_json(flows, &report.summary);
        let writes = report.writes.iter().filter(|write| write.action.is_written());
        counts["writes"] = writes.count().into();
        counts["lines"] = report.writes.len().into();
        counts["waits"] = waits::as_json(report);
        screen.json(&json!({ "plan": counts }));
    }
}

/// The whole plan in a line: how much there is of each kind, and what will not happen.
pub(super) fn in_a_line(report: &PlanReport) -> String {
    format!("{}{}", words::kinds(&report.summary.done), waits::told(report))
}

/// What a sync would do now, of a configuration whose systems all answer.
///
/// # Errors
/// A system is in trouble: what it would do nobody knows.
pub(super) async fn rehearsed(
    common: &Common,
    configuration: &Configuration,
    screen: &Screen,
) -> Result<PlanReport, Failure> {
    let watcher = crate::progress::rehearsal(screen);
    // The copy is kept until all of it was read.
    let (parts, _copy) = loading::parts_on_a_copy(common, configuration, watcher).await?;
    let report = tandem_engine::plan(parts).await?;
    match report.summary.troubles.first() {
        Some(trouble) => Err(trouble.clone().into()),
        None => Ok(report),
    }
}

/// Whether a sync would do nothing and leave nothing waiting that does not wait already.
fn is_nothing(report: &PlanReport) -> bool {
    report.summary.done.is_nothing() && report.writes.is_empty()
}

/// The lines. Where not all are shown, those that end something or ask somebody are.
fn show_lines(writes: &[PlannedWrite], limit: usize, (flows, masks): (&Dataflow, &Masks), screen: &Screen) {
    let mut lines: Vec<&PlannedWrite> = writes.iter().collect();
    if lines.len() > limit {
        lines.sort_by_key(|write| !write.action.is_grave());
    }
    let mut shown = table(["flow", "action", "record", "values", "why"]);
    for write in lines.iter().take(limit) {
        screen.json(&as_json(write, masks));
        if !screen.json {
            shown.add_row([
                write.flow.clone().unwrap_or_default(),
                action(write),
                record(write),
                values::shown(write, flows, masks),
                write.reason.clone(),
            ]);
        }
    }
    if !writes.is_empty() {
        screen.result(shown);
    }
    let rest = writes.len().saturating_sub(limit);
    if rest > 0 {
        screen.say(format!(
            "... and {}: --limit 0 shows all.",
            count_of(rest as u64, "more", "more")
        ));
    }
}

fn action(write: &PlannedWrite) -> String {
    let follows = if write.follows { " (follows)" } else { "" };
    format!("{}{follows}", write.action.name())
}

fn record(write: &PlannedWrite) -> String {
    match (&write.action, &write.with, &write.property) {
        (PlannedAction::Create | PlannedAction::Companion, ..) => {
            format!("{} for {}", write.target, write.record)
        }
        (PlannedAction::Unlink, Some(with), _) => format!("{} from {with}", write.record),
        (_, Some(with), _) => format!("{} with {with}", write.record),
        (_, None, Some(property)) => format!("{}.{property}", write.record),
        (_, None, None) => write.record.to_string(),
    }
}

fn as_json(write: &PlannedWrite, masks: &Masks) -> Json {
    let shown = |name: &String, value: &Value| match masks.text(&write.target, name, value) {
        Some(text) => text.into(),
        None => Json::Null,
    };
    let values = |values: &Values| {
        let each = values
            .iter()
            .map(|(name, value)| (name.clone(), shown(name, value)));
        each.collect::<serde_json::Map<_, _>>()
    };
    json!({
        "flow": write.flow,
        "action": write.action,
        "target": write.target.to_string(),
        "record": write.record.to_string(),
        "with": write.with.as_ref().map(ToString::to_string),
        "property": write.property,
        "role": write.role,
        "values": values(&write.values),
        "before": values(&write.before),
        "reason": write.reason,
        "follows": write.follows,
    })
}
