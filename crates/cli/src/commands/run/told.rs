//! What is told of a change, an outage, a hold: as a line for people, as an event for programs.

use super::live::whole_seconds;
use crate::log::Level;
use crate::screen::named;
use crate::standing;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use tandem_api::shorten;
use tandem_api::view::{Change, Item};
use tandem_connector::{Error, ErrorKind};
use tandem_engine::{Hold, Notice, Stranger};

/// Whether a change is worth a line: what is parked is told as an item.
pub(super) fn is_shown(change: &Change) -> bool {
    change.event != "parked"
}

/// How it stands with what a change tells.
pub(super) fn level(change: &Change) -> Level {
    match change.kind.as_deref() {
        Some("asked") => Level::Waits,
        _ => Level::Fine,
    }
}

/// How it stands with something that waits.
pub(super) fn level_of(item: &Item) -> Level {
    match (item.standing.as_str(), item.kind.as_str()) {
        ("listed", _) => Level::Note,
        ("parked", "refused" | "rewritten" | "undecidable" | "unreadable") => Level::Wrong,
        _ => Level::Waits,
    }
}

/// Something that waits as a sentence: the record, why, what to do, and the number that commands take.
pub(super) fn waits(item: &Item) -> String {
    let part = match (&item.property, &item.role) {
        (Some(property), _) => format!(".{property}"),
        (None, Some(role)) => format!(" (companion {role})"),
        (None, None) => String::new(),
    };
    let record = format!("{} {} {}{part}", item.system, item.record_type, item.id);
    let reason = item.reason.trim_end_matches('.');
    let why = [item.kind.as_str(), reason]
        .into_iter()
        .filter(|text| !text.is_empty());
    let why = why.collect::<Vec<_>>().join("; ");
    let advice = match item.advice.as_str() {
        "" => String::new(),
        advice => format!(". To do: {advice}"),
    };
    let flow = item.flow.as_ref().map(|flow| format!("{flow}, "));
    let record = named(record, item.name.as_ref());
    format!(
        "{record}: {why}{advice} [{}item {}]",
        flow.unwrap_or_default(),
        item.item
    )
}

/// Something that waits as an event.
pub(super) fn item(item: &Item) -> Json {
    event("item", json!(item), item.since)
}

/// A change as a sentence: the record by id and name, what happened and why, the flow, and the number that `undo` takes.
pub(super) fn sentence(change: &Change) -> String {
    let record = named(change.key(), change.name.as_ref());
    let other = change.with.as_ref().and_then(|other| other.name.as_ref());
    let mut told = format!("{record}: {}", named(&change.what, other));
    let flow = change.flow.as_deref().filter(|flow| !flow.is_empty());
    // Of a write the values say most; of what waits, why it does.
    let why = match change.event.as_str() {
        "wrote" => shorten(&change.why),
        _ => change.why.clone(),
    };
    if !why.is_empty() && Some(why.as_str()) != flow {
        told = format!("{told}; {why}");
    }
    let flow = flow.map(|flow| format!("{flow}, ")).unwrap_or_default();
    let trace = change.trace.as_ref();
    let trace = trace.map(|trace| format!(", trace {trace}")).unwrap_or_default();
    format!("{told} [{flow}change {}{trace}]", change.number)
}

/// A system fell out, or is out still.
pub(super) fn outage(error: &Error, since: Option<Timestamp>, now: Timestamp) -> Json {
    json!({
        "at": now,
        "event": if since.is_none() { "outage-began" } else { "outage-lasts" },
        "system": error.system,
        "kind": kind(error.kind),
        "words": error.message,
        "advice": error.advice,
        "since": since.unwrap_or(now),
        "retry_at": error.retry_at,
    })
}

/// What kind of trouble, in one word.
fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Down => "down",
        ErrorKind::SignIn => "sign-in",
        ErrorKind::Refused => "refused",
        ErrorKind::Protocol => "protocol",
        ErrorKind::Missing => "missing",
    }
}

/// A system answers again.
pub(super) fn over(system: &str, since: Timestamp, now: Timestamp) -> Json {
    json!({
        "at": now,
        "event": "outage-ended",
        "system": system,
        "since": since,
        "seconds": whole_seconds(since, now).as_secs(),
    })
}

/// A flow rests, or a guard stopped a flow or a system.
pub(super) fn held(hold: &Hold, now: Timestamp) -> Json {
    event("held", standing::hold(hold), now)
}

/// A system changed something about a property in use.
pub(super) fn notice(notice: &Notice, now: Timestamp) -> Json {
    event("notice", standing::notice(notice), now)
}

/// Somebody else writes with Tandem's own user.
pub(super) fn stranger(stranger: &Stranger, now: Timestamp) -> Json {
    let record = &stranger.record;
    let shown = json!({
        "system": stranger.system,
        "user": stranger.user,
        "type": record.record_type.name,
        "id": record.id,
        "written": stranger.at,
    });
    event("stranger", shown, now)
}

/// An event with when it was told and what it is.
pub(super) fn event(name: &str, mut shown: Json, now: Timestamp) -> Json {
    shown["at"] = json!(now);
    shown["event"] = name.into();
    shown
}

/// `41 s`, `5 min 3 s`, `2 h 10 min`.
pub(super) fn how_long(since: Timestamp, now: Timestamp) -> String {
    in_words(whole_seconds(since, now))
}

fn in_words(lasted: SignedDuration) -> String {
    let seconds = lasted.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_api::Masks;
    use tandem_merge::cluster::ParkedKind;
    use tandem_merge::plan::{Event, EventKind};
    use tandem_merge::record::{RecordKey, RecordType};

    fn change(what: EventKind, flow: Option<&str>, why: &str) -> Change {
        let event = Event {
            run: 7,
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            record: RecordKey {
                record_type: RecordType::new("customerp", "Order"),
                id: "18".to_owned(),
            },
            property: Some("title".to_owned()),
            flow: flow.map(str::to_owned),
            what,
            epoch: 3,
            trace: "3f2a90c417d5be01".parse().unwrap(),
            why: why.to_owned(),
        };
        let mut change = Change::of(41, &event, &Masks::none());
        change.name = Some("Delivery".to_owned());
        change
    }

    #[test]
    fn a_change_says_what_why_and_under_which_number() {
        let wrote = EventKind::Wrote {
            old: "a".into(),
            new: "b".into(),
        };
        let wrote = change(wrote, None, "title follows salesforce Order 801");
        assert_eq!(
            sentence(&wrote),
            "customerp Order 18 (Delivery): title written: a → b; title follows salesforce Order 801 [change 41, trace 3f2a90c417d5be01]"
        );
        assert_eq!(level(&wrote), Level::Fine);
        let kind = ParkedKind::Refused;
        assert!(!is_shown(&change(EventKind::Parked { kind }, None, "")));
        let with = RecordKey {
            record_type: RecordType::new("salesforce", "Order"),
            id: "801".to_owned(),
        };
        let mut linked = change(EventKind::Linked { with }, Some("order-order"), "order-order");
        if let Some(other) = &mut linked.with {
            other.name = Some("Its twin".to_owned());
        }
        assert_eq!(
            sentence(&linked),
            "customerp Order 18 (Delivery): linked with salesforce Order 801 (Its twin) [order-order, change 41, trace 3f2a90c417d5be01]"
        );
    }

    #[test]
    fn what_waits_says_why_what_to_do_and_under_which_number() {
        let mut item = Item {
            item: 12,
            standing: "parked".to_owned(),
            kind: "too-long".to_owned(),
            system: "salesforce".to_owned(),
            record_type: "Contact".to_owned(),
            id: "003".to_owned(),
            name: Some("Alice".to_owned()),
            flow: None,
            property: Some("Title".to_owned()),
            role: None,
            reason: "title has 199 characters, and Title holds 128".to_owned(),
            advice: "shorten title to 128 characters".to_owned(),
            who: None,
            ignored_until: None,
            since: "2026-03-01T12:00:00Z".parse().unwrap(),
            contenders: Vec::new(),
            verdicts: Vec::new(),
        };
        assert_eq!(
            waits(&item),
            "salesforce Contact 003.Title (Alice): too-long; title has 199 characters, and Title holds 128. To do: shorten \
             title to 128 characters [item 12]"
        );
        assert_eq!(level_of(&item), Level::Waits);
        item.kind = "refused".to_owned();
        assert_eq!(level_of(&item), Level::Wrong);
        let told = super::item(&item);
        assert_eq!(
            (&told["event"], &told["item"], &told["at"]),
            (&json!("item"), &json!(12), &json!(item.since))
        );
    }

    #[test]
    fn how_long_it_lasted_is_told_in_at_most_two_units() {
        for (seconds, told) in [
            (0, "0 s"),
            (41, "41 s"),
            (303, "5 min 3 s"),
            (7_800, "2 h 10 min"),
            (100_000, "1 d 3 h"),
        ] {
            assert_eq!(in_words(SignedDuration::from_secs(seconds)), told);
        }
    }
}
