//! Lines of the history, for people and for programs.

use crate::mask::Masks;
use serde_json::{Value as Json, json};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

/// What happened, on one line, with personal values masked.
pub(crate) fn what(event: &Event, masks: &Masks) -> String {
    let property = event.property.as_deref().unwrap_or_default();
    let show = |value: &Value| masks.show(&event.record.record_type, property, value);
    let change =
        |verb: &str, old: &Value, new: &Value| format!("{property} {verb}: {} → {}", show(old), show(new));
    match &event.what {
        EventKind::Edited { old, new, author, .. } => {
            let by = author
                .as_ref()
                .map(|name| format!(" by {name}"))
                .unwrap_or_default();
            change(&format!("edited{by}"), old, new)
        }
        EventKind::Undone { old, new } => change("taken back", old, new),
        EventKind::Overwrote { old, new } => change("put back", old, new),
        EventKind::Wrote { old, new } => change("written", old, new),
        EventKind::Conflict { .. } => conflict(event, masks),
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

fn conflict(event: &Event, masks: &Masks) -> String {
    let EventKind::Conflict {
        contenders,
        winner,
        estimated,
        anchor,
    } = &event.what
    else {
        return String::new();
    };
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
    let property = event.property.as_deref().unwrap_or_default();
    format!("{property} conflict: {}{winner}", values.join(", "))
}

/// A line as JSON, with personal values masked.
pub(crate) fn as_json(number: u64, event: &Event, masks: &Masks) -> Json {
    let (old, new) = values(&event.what);
    let property = event.property.as_deref().unwrap_or_default();
    let shown = |record_type: &RecordType, value: Option<&Value>| match value {
        None | Some(Value::Blank) => Json::Null,
        Some(value) if masks.hides(record_type, property) => masks.show(record_type, property, value).into(),
        Some(value) => value.to_string().into(),
    };
    let (author, made) = match &event.what {
        EventKind::Edited { author, made, .. } => (author.clone(), made.as_ref().map(|span| span.to)),
        _ => (None, None),
    };
    json!({
        "number": number,
        "run": event.run,
        "at": event.at,
        "system": event.record.record_type.system,
        "type": event.record.record_type.name,
        "id": event.record.id,
        "flow": event.flow,
        "property": event.property,
        "event": event.what.name(),
        "by": author,
        "made": made,
        "old": shown(&event.record.record_type, old),
        "new": shown(&event.record.record_type, new),
        "what": what(event, masks),
        "why": event.why,
    })
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
