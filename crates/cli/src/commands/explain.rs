//! `tandem explain`: how a record stands, why, and who can mend what waits.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, Sentence, table};
use clap::Args;
use tandem_api::look::Looker;
use tandem_api::shorten;
use tandem_api::view::{Property, PropertyMember, Record};

/// Tell how a record stands: what is held of it, what waits and why, and who can mend it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem explain Order:10248
  tandem explain Order:10248 description
  tandem explain salesforce/Contact:003000000000001AAA --json")]
pub(crate) struct Explain {
    /// A record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD")]
    record: String,
    /// Only this property
    #[arg(value_name = "PROPERTY")]
    property: Option<String>,
}

impl Explain {
    /// Explains every record that is named.
    pub(crate) fn tell(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        let masks = common.masks(flows);
        let mut store = loading::look(common, &configuration)?;
        let named = loading::records_named(&mut store, flows, &self.record)?;
        let mut looker = Looker {
            store: &mut store,
            flows,
            masks: &masks,
        };
        let mut waits = false;
        for key in named {
            let Some(record) = looker.record(&key, self.property.as_deref())? else {
                continue;
            };
            if let Some(property) = self.property.as_ref().filter(|_| record.properties.is_empty()) {
                return Err(Failure::usage(
                    format!("{key} has no property `{property}` that is kept in step"),
                    format!("`tandem explain {}` shows those that are", self.record),
                ));
            }
            waits |= needs_somebody(&record);
            screen.json(&record);
            if !screen.json {
                show(&record, screen);
            }
        }
        Ok(if waits { Exit::Waits } else { Exit::Done })
    }
}

/// Whether something of it waits for a person.
fn needs_somebody(record: &Record) -> bool {
    let rests = ["deferred", "not-created", "stand-in"];
    let mut waits = record.waits.iter();
    waits.any(|waiting| !rests.contains(&waiting.kind.as_str()))
        || record.properties.iter().any(|property| property.asked)
}

/// What waits first, then how everything stands.
fn show(record: &Record, screen: &Screen) {
    screen.result(Sentence(format!("{}: {}", record.record, state(record))));
    if !record.waits.is_empty() {
        let mut shown = table(["waits", "why", "what to do", "who can"]);
        for waiting in &record.waits {
            let waiting = waiting.clone();
            shown.add_row([waiting.about, waiting.reason, waiting.advice, waiting.who]);
        }
        screen.result(shown);
    }
    for link in &record.links {
        let other = [&link.first, &link.second];
        let other = other.into_iter().find(|one| **one != record.record);
        screen.result(Sentence(format!(
            "  linked with {}{} in {} since {:.0}",
            other.unwrap_or(&link.first),
            name(link.other.name.as_ref()),
            link.flow,
            link.since
        )));
    }
    for flow in &record.suppressed {
        screen.result(Sentence(format!("  neither linked nor created again in {flow}")));
    }
    let mut shown = table(["property", "stands", "value", "held to be current", "last change"]);
    for property in &record.properties {
        let last = property.last_change.zip(property.what.as_ref());
        let why = property.why.as_deref().unwrap_or_default();
        let last = last.map(|(number, what)| format!("{number}: {what}; {why}"));
        let mut firsts = Some([head(property), last.unwrap_or_default()]);
        for member in &property.members {
            let [head, last] = firsts.take().unwrap_or_default();
            let name = format!("{}.{}", member.record, member.property);
            shown.add_row([
                name,
                stands(member, property),
                one_line(member.value.as_deref()),
                head,
                last,
            ]);
        }
    }
    screen.result(shown);
}

/// What people call a record, behind its id.
fn name(name: Option<&String>) -> String {
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

fn state(record: &Record) -> String {
    let there = match record.presence.as_str() {
        "alive" => "there",
        "missing" => "out of sight",
        other => other,
    };
    let changed = record.changed.map(|at| format!(", changed {at:.0}"));
    let by = record.by.as_ref().map(|by| format!(" by {by}"));
    let name = record.name.name.as_ref().map(|name| format!("{name}; "));
    format!(
        "{}{there}{}{}",
        name.unwrap_or_default(),
        changed.unwrap_or_default(),
        by.unwrap_or_default()
    )
}

fn head(property: &Property) -> String {
    let Some(head) = &property.head else {
        return "nothing yet".to_owned();
    };
    let origin = match &head.from {
        Some(origin) => format!("from {origin}"),
        None => "given by a person".to_owned(),
    };
    let value = one_line(head.value.as_deref());
    format!("{value} (change {} of it, {origin}, {:.0})", head.epoch, head.at)
}

/// A value as a list shows it: on one line, cut where long.
fn one_line(value: Option<&str>) -> String {
    value.map_or_else(|| "blank".to_owned(), shorten)
}

fn stands(member: &PropertyMember, property: &Property) -> String {
    let word = &member.stands;
    match &member.waits {
        Some(reason) => format!("{word}: {reason}"),
        None if property.asked && word == "in conflict" => format!("{word}: `tandem conflicts`"),
        None => word.clone(),
    }
}
