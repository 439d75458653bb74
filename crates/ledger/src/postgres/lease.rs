//! The lease of whoever holds a schema: renewed by a line of its own, so that a process that stands still, or was cut off
//! from its server, is known by a lease that has run out.
//!
//! The lock of the session decides who may write; the lease says when its holder may be taken for gone.

use super::server::{Server, Session, connected};
use crate::storage::DatabaseError;
use futures::executor::block_on;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_postgres::Client;

/// So long is a lease good, unless it is renewed.
pub(super) const LASTS: Duration = Duration::from_secs(10);
/// How often it is renewed.
const RENEWED: Duration = Duration::from_secs(3);
/// The server's clock, in milliseconds.
pub(super) const NOW: &str = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";

/// A lease.
pub(super) struct Lease {
    /// Until when it is good, by this machine's count of time.
    good: Arc<Mutex<Instant>>,
    /// Whether it is over for good.
    over: watch::Receiver<bool>,
}

/// What tells a lease from those before and after it: its epoch, and the session that holds the lock.
#[derive(Clone, Copy)]
struct Ours(i64, i32);

impl Ours {
    fn condition(self) -> String {
        format!("shard = 0 AND epoch = {} AND pid = {}", self.0, self.1)
    }
}

impl Lease {
    /// Takes the lease of a schema that the session holds, and renews it for as long as the session lasts. None where the
    /// schema has no tables. Whoever ends in order is not waited for.
    pub(super) fn take(session: &mut Session, server: &Server) -> Result<Option<Self>, DatabaseError> {
        let began = Instant::now();
        let Some(ours) = block_on(taken(session.client(), server))? else {
            return Ok(None);
        };
        let good = Arc::new(Mutex::new(began + LASTS));
        let (end, over) = watch::channel(false);
        let renewing = renew(server.clone(), ours, Arc::clone(&good));
        session.beside(async move {
            renewing.await;
            let _nobody_asks = end.send(true);
        });
        session.end_with(format!("UPDATE lease SET until = 0 WHERE {}", ours.condition()));
        Ok(Some(Self { good, over }))
    }

    /// Whether it is good still.
    pub(super) fn is_good(&self) -> bool {
        is_good(&self.good)
    }

    /// Resolves once it is over for good.
    pub(super) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut over = self.over.clone();
        async move {
            // A session that has ended says nothing more: whoever works with it is told by its next statement.
            if over.wait_for(|over| *over).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn is_good(good: &Mutex<Instant>) -> bool {
    Instant::now() < *good.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the lease anew.
async fn taken(client: &Client, server: &Server) -> Result<Option<Ours>, tokio_postgres::Error> {
    let there = client
        .query_one("SELECT to_regclass('lease') IS NOT NULL", &[])
        .await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let sql = format!(
        "INSERT INTO lease (shard, epoch, holder, pid, since, until)
         VALUES (0, 1, $1, pg_backend_pid(), {NOW}, {NOW} + {lasts})
         ON CONFLICT (shard) DO UPDATE SET epoch = lease.epoch + 1, holder = excluded.holder, pid = excluded.pid,
             since = excluded.since, until = excluded.until
         RETURNING epoch, CAST(pid AS INTEGER)",
        lasts = LASTS.as_millis()
    );
    let row = client.query_one(&sql, &[&server.holder()]).await?;
    Ok(Some(Ours(row.try_get(0)?, row.try_get(1)?)))
}

/// Renews a lease until somebody else has it, or it ran out while the server could not be reached.
async fn renew(server: Server, ours: Ours, good: Arc<Mutex<Instant>>) {
    let mut line = None;
    loop {
        tokio::time::sleep(RENEWED).await;
        let began = Instant::now();
        let renewed = tokio::time::timeout(LASTS, renewed(&mut line, &server, ours)).await;
        match renewed {
            Ok(Ok(true)) => {
                *good.lock().unwrap_or_else(PoisonError::into_inner) = began + LASTS;
            }
            Ok(Ok(false)) => {
                *good.lock().unwrap_or_else(PoisonError::into_inner) = began;
                return;
            }
            // By another line, the next time.
            Ok(Err(_)) | Err(_) if is_good(&good) => line = None,
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Whether the lease was ours still, and was renewed.
async fn renewed(line: &mut Option<Client>, server: &Server, ours: Ours) -> Result<bool, String> {
    let client = match line {
        Some(client) => client,
        None => line.insert(connected(server.clone()).await?),
    };
    let sql = format!(
        "UPDATE \"{}\".lease SET until = {NOW} + {} WHERE {}",
        server.schema(),
        LASTS.as_millis(),
        ours.condition()
    );
    let renewed = client.execute(&sql, &[]).await;
    renewed.map(|rows| rows == 1).map_err(|error| error.to_string())
}
