//! Merged and undeleted records: one link, one report, no duplicate anywhere.

use crate::members::moment;
use crate::plan_laws::{
    at_rest, creates, facts, gone, of_order, of_sales_order, order, sales_order, seen, updates, values,
};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::{Action, Cluster, Intent, ParkedKind};
use tandem_merge::dataflow::{Dataflow, DeletePolicy};
use tandem_merge::plan::{EventKind, Plan};
use tandem_merge::reconcile::{Settlement, needs, reconcile, reconcile_confirmed, settle};
use tandem_merge::record::{Observation, RecordKey};

fn propagating() -> Dataflow {
    star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    })
}

fn survivor() -> RecordKey {
    RecordKey::new("sf", "Order", "s2")
}

fn other_order() -> RecordKey {
    RecordKey::new("erp", "Order", "2")
}

fn merged(at: i64) -> Observation {
    Observation {
        merged_into: Some("s2".to_owned()),
        ..gone(&sales_order(), at)
    }
}

fn links_of<'a>(cluster: &'a Cluster, key: &RecordKey) -> Vec<&'a RecordKey> {
    let links = cluster.links.iter().filter(|link| link.flow == "order-order");
    let ends = links.filter_map(|link| {
        let ends = [(&link.first, &link.second), (&link.second, &link.first)];
        ends.into_iter()
            .find(|(one, _)| *one == key)
            .map(|(_, other)| other)
    });
    ends.collect()
}

fn again(flows: &Dataflow, plan: &Plan) -> Plan {
    reconcile(flows, plan.cluster.clone(), Vec::new(), &facts())
}

/// Whether a plan's own cluster is decided once more.
fn is_decided_again(plan: &Plan) -> bool {
    let mut own = plan.cluster.records.keys();
    own.any(|key| plan.waits.wake.contains(key))
}

/// Orders 1 and 2 linked with s and s2, and equal.
fn two_linked(flows: &Dataflow) -> Cluster {
    let second = values(&[
        ("number", "8"),
        ("description", "other"),
        ("orderId", "s2"),
        ("given", "g"),
    ]);
    let counterpart = values(&[
        ("Reference", "8"),
        ("Description", "other"),
        ("Ext", "Order:2"),
        ("Given", "g"),
    ]);
    let rows = vec![seen(&other_order(), 1, second), seen(&survivor(), 1, counterpart)];
    let cluster = reconcile(flows, at_rest(flows), rows, &facts()).cluster;
    assert_eq!(links_of(&cluster, &other_order()), [&survivor()]);
    cluster
}

#[test]
fn a_merged_records_link_moves_to_the_survivor() {
    let flows = propagating();
    // GIVEN a survivor that nobody is linked to, with what the merger made of it.
    let mut kept = of_sales_order("kept by the merger");
    kept.remove("Ext");
    let rows = vec![merged(20), seen(&survivor(), 20, kept)];
    let plan = reconcile(&flows, at_rest(&flows), rows, &facts());
    // THEN the link is the survivor's, nothing is deleted or created, and the merger's values are an edit.
    assert_eq!(links_of(&plan.cluster, &order()), [&survivor()]);
    assert!(creates(&plan.cluster).is_empty());
    let written = updates(&plan.cluster);
    assert_eq!(written[&order()]["description"], "kept by the merger");
    let reports = plan
        .history
        .iter()
        .filter(|event| matches!(event.what, EventKind::Merged { .. }));
    assert_eq!(reports.count(), 1);
    assert!(plan.cluster.records[&order()].held.is_empty());
    // THEN it is at rest.
    assert!(again(&flows, &plan).history.is_empty());
}

#[test]
fn e5_what_a_survivor_never_had_is_given_to_it_and_clears_nothing() {
    let flows = propagating();
    let bare = values(&[("Reference", "7")]);
    // GIVEN a survivor that was blank since it was first seen, before the merger or after it
    let before = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&survivor(), 15, bare.clone())],
        &facts(),
    );
    for (cluster, at) in [(at_rest(&flows), 20), (before.cluster.clone(), 15)] {
        let rows = vec![merged(20), seen(&survivor(), at, bare.clone())];
        let plan = reconcile(&flows, cluster, rows, &facts());
        // THEN nothing is cleared in the others, and the survivor gets what they hold
        assert_eq!(links_of(&plan.cluster, &order()), [&survivor()]);
        let written = updates(&plan.cluster);
        assert_eq!(written[&survivor()]["Description"], "0");
        assert!(
            !written
                .get(&order())
                .is_some_and(|row| row.contains_key("description")),
            "{written:?}"
        );
    }
    // but what somebody cleared in the survivor, as far as that was seen, is an edit
    let had = seen(
        &survivor(),
        15,
        values(&[("Reference", "7"), ("Description", "x")]),
    );
    let cluster = reconcile(&flows, at_rest(&flows), vec![had], &facts()).cluster;
    let cleared = values(&[("Reference", "7"), ("Description", "")]);
    let rows = vec![merged(20), seen(&survivor(), 20, cleared)];
    let plan = reconcile(&flows, cluster, rows, &facts());
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "");
}

#[test]
fn two_linked_records_that_are_merged_leave_one_link_one_report_and_no_duplicate() {
    let flows = propagating();
    let plan = reconcile(&flows, two_linked(&flows), vec![merged(20)], &facts());
    let check = |plan: &Plan| {
        assert_eq!(links_of(&plan.cluster, &survivor()), [&other_order()]);
        assert!(links_of(&plan.cluster, &order()).is_empty());
        let left = &plan.cluster.records[&order()];
        assert_eq!(left.held["order-order"].kind, ParkedKind::Merged);
        assert!(left.intent.is_none(), "it is not deleted");
        let again =
            |intent: &&Intent| matches!(&intent.action, Action::Create { flow, .. } if flow == "order-order");
        let created = creates(&plan.cluster);
        assert!(!created.iter().any(again), "nothing is created again");
    };
    check(&plan);
    let about = |plan: &Plan| {
        plan.history
            .iter()
            .filter(|event| event.flow.as_deref() == Some("order-order"))
            .count()
    };
    assert_eq!(about(&plan), 1);
    // WHEN the one left alone is edited, it stays listed, and is reported no more.
    let edited = vec![seen(&order(), 30, of_order("edited"))];
    let later = reconcile(&flows, plan.cluster, edited, &facts());
    check(&later);
    assert_eq!(about(&later), 0);
    // WHEN it is deleted at last, the list is empty, and the survivor untouched.
    let last = reconcile(&flows, later.cluster, vec![gone(&order(), 40)], &facts());
    assert!(!last.cluster.records[&order()].held.contains_key("order-order"));
    assert!(last.cluster.records[&survivor()].intent.is_none());
}

#[test]
fn nothing_is_decided_before_the_survivor_was_read() {
    let flows = propagating();
    let cluster = at_rest(&flows);
    assert_eq!(
        needs(&flows, &cluster, &[merged(20)]).records,
        [survivor()].into()
    );
    let plan = reconcile(&flows, cluster, vec![merged(20)], &facts());
    assert_eq!(plan.waits.read, [survivor()].into());
    assert_eq!(links_of(&plan.cluster, &order()), [&sales_order()]);
    assert!(plan.cluster.records[&order()].intent.is_none());
    // WHEN the survivor was deleted as well, it is a deletion like any other.
    let plan = reconcile(&flows, plan.cluster, vec![gone(&survivor(), 21)], &facts());
    assert!(plan.cluster.records[&order()].intent.is_some());
}

#[test]
fn an_undeleted_record_gets_its_link_back() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Unlink; 2],
        ..Policies::default()
    });
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&sales_order(), 20)], &facts());
    assert!(links_of(&plan.cluster, &order()).is_empty());
    let alone = again(&flows, &plan);
    assert!(creates(&alone.cluster).is_empty());
    // WHEN it comes back, as it was.
    let mut back = seen(&sales_order(), 30, of_sales_order("0"));
    back.read_began = moment(30);
    let plan = reconcile(&flows, alone.cluster, vec![back], &facts());
    assert_eq!(links_of(&plan.cluster, &order()), [&sales_order()]);
    assert!(updates(&plan.cluster).is_empty() && creates(&plan.cluster).is_empty());
    assert!(plan.cluster.records[&sales_order()].suppressed.is_empty());
    assert!(again(&flows, &plan).history.is_empty());
}

#[test]
fn e8_what_a_late_write_shows_of_a_merger_is_decided_again_with_the_survivor() {
    let flows = propagating();
    // GIVEN a write that came too late, because its record had been merged; nobody asked for the survivor
    let edited = values(&[
        ("number", "7"),
        ("description", "edited"),
        ("orderId", "s"),
        ("given", "g"),
    ]);
    let mut cluster = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 30, edited)],
        &facts(),
    )
    .cluster;
    let intent = cluster
        .records
        .get_mut(&sales_order())
        .and_then(|it| it.intent.as_mut());
    let intent = intent.map(|intent| {
        intent.id = 1;
        intent.sent = Some(moment(31));
    });
    assert!(intent.is_some());
    let read = Settlement::Read {
        state: merged(32),
        unknown: false,
    };
    // WHEN it is settled
    let plan = settle(&flows, cluster, Vec::new(), vec![(1, read)], &facts());
    // THEN nothing is decided about the link yet, and the cluster is decided again, with the survivor
    assert_eq!(links_of(&plan.cluster, &order()), [&sales_order()]);
    assert!(is_decided_again(&plan));
    assert!(needs(&flows, &plan.cluster, []).records.contains(&survivor()));
    // AND once only: what is not there is waited for
    assert!(again(&flows, &plan).waits.wake.is_empty());
}

#[test]
fn e8_what_a_read_by_id_shows_of_a_merger_is_decided_again_with_the_survivor() {
    let flows = propagating();
    let plan = reconcile_confirmed(&flows, at_rest(&flows), Vec::new(), vec![merged(32)], &facts());
    assert_eq!(links_of(&plan.cluster, &order()), [&sales_order()]);
    assert!(is_decided_again(&plan));
}
