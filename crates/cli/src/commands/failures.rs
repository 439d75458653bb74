//! `tandem failures`: what is parked, deferred or held, with reason and advice.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, named, shown_of, table};
use clap::Args;
use tandem_api::look::{Looker, found_items};
use tandem_api::{view, words};
use tandem_ledger::Item;

/// List what is parked, deferred or held, with reason and advice.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem failures
  tandem failures --kind too-long
  tandem failures --standing parked --json
  tandem failures --limit 20 --after 120   the next twenty
  tandem failures --ignored             what `tandem ignore` left out, too")]
pub(crate) struct Failures {
    /// Only this kind of trouble, such as too-long, unknown-enum, duplicate-key, tie
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only what stands so: parked (needs mending), approval, deferred (waits for a link), listed (nothing is wrong)
    #[arg(long, value_name = "HOW", value_parser = ["parked", "approval", "deferred", "listed"])]
    standing: Option<String>,
    /// Only this flow
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// Those too that `tandem ignore` left out
    #[arg(long)]
    ignored: bool,
    /// At most this many; 0 for all [default: 100, with --json all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only those after the item of this number, where a list before ended
    #[arg(long, value_name = "ITEM", default_value_t = 0, hide_default_value = true)]
    after: u64,
}

impl Failures {
    /// Lists the items; as JSON one object per line.
    pub(crate) fn list(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        if let Some(flow) = &self.flow {
            loading::known_flow(&configuration.dataflow, flow)?;
        }
        let masks = common.masks(&configuration.dataflow);
        let flows = &configuration.dataflow;
        let systems = &flows.systems;
        let mut store = loading::look(common, &configuration)?;
        let mending =
            |item: &Item| item.ignored.is_none() && matches!(words::standing(item), "parked" | "approval");
        let mut waits = false;
        let limit = super::limit(self.limit, screen);
        let found = found_items(&mut store, self.after, limit, |item| {
            let wanted = self.wants(item);
            waits |= wanted && mending(item);
            wanted
        })?;
        let (flows, masks) = (&configuration.dataflow, &masks);
        let store = &mut store;
        let names =
            Looker { store, flows, masks }.names(found.items.iter().map(|item| item.record.clone()))?;
        let mut shown = table(["item", "stands", "kind", "record", "why", "what to do", "who"]);
        for item in &found.items {
            let name = names.get(&item.record);
            screen.json(&view::Item {
                name: name.cloned(),
                ..view::Item::of(item, masks, Some(flows))
            });
            shown.add_row([
                item.number.to_string(),
                words::standing(item).to_owned(),
                words::kind(item),
                named(words::about(item), name),
                item.reason.clone(),
                item.advice.clone(),
                words::who(item, systems),
            ]);
        }
        if found.all == 0 {
            screen.result("Nothing is parked, deferred or held.");
            return Ok(Exit::Done);
        }
        screen.result(shown);
        let next = found.next.map(|next| format!("--after {next}"));
        screen.say(shown_of(found.items.len(), found.all, ["item", "items"], next));
        Ok(if waits { Exit::Waits } else { Exit::Done })
    }

    fn wants(&self, item: &Item) -> bool {
        let fits =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        item.kind.is_some()
            && (self.ignored || item.ignored.is_none())
            && fits(&self.kind, &words::kind(item))
            && fits(&self.standing, words::standing(item))
            && fits(&self.flow, &item.area)
    }
}
