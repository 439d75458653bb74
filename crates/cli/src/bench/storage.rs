//! `tandem bench storage`: what the ledger takes to settle clusters, against bare writes of the same rows, on each storage.

use super::merge::linked_contact;
use super::stage::Stage;
use super::{Measured, SERVER, conclude, schema};
use crate::failure::{Exit, Failure};
use crate::screen::Screen;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use tandem_lab::salesforce;
use tandem_ledger::{Decided, Dirty, Home, Keys, Ledger, Page, Server, Store};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::Observation;
use tandem_merge::value::Value;

/// So many records come in with a page, and so many clusters are decided at once.
pub(super) const TOGETHER: usize = 500;
/// What a contact is found by on each side, and where it notes its counterpart.
const FOUND_BY: [[&str; 3]; 2] = [
    ["email", "phone", "salesforceId"],
    ["Email", "Phone", "Customerp_Id__c"],
];

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Contacts come in from both sides, are taken, matched, linked and stored; deciding is not counted. Beside it the same
records are written as they came, two rows each, in transactions of as many, into the same database.
A server is measured, too, where TANDEM_POSTGRES holds its connection string; clients/with-postgres starts one.

Examples:
  tandem bench storage
  tandem bench storage --clusters 50000 --json
  TANDEM_DURABLE=1 clients/with-postgres tandem bench storage")]
pub(super) struct Storage {
    /// How many clusters are settled
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    clusters: u32,
}

impl Storage {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let stage = Stage::set_up(10, salesforce::Options::default(), screen).await?;
        let (flows, _, dirty) = linked_contact(&stage).await?;
        let contacts = Contacts::like(&dirty);
        let folder = stage.folder.path();
        let mut measured = Vec::new();
        let mut more = serde_json::Map::new();
        let sqlite = Home::Folder(folder.join("ledger"));
        let bare = bare_in_file(&folder.join("bare.db"), self.clusters, &contacts)?;
        self.one(
            "SQLite",
            &sqlite,
            bare,
            &flows,
            &contacts,
            (&mut measured, &mut more),
        )?;
        match std::env::var(SERVER) {
            Ok(connection) => {
                let name = schema("ledger");
                let server = Server::new(&connection, &name);
                let server = server.map_err(|why| Failure::usage(why, "Correct TANDEM_POSTGRES"))?;
                let bare = bare_on_server(&connection, &name, self.clusters, &contacts).await?;
                let home = Home::Server(server);
                self.one(
                    "PostgreSQL",
                    &home,
                    bare,
                    &flows,
                    &contacts,
                    (&mut measured, &mut more),
                )?;
            }
            Err(_) => screen.say("PostgreSQL is not measured: TANDEM_POSTGRES names no server."),
        }
        stage.customerp.shutdown().await;
        stage.salesforce.shutdown().await;
        Ok(conclude(screen, &measured, more.into()))
    }

    fn one(
        &self,
        name: &str,
        home: &Home,
        bare: Duration,
        flows: &Dataflow,
        contacts: &Contacts,
        (measured, more): (
            &mut Vec<Measured>,
            &mut serde_json::Map<String, serde_json::Value>,
        ),
    ) -> Result<(), Failure> {
        let settled = self.settle(home, flows, contacts)?;
        let each = |spent: Duration| spent.as_nanos() as u64 / u64::from(self.clusters);
        let a_second = |spent: Duration| 1_000_000_000 / each(spent).max(1);
        let what = format!("a cluster settled on {name}, ns; limit: its two rows written bare");
        measured.push(Measured::new(what, each(settled), each(bare)));
        more.insert(
            name.to_lowercase(),
            json!({ "clusters_a_second": a_second(settled), "bare_a_second": a_second(bare) }),
        );
        Ok(())
    }

    /// What the ledger takes for all of them.
    fn settle(&self, home: &Home, flows: &Dataflow, contacts: &Contacts) -> Result<Duration, Failure> {
        let mut store = Ledger::open_at(home, &Keys::default())?;
        for system in &flows.systems {
            store.mark_listed(system, Timestamp::now())?;
        }
        let mut spent = Duration::ZERO;
        for part in contacts.pages(self.clusters) {
            for side in Side::BOTH {
                let page = Page {
                    system: flows.systems[side.index()].clone(),
                    observations: part.iter().map(|pair| pair[side.index()].clone()).collect(),
                    cursor: Some(b"here".to_vec()),
                };
                spent += timed(|| store.commit_page(1, flows, &page))?.0;
            }
        }
        let mut linked = 0;
        loop {
            let now = Timestamp::now();
            let (took, taken) = timed(|| store.take_dirty(flows, usize::MAX, TOGETHER, now))?;
            spent += took;
            if taken.is_empty() {
                break;
            }
            let plans = taken.into_iter().map(|dirty| decided(flows, dirty)).collect();
            let (took, done) = timed(|| store.commit_plans(1, flows, plans))?;
            spent += took;
            linked += done.stored;
        }
        let links = store
            .status(flows)?
            .flows
            .values()
            .map(|flow| flow.linked)
            .sum::<u64>();
        if links < u64::from(self.clusters) {
            let what = format!(
                "{} clusters made {links} links in {linked} decisions",
                self.clusters
            );
            return Err(Failure::trouble(
                what,
                "Run `tandem demo` to see whether the flows are well",
            ));
        }
        Ok(spent)
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T, tandem_ledger::Error>) -> Result<(Duration, T), Failure> {
    let began = Instant::now();
    let done = work()?;
    Ok((began.elapsed(), done))
}

fn decided(flows: &Dataflow, dirty: Dirty) -> Decided {
    Decided {
        plan: reconcile(flows, dirty.cluster, dirty.inbox, &dirty.facts),
        token: dirty.token,
    }
}

/// Contacts like a linked one, with ids and addresses of their own.
pub(super) struct Contacts([Observation; 2]);

impl Contacts {
    pub(super) fn like(dirty: &Dirty) -> Self {
        let systems = |side: Side| {
            let all = dirty.cluster.records.iter();
            let mut of =
                all.filter(|(key, _)| (key.record_type.system == "customerp") == (side == Side::First));
            of.next()
                .map(|(key, record)| record.shadow.clone().into_observation(key.clone()))
        };
        #[allow(clippy::expect_used, reason = "a link has two ends")]
        Self(Side::BOTH.map(|side| systems(side).expect("an end")))
    }

    pub(super) fn pages(&self, clusters: u32) -> impl Iterator<Item = Vec<[Observation; 2]>> + '_ {
        let firsts = (0..clusters).step_by(TOGETHER);
        firsts.map(move |first| {
            let last = clusters.min(first + TOGETHER as u32);
            (first..last).map(|number| self.pair(number)).collect()
        })
    }

    fn pair(&self, number: u32) -> [Observation; 2] {
        let ids = [format!("{number}"), format!("003{number:015}")];
        let noted = [ids[1].clone(), format!("Contact:{number}")];
        [0, 1].map(|side| {
            let mut one = self.0[side].clone();
            one.key.id.clone_from(&ids[side]);
            let texts = [
                format!("somebody.{number}@example.org"),
                format!("+1 555 {number:07}"),
                noted[side].clone(),
            ];
            for (property, text) in FOUND_BY[side].into_iter().zip(texts) {
                one.values.insert(property.to_owned(), Value::text(text));
            }
            one
        })
    }

    /// The rows that are written bare.
    fn rows(part: &[[Observation; 2]]) -> Vec<(String, Vec<u8>)> {
        let all = part.iter().flatten();
        all.map(|one| (one.key.to_string(), serde_json::to_vec(one).unwrap_or_default()))
            .collect()
    }
}

/// What bare rows take in a file kept as durably as the ledger's.
fn bare_in_file(path: &Path, clusters: u32, contacts: &Contacts) -> Result<Duration, Failure> {
    let database = rusqlite::Connection::open(path).map_err(unkept)?;
    let settings = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -32000; CREATE TABLE row (id TEXT PRIMARY KEY, bytes BLOB);";
    database.execute_batch(settings).map_err(unkept)?;
    let mut spent = Duration::ZERO;
    for part in contacts.pages(clusters) {
        let rows = Contacts::rows(&part);
        let began = Instant::now();
        let write = || -> rusqlite::Result<()> {
            database.execute_batch("BEGIN IMMEDIATE")?;
            let mut insert = database.prepare_cached("INSERT INTO row VALUES (?1, ?2)")?;
            for (id, bytes) in &rows {
                insert.execute((id, bytes))?;
            }
            database.execute_batch("COMMIT")
        };
        write().map_err(unkept)?;
        spent += began.elapsed();
    }
    Ok(spent)
}

/// What bare rows take on a server, each sent without waiting for the one before.
async fn bare_on_server(
    connection: &str,
    name: &str,
    clusters: u32,
    contacts: &Contacts,
) -> Result<Duration, Failure> {
    let (client, line) = tokio_postgres::connect(connection, tokio_postgres::NoTls)
        .await
        .map_err(unkept)?;
    tokio::spawn(line);
    let table =
        format!("CREATE SCHEMA {name}_bare; CREATE TABLE {name}_bare.row (id TEXT PRIMARY KEY, bytes BYTEA)");
    client.batch_execute(&table).await.map_err(unkept)?;
    let insert = format!("INSERT INTO {name}_bare.row VALUES ($1, $2)");
    let insert = client.prepare(&insert).await.map_err(unkept)?;
    let mut spent = Duration::ZERO;
    for part in contacts.pages(clusters) {
        let rows = Contacts::rows(&part);
        let began = Instant::now();
        client.batch_execute("BEGIN").await.map_err(unkept)?;
        let sent = rows.iter().map(|(id, bytes)| {
            let (client, insert) = (&client, &insert);
            async move { client.execute(insert, &[id, bytes]).await }
        });
        futures::future::try_join_all(sent).await.map_err(unkept)?;
        client.batch_execute("COMMIT").await.map_err(unkept)?;
        spent += began.elapsed();
    }
    Ok(spent)
}

fn unkept(error: impl std::fmt::Display) -> Failure {
    Failure::trouble(
        format!("the bare rows cannot be kept ({error})"),
        "Free space, or see whether the server is there",
    )
}
