//! What people decide about links: R8 holds, a tie ends, what is different is never offered again.

use crate::plan_laws::{facts, invoice, order, seen, values};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::{Action, Cluster, ParkedKind};
use tandem_merge::dataflow::{Dataflow, MatchPart, MatchRule, Normaliser};
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::matches::{candidates, telling_key};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{recognises, reconcile, reconcile_decided};
use tandem_merge::record::{Observation, RecordKey};
use tandem_merge::similarity::{compared, similarity};

const FLOW: &str = "order-invoice";

fn flows() -> Dataflow {
    star(Policies {
        reverse: true,
        ..Policies::default()
    })
}

fn twin() -> RecordKey {
    RecordKey::new("sf", "Invoice", "j")
}

fn order_seven() -> Observation {
    seen(&order(), 1, values(&[("number", "7"), ("description", "Tea")]))
}

fn invoice_seven(key: &RecordKey, description: &str) -> Observation {
    seen(key, 1, values(&[("Number", "7"), ("Description", description)]))
}

/// An order with two invoices that could be its counterpart.
fn tie() -> Cluster {
    let inbox = vec![
        order_seven(),
        invoice_seven(&invoice(), "Tea"),
        invoice_seven(&twin(), "Coffee"),
    ];
    let plan = reconcile(&flows(), Cluster::default(), inbox, &facts());
    assert!(plan.cluster.links.is_empty());
    plan.cluster
}

fn link(second: RecordKey) -> Decision {
    Decision::Link {
        flow: FLOW.to_owned(),
        first: order(),
        second,
    }
}

fn different(second: RecordKey) -> Decision {
    Decision::Different {
        flow: FLOW.to_owned(),
        first: order(),
        second,
    }
}

fn decide(cluster: Cluster, decisions: &[Decision]) -> (Plan, Vec<Outcome>) {
    reconcile_decided(&flows(), cluster, Vec::new(), decisions, &facts())
}

fn linked_with(cluster: &Cluster) -> Vec<&RecordKey> {
    let of = cluster.links.iter().filter(|link| link.flow == FLOW);
    of.map(|link| &link.second).collect()
}

#[test]
fn r08_a_person_ends_a_tie_and_the_other_candidate_is_a_duplicate() {
    let (plan, outcomes) = decide(tie(), &[link(twin())]);
    assert_eq!(outcomes, [Outcome::Done]);
    assert_eq!(linked_with(&plan.cluster), [&twin()]);
    assert!(!plan.cluster.records[&order()].held.contains_key(FLOW));
    let other = &plan.cluster.records[&invoice()].held[FLOW];
    assert_eq!(other.kind, ParkedKind::DuplicateKey);
    let (again, outcomes) = decide(plan.cluster.clone(), &[link(twin())]);
    assert_eq!(outcomes, [Outcome::Already]);
    assert_eq!(again.cluster.links, plan.cluster.links);
}

#[test]
fn r08_a_second_link_is_refused_and_changes_nothing() {
    let (plan, _) = decide(tie(), &[link(twin())]);
    let (after, outcomes) = decide(plan.cluster.clone(), &[link(invoice())]);
    assert!(
        matches!(&outcomes[0], Outcome::Refused(why) if why.contains("is linked with sf Invoice j already")),
        "{outcomes:?}"
    );
    assert_eq!(after.cluster.links, plan.cluster.links);
    // In one file too.
    let (after, outcomes) = decide(tie(), &[link(twin()), link(invoice())]);
    assert!(matches!(outcomes[1], Outcome::Refused(_)), "{outcomes:?}");
    assert_eq!(linked_with(&after.cluster), [&twin()]);
}

#[test]
fn what_is_different_is_never_offered_again_and_the_rest_is_linked() {
    let (plan, outcomes) = decide(tie(), &[different(invoice())]);
    assert_eq!(outcomes, [Outcome::Done]);
    assert_eq!(linked_with(&plan.cluster), [&twin()]);
    // The other invoice is no duplicate any more: it gets an order of its own.
    let create = plan
        .cluster
        .creates
        .iter()
        .find_map(|intent| match &intent.action {
            Action::Create { source, apart, .. } if source == &invoice() => Some((intent, apart)),
            _ => None,
        });
    let (create, apart) = create.unwrap();
    assert!(apart.contains(&order().id), "{create:?}");
    // The look-up before it finds the order that it is different from, and passes over it.
    assert!(!recognises(&flows(), create, &order_seven()));
    // An observation that matches later changes nothing.
    let inbox = vec![seen(
        &invoice(),
        9,
        values(&[("Number", "7"), ("Description", "Tea")]),
    )];
    let later = reconcile(&flows(), plan.cluster, inbox, &facts());
    assert_eq!(linked_with(&later.cluster), [&twin()]);
    let (_, outcomes) = decide(later.cluster, &[different(invoice())]);
    assert_eq!(outcomes, [Outcome::Already]);
}

#[test]
fn a_link_by_hand_takes_back_what_was_said_before() {
    let all = [different(invoice()), different(twin())];
    let (plan, _) = decide(tie(), &all);
    assert!(linked_with(&plan.cluster).is_empty());
    let (plan, outcomes) = decide(plan.cluster, &[link(invoice())]);
    assert_eq!(outcomes, [Outcome::Done]);
    assert_eq!(linked_with(&plan.cluster), [&invoice()]);
    assert!(!plan.cluster.records[&order()].apart[FLOW].contains(&invoice()));
    assert!(plan.cluster.records[&order()].apart[FLOW].contains(&twin()));
    let (_, outcomes) = decide(plan.cluster, &[different(invoice())]);
    assert!(matches!(&outcomes[0], Outcome::Refused(why) if why.contains("end the link first")));
}

#[test]
fn a_record_left_alone_is_neither_linked_nor_created() {
    let leave = Decision::Leave {
        flow: FLOW.to_owned(),
        record: order(),
    };
    let (plan, outcomes) = decide(tie(), std::slice::from_ref(&leave));
    assert_eq!(outcomes, [Outcome::Done]);
    assert!(linked_with(&plan.cluster).is_empty());
    let sources = plan
        .cluster
        .creates
        .iter()
        .filter_map(|intent| match &intent.action {
            Action::Create { flow, source, .. } if flow == FLOW => Some(source),
            _ => None,
        });
    assert!(!sources.into_iter().any(|source| source == &order()));
    assert_eq!(decide(plan.cluster, &[leave]).1, [Outcome::Already]);
}

#[test]
fn records_of_other_flows_and_unknown_ones_are_refused() {
    let stranger = RecordKey::new("sf", "Invoice", "nobody");
    let wrong = Decision::Link {
        flow: FLOW.to_owned(),
        first: order(),
        second: RecordKey::new("sf", "Order", "s"),
    };
    let lost = Decision::Link {
        flow: "no-such".to_owned(),
        first: order(),
        second: invoice(),
    };
    let swapped = Decision::Link {
        flow: FLOW.to_owned(),
        first: invoice(),
        second: order(),
    };
    let (_, outcomes) = decide(tie(), &[link(stranger), wrong, lost, swapped]);
    assert_eq!(outcomes.len(), 4);
    for (outcome, why) in outcomes.iter().zip([
        "is not known",
        "is no record type",
        "there is no flow",
        "is no Order of erp",
    ]) {
        assert!(
            matches!(outcome, Outcome::Refused(text) if text.contains(why)),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_tie_is_told_whole_from_each_of_its_records() {
    let cluster = tie();
    let all = candidates(&flows(), &cluster, &facts(), &order(), FLOW);
    let seconds: Vec<&RecordKey> = all.iter().map(|pair| &pair.second).collect();
    assert_eq!(seconds, [&invoice(), &twin()]);
    assert_eq!(candidates(&flows(), &cluster, &facts(), &twin(), FLOW), all);
    let decided = decide(cluster, &[link(twin())]).0.cluster;
    assert!(candidates(&flows(), &decided, &facts(), &invoice(), FLOW).is_empty());
}

#[test]
fn rules_pick_a_contender_or_leave_the_conflict() {
    use crate::members::moment;
    use tandem_merge::cluster::{Anchor, Contender, Question, Span};
    use tandem_merge::questions::{AnswerRule, pick};
    let contender = |record: Option<RecordKey>, value: &str, at: i64| Contender {
        record,
        property: "description".to_owned(),
        value: value.into(),
        base: None,
        span: Span {
            from: None,
            to: moment(at),
        },
        author: None,
    };
    let question = |contenders: Vec<Contender>| Question {
        anchor: Anchor {
            record: order(),
            property: "description".to_owned(),
        },
        contenders,
        since: moment(9),
        answer: None,
        first: None,
    };
    let owner = |system: &str| AnswerRule::Owner(system.to_owned());
    let two = question(vec![
        contender(Some(order()), "ours", 5),
        contender(Some(invoice()), "theirs", 3),
    ]);
    let picked =
        |question: &Question, rule: &AnswerRule| pick(question, rule).map(|one| one.value.to_string());
    assert_eq!(picked(&two, &owner("erp")).as_deref(), Some("ours"));
    assert_eq!(picked(&two, &owner("sf")).as_deref(), Some("theirs"));
    assert_eq!(picked(&two, &AnswerRule::Latest).as_deref(), Some("ours"));
    assert_eq!(picked(&two, &AnswerRule::BlankLoses), None);
    let blank = question(vec![contender(Some(order()), "", 5), contender(None, "known", 3)]);
    assert_eq!(picked(&blank, &AnswerRule::BlankLoses).as_deref(), Some("known"));
    assert_eq!(picked(&blank, &owner("sf")), None);
    // Equally late: the larger value, as the policy has it.
    let even = question(vec![
        contender(Some(order()), "a", 5),
        contender(Some(invoice()), "b", 5),
    ]);
    assert_eq!(picked(&even, &AnswerRule::Latest).as_deref(), Some("b"));
}

#[test]
fn likeness_tells_candidates_apart_in_whole_numbers() {
    let flows = flows();
    let flow = flows.flow(FLOW).unwrap();
    let own = order_seven().values;
    let score = |seen: &Observation| similarity(flow, &own, &seen.values);
    let (tea, coffee) = (
        score(&invoice_seven(&invoice(), "Tea")),
        score(&invoice_seven(&twin(), "Coffee")),
    );
    assert_eq!(tea, 100);
    assert!(coffee < tea, "{coffee}");
    assert_eq!(compared(flow)[0], ["number".to_owned(), "Number".to_owned()]);
    assert_eq!(similarity(flow, &values(&[]), &values(&[])), 0);
}

#[test]
fn records_match_by_a_property_that_holds_the_other_systems_id() {
    let mut flows = flows();
    flows.flows[0].match_rules.insert(
        0,
        MatchRule {
            parts: vec![MatchPart {
                properties: ["id".to_owned(), "Legacy".to_owned()],
                normaliser: Normaliser::Trim,
            }],
            ..MatchRule::default()
        },
    );
    let by_legacy = seen(&invoice(), 1, values(&[("Legacy", " 1 "), ("Number", "other")]));
    let inbox = vec![order_seven(), by_legacy.clone()];
    // The id decides before the number does.
    let plan = reconcile(&flows, Cluster::default(), inbox, &facts());
    assert_eq!(linked_with(&plan.cluster), [&invoice()]);
    // An id that names nobody matches nobody, and is no reason not to be created.
    let stray = seen(&invoice(), 1, values(&[("Legacy", "404"), ("Number", "7")]));
    let plan = reconcile(&flows, Cluster::default(), vec![order_seven(), stray], &facts());
    assert!(linked_with(&plan.cluster).is_empty());
    // A create looks for the id on the other side; in reverse there is no id yet to look for.
    let plan = reconcile(&flows, Cluster::default(), vec![order_seven()], &facts());
    let lookup = |plan: &Plan| {
        plan.cluster
            .creates
            .iter()
            .find_map(|intent| match &intent.action {
                Action::Create { flow, lookup, .. } if flow == FLOW => lookup.clone(),
                _ => None,
            })
    };
    let forward = lookup(&plan).unwrap();
    assert_eq!(
        (
            forward.properties[0].as_str(),
            forward.values[0].to_string().as_str()
        ),
        ("Legacy", "1")
    );
    let plan = reconcile(&flows, Cluster::default(), vec![by_legacy], &facts());
    assert_eq!(lookup(&plan).unwrap().properties, ["number"]);
}

#[test]
fn the_key_that_tells_records_of_one_system_apart_is_the_first_natural_one() {
    use tandem_merge::dataflow::Side;
    let flows = flows();
    let (key, _) = telling_key(
        &flows,
        FLOW,
        Side::Second,
        &invoice(),
        &values(&[("Number", " 7 ")]),
    )
    .unwrap();
    assert_eq!((key.key.as_str(), key.rule), ("7", 0));
    assert!(telling_key(&flows, FLOW, Side::Second, &invoice(), &values(&[])).is_none());
}
