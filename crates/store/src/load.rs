//! Rows of records, links and intents as the core's words.

use crate::companion;
use crate::db::{Db, Rid, Trouble};
use crate::sealed::{HEADS, INBOX, INTENT, KEYS, QUESTIONS, STATE, parsed};
use rusqlite::Params;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tandem_merge::cluster::{Head, Intent, Link, Newborn, Question, Record, Shadow, Unconfirmed};
use tandem_merge::record::{Observation, Presence, RecordKey};

/// A record's row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) rid: Rid,
    pub(crate) kind: i64,
    pub(crate) id: String,
    pub(crate) revision: i64,
    pub(crate) woke: i64,
    pub(crate) presence: Option<i64>,
    /// Its update or deletion is sent.
    pub(crate) sent: bool,
    pub(crate) keys: Option<Vec<u8>>,
    pub(crate) questions: Option<Vec<u8>>,
    pub(crate) heads: Option<Vec<u8>>,
    pub(crate) state: Option<Vec<u8>>,
    pub(crate) has: Has,
}

/// What other tables hold of a record: asked for with its row, so that what is not there is not looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Has(i64);

impl Has {
    /// One bit each, in the order of the tests below.
    const SQL: &str = "
        EXISTS (SELECT 1 FROM link WHERE first = record.rid)
        | EXISTS (SELECT 1 FROM link WHERE second = record.rid)
        | (EXISTS (SELECT 1 FROM intent WHERE intent.record = record.rid) << 1)
        | (EXISTS (SELECT 1 FROM companion WHERE owner = record.rid) << 2)
        | (EXISTS (SELECT 1 FROM inbox WHERE inbox.rid = record.rid) << 3)
        | (EXISTS (SELECT 1 FROM dirty WHERE dirty.rid = record.rid) << 4)
        | (EXISTS (SELECT 1 FROM item WHERE item.rid = record.rid) << 5)
        | (EXISTS (SELECT 1 FROM wait WHERE waiting = record.rid) << 6)
        | (EXISTS (SELECT 1 FROM doubt WHERE doubt.rid = record.rid) << 7)
        | (EXISTS (SELECT 1 FROM reread WHERE reread.rid = record.rid) << 8)
        | (EXISTS (SELECT 1 FROM later WHERE later.rid = record.rid) << 8)";
    const INBOX: i64 = 3;
    const DIRTY: i64 = 4;

    fn bit(self, number: i64) -> bool {
        self.0 >> number & 1 == 1
    }

    /// It was put into the inbox just now.
    pub(crate) fn received(&mut self) {
        self.0 |= 1 << Self::INBOX | 1 << Self::DIRTY;
    }

    pub(crate) fn links(self) -> bool {
        self.bit(0)
    }

    pub(crate) fn intents(self) -> bool {
        self.bit(1)
    }

    pub(crate) fn companions(self) -> bool {
        self.bit(2)
    }

    pub(crate) fn inbox(self) -> bool {
        self.bit(Self::INBOX)
    }

    pub(crate) fn dirty(self) -> bool {
        self.bit(Self::DIRTY)
    }

    pub(crate) fn items(self) -> bool {
        self.bit(5)
    }

    /// It waits for others.
    pub(crate) fn waits(self) -> bool {
        self.bit(6)
    }

    pub(crate) fn doubt(self) -> bool {
        self.bit(7)
    }

    /// It is to be read again.
    pub(crate) fn unread(self) -> bool {
        self.bit(8)
    }
}

/// Presence as a number.
pub(crate) fn presence_number(presence: Presence) -> i64 {
    match presence {
        Presence::Alive => 0,
        Presence::Deleted => 1,
        Presence::Missing => 2,
    }
}

/// Its columns by one condition.
fn select(condition: &str) -> String {
    let columns = "rid, kind, id, revision, woke, presence, sent, keys, questions, heads, state";
    format!("SELECT {columns}, {} FROM record WHERE {condition}", Has::SQL)
}

/// A record's row by number.
pub(crate) fn row(db: &Db, rid: Rid) -> Result<Row, Trouble> {
    static SQL: LazyLock<String> = LazyLock::new(|| select("rid = ?1"));
    let found = found(db, &SQL, [rid])?;
    found.ok_or_else(|| Trouble::Unreadable(format!("record {rid} is not there")))
}

/// The row of a record; it gets one where it has none.
pub(crate) fn make_row(db: &Db, key: &RecordKey) -> Result<Row, Trouble> {
    static SQL: LazyLock<String> = LazyLock::new(|| select("kind = ?1 AND id = ?2"));
    let kind = db.make_kind(&key.record_type)?;
    match found(db, &SQL, (kind, &key.id))? {
        Some(row) => Ok(row),
        None => row(db, db.make_rid(key)?),
    }
}

fn found(db: &Db, sql: &str, params: impl Params) -> Result<Option<Row>, Trouble> {
    let found = db.one(sql, params, |row| {
        Ok(Row {
            rid: row.get(0)?,
            kind: row.get(1)?,
            id: row.get(2)?,
            revision: row.get(3)?,
            woke: row.get(4)?,
            presence: row.get(5)?,
            sent: row.get(6)?,
            keys: row.get(7)?,
            questions: row.get(8)?,
            heads: row.get(9)?,
            state: row.get(10)?,
            has: Has(row.get(11)?),
        })
    })?;
    let Some(found) = found else { return Ok(None) };
    Ok(Some(Row {
        keys: db.opened_if(&KEYS, found.keys)?,
        questions: db.opened_if(&QUESTIONS, found.questions)?,
        heads: db.opened_if(&HEADS, found.heads)?,
        state: db.opened_if(&STATE, found.state)?,
        ..found
    }))
}

impl Row {
    /// The record's key.
    pub(crate) fn key(&self, db: &Db) -> Result<RecordKey, Trouble> {
        Ok(RecordKey {
            record_type: db.record_type(self.kind)?,
            id: self.id.clone(),
        })
    }

    /// The record without its intent and companions, if it was admitted.
    pub(crate) fn bare(&self) -> Result<Option<Record>, Trouble> {
        let parse = |state: &Vec<u8>| -> Result<Record, Trouble> {
            parsed(state, format_args!("record {}", self.rid))
        };
        self.state.as_ref().map(parse).transpose()
    }

    /// The shadow, if the record was admitted.
    pub(crate) fn shadow(&self) -> Result<Option<Shadow>, Trouble> {
        Ok(self.shadowed()?.map(|shadowed| shadowed.shadow))
    }

    /// The shadow, and whether we made the record.
    pub(crate) fn shadowed(&self) -> Result<Option<Shadowed>, Trouble> {
        let parse = |state: &Vec<u8>| parsed(state, format_args!("record {}", self.rid));
        self.state.as_ref().map(parse).transpose()
    }

    /// The record with its companions and the intent among these.
    pub(crate) fn record(&self, db: &Db, intents: &mut Vec<Intent>) -> Result<Option<Record>, Trouble> {
        let Some(mut record) = self.bare()? else {
            return Ok(None);
        };
        if self.has.companions() {
            record.companions = companion::of_owner(db, self.rid)?;
        }
        let own = intents.iter().position(writes_record);
        record.intent = own.map(|at| intents.remove(at));
        Ok(Some(record))
    }

    /// The heads anchored at the record, by property.
    pub(crate) fn heads(&self) -> Result<BTreeMap<String, Head>, Trouble> {
        parse_or_default(self.heads.as_deref())
    }

    /// The questions anchored at the record.
    pub(crate) fn questions(&self) -> Result<Vec<Question>, Trouble> {
        parse_or_default(self.questions.as_deref())
    }
}

/// What is seen of a record; the rest of it is passed over, which is most.
#[derive(serde::Deserialize)]
pub(crate) struct Shadowed {
    pub(crate) shadow: Shadow,
    #[serde(default)]
    pub(crate) newborn: Option<Newborn>,
    #[serde(default)]
    pub(crate) unconfirmed: Vec<Unconfirmed>,
}

fn parse_or_default<T: Default + serde::de::DeserializeOwned>(body: Option<&[u8]>) -> Result<T, Trouble> {
    match body {
        Some(body) => parsed(body, "record"),
        None => Ok(T::default()),
    }
}

/// Whether an intent is an update or a deletion.
pub(crate) fn writes_record(intent: &Intent) -> bool {
    use tandem_merge::cluster::Action;
    matches!(intent.action, Action::Update { .. } | Action::Delete { .. })
}

/// An intent's row.
pub(crate) struct IntentRow {
    pub(crate) id: i64,
    pub(crate) record: Rid,
    pub(crate) slot: String,
    pub(crate) sent: bool,
    /// The intent's JSON.
    pub(crate) body: Vec<u8>,
}

impl IntentRow {
    /// The intent with its number.
    pub(crate) fn intent(&self) -> Result<Intent, Trouble> {
        let mut intent: Intent = parsed(&self.body, format_args!("intent {}", self.id))?;
        intent.id = self.id.cast_unsigned();
        Ok(intent)
    }
}

/// Rows of intents: id, record, slot, sent, body.
pub(crate) fn intent_rows_of(db: &Db, sql: &str, params: impl Params) -> Result<Vec<IntentRow>, Trouble> {
    let mut rows = db.all(sql, params, intent_row)?;
    for row in &mut rows {
        row.body = db.opened(&INTENT, std::mem::take(&mut row.body))?;
    }
    Ok(rows)
}

fn intent_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<IntentRow> {
    Ok(IntentRow {
        id: row.get(0)?,
        record: row.get(1)?,
        slot: row.get(2)?,
        sent: row.get(3)?,
        body: row.get(4)?,
    })
}

/// The rows of all open intents of a record: its own write, creates with it as source, its companions.
pub(crate) fn intent_rows(db: &Db, rid: Rid) -> Result<Vec<IntentRow>, Trouble> {
    let sql = "SELECT id, record, slot, sent, body FROM intent WHERE record = ?1 ORDER BY id";
    intent_rows_of(db, sql, [rid])
}

/// An intent's row by number.
pub(crate) fn intent_by_id(db: &Db, id: u64) -> Result<Option<IntentRow>, Trouble> {
    let sql = "SELECT id, record, slot, sent, body FROM intent WHERE id = ?1";
    Ok(intent_rows_of(db, sql, [id.cast_signed()])?.pop())
}

/// Whether a counterpart of a record is being made.
pub(crate) fn creates(db: &Db, rid: Rid) -> Result<bool, Trouble> {
    for row in intent_rows(db, rid)? {
        if row.intent()?.source().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A link's row.
#[derive(Clone, Debug)]
pub(crate) struct LinkLine {
    pub(crate) number: i64,
    pub(crate) flow: String,
    pub(crate) first: Rid,
    pub(crate) second: Rid,
    pub(crate) verdict: Option<String>,
    pub(crate) since: String,
}

/// Reads a link's row: number, flow, first, second, verdict, since.
pub(crate) fn link_line(row: &rusqlite::Row<'_>) -> rusqlite::Result<LinkLine> {
    Ok(LinkLine {
        number: row.get(0)?,
        flow: row.get(1)?,
        first: row.get(2)?,
        second: row.get(3)?,
        verdict: row.get(4)?,
        since: row.get(5)?,
    })
}

impl LinkLine {
    /// The link in the core's words.
    pub(crate) fn link(&self, first: RecordKey, second: RecordKey) -> Result<Link, Trouble> {
        Ok(Link {
            flow: self.flow.clone(),
            first,
            second,
            verdict: self.verdict.as_deref().map(serde_json::from_str).transpose()?,
            since: self.since.parse()?,
        })
    }
}

/// The live links of a record, in the order of their numbers.
pub(crate) fn links_of(db: &Db, rid: Rid) -> Result<Vec<LinkLine>, Trouble> {
    let sql = "SELECT number, flow, first, second, verdict, since FROM link WHERE first = ?1
               UNION ALL SELECT number, flow, first, second, verdict, since FROM link WHERE second = ?1";
    let mut lines = db.all(sql, [rid], link_line)?;
    lines.sort_by_key(|line| line.number);
    Ok(lines)
}

/// The inbox rows of a record in order of arrival.
pub(crate) fn inbox_of(db: &Db, rid: Rid) -> Result<Vec<(i64, Observation)>, Trouble> {
    let sql = "SELECT seq, body FROM inbox WHERE rid = ?1 ORDER BY seq";
    let rows: Vec<(i64, Vec<u8>)> = db.all(sql, [rid], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let parse = |(seq, body): (i64, Vec<u8>)| Ok((seq, db.read(&INBOX, body)?));
    rows.into_iter().map(parse).collect()
}
