//! Deletions of records that a create made, or of those they were made for (D1, E18): what the create had to leave out and
//! what a system filled in by itself is nobody's edit, and what somebody edited meanwhile is.

use crate::absent::AS_CREATED;
use crate::members::moment;
use crate::plan_laws::{
    answers, applied, facts, gone, invoice, of_invoice, of_order, of_sales_order, order, sales_order, seen,
    sent, updates, values, with_references,
};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::{Cluster, ParkedKind};
use tandem_merge::dataflow::{ConflictPolicy, Dataflow, DeletePolicy, Direction};
use tandem_merge::facts::{Facts, Referent};
use tandem_merge::reconcile::{Settlement, reconcile, settle};
use tandem_merge::record::{Observation, RecordKey, Values};

fn born() -> RecordKey {
    RecordKey::new("sf", "Order", "n")
}

fn shown(pairs: &[(&str, &str)], changed: i64) -> Observation {
    let mut shown = seen(&born(), changed, values(pairs));
    shown.created = Some(moment(960));
    shown
}

/// An order whose reference `before` leads nowhere yet is created without it.
fn created_without(flows: &Dataflow, facts: &Facts) -> Cluster {
    let row = values(&[("number", "7"), ("customer", "c"), ("before", "0")]);
    let plan = reconcile(flows, Cluster::default(), vec![seen(&order(), 1, row)], facts);
    let cluster = sent(plan);
    assert!(!cluster.creates[0].values.contains_key("Before"));
    let id = cluster.creates[0].id;
    settle(flows, cluster, Vec::new(), vec![(id, applied("n"))], facts).cluster
}

fn asked(cluster: &Cluster, key: &RecordKey, flow: &str) -> Option<ParkedKind> {
    cluster.records[key].held.get(flow).map(|parked| parked.kind)
}

#[test]
fn d1_e18_what_a_create_had_to_leave_out_is_no_edit_against_the_deletion_of_what_it_made() {
    let flows = with_references();
    for left_out in [Referent::Pending, Referent::Unlinked] {
        let facts = answers(
            Referent::Linked("d".to_owned()),
            Referent::Linked("a".to_owned()),
            left_out,
        );
        // WHEN it is deleted before anybody saw it, THEN the question is about the deletion alone
        let cluster = created_without(&flows, &facts);
        let plan = reconcile(&flows, cluster.clone(), vec![gone(&born(), 970)], &facts);
        assert_eq!(
            asked(&plan.cluster, &order(), "order"),
            Some(ParkedKind::Approval)
        );
        // and after it was seen, with what its system filled in
        let plan = reconcile(&flows, cluster, vec![shown(&AS_CREATED, 960)], &facts);
        let plan = reconcile(&flows, plan.cluster, vec![gone(&born(), 970)], &facts);
        assert_eq!(
            asked(&plan.cluster, &order(), "order"),
            Some(ParkedKind::Approval)
        );
    }
}

#[test]
fn d1_an_edit_of_what_a_create_left_out_stands_against_the_deletion() {
    let flows = with_references();
    let facts = answers(
        Referent::Linked("d".to_owned()),
        Referent::Linked("a".to_owned()),
        Referent::Pending,
    );
    let cluster = created_without(&flows, &facts);
    let row = values(&[("number", "7"), ("customer", "c"), ("before", "1")]);
    let plan = reconcile(&flows, cluster, vec![seen(&order(), 965, row)], &facts);
    let plan = reconcile(&flows, plan.cluster, vec![gone(&born(), 970)], &facts);
    assert_eq!(
        asked(&plan.cluster, &order(), "order"),
        Some(ParkedKind::DeleteConflict)
    );
}

/// An order of the star, created in the second system, which gives it a value of its own.
fn given(flows: &Dataflow, description: &str, changed: i64) -> Cluster {
    let row = values(&[("number", "7"), ("description", "1")]);
    let plan = reconcile(flows, Cluster::default(), vec![seen(&order(), 1, row)], &facts());
    let cluster = sent(plan);
    let of = |flow: &str| {
        let is = |action: &tandem_merge::cluster::Action| matches!(action, tandem_merge::cluster::Action::Create { flow: own, .. } if own == flow);
        let found = cluster.creates.iter().find(|intent| is(&intent.action));
        found.unwrap().id
    };
    let mut state = seen(&invoice(), 940, of_invoice("1"));
    state.created = Some(moment(940));
    let outcomes = vec![
        (of("order-order"), applied("n")),
        (of("order-invoice"), Settlement::FoundOwn { state }),
    ];
    let plan = settle(flows, cluster, Vec::new(), outcomes, &facts());
    let row = [
        ("Reference", "7"),
        ("Description", description),
        ("Ext", "Order:1"),
        ("Given", "g"),
    ];
    reconcile(flows, plan.cluster, vec![shown(&row, changed)], &facts()).cluster
}

#[test]
fn d1_e18_what_a_system_gave_at_a_create_is_no_edit_against_the_deletion_of_its_source() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Ask; 2],
        ..Policies::default()
    });
    let cluster = given(&flows, "1", 960);
    assert_eq!(updates(&cluster)[&order()]["given"], "g", "still on its way");
    let plan = reconcile(&flows, cluster, vec![gone(&order(), 970)], &facts());
    assert_eq!(
        asked(&plan.cluster, &born(), "order-order"),
        Some(ParkedKind::Approval)
    );
    // but what a person typed into it since is one
    let cluster = given(&flows, "typed", 965);
    let plan = reconcile(&flows, cluster, vec![gone(&order(), 970)], &facts());
    assert_eq!(
        asked(&plan.cluster, &born(), "order-order"),
        Some(ParkedKind::DeleteConflict)
    );
}

#[test]
fn d1_e18_what_a_system_gave_where_the_source_was_blank_is_no_edit_against_the_deletion_of_the_source() {
    // GIVEN a value that the second system gives and that people edit on both sides
    let mut flows = star(Policies {
        on_delete: [DeletePolicy::Ask; 2],
        ..Policies::default()
    });
    let mut mappings = flows.flows[1].mappings.iter_mut();
    let mapping = mappings.find(|mapping| mapping.given_by.is_some()).unwrap();
    (mapping.direction, mapping.owned_by) = (Direction::Both, None);
    let against = |cluster: Cluster| {
        assert_eq!(updates(&cluster)[&order()]["given"], "g", "still on its way");
        let plan = reconcile(&flows, cluster, vec![gone(&order(), 970)], &facts());
        asked(&plan.cluster, &born(), "order-order")
    };
    // WHEN it was given as the record was made, THEN it is nobody's
    assert_eq!(against(given(&flows, "1", 960)), Some(ParkedKind::Approval));
    // and where somebody may have put it there since, it may be theirs
    assert_eq!(against(given(&flows, "1", 965)), Some(ParkedKind::DeleteConflict));
}

#[test]
fn d1_e18_what_a_system_filled_in_is_no_edit_where_the_source_went_before_anybody_looked() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Ask; 2],
        ..Policies::default()
    });
    let against = |changed: i64| {
        let row = values(&[("number", "7")]);
        let plan = reconcile(&flows, Cluster::default(), vec![seen(&order(), 1, row)], &facts());
        let cluster = sent(plan);
        let made = cluster
            .creates
            .iter()
            .map(|intent| (intent.id, applied("n")))
            .collect();
        let plan = settle(&flows, cluster, Vec::new(), made, &facts());
        let rows = [("Reference", "7"), ("Description", "filled"), ("Ext", "Order:1")];
        let both = vec![gone(&order(), 970), shown(&rows, changed)];
        let plan = reconcile(&flows, plan.cluster, both, &facts());
        // and so it is at the next decision
        let plan = reconcile(&flows, plan.cluster, Vec::new(), &facts());
        asked(&plan.cluster, &born(), "order-order")
    };
    assert_eq!(against(960), Some(ParkedKind::Approval));
    // where somebody changed it since, it may be theirs
    assert_eq!(against(965), Some(ParkedKind::DeleteConflict));
}

#[test]
fn d1_r5_values_of_a_first_link_that_the_deleted_one_never_had_are_asked_about() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    let both: Vec<Observation> = [
        (
            order(),
            values(&[("number", "7"), ("description", "told here alone")]),
        ),
        (born(), values(&[("Reference", "7"), ("Ext", "Order:1")])),
    ]
    .into_iter()
    .map(|(key, row): (RecordKey, Values)| seen(&key, 1, row))
    .collect();
    let plan = reconcile(&flows, Cluster::default(), both, &facts());
    assert!(updates(&plan.cluster)[&born()].contains_key("Description"));
    let plan = reconcile(&flows, plan.cluster, vec![gone(&born(), 970)], &facts());
    assert_eq!(
        asked(&plan.cluster, &order(), "order-order"),
        Some(ParkedKind::DeleteConflict)
    );
}

#[test]
fn d1_what_was_typed_over_what_a_create_gave_stands_against_the_deletion_of_its_source() {
    // GIVEN a sales order that got its order's description while that was asked about against the invoice's
    let mut flows = star(Policies {
        conflict: ConflictPolicy::Ask,
        ..Policies::default()
    });
    flows.flows[0].ends[1].on_delete = DeletePolicy::Unlink;
    let rows = vec![
        seen(&order(), 1, of_order("1")),
        seen(&invoice(), 1, of_invoice("2")),
    ];
    let cluster = sent(reconcile(&flows, Cluster::default(), rows, &facts()));
    let id = cluster.creates[0].id;
    let cluster = settle(&flows, cluster, Vec::new(), vec![(id, applied("s"))], &facts()).cluster;
    // WHEN somebody typed over it within the moment that it was made in, before the invoice and the order are deleted
    let typed = Observation {
        created: Some(moment(940)),
        ..seen(&sales_order(), 940, of_sales_order("3"))
    };
    let plan = reconcile(&flows, cluster, vec![gone(&invoice(), 951), typed], &facts());
    let plan = reconcile(&flows, plan.cluster, vec![gone(&order(), 970)], &facts());
    // THEN the deletion is not carried on by itself
    let held = asked(&plan.cluster, &sales_order(), "order-order");
    assert_eq!(held, Some(ParkedKind::DeleteConflict));
}
