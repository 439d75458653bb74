//! What an ERP has no means for: what is done instead, what that costs, and what would spare it.

use super::compare::{Finding, Weight, names};
use super::{Size, size};
use crate::screen::{count_of, thousands};
use std::collections::BTreeMap;
use tandem_connector::{Capabilities, Connector, Lack, Schema};
use tandem_merge::config::Connection;
use tandem_merge::record::RecordType;

/// Pages that are read of a record type to know what reading all of it costs.
const PAGES: usize = 10;

/// One finding for each gap, with the record types that share it.
pub(super) async fn findings(
    connection: &Connection,
    system: &dyn Connector,
    schema: &Schema,
    can: &Capabilities,
    types: &[RecordType],
) -> Vec<Finding> {
    let mut by_gap: BTreeMap<Lack, Vec<&RecordType>> = BTreeMap::new();
    for of in types {
        let watched = schema.types.get(&of.name).and_then(|of| of.watched.as_ref());
        for lack in watched.into_iter().flat_map(|watched| &watched.lacks) {
            by_gap.entry(*lack).or_default().push(of);
        }
    }
    let mut found = Vec::new();
    let mut costs = BTreeMap::new();
    for (lack, of) in by_gap {
        let mut cost = Size::default();
        for one in of.iter().filter(|_| lack != Lack::FineTimes) {
            if !costs.contains_key(one) {
                // What cannot be listed breaks a law, and is told as such.
                costs.insert(*one, size(system, one, PAGES).await.unwrap_or_default());
            }
            let own = costs.get(one).copied().unwrap_or_default();
            cost.calls += own.calls;
            cost.more |= own.more;
        }
        found.push(finding(of_lack(connection, lack, &names(&of), cost)));
    }
    let creates = |of: &&RecordType| {
        let described = schema.types.get(&of.name);
        described.is_some_and(|of| of.createable) && !can.of(of).idempotent_create
    };
    let creates: Vec<&RecordType> = types.iter().filter(creates).collect();
    if connection.kind != "salesforce" && !creates.is_empty() {
        found.push(finding(of_creates(connection, &names(&creates), can)));
    }
    found
}

fn finding((what, why): (String, String)) -> Finding {
    Finding {
        weight: Weight::Limit,
        flow: None,
        property: None,
        place: None,
        what,
        why,
    }
}

fn of_lack(connection: &Connection, lack: Lack, names: &str, cost: Size) -> (String, String) {
    let name = &connection.name;
    let least = if cost.more { "at least " } else { "" };
    let calls = match cost.calls {
        0 => "a call for each page".to_owned(),
        1 => "1 call".to_owned(),
        calls => format!("{least}{} calls", thousands(calls)),
    };
    let sql = connection.kind == "sql";
    match lack {
        Lack::Changes => (
            format!("{name} does not tell what changed: {names}"),
            format!(
                "all of them are read each time, {calls} as of now, and an edit is as old as the look before. {}",
                match sql {
                    true => "A column of the last change (`modified`) or triggers (`tandem customerp sql-triggers`) spare that",
                    false => "`changes` in the description spares that",
                }
            ),
        ),
        Lack::Deletions => (
            format!("{name} does not tell what was deleted: {names}"),
            format!(
                "all of them are compared now and then, {calls} as of now, and what is missing counts as deleted only after a read by \
                 its id. {}",
                match sql {
                    true => "A column that marks it (`deleted`) or triggers (`tandem customerp sql-triggers`) spare that",
                    false => "`deletions`, or `deleted` under `record`, in the description spares that",
                }
            ),
        ),
        Lack::Search => (
            format!("{name} is not searched: {names}"),
            format!(
                "before a record is created all of them are looked through, {calls} as of now. `find` in the description spares that"
            ),
        ),
        Lack::FineTimes => (
            format!("{name} says only roughly when a record was changed: {names}"),
            "edits of both sides within that time count as made at once: the flow's rule decides, and history says so".to_owned(),
        ),
    }
}

fn of_creates(connection: &Connection, names: &str, can: &Capabilities) -> (String, String) {
    let name = &connection.name;
    let seconds = u64::try_from(can.request_deadline.as_secs()).unwrap_or_default();
    (
        format!("{name} makes a second record where a create is sent twice: {names}"),
        format!(
            "one whose answer is lost is looked for by its identity and match keys {} later, when it can no longer arrive, and sent \
             again only where nothing is found{}",
            count_of(seconds, "second", "seconds"),
            match connection.kind.as_str() {
                "rest" => ". A `safe` way of creating in the description spares that",
                _ => "",
            }
        ),
    )
}
