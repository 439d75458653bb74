//! `tandem link` and `tandem unlink`: links by hand.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, Hand};
use crate::screen::{Screen, table};
use clap::Args;
use serde_json::json;
use tandem_api::Command;
use tandem_api::Masks;
use tandem_ledger::Store;
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::decisions::Decision;
use tandem_merge::record::{RecordKey, RecordType};

/// Link two records by hand, whatever their match keys say.
#[derive(Debug, Args)]
#[command(after_help = "\
A link that ended by hand or by a deletion is possible again this way. Where the two hold different values, the flow's
policy decides as at any first link. Without --yes it shows both records and changes nothing.

Examples:
  tandem link customer-division customerp/Customer:17 salesforce/Division:0DV...
  tandem link customer-division Customer:17 Division:0DV... --yes
  tandem link contact-contact Contact:7 Contact:003... --different --yes   two people, whatever their keys say")]
pub(crate) struct Link {
    /// The flow
    #[arg(value_name = "FLOW")]
    flow: String,
    /// The first system's record: TYPE:ID or TYPE:KEY
    #[arg(value_name = "FIRST")]
    first: String,
    /// The second system's record: TYPE:ID or TYPE:KEY
    #[arg(value_name = "SECOND")]
    second: String,
    /// They are no counterparts: never offer them to each other again, and create what they lack
    #[arg(long)]
    different: bool,
    /// Link them, or tell them apart
    #[arg(long)]
    yes: bool,
}

/// End a record's link by hand: both records stay, and are neither linked nor created again.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --yes it shows what would end and changes nothing. `tandem link` takes it back.

Examples:
  tandem unlink customerp/Contact:17
  tandem unlink Order:10248 --flow order-invoice --yes")]
pub(crate) struct Unlink {
    /// The record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD")]
    record: String,
    /// In this flow alone
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// End it
    #[arg(long)]
    yes: bool,
}

impl Link {
    /// Shows both records, and links them where asked to.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        loading::known_flow(&configuration.dataflow, &self.flow)?;
        let flows = &configuration.dataflow;
        let mut store = loading::look(common, &configuration)?;
        let ends = flows.flow(&self.flow).map(|flow| flow.ends.clone());
        let [first, second] = ends.unwrap_or_else(|| flows.flows[0].ends.clone());
        let first = one(&mut store, flows, &self.first, Some(&first.record_type))?;
        let second = one(&mut store, flows, &self.second, Some(&second.record_type))?;
        self.show(&mut store, flows, [&first, &second], screen)?;
        if !self.yes {
            return Err(nothing_changed());
        }
        drop(store);
        let (flow, first_name, second_name) = (self.flow.clone(), first.to_string(), second.to_string());
        let (decision, word) = match self.different {
            true => (Decision::Different { flow, first, second }, "different"),
            false => (Decision::Link { flow, first, second }, "linked"),
        };
        let mut hand = Hand::of(common, &configuration).await?;
        hand.act(Command::DecideLink { decision }).await?;
        let mut shown = json!({ "flow": self.flow });
        shown[word] = json!([first_name, second_name]);
        screen.json(&shown);
        screen.say(format!(
            "{first_name} and {second_name} are {word}; {} carries out what follows.",
            hand.who_goes_on()
        ));
        Ok(Exit::Done)
    }

    /// Both records side by side, by what the flow maps.
    fn show(
        &self,
        store: &mut dyn Store,
        flows: &Dataflow,
        ends: [&RecordKey; 2],
        screen: &Screen,
    ) -> Result<(), Failure> {
        let masks = Masks::of(flows);
        let clusters = [store.cluster(flows, ends[0])?, store.cluster(flows, ends[1])?];
        let value = |side: Side, property: &str| {
            let key = ends[side.index()];
            let cluster: Option<&Cluster> = clusters[side.index()].as_ref();
            let record = cluster.and_then(|cluster| cluster.records.get(key));
            record.map_or_else(String::new, |record| {
                masks.show(&key.record_type, property, record.value(property))
            })
        };
        let [one, other] = ends.map(ToString::to_string);
        let mut shown = table(["property", one.as_str(), "property", other.as_str()]);
        let mappings = flows.flow(&self.flow).into_iter().flat_map(|flow| &flow.mappings);
        for mapping in mappings.filter(|mapping| mapping.property(Side::First) != "id") {
            let [first, second] = Side::BOTH.map(|side| mapping.property(side));
            shown.add_row([
                first.to_owned(),
                value(Side::First, first),
                second.to_owned(),
                value(Side::Second, second),
            ]);
        }
        screen.result(shown);
        Ok(())
    }
}

impl Unlink {
    /// Shows what would end, and ends it where asked to.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        if let Some(flow) = &self.flow {
            loading::known_flow(flows, flow)?;
        }
        let mut store = loading::look(common, &configuration)?;
        let record = one(&mut store, flows, &self.record, None)?;
        let cluster = store.cluster(flows, &record)?.unwrap_or_default();
        let ends = cluster.links.iter().filter(|link| {
            let flow = self.flow.as_ref().is_none_or(|flow| flow == &link.flow);
            flow && (link.first == record || link.second == record)
        });
        let mut shown = table(["flow", "first", "second", "since"]);
        for link in ends {
            screen.json(&json!({
                "flow": link.flow, "first": link.first.to_string(), "second": link.second.to_string(), "ends": self.yes,
            }));
            shown.add_row([
                link.flow.clone(),
                link.first.to_string(),
                link.second.to_string(),
                format!("{:.0}", link.since),
            ]);
        }
        screen.result(shown);
        if !self.yes {
            return Err(nothing_changed());
        }
        drop(store);
        let flow = self.flow.clone();
        let mut hand = Hand::of(common, &configuration).await?;
        hand.act(Command::Unlink { record, flow }).await?;
        screen.say("Both records stay, and are neither linked nor created again in the flow; `tandem link` takes it back.");
        Ok(Exit::Done)
    }
}

fn nothing_changed() -> Failure {
    Failure::usage("nothing was changed", "Add --yes to do it")
}

/// The one record that a text names, of a type where it is known.
fn one(
    store: &mut dyn Store,
    flows: &Dataflow,
    text: &str,
    of: Option<&RecordType>,
) -> Result<RecordKey, Failure> {
    let mut found = loading::records_named(store, flows, text)?;
    found.retain(|key| of.is_none_or(|of| of == &key.record_type));
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::usage(
            format!("`{text}` is not of the type that the flow has there"),
            "Give the first system's record first, such as customerp/Customer:17",
        )),
        several => Err(Failure::usage(
            format!("`{text}` names {} records", several.len()),
            format!(
                "Write one of {}",
                several
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        )),
    }
}
