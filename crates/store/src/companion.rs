//! Rows of companions.

use crate::db::{Db, Rid, Trouble};
use crate::sealed::COMPANION;
use std::collections::BTreeMap;
use tandem_merge::cluster::Companion;

/// The companions of an owner, by role.
pub(crate) fn of_owner(db: &Db, owner: Rid) -> Result<BTreeMap<String, Companion>, Trouble> {
    let sql = "SELECT role, body FROM companion WHERE owner = ?1";
    let rows: Vec<(String, Vec<u8>)> = db.all(sql, [owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let parse = |(role, body): (String, Vec<u8>)| Ok((role, db.read(&COMPANION, body)?));
    rows.into_iter().map(parse).collect()
}

/// One companion of an owner.
pub(crate) fn one(db: &Db, owner: Rid, role: &str) -> Result<Option<Companion>, Trouble> {
    let sql = "SELECT body FROM companion WHERE owner = ?1 AND role = ?2";
    let body: Option<Vec<u8>> = db.one(sql, (owner, role), |row| row.get(0))?;
    body.map(|body| db.read(&COMPANION, body)).transpose()
}

/// Notes that a companion is needed. Answers whether that is news.
pub(crate) fn want(db: &Db, owner: Rid, role: &str) -> Result<bool, Trouble> {
    let wanted = Companion::default();
    let sql =
        "INSERT INTO companion (owner, role, id, body) VALUES (?1, ?2, NULL, ?3) ON CONFLICT DO NOTHING";
    Ok(db.run(sql, (owner, role, db.body(&COMPANION, &wanted)?))? > 0)
}

/// Makes the stored companions those of the record. Those wanted by others in the meantime, which a record
/// known by its inbox rows alone cannot show, stay. Answers whether anything changed, and whether one stayed.
pub(crate) fn replace(
    db: &Db,
    owner: Rid,
    before: &BTreeMap<String, Companion>,
    after: &BTreeMap<String, Companion>,
    first: bool,
) -> Result<(bool, bool), Trouble> {
    let mut changed = false;
    let mut kept = false;
    for (role, companion) in before {
        if after.contains_key(role) {
            continue;
        }
        if first && companion.id.is_none() {
            kept = true;
            continue;
        }
        db.run(
            "DELETE FROM companion WHERE owner = ?1 AND role = ?2",
            (owner, role),
        )?;
        changed = true;
    }
    for (role, companion) in after {
        if before.get(role) == Some(companion) {
            continue;
        }
        let sql = "INSERT INTO companion (owner, role, id, body) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (owner, role) DO UPDATE SET id = excluded.id, body = excluded.body";
        let body = db.body(&COMPANION, companion)?;
        db.run(sql, (owner, role, &companion.id, body))?;
        changed = true;
    }
    Ok((changed, kept))
}
