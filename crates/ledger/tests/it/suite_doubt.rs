//! Writes of ours that a read did not show: every store tells them, and takes nothing in twice.

use crate::setup::*;
use tandem_ledger::{Decided, Dirty, Store};
use tandem_merge::reconcile::reconcile_confirmed;
use tandem_merge::record::Observation;

const NEW: &[(&str, &str)] = &[("name", "Anna"), ("email", "ann@example.org")];
const NEW_THERE: &[(&str, &str)] = &[("LastName", "Anna"), ("Email", "ann@example.org")];

/// Ann's new name, written to the contact and answered at 5,900.
fn written(store: &mut dyn Store) {
    linked(store);
    observe(store, vec![seen(&customer("1"), 100, NEW)]);
    rest(store);
    assert_eq!(send_all(store, CRM, false), 1);
    rest(store);
}

/// The contact as it was before, read late.
fn late(second: i64) -> Observation {
    Observation {
        read_began: at(second),
        ..seen(&contact("a"), 1, ANN_THERE)
    }
}

#[test]
fn a_write_that_a_read_did_not_show_is_told_once_it_is_old_enough_and_until_it_shows() {
    on_both(|store| {
        written(store);
        assert!(store.doubted(CRM, at(9_000), 10).unwrap().is_empty());
        assert_eq!(observe(store, vec![late(5_950)]).new, 1);
        rest(store);
        assert!(store.doubted(CRM, at(5_899), 10).unwrap().is_empty());
        assert!(store.doubted(ERP, at(9_000), 10).unwrap().is_empty());
        assert_eq!(store.doubted(CRM, at(5_900), 10).unwrap(), [contact("a")]);
        assert!(store.doubted(CRM, at(5_900), 0).unwrap().is_empty());
        // The same once more is nothing new.
        assert_eq!(observe(store, vec![late(5_960)]).known, 1);
        // Once it shows, it is in doubt no more.
        let shown = Observation {
            read_began: at(5_970),
            ..seen(&contact("a"), 5_890, NEW_THERE)
        };
        observe(store, vec![shown]);
        rest(store);
        assert!(store.doubted(CRM, at(9_000), 10).unwrap().is_empty());
        assert!(store.items(0, 10).unwrap().is_empty());
    });
}

#[test]
fn a_read_that_decides_ends_the_doubt_and_leaves_an_item() {
    on_both(|store| {
        written(store);
        observe(store, vec![late(5_950)]);
        rest(store);
        for dirty in store.take_records(&flows(), &[contact("a")], at(9_000)).unwrap() {
            let read = vec![late(9_000)];
            let plan = reconcile_confirmed(&flows(), dirty.cluster, dirty.inbox, read, &dirty.facts);
            let token = dirty.token;
            commit(store, vec![Decided { plan, token }]);
        }
        assert!(store.doubted(CRM, at(9_000), 10).unwrap().is_empty());
        let items = store.items(0, 10).unwrap();
        assert_eq!(items.len(), 1, "{items:#?}");
        assert!(store.sendable(CRM, false, 9, 10).unwrap().is_empty());
        // While anything is listed of a cluster, whatever is seen of it is decided: it may be what frees that.
        let known = store.cluster(&flows(), &customer("1")).unwrap().unwrap();
        let echo = Observation {
            values: known.records[&customer("1")].shadow.values.clone(),
            ..seen(&customer("1"), 9_500, NEW)
        };
        assert_eq!(observe(store, vec![echo]).new, 1);
    });
}

#[test]
fn who_waits_for_a_record_in_doubt_is_woken_when_the_doubt_ends() {
    on_both(|store| {
        written(store);
        observe(store, vec![late(5_950)]);
        rest(store);
        // GIVEN somebody who waits for what will be known of the contact
        observe(store, vec![seen(&customer("2"), 1, &[("name", "Bea")])]);
        for mut waiting in take(store).into_iter().map(decided) {
            waiting.plan.waits.on.insert(contact("a"));
            commit(store, vec![waiting]);
        }
        assert_eq!(take(store), []);
        // WHEN the write shows, and nothing else changes
        for dirty in store.take_records(&flows(), &[contact("a")], at(9_000)).unwrap() {
            let read = Observation {
                read_began: at(9_000),
                ..seen(&contact("a"), 5_890, NEW_THERE)
            };
            let plan = reconcile_confirmed(&flows(), dirty.cluster, dirty.inbox, vec![read], &dirty.facts);
            let token = dirty.token;
            commit(store, vec![Decided { plan, token }]);
        }
        // THEN it is decided anew
        let woken = take(store);
        let of = |dirty: &Dirty| dirty.cluster.records.contains_key(&customer("2"));
        assert!(woken.iter().any(of), "{woken:#?}");
    });
}

#[test]
fn what_is_forgotten_of_versions_and_records_is_in_doubt_no_more() {
    on_both(|store| {
        written(store);
        observe(store, vec![late(5_950)]);
        rest(store);
        store.forget_versions(CRM).unwrap();
        assert!(store.doubted(CRM, at(9_000), 10).unwrap().is_empty());
    });
    on_both(|store| {
        written(store);
        observe(store, vec![late(5_950)]);
        rest(store);
        store.forget(&[customer("1"), contact("a")], at(6_000)).unwrap();
        assert!(store.doubted(CRM, at(9_000), 10).unwrap().is_empty());
    });
}
