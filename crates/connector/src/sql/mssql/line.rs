//! Connections to a SQL Server.

use super::super::driver::{Rows, Statement, Trouble};
use super::super::pool::{LOCK, Lines};
use super::super::{SqlConfig, tls};
use super::codec::{self, Given};
use super::{shake, trouble};
use crate::ErrorKind;
use async_trait::async_trait;
use secrecy::ExposeSecret;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tiberius::{AuthMethod, Client, Config, ToSql};
use tokio::net::TcpStream;
use url::Url;

/// The port where nothing is said.
const PORT: u16 = 1433;
/// The server takes no later one within packets of its own.
const OF_TLS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
const WRITE: &str =
    "its address is none of SQL Server: write mssql://host/database, or mssql://host:1433/database";

/// A server, and how it is reached.
pub(super) struct Server {
    config: Config,
    host: String,
    port: u16,
    /// How it is known; none: nothing is encrypted.
    tls: Option<Arc<rustls::ClientConfig>>,
    deadline: Duration,
}

impl Server {
    pub(super) fn new(config: &SqlConfig) -> Result<Self, String> {
        let url: Url = config.url.parse().map_err(|_| WRITE.to_owned())?;
        let database = url.path().trim_start_matches('/');
        let (Some(host), false) = (url.host_str(), database.is_empty() || database.contains('/')) else {
            return Err(WRITE.to_owned());
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let mut encrypt = !tls::is_here(&host);
        for (key, value) in url.query_pairs() {
            match (key.as_ref(), value.as_ref()) {
                ("encrypt", "true") => encrypt = true,
                ("encrypt", "false") => encrypt = false,
                _ => {
                    return Err(format!(
                        "its address says `{key}={value}`: only `encrypt=true` and `encrypt=false` are known"
                    ));
                }
            }
        }
        let port = url.port().unwrap_or(PORT);
        let deadline = Duration::try_from(config.request_deadline).unwrap_or(Duration::from_secs(60));
        let mut parsed = Config::new();
        parsed.host(&host);
        parsed.port(port);
        parsed.database(decoded(database)?);
        parsed.application_name("tandem");
        parsed.readonly(config.read_only);
        let user = match &config.user {
            Some(user) => user.expose_secret().to_owned(),
            None => decoded(url.username())?,
        };
        let password = match &config.password {
            Some(password) => password.expose_secret().to_owned(),
            None => decoded(url.password().unwrap_or_default())?,
        };
        parsed.authentication(AuthMethod::sql_server(user, password));
        parsed.handshake_timeout(Some(deadline));
        // The whole answer has its time, which is kept here.
        parsed.command_timeout(None);
        let tls = match encrypt {
            true => Some(Arc::new(tls::client(
                config.certificate_authority.as_deref(),
                OF_TLS,
            )?)),
            false => None,
        };
        Ok(Self {
            config: parsed,
            host,
            port,
            tls,
            deadline,
        })
    }

    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn begin(&self) -> Result<Client<shake::Stream>, Trouble> {
        let place = self.place();
        let away = |error: std::io::Error| {
            Trouble::Away(ErrorKind::Down, format!("{place} is not reached ({error})"))
        };
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(away)?;
        tcp.set_nodelay(true).map_err(away)?;
        let stream = match &self.tls {
            Some(tls) => shake::encrypted(tcp, &self.host, Arc::clone(tls))
                .await
                .map_err(away)?,
            None => shake::plain(tcp),
        };
        let client = Client::connect(self.config.clone(), stream).await;
        client.map_err(|error| trouble::of_connecting(error, &place))
    }

    async fn in_time<T>(&self, work: impl Future<Output = tiberius::Result<T>>) -> Result<T, Trouble> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(answer) => answer.map_err(trouble::of),
            Err(_) => Err(Trouble::Lost(format!("{} did not answer in time", self.place()))),
        }
    }
}

/// A part of an address, of which some letters are written by their numbers.
fn decoded(part: &str) -> Result<String, String> {
    // A form's text is decoded alike, but for `+`, which stands for itself here.
    let whole = format!("_={}", part.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(whole.as_bytes()).next();
    decoded
        .map(|(_, value)| value.into_owned())
        .ok_or_else(|| WRITE.to_owned())
}

#[async_trait]
impl Lines for Server {
    type Line = Client<shake::Stream>;

    const BEGIN: &'static str = "BEGIN TRANSACTION";
    // A deadlock has taken it back already.
    const ROLL_BACK: &'static str = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";

    async fn connect(&self) -> Result<Self::Line, Trouble> {
        let late = |_| Trouble::Away(ErrorKind::Down, format!("{} does not answer", self.place()));
        let mut line = tokio::time::timeout(self.deadline, self.begin())
            .await
            .map_err(late)??;
        let lock = LOCK.min(self.deadline / 2).as_millis();
        let settings = format!(
            "SET NOCOUNT ON; SET XACT_ABORT OFF; SET LOCK_TIMEOUT {lock}; SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
        );
        self.batch(&mut line, &settings).await?;
        Ok(line)
    }

    /// Whether it still stands shows with the next statement.
    fn is_closed(_: &Self::Line) -> bool {
        false
    }

    async fn rows(&self, line: &mut Self::Line, statement: &Statement) -> Result<Rows, Trouble> {
        let given: Vec<Given<'_>> = statement.given.iter().map(Given).collect();
        let given: Vec<&dyn ToSql> = given.iter().map(|one| one as &dyn ToSql).collect();
        let asked = async {
            let stream = match given.is_empty() {
                true => line.simple_query(statement.sql.as_str()).await?,
                false => line.query(statement.sql.as_str(), &given).await?,
            };
            stream.into_results().await
        };
        // Triggers and procedures may answer, too: what was asked comes last.
        let rows = self.in_time(asked).await?.pop().unwrap_or_default();
        let width = rows.first().map_or(0, tiberius::Row::len);
        let mut cells = Vec::with_capacity(width * rows.len());
        for row in rows {
            let types: Vec<_> = row.columns().iter().map(tiberius::Column::column_type).collect();
            for (at, (value, of)) in row.into_iter().zip(types).enumerate() {
                cells.push(codec::cell(value, of, statement.answers.get(at).copied()));
            }
        }
        Ok(Rows { width, cells })
    }

    async fn change(&self, line: &mut Self::Line, statement: &Statement) -> Result<u64, Trouble> {
        let mut counted = statement.clone();
        // What triggers change does not count.
        counted.sql.push_str("; SELECT CAST(@@ROWCOUNT AS bigint)");
        let rows = self.rows(line, &counted).await?;
        match rows.cells.as_slice() {
            [super::super::value::Cell::Integer(changed)] => Ok(u64::try_from(*changed).unwrap_or_default()),
            _ => Err(Trouble::Lost(
                "it does not say how many rows it changed".to_owned(),
            )),
        }
    }

    async fn batch(&self, line: &mut Self::Line, sql: &str) -> Result<(), Trouble> {
        let work = async {
            line.simple_query(sql).await?.into_results().await?;
            Ok(())
        };
        self.in_time(work).await
    }

    /// An insert answers with the key itself.
    fn last_id(_: &Self::Line) -> Option<i64> {
        None
    }
}
