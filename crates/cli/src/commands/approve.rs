//! `tandem approve`: lets go ahead what waits for a person: deletions, guarded values and links, and what a guard holds.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, Hand};
use crate::screen::{Screen, count_of, table};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::collections::BTreeMap;
use tandem_api::look::all_items;
use tandem_api::{Command, Done, words};
use tandem_engine::{Held, Hold};
use tandem_ledger::{Item, Ledger, Store};
use tandem_merge::cluster;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::RecordKey;

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
            let store = loading::look(common, &configuration)?;
            return list(&configuration.dataflow, store, screen);
        };
        if let Ok(item) = what.parse() {
            return self.item(item, &configuration, common, screen).await;
        }
        if configuration.dataflow.systems.contains(what) {
            return self.system(what, &configuration, common, screen).await;
        }
        loading::known_flow(&configuration.dataflow, what)?;
        let mut store = loading::look(common, &configuration)?;
        let waiting = waiting(&configuration.dataflow, &mut store, what)?;
        let held = holds(&mut store, &Held::Flow(what.clone()))?;
        let links = awaited(&configuration.dataflow, &mut store, &waiting)?;
        drop(store);
        if waiting.is_empty() && held.is_empty() {
            screen.json(&json!({ "flow": what, "waiting": 0 }));
            screen.say(format!("Nothing of {what} waits for approval."));
            return Ok(Exit::Done);
        }
        let verdict = self.verdict.map(Into::into);
        show(&configuration.dataflow, &waiting, &links, verdict, screen);
        held.iter().for_each(|hold| screen.say(hold));
        if !self.yes {
            return Err(nothing_changed());
        }
        let mut hand = Hand::of(common, &configuration).await?;
        let flow = what.clone();
        let done = hand.act(Command::ApproveFlow { flow, verdict }).await?;
        let (approved, held) = match done {
            Done::Approved { items, held } => (items, held),
            _ => return Err(loading::misunderstood()),
        };
        screen.json(&json!({ "flow": what, "approved": approved, "edits": held }));
        if held {
            screen.say(format!(
                "What the guards of {what} held is approved; {} writes it.",
                hand.who_goes_on()
            ));
        }
        if approved > 0 {
            let count = count_of(approved, "item is", "items are");
            screen.say(format!(
                "{count} approved; {} carries it out.",
                hand.who_goes_on()
            ));
        }
        Ok(Exit::Done)
    }

    async fn item(
        &self,
        item: u64,
        configuration: &Configuration,
        common: &Common,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        let mut hand = Hand::of(common, configuration).await?;
        let verdict = self.verdict.map(Into::into);
        hand.act(Command::Approve { item, verdict }).await?;
        screen.json(&json!({ "approved": item }));
        screen.say(format!(
            "Item {item} is approved; {} carries it out.",
            hand.who_goes_on()
        ));
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
            &mut loading::look(common, configuration)?,
            &Held::System(system.to_owned()),
        )?;
        held.iter().for_each(|hold| screen.say(hold));
        if !held.is_empty() && !self.yes {
            return Err(nothing_changed());
        }
        let mut hand = Hand::of(common, configuration).await?;
        let name = system.to_owned();
        hand.act(Command::ApproveSystem { system: name }).await?;
        screen.json(&json!({ "approved": system }));
        screen.say(format!(
            "{system} is believed again; {} goes on.",
            hand.who_goes_on()
        ));
        Ok(Exit::Done)
    }
}

fn nothing_changed() -> Failure {
    Failure::usage("nothing was changed", "Add --yes to approve all of it")
}

fn waiting(flows: &Dataflow, store: &mut Ledger, flow: &str) -> Result<Vec<Item>, Failure> {
    Ok(all_items(store, usize::MAX, |item| {
        tandem_engine::awaits_approval_in(flows, item, flow)
    })?)
}

fn holds(store: &mut Ledger, of: &Held) -> Result<Vec<Hold>, Failure> {
    let mut all = tandem_engine::holds(store)?;
    all.retain(|hold| &hold.of == of && hold.needs_approval());
    Ok(all)
}

/// The counterparts of records whose link waits for approval, by item.
fn awaited(
    flows: &Dataflow,
    store: &mut Ledger,
    waiting: &[Item],
) -> Result<BTreeMap<u64, RecordKey>, Failure> {
    let mut found = BTreeMap::new();
    for item in waiting.iter().filter(|item| item.property.is_none()) {
        let cluster = store.cluster(flows, &item.record)?.unwrap_or_default();
        let record = cluster.records.get(&item.record);
        let flow = item.flow.as_deref().unwrap_or_default();
        let linked = cluster
            .links
            .iter()
            .any(|link| link.flow == flow && (link.first == item.record || link.second == item.record));
        let other = record
            .and_then(|record| record.awaiting.get(flow))
            .filter(|_| !linked);
        found.extend(other.map(|other| (item.number, other.clone())));
    }
    Ok(found)
}

/// What approving would do, record by record.
fn show(
    flows: &Dataflow,
    waiting: &[Item],
    links: &BTreeMap<u64, RecordKey>,
    verdict: Option<cluster::Verdict>,
    screen: &Screen,
) {
    let mut shown = table(["item", "record", "would be", "why"]);
    for item in waiting {
        let verdict = verdict.or_else(|| tandem_engine::verdicts_for(flows, item).first().copied());
        let link = links.get(&item.number);
        let verdict = verdict.filter(|_| link.is_none() && item.property.is_none());
        let would = match (link, &item.property, verdict) {
            (Some(other), ..) => format!("linked with {other}"),
            (None, Some(property), _) => format!("written: {property}"),
            (None, None, Some(verdict)) => words::judged(verdict).to_owned(),
            (None, None, None) => "decided by the policy".to_owned(),
        };
        screen.json(&json!({
            "item": item.number, "record": item.record.to_string(), "verdict": verdict, "why": item.reason,
        }));
        shown.add_row([
            item.number.to_string(),
            item.record.to_string(),
            would,
            item.reason.clone(),
        ]);
    }
    if !waiting.is_empty() {
        screen.result(shown);
    }
}

/// What waits for approval: by flow, and what guards hold.
fn list(flows: &Dataflow, mut store: Ledger, screen: &Screen) -> Result<Exit, Failure> {
    let mut shown = table(["flow", "to approve"]);
    let asked = all_items(&mut store, usize::MAX, |item| {
        let kinds = [
            ParkedKind::Approval,
            ParkedKind::DeleteConflict,
            ParkedKind::OutOfSight,
        ];
        item.kind.is_some_and(|kind| kinds.contains(&kind))
    })?;
    let mut waits = 0;
    for flow in &flows.flows {
        let of_flow = |item: &&Item| tandem_engine::awaits_approval_in(flows, item, &flow.name);
        let count = asked.iter().filter(of_flow).count();
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
    let about_link = |item: &&Item| item.property.is_none() && item.kind != Some(ParkedKind::Approval);
    let conflicts: Vec<&Item> = asked.iter().filter(about_link).collect();
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
