//! The store's invariants, each by name, and what taking and storing promise, against both stores.

use crate::setup::*;
use std::collections::BTreeMap;
use tandem_ledger::{Decided, Error, Rebinding};
use tandem_merge::cluster::{Action, Link};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{Settlement, settle};
use tandem_merge::record::RecordKey;

#[test]
fn s1_a_create_under_way_is_an_intent_and_no_link() {
    on_both(|store| {
        creating(store);
        let intents = store.sendable(CRM, true, 9, 10).unwrap();
        assert_eq!(intents.len(), 1, "the contact follows its account: {intents:#?}");
        assert!(store.links(None, 0, 10).unwrap().is_empty());
        send_all(store, CRM, true);
        let links = store.links(Some("customer"), 0, 10).unwrap();
        assert_eq!(links[0].first, customer("1"));
        assert!(store.sendable(CRM, true, 9, 10).unwrap().is_empty());
    });
}

#[test]
fn s2_and_s3_heads_and_bases_come_back_as_the_plan_left_them() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        observe(store, vec![seen(&contact("a"), 1, ANN_THERE)]);
        listed(store);
        let taken = take(store);
        assert_eq!(taken.len(), 1, "the candidate is joined in");
        let decided = decided(taken.into_iter().next().unwrap());
        let planned = decided.plan.cluster.clone();
        assert!(!planned.heads.is_empty());
        commit(store, vec![decided]);
        let stored = store.cluster(&flows(), &contact("a")).unwrap().unwrap();
        assert_eq!(
            stored.records[&customer("1")].bases,
            planned.records[&customer("1")].bases
        );
        assert_eq!(stored.heads, planned.heads);
        assert_eq!(stored.links, planned.links);
    });
}

#[test]
fn s4_a_cursor_moves_with_its_page_only() {
    on_both(|store| {
        let flows = flows();
        let rows = vec![seen(&customer("1"), 1, ANN)];
        store
            .commit_page(FENCE, &flows, &page(ERP, rows.clone(), Some("one")))
            .unwrap();
        store
            .commit_page(FENCE, &flows, &page(ERP, rows.clone(), None))
            .unwrap();
        assert_eq!(store.cursor(ERP).unwrap().as_deref(), Some(b"one".as_slice()));
        assert_eq!(store.cursor(CRM).unwrap(), None);
        // A holder that lost its lease moves nothing.
        store
            .commit_page(7, &flows, &page(ERP, rows.clone(), Some("two")))
            .unwrap();
        let late = store.commit_page(3, &flows, &page(ERP, rows, Some("three")));
        assert!(matches!(late, Err(Error::Fenced { found: 7, ours: 3 })));
        assert_eq!(store.cursor(ERP).unwrap().as_deref(), Some(b"two".as_slice()));
    });
}

#[test]
fn s5_a_withdrawn_intent_is_not_marked_and_a_sent_one_is_never_replaced() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(
                &customer("1"),
                100,
                &[("name", "Anna"), ("email", "ann@example.org")],
            )],
        );
        rest(store);
        let first = store.sendable(CRM, false, 0, 10).unwrap().remove(0);
        // GIVEN a plan made while it was unsent
        observe(
            store,
            vec![seen(
                &customer("1"),
                200,
                &[("name", "Anne"), ("email", "ann@example.org")],
            )],
        );
        let plans: Vec<Decided> = take(store).into_iter().map(decided).collect();
        // WHEN it is sent before the plan is stored
        let sent = store.begin_write(FENCE, &[first.id], at(300)).unwrap();
        assert_eq!(sent[0].sent, Some(at(300)));
        assert_eq!(sent[0].attempts, 1);
        assert!(store.begin_write(FENCE, &[first.id], at(301)).unwrap().is_empty());
        // THEN the plan is put back and the sent content stands
        let report = commit(store, plans);
        assert_eq!((report.stored, report.put_back.len()), (0, 1));
        assert_eq!(store.unsettled(0, 10).unwrap(), sent);
        rest(store);
        assert_eq!(store.unsettled(0, 10).unwrap(), sent);
        // and what is planned after it is settled has another number
        settled(store, &sent[0], applied("a"));
        rest(store);
        let next = store.sendable(CRM, false, 0, 10).unwrap().remove(0);
        assert!(next.id > first.id);
        assert!(store.begin_write(FENCE, &[first.id], at(400)).unwrap().is_empty());
    });
}

#[test]
fn s5_a_sent_write_keeps_its_content_whatever_a_plan_says_of_it() {
    on_both(|store| {
        linked(store);
        let anna = [("name", "Anna"), ("email", "ann@example.org")];
        observe(store, vec![seen(&customer("1"), 100, &anna)]);
        rest(store);
        let first = store.sendable(CRM, false, 0, 10).unwrap().remove(0);
        let sent = store.begin_write(FENCE, &[first.id], at(300)).unwrap();
        // GIVEN a plan that was made while it was on its way, and that names other content for it
        let anne = [("name", "Anne"), ("email", "ann@example.org")];
        observe(store, vec![seen(&customer("1"), 400, &anne)]);
        let mut plans: Vec<Decided> = take(store).into_iter().map(decided).collect();
        assert_eq!(plans.len(), 1);
        let cluster = &mut plans[0].plan.cluster;
        let contact = cluster.records.get_mut(&contact("a")).unwrap();
        contact.intent.as_mut().unwrap().values.clear();
        // THEN what was sent stands as it was sent
        commit(store, plans);
        assert_eq!(store.unsettled(0, 10).unwrap(), sent);
    });
}

#[test]
fn s5_a_record_of_which_something_is_seen_and_not_decided_is_not_written() {
    on_both(|store| {
        linked(store);
        let anna = [("name", "Anna"), ("email", "ann@example.org")];
        observe(store, vec![seen(&customer("1"), 100, &anna)]);
        rest(store);
        assert_eq!(store.sendable(CRM, false, 0, 10).unwrap().len(), 1);
        // GIVEN an edit of the target that came in since
        let elsewhere = [("LastName", "Ann"), ("Email", "anna@example.org")];
        observe(store, vec![seen(&contact("a"), 200, &elsewhere)]);
        // THEN what was planned before is not sent until that is decided
        assert_eq!(store.sendable(CRM, false, 0, 10).unwrap(), []);
        assert_eq!(store.count_sendable(CRM, false, 0, 10).unwrap(), 0);
        rest(store);
        assert_eq!(store.sendable(CRM, false, 0, 10).unwrap().len(), 1);
    });
}

#[test]
fn s5_an_unknown_outcome_stays_sent_and_may_be_sent_again() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(
                &customer("1"),
                100,
                &[("name", "Anna"), ("email", "ann@example.org")],
            )],
        );
        rest(store);
        let id = store.sendable(CRM, false, 0, 10).unwrap()[0].id;
        store.begin_write(FENCE, &[id], at(300)).unwrap();
        store.mark_unknown(FENCE, &[id], false).unwrap();
        let unsettled = store.unsettled(0, 10).unwrap();
        assert!(unsettled[0].unknown && unsettled[0].sent == Some(at(300)));
        assert!(store.unsettled(id, 10).unwrap().is_empty());
        let again = store.begin_write(FENCE, &[id], at(500)).unwrap();
        assert_eq!((again[0].attempts, again[0].sent), (2, Some(at(500))));
        // An attempt that never left does not make an earlier one certain.
        store.mark_unknown(FENCE, &[id], true).unwrap();
        assert!(store.unsettled(0, 10).unwrap()[0].unknown);
    });
}

#[test]
fn s5_what_never_left_is_unsent_again() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(
                &customer("1"),
                100,
                &[("name", "Anna"), ("email", "ann@example.org")],
            )],
        );
        rest(store);
        let id = store.sendable(CRM, false, 0, 10).unwrap()[0].id;
        store.begin_write(FENCE, &[id], at(300)).unwrap();
        store.mark_unknown(FENCE, &[id], true).unwrap();
        assert!(store.unsettled(0, 10).unwrap().is_empty());
        assert_eq!(store.sendable(CRM, false, 0, 10).unwrap()[0].id, id);
    });
}

#[test]
fn s6_a_plan_that_breaks_a_constraint_is_put_back_and_the_others_are_stored() {
    on_both(|store| {
        observe(
            store,
            vec![
                seen(&customer("1"), 1, ANN),
                seen(&customer("2"), 1, &[("name", "Bob")]),
            ],
        );
        observe(store, vec![seen(&contact("a"), 1, &[("LastName", "x")])]);
        observe(store, vec![seen(&contact("b"), 1, &[("LastName", "y")])]);
        // Nothing is created yet: both systems were not listed.
        rest(store);
        store.touch(&[customer("1"), customer("2")]).unwrap();
        let link = |first: &str| Link {
            flow: "customer".into(),
            first: customer(first),
            second: contact("a"),
            verdict: None,
            since: at(50),
        };
        let mut plans: Vec<Decided> = take(store).into_iter().map(decided).collect();
        assert_eq!(plans.len(), 2);
        plans[0].plan.cluster.links.push(link("1"));
        plans[1].plan.cluster.links.push(link("2"));
        let broken = plans[1].clone();
        let report = commit(store, plans);
        assert_eq!(report.stored, 1);
        assert_eq!(report.put_back, ["one live link per record and flow group"]);
        assert_eq!(store.links(None, 0, 10).unwrap().len(), 1);
        let left = take(store);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].token.records, broken.token.records);
    });
}

#[test]
fn s9_an_older_observation_never_replaces_a_younger_one() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 100, &[("name", "New")])]);
        observe(store, vec![seen(&customer("1"), 50, &[("name", "Old")])]);
        rest(store);
        let cluster = store.cluster(&flows(), &customer("1")).unwrap().unwrap();
        assert_eq!(cluster.records[&customer("1")].value("name").to_string(), "New");
    });
}

#[test]
fn e16_what_a_create_without_an_answer_may_have_made_is_found_also_once_its_source_was_deleted() {
    on_both(|store| {
        // GIVEN a create of unknown outcome, whose source was deleted since
        creating(store);
        let create = store.sendable(CRM, true, 9, 10).unwrap()[0].id;
        store.begin_write(FENCE, &[create], at(300)).unwrap();
        store.mark_unknown(FENCE, &[create], false).unwrap();
        observe(store, vec![deleted(&customer("1"), 400)]);
        rest(store);
        // WHEN what it made is shown, also after a change of the configuration
        observe(store, vec![seen(&contact("a"), 350, ANN_THERE)]);
        rest(store);
        store.touch_all(&flows()).unwrap();
        rest(store);
        // THEN nothing is made for that in turn
        assert_eq!(store.sendable(ERP, true, 9, 10).unwrap(), []);
        // WHEN the create is known to have made nothing, THEN it is a record like any other
        let open = store.unsettled(0, 10).unwrap();
        let withdrawn = settled(store, &open[0], Settlement::Withdrawn);
        assert_eq!(withdrawn.put_back, Vec::<String>::new());
        rest(store);
        assert_eq!(store.sendable(ERP, true, 9, 10).unwrap().len(), 1);
    });
}

#[test]
fn e7_an_echo_moves_the_version_and_leaves_nothing_to_decide() {
    on_both(|store| {
        linked(store);
        let shown = store.cluster(&flows(), &customer("1")).unwrap().unwrap();
        let shown = &shown.records[&customer("1")].shadow;
        let echo = tandem_merge::record::Observation {
            values: shown.values.clone(),
            ..seen(&customer("1"), 400, ANN)
        };
        assert_eq!(observe(store, vec![echo.clone()]).echoes, 1);
        assert_eq!(take(store), [], "nothing is to be decided");
        let after = store.cluster(&flows(), &customer("1")).unwrap().unwrap();
        assert_eq!(after.records[&customer("1")].shadow.version, echo.version);
        // While anything seen of it waits, or is to be written, the next look waits behind it.
        let edit = seen(
            &customer("1"),
            500,
            &[("name", "Anna"), ("email", "ann@example.com")],
        );
        assert_eq!(observe(store, vec![edit]).new, 1);
        let back = tandem_merge::record::Observation {
            values: echo.values.clone(),
            ..seen(&customer("1"), 600, ANN)
        };
        assert_eq!(observe(store, vec![back]).new, 1);
        assert_eq!(take(store)[0].inbox.len(), 2);
    });
}

#[test]
fn what_is_known_is_dropped_and_a_version_that_became_firm_is_not() {
    on_both(|store| {
        let mut loose = seen(&customer("1"), 1, ANN);
        loose.version.as_mut().unwrap().firm = false;
        let mut firm = seen(&customer("1"), 1, ANN);
        firm.read_began = at(70);
        let read_later = |mut row: tandem_merge::record::Observation| {
            row.read_began = at(900);
            row
        };
        assert_eq!(
            observe(store, vec![loose.clone(), read_later(loose.clone())]).known,
            1
        );
        assert_eq!(observe(store, vec![firm.clone(), loose.clone()]).new, 1);
        rest(store);
        assert_eq!(observe(store, vec![read_later(firm.clone()), loose]).known, 2);
        let mut part = firm.clone();
        part.partial = true;
        part.values.remove("name");
        assert_eq!(observe(store, vec![part]).known, 1);
        let mut other = firm;
        other.values.insert("name".into(), "Other".into());
        assert_eq!(observe(store, vec![other]).new, 1);
        assert_eq!(take(store).len(), 1);
    });
}

#[test]
fn rows_of_a_record_under_way_are_held_until_it_settles() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(
                &customer("1"),
                100,
                &[("name", "Anna"), ("email", "ann@example.org")],
            )],
        );
        rest(store);
        let id = store.sendable(CRM, false, 0, 10).unwrap()[0].id;
        let sent = store.begin_write(FENCE, &[id], at(300)).unwrap();
        observe(
            store,
            vec![seen(
                &contact("a"),
                305,
                &[("LastName", "Anna"), ("Email", "ann@example.org")],
            )],
        );
        assert!(take(store).is_empty());
        // Another part of the cluster is decided meanwhile, without them.
        observe(
            store,
            vec![seen(
                &customer("1"),
                310,
                &[("name", "Anna"), ("email", "anna@example.org")],
            )],
        );
        let taken = take(store);
        assert_eq!(taken[0].inbox.len(), 1);
        commit(store, taken.into_iter().map(decided).collect());
        assert!(take(store).is_empty());
        assert_eq!(store.status(&flows()).unwrap().inbox, 1);
        settled(store, &sent[0], applied("a"));
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().inbox, 0);
    });
}

#[test]
fn a_plan_without_an_intent_withdraws_it_unless_it_is_another_clusters() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(
                &customer("1"),
                100,
                &[("name", "Anna"), ("email", "ann@example.org")],
            )],
        );
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox, (1, 0));
        // The edit is taken back.
        observe(store, vec![seen(&customer("1"), 200, ANN)]);
        rest(store);
        assert_eq!(store.status(&flows()).unwrap().outbox, (0, 0));
    });
}

#[test]
fn dirtiness_that_came_after_the_taking_stays() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        let plans: Vec<Decided> = take(store).into_iter().map(decided).collect();
        store.touch(&[customer("1")]).unwrap();
        commit(store, plans);
        assert_eq!(take(store).len(), 1);
        assert!(take(store)[0].inbox.is_empty());
        // A record known by nothing but its name is not taken up.
        store.touch(&[customer("unheard-of")]).unwrap();
        assert_eq!(take(store).len(), 1);
    });
}

#[test]
fn the_answer_to_a_create_meets_what_was_observed_meanwhile() {
    on_both(|store| {
        observe(
            store,
            vec![seen(&order("7"), 1, &[("number", "7"), ("note", "hello")])],
        );
        listed(store);
        rest(store);
        let create = store.sendable(CRM, true, 9, 10).unwrap().remove(0);
        assert!(matches!(create.action, Action::Create { .. }));
        store.begin_write(FENCE, &[create.id], at(300)).unwrap();
        // GIVEN the new record was observed without its keys and decided on its own
        observe(store, vec![seen(&invoice("x"), 290, &[("Description", "odd")])]);
        rest(store);
        settled(store, &create, applied("x"));
        rest(store);
        let links = store.links(Some("order"), 0, 10).unwrap();
        assert_eq!(links.len(), 1, "{:#?}", store.items(0, 10));
        assert_eq!(links[0].second, invoice("x"));
    });
}

#[test]
fn r8_the_answer_to_a_create_takes_nothing_from_a_link_made_meanwhile() {
    on_both(|store| {
        let number = |key: &RecordKey, at, number| seen(key, at, &[("number", number)]);
        observe(store, vec![number(&order("7"), 1, "7")]);
        listed(store);
        rest(store);
        let create = store.sendable(CRM, true, 9, 10).unwrap().remove(0);
        store.begin_write(FENCE, &[create.id], at(300)).unwrap();
        let taken = store.take_for_intents(&flows(), &[create.id], at(6_000)).unwrap();
        // GIVEN that the new record has been found by its number, and linked with another order, since the answer was weighed
        observe(store, vec![number(&order("8"), 280, "8")]);
        observe(store, vec![seen(&invoice("x"), 290, &[("Number", "8")])]);
        rest(store);
        let links = store.links(Some("order"), 0, 10).unwrap();
        assert_eq!((links.len(), &links[0].first), (1, &order("8")));
        let plans = taken.into_iter().map(|dirty| {
            let outcomes = vec![(create.id, applied("x"))];
            let plan = settle(&flows(), dirty.cluster, dirty.inbox, outcomes, &dirty.facts);
            let token = dirty.token;
            Decided { plan, token }
        });
        // THEN the plan is put back, and the link stands
        let plans = plans.collect();
        assert_eq!(commit(store, plans).put_back.len(), 1);
        assert_eq!(store.links(Some("order"), 0, 10).unwrap(), links);
    });
}

#[test]
fn plans_of_one_taking_are_stored_once() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        listed(store);
        let plans: Vec<Decided> = take(store).into_iter().map(decided).collect();
        assert_eq!(commit(store, plans.clone()).stored, 1);
        let again = commit(store, plans);
        assert_eq!((again.stored, again.put_back.len()), (0, 1));
        let empty = Decided {
            plan: Plan::default(),
            token: tandem_ledger::Taken::default(),
        };
        assert_eq!(commit(store, vec![empty]).stored, 1);
    });
}

#[test]
fn s5_an_accepted_intent_is_asked_for_by_its_handle_alone() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        listed(store);
        rest(store);
        let create = store.sendable(CRM, true, 9, 10).unwrap()[0].id;
        // Only what was sent can have been accepted.
        store.accept(FENCE, &[create], "job-1").unwrap();
        assert_eq!(store.handles(CRM).unwrap(), Vec::<String>::new());
        let marked = store.begin_write(FENCE, &[create], at(60)).unwrap();
        store.accept(FENCE, &[create, 999], "job-1").unwrap();
        assert_eq!(store.handles(CRM).unwrap(), ["job-1"]);
        assert_eq!(store.handles(ERP).unwrap(), Vec::<String>::new());
        assert_eq!(store.unsettled(0, 10).unwrap(), []);
        assert_eq!(store.accepted("job-1", 0, 10).unwrap(), marked);
        assert_eq!(store.accepted("job-1", create, 10).unwrap(), []);
        assert_eq!(store.intents(&[999, create]).unwrap(), marked);
        assert_eq!(store.status(&flows()).unwrap().outbox, (0, 1));
        // It is not sent a second time.
        assert_eq!(store.begin_write(FENCE, &[create], at(70)).unwrap(), []);
        // WHEN the job told nothing of it, its outcome is unknown.
        store.mark_unknown(FENCE, &[create], false).unwrap();
        assert_eq!(store.handles(CRM).unwrap(), Vec::<String>::new());
        assert_eq!(store.unsettled(0, 10).unwrap().len(), 1);
        // Sent once more and accepted, it is under way again, though nobody knows what became of the first time.
        assert_eq!(store.begin_write(FENCE, &[create], at(80)).unwrap().len(), 1);
        store.accept(FENCE, &[create], "job-2").unwrap();
        assert_eq!(store.begin_write(FENCE, &[create], at(90)).unwrap(), []);
        assert_eq!(store.accepted("job-2", 0, 10).unwrap()[0].attempts, 2);
    });
}

#[test]
fn rebinding_keeps_links_that_hold_there_and_forgets_what_was_agreed() {
    on_both(|store| {
        let who =
            |crm: &str| BTreeMap::from([(ERP.to_owned(), "e".to_owned()), (CRM.to_owned(), crm.to_owned())]);
        store.bind(&who("production")).unwrap();
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        observe(store, vec![seen(&contact("a"), 1, ANN_THERE)]);
        listed(store);
        rest(store);
        assert_eq!(store.links(None, 0, 10).unwrap().len(), 1);
        let mut to = Rebinding {
            system: CRM.to_owned(),
            identity: "sandbox".to_owned(),
            ..Rebinding::default()
        };
        // A copy holds every record: the link stays, versions and bases do not.
        let done = store.rebind(&flows(), &to).unwrap();
        assert_eq!((done.kept, done.dropped), (1, 0));
        assert!(store.bind(&who("sandbox")).is_ok());
        assert!(matches!(
            store.bind(&who("production")),
            Err(Error::OtherSystem { .. })
        ));
        assert_eq!(store.cursor(ERP).unwrap(), None);
        assert!(store.status(&flows()).unwrap().listed.is_empty());
        let kept = store.cluster(&flows(), &contact("a")).unwrap().unwrap();
        assert!(kept.heads.is_empty() && kept.records.values().all(|record| record.bases.is_empty()));
        assert_eq!(kept.records[&contact("a")].shadow.version, None);
        assert!(kept.records[&customer("1")].shadow.version.is_some());
        // Another org has no such record: the link ends, and nothing of the record is left.
        to.identity = "elsewhere".to_owned();
        to.gone = [contact("a")].into();
        let done = store.rebind(&flows(), &to).unwrap();
        assert_eq!((done.kept, done.dropped), (0, 1));
        let left = store.cluster(&flows(), &contact("a")).unwrap();
        assert!(left.is_none_or(|cluster| !cluster.records.contains_key(&contact("a"))));
    });
}

#[test]
fn s9_the_first_whole_look_at_a_record_of_ours_is_news_whatever_it_shows() {
    on_both(|store| {
        creating(store);
        send_all(store, CRM, true);
        rest(store);
        let made = store.links(Some("customer"), 0, 10).unwrap()[0].second.clone();
        // A part of it, while something is out of sight, and then all of it, which is no more.
        let part = tandem_merge::record::Observation {
            partial: true,
            ..seen(&made, 6_000, ANN_THERE)
        };
        let mut whole = seen(&made, 6_000, ANN_THERE);
        whole.read_began = at(6_100);
        assert_eq!(observe(store, vec![part]).new, 1);
        rest(store);
        assert_eq!(
            observe(store, vec![whole.clone()]).new,
            1,
            "it was never seen whole"
        );
        rest(store);
        assert_eq!(observe(store, vec![whole]).new, 0);
    });
}
