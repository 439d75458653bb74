//! Records that are parts of others: what locks goes last, what frees goes first, and what became of the parent
//! decides.

use crate::members::moment;
use crate::star::flows::{end, flow, mapping};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Cluster, ParkedKind, Verdict};
use tandem_merge::dataflow::{
    ConflictPolicy, CreatePolicy, Dataflow, DeletePolicy, EnumMap, Kind, Mapping, OnCreate, Reference, Side,
    Support,
};
use tandem_merge::facts::{Facts, Parent, Part, PartsOf, Referent, Referral, Standing};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{needs, reconcile};
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::support;
use tandem_merge::value::Value;

/// Order to Order with a status that is written alone, and their lines.
pub(crate) fn dataflow() -> Dataflow {
    let status = EnumMap {
        to_second: pairs(&[("draft", "Draft"), ("confirmed", "Activated")]),
        to_first: pairs(&[("Draft", "draft"), ("Activated", "confirmed")]),
    };
    let mut orders = flow(
        "order-order",
        [
            end("erp", "Order", "stamp", ""),
            end("sf", "Order", "Ext", "Order:"),
        ],
        ["number", "Number"],
        vec![
            mapping("number", "Number"),
            mapping("description", "Description"),
            Mapping {
                kind: Kind::Enum(status),
                alone: Some(Side::Second),
                locks: BTreeSet::from(["confirmed".to_owned()]),
                on_create: OnCreate::Constant("Draft".into()),
                ..mapping("status", "Status")
            },
        ],
    );
    orders.conflict = ConflictPolicy::Wins(Side::First);
    let parent = Mapping {
        kind: Kind::Reference(Reference::Flow("order-order".to_owned())),
        create_only: [true, true],
        never_blank: [true, true],
        ..mapping("order", "OrderId")
    };
    let mut lines = flow(
        "order-line",
        [end("erp", "Line", "stamp", ""), end("sf", "Item", "Ext", "Line:")],
        ["number", "Number"],
        vec![parent, mapping("quantity", "Quantity")],
    );
    lines.match_rules.clear();
    for end in &mut lines.ends {
        end.on_delete = DeletePolicy::Propagate;
    }
    lines.supports = Some(Support {
        flow: "order-order".to_owned(),
        rolls_up: true,
    });
    Dataflow {
        systems: ["erp".to_owned(), "sf".to_owned()],
        document_order: Vec::new(),
        flows: vec![orders, lines],
        introduction: String::new(),
        clock_error_seconds: 0,
        out_of_sight: std::collections::BTreeSet::new(),
        clocks_ahead: std::collections::BTreeMap::new(),
        commit_delays: std::collections::BTreeMap::new(),
        request_deadlines: std::collections::BTreeMap::new(),
        unprotected: std::collections::BTreeSet::new(),
        paused: std::collections::BTreeSet::new(),
        asks_first: std::collections::BTreeSet::new(),
        ourselves: std::collections::BTreeMap::new(),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(own).collect()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), Value::from(*value));
    pairs.iter().map(own).collect()
}

fn seen(key: &RecordKey, order: i64, shown: &[(&str, &str)]) -> Observation {
    Observation {
        key: key.clone(),
        presence: Presence::Alive,
        values: values(shown),
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

fn gone(key: &RecordKey, order: i64) -> Observation {
    Observation {
        presence: Presence::Deleted,
        ..seen(key, order, &[])
    }
}

pub(crate) fn order() -> RecordKey {
    RecordKey::new("erp", "Order", "1")
}

pub(crate) fn sales_order() -> RecordKey {
    RecordKey::new("sf", "Order", "s")
}

fn line() -> RecordKey {
    RecordKey::new("erp", "Line", "l")
}

pub(crate) fn item() -> RecordKey {
    RecordKey::new("sf", "Item", "i")
}

pub(crate) fn listed() -> Facts {
    Facts {
        listed: true,
        now: moment(1_000),
        ..Facts::default()
    }
}

fn of_order(status: &str, description: &str) -> Vec<(&'static str, String)> {
    vec![
        ("number", "7".to_owned()),
        ("description", description.to_owned()),
        ("status", status.to_owned()),
        ("stamp", "s".to_owned()),
    ]
}

pub(crate) fn erp_order(at: i64, status: &str, description: &str) -> Observation {
    let shown = of_order(status, description);
    let shown: Vec<(&str, &str)> = shown
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    seen(&order(), at, &shown)
}

pub(crate) fn sf_order(at: i64, status: &str, description: &str) -> Observation {
    let shown = [
        ("Number", "7"),
        ("Description", description),
        ("Status", status),
        ("Ext", "Order:1"),
    ];
    seen(&sales_order(), at, &shown)
}

/// The two orders, linked and equal.
pub(crate) fn orders(status: [&str; 2]) -> Cluster {
    let inbox = vec![erp_order(1, status[0], "a"), sf_order(1, status[1], "a")];
    reconcile(&dataflow(), Cluster::default(), inbox, &listed()).cluster
}

/// Facts with parts of the second side's order that stand so.
pub(crate) fn with_parts(standings: &[Standing]) -> Facts {
    let of = PartsOf {
        flow: "order-line".to_owned(),
        side: Side::Second,
        parent: "s".to_owned(),
    };
    let part = |standing: &Standing| Part {
        record: item(),
        standing: standing.clone(),
    };
    Facts {
        parts: BTreeMap::from([(of, standings.iter().map(part).collect())]),
        ..listed()
    }
}

pub(crate) fn written(plan: &Plan, key: &RecordKey) -> Vec<(String, String)> {
    let intent = plan.cluster.records[key].intent.as_ref();
    let planned = intent.into_iter().flat_map(|intent| &intent.values);
    planned
        .map(|(name, planned)| (name.clone(), planned.value.to_string()))
        .collect()
}

pub(crate) fn one(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

#[test]
fn what_locks_is_written_last_and_alone() {
    let flows = dataflow();
    let rest = with_parts(&[Standing::AtRest]);
    let plan = reconcile(
        &flows,
        orders(["draft", "Draft"]),
        vec![erp_order(9, "confirmed", "b")],
        &rest,
    );
    assert_eq!(written(&plan, &sales_order()), one("Description", "b"));
    assert!(plan.cluster.records[&sales_order()].parked.is_empty());
    let inbox = vec![sf_order(11, "Draft", "b")];
    let plan = reconcile(&flows, plan.cluster, inbox, &rest);
    assert_eq!(written(&plan, &sales_order()), one("Status", "Activated"));
    let again = reconcile(&flows, plan.cluster.clone(), Vec::new(), &rest);
    assert_eq!(again.cluster, plan.cluster, "M8");
}

#[test]
fn what_locks_waits_for_the_parts_and_names_them() {
    let flows = dataflow();
    let confirm = || vec![erp_order(9, "confirmed", "a")];
    let parked = |standings: &[Standing]| {
        let plan = reconcile(
            &flows,
            orders(["draft", "Draft"]),
            confirm(),
            &with_parts(standings),
        );
        assert_eq!(written(&plan, &sales_order()), []);
        plan.cluster.records[&sales_order()].parked["Status"].clone()
    };
    let waits = parked(&[
        Standing::AtRest,
        Standing::Waits("the price is too long".to_owned()),
        Standing::Moving,
    ]);
    assert_eq!(waits.kind, ParkedKind::Deferred);
    assert!(
        waits.reason.contains("sf Item i: the price is too long"),
        "{}",
        waits.reason
    );
    assert!(
        waits.reason.contains("sf Item i is on its way"),
        "{}",
        waits.reason
    );
    let none = parked(&[]);
    assert_eq!(none.kind, ParkedKind::MissingMandatory);
    assert!(none.advice.contains("add a line"), "{}", none.advice);
    let plan = reconcile(
        &flows,
        orders(["draft", "Draft"]),
        confirm(),
        &with_parts(&[Standing::AtRest]),
    );
    assert_eq!(written(&plan, &sales_order()), one("Status", "Activated"));
}

#[test]
fn what_frees_is_written_first_and_alone() {
    let flows = dataflow();
    let linked = orders(["confirmed", "Activated"]);
    let plan = reconcile(&flows, linked, vec![erp_order(9, "draft", "b")], &listed());
    assert_eq!(written(&plan, &sales_order()), one("Status", "Draft"));
    let plan = reconcile(&flows, plan.cluster, vec![sf_order(11, "Draft", "a")], &listed());
    assert_eq!(written(&plan, &sales_order()), one("Description", "b"));
}

#[test]
fn an_activation_by_a_person_travels_with_everything_else() {
    let flows = dataflow();
    let plan = reconcile(
        &flows,
        orders(["draft", "Draft"]),
        vec![sf_order(9, "Activated", "b")],
        &listed(),
    );
    let both = vec![
        ("description".to_owned(), "b".to_owned()),
        ("status".to_owned(), "confirmed".to_owned()),
    ];
    assert_eq!(written(&plan, &order()), both);
}

#[test]
fn parts_are_asked_for_only_while_a_lock_is_on_its_way() {
    let flows = dataflow();
    let linked = orders(["draft", "Draft"]);
    assert!(needs(&flows, &linked, &[]).parts.is_empty());
    let asked = needs(&flows, &linked, &[erp_order(9, "confirmed", "a")]).parts;
    assert_eq!(asked.len(), 2, "{asked:?}");
}

fn referral(side: Side, id: &str) -> Referral {
    Referral {
        through: Reference::Flow("order-order".to_owned()),
        side,
        id: id.to_owned(),
    }
}

/// What a line knows of its order: both ends, as they are shown.
fn with_parent(own: (Presence, &str), other: (Presence, &str), change: impl Fn(&mut Parent)) -> Facts {
    let first = |(presence, status): (Presence, &str)| Some((presence, values(&[("status", status)])));
    let second = |(presence, status): (Presence, &str)| Some((presence, values(&[("Status", status)])));
    let mut of_first = Parent {
        own: first(own),
        other: second(other),
        ..Parent::default()
    };
    let mut of_second = Parent {
        own: second(other),
        other: first(own),
        ..Parent::default()
    };
    change(&mut of_first);
    change(&mut of_second);
    Facts {
        referrals: BTreeMap::from([
            (referral(Side::First, "1"), Referent::Linked("s".to_owned())),
            (referral(Side::Second, "s"), Referent::Linked("1".to_owned())),
        ]),
        parents: BTreeMap::from([
            (referral(Side::First, "1"), of_first),
            (referral(Side::Second, "s"), of_second),
        ]),
        ..listed()
    }
}

pub(crate) const DRAFT: [(Presence, &str); 2] = [(Presence::Alive, "draft"), (Presence::Alive, "Draft")];
pub(crate) const LOCKED: [(Presence, &str); 2] =
    [(Presence::Alive, "confirmed"), (Presence::Alive, "Activated")];

pub(crate) fn parents(of: [(Presence, &str); 2]) -> Facts {
    with_parent(of[0], of[1], |_| {})
}

pub(crate) fn erp_line(at: i64, order: &str, quantity: &str) -> Observation {
    seen(
        &line(),
        at,
        &[("order", order), ("quantity", quantity), ("stamp", "i")],
    )
}

pub(crate) fn lines() -> Cluster {
    let item = seen(
        &item(),
        1,
        &[("OrderId", "s"), ("Quantity", "5"), ("Ext", "Line:l")],
    );
    let plan = reconcile(
        &dataflow(),
        Cluster::default(),
        vec![erp_line(1, "1", "5"), item],
        &parents(DRAFT),
    );
    assert_eq!(plan.cluster.links.len(), 1);
    plan.cluster
}

#[test]
fn a_line_of_a_locked_order_waits_until_it_is_free() {
    let flows = dataflow();
    let plan = reconcile(&flows, lines(), vec![erp_line(9, "1", "6")], &parents(LOCKED));
    assert_eq!(written(&plan, &item()), []);
    let parked = &plan.cluster.records[&item()].parked["Quantity"];
    assert_eq!(parked.kind, ParkedKind::Protected);
    assert!(parked.reason.contains("Activated"), "{}", parked.reason);
    assert!(
        parked.advice.contains("set status of the Order back in erp"),
        "{}",
        parked.advice
    );
    assert!(plan.waits.on.contains(&sales_order()));
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &parents(DRAFT));
    assert_eq!(written(&plan, &item()), one("Quantity", "6"));
    assert!(plan.cluster.records[&item()].parked.is_empty());
}

#[test]
fn a_new_line_of_a_locked_order_is_not_created() {
    let flows = dataflow();
    let new = || vec![seen(&line(), 1, &[("order", "1"), ("quantity", "5")])];
    let plan = reconcile(&flows, Cluster::default(), new(), &parents(LOCKED));
    assert!(plan.cluster.creates.is_empty());
    assert_eq!(
        plan.cluster.records[&line()].held["order-line"].kind,
        ParkedKind::Protected
    );
    // Either end of its order may free it.
    assert!(plan.waits.on.contains(&order()) && plan.waits.on.contains(&sales_order()));
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &parents(DRAFT));
    assert_eq!(plan.cluster.creates.len(), 1);
}

#[test]
fn what_is_given_on_create_only_is_parked_with_advice() {
    let flows = dataflow();
    let mut facts = parents(DRAFT);
    facts
        .referrals
        .insert(referral(Side::First, "2"), Referent::Linked("t".to_owned()));
    let plan = reconcile(&flows, lines(), vec![erp_line(9, "2", "6")], &facts);
    assert_eq!(written(&plan, &item()), one("Quantity", "6"));
    let parked = &plan.cluster.records[&item()].parked["OrderId"];
    assert_eq!(parked.kind, ParkedKind::Protected);
    assert!(
        parked.advice.contains("delete the Line in erp and add it anew"),
        "{}",
        parked.advice
    );
}

#[test]
fn a_line_that_went_waits_for_what_became_of_its_order() {
    let flows = dataflow();
    let held = |plan: &Plan| plan.cluster.records[&line()].held["order-line"].kind;
    let deleted = |plan: &Plan| plan.cluster.records[&line()].intent.is_some();
    // Just seen: the order may have gone with it, and is read again.
    let plan = reconcile(&flows, lines(), vec![gone(&item(), 9)], &parents(DRAFT));
    assert_eq!((held(&plan), deleted(&plan)), (ParkedKind::Deferred, false));
    assert!(plan.waits.reread.contains_key(&sales_order()));
    let went = plan.cluster;
    let unread = with_parent(DRAFT[0], DRAFT[1], |parent| parent.unread = true);
    assert!(!deleted(&reconcile(&flows, went.clone(), Vec::new(), &unread)));
    assert!(deleted(&reconcile(
        &flows,
        went.clone(),
        Vec::new(),
        &parents(DRAFT)
    )));
    // It did go with it.
    let dead = (Presence::Deleted, "Draft");
    let open = reconcile(
        &flows,
        went.clone(),
        Vec::new(),
        &with_parent(DRAFT[0], dead, |_| {}),
    );
    assert_eq!((held(&open), deleted(&open)), (ParkedKind::Deferred, false));
    let told = |verdict| {
        let facts = with_parent(DRAFT[0], dead, |parent| parent.verdict = Some(verdict));
        reconcile(&flows, went.clone(), Vec::new(), &facts)
    };
    assert!(deleted(&told(Verdict::Propagate)), "children first");
    let unlinked = told(Verdict::Unlink);
    assert!(unlinked.cluster.links.is_empty() && !deleted(&unlinked));
    let again = told(Verdict::Recreate);
    assert!(
        again.cluster.links.is_empty() && !again.cluster.records[&line()].suppressed.contains("order-line")
    );
}

#[test]
fn a_line_is_not_deleted_under_a_locked_order() {
    let flows = dataflow();
    let plan = reconcile(&flows, lines(), vec![gone(&line(), 9)], &parents(LOCKED));
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &parents(LOCKED));
    let record = &plan.cluster.records[&item()];
    assert!(record.intent.is_none());
    assert_eq!(record.held["order-line"].kind, ParkedKind::Protected);
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &parents(DRAFT));
    assert!(plan.cluster.records[&item()].intent.is_some());
}

#[test]
fn a_part_wakes_its_parent_and_has_it_read_again_when_it_moved() {
    let mut flows = dataflow();
    let delay = jiff::SignedDuration::from_secs(10);
    flows.commit_delays.insert("sf".to_owned(), delay);
    let rest = lines();
    let same = reconcile(&flows, rest.clone(), Vec::new(), &parents(DRAFT));
    assert!(same.waits.wake.is_empty() && same.waits.reread.is_empty());
    let edited = seen(
        &item(),
        9,
        &[("OrderId", "s"), ("Quantity", "6"), ("Ext", "Line:l")],
    );
    let plan = reconcile(&flows, rest.clone(), vec![edited], &parents(DRAFT));
    assert!(plan.waits.wake.contains(&sales_order()) && plan.waits.wake.contains(&order()));
    assert_eq!(
        plan.waits.reread,
        BTreeMap::from([(sales_order(), moment(1_000))])
    );
    // And once more when no read can lag behind it.
    assert_eq!(plan.waits.later, BTreeMap::from([(sales_order(), moment(1_010))]));
    // A new version of the same values moves no sum.
    let echo = seen(
        &item(),
        9,
        &[("OrderId", "s"), ("Quantity", "5"), ("Ext", "Line:l")],
    );
    let plan = reconcile(&flows, rest, vec![echo], &parents(DRAFT));
    assert!(plan.waits.reread.is_empty() && plan.waits.wake.contains(&sales_order()));
}

#[test]
fn how_a_part_stands() {
    let flows = dataflow();
    let of = PartsOf {
        flow: "order-line".to_owned(),
        side: Side::First,
        parent: "1".to_owned(),
    };
    let stands = |cluster: &Cluster, undecided| support::standing(&flows, &of, cluster, &line(), undecided);
    let rest = lines();
    assert_eq!(stands(&rest, false), Some(Standing::AtRest));
    assert_eq!(stands(&rest, true), Some(Standing::Moving));
    assert_eq!(stands(&Cluster::default(), false), None);
    let moving = reconcile(&flows, rest.clone(), vec![erp_line(9, "1", "6")], &parents(DRAFT)).cluster;
    assert_eq!(stands(&moving, false), Some(Standing::Moving));
    let parked = reconcile(
        &flows,
        rest.clone(),
        vec![erp_line(9, "1", "6")],
        &parents(LOCKED),
    )
    .cluster;
    assert!(matches!(stands(&parked, false), Some(Standing::Waits(_))));
    let elsewhere = reconcile(&flows, rest, vec![erp_line(9, "2", "5")], &parents(DRAFT)).cluster;
    assert_eq!(stands(&elsewhere, false), None);
    let mut off = flows.clone();
    off.flows[1].ends[1].create = CreatePolicy::Off;
    let single = vec![seen(&line(), 1, &[("order", "1"), ("quantity", "5")])];
    let listed_only = reconcile(&off, Cluster::default(), single, &parents(DRAFT)).cluster;
    assert!(matches!(stands(&listed_only, false), Some(Standing::Never(_))));
}
