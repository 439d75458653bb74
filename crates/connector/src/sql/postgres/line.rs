//! Connections to a PostgreSQL server.

use super::super::driver::{Rows, Statement, Trouble};
use super::super::pool::{LOCK, Lines, Pool};
use super::super::value::Cell;
use super::super::{SqlConfig, tls};
use super::listen::Listening;
use super::trouble;
use async_trait::async_trait;
use futures::TryStreamExt;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Statements that a connection keeps prepared.
const PREPARED: usize = 200;

/// A server, and how it is reached.
pub(super) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    place: String,
    deadline: Duration,
    /// The server, too, is to refuse whatever would write.
    read_only: bool,
    listening: OnceLock<Listening>,
}

/// A connection with what it has prepared.
pub(super) struct Line {
    client: Client,
    prepared: HashMap<String, tokio_postgres::Statement>,
}

impl Server {
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
            tls: MakeRustlsConnect::new(tls::client(
                config.certificate_authority.as_deref(),
                rustls::DEFAULT_VERSIONS,
            )?),
            deadline,
            read_only: config.read_only,
            listening: OnceLock::new(),
        })
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

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(answer) => answer.map_err(|error| trouble::of(&error)),
            Err(_) => Err(Trouble::Lost(format!("{} did not answer in time", self.place))),
        }
    }

    async fn prepare(&self, line: &mut Line, sql: &str) -> Result<tokio_postgres::Statement, Trouble> {
        if let Some(known) = line.prepared.get(sql) {
            return Ok(known.clone());
        }
        if line.prepared.len() >= PREPARED {
            line.prepared.clear();
        }
        let prepared = self.in_time(line.client.prepare(sql)).await?;
        line.prepared.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

/// Resolves when something was told on a channel.
pub(super) async fn told(pool: &Arc<Pool<Server>>, channel: &str) {
    let listening = &pool.lines.listening;
    let told = listening.get_or_init(|| Listening::begin(pool, channel)).told();
    told.notified().await;
}

#[async_trait]
impl Lines for Server {
    type Line = Line;

    const BEGIN: &'static str = "BEGIN";
    // After a commit that failed there is nothing to roll back, which is only a warning.
    const ROLL_BACK: &'static str = "ROLLBACK";

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
        self.in_time(line.client.batch_execute(&settings)).await?;
        Ok(line)
    }

    fn is_closed(line: &Line) -> bool {
        line.client.is_closed()
    }

    async fn rows(&self, line: &mut Line, statement: &Statement) -> Result<Rows, Trouble> {
        let prepared = self.prepare(line, &statement.sql).await?;
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
        let cells = self.in_time(reading).await?;
        Ok(Rows { width, cells })
    }

    async fn change(&self, line: &mut Line, statement: &Statement) -> Result<u64, Trouble> {
        let prepared = self.prepare(line, &statement.sql).await?;
        let work = line.client.execute_raw(&prepared, statement.given.iter());
        self.in_time(work).await
    }

    async fn batch(&self, line: &mut Line, sql: &str) -> Result<(), Trouble> {
        self.in_time(line.client.batch_execute(sql)).await
    }

    /// An insert answers with the key itself.
    fn last_id(_: &Line) -> Option<i64> {
        None
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
