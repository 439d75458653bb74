//! What only a folder with a file can do.

use crate::setup::*;
use tandem_ledger::{Error, Home, Keys, Ledger, Store};

#[cfg(unix)]
#[test]
fn the_state_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("deep/state");
    let mut store = Ledger::open(&folder).unwrap();
    observe(&mut store, vec![seen(&customer("1"), 1, &[("name", "Ann")])]);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(
        names,
        ["tandem.db", "tandem.db-shm", "tandem.db-wal", "tandem.lock"]
    );
}

#[test]
fn one_process_holds_the_state_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Ledger::open(folder.path()).unwrap();
    let held = Ledger::open(folder.path()).unwrap_err();
    assert!(matches!(held, Error::Held(_)));
    let text = held.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    drop(store);
    Ledger::open(folder.path()).unwrap();
}

#[test]
fn a_copy_is_whole_and_apart_while_the_original_is_held() {
    let home = tempfile::tempdir().unwrap();
    let (here, there) = (home.path().join("here"), home.path().join("there"));
    let mut store = Ledger::open(&here).unwrap();
    observe(&mut store, vec![seen(&customer("1"), 1, &[("name", "Ann")])]);
    let mut copy = Ledger::open_copy(&Home::Folder(here.clone()), &there, &Keys::default()).unwrap();
    assert_eq!(dump(&mut copy), dump(&mut store));
    assert_eq!(copy.state_id().unwrap(), store.state_id().unwrap());
    rest(&mut copy);
    assert_eq!(take(&mut store).len(), 1);
    drop(copy);
    let again = Ledger::open_copy(&Home::Folder(here.clone()), &there, &Keys::default());
    assert!(again.is_err(), "there is a state already");
    let mut fresh = Ledger::open_copy(
        &Home::Folder(home.path().join("none")),
        &home.path().join("fresh"),
        &Keys::default(),
    )
    .unwrap();
    assert!(take(&mut fresh).is_empty());
}

#[test]
fn a_file_that_is_no_state_is_told_clearly() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("tandem.db"),
        "this is a letter, not a database. ".repeat(99),
    )
    .unwrap();
    let refused = Ledger::open(folder.path()).unwrap_err();
    assert!(matches!(refused, Error::Corrupt(_)), "{refused:?}");
    assert!(refused.to_string().contains("tandem restore"), "{refused}");
}

#[test]
fn a_newer_form_is_refused_and_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(Ledger::open(folder.path()).unwrap());
    let file = rusqlite::Connection::open(folder.path().join("tandem.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    let refused = Ledger::open(folder.path()).unwrap_err();
    assert!(matches!(refused, Error::Newer { found: 99, .. }), "{refused:?}");
    file.pragma_update(None, "user_version", 7).unwrap();
    let refused = Ledger::open(folder.path()).unwrap_err();
    assert!(matches!(refused, Error::Older { found: 7, .. }), "{refused:?}");
    assert!(refused.to_string().contains("there is no way over"), "{refused}");
}

#[test]
fn a_damaged_row_is_told_clearly_and_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(folder.path()).unwrap();
    observe(&mut store, vec![seen(&customer("1"), 1, &[("name", "Ann")])]);
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("tandem.db")).unwrap();
    file.execute("UPDATE inbox SET body = '{'", []).unwrap();
    drop(file);
    let mut store = Ledger::open(folder.path()).unwrap();
    let taken = store.take_dirty(&flows(), 9, 10, at(0));
    assert!(matches!(taken, Err(Error::Corrupt(_))), "{taken:?}");
}

#[test]
fn the_state_is_there_again_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(folder.path()).unwrap();
    observe(&mut store, vec![seen(&order("7"), 1, &[("number", "7")])]);
    listed(&mut store);
    rest(&mut store);
    observe(&mut store, vec![seen(&order("8"), 1, &[("number", "8")])]);
    let before = dump(&mut store);
    drop(store);
    assert_eq!(dump(&mut Ledger::open(folder.path()).unwrap()), before);
}

#[test]
fn twenty_thousand_records_pass_in_batches() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(folder.path()).unwrap();
    for batch in 0..20 {
        let row = |n: i64| {
            let id = format!("{}", batch * 1_000 + n);
            seen(
                &customer(&id),
                1,
                &[("name", &id), ("email", &format!("{id}@example.org"))],
            )
        };
        observe(&mut store, (0..1_000).map(row).collect());
    }
    let mut decided_ones = 0;
    loop {
        let taken = store.take_dirty(&flows(), 9, 1_000, at(5_000)).unwrap();
        if taken.is_empty() {
            break;
        }
        assert!(taken.len() <= 1_000);
        decided_ones += taken.len();
        commit(&mut store, taken.into_iter().map(decided).collect());
    }
    assert_eq!(decided_ones, 20_000);
    assert_eq!(store.status(&flows()).unwrap().records["erp Customer"], 20_000);
}

#[test]
fn e19_where_the_fence_cannot_be_read_nobody_writes() {
    // GIVEN a state whose mark of the latest holder is lost
    let folder = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(folder.path()).unwrap();
    store.set_note("fence", "seven").unwrap();
    // WHEN anyone stores a page THEN nothing of it is kept
    let rows = vec![seen(&customer("1"), 1, ANN)];
    let stored = store.commit_page(FENCE, &flows(), &page(ERP, rows, Some("one")));
    assert!(matches!(stored, Err(Error::Corrupt(_))), "{stored:?}");
    assert_eq!(store.cursor(ERP).unwrap(), None);
}
