//! Connections to a server, kept for the next statement: one room for every database that has a server.

use super::driver::{Rows, Statement, Transaction, Trouble};
use crate::ErrorKind;
use async_trait::async_trait;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once.
pub(super) const MOST: usize = 8;
/// So long a lock is waited for.
pub(super) const LOCK: Duration = Duration::from_secs(4);

/// What one kind of server knows of its connections.
#[async_trait]
pub(super) trait Lines: Send + Sync + 'static {
    /// A connection.
    type Line: Send + 'static;

    /// What begins a transaction, and what takes it back.
    const BEGIN: &'static str;
    const ROLL_BACK: &'static str;

    /// A new connection, made ready for statements.
    async fn connect(&self) -> Result<Self::Line, Trouble>;

    /// Whether it is known to be of no use any more.
    fn is_closed(line: &Self::Line) -> bool;

    /// The rows that a statement answers.
    async fn rows(&self, line: &mut Self::Line, statement: &Statement) -> Result<Rows, Trouble>;

    /// How many rows a statement changed.
    async fn change(&self, line: &mut Self::Line, statement: &Statement) -> Result<u64, Trouble>;

    /// Runs statements that are given nothing and answer nothing.
    async fn batch(&self, line: &mut Self::Line, sql: &str) -> Result<(), Trouble>;

    /// The number that the last insert was given, where inserts do not answer with it.
    fn last_id(line: &Self::Line) -> Option<i64>;
}

/// The connections to a server.
pub(super) struct Pool<L: Lines> {
    pub(super) lines: L,
    idle: Mutex<Vec<L::Line>>,
    permits: Arc<Semaphore>,
    calls: AtomicU64,
}

/// A connection in use. Where it is dropped, it is closed.
struct Held<L: Lines> {
    line: Option<L::Line>,
    pool: Arc<Pool<L>>,
    permit: Option<OwnedSemaphorePermit>,
    /// A statement was sent, and its answer is not there yet.
    waits: bool,
}

impl<L: Lines> Pool<L> {
    pub(super) fn new(lines: L) -> Arc<Self> {
        Arc::new(Self {
            lines,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MOST)),
            calls: AtomicU64::new(0),
        })
    }

    /// Statements and connections so far.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// The rows of a statement that changes nothing.
    pub(super) async fn read(self: &Arc<Self>, statement: &Statement) -> Result<Rows, Trouble> {
        let (mut line, fresh) = self.take().await?;
        match line.rows(statement).await {
            // A connection that nobody used for a while may be gone: what only reads is asked again.
            Err(Trouble::Lost(_)) if !fresh => {
                drop(line);
                let mut line = self.open().await?;
                let rows = line.rows(statement).await?;
                line.give_back();
                Ok(rows)
            }
            // Whether the end of what was asked is still to come is not known.
            Err(Trouble::Lost(why)) => Err(Trouble::Lost(why)),
            answer => {
                line.give_back();
                answer
            }
        }
    }

    /// Begins a transaction.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<Box<dyn Transaction>, Trouble> {
        let (mut line, fresh) = self.take().await?;
        match line.batch(L::BEGIN).await {
            Ok(()) => {}
            Err(Trouble::Lost(_)) if !fresh => {
                drop(line);
                line = self.open().await?;
                line.batch(L::BEGIN).await?;
            }
            Err(trouble) => return Err(trouble),
        }
        Ok(Box::new(Running { line: Some(line) }))
    }

    /// A connection, and whether it was just made.
    async fn take(self: &Arc<Self>) -> Result<(Held<L>, bool), Trouble> {
        let permit = self.permit().await?;
        let kept = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|line| !L::is_closed(line));
            idle.pop()
        };
        match kept {
            Some(line) => Ok((self.held(line, permit), false)),
            None => Ok((self.held(self.connect().await?, permit), true)),
        }
    }

    /// A connection that nobody used before.
    async fn open(self: &Arc<Self>) -> Result<Held<L>, Trouble> {
        let permit = self.permit().await?;
        Ok(self.held(self.connect().await?, permit))
    }

    async fn connect(&self) -> Result<L::Line, Trouble> {
        let line = self.lines.connect().await?;
        self.count();
        Ok(line)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.map_err(|_| Trouble::Away(ErrorKind::Down, "the connections are closed".to_owned()))
    }

    fn held(self: &Arc<Self>, line: L::Line, permit: OwnedSemaphorePermit) -> Held<L> {
        Held {
            line: Some(line),
            pool: Arc::clone(self),
            permit: Some(permit),
            waits: false,
        }
    }

    fn keep(&self, line: L::Line) {
        if !L::is_closed(&line) {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(line);
        }
    }
}

impl<L: Lines> Held<L> {
    fn line(&mut self) -> Result<(&mut L::Line, &Pool<L>), Trouble> {
        let line = self.line.as_mut();
        let line = line.ok_or_else(|| Trouble::Lost("the connection is closed".to_owned()))?;
        Ok((line, &self.pool))
    }

    /// The same, for a statement that is about to be sent.
    fn ask(&mut self) -> Result<(&mut L::Line, &Pool<L>), Trouble> {
        self.waits = self.line.is_some();
        self.line()
    }

    async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble> {
        let (line, pool) = self.ask()?;
        pool.count();
        let rows = pool.lines.rows(line, statement).await;
        self.kept(rows)
    }

    async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble> {
        let (line, pool) = self.ask()?;
        pool.count();
        let changed = pool.lines.change(line, statement).await;
        self.kept(changed)
    }

    async fn batch(&mut self, sql: &str) -> Result<(), Trouble> {
        let (line, pool) = self.ask()?;
        let done = pool.lines.batch(line, sql).await;
        self.kept(done)
    }

    /// A connection whose answer did not come is closed: the answer would be taken for that of the next statement.
    fn kept<T>(&mut self, done: Result<T, Trouble>) -> Result<T, Trouble> {
        self.waits = false;
        if matches!(done, Err(Trouble::Lost(_))) {
            self.line = None;
        }
        done
    }

    /// Keeps the connection for the next statement.
    fn give_back(mut self) {
        if let Some(line) = self.line.take() {
            self.pool.keep(line);
        }
    }

    /// Rolls back what is under way and keeps the connection; where that fails, or an answer is still to come that would be
    /// taken for another, it is closed.
    fn roll_back(mut self) {
        let line = self.line.take().filter(|_| !self.waits);
        let Some(mut line) = line else {
            return;
        };
        let (pool, permit) = (Arc::clone(&self.pool), self.permit.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if pool.lines.batch(&mut line, L::ROLL_BACK).await.is_ok() {
                    pool.keep(line);
                }
                drop(permit);
            });
        }
    }
}

/// A transaction under way. Where it is dropped it is rolled back, or its connection is closed.
struct Running<L: Lines> {
    line: Option<Held<L>>,
}

impl<L: Lines> Running<L> {
    fn line(&mut self) -> Result<&mut Held<L>, Trouble> {
        let ended = || Trouble::Lost("the transaction has ended".to_owned());
        self.line.as_mut().ok_or_else(ended)
    }
}

#[async_trait]
impl<L: Lines> Transaction for Running<L> {
    async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble> {
        self.line()?.rows(statement).await
    }

    async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble> {
        self.line()?.change(statement).await
    }

    async fn batch(&mut self, sql: &'static str) -> Result<(), Trouble> {
        self.line()?.batch(sql).await
    }

    async fn last_id(&mut self) -> Result<i64, Trouble> {
        let (line, _) = self.line()?.line()?;
        L::last_id(line)
            .ok_or_else(|| Trouble::Lost("the database does not say which row it made".to_owned()))
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Trouble> {
        self.line()?.batch("COMMIT").await?;
        if let Some(line) = self.line.take() {
            line.give_back();
        }
        Ok(())
    }
}

impl<L: Lines> Drop for Running<L> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.roll_back();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::pending;

    /// A server that counts its connections and what it was told, and answers some statements never.
    #[derive(Default)]
    struct Server {
        connections: AtomicU64,
        rolled_back: AtomicU64,
    }

    #[async_trait]
    impl Lines for Server {
        type Line = ();
        const BEGIN: &'static str = "BEGIN";
        const ROLL_BACK: &'static str = "ROLLBACK";

        async fn connect(&self) -> Result<(), Trouble> {
            self.connections.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }

        fn is_closed((): &()) -> bool {
            false
        }

        async fn rows(&self, (): &mut (), statement: &Statement) -> Result<Rows, Trouble> {
            match statement.sql.as_str() {
                "never" => pending().await,
                _ => Ok(Rows::default()),
            }
        }

        async fn change(&self, (): &mut (), _: &Statement) -> Result<u64, Trouble> {
            Ok(1)
        }

        async fn batch(&self, (): &mut (), sql: &str) -> Result<(), Trouble> {
            self.rolled_back
                .fetch_add(u64::from(sql == Self::ROLL_BACK), Ordering::SeqCst);
            Ok(())
        }

        fn last_id((): &()) -> Option<i64> {
            None
        }
    }

    fn statement(sql: &str) -> Statement {
        Statement {
            sql: sql.to_owned(),
            ..Statement::default()
        }
    }

    #[tokio::test]
    async fn a_transaction_that_is_broken_off_between_statements_is_rolled_back_and_its_connection_kept() {
        let pool = Pool::new(Server::default());
        let mut transaction = pool.begin().await.unwrap();
        transaction.rows(&statement("quick")).await.unwrap();
        drop(transaction);
        tokio::task::yield_now().await;
        pool.read(&statement("quick")).await.unwrap();
        assert_eq!(pool.lines.rolled_back.load(Ordering::SeqCst), 1);
        assert_eq!(pool.lines.connections.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_connection_that_owes_an_answer_is_closed_so_that_nobody_takes_it_for_his() {
        let pool = Pool::new(Server::default());
        let mut transaction = pool.begin().await.unwrap();
        let never = statement("never");
        let asked = futures::poll!(std::pin::pin!(transaction.rows(&never)));
        assert!(asked.is_pending());
        drop(transaction);
        tokio::task::yield_now().await;
        pool.read(&statement("quick")).await.unwrap();
        assert_eq!(pool.lines.rolled_back.load(Ordering::SeqCst), 0);
        assert_eq!(pool.lines.connections.load(Ordering::SeqCst), 2);
    }
}
