//! How changes of each type are seen, and what that costs.

use super::compare::{Finding, Weight};
use tandem_connector::Schema;
use tandem_merge::config::Connection;
use tandem_merge::dataflow::Dataflow;

/// Types that share a call.
const SHARED: i64 = 5;
/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// One finding for each type that its connector says something of, and one for the cost of all.
pub(super) fn findings(connection: &Connection, schema: &Schema, flows: &Dataflow) -> Vec<Finding> {
    let (mut found, mut polled, mut told) = (Vec::new(), 0, 0);
    for record_type in flows.types_of(&connection.name) {
        let watched = schema
            .types
            .get(&record_type.name)
            .and_then(|it| it.watched.as_ref());
        let Some(watched) = watched else { continue };
        let way = match watched.by_events {
            true => "told by change events while `tandem run` works",
            false => "asked for",
        };
        if watched.by_events {
            told += 1;
        } else {
            polled += 1;
        }
        found.push(finding(
            format!(
                "changes of {record_type} are {way}; deletions are seen by {}",
                watched.deletions
            ),
            watched.why.clone(),
        ));
    }
    if told + polled > 0 {
        let poll = if told > 0 {
            connection.changes.poll_ms
        } else {
            connection.poll_ms
        };
        let calls = (polled + SHARED - 1) / SHARED * HOUR / poll.max(1);
        found.push(finding(
            format!(
                "seeing changes in {} costs {} calls an hour when nothing happens",
                connection.name,
                crate::screen::thousands(calls.unsigned_abs())
            ),
            format!(
                "{polled} types are asked for, five to a call, every {} s; {told} are told by events",
                poll / 1_000
            ),
        ));
    }
    found
}

fn finding(what: String, why: String) -> Finding {
    Finding {
        weight: Weight::Fine,
        flow: None,
        property: None,
        what,
        why,
    }
}
