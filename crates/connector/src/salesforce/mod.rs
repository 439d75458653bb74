//! The connector to a Salesforce org: three OAuth grants, SOQL for reading, collections for creates,
//! conditional writes 25 to a call.
//!
//! What it relies on, and where that ends: modification times and preconditions have whole seconds, so a version
//! is firm only if it was read in a later second; rows become visible late, so changes are read with an overlap.
//! An update is answered without the record's state.

mod absence;
mod assertion;
mod bulk;
mod changes;
mod composite;
mod derived;
mod events;
mod fitting;
mod form;
mod id;
mod ledger;
mod licence;
mod oauth;
mod packs;
mod parents;
mod prices;
mod read;
mod record;
mod refusal;
mod schema;
mod session;
mod soql;
mod token_file;
mod write;

use crate::http::Address;
use crate::http::json::text;
use crate::listing::Listings;
use crate::{
    Budget, Capabilities, ChangePage, ClockOffset, Connector, Error, ErrorKind, Identification, Lane,
    ListPage, Load, Outcome, Resumed, Schema, Traffic, Write,
};
use async_trait::async_trait;
use composite::Subrequest;
use jiff::SignedDuration;
use ledger::{Ledger, as_long_work};
use oauth::Grant;
use record::Protection;
use schema::{Described, Object};
use session::Session;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;
use tandem_seal::Files;
use tokio::sync::{OnceCell, RwLock};
use url::Url;

pub use id::full_id;
pub use ledger::Share;
pub use oauth::SignIn;

/// Requests in flight at once.
const CONCURRENCY: usize = 4;

/// How to reach an org, and what of it is used.
#[derive(Clone, Debug)]
pub struct SalesforceConfig {
    /// The system's name in the configuration.
    pub name: String,
    /// The org's My Domain address, or a login host of Salesforce.
    pub url: Url,
    /// How to sign in.
    pub sign_in: SignIn,
    /// The certificates (PEM) of the authority that vouches for the org and for its Pub/Sub API; none: the
    /// machine's own.
    pub certificate_authority: Option<Vec<u8>>,
    /// How much of the org's day may be used.
    pub share: Share,
    /// The version of the API, such as `v62.0`.
    pub api_version: String,
    /// The longest time a request may still take effect.
    pub request_deadline: SignedDuration,
    /// How much of the past every round of changes reads again; never less than the deadline.
    pub overlap: SignedDuration,
    /// The object of each record type that is bound.
    pub bindings: BTreeMap<String, String>,
    /// The properties that are used, by record type or by a companion's object; a type that is not named shows
    /// all it has, a companion's object that is not named is not known.
    pub fields: BTreeMap<String, Vec<String>>,
    /// How writes travel.
    pub writes: Writes,
    /// How changes are seen.
    pub watch: Watch,
}

/// How writes to an org travel.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// Updates and deletions travel 1,000 to a call without a condition, for loads while nobody edits the org.
    pub throughput: bool,
    /// Many writes travel by Bulk API 2.0.
    pub bulk: Option<Bulk>,
}

impl Writes {
    /// Rows that are handed over at once: they are held in memory.
    const LOAD_BATCH: usize = 10_000;
    /// A job takes some six calls, and 1,000 updates travel in one: fewer than so many times the creates that are
    /// worth a job are cheaper without.
    const UPDATES: usize = 3;

    fn load(&self) -> Option<Load> {
        let above = self.bulk.as_ref()?.above?;
        Some(Load {
            above,
            batch: Self::LOAD_BATCH,
            updates: self.throughput.then_some(above.saturating_mul(Self::UPDATES)),
        })
    }
}

/// When and through which folder writes travel by Bulk API 2.0.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// More creates of one object than this, and in throughput mode more updates; none: no new ones, and those
    /// under way are brought to their end.
    pub above: Option<usize>,
    /// More rows than this are read by a Bulk query; none: as many as it takes to save calls.
    pub query_above: Option<u64>,
    /// Bytes of rows in one job; none: as many as the org takes.
    pub job_bytes: Option<u64>,
    /// A folder of its own for rows on their way and results; made where it is missing, closed to others.
    pub folder: PathBuf,
    /// How files in it are kept.
    pub files: Files,
}

/// The address that the events of every org come from (Pub/Sub API).
pub const EVENTS: &str = "https://api.pubsub.salesforce.com:7443";

/// How changes of an org are seen.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Record types whose changes come as events, the most important first.
    pub events: Vec<String>,
    /// The address of the Pub/Sub API; none: everything is polled.
    pub pubsub: Option<Url>,
    /// How often types without events are asked for while others have them.
    pub poll: SignedDuration,
    /// How often each type is compared in full; zero: never.
    pub compare_every: SignedDuration,
}

impl Watch {
    /// Everything is polled, nothing is ever compared in full.
    #[must_use]
    pub fn polling() -> Self {
        Self {
            events: Vec::new(),
            pubsub: None,
            poll: SignedDuration::from_secs(30),
            compare_every: SignedDuration::ZERO,
        }
    }
}

impl SalesforceConfig {
    /// The version of the API that is asked for unless the configuration says otherwise.
    pub const API_VERSION: &'static str = "v62.0";
}

/// A connection to an org.
pub struct Salesforce {
    config: SalesforceConfig,
    session: Arc<Session>,
    watching: changes::Watching,
    capabilities: Capabilities,
    described: RwLock<Option<Arc<Described>>>,
    protection: OnceCell<Arc<Protection>>,
    /// User licences that stay free whatever is created.
    user_reserve: Option<u32>,
    ingest: Option<bulk::Ingest>,
    /// What is remembered of price books.
    prices: tokio::sync::Mutex<prices::Prices>,
    absence: absence::Absence,
    listings: Listings,
}

impl std::fmt::Debug for Salesforce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Salesforce")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Salesforce {
    /// Makes the connector ready; nothing is sent yet.
    ///
    /// # Errors
    /// The address would carry the secret in clear, a secret cannot serve, or the machine has no TLS.
    pub fn connect(config: SalesforceConfig) -> Result<Self, Error> {
        let address = Address {
            system: config.name.clone(),
            url: config.url.clone(),
            deadline: config.request_deadline,
            concurrency: CONCURRENCY,
            authority: config.certificate_authority.clone(),
            meter: None,
        };
        let grant = Grant::new(&config.name, config.sign_in.clone())?;
        let ledger = Arc::new(Ledger::new(&config.name, config.share));
        let session = Arc::new(Session::new(address, &config.api_version, grant, ledger)?);
        let watching = changes::Watching::new(&session, &config)?;
        let capabilities = Capabilities {
            usual: crate::Protection {
                conditional_write: !config.writes.throughput,
                // One page of the documentation says that the condition holds for DELETE, another that it does not.
                conditional_delete: false,
                ..crate::Protection::default()
            },
            of_types: BTreeMap::new(),
            idempotency_life: SignedDuration::MAX,
            request_deadline: config.request_deadline,
            commit_delay: config.overlap.max(config.request_deadline),
            // Enough at once that calls are full whatever the types.
            write_batch: if config.writes.throughput { 5_000 } else { 1_000 },
            find_batch: 20_000,
            fetch_batch: 2_000,
            answers_with_state: false,
            load: config.writes.load(),
            asks_by_type: true,
        };
        let ingest = config.writes.bulk.as_ref().map(|bulk| {
            let bytes = bulk.job_bytes.unwrap_or(bulk::JOB_BYTES);
            bulk::Ingest::new(bulk.folder.clone(), bulk.files.clone(), bytes)
        });
        Ok(Self {
            ingest,
            config,
            session,
            watching,
            capabilities,
            described: RwLock::new(None),
            protection: OnceCell::new(),
            user_reserve: None,
            prices: tokio::sync::Mutex::default(),
            absence: absence::Absence::default(),
            listings: Listings::default(),
        })
    }

    /// The same connection, which leaves so many user licences free: creates of users beyond are refused.
    #[must_use]
    pub fn with_user_reserve(self, licences: u32) -> Self {
        Self {
            user_reserve: Some(licences),
            ..self
        }
    }

    async fn described(&self) -> Result<Arc<Described>, Error> {
        if let Some(described) = self.described.read().await.as_ref() {
            return Ok(Arc::clone(described));
        }
        let mut slot = self.described.write().await;
        if let Some(described) = slot.as_ref() {
            return Ok(Arc::clone(described));
        }
        let described = Arc::new(Described::ask(&self.session, &self.config).await?);
        *slot = Some(Arc::clone(&described));
        Ok(described)
    }

    /// The object of a record type or companion.
    async fn object(&self, name: &str) -> Result<Arc<Object>, Error> {
        self.described().await?.object(name).map_err(|sentence| {
            let advice = "Correct the bindings in the configuration, or the org";
            self.session.http.error(ErrorKind::Missing, sentence, advice)
        })
    }

    /// A listing that would never end.
    fn stuck(&self, name: &str, what: &str) -> Error {
        let what = format!("the listing of {name} is incomplete: {what}");
        let advice = "Have what stands between Tandem and the org mended; it is tried again by itself, and nothing is \
                      taken for deleted";
        self.session.http.error(ErrorKind::Protocol, what, advice)
    }

    /// Which rows may not be written; asked once, where users are read.
    async fn protection(&self, object: &Object) -> Result<Arc<Protection>, Error> {
        if object.schema.object != "User" {
            return Ok(Arc::default());
        }
        let ask = || async {
            let described = self.described().await?;
            Protection::ask(&self.session, &described).await.map(Arc::new)
        };
        self.protection.get_or_try_init(ask).await.map(Arc::clone)
    }
}

#[async_trait]
impl Connector for Salesforce {
    fn system(&self) -> &str {
        self.session.http.system()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn identify(&self) -> Result<Identification, Error> {
        if let Some(ingest) = &self.ingest {
            ingest.begin_anew().await;
        }
        let user = self.session.token(None).await?.user.clone();
        let statements = [
            "SELECT Id, Name, IsSandbox, InstanceName FROM Organization".to_owned(),
            format!(
                "SELECT Id, Username, Name FROM User WHERE Id = {}",
                soql::quoted(&user)
            ),
        ];
        let reads = statements
            .iter()
            .map(|statement| Subrequest::new("GET", soql::address(&self.session, statement, false)));
        let (parts, _) = composite::read(&self.session, reads.collect()).await?;
        if let Some(failed) = parts.iter().find(|part| !part.is_success()) {
            return Err(refusal::of_said(&self.session.http, &failed.said()));
        }
        let row = |place: usize| parts.get(place).and_then(|part| part.body["records"].get(0));
        let organization = row(0).and_then(|row| Some((text(row, "Id")?, text(row, "Name")?)));
        let (id, name) =
            organization.ok_or_else(|| self.session.http.protocol("the org does not say who it is"))?;
        Ok(Identification {
            id: id.to_owned(),
            name: name.to_owned(),
            user: row(1)
                .and_then(|row| text(row, "Username"))
                .unwrap_or(&user)
                .to_owned(),
            author: row(1).and_then(|row| text(row, "Name")).map(str::to_owned),
            sandbox: row(0).and_then(|row| row["IsSandbox"].as_bool()),
            version: None,
            instance: row(0)
                .and_then(|row| text(row, "InstanceName"))
                .map(str::to_owned),
        })
    }

    async fn describe(&self) -> Result<Schema, Error> {
        let described = Arc::new(Described::ask(&self.session, &self.config).await?);
        *self.described.write().await = Some(Arc::clone(&described));
        let mut schema = described.schema();
        changes::explain(&self.config.watch, &mut schema, &described);
        Ok(schema)
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        if changes::is_first_load(cursor) {
            as_long_work(changes::page(self, types, cursor)).await
        } else {
            changes::page(self, types, cursor).await
        }
    }

    async fn changed(&self) {
        self.watching.changed().await;
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        as_long_work(async {
            let object = self.object(&record_type.name).await?;
            bulk::listing::page(self, &object, resume).await
        })
        .await
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        let object = self.object(&record_type.name).await?;
        read::by_ids(self, &object, ids).await
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        let object = self.object(&record_type.name).await?;
        read::by_values(self, &object, properties, values).await
    }

    async fn find_deleted(
        &self,
        record_type: &RecordType,
        property: &str,
        values: &[Value],
    ) -> Result<Vec<Observation>, Error> {
        let object = self.object(&record_type.name).await?;
        read::deleted_by_values(self, &object, property, values).await
    }

    async fn write(&self, batch: &[Write], lane: Lane) -> Vec<Outcome> {
        batch.iter().for_each(|one| self.watching.wrote(&one.change));
        match self.ingest.as_ref().filter(|_| lane == Lane::Load) {
            Some(ingest) => as_long_work(ingest.accept(self, batch)).await,
            None => write::carry_out(self, batch).await,
        }
    }

    async fn resume(&self, handle: &str) -> Result<Resumed, Error> {
        match &self.ingest {
            Some(ingest) => ingest.resume(self, handle).await,
            None => Ok(Resumed::Done(Vec::new())),
        }
    }

    fn calls(&self) -> u64 {
        self.session.http.calls()
    }

    fn traffic(&self) -> Traffic {
        self.session.http.traffic()
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        self.session.http.offset()
    }

    fn budget(&self) -> Option<Budget> {
        Some(self.session.ledger.budget(self.session.http.reached()))
    }

    async fn measure_budget(&self) -> Result<Option<Budget>, Error> {
        self.session.measure().await?;
        Ok(self.budget())
    }

    fn restore_budget(&self, earlier: &Budget) {
        self.session.ledger.restore(earlier);
    }

    fn also_spent(&self, calls: u64) {
        self.session.ledger.also_spent(calls);
    }
}
