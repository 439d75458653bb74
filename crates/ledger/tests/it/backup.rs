//! Backups, the way back, and damage.

use crate::crash::{LIFE, copy_as_left};
use crate::setup::*;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake};
use tandem_ledger::{Error, Home, Keys, Ledger, Store, back_up, look_at_backup, look_at_state, restore};

fn live(store: &mut dyn Store) {
    for (name, step) in LIFE {
        step(store).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn folder(path: &Path) -> Home {
    Home::Folder(path.to_owned())
}

#[test]
fn a_backup_is_the_state_at_one_moment_while_it_is_held_and_changed() {
    for keys in [Keys::default(), keys(7)] {
        let home = tempfile::tempdir().unwrap();
        let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
        let mut store = Ledger::open_with(&state, &keys).unwrap();
        live(&mut store);
        let held = back_up(&folder(&state), &file, &keys, at(7_000)).unwrap();
        observe(&mut store, vec![seen(&customer("9"), 1, ANN)]);
        assert_eq!(look_at_backup(&file, &keys).unwrap(), held);
        assert_eq!(held.made, Some(at(7_000)));
        assert_eq!(held.links, store.links(None, 0, 100).unwrap().len() as u64);
        drop(store);
        let now = look_at_state(&folder(&state), &keys).unwrap().unwrap();
        assert!(now.state == held.state && now.changes > held.changes && now.made.is_none());
        // A file that is there is not written over, and a state is no backup.
        let again = back_up(&folder(&state), &file, &keys, at(7_000)).unwrap_err();
        assert!(matches!(again, Error::Taken(_)), "{again:?}");
        let no = look_at_backup(&state.join("tandem.db"), &keys).unwrap_err();
        assert!(matches!(no, Error::NoBackup(_)), "{no:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_backup_is_its_owners_alone_and_sealed_as_the_state_is() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
    live(&mut Ledger::open_with(&state, &keys(7)).unwrap());
    back_up(&folder(&state), &file, &keys(7), at(7_000)).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(15).any(|part| part == b"ann@example.org"));
    let without = look_at_backup(&file, &Keys::default()).unwrap_err();
    assert!(matches!(without, Error::KeyMissing), "{without:?}");
}

#[test]
fn s3_a_restored_state_keeps_its_bases_and_lists_everything_anew() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
    let mut store = Ledger::open(&state).unwrap();
    live(&mut store);
    observe(&mut store, vec![seen(&order("54"), 1, &[("number", "54")])]);
    rest(&mut store);
    // GIVEN a backup with a create that was sent and one that was not
    let sent: Vec<u64> = store
        .sendable(CRM, true, 9, 1)
        .unwrap()
        .iter()
        .map(|intent| intent.id)
        .collect();
    store.begin_write(1, &sent, at(6_900)).unwrap();
    observe(&mut store, vec![seen(&order("55"), 1, &[("number", "55")])]);
    rest(&mut store);
    let cluster = store.cluster(&flows(), &customer("1")).unwrap();
    let history = store.history(None, 0, 1_000).unwrap();
    let unsettled = store.unsettled(0, 100).unwrap();
    assert!(!unsettled.is_empty() && !store.sendable(CRM, true, 9, 100).unwrap().is_empty());
    back_up(&folder(&state), &file, &Keys::default(), at(7_000)).unwrap();
    // WHEN the state goes on, is lost, and the backup takes its place
    observe(
        &mut store,
        vec![seen(&customer("1"), 700, &[("name", "Changed")])],
    );
    rest(&mut store);
    drop(store);
    let kept = restore(&file, &folder(&state), &Keys::default(), at(8_000))
        .unwrap()
        .unwrap();
    // THEN what was agreed is as it was, and what was sent is still to be settled
    let mut store = Ledger::open(&state).unwrap();
    assert_eq!(store.cluster(&flows(), &customer("1")).unwrap(), cluster);
    assert_eq!(store.history(None, 0, 1_000).unwrap(), history);
    assert_eq!(store.unsettled(0, 100).unwrap(), unsettled);
    // AND nothing is sent or decided as listed before both systems were listed anew
    for system in [ERP, CRM] {
        assert_eq!(store.cursor(system).unwrap(), None);
        for creates in [true, false] {
            assert_eq!(store.sendable(system, creates, 9, 100).unwrap(), []);
        }
    }
    assert!(store.status(&flows()).unwrap().listed.is_empty());
    // AND no number is given twice: what the lost state sent meanwhile bore other ones
    listed(&mut store);
    rest(&mut store);
    let anew = store.sendable(CRM, true, 9, 100).unwrap();
    assert!(anew.iter().any(|intent| intent.id > 1 << 32), "{anew:?}");
    // AND the former state is kept
    drop(store);
    let mut former = Ledger::open(Path::new(&kept)).unwrap();
    let cluster = former.cluster(&flows(), &customer("1")).unwrap().unwrap();
    let shown = &cluster.records[&customer("1")].shadow.values["name"];
    assert_eq!(shown, &"Changed".into());
}

#[test]
fn a_restore_that_fails_while_it_takes_the_place_puts_back_what_was_there() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
    let store = |live: fn(&mut dyn Store)| {
        let mut store = Ledger::open(&state).unwrap();
        live(&mut store);
        store.links(None, 0, 100).unwrap()
    };
    let links = store(live);
    back_up(&folder(&state), &file, &Keys::default(), at(7_000)).unwrap();
    // GIVEN a log that cannot be moved behind its database
    let kept = at(8_000).strftime("replaced-%Y%m%dT%H%M%SZ").to_string();
    std::fs::write(state.join("tandem.db-wal"), []).unwrap();
    std::fs::create_dir_all(state.join(&kept).join("tandem.db-wal")).unwrap();
    let failed = restore(&file, &folder(&state), &Keys::default(), at(8_000)).unwrap_err();
    assert!(matches!(failed, Error::Folder { .. }), "{failed:?}");
    // THEN the state is whole, as it was, and nothing is left of the other
    assert_eq!(store(|_| ()), links);
    assert!(!state.join("restored.db").exists());
    assert_eq!(
        look_at_state(&folder(&state), &Keys::default())
            .unwrap()
            .unwrap()
            .made,
        None
    );
    restore(&file, &folder(&state), &Keys::default(), at(8_001)).unwrap();
    assert_eq!(store(|_| ()), links);
}

/// What gives way is kept, however quickly one restore follows another.
#[test]
fn two_restores_at_one_moment_keep_both_states_that_gave_way() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
    live(&mut Ledger::open(&state).unwrap());
    back_up(&folder(&state), &file, &Keys::default(), at(7_000)).unwrap();
    let kept = || {
        restore(&file, &folder(&state), &Keys::default(), at(8_000))
            .unwrap()
            .unwrap()
    };
    let (first, second) = (kept(), kept());
    assert_ne!(first, second);
    for kept in [first, second] {
        assert!(
            !Ledger::open(Path::new(&kept))
                .unwrap()
                .links(None, 0, 100)
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn a_restore_cut_off_half_way_is_refused_until_it_is_done_again() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
    live(&mut Ledger::open(&state).unwrap());
    back_up(&folder(&state), &file, &Keys::default(), at(7_000)).unwrap();
    std::fs::write(state.join("restoring"), "").unwrap();
    std::fs::remove_file(state.join("tandem.db")).unwrap();
    let refused = Ledger::open(&state).unwrap_err();
    assert!(matches!(refused, Error::HalfRestored), "{refused:?}");
    restore(&file, &folder(&state), &Keys::default(), at(8_000)).unwrap();
    Ledger::open(&state).unwrap();
}

#[test]
fn a_held_state_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
    let store = Ledger::open(&state).unwrap();
    back_up(&folder(&state), &file, &Keys::default(), at(7_000)).unwrap();
    let held = restore(&file, &folder(&state), &Keys::default(), at(8_000)).unwrap_err();
    assert!(matches!(held, Error::Held(_)), "{held:?}");
    drop(store);
}

/// How a page is damaged.
fn damage(bytes: &mut [u8], page: usize, kind: usize) {
    let page = &mut bytes[page * 8192..(page + 1) * 8192];
    match kind {
        0 => page.fill(0),
        1 => page.fill(0xff),
        _ => {
            let mut noise = 88_172_645_463_325_252_u64;
            for byte in page {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                *byte = noise.to_le_bytes()[0];
            }
        }
    }
}

/// A state in the folder with one page damaged; its folder.
fn damaged(home: &Path, whole: &[u8], page: usize, kind: usize) -> PathBuf {
    let mut bytes = whole.to_vec();
    damage(&mut bytes, page, kind);
    let there = home.join(format!("damaged-{page}-{kind}"));
    std::fs::create_dir_all(&there).unwrap();
    std::fs::write(there.join("tandem.db"), bytes).unwrap();
    there
}

/// Waits on this thread.
fn wait(mut what: Pin<Box<dyn Future<Output = ()> + Send>>) {
    struct Unparks(std::thread::Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unparks(std::thread::current())).into();
    while what.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        std::thread::park();
    }
}

#[test]
fn e19_nothing_is_sent_from_a_damaged_file_whatever_page_it_is() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    live(&mut Ledger::open(&state).unwrap());
    let whole = std::fs::read(state.join("tandem.db")).unwrap();
    let pages = whole.len() / 8192;
    assert!(pages > 20, "only {pages} pages");
    let mut noticed = 0;
    for (page, kind) in (0..pages).flat_map(|page| (0..3).map(move |kind| (page, kind))) {
        let there = damaged(home.path(), &whole, page, kind);
        let opened = Ledger::open(&there).and_then(|mut store| {
            store.look_over()?;
            store.begin_write(1, &[], at(9_000))?;
            // Once it is known nothing else is done either.
            store.note("anything")
        });
        let awaited = Ledger::open(&there).and_then(|mut store| {
            store.look_over()?;
            wait(store.looked_over());
            store.note("anything")
        });
        assert_eq!(awaited.is_ok(), opened.is_ok(), "page {page}, damage {kind}");
        match opened {
            Err(Error::Corrupt(_)) => noticed += 1,
            // A free page holds nothing.
            Ok(_) => assert!(is_free(&whole, page), "page {page} of {pages}, damage {kind}"),
            Err(other) => panic!("page {page}, damage {kind}: {other:?}"),
        }
        std::fs::remove_dir_all(there).unwrap();
    }
    assert!(noticed > 60, "only {noticed}");
}

#[test]
fn nothing_is_read_from_a_damaged_page_before_that_is_found() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    live(&mut Ledger::open(&state).unwrap());
    let whole = std::fs::read(state.join("tandem.db")).unwrap();
    let told = dump(&mut Ledger::open(&state).unwrap());
    let mut refused = 0;
    for (page, kind) in (0..whole.len() / 8192).flat_map(|page| (0..3).map(move |kind| (page, kind))) {
        let there = damaged(home.path(), &whole, page, kind);
        let read = Ledger::open(&there).and_then(|mut store| try_dump(&mut store));
        match read {
            Err(Error::Corrupt(_)) => refused += 1,
            Ok(read) => assert_eq!(read, told, "page {page}, damage {kind}"),
            Err(other) => panic!("page {page}, damage {kind}: {other:?}"),
        }
        std::fs::remove_dir_all(there).unwrap();
    }
    assert!(refused > 30, "only {refused}");
}

#[test]
fn a_look_that_nobody_waits_for_ends_before_the_file_is_closed() {
    let home = tempfile::tempdir().unwrap();
    live(&mut Ledger::open(home.path()).unwrap());
    let file = rusqlite::Connection::open(home.path().join("tandem.db")).unwrap();
    // Enough to look at for a while.
    let sql =
        "INSERT INTO history (number, rid, at, body) WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n
               WHERE n < 200000) SELECT n + 100000, 1000, 0, randomblob(100) FROM n";
    file.execute(sql, []).unwrap();
    drop(file);
    let log = home.path().join("tandem.db-wal");
    let mut store = Ledger::open(home.path()).unwrap();
    store.look_over().unwrap();
    store.set_note("anything", "else").unwrap();
    assert!(log.exists());
    drop(store);
    // Whoever closes the file last settles the log; a look only reads.
    assert!(!log.exists());
}

/// Whether a page is on the list of free ones, by the database's own account.
fn is_free(whole: &[u8], page: usize) -> bool {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("tandem.db");
    std::fs::write(&path, whole).unwrap();
    let file = rusqlite::Connection::open(path).unwrap();
    let free: i64 = file
        .pragma_query_value(None, "freelist_count", |row| row.get(0))
        .unwrap();
    free > 0 && page > 0
}

#[test]
fn a_damaged_backup_is_refused_and_the_state_stays() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("backup.db"));
    live(&mut Ledger::open(&state).unwrap());
    back_up(&folder(&state), &file, &Keys::default(), at(7_000)).unwrap();
    let before = dump(&mut Ledger::open(&state).unwrap());
    let mut bytes = std::fs::read(&file).unwrap();
    // Within a value: no page is broken, but the sum of the value.
    let place = bytes
        .windows(15)
        .position(|part| part == b"ann@example.org")
        .unwrap();
    bytes[place] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let refused = restore(&file, &folder(&state), &Keys::default(), at(8_000)).unwrap_err();
    assert!(matches!(refused, Error::Corrupt(_)), "{refused:?}");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let refused = restore(&file, &folder(&state), &Keys::default(), at(8_000)).unwrap_err();
    assert!(matches!(refused, Error::Corrupt(_)), "{refused:?}");
    assert_eq!(dump(&mut Ledger::open(&state).unwrap()), before);
}

#[test]
fn a_backup_of_a_state_that_was_killed_is_whole() {
    let home = tempfile::tempdir().unwrap();
    let (state, dead) = (home.path().join("state"), home.path().join("dead"));
    let mut store = Ledger::open(&state).unwrap();
    live(&mut store);
    copy_as_left(&state, &dead);
    let file = home.path().join("backup.db");
    back_up(&folder(&dead), &file, &Keys::default(), at(7_000)).unwrap();
    let fresh: &Path = &home.path().join("fresh");
    restore(&file, &folder(fresh), &Keys::default(), at(8_000)).unwrap();
    let mut restored = Ledger::open(fresh).unwrap();
    assert_eq!(
        restored.links(None, 0, 100).unwrap(),
        store.links(None, 0, 100).unwrap()
    );
}

#[test]
fn e19_a_look_that_could_not_be_made_lets_nothing_be_sent() {
    let home = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(home.path()).unwrap();
    live(&mut store);
    let (file, away) = (home.path().join("tandem.db"), home.path().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    assert!(store.look_over().is_err());
    for _ in 0..2 {
        assert!(store.begin_write(1, &[], at(9_000)).is_err());
    }
    // AND it goes on by itself once the look can be made
    std::fs::rename(&away, &file).unwrap();
    store.begin_write(1, &[], at(9_000)).unwrap();
}
