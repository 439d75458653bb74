//! References to records that get no counterpart by themselves: told, or answered by the configuration; never "it
//! follows by itself".

use crate::config::configuration;
use crate::members::moment;
use crate::plan_laws::{
    answers, applied, creates, facts, order, seen, sent, updates, values, with_references,
};
use tandem_merge::absent::why_never;
use tandem_merge::cluster::{Cluster, Intent, Link, ParkedKind};
use tandem_merge::dataflow::{CreatePolicy, Dataflow, Kind, Reference, Side, StandIn};
use tandem_merge::facts::{Facts, Referent, Referral};
use tandem_merge::plan::{EventKind, Plan};
use tandem_merge::reconcile::{reconcile, settle};
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// A sales order as its system shows it once we created it for an order, with what the system filled in.
pub(crate) const AS_CREATED: [(&str, &str); 5] = [
    ("Number", "7"),
    ("Division", "d"),
    ("AccountId", "a"),
    ("Ext", "Order:1"),
    ("Before", "office"),
];

fn linked(id: &str) -> Referent {
    Referent::Linked(id.to_owned())
}

fn never() -> Referent {
    Referent::Never("it has no counterpart: this flow creates nothing there".to_owned())
}

fn born_in_erp(flows: &Dataflow, facts: &Facts) -> Plan {
    let row = values(&[("number", "7"), ("customer", "c"), ("before", "0")]);
    reconcile(flows, Cluster::default(), vec![seen(&order(), 1, row)], facts)
}

/// The flows with what stands in for `before` in the second system.
fn standing_in(stand_in: StandIn) -> Dataflow {
    let mut flows = with_references();
    let order = flows.flows.iter_mut().find(|flow| flow.name == "order").unwrap();
    let rows = &mut order.mappings;
    let before = rows.iter_mut().find(|row| row.property(Side::First) == "before");
    before.unwrap().stand_in[1] = Some(stand_in);
    flows
}

#[test]
fn what_never_comes_is_told_and_what_must_have_it_waits_for_a_person() {
    let flows = with_references();
    // GIVEN an order whose customer gets no counterpart, WHEN the order must have it, THEN it is told
    let plan = born_in_erp(&flows, &answers(never(), linked("a"), Referent::Pending));
    assert!(creates(&plan.cluster).is_empty());
    let held = &plan.cluster.records[&order()].held["order"];
    assert_eq!(held.kind, ParkedKind::NoCounterpart);
    assert!(held.kind.needs_mending() && held.reason.contains("creates nothing there"));
    assert!(plan.waits.on.contains(&RecordKey::new("erp", "Customer", "c")));
    // and a target that is parked itself is told there: who refers to it is only deferred
    let plan = born_in_erp(
        &flows,
        &answers(Referent::Unlinked, linked("a"), Referent::Pending),
    );
    assert_eq!(
        plan.cluster.records[&order()].held["order"].kind,
        ParkedKind::Deferred
    );
    // WHEN it may do without, THEN it is created without, and that is told
    let plan = born_in_erp(&flows, &answers(linked("d"), linked("a"), never()));
    assert!(!creates(&plan.cluster)[0].values.contains_key("Before"));
    assert_eq!(
        plan.cluster.records[&order()].parked["before"].kind,
        ParkedKind::NoCounterpart
    );
}

#[test]
fn what_stands_in_is_no_edit_and_gives_way_to_the_counterpart() {
    let flows = standing_in(StandIn::Value("user:office".to_owned()));
    let nobody = answers(linked("d"), linked("a"), never());
    // WHEN the record is created, THEN with what stands in, and nobody has to do anything
    let plan = born_in_erp(&flows, &nobody);
    let [Intent { values: given, .. }] = plan.cluster.creates.as_slice() else {
        panic!("{plan:?}")
    };
    assert_eq!(given["Before"].value, Value::from("user:office"));
    let parked = &plan.cluster.records[&order()].parked["before"];
    assert_eq!(parked.kind, ParkedKind::StandIn);
    assert!(!parked.kind.needs_mending());
    // WHEN the system shows whom it took for it, THEN that is nobody's edit
    let cluster = sent(plan);
    let id = cluster.creates[0].id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("n"))], &nobody);
    let born = RecordKey::new("sf", "Order", "n");
    let mut shown = seen(&born, 960, values(&AS_CREATED));
    shown.created = Some(moment(960));
    let plan = reconcile(&flows, plan.cluster, vec![shown], &nobody);
    let owed = updates(&plan.cluster);
    assert!(!owed.contains_key(&born), "{plan:?}");
    assert!(!owed[&order()].contains_key("before"), "{plan:?}");
    assert!(plan.cluster.questions.is_empty());
    assert_eq!(
        plan.cluster.records[&born].parked["Before"].kind,
        ParkedKind::StandIn
    );
    // WHEN there is a counterpart, THEN it takes its place
    let there = answers(linked("d"), linked("a"), linked("m"));
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &there);
    assert_eq!(updates(&plan.cluster)[&born]["Before"], "m");
    assert!(plan.cluster.records[&born].parked.is_empty());
}

#[test]
fn where_nothing_stands_in_a_record_goes_without_and_is_only_listed() {
    let flows = standing_in(StandIn::Nothing);
    let plan = born_in_erp(&flows, &answers(linked("d"), linked("a"), never()));
    assert!(!creates(&plan.cluster)[0].values.contains_key("Before"));
    let parked = &plan.cluster.records[&order()].parked["before"];
    assert_eq!(parked.kind, ParkedKind::StandIn);
}

#[test]
fn an_edit_that_names_what_has_no_counterpart_stays_and_is_told() {
    // GIVEN an order and its counterpart, linked and in step
    let mut flows = standing_in(StandIn::Value("user:office".to_owned()));
    let rows = flows.flows.iter_mut().flat_map(|flow| &mut flow.mappings);
    rows.filter(|row| row.property(Side::First) == "before")
        .for_each(|row| row.stand_in[0] = Some(StandIn::Nothing));
    let mut known = answers(linked("d"), linked("a"), linked("m"));
    let cluster = sent(born_in_erp(&flows, &known));
    let id = cluster.creates[0].id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("n"))], &known);
    let born = RecordKey::new("sf", "Order", "n");
    let shows = |at: i64, before: &str| {
        let mut row = AS_CREATED;
        row[4].1 = before;
        let mut shown = seen(&born, at, values(&row));
        shown.created = Some(moment(960));
        shown
    };
    let plan = reconcile(&flows, plan.cluster, vec![shows(960, "m")], &known);
    assert!(plan.cluster.records[&born].parked.is_empty(), "{plan:?}");
    // WHEN somebody gives it to a queue, THEN that stays, goes nowhere, and is listed
    let mut rows = flows.flows.iter().flat_map(|flow| &flow.mappings);
    let row = rows.find(|row| row.property(Side::First) == "before").unwrap();
    let Kind::Reference(through) = &row.kind else {
        panic!("{row:?}")
    };
    for (id, leads) in [
        ("queue", Referent::Gone),
        ("stranger", never()),
        ("k", linked("9")),
    ] {
        let asked = Referral {
            through: through.clone(),
            side: Side::Second,
            id: id.to_owned(),
        };
        known.referrals.insert(asked, leads);
    }
    for (at, owner) in [(1_000, "queue"), (1_010, "stranger")] {
        let edited = reconcile(&flows, plan.cluster.clone(), vec![shows(at, owner)], &known);
        let parked = &edited.cluster.records[&born].parked["Before"];
        assert_eq!(parked.kind, ParkedKind::StandIn, "{owner}");
        assert!(
            updates(&edited.cluster)
                .get(&order())
                .is_none_or(|owed| !owed.contains_key("before"))
        );
        // WHEN the other side is edited on top, THEN nothing overwrites it, and a person is told
        let mut row = values(&[("number", "7"), ("customer", "c"), ("before", "1")]);
        let current = &edited.cluster.records[&order()].shadow.values;
        row.extend(
            current
                .iter()
                .filter(|(name, _)| name.as_str() != "before")
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let on_top = reconcile(&flows, edited.cluster, vec![seen(&order(), 1_100, row)], &known);
        let parked = &on_top.cluster.records[&born].parked["Before"];
        assert!(
            parked.kind == ParkedKind::NoCounterpart && parked.kind.needs_mending(),
            "{parked:?}"
        );
        assert!(
            updates(&on_top.cluster)
                .get(&born)
                .is_none_or(|owed| !owed.contains_key("Before"))
        );
        let told = on_top
            .history
            .iter()
            .find(|event| matches!(event.what, EventKind::Edited { .. }));
        assert_eq!(told.unwrap().why, format!("{born} keeps its own"));
        // WHEN it names one that has a counterpart again, THEN the latest edit holds, and nothing waits
        let again = reconcile(&flows, on_top.cluster, vec![shows(1_200, "k")], &known);
        assert!(again.cluster.records[&born].parked.is_empty(), "{again:?}");
        assert_eq!(updates(&again.cluster)[&order()]["before"], "9");
    }
}

#[test]
fn why_no_counterpart_comes_is_said_of_each_kind() {
    let mut flows = with_references();
    flows.flows[0].ends[1].create = CreatePolicy::Off;
    let customer = RecordKey::new("erp", "Customer", "c");
    let row = seen(&customer, 1, values(&[("number", "7")]));
    let plan = reconcile(&flows, Cluster::default(), vec![row], &facts());
    let of = |flows: &Dataflow, cluster: &Cluster| {
        let record = &cluster.records[&customer];
        why_never(
            flows,
            &flows.flows[0],
            Side::First,
            &customer,
            record,
            &cluster.links,
        )
    };
    // Creation is off.
    assert!(
        of(&flows, &plan.cluster)
            .unwrap()
            .contains("creates nothing in sf")
    );
    // Its link was ended.
    let mut ended = plan.cluster.clone();
    let record = ended.records.get_mut(&customer).unwrap();
    record.held.clear();
    assert_eq!(of(&flows, &ended), None, "one may come");
    ended
        .records
        .get_mut(&customer)
        .unwrap()
        .suppressed
        .insert("customer".to_owned());
    assert!(of(&flows, &ended).unwrap().contains("was ended"));
    // It does not belong to the flow.
    let mut filtered = flows.clone();
    filtered.flows[0].ends[0]
        .only
        .insert("kind".to_owned(), Value::from("big"));
    assert!(of(&filtered, &plan.cluster).unwrap().contains("`only`"));
    // Another flow of the group has it.
    let mut grouped = flows.clone();
    let mut other = grouped.flows[0].clone();
    other.name = "other".to_owned();
    grouped.flows.push(other);
    let mut taken = plan.cluster.clone();
    taken.links.push(Link {
        flow: "other".to_owned(),
        first: customer.clone(),
        second: RecordKey::new("sf", "Division", "x"),
        verdict: None,
        since: moment(1),
    });
    assert!(of(&grouped, &taken).unwrap().contains("in other"));
}

#[test]
fn the_shipped_flows_answer_for_every_reference_to_a_person() {
    for (main, expected) in [
        ("", StandIn::Nothing),
        (
            "    owner: sales@acme.example\n",
            StandIn::Value("user:sales@acme.example".to_owned()),
        ),
    ] {
        let flows =
            configuration(|text| text.replace("    users:\n", &format!("{main}    users:\n"))).dataflow;
        let mut found = 0;
        for flow in &flows.flows {
            let people = Reference::Flow("employee-user".to_owned());
            let of_people = |row: &&tandem_merge::dataflow::Mapping| matches!(&row.kind, tandem_merge::dataflow::Kind::Reference(through) if *through == people);
            for row in flow.mappings.iter().filter(of_people) {
                assert_eq!(row.stand_in[0], Some(StandIn::Nothing), "{}", flow.name);
                if row.property(Side::Second) == "OwnerId" {
                    assert_eq!(row.stand_in[1].as_ref(), Some(&expected), "{}", flow.name);
                    found += 1;
                }
            }
        }
        assert_eq!(found, 5);
    }
}
