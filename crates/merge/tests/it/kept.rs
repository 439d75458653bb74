//! What is seen of our own writes: late (RULES.md section 2, *admit*), or not as they were accepted.

use crate::members::moment;
use crate::plan_laws::{
    applied, at_rest, creates, facts, gone, invoice, of_invoice, of_order, order, sales_order, seen, sent,
    updates, values,
};
use crate::star::flows::{Policies, star};
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Cluster, ParkedKind};
use tandem_merge::dataflow::{Dataflow, DeletePolicy};
use tandem_merge::plan::{EventKind, Plan};
use tandem_merge::reconcile::{Settlement, reconcile, reconcile_confirmed, settle};
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};

/// Read at a moment.
fn read_at(second: i64, seen: Observation) -> Observation {
    Observation {
        read_began: moment(second),
        ..seen
    }
}

/// A state told by modification time alone: an ETag or a time of whole seconds, with no order.
fn unordered(token: &str, modified: i64, seen: Observation) -> Observation {
    let version = Version {
        token: token.to_owned(),
        order: None,
        modified: moment(modified),
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    };
    Observation {
        version: Some(version),
        ..seen
    }
}

/// The star after the order's description "1" went to the invoice; `state` is what the answer showed.
fn written(flows: &Dataflow, cluster: Cluster, state: Option<Observation>) -> Plan {
    let edited = seen(&order(), 10, of_order("1"));
    let cluster = sent(reconcile(flows, cluster, vec![edited], &facts()));
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let answer = Settlement::Applied {
        id: "i".to_owned(),
        state,
        at: moment(950),
    };
    settle(flows, cluster, Vec::new(), vec![(id, answer)], &facts())
}

/// The star whose invoice tells its versions by these words alone.
fn at_rest_unordered(flows: &Dataflow, token: &str, modified: i64) -> Cluster {
    let mut cluster = at_rest(flows);
    let known = unordered(token, modified, seen(&invoice(), 1, of_invoice("0")));
    cluster.records.get_mut(&invoice()).unwrap().shadow.version = known.version;
    cluster
}

/// The invoice of a system that shows nothing at all of its blank description.
fn undescribed(number: i64) -> Observation {
    let mut shown = seen(&invoice(), number, of_invoice("0"));
    shown.values.remove("Description");
    shown
}

fn head(cluster: &Cluster) -> Vec<String> {
    let heads = cluster.heads.iter();
    let of = heads.filter(|(anchor, _)| ["description", "Description"].contains(&anchor.property.as_str()));
    of.map(|(_, head)| head.value.to_string()).collect()
}

fn edits(plan: &Plan) -> usize {
    let edited = |what: &EventKind| matches!(what, EventKind::Edited { .. });
    plan.history.iter().filter(|event| edited(&event.what)).count()
}

#[test]
fn e6_the_state_before_our_write_is_no_edit_back_however_late_it_is_read() {
    let flows = star(Policies::default());
    let cluster = written(&flows, at_rest(&flows), None).cluster;
    // Twice, and long after.
    let mut late = cluster.clone();
    for second in [960, 9_000] {
        let old = read_at(second, seen(&invoice(), 1, of_invoice("0")));
        let plan = reconcile(&flows, late, vec![old], &facts());
        assert_eq!((head(&plan.cluster), edits(&plan)), (vec!["1".to_owned()], 0));
        late = plan.cluster;
    }
    assert_eq!(late.records[&invoice()].doubted(), Some(moment(950)));
    assert!(!updates(&late).contains_key(&order()));
    // WHEN it is seen at last, no doubt is left
    let new = read_at(9_001, seen(&invoice(), 20, of_invoice("1")));
    let plan = reconcile(&flows, late, vec![new], &facts());
    assert!(plan.cluster.records[&invoice()].unconfirmed.is_empty());
    // and what a person sets back then is an edit
    let back = read_at(9_002, seen(&invoice(), 21, of_invoice("0")));
    let plan = reconcile(&flows, plan.cluster, vec![back], &facts());
    assert_eq!(head(&plan.cluster), ["0"]);
}

#[test]
fn e6_a_blank_that_a_system_does_not_show_at_all_is_the_state_before_our_write_too() {
    let flows = star(Policies::default());
    // GIVEN a record without a value, of which its system shows no such property
    let both = vec![undescribed(2), seen(&order(), 2, of_order(""))];
    let cluster = reconcile(&flows, at_rest(&flows), both, &facts()).cluster;
    let cluster = written(&flows, cluster, None).cluster;
    assert_eq!(head(&cluster), ["1"]);
    // WHEN it is read as it was, after the answer
    let plan = reconcile(&flows, cluster, vec![read_at(960, undescribed(2))], &facts());
    // THEN nobody blanked it
    assert_eq!((head(&plan.cluster), edits(&plan)), (vec!["1".to_owned()], 0));
    assert_eq!(plan.cluster.records[&invoice()].doubted(), Some(moment(950)));
    // A later version without it is an edit.
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![read_at(970, undescribed(30))],
        &facts(),
    );
    assert_eq!(head(&plan.cluster), [""]);
}

#[test]
fn e6_of_two_versions_of_one_moment_the_one_before_our_write_is_known_by_its_token() {
    // GIVEN a system without an order of versions, whose answer shows the state, written within one second
    let flows = star(Policies::default());
    let cluster = at_rest_unordered(&flows, "a", 900);
    let answer = unordered("b", 900, seen(&invoice(), 1, of_invoice("1")));
    let cluster = written(&flows, cluster, Some(answer.clone())).cluster;
    // WHEN reads show new, old, new
    let old = unordered("a", 900, seen(&invoice(), 1, of_invoice("0")));
    let shown = vec![
        read_at(960, answer.clone()),
        read_at(961, old),
        read_at(962, answer),
    ];
    let plan = reconcile(&flows, cluster, shown, &facts());
    // THEN nothing goes back
    assert_eq!((head(&plan.cluster), edits(&plan)), (vec!["1".to_owned()], 0));
    // A third state of that moment is a person's edit.
    let edited = unordered("c", 900, seen(&invoice(), 1, of_invoice("0")));
    let plan = reconcile(&flows, plan.cluster, vec![read_at(970, edited)], &facts());
    assert_eq!(head(&plan.cluster), ["0"]);
}

#[test]
fn e6_the_state_before_the_first_of_two_writes_is_no_edit_back_either() {
    let flows = star(Policies::default());
    let cluster = at_rest_unordered(&flows, "a", 900);
    let answer = unordered("b", 900, seen(&invoice(), 1, of_invoice("1")));
    let cluster = written(&flows, cluster, Some(answer)).cluster;
    let again = seen(&order(), 11, of_order("2"));
    let cluster = sent(reconcile(&flows, cluster, vec![again], &facts()));
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let answer = Settlement::Applied {
        id: "i".to_owned(),
        state: Some(unordered("c", 900, seen(&invoice(), 1, of_invoice("2")))),
        at: moment(955),
    };
    let cluster = settle(&flows, cluster, Vec::new(), vec![(id, answer)], &facts()).cluster;
    for (token, text) in [("a", "0"), ("b", "1")] {
        let old = unordered(token, 900, seen(&invoice(), 1, of_invoice(text)));
        let plan = reconcile(&flows, cluster.clone(), vec![read_at(960, old)], &facts());
        assert_eq!(head(&plan.cluster), ["2"], "{token}");
        assert_eq!(
            plan.cluster.records[&invoice()].doubted(),
            Some(moment(955)),
            "{token}"
        );
    }
}

#[test]
fn e6_a_record_that_we_made_and_that_is_not_shown_yet_is_not_out_of_sight() {
    let flows = star(Policies::default());
    let made = made(&flows);
    let missing = Observation {
        presence: Presence::Missing,
        version: None,
        ..read_at(960, gone(&sales_order(), 0))
    };
    let plan = reconcile(&flows, made.clone(), vec![missing.clone()], &facts());
    let record = &plan.cluster.records[&sales_order()];
    assert!(record.alive() && record.doubted().is_some());
    // A read by id after the commit delay decides.
    let still = read_at(9_000, missing);
    let plan = reconcile_confirmed(&flows, plan.cluster, Vec::new(), vec![still], &facts());
    let record = &plan.cluster.records[&sales_order()];
    assert_eq!(record.shadow.presence, Presence::Missing);
    assert!(record.unconfirmed.is_empty());
}

/// The order and the invoice, whose sales order we made just now.
fn made(flows: &Dataflow) -> Cluster {
    let both = vec![
        seen(&order(), 1, of_order("0")),
        seen(&invoice(), 1, of_invoice("0")),
    ];
    let cluster = sent(reconcile(flows, Cluster::default(), both, &facts()));
    let id = creates(&cluster)[0].id;
    settle(flows, cluster, Vec::new(), vec![(id, applied("s"))], &facts()).cluster
}

fn propagating() -> Dataflow {
    star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    })
}

#[test]
fn e6_a_read_that_shows_a_record_alive_at_the_version_of_its_deletion_does_not_bring_it_back() {
    let flows = propagating();
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&sales_order(), 20)], &facts());
    let intent = plan.cluster.records[&order()].intent.clone();
    assert!(intent.is_some());
    let alive = read_at(9_000, seen(&sales_order(), 20, values(&[("Reference", "7")])));
    let plan = reconcile(&flows, plan.cluster, vec![alive.clone()], &facts());
    assert!(plan.cluster.records[&sales_order()].is_deleted());
    assert_eq!(plan.cluster.records[&order()].intent, intent);
    // A later version does: it was undeleted.
    let undeleted = read_at(9_001, seen(&sales_order(), 21, alive.values));
    let plan = reconcile(&flows, plan.cluster, vec![undeleted], &facts());
    assert!(plan.cluster.records[&sales_order()].alive());
    // And the deletion read late once more is older than that.
    let late = read_at(9_002, gone(&sales_order(), 20));
    let plan = reconcile(&flows, plan.cluster, vec![late], &facts());
    assert!(plan.cluster.records[&sales_order()].alive());
}

#[test]
fn e13_a_deletion_that_was_accepted_and_not_carried_out_is_told() {
    let flows = propagating();
    let cluster = sent(reconcile(
        &flows,
        at_rest(&flows),
        vec![gone(&sales_order(), 20)],
        &facts(),
    ));
    let id = cluster.records[&order()].intent.as_ref().unwrap().id;
    let cluster = settle(&flows, cluster, Vec::new(), vec![(id, applied("1"))], &facts()).cluster;
    // Late, it is dropped; once the delay has passed, it counts.
    let still = read_at(9_000, seen(&order(), 1, of_order("0")));
    let plan = reconcile(&flows, cluster, vec![still.clone()], &facts());
    assert!(plan.cluster.records[&order()].is_deleted());
    let plan = reconcile_confirmed(&flows, plan.cluster, Vec::new(), vec![still], &facts());
    let record = &plan.cluster.records[&order()];
    assert!(record.alive());
    let held = record.held.values().next().unwrap();
    assert_eq!(held.kind, ParkedKind::Rewritten, "{held:?}");
    assert!(plan.cluster.creates.is_empty() && record.intent.is_none());
}

/// What a property of the invoice is parked with, and the head.
fn parked(plan: &Plan) -> (ParkedKind, String, Vec<String>) {
    let parked = &plan.cluster.records[&invoice()].parked["Description"];
    (parked.kind, parked.reason.clone(), head(&plan.cluster))
}

/// Nothing is written as long as nothing changes; the next edit is carried again, and so is another try where the value
/// did not come to stand.
fn stays_and_is_carried_again(flows: &Dataflow, cluster: &Cluster, ignored: bool) {
    let plan = reconcile(flows, cluster.clone(), Vec::new(), &facts());
    assert_eq!(&plan.cluster, cluster);
    assert!(!updates(cluster).contains_key(&invoice()));
    let next = seen(&order(), 12, of_order("2"));
    let plan = reconcile(flows, cluster.clone(), vec![next], &facts());
    assert_eq!(updates(&plan.cluster)[&invoice()]["Description"], "2");
    let mut again = cluster.clone();
    again.records.get_mut(&invoice()).unwrap().parked.clear();
    let plan = reconcile(flows, again, Vec::new(), &facts());
    assert_eq!(updates(&plan.cluster).contains_key(&invoice()), ignored);
}

#[test]
fn e13_an_answer_that_shows_another_value_than_was_written_parks_the_property() {
    let flows = star(Policies::default());
    for (text, shows) in [("0", "`0`"), ("ONE", "`ONE`"), ("", "nothing")] {
        let answer = seen(&invoice(), 2, of_invoice(text));
        let plan = written(&flows, at_rest(&flows), Some(answer));
        let (kind, reason, head) = parked(&plan);
        assert_eq!(
            (kind, head),
            (ParkedKind::Rewritten, vec!["1".to_owned()]),
            "{text}"
        );
        assert!(reason.ends_with(&format!("but it shows {shows}")), "{reason}");
        assert_eq!(edits(&plan), 0);
        stays_and_is_carried_again(&flows, &plan.cluster, text != "ONE");
    }
}

#[test]
fn e13_a_value_that_is_not_shown_at_all_was_not_kept() {
    let flows = star(Policies::default());
    // GIVEN a property that was blank, of which its system shows nothing
    let blank = || {
        let both = vec![undescribed(2), seen(&order(), 2, of_order(""))];
        reconcile(&flows, at_rest(&flows), both, &facts()).cluster
    };
    // WHEN the answer, or the first state seen since, shows nothing of what was written
    let answered = written(&flows, blank(), Some(undescribed(3)));
    let later = written(&flows, blank(), None).cluster;
    let later = reconcile(&flows, later, vec![read_at(960, undescribed(3))], &facts());
    // THEN it is parked, and nobody's edit
    for plan in [answered, later] {
        let (kind, reason, head) = parked(&plan);
        assert_eq!((kind, head), (ParkedKind::Rewritten, vec!["1".to_owned()]));
        assert!(reason.ends_with("but it shows nothing"), "{reason}");
        assert_eq!(edits(&plan), 0);
    }
    // What is shown in part tells nothing.
    let partial = Observation {
        partial: true,
        ..undescribed(3)
    };
    let plan = written(&flows, blank(), Some(partial));
    assert!(plan.cluster.records[&invoice()].parked.is_empty());
}

#[test]
fn e18_what_puts_a_record_out_of_use_reaches_its_other_counterparts_and_is_nobodys_edit() {
    let mut flows = star(Policies {
        on_delete: [DeletePolicy::Deactivate; 2],
        ..Policies::default()
    });
    for flow in &mut flows.flows {
        flow.ends[0].deactivate = Some(("description".to_owned(), "no".into()));
    }
    // GIVEN an order whose sales order is deleted, and that is put out of use by a property that its invoice shares
    let deleted = vec![gone(&sales_order(), 20)];
    let cluster = sent(reconcile(&flows, at_rest(&flows), deleted, &facts()));
    let intent = cluster.records[&order()].intent.as_ref().unwrap();
    assert_eq!(intent.values["description"].value, "no".into());
    let shown = Observation {
        read_began: moment(960),
        ..seen(&order(), 20, of_order("no"))
    };
    // WHEN the answer came, or was lost and a read shows it
    let read = Settlement::Read {
        state: shown,
        unknown: true,
    };
    for answer in [applied("1"), read] {
        let plan = settle(
            &flows,
            cluster.clone(),
            Vec::new(),
            vec![(intent.id, answer)],
            &facts(),
        );
        // THEN the invoice gets it, nobody edited anything, and nobody is asked
        assert_eq!(updates(&plan.cluster)[&invoice()]["Description"], "no");
        assert_eq!((head(&plan.cluster), edits(&plan)), (vec!["no".to_owned()], 0));
        assert!(plan.cluster.questions.is_empty());
        assert!(plan.cluster.records.values().all(|record| record.held.is_empty()));
        assert!(plan.cluster.links.iter().all(|link| link.flow != "order-order"));
    }
}

#[test]
fn e13_a_form_of_the_value_that_the_flow_knows_is_in_step() {
    let flows = star(Policies::default());
    let answer = seen(&invoice(), 2, of_invoice("1 "));
    let plan = written(&flows, at_rest(&flows), Some(answer));
    assert!(
        plan.cluster.records[&invoice()].parked.is_empty(),
        "texts are trimmed"
    );
}

#[test]
fn e13_the_state_that_our_write_made_with_another_value_parks_the_property() {
    let flows = star(Policies::default());
    for text in ["0", "ONE"] {
        // The next in the system's own count.
        let cluster = written(&flows, at_rest(&flows), None).cluster;
        let next = read_at(960, seen(&invoice(), 2, of_invoice(text)));
        let plan = reconcile(&flows, cluster, vec![next], &facts());
        let (kind, _, head) = parked(&plan);
        assert_eq!(
            (kind, head),
            (ParkedKind::Rewritten, vec!["1".to_owned()]),
            "{text}"
        );
        stays_and_is_carried_again(&flows, &plan.cluster, text == "0");
    }
}

/// What is made of a value seen after our write, in a state of this author and moment.
fn seen_by(author: Option<&str>, modified: i64) -> Plan {
    let mut flows = star(Policies::default());
    flows.ourselves = BTreeMap::from([("sf".to_owned(), "Tandem".to_owned())]);
    let cluster = at_rest_unordered(&flows, "a", 1);
    let cluster = written(&flows, cluster, None).cluster;
    let state = unordered("b", modified, seen(&invoice(), 1, of_invoice("0")));
    let state = Observation {
        author: author.map(str::to_owned),
        ..read_at(990, state)
    };
    reconcile(&flows, cluster, vec![state], &facts())
}

#[test]
fn e13_a_state_by_our_own_user_no_later_than_our_write_is_its_own() {
    let (kind, ..) = parked(&seen_by(Some("Tandem"), 949));
    assert_eq!(kind, ParkedKind::Rewritten);
    for (author, modified) in [(Some("Alice"), 949), (None, 949), (Some("Tandem"), 980)] {
        let plan = seen_by(author, modified);
        assert_eq!(head(&plan.cluster), ["0"], "an edit: {author:?} {modified}");
    }
}

#[test]
fn e13_what_a_read_by_id_after_the_commit_delay_shows_unchanged_was_accepted_and_ignored() {
    let flows = star(Policies::default());
    let cluster = written(&flows, at_rest(&flows), None).cluster;
    let old = |second| read_at(second, seen(&invoice(), 1, of_invoice("0")));
    let cluster = reconcile(&flows, cluster, vec![old(960)], &facts()).cluster;
    let plan = reconcile_confirmed(&flows, cluster.clone(), Vec::new(), vec![old(9_000)], &facts());
    let (kind, reason, head) = parked(&plan);
    assert_eq!((kind, head), (ParkedKind::Rewritten, vec!["1".to_owned()]));
    assert!(reason.contains("accepted"), "{reason}");
    assert!(plan.cluster.records[&invoice()].doubted().is_none());
    stays_and_is_carried_again(&flows, &plan.cluster, true);
    // One that shows what was written ends the doubt.
    let new = read_at(9_000, seen(&invoice(), 2, of_invoice("1")));
    let plan = reconcile_confirmed(&flows, cluster, Vec::new(), vec![new], &facts());
    let record = &plan.cluster.records[&invoice()];
    assert!(record.unconfirmed.is_empty() && record.parked.is_empty());
}

#[test]
fn e5_a_write_that_was_ignored_is_owed_still_where_another_one_came_before_it() {
    // GIVEN two writes of which no read has shown anything
    let mut flows = star(Policies::default());
    flows.ourselves = BTreeMap::from([("sf".to_owned(), "Tandem".to_owned())]);
    let cluster = written(&flows, at_rest_unordered(&flows, "a", 1), None).cluster;
    let again = seen(&order(), 11, of_order("2"));
    let cluster = sent(reconcile(&flows, cluster, vec![again], &facts()));
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let cluster = settle(&flows, cluster, Vec::new(), vec![(id, applied("i"))], &facts()).cluster;
    // WHEN the first state seen is the second one's, and holds what the first one wrote
    let state = unordered("c", 951, seen(&invoice(), 1, of_invoice("1")));
    let state = Observation {
        author: Some("Tandem".to_owned()),
        ..read_at(990, state)
    };
    let plan = reconcile(&flows, cluster, vec![state], &facts());
    let (kind, _, of_head) = parked(&plan);
    assert_eq!((kind, of_head), (ParkedKind::Rewritten, vec!["2".to_owned()]));
    // THEN what is typed over that had not seen the value that was ignored
    let typed = unordered("d", 991, seen(&invoice(), 1, of_invoice("3")));
    let plan = reconcile(&flows, plan.cluster, vec![read_at(995, typed)], &facts());
    let conflict = |what: &EventKind| matches!(what, EventKind::Conflict { .. });
    assert!(
        plan.history.iter().any(|event| conflict(&event.what)),
        "{:#?}",
        plan.history
    );
}

#[test]
fn e5_what_an_answer_does_not_show_beside_what_was_written_stands_until_a_look() {
    let flows = star(Policies::default());
    // GIVEN an answer that shows nothing of the number, which nobody wrote: it may be hidden by now
    let mut shown = of_invoice("1");
    shown.remove("Number");
    let answer = seen(&invoice(), 2, shown.clone());
    let cluster = written(&flows, at_rest(&flows), Some(answer)).cluster;
    let number = |cluster: &Cluster| cluster.records[&invoice()].value("Number").clone();
    assert_eq!(number(&cluster), "7".into());
    assert!(cluster.records[&order()].intent.is_none());
    // A look tells.
    let look = read_at(9_000, seen(&invoice(), 2, shown));
    let plan = reconcile(&flows, cluster, vec![look], &facts());
    assert!(number(&plan.cluster).is_blank());
}

#[test]
fn e13_what_a_create_made_with_another_value_is_parked_and_no_edit() {
    let flows = star(Policies::default());
    let made = made(&flows);
    let key: RecordKey = sales_order();
    let mut shown: Values = made.records[&key].shadow.values.clone();
    shown.insert("Description".to_owned(), tandem_merge::value::Value::from("cut"));
    let state = Observation {
        created: Some(moment(940)),
        ..unordered("a", 940, read_at(960, seen(&key, 1, shown)))
    };
    let plan = reconcile(&flows, made, vec![state], &facts());
    let parked = &plan.cluster.records[&key].parked["Description"];
    assert_eq!(parked.kind, ParkedKind::Rewritten);
    assert_eq!(head(&plan.cluster), ["0"]);
}

#[test]
fn e6_the_state_before_our_write_is_told_by_its_systems_own_clock() {
    // GIVEN a system whose clock is a minute ahead, and a write whose answer named no version, at 950 by our clock
    let mut flows = star(Policies::default());
    let ahead = jiff::SignedDuration::from_mins(1);
    flows.clocks_ahead.insert("sf".to_owned(), ahead);
    let mut known = at_rest_unordered(&flows, "a", 955);
    let version = known.records.get_mut(&invoice()).unwrap().shadow.version.as_mut();
    version.unwrap().firm = false;
    let cluster = written(&flows, known, None).cluster;
    let before = |token, modified| {
        unordered(
            token,
            modified,
            read_at(960, seen(&invoice(), 1, of_invoice("0"))),
        )
    };
    for (token, modified, late) in [("a", 955, true), ("b", 1_005, true), ("b", 1_015, false)] {
        let seen = vec![before(token, modified)];
        let plan = reconcile(&flows, cluster.clone(), seen, &facts());
        let doubted = plan.cluster.records[&invoice()].doubted().is_some();
        assert_eq!(doubted, late, "{token} {modified}");
    }
}

#[test]
fn e20_a_value_that_a_record_is_owed_by_one_out_of_sight_is_told() {
    // GIVEN an edit of an order that its invoice was not given yet
    let flows = star(Policies::default());
    let edited = seen(&order(), 10, of_order("1"));
    let cluster = reconcile(&flows, at_rest(&flows), vec![edited], &facts()).cluster;
    assert!(cluster.records[&invoice()].intent.is_some());
    // WHEN the order is there no more, and nothing says that it was deleted
    let missing = Observation {
        presence: Presence::Missing,
        version: None,
        ..read_at(960, gone(&order(), 0))
    };
    let plan = reconcile(&flows, cluster, vec![missing], &facts());
    // THEN the link is listed, and so is what the invoice waits for
    let record = &plan.cluster.records[&invoice()];
    assert_eq!(record.held["order-invoice"].kind, ParkedKind::OutOfSight);
    let parked = &record.parked["Description"];
    assert_eq!(parked.kind, ParkedKind::OutOfSight);
    assert!(parked.reason.contains("is owed a value"), "{}", parked.reason);
    // and it arrives once the order is shown again
    let again = read_at(970, seen(&order(), 10, of_order("1")));
    let plan = reconcile(&flows, plan.cluster, vec![again], &facts());
    let record = &plan.cluster.records[&invoice()];
    assert!(record.parked.is_empty() && record.held.is_empty());
    assert_eq!(
        record.intent.as_ref().unwrap().values["Description"].value,
        "1".into()
    );
}

#[test]
fn e17_a_write_to_a_new_record_that_its_system_does_not_know_is_not_sent_again() {
    let flows = star(Policies::default());
    // GIVEN a record that we made and nobody saw yet, and a write to it
    let made = made(&flows);
    let edited = reconcile(&flows, made, vec![seen(&order(), 10, of_order("1"))], &facts());
    let cluster = sent(edited);
    let id = cluster.records[&sales_order()].intent.as_ref().unwrap().id;
    let missing = Observation {
        presence: Presence::Missing,
        version: None,
        ..read_at(970, gone(&sales_order(), 0))
    };
    // A look alone may show it late.
    let plan = reconcile(&flows, cluster.clone(), vec![missing.clone()], &facts());
    assert!(plan.cluster.records[&sales_order()].alive());
    // WHEN the write is answered that there is no such record, and a look does not find it either
    let read = Settlement::Read {
        state: missing,
        unknown: false,
    };
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, read)], &facts());
    // THEN it is out of sight, which is told, and nothing is written to it
    let record = &plan.cluster.records[&sales_order()];
    assert_eq!(record.shadow.presence, Presence::Missing);
    assert!(record.intent.is_none());
    let told = &plan.cluster.records[&order()].held["order-order"];
    assert_eq!(told.kind, ParkedKind::OutOfSight);
}

#[test]
fn e20_what_a_new_record_owes_or_is_owed_waits_for_a_source_that_vanished_before_it_was_seen() {
    let flows = star(Policies::default());
    let missing = Observation {
        presence: Presence::Missing,
        version: None,
        ..read_at(960, gone(&order(), 0))
    };
    let due = |mut values: Values| {
        values.insert("due".to_owned(), "1 May".into());
        values
    };
    let vanished = |edit: Vec<Observation>, invoice_shows: &[(&str, &str)]| {
        // GIVEN an invoice that was created for an order, which may have been edited since
        let first = vec![seen(
            &order(),
            1,
            values(&[("number", "7"), ("description", "0")]),
        )];
        let cluster = sent(reconcile(&flows, Cluster::default(), first, &facts()));
        let made = creates(&cluster).into_iter().find(
            |it| matches!(&it.action, Action::Create { target, .. } if *target == invoice().record_type),
        );
        let id = made.unwrap().id;
        // WHEN nobody sees the order any more before anybody looks at the invoice
        let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("i"))], &facts());
        let cluster = edit.into_iter().fold(plan.cluster, |cluster, edit| {
            reconcile(&flows, cluster, vec![edit], &facts()).cluster
        });
        let plan = reconcile(&flows, cluster, vec![missing.clone()], &facts());
        let mut shown = of_invoice("0");
        shown.extend(values(invoice_shows));
        let looked = Observation {
            created: Some(moment(940)),
            ..read_at(970, seen(&invoice(), 950, shown))
        };
        let plan = reconcile(&flows, plan.cluster, vec![looked], &facts());
        let record = plan.cluster.records[&invoice()].clone();
        assert_eq!(record.held["order-invoice"].kind, ParkedKind::OutOfSight);
        record.parked.get("Due").map(|parked| parked.reason.clone())
    };
    // THEN somebody is told of what was typed in the one and of what the other was given
    assert_eq!(vanished(Vec::new(), &[]), None);
    let typed = vanished(Vec::new(), &[("Due", "2 May")]).unwrap();
    assert!(typed.contains("was edited, and waits"), "{typed}");
    let edit = seen(
        &order(),
        10,
        due(values(&[("number", "7"), ("description", "0")])),
    );
    let owed = vanished(vec![edit], &[]).unwrap();
    assert!(owed.contains("is owed a value"), "{owed}");
}
