//! The server that a state is kept on, and sessions with it.

use crate::Error;
use crate::storage::DatabaseError;
use futures::executor::block_on;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tandem_merge::config::is_schema_name;
use tokio::runtime::Runtime;
use tokio_postgres::config::{Config, Host};
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where on a PostgreSQL server a state is kept.
#[derive(Clone)]
pub struct Server {
    config: Box<Config>,
    schema: String,
    aside: PathBuf,
    holder: String,
}

/// Without the password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

/// As a part of a sentence: "schema tandem of database erp on db.example.org".
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "this machine".to_owned(),
        };
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or("?");
        write!(f, "schema {} of database {database} on {host}", self.schema)
    }
}

impl Server {
    /// A server by its connection string (`postgres://user:password@host:port/database`, or `key=value` pairs), and the
    /// schema in which the state is kept.
    ///
    /// # Errors
    /// What is wrong with either, as a sentence without its end.
    pub fn new(connection: &str, schema: &str) -> Result<Self, String> {
        // Whoever checks a certificate at all checks it in full here.
        let plain = ["verify-full", "verify-ca"]
            .iter()
            .fold(connection.to_owned(), |text, mode| {
                text.replace(&format!("sslmode={mode}"), "sslmode=require")
            });
        // What is wrong may be a piece of a password.
        let mut config: Config = plain
            .parse()
            .map_err(|_| "an option is unknown, or a value is none that it takes".to_owned())?;
        let misread = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
        if config.get_hosts().iter().any(misread) {
            return Err("its password holds an @: write that as %40".to_owned());
        }
        if !connection.contains("keepalives") {
            let idle = Duration::from_secs(30);
            config
                .keepalives_idle(idle)
                .keepalives_interval(idle / 3)
                .keepalives_retries(3);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(60));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_application_name().is_none() {
            config.application_name(format!("tandem, process {}", std::process::id()));
        }
        if !is_schema_name(schema) {
            return Err(format!(
                "`{schema}` cannot name its schema: use small letters, digits and underscores"
            ));
        }
        Ok(Self {
            config: Box::new(config),
            schema: schema.to_owned(),
            aside: PathBuf::from("."),
            holder: myself(),
        })
    }

    /// The same, with the folder of this machine for files that go beside the state; else they go into the working folder.
    #[must_use]
    pub fn with_files_in(self, aside: PathBuf) -> Self {
        Self { aside, ..self }
    }

    /// Who holds the state through this, for people.
    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    /// The folder for files that go beside the state.
    pub(crate) fn aside(&self) -> &Path {
        &self.aside
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }
}

/// This process, for people.
fn myself() -> String {
    let machine = whoami::hostname().unwrap_or_else(|_| "a machine without a name".to_owned());
    format!("{machine}, process {}", std::process::id())
}

/// One session, driven by a thread of its own while callers wait.
pub(super) struct Session {
    client: Option<Client>,
    runtime: Option<Runtime>,
    /// A statement that is the last one.
    last: Option<String>,
}

impl Session {
    /// Connects. With TLS where the server has it, and always where the connection string says `sslmode=require`.
    pub(super) fn begin(server: &Server) -> Result<Self, Error> {
        let unreachable = |why: String| Error::Unreachable {
            place: server.to_string(),
            why,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|error| unreachable(error.to_string()))?;
        let connecting = runtime.spawn(connected(server.clone()));
        let connected = block_on(connecting).unwrap_or_else(|error| Err(error.to_string()));
        let mut session = Self {
            client: None,
            runtime: Some(runtime),
            last: None,
        };
        session.client = Some(connected.map_err(unreachable)?);
        Ok(session)
    }

    pub(super) fn client(&self) -> &Client {
        #[allow(clippy::expect_used, reason = "it is there until the session is dropped")]
        self.client.as_ref().expect("a session under way")
    }

    /// Lets a statement be the last one, whatever is under way then.
    pub(super) fn end_with(&mut self, sql: String) {
        self.last = Some(sql);
    }

    /// Lets something go on beside it, for as long as it lasts.
    pub(super) fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    /// Runs statements that are given nothing and answer nothing.
    pub(super) fn batch(&self, sql: &str) -> Result<(), DatabaseError> {
        Ok(block_on(self.client().batch_execute(sql))?)
    }

    /// Takes hold of the schema for as long as the session lasts. One that was just lost is waited for.
    pub(super) fn hold(&self, server: &Server) -> Result<(), Error> {
        let lock = format!("hashtext('tandem'), hashtext('{}')", server.schema());
        let taken = self.batch(&format!("SELECT pg_advisory_lock({lock})"));
        match taken {
            Ok(()) => Ok(()),
            Err(refused) if refused.is_locked() => {
                Err(Error::Held(format!("in {server}{}", self.holder(&lock))))
            }
            Err(source) => Err(Error::database("opened", source)),
        }
    }

    /// Who holds the schema, as the end of a sentence.
    fn holder(&self, lock: &str) -> String {
        let sql = format!(
            "SELECT application_name, coalesce(host(client_addr), 'the same machine') FROM pg_locks
             JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted
             AND (classid::bigint, objid::bigint) IN (SELECT a::bigint & 4294967295, b::bigint & 4294967295
                 FROM (VALUES ({lock})) AS t (a, b)) AND datname = current_database()"
        );
        let rows = block_on(self.client().simple_query(&sql)).unwrap_or_default();
        let named = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(format!(" ({} on {})", row.get(0)?, row.get(1)?)),
            _ => None,
        });
        named.unwrap_or_default()
    }
}

/// A line of its own to a server; it must be within a runtime.
pub(super) async fn connected(server: Server) -> Result<Client, String> {
    let connecting = tokio::time::timeout(PATIENCE, server.config.connect(tls()?));
    let connected = connecting.await.map_err(|_| "it does not answer".to_owned())?;
    let (client, connection) = connected.map_err(|error| whole(&error))?;
    // Its end is what every statement after it is told.
    tokio::spawn(connection);
    Ok(client)
}

/// So long is an answer waited for that comes at once where anybody is there.
const PATIENCE: Duration = Duration::from_secs(20);

impl Drop for Session {
    fn drop(&mut self) {
        let (client, runtime) = (self.client.take(), self.runtime.take());
        let last = self.last.take().unwrap_or_default();
        if let (Some(client), Some(runtime)) = (client, &runtime) {
            // The server ends a session a moment after its line: whoever comes next need not wait for that.
            let ending = runtime.spawn(async move {
                let end = async {
                    for sql in ["ROLLBACK", &last, "SELECT pg_advisory_unlock_all()"] {
                        let _lost = client.batch_execute(sql).await;
                    }
                };
                tokio::time::timeout(PATIENCE, end).await.is_ok()
            });
            let _lost = block_on(ending);
        }
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

fn tls() -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    // One that cannot be read is one less that is trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// An error with what it came from.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
