//! How changes of each type are seen, for people.

use super::super::Watch;
use super::super::events::has_events;
use super::super::schema::{Described, Object};
use crate::{Schema, Watched};

/// Objects that an org sends change events of without the add-on.
const ENTITIES: usize = 5;

/// Says of every type how its changes are seen, and why.
pub(in super::super) fn explain(watch: &Watch, schema: &mut Schema, described: &Described) {
    for (name, described_type) in &mut schema.types {
        if let Ok(object) = described.object(name) {
            described_type.watched = Some(watched(watch, name, &object));
        }
    }
}

fn watched(watch: &Watch, name: &str, object: &Object) -> Watched {
    let place = watch.events.iter().position(|listed| listed == name);
    let of = &object.schema.object;
    let (by_events, why) = match place {
        _ if !has_events(of) => (false, format!("{of} has no change events")),
        _ if watch.pubsub.is_none() => (false, "no address of events is configured".to_owned()),
        None => (
            false,
            "it is not named under `changes: { events: ... }`".to_owned(),
        ),
        Some(place) if place >= ENTITIES => {
            let why = format!(
                "an org sends those of more than {ENTITIES} objects only with the add-on; else it is polled"
            );
            (true, why)
        }
        Some(_) => {
            let why = format!("choose {of} in the org's setup under Change Data Capture; else it is polled");
            (true, why)
        }
    };
    Watched {
        by_events,
        why,
        deletions: deletions(object, by_events),
        tells_deletions: false,
        lacks: Vec::new(),
    }
}

fn deletions(object: &Object, by_events: bool) -> String {
    let means = [
        (by_events, "events"),
        (object.soft_deletion, "the recycle bin"),
        (object.replicateable, "getDeleted"),
        (
            true,
            "absence from a complete comparison that a read by id proves",
        ),
    ];
    let means: Vec<&str> = means
        .iter()
        .filter(|(has, _)| *has)
        .map(|(_, name)| *name)
        .collect();
    means.join(", ")
}
