//! A backup in the place of the state, whether a process works with it or none does.

use crate::door::Office;
use crate::local::Ran;
use crate::rest;
use serde_json::Value as Json;
use std::process::Command;
use tandem_ledger::{Home, Keys, Ledger, back_up};
use tandem_seal::Seal;

/// A backup of the state as it is, and an edit since then that arrived.
fn backed_up(office: &Office) {
    office.done(&["backup", "tandem.backup"]);
    office.edit_here("since the backup");
    office.both_hold("since the backup");
    office.turn_to(2);
}

/// What a file that is no backup of this state comes to, whatever it is asked with.
fn refused(office: &Office) -> Vec<(Option<i32>, String)> {
    let whole = std::fs::read(office.pair.path("tandem.backup")).unwrap();
    for (name, from, to) in [
        ("broken.backup", 0, 90),
        ("damaged.backup", whole.len() / 3, whole.len() / 2),
    ] {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xa5);
        std::fs::write(office.pair.path(name), bytes).unwrap();
    }
    let damaged = office.pair.run(&["restore", "damaged.backup", "--yes"]);
    assert_eq!(damaged.code, Some(1), "{}", damaged.err);
    assert!(damaged.err.contains("damaged"), "{}", damaged.err);
    let seal = Seal::from_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    let keys = Keys {
        current: Some(seal.into()),
        former: None,
    };
    let other = tempfile::tempdir().unwrap();
    drop(Ledger::open_with(other.path(), &keys).unwrap());
    let sealed = office.pair.path("sealed.backup");
    let home = Home::Folder(other.path().to_owned());
    back_up(&home, &sealed, &keys, jiff::Timestamp::UNIX_EPOCH).unwrap();
    drop(Ledger::open(&office.pair.path("no-backup")).unwrap());
    let files = ["broken.backup", "sealed.backup", "no-backup/tandem.db", "nowhere"];
    let refusals = files.map(|file| {
        let ran = office.pair.run(&["restore", file, "--yes"]);
        assert!(matches!(ran.code, Some(1 | 2)), "{file}: {}{}", ran.out, ran.err);
        (ran.code, ran.err)
    });
    refusals.into()
}

#[test]
fn what_cannot_take_the_place_of_the_state_is_refused_in_the_same_words_and_leaves_the_work_alone() {
    // GIVEN a process that works, and none
    let offices = [true, false].map(Office::open);
    let told = offices.each_ref().map(|office| {
        backed_up(office);
        // WHEN files are given that are no backups of the state, and one without a word that the state may give way
        let told = refused(office);
        let newer = office.pair.run(&["restore", "tandem.backup"]);
        assert_eq!(newer.code, Some(2), "{}", newer.err);
        for part in [
            "newer than the backup",
            "nothing was changed",
            "restore FILE --yes",
        ] {
            assert!(newer.err.contains(part), "{}", newer.err);
        }
        // THEN what was there goes on
        office.edit_there("it goes on");
        office.both_hold("it goes on");
        told
    });
    assert_eq!(told[0], told[1]);
    // AND it was never let go of, and whoever asked stands in the log
    let said = offices[0].said.lock().unwrap().join("\n");
    assert!(!said.contains("takes the place of the state"), "{said}");
    assert!(!said.contains("Keeping in step"), "{said}");
    assert!(said.contains("somebody asked at the door"), "{said}");
}

#[test]
fn a_backup_takes_the_place_of_the_state_where_nobody_works() {
    restores(&Office::open(false));
}

#[test]
fn a_backup_takes_the_place_of_the_state_while_a_process_works_and_the_work_goes_on() {
    restores(&Office::open(true));
}

fn restores(office: &Office) {
    // GIVEN a backup, edits since then that arrived, and one that comes while the state gives way
    backed_up(office);
    let restored = std::thread::scope(|scope| {
        let restoring = scope.spawn(|| office.pair.run(&["restore", "tandem.backup", "--yes", "--json"]));
        office.edit_there("while the state gave way");
        restoring.join().unwrap()
    });
    // THEN it is told as ever
    assert_eq!(restored.code, Some(0), "{}{}", restored.out, restored.err);
    let shown = restored.last();
    assert_eq!(shown["file"], "tandem.backup");
    assert!(
        shown["made"].is_string() && shown["links"].as_u64() > Some(3),
        "{shown}"
    );
    keeps_the_one_before(office, &shown);
    // AND nothing old is written over anything newer, and what came meanwhile arrives
    office.both_hold("while the state gave way");
    office.turn_to(1);
    office.both_hold("since the backup");
    // AND people come and go as before
    office.done(&["pause", "product-product2"]);
    office.done(&["resume", "product-product2"]);
    office.turn_to(3);
    office.edit_here("afterwards");
    office.both_hold("afterwards");
    let Some(run) = &office.working else {
        return whole(&office.pair.run(&["verify", "--json"]));
    };
    let at: Json =
        serde_json::from_str(&std::fs::read_to_string(office.pair.path("state/console.url")).unwrap())
            .unwrap();
    let metrics = rest::text(&format!("{}/metrics", at["url"].as_str().unwrap()));
    assert!(metrics.unwrap().contains("tandem_flow_linked"));
    // AND it was one process all the while, which says what was asked for and what it did
    let said = office.said.lock().unwrap().join("\n");
    for part in [
        "takes the place of the state",
        "The state is as it was at",
        "somebody asked at the door",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let told = Command::new("kill").arg(run.id().to_string()).status().unwrap();
    assert!(told.success());
    let door = office.pair.path("state/tandem.sock");
    crate::live::until(|| (!door.exists()).then_some(()));
    whole(&office.pair.run(&["verify", "--json"]));
}

fn keeps_the_one_before(office: &Office, shown: &Json) {
    let kept = shown["kept"].as_str().unwrap();
    match std::env::var_os("TANDEM_POSTGRES") {
        Some(_) => assert!(kept.contains("_replaced_"), "{kept}"),
        None => assert!(office.pair.path(kept).join("tandem.db").exists(), "{kept}"),
    }
}

fn whole(verify: &Ran) {
    assert_eq!(verify.code, Some(0), "{}{}", verify.out, verify.err);
    for count in ["different", "duplicates", "unlinked"] {
        assert_eq!(verify.last()[count], 0, "{count}: {}", verify.out);
    }
}

#[test]
fn a_restore_that_fails_half_way_leaves_the_process_with_the_state_that_was_there() {
    let office = Office::open(true);
    backed_up(&office);
    // GIVEN something in the way of the copy that is to become the state, as a full disk would be
    let hurdles = ["state/restored.db", "tandem.backup.restoring"].map(|name| office.pair.path(name));
    for hurdle in &hurdles {
        std::fs::create_dir_all(hurdle.join("in the way")).unwrap();
    }
    let failed = office.pair.run(&["restore", "tandem.backup", "--yes"]);
    assert!(matches!(failed.code, Some(1 | 2)), "{}{}", failed.out, failed.err);
    // THEN the state that was there goes on
    office.edit_here("it goes on");
    office.both_hold("it goes on");
    let said = office.said.lock().unwrap().join("\n");
    assert!(said.contains("The state stays as it was."), "{said}");
    // AND once nothing is in its way the same backup takes its place
    for hurdle in &hurdles {
        std::fs::remove_dir_all(hurdle).unwrap();
    }
    office.done(&["restore", "tandem.backup", "--yes"]);
    office.turn_to(3);
    office.edit_there("and with the other");
    office.both_hold("and with the other");
}
