//! Decisions per second on an Order with its Invoice and its second Order, twenty properties each: at rest, after
//! one edit, after a conflict. The yardstick is writing the same cluster's records as JSON once, measured in the
//! same run, so that the limit holds on any machine: a decision may cost so many times as much.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark reads the clock, and its fixtures are its own"
)]

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::{
    ConflictPolicy, CreatePolicy, Dataflow, DeleteAgainstEdit, DeletePolicy, Direction, End, Flow, Guard,
    Identity, Kind, Mapping, MatchPart, MatchRule, Normaliser, OnCreate, Reverse, Side,
};
use tandem_merge::facts::Facts;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

const PROPERTIES: usize = 20;
/// A decision may cost this many times what writing the cluster as JSON costs.
const LIMIT: u128 = 12;
/// Each piece of work is measured so many times, for so long.
const TURNS: usize = 40;
const WHILE: Duration = Duration::from_millis(15);

fn mapping(index: usize) -> Mapping {
    Mapping {
        properties: [format!("property{index}"), format!("Property{index}__c")],
        data_types: ["string".to_owned(), "string".to_owned()],
        kind: if index % 4 == 3 {
            Kind::Decimal { scale: 2 }
        } else {
            Kind::String
        },
        direction: Direction::Both,
        owned_by: None,
        given_by: None,
        on_create: OnCreate::Follow,
        never_blank: [false; 2],
        filled_on_create: [false; 2],
        max_length: [None, Some(255)],
        reverse: Reverse::Follow,
        blank_is_edit: true,
        personal: false,
        conflict: None,
        alone: None,
        locks: std::collections::BTreeSet::new(),
        create_only: [false, false],
        awaited: false,
        stand_in: [None, None],
        note: String::new(),
    }
}

fn end(system: &str, name: &str, identity: &str) -> End {
    End {
        record_type: RecordType::new(system, name),
        object: name.to_owned(),
        create: CreatePolicy::On,
        write: true,
        on_delete: DeletePolicy::Ask,
        identity: Some(Identity {
            property: identity.to_owned(),
            prefix: String::new(),
            unique: true,
        }),
        only: BTreeMap::new(),
        filter: None,
        constants: BTreeMap::new(),
        deactivate: None,
        deactivate_needs_approval: false,
        computed: BTreeMap::new(),
    }
}

fn flow(name: &str, second: &str, identity: &str) -> Flow {
    Flow {
        name: name.to_owned(),
        group: name.to_owned(),
        ends: [end("erp", "Order", identity), end("sf", second, "Ext__c")],
        match_rules: vec![MatchRule {
            parts: vec![MatchPart {
                properties: ["property0".to_owned(), "Property0__c".to_owned()],
                normaliser: Normaliser::Trim,
            }],
            ..MatchRule::default()
        }],
        conflict: ConflictPolicy::Wins(Side::First),
        delete_against_edit: DeleteAgainstEdit::Ask,
        mappings: (0..PROPERTIES).map(mapping).collect(),
        unserved: Vec::new(),
        companions: Vec::new(),
        guard: Guard::default(),
        supports: None,
        equal: Vec::new(),
        guarded: Default::default(),
        keeps: None,
    }
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn observation(key: RecordKey, at: i64, edit: Option<&str>) -> Observation {
    let first = key.record_type.system == "erp";
    let mut values = Values::new();
    for index in 0..PROPERTIES {
        let name = if first {
            format!("property{index}")
        } else {
            format!("Property{index}__c")
        };
        let value = match index {
            _ if index % 4 == 3 => Value::Decimal("1234.50".parse().unwrap()),
            1 => Value::from(edit.unwrap_or("as it was")),
            _ => Value::Text(format!("the value of property {index}")),
        };
        values.insert(name, value);
    }
    let stamps: &[(&str, &str)] = if first {
        &[("invoiceId", "i"), ("orderId", "o")]
    } else {
        &[("Ext__c", "1")]
    };
    values.extend(
        stamps
            .iter()
            .map(|(name, id)| ((*name).to_owned(), Value::from(*id))),
    );
    Observation {
        key,
        presence: Presence::Alive,
        values,
        version: Some(Version {
            token: at.to_string(),
            order: Some(at),
            modified: moment(at),
            firm: true,
            coarse: jiff::SignedDuration::ZERO,
        }),
        created: Some(moment(0)),
        author: None,
        read_began: moment(at),
        partial: false,
        protected: false,
        merged_into: None,
        unreadable: std::collections::BTreeMap::new(),
    }
}

/// What one turn of a piece of work costs in a short while, in nanoseconds.
fn cost(work: &mut dyn FnMut()) -> u128 {
    let began = Instant::now();
    let mut turns: u128 = 0;
    while began.elapsed() < WHILE {
        (0..5).for_each(|_| work());
        turns += 5;
    }
    began.elapsed().as_nanos() / turns
}

/// The least that each piece of work costs: they take turns, so that what else the machine does strikes none alone.
fn measure<const N: usize>(works: [(&str, &mut dyn FnMut()); N]) -> [u128; N] {
    let mut least = [u128::MAX; N];
    let mut works = works;
    for _ in 0..TURNS {
        for (least, (_, work)) in least.iter_mut().zip(&mut works) {
            *least = cost(*work).min(*least);
        }
    }
    for (least, (name, _)) in least.iter().zip(&works) {
        println!("{name:<14} {:>9} per second", 1_000_000_000 / least.max(&1));
    }
    least
}

fn main() {
    let flows = Dataflow {
        systems: ["erp".to_owned(), "sf".to_owned()],
        flows: vec![
            flow("order-invoice", "Invoice", "invoiceId"),
            flow("order-order", "Order", "orderId"),
        ],
        document_order: Vec::new(),
        introduction: String::new(),
        clock_error_seconds: 2,
        out_of_sight: std::collections::BTreeSet::new(),
        clocks_ahead: std::collections::BTreeMap::new(),
        commit_delays: std::collections::BTreeMap::new(),
        request_deadlines: BTreeMap::new(),
        unprotected: std::collections::BTreeSet::new(),
        paused: std::collections::BTreeSet::new(),
        asks_first: std::collections::BTreeSet::new(),
        ourselves: std::collections::BTreeMap::new(),
    };
    let facts = Facts {
        listed: true,
        now: moment(100),
        ..Facts::default()
    };
    let keys = [
        RecordKey::new("erp", "Order", "1"),
        RecordKey::new("sf", "Invoice", "i"),
        RecordKey::new("sf", "Order", "o"),
    ];
    let load = keys.iter().map(|key| observation(key.clone(), 1, None)).collect();
    let cluster = reconcile(&flows, Cluster::default(), load, &facts).cluster;
    assert_eq!((cluster.links.len(), cluster.heads.len()), (2, PROPERTIES));
    let decide = |inbox: Vec<Observation>| black_box(reconcile(&flows, cluster.clone(), inbox, &facts));
    let one = observation(keys[0].clone(), 10, Some("edited here"));
    let other = observation(keys[2].clone(), 11, Some("edited there"));
    assert_eq!(decide(vec![one.clone(), other.clone()]).history.len(), 2);
    let mut as_json = || {
        for record in cluster.records.values() {
            black_box(serde_json::to_string(record).unwrap());
        }
    };
    let [yardstick, costs @ ..] = measure([
        ("as JSON", &mut as_json),
        ("at rest", &mut || drop(decide(Vec::new()))),
        ("one edit", &mut || drop(decide(vec![one.clone()]))),
        ("conflict", &mut || drop(decide(vec![one.clone(), other.clone()]))),
    ]);
    let worst = costs.into_iter().max().unwrap_or_default();
    println!(
        "worst decision: {} times the JSON, limit {LIMIT}",
        worst / yardstick.max(1)
    );
    assert!(worst <= LIMIT * yardstick, "decisions became too slow");
}
