//! Records that carry the identity of one that was deleted (E16): no counterpart of theirs brings that back.

use crate::plan_laws::{at_rest, creates, facts, gone, invoice, of_order, order, sales_order, seen, values};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::{Action, Cluster, ParkedKind};
use tandem_merge::dataflow::{Dataflow, Reference, Side};
use tandem_merge::facts::{Facts, Referral};
use tandem_merge::fates::{Became, Fate};
use tandem_merge::reconcile::{needs, reconcile};
use tandem_merge::record::{Observation, RecordKey};

const FLOW: &str = "order-invoice";

/// An order beside the one of the star, with these stamps.
fn copy(stamp: &str) -> (RecordKey, Observation) {
    let key = RecordKey::new("erp", "Order", "2");
    let pairs = [("number", "7"), ("description", "0"), ("invoiceId", stamp)];
    let shown = seen(&key, 30, values(&pairs));
    (key, shown)
}

/// Whether an invoice is created for the copy.
fn is_created(cluster: &Cluster) -> bool {
    let (key, _) = copy("");
    let own = |action: &Action| matches!(action, Action::Create { flow, source, .. } if flow == FLOW && *source == key);
    creates(cluster).iter().any(|intent| own(&intent.action))
}

fn of_invoice() -> Referral {
    Referral {
        through: Reference::Flow(FLOW.to_owned()),
        side: Side::Second,
        id: invoice().id,
    }
}

/// Facts by which this became of the invoice, whose counterpart was that one.
fn known(became: Became, counterpart: Option<RecordKey>) -> Facts {
    let mut facts = facts();
    let fate = Fate {
        of: invoice(),
        became,
        counterpart,
    };
    facts.fates.insert(of_invoice(), fate);
    facts
}

fn decided(flows: &Dataflow, cluster: Cluster, inbox: Vec<Observation>, facts: &Facts) -> Cluster {
    reconcile(flows, cluster, inbox, facts).cluster
}

#[test]
fn e16_a_record_that_carries_the_identity_of_a_deleted_one_brings_that_back_in_no_other_form() {
    // GIVEN an order and its invoice, both deleted, and another order that carries the invoice's identity
    let flows = star(Policies::default());
    let (key, shown) = copy("i");
    let all = vec![
        gone(&order(), 20),
        gone(&invoice(), 20),
        gone(&sales_order(), 20),
        shown,
    ];
    let cluster = decided(&flows, at_rest(&flows), all, &facts());
    // THEN it gets none, and a person is told why
    assert!(!is_created(&cluster));
    let held = &cluster.records[&key].held[FLOW];
    assert_eq!(held.kind, ParkedKind::DuplicateKey, "{held:?}");
    assert!(held.reason.contains("which was deleted"), "{held:?}");
    // and one once its identity is cleared.
    let cleared = Observation {
        version: seen(&key, 40, values(&[])).version,
        ..copy("").1
    };
    assert!(is_created(&decided(&flows, cluster, vec![cleared], &facts())));
}

#[test]
fn e16_whose_counterpart_a_deleted_record_was_is_asked_for_and_decides() {
    let flows = star(Policies::default());
    let (key, shown) = copy("i");
    let asked = needs(&flows, &Cluster::default(), [&shown]);
    assert!(asked.fates.contains(&of_invoice()));
    let of = |facts: &Facts| decided(&flows, Cluster::default(), vec![shown.clone()], facts);
    for became in [
        Became::Open,
        Became::Kept,
        Became::Over,
        Became::Replaced("j".to_owned()),
    ] {
        for counterpart in [Some(order()), None] {
            let told = format!("{became:?} {counterpart:?}");
            assert!(!is_created(&of(&known(became.clone(), counterpart))), "{told}");
        }
        // Its own counterpart is created again where that is wanted.
        assert!(
            is_created(&of(&known(became.clone(), Some(key.clone())))),
            "{became:?}"
        );
    }
    for became in [Became::Alive, Became::Unseen] {
        assert!(is_created(&of(&known(became.clone(), None))), "{became:?}");
    }
    // What is not decided yet is waited for.
    let plan = reconcile(
        &flows,
        Cluster::default(),
        vec![shown.clone()],
        &known(Became::Undecided, None),
    );
    assert!(!is_created(&plan.cluster));
    assert_eq!(plan.cluster.records[&key].held[FLOW].kind, ParkedKind::Deferred);
    assert!(plan.waits.on.contains(&invoice()));
    // What a person said is no counterpart of it says nothing about it.
    let mut cluster = of(&known(Became::Over, Some(order())));
    let record = cluster.records.get_mut(&key).unwrap();
    record.apart.insert(FLOW.to_owned(), [invoice()].into());
    assert!(is_created(&decided(
        &flows,
        cluster,
        Vec::new(),
        &known(Became::Over, Some(order()))
    )));
}

#[test]
fn e16_a_deletion_that_is_taken_back_creates_again_what_still_carries_the_identity() {
    // GIVEN an invoice that was deleted, about which a person is asked
    let flows = star(Policies::default());
    let mut cluster = decided(&flows, at_rest(&flows), vec![gone(&invoice(), 20)], &facts());
    assert!(creates(&cluster).is_empty());
    // WHEN it is to be created again
    for link in cluster.links.iter_mut().filter(|link| link.flow == FLOW) {
        link.verdict = Some(tandem_merge::cluster::Verdict::Recreate);
    }
    let still = seen(&order(), 30, of_order("0"));
    let cluster = decided(&flows, cluster, vec![still], &facts());
    // THEN it is, though its order carries the identity of the one that is gone
    assert_eq!(creates(&cluster).len(), 1);
}
