//! How changes of each type are seen, and what that costs.

use super::compare::{Finding, Weight};
use tandem_connector::Schema;
use tandem_merge::config::Connection;
use tandem_merge::dataflow::Dataflow;

/// Types that share a call, in Salesforce.
const SHARED: i64 = 5;
/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// One finding for each type that its connector says something of, and one for the cost of all. `a_day`: the calls that the
/// system allows a day.
pub(super) fn findings(
    connection: &Connection,
    schema: &Schema,
    flows: &Dataflow,
    a_day: Option<u64>,
) -> Vec<Finding> {
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
        let shares = connection.kind == "salesforce";
        // Whoever tells of more than a page is asked again, so elsewhere it is a call for each type at least.
        let (looks, how, least) = match shares {
            true => ((polled + SHARED - 1) / SHARED, "five to a call", ""),
            false => (polled, "a call or more for each", "at least "),
        };
        let calls = (looks * HOUR / poll.max(1)).unsigned_abs();
        found.push(finding(
            format!(
                "seeing changes in {} costs {least}{} calls an hour when nothing happens",
                connection.name,
                crate::screen::thousands(calls)
            ),
            format!(
                "{polled} types are asked for, {how}, every {} s; {told} are told by events",
                poll / 1_000
            ),
        ));
        let over = a_day.filter(|allowed| !shares && calls * 24 > *allowed);
        found.extend(over.map(|allowed| too_many(connection, calls * 24, allowed)));
    }
    found
}

/// Looking for changes alone takes more calls than a day has.
fn too_many(connection: &Connection, calls: u64, allowed: u64) -> Finding {
    let [calls, allowed] = [calls, allowed].map(crate::screen::thousands);
    Finding {
        weight: Weight::Limit,
        ..finding(
            format!(
                "{} allows {allowed} calls a day, and seeing changes takes at least {calls}",
                connection.name
            ),
            format!(
                "write a longer `poll:` for {}, or raise `per_day` where it takes more",
                connection.name
            ),
        )
    }
}

fn finding(what: String, why: String) -> Finding {
    Finding {
        weight: Weight::Fine,
        flow: None,
        property: None,
        place: None,
        what,
        why,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_connector::{TypeSchema, Watched};
    use tandem_merge::config::{Sources, load};

    #[test]
    fn calls_are_counted_as_the_system_takes_them_and_held_against_its_day() {
        let main = "
connections:
  erp: { kind: rest, url: 'https://erp.example', description: erp.yaml, poll: 2s }
  salesforce: { kind: salesforce, url: 'https://x.my.salesforce.com', secrets: { client_id: { env: A }, client_secret: { env: B } } }
flows: flows
";
        let flow = "
flow: customer
erp: Customer
salesforce: Account
match: [{ name: trim }]
properties:
  - { erp: name, salesforce: Name }
";
        let sources = Sources {
            main: ("tandem.yaml".to_owned(), main.to_owned()),
            flows: vec![("customer.yaml".to_owned(), flow.to_owned())],
            kinds: tandem_connector::kinds::KINDS,
        };
        let configuration = load(&sources).unwrap();
        let watched = TypeSchema {
            watched: Some(Watched::default()),
            ..TypeSchema::default()
        };
        let schema = Schema {
            types: [("Customer".to_owned(), watched)].into(),
            ..Schema::default()
        };
        let told = |a_day| {
            findings(
                &configuration.connections[0],
                &schema,
                &configuration.dataflow,
                a_day,
            )
        };
        let cost = &told(None)[1];
        assert_eq!(
            cost.what,
            "seeing changes in erp costs at least 1,800 calls an hour when nothing happens"
        );
        assert!(cost.why.contains("a call or more for each"), "{}", cost.why);
        assert_eq!(told(Some(43_200)).len(), 2);
        let over = &told(Some(1_000))[2];
        assert_eq!(
            over.what,
            "erp allows 1,000 calls a day, and seeing changes takes at least 43,200"
        );
        assert_eq!(over.weight, Weight::Limit);
    }
}
