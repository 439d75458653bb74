//! `tandem history`: what happened, to all records or to one.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::mask::Masks;
use crate::screen::{Screen, count_of, table};
use clap::Args;
use serde_json::{Value as Json, json};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;
use tandem_store::Store;

/// Lines read at a time.
const PAGE: usize = 1_000;

/// Tell what happened, to all records or to one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem history
  tandem history Order:10248
  tandem history salesforce/Contact:003000000000001AAA --json
  tandem history --limit 20")]
pub(crate) struct History {
    /// A record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD")]
    record: Option<String>,
    /// At most this many lines, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl History {
    /// Tells the history, newest last; as JSON one object per line.
    pub(crate) fn tell(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let masks = Masks::of(&configuration.dataflow);
        let mut store = loading::existing_state(common, &configuration)?;
        let records = match &self.record {
            None => vec![None],
            Some(text) => loading::records_named(&mut store, &configuration.dataflow, text)?
                .into_iter()
                .map(Some)
                .collect(),
        };
        let mut lines: Vec<(u64, Event)> = Vec::new();
        for record in &records {
            let mut after = 0;
            loop {
                let page = store.history(record.as_ref(), after, PAGE)?;
                let last = page.len() < PAGE;
                after = page.last().map_or(after, |(number, _)| *number);
                lines.extend(page);
                // Only the newest lines are shown: memory stays flat.
                lines.drain(..lines.len().saturating_sub(self.limit.max(1) * 2));
                if last {
                    break;
                }
            }
        }
        lines.sort_by_key(|(number, _)| *number);
        lines.drain(..lines.len().saturating_sub(self.limit));
        let mut shown = table(["when", "record", "what", "why"]);
        for (number, event) in &lines {
            screen.json(&as_json(*number, event, &masks));
            shown.add_row([
                format!("{:.3}", event.at),
                event.record.to_string(),
                what(event, &masks),
                event.why.clone(),
            ]);
        }
        screen.result(shown);
        screen.say(count_of(lines.len() as u64, "line", "lines"));
        Ok(Exit::Done)
    }
}

/// What happened, on one line, with personal values masked.
pub(crate) fn what(event: &Event, masks: &Masks) -> String {
    let property = event.property.as_deref().unwrap_or_default();
    let show = |value: &Value| masks.show(&event.record.record_type, property, value);
    let change =
        |verb: &str, old: &Value, new: &Value| format!("{property} {verb}: {} → {}", show(old), show(new));
    match &event.what {
        EventKind::Edited { old, new, author } => {
            let by = author
                .as_ref()
                .map(|name| format!(" by {name}"))
                .unwrap_or_default();
            change(&format!("edited{by}"), old, new)
        }
        EventKind::Overwrote { old, new } => change("put back", old, new),
        EventKind::Wrote { old, new } => change("written", old, new),
        EventKind::Conflict {
            contenders,
            winner,
            estimated,
            anchor,
        } => {
            let values = contenders.iter().map(|contender| {
                let of = contender.record.as_ref().map(|record| &record.record_type);
                let shown = masks.show(
                    of.unwrap_or(&anchor.record.record_type),
                    &contender.property,
                    &contender.value,
                );
                let place = contender
                    .record
                    .as_ref()
                    .map_or("head".to_owned(), ToString::to_string);
                format!("{shown} ({place})")
            });
            let values: Vec<String> = values.collect();
            let winner = winner.as_ref().map(|value| {
                let shown = masks.show(&anchor.record.record_type, &anchor.property, value);
                format!(
                    "; {shown} won{}",
                    if *estimated { ", times estimated" } else { "" }
                )
            });
            let winner = winner.unwrap_or("; a person is asked".to_owned());
            format!("{property} conflict: {}{winner}", values.join(", "))
        }
        EventKind::Created => "created".to_owned(),
        EventKind::Deleted => "deleted".to_owned(),
        EventKind::Linked { with } => format!("linked with {with}"),
        EventKind::Merged { into } => format!("follows its counterpart into {into}"),
        EventKind::Unlinked { from } => format!("unlinked from {from}"),
        EventKind::Parked { kind } => {
            let kind = json!(kind);
            let kind = kind.as_str().unwrap_or_default();
            format!("{property} {kind}").trim_start().to_owned()
        }
    }
}

fn as_json(number: u64, event: &Event, masks: &Masks) -> Json {
    let (name, old, new) = parts(&event.what);
    let property = event.property.as_deref().unwrap_or_default();
    let shown = |record_type: &RecordType, value: Option<&Value>| match value {
        None | Some(Value::Blank) => Json::Null,
        Some(value) if masks.hides(record_type, property) => masks.show(record_type, property, value).into(),
        Some(value) => value.to_string().into(),
    };
    json!({
        "number": number,
        "at": event.at,
        "system": event.record.record_type.system,
        "type": event.record.record_type.name,
        "id": event.record.id,
        "flow": event.flow,
        "property": event.property,
        "event": name,
        "old": shown(&event.record.record_type, old),
        "new": shown(&event.record.record_type, new),
        "what": what(event, masks),
        "why": event.why,
    })
}

fn parts(what: &EventKind) -> (&'static str, Option<&Value>, Option<&Value>) {
    match what {
        EventKind::Edited { old, new, .. } => ("edited", Some(old), Some(new)),
        EventKind::Overwrote { old, new } => ("overwrote", Some(old), Some(new)),
        EventKind::Wrote { old, new } => ("wrote", Some(old), Some(new)),
        EventKind::Conflict { winner, .. } => ("conflict", None, winner.as_ref()),
        EventKind::Created => ("created", None, None),
        EventKind::Deleted => ("deleted", None, None),
        EventKind::Linked { .. } => ("linked", None, None),
        EventKind::Merged { .. } => ("merged", None, None),
        EventKind::Unlinked { .. } => ("unlinked", None, None),
        EventKind::Parked { .. } => ("parked", None, None),
    }
}
