//! Words for what is kept as data: what happened, what waits, who can mend it.

use crate::Masks;
use serde_json::json;
use tandem_engine::{Counts, Hold};
use tandem_ledger::Item;
use tandem_merge::cluster::{Contender, Mender, ParkedKind, Verdict};
use tandem_merge::dataflow::{
    ConflictPolicy, CreatePolicy, Dataflow, DeletePolicy, Direction, Mapping, Side,
};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// What an item is about: the record, with its property, companion or flow.
#[must_use]
pub fn about(item: &Item) -> String {
    let record = &item.record;
    let part = match (&item.property, &item.role, &item.flow) {
        (Some(property), _, _) => format!(".{property}"),
        (None, Some(role), _) => format!(" (companion {role})"),
        (None, None, Some(flow)) => format!(" (in {flow})"),
        (None, None, None) => String::new(),
    };
    format!("{record}{part}")
}

/// The kind of trouble, as people and programs read it.
#[must_use]
pub fn kind(item: &Item) -> String {
    kind_of(item.kind)
}

/// The name of a kind; without one it is a conflict.
pub(crate) fn kind_of(kind: Option<ParkedKind>) -> String {
    let named = kind.map(|kind| json!(kind).as_str().unwrap_or_default().to_owned());
    named.unwrap_or_else(|| "conflict".to_owned())
}

/// What the item means for a person: `parked`, `deferred`, `listed`, `approval`, `conflict`.
#[must_use]
pub fn standing(item: &Item) -> &'static str {
    match item.kind {
        None => "conflict",
        Some(ParkedKind::Deferred) => "deferred",
        Some(ParkedKind::NotCreated | ParkedKind::StandIn) => "listed",
        Some(ParkedKind::Approval | ParkedKind::DeleteConflict) => "approval",
        Some(_) => "parked",
    }
}

/// Who can mend trouble of a kind on a record.
#[must_use]
pub fn mender(kind: ParkedKind, record: &RecordKey) -> String {
    match kind.mender() {
        Mender::User => "whoever keeps the record".to_owned(),
        Mender::Administrator => format!("{} administrator", record.record_type.system),
        Mender::Engineer => "integration engineer".to_owned(),
        Mender::Nobody => "nobody".to_owned(),
    }
}

/// Who can mend it: somebody who works with the records, the administrator of the system that refused, or who answers
/// for the flows.
#[must_use]
pub fn who(item: &Item, systems: &[String; 2]) -> String {
    let [first, second] = systems;
    let own = &item.record.record_type.system;
    let other = if own == first { second } else { first };
    match item.kind.map_or(Mender::User, ParkedKind::mender) {
        Mender::User => format!("{first} user"),
        Mender::Administrator if item.by.is_some() => {
            format!("{} administrator", item.by.as_deref().unwrap_or_default())
        }
        // A create was refused on the other side.
        Mender::Administrator if item.flow.is_some() => format!("{other} administrator"),
        Mender::Administrator => format!("{own} administrator"),
        Mender::Engineer => "integration engineer".to_owned(),
        Mender::Nobody => "nobody".to_owned(),
    }
}

/// What happened, on one line, with personal values masked.
#[must_use]
pub fn what(event: &Event, masks: &Masks) -> String {
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

/// What decides a conflict.
#[must_use]
pub fn policy(flows: &Dataflow, policy: ConflictPolicy) -> String {
    match policy {
        ConflictPolicy::Latest => "the latest edit wins".to_owned(),
        ConflictPolicy::Ask => "a person is asked".to_owned(),
        ConflictPolicy::Wins(side) => format!("{} wins", flows.systems[side.index()]),
    }
}

/// When an edit was made: an interval, or at the latest.
#[must_use]
pub fn when(contender: &Contender) -> String {
    let to = format!("{:.0}", contender.span.to);
    match contender.span.from {
        Some(from) if from < contender.span.to => format!("between {from:.0} and {to}"),
        _ => format!("by {to}"),
    }
}

/// Which way a row's values travel, as an arrow between the two systems.
#[must_use]
pub fn direction(mapping: &Mapping) -> &'static str {
    match mapping.direction {
        Direction::Both => "↔",
        Direction::To(Side::First) => "←",
        Direction::To(Side::Second) => "→",
    }
}

/// How something rests or is stopped, in one word.
#[must_use]
pub fn hold(hold: &Hold) -> &'static str {
    use tandem_engine::Why;
    match hold.why {
        Why::Paused => "paused",
        Why::Edits | Why::FirstLinks => "held",
        Why::FewerShown => "not believed",
        Why::Backwards => "stopped",
    }
}

/// What a kind of trouble is, as the heading of all items of it, and what mends them all.
#[must_use]
pub fn group(kind: Option<ParkedKind>) -> [&'static str; 2] {
    let Some(kind) = kind else {
        return [
            "Conflicts",
            "Choose which value holds; a rule of the flow (`conflict:`) can decide the next ones by itself",
        ];
    };
    match kind {
        ParkedKind::TooLong => [
            "Values longer than the other side holds",
            "Shorten them, or make the field longer; then retry",
        ],
        ParkedKind::MissingMandatory => ["Values that the other side must have", "Give the records a value"],
        ParkedKind::UnknownEnum => [
            "Values outside the declared ones",
            "Add them to the flow's `values`, or correct the records",
        ],
        ParkedKind::ReferenceToNothing => [
            "References to records that do not exist",
            "Correct the references",
        ],
        ParkedKind::WrongType => [
            "Values of another type than declared",
            "Correct the type in the flow, or the values",
        ],
        ParkedKind::DuplicateKey => [
            "Records with a key that another one has",
            "Make the keys differ, or merge the records",
        ],
        ParkedKind::Tie => [
            "Records with several possible counterparts",
            "Link the right pair, or make their keys differ",
        ],
        ParkedKind::Refused => [
            "Writes that a system refused",
            "Mend what the system says; then retry",
        ],
        ParkedKind::Busy => ["Records that others kept locked", "Retry once they are free"],
        ParkedKind::Rewritten => [
            "Values that a system changes when they are written",
            "Declare what it does in the flow, or stop its rule",
        ],
        ParkedKind::Protected => [
            "Records that must not be written",
            "Unlock them, or leave them as they are",
        ],
        ParkedKind::Undecidable => [
            "Creates whose outcome is not known",
            "Look whether the record is there; then retry, or link the two",
        ],
        ParkedKind::NotCreated => [
            "Records without a counterpart",
            "Nothing is wrong: the flow creates none",
        ],
        ParkedKind::Deferred => ["Waiting for a link", "Nothing to do: they go on by themselves"],
        ParkedKind::Approval => [
            "Waiting for approval",
            "Approve them, or correct what led to them",
        ],
        ParkedKind::DeleteConflict => [
            "Deleted on one side, edited on the other",
            "Say which of the two holds",
        ],
        ParkedKind::Merged => [
            "Counterparts that were merged",
            "Merge the records on this side, too",
        ],
        ParkedKind::NoCounterpart => [
            "References to records without a counterpart",
            "Link the records they name, or let the flow answer (`otherwise`)",
        ],
        ParkedKind::StandIn => [
            "References with a stand-in",
            "Nothing is wrong: the flow says what they become",
        ],
        ParkedKind::OutOfSight => [
            "Records that can be seen no more",
            "Show them to Tandem's user again, or say what became of them",
        ],
        ParkedKind::Unreadable => [
            "Values that cannot be read",
            "Correct them where they are; then retry",
        ],
    }
}

/// The flows' names in the order of the dataflow document.
#[must_use]
pub fn order(flows: &Dataflow) -> Vec<&str> {
    let known: Vec<&str> = flows.document_order.iter().map(String::as_str).collect();
    let rest = flows.flows.iter().map(|flow| flow.name.as_str());
    let rest: Vec<&str> = rest.filter(|name| !known.contains(name)).collect();
    [known, rest].concat()
}

/// A number with its thousands separated: `1,234`.
#[must_use]
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 record`, `2 records`.
#[must_use]
pub fn count_of(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

/// What becomes of the counterpart of a deleted record.
#[must_use]
pub fn deleted(policy: DeletePolicy) -> &'static str {
    match policy {
        DeletePolicy::Propagate => "the counterpart is deleted, too",
        DeletePolicy::Ask => "a person is asked before the counterpart is deleted",
        DeletePolicy::Deactivate => "the counterpart is put out of use",
        DeletePolicy::AskThenDeactivate => "a person is asked before the counterpart is put out of use",
        DeletePolicy::Unlink => "the link ends, the counterpart stays",
        DeletePolicy::Recreate => "it is created again",
    }
}

/// What becomes of a record without a counterpart.
#[must_use]
pub fn created(policy: CreatePolicy) -> &'static str {
    match policy {
        CreatePolicy::On => "created",
        CreatePolicy::OnlyNew => "created, if born after the first load",
        CreatePolicy::Off => "listed only",
    }
}

/// What a verdict does about a deletion, as something to choose.
#[must_use]
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Propagate => "delete the counterpart",
        Verdict::Deactivate => "deactivate the counterpart",
        Verdict::Unlink => "end the link, keep the counterpart",
        Verdict::Recreate => "create the deleted record again",
    }
}

/// What a record would be once a verdict about the deletion of its counterpart is carried out.
#[must_use]
pub fn judged(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Propagate => "deleted",
        Verdict::Deactivate => "deactivated",
        Verdict::Unlink => "unlinked, and kept",
        Verdict::Recreate => "kept, and its counterpart created again",
    }
}

/// How much there is of each kind, all kinds by name: `create 1,204, update 3, link 40, unlink 0, delete 0, ask 1`.
#[must_use]
pub fn kinds(done: &Counts) -> String {
    let all = [
        ("create", done.create),
        ("update", done.update),
        ("link", done.link),
        ("unlink", done.unlink),
        ("delete", done.delete),
        ("ask", done.ask),
    ];
    let each = all.map(|(kind, count)| format!("{kind} {}", thousands(count)));
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_named_with_their_thousands_separated() {
        let done = Counts {
            create: 1_204,
            link: 40,
            ..Counts::default()
        };
        assert_eq!(
            kinds(&done),
            "create 1,204, update 0, link 40, unlink 0, delete 0, ask 0"
        );
    }

    #[test]
    fn thousands_are_separated() {
        let shown = [0, 12, 123, 1_234, 123_456, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
