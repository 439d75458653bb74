//! A state with a key: what systems showed is nowhere in clear, and everything else is as without one.

use crate::crash::LIFE;
use crate::setup::*;
use std::path::Path;
use tandem_ledger::{Error, Home, Keys, Ledger, Store};

/// What people wrote in the life of a state, in the forms that it may take on disk.
const CANARIES: [&[u8]; 4] = [b"ann@example.org", b"bob@example.org", b"\xa4Anna", b"\xa3Bob"];

fn live(store: &mut dyn Store) -> String {
    for (name, step) in LIFE {
        step(store).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    store.set_note("remark", "ann@example.org asked").unwrap();
    dump(store)
}

/// The canaries that stand in the files of a folder.
fn found(folder: &Path) -> Vec<&'static [u8]> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let shows = |canary: &&&[u8]| bytes.windows(canary.len()).any(|part| part == **canary);
        found.extend(CANARIES.iter().filter(shows));
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn nothing_that_people_wrote_is_in_the_files_of_a_sealed_state() {
    let home = tempfile::tempdir().unwrap();
    let (clear, sealed) = (home.path().join("clear"), home.path().join("sealed"));
    let mut store = Ledger::open(&clear).unwrap();
    let as_it_was = live(&mut store);
    assert_eq!(
        found(&clear).len(),
        CANARIES.len(),
        "the canaries are in a state in clear"
    );
    // GIVEN the same life under a key
    let mut store = Ledger::open_with(&sealed, &keys(7)).unwrap();
    assert_eq!(live(&mut store), as_it_was);
    // THEN neither database nor log shows any of it, while it is open and afterwards
    assert_eq!(found(&sealed), Vec::<&[u8]>::new());
    drop(store);
    assert_eq!(found(&sealed), Vec::<&[u8]>::new());
    // AND it is there again
    let mut store = Ledger::open_with(&sealed, &keys(7)).unwrap();
    assert_eq!(dump(&mut store), as_it_was);
    assert_eq!(store.note("remark").unwrap().unwrap(), "ann@example.org asked");
    let hit = store.search(&customer("1").record_type, "email", "bob@example.org");
    assert_eq!(hit.unwrap(), [customer("2")]);
}

#[test]
fn a_sealed_state_opens_with_its_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    live(&mut Ledger::open_with(folder.path(), &keys(7)).unwrap());
    let without = Ledger::open(folder.path()).unwrap_err();
    assert!(matches!(without, Error::KeyMissing), "{without:?}");
    let wrong = Ledger::open_with(folder.path(), &keys(8)).unwrap_err();
    assert!(matches!(wrong, Error::KeyWrong), "{wrong:?}");
    let copy = folder.path().join("copy");
    let copied = Ledger::open_copy(&Home::Folder(folder.path().to_owned()), &copy, &keys(8)).unwrap_err();
    assert!(matches!(copied, Error::KeyWrong), "{copied:?}");
}

#[test]
fn a_state_in_clear_is_sealed_when_it_gets_a_key_and_again_when_keys_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(folder.path()).unwrap();
    let as_it_was = live(&mut store);
    drop(store);
    let changing = Keys {
        current: Some(key(8)),
        former: Some(key(7)),
    };
    for keys in [keys(7), changing, keys(8)] {
        let mut store = Ledger::open_with(folder.path(), &keys).unwrap();
        assert_eq!(
            found(folder.path()),
            Vec::<&[u8]>::new(),
            "nothing is left behind"
        );
        assert_eq!(dump(&mut store), as_it_was);
        assert_eq!(store.note("remark").unwrap().unwrap(), "ann@example.org asked");
    }
    let former = Ledger::open_with(folder.path(), &keys(7)).unwrap_err();
    assert!(matches!(former, Error::KeyWrong), "{former:?}");
    // Records are found by their match keys: whoever comes now is linked to the one there.
    let mut store = Ledger::open_with(folder.path(), &keys(8)).unwrap();
    observe(&mut store, vec![seen(&order("70"), 1, &[("number", "70")])]);
    observe(&mut store, vec![seen(&invoice("i70"), 1, &[("Number", "70")])]);
    drop(store);
    let changing = Keys {
        current: Some(key(9)),
        former: Some(key(8)),
    };
    let mut store = Ledger::open_with(folder.path(), &changing).unwrap();
    rest(&mut store);
    let links = store.links(Some("order"), 0, 10).unwrap();
    assert!(links.iter().any(|link| link.first == order("70")), "{links:?}");
}

#[test]
fn a_reservation_holds_under_a_key_and_when_keys_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(folder.path()).unwrap();
    observe(&mut store, vec![seen(&order("1"), 1, &[("number", "same")])]);
    listed(&mut store);
    rest(&mut store);
    assert_eq!(store.sendable(CRM, true, 9, 10).unwrap().len(), 1);
    drop(store);
    let mut store = Ledger::open_with(folder.path(), &keys(7)).unwrap();
    observe(&mut store, vec![seen(&order("2"), 1, &[("number", "same")])]);
    rest(&mut store);
    assert_eq!(
        store.sendable(CRM, true, 9, 10).unwrap().len(),
        1,
        "one create per key"
    );
}

#[test]
fn a_value_that_was_altered_is_noticed_in_clear_and_sealed() {
    for keys in [Keys::default(), keys(7)] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Ledger::open_with(folder.path(), &keys).unwrap();
        observe(&mut store, vec![seen(&customer("1"), 1, ANN)]);
        drop(store);
        let file = rusqlite::Connection::open(folder.path().join("tandem.db")).unwrap();
        let body: Vec<u8> = file
            .query_row("SELECT body FROM inbox", [], |row| row.get(0))
            .unwrap();
        for place in 0..body.len() {
            let mut altered = body.clone();
            altered[place] ^= 0x20;
            file.execute("UPDATE inbox SET body = ?1", [altered]).unwrap();
            let mut store = Ledger::open_with(folder.path(), &keys).unwrap();
            let taken = store.take_dirty(&flows(), 9, 10, at(0));
            assert!(matches!(taken, Err(Error::Corrupt(_))), "{place}: {taken:?}");
        }
    }
}
