//! Storing what a system showed.

use crate::at_rest;
use crate::contract::{Page, PageReport};
use crate::db::{Db, Numbered, Rid, Trouble};
use crate::hash;
use crate::known::{Known, laid_over};
use crate::load::{self, Row};
use crate::match_index;
use crate::sealed::{CURSOR, INBOX, KEYS, STATE};
use crate::storage::Value;
use std::collections::{BTreeSet, HashMap};
use tandem_merge::cluster::Shadow;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::{Observation, Presence, RecordKey, Values};
use tandem_merge::{echo, late};

/// So many rows are read at once.
const TOGETHER: usize = 200;

/// Stores a page's observations, and the cursor with them (S4).
pub(crate) fn commit(db: &Db, flows: &Dataflow, page: &Page) -> Result<PageReport, Trouble> {
    let mut report = PageReport::default();
    for part in page.observations.chunks(TOGETHER) {
        let mut door = Door::open(db, flows, part)?;
        for seen in part {
            match door.admit(seen)? {
                Admitted::New => report.new += 1,
                Admitted::Known => report.known += 1,
                Admitted::Echo => report.echoes += 1,
            }
        }
        door.store()?;
    }
    if let Some(cursor) = &page.cursor {
        let sql = "INSERT INTO system (number, name, cursor) VALUES (?1, ?2, ?3)
                   ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor";
        let cursor = db.shut(&CURSOR, cursor.clone())?;
        db.run(sql, (db.next(Numbered::System), &page.system, cursor))?;
    }
    Ok(report)
}

/// What an observation came to.
enum Admitted {
    New,
    Known,
    Echo,
}

/// Where observations come in, some at a time: the rows of their records are read together, and what they leave is
/// stored together.
struct Door<'a> {
    db: &'a Db,
    flows: &'a Dataflow,
    /// Rows that were read and did not change since.
    rows: HashMap<RecordKey, Row>,
    /// Whether anything is listed of a record's cluster, where that was asked.
    listed: HashMap<Rid, bool>,
    /// Inbox rows that are not stored yet.
    inbox: Vec<[Value<'static>; 4]>,
    /// Dirty marks that are not stored yet.
    dirty: Vec<[Value<'static>; 5]>,
    /// Records that took an echo, not stored yet.
    echoes: Vec<[Value<'static>; 2]>,
    /// Match keys that are not stored yet: what records are found by, and what their rows say of it.
    found_by: match_index::News,
    keys: Vec<[Value<'static>; 2]>,
}

impl<'a> Door<'a> {
    fn open(db: &'a Db, flows: &'a Dataflow, part: &[Observation]) -> Result<Self, Trouble> {
        let mut rows = load::rows_of(db, part.iter().map(|seen| &seen.key))?;
        let mut made = Vec::new();
        for Observation { key, .. } in part {
            if !rows.contains_key(key) && !crate::forget::is_forgotten(db, key)? {
                let row = load::new_row(db, key)?;
                made.push(row.named());
                rows.insert(key.clone(), row);
            }
        }
        db.many(load::NAME, made)?;
        Ok(Self {
            db,
            flows,
            rows,
            listed: HashMap::new(),
            inbox: Vec::new(),
            dirty: Vec::new(),
            echoes: Vec::new(),
            found_by: match_index::News::default(),
            keys: Vec::new(),
        })
    }

    /// Stores what is not stored yet.
    fn store(&mut self) -> Result<(), Trouble> {
        let sql = "INSERT INTO inbox (seq, rid, gone, body) VALUES";
        self.db.many(sql, std::mem::take(&mut self.inbox))?;
        let sql = "INSERT INTO dirty (rid, kind, seq, mark, own) VALUES
                   ON CONFLICT (rid) DO UPDATE SET mark = excluded.mark, own = dirty.own | excluded.own";
        self.db.many(sql, std::mem::take(&mut self.dirty))?;
        let echoes = std::mem::take(&mut self.echoes);
        let rids: Vec<[Value<'static>; 1]> = echoes.iter().map(|[rid, _]| [rid.clone()]).collect();
        let sql = "WITH echo (number) AS (VALUES)
                   UPDATE record SET revision = revision + 1 FROM echo WHERE rid = number";
        self.db.many(sql, rids)?;
        let sql = "WITH echo (number, shown) AS (VALUES) UPDATE body SET state = shown FROM echo WHERE rid = number";
        self.db.many(sql, echoes)?;
        self.found_by.store(self.db)?;
        let sql = "WITH next (number, keys) AS (VALUES) UPDATE record SET keys = next.keys FROM next WHERE rid = number";
        self.db.many(sql, std::mem::take(&mut self.keys))
    }

    /// The row of a record as it is now.
    fn row(&mut self, key: &RecordKey) -> Result<Row, Trouble> {
        if let Some(row) = self.rows.remove(key) {
            return Ok(row);
        }
        self.store()?;
        load::row(self.db, self.db.make_rid(key)?)
    }

    /// Puts one observation into the inbox, unless it shows nothing new.
    fn admit(&mut self, seen: &Observation) -> Result<Admitted, Trouble> {
        let db = self.db;
        if crate::forget::is_forgotten(db, &seen.key)? {
            return Ok(Admitted::Known);
        }
        let mut row = self.row(&seen.key)?;
        let rid = row.rid;
        if row.has.unread() {
            let woken = crate::parts::answered(db, &row, seen.read_began)?;
            self.wake(&woken)?;
            if woken.contains(&rid) {
                row = load::row(db, rid)?;
            }
        }
        let newest = if row.has.inbox() { newest(db, rid)? } else { None };
        let state = row.shadowed()?;
        let known = match (&newest, &state) {
            (Some(newest), _) => Some(Known::from(newest)),
            (None, Some(state)) => Some(Known::shadow(&state.shadow, state.newborn.as_ref())),
            (None, None) => None,
        };
        let unconfirmed = state.as_ref().map_or(&[][..], |state| &state.unconfirmed);
        if known.is_some_and(|known| known.covers(seen)) || late::is_known(unconfirmed, seen) {
            return Ok(Admitted::Known);
        }
        let same = state
            .as_ref()
            .is_some_and(|state| state.shadow.values == seen.values);
        if same && self.take_echo(&row, seen)? {
            return Ok(Admitted::Echo);
        }
        self.receive(&row, seen)?;
        let mut keys = indexed(&row);
        let shadow = state.as_ref().map(|state| &state.shadow.values);
        if add_keys(&mut keys, self.flows, seen, shadow)
            && let Some(body) = reindex(db, &row, &keys, &mut self.found_by)?
        {
            self.keys.push([rid.into(), db.shut(&KEYS, body)?.into()]);
        }
        Ok(Admitted::New)
    }

    /// Marks records dirty that wait for what came in.
    fn wake(&mut self, woken: &[Rid]) -> Result<(), Trouble> {
        if !woken.is_empty() {
            // Their own marks are the older ones.
            self.store()?;
            self.rows.retain(|_, row| !woken.contains(&row.rid));
        }
        woken.iter().try_for_each(|rid| self.db.mark_dirty(*rid, false))
    }

    /// Puts an observation into the inbox and marks its record dirty, by itself.
    fn receive(&mut self, row: &Row, seen: &Observation) -> Result<(), Trouble> {
        let gone = seen.presence == Presence::Deleted;
        let (seq, body) = (self.db.tick(), self.db.body(&INBOX, seen)?);
        self.inbox
            .push([seq.into(), row.rid.into(), gone.into(), body.into()]);
        let mark = self.db.tick();
        let dirty = [row.rid, row.kind, mark, mark, 1];
        self.dirty.push(dirty.map(Value::from));
        Ok(())
    }

    /// Whether an observation is an echo; then its record has taken it.
    fn take_echo(&mut self, row: &Row, seen: &Observation) -> Result<bool, Trouble> {
        if row.has.inbox() || row.has.dirty() || row.has.intents() {
            return Ok(false);
        }
        let record = row.bare()?;
        let Some(record) = record.and_then(|record| echo::taken(self.flows, &record, seen)) else {
            return Ok(false);
        };
        if self.is_listed(row.rid)? {
            return Ok(false);
        }
        let state = self.db.shut(&STATE, at_rest::of_record(&record)?)?;
        self.echoes.push([row.rid.into(), state.into()]);
        Ok(true)
    }

    /// Whether anything is listed of a record's cluster. The first question is answered for all that came in.
    fn is_listed(&mut self, rid: Rid) -> Result<bool, Trouble> {
        if let Some(listed) = self.listed.get(&rid) {
            return Ok(*listed);
        }
        let known = self.rows.values().filter(|row| row.state.is_some());
        let rids: Vec<Rid> = known.map(|row| row.rid).chain([rid]).collect();
        let sql = "WITH RECURSIVE tied (seed, tip) AS (SELECT value, value FROM json_each(?1) UNION
                   SELECT seed, CASE WHEN first = tip THEN second ELSE first END FROM tied
                   JOIN link ON first = tip OR second = tip)
                   SELECT DISTINCT seed FROM tied WHERE EXISTS (SELECT 1 FROM item WHERE rid = tip)";
        let listed: Vec<Rid> = load::of_all(self.db, sql, &rids, |row| row.get(0))?;
        self.listed.extend(rids.into_iter().map(|rid| (rid, false)));
        self.listed.extend(listed.into_iter().map(|rid| (rid, true)));
        Ok(self.listed.get(&rid).copied().unwrap_or_default())
    }
}

fn newest(db: &Db, rid: Rid) -> Result<Option<Observation>, Trouble> {
    let sql = "SELECT body FROM inbox WHERE rid = ?1 ORDER BY seq DESC LIMIT 1";
    let body: Option<Vec<u8>> = db.one(sql, [rid], |row| row.get(0))?;
    body.map(|body| db.read(&INBOX, body)).transpose()
}

/// Adds the keys that an observation can be found by. Answers whether there are any.
fn add_keys(keys: &mut BTreeSet<i64>, flows: &Dataflow, seen: &Observation, shadow: Option<&Values>) -> bool {
    if seen.presence != Presence::Alive {
        return false;
    }
    let values = laid_over(shadow, seen);
    let more = keys_of(flows, &seen.key, &values);
    let any = !more.is_empty();
    keys.extend(more);
    any
}

/// All keys that a record can be found by: what is known of it, where it is alive or a counterpart may be made for it
/// still (`creating`), and its inbox rows laid over that.
pub(crate) fn keys_shown(
    db: &Db,
    flows: &Dataflow,
    row: &Row,
    key: &RecordKey,
    shadow: Option<&Shadow>,
    creating: bool,
) -> Result<BTreeSet<i64>, Trouble> {
    let mut keys = BTreeSet::new();
    if let Some(shadow) = shadow.filter(|shadow| creating || shadow.presence == Presence::Alive) {
        keys.extend(keys_of(flows, key, &shadow.values));
    }
    if row.has.inbox() {
        for (_, _, seen) in load::inbox_of(db, &[row.rid])? {
            add_keys(&mut keys, flows, &seen, shadow.map(|shadow| &shadow.values));
        }
    }
    Ok(keys)
}

/// The match keys of a record with these values, as numbers.
fn keys_of(flows: &Dataflow, key: &RecordKey, values: &Values) -> Vec<i64> {
    let keys = tandem_merge::reconcile::match_keys(flows, key, values);
    keys.iter().map(hash::match_key).collect()
}

/// The keys that a record is indexed by.
pub(crate) fn indexed(row: &Row) -> BTreeSet<i64> {
    numbers(row.keys.as_deref().unwrap_or_default())
}

/// The keys that a record's row names.
pub(crate) fn numbers(body: &[u8]) -> BTreeSet<i64> {
    let number = |part: &[u8]| part.try_into().map(i64::from_le_bytes).unwrap_or_default();
    body.chunks(8).map(number).collect()
}

/// Indexes a record by exactly these keys; new ones wait among the news. Answers what its row must say, if that is news.
pub(crate) fn reindex(
    db: &Db,
    row: &Row,
    keys: &BTreeSet<i64>,
    news: &mut match_index::News,
) -> Result<Option<Vec<u8>>, Trouble> {
    let before = indexed(row);
    if &before == keys {
        return Ok(None);
    }
    for gone in before.difference(keys) {
        match_index::remove(db, *gone, row.rid)?;
    }
    for new in keys.difference(&before) {
        news.add(db, *new, row.rid);
    }
    Ok(Some(keys.iter().flat_map(|key| key.to_le_bytes()).collect()))
}

/// Binds a system's name to its identification, or refuses another one.
pub(crate) fn bind(db: &Db, system: &str, identity: &str) -> Result<(), Trouble> {
    let sql = "SELECT identity FROM system WHERE name = ?1";
    let known: Option<Option<String>> = db.one(sql, [system], |row| row.get(0))?;
    match known.flatten() {
        Some(known) if known == identity => Ok(()),
        Some(known) => Err(Trouble::Told(crate::Error::OtherSystem {
            system: system.to_owned(),
            known,
            found: identity.to_owned(),
        })),
        None => {
            let sql = "INSERT INTO system (number, name, identity) VALUES (?1, ?2, ?3)
                       ON CONFLICT (name) DO UPDATE SET identity = excluded.identity";
            db.run(sql, (db.next(Numbered::System), system, identity))
                .map(drop)
        }
    }
}
