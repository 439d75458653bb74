//! What is listed and looked up, against both stores.

use crate::setup::*;
use tandem_ledger::{Error, Stood, StoodFor, Store};
use tandem_merge::cluster::{Action, Companion};
use tandem_merge::reconcile::Settlement;
use tandem_merge::record::Presence;

#[test]
fn companions_are_wanted_once_and_known_by_owner_and_by_id() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        listed(store);
        rest(store);
        let intents = store.sendable(CRM, true, 9, 10).unwrap();
        assert_eq!(intents.len(), 1);
        assert!(matches!(intents[0].action, Action::Companion { .. }));
        send_all(store, CRM, true);
        let account = format!("new-{}", intents[0].id);
        assert_eq!(
            store.companions("Account", "", 10).unwrap(),
            [(customer("1"), account.clone())]
        );
        assert!(store.companions("Account", &account, 10).unwrap().is_empty());
        rest(store);
        let cluster = store.cluster(&flows(), &customer("1")).unwrap().unwrap();
        let companion: &Companion = &cluster.records[&customer("1")].companions["Account"];
        assert_eq!(companion.id.as_deref(), Some(account.as_str()));
    });
}

#[test]
fn a_refusal_is_an_item_with_a_number_that_stays() {
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
        let refused = Settlement::Refused {
            kind: tandem_merge::cluster::ParkedKind::Refused,
            properties: vec!["LastName".into()],
            reason: "no".into(),
            advice: "ask".into(),
            at: at(301),
        };
        settled(store, &sent[0], refused);
        rest(store);
        let items = store.items(0, 10).unwrap();
        assert_eq!(items.len(), 1, "{items:#?}");
        assert_eq!(items[0].record, contact("a"));
        assert_eq!(items[0].property.as_deref(), Some("LastName"));
        assert_eq!(store.status(&flows()).unwrap().flows["customer"].parked, 1);
        store.touch(&[contact("a")]).unwrap();
        rest(store);
        assert_eq!(store.items(0, 10).unwrap(), items);
        assert!(store.items(items[0].number, 10).unwrap().is_empty());
    });
}

#[test]
fn a_missing_record_is_known_not_to_be_there() {
    on_both(|store| {
        let mut row = seen(&customer("404"), 1, &[]);
        row.presence = Presence::Missing;
        row.version = None;
        assert_eq!(observe(store, vec![row.clone()]).new, 1);
        rest(store);
        assert_eq!(observe(store, vec![row]).known, 1);
    });
}

#[test]
fn r6_what_waits_to_be_decided_is_missed_like_what_is_known() {
    on_both(|store| {
        // GIVEN a customer that was decided, one that was only seen, and a deletion that was only seen
        observe(store, vec![seen(&customer("1"), 1, ANN)]);
        listed(store);
        rest(store);
        let mut gone = seen(&customer("3"), 1, &[]);
        gone.presence = Presence::Deleted;
        observe(store, vec![seen(&customer("2"), 1, &[("name", "Bob")]), gone]);
        // THEN a listing that shows neither misses both of those that are there
        let of = customer("1").record_type;
        let known = |store: &mut dyn Store, after, to| store.alive_between(&of, after, to).unwrap();
        assert_eq!(known(store, None, None), [customer("1"), customer("2")]);
        assert_eq!(known(store, Some("1"), None), [customer("2")]);
        assert_eq!(known(store, None, Some("1")), [customer("1")]);
        assert_eq!(store.alive_after(&of, None, 10).unwrap(), [customer("1")]);
    });
}

#[test]
fn lists_are_paged_and_records_are_found_by_value() {
    on_both(|store| {
        linked(store);
        observe(
            store,
            vec![seen(
                &customer("2"),
                1,
                &[("name", " BOB "), ("email", "b@example.org")],
            )],
        );
        rest(store);
        let customers = customer("1").record_type;
        assert_eq!(store.search(&customers, "name", "bob").unwrap(), [customer("2")]);
        assert_eq!(store.search(&customers, "id", "2").unwrap(), [customer("2")]);
        assert!(store.search(&customers, "name", "nobody").unwrap().is_empty());
        let history = store.history(Some(&customer("1")), 0, 10).unwrap();
        assert!(!history.is_empty());
        assert!(history.iter().all(|(_, event)| event.record == customer("1")));
        let all = store.history(None, 0, 100).unwrap();
        assert_eq!(store.history(None, all[0].0, 100).unwrap(), all[1..]);
    });
}

#[test]
fn the_state_belongs_to_the_two_systems_it_was_bound_to() {
    on_both(|store| {
        let pair = |crm: &str| {
            [
                (ERP.to_owned(), "e1".to_owned()),
                (CRM.to_owned(), crm.to_owned()),
            ]
            .into()
        };
        store.bind(&pair("c1")).unwrap();
        store.bind(&pair("c1")).unwrap();
        let refused = store.bind(&pair("c2")).unwrap_err();
        assert!(
            matches!(&refused, Error::OtherSystem { system, .. } if system == CRM),
            "{refused}"
        );
        store.bind(&pair("c1")).unwrap();
        assert!(!store.state_id().unwrap().is_empty());
        store.set_note("configuration", "1").unwrap();
        store.set_note("configuration", "2").unwrap();
        assert_eq!(store.note("configuration").unwrap().as_deref(), Some("2"));
        assert_eq!(store.note("other").unwrap(), None);
    });
}

#[test]
fn history_is_read_from_either_end() {
    on_both(|store| {
        linked(store);
        for (moment, name) in [(60, "Anna"), (61, "Anne")] {
            let values = [("name", name), ("email", "ann@example.org")];
            observe(store, vec![seen(&customer("1"), moment, &values)]);
            rest(store);
        }
        let values = [("LastName", "Anna"), ("Email", "ann@example.org")];
        observe(store, vec![seen(&contact("a"), 62, &values)]);
        rest(store);
        let all = store.history(None, 0, 100).unwrap();
        assert!(all.len() > 2, "{all:?}");
        let back: Vec<_> = all.iter().rev().cloned().collect();
        assert_eq!(store.latest(None, u64::MAX, 100).unwrap(), back);
        assert_eq!(store.latest(None, back[0].0, 1).unwrap(), back[1..2]);
        let record = all[0].1.record.clone();
        let mut own = store.history(Some(&record), 0, 100).unwrap();
        own.reverse();
        assert_eq!(store.latest(Some(&record), u64::MAX, 100).unwrap(), own);
        // Of some types, between two numbers.
        let of = &record.record_type;
        let last = back.last().unwrap().0;
        let typed = |of: &_, (after, before): (u64, u64)| {
            let all = back.iter().filter(|(number, event)| {
                &event.record.record_type == of && *number > after && *number < before
            });
            all.cloned().collect::<Vec<_>>()
        };
        let types = [of.clone()];
        for between in [(0, u64::MAX), (last, back[0].0), (back[1].0, back[1].0)] {
            assert_eq!(store.latest_of(&types, between, 100).unwrap(), typed(of, between));
        }
        assert!(!typed(of, (0, u64::MAX)).is_empty() && typed(of, (0, u64::MAX)) != back);
        assert_eq!(store.latest_of(&types, (0, u64::MAX), 1).unwrap().len(), 1);
        assert_eq!(store.latest_of(&[], (0, u64::MAX), 100).unwrap(), []);
        let nobody = store.latest(Some(&customer("nobody")), u64::MAX, 100);
        assert!(nobody.unwrap().is_empty());
    });
}

#[test]
fn links_and_runs_are_read_from_the_newest_end() {
    on_both(|store| {
        store.begin_run("sync", at(0)).unwrap();
        linked(store);
        store.begin_run("round", at(60)).unwrap();
        let bob = [("name", "Bob"), ("email", "bob@example.org")];
        observe(store, vec![seen(&customer("2"), 60, &bob)]);
        let bob = [("LastName", "Bob"), ("Email", "bob@example.org")];
        observe(store, vec![seen(&contact("b"), 60, &bob)]);
        rest(store);
        let mut links = store.links(None, 0, 100).unwrap();
        assert_eq!(links.len(), 2);
        links.reverse();
        assert_eq!(store.latest_links(None, u64::MAX, 100).unwrap(), links);
        let flow = links[0].flow.clone();
        assert_eq!(
            store.latest_links(Some(&flow), links[0].number, 100).unwrap(),
            links[1..]
        );
        assert!(
            store
                .latest_links(Some("nothing"), u64::MAX, 100)
                .unwrap()
                .is_empty()
        );
        let mut runs = store.runs(0, 100).unwrap();
        assert_eq!(runs.len(), 2);
        runs.reverse();
        assert_eq!(store.latest_runs(u64::MAX, 100).unwrap(), runs);
        assert_eq!(store.latest_runs(runs[0].number, 1).unwrap(), runs[1..]);
    });
}

#[test]
fn what_happened_is_counted_by_the_hour_and_goes_with_old_history() {
    on_both(|store| {
        let sum = |store: &mut dyn Store, from: i64, what: &str| -> Vec<(String, u64)> {
            let hours = store
                .hours(at(from))
                .unwrap()
                .into_iter()
                .filter(|hour| hour.what == what);
            let of =
                |hour: tandem_ledger::Hour| hour.record_type.map_or_else(String::new, |of| of.to_string());
            hours
                .map(|hour| (hour.began.to_string(), hour.n, of(hour)))
                .map(|(at, n, of)| (format!("{of} {at}"), n))
                .collect()
        };
        store.note_backlog(at(0)).unwrap();
        assert_eq!(store.hours(at(0)).unwrap(), []);
        linked(store);
        let lines = store.history(None, 0, 1_000).unwrap();
        let of_kind = |kind: &str| {
            lines
                .iter()
                .filter(|(_, event)| event.what.name() == kind)
                .count() as u64
        };
        let links: u64 = sum(store, 0, "linked").iter().map(|(_, n)| n).sum();
        assert!(links > 0 && links == of_kind("linked"));
        // What waits is noted with the most of the hour, and lags likewise.
        observe(
            store,
            vec![seen(
                &customer("1"),
                100,
                &[("name", "Anna"), ("email", "ann@example.org")],
            )],
        );
        store.note_backlog(at(7_200)).unwrap();
        observe(
            store,
            vec![seen(
                &contact("a"),
                120,
                &[("LastName", "Ann"), ("Email", "ann@example.com")],
            )],
        );
        store.note_backlog(at(7_300)).unwrap();
        assert_eq!(
            sum(store, 7_200, "backlog"),
            [(" 2027-01-15T10:00:00Z".to_owned(), 2)]
        );
        rest(store);
        store.note_backlog(at(7_400)).unwrap();
        let later = sum(store, 7_200, "backlog");
        assert!(later[0].1 >= 2, "{later:?}");
        let edited: u64 = sum(store, 0, "edited").iter().map(|(_, n)| n).sum();
        assert!(edited >= 1, "{edited}");
        assert!(sum(store, 10_800, "edited").is_empty());
        // Hours go when the history of their time does.
        store.compact_history(at(7_200), 0, 1_000).unwrap();
        assert_eq!(sum(store, 0, "linked"), []);
        assert_eq!(sum(store, 0, "backlog").len(), 1);
    });
}

#[test]
fn how_things_stood_adds_up_by_the_hour_and_each_is_known_by_its_name() {
    on_both(|store| {
        let all = [
            Stood::Watched,
            Stood::Held("order-order".to_owned()),
            Stood::Paused("order-order".to_owned()),
            Stood::Away("salesforce".to_owned()),
            Stood::Stopped("salesforce".to_owned()),
        ];
        store.note_stood(&[]).unwrap();
        assert_eq!(store.hours(at(0)).unwrap(), []);
        for (moment, seconds) in [(0, 20), (60, 5), (3_600, 7)] {
            let stood = all.iter().map(|stood| StoodFor {
                at: at(moment),
                stood: stood.clone(),
                seconds,
            });
            store.note_stood(&stood.collect::<Vec<_>>()).unwrap();
        }
        let hours = store.hours(at(0)).unwrap();
        for stood in &all {
            let of = hours
                .iter()
                .filter(|hour| Stood::of(&hour.what).as_ref() == Some(stood));
            let seconds: Vec<u64> = of.map(|hour| hour.n).collect();
            assert_eq!(seconds, [25, 7], "{stood:?}");
        }
        assert!(hours.iter().all(|hour| hour.record_type.is_none()));
        assert_eq!(Stood::of("edited"), None);
        store.compact_history(at(3_600), 0, 1_000).unwrap();
        assert_eq!(store.hours(at(0)).unwrap().len(), all.len());
    });
}

#[test]
fn what_records_show_is_told_of_those_that_are_known() {
    on_both(|store| {
        observe(store, vec![seen(&customer("1"), 50, &[("name", "Ann")])]);
        observe(store, vec![seen(&contact("a"), 50, &[("LastName", "Ann")])]);
        rest(store);
        let asked = [customer("1"), customer("nobody"), contact("a"), customer("1")];
        let found = store.values(&asked).unwrap();
        let keys: Vec<_> = found.keys().cloned().collect();
        assert_eq!(
            keys,
            [contact("a"), customer("1")]
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
        assert_eq!(found[&customer("1")]["name"].to_string(), "Ann");
        assert!(store.values(&[]).unwrap().is_empty());
    });
}

#[test]
fn a_text_is_found_in_ids_and_in_values_whatever_its_case() {
    on_both(|store| {
        let named =
            |id: &str, name: &str| seen(&customer(id), 50, &[("name", name), ("email", "x@example.org")]);
        observe(
            store,
            vec![
                named("a1", "Blauer See"),
                named("a2", "Alfreds"),
                named("SEE", "Bottom"),
            ],
        );
        rest(store);
        let keys = |sought: &tandem_ledger::Sought| -> Vec<_> {
            sought.found.iter().map(|(_, key)| key.clone()).collect()
        };
        let all = store.seek(" see ", u64::MAX, 100).unwrap();
        assert_eq!(
            (keys(&all), all.next),
            (vec![customer("SEE"), customer("a1")], None)
        );
        // From behind a hit the next one is found.
        let rest = store.seek("see", all.found[0].0, 100).unwrap();
        assert_eq!(keys(&rest), [customer("a1")]);
        // A page at a time: each says where to go on.
        let first = store.seek("see", u64::MAX, 2).unwrap();
        assert_eq!(keys(&first), [customer("SEE")]);
        let second = store.seek("see", first.next.unwrap(), 2).unwrap();
        assert_eq!((keys(&second), second.next), (vec![customer("a1")], None));
        assert_eq!(store.seek("nowhere", u64::MAX, 100).unwrap().found, []);
    });
}
