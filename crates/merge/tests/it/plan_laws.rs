//! The laws of plans, R1 to R9, and what follows from the dataflow's shape, on small hand-made dataflows.

use crate::members::moment;
use crate::star::flows::{Policies, dataflow, end, flow, mapping, star};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Base, Cluster, Intent, ParkedKind, Verdict};
use tandem_merge::dataflow::{
    CompanionRule, CompanionValue, ConflictPolicy, Dataflow, DeletePolicy, Direction, Identity, Kind,
    Mapping, Reference, Side,
};
use tandem_merge::facts::{Facts, Referent, Referral, Removals};
use tandem_merge::plan::{EventKind, Plan};
use tandem_merge::reconcile::{Settlement, reconcile, settle};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

pub(crate) fn facts() -> Facts {
    Facts {
        listed: true,
        now: moment(1_000),
        ..Facts::default()
    }
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Values {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect()
}

pub(crate) fn seen(key: &RecordKey, order: i64, values: Values) -> Observation {
    Observation {
        key: key.clone(),
        presence: Presence::Alive,
        values,
        version: Some(Version {
            token: order.to_string(),
            order: Some(order),
            modified: moment(order),
            firm: true,
            coarse: jiff::SignedDuration::ZERO,
        }),
        created: Some(moment(0)),
        author: None,
        read_began: moment(order),
        partial: false,
        protected: false,
        merged_into: None,
        unreadable: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn gone(key: &RecordKey, order: i64) -> Observation {
    Observation {
        presence: Presence::Deleted,
        ..seen(key, order, Values::new())
    }
}

pub(crate) fn order() -> RecordKey {
    RecordKey::new("erp", "Order", "1")
}

pub(crate) fn invoice() -> RecordKey {
    RecordKey::new("sf", "Invoice", "i")
}

pub(crate) fn sales_order() -> RecordKey {
    RecordKey::new("sf", "Order", "s")
}

pub(crate) fn of_order(description: &str) -> Values {
    values(&[
        ("number", "7"),
        ("description", description),
        ("invoiceId", "i"),
        ("orderId", "s"),
        ("given", "g"),
    ])
}

pub(crate) fn of_invoice(description: &str) -> Values {
    values(&[("Number", "7"), ("Description", description), ("Ext", "Order:1")])
}

pub(crate) fn of_sales_order(description: &str) -> Values {
    values(&[
        ("Reference", "7"),
        ("Description", description),
        ("Ext", "Order:1"),
        ("Given", "g"),
    ])
}

pub(crate) fn first_load(description: [&str; 3]) -> Vec<Observation> {
    vec![
        seen(&order(), 1, of_order(description[0])),
        seen(&invoice(), 1, of_invoice(description[1])),
        seen(&sales_order(), 1, of_sales_order(description[2])),
    ]
}

/// The star, linked and equal.
pub(crate) fn at_rest(flows: &Dataflow) -> Cluster {
    let plan = reconcile(flows, Cluster::default(), first_load(["0"; 3]), &facts());
    assert_eq!(plan.cluster.links.len(), 2);
    plan.cluster
}

pub(crate) fn updates(cluster: &Cluster) -> BTreeMap<RecordKey, BTreeMap<String, String>> {
    let records = cluster.records.iter();
    records
        .filter_map(|(key, record)| {
            let planned = &record.intent.as_ref()?.values;
            Some((
                key.clone(),
                planned
                    .iter()
                    .map(|(name, planned)| (name.clone(), planned.value.to_string()))
                    .collect(),
            ))
        })
        .collect()
}

pub(crate) fn creates(cluster: &Cluster) -> Vec<&Intent> {
    cluster.creates.iter().collect()
}

pub(crate) fn sent(mut plan: Plan) -> Cluster {
    let intents = plan
        .cluster
        .records
        .values_mut()
        .filter_map(|record| record.intent.as_mut());
    for (number, intent) in intents.chain(&mut plan.cluster.creates).enumerate() {
        intent.id = u64::try_from(number).unwrap() + 1;
        intent.sent = Some(moment(900));
    }
    plan.cluster
}

pub(crate) fn applied(id: &str) -> Settlement {
    Settlement::Applied {
        id: id.to_owned(),
        state: None,
        at: moment(950),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r1_r4_r9_any_edits_lead_to_one_write_per_record_and_to_the_same_plan(
        edits in prop::collection::vec((0_usize..3, prop::sample::select(vec!["", "a", "b", "c "]), 10_i64..50), 0..4),
        policy in prop::sample::select(vec![ConflictPolicy::Latest, ConflictPolicy::Wins(Side::First), ConflictPolicy::Ask]),
    ) {
        let flows = star(Policies { conflict: policy, ..Policies::default() });
        let cluster = at_rest(&flows);
        let inbox: Vec<Observation> = edits.iter().map(|(who, text, at)| match who {
            0 => seen(&order(), *at, of_order(text)),
            1 => seen(&invoice(), *at, of_invoice(text)),
            _ => seen(&sales_order(), *at, of_sales_order(text)),
        }).collect();
        let plan = reconcile(&flows, cluster.clone(), inbox.clone(), &facts());
        prop_assert_eq!(&plan, &reconcile(&flows, cluster, inbox, &facts()));
        let asked = !plan.cluster.questions.is_empty();
        for (key, values) in updates(&plan.cluster) {
            prop_assert!(!asked, "R3: {} gets {:?}", key, values);
            let head = plan.cluster.heads.values().map(|head| head.value.to_string()).collect::<Vec<_>>();
            prop_assert!(values.values().all(|value| head.contains(value)), "R1");
        }
        let again = reconcile(&flows, plan.cluster.clone(), Vec::new(), &facts());
        prop_assert_eq!(&again.cluster, &plan.cluster, "R1: nothing new, nothing moves");
        prop_assert!(again.history.is_empty(), "{:?}", again.history);
    }
}

#[test]
fn r1_a_cluster_at_rest_stays_as_it_is_byte_for_byte() {
    let flows = star(Policies::default());
    let cluster = at_rest(&flows);
    let plan = reconcile(&flows, cluster.clone(), Vec::new(), &facts());
    assert_eq!(
        serde_json::to_string(&format!("{:?}", plan.cluster)).unwrap(),
        serde_json::to_string(&format!("{cluster:?}")).unwrap()
    );
    assert_eq!((plan.history.len(), updates(&plan.cluster).len()), (0, 0));
}

#[test]
fn r2_equal_edits_move_bases_and_write_nothing() {
    let flows = star(Policies::default());
    let cluster = at_rest(&flows);
    let inbox = vec![
        seen(&order(), 10, of_order("x")),
        seen(&invoice(), 11, of_invoice("x")),
        seen(&sales_order(), 12, of_sales_order("x ")),
    ];
    let plan = reconcile(&flows, cluster, inbox, &facts());
    assert!(updates(&plan.cluster).is_empty());
    let base = &plan.cluster.records[&order()].bases["description"];
    assert_eq!(
        base,
        &Base {
            value: Value::from("x"),
            epoch: 2
        }
    );
}

#[test]
fn r3_ask_withdraws_the_property_and_lets_the_others_go_on() {
    let flows = star(Policies {
        conflict: ConflictPolicy::Ask,
        ..Policies::default()
    });
    let mut edit = of_order("x");
    edit.insert("due".to_owned(), Value::from("soon"));
    let plan = reconcile(&flows, at_rest(&flows), vec![seen(&order(), 10, edit)], &facts());
    assert_eq!(updates(&plan.cluster)[&invoice()].len(), 2);
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&sales_order(), 11, of_sales_order("y"))],
        &facts(),
    );
    assert_eq!(plan.cluster.questions.len(), 1);
    let rest = updates(&plan.cluster);
    assert_eq!(rest.keys().collect::<Vec<_>>(), vec![&invoice()]);
    assert_eq!(
        rest[&invoice()],
        BTreeMap::from([("Due".to_owned(), "soon".to_owned())])
    );
}

#[test]
fn r3_an_answer_counts_only_for_the_contenders_that_were_shown() {
    let flows = star(Policies {
        conflict: ConflictPolicy::Ask,
        ..Policies::default()
    });
    let inbox = vec![
        seen(&order(), 10, of_order("x")),
        seen(&invoice(), 11, of_invoice("y")),
    ];
    let mut asked = reconcile(&flows, at_rest(&flows), inbox, &facts()).cluster;
    asked.questions[0].answer = Some(Value::from("x"));
    let third = vec![seen(&sales_order(), 12, of_sales_order("z"))];
    let plan = reconcile(&flows, asked.clone(), third, &facts());
    assert_eq!(
        plan.cluster.questions[0].answer, None,
        "a third contender came up: asked anew"
    );
    let plan = reconcile(&flows, asked, Vec::new(), &facts());
    assert!(plan.cluster.questions.is_empty());
    assert_eq!(updates(&plan.cluster).len(), 2, "both others get it");
}

#[test]
fn r5_nothing_is_linked_or_created_before_all_is_listed() {
    let flows = star(Policies::default());
    let unlisted = Facts {
        listed: false,
        ..facts()
    };
    let plan = reconcile(&flows, Cluster::default(), first_load(["0"; 3]), &unlisted);
    assert!(plan.cluster.links.is_empty() && plan.cluster.creates.is_empty());
}

#[test]
fn r5_a_first_link_follows_the_policy_and_blank_loses() {
    let flows = star(Policies {
        conflict: ConflictPolicy::Wins(Side::Second),
        ..Policies::default()
    });
    let plan = reconcile(&flows, Cluster::default(), first_load(["x", "", ""]), &facts());
    let written = updates(&plan.cluster);
    assert_eq!(written[&invoice()]["Description"], "x");
    assert_eq!(written[&sales_order()]["Description"], "x");
    assert!(!written.contains_key(&order()));
}

#[test]
fn r6_r7_deletions_are_carried_on_when_clean_and_guarded_when_many() {
    let propagate = Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    };
    let flows = star(propagate);
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&sales_order(), 20)], &facts());
    let intent = plan.cluster.records[&order()].intent.as_ref().unwrap();
    assert_eq!(intent.action, Action::Delete { record: order() });
    let many = Facts {
        deletions: BTreeMap::from([(
            "order-order".to_owned(),
            Removals {
                waiting: 11,
                carried_on: 0,
                links: 100,
            },
        )]),
        ..facts()
    };
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&sales_order(), 20)], &many);
    assert_eq!(
        plan.cluster.records[&order()].held["order-order"].kind,
        ParkedKind::Approval
    );
    assert!(plan.cluster.records[&order()].intent.is_none());
    let approved = Facts {
        approved: ["order-order".to_owned()].into(),
        ..many
    };
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &approved);
    assert!(plan.cluster.records[&order()].intent.is_some());
}

#[test]
fn c09_a_deleter_that_was_behind_deletes_nothing() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    let plan = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&sales_order(), 10, of_sales_order("1"))],
        &facts(),
    );
    let plan = reconcile(&flows, plan.cluster, vec![gone(&order(), 11)], &facts());
    let record = &plan.cluster.records[&sales_order()];
    assert_eq!(record.held["order-order"].kind, ParkedKind::DeleteConflict);
    assert!(record.intent.is_none());
}

#[test]
fn d1_d2_an_edit_seen_after_a_planned_delete_stops_it() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&order(), 11)], &facts());
    assert!(matches!(
        plan.cluster.records[&sales_order()]
            .intent
            .as_ref()
            .unwrap()
            .action,
        Action::Delete { .. }
    ));
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&sales_order(), 12, of_sales_order("1"))],
        &facts(),
    );
    assert!(plan.cluster.records[&sales_order()].intent.is_none());
    assert_eq!(
        plan.cluster.records[&sales_order()].held["order-order"].kind,
        ParkedKind::DeleteConflict
    );
}

#[test]
fn d3_a_create_that_settles_after_its_source_was_deleted_is_reported() {
    let flows = star(Policies::default());
    let plan = reconcile(
        &flows,
        Cluster::default(),
        vec![seen(&order(), 1, values(&[("number", "7")]))],
        &facts(),
    );
    assert_eq!(creates(&plan.cluster).len(), 2);
    let plan = reconcile(&flows, sent(plan), vec![gone(&order(), 20)], &facts());
    assert_eq!(creates(&plan.cluster).len(), 2, "sent ones are not touched");
    let id = plan.cluster.creates[0].id;
    let plan = settle(
        &flows,
        plan.cluster,
        Vec::new(),
        vec![(id, applied("n"))],
        &facts(),
    );
    let born = plan
        .cluster
        .records
        .iter()
        .find(|(key, _)| key.id == "n")
        .unwrap()
        .1;
    assert!(plan.cluster.links.is_empty() && !born.suppressed.is_empty() && !born.held.is_empty());
}

#[test]
fn c12_a_reverse_create_does_not_outlive_its_source() {
    let flows = star(Policies {
        reverse: true,
        ..Policies::default()
    });
    let lone = seen(&invoice(), 1, values(&[("Number", "7"), ("Description", "x")]));
    let plan = reconcile(&flows, Cluster::default(), vec![lone], &facts());
    assert_eq!(creates(&plan.cluster).len(), 1);
    let plan = reconcile(&flows, plan.cluster, vec![gone(&invoice(), 5)], &facts());
    assert!(creates(&plan.cluster).is_empty());
}

#[test]
fn c10_a_sent_create_is_frozen_and_the_later_edit_follows_as_an_update() {
    let flows = star(Policies::default());
    let plan = reconcile(
        &flows,
        Cluster::default(),
        vec![seen(
            &order(),
            1,
            values(&[("number", "7"), ("description", "1")]),
        )],
        &facts(),
    );
    let frozen = sent(plan);
    let edited = vec![seen(
        &order(),
        9,
        values(&[("number", "7"), ("description", "2")]),
    )];
    let plan = reconcile(&flows, frozen.clone(), edited, &facts());
    assert_eq!(plan.cluster.creates, frozen.creates);
    let create = frozen
        .creates
        .iter()
        .find(|intent| matches!(&intent.action, Action::Create { flow, .. } if flow == "order-invoice"));
    let mut state = seen(&invoice(), 2, of_invoice("1"));
    state.created = Some(moment(2));
    let found = vec![(create.unwrap().id, Settlement::FoundOwn { state })];
    let plan = settle(&flows, plan.cluster, Vec::new(), found, &facts());
    assert_eq!(updates(&plan.cluster)[&invoice()]["Description"], "2");
    assert!(
        !plan
            .history
            .iter()
            .any(|event| matches!(event.what, EventKind::Conflict { .. }))
    );
}

#[test]
fn c08_the_base_is_what_the_answer_says_of_the_write_and_never_a_later_read() {
    let flows = star(Policies::default());
    let plan = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 10, of_order("1"))],
        &facts(),
    );
    let cluster = sent(plan);
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("i"))], &facts());
    let mut later = seen(&invoice(), 30, of_invoice("3"));
    later.read_began = moment(960);
    let plan = reconcile(&flows, plan.cluster, vec![later], &facts());
    let head = plan
        .cluster
        .heads
        .values()
        .find(|head| head.value == Value::from("3"));
    assert!(head.is_some(), "the person's 3 is an edit on top of our 1");
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "3");
}

#[test]
fn c06_c07_what_was_read_before_the_answer_is_dropped_after_it() {
    let flows = star(Policies::default());
    let plan = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 10, of_order("1"))],
        &facts(),
    );
    let cluster = sent(plan);
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("i"))], &facts());
    let late = seen(&invoice(), 1, of_invoice("0"));
    let after = reconcile(&flows, plan.cluster.clone(), vec![late], &facts());
    assert_eq!(after.cluster, plan.cluster);
}

#[test]
fn an_unknown_update_is_settled_by_reading() {
    let flows = star(Policies::default());
    let plan = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 10, of_order("1"))],
        &facts(),
    );
    let cluster = sent(plan);
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let read = |description: &str, order: i64| {
        let state = seen(&invoice(), order, of_invoice(description));
        settle(
            &flows,
            cluster.clone(),
            Vec::new(),
            vec![(id, Settlement::Read { state, unknown: true })],
            &facts(),
        )
        .cluster
    };
    let arrived = read("1", 5);
    assert!(arrived.records[&invoice()].intent.is_none());
    assert_eq!(
        arrived.records[&invoice()].bases["Description"],
        Base {
            value: Value::from("1"),
            epoch: 2
        }
    );
    let lost = read("0", 1);
    assert_eq!(
        lost.records[&invoice()].intent.as_ref().unwrap().values["Description"].value,
        Value::from("1"),
        "again"
    );
    let raced = read("9", 5);
    assert!(
        raced.heads.values().all(|head| head.value != Value::from("9")),
        "concurrent: the owner wins, filed"
    );
}

#[test]
fn a_refusal_parks_its_properties_until_the_head_moves() {
    let flows = star(Policies::default());
    let mut edit = of_order("1");
    edit.insert("due".to_owned(), Value::from("soon"));
    let cluster = sent(reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 10, edit)],
        &facts(),
    ));
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let refused = Settlement::Refused {
        kind: ParkedKind::TooLong,
        properties: vec!["Description".to_owned()],
        reason: "too long".to_owned(),
        advice: "shorten it".to_owned(),
        at: moment(950),
    };
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, refused)], &facts());
    let record = &plan.cluster.records[&invoice()];
    assert_eq!(
        record.intent.as_ref().unwrap().values.keys().collect::<Vec<_>>(),
        vec!["Due"]
    );
    assert_eq!(record.parked["Description"].reason, "too long");
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&order(), 20, of_order("2"))],
        &facts(),
    );
    assert!(
        plan.cluster.records[&invoice()]
            .intent
            .as_ref()
            .unwrap()
            .values
            .contains_key("Description")
    );
}

#[test]
fn e03_a_create_that_nobody_can_decide_is_not_tried_again_whatever_its_source_becomes() {
    let flows = star(Policies::default());
    let born = vec![seen(&order(), 1, values(&[("number", "7")]))];
    let cluster = sent(reconcile(&flows, Cluster::default(), born, &facts()));
    let id = creates(&cluster)[0].id;
    let flow = match &creates(&cluster)[0].action {
        Action::Create { flow, .. } => flow.clone(),
        other => panic!("{other:?}"),
    };
    let again = |kind: ParkedKind| {
        let outcome = Settlement::Refused {
            kind,
            properties: Vec::new(),
            reason: "no answer".to_owned(),
            advice: "look for it".to_owned(),
            at: moment(950),
        };
        let parked = settle(&flows, cluster.clone(), Vec::new(), vec![(id, outcome)], &facts()).cluster;
        let edit = values(&[("number", "7"), ("description", "new")]);
        let edited = reconcile(&flows, parked, vec![seen(&order(), 20, edit)], &facts()).cluster;
        let planned = creates(&edited)
            .iter()
            .any(|intent| matches!(&intent.action, Action::Create { flow: of, .. } if *of == flow));
        let held = edited.records[&order()].held.get(&flow);
        (held.map(|parked| parked.kind), planned)
    };
    assert_eq!(
        again(ParkedKind::Undecidable),
        (Some(ParkedKind::Undecidable), false)
    );
    assert_eq!(
        again(ParkedKind::TooLong),
        (None, true),
        "a refusal holds its content"
    );
}

#[test]
fn r8_two_candidates_are_reported_and_nothing_is_created() {
    let flows = star(Policies::default());
    let twin = RecordKey::new("sf", "Invoice", "j");
    let bare = values(&[("Number", "7")]);
    let inbox = vec![
        seen(&order(), 1, values(&[("number", "7")])),
        seen(&invoice(), 1, bare.clone()),
        seen(&twin, 1, bare),
    ];
    let plan = reconcile(&flows, Cluster::default(), inbox, &facts());
    assert!(plan.cluster.links.is_empty());
    for key in [order(), invoice(), twin] {
        assert_eq!(
            plan.cluster.records[&key].held["order-invoice"].kind,
            ParkedKind::Tie
        );
    }
    assert!(
        creates(&plan.cluster)
            .iter()
            .all(|intent| matches!(&intent.action, Action::Create { flow, .. } if flow == "order-order"))
    );
}

#[test]
fn r8_an_invoice_that_matches_an_order_and_a_quote_is_reported() {
    let mut flows = star(Policies::default()).flows;
    let mut quote = flow(
        "quote-invoice",
        [
            end("erp", "Quote", "invoiceId", ""),
            end("sf", "Invoice", "Ext", "Quote:"),
        ],
        ["number", "Number"],
        vec![mapping("number", "Number")],
    );
    quote.group = "order-invoice".to_owned();
    flows.push(quote);
    let flows = dataflow(flows);
    let inbox = vec![
        seen(&order(), 1, values(&[("number", "7")])),
        seen(
            &RecordKey::new("erp", "Quote", "1"),
            1,
            values(&[("number", "7")]),
        ),
        seen(&invoice(), 1, values(&[("Number", "7")])),
    ];
    let plan = reconcile(&flows, Cluster::default(), inbox, &facts());
    assert!(plan.cluster.links.is_empty());
    assert_eq!(plan.cluster.records[&invoice()].held.len(), 2);
}

#[test]
fn c13_two_creates_of_one_key_are_never_open_together() {
    let flows = star(Policies {
        reverse: true,
        ..Policies::default()
    });
    let bare = |id: &str| {
        seen(
            &RecordKey::new("sf", "Invoice", id),
            1,
            values(&[("Number", "7")]),
        )
    };
    let plan = reconcile(&flows, Cluster::default(), vec![bare("i"), bare("j")], &facts());
    assert_eq!(creates(&plan.cluster).len(), 1);
    assert_eq!(
        plan.cluster.records[&RecordKey::new("sf", "Invoice", "j")].held["order-invoice"].kind,
        ParkedKind::DuplicateKey
    );
}

#[test]
fn one_way_pairs_stay_as_they_are_until_the_source_is_edited_and_drift_is_no_edit() {
    let flows = star(Policies::default());
    let with_note = |note: &str| {
        let mut values = of_order("0");
        values.insert("note".to_owned(), Value::from(note));
        values
    };
    let drifted = |note: &str| {
        let mut values = of_sales_order("0");
        values.insert("Note".to_owned(), Value::from(note));
        values
    };
    let load = vec![
        seen(&order(), 1, with_note("a")),
        seen(&invoice(), 1, of_invoice("0")),
        seen(&sales_order(), 1, drifted("b")),
    ];
    let plan = reconcile(&flows, Cluster::default(), load, &facts());
    assert!(updates(&plan.cluster).is_empty(), "{:?}", updates(&plan.cluster));
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&sales_order(), 5, drifted("c"))],
        &facts(),
    );
    assert!(updates(&plan.cluster).is_empty());
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&order(), 6, with_note("d"))],
        &facts(),
    );
    assert_eq!(updates(&plan.cluster)[&sales_order()]["Note"], "d");
}

#[test]
fn what_the_target_fills_in_is_base_silently_and_what_it_gives_flows_back() {
    let flows = star(Policies::default());
    let source = values(&[("number", "7"), ("description", "1")]);
    let cluster = sent(reconcile(
        &flows,
        Cluster::default(),
        vec![seen(&order(), 1, source)],
        &facts(),
    ));
    let id = |flow: &str| {
        let found = cluster
            .creates
            .iter()
            .find(|intent| matches!(&intent.action, Action::Create { flow: of, .. } if of == flow));
        found.unwrap().id
    };
    let settled = vec![
        (id("order-invoice"), applied("i")),
        (id("order-order"), applied("s")),
    ];
    let plan = settle(&flows, cluster.clone(), Vec::new(), settled, &facts());
    let mut filled = of_invoice("1");
    filled.insert("Due".to_owned(), Value::from("by default"));
    let mut filled = seen(&invoice(), 960, filled);
    filled.created = Some(moment(960));
    let mut given = seen(&sales_order(), 960, of_sales_order("1"));
    given.created = Some(moment(960));
    let plan = reconcile(&flows, plan.cluster, vec![filled, given], &facts());
    let written = updates(&plan.cluster);
    assert_eq!(written[&order()]["given"], "g");
    assert_eq!(written[&order()].get("due"), None, "filled in, not edited");
    assert_eq!(
        plan.cluster.records[&invoice()].bases["Due"].value,
        Value::from("by default")
    );
}

#[test]
fn what_a_system_filled_in_goes_into_later_creates() {
    // GIVEN an order whose blank description its own system filled in: the head is blank, the base is not
    let flows = star(Policies::default());
    let mut cluster = reconcile(
        &flows,
        Cluster::default(),
        vec![seen(&order(), 1, values(&[("number", "7")]))],
        &facts(),
    )
    .cluster;
    let record = cluster.records.get_mut(&order()).unwrap();
    let filled = Value::from("by default");
    record
        .shadow
        .values
        .insert("description".to_owned(), filled.clone());
    record.bases.get_mut("description").unwrap().value = filled.clone();
    // WHEN counterparts are planned
    let plan = reconcile(&flows, cluster, Vec::new(), &facts());
    // THEN they get what stands there
    for intent in creates(&plan.cluster) {
        let given: Vec<&Value> = intent.values.values().map(|planned| &planned.value).collect();
        assert!(given.contains(&&filled), "{intent:?}");
    }
    assert_eq!(creates(&plan.cluster).len(), 2);
}

#[test]
fn a_narrower_counterpart_is_parked_alone_and_freed_by_its_own_edit() {
    let flows = star(Policies {
        short: Some(3),
        ..Policies::default()
    });
    let plan = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 10, of_order("too long"))],
        &facts(),
    );
    assert_eq!(
        updates(&plan.cluster).keys().collect::<Vec<_>>(),
        vec![&invoice()]
    );
    let narrow = &plan.cluster.records[&sales_order()];
    assert_eq!(narrow.parked["Description"].kind, ParkedKind::TooLong);
    assert_eq!(
        narrow.bases["Description"],
        Base {
            value: Value::from("0"),
            epoch: 1
        }
    );
    let latest = star(Policies {
        short: Some(3),
        conflict: ConflictPolicy::Latest,
        ..Policies::default()
    });
    let plan = reconcile(
        &latest,
        plan.cluster,
        vec![seen(&sales_order(), 20, of_sales_order("new"))],
        &facts(),
    );
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "new");
    assert!(
        !plan.cluster.records[&sales_order()]
            .parked
            .contains_key("Description")
    );
}

#[test]
fn a_persons_verdict_ends_the_question_of_a_deletion() {
    let flows = star(Policies::default());
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&order(), 11)], &facts());
    assert_eq!(
        plan.cluster.records[&sales_order()].held["order-order"].kind,
        ParkedKind::Approval
    );
    let with = |verdict: Verdict| {
        let mut cluster = plan.cluster.clone();
        cluster
            .links
            .iter_mut()
            .for_each(|link| link.verdict = Some(verdict));
        reconcile(&flows, cluster, Vec::new(), &facts()).cluster
    };
    assert!(with(Verdict::Unlink).links.is_empty());
    assert!(matches!(
        with(Verdict::Propagate).records[&sales_order()]
            .intent
            .as_ref()
            .unwrap()
            .action,
        Action::Delete { .. }
    ));
}

#[test]
fn d1_a_record_is_deleted_only_after_its_other_counterparts_have_its_edits() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    let mut edit = of_order("0");
    edit.insert("due".to_owned(), Value::from("soon"));
    let inbox = vec![gone(&sales_order(), 20), seen(&order(), 19, edit)];
    let plan = reconcile(&flows, at_rest(&flows), inbox, &facts());
    assert_eq!(
        plan.cluster.records[&order()].held["order-order"].kind,
        ParkedKind::Deferred
    );
    let cluster = sent(plan);
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("i"))], &facts());
    let intent = plan.cluster.records[&order()].intent.as_ref().unwrap();
    assert!(matches!(intent.action, Action::Delete { .. }));
}

#[test]
fn s5_a_sent_update_is_not_touched() {
    let flows = star(Policies::default());
    let cluster = sent(reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 10, of_order("1"))],
        &facts(),
    ));
    let plan = reconcile(
        &flows,
        cluster.clone(),
        vec![seen(&order(), 20, of_order("2"))],
        &facts(),
    );
    assert_eq!(
        plan.cluster.records[&invoice()].intent,
        cluster.records[&invoice()].intent
    );
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let plan = settle(
        &flows,
        plan.cluster,
        Vec::new(),
        vec![(id, applied("i"))],
        &facts(),
    );
    assert_eq!(
        updates(&plan.cluster)[&invoice()]["Description"],
        "2",
        "owed again"
    );
}

#[test]
fn d2_an_edit_after_a_verdict_is_asked_about_again() {
    let flows = star(Policies::default());
    let mut cluster = reconcile(&flows, at_rest(&flows), vec![gone(&order(), 11)], &facts()).cluster;
    let link = cluster.links.iter_mut().find(|link| link.flow == "order-order");
    link.unwrap().verdict = Some(Verdict::Propagate);
    let edit = vec![seen(&sales_order(), 12, of_sales_order("wait"))];
    let plan = reconcile(&flows, cluster, edit, &facts());
    let record = &plan.cluster.records[&sales_order()];
    assert!(record.intent.is_none());
    assert_eq!(record.held["order-order"].kind, ParkedKind::DeleteConflict);
}

#[test]
fn drift_that_is_overwritten_is_kept_in_history() {
    let flows = star(Policies::default());
    let noted = |note: &str| {
        let mut values = of_order("0");
        values.insert("note".to_owned(), Value::from(note));
        values
    };
    let mut drifted = of_sales_order("0");
    drifted.insert("Note".to_owned(), Value::from("by hand"));
    let cluster = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&sales_order(), 5, drifted)],
        &facts(),
    )
    .cluster;
    let cluster = sent(reconcile(
        &flows,
        cluster,
        vec![seen(&order(), 6, noted("d"))],
        &facts(),
    ));
    let id = cluster.records[&sales_order()].intent.as_ref().unwrap().id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("s"))], &facts());
    let old = plan.history.iter().find_map(|event| match &event.what {
        EventKind::Overwrote { old, .. } => Some(old.clone()),
        _ => None,
    });
    assert_eq!(old, Some(Value::from("by hand")));
}

/// Orders that name another order before them, and a customer whose account they need.
pub(crate) fn with_references() -> Dataflow {
    let customer = flow(
        "customer",
        [
            end("erp", "Customer", "divisionId", ""),
            end("sf", "Division", "Ext", "Customer:"),
        ],
        ["number", "Number"],
        vec![mapping("number", "Number")],
    );
    let reference = |first: &str, second: &str, through: &str| Mapping {
        kind: Kind::Reference(Reference::Flow(through.to_owned())),
        ..mapping(first, second)
    };
    let mut must = reference("customer", "Division", "customer");
    must.never_blank[1] = true;
    let mut order = flow(
        "order",
        [
            end("erp", "Order", "orderId", ""),
            end("sf", "Order", "Ext", "Order:"),
        ],
        ["number", "Number"],
        vec![
            mapping("number", "Number"),
            reference("before", "Before", "order"),
            must,
        ],
    );
    order.companions = vec![CompanionRule {
        role: "Account".to_owned(),
        property: "AccountId".to_owned(),
        of: "customer".to_owned(),
        owner: RecordType::new("erp", "Customer"),
        record_type: RecordType::new("sf", "Account"),
        find: vec!["Ext".to_owned()],
        identity: Some(Identity {
            property: "Ext".to_owned(),
            prefix: "Customer:".to_owned(),
            unique: true,
        }),
        create: true,
        values: BTreeMap::from([("Name".to_owned(), CompanionValue::Property("number".to_owned()))]),
    }];
    dataflow(vec![customer, order])
}

pub(crate) fn answers(division: Referent, account: Referent, before: Referent) -> Facts {
    let of = |through: Reference, id: &str| Referral {
        through,
        side: Side::First,
        id: id.to_owned(),
    };
    let role = Reference::Companion {
        role: "Account".to_owned(),
        of: RecordType::new("erp", "Customer"),
    };
    let referrals = BTreeMap::from([
        (of(Reference::Flow("customer".to_owned()), "c"), division),
        (of(role, "c"), account),
        (of(Reference::Flow("order".to_owned()), "0"), before),
    ]);
    Facts { referrals, ..facts() }
}

#[test]
fn references_and_companions_are_waited_for_and_self_references_completed_later() {
    let flows = with_references();
    let source = seen(
        &order(),
        1,
        values(&[("number", "7"), ("customer", "c"), ("before", "0")]),
    );
    let linked = |id: &str| Referent::Linked(id.to_owned());
    let plan = reconcile(
        &flows,
        Cluster::default(),
        vec![source.clone()],
        &answers(Referent::Pending, Referent::Unlinked, Referent::Pending),
    );
    assert!(creates(&plan.cluster).is_empty());
    assert_eq!(
        plan.cluster.records[&order()].held["order"].kind,
        ParkedKind::Deferred
    );
    let customer = RecordKey::new("erp", "Customer", "c");
    assert!(plan.waits.on.contains(&customer));
    assert_eq!(
        plan.waits
            .companions
            .iter()
            .map(|key| &key.owner)
            .collect::<Vec<_>>(),
        vec![&customer]
    );
    let ready = answers(linked("d"), linked("a"), Referent::Pending);
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &ready);
    let [create] = plan.cluster.creates.as_slice() else {
        panic!("{plan:?}")
    };
    assert_eq!(create.values["Division"].value, Value::from("d"));
    assert_eq!(create.values["AccountId"].value, Value::from("a"));
    assert!(
        !create.values.contains_key("Before"),
        "the other order has no counterpart yet"
    );
    let cluster = sent(plan);
    let id = cluster.creates[0].id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("n"))], &ready);
    let born = RecordKey::new("sf", "Order", "n");
    let mut shown = seen(
        &born,
        960,
        values(&[
            ("Number", "7"),
            ("Division", "d"),
            ("AccountId", "a"),
            ("Ext", "Order:1"),
        ]),
    );
    shown.created = Some(moment(960));
    let complete = answers(linked("d"), linked("a"), linked("m"));
    let plan = reconcile(&flows, plan.cluster, vec![shown], &complete);
    assert_eq!(
        updates(&plan.cluster)[&born],
        BTreeMap::from([("Before".to_owned(), "m".to_owned())])
    );
}

#[test]
fn a_reference_to_nothing_parks_what_needs_it_and_nothing_else() {
    let flows = with_references();
    let source = seen(
        &order(),
        1,
        values(&[("number", "7"), ("customer", "c"), ("before", "0")]),
    );
    let nothing = answers(
        Referent::Linked("d".to_owned()),
        Referent::Linked("a".to_owned()),
        Referent::Gone,
    );
    let plan = reconcile(&flows, Cluster::default(), vec![source.clone()], &nothing);
    assert_eq!(creates(&plan.cluster).len(), 1, "it may be blank there");
    assert_eq!(
        plan.cluster.records[&order()].parked["before"].kind,
        ParkedKind::ReferenceToNothing
    );
    let nobody = answers(Referent::Gone, Referent::Gone, Referent::Pending);
    let plan = reconcile(&flows, Cluster::default(), vec![source], &nobody);
    assert!(creates(&plan.cluster).is_empty());
    assert_eq!(
        plan.cluster.records[&order()].held["order"].kind,
        ParkedKind::ReferenceToNothing
    );
}

#[test]
fn a_companion_is_planned_once_by_its_owner() {
    let flows = with_references();
    let owner = seen(
        &RecordKey::new("erp", "Customer", "c"),
        1,
        values(&[("number", "7")]),
    );
    let mut cluster = reconcile(&flows, Cluster::default(), vec![owner.clone()], &facts()).cluster;
    let wanted = tandem_merge::cluster::Companion::default();
    cluster
        .records
        .get_mut(&owner.key)
        .unwrap()
        .companions
        .insert("Account".to_owned(), wanted);
    let plan = reconcile(&flows, cluster, Vec::new(), &facts());
    let planned = |cluster: &Cluster| {
        cluster
            .creates
            .iter()
            .filter(|intent| matches!(intent.action, Action::Companion { .. }))
            .count()
    };
    assert_eq!(planned(&plan.cluster), 1);
    let cluster = sent(plan);
    let id = cluster
        .creates
        .iter()
        .find(|intent| matches!(intent.action, Action::Companion { .. }))
        .unwrap()
        .id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("a"))], &facts());
    assert_eq!(planned(&plan.cluster), 0);
    assert_eq!(
        plan.cluster.records[&owner.key].companions["Account"]
            .id
            .as_deref(),
        Some("a")
    );
}

#[test]
fn records_without_the_flows_mark_are_left_alone() {
    let mut flows = star(Policies {
        reverse: true,
        ..Policies::default()
    });
    flows.flows[0].ends[1].only = BTreeMap::from([("Kind".to_owned(), Value::from("Order"))]);
    let of_kind = |kind: &str| seen(&invoice(), 1, values(&[("Number", "7"), ("Kind", kind)]));
    let other = reconcile(&flows, Cluster::default(), vec![of_kind("Quote")], &facts());
    assert!(other.cluster.creates.is_empty() && other.cluster.records[&invoice()].held.is_empty());
    let own = reconcile(&flows, Cluster::default(), vec![of_kind("Order")], &facts());
    assert_eq!(own.cluster.creates.len(), 1);
    let forward = reconcile(
        &flows,
        Cluster::default(),
        vec![seen(&order(), 1, values(&[("number", "7")]))],
        &facts(),
    );
    let create = forward
        .cluster
        .creates
        .iter()
        .find(|intent| intent.values.contains_key("Kind"))
        .unwrap();
    assert_eq!(create.values["Kind"].value, Value::from("Order"));
}

#[test]
fn m10_forms_lead_back_to_the_value_or_refuse() {
    let pair = Mapping {
        direction: Direction::Both,
        ..mapping("a", "A")
    };
    let flows = dataflow(vec![flow(
        "f",
        [end("erp", "X", "i", ""), end("sf", "Y", "Ext", "")],
        ["a", "A"],
        vec![pair],
    )]);
    let nothing = Facts::default();
    let form = |side| tandem_merge::form::Form {
        flow: &flows.flows[0],
        mapping: &flows.flows[0].mappings[0],
        side,
        facts: &nothing,
    };
    for text in ["", "x", " x", "x\r\ny", "\u{a0}x"] {
        for side in Side::BOTH {
            let value = form(side).decode(&Value::from(text)).unwrap();
            let own = form(side.other()).encode(&value).unwrap();
            assert_eq!(form(side.other()).decode(&own).unwrap(), value, "{text:?}");
        }
    }
}
