//! What a person approves first: values that put back what somebody else set, and links by a key that was written after
//! the record was there.

use crate::config::configuration;
use crate::members::moment;
use crate::plan_laws::{applied, facts, seen, sent, updates, values};
use crate::star::flows::{dataflow, end, flow, mapping};
use tandem_merge::cluster::{Cluster, ParkedKind};
use tandem_merge::dataflow::{Dataflow, Guarded, Side};
use tandem_merge::facts::Facts;
use tandem_merge::guarded::approve;
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{reconcile, settle};
use tandem_merge::record::{Observation, RecordKey};
use tandem_merge::value::Value;

fn employee() -> RecordKey {
    RecordKey::new("erp", "Employee", "1")
}

fn user() -> RecordKey {
    RecordKey::new("sf", "User", "u")
}

/// Employees and users, matched by mail; who is out of use there is not put back by the first system.
fn people() -> Dataflow {
    let mut people = flow(
        "people",
        [
            end("erp", "Employee", "userId", ""),
            end("sf", "User", "Ext", "Employee:"),
        ],
        ["mail", "Mail"],
        vec![mapping("mail", "Mail"), mapping("state", "State")],
    );
    people.guarded[1] = Guarded {
        values: [("State".to_owned(), Value::from("on"))].into(),
        links: true,
    };
    dataflow(vec![people])
}

fn of_employee(order: i64, mail: &str, state: &str) -> Observation {
    seen(&employee(), order, values(&[("mail", mail), ("state", state)]))
}

fn of_user(order: i64, mail: &str, state: &str) -> Observation {
    let row = values(&[("Mail", mail), ("State", state), ("Ext", "Employee:1")]);
    seen(&user(), order, row)
}

/// Both linked and in use, with what is written about identities done.
fn at_rest(flows: &Dataflow) -> Cluster {
    let rows = vec![of_employee(1, "m", "on"), of_user(1, "m", "on")];
    let plan = reconcile(flows, Cluster::default(), rows, &facts());
    assert_eq!(plan.cluster.links.len(), 1);
    let mut employee = of_employee(2, "m", "on");
    employee.values.insert("userId".to_owned(), "u".into());
    let plan = reconcile(flows, plan.cluster, vec![employee], &facts());
    assert!(updates(&plan.cluster).is_empty(), "{plan:?}");
    plan.cluster
}

fn with_stamp(mut seen: Observation) -> Observation {
    seen.values.insert("userId".to_owned(), "u".into());
    seen
}

/// The write of the user's record is done.
fn written(flows: &Dataflow, plan: Plan) -> Cluster {
    let cluster = sent(plan);
    let id = cluster.records[&user()].intent.as_ref().unwrap().id;
    settle(flows, cluster, Vec::new(), vec![(id, applied("u"))], &facts()).cluster
}

#[test]
fn what_an_administrator_switched_off_is_switched_on_by_a_persons_word_alone() {
    let flows = people();
    // GIVEN a user whom somebody switched off in the second system
    let plan = reconcile(&flows, at_rest(&flows), vec![of_user(5, "m", "off")], &facts());
    let cluster = sent(plan);
    let id = cluster.records[&employee()].intent.as_ref().unwrap().id;
    let cluster = settle(&flows, cluster, Vec::new(), vec![(id, applied("1"))], &facts()).cluster;
    // WHEN the first system switches on again
    let on = with_stamp(of_employee(2_000, "m", "on"));
    let plan = reconcile(&flows, cluster, vec![on], &facts());
    // THEN it waits for a person
    assert!(updates(&plan.cluster).is_empty(), "{plan:?}");
    let parked = &plan.cluster.records[&user()].parked["State"];
    assert_eq!(parked.kind, ParkedKind::Approval);
    let again = reconcile(&flows, plan.cluster.clone(), Vec::new(), &facts());
    assert!(updates(&again.cluster).is_empty());
    // and is written once that is given, for this value alone
    let mut cluster = plan.cluster;
    assert!(approve(&mut cluster, &user(), Some("State"), None));
    let plan = reconcile(&flows, cluster, Vec::new(), &facts());
    assert_eq!(updates(&plan.cluster)[&user()]["State"], "on");
    let cluster = written(&flows, plan);
    assert!(cluster.records[&user()].approved.is_empty());
    assert!(
        !approve(&mut cluster.clone(), &user(), Some("State"), None),
        "nothing waits"
    );
}

#[test]
fn e17_a_refusal_is_not_tried_again_because_a_value_beside_it_waits_for_approval() {
    let mut flows = people();
    flows.flows[0].mappings.push(mapping("name", "Name"));
    // GIVEN a user whom somebody switched off, and an employee whose name and state changed
    let off = reconcile(&flows, at_rest(&flows), vec![of_user(5, "m", "off")], &facts());
    let cluster = sent(off);
    let id = cluster.records[&employee()].intent.as_ref().unwrap().id;
    let cluster = settle(&flows, cluster, Vec::new(), vec![(id, applied("1"))], &facts()).cluster;
    let mut on = with_stamp(of_employee(2_000, "m", "on"));
    on.values.insert("name".to_owned(), "Ann".into());
    let plan = reconcile(&flows, cluster, vec![on], &facts());
    let name = std::collections::BTreeMap::from([("Name".to_owned(), "Ann".to_owned())]);
    assert_eq!(updates(&plan.cluster)[&user()], name);
    // WHEN the name is refused
    let cluster = sent(plan);
    let id = cluster.records[&user()].intent.as_ref().unwrap().id;
    let no = crate::refusals::no(&["Name"]);
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, no)], &facts());
    // THEN it is not sent again for the sake of the state, which waits
    assert!(updates(&plan.cluster).is_empty(), "{plan:?}");
    let parked = &plan.cluster.records[&user()].parked;
    assert_eq!(parked["State"].kind, ParkedKind::Approval);
    assert_eq!(parked["Name"].kind, ParkedKind::Refused);
}

#[test]
fn what_tandem_switched_off_itself_follows_without_a_word() {
    let flows = people();
    let off = with_stamp(of_employee(5, "m", "off"));
    let plan = reconcile(&flows, at_rest(&flows), vec![off], &facts());
    assert_eq!(updates(&plan.cluster)[&user()]["State"], "off");
    let cluster = written(&flows, plan);
    let on = with_stamp(of_employee(2_000, "m", "on"));
    let plan = reconcile(&flows, cluster.clone(), vec![on.clone()], &facts());
    assert_eq!(updates(&plan.cluster)[&user()]["State"], "on");
    // Somebody switched on and off there since: it is not Tandem's any more.
    let seen_on = reconcile(&flows, cluster, vec![of_user(1_500, "m", "on")], &facts()).cluster;
    let seen_off = reconcile(&flows, seen_on, vec![of_user(1_600, "m", "off")], &facts()).cluster;
    let plan = reconcile(&flows, seen_off, vec![on], &facts());
    assert!(!updates(&plan.cluster).contains_key(&user()), "{plan:?}");
}

/// Facts of a time after the first listing.
fn later() -> Facts {
    Facts {
        listed_at: Some(moment(100)),
        ..facts()
    }
}

/// An unlinked user, without our identity.
fn somebody(order: i64, mail: &str) -> Observation {
    seen(&user(), order, values(&[("Mail", mail), ("State", "on")]))
}

#[test]
fn an_account_is_not_taken_over_by_writing_its_mail_elsewhere() {
    let flows = people();
    let known = vec![of_employee(1, "other", "on"), somebody(1, "boss")];
    let plan = reconcile(&flows, Cluster::default(), known, &later());
    assert!(plan.cluster.links.is_empty());
    // WHEN the mail of an account is written into an employee, or the account's id into its stamp
    let by_mail = of_employee(500, "boss", "on");
    let by_stamp = with_stamp(of_employee(500, "other", "on"));
    for written in [by_mail, by_stamp] {
        let plan = reconcile(&flows, plan.cluster.clone(), vec![written], &later());
        // THEN nothing is linked, created or written before a person has approved it
        assert!(
            plan.cluster.links.is_empty() && plan.cluster.creates.is_empty(),
            "{plan:?}"
        );
        assert!(updates(&plan.cluster).is_empty());
        assert_eq!(
            plan.cluster.records[&employee()].held["people"].kind,
            ParkedKind::Approval
        );
        // not even when both systems were listed anew
        let anew = Facts {
            listed_at: Some(moment(900)),
            ..facts()
        };
        let still = reconcile(&flows, plan.cluster.clone(), Vec::new(), &anew);
        assert!(still.cluster.links.is_empty());
        let mut cluster = plan.cluster;
        assert!(approve(&mut cluster, &employee(), None, Some("people")));
        let plan = reconcile(&flows, cluster, Vec::new(), &later());
        assert_eq!(plan.cluster.links.len(), 1);
        assert!(plan.cluster.records[&employee()].welcome.is_empty());
    }
}

#[test]
fn who_was_there_first_or_is_named_by_the_account_itself_is_linked() {
    let flows = people();
    // At the first listing.
    let rows = vec![of_employee(50, "boss", "on"), somebody(1, "boss")];
    let plan = reconcile(&flows, Cluster::default(), rows, &later());
    assert_eq!(plan.cluster.links.len(), 1);
    // An account that was made for an employee.
    let mut account = somebody(600, "boss");
    account.created = Some(moment(600));
    let rows = vec![of_employee(500, "boss", "on"), account];
    let plan = reconcile(&flows, Cluster::default(), rows, &later());
    assert_eq!(plan.cluster.links.len(), 1);
    // An account that names its employee.
    let rows = vec![of_employee(500, "other", "on"), of_user(1, "boss", "on")];
    let plan = reconcile(&flows, Cluster::default(), rows, &later());
    assert_eq!(plan.cluster.links.len(), 1);
}

#[test]
fn the_shipped_users_are_guarded() {
    let flows = configuration(str::to_owned).dataflow;
    let people = flows.flow("employee-user").unwrap();
    let guarded = &people.guarded[Side::Second.index()];
    assert_eq!(guarded.values["IsActive"], Value::Boolean(true));
    assert!(guarded.links);
}
