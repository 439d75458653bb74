//! What a cluster is told of others, and who is woken when it changes.

use crate::setup::*;
use tandem_ledger::{Dirty, Store};
use tandem_merge::dataflow::{Reference, Side};
use tandem_merge::facts::{Referent, Referral, Removals};
use tandem_merge::record::{Presence, RecordKey};

fn to_customer(id: &str) -> Referral {
    Referral {
        through: Reference::Flow("customer".into()),
        side: Side::First,
        id: id.to_owned(),
    }
}

/// The one dirty cluster of a record.
fn cluster_of(store: &mut dyn Store, key: &RecordKey) -> Dirty {
    store
        .take_records(&flows(), std::slice::from_ref(key), at(5_000))
        .unwrap()
        .remove(0)
}

fn referent(store: &mut dyn Store, key: &RecordKey, referral: &Referral) -> Referent {
    cluster_of(store, key).facts.referrals[referral].clone()
}

fn order_of(customer: &str) -> tandem_merge::record::Observation {
    seen(&order("7"), 1, &[("number", "7"), ("customer", customer)])
}

#[test]
fn a_reference_is_unknown_then_pending_then_linked() {
    on_both(|store| {
        observe(store, vec![order_of("1")]);
        listed(store);
        assert_eq!(referent(store, &order("7"), &to_customer("1")), Referent::Unknown);
        rest(store);
        assert_eq!(store.unread(10).unwrap(), [customer("1")]);
        // WHEN it is read
        observe(
            store,
            vec![seen(
                &customer("1"),
                1,
                &[("name", "Ann"), ("email", "ann@example.org")],
            )],
        );
        assert!(store.unread(10).unwrap().is_empty());
        assert_eq!(referent(store, &order("7"), &to_customer("1")), Referent::Pending);
        // THEN it waits for its account, and once that is there its create is open
        rest(store);
        assert_eq!(
            referent(store, &order("7"), &to_customer("1")),
            Referent::Unlinked
        );
        send_all(store, CRM, true);
        rest(store);
        assert_eq!(referent(store, &order("7"), &to_customer("1")), Referent::Pending);
        // and linking it wakes the order
        while send_all(store, CRM, true) > 0 {
            rest(store);
        }
        let linked = referent(store, &order("7"), &to_customer("1"));
        assert!(matches!(linked, Referent::Linked(_)), "{linked:?}");
        assert_eq!(store.links(Some("order"), 0, 10).unwrap().len(), 1);
    });
}

#[test]
fn a_record_that_is_missing_is_gone() {
    on_both(|store| {
        observe(store, vec![order_of("1")]);
        let mut missing = seen(&customer("1"), 1, &[]);
        missing.presence = Presence::Missing;
        missing.version = None;
        observe(store, vec![missing]);
        rest(store);
        assert_eq!(referent(store, &order("7"), &to_customer("1")), Referent::Gone);
    });
}

#[test]
fn a_change_between_taking_and_storing_is_not_slept_through() {
    on_both(|store| {
        observe(store, vec![order_of("1")]);
        observe(
            store,
            vec![seen(
                &customer("1"),
                1,
                &[("name", "Ann"), ("email", "a@example.org")],
            )],
        );
        listed(store);
        // Both are taken at once: the order's facts are older than the customer's plan.
        let taken = take(store);
        assert_eq!(taken.len(), 2);
        let plans: Vec<_> = taken.into_iter().map(decided).collect();
        assert!(plans[1].plan.waits.on.contains(&customer("1")));
        commit(store, plans);
        assert!(!take(store).is_empty(), "somebody looks again");
        rest(store);
    });
}

#[test]
fn clusters_come_by_rank_and_age_and_none_twice() {
    on_both(|store| {
        observe(store, vec![order_of("1")]);
        observe(
            store,
            vec![seen(&customer("2"), 1, &[("email", "x@example.org")])],
        );
        observe(
            store,
            vec![seen(&customer("1"), 1, &[("email", "y@example.org")])],
        );
        observe(store, vec![seen(&contact("c"), 1, &[("Email", "X@example.org")])]);
        let keys = |store: &mut dyn Store, rank, limit| -> Vec<Vec<String>> {
            let taken = store.take_dirty(&flows(), rank, limit, at(5_000)).unwrap();
            let of = |dirty: &Dirty| dirty.inbox.iter().map(|seen| seen.key.id.clone()).collect();
            taken.iter().map(of).collect()
        };
        assert_eq!(keys(store, 0, 9), [vec!["2", "c"], vec!["1"]]);
        assert_eq!(keys(store, 9, 9), [vec!["2", "c"], vec!["1"], vec!["7"]]);
        assert_eq!(keys(store, 9, 1), [vec!["2", "c"]]);
    });
}

#[test]
fn a_reservation_is_told_to_others_and_kept_by_the_constraint() {
    on_both(|store| {
        // Two customers of one e-mail address, taken at the same moment but decided apart.
        listed(store);
        observe(store, vec![seen(&order("7"), 1, &[("number", "7")])]);
        let first: Vec<_> = take(store).into_iter().map(decided).collect();
        assert_eq!(first[0].plan.cluster.creates.len(), 1);
        observe(store, vec![seen(&order("8"), 1, &[("number", "7")])]);
        let mut second = take(store);
        second.retain(|dirty| dirty.inbox.iter().any(|seen| seen.key == order("8")));
        let second: Vec<_> = second.into_iter().map(decided).collect();
        commit(store, first);
        let report = commit(store, second);
        assert_eq!(report.stored + report.put_back.len() as u64, 1);
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox.0, 1);
        assert_eq!(store.items(0, 10).unwrap().len(), 1);
        let dirty = cluster_of(store, &order("8"));
        assert_eq!(dirty.facts.reserved.values().collect::<Vec<_>>(), [&order("7")]);
    });
}

#[test]
fn deletions_are_counted_before_the_first_is_decided_and_approved_up_to_now() {
    on_both(|store| {
        let pairs = ["1", "2", "3"];
        for id in pairs {
            let mail = format!("{id}@example.org");
            observe(
                store,
                vec![seen(&customer(id), 1, &[("name", id), ("email", &mail)])],
            );
            observe(
                store,
                vec![seen(&contact(id), 1, &[("LastName", id), ("Email", &mail)])],
            );
        }
        listed(store);
        rest(store);
        observe(
            store,
            pairs.iter().map(|id| deleted(&customer(id), 100)).collect(),
        );
        let taken = take(store);
        assert_eq!(taken.len(), 3);
        for dirty in &taken {
            let counted = Removals {
                waiting: 3,
                carried_on: 0,
                links: 3,
            };
            assert_eq!(dirty.facts.deletions["customer"], counted);
            assert!(dirty.facts.approved.is_empty());
        }
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox, (0, 0), "beyond the guard");
        assert_eq!(store.status(&flows()).unwrap().flows["customer"].approvals, 3);
        store.approve_flow("customer", at(1_000)).unwrap();
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox, (3, 0));
        send_all(store, CRM, false);
        rest(store);
        let status = store.status(&flows()).unwrap();
        assert_eq!(
            (
                status.flows["customer"].linked,
                status.flows["customer"].approvals
            ),
            (0, 0)
        );
    });
}

#[test]
fn counts_are_of_links_creates_updates_and_records() {
    on_both(|store| {
        observe(store, vec![order_of("")]);
        listed(store);
        rest(store);
        send_all(store, CRM, true);
        // Nothing is written to a new record before it was seen in full.
        let new = store.links(None, 0, 1).unwrap()[0].second.clone();
        observe(store, vec![seen(&new, 50, &[("Number", "7"), ("External", "7")])]);
        rest(store);
        observe(
            store,
            vec![seen(&order("7"), 100, &[("number", "7"), ("note", "n")])],
        );
        rest(store);
        assert_eq!(send_all(store, CRM, false), 1, "{}", dump(store));
        rest(store);
        let status = store.status(&flows()).unwrap();
        let flow = &status.flows["order"];
        assert_eq!((flow.linked, flow.created, flow.updated), (1, [0, 1], 1));
        assert_eq!(status.records["erp Order"], 1);
        assert_eq!(status.listed[ERP], at(10));
        assert_eq!((status.inbox, status.outbox), (0, (0, 0)));
    });
}

#[test]
fn a_changed_configuration_makes_everything_dirty() {
    on_both(|store| {
        observe(
            store,
            vec![order_of("1"), seen(&customer("2"), 1, &[("name", "x")])],
        );
        rest(store);
        store.touch_all(&flows()).unwrap();
        assert_eq!(take(store).len(), 2);
        rest(store);
    });
}
