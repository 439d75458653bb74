//! Rows of companions.

use crate::db::{Db, Numbered, Rid, Trouble};
use crate::load;
use crate::sealed::COMPANION;
use crate::storage::Row;
use std::collections::BTreeMap;
use tandem_merge::cluster::Companion;

/// The companions of these owners: owner, role, companion.
pub(crate) fn of(db: &Db, owners: &[Rid]) -> Result<Vec<(Rid, String, Companion)>, Trouble> {
    let sql = "SELECT owner, role, body FROM companion WHERE owner IN (SELECT value FROM json_each(?1))";
    let read = |row: &dyn Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows: Vec<(Rid, String, Vec<u8>)> = load::of_all(db, sql, owners, read)?;
    let parse = |(owner, role, body): (Rid, String, Vec<u8>)| Ok((owner, role, db.read(&COMPANION, body)?));
    rows.into_iter().map(parse).collect()
}

/// Notes that a companion is needed. Answers whether that is news.
pub(crate) fn want(db: &Db, owner: Rid, role: &str) -> Result<bool, Trouble> {
    let wanted = Companion::default();
    let sql = "INSERT INTO companion (number, owner, role, id, body) VALUES (?1, ?2, ?3, NULL, ?4)
               ON CONFLICT DO NOTHING";
    let number = db.next(Numbered::Companion);
    Ok(db.run(sql, (number, owner, role, db.body(&COMPANION, &wanted)?))? > 0)
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
        let sql = "INSERT INTO companion (number, owner, role, id, body) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (owner, role) DO UPDATE SET id = excluded.id, body = excluded.body";
        let body = db.body(&COMPANION, companion)?;
        db.run(
            sql,
            (db.next(Numbered::Companion), owner, role, &companion.id, body),
        )?;
        changed = true;
    }
    Ok((changed, kept))
}
