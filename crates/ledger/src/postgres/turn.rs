//! Waiting for one's turn to hold a schema.

use super::lease::{LASTS, NOW};
use super::server::{Server, Session};
use crate::Error;
use crate::storage::DatabaseError;
use futures::executor::block_on;
use tokio_postgres::Row;

/// Whoever stands by for a schema.
pub struct Turns {
    session: Session,
    server: Server,
}

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nobody's: whoever opens the state first has it.
    Free,
    /// Somebody's.
    Held {
        /// Who, for people.
        by: String,
    },
    /// Its holder's lease had run out: its session was ended just now. The schema is free in a moment.
    Ended {
        /// Who held it, for people.
        by: String,
    },
}

/// Who is not seen for so many milliseconds stands by no more: whoever does says so every second.
const SEEN: u64 = 15_000;

impl Turns {
    /// Stands by for the schema of a server.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Database`].
    pub fn begin(server: &Server) -> Result<Self, Error> {
        let (session, server) = (Session::begin(server)?, server.clone());
        let settled = format!(
            "SET search_path = \"{}\"; SET lock_timeout = '2s'; SET statement_timeout = '10s'",
            server.schema()
        );
        let settled = session.batch(&settled);
        settled.map_err(|source| Error::database("looked at", source))?;
        Ok(Self { session, server })
    }

    /// Says that somebody stands by here, and whose turn it is. A holder whose lease has run out has its session ended: from then
    /// on none of its statements is carried out.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn look(&self) -> Result<Turn, Error> {
        self.turn().map_err(|source| Error::database("looked at", source))
    }

    fn turn(&self) -> Result<Turn, DatabaseError> {
        let leases = self.rows("SELECT to_regclass('lease') IS NOT NULL", &[])?;
        let has_leases = leases.first().map(|row| row.try_get(0)).transpose()?;
        let has_leases: bool = has_leases.unwrap_or_default();
        if has_leases {
            self.note()?;
        }
        let holder = self.rows(&holder(has_leases), &[&self.server.schema()])?.pop();
        let Some(holder) = holder else {
            return Ok(Turn::Free);
        };
        let by = holder.try_get(0)?;
        Ok(match holder.try_get(1)? {
            true => Turn::Ended { by },
            false => Turn::Held { by },
        })
    }

    /// Says that somebody stands by here.
    fn note(&self) -> Result<(), DatabaseError> {
        let name = self.server.holder();
        let seen = format!(
            "INSERT INTO worker (name, since, seen) VALUES ($1, {NOW}, {NOW})
             ON CONFLICT (name) DO UPDATE SET seen = excluded.seen"
        );
        self.rows(&seen, &[&name])?;
        let gone = format!("DELETE FROM worker WHERE seen < {NOW} - {SEEN}");
        self.rows(&gone, &[]).map(drop)
    }

    fn rows(
        &self,
        sql: &str,
        given: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        Ok(block_on(self.session.client().query(sql, given))?)
    }
}

/// Whoever waited has its turn, or waits no more.
impl Drop for Turns {
    fn drop(&mut self) {
        let _forgotten = self.rows("DELETE FROM worker WHERE name = $1", &[&self.server.holder()]);
    }
}

/// Who works with a state, and who stands by; by the server's clock.
pub(super) fn workers() -> String {
    format!(
        "SELECT holder, 1, since, CASE WHEN until < {NOW} THEN 0 ELSE 1 END FROM lease WHERE until > 0
         UNION ALL SELECT name, 0, since, 1 FROM worker WHERE seen > {NOW} - {SEEN} ORDER BY 2 DESC, 1"
    )
}

/// Who has the lock of the schema, and whether its session was ended because it may be taken for gone. A holder that has the
/// lock and not the lease yet is given as long as a lease lasts.
fn holder(has_leases: bool) -> String {
    let lasts = LASTS.as_millis();
    let (name, ended, lease) = match has_leases {
        true => (
            "CASE WHEN lease.pid = pg_locks.pid THEN lease.holder END",
            format!(
                "CASE WHEN lease.until < {NOW} AND (lease.pid = pg_locks.pid
                     OR backend_start < clock_timestamp() - interval '{lasts} milliseconds')
                 THEN pg_terminate_backend(pg_locks.pid) ELSE FALSE END"
            ),
            "LEFT JOIN lease ON lease.shard = 0",
        ),
        false => ("NULL", "FALSE".to_owned(), ""),
    };
    format!(
        "SELECT coalesce({name}, application_name, 'somebody'), {ended}
         FROM pg_locks JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid {lease}
         WHERE locktype = 'advisory' AND granted AND datname = current_database()
         AND (classid::bigint, objid::bigint) IN
             (SELECT a::bigint & 4294967295, b::bigint & 4294967295
              FROM (VALUES (hashtext('tandem'), hashtext($1))) AS t (a, b))"
    )
}
