//! Forgotten records leave no word behind, and are let in no more.

use crate::setup::*;
use tandem_ledger::{Error, Ledger, Store};
use tandem_merge::dataflow::{Reference, Side};
use tandem_merge::facts::{Referent, Referral};

#[test]
fn a_forgotten_record_is_let_in_no_more_and_others_leave_it_alone() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(&order("7"), 1, &[("number", "7"), ("customer", "1")])],
        );
        rest(store);
        let lines = store.history(Some(&customer("1")), 0, 100).unwrap().len();
        let done = store.forget(&[customer("1"), contact("a")], at(5_000)).unwrap();
        assert_eq!((done.records, done.lines), (2, lines as u64));
        assert!(store.is_forgotten(&customer("1")).unwrap());
        assert!(!store.is_forgotten(&customer("2")).unwrap());
        assert!(store.links(None, 0, 10).unwrap().is_empty());
        assert!(store.cluster(&flows(), &customer("1")).unwrap().is_none());
        assert!(
            store
                .history(None, 0, 100)
                .unwrap()
                .iter()
                .all(|(_, event)| event.record != customer("1"))
        );
        // WHEN both are seen again, whatever they hold
        let report = observe(store, vec![seen(&customer("1"), 900, ANN)]);
        assert_eq!(report.new, 0);
        observe(store, vec![seen(&contact("a"), 900, ANN_THERE)]);
        rest(store);
        // THEN nothing is linked or created, and who refers to her neither waits nor reads her
        assert_eq!(store.status(&flows()).unwrap().outbox.0, 1, "the order's own");
        assert!(store.unread(10).unwrap().is_empty());
        let referral = Referral {
            through: Reference::Flow("customer".into()),
            side: Side::First,
            id: "1".to_owned(),
        };
        let dirty = store
            .take_records(&flows(), &[order("7")], at(5_000))
            .unwrap()
            .remove(0);
        assert_eq!(dirty.facts.referrals[&referral], Referent::Forgotten);
    });
}

#[test]
fn while_a_write_has_no_answer_nothing_is_forgotten() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(
                &customer("1"),
                100,
                &[("name", "Anna"), ("email", "ann@example.org")],
            )],
        );
        observe(
            store,
            vec![seen(
                &customer("1"),
                200,
                &[("name", "Anna"), ("email", "anna@example.org")],
            )],
        );
        rest(store);
        let ids: Vec<u64> = store
            .sendable(CRM, false, 9, 10)
            .unwrap()
            .iter()
            .map(|it| it.id)
            .collect();
        assert_eq!(ids.len(), 1);
        store.begin_write(FENCE, &ids, at(5_800)).unwrap();
        let before = dump(store);
        let refused = store.forget(&[customer("1"), contact("a")], at(5_000));
        assert!(matches!(refused, Err(Error::UnderWay(_))), "{refused:?}");
        assert_eq!(dump(store), before);
    });
}

#[test]
fn no_byte_of_a_forgotten_record_stays_in_the_files() {
    const CANARY: &str = "canary-of-ann";
    let folder = tempfile::tempdir().unwrap();
    let bytes = || {
        let mut found = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let body = std::fs::read(entry.unwrap().path()).unwrap();
            found += body
                .windows(CANARY.len())
                .filter(|window| *window == CANARY.as_bytes())
                .count();
        }
        found
    };
    let mut store = Ledger::open(folder.path()).unwrap();
    let mail = format!("{CANARY}@example.org");
    observe(
        &mut store,
        vec![seen(&customer("1"), 1, &[("name", CANARY), ("email", &mail)])],
    );
    observe(
        &mut store,
        vec![seen(&contact("a"), 1, &[("LastName", "other"), ("Email", &mail)])],
    );
    for id in ["2", "3", "4"] {
        observe(
            &mut store,
            vec![seen(&customer(id), 1, &[("name", id), ("email", id)])],
        );
    }
    listed(&mut store);
    rest(&mut store);
    observe(
        &mut store,
        vec![seen(&customer("1"), 100, &[("name", CANARY), ("email", "new")])],
    );
    rest(&mut store);
    assert!(bytes() > 3);
    store.forget(&[customer("1"), contact("a")], at(5_000)).unwrap();
    assert_eq!(bytes(), 0);
    observe(
        &mut store,
        vec![seen(&customer("1"), 900, &[("name", CANARY), ("email", &mail)])],
    );
    rest(&mut store);
    drop(store);
    assert_eq!(bytes(), 0);
    // The others are as they were.
    let mut store = Ledger::open(folder.path()).unwrap();
    assert!(store.cluster(&flows(), &customer("2")).unwrap().is_some());
    assert!(store.is_forgotten(&customer("1")).unwrap());
}
