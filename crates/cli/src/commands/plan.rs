//! `tandem plan`: everything a sync would do, writing nothing.

mod decisions;
mod matches;

use super::sync;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::mask::{Masks, shorten};
use crate::screen::{Screen, count_of, table};
use clap::Args;
use serde_json::{Value as Json, json};
use tandem_engine::{PlannedAction, PlannedWrite};

/// Show everything a sync would do, record by record, writing nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem plan
  tandem plan --limit 20
  tandem plan --matches                                which records would be linked, tie, or stand alone
  tandem plan --matches --flow contact-contact --export decisions.csv
  tandem plan --json | jq 'select(.action == \"create\")'")]
pub(crate) struct Plan {
    /// At most this many lines; 0 for all [default: 200, with --json all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Show matches instead: pairs, ties with their candidates, singles, duplicates
    #[arg(long)]
    matches: bool,
    /// Only this flow
    #[arg(long, value_name = "FLOW", requires = "matches")]
    flow: Option<String>,
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
        let masks = Masks::asked(&configuration.dataflow, common);
        let (parts, copy) =
            loading::parts_on_a_copy(common, &configuration, crate::progress::watcher(screen, true)).await?;
        let report = tandem_engine::plan(parts).await?;
        drop(copy);
        let limit = match self.limit.unwrap_or(if screen.json { 0 } else { 200 }) {
            0 => usize::MAX,
            limit => limit,
        };
        for (change, values) in &report.changes {
            let mut line = json!({ "change": change });
            line["change"]["values"] = (*values).into();
            screen.json(&line);
            let moves = count_of(*values, "value would move", "values would move");
            screen.result(format!("The configuration changed: {change}; {moves}."));
        }
        let mut shown = table(["flow", "action", "record", "values", "why"]);
        for write in report.writes.iter().take(limit) {
            screen.json(&as_json(write, &masks));
            if !screen.json {
                shown.add_row([
                    write.flow.clone().unwrap_or_default(),
                    action(write),
                    record(write),
                    values(write, &masks),
                    write.reason.clone(),
                ]);
            }
        }
        screen.result(shown);
        let rest = report.writes.len().saturating_sub(limit);
        if rest > 0 {
            screen.say(format!(
                "... and {}: --limit 0 shows all.",
                count_of(rest as u64, "more", "more")
            ));
        }
        screen.result(sync::flow_table(&configuration.dataflow, &report.summary.flows));
        screen.say("Nothing was written.");
        let mut counts = sync::as_json(&configuration.dataflow, &report.summary);
        counts["writes"] = report.writes.len().into();
        screen.json(&json!({ "plan": counts }));
        for trouble in &report.summary.troubles {
            screen.complain(&Failure::from(trouble.clone()));
        }
        Ok(match report.summary.troubles.is_empty() {
            true => Exit::Done,
            false => Exit::Trouble,
        })
    }
}

fn action(write: &PlannedWrite) -> String {
    let name = match write.action {
        PlannedAction::Link => "link",
        PlannedAction::Create => "create",
        PlannedAction::Companion => "companion",
        PlannedAction::Update => "update",
        PlannedAction::Delete => "delete",
    };
    let follows = if write.follows { " (follows)" } else { "" };
    format!("{name}{follows}")
}

fn record(write: &PlannedWrite) -> String {
    match (&write.action, &write.with) {
        (PlannedAction::Create | PlannedAction::Companion, _) => {
            format!("{} for {}", write.target, write.record)
        }
        (_, Some(with)) => format!("{} with {with}", write.record),
        (_, None) => write.record.to_string(),
    }
}

fn values(write: &PlannedWrite, masks: &Masks) -> String {
    let each = write.values.iter().filter(|(_, value)| !value.is_blank());
    let each: Vec<String> = each
        .map(|(name, value)| format!("{name}={}", masks.show(&write.target, name, value)))
        .collect();
    shorten(&each.join(", "))
}

fn as_json(write: &PlannedWrite, masks: &Masks) -> Json {
    let values = write.values.iter().map(|(name, value)| {
        let shown = match masks.hides(&write.target, name) && !value.is_blank() {
            true => masks.show(&write.target, name, value).into(),
            false if value.is_blank() => Json::Null,
            false => value.to_string().into(),
        };
        (name.clone(), shown)
    });
    json!({
        "flow": write.flow,
        "action": write.action,
        "target": write.target.to_string(),
        "record": write.record.to_string(),
        "with": write.with.as_ref().map(ToString::to_string),
        "role": write.role,
        "values": values.collect::<serde_json::Map<_, _>>(),
        "reason": write.reason,
        "follows": write.follows,
    })
}
