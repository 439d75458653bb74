//! `tandem approve`: lets go ahead what waits for a person: deletions, and what a guard holds.

use super::items;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, count_of, table};
use clap::{Args, ValueEnum};
use serde_json::json;
use tandem_engine::{Held, Hold};
use tandem_merge::cluster;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;
use tandem_store::{Item, SqliteStore};

/// Let go ahead what waits for a person: deletions, and what a guard holds.
#[derive(Debug, Args)]
#[command(after_help = "\
Without anything it lists what waits. A flow or a system is shown first, and approved with --yes.

Examples:
  tandem approve                             what waits
  tandem approve 12                          what the flow's policy offers first
  tandem approve 12 --verdict unlink         keep the counterpart, end the link
  tandem approve customer-division           what would be deleted, put out of use or rewritten
  tandem approve customer-division --yes     all of it
  tandem approve customerp --yes             believe a system again that a guard stopped")]
pub(crate) struct Approve {
    /// An item as `tandem failures` numbers it, a flow, or a system
    #[arg(value_name = "ITEM|FLOW|SYSTEM")]
    what: Option<String>,
    /// What happens to the counterpart of a deleted record
    #[arg(long, value_name = "VERDICT")]
    verdict: Option<Verdict>,
    /// Approve all that waits in the flow, or the system
    #[arg(long)]
    yes: bool,
}

/// What happens to the counterpart of a deleted record.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Verdict {
    /// It is deleted too
    Propagate,
    /// It is put out of use
    Deactivate,
    /// The link ends, it stays
    Unlink,
    /// The deleted record is created again
    Recreate,
}

impl From<Verdict> for cluster::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Propagate => Self::Propagate,
            Verdict::Deactivate => Self::Deactivate,
            Verdict::Unlink => Self::Unlink,
            Verdict::Recreate => Self::Recreate,
        }
    }
}

impl Approve {
    /// Lists, shows or notes it; the next sync carries out what was approved.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let Some(what) = &self.what else {
            let store = loading::existing_state(common, &configuration)?;
            return list(&configuration.dataflow, store, screen);
        };
        if let Ok(item) = what.parse() {
            return self.item(item, common, screen).await;
        }
        if configuration.dataflow.systems.contains(what) {
            return self.system(what, &configuration, common, screen).await;
        }
        loading::known_flow(&configuration.dataflow, what)?;
        let mut store = loading::existing_state(common, &configuration)?;
        let waiting = waiting(&mut store, what)?;
        let held = holds(&mut store, &Held::Flow(what.clone()))?;
        drop(store);
        if waiting.is_empty() && held.is_empty() {
            screen.json(&json!({ "flow": what, "waiting": 0 }));
            screen.say(format!("Nothing of {what} waits for approval."));
            return Ok(Exit::Done);
        }
        let verdict = self.verdict.map(Into::into);
        show(&configuration.dataflow, &waiting, verdict, screen);
        held.iter().for_each(|hold| screen.say(hold));
        if !self.yes {
            return Err(nothing_changed());
        }
        let mut engine = loading::engine_of_existing_state(common).await?;
        let (approved, held) = engine.approve_flow(what, verdict)?;
        screen.json(&json!({ "flow": what, "approved": approved, "edits": held }));
        if held {
            screen.say(format!(
                "What the guards of {what} held is approved; the next sync writes it."
            ));
        }
        if approved > 0 {
            let count = count_of(approved, "deletion is", "deletions are");
            screen.say(format!("{count} approved; the next sync carries it out."));
        }
        Ok(Exit::Done)
    }

    async fn item(&self, item: u64, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let mut engine = loading::engine_of_existing_state(common).await?;
        engine.approve(item, self.verdict.map(Into::into))?;
        screen.json(&json!({ "approved": item }));
        screen.say(format!("Item {item} is approved; the next sync carries it out."));
        Ok(Exit::Done)
    }

    async fn system(
        &self,
        system: &str,
        configuration: &Configuration,
        common: &Common,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        let held = holds(
            &mut loading::existing_state(common, configuration)?,
            &Held::System(system.to_owned()),
        )?;
        held.iter().for_each(|hold| screen.say(hold));
        if !held.is_empty() && !self.yes {
            return Err(nothing_changed());
        }
        let mut engine = loading::engine_of_existing_state(common).await?;
        engine.approve_system(system)?;
        screen.json(&json!({ "approved": system }));
        screen.say(format!("{system} is believed again; the next sync goes on."));
        Ok(Exit::Done)
    }
}

fn nothing_changed() -> Failure {
    Failure::usage("nothing was changed", "Add --yes to approve all of it")
}

fn waiting(store: &mut SqliteStore, flow: &str) -> Result<Vec<Item>, Failure> {
    items::all(store, usize::MAX, |item| {
        item.kind == Some(ParkedKind::Approval) && item.flow.as_deref() == Some(flow)
    })
}

fn holds(store: &mut SqliteStore, of: &Held) -> Result<Vec<Hold>, Failure> {
    let mut all = tandem_engine::holds(store)?;
    all.retain(|hold| &hold.of == of && hold.needs_approval());
    Ok(all)
}

/// What approving would do, record by record.
fn show(flows: &Dataflow, waiting: &[Item], verdict: Option<cluster::Verdict>, screen: &Screen) {
    let mut shown = table(["item", "record", "would be", "why"]);
    for item in waiting {
        let verdict = verdict.or_else(|| tandem_engine::offered_for(flows, item));
        let would = match verdict {
            Some(cluster::Verdict::Propagate) => "deleted",
            Some(cluster::Verdict::Deactivate) => "put out of use",
            Some(cluster::Verdict::Unlink) => "unlinked, and kept",
            Some(cluster::Verdict::Recreate) => "kept, and its counterpart created again",
            None => "decided by the policy",
        };
        screen.json(&json!({
            "item": item.number, "record": item.record.to_string(), "verdict": verdict, "why": item.reason,
        }));
        shown.add_row([
            item.number.to_string(),
            item.record.to_string(),
            would.to_owned(),
            item.reason.clone(),
        ]);
    }
    if !waiting.is_empty() {
        screen.result(shown);
    }
}

/// What waits for approval: by flow, and what guards hold.
fn list(flows: &Dataflow, mut store: SqliteStore, screen: &Screen) -> Result<Exit, Failure> {
    let mut shown = table(["flow", "to approve"]);
    let mut waits = 0;
    for flow in &flows.flows {
        let count = waiting(&mut store, &flow.name)?.len();
        if count > 0 {
            screen.json(&json!({ "flow": flow.name, "waiting": count }));
            shown.add_row([flow.name.clone(), count.to_string()]);
            waits += count;
        }
    }
    let mut held = tandem_engine::holds(&mut store)?;
    held.retain(Hold::needs_approval);
    for hold in &held {
        screen.json(&crate::standing::hold(hold));
    }
    let conflicts = items::all(&mut store, usize::MAX, |item| {
        item.property.is_none()
            && matches!(
                item.kind,
                Some(ParkedKind::DeleteConflict | ParkedKind::OutOfSight)
            )
    })?;
    for item in &conflicts {
        screen.json(&json!({ "item": item.number, "flow": item.flow, "conflict": item.reason }));
    }
    if waits + held.len() + conflicts.len() == 0 {
        screen.say("Nothing waits for approval.");
        return Ok(Exit::Done);
    }
    if waits > 0 {
        screen.result(shown);
    }
    for item in &conflicts {
        screen.result(format!(
            "Item {}: {}; `tandem approve {} --verdict` says what holds.",
            item.number, item.reason, item.number
        ));
    }
    held.iter().for_each(|hold| screen.result(hold));
    Ok(Exit::Waits)
}
