//! The tables, and what form they have.

use crate::Error;
use crate::migrate::STEPS;

/// The form of the tables and of what they hold. From an older one there is a way where [`STEPS`] leads here from it; from
/// forms up to 8 there is none.
pub(crate) const FORM: i64 = 11;

/// Tables, and the form that they make.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) form: i64,
    pub(crate) tables: &'static str,
}

/// The one that this program reads.
pub(crate) const NOW: Shape = Shape {
    form: FORM,
    tables: TABLES,
};

/// Whether a state is there, by the form that it says it has (0: none). Refuses one of another form than the one wanted.
///
/// # Errors
/// [`Error::Older`], [`Error::Behind`], [`Error::Newer`].
pub(crate) fn is_there(found: i64, wanted: i64) -> Result<bool, Error> {
    let known = FORM;
    let oldest = FORM.saturating_sub_unsigned(STEPS.len() as u64);
    match found {
        0 => Ok(false),
        _ if found == wanted => Ok(true),
        _ if found > known => Err(Error::Newer { found, known }),
        _ if found >= oldest => Err(Error::Behind { found, known }),
        _ => Err(Error::Older { found, known }),
    }
}

/// The names of the tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    let made = TABLES.split("CREATE TABLE ").skip(1);
    made.filter_map(|text| text.split_whitespace().next())
}

/// Tables of the moment, which no copy of a state holds.
pub(crate) const OF_THE_MOMENT: [&str; 2] = ["lease", "worker"];

/// Those of form 9, to which later forms added.
macro_rules! tables_9 {
    () => {
        "
CREATE TABLE note (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE system (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, identity TEXT, cursor BLOB, listed TEXT);
-- known: how many records of the type are known.
CREATE TABLE kind (
    number INTEGER PRIMARY KEY, system TEXT NOT NULL, name TEXT NOT NULL, known INTEGER NOT NULL, UNIQUE (system, name)
);
-- Every record ever named: what moves with every touch. presence is NULL until it was admitted (0 alive, 1 deleted,
-- 2 missing). keys are the indexed match keys, as hashes.
CREATE TABLE record (
    rid INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    woke INTEGER NOT NULL,
    presence INTEGER,
    sent INTEGER NOT NULL,
    keys BLOB,
    UNIQUE (kind, id)
);
-- What is known of records and large; written by decisions and looks alone. state is there where presence is. heads and
-- questions are those anchored here.
CREATE TABLE body (rid INTEGER PRIMARY KEY, state BLOB, heads BLOB, questions BLOB);
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
    number INTEGER PRIMARY KEY,
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
-- New match keys go over into the large table once they are many.
CREATE TABLE match_new (key INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY (key, rid)) WITHOUT ROWID;
CREATE TABLE match_key (key INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY (key, rid)) WITHOUT ROWID;
-- record: target of updates and deletions, source of creates, owner of companions; slot keeps these apart. handle: what
-- its system is asked by for the outcome.
CREATE TABLE intent (
    id INTEGER PRIMARY KEY,
    record INTEGER NOT NULL,
    slot TEXT NOT NULL,
    system TEXT NOT NULL,
    creates INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    target INTEGER,
    reservation TEXT,
    handle TEXT,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX intent_record ON intent (record, slot);
CREATE UNIQUE INDEX intent_reservation ON intent (target, reservation) WHERE reservation IS NOT NULL;
CREATE INDEX intent_unsent ON intent (system, creates, rank, id) WHERE sent = 0;
CREATE INDEX intent_handle ON intent (handle, id) WHERE handle IS NOT NULL;
CREATE INDEX intent_sent ON intent (id) WHERE sent = 1 AND handle IS NULL;
CREATE TABLE companion (
    number INTEGER PRIMARY KEY, owner INTEGER NOT NULL, role TEXT NOT NULL, id TEXT, body BLOB NOT NULL
);
CREATE UNIQUE INDEX companion_owner ON companion (owner, role);
CREATE INDEX companion_id ON companion (role, id) WHERE id IS NOT NULL;
CREATE TABLE wait (target INTEGER NOT NULL, waiting INTEGER NOT NULL, PRIMARY KEY (target, waiting)) WITHOUT ROWID;
CREATE INDEX wait_waiting ON wait (waiting);
-- What waits for people; one is ignored until a moment.
CREATE TABLE item (
    number INTEGER PRIMARY KEY,
    rid INTEGER NOT NULL,
    slot TEXT NOT NULL,
    area TEXT NOT NULL,
    kind TEXT NOT NULL,
    ignored INTEGER,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX item_record ON item (rid, slot);
CREATE INDEX item_kind ON item (kind, area, ignored);
CREATE TABLE history (
    number INTEGER PRIMARY KEY, rid INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX history_record ON history (rid, number);
CREATE TABLE history_size (lines INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO history_size VALUES (0, 0);
-- The runs that lines belong to, with what is counted of each.
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL
);
CREATE TABLE run_count (run INTEGER NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (run, what)) WITHOUT ROWID;
CREATE TABLE deletion (flow TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX deletion_flow ON deletion (flow, at);
-- Edits that guards count, by the last of each record.
CREATE TABLE edited (
    flow TEXT NOT NULL, side INTEGER NOT NULL, rid INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (flow, side, rid)
) WITHOUT ROWID;
CREATE INDEX edited_at ON edited (flow, side, at);
CREATE TABLE approval (flow TEXT PRIMARY KEY, at TEXT NOT NULL);
CREATE TABLE tally (flow TEXT NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (flow, what)) WITHOUT ROWID;
-- Keyed hashes of records that were forgotten.
CREATE TABLE forgotten (hash BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
-- Records to read again, by a read that begins at this moment or later.
CREATE TABLE reread (rid INTEGER PRIMARY KEY, at INTEGER NOT NULL);
-- Records to read once more, by a read that begins at this moment or later.
CREATE TABLE later (rid INTEGER PRIMARY KEY, at INTEGER NOT NULL);
-- Records whose last write, answered at this moment, a read did not show.
CREATE TABLE doubt (rid INTEGER PRIMARY KEY, at INTEGER NOT NULL);
"
    };
}

/// What form 10 added.
macro_rules! hourly {
    () => {
        "
-- What happened hour by hour (counted from 1970), by the type of records; kind 0: of all. n adds up, or is the largest.
CREATE TABLE hourly (
    hour INTEGER NOT NULL, kind INTEGER NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (hour, kind, what)
) WITHOUT ROWID;
"
    };
}

/// What form 11 added.
macro_rules! leases {
    () => {
        "
-- Whose turn it is on a server, until when (in milliseconds, by its clock); epoch counts the holders. pid: of the session
-- that holds the lock.
CREATE TABLE lease (
    shard INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, holder TEXT NOT NULL, pid INTEGER NOT NULL, since INTEGER NOT NULL,
    until INTEGER NOT NULL
);
-- Who stands by.
CREATE TABLE worker (name TEXT PRIMARY KEY, since INTEGER NOT NULL, seen INTEGER NOT NULL);
"
    };
}

/// The tables of form 9.
pub(crate) const TABLES_9: &str = tables_9!();

/// From form 9 to form 10: hours are counted from then on.
pub(crate) const HOURLY: &str = hourly!();

/// The tables of form 10.
pub(crate) const TABLES_10: &str = concat!(tables_9!(), hourly!());

/// From form 10 to form 11: several may wait for their turn.
pub(crate) const LEASES: &str = leases!();

/// Moments are in microseconds. PostgreSQL reads the same text in its own words ([`crate::postgres`]).
pub(crate) const TABLES: &str = concat!(tables_9!(), hourly!(), leases!());
