//! How the state is kept: backups and the way back, damage, and encryption.

use crate::local::{Pair, Ran};
use crate::rest;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// A key as `openssl rand -base64 32` prints one.
const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn synced(pair: &Pair) {
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
}

/// Both systems are compared in full: nothing differs, nothing stands twice.
pub(crate) fn verified(pair: &Pair) {
    let verify = pair.run(&["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    for count in ["different", "duplicates", "unlinked"] {
        assert_eq!(verify.last()[count], 0, "{count}: {}", verify.out);
    }
}

fn product2(pair: &Pair, erp: &str) -> String {
    let links = pair
        .run(&["links", "--flow", "product-product2", "--json"])
        .lines();
    let link = links
        .iter()
        .find(|link| link["customerp"] == format!("Product:{erp}"));
    let crm = link.unwrap()["salesforce"].as_str().unwrap();
    crm.split_once(':').unwrap().1.to_owned()
}

/// Edits a product's description in the ERP.
pub(crate) fn describe(pair: &Pair, erp: &str, text: &str) {
    let body = json!({ "description": text });
    rest::patch_customerp(&pair.customerp.url, &format!("products/{erp}"), &body);
}

/// The description of a product in both systems.
fn described(pair: &Pair, erp: &str, crm: &str) -> [Json; 2] {
    let ours = rest::get_customerp(&pair.customerp.url, &format!("products/{erp}"));
    let theirs = rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Product2/{crm}"));
    [ours["description"].clone(), theirs["Description"].clone()]
}

#[test]
fn a_restored_state_writes_nothing_old_over_anything_newer() {
    let pair = Pair::start(&["--records", "4", "--seed", "31"], &[]);
    synced(&pair);
    let [one, two, three] = ["1", "2", "3"].map(|erp| product2(&pair, erp));
    describe(&pair, "1", "before the backup");
    synced(&pair);
    // GIVEN a backup, made while a run holds the state
    let mut run = pair
        .command(&["run", "--json"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut backup = pair.run(&["backup", "tandem.backup", "--json"]);
    assert_eq!(backup.code, Some(0), "{}", backup.err);
    assert_eq!(backup.last()["encrypted"], false);
    backup = pair.run(&["backup", "tandem.backup"]);
    assert_eq!(backup.code, Some(2), "{}", backup.err);
    run.kill().unwrap();
    run.wait().unwrap();
    // AND edits since then that arrived, on either side, and one that did not
    describe(&pair, "1", "newer in the ERP");
    let newer = json!({ "Description": "newer in the org" });
    rest::patch_salesforce(&pair.salesforce.url, "Product2", &two, &newer);
    let body = json!({ "customerId": "1", "lastName": "Since", "email": "since@people.example" });
    rest::post_customerp(&pair.customerp.url, "contacts", &body);
    synced(&pair);
    describe(&pair, "3", "not yet carried on");
    // WHEN the backup is to take the place of a newer state
    let refused = pair.run(&["restore", "tandem.backup"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("newer than the backup"), "{}", refused.err);
    synced_state_is_as_before(&pair);
    describe(&pair, "3", "not yet carried on either");
    let newest = |pair: &Pair| {
        let last = pair.run(&["history", "--limit", "1", "--json"]).last();
        ["number", "run"].map(|name| last[name].as_u64().unwrap())
    };
    let before = newest(&pair);
    let restored = pair.run(&["restore", "tandem.backup", "--yes", "--json"]);
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    let kept = restored.last()["kept"].as_str().unwrap().to_owned();
    assert!(pair.path(&kept).join("tandem.db").exists());
    // THEN the newer values stay, the open edit travels, and who came since is linked and not made again
    synced(&pair);
    // AND the numbers that people type go on where the state stopped that gave way: none is given twice, all stay short
    let after = newest(&pair);
    assert!(
        after
            .iter()
            .zip(before)
            .all(|(after, before)| *after > before && *after < before + 1_000),
        "{before:?} {after:?}"
    );
    let both = |text: &str| [json!(text), json!(text)];
    assert_eq!(described(&pair, "1", &one), both("newer in the ERP"));
    assert_eq!(described(&pair, "2", &two), both("newer in the org"));
    assert_eq!(described(&pair, "3", &three), both("not yet carried on either"));
    verified(&pair);
}

fn synced_state_is_as_before(pair: &Pair) {
    let links = pair.run(&["links", "--json"]).lines();
    assert!(!links.is_empty());
    synced(pair);
}

#[test]
fn a_damaged_state_is_told_and_nothing_written_and_a_backup_brings_it_back() {
    let pair = Pair::start(&["--records", "4", "--seed", "32"], &[]);
    synced(&pair);
    let one = product2(&pair, "1");
    assert_eq!(pair.run(&["backup", "tandem.backup"]).code, Some(0));
    // GIVEN an edit on its way, and damage
    describe(&pair, "1", "on its way");
    let before = described(&pair, "1", &one);
    let file = pair.path("state/tandem.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // Several pages, so that not all of them are free ones.
    let pages = bytes.len() / 8192;
    let damaged = pages / 4 * 8192..pages * 3 / 4 * 8192;
    bytes[damaged].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let writes = |pair: &Pair| {
        let calls = rest::get(&format!("{}/_local/calls", pair.customerp.url));
        ["create", "update", "delete"].map(|kind| calls["byKind"][kind].clone())
    };
    let written = writes(&pair);
    // WHEN it is used THEN that is told, and neither system was written to
    for command in [&["sync"][..], &["run"], &["backup", "another.backup"]] {
        let run = pair.run(command);
        assert_eq!(run.code, Some(1), "{command:?}: {}", run.err);
        assert!(
            run.err.contains("damaged") && run.err.contains("tandem restore"),
            "{}",
            run.err
        );
    }
    assert_eq!(writes(&pair), written);
    assert_eq!(described(&pair, "1", &one), before);
    // AND a backup brings it back, the edit with it
    let restored = pair.run(&["restore", "tandem.backup", "--yes"]);
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    synced(&pair);
    assert_eq!(
        described(&pair, "1", &one),
        [json!("on its way"), json!("on its way")]
    );
    verified(&pair);
}

/// What people wrote, in a form that stands nowhere else.
const CANARIES: [&str; 3] = [
    "canary-kanarienvogel",
    "canary.person@birds.example",
    "CANARY Street 7",
];

/// The canaries in the files of a folder, however deep.
fn found(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(self::found(&path));
            continue;
        }
        // A file may go while it is looked for.
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        for canary in CANARIES {
            let canary = canary.to_ascii_lowercase();
            if text.contains(&canary) {
                found.push(format!("{canary} in {}", path.display()));
            }
        }
    }
    found
}

fn with_key(pair: &Pair, more: &str) {
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        format!("{text}\nstate: {{ key: {{ env: TANDEM_STATE_KEY }}{more} }}\n"),
    )
    .unwrap();
}

fn run_with(pair: &Pair, key: &str, arguments: &[&str]) -> Ran {
    pair.command(arguments)
        .env("TANDEM_STATE_KEY", key)
        .output()
        .unwrap()
        .into()
}

#[test]
fn an_encrypted_state_shows_nothing_that_people_wrote() {
    let pair = Pair::start(&["--records", "6", "--seed", "33"], &[]);
    let people = json!({ "customerId": "1", "lastName": CANARIES[0], "email": CANARIES[1], "mailingStreet": CANARIES[2] });
    rest::post_customerp(&pair.customerp.url, "contacts", &people);
    // GIVEN a state in clear, which shows them
    synced(&pair);
    assert!(
        !found(&pair.path("state")).is_empty(),
        "the canaries are in a state in clear"
    );
    // WHEN it gets a key
    with_key(&pair, "");
    let without = pair.run(&["status"]);
    assert_eq!(without.code, Some(2), "{}", without.err);
    assert!(without.err.contains("TANDEM_STATE_KEY"), "{}", without.err);
    let weak = run_with(&pair, "hunter2", &["status"]);
    assert_eq!(weak.code, Some(2), "{}", weak.err);
    assert!(
        weak.err.contains("openssl rand") && !weak.err.contains("hunter2"),
        "{}",
        weak.err
    );
    let sync = run_with(&pair, KEY, &["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}", sync.err);
    // THEN no file shows any, the commands do, and another key is refused
    assert_eq!(found(&pair.path("state")), Vec::<String>::new());
    let history = run_with(&pair, KEY, &["history", &format!("Contact:{}", CANARIES[1])]);
    assert_eq!(history.code, Some(0), "{}", history.err);
    let other = run_with(&pair, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &["status"]);
    assert_eq!(other.code, Some(2), "{}", other.err);
    assert!(other.err.contains("another key"), "{}", other.err);
    // AND a backup keeps it, and comes back with the key alone
    assert_eq!(
        run_with(&pair, KEY, &["backup", "state/tandem.backup"]).code,
        Some(0)
    );
    assert_eq!(found(&pair.path("state")), Vec::<String>::new());
    std::fs::remove_file(pair.path("state/tandem.db")).unwrap();
    assert_eq!(
        run_with(&pair, KEY, &["restore", "state/tandem.backup"]).code,
        Some(0)
    );
    assert_eq!(run_with(&pair, KEY, &["sync"]).code, Some(0));
    let verify = run_with(&pair, KEY, &["verify", "--json"]);
    assert_eq!(
        (verify.code, &verify.last()["different"]),
        (Some(0), &json!(0)),
        "{}",
        verify.out
    );
    assert_eq!(found(&pair.path("state")), Vec::<String>::new());
}

#[test]
fn bulk_loads_of_an_encrypted_state_leave_nothing_in_clear_on_disk() {
    let pair = Pair::start(&["--records", "5", "--seed", "34"], &[]);
    for number in 0..20 {
        let email = format!("{number}.{}", CANARIES[1]);
        let people = json!({ "customerId": "1", "lastName": CANARIES[0], "email": email, "mailingStreet": CANARIES[2] });
        rest::post_customerp(&pair.customerp.url, "contacts", &people);
    }
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let at = text.rfind("\n    secrets:").unwrap();
    let bulk = format!("{}\n    writes: {{ bulk_above: 5 }}{}", &text[..at], &text[at..]);
    std::fs::write(&config, bulk).unwrap();
    with_key(&pair, "");
    // GIVEN a first sync in bulk that is looked at again and again while it spools and loads
    let mut run = pair.command(&["sync", "--json"]);
    let run = run
        .env("TANDEM_STATE_KEY", KEY)
        .stdout(std::process::Stdio::null());
    let mut run = run.spawn().unwrap();
    let mut spooled = 0;
    while run.try_wait().unwrap().is_none() {
        let spool = pair.path("state/bulk/salesforce");
        spooled += std::fs::read_dir(&spool).map_or(0, Iterator::count);
        if let Ok(there) = std::panic::catch_unwind(|| found(&pair.path("state"))) {
            assert_eq!(there, Vec::<String>::new());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(spooled > 0, "nothing was spooled");
    let verify = run_with(&pair, KEY, &["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
}

/// What an upgrade does: the program that works brings the state forward by itself, and keeps it as it was.
#[test]
fn s7_a_state_of_an_older_form_is_brought_forward_by_whoever_works_with_it() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let state = rusqlite::Connection::open(pair.path("state/tandem.db")).unwrap();
    state
        .execute_batch("DROP TABLE hourly; DROP TABLE lease; DROP TABLE worker; PRAGMA user_version = 9;")
        .unwrap();
    drop(state);
    let looked = pair.run(&["status"]);
    assert_eq!(looked.code, Some(2), "{}", looked.err);
    let mut run = pair.command(&["run", "--no-console"]);
    let run = run.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let mut notes = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(notes.any(|line| line.contains("Keeping in step")));
    let ended = Command::new("kill").arg(run.id().to_string()).status();
    assert!(ended.unwrap().success());
    notes.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let files = std::fs::read_dir(pair.path("state")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("form-9-")).count(), 1);
    assert_eq!(pair.run(&["status"]).code, Some(0));
}
