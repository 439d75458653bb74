//! What decisions about links need of a store, against both stores.

use crate::setup::*;
use tandem_ledger::{Decided, Store};
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::facts::MatchKey;
use tandem_merge::reconcile::reconcile_decided;

const BOB: &[(&str, &str)] = &[("name", "Bob"), ("email", "bob@example.org")];
const BOB_THERE: &[(&str, &str)] = &[("LastName", "Robert"), ("Email", "robert@example.org")];

fn link() -> Decision {
    Decision::Link {
        flow: "customer".into(),
        first: customer("2"),
        second: contact("b"),
    }
}

fn different() -> Decision {
    Decision::Different {
        flow: "customer".into(),
        first: customer("1"),
        second: contact("a"),
    }
}

/// Takes the records of a decision together and carries it out.
fn carry_out(store: &mut dyn Store, decision: &Decision) -> Outcome {
    let group = decision.records().into_iter().cloned().collect();
    let mut taken = store.take_together(&flows(), &[group], at(5_000)).unwrap();
    let dirty = taken.remove(0).unwrap();
    let decisions = std::slice::from_ref(decision);
    let (plan, mut outcomes) =
        reconcile_decided(&flows(), dirty.cluster, dirty.inbox, decisions, &dirty.facts);
    let report = commit(
        store,
        vec![Decided {
            plan,
            token: dirty.token,
        }],
    );
    assert!(report.put_back.is_empty(), "{report:?}");
    outcomes.remove(0)
}

#[test]
fn records_that_nothing_ties_are_taken_together_and_linked() {
    on_both(|store| {
        linked(store);
        observe(store, vec![seen(&customer("2"), 1, BOB)]);
        observe(store, vec![seen(&contact("b"), 1, BOB_THERE)]);
        // They may not even be decided once.
        assert_eq!(carry_out(store, &link()), Outcome::Done);
        rest(store);
        assert_eq!(store.links(None, 0, 10).unwrap().len(), 2);
        assert_eq!(carry_out(store, &link()), Outcome::Already);
    });
}

#[test]
fn groups_that_share_a_record_are_taken_one_after_the_other() {
    on_both(|store| {
        linked(store);
        observe(store, vec![seen(&customer("2"), 1, BOB)]);
        let groups = [
            vec![customer("1")],
            vec![contact("a")],
            vec![customer("2"), customer("nobody")],
            vec![],
        ];
        let taken = store.take_together(&flows(), &groups, at(5_000)).unwrap();
        let taken: Vec<Option<usize>> = taken
            .iter()
            .map(|dirty| {
                dirty
                    .as_ref()
                    .map(|dirty| dirty.cluster.records.len() + dirty.inbox.len())
            })
            .collect();
        assert_eq!(taken, [Some(2), None, Some(1), Some(0)]);
    });
}

#[test]
fn what_was_said_to_be_different_outlives_a_restart_of_the_decision() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        observe(store, vec![seen(&contact("a"), 1, ANN_THERE)]);
        listed(store);
        assert_eq!(carry_out(store, &different()), Outcome::Done);
        rest(store);
        store.touch_all(&flows()).unwrap();
        rest(store);
        assert!(store.links(None, 0, 10).unwrap().is_empty());
        let cluster = store.cluster(&flows(), &customer("1")).unwrap().unwrap();
        assert!(cluster.records[&customer("1")].apart["customer"].contains(&contact("a")));
    });
}

#[test]
fn records_are_paged_by_id_and_found_by_their_key() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(&customer("2"), 1, ANN), seen(&customer("3"), 1, BOB)],
        );
        rest(store);
        observe(store, vec![deleted(&customer("3"), 9)]);
        rest(store);
        let of = customer("1").record_type;
        assert_eq!(store.alive_after(&of, None, 1).unwrap(), [customer("1")]);
        assert_eq!(store.alive_after(&of, Some("1"), 9).unwrap(), [customer("2")]);
        let key = |text: &str| MatchKey {
            flow: "customer".into(),
            rule: 0,
            side: tandem_merge::dataflow::Side::First,
            key: text.into(),
        };
        let found = store.with_key(&key("ann@example.org")).unwrap();
        assert_eq!(found, [customer("1"), customer("2")]);
        assert!(store.with_key(&key("nobody")).unwrap().is_empty());
    });
}
