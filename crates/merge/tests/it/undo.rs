//! What people take back, decided by the core alone.

use crate::plan_laws::{
    at_rest, facts, invoice, of_invoice, of_order, of_sales_order, order, sales_order, seen, updates,
};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::{Anchor, Cluster};
use tandem_merge::dataflow::{ConflictPolicy, Dataflow};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, Values};
use tandem_merge::undo::{How, Line, Step, Undoing, Wanted, undo};
use tandem_merge::value::Value;

/// The lines of a plan, numbered from 1.
fn lines(plan: &Plan) -> Vec<Line> {
    (1..).zip(plan.history.clone()).collect()
}

fn wanted(plan: &Plan) -> Wanted {
    Wanted {
        lines: lines(plan),
        ..Wanted::default()
    }
}

fn take_back(flows: &Dataflow, plan: &Plan, inbox: Vec<Observation>) -> Undoing {
    let how = How::default();
    undo(flows, plan.cluster.clone(), inbox, &wanted(plan), &how, &facts())
}

fn head(cluster: &Cluster, property: &str) -> (Value, u64) {
    let anchor = Anchor {
        record: order(),
        property: property.to_owned(),
    };
    let head = &cluster.heads[&anchor];
    (head.value.clone(), head.epoch)
}

/// The order's description edited, nothing written yet.
fn edited(flows: &Dataflow) -> Plan {
    reconcile(
        flows,
        at_rest(flows),
        vec![seen(&order(), 10, of_order("wrong"))],
        &facts(),
    )
}

#[test]
fn the_value_before_is_a_new_head_and_only_who_differs_is_written() {
    let flows = star(Policies::default());
    let before = edited(&flows);
    let (_, epoch) = head(&before.cluster, "description");
    assert_eq!(updates(&before.cluster).len(), 2, "the other two are behind");
    // WHEN it is taken back before anything was written
    let told = take_back(&flows, &before, Vec::new());
    // THEN the head is a new one, the two keep what they hold, and the edited record gets its old value
    assert_eq!(
        head(&told.plan.cluster, "description"),
        (Value::from("0"), epoch + 1)
    );
    let written = updates(&told.plan.cluster);
    assert_eq!(written.len(), 1, "{written:#?}");
    assert_eq!(written[&order()]["description"], "0");
    assert_eq!(told.back.len(), 1, "{:#?}", told.back);
    assert!(told.left.is_empty(), "{:#?}", told.left);
    // R9: the same again; and M8: deciding it again changes nothing.
    assert_eq!(take_back(&flows, &before, Vec::new()), told);
    let again = reconcile(&flows, told.plan.cluster.clone(), Vec::new(), &facts());
    assert!(again.history.is_empty(), "{:#?}", again.history);
    assert_eq!(again.cluster, told.plan.cluster);
}

#[test]
fn what_stands_in_the_inbox_counts_as_edited_since() {
    let flows = star(Policies::default());
    let before = edited(&flows);
    for (record, values) in [(order(), of_order("later")), (invoice(), of_invoice("later"))] {
        let told = take_back(&flows, &before, vec![seen(&record, 20, values)]);
        assert!(told.back.is_empty(), "{:#?}", told.back);
        assert!(told.left[0].reason.contains("was edited in"), "{:#?}", told.left);
        assert_eq!(told.left[0].property.as_deref(), Some("description"));
    }
}

#[test]
fn a_later_change_is_known_by_its_epoch_even_where_the_value_is_the_same() {
    let flows = star(Policies::default());
    let before = edited(&flows);
    let mut cluster = before.cluster.clone();
    for (at, value) in [(20, "between"), (30, "wrong")] {
        let rows = vec![seen(&order(), at, of_order(value))];
        cluster = reconcile(&flows, cluster, rows, &facts()).cluster;
    }
    let told = undo(
        &flows,
        cluster.clone(),
        Vec::new(),
        &wanted(&before),
        &How::default(),
        &facts(),
    );
    assert!(told.back.is_empty(), "{:#?}", told.back);
    let force = How {
        overwrite: true,
        ..How::default()
    };
    let told = undo(&flows, cluster, Vec::new(), &wanted(&before), &force, &facts());
    assert_eq!(head(&told.plan.cluster, "description").0, Value::from("0"));
}

#[test]
fn what_comes_from_one_system_alone_is_left() {
    let flows = star(Policies::default());
    let mut values: Values = of_sales_order("0");
    values.insert("Given".to_owned(), Value::from("other"));
    let plan = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&sales_order(), 10, values)],
        &facts(),
    );
    assert!(!plan.history.is_empty());
    let told = take_back(&flows, &plan, Vec::new());
    assert!(told.back.is_empty(), "{:#?}", told.back);
    let reason = &told.left[0].reason;
    assert!(reason.contains("nothing is written to it"), "{reason}");
}

#[test]
fn a_conflict_that_waits_is_not_undone_but_answered() {
    let flows = star(Policies {
        conflict: ConflictPolicy::Ask,
        ..Policies::default()
    });
    let before = edited(&flows);
    let rows = vec![seen(&invoice(), 20, of_invoice("theirs"))];
    let asked = reconcile(&flows, before.cluster.clone(), rows, &facts());
    assert_eq!(asked.cluster.questions.len(), 1);
    let how = How {
        overwrite: true,
        ..How::default()
    };
    let told = undo(
        &flows,
        asked.cluster,
        Vec::new(),
        &wanted(&before),
        &how,
        &facts(),
    );
    assert!(told.back.is_empty(), "{:#?}", told.back);
    assert!(told.left[0].advice.contains("tandem resolve"), "{:#?}", told.left);
}

#[test]
fn a_value_that_one_member_cannot_hold_waits_there_alone() {
    // GIVEN a value that was too long for one counterpart, and a short one after it
    let flows = star(Policies {
        short: Some(5),
        ..Policies::default()
    });
    let long = vec![seen(&order(), 10, of_order("much too long"))];
    let first = reconcile(&flows, at_rest(&flows), long, &facts());
    let short = vec![seen(&order(), 20, of_order("short"))];
    let second = reconcile(&flows, first.cluster, short, &facts());
    // WHEN the short one is taken back
    let told = take_back(&flows, &second, Vec::new());
    let waits = told
        .back
        .iter()
        .filter(|back| matches!(&back.what, Step::Value { waits: Some(why), .. } if why.contains("holds 5")));
    assert_eq!(waits.count(), 1, "{:#?}", told.back);
    assert_eq!(
        updates(&told.plan.cluster)[&order()]["description"],
        "much too long"
    );
}
