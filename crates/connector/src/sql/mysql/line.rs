//! Connections to a MySQL server.

use super::super::driver::{Rows, Statement, Trouble};
use super::super::pool::{LOCK, Lines};
use super::super::{SqlConfig, tls};
use super::{codec, trouble};
use async_trait::async_trait;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Row, SslOpts};
use secrecy::ExposeSecret;
use std::future::Future;
use std::time::Duration;

/// Statements that a connection keeps prepared.
const PREPARED: usize = 200;

/// A server, and how it is reached.
pub(super) struct Server {
    opts: Opts,
    place: String,
    deadline: Duration,
}

impl Server {
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
        })
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

#[async_trait]
impl Lines for Server {
    type Line = Conn;

    const BEGIN: &'static str = "START TRANSACTION";
    const ROLL_BACK: &'static str = "ROLLBACK";

    async fn connect(&self) -> Result<Conn, Trouble> {
        let connecting = tokio::time::timeout(self.deadline, Conn::new(self.opts.clone())).await;
        let late = |_| Trouble::Away(crate::ErrorKind::Down, format!("{} does not answer", self.place));
        connecting
            .map_err(late)?
            .map_err(|error| trouble::of_connecting(error, &self.place))
    }

    /// Whether it still stands shows with the next statement.
    fn is_closed(_: &Conn) -> bool {
        false
    }

    async fn rows(&self, line: &mut Conn, statement: &Statement) -> Result<Rows, Trouble> {
        let work = line.exec(statement.sql.as_str(), given(statement));
        let rows: Vec<Row> = self.in_time(work).await?;
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

    async fn change(&self, line: &mut Conn, statement: &Statement) -> Result<u64, Trouble> {
        let work = line.exec_drop(statement.sql.as_str(), given(statement));
        self.in_time(work).await?;
        Ok(line.affected_rows())
    }

    async fn batch(&self, line: &mut Conn, sql: &str) -> Result<(), Trouble> {
        self.in_time(line.query_drop(sql)).await
    }

    fn last_id(line: &Conn) -> Option<i64> {
        line.last_insert_id().and_then(|id| i64::try_from(id).ok())
    }
}

fn given(statement: &Statement) -> Params {
    match statement.given.is_empty() {
        true => Params::Empty,
        false => Params::Positional(statement.given.iter().map(codec::given).collect()),
    }
}
