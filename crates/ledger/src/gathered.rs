//! What a taking reads together: the rows of records and of all that links tie to them, with what hangs on each.

use crate::companion;
use crate::db::{Db, Rid, Trouble};
use crate::load::{self, Has, IntentRow, LinkLine, Row};
use crate::match_index;
use crate::sealed::{HEADS, KEYS, Place, QUESTIONS, STATE};
use crate::storage::{Type, Value};
use std::collections::{BTreeMap, HashMap};
use tandem_merge::cluster::Companion;
use tandem_merge::record::{Observation, RecordKey};

/// A record's row with what hangs on it.
pub(crate) struct Member {
    pub(crate) row: Row,
    pub(crate) links: Vec<LinkLine>,
    pub(crate) intents: Vec<IntentRow>,
    pub(crate) companions: BTreeMap<String, Companion>,
    /// By number, in order of arrival.
    pub(crate) inbox: Vec<(i64, Observation)>,
}

/// Members that were read and not handed out yet.
#[derive(Default)]
pub(crate) struct Gathered {
    members: HashMap<Rid, Member>,
    /// Inbox rows are left out: they are known already, or cleared.
    without_inbox: bool,
    /// What is to be written before rows are read.
    pub(crate) rows: Rows,
}

/// Rows of records on their way into the tables, written many at a time.
#[derive(Default)]
pub(crate) struct Rows {
    /// Number, when it was woken, presence, whether its own write is sent, keys.
    records: BTreeMap<Rid, [Value<'static>; 5]>,
    /// Number, state, heads, questions.
    bodies: BTreeMap<Rid, [Value<'static>; 4]>,
    /// What the records are to be found by.
    pub(crate) found_by: match_index::News,
}

impl Rows {
    /// Adds a row, with its body where that is news.
    pub(crate) fn add(&mut self, db: &Db, row: Row, body: bool) -> Result<(), Trouble> {
        let shut = |place: &Place, plain: Option<Vec<u8>>| match plain {
            Some(plain) => db.shut(place, plain).map(Value::from),
            None => Ok(Value::Null(Type::Blob)),
        };
        let record = [
            row.rid.into(),
            row.woke.into(),
            row.presence.map_or(Value::Null(Type::Int), Value::from),
            row.sent.into(),
            shut(&KEYS, row.keys)?,
        ];
        self.records.insert(row.rid, record);
        if body {
            let body = [
                row.rid.into(),
                shut(&STATE, row.state)?,
                shut(&HEADS, row.heads)?,
                shut(&QUESTIONS, row.questions)?,
            ];
            self.bodies.insert(row.rid, body);
        }
        Ok(())
    }

    /// Writes them where a record is among them whose row is to be read.
    pub(crate) fn store_for(&mut self, db: &Db, rid: Rid) -> Result<(), Trouble> {
        match self.records.contains_key(&rid) {
            true => self.store(db),
            false => Ok(()),
        }
    }

    /// Writes them.
    pub(crate) fn store(&mut self, db: &Db) -> Result<(), Trouble> {
        let sql = "WITH next (number, woke, presence, sent, keys) AS (VALUES)
                   UPDATE record SET revision = revision + 1, woke = next.woke, presence = next.presence, sent = next.sent,
                   keys = next.keys FROM next WHERE rid = number";
        db.many(sql, std::mem::take(&mut self.records).into_values().collect())?;
        let sql = "INSERT INTO body (rid, state, heads, questions) VALUES ON CONFLICT (rid)
                   DO UPDATE SET state = excluded.state, heads = excluded.heads, questions = excluded.questions";
        db.many(sql, std::mem::take(&mut self.bodies).into_values().collect())?;
        self.found_by.store(db)
    }
}

impl Gathered {
    pub(crate) fn without_inbox() -> Self {
        Self {
            without_inbox: true,
            ..Self::default()
        }
    }

    /// Reads the clusters of records whole, however many, with one statement for each table that holds something.
    pub(crate) fn read(&mut self, db: &Db, seeds: impl IntoIterator<Item = Rid>) -> Result<(), Trouble> {
        let unread = |rid: &Rid| !self.members.contains_key(rid);
        let seeds: Vec<Rid> = seeds.into_iter().filter(unread).collect();
        if seeds.is_empty() {
            return Ok(());
        }
        self.rows.store(db)?;
        let rows = load::tied_rows(db, &seeds)?;
        let having = |what: fn(Has) -> bool| {
            let rows = rows.iter().filter(|row| what(row.has));
            rows.map(|row| row.rid).collect::<Vec<Rid>>()
        };
        let links = load::links_from(db, &having(Has::links))?;
        let intents = load::intents_of(db, &having(Has::intents))?;
        let companions = companion::of(db, &having(Has::companions))?;
        let inbox = if self.without_inbox {
            Vec::new()
        } else {
            load::inbox_of(db, &having(Has::inbox))?
        };
        let mut read: HashMap<Rid, Member> =
            rows.into_iter().map(|row| (row.rid, Member::bare(row))).collect();
        for line in links {
            for end in [line.first, line.second] {
                if let Some(member) = read.get_mut(&end) {
                    member.links.push(line.clone());
                }
            }
        }
        for row in intents {
            if let Some(member) = read.get_mut(&row.record) {
                member.intents.push(row);
            }
        }
        for (owner, role, companion) in companions {
            if let Some(member) = read.get_mut(&owner) {
                member.companions.insert(role, companion);
            }
        }
        for (rid, seq, seen) in inbox {
            if let Some(member) = read.get_mut(&rid) {
                member.inbox.push((seq, seen));
            }
        }
        for (rid, member) in read {
            self.members.entry(rid).or_insert(member);
        }
        Ok(())
    }

    /// Forgets what was read of records: it changed since.
    pub(crate) fn forget(&mut self, rids: impl IntoIterator<Item = Rid>) {
        for rid in rids {
            self.members.remove(&rid);
        }
    }

    /// Hands a record out that may not have been named before.
    pub(crate) fn make(&mut self, db: &Db, key: &RecordKey) -> Result<Member, Trouble> {
        match db.rid(key)? {
            Some(rid) => self.take(db, rid),
            None => load::make_row(db, key).map(Member::bare),
        }
    }

    /// Hands a member out.
    pub(crate) fn take(&mut self, db: &Db, rid: Rid) -> Result<Member, Trouble> {
        self.read(db, [rid])?;
        let member = self.members.remove(&rid);
        member.ok_or_else(|| Trouble::Unreadable(format!("record {rid} is not there")))
    }
}

impl Member {
    fn bare(row: Row) -> Self {
        Self {
            row,
            links: Vec::new(),
            intents: Vec::new(),
            companions: BTreeMap::new(),
            inbox: Vec::new(),
        }
    }
}
