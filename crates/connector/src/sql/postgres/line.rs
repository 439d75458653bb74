//! Connections to a PostgreSQL server, kept for the next statement.

use super::super::driver::{Rows, Statement, Trouble};
use super::super::value::Cell;
use super::super::{SqlConfig, tls};
use super::listen::Listening;
use super::trouble;
use futures::TryStreamExt;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connections at once.
pub(super) const MOST: usize = 8;
/// Statements that a connection keeps prepared.
const PREPARED: usize = 200;
/// So long a lock is waited for.
const LOCK: Duration = Duration::from_secs(4);

/// The connections.
pub(super) struct Lines {
    config: Config,
    tls: MakeRustlsConnect,
    place: String,
    deadline: Duration,
    /// The server, too, is to refuse whatever would write.
    read_only: bool,
    idle: Mutex<Vec<Line>>,
    permits: Arc<Semaphore>,
    calls: AtomicU64,
    listening: OnceLock<Listening>,
}

/// A connection with what it has prepared.
struct Line {
    client: Client,
    prepared: HashMap<String, tokio_postgres::Statement>,
}

/// A connection in use.
pub(super) struct Held {
    line: Option<Line>,
    lines: Arc<Lines>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lines {
    pub(super) fn new(config: &SqlConfig) -> Result<Self, String> {
        let mut parsed: Config = config
            .url
            .parse()
            .map_err(|_| "its address is none of PostgreSQL: write postgres://host/database".to_owned())?;
        if let Some(user) = &config.user {
            parsed.user(user.expose_secret());
        }
        if let Some(password) = &config.password {
            parsed.password(password.expose_secret());
        }
        let deadline = Duration::try_from(config.request_deadline).unwrap_or(Duration::from_secs(60));
        parsed.connect_timeout(deadline.min(Duration::from_secs(10)));
        parsed.tcp_user_timeout(deadline);
        parsed.keepalives_idle(Duration::from_secs(30));
        if parsed.get_application_name().is_none() {
            parsed.application_name("tandem");
        }
        // Other machines are spoken to under TLS, unless the address says otherwise.
        let far = parsed.get_hosts().iter().any(|host| match host {
            Host::Tcp(name) => !tls::is_here(name),
            #[cfg(unix)]
            Host::Unix(_) => false,
        });
        if far && parsed.get_ssl_mode() == SslMode::Prefer {
            parsed.ssl_mode(SslMode::Require);
        }
        Ok(Self {
            place: place(&parsed),
            config: parsed,
            tls: MakeRustlsConnect::new(tls::client(config.certificate_authority.as_deref())?),
            deadline,
            read_only: config.read_only,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MOST)),
            calls: AtomicU64::new(0),
            listening: OnceLock::new(),
        })
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// A connection, and whether it was just made.
    pub(super) async fn take(self: &Arc<Self>) -> Result<(Held, bool), Trouble> {
        let permit = self.permit().await?;
        let kept = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|line| !line.client.is_closed());
            idle.pop()
        };
        match kept {
            Some(line) => Ok((self.held(line, permit), false)),
            None => Ok((self.held(self.connect().await?, permit), true)),
        }
    }

    /// A connection of its own.
    pub(super) async fn open(self: &Arc<Self>) -> Result<Held, Trouble> {
        let permit = self.permit().await?;
        Ok(self.held(self.connect().await?, permit))
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.map_err(|_| Trouble::Away(crate::ErrorKind::Down, "the connections are closed".to_owned()))
    }

    fn held(self: &Arc<Self>, line: Line, permit: OwnedSemaphorePermit) -> Held {
        Held {
            line: Some(line),
            lines: Arc::clone(self),
            permit: Some(permit),
        }
    }

    async fn connect(&self) -> Result<Line, Trouble> {
        let (client, connection) = self.begin().await?;
        tokio::spawn(connection);
        let milliseconds = self.deadline.as_millis();
        let lock = LOCK.min(self.deadline / 2).as_millis();
        // What takes longer than a request may is broken off there, too.
        let settings = format!(
            "SET TIME ZONE 'UTC'; SET statement_timeout = {milliseconds}; SET lock_timeout = {lock};
             SET idle_in_transaction_session_timeout = {milliseconds}; SET client_min_messages = error;
             SET default_transaction_read_only = {}",
            self.read_only
        );
        let line = Line {
            client,
            prepared: HashMap::new(),
        };
        self.count();
        self.in_time(line.client.batch_execute(&settings)).await?;
        Ok(line)
    }

    pub(super) async fn begin(
        &self,
    ) -> Result<
        (
            Client,
            tokio_postgres::Connection<
                tokio_postgres::Socket,
                <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>>::Stream,
            >,
        ),
        Trouble,
    > {
        let connecting = tokio::time::timeout(self.deadline, self.config.connect(self.tls.clone())).await;
        let late = |_| Trouble::Away(crate::ErrorKind::Down, format!("{} does not answer", self.place));
        connecting
            .map_err(late)?
            .map_err(|error| trouble::of_connecting(&error, &self.place))
    }

    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(answer) => answer.map_err(|error| trouble::of(&error)),
            Err(_) => Err(Trouble::Lost(format!("{} did not answer in time", self.place))),
        }
    }

    /// Resolves when something was told on a channel.
    pub(super) async fn told(self: &Arc<Self>, channel: &str) {
        let told = self
            .listening
            .get_or_init(|| Listening::begin(self, channel))
            .told();
        told.notified().await;
    }
}

impl Held {
    fn line(&mut self) -> Result<(&mut Line, &Lines), Trouble> {
        let line = self.line.as_mut();
        let line = line.ok_or_else(|| Trouble::Lost("the connection is closed".to_owned()))?;
        Ok((line, &self.lines))
    }

    async fn prepare(&mut self, sql: &str) -> Result<tokio_postgres::Statement, Trouble> {
        let (line, lines) = self.line()?;
        if let Some(known) = line.prepared.get(sql) {
            return Ok(known.clone());
        }
        if line.prepared.len() >= PREPARED {
            line.prepared.clear();
        }
        let prepared = lines.in_time(line.client.prepare(sql)).await?;
        line.prepared.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }

    pub(super) async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble> {
        let prepared = self.prepare(&statement.sql).await?;
        let (line, lines) = self.line()?;
        lines.count();
        let width = prepared.columns().len();
        let given = statement.given.iter();
        let reading = async {
            let stream = line.client.query_raw(&prepared, given).await?;
            let mut stream = std::pin::pin!(stream);
            let mut cells = Vec::new();
            while let Some(row) = stream.try_next().await? {
                for at in 0..width {
                    cells.push(row.try_get::<_, Cell>(at)?);
                }
            }
            Ok(cells)
        };
        let cells = lines.in_time(reading).await;
        let cells = cells.inspect_err(|trouble| self.end_if_lost(trouble))?;
        Ok(Rows { width, cells })
    }

    pub(super) async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble> {
        let prepared = self.prepare(&statement.sql).await?;
        let (line, lines) = self.line()?;
        lines.count();
        let work = line.client.execute_raw(&prepared, statement.given.iter());
        let changed = lines.in_time(work).await;
        changed.inspect_err(|trouble| self.end_if_lost(trouble))
    }

    /// A connection that is of no use any more is nobody's.
    fn end_if_lost(&mut self, trouble: &Trouble) {
        if matches!(trouble, Trouble::Lost(_)) {
            self.line = None;
        }
    }

    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), Trouble> {
        let (line, lines) = self.line()?;
        lines.in_time(line.client.batch_execute(sql)).await
    }

    /// Keeps the connection for the next statement.
    pub(super) fn give_back(mut self) {
        if let Some(line) = self.line.take().filter(|line| !line.client.is_closed()) {
            let mut idle = self.lines.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(line);
        }
    }

    /// Rolls back what is under way and keeps the connection; where that fails, it is closed.
    pub(super) fn roll_back(mut self) {
        let Some(line) = self.line.take() else {
            return;
        };
        let (lines, permit) = (Arc::clone(&self.lines), self.permit.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // After a commit that failed there is nothing to roll back, which is only a warning.
                if lines.in_time(line.client.batch_execute("ROLLBACK")).await.is_ok() {
                    let mut idle = lines.idle.lock().unwrap_or_else(PoisonError::into_inner);
                    idle.push(line);
                }
                drop(permit);
            });
        }
    }
}

fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}")
}
