//! How many links a flow has and how many records of a type are known: counted where they change, because they are asked
//! for again and again, and that must cost no more the more there are.

use crate::db::{Db, Trouble};
use crate::tally;
use std::collections::BTreeMap;

/// What changed: links by flow, known records by the number of their type.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) links: BTreeMap<String, i64>,
    pub(crate) records: BTreeMap<i64, i64>,
}

impl Changed {
    /// Adds what else changed.
    pub(crate) fn add(&mut self, other: Self) {
        for (flow, n) in other.links {
            *self.links.entry(flow).or_default() += n;
        }
        for (kind, n) in other.records {
            *self.records.entry(kind).or_default() += n;
        }
    }

    /// Counts it.
    pub(crate) fn store(self, db: &Db) -> Result<(), Trouble> {
        for (flow, n) in self.links.into_iter().filter(|(_, n)| *n != 0) {
            add(db, &flow, tally::LINKED, n)?;
        }
        for (kind, n) in self.records.into_iter().filter(|(_, n)| *n != 0) {
            db.run("UPDATE kind SET known = known + ?2 WHERE number = ?1", (kind, n))?;
        }
        Ok(())
    }
}

/// Adds to a count of a flow.
pub(crate) fn add(db: &Db, flow: &str, what: &str, n: i64) -> Result<(), Trouble> {
    let sql = "INSERT INTO tally (flow, what, n) VALUES (?1, ?2, ?3)
               ON CONFLICT (flow, what) DO UPDATE SET n = tally.n + excluded.n";
    db.run(sql, (flow, what, n)).map(drop)
}

/// Counts everything anew.
pub(crate) fn recount(db: &Db) -> Result<(), Trouble> {
    db.run("DELETE FROM tally WHERE what = ?1", [tally::LINKED])?;
    let sql = "INSERT INTO tally (flow, what, n) SELECT flow, ?1, count(*) FROM link GROUP BY flow";
    db.run(sql, [tally::LINKED])?;
    let sql =
        "UPDATE kind SET known = (SELECT count(*) FROM record WHERE kind = number AND presence IS NOT NULL)";
    db.run(sql, []).map(drop)
}

/// How many links a flow has.
pub(crate) fn linked(db: &Db, flow: &str) -> Result<u64, Trouble> {
    let sql = "SELECT n FROM tally WHERE flow = ?1 AND what = ?2";
    let n: Option<i64> = db.one(sql, (flow, tally::LINKED), |row| row.get(0))?;
    n.unwrap_or_default().try_into().map_err(|_| miscounted(flow))
}

/// A count that cannot be: what guards weigh by it must not be let through.
pub(crate) fn miscounted(flow: &str) -> Trouble {
    Trouble::Unreadable(format!("the count of links of {flow}"))
}
