//! Whether a read shows the state before a write of ours (late sight), told by version, values and moments alone.

use crate::members::moment;
use crate::plan_laws::{
    applied, at_rest, facts, gone, invoice, of_invoice, of_order, order, sales_order, seen, sent, updates,
    values,
};
use crate::star::flows::{Policies, star};
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Cluster, Deed, ParkedKind, Planned, Unconfirmed};
use tandem_merge::facts::Facts;
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{Settlement, reconcile, settle};
use tandem_merge::record::{Observation, Presence, Version};

/// A version of a system without an order of them.
fn version(token: &str, modified: i64, firm: bool) -> Option<Version> {
    Some(Version {
        token: token.to_owned(),
        order: None,
        modified: moment(modified),
        firm,
        coarse: jiff::SignedDuration::ZERO,
    })
}

/// A write of the description "1" over "0", answered at 950.
fn write(deed: Deed, version: Option<Version>) -> Unconfirmed {
    let wrote = |name: &str, value: &str| {
        let value = value.into();
        (
            name.to_owned(),
            Planned {
                epoch: 1,
                ..Planned::own(value)
            },
        )
    };
    Unconfirmed {
        deed,
        version,
        before: values(&[("Description", "0")]),
        wrote: BTreeMap::from([wrote("Description", "1")]),
        at: moment(950),
        there: None,
        unshown: std::collections::BTreeSet::new(),
        doubted: false,
    }
}

/// What was read at 960.
fn read(version: Option<Version>, description: &str) -> Observation {
    Observation {
        version,
        read_began: moment(960),
        ..seen(&invoice(), 1, of_invoice(description))
    }
}

#[test]
fn e6_the_state_before_our_write_is_told_by_its_version() {
    let known = |firm| version("a", 900, firm);
    let rows = [
        // A version that counts: nothing but itself.
        (known(true), version("a", 900, true), true),
        (known(true), version("b", 900, true), false),
        (known(true), version("b", 940, true), false),
        (known(true), version("b", 899, true), false),
        (known(true), None, false),
        // One that an answer did not name: any from there on that stood before our answer.
        (known(false), version("a", 900, true), true),
        (known(false), version("b", 900, true), true),
        (known(false), version("b", 950, true), true),
        (known(false), version("b", 951, true), false),
        (known(false), version("b", 899, true), false),
        (known(false), None, false),
        // A system that shows none.
        (None, None, true),
        // No read had shown what it was computed from, a create of ours: whatever stood before our answer.
        (None, version("a", 900, true), true),
        (None, version("a", 950, true), true),
        (None, version("a", 951, true), false),
    ];
    for deed in [Deed::Update, Deed::Delete] {
        for (before, shown, expected) in &rows {
            let found = write(deed, before.clone()).is_before(&read(shown.clone(), "0"));
            assert_eq!(found, *expected, "{deed:?} {before:?} {shown:?}");
        }
    }
}

#[test]
fn e6_only_what_was_read_after_the_answer_can_be_late() {
    let write = write(Deed::Update, version("a", 900, true));
    let at = |second| Observation {
        read_began: moment(second),
        ..read(version("a", 900, true), "0")
    };
    // What began no later is older by the fence already.
    assert!(!write.is_before(&at(949)) && !write.is_before(&at(950)));
    assert!(write.is_before(&at(951)));
    // A deletion is a state of its own, however it is read.
    let deleted = Observation {
        version: version("a", 900, true),
        read_began: moment(960),
        ..gone(&invoice(), 1)
    };
    assert!(!write.is_before(&deleted));
}

#[test]
fn e6_the_state_before_our_write_is_told_by_the_values_that_it_changed() {
    let shows = |write: &Unconfirmed, pairs: &[(&str, &str)], partial| {
        let seen = Observation {
            values: values(pairs),
            partial,
            ..read(version("a", 900, true), "0")
        };
        write.is_before(&seen)
    };
    let of = |before: &str, wrote: &str| {
        let mut write = write(Deed::Update, version("a", 900, true));
        write.before = values(&[("Description", before)]);
        write.wrote.get_mut("Description").unwrap().value = wrote.into();
        write
    };
    let write = of("0", "1");
    assert!(shows(&write, &[("Description", "0")], false));
    assert!(!shows(&write, &[("Description", "1")], false), "what we wrote");
    assert!(!shows(&write, &[("Description", "2")], false), "a third value");
    assert!(!shows(&write, &[("Due", "0")], false), "out of sight");
    // Where nothing stood before, a system may show nothing of it; a read of a part tells nothing.
    let write = of("", "1");
    assert!(shows(&write, &[], false) && shows(&write, &[("Description", "")], false));
    assert!(!shows(&write, &[], true));
    // What was written as it stood tells nothing of when it was read.
    for same in ["", "0"] {
        let write = of(same, same);
        assert!(!shows(&write, &[], false) && !shows(&write, &[("Description", same)], false));
    }
    // Of two, both must stand as they stood, and one of them must have changed.
    let mut write = of("0", "1");
    write.before.insert("Due".to_owned(), "x".into());
    let due = |value: &str| Planned {
        epoch: 1,
        ..Planned::own(value.into())
    };
    write.wrote.insert("Due".to_owned(), due("x"));
    assert!(shows(&write, &[("Description", "0"), ("Due", "x")], false));
    assert!(!shows(&write, &[("Description", "0"), ("Due", "y")], false));
}

#[test]
fn e6_the_state_before_our_write_is_told_also_where_its_system_made_another_value_of_the_one_before() {
    // GIVEN two writes of an invoice, the second of the description that the first one had left and no read has shown
    let flows = star(Policies::default());
    let of = |description: &str, due: &str| {
        let mut values = of_order(description);
        values.insert("due".to_owned(), due.into());
        values
    };
    let write = |cluster: Cluster, edited: Observation, at: i64| {
        let cluster = sent(reconcile(&flows, cluster, vec![edited], &facts()));
        let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
        let applied = Settlement::Applied {
            id: invoice().id,
            state: None,
            at: moment(at),
        };
        settle(&flows, cluster, Vec::new(), vec![(id, applied)], &facts()).cluster
    };
    let cluster = write(at_rest(&flows), seen(&order(), 10, of("1", "")), 930);
    let cluster = write(cluster, seen(&order(), 20, of("2", "x")), 950);
    // WHEN a read shows the state between them, as the system had made it
    let between = |description: &str, due: &str| {
        let mut values = of_invoice(description);
        values.insert("Due".to_owned(), due.into());
        Observation {
            version: version("b", 940, true),
            read_began: moment(960),
            ..seen(&invoice(), 2, values)
        }
    };
    let plan = reconcile(&flows, cluster.clone(), vec![between("1!", "")], &facts());
    // THEN nothing follows from it
    let record = &plan.cluster.records[&invoice()];
    assert_eq!(record.shadow, cluster.records[&invoice()].shadow);
    assert!(record.unconfirmed.iter().any(|write| write.doubted));
    assert!(!updates(&plan.cluster).contains_key(&order()));
    // and what shows anything that was written is behind the write.
    for (description, due) in [("2", ""), ("1!", "x")] {
        let plan = reconcile(&flows, cluster.clone(), vec![between(description, due)], &facts());
        let record = &plan.cluster.records[&invoice()];
        assert_ne!(
            record.shadow,
            cluster.records[&invoice()].shadow,
            "{description} {due}"
        );
    }
}

#[test]
fn e5_what_an_answer_that_shows_less_says_nothing_of_is_judged_by_the_next_look() {
    // GIVEN a write of an invoice's description that does not come to stand, and an answer that shows neither that nor
    // another property that the invoice has
    let flows = star(Policies::default());
    let edited = seen(&order(), 10, of_order("1"));
    let blank = seen(&invoice(), 1, of_invoice(""));
    let cluster = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 5, of_order(""))],
        &facts(),
    )
    .cluster;
    let cluster = reconcile(
        &flows,
        cluster,
        vec![Observation {
            version: seen(&invoice(), 2, values(&[])).version,
            ..blank
        }],
        &facts(),
    )
    .cluster;
    let cluster = sent(reconcile(&flows, cluster, vec![edited], &facts()));
    let id = cluster.records[&invoice()].intent.as_ref().unwrap().id;
    let answer = Settlement::Applied {
        id: invoice().id,
        state: Some(seen(&invoice(), 3, values(&[("Ext", "Order:1")]))),
        at: moment(950),
    };
    // What is known to be out of sight says nothing of the rest: it is judged at once.
    let mut hidden = flows.clone();
    let of = (invoice().record_type, "Number".to_owned());
    hidden.out_of_sight.insert(of);
    let answered = vec![(id, answer.clone())];
    let plan = settle(&hidden, cluster.clone(), Vec::new(), answered, &facts());
    let record = &plan.cluster.records[&invoice()];
    assert_eq!(record.parked["Description"].kind, ParkedKind::Rewritten);
    assert!(record.value("Description").is_blank());
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, answer)], &facts());
    assert!(plan.cluster.records[&invoice()].parked.is_empty());
    // WHEN a look shows all of it
    let look = Observation {
        read_began: moment(960),
        ..seen(&invoice(), 3, of_invoice(""))
    };
    let plan = reconcile(&flows, plan.cluster, vec![look], &facts());
    // THEN a person is told that it was not kept, and it is nobody's edit
    let parked = &plan.cluster.records[&invoice()].parked["Description"];
    assert_eq!(parked.kind, ParkedKind::Rewritten, "{parked:?}");
    assert!(!updates(&plan.cluster).contains_key(&order()));
}

/// The star's order after the create of its counterpart lost its answer and was found: whether what it shows is held
/// against that create, and whether the other value of it was parked for that.
fn found(shown: Observation) -> (bool, bool) {
    let state = Settlement::FoundOwn { state: shown };
    created(None, state)
}

/// The same of a create that is settled so, where what it made was shown before or not.
fn created(before: Option<Observation>, settlement: Settlement) -> (bool, bool) {
    let flows = star(Policies::default());
    let pairs = [("number", "7"), ("description", "1")];
    let plan = reconcile(
        &flows,
        Cluster::default(),
        vec![seen(&order(), 1, values(&pairs))],
        &facts(),
    );
    let cluster = sent(plan);
    let is = |action: &Action| matches!(action, Action::Create { flow, .. } if flow == "order-order");
    let create = cluster.creates.iter().find(|intent| is(&intent.action));
    let id = create.unwrap().id;
    let cluster = reconcile(&flows, cluster, before.into_iter().collect(), &facts()).cluster;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, settlement)], &facts());
    let record = &plan.cluster.records[&sales_order()];
    assert_eq!(record.shadow.presence, Presence::Alive);
    let parked = record.parked.get("Description").map(|parked| parked.kind);
    (
        !record.unconfirmed.is_empty(),
        parked == Some(ParkedKind::Rewritten),
    )
}

#[test]
fn e13_what_is_found_of_a_create_is_our_own_work_only_where_its_system_tells_that_nobody_changed_it_since() {
    let pairs = [("Reference", "7"), ("Description", "cut"), ("Ext", "Order:1")];
    let shown = |order: Option<i64>, modified: i64, created: Option<i64>| {
        let version = version("v", modified, true).map(|version| Version { order, ..version });
        Observation {
            version,
            created: created.map(moment),
            read_began: moment(960),
            ..seen(&sales_order(), 1, values(&pairs))
        }
    };
    // Made and never changed since, by a version that counts
    assert_eq!(found(shown(Some(1), 940, Some(940))), (true, true));
    // Changed since, or by a version that does not tell, or without a moment to compare with
    for (order, modified, created) in [
        (Some(2), 941, Some(940)),
        (Some(1), 940, None),
        (None, 940, Some(940)),
    ] {
        assert_eq!(
            found(shown(order, modified, created)),
            (false, false),
            "{order:?} {modified} {created:?}"
        );
    }
    let unversioned = Observation {
        version: None,
        ..shown(Some(1), 940, None)
    };
    assert_eq!(found(unversioned), (false, false));
}

#[test]
fn e5_what_a_create_did_not_leave_is_no_edit_though_its_record_was_seen_before_it_was_settled() {
    let pairs = [("Reference", "7"), ("Ext", "Order:1")];
    let shown = |counted: i64, read_began: i64| Observation {
        created: Some(moment(940)),
        version: version("v", 939 + counted, true).map(|version| Version {
            order: Some(counted),
            ..version
        }),
        read_began: moment(read_began),
        ..seen(&sales_order(), 1, values(&pairs))
    };
    let found = |counted| Settlement::FoundOwn {
        state: shown(counted, 960),
    };
    let parked = (true, true);
    assert_eq!(created(None, found(1)), parked);
    assert_eq!(created(Some(shown(1, 945)), found(1)), parked);
    assert_eq!(created(Some(shown(1, 945)), applied("s")), parked);
    // What was changed since may be somebody's edit.
    for settlement in [found(2), applied("s")] {
        assert_eq!(created(Some(shown(2, 945)), settlement), (false, false));
    }
}

#[test]
fn e3_a_record_keeps_the_identity_by_which_it_was_found_as_long_as_its_create_may_arrive_once_more() {
    // GIVEN a sales order whose create got no answer, found at 960, that shows an identity that its link does not want
    let mut flows = star(Policies::default());
    let minute = jiff::SignedDuration::from_secs(60);
    flows.request_deadlines.insert("sf".to_owned(), minute);
    let at = |second| Facts {
        now: moment(second),
        ..facts()
    };
    let new = seen(&order(), 1, values(&[("number", "7"), ("description", "1")]));
    let mut cluster = sent(reconcile(&flows, Cluster::default(), vec![new], &at(950)));
    let is = |action: &Action| matches!(action, Action::Create { flow, .. } if flow == "order-order");
    let create = cluster
        .creates
        .iter_mut()
        .find(|intent| is(&intent.action))
        .unwrap();
    create.unknown = true;
    let id = create.id;
    let pairs = [("Reference", "7"), ("Description", "1"), ("Ext", "Order:9")];
    let state = Observation {
        read_began: moment(960),
        ..seen(&sales_order(), 1, values(&pairs))
    };
    // WHEN it is decided while the request may arrive once more, and when it may not
    let found = vec![(id, Settlement::FoundOwn { state })];
    let plan = settle(&flows, cluster, Vec::new(), found, &at(960));
    let over = reconcile(&flows, plan.cluster.clone(), Vec::new(), &at(1_020));
    // THEN its identity is written then, and not before
    let written = |plan: &Plan| {
        let update = updates(&plan.cluster).remove(&sales_order());
        update.is_some_and(|values| values.contains_key("Ext"))
    };
    assert!(!written(&plan), "{:?}", updates(&plan.cluster));
    assert_eq!(plan.waits.later.get(&sales_order()), Some(&moment(1_020)));
    assert!(written(&over));
    assert!(over.waits.later.is_empty());
    // AND one that it shows no more is given back at once, for nothing else keeps the request from making another
    let mut cluster = plan.cluster;
    let record = cluster.records.get_mut(&sales_order()).unwrap();
    record.shadow.values.remove("Ext");
    assert!(written(&reconcile(&flows, cluster, Vec::new(), &at(961))));
}
