//! `tandem conflicts`: values that no one value fits, waiting for an answer.

mod picture;

use super::items;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::mask::Masks;
use crate::screen::{Cell, Screen, count_of, table_of};
use clap::Args;
use serde_json::{Value as Json, json};
use tandem_merge::cluster::{Cluster, Contender, Question};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::value::Value;
use tandem_store::{Item, Store};

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
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl Conflicts {
    /// Lists the conflicts; as JSON one object per line.
    pub(crate) fn list(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        if let Some(flow) = &self.flow {
            loading::known_flow(flows, flow)?;
        }
        let masks = Masks::asked(flows, common);
        let mut store = loading::look(common, &configuration)?;
        if let Some(number) = self.item {
            return picture::show(number, flows, &mut store, &masks, screen);
        }
        let found = asked(&mut store, flows, self.flow.as_deref(), self.limit)?;
        if found.is_empty() {
            screen.result("No conflict waits for an answer.");
            return Ok(Exit::Done);
        }
        let [first, second] = &flows.systems;
        let mut shown = table_of([
            "item",
            "property",
            first.as_str(),
            second.as_str(),
            "so far",
            "asked since",
        ]);
        for asked in &found {
            screen.json(&as_json(asked, &masks));
            let [one, two] = flows.systems.each_ref().map(|system| asked.side(system, &masks));
            shown.add_row([
                asked.item.number.to_string().into(),
                items::about(&asked.item).into(),
                one,
                two,
                asked.head(&masks).into(),
                format!("{:.0}", asked.item.since).into(),
            ]);
        }
        screen.result(shown);
        let count = count_of(found.len() as u64, "conflict", "conflicts");
        screen.say(format!(
            "{count}; `tandem conflicts ITEM` shows one in full, `tandem resolve` answers one or many"
        ));
        Ok(Exit::Waits)
    }
}

/// A conflict that waits, with the question and the cluster that it is about.
pub(super) struct Asked {
    pub(super) item: Item,
    pub(super) question: Question,
    pub(super) cluster: Cluster,
}

/// The conflicts that wait, of a flow or of all.
pub(super) fn asked(
    store: &mut dyn Store,
    flows: &Dataflow,
    flow: Option<&str>,
    limit: usize,
) -> Result<Vec<Asked>, Failure> {
    let wanted = |item: &Item| item.kind.is_none() && flow.is_none_or(|flow| is_of(flows, flow, item));
    let found = items::all(store, limit, wanted)?;
    let mut all = Vec::new();
    for item in found {
        let cluster = store.cluster(flows, &item.record)?.unwrap_or_default();
        let about = |question: &&Question| {
            let anchor = &question.anchor;
            anchor.record == item.record && Some(&anchor.property) == item.property.as_ref()
        };
        if let Some(question) = cluster.questions.iter().find(about).cloned() {
            all.push(Asked {
                item,
                question,
                cluster,
            });
        }
    }
    Ok(all)
}

/// Whether a conflict is about a property that a flow maps.
fn is_of(flows: &Dataflow, flow: &str, item: &Item) -> bool {
    let mut ends = flows.flows_of(&item.record.record_type);
    ends.any(|(of, side)| {
        let mut rows = of.mappings.iter();
        of.name == flow && rows.any(|row| Some(row.property(side)) == item.property.as_deref())
    })
}

impl Asked {
    /// What a system's records hold, below each other.
    fn side(&self, system: &str, masks: &Masks) -> Cell {
        let of_system = |contender: &&Contender| {
            let record = contender.record.as_ref();
            record.is_some_and(|record| record.record_type.system == system)
        };
        let all = self.question.contenders.iter().filter(of_system);
        Cell::stacked(all.flat_map(|contender| self.lines(contender, masks)))
    }

    /// The value held so far, where it contends too.
    fn head(&self, masks: &Masks) -> String {
        let mut all = self.question.contenders.iter();
        let head = all.find(|contender| contender.record.is_none());
        head.map(|head| self.shown(head, &head.value, masks))
            .unwrap_or_default()
    }

    /// A contender with what it was made on, when and by whom.
    pub(super) fn lines(&self, contender: &Contender, masks: &Masks) -> Vec<String> {
        let mut lines = vec![self.shown(contender, &contender.value, masks)];
        if let Some(base) = &contender.base {
            lines.push(format!("  was {}", self.shown(contender, base, masks)));
        }
        let by = contender.author.as_ref().map(|author| format!(" by {author}"));
        lines.push(format!("  edited {}{}", when(contender), by.unwrap_or_default()));
        lines
    }

    /// A value of a contender; personal where any property of the component is.
    pub(super) fn shown(&self, contender: &Contender, value: &Value, masks: &Masks) -> String {
        let record = contender.record.as_ref().unwrap_or(&self.item.record);
        masks.show(&record.record_type, &contender.property, value)
    }
}

/// When an edit was made: an interval, or at the latest.
pub(super) fn when(contender: &Contender) -> String {
    let to = format!("{:.0}", contender.span.to);
    match contender.span.from {
        Some(from) if from < contender.span.to => format!("between {from:.0} and {to}"),
        _ => format!("by {to}"),
    }
}

/// A conflict as JSON, with personal values masked.
pub(super) fn as_json(asked: &Asked, masks: &Masks) -> Json {
    let mut shown = items::as_json(&asked.item, masks, None);
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
