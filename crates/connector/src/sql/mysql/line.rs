//! Connections to a MySQL server, kept for the next statement.

use super::super::driver::{Rows, Statement, Trouble};
use super::super::{SqlConfig, tls};
use super::{codec, trouble};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Row, SslOpts};
use secrecy::ExposeSecret;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once.
const MOST: usize = 8;
/// Statements that a connection keeps prepared.
const PREPARED: usize = 200;
/// So long a lock is waited for.
const LOCK: Duration = Duration::from_secs(4);

/// The connections.
pub(super) struct Lines {
    opts: Opts,
    place: String,
    deadline: Duration,
    idle: Mutex<Vec<Conn>>,
    permits: Arc<Semaphore>,
    calls: AtomicU64,
}

/// A connection in use.
pub(super) struct Held {
    line: Option<Conn>,
    lines: Arc<Lines>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lines {
    pub(super) fn new(config: &SqlConfig) -> Result<Self, String> {
        let read = Opts::from_url(&config.url.replacen("mariadb:", "mysql:", 1));
        let read =
            read.map_err(|_| "its address is none of MySQL: write mysql://host/database".to_owned())?;
        let deadline = Duration::try_from(config.request_deadline).unwrap_or(Duration::from_secs(60));
        let lock = LOCK.min(deadline / 2).as_secs().max(1);
        let mut opts = OptsBuilder::from_opts(read.clone())
            .prefer_socket(false)
            // A row that is written as it was counts, too.
            .client_found_rows(true)
            .stmt_cache_size(PREPARED)
            // What does not fit is refused, and never cut.
            .setup(vec![
                "SET time_zone = '+00:00'".to_owned(),
                "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')".to_owned(),
                format!("SET innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}"),
            ]);
        if config.read_only {
            // The server, too, is to refuse whatever would write.
            opts = opts.init(vec!["SET SESSION TRANSACTION READ ONLY".to_owned()]);
        }
        if let Some(user) = &config.user {
            opts = opts.user(Some(user.expose_secret()));
        }
        if let Some(password) = &config.password {
            opts = opts.pass(Some(password.expose_secret()));
        }
        // Other machines are spoken to under TLS, unless the address says otherwise.
        let here = read.socket().is_some() || tls::is_here(read.ip_or_hostname());
        let told = config.url.contains("require_ssl=");
        if read.ssl_opts().is_some() || (!here && !told) {
            opts = opts.ssl_opts(ssl(config.certificate_authority.as_deref()));
        }
        Ok(Self {
            place: match read.socket() {
                Some(socket) => socket.to_owned(),
                None => format!("{}:{}", read.ip_or_hostname(), read.tcp_port()),
            },
            opts: opts.into(),
            deadline,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MOST)),
            calls: AtomicU64::new(0),
        })
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// A connection, and whether it was just made.
    pub(super) async fn take(self: &Arc<Self>) -> Result<(Held, bool), Trouble> {
        let permit = self.permit().await?;
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
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

    fn held(self: &Arc<Self>, line: Conn, permit: OwnedSemaphorePermit) -> Held {
        Held {
            line: Some(line),
            lines: Arc::clone(self),
            permit: Some(permit),
        }
    }

    async fn connect(&self) -> Result<Conn, Trouble> {
        let connecting = tokio::time::timeout(self.deadline, Conn::new(self.opts.clone())).await;
        let late = |_| Trouble::Away(crate::ErrorKind::Down, format!("{} does not answer", self.place));
        let line = connecting
            .map_err(late)?
            .map_err(|error| trouble::of_connecting(error, &self.place))?;
        self.count();
        Ok(line)
    }

    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, mysql_async::Error>>,
    ) -> Result<T, Trouble> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(answer) => answer.map_err(trouble::of),
            Err(_) => Err(Trouble::Lost(format!("{} did not answer in time", self.place))),
        }
    }
}

fn ssl(authority: Option<&[u8]>) -> SslOpts {
    let roots = match authority {
        Some(pem) => vec![pem.to_vec().into()],
        None => rustls_native_certs::load_native_certs()
            .certs
            .into_iter()
            .map(|certificate| certificate.to_vec().into())
            .collect(),
    };
    SslOpts::default()
        .with_root_certs(roots)
        .with_disable_built_in_roots(true)
}

impl Held {
    fn line(&mut self) -> Result<(&mut Conn, &Lines), Trouble> {
        let line = self.line.as_mut();
        let line = line.ok_or_else(|| Trouble::Lost("the connection is closed".to_owned()))?;
        Ok((line, &self.lines))
    }

    pub(super) async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble> {
        let (line, lines) = self.line()?;
        lines.count();
        let rows = lines
            .in_time(line.exec(statement.sql.as_str(), given(statement)))
            .await;
        let rows: Vec<Row> = self.kept(rows)?;
        let width = rows.first().map_or(0, Row::len);
        let mut cells = Vec::with_capacity(width * rows.len());
        for row in rows {
            let columns = row.columns();
            for (at, value) in row.unwrap().into_iter().enumerate() {
                let kind = statement.answers.get(at).copied();
                cells.push(codec::cell(value, columns[at].column_type(), kind));
            }
        }
        Ok(Rows { width, cells })
    }

    pub(super) async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble> {
        let (line, lines) = self.line()?;
        lines.count();
        let done = lines
            .in_time(line.exec_drop(statement.sql.as_str(), given(statement)))
            .await;
        self.kept(done)?;
        Ok(self.line()?.0.affected_rows())
    }

    pub(super) fn last_id(&mut self) -> Result<i64, Trouble> {
        let (line, _) = self.line()?;
        let id = line.last_insert_id().and_then(|id| i64::try_from(id).ok());
        id.ok_or_else(|| Trouble::Lost("the database does not say which row it made".to_owned()))
    }

    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), Trouble> {
        let (line, lines) = self.line()?;
        let done = lines.in_time(line.query_drop(sql)).await;
        self.kept(done)
    }

    /// A connection whose answer did not come is closed: the answer would be taken for that of the next statement.
    fn kept<T>(&mut self, done: Result<T, Trouble>) -> Result<T, Trouble> {
        if matches!(done, Err(Trouble::Lost(_))) {
            self.line = None;
        }
        done
    }

    /// Keeps the connection for the next statement.
    pub(super) fn give_back(mut self) {
        if let Some(line) = self.line.take() {
            let mut idle = self.lines.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(line);
        }
    }

    /// Rolls back what is under way and keeps the connection; where that fails, it is closed.
    pub(super) fn roll_back(mut self) {
        let Some(mut line) = self.line.take() else {
            return;
        };
        let (lines, permit) = (Arc::clone(&self.lines), self.permit.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if lines.in_time(line.query_drop("ROLLBACK")).await.is_ok() {
                    let mut idle = lines.idle.lock().unwrap_or_else(PoisonError::into_inner);
                    idle.push(line);
                }
                drop(permit);
            });
        }
    }
}

fn given(statement: &Statement) -> Params {
    match statement.given.is_empty() {
        true => Params::Empty,
        false => Params::Positional(statement.given.iter().map(codec::given).collect()),
    }
}
