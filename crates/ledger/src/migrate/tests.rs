#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::contract::Store;
use crate::ledger::Ledger;
use crate::schema::{NOW, TABLES};
use crate::sealed::HISTORY;
use crate::{DatabaseError, Server, backup};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tandem_seal::Seal;

const OLD: i64 = FORM - 1;
const SIZE: &str = "CREATE TABLE history_size (lines INTEGER NOT NULL, bytes INTEGER NOT NULL);";

/// A form before this one, in which nobody counted the history, and the step from it.
fn steps(rewrite: fn(&Db) -> Result<(), Trouble>) -> &'static [Step] {
    let tables = TABLES
        .replace(SIZE, "")
        .replace("INSERT INTO history_size VALUES (0, 0);", "");
    let step = Step {
        tables: String::leak(tables),
        reshape: SIZE,
        rewrite,
    };
    Vec::leak(vec![step])
}

fn count(db: &Db) -> Result<(), Trouble> {
    let sql = "INSERT INTO history_size SELECT count(*), coalesce(sum(length(body)), 0) FROM history";
    db.run(sql, []).map(drop)
}

fn fail(db: &Db) -> Result<(), Trouble> {
    count(db)?;
    db.run("DELETE FROM history", [])?;
    Err(Trouble::Unreadable("a line of history".to_owned()))
}

fn keys() -> [Keys; 2] {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let sealed = Keys {
        current: Some(Arc::new(Seal::from_text(key).unwrap())),
        former: None,
    };
    [Keys::default(), sealed]
}

/// A home on each storage: a schema only where the tests have a server (`clients/with-postgres` starts one).
fn homes(within: &Path) -> Vec<Home> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let server = std::env::var("TANDEM_POSTGRES").ok().map(|connection| {
        let name = format!("m{}_{number}", std::process::id());
        let server = Server::new(&connection, &name).unwrap();
        Home::Server(server.with_files_in(within.to_owned()))
    });
    [Home::Folder(within.join("state"))]
        .into_iter()
        .chain(server)
        .collect()
}

fn on_each(test: impl Fn(&Home, &Keys)) {
    for keys in keys() {
        let folder = tempfile::tempdir().unwrap();
        homes(folder.path()).iter().for_each(|home| test(home, &keys));
    }
}

fn storage(home: &Home, form: i64) -> Result<Box<dyn Storage>, Error> {
    Ok(match home {
        Home::Folder(folder) => Box::new(Sqlite::open_form(&folder.join(DATABASE), form)?),
        Home::Server(server) => Box::new(Postgres::open_form(server, form)?),
    })
}

/// What such a state holds that these tests look at.
fn told(storage: Box<dyn Storage>, keys: &Keys) -> (Option<String>, Vec<Vec<u8>>) {
    let mut db = Db::new(storage).unwrap();
    db.seal = crate::keys::found(&db, keys).unwrap();
    let sql = "SELECT body FROM history ORDER BY number";
    let lines = db.all(sql, [], |row| row.get::<Vec<u8>>(0)).unwrap();
    let opened = lines.into_iter().map(|line| db.opened(&HISTORY, line).unwrap());
    (db.note("who").unwrap(), opened.collect())
}

/// A state with two lines of history, as the program before this one left it.
fn make_older(home: &Home, keys: &Keys) -> (Option<String>, Vec<Vec<u8>>) {
    let mut store = Ledger::open_at(home, keys).unwrap();
    store.set_note("who", "somebody").unwrap();
    drop(store);
    let mut db = Db::new(storage(home, FORM).unwrap()).unwrap();
    db.seal = crate::keys::found(&db, keys).unwrap();
    db.unit("made", |db| {
        for number in 1..=2_i64 {
            let sql = "INSERT INTO history (number, rid, at, body) VALUES (?1, 1, 0, ?2)";
            db.run(sql, (number, db.shut(&HISTORY, vec![7; 9])?))?;
        }
        Ok(db.storage.reshape("DROP TABLE history_size", OLD)?)
    })
    .unwrap();
    drop(db);
    told(storage(home, OLD).unwrap(), keys)
}

fn lines(home: &Home) -> i64 {
    let db = Db::new(storage(home, FORM).unwrap()).unwrap();
    let lines = db.one("SELECT lines FROM history_size", [], |row| row.get(0));
    lines.unwrap().unwrap()
}

#[test]
fn s7_a_state_of_an_older_form_is_kept_and_brought_on() {
    on_each(|home, keys| {
        let before = make_older(home, keys);
        assert!(Ledger::open_to_look(home, keys).is_err());
        assert_eq!(told(storage(home, OLD).unwrap(), keys), before);
        let store = Ledger::open_by(home, keys, steps(count)).unwrap();
        let Migrated { from, to, kept } = store.migrated().unwrap().clone();
        drop(store);
        assert_eq!((from, to, lines(home)), (OLD, FORM, 2));
        assert_eq!(told(storage(home, FORM).unwrap(), keys), before);
        // The backup is one for a program of its form, and for this one.
        let old = Sqlite::open_whole(&kept, OLD).unwrap();
        assert!(old.run("UPDATE history_size SET lines = 0", &[]).is_err());
        assert_eq!(told(Box::new(old), keys), before);
        let looked = backup::look_by(&kept, keys, steps(count)).unwrap();
        assert!(looked.made.is_some());
        // Nothing is to be done a second time.
        let store = Ledger::open_by(home, keys, steps(count)).unwrap();
        assert_eq!(store.migrated(), None);
        drop(store);
        let now = Timestamp::now();
        backup::restore_by(&kept, home, keys, now, steps(count)).unwrap();
        assert_eq!(
            (told(storage(home, FORM).unwrap(), keys), lines(home)),
            (before, 2)
        );
    });
}

#[test]
fn s7_a_step_that_fails_leaves_the_state_as_it_was() {
    on_each(|home, keys| {
        let before = make_older(home, keys);
        let failed = Ledger::open_by(home, keys, steps(fail)).unwrap_err();
        assert!(matches!(failed, Error::Corrupt(_)), "{failed}");
        assert_eq!(told(storage(home, OLD).unwrap(), keys), before);
        drop(Ledger::open_by(home, keys, steps(count)).unwrap());
        assert_eq!(told(storage(home, FORM).unwrap(), keys), before);
    });
}

#[test]
fn e19_nothing_is_done_to_a_state_that_cannot_be_kept() {
    on_each(|home, keys| {
        let before = make_older(home, keys);
        let wrong = &self::keys()[usize::from(keys.current.is_none())];
        let given = if keys.current.is_some() { wrong } else { keys };
        let home = match home {
            Home::Folder(_) => home.clone(),
            Home::Server(server) => Home::Server(server.clone().with_files_in("/dev/null/nowhere".into())),
        };
        let refused = Ledger::open_by(&home, given, steps(count));
        let spared = keys.current.is_none() && matches!(home, Home::Folder(_));
        assert_eq!(refused.is_ok(), spared, "{home}");
        drop(refused);
        let form = if spared { FORM } else { OLD };
        assert_eq!(told(storage(&home, form).unwrap(), keys), before);
    });
}

/// What a program that knows this form does with a state of the next one.
#[test]
fn a_newer_state_is_refused_with_the_way_back() {
    on_each(|home, keys| {
        let mut store = Ledger::open_at(home, keys).unwrap();
        store.set_note("who", "somebody").unwrap();
        drop(store);
        let kept = home.aside().join("kept");
        crate::back_up(home, &kept, keys, Timestamp::now()).unwrap();
        let newer = storage(home, FORM).unwrap();
        newer
            .reshape("CREATE TABLE unheard_of (a INTEGER)", FORM + 1)
            .unwrap();
        drop(newer);
        let refused = Ledger::open_at(home, keys).unwrap_err().to_string();
        let way = format!(
            "`tandem restore FILE --yes`: the newer program kept the state as it was before, as form-{FORM}-"
        );
        assert!(refused.contains(&way), "{refused}");
        assert!(crate::look_at_state(home, keys).is_err());
        assert!(
            crate::restore(&kept, home, keys, Timestamp::now())
                .unwrap()
                .is_some()
        );
        let mut store = Ledger::open_at(home, keys).unwrap();
        assert_eq!(store.note("who").unwrap().as_deref(), Some("somebody"));
    });
}

/// The first step that was ever taken, with the program that takes it.
#[test]
fn a_state_of_form_9_counts_hours_from_now_on() {
    on_each(|home, keys| {
        drop(Ledger::open_at(home, keys).unwrap());
        let older = storage(home, FORM).unwrap();
        older
            .reshape("DROP TABLE hourly; DROP TABLE lease; DROP TABLE worker", 9)
            .unwrap();
        drop(older);
        let mut store = Ledger::open_at(home, keys).unwrap();
        let Migrated { from, to, kept } = store.migrated().unwrap().clone();
        assert!((from, to) == (9, FORM) && kept.exists());
        assert_eq!(store.hours(Timestamp::UNIX_EPOCH).unwrap(), []);
        drop(store);
        assert!(backup::look_at_backup(&kept, keys).unwrap().made.is_some());
    });
}

/// Columns and indices, as far as statements can tell.
fn shape_of(state: &dyn Storage) -> Vec<String> {
    let sql = "SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk
               FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'
               UNION ALL SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1";
    let mut told = Vec::new();
    let read = state.read(sql, &[], &mut |row| {
        told.push(row.get::<String>(0)?);
        Ok(true)
    });
    read.unwrap();
    told
}

fn lead_here(steps: &'static [Step]) -> Result<(), DatabaseError> {
    let folder = tempfile::tempdir().unwrap();
    let empty = |name: &str| {
        let path = folder.path().join(name);
        drop(folder::private_file(&path).unwrap());
        path
    };
    let fresh = Sqlite::make(&empty("fresh"), NOW).unwrap();
    for (form, step) in (1..=FORM).rev().skip(1).zip(steps.iter().rev()) {
        let (tables, path) = (step.tables, empty(&form.to_string()));
        drop(Sqlite::make(&path, Shape { form, tables }).unwrap());
        super::file(&path, &Keys::default(), steps).unwrap();
        let brought = Sqlite::open_whole(&path, FORM).unwrap();
        assert_eq!(shape_of(&brought), shape_of(&fresh), "from form {form}");
    }
    Ok(())
}

#[test]
fn every_step_leads_to_the_tables_as_they_are_made_anew() {
    lead_here(STEPS).unwrap();
    lead_here(steps(count)).unwrap();
}

/// Forms from 9 on are brought forward: tables that change get a new form, and a step that holds them as they were.
#[test]
fn tables_do_not_change_without_a_step() {
    assert_eq!(FORM, 9 + i64::try_from(STEPS.len()).unwrap());
    let before = STEPS.iter().map(|step| step.tables);
    let marks = before
        .chain([TABLES])
        .map(|tables| crc32fast::hash(tables.as_bytes()));
    assert_eq!(
        marks.collect::<Vec<_>>(),
        [1_678_239_589, 2_497_796_184, 1_920_456_145]
    );
}
