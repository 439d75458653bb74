//! What waits, read from the state: for `failures`, `conflicts` and the status page.

use crate::failure::Failure;
use crate::mask::Masks;
use serde_json::{Value as Json, json};
use tandem_merge::cluster::{Mender, ParkedKind};
use tandem_merge::record::RecordKey;
use tandem_store::{Item, Store};

/// Items read at a time.
const PAGE: usize = 1_000;

/// All items that a test lets through, at most `limit`.
pub(crate) fn all(
    store: &mut dyn Store,
    limit: usize,
    wanted: impl Fn(&Item) -> bool,
) -> Result<Vec<Item>, Failure> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = store.items(after, PAGE)?;
        let last = page.len() < PAGE;
        after = page.last().map_or(after, |item| item.number);
        found.extend(page.into_iter().filter(&wanted));
        if last || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// What an item is about: the record, with its property, companion or flow.
pub(crate) fn about(item: &Item) -> String {
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
pub(crate) fn kind(item: &Item) -> String {
    match item.kind {
        None => "conflict".to_owned(),
        Some(kind) => json!(kind).as_str().unwrap_or_default().to_owned(),
    }
}

/// What the item means for a person: `parked`, `deferred`, `listed`, `approval`, `conflict`.
pub(crate) fn standing(item: &Item) -> &'static str {
    match item.kind {
        None => "conflict",
        Some(ParkedKind::Deferred) => "deferred",
        Some(ParkedKind::NotCreated | ParkedKind::StandIn) => "listed",
        Some(ParkedKind::Approval | ParkedKind::DeleteConflict) => "approval",
        Some(_) => "parked",
    }
}

/// Who can mend trouble of a kind on a record.
pub(crate) fn mender(kind: ParkedKind, record: &RecordKey) -> String {
    match kind.mender() {
        Mender::User => "whoever keeps the record".to_owned(),
        Mender::Administrator => format!("{} administrator", record.record_type.system),
        Mender::Engineer => "integration engineer".to_owned(),
        Mender::Nobody => "nobody".to_owned(),
    }
}

/// Who can mend it: somebody who works with the records, the administrator of the system that refused, or who answers
/// for the flows.
pub(crate) fn who(item: &Item, systems: &[String; 2]) -> String {
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

/// An item as JSON, with personal values masked.
pub(crate) fn as_json(item: &Item, masks: &Masks, systems: Option<&[String; 2]>) -> Json {
    let property = item.property.as_deref().unwrap_or_default();
    let contenders = item.contenders.iter().map(|(record, value)| {
        let shown = masks.show(&item.record.record_type, property, value);
        json!({ "record": record, "value": shown })
    });
    json!({
        "item": item.number,
        "standing": standing(item),
        "kind": kind(item),
        "system": item.record.record_type.system,
        "type": item.record.record_type.name,
        "id": item.record.id,
        "flow": item.flow,
        "property": item.property,
        "role": item.role,
        "reason": item.reason,
        "advice": item.advice,
        "who": systems.map(|systems| who(item, systems)),
        "ignored_until": item.ignored,
        "since": item.since,
        "contenders": contenders.collect::<Vec<_>>(),
    })
}
