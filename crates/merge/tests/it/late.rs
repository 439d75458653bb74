//! What late requests, late reads and records out of sight must not do.

use crate::members::moment;
use crate::plan_laws::{
    applied, at_rest, facts, gone, invoice, of_invoice, of_order, of_sales_order, order, sales_order, seen,
    sent, updates, values,
};
use crate::star::flows::{Policies, star};
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Cluster, Intent, ParkedKind};
use tandem_merge::dataflow::{ConflictPolicy, CreatePolicy, Dataflow, DeletePolicy};
use tandem_merge::plan::{EventKind, Plan};
use tandem_merge::reconcile::{Settlement, needs, reconcile, settle};
use tandem_merge::record::{Observation, RecordKey};
use tandem_merge::value::Value;

fn propagating() -> Dataflow {
    star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    })
}

/// Order-Order with these of its ends (0, 1) closed.
fn closed(end: usize) -> Dataflow {
    let mut flows = propagating();
    let mut all = flows.flows.iter_mut();
    all.find(|flow| flow.name == "order-order").unwrap().ends[end].write = false;
    flows
}

fn overwritten(plan: &Plan) -> Vec<String> {
    let old = |what: &EventKind| match what {
        EventKind::Overwrote { old, .. } => Some(old.to_string()),
        _ => None,
    };
    plan.history.iter().filter_map(|event| old(&event.what)).collect()
}

#[test]
fn e9_a_side_that_is_not_written_loses_no_record_when_its_counterpart_is_deleted() {
    let flows = closed(0);
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&sales_order(), 20)], &facts());
    assert!(plan.cluster.records[&order()].intent.is_none());
    assert!(plan.cluster.links.iter().all(|link| link.flow != "order-order"));
}

#[test]
fn d1_a_deleter_that_never_gets_the_other_sides_edits_is_behind_them() {
    let flows = closed(1);
    let edited = seen(&order(), 10, of_order("typed here alone"));
    let plan = reconcile(&flows, at_rest(&flows), vec![edited], &facts());
    let plan = reconcile(&flows, plan.cluster, vec![gone(&sales_order(), 20)], &facts());
    let record = &plan.cluster.records[&order()];
    assert_eq!(record.held["order-order"].kind, ParkedKind::DeleteConflict);
    assert!(record.intent.is_none());
}

#[test]
fn d1_nothing_is_deleted_while_an_edit_of_it_may_be_out_of_sight() {
    let mut flows = propagating();
    let cluster = at_rest(&flows);
    let hidden = (order().record_type, "description".to_owned());
    flows.out_of_sight.insert(hidden);
    let plan = reconcile(&flows, cluster, vec![gone(&sales_order(), 20)], &facts());
    let record = &plan.cluster.records[&order()];
    assert!(record.intent.is_none());
    assert!(record.held["order-order"].reason.contains("cannot be seen"));
    // WHEN it is shown again, and nothing was edited
    flows.out_of_sight.clear();
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &facts());
    assert!(plan.cluster.records[&order()].intent.is_some());
}

/// The star after the description went to the invoice by a write whose answer named no version.
fn written_blindly(flows: &Dataflow) -> Cluster {
    let edited = seen(&order(), 10, of_order("1"));
    let cluster = sent(reconcile(flows, at_rest(flows), vec![edited], &facts()));
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    settle(flows, cluster, Vec::new(), vec![(id, applied("i"))], &facts()).cluster
}

#[test]
fn c07_what_was_read_before_our_write_was_answered_is_dropped_whatever_its_version_and_read_again() {
    let flows = star(Policies::default());
    let cluster = written_blindly(&flows);
    // Somebody else had edited it right before the write.
    let before = Observation {
        read_began: moment(940),
        ..seen(&invoice(), 30, of_invoice("0"))
    };
    let after = reconcile(&flows, cluster.clone(), vec![before.clone()], &facts());
    let mut doubted = cluster.clone();
    let write = doubted
        .records
        .get_mut(&invoice())
        .unwrap()
        .unconfirmed
        .last_mut();
    write.unwrap().doubted = true;
    assert_eq!(
        after.cluster, doubted,
        "it may as well have been edited since: a read by id tells"
    );
    // An echo tells nothing.
    let echo = Observation {
        values: of_invoice("1"),
        ..before.clone()
    };
    let after = reconcile(&flows, cluster.clone(), vec![echo], &facts());
    assert_eq!(after.cluster, cluster);
    let later = Observation {
        read_began: moment(960),
        ..before
    };
    let after = reconcile(&flows, cluster.clone(), vec![later], &facts());
    assert_ne!(after.cluster, cluster);
}

#[test]
fn e5_drift_that_a_write_without_an_answer_may_overwrite_yet_is_in_the_history() {
    let flows = star(Policies::default());
    let with = |mut values: tandem_merge::record::Values, property: &str, text: &str| {
        values.insert(property.to_owned(), Value::from(text));
        values
    };
    let drifted = seen(&sales_order(), 5, with(of_sales_order("0"), "Note", "by hand"));
    let cluster = reconcile(&flows, at_rest(&flows), vec![drifted.clone()], &facts()).cluster;
    let edited = seen(&order(), 6, with(of_order("0"), "note", "d"));
    let cluster = sent(reconcile(&flows, cluster, vec![edited], &facts()));
    let id = cluster.records[&sales_order()].intent.as_ref().unwrap().id;
    let as_before = Settlement::Read {
        state: drifted,
        unknown: true,
    };
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, as_before)], &facts());
    assert_eq!(overwritten(&plan), ["by hand"]);
}

#[test]
fn e5_what_stood_in_a_target_before_the_link_and_a_write_without_an_answer_took_is_in_the_history() {
    // GIVEN a note of the sales order that goes nowhere, older than the link, and a write of another one
    let flows = star(Policies::default());
    let noted = |text: &str| {
        let mut values = of_sales_order("0");
        values.insert("Note".to_owned(), Value::from(text));
        values
    };
    let old = seen(&sales_order(), 1, noted("before the link"));
    let all = vec![
        seen(&order(), 1, of_order("0")),
        seen(&invoice(), 1, of_invoice("0")),
        old,
    ];
    let cluster = reconcile(&flows, Cluster::default(), all, &facts()).cluster;
    let mut edited = of_order("0");
    edited.insert("note".to_owned(), Value::from("d"));
    let cluster = sent(reconcile(
        &flows,
        cluster,
        vec![seen(&order(), 6, edited)],
        &facts(),
    ));
    let id = cluster.records[&sales_order()].intent.as_ref().unwrap().id;
    // WHEN somebody types over it before it is read
    let typed_over = Settlement::Read {
        state: seen(&sales_order(), 20, noted("after it")),
        unknown: true,
    };
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, typed_over)], &facts());
    assert!(
        overwritten(&plan).contains(&"before the link".to_owned()),
        "{:?}",
        plan.history
    );
}

#[test]
fn e5_what_a_deletion_without_an_answer_may_take_yet_is_in_the_history() {
    let flows = propagating();
    let cluster = at_rest(&flows);
    let cluster = sent(reconcile(
        &flows,
        cluster,
        vec![gone(&sales_order(), 20)],
        &facts(),
    ));
    let id = cluster.records[&order()].intent.as_ref().unwrap().id;
    let as_before = Settlement::Read {
        state: seen(&order(), 1, of_order("0")),
        unknown: true,
    };
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, as_before)], &facts());
    assert!(overwritten(&plan).contains(&"0".to_owned()), "{:?}", plan.history);
}

#[test]
fn e5_what_a_write_without_condition_or_answer_may_have_taken_is_in_the_history_whatever_is_read() {
    // GIVEN a deletion, and an update of a note that somebody had typed, whose records were edited since
    let noted = |note: &str, description: &str| {
        let mut values = of_sales_order(description);
        values.insert("Note".to_owned(), Value::from(note));
        values
    };
    let took = |unprotected: bool, key: &RecordKey, causes: [Observation; 2], read: Observation| {
        let mut flows = propagating();
        flows
            .unprotected
            .extend(unprotected.then(|| key.record_type.system.clone()));
        let [first, second] = causes;
        let cluster = reconcile(&flows, at_rest(&flows), vec![first], &facts()).cluster;
        let cluster = sent(reconcile(&flows, cluster, vec![second], &facts()));
        let id = cluster.records[key].intent.as_ref().unwrap().id;
        let read = Settlement::Read {
            state: read,
            unknown: true,
        };
        overwritten(&settle(&flows, cluster, Vec::new(), vec![(id, read)], &facts()))
    };
    let deletion = |unprotected| {
        let causes = [seen(&order(), 2, of_order("0")), gone(&sales_order(), 20)];
        took(unprotected, &order(), causes, seen(&order(), 3, of_order("1")))
    };
    let update = |unprotected| {
        let mut edited = of_order("0");
        edited.insert("note".to_owned(), Value::from("d"));
        let causes = [
            seen(&sales_order(), 2, noted("by hand", "0")),
            seen(&order(), 3, edited),
        ];
        let read = seen(&sales_order(), 4, noted("by hand", "1"));
        took(unprotected, &sales_order(), causes, read)
    };
    // THEN what they may have met is kept, though the record is shown as it was, or later; a condition keeps it there
    assert!(deletion(true).contains(&"1".to_owned()), "{:?}", deletion(true));
    assert!(update(true).contains(&"by hand".to_owned()), "{:?}", update(true));
    assert_eq!(deletion(false), Vec::<String>::new());
    assert_eq!(update(false), Vec::<String>::new());
}

#[test]
fn s1_what_a_create_made_keeps_the_link_that_it_was_given_meanwhile() {
    // GIVEN the create of another order's invoice, and the invoice that it made linked with the first order
    let flows = star(Policies::default());
    let other = RecordKey::new("erp", "Order", "2");
    let cluster = at_rest(&flows);
    let bases: BTreeMap<_, _> = cluster.records[&invoice()].bases.clone();
    let new = seen(&other, 5, values(&[("number", "8"), ("description", "x")]));
    let cluster = sent(reconcile(&flows, cluster, vec![new], &facts()));
    let mut creates = cluster.creates.iter();
    let of_invoice_flow = |intent: &&tandem_merge::cluster::Intent| matches!(&intent.action, tandem_merge::cluster::Action::Create { target, .. } if target.name == "Invoice");
    let id = creates.find(of_invoice_flow).unwrap().id;
    let found = Settlement::FoundOwn {
        state: seen(&invoice(), 20, of_invoice("0")),
    };
    // WHEN it is found
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, found)], &facts());
    // THEN the link stands, and the other order waits for a person
    let record = &plan.cluster.records[&invoice()];
    assert_eq!(record.bases, bases);
    assert_eq!(plan.cluster.links.len(), 2);
    let held = &plan.cluster.records[&other].held["order-invoice"];
    assert_eq!(held.kind, ParkedKind::Undecidable, "{held:?}");
}

#[test]
fn m6_a_property_back_in_sight_takes_no_part_until_it_was_read_behind_a_write_under_way() {
    // GIVEN an invoice with a write under way, last seen while its description was out of sight
    let flows = star(Policies::default());
    let edited = seen(&order(), 10, of_order("1"));
    let mut cluster = sent(reconcile(&flows, at_rest(&flows), vec![edited], &facts()));
    let record = cluster.records.get_mut(&invoice()).unwrap();
    assert!(record.intent.is_some());
    record.shadow.values.remove("Description");
    // WHEN the order is edited again
    let again = seen(&order(), 11, of_order("2"));
    let plan = reconcile(&flows, cluster, vec![again], &facts());
    // THEN the blank is nobody's edit
    let conflicts = |what: &EventKind| matches!(what, EventKind::Conflict { .. });
    assert!(
        !plan.history.iter().any(|event| conflicts(&event.what)),
        "{:?}",
        plan.history
    );
    let heads = plan.cluster.heads.values().map(|head| head.value.to_string());
    let heads: Vec<String> = heads.collect();
    assert!(heads.contains(&"2".to_owned()), "{heads:?}");
}

#[test]
fn e3_what_a_create_without_an_answer_may_have_made_gets_no_counterpart_of_its_own() {
    // GIVEN the create of an order's counterpart, its answer open, in a flow that creates on both sides
    let mut flows = star(Policies::default());
    let mut all = flows.flows.iter_mut();
    all.find(|flow| flow.name == "order-order").unwrap().ends[0].create = CreatePolicy::On;
    let new = seen(&order(), 1, values(&[("description", "x")]));
    let cluster = sent(reconcile(&flows, Cluster::default(), vec![new], &facts()));
    // WHEN what it made is seen, which carries its identity and no other key
    let made = seen(
        &sales_order(),
        20,
        values(&[("Description", "x"), ("Ext", "Order:1")]),
    );
    let plan = reconcile(&flows, cluster.clone(), vec![made.clone()], &facts());
    // THEN it waits for the answer
    let own = |plan: &Plan| {
        let is = |intent: &&Intent| matches!(&intent.action, Action::Create { source, .. } if *source == sales_order());
        plan.cluster.creates.iter().filter(is).count()
    };
    assert_eq!(own(&plan), 0, "{:#?}", plan.cluster.creates);
    // and a record that it cannot have made does not
    let another = RecordKey::new("sf", "Order", "another");
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&another, 21, values(&[("Description", "y")]))],
        &facts(),
    );
    let is = |intent: &Intent| matches!(&intent.action, Action::Create { source, .. } if *source == another);
    assert!(plan.cluster.creates.iter().any(is), "{:#?}", plan.cluster.creates);
}

#[test]
fn s3_a_head_that_starts_anew_stands_above_what_is_under_way() {
    // GIVEN an invoice with a write under way, whose component has no head any more
    let flows = star(Policies::default());
    let edited = seen(&order(), 10, of_order("1"));
    let mut cluster = sent(reconcile(&flows, at_rest(&flows), vec![edited], &facts()));
    let intent = cluster.records[&invoice()].intent.clone().unwrap();
    let epoch = intent.values["Description"].epoch;
    assert!(epoch > 1);
    cluster.heads.clear();
    for (key, property) in [
        (order(), "description"),
        (invoice(), "Description"),
        (sales_order(), "Description"),
    ] {
        cluster.records.get_mut(&key).unwrap().bases.remove(property);
    }
    // WHEN it is decided
    let again = seen(&order(), 11, of_order("2"));
    let plan = reconcile(&flows, cluster, vec![again], &facts());
    // THEN what comes of that write cannot be taken for the new head's
    let heads = plan.cluster.heads.iter();
    let mut heads = heads.filter(|(at, _)| at.property.eq_ignore_ascii_case("description"));
    let (_, head) = heads.next().unwrap();
    assert!(head.epoch > epoch, "{head:?}, and {epoch} is under way");
}

#[test]
fn e8_a_head_that_starts_anew_stands_above_what_a_create_under_way_carries() {
    // GIVEN an order whose sales order is being created, with no head any more of what that carries
    let flows = star(Policies::default());
    let new = seen(&order(), 1, values(&[("number", "7"), ("description", "1")]));
    let mut cluster = sent(reconcile(&flows, Cluster::default(), vec![new], &facts()));
    let of_sales_order_flow =
        |intent: &Intent| matches!(&intent.action, Action::Create { flow, .. } if flow == "order-order");
    cluster.creates.retain(of_sales_order_flow);
    let create = cluster.creates[0].clone();
    assert!(create.values["Description"].epoch > 0);
    cluster.heads.clear();
    cluster.records.get_mut(&order()).unwrap().bases.clear();
    // WHEN it is linked with an invoice that holds another value, and then the create is answered
    let linked = seen(&invoice(), 2, of_invoice("2"));
    let typed = seen(&order(), 3, of_order("3"));
    let plan = reconcile(&flows, cluster, vec![linked, typed], &facts());
    let answer = vec![(create.id, applied("s"))];
    let plan = settle(&flows, plan.cluster, Vec::new(), answer, &facts());
    // THEN the new record is behind, and gets the head
    assert_eq!(updates(&plan.cluster)[&sales_order()]["Description"], "3");
}

#[test]
fn m7_what_is_typed_over_what_a_create_gave_is_no_conflict_whatever_was_under_way_when_the_head_came_to_be() {
    // GIVEN an order whose description is asked about against its invoice's, while a create gave it to the sales order
    let flows = star(Policies {
        conflict: ConflictPolicy::Ask,
        on_delete: [DeletePolicy::Unlink; 2],
        ..Policies::default()
    });
    let rows = vec![
        seen(&order(), 1, of_order("1")),
        seen(&invoice(), 1, of_invoice("2")),
    ];
    let cluster = sent(reconcile(&flows, Cluster::default(), rows, &facts()));
    assert_eq!(cluster.questions.len(), 1);
    let id = cluster.creates[0].id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("s"))], &facts());
    let shown = seen(&sales_order(), 2, of_sales_order("1"));
    let plan = reconcile(&flows, plan.cluster, vec![shown], &facts());
    // AND a note on its way there when the invoice is deleted
    let mut noted = of_order("1");
    noted.insert("note".to_owned(), Value::from("t"));
    let plan = reconcile(&flows, plan.cluster, vec![seen(&order(), 3, noted)], &facts());
    let cluster = sent(plan);
    let id = cluster.records[&sales_order()].intent.as_ref().unwrap().id;
    let plan = reconcile(&flows, cluster, vec![gone(&invoice(), 4)], &facts());
    // WHEN it is answered, and somebody has typed over what the create gave
    let mut typed = of_sales_order("3");
    typed.insert("Note".to_owned(), Value::from("t"));
    let typed = vec![seen(&sales_order(), 951, typed)];
    let plan = settle(&flows, plan.cluster, typed, vec![(id, applied("s"))], &facts());
    // THEN it goes to the order, and nobody is asked
    let conflicts = plan
        .history
        .iter()
        .filter(|event| matches!(event.what, EventKind::Conflict { .. }));
    assert_eq!(conflicts.count(), 0, "{:#?}", plan.history);
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "3");
}

#[test]
fn e3_what_a_create_in_place_of_a_deleted_record_must_know_is_asked_for_with_the_deletion() {
    // GIVEN a pair at rest: nothing about creates is asked
    let flows = star(Policies::default());
    let cluster = at_rest(&flows);
    let reserved = |inbox: &[Observation]| needs(&flows, &cluster, inbox).reservations.len();
    assert_eq!(reserved(&[]), 0);
    // WHEN one is deleted, THEN who else creates the same is asked at once: the link may end in this very decision
    let asked = needs(&flows, &cluster, &[gone(&sales_order(), 20)]);
    let mut reservations = asked.reservations.iter();
    assert!(reservations.any(|(target, _)| target == &sales_order().record_type));
    assert!(!asked.keys.is_empty());
}
