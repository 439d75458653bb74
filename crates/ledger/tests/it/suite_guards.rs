//! What guards count and what is ignored, against both stores.

use crate::setup::*;
use jiff::Timestamp;
use tandem_ledger::{Edits, Store};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::Removals;
use tandem_merge::record::RecordKey;

/// Customers linked with contacts, at rest.
fn pairs(store: &mut dyn Store, ids: &[&str]) {
    for id in ids {
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
}

#[test]
fn r7_a_deletion_that_was_carried_on_counts_against_those_after_it() {
    on_both(|store| {
        // GIVEN three pairs, and a guard that lets one deletion pass
        pairs(store, &["1", "2", "3"]);
        // WHEN one is deleted and carried on
        observe(store, vec![deleted(&customer("1"), 100)]);
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox, (1, 0));
        send_all(store, CRM, false);
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().flows["customer"].linked, 2);
        // AND another one is deleted within the window
        observe(store, vec![deleted(&customer("2"), 200)]);
        let taken = take(store);
        // THEN both count, and it is held
        let counted = Removals {
            waiting: 1,
            carried_on: 1,
            links: 2,
        };
        assert_eq!(taken[0].facts.deletions["customer"], counted);
        rest(store);
        let status = store.status(&flows()).unwrap();
        assert_eq!((status.outbox, status.flows["customer"].approvals), ((0, 0), 1));
    });
}

#[test]
fn edits_are_counted_by_record_and_side_within_a_window_and_forgotten_once_approved() {
    on_both(|store| {
        pairs(store, &["1", "2"]);
        let count = |store: &mut dyn Store, from: Timestamp| store.edits("customer", from).unwrap();
        // A first link is no edit.
        assert_eq!(count(store, Timestamp::UNIX_EPOCH), Edits::default());
        for (moment, name) in [(100, "Anna"), (200, "Anne")] {
            let values = [("name", name), ("email", "1@example.org")];
            observe(store, vec![seen(&customer("1"), moment, &values)]);
            rest(store);
        }
        let values = [("LastName", "Bob"), ("Email", "2@example.org")];
        observe(store, vec![seen(&contact("2"), 100, &values)]);
        rest(store);
        let all = Edits {
            edited: [1, 1],
            links: 2,
        };
        assert_eq!(count(store, Timestamp::UNIX_EPOCH), all);
        store.forget_edits("order").unwrap();
        assert_eq!(count(store, Timestamp::UNIX_EPOCH), all);
        store.forget_edits("customer").unwrap();
        assert_eq!(count(store, Timestamp::UNIX_EPOCH), Edits::default());
    });
}

#[test]
fn an_ignored_item_counts_nowhere_until_its_time_comes_or_its_reason_changes() {
    on_both(|store| {
        // GIVEN two contacts with one customer's key
        pairs(store, &["1"]);
        let twin = |id: &str| {
            seen(
                &contact(id),
                50,
                &[("LastName", "Twin"), ("Email", "1@example.org")],
            )
        };
        observe(store, vec![twin("x")]);
        rest(store);
        let parked = |store: &mut dyn Store| {
            let status = store.status(&flows()).unwrap();
            (status.flows["customer"].parked, status.flows["customer"].ignored)
        };
        assert_eq!(parked(store), (1, 0));
        let item = store.items(0, 10).unwrap().remove(0);
        // WHEN it is ignored until a moment
        assert!(store.ignore(item.number, Some(at(1_000))).unwrap());
        assert!(!store.ignore(9_999, None).unwrap());
        assert_eq!(parked(store), (0, 1));
        assert_eq!(store.items(0, 10).unwrap()[0].ignored, Some(at(1_000)));
        // THEN it stays so while it stands and its time has not come
        store.touch(&[contact("x")]).unwrap();
        rest(store);
        store.hear_again(at(999)).unwrap();
        assert_eq!(parked(store), (0, 1));
        store.hear_again(at(1_000)).unwrap();
        assert_eq!(parked(store), (1, 0));
        // AND where it is ignored for good it comes back with another reason
        store.ignore(item.number, None).unwrap();
        pairs(store, &["2"]);
        let values = [("LastName", "Twin"), ("Email", "2@example.org")];
        observe(store, vec![seen(&contact("x"), 60, &values)]);
        rest(store);
        assert_eq!(parked(store), (1, 0));
        assert_eq!(store.items(0, 10).unwrap()[0].number, item.number);
    });
}

#[test]
fn links_of_a_flow_that_went_stay_count_in_no_group_and_are_back_with_it() {
    on_both(|store| {
        pairs(store, &["1"]);
        let without = Dataflow {
            flows: flows().flows.split_off(1),
            ..flows()
        };
        store.touch_all(&without).unwrap();
        assert_eq!(store.links(Some("customer"), 0, 10).unwrap().len(), 1);
        store.touch_all(&flows()).unwrap();
        rest(store);
        assert_eq!(store.links(Some("customer"), 0, 10).unwrap().len(), 1);
        assert_eq!(store.status(&flows()).unwrap().outbox, (0, 0));
    });
}

#[test]
fn all_records_of_a_type_are_touched_at_once() {
    on_both(|store| {
        pairs(store, &["1", "2"]);
        assert!(take(store).is_empty());
        store.touch_types(&[customer("1").record_type]).unwrap();
        let taken: Vec<RecordKey> = take(store)
            .iter()
            .flat_map(|dirty| dirty.cluster.records.keys().cloned().collect::<Vec<_>>())
            .collect();
        assert_eq!(taken, [contact("1"), customer("1"), contact("2"), customer("2")]);
    });
}

#[test]
fn e15_a_system_whose_versions_were_forgotten_is_believed_whatever_it_shows() {
    on_both(|store| {
        pairs(store, &["1"]);
        let named = |moment: i64, name: &str| {
            let values = [("name", name), ("email", "1@example.org")];
            vec![seen(&customer("1"), moment, &values)]
        };
        observe(store, named(100, "Anna"));
        rest(store);
        send_all(store, CRM, false);
        rest(store);
        // An older state leads to nothing ...
        observe(store, named(50, "Old"));
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox, (0, 0));
        // ... and counts once the versions are forgotten, with what is still in the inbox of it.
        observe(store, named(60, "Stray"));
        store.forget_versions(ERP).unwrap();
        assert_eq!(store.status(&flows()).unwrap().inbox, 0);
        observe(store, named(50, "Old"));
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox, (1, 0));
    });
}
