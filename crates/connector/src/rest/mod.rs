//! The connector to an ERP with a REST interface, by a description of it.
//!
//! The description is data: how one signs in, how records are listed, read and written, where things stand in the replies, and
//! what answers mean. Nothing of an ERP is known here. What an ERP has no means for is done with care instead: without a
//! condition the engine reads before it writes, without tombstones all records are compared now and then.

mod ask;
mod batch;
mod capabilities;
mod changes;
mod description;
mod errors;
mod expression;
mod form;
mod identity;
mod jobs;
mod language;
mod limits;
mod paging;
mod parts;
mod probing;
mod push;
mod read;
mod served;
mod session;
mod shape;
mod window;
mod write;

pub(crate) use description::place::{Place, plain};
pub use description::{Description, schema};

use crate::http::{Address, Http, clock, wire};
use crate::listing::Listings;
use crate::webhook::Callback;
use crate::{
    Budget, Capabilities, ChangePage, ClockOffset, Connector, Error, ErrorKind, Identification, Lane,
    ListPage, Outcome, Probe, Probed, Resumed, Schema, Traffic, Write,
};
use ask::Given;
use async_trait::async_trait;
use batch::Pack;
use description::session::Session as SignIn;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use limits::Pace;
use read::Asked;
use secrecy::{ExposeSecret, SecretString};
use served::Served;
use session::Session;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;
use tandem_seal::Files;
use url::Url;
use write::Judge;

/// Requests in flight at once, where the description says nothing else.
const CONCURRENCY: usize = 8;
/// Turns that records share.
const TURNS: usize = 64;

/// How to reach an ERP, and what of it is used.
#[derive(Clone, Debug)]
pub struct RestConfig {
    /// The system's name in the configuration.
    pub name: String,
    /// Its address; the paths of the description lie below it.
    pub url: Url,
    /// The certificates (PEM) of the authority that vouches for it; none: the machine's own.
    pub certificate_authority: Option<Vec<u8>>,
    /// How its interface is read and written.
    pub description: Arc<Description>,
    /// The secrets that the description asks for, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// Where is kept what the next process signs in with; none: nothing is.
    pub keep: Option<Keep>,
    /// The longest time a request may still take effect.
    pub request_deadline: SignedDuration,
    /// How much of the past every round of changes reads again.
    pub overlap: SignedDuration,
    /// The record types that are used, with the properties of each; a type with none shows all it has.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Properties that are computed out of those it has, by record type and name.
    pub computed: BTreeMap<String, BTreeMap<String, Computation>>,
}

/// A folder beside the state.
#[derive(Clone, Debug)]
pub struct Keep {
    /// The folder, which need not be there.
    pub folder: PathBuf,
    /// How files are kept there: sealed where the state is.
    pub files: Files,
}

/// A connection to an ERP that is described.
pub struct Rest {
    config: RestConfig,
    description: Arc<Description>,
    http: Http,
    /// The path of the connection.
    root: String,
    session: Session,
    pace: Pace,
    subscriptions: push::Subscriptions,
    capabilities: Capabilities,
    served: BTreeMap<String, Arc<Served>>,
    missing: BTreeMap<String, String>,
    listings: Listings,
    /// How its clock stands to ours by what its lists say.
    told: Mutex<clock::Offset>,
    numbers: AtomicU64,
    /// Turns of those that read a record and write it back as a whole.
    turns: [tokio::sync::Mutex<()>; TURNS],
    /// When this began.
    started: Timestamp,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Rest {
    /// Makes the connector ready; nothing is sent yet.
    ///
    /// # Errors
    /// The address would carry secrets in clear, or a secret that the description asks for is not there.
    pub fn connect(config: RestConfig) -> Result<Self, Error> {
        let description = Arc::clone(&config.description);
        let limits = description.limits.as_ref();
        let address = |url: Url| Address {
            system: config.name.clone(),
            url,
            deadline: config.request_deadline,
            concurrency: limits
                .and_then(|limits| limits.concurrency)
                .map_or(CONCURRENCY, |most| most as usize),
            authority: config.certificate_authority.clone(),
            meter: None,
        };
        let http = Http::new(address(config.url.clone()))?;
        let secrets = config.secrets.values();
        secrets.for_each(|secret| wire::hide(secret.expose_secret()));
        let absent: Vec<&str> = description
            .secrets()
            .filter(|name| !config.secrets.contains_key(*name))
            .collect();
        if !absent.is_empty() {
            let what = format!(
                "the description asks for secrets that are not there: {}",
                absent.join(", ")
            );
            return Err(http.error(
                ErrorKind::SignIn,
                what,
                "Add them under the connection's `secrets:`",
            ));
        }
        let office = match &description.session {
            Some(SignIn::Oauth(oauth)) if !oauth.token_url.value.starts_with('/') => {
                let url = oauth.token_url.value.parse::<Url>().map_err(|_| {
                    let what = format!("`{}` is no address", oauth.token_url.value);
                    http.error(ErrorKind::SignIn, what, "Correct `token_url:` in the description")
                })?;
                Some(Http::new(Address {
                    authority: None,
                    ..address(url)
                })?)
            }
            _ => None,
        };
        let (served, missing) = serve(&config, &description);
        let root = format!("{}{}", config.url.path().trim_end_matches('/'), description.base);
        Ok(Self {
            session: Session::new(&description, &config, office),
            pace: Pace::new(limits, &config),
            subscriptions: push::Subscriptions::new(&config),
            capabilities: capabilities::of(&config, &served),
            description,
            http,
            root,
            served,
            missing,
            listings: Listings::default(),
            told: Mutex::default(),
            numbers: AtomicU64::new(0),
            turns: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            started: clock::now(),
            config,
        })
    }

    /// Ends the session, where the description says how: many ERPs count those that are open.
    ///
    /// # Errors
    /// The ERP did not take it.
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.session.sign_out(self).await
    }

    /// The type of that name, or a sentence why there is none.
    fn served(&self, of: &RecordType) -> Result<Arc<Served>, Error> {
        if let Some(served) = self.served.get(&of.name) {
            return Ok(Arc::clone(served));
        }
        let sentence = self.missing.get(&of.name).cloned();
        let sentence = sentence.unwrap_or_else(|| not_described(&self.config, &self.description, &of.name));
        let advice = "Describe it, or take it out of the flows";
        Err(self.http.error(ErrorKind::Missing, sentence, advice))
    }

    /// A number that nobody else has.
    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The turn of whoever reads this record and writes it back; some share one.
    fn turn(&self, of: &str, id: &str) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        (of, id).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default();
        &self.turns[place]
    }

    /// Learns from the moment at which a list was read, by the ERP's clock.
    fn learn_clock(&self, as_of: jiff::Timestamp, reply: &crate::http::Reply) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.learn(as_of, reply.began, clock::now());
    }
}

fn not_described(config: &RestConfig, description: &Description, name: &str) -> String {
    let known: Vec<&str> = description.record_types().collect();
    format!(
        "{name} is not described: the description of {} has {}",
        config.name,
        known.join(", ")
    )
}

/// The types in use, and why others are not there.
fn serve(
    config: &RestConfig,
    description: &Description,
) -> (BTreeMap<String, Arc<Served>>, BTreeMap<String, String>) {
    let mut missing = BTreeMap::new();
    for name in config
        .fields
        .keys()
        .filter(|name| !description.types.contains_key(*name))
    {
        missing.insert(name.clone(), not_described(config, description, name));
    }
    let used = |name: &&String| config.fields.is_empty() || config.fields.contains_key(*name);
    let served = description
        .types
        .iter()
        .filter(|(name, _)| used(name))
        .map(|(name, of)| {
            let fields = config.fields.get(name).filter(|fields| !fields.is_empty());
            let computed = config.computed.get(name).cloned().unwrap_or_default();
            (name.clone(), Arc::new(Served::new(of, fields, computed)))
        });
    (served.collect(), missing)
}

#[async_trait]
impl Connector for Rest {
    fn system(&self) -> &str {
        self.http.system()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn identify(&self) -> Result<Identification, Error> {
        self.greet().await
    }

    async fn describe(&self) -> Result<Schema, Error> {
        self.greet().await?;
        let types = self.served.iter();
        Ok(Schema {
            types: types
                .map(|(name, served)| (name.clone(), served.schema.clone()))
                .collect(),
            missing: self.missing.clone(),
        })
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        changes::page(self, types, cursor).await
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        let served = self.served(record_type)?;
        let name = format!("list {}", served.name());
        if resume.is_none() {
            self.listings.begin(&name);
        }
        let from = resume.map(String::from_utf8_lossy);
        let asked = Asked::list(&served.of.list, "list");
        let page = read::page(self, &served, &asked, &Given::default(), from.as_deref()).await?;
        let mut observations = page.observations;
        let stuck = self
            .listings
            .page(&name, &observations, from.as_deref(), page.next.as_deref());
        stuck.map_err(|what| self.stuck(served.name(), &what))?;
        observations.retain(|shown| shown.presence != tandem_merge::record::Presence::Deleted);
        Ok(ListPage {
            observations,
            resume: page.next.map(String::into_bytes),
        })
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        let served = self.served(record_type)?;
        read::fetch(self, &served, ids).await
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        if properties.is_empty() {
            return Ok(Vec::new());
        }
        let served = self.served(record_type)?;
        read::find(self, &served, properties, values).await
    }

    async fn write(&self, batch: &[Write], _lane: Lane) -> Vec<Outcome> {
        let pack = Pack::of(self, batch.len());
        let pack = pack.as_ref();
        let writes = batch
            .iter()
            .map(|write| write::carry_out(self, pack, write, Judge::Both));
        if let Some(pack) = pack {
            return pack.run(self, writes).await;
        }
        let writes: Vec<_> = writes.collect();
        stream::iter(writes).buffered(CONCURRENCY).collect().await
    }

    async fn resume(&self, _handle: &str) -> Result<Resumed, Error> {
        // Nothing is ever accepted for later.
        Ok(Resumed::Done(Vec::new()))
    }

    async fn probe(&self, probe: Probe<'_>) -> Result<Option<Probed>, Error> {
        probing::probe(self, probe).await
    }

    fn subscribes(&self) -> bool {
        push::wanted(self)
    }

    async fn subscribe(&self, to: Callback<'_>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        push::see_to(self, to, now).await
    }

    async fn leave(&self) {
        if let Err(error) = self.sign_out().await {
            tracing::warn!(system = error.system, "{error}");
        }
    }

    fn calls(&self) -> u64 {
        self.http.calls()
    }

    fn traffic(&self) -> Traffic {
        self.http.traffic()
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        // What a list says of the moment it was read is the clock that dates the records.
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).known();
        told.or_else(|| self.http.offset())
    }

    fn budget(&self) -> Option<Budget> {
        self.pace.budget()
    }

    fn restore_budget(&self, earlier: &Budget) {
        self.pace.restore(earlier);
    }
}
