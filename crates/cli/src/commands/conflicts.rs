//! `tandem conflicts`: values that no one value fits, waiting for an answer.

mod picture;

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Cell, Screen, Sentence, named, shown_of, table_of};
use clap::Args;
use serde_json::{Value as Json, json};
use tandem_api::look::{Asked, Looker, asked_after};
use tandem_api::{Masks, view, words};
use tandem_merge::cluster::Contender;

/// List conflicts that wait for an answer.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem conflicts
  tandem conflicts 12                      the whole picture of one
  tandem conflicts --flow contact-contact --json
  tandem resolve 12 --record salesforce/Order:801000000000001AAA")]
pub(crate) struct Conflicts {
    /// Only this one, with everything that is known of it
    #[arg(value_name = "ITEM")]
    item: Option<u64>,
    /// Only this flow
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// At most this many; 0 for all [default: 100, with --json all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only those after the item of this number, where a list before ended
    #[arg(long, value_name = "ITEM", default_value_t = 0, hide_default_value = true)]
    after: u64,
}

impl Conflicts {
    /// Lists the conflicts; as JSON one object per line.
    pub(crate) fn list(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        if let Some(flow) = &self.flow {
            loading::known_flow(flows, flow)?;
        }
        let masks = common.masks(flows);
        let mut store = loading::look(common, &configuration)?;
        if let Some(number) = self.item {
            return picture::show(number, flows, &mut store, &masks, screen);
        }
        let limit = super::limit(self.limit, screen);
        let page = asked_after(&mut store, flows, self.flow.as_deref(), self.after, limit)?;
        let found = &page.asked;
        if page.all == 0 {
            screen.result("No conflict waits for an answer.");
            return Ok(Exit::Done);
        }
        let records = found.iter().map(|asked| asked.item.record.clone());
        let (store, masks) = (&mut store, &masks);
        let names = Looker { store, flows, masks }.names(records)?;
        let [first, second] = &flows.systems;
        let mut shown = table_of([
            "item",
            "property",
            first.as_str(),
            second.as_str(),
            "so far",
            "asked since",
        ]);
        for asked in found {
            let name = names.get(&asked.item.record);
            let mut row = as_json(asked, masks);
            if let Some(name) = name {
                row["name"] = name.as_str().into();
            }
            screen.json(&row);
            let [one, two] = flows.systems.each_ref().map(|system| side(asked, system, masks));
            shown.add_row([
                asked.item.number.to_string().into(),
                named(words::about(&asked.item), name).into(),
                one,
                two,
                head(asked, masks).into(),
                format!("{:.0}", asked.item.since).into(),
            ]);
        }
        screen.result(shown);
        let next = page.next.map(|next| format!("--after {next}"));
        let count = shown_of(found.len(), page.all, ["conflict", "conflicts"], next);
        screen.say(Sentence(format!(
            "{count}; `tandem conflicts ITEM` shows one in full, `tandem resolve` answers one or many"
        )));
        Ok(Exit::Waits)
    }
}

/// What a system's records hold, below each other.
fn side(asked: &Asked, system: &str, masks: &Masks) -> Cell {
    let of_system = |contender: &&Contender| {
        let record = contender.record.as_ref();
        record.is_some_and(|record| record.record_type.system == system)
    };
    let all = asked.question.contenders.iter().filter(of_system);
    Cell::stacked(all.flat_map(|contender| lines(asked, contender, masks)))
}

/// The value held so far, where it contends too.
fn head(asked: &Asked, masks: &Masks) -> String {
    let mut all = asked.question.contenders.iter();
    let head = all.find(|contender| contender.record.is_none());
    head.map(|head| asked.shown(head, &head.value, masks))
        .unwrap_or_default()
}

/// A contender with what it was made on, when and by whom.
fn lines(asked: &Asked, contender: &Contender, masks: &Masks) -> Vec<String> {
    let mut lines = vec![asked.shown(contender, &contender.value, masks)];
    if let Some(base) = &contender.base {
        lines.push(format!("  was {}", asked.shown(contender, base, masks)));
    }
    let by = contender.author.as_ref().map(|author| format!(" by {author}"));
    lines.push(format!(
        "  edited {}{}",
        words::when(contender),
        by.unwrap_or_default()
    ));
    lines
}

/// A conflict as JSON, with personal values masked.
pub(super) fn as_json(asked: &Asked, masks: &Masks) -> Json {
    let mut shown = json!(view::Item::of(&asked.item, masks, None));
    let contenders = asked.question.contenders.iter().map(|contender| {
        let record = contender.record.as_ref();
        json!({
            "record": record.map_or("the value known so far".to_owned(), |record| format!("{record} {}", contender.property)),
            "system": record.map(|record| &record.record_type.system),
            "type": record.map(|record| &record.record_type.name),
            "id": record.map(|record| &record.id),
            "property": contender.property,
            "value": asked.shown(contender, &contender.value, masks),
            "base": contender.base.as_ref().map(|base| asked.shown(contender, base, masks)),
            "from": contender.span.from,
            "to": contender.span.to,
            "author": contender.author,
        })
    });
    shown["contenders"] = contenders.collect::<Vec<_>>().into();
    shown
}
