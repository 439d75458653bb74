//! `tandem bench erp`: rows of an ERP's database read into observations, against a bare client that reads the same rows.

mod bare;

use super::process::Watched;
use super::{Measured, SERVER, conclude, schema};
use crate::failure::{Exit, Failure};
use crate::screen::{Screen, thousands};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::Instant;
use tandem_connector::Connector;
use tandem_connector::sql::{Description, Sql, SqlConfig};
use tandem_merge::record::RecordType;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// The reader may take so many percent of the bare client's time.
const TIME: u64 = 200;
/// With ten times the rows memory may be so many percent of what it was.
const MEMORY: u64 = 130;
/// The rows whose memory is compared with that of all.
const FEW: u32 = 10;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
A table is made on the server and read whole, page by page, as the first round of a sync reads it:
each row becomes the state of a record. The bare client asks for the same columns by one statement,
takes the rows as they come and decodes them into the same types of Rust. Each reads in a process of
its own. The table is dropped afterwards. The server is named by --url, or by TANDEM_POSTGRES, which
may be a connection string; clients/with-postgres starts one.

Examples:
  tandem bench erp --rows 100000
  tandem bench erp --url postgres://ann@db.example/erp --json
  clients/with-postgres tandem bench erp")]
pub(super) struct Erp {
    /// How many rows are read
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    rows: u32,
    /// The server; none: TANDEM_POSTGRES
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Read the table of this name, in this process
    #[arg(long, hide = true, requires = "by")]
    table: Option<String>,
    /// Who reads it
    #[arg(long, hide = true)]
    by: Option<Reader>,
}

/// Who reads a table.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Reader {
    Tandem,
    Bare,
}

impl Erp {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let named = self.url.clone().or_else(|| std::env::var(SERVER).ok());
        let Some(named) = named else {
            let how =
                format!("Name one by --url or {SERVER}, or run `clients/with-postgres tandem bench erp`");
            return Err(Failure::usage("no PostgreSQL server is named", how));
        };
        let server: Config = named.parse().map_err(|_| {
            Failure::usage(
                "the server's address is none of PostgreSQL",
                "Write postgres://host/database",
            )
        })?;
        if let (Some(table), Some(by)) = (&self.table, self.by) {
            let read = match by {
                Reader::Tandem => by_tandem(&server, table).await?,
                Reader::Bare => bare::read(connect(&server).await?, table).await?,
            };
            screen.json(&read);
            return Ok(Exit::Done);
        }
        let client = connect(&server).await?;
        let place = schema("erp");
        let done = self.compare(&client, &place, screen).await;
        let dropped = client
            .batch_execute(&format!("DROP SCHEMA IF EXISTS {place} CASCADE"))
            .await;
        dropped.map_err(unwilling)?;
        done
    }

    async fn compare(&self, client: &Client, place: &str, screen: &Screen) -> Result<Exit, Failure> {
        let few = self.rows / FEW;
        screen.say(format!(
            "Tables of {} and {} rows ...",
            thousands(few.into()),
            thousands(self.rows.into())
        ));
        client
            .batch_execute(&format!("CREATE SCHEMA {place}"))
            .await
            .map_err(unwilling)?;
        for (name, rows) in [("few", few), ("all", self.rows)] {
            client
                .batch_execute(&table(&format!("{place}.{name}_rows"), rows))
                .await
                .map_err(unwilling)?;
        }
        let mut read = BTreeMap::new();
        // Alternately, so that what the machine does besides weighs on both alike; the better one counts.
        for _ in 0..2 {
            for (name, rows) in [("few", few), ("all", self.rows)] {
                for by in ["tandem", "bare"] {
                    screen.say(format!("{} rows by {by} ...", thousands(rows.into())));
                    let table = format!("{place}.{name}_rows");
                    let one = read_apart(self.url.as_deref(), &table, by, rows).await?;
                    let best = read.entry((name, by)).or_insert(one);
                    best.milliseconds = best.milliseconds.min(one.milliseconds);
                    best.memory_kb = best.memory_kb.max(one.memory_kb);
                }
            }
        }
        let at = |name, by| read.get(&(name, by)).copied().unwrap_or_default();
        let (ours, bare) = (at("all", "tandem"), at("all", "bare"));
        let a_second = |one: Read| u64::from(self.rows) * 1_000 / one.milliseconds.max(1);
        screen.say(format!(
            "{} rows a second by Tandem, {} by the bare client: {} %. Memory at its peak: {} MB with {} rows, {} MB with {}.",
            thousands(a_second(ours)),
            thousands(a_second(bare)),
            a_second(ours) * 100 / a_second(bare).max(1),
            at("few", "tandem").memory_kb / 1_024,
            thousands(few.into()),
            ours.memory_kb / 1_024,
            thousands(self.rows.into()),
        ));
        let measured = [
            Measured::new(
                "rows read into observations, ms; limit: twice the bare client's",
                ours.milliseconds,
                bare.milliseconds * TIME / 100,
            ),
            Measured::new(
                "memory at its peak, KB; limit: 1.3 times that with a tenth of the rows",
                ours.memory_kb,
                at("few", "tandem").memory_kb * MEMORY / 100,
            ),
        ];
        let more = json!({
            "rows": self.rows, "tandem_rows_a_second": a_second(ours), "bare_rows_a_second": a_second(bare),
            "ratio_percent": a_second(ours) * 100 / a_second(bare).max(1),
            "memory_kb": { "few": at("few", "tandem").memory_kb, "all": ours.memory_kb, "bare": bare.memory_kb },
        });
        Ok(conclude(screen, &measured, more))
    }
}

/// What a reader took.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    milliseconds: u64,
    memory_kb: u64,
}

/// Reads a table in a process of its own. The address of the environment stays there, for it may hold a password.
async fn read_apart(url: Option<&str>, table: &str, by: &str, rows: u32) -> Result<Read, Failure> {
    let mut words = vec!["bench", "erp", "--json", "--table", table, "--by", by];
    words.extend(url.into_iter().flat_map(|url| ["--url", url]));
    let ended = Watched::start(words)?.end().await?;
    let said = ended.result()?;
    if said["rows"] != json!(rows) {
        return Err(Failure::trouble(
            format!("{by} read {} rows of {rows}", said["rows"]),
            "Let nobody else write to the table meanwhile",
        ));
    }
    Ok(Read {
        milliseconds: said["milliseconds"].as_u64().unwrap_or_default(),
        memory_kb: ended.taken.memory_kb,
    })
}

async fn connect(server: &Config) -> Result<Client, Failure> {
    let (client, connection) = server.connect(NoTls).await.map_err(unwilling)?;
    tokio::spawn(connection);
    Ok(client)
}

fn unwilling(error: tokio_postgres::Error) -> Failure {
    let said = error
        .as_db_error()
        .map_or_else(|| error.to_string(), |said| said.message().to_owned());
    Failure::trouble(
        format!("the PostgreSQL server does not do what is asked ({said})"),
        "Look whether it runs, and whether the user may make a schema",
    )
}

/// A table like one of customers.
fn table(name: &str, rows: u32) -> String {
    format!(
        "CREATE TABLE {name} (id bigint PRIMARY KEY, name text NOT NULL, email varchar(80), phone varchar(40), city text,
             amount numeric(12, 2), points integer, active boolean NOT NULL, born date, changed timestamptz NOT NULL);
         INSERT INTO {name} SELECT n, 'Customer ' || n, 'customer' || n || '@example.com', '+49 30 ' || n,
             CASE WHEN n % 10 > 0 THEN 'City ' || n % 500 END, n * 7 % 1000000 / 100.0, n % 1000, n % 3 > 0,
             date '1950-01-01' + n % 20000, timestamptz '2026-01-01' + n * interval '1 second'
             FROM generate_series(1, {rows}) n;
         ANALYZE {name};"
    )
}

/// Reads a table as the first round of a sync does.
async fn by_tandem(server: &Config, table: &str) -> Result<Json, Failure> {
    let text = format!("record_types: {{ Customer: {{ table: {table}, key: id, modified: changed }} }}");
    let description = Description::read("erp.yaml", &text)
        .map_err(|problems| Failure::trouble(format!("{problems:?}"), "Tell the people who make Tandem"))?;
    let erp = Sql::connect(SqlConfig {
        name: "erp".to_owned(),
        url: address(server),
        user: server.get_user().map(Into::into),
        password: server
            .get_password()
            .map(|password| String::from_utf8_lossy(password).into_owned().into()),
        certificate_authority: None,
        description,
        request_deadline: SignedDuration::from_mins(1),
        overlap: SignedDuration::from_mins(1),
        read_only: true,
        fields: BTreeMap::new(),
        computed: BTreeMap::new(),
    })?;
    let types = [RecordType::new("erp", "Customer")];
    let began = Instant::now();
    let (mut cursor, mut rows) = (None, 0);
    loop {
        let page = erp.changes(&types, cursor.as_deref()).await?;
        rows += std::hint::black_box(page.observations).len();
        if !page.more {
            break;
        }
        cursor = Some(page.cursor);
    }
    Ok(json!({ "rows": rows, "milliseconds": began.elapsed().as_millis() as u64 }))
}

/// The server's address as a connection has it.
fn address(server: &Config) -> String {
    let host = match server.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string().replace('%', "%25").replace('/', "%2F"),
        None => "localhost".to_owned(),
    };
    let port = server.get_ports().first().copied().unwrap_or(5432);
    let database = server.get_dbname().or(server.get_user()).unwrap_or("postgres");
    format!("postgres://{host}:{port}/{database}")
}
