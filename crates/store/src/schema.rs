//! The tables, and how a database gets them.

use crate::Error;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// What makes each form of the state out of the one before; the first makes it out of nothing. A new form is a
/// step at the end: none that was ever published is changed.
const STEPS: &[&str] = &[TABLES, HANDLES, RUNS, FORGOTTEN, GUARDS, COUNTS, AT_REST];

/// Intents that a system accepted for later keep the handle to ask by.
const HANDLES: &str = "
ALTER TABLE intent ADD COLUMN handle TEXT;
CREATE INDEX intent_handle ON intent (handle, id) WHERE handle IS NOT NULL;
DROP INDEX intent_sent;
CREATE INDEX intent_sent ON intent (id) WHERE sent = 1 AND handle IS NULL;
";

/// Lines of the history belong to runs and know their moment (in microseconds); how many there are is counted.
const RUNS: &str = "
CREATE TABLE run (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL
);
CREATE TABLE run_count (run INTEGER NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (run, what)) WITHOUT ROWID;
ALTER TABLE history ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
UPDATE history SET at = CASE
    WHEN json_valid(CAST(body AS TEXT))
        THEN CAST(unixepoch(json_extract(CAST(body AS TEXT), '$.at'), 'subsec') * 1000000 AS INTEGER)
    WHEN json_valid(CAST(substr(body, 10) AS TEXT))
        THEN CAST(unixepoch(json_extract(CAST(substr(body, 10) AS TEXT), '$.at'), 'subsec') * 1000000 AS INTEGER)
    ELSE unixepoch() * 1000000
END;
CREATE TABLE history_size (lines INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO history_size SELECT count(*), coalesce(sum(length(body)), 0) FROM history;
";

/// Keyed hashes of records that were forgotten.
const FORGOTTEN: &str = "
CREATE TABLE forgotten (hash BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
";

/// What guards count, and what people want to hear nothing of. at is in microseconds; an item is ignored until then.
const GUARDS: &str = "
CREATE TABLE edited (
    flow TEXT NOT NULL, side INTEGER NOT NULL, rid INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (flow, side, rid)
) WITHOUT ROWID;
CREATE INDEX edited_at ON edited (flow, side, at);
ALTER TABLE item ADD COLUMN ignored INTEGER;
DROP INDEX item_kind;
CREATE INDEX item_kind ON item (kind, area, ignored);
";

/// How many links a flow has and how many records of a type are known is counted ([`crate::counts`]).
const COUNTS: &str = "
ALTER TABLE kind ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
UPDATE kind SET known = (SELECT count(*) FROM record WHERE kind = number AND presence IS NOT NULL);
INSERT INTO tally (flow, what, n) SELECT flow, 'linked', count(*) FROM link GROUP BY flow;
";

/// Rows of records are read as before, and written shorter ([`crate::at_rest`]): programs that do not know how refuse.
/// New match keys have a table of their own ([`crate::match_index`]).
const AT_REST: &str = "
CREATE TABLE match_new (key INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY (key, rid)) WITHOUT ROWID;
";

/// Tables that states of the same form may lack: made by programs that knew none of them.
const ADDED: &str = "
-- Records to read again, by a read that begins at this moment or later.
CREATE TABLE IF NOT EXISTS reread (rid INTEGER PRIMARY KEY, at INTEGER NOT NULL);
-- Records to read once more, by a read that begins at this moment or later.
CREATE TABLE IF NOT EXISTS later (rid INTEGER PRIMARY KEY, at INTEGER NOT NULL);
-- Records whose last write, answered at this moment (in microseconds), a read did not show.
CREATE TABLE IF NOT EXISTS doubt (rid INTEGER PRIMARY KEY, at INTEGER NOT NULL);
";

const TABLES: &str = "
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE system (name TEXT PRIMARY KEY, identity TEXT, cursor BLOB, listed TEXT);
CREATE TABLE kind (number INTEGER PRIMARY KEY, system TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (system, name));
-- Every record ever named. state is NULL until it was admitted; presence mirrors it (0 alive, 1 deleted,
-- 2 missing). heads and questions are those anchored here. keys are the indexed match keys, as hashes.
CREATE TABLE record (
    rid INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    woke INTEGER NOT NULL DEFAULT 0,
    presence INTEGER,
    sent INTEGER NOT NULL DEFAULT 0,
    keys BLOB,
    questions BLOB,
    heads BLOB,
    state BLOB,
    UNIQUE (kind, id)
);
CREATE INDEX record_gone ON record (rid) WHERE presence = 1;
CREATE TABLE inbox (seq INTEGER PRIMARY KEY, rid INTEGER NOT NULL, gone INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX inbox_record ON inbox (rid, seq);
CREATE INDEX inbox_gone ON inbox (rid) WHERE gone = 1;
-- seq is the age, mark the last time it was marked; own: by itself, not woken by another record.
CREATE TABLE dirty (
    rid INTEGER PRIMARY KEY, kind INTEGER NOT NULL, seq INTEGER NOT NULL, mark INTEGER NOT NULL, own INTEGER NOT NULL
);
CREATE INDEX dirty_age ON dirty (kind, seq);
CREATE TABLE link (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    flow TEXT NOT NULL,
    grp TEXT NOT NULL,
    first INTEGER NOT NULL,
    second INTEGER NOT NULL,
    verdict TEXT,
    since TEXT NOT NULL
);
CREATE UNIQUE INDEX link_first ON link (first, grp);
CREATE UNIQUE INDEX link_second ON link (second, grp);
CREATE INDEX link_flow ON link (flow, number);
CREATE TABLE match_key (key INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY (key, rid)) WITHOUT ROWID;
-- record: target of updates and deletions, source of creates, owner of companions; slot keeps these apart.
CREATE TABLE intent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record INTEGER NOT NULL,
    slot TEXT NOT NULL,
    system TEXT NOT NULL,
    creates INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    target INTEGER,
    reservation TEXT,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX intent_record ON intent (record, slot);
CREATE UNIQUE INDEX intent_reservation ON intent (target, reservation) WHERE reservation IS NOT NULL;
CREATE INDEX intent_unsent ON intent (system, creates, rank, id) WHERE sent = 0;
CREATE INDEX intent_sent ON intent (id) WHERE sent = 1;
CREATE TABLE companion (owner INTEGER NOT NULL, role TEXT NOT NULL, id TEXT, body BLOB NOT NULL);
CREATE UNIQUE INDEX companion_owner ON companion (owner, role);
CREATE INDEX companion_id ON companion (role, id) WHERE id IS NOT NULL;
CREATE TABLE wait (target INTEGER NOT NULL, waiting INTEGER NOT NULL, PRIMARY KEY (target, waiting)) WITHOUT ROWID;
CREATE INDEX wait_waiting ON wait (waiting);
CREATE TABLE item (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rid INTEGER NOT NULL,
    slot TEXT NOT NULL,
    area TEXT NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX item_record ON item (rid, slot);
CREATE INDEX item_kind ON item (kind, area);
CREATE TABLE history (number INTEGER PRIMARY KEY AUTOINCREMENT, rid INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX history_record ON history (rid, number);
CREATE TABLE deletion (flow TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX deletion_flow ON deletion (flow, at);
CREATE TABLE approval (flow TEXT PRIMARY KEY, at TEXT NOT NULL);
CREATE TABLE tally (flow TEXT NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (flow, what)) WITHOUT ROWID;
";

/// Sets how the database is kept, makes its tables where they are missing, and brings an older state up to date.
pub(crate) fn prepare(connection: &Connection) -> Result<(), Error> {
    refuse_newer(connection)?;
    settle_pragmas(connection).map_err(|source| Error::database("opened", source))?;
    bring_up_to_date(connection)
}

/// Refuses a state that a newer program wrote.
pub(crate) fn refuse_newer(connection: &Connection) -> Result<(), Error> {
    let (found, known) = forms(connection)?;
    match found > known {
        true => Err(Error::Newer { found, known }),
        false => Ok(()),
    }
}

/// Takes the steps that the database lacks.
pub(crate) fn bring_up_to_date(connection: &Connection) -> Result<(), Error> {
    let (found, _) = forms(connection)?;
    let done = usize::try_from(found).unwrap_or_default();
    for (form, step) in STEPS.iter().enumerate().skip(done) {
        let all = format!("BEGIN IMMEDIATE;{step}PRAGMA user_version = {};COMMIT;", form + 1);
        connection
            .execute_batch(&all)
            .map_err(|source| Error::database("made", source))?;
    }
    connection
        .execute_batch(ADDED)
        .map_err(|source| Error::database("made", source))
}

/// The form of the database, and the newest that is known.
fn forms(connection: &Connection) -> Result<(i64, i64), Error> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let found = found.map_err(|source| Error::database("opened", source))?;
    Ok((found, i64::try_from(STEPS.len()).unwrap_or(i64::MAX)))
}

fn settle_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(160);
    // Else a statement on a table with a partial index is planned anew each time that a value is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "page_size", 8192)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 8000)?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A damaged page is refused when it is read.
    connection.pragma_update(None, "cell_size_check", "ON")?;
    // A word that a person removed from a system does not linger in free pages of the file.
    connection.pragma_update(None, "secure_delete", "FAST")
}
