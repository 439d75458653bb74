//! Records that are parts of others: how they stand, what is known of their parents, and what is read again.

use crate::setup::*;
use std::collections::BTreeSet;
use tandem_ledger::{Decided, Dirty, Store};
use tandem_merge::dataflow::{Dataflow, Mapping, Reference, Side, Support};
use tandem_merge::facts::{PartsOf, Referral, Standing};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, Presence, RecordKey};
use tandem_merge::value::Value;

/// Orders as parts of customers, whose name is written alone and locks them when it is Gold.
fn with_parts() -> Dataflow {
    let mut flows = flows();
    let name = &mut flows.flows[0].mappings[1];
    *name = Mapping {
        alone: Some(Side::Second),
        locks: BTreeSet::from(["Gold".to_owned()]),
        ..name.clone()
    };
    flows.flows[1].supports = Some(Support {
        flow: "customer".to_owned(),
        rolls_up: true,
    });
    let delay = jiff::SignedDuration::from_secs(10);
    flows.commit_delays = flows
        .systems
        .clone()
        .into_iter()
        .map(|system| (system, delay))
        .collect();
    flows
}

fn see(store: &mut dyn Store, seen: Observation) {
    let system = seen.key.record_type.system.clone();
    let page = page(&system, vec![seen], None);
    store.commit_page(FENCE, &with_parts(), &page).unwrap();
}

fn taken(store: &mut dyn Store, key: &RecordKey) -> Dirty {
    let keys = std::slice::from_ref(key);
    store
        .take_records(&with_parts(), keys, at(5_000))
        .unwrap()
        .remove(0)
}

fn settle_down(store: &mut dyn Store) {
    for _ in 0..20 {
        let dirty = store.take_dirty(&with_parts(), 9, 100, at(5_000)).unwrap();
        if dirty.is_empty() {
            return;
        }
        let decided = |dirty: Dirty| Decided {
            plan: reconcile(&with_parts(), dirty.cluster, dirty.inbox, &dirty.facts),
            token: dirty.token,
        };
        let plans = dirty.into_iter().map(decided).collect();
        store.commit_plans(FENCE, &with_parts(), plans).unwrap();
    }
    panic!("it never came to rest");
}

/// Ann with an order, both on both sides.
fn ann_with_an_order(store: &mut dyn Store) {
    see(store, seen(&customer("1"), 1, ANN));
    see(store, seen(&contact("a"), 1, ANN_THERE));
    see(store, seen(&order("7"), 1, &[("number", "7"), ("customer", "1")]));
    see(
        store,
        seen(
            &invoice("i"),
            1,
            &[("Number", "7"), ("ContactId", "a"), ("External", "7")],
        ),
    );
    listed(store);
    settle_down(store);
    assert_eq!(store.links(None, 0, 10).unwrap().len(), 2);
}

fn to_customer() -> Referral {
    Referral {
        through: Reference::Flow("customer".to_owned()),
        side: Side::First,
        id: "1".to_owned(),
    }
}

#[test]
fn a_parent_is_told_how_its_parts_stand_once_it_matters() {
    on_both(|store| {
        ann_with_an_order(store);
        assert!(
            taken(store, &customer("1")).facts.parts.is_empty(),
            "nothing locks"
        );
        see(
            store,
            seen(
                &customer("1"),
                9,
                &[("name", "Gold"), ("email", "ann@example.org")],
            ),
        );
        let of = PartsOf {
            flow: "order".to_owned(),
            side: Side::First,
            parent: "1".to_owned(),
        };
        let stands = |store: &mut dyn Store| {
            let parts = taken(store, &customer("1")).facts.parts;
            parts[&of]
                .iter()
                .map(|part| (part.record.clone(), part.standing.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(stands(store), [(order("7"), Standing::AtRest)]);
        see(
            store,
            seen(
                &order("7"),
                9,
                &[("number", "7"), ("customer", "1"), ("note", "x")],
            ),
        );
        assert_eq!(stands(store), [(order("7"), Standing::Moving)]);
        // It left for another customer: decided, it is no part any more.
        see(
            store,
            seen(
                &customer("2"),
                1,
                &[("name", "Bob"), ("email", "bob@example.org")],
            ),
        );
        see(
            store,
            seen(&order("7"), 10, &[("number", "7"), ("customer", "2")]),
        );
        settle_down(store);
        assert_eq!(stands(store), []);
    });
}

#[test]
fn a_part_is_told_of_its_parent_on_both_sides() {
    on_both(|store| {
        ann_with_an_order(store);
        let parent = taken(store, &order("7")).facts.parents[&to_customer()].clone();
        let shown = |end: &Option<(Presence, tandem_merge::record::Values)>, name: &str| {
            end.as_ref()
                .map(|(presence, values)| (*presence, values[name].clone()))
        };
        let ann = Some((Presence::Alive, Value::from("Ann")));
        assert_eq!(shown(&parent.own, "name"), ann);
        assert_eq!(shown(&parent.other, "LastName"), ann);
        assert!(!parent.undecided && !parent.unread && parent.verdict.is_none());
        see(
            store,
            seen(
                &customer("1"),
                9,
                &[("name", "Anna"), ("email", "ann@example.org")],
            ),
        );
        assert!(taken(store, &order("7")).facts.parents[&to_customer()].undecided);
    });
}

#[test]
fn a_parent_whose_parts_moved_is_read_once_more_when_no_read_can_lag_behind_them() {
    on_both(|store| {
        ann_with_an_order(store);
        let look = |store: &mut dyn Store, began: i64| {
            let mut shown = seen(&contact("a"), 1, ANN_THERE);
            shown.read_began = at(began);
            see(store, shown);
            settle_down(store);
        };
        assert_eq!(store.to_reread(at(5_000), 10).unwrap(), [contact("a")]);
        // The first look answers whoever waits, and may have come too early.
        look(store, 5_000);
        assert!(store.to_reread(at(5_009), 10).unwrap().is_empty());
        assert_eq!(store.to_reread(at(5_010), 10).unwrap(), [contact("a")]);
        look(store, 5_009);
        assert_eq!(store.to_reread(at(5_010), 10).unwrap(), [contact("a")]);
        look(store, 5_010);
        assert!(store.to_reread(at(9_000), 10).unwrap().is_empty());
    });
}

#[test]
fn a_parent_is_read_again_until_a_later_read_shows_it_and_its_parts_are_woken() {
    on_both(|store| {
        ann_with_an_order(store);
        // The invoice is new to the second side's contact: its sum was seen with it or after it.
        for key in store.to_reread(at(0), 10).unwrap() {
            let mut shown = seen(&key, 1, ANN_THERE);
            shown.read_began = at(5_000);
            see(store, shown);
        }
        settle_down(store);
        assert!(store.to_reread(at(0), 10).unwrap().is_empty());
        see(store, deleted(&order("7"), 9));
        settle_down(store);
        assert_eq!(store.to_reread(at(0), 10).unwrap(), [customer("1")]);
        assert!(taken(store, &order("7")).facts.parents[&to_customer()].unread);
        // A read that began before it says nothing.
        let mut early = seen(&customer("1"), 1, ANN);
        early.read_began = at(4_000);
        see(store, early.clone());
        assert_eq!(store.to_reread(at(0), 10).unwrap(), [customer("1")]);
        early.read_began = at(5_001);
        see(store, early);
        assert!(store.to_reread(at(0), 10).unwrap().is_empty());
        let dirty = store.take_dirty(&with_parts(), 9, 100, at(5_002)).unwrap();
        let woken = dirty
            .iter()
            .any(|dirty| dirty.cluster.records.contains_key(&order("7")));
        assert!(woken, "it waits for its parent");
    });
}

#[test]
fn e3_a_record_whose_create_can_arrive_no_more_is_decided_again_by_a_read_from_then_on() {
    on_both(|store| {
        ann_with_an_order(store);
        let mut dirty = taken(store, &customer("1"));
        let record = dirty.cluster.records.get_mut(&contact("a")).unwrap();
        record.arrives_until = Some(at(6_000));
        let plan = reconcile(&with_parts(), dirty.cluster, dirty.inbox, &dirty.facts);
        assert_eq!(plan.waits.later.get(&contact("a")), Some(&at(6_000)));
        let token = dirty.token;
        let report = store.commit_plans(FENCE, &with_parts(), vec![Decided { plan, token }]);
        assert!(report.unwrap().put_back.is_empty());
        for (began, woken) in [(5_999, false), (6_000, true)] {
            let mut shown = seen(&contact("a"), 1, ANN_THERE);
            shown.read_began = at(began);
            see(store, shown);
            let dirty = store.take_dirty(&with_parts(), 9, 100, at(began)).unwrap();
            assert_eq!(!dirty.is_empty(), woken, "{began}");
        }
    });
}
