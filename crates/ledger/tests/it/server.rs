//! What only a server can do: let several in, be away, hold what others put there.

use crate::crash::LIFE;
use crate::setup::*;
use std::path::Path;
use tandem_ledger::{
    Error, Home, Keys, Ledger, Server, Store, Turn, Turns, back_up, is_there, look_at_state, restore,
};
use tokio_postgres::NoTls;

fn live(store: &mut dyn Store) -> String {
    for (name, step) in LIFE {
        step(store).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    dump(store)
}

fn home() -> Home {
    schema().expect("TANDEM_POSTGRES names a server: ./test --long, or clients/with-postgres")
}

/// Asks the server as anyone may.
fn ask(sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connection = std::env::var("TANDEM_POSTGRES").unwrap();
        let (client, line) = tokio_postgres::connect(&connection, NoTls).await.unwrap();
        tokio::spawn(line);
        let rows = client.simple_query(sql).await.unwrap();
        rows.iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect()
    })
}

fn name(home: &Home) -> &str {
    match home {
        Home::Server(server) => server.schema(),
        Home::Folder(_) => unreachable!("a schema"),
    }
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn one_process_holds_a_schema_at_a_time() {
    let home = home();
    assert!(!is_there(&home).unwrap());
    let mut store = Ledger::open_at(&home, &Keys::default()).unwrap();
    let told = live(&mut store);
    let held = Ledger::open_at(&home, &Keys::default()).unwrap_err();
    let text = held.to_string();
    assert!(matches!(held, Error::Held(_)), "{text}");
    let process = format!("process {}", std::process::id());
    assert!(text.contains(name(&home)) && text.contains(&process), "{text}");
    // A copy is made nevertheless, and is apart.
    let there = tempfile::tempdir().unwrap();
    let mut copy = Ledger::open_copy(&home, &there.path().join("copy"), &Keys::default()).unwrap();
    assert_eq!(dump(&mut copy), told);
    drop(store);
    assert_eq!(dump(&mut Ledger::open_at(&home, &Keys::default()).unwrap()), told);
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn whoever_lost_its_session_stores_nothing_more() {
    let home = home();
    let mut lost = Ledger::open_at(&home, &Keys::default()).unwrap();
    live(&mut lost);
    let holder = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND objid::bigint = hashtext('{}')::bigint & 4294967295",
        name(&home)
    );
    assert_eq!(ask(&holder), ["t"]);
    let mut next = Ledger::open_at(&home, &Keys::default()).unwrap();
    next.set_note("who", "the next").unwrap();
    let refused = lost.set_note("who", "the one before").unwrap_err();
    assert!(matches!(refused, Error::Lost(_)), "{refused}");
    assert_eq!(next.note("who").unwrap().unwrap(), "the next");
}

fn waiting(home: &Home) -> Turns {
    match home {
        Home::Server(server) => Turns::begin(server).unwrap(),
        Home::Folder(_) => unreachable!("a schema"),
    }
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn e11_whoever_does_not_renew_its_lease_is_ended_and_stores_nothing_more() {
    let home = home();
    let turns = waiting(&home);
    assert_eq!(turns.look().unwrap(), Turn::Free);
    let mut holder = Ledger::open_at(&home, &Keys::default()).unwrap();
    live(&mut holder);
    // GIVEN a lease that is good
    let by = format!("process {}", std::process::id());
    assert!(matches!(turns.look().unwrap(), Turn::Held { by: it } if it.ends_with(&by)));
    let told = holder.workers().unwrap();
    let told: Vec<(bool, bool)> = told.iter().map(|it| (it.works, it.name.ends_with(&by))).collect();
    assert_eq!(told, [(true, true), (false, true)]);
    // WHEN it has run out
    ask(&format!("UPDATE {}.lease SET until = 1", name(&home)));
    assert!(matches!(turns.look().unwrap(), Turn::Ended { by: it } if it.ends_with(&by)));
    let refused = holder.set_note("who", "the one before").unwrap_err();
    assert!(matches!(refused, Error::Lost(_)), "{refused}");
    // THEN the next one has it, by a lease of its own
    let mut next = Ledger::open_at(&home, &Keys::default()).unwrap();
    assert_eq!(ask(&format!("SELECT epoch FROM {}.lease", name(&home))), ["2"]);
    assert_eq!(next.note("who").unwrap(), None);
    drop(turns);
    assert_eq!(next.workers().unwrap().len(), 1);
    // AND where it ends in order nobody seems to work
    drop(next);
    let seen = Ledger::open_to_look(&home, &Keys::default()).unwrap().unwrap();
    assert_eq!(seen.workers().unwrap(), []);
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn e11_nothing_is_sent_once_the_lease_is_another_ones() {
    let home = home();
    let mut store = Ledger::open_at(&home, &Keys::default()).unwrap();
    assert!(store.begin_write(FENCE, &[], at(1)).is_ok());
    ask(&format!("UPDATE {}.lease SET epoch = epoch + 1", name(&home)));
    // Renewed every few seconds: then it is seen that it is not ours.
    let seen = async { tokio::time::timeout(std::time::Duration::from_secs(60), store.lost()).await };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(seen).unwrap();
    let refused = store.begin_write(FENCE, &[], at(1)).unwrap_err();
    assert!(matches!(refused, Error::Lost(_)), "{refused}");
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn a_backup_goes_from_one_storage_to_the_other_and_back() {
    let (there, here) = (home(), tempfile::tempdir().unwrap());
    let folder = Home::Folder(here.path().join("state"));
    for keys in [Keys::default(), keys(7)] {
        let file = |name: &str| here.path().join(format!("{name}-{}", keys.current.is_some()));
        let mut store = Ledger::open_at(&there, &keys).unwrap();
        if keys.current.is_none() {
            live(&mut store);
        }
        let links = store.links(None, 0, 1_000).unwrap();
        let history = store.history(None, 0, 1_000).unwrap();
        assert!(!links.is_empty() && !history.is_empty());
        let held = back_up(&there, &file("first"), &keys, at(7_000)).unwrap();
        drop(store);
        restore(&file("first"), &folder, &keys, at(8_000)).unwrap();
        back_up(&folder, &file("second"), &keys, at(8_500)).unwrap();
        let kept = restore(&file("second"), &there, &keys, at(9_000))
            .unwrap()
            .unwrap();
        let mut store = Ledger::open_at(&there, &keys).unwrap();
        assert_eq!(store.links(None, 0, 1_000).unwrap(), links);
        assert_eq!(store.history(None, 0, 1_000).unwrap(), history);
        assert_eq!(store.state_id().unwrap(), held.state);
        drop(store);
        // What was there stays beside it.
        let former = ask(&format!("SELECT count(*) FROM {kept}.link"));
        assert_eq!(former, [links.len().to_string()]);
        ask(&format!("DROP SCHEMA {kept} CASCADE"));
        assert_eq!(look_at_state(&there, &keys).unwrap().unwrap().state, held.state);
    }
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn a_restore_that_fails_leaves_everything_as_it_was() {
    let (there, here) = (home(), tempfile::tempdir().unwrap());
    let mut store = Ledger::open_at(&there, &Keys::default()).unwrap();
    let told = live(&mut store);
    let file = here.path().join("backup");
    back_up(&there, &file, &Keys::default(), at(7_000)).unwrap();
    let held = restore(&file, &there, &Keys::default(), at(8_000)).unwrap_err();
    assert!(matches!(held, Error::Held(_)), "{held}");
    drop(store);
    // One that was altered by hand so that a row cannot be stored.
    let altered = rusqlite::Connection::open(&file).unwrap();
    altered
        .execute_batch("DROP INDEX link_first; DROP INDEX link_second; INSERT INTO link SELECT number + 1000, flow, grp, first, second, verdict, since FROM link;")
        .unwrap();
    drop(altered);
    assert!(restore(&file, &there, &Keys::default(), at(8_000)).is_err());
    assert_eq!(
        dump(&mut Ledger::open_at(&there, &Keys::default()).unwrap()),
        told
    );
    let beside = std::fs::read_dir(here.path()).unwrap().count();
    assert_eq!(beside, 1, "no draft is left beside the backup");
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn what_was_forgotten_and_what_was_in_clear_is_not_left_in_the_tables() {
    let home = home();
    let mut store = Ledger::open_at(&home, &Keys::default()).unwrap();
    live(&mut store);
    drop(store);
    let shows = || {
        let sql = format!(
            "SELECT count(*) FROM {}.body WHERE position('bob@'::bytea IN state) > 0",
            name(&home)
        );
        ask(&sql)
    };
    assert_ne!(shows(), ["0"]);
    let mut store = Ledger::open_at(&home, &keys(7)).unwrap();
    assert_eq!(shows(), ["0"]);
    store.forget(&[customer("2")], at(5_000)).unwrap();
    assert!(store.is_forgotten(&customer("2")).unwrap());
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn a_state_of_another_form_is_refused() {
    let home = home();
    drop(Ledger::open_at(&home, &Keys::default()).unwrap());
    for (form, newer) in [(99, true), (7, false)] {
        ask(&format!(
            "COMMENT ON TABLE {}.note IS 'tandem state, form {form}'",
            name(&home)
        ));
        let refused = Ledger::open_at(&home, &Keys::default()).unwrap_err();
        assert_eq!(matches!(refused, Error::Newer { .. }), newer, "{refused}");
        assert_eq!(matches!(refused, Error::Older { .. }), !newer, "{refused}");
    }
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn a_schema_that_holds_something_else_is_left_alone() {
    let home = home();
    ask(&format!(
        "CREATE SCHEMA {0}; CREATE TABLE {0}.theirs (a INT)",
        name(&home)
    ));
    let refused = Ledger::open_at(&home, &Keys::default()).unwrap_err();
    assert!(matches!(refused, Error::Shared(_)), "{refused}");
    ask(&format!("DROP TABLE {}.theirs", name(&home)));
    live(&mut Ledger::open_at(&home, &Keys::default()).unwrap());
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("backup");
    back_up(&home, &file, &Keys::default(), at(7_000)).unwrap();
    // One in which somebody else has put a table is not renamed, and one of another form gives way.
    ask(&format!("CREATE VIEW {}.theirs AS SELECT 1", name(&home)));
    let refused = restore(&file, &home, &Keys::default(), at(8_000)).unwrap_err();
    assert!(matches!(refused, Error::Shared(_)), "{refused}");
    ask(&format!("DROP VIEW {}.theirs", name(&home)));
    ask(&format!(
        "COMMENT ON TABLE {}.note IS 'tandem state, form 99'",
        name(&home)
    ));
    let kept = restore(&file, &home, &Keys::default(), at(8_000)).unwrap();
    assert!(kept.is_some());
    Ledger::open_at(&home, &Keys::default()).unwrap();
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn a_state_opens_while_somebody_reads_what_is_to_be_rewritten() {
    let home = home();
    live(&mut Ledger::open_at(&home, &Keys::default()).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connection = std::env::var("TANDEM_POSTGRES").unwrap();
        let (reader, line) = tokio_postgres::connect(&connection, NoTls).await.unwrap();
        tokio::spawn(line);
        let reads = format!("BEGIN; SELECT count(*) FROM {}.note", name(&home));
        reader.batch_execute(&reads).await.unwrap();
        // It is sealed all the same, and rewritten once nobody reads it.
        let mut store = Ledger::open_at(&home, &keys(7)).unwrap();
        assert_eq!(store.note("swept").unwrap().as_deref(), Some("no"));
        drop(store);
        reader.batch_execute("COMMIT").await.unwrap();
        let mut store = Ledger::open_at(&home, &keys(7)).unwrap();
        assert_eq!(store.note("swept").unwrap().as_deref(), Some("yes"));
    });
}

#[test]
fn a_server_that_is_not_there_is_told_without_its_password() {
    let server = Server::new("postgres://ann:secret@127.0.0.1:1/erp", "tandem").unwrap();
    let shown = format!("{server:?}");
    assert!(
        shown.contains("schema tandem of database erp on 127.0.0.1"),
        "{shown}"
    );
    let refused = Ledger::open_at(&Home::Server(server), &Keys::default()).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, Error::Unreachable { .. }), "{text}");
    assert!(
        text.contains("127.0.0.1") && !text.contains("secret") && !shown.contains("secret"),
        "{text}"
    );
    for schema in ["", "Tandem", "1st", "a-b", "a\"b", &"x".repeat(33), "public"] {
        assert!(
            Server::new("host=x", schema).unwrap_err().contains("cannot name"),
            "{schema}"
        );
    }
    assert!(Server::new("postgres://ann@x:port/erp", "tandem").is_err());
    let at = Server::new("postgres://ann:s3@cret@db/erp", "tandem").unwrap_err();
    assert!(at.contains("%40") && !at.contains("cret"), "{at}");
    let unknown = Server::new("host=db hunter2=x", "tandem").unwrap_err();
    assert!(!unknown.contains("hunter2"), "{unknown}");
    assert!(Server::new("host=db sslmode=verify-full", "tandem").is_ok());
    assert!(is_there(&Home::Folder(Path::new("/nowhere").to_owned())).is_ok_and(|there| !there));
}
