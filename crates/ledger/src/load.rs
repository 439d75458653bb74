//! Rows of records, links and intents as the core's words.

use crate::at_rest;
use crate::db::{Db, Numbered, Rid, Trouble};
use crate::sealed::{HEADS, INBOX, INTENT, KEYS, QUESTIONS, STATE, unpacked};
use crate::storage::{Given, Row as Read, Value};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
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
    /// What a table of its own holds, in these three.
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
        (CASE WHEN EXISTS (SELECT 1 FROM link WHERE first = record.rid) THEN 1 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM link WHERE second = record.rid) THEN 1 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM intent WHERE intent.record = record.rid) THEN 2 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM companion WHERE owner = record.rid) THEN 4 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM inbox WHERE inbox.rid = record.rid) THEN 8 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM dirty WHERE dirty.rid = record.rid) THEN 16 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM item WHERE item.rid = record.rid) THEN 32 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM wait WHERE waiting = record.rid) THEN 64 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM doubt WHERE doubt.rid = record.rid) THEN 128 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM reread WHERE reread.rid = record.rid) THEN 256 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM later WHERE later.rid = record.rid) THEN 256 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM wait WHERE target = record.rid) THEN 512 ELSE 0 END)
        | (CASE WHEN EXISTS (SELECT 1 FROM dirty WHERE dirty.rid = record.rid AND own = 1) THEN 1024 ELSE 0 END)";
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

    /// Something seen of it was not decided yet.
    pub(crate) fn undecided(self) -> bool {
        self.inbox() || self.bit(10)
    }

    /// Others wait for it.
    pub(crate) fn awaited(self) -> bool {
        self.bit(9)
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

/// Its columns from one source.
fn columns(from: &str) -> String {
    let columns =
        "record.rid, kind, record.id, revision, woke, presence, sent, keys, questions, heads, state";
    format!("SELECT {columns}, {} FROM {from}", Has::SQL)
}

fn select(condition: &str) -> String {
    columns(&format!(
        "record LEFT JOIN body ON body.rid = record.rid WHERE {condition}"
    ))
}

/// Names records: number, kind, id and what every row begins with.
pub(crate) const NAME: &str = "INSERT INTO record (rid, kind, id, revision, woke, sent) VALUES";

/// The row of a record that was not named before.
pub(crate) fn make_row(db: &Db, key: &RecordKey) -> Result<Row, Trouble> {
    let row = new_row(db, key)?;
    db.many(NAME, vec![row.named()])?;
    Ok(row)
}

/// The same, to be stored by [`NAME`].
pub(crate) fn new_row(db: &Db, key: &RecordKey) -> Result<Row, Trouble> {
    let kind = db.make_kind(&key.record_type)?;
    Ok(Row {
        rid: db.next(Numbered::Record),
        kind,
        id: key.id.clone(),
        revision: 0,
        woke: 0,
        presence: None,
        sent: false,
        keys: None,
        questions: None,
        heads: None,
        state: None,
        has: Has::default(),
    })
}

/// A record's row by number.
pub(crate) fn row(db: &Db, rid: Rid) -> Result<Row, Trouble> {
    static SQL: LazyLock<String> = LazyLock::new(|| select("record.rid = ?1"));
    let found = found(db, &SQL, [rid])?;
    found.ok_or_else(|| Trouble::Unreadable(format!("record {rid} is not there")))
}

/// The rows of records by their keys, of those that have one.
pub(crate) fn rows_of<'k>(
    db: &Db,
    keys: impl Iterator<Item = &'k RecordKey>,
) -> Result<HashMap<RecordKey, Row>, Trouble> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        columns(
            "json_each(?1) AS asked
             CROSS JOIN record ON kind = CAST(asked.value ->> 0 AS BIGINT) AND record.id = asked.value ->> 1
             LEFT JOIN body ON body.rid = record.rid",
        )
    });
    let mut asked = Vec::new();
    for key in keys {
        if let Some(kind) = db.kind(&key.record_type)? {
            asked.push(serde_json::json!([kind, key.id]));
        }
    }
    let asked = serde_json::Value::from(asked).to_string();
    let mut rows = HashMap::new();
    for row in db.all(&SQL, [asked], read_row)? {
        let row = row.opened(db)?;
        rows.insert(row.key(db)?, row);
    }
    Ok(rows)
}

/// The rows of records and of all that links tie to them, in no order.
pub(crate) fn tied_rows(db: &Db, rids: &[Rid]) -> Result<Vec<Row>, Trouble> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let tied = "WITH RECURSIVE tied (tip) AS (SELECT value FROM json_each(?1) UNION
                    SELECT CASE WHEN first = tip THEN second ELSE first END FROM tied
                    JOIN link ON first = tip OR second = tip)";
        format!("{tied} {}", select("record.rid IN (SELECT tip FROM tied)"))
    });
    let rows = of_all(db, &SQL, rids, read_row)?;
    rows.into_iter().map(|row| row.opened(db)).collect()
}

fn found(db: &Db, sql: &str, params: impl Given) -> Result<Option<Row>, Trouble> {
    let found = db.one(sql, params, read_row)?;
    found.map(|row| row.opened(db)).transpose()
}

/// What a statement reads of these records, whose numbers are its only parameter; nothing is asked of none.
pub(crate) fn of_all<T>(
    db: &Db,
    sql: &str,
    rids: &[Rid],
    read: impl FnMut(&dyn Read) -> Result<T, Trouble>,
) -> Result<Vec<T>, Trouble> {
    if rids.is_empty() {
        return Ok(Vec::new());
    }
    db.all(sql, [numbers(rids)], read)
}

fn read_row(row: &dyn Read) -> Result<Row, Trouble> {
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
}

/// Numbers as a JSON array: what `json_each` takes.
pub(crate) fn numbers(rids: &[Rid]) -> String {
    let all: Vec<String> = rids.iter().map(Rid::to_string).collect();
    format!("[{}]", all.join(","))
}

impl Row {
    /// What [`NAME`] stores of it.
    pub(crate) fn named(&self) -> [Value<'static>; 6] {
        let (rid, kind) = (self.rid.into(), self.kind.into());
        [rid, kind, self.id.clone().into(), 0.into(), 0.into(), 0.into()]
    }

    /// The row without what a table of its own holds.
    pub(crate) fn without_body(&self) -> Self {
        Self {
            id: self.id.clone(),
            keys: self.keys.clone(),
            questions: None,
            heads: None,
            state: None,
            ..*self
        }
    }

    fn opened(self, db: &Db) -> Result<Self, Trouble> {
        // Two tables, one fact.
        if self.presence.is_some() != self.state.is_some() {
            return Err(Trouble::Unreadable(format!("the state of record {}", self.rid)));
        }
        Ok(Self {
            keys: db.opened_if(&KEYS, self.keys)?,
            questions: db.opened_if(&QUESTIONS, self.questions)?,
            heads: db.opened_if(&HEADS, self.heads)?,
            state: db.opened_if(&STATE, self.state)?,
            ..self
        })
    }

    /// The record's key.
    pub(crate) fn key(&self, db: &Db) -> Result<RecordKey, Trouble> {
        Ok(RecordKey {
            record_type: db.record_type(self.kind)?,
            id: self.id.clone(),
        })
    }

    /// The record without its intent and companions, if it was admitted.
    pub(crate) fn bare(&self) -> Result<Option<Record>, Trouble> {
        let parse = |state: &Vec<u8>| at_rest::record(state, format_args!("record {}", self.rid));
        self.state.as_ref().map(parse).transpose()
    }

    /// The shadow, if the record was admitted.
    pub(crate) fn shadow(&self) -> Result<Option<Shadow>, Trouble> {
        Ok(self.shadowed()?.map(|shadowed| shadowed.shadow))
    }

    /// The shadow, and whether we made the record.
    pub(crate) fn shadowed(&self) -> Result<Option<Shadowed>, Trouble> {
        let parse = |state: &Vec<u8>| at_rest::part(state, format_args!("record {}", self.rid));
        self.state.as_ref().map(parse).transpose()
    }

    /// The heads anchored at the record, by property. `record`: what its state says.
    pub(crate) fn heads(
        &self,
        key: &RecordKey,
        record: Option<&Record>,
    ) -> Result<BTreeMap<String, Head>, Trouble> {
        at_rest::heads(self.heads.as_deref(), key, record)
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
    #[serde(default)]
    pub(crate) arrives_until: Option<Timestamp>,
}

fn parse_or_default<T: Default + serde::de::DeserializeOwned>(body: Option<&[u8]>) -> Result<T, Trouble> {
    match body {
        Some(body) => unpacked(body, "record"),
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
    /// The intent, packed.
    pub(crate) body: Vec<u8>,
}

impl IntentRow {
    /// The intent with its number.
    pub(crate) fn intent(&self) -> Result<Intent, Trouble> {
        let mut intent: Intent = unpacked(&self.body, format_args!("intent {}", self.id))?;
        intent.id = self.id.cast_unsigned();
        Ok(intent)
    }
}

/// Rows of intents: id, record, slot, sent, body.
pub(crate) fn intent_rows_of(db: &Db, sql: &str, params: impl Given) -> Result<Vec<IntentRow>, Trouble> {
    opened(db, db.all(sql, params, intent_row)?)
}

fn opened(db: &Db, mut rows: Vec<IntentRow>) -> Result<Vec<IntentRow>, Trouble> {
    for row in &mut rows {
        row.body = db.opened(&INTENT, std::mem::take(&mut row.body))?;
    }
    Ok(rows)
}

fn intent_row(row: &dyn Read) -> Result<IntentRow, Trouble> {
    Ok(IntentRow {
        id: row.get(0)?,
        record: row.get(1)?,
        slot: row.get(2)?,
        sent: row.get(3)?,
        body: row.get(4)?,
    })
}

/// The rows of all open intents of these records, by number: their own writes, creates with them as source, their
/// companions.
pub(crate) fn intents_of(db: &Db, rids: &[Rid]) -> Result<Vec<IntentRow>, Trouble> {
    let sql = "SELECT id, record, slot, sent, body FROM intent
               WHERE record IN (SELECT value FROM json_each(?1)) ORDER BY id";
    opened(db, of_all(db, sql, rids, intent_row)?)
}

/// An intent's row by number.
pub(crate) fn intent_by_id(db: &Db, id: u64) -> Result<Option<IntentRow>, Trouble> {
    let sql = "SELECT id, record, slot, sent, body FROM intent WHERE id = ?1";
    Ok(intent_rows_of(db, sql, [id.cast_signed()])?.pop())
}

/// Whether a counterpart of a record is being made.
pub(crate) fn creates(db: &Db, rid: Rid) -> Result<bool, Trouble> {
    for row in intents_of(db, &[rid])? {
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
pub(crate) fn link_line(row: &dyn Read) -> Result<LinkLine, Trouble> {
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

/// The live links of which one of these records is the first end, in no order.
pub(crate) fn links_from(db: &Db, rids: &[Rid]) -> Result<Vec<LinkLine>, Trouble> {
    let sql = "SELECT number, flow, first, second, verdict, since FROM link
               WHERE first IN (SELECT value FROM json_each(?1))";
    of_all(db, sql, rids, link_line)
}

/// The inbox rows of these records in order of arrival: record, number, what was seen.
pub(crate) fn inbox_of(db: &Db, rids: &[Rid]) -> Result<Vec<(Rid, i64, Observation)>, Trouble> {
    let sql = "SELECT rid, seq, body FROM inbox WHERE rid IN (SELECT value FROM json_each(?1)) ORDER BY seq";
    let read = |row: &dyn Read| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows: Vec<(Rid, i64, Vec<u8>)> = of_all(db, sql, rids, read)?;
    let parse = |(rid, seq, body): (Rid, i64, Vec<u8>)| Ok((rid, seq, db.read(&INBOX, body)?));
    rows.into_iter().map(parse).collect()
}
