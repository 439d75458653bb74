//! What happened.

use super::{RecordName, Says};
use crate::{Masks, words};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use tandem_ledger::RunRow;
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{RecordKey, RecordType};
use tandem_merge::value::Value;

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// Its number.
    pub number: u64,
    /// The run that it belongs to.
    pub run: u64,
    /// When, by Tandem's clock.
    pub at: Timestamp,
    /// The record's system.
    pub system: String,
    /// The record's type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The record's id.
    pub id: String,
    /// What people call the record, where a property says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The flow, where it concerns one.
    pub flow: Option<String>,
    /// The property, where it concerns one.
    pub property: Option<String>,
    /// What kind of thing happened: `edited`, `wrote`, `created`, `linked`, ...
    pub event: String,
    /// Of something parked its kind of trouble, such as `too-long`; of a conflict `asked` or `settled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The other record of a link that came to be, went over or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<RecordName>,
    /// The values of a conflict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Says>,
    /// Who made an edit, where the system says so.
    pub by: Option<String>,
    /// When an edit was made, by its system's clock.
    pub made: Option<Timestamp>,
    /// The value before.
    pub old: Option<String>,
    /// The value afterwards.
    pub new: Option<String>,
    /// The change that it belongs to: all lines of one save have the same, from the look that showed it to the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The record that the value before names, where it is a reference to one that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_names: Option<RecordName>,
    /// The record that the value afterwards names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_names: Option<RecordName>,
    /// What happened, in words.
    pub what: String,
    /// Why, in words.
    pub why: String,
}

impl Change {
    /// What an event looks like.
    #[must_use]
    pub fn of(number: u64, event: &Event, masks: &Masks) -> Self {
        let (old, new) = values(&event.what);
        let property = event.property.as_deref().unwrap_or_default();
        let of = &event.record.record_type;
        let shown = |value: Option<&Value>| value.and_then(|value| masks.text(of, property, value));
        let (by, made) = match &event.what {
            EventKind::Edited { author, made, .. } => (author.clone(), made.as_ref().map(|span| span.to)),
            _ => (None, None),
        };
        Self {
            number,
            run: event.run,
            at: event.at,
            system: of.system.clone(),
            record_type: of.name.clone(),
            id: event.record.id.clone(),
            name: None,
            flow: event.flow.clone(),
            property: event.property.clone(),
            event: event.what.name().to_owned(),
            kind: kind(&event.what),
            with: other(&event.what).map(RecordName::of),
            says: says(event, masks),
            by,
            made,
            old: shown(old),
            new: shown(new),
            trace: (!event.trace.is_none()).then(|| event.trace.to_string()),
            old_names: None,
            new_names: None,
            what: words::what(event, masks),
            why: event.why.clone(),
        }
    }
}

impl Change {
    /// The record.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        RecordKey {
            record_type: RecordType::new(&self.system, &self.record_type),
            id: self.id.clone(),
        }
    }
}

/// What kind of trouble, or how a conflict ended.
fn kind(what: &EventKind) -> Option<String> {
    match what {
        EventKind::Parked { kind } => Some(words::kind_of(Some(*kind))),
        EventKind::Conflict { winner: None, .. } => Some("asked".to_owned()),
        EventKind::Conflict { .. } => Some("settled".to_owned()),
        _ => None,
    }
}

/// The other end of a link.
fn other(what: &EventKind) -> Option<&RecordKey> {
    match what {
        EventKind::Linked { with } => Some(with),
        EventKind::Merged { into } => Some(into),
        EventKind::Unlinked { from } => Some(from),
        _ => None,
    }
}

/// The contenders of a conflict.
fn says(event: &Event, masks: &Masks) -> Vec<Says> {
    match &event.what {
        EventKind::Conflict { contenders, .. } => {
            let each = contenders.iter();
            each.map(|contender| Says::of(contender, &event.record, masks))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn values(what: &EventKind) -> (Option<&Value>, Option<&Value>) {
    match what {
        EventKind::Edited { old, new, .. }
        | EventKind::Undone { old, new }
        | EventKind::Overwrote { old, new }
        | EventKind::Wrote { old, new } => (Some(old), Some(new)),
        EventKind::Conflict { winner, .. } => (None, winner.as_ref()),
        _ => (None, None),
    }
}

/// One `sync`, one round of `run` in which something happened, or one command of a person.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Run {
    /// Its number.
    pub run: u64,
    /// What it was.
    pub kind: String,
    /// When it began.
    pub began: Timestamp,
    /// The moment of its last line.
    pub ended: Timestamp,
    /// The number of its first line of the history.
    pub first_line: u64,
    /// The number of its last line.
    pub last_line: u64,
    /// How many lines of each kind it has.
    pub counts: BTreeMap<String, u64>,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        Self {
            run: row.number,
            kind: row.kind,
            began: row.began,
            ended: row.ended,
            first_line: row.lines.0,
            last_line: row.lines.1,
            counts: row.counts,
        }
    }
}
