//! Lists and counts for people.

use crate::contract::{FlowStatus, Item, LinkRow, Status};
use crate::db::{Db, Rid, Trouble};
use crate::facts::count;
use crate::load::{self, Row, link_line, presence_number};
use crate::outbox::number;
use crate::sealed::{ITEM, KEYS, STATE};
use crate::seek::folded;
use crate::tally;
use crate::{at_rest, match_index};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::MatchKey;
use tandem_merge::record::{Presence, RecordKey, RecordType, Values};

/// Counts of everything.
pub(crate) fn status(db: &Db, flows: &Dataflow) -> Result<Status, Trouble> {
    let mut status = Status::default();
    for flow in &flows.flows {
        status.flows.insert(flow.name.clone(), FlowStatus::default());
    }
    count_items(db, &mut status)?;
    add_tallies(db, &mut status)?;
    let sql = "SELECT number, known FROM kind WHERE known > 0";
    for (kind, n) in db.all(sql, [], |row| Ok((row.get(0)?, row.get::<i64>(1)?)))? {
        let of = db.record_type(kind)?;
        status.records.insert(of.to_string(), n.cast_unsigned());
    }
    status.inbox = count(db, "SELECT count(*) FROM inbox", [])?;
    // Each half has an index of its own.
    let sql = "SELECT (SELECT count(*) FROM intent WHERE sent = 1 AND handle IS NULL)
               + (SELECT count(*) FROM intent WHERE handle IS NOT NULL)";
    let sent = count(db, sql, [])?;
    status.outbox = (count(db, "SELECT count(*) FROM intent WHERE sent = 0", [])?, sent);
    let sql = "SELECT name, listed FROM system WHERE listed IS NOT NULL";
    let listed: Vec<(String, String)> = db.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (system, at) in listed {
        status.listed.insert(system, at.parse()?);
    }
    status.bytes = db.storage.bytes()?;
    status.history = crate::history::size(db)?;
    Ok(status)
}

fn count_items(db: &Db, status: &mut Status) -> Result<(), Trouble> {
    let sql = "SELECT area, kind, coalesce(ignored > ?1, FALSE), count(*) FROM item
               GROUP BY kind, area, coalesce(ignored > ?1, FALSE)";
    let counts: Vec<(String, String, bool, i64)> = db.all(sql, [db.heard.get()], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    for (flow, kind, ignored, n) in counts {
        let flow = status.flows.entry(flow).or_default();
        add_items(flow, &kind, ignored, n.cast_unsigned());
    }
    Ok(())
}

/// Adds items of a kind to a flow's counts.
pub(crate) fn add_items(flow: &mut FlowStatus, kind: &str, ignored: bool, n: u64) {
    let counted = match kind {
        _ if ignored => &mut flow.ignored,
        "question" => &mut flow.questions,
        "approval" | "delete-conflict" => &mut flow.approvals,
        "deferred" => &mut flow.deferred,
        "not-created" => &mut flow.not_created,
        _ => &mut flow.parked,
    };
    *counted += n;
}

fn add_tallies(db: &Db, status: &mut Status) -> Result<(), Trouble> {
    let sql = "SELECT flow, what, n FROM tally WHERE n > 0";
    let all: Vec<(String, String, i64)> =
        db.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (flow, what, n) in all {
        add_tally(status.flows.entry(flow).or_default(), &what, n.cast_unsigned());
    }
    Ok(())
}

/// Adds a tally to a flow's counts.
pub(crate) fn add_tally(flow: &mut FlowStatus, what: &str, n: u64) {
    let counted = match what {
        tally::LINKED => &mut flow.linked,
        tally::CREATED_FIRST => &mut flow.created[0],
        tally::CREATED_SECOND => &mut flow.created[1],
        tally::UPDATED => &mut flow.updated,
        _ => &mut flow.conflicts,
    };
    *counted += n;
}

/// Links after a number.
pub(crate) fn links(db: &Db, flow: Option<&str>, after: u64, limit: usize) -> Result<Vec<LinkRow>, Trouble> {
    let of = [
        "WHERE flow = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        "WHERE number > ?1 ORDER BY number LIMIT ?2",
    ];
    read_links(db, flow, after, limit, of)
}

/// Links before a number, newest first, of a flow or of all.
pub(crate) fn latest_links(
    db: &Db,
    flow: Option<&str>,
    before: u64,
    limit: usize,
) -> Result<Vec<LinkRow>, Trouble> {
    let of = [
        "WHERE flow = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
        "WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    ];
    read_links(db, flow, before, limit, of)
}

/// Links by one of two conditions: of a flow, or of all.
fn read_links(
    db: &Db,
    flow: Option<&str>,
    from: u64,
    limit: usize,
    [of_one, of_all]: [&str; 2],
) -> Result<Vec<LinkRow>, Trouble> {
    let columns = "SELECT number, flow, first, second, verdict, since FROM link";
    let (from, limit) = (page_start(from), number(limit));
    let lines = match flow {
        Some(flow) => db.all(&format!("{columns} {of_one}"), (flow, from, limit), link_line)?,
        None => db.all(&format!("{columns} {of_all}"), (from, limit), link_line)?,
    };
    let ends: Vec<Rid> = lines.iter().flat_map(|line| [line.first, line.second]).collect();
    let mut keys = db.keys(&ends)?.into_iter();
    let mut row = |line: load::LinkLine| {
        let ends = (keys.next(), keys.next());
        let (Some(first), Some(second)) = ends else {
            return Err(Trouble::Unreadable(format!(
                "an end of link {} is not there",
                line.number
            )));
        };
        let link = line.link(first, second)?;
        Ok(LinkRow {
            number: line.number.cast_unsigned(),
            flow: link.flow,
            first: link.first,
            second: link.second,
            since: link.since,
            verdict: link.verdict,
        })
    };
    lines.into_iter().map(&mut row).collect()
}

/// Items after a number.
pub(crate) fn items(db: &Db, after: u64, limit: usize) -> Result<Vec<Item>, Trouble> {
    let sql = "SELECT number, body, ignored, area FROM item WHERE number > ?1 ORDER BY number LIMIT ?2";
    type Row = (i64, Vec<u8>, Option<i64>, String);
    let rows: Vec<Row> = db.all(sql, (page_start(after), number(limit)), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let parse = |(number, body, ignored, area): Row| {
        let item: Item = db.read(&ITEM, body)?;
        Ok(Item {
            number: number.cast_unsigned(),
            ignored: ignored
                .filter(|until| *until > db.heard.get())
                .map(crate::guards::moment),
            area,
            ..item
        })
    };
    rows.into_iter().map(parse).collect()
}

/// The numbers of items that wait for a person's word.
pub(crate) fn asked(db: &Db) -> Result<BTreeSet<u64>, Trouble> {
    let mut found = BTreeSet::new();
    for kind in crate::item::ASKED {
        let sql = "SELECT number FROM item WHERE kind = ?1";
        let numbers: Vec<i64> = db.all(sql, [crate::item::kind_text(kind)], |row| row.get(0))?;
        found.extend(numbers.into_iter().map(i64::cast_unsigned));
    }
    Ok(found)
}

/// Records of a type by a property's value, or by id where the property is `id`. Reads one record at a
/// time; the values are not indexed, as any property may be asked for.
pub(crate) fn search(
    db: &Db,
    of: &RecordType,
    property: &str,
    value: &str,
) -> Result<Vec<RecordKey>, Trouble> {
    let wanted = folded(value);
    let mut found = Vec::new();
    let Some(kind) = db.kind(of)? else {
        return Ok(found);
    };
    let key = |id: String| RecordKey {
        record_type: of.clone(),
        id,
    };
    let sql = "SELECT id, state FROM record JOIN body USING (rid) WHERE kind = ?1 AND state IS NOT NULL ORDER BY id";
    db.walk(sql, [kind], |row| {
        let id: String = row.get(0)?;
        let hit = property == "id" && folded(&id) == wanted;
        let state = db.opened(&STATE, row.get(1)?)?;
        if hit || holds(&at_rest::record(&state, "record")?, property, &wanted) {
            found.push(key(id));
        }
        Ok(())
    })?;
    Ok(found)
}

/// What a record shows; the rest of its state is passed over.
#[derive(serde::Deserialize)]
pub(crate) struct Seen {
    pub(crate) shadow: SeenValues,
}

#[derive(serde::Deserialize)]
pub(crate) struct SeenValues {
    pub(crate) values: Values,
}

/// What records show, of those that are known.
pub(crate) fn values(db: &Db, records: &[RecordKey]) -> Result<BTreeMap<RecordKey, Values>, Trouble> {
    let mut asked = Vec::new();
    for key in records {
        if let Some(kind) = db.kind(&key.record_type)? {
            asked.push(serde_json::json!([kind, key.id]));
        }
    }
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT kind, record.id, state FROM json_each(?1) AS asked
               CROSS JOIN record ON kind = CAST(asked.value ->> 0 AS BIGINT) AND record.id = asked.value ->> 1
               JOIN body ON body.rid = record.rid WHERE state IS NOT NULL";
    let asked = serde_json::Value::from(asked).to_string();
    let rows: Vec<(i64, String, Vec<u8>)> =
        db.all(sql, [asked], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut found = BTreeMap::new();
    for (kind, id, state) in rows {
        let record_type = db.record_type(kind)?;
        let seen: Seen = at_rest::part(&db.opened(&STATE, state)?, "record")?;
        found.insert(RecordKey { record_type, id }, seen.shadow.values);
    }
    Ok(found)
}

/// Whether a record's property holds a value, trimmed and without regard to case.
pub(crate) fn holds(record: &tandem_merge::cluster::Record, property: &str, wanted: &str) -> bool {
    let value = record.shadow.values.get(property);
    value.is_some_and(|value| folded(&value.to_string()) == wanted)
}

/// Owners and the ids of their companions, by id.
pub(crate) fn companions(
    db: &Db,
    role: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<(RecordKey, String)>, Trouble> {
    // All owners of the last id belong to the page, or paging by id would pass some over.
    let sql = "SELECT owner, id FROM companion WHERE role = ?1 AND id > ?2 AND id <= (
                   SELECT max(id) FROM (SELECT id FROM companion WHERE role = ?1 AND id > ?2 ORDER BY id LIMIT ?3) AS page)
               ORDER BY id, owner";
    let rows: Vec<(Rid, String)> = db.all(sql, (role, after, number(limit)), |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let (rids, ids): (Vec<Rid>, Vec<String>) = rows.into_iter().unzip();
    Ok(db.keys(&rids)?.into_iter().zip(ids).collect())
}

/// Records that were never observed and that others wait for.
pub(crate) fn unread(db: &Db, limit: usize) -> Result<Vec<RecordKey>, Trouble> {
    let sql = "SELECT DISTINCT target FROM wait JOIN record ON rid = target
               WHERE presence IS NULL AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.rid = target)
               ORDER BY target LIMIT ?1";
    let rids: Vec<Rid> = db.all(sql, [number(limit)], |row| row.get(0))?;
    db.keys(&rids)
}

/// Marks dirty the records on which an approval of the flow waits.
pub(crate) fn touch_approvals(db: &Db, flow: &str) -> Result<(), Trouble> {
    let sql = "SELECT DISTINCT rid FROM item WHERE kind = 'approval' AND area = ?1 ORDER BY rid";
    let rids: Vec<Rid> = db.all(sql, [flow], |row| row.get(0))?;
    rids.into_iter().try_for_each(|rid| db.mark_dirty(rid, true))
}

/// Marks every admitted record dirty and indexes it anew, one at a time: the match rules may have changed.
pub(crate) fn touch_all(db: &Db, flows: &Dataflow) -> Result<(), Trouble> {
    regroup_links(db, flows)?;
    crate::counts::recount(db)?;
    let mut after = 0;
    let sql = "SELECT rid FROM record WHERE rid > ?1 ORDER BY rid LIMIT 500";
    loop {
        let rids: Vec<Rid> = db.all(sql, [after], |row| row.get(0))?;
        let Some(last) = rids.last() else {
            return Ok(());
        };
        after = *last;
        for rid in rids {
            touch_anew(db, flows, &load::row(db, rid)?)?;
        }
    }
}

/// Gives every link the group that its flow is in now. One whose record has another link there by now ends: which
/// of the two holds was decided while its flow was away.
fn regroup_links(db: &Db, flows: &Dataflow) -> Result<(), Trouble> {
    let names: Vec<String> = db.all("SELECT DISTINCT flow FROM link ORDER BY flow", [], |row| {
        row.get(0)
    })?;
    for name in names {
        let group = group_of(flows, &name);
        let sql = "UPDATE link SET grp = ?2 WHERE flow = ?1 AND grp <> ?2 AND NOT EXISTS (
                       SELECT 1 FROM link AS other WHERE other.grp = ?2
                       AND (other.first = link.first OR other.second = link.second))";
        db.run(sql, [&name, &group])?;
        db.run("DELETE FROM link WHERE flow = ?1 AND grp <> ?2", [&name, &group])?;
    }
    Ok(())
}

/// The group that links of a flow count in; those of a flow that is not configured count in none.
pub(crate) fn group_of(flows: &Dataflow, flow: &str) -> String {
    let known = flows.flow(flow);
    known.map_or_else(|| format!("without {flow}"), |flow| flow.group.clone())
}

fn touch_anew(db: &Db, flows: &Dataflow, row: &Row) -> Result<(), Trouble> {
    if row.state.is_none() && !row.has.inbox() {
        return Ok(());
    }
    let shadow = row.shadow()?;
    let creating = row.has.intents() && load::creates(db, row.rid)?;
    let keys = crate::page::keys_shown(db, flows, row, &row.key(db)?, shadow.as_ref(), creating)?;
    let mut news = match_index::News::default();
    if let Some(body) = crate::page::reindex(db, row, &keys, &mut news)? {
        news.store(db)?;
        let body = db.shut(&KEYS, body)?;
        db.run("UPDATE record SET keys = ?2 WHERE rid = ?1", (row.rid, body))?;
    }
    db.mark_dirty(row.rid, true)
}

/// Records of a type that are known to be alive, behind an id.
pub(crate) fn alive_after(
    db: &Db,
    record_type: &RecordType,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<RecordKey>, Trouble> {
    let Some(kind) = db.kind(record_type)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT id FROM record WHERE kind = ?1 AND id > ?2 AND presence = ?3 ORDER BY id LIMIT ?4";
    let alive = presence_number(Presence::Alive);
    let params = (kind, after.unwrap_or_default(), alive, number(limit));
    let ids: Vec<String> = db.all(sql, params, |row| row.get(0))?;
    let key = |id| RecordKey {
        record_type: record_type.clone(),
        id,
    };
    Ok(ids.into_iter().map(key).collect())
}

/// Records that are indexed by a match key.
pub(crate) fn with_key(db: &Db, key: &MatchKey) -> Result<Vec<RecordKey>, Trouble> {
    let key = [crate::hash::match_key(key)];
    let found = match_index::having_each(db, &key, usize::MAX)?;
    let found: Vec<Rid> = found.flat_map(|(_, found)| found).collect();
    db.keys(&found)
}

pub(crate) fn page_start(after: u64) -> i64 {
    i64::try_from(after).unwrap_or(i64::MAX)
}

/// Records of a type that are known to be alive, by a range of ids.
pub(crate) fn alive_between(
    db: &Db,
    record_type: &RecordType,
    after: Option<&str>,
    to: Option<&str>,
) -> Result<Vec<RecordKey>, Trouble> {
    let Some(kind) = db.kind(record_type)? else {
        return Ok(Vec::new());
    };
    let sql =
        "SELECT id FROM record WHERE kind = ?1 AND id > ?2 AND (?3 IS NULL OR id <= ?3)
               AND (presence = ?4 OR EXISTS (SELECT 1 FROM inbox WHERE inbox.rid = record.rid AND gone = 0)) ORDER BY id";
    let alive = presence_number(Presence::Alive);
    let ids: Vec<String> = db.all(sql, (kind, after.unwrap_or_default(), to, alive), |row| {
        row.get(0)
    })?;
    let key = |id| RecordKey {
        record_type: record_type.clone(),
        id,
    };
    Ok(ids.into_iter().map(key).collect())
}

/// Records of a system whose last write a read did not show, answered no later than a moment.
pub(crate) fn doubted(
    db: &Db,
    system: &str,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<RecordKey>, Trouble> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "SELECT doubt.rid FROM doubt JOIN record USING (rid) JOIN kind ON kind.number = record.kind
               WHERE kind.system = ?1 AND doubt.at <= ?2 ORDER BY doubt.rid LIMIT ?3";
    let rids: Vec<Rid> = db.all(sql, (system, until.as_microsecond(), limit), |row| row.get(0))?;
    db.keys(&rids)
}
