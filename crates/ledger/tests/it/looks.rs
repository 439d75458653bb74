//! A state is looked at while a process holds it and works: the look changes nothing, waits for nobody, and sees whole
//! units alone.

use crate::setup::*;
use std::sync::atomic::{AtomicBool, Ordering};
use tandem_ledger::{Home, Keys, Ledger, Store};

/// On each storage, in clear and sealed.
fn on_each(test: impl Fn(&Home, &Keys)) {
    for keys in [Keys::default(), keys(7)] {
        let folder = tempfile::tempdir().unwrap();
        for home in homes(folder.path()) {
            test(&home, &keys);
        }
    }
}

fn look(home: &Home, keys: &Keys) -> Ledger {
    Ledger::open_to_look(home, keys).unwrap().unwrap()
}

#[test]
fn a_look_sees_what_the_holder_has_stored_and_goes_on_seeing() {
    on_each(|home, keys| {
        assert!(Ledger::open_to_look(home, keys).unwrap().is_none());
        // GIVEN a process that holds the state
        let mut holder = Ledger::open_at(home, keys).unwrap();
        linked(&mut holder);
        // WHEN somebody looks
        let mut looker = look(home, keys);
        // THEN both see the same, then and after the next change
        assert_eq!(dump(&mut looker), dump(&mut holder));
        observe(
            &mut holder,
            vec![
                seen(&customer("1"), 9, &[("name", "Anna")]),
                seen(&customer("2"), 9, ANN),
            ],
        );
        rest(&mut holder);
        assert_eq!(dump(&mut looker), dump(&mut holder));
        // AND the holder closes and opens again under the eyes of the looker
        drop(holder);
        let mut holder = Ledger::open_at(home, keys).unwrap();
        assert_eq!(dump(&mut looker), dump(&mut holder));
    });
}

#[test]
fn a_look_changes_nothing() {
    on_each(|home, keys| {
        let mut holder = Ledger::open_at(home, keys).unwrap();
        linked(&mut holder);
        let before = dump(&mut holder);
        let mut looker = look(home, keys);
        let observed = page(ERP, vec![seen(&customer("3"), 9, ANN)], Some("later"));
        assert!(looker.commit_page(1, &flows(), &observed).is_err());
        assert!(looker.set_note("mine", "1").is_err());
        assert!(looker.touch_all(&flows()).is_err());
        assert!(looker.forget(&[customer("1")], at(9)).is_err());
        assert_eq!(dump(&mut holder), before);
        // What failed is no hindrance to looking on.
        assert_eq!(dump(&mut looker), before);
    });
}

#[test]
fn a_look_hears_again_of_what_was_ignored_until_now() {
    on_each(|home, keys| {
        let mut holder = Ledger::open_at(home, keys).unwrap();
        linked(&mut holder);
        let twin = seen(
            &contact("x"),
            50,
            &[("LastName", "Twin"), ("Email", "ann@example.org")],
        );
        observe(&mut holder, vec![twin]);
        rest(&mut holder);
        let item = holder.items(0, 10).unwrap().remove(0);
        assert!(holder.ignore(item.number, Some(at(1_000))).unwrap());
        let mut looker = look(home, keys);
        for (moment, ignored) in [(999, 1), (1_000, 0), (999, 1)] {
            looker.hear_again(at(moment)).unwrap();
            let status = looker.status(&flows()).unwrap();
            assert_eq!(status.flows["customer"].ignored, ignored, "{moment}");
            assert_eq!(status.flows["customer"].parked, 1 - ignored);
            assert_eq!(
                u64::from(looker.items(0, 10).unwrap()[0].ignored.is_some()),
                ignored
            );
        }
        assert_eq!(holder.items(0, 10).unwrap()[0].ignored, Some(at(1_000)));
    });
}

#[test]
fn looks_and_work_at_once_each_look_sees_whole_units() {
    on_each(|home, keys| {
        let mut holder = Ledger::open_at(home, keys).unwrap();
        observe(&mut holder, vec![seen(&customer("first"), 1, ANN)]);
        let mut looker = look(home, keys);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // GIVEN a process that stores pages of two records each
            scope.spawn(|| {
                for number in 0..200 {
                    let pair = ["a", "b"].map(|end| seen(&customer(&format!("{number}{end}")), 2, ANN));
                    observe(&mut holder, pair.to_vec());
                }
                done.store(true, Ordering::Release);
            });
            // WHEN somebody looks all the while
            loop {
                let last = done.load(Ordering::Acquire);
                let status = looker.status(&flows()).unwrap();
                // THEN nobody ever sees half a page
                assert_eq!(status.inbox % 2, 1, "{status:?}");
                if last {
                    assert_eq!(status.inbox, 401);
                    break;
                }
            }
        });
    });
}
