//! The outbox: intents in sending order, their sent marks, their outcomes.

use crate::db::{Db, Rid, Trouble};
use crate::load::{IntentRow, intent_rows_of, numbers};
use crate::sealed::{INTENT, packed};
use crate::storage::{Row, Type, Value};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::RecordKey;

/// The record that an intent is about: target of updates and deletions, source of creates, owner of
/// companions.
pub(crate) fn subject(action: &Action) -> &RecordKey {
    match action {
        Action::Create { source, .. } => source,
        Action::Companion { key, .. } => &key.owner,
        Action::Update { record } | Action::Delete { record } => record,
    }
}

/// Where on its record an intent stands: one at a place.
pub(crate) fn slot(action: &Action) -> String {
    match action {
        Action::Create { flow, .. } => create_slot(flow),
        Action::Companion { key, .. } => companion_slot(&key.role),
        Action::Update { .. } | Action::Delete { .. } => String::new(),
    }
}

/// The place of a create.
pub(crate) fn create_slot(flow: &str) -> String {
    format!("f:{flow}")
}

/// The place of a companion's create.
pub(crate) fn companion_slot(role: &str) -> String {
    format!("c:{role}")
}

/// The system that an intent is sent to, and whether it creates.
pub(crate) fn destination(action: &Action) -> (&str, bool) {
    match action {
        Action::Create { target, .. } | Action::Companion { target, .. } => (&target.system, true),
        Action::Update { record } | Action::Delete { record } => (&record.record_type.system, false),
    }
}

/// What is unsent of a system. A record of which something was seen and not decided is not written: what is planned for it
/// was computed from what was known before.
const SENDABLE: &str = "FROM intent WHERE system = ?1 AND creates = ?2 AND rank <= ?3 AND sent = 0
               AND (creates = 1 OR NOT EXISTS (SELECT 1 FROM inbox WHERE rid = intent.record))";

/// Unsent intents of a system in sending order.
pub(crate) fn sendable(
    db: &Db,
    system: &str,
    creates: bool,
    rank: usize,
    limit: usize,
) -> Result<Vec<Intent>, Trouble> {
    let rank = if creates { rank } else { usize::MAX };
    let sql = format!("SELECT id, record, slot, sent, body {SENDABLE} ORDER BY rank, id LIMIT ?4");
    let rows = intent_rows_of(db, &sql, (system, creates, number(rank), number(limit)))?;
    rows.iter().map(IntentRow::intent).collect()
}

/// The lowest rank from one on in which a create of a system is unsent.
pub(crate) fn next_create(db: &Db, system: &str, from: usize) -> Result<Option<usize>, Trouble> {
    let sql = "SELECT rank FROM intent WHERE system = ?1 AND creates = 1 AND rank >= ?2 AND sent = 0
               ORDER BY rank, id LIMIT 1";
    let rank: Option<i64> = db.one(sql, (system, number(from)), |row| row.get(0))?;
    Ok(rank.and_then(|rank| usize::try_from(rank).ok()))
}

/// How many unsent intents of a system there are, up to a limit.
pub(crate) fn count_sendable(
    db: &Db,
    system: &str,
    creates: bool,
    rank: usize,
    limit: usize,
) -> Result<usize, Trouble> {
    let rank = if creates { rank } else { usize::MAX };
    let sql = format!("SELECT count(*) FROM (SELECT 1 {SENDABLE} LIMIT ?4) AS few");
    let given = (system, creates, number(rank), number(limit));
    let count: Option<i64> = db.one(&sql, given, |row| row.get(0))?;
    Ok(usize::try_from(count.unwrap_or_default()).unwrap_or(usize::MAX))
}

/// Sent intents after a number.
pub(crate) fn unsettled(db: &Db, after: u64, limit: usize) -> Result<Vec<Intent>, Trouble> {
    let sql = "SELECT id, record, slot, sent, body FROM intent
               WHERE sent = 1 AND handle IS NULL AND id > ?1 ORDER BY id LIMIT ?2";
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = intent_rows_of(db, sql, (after, number(limit)))?;
    rows.iter().map(IntentRow::intent).collect()
}

/// Marks intents as sent; those gone, sent with an outcome still open, or accepted are left out (S5).
pub(crate) fn begin_write(db: &Db, intents: &[u64], now: Timestamp) -> Result<Vec<Intent>, Trouble> {
    let (mut marks, mut marked) = (Marks::default(), Vec::new());
    for row in open(db, intents)? {
        let mut intent = row.intent()?;
        if intent.sent.is_some() && (!intent.unknown || is_accepted(db, row.id)?) {
            continue;
        }
        intent.send(now);
        if !removed(Mutation::NoSentMark) {
            marks.add(db, &row, &intent)?;
        }
        marked.push(intent);
    }
    marks.store(db)?;
    Ok(marked)
}

/// Marks sent intents as of unknown outcome, or as not sent after all.
pub(crate) fn mark_unknown(db: &Db, intents: &[u64], unsend: bool) -> Result<(), Trouble> {
    let mut marks = Marks::default();
    for row in open(db, intents)? {
        let mut intent = row.intent()?;
        if intent.sent.is_none() {
            continue;
        }
        // Of one sent before with an unknown outcome that stays true, even if this attempt never left.
        if unsend && !intent.unknown {
            intent.sent = None;
        } else {
            intent.unknown = true;
        }
        marks.add(db, &row, &intent)?;
    }
    marks.store(db)
}

/// Notes the handle of sent intents.
pub(crate) fn accept(db: &Db, intents: &[u64], handle: &str) -> Result<(), Trouble> {
    let sql = "UPDATE intent SET handle = ?2 WHERE sent = 1 AND id IN (SELECT value FROM json_each(?1))";
    db.run(sql, (numbers(&signed(intents)), handle)).map(drop)
}

/// Whether an intent's outcome is asked for by a handle.
fn is_accepted(db: &Db, id: i64) -> Result<bool, Trouble> {
    let sql = "SELECT handle IS NOT NULL FROM intent WHERE id = ?1";
    Ok(db.one(sql, [id], |row| row.get(0))?.unwrap_or_default())
}

/// The handles of a system's open intents, by their first intent.
pub(crate) fn handles(db: &Db, system: &str) -> Result<Vec<String>, Trouble> {
    let sql = "SELECT handle FROM intent WHERE handle IS NOT NULL AND system = ?1
               GROUP BY handle ORDER BY min(id)";
    db.all(sql, [system], |row| row.get(0))
}

/// Open intents under a handle.
pub(crate) fn accepted(db: &Db, handle: &str, after: u64, limit: usize) -> Result<Vec<Intent>, Trouble> {
    let sql = "SELECT id, record, slot, sent, body FROM intent
               WHERE handle = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = intent_rows_of(db, sql, (handle, after, number(limit)))?;
    rows.iter().map(IntentRow::intent).collect()
}

/// The open intents of these numbers.
pub(crate) fn intents(db: &Db, numbers: &[u64]) -> Result<Vec<Intent>, Trouble> {
    open(db, numbers)?.iter().map(IntentRow::intent).collect()
}

/// The rows of those of these intents that are open, in the same order.
fn open(db: &Db, intents: &[u64]) -> Result<Vec<IntentRow>, Trouble> {
    let sql = "SELECT id, record, slot, sent, body FROM intent WHERE id IN (SELECT value FROM json_each(?1))";
    let rows = intent_rows_of(db, sql, [numbers(&signed(intents))])?;
    let mut rows: BTreeMap<i64, IntentRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    Ok(signed(intents).iter().filter_map(|id| rows.remove(id)).collect())
}

fn signed(numbers: &[u64]) -> Vec<i64> {
    numbers.iter().map(|number| number.cast_signed()).collect()
}

/// Marks of intents on their way into the tables; their handles are over. The revisions of their records move, so that a
/// plan made before is put back.
#[derive(Default)]
struct Marks {
    intents: Vec<[Value<'static>; 3]>,
    /// Whether the own write of a record is sent, where it is that which is marked.
    records: BTreeMap<Rid, Option<bool>>,
}

impl Marks {
    fn add(&mut self, db: &Db, row: &IntentRow, intent: &Intent) -> Result<(), Trouble> {
        let sent = intent.sent.is_some();
        let body = db.shut(&INTENT, body(intent)?)?;
        self.intents.push([row.id.into(), sent.into(), body.into()]);
        let own = self.records.entry(row.record).or_default();
        *own = own.or(row.slot.is_empty().then_some(sent));
        Ok(())
    }

    fn store(self, db: &Db) -> Result<(), Trouble> {
        let sql = "WITH mark (number, state, body) AS (VALUES)
                   UPDATE intent SET sent = mark.state, body = mark.body, handle = NULL FROM mark WHERE id = number";
        db.many(sql, self.intents)?;
        let sql = "WITH mark (number, own) AS (VALUES)
                   UPDATE record SET revision = revision + 1, sent = coalesce(own, sent) FROM mark WHERE rid = number";
        let records = self.records.into_iter();
        let rows = records.map(|(rid, own)| [rid.into(), own.map_or(Value::Null(Type::Int), Value::from)]);
        db.many(sql, rows.collect()).map(drop)
    }
}

/// An intent as it is stored, before it is shut: its number is the row's.
pub(crate) fn body(intent: &Intent) -> Result<Vec<u8>, Trouble> {
    let unnumbered = Intent {
        id: 0,
        ..intent.clone()
    };
    packed(&unnumbered)
}

/// The records that these intents are about, in the order given.
pub(crate) fn subjects(db: &Db, intents: &[u64]) -> Result<Vec<Rid>, Trouble> {
    let sql = "SELECT id, record FROM intent WHERE id IN (SELECT value FROM json_each(?1))";
    let read = |row: &dyn Row| Ok((row.get(0)?, row.get(1)?));
    let rows: Vec<(i64, Rid)> = db.all(sql, [numbers(&signed(intents))], read)?;
    let records: BTreeMap<i64, Rid> = rows.into_iter().collect();
    Ok(signed(intents)
        .iter()
        .filter_map(|id| records.get(id).copied())
        .collect())
}

/// A number for the database.
pub(crate) fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
