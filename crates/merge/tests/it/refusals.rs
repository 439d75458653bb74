//! What was refused is not planned again while what it rests on stands (E17).

use crate::plan_laws::{
    at_rest, creates, facts, gone, invoice, of_invoice, of_order, order, sales_order, seen, sent, updates,
    values,
};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::{Cluster, ParkedKind, Verdict};
use tandem_merge::dataflow::{Dataflow, DeletePolicy};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{Settlement, reconcile, settle};
use tandem_merge::record::{Observation, Values};
use tandem_merge::value::Value;

pub(crate) fn no(properties: &[&str]) -> Settlement {
    Settlement::Refused {
        kind: ParkedKind::Refused,
        properties: properties.iter().map(|name| (*name).to_owned()).collect(),
        reason: "no".to_owned(),
        advice: "mend it".to_owned(),
        at: crate::members::moment(950),
    }
}

pub(crate) fn with(mut values: Values, property: &str, value: &str) -> Values {
    values.insert(property.to_owned(), Value::from(value));
    values
}

/// The invoice refuses a new description.
fn refused(flows: &Dataflow, properties: &[&str]) -> Plan {
    let edit = seen(&order(), 10, of_order("1"));
    let cluster = sent(reconcile(flows, at_rest(flows), vec![edit], &facts()));
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    settle(flows, cluster, Vec::new(), vec![(id, no(properties))], &facts())
}

fn again(flows: &Dataflow, plan: &Plan, seen: Observation) -> bool {
    let plan = reconcile(flows, plan.cluster.clone(), vec![seen], &facts());
    let written = updates(&plan.cluster);
    written
        .get(&invoice())
        .is_some_and(|values| values.contains_key("Description"))
}

#[test]
fn e17_a_refused_property_waits_until_its_write_would_leave_another_state() {
    let flows = star(Policies::default());
    for named in [&["Description"][..], &["Due"][..], &[][..]] {
        let plan = refused(&flows, named);
        assert!(!updates(&plan.cluster).contains_key(&invoice()), "{named:?}");
        // Another look at the same state, under whatever version, changes nothing.
        assert!(
            !again(&flows, &plan, seen(&invoice(), 20, of_invoice("0"))),
            "{named:?}"
        );
        assert!(
            !again(&flows, &plan, seen(&order(), 20, of_order("1"))),
            "{named:?}"
        );
        // An edit of the record on either side does.
        let theirs = with(of_invoice("0"), "Due", "soon");
        assert!(again(&flows, &plan, seen(&invoice(), 20, theirs)), "{named:?}");
        let ours = with(of_order("1"), "due", "soon");
        assert!(again(&flows, &plan, seen(&order(), 20, ours)), "{named:?}");
    }
}

#[test]
fn e17_what_is_tried_again_stays_told_until_it_is_settled() {
    let flows = star(Policies::default());
    let plan = refused(&flows, &["Due"]);
    let ours = with(of_order("1"), "due", "soon");
    let plan = reconcile(&flows, plan.cluster, vec![seen(&order(), 20, ours)], &facts());
    assert_eq!(
        plan.cluster.records[&invoice()].parked["Description"].reason,
        "no"
    );
    let cluster = sent(plan);
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let applied = crate::plan_laws::applied("i");
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied)], &facts());
    assert!(plan.cluster.records[&invoice()].parked.is_empty());
}

#[test]
fn e17_what_is_tried_again_by_parts_does_not_come_to_the_very_write_that_was_refused() {
    let flows = star(Policies::default());
    // GIVEN a description that is refused, then a due date with it, then both beside a number that is free
    let mut plan = refused(&flows, &["Description"]);
    let mut row = of_order("1");
    let mut tried = Vec::new();
    for (at, property, value) in [(20, "due", "soon"), (30, "number", "8")] {
        row = with(row, property, value);
        plan = reconcile(
            &flows,
            plan.cluster,
            vec![seen(&order(), at, row.clone())],
            &facts(),
        );
        tried.push(updates(&plan.cluster)[&invoice()].clone());
        let cluster = sent(plan);
        let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
        plan = settle(&flows, cluster, Vec::new(), vec![(id, no(&["Due"]))], &facts());
    }
    assert_eq!(tried[1].len(), 3);
    // THEN what was named waits, and the others go without it
    let next = &updates(&plan.cluster)[&invoice()];
    assert_eq!(next.keys().collect::<Vec<_>>(), ["Description", "Number"]);
}

/// The deletion of the sales order is carried on to the order, which refuses.
fn kept(flows: &Dataflow, verdict: Option<Verdict>) -> Plan {
    let mut cluster = at_rest(flows);
    for link in &mut cluster.links {
        link.verdict = verdict;
    }
    let cluster = sent(reconcile(
        flows,
        cluster,
        vec![gone(&sales_order(), 20)],
        &facts(),
    ));
    let id = cluster.records[&order()].intent.as_ref().unwrap().id;
    settle(flows, cluster, Vec::new(), vec![(id, no(&[]))], &facts())
}

fn is_written(cluster: &Cluster) -> bool {
    cluster.records[&order()].intent.is_some()
}

#[test]
fn e17_a_refused_removal_is_held_until_the_record_changes_or_a_person_decides() {
    let off = Some(("Active".to_owned(), Value::from("no")));
    for (policy, verdict) in [
        (DeletePolicy::Propagate, None),
        (DeletePolicy::Deactivate, None),
        (DeletePolicy::Ask, Some(Verdict::Propagate)),
        (DeletePolicy::Ask, Some(Verdict::Deactivate)),
    ] {
        let mut flows = star(Policies {
            on_delete: [policy; 2],
            ..Policies::default()
        });
        for flow in &mut flows.flows {
            flow.ends[0].deactivate = off.clone();
        }
        let plan = kept(&flows, verdict);
        assert!(!is_written(&plan.cluster), "{policy:?}");
        let held = &plan.cluster.records[&order()].held["order-order"];
        assert_eq!(
            (held.kind, held.reason.as_str()),
            (ParkedKind::Refused, "no"),
            "{policy:?}"
        );
        assert_eq!(held.by.as_deref(), Some("erp"));
        // What a retry does is what is said of it.
        let said = ["tries it again", "asks you again"][usize::from(verdict.is_some())];
        assert!(held.advice.contains(said), "{policy:?}: {}", held.advice);
        let mut freed = plan.cluster.clone();
        freed.records.get_mut(&order()).unwrap().held.clear();
        let retried = reconcile(&flows, freed, Vec::new(), &facts()).cluster;
        assert_eq!(is_written(&retried), verdict.is_none(), "{policy:?}");
        let looked = vec![seen(&order(), 30, of_order("0"))];
        let plan = reconcile(&flows, plan.cluster, looked, &facts());
        assert!(!is_written(&plan.cluster), "{policy:?}");
        // A person's word is carried out, even the same one again.
        let mut cluster = plan.cluster.clone();
        for link in &mut cluster.links {
            link.verdict = Some(Verdict::Propagate);
        }
        let plan = reconcile(&flows, cluster, Vec::new(), &facts());
        assert!(is_written(&plan.cluster), "{policy:?}");
    }
}

#[test]
fn e17_a_create_refused_for_a_property_that_it_does_not_carry_holds_its_content() {
    let flows = star(Policies::default());
    let born = vec![seen(&order(), 1, values(&[("number", "7")]))];
    let cluster = sent(reconcile(&flows, Cluster::default(), born, &facts()));
    let before = creates(&cluster).len();
    let id = creates(&cluster)[0].id;
    let plan = settle(
        &flows,
        cluster,
        Vec::new(),
        vec![(id, no(&["Description"]))],
        &facts(),
    );
    assert_eq!(creates(&plan.cluster).len(), before - 1);
    let edit = values(&[("number", "7"), ("description", "now it has one")]);
    let plan = reconcile(&flows, plan.cluster, vec![seen(&order(), 20, edit)], &facts());
    assert_eq!(creates(&plan.cluster).len(), before);
}
