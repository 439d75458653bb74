//! What was refused, where a value goes in a write of its own: a refusal is weighed against what one write would carry,
//! not against all that the record is owed (E17).

use crate::lines::{
    DRAFT, LOCKED, dataflow, erp_line, erp_order, item, lines, listed, one, orders, parents, sales_order,
    with_parts, written,
};
use crate::plan_laws::{applied, seen, sent, values};
use crate::refusals::no;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::{Facts, Standing};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{reconcile, settle};
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// More writes of one record than any of these decisions needs.
const MANY: usize = 6;

/// What a record is given, write by write, until nothing more is planned; of these properties it refuses every write.
fn given(
    (flows, facts): (&Dataflow, &Facts),
    record: &RecordKey,
    mut plan: Plan,
    refuses: &[&str],
) -> Vec<Vec<(String, String)>> {
    let mut all = Vec::new();
    while all.len() < MANY {
        let writes = written(&plan, record);
        if writes.is_empty() {
            break;
        }
        let carried = |name: &&str| writes.iter().any(|(property, _)| property == name);
        let named: Vec<&str> = refuses.iter().copied().filter(|name| carried(name)).collect();
        let said = if named.is_empty() {
            applied(&record.id)
        } else {
            no(&named)
        };
        all.push(writes);
        let cluster = sent(plan);
        let id = cluster.records[record].intent.as_ref().unwrap().id;
        plan = settle(flows, cluster, Vec::new(), vec![(id, said)], facts);
    }
    all
}

#[test]
fn e17_a_refused_value_is_not_tried_again_because_one_that_goes_alone_waits_behind_it() {
    let (flows, rest) = (dataflow(), with_parts(&[Standing::AtRest]));
    let confirmed = vec![erp_order(9, "confirmed", "b")];
    let plan = reconcile(&flows, orders(["draft", "Draft"]), confirmed, &rest);
    let writes = given((&flows, &rest), &sales_order(), plan, &["Description"]);
    // Once the status is written the record is another, so it is tried once more.
    let again = one("Description", "b");
    assert_eq!(writes, [again.clone(), one("Status", "Activated"), again]);
}

#[test]
fn e17_a_refused_value_that_goes_alone_is_not_tried_again_because_others_wait_behind_it() {
    let flows = dataflow();
    let freed = vec![erp_order(9, "draft", "b")];
    let plan = reconcile(&flows, orders(["confirmed", "Activated"]), freed, &listed());
    let writes = given((&flows, &listed()), &sales_order(), plan, &["Status"]);
    let again = one("Status", "Draft");
    assert_eq!(writes, [again.clone(), one("Description", "b"), again]);
}

#[test]
fn e17_what_is_given_on_create_only_frees_no_refusal() {
    let mut flows = dataflow();
    flows.flows[0].mappings[0].create_only = [false, true];
    let renumbered = |at, description| {
        let mut seen = erp_order(at, "draft", description);
        seen.values.insert("number".to_owned(), "8".into());
        seen
    };
    let plan = reconcile(
        &flows,
        orders(["draft", "Draft"]),
        vec![erp_order(9, "draft", "b")],
        &listed(),
    );
    let cluster = sent(plan);
    let id = cluster.records[&sales_order()].intent.as_ref().unwrap().id;
    let said = no(&[]);
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, said)], &listed());
    let inbox = vec![renumbered(11, "b")];
    let plan = reconcile(&flows, plan.cluster, inbox, &listed());
    assert!(given((&flows, &listed()), &sales_order(), plan, &["Description"]).is_empty());
}

#[test]
fn e17_a_refused_identity_is_not_tried_again_because_the_content_of_a_locked_record_waits() {
    let (flows, locked) = (dataflow(), parents(LOCKED));
    // GIVEN a line under a locked order, whose identity is gone there and whose quantity changed
    let mut bare = seen(&item(), 8, values(&[("OrderId", "s"), ("Quantity", "5")]));
    bare.values.insert("Ext".to_owned(), Value::Blank);
    let inbox = vec![bare, erp_line(9, "1", "6")];
    let plan = reconcile(&flows, lines(), inbox, &locked);
    // THEN the identity is written, refused, and left alone
    let writes = given((&flows, &locked), &item(), plan, &["Ext"]);
    assert_eq!(writes, [one("Ext", "Line:l")]);
}

#[test]
fn e17_a_refusal_stays_told_while_its_value_has_to_wait_for_a_locked_record() {
    let flows = dataflow();
    let plan = reconcile(&flows, lines(), vec![erp_line(9, "1", "6")], &parents(DRAFT));
    let cluster = sent(plan);
    let id = cluster.records[&item()].intent.as_ref().unwrap().id;
    let plan = settle(
        &flows,
        cluster,
        Vec::new(),
        vec![(id, no(&["Quantity"]))],
        &parents(DRAFT),
    );
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &parents(LOCKED));
    assert_eq!(plan.cluster.records[&item()].parked["Quantity"].reason, "no");
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &parents(DRAFT));
    assert!(written(&plan, &item()).is_empty());
}
