//! The connector to Customerp, an ERP with a REST API: bearer token, ETags, idempotency keys, tombstones.
//!
//! An ETag names the exact state of a record, so every version is firm; a create carries its intent's key, so
//! that sending it twice has one effect.

mod changes;
mod form;
mod refusal;
mod schema;
mod write;

use crate::http::{Address, Failure, Http, Reply, Request, clock};
use crate::listing::Listings;
use crate::{
    Capabilities, ChangePage, ClockOffset, Connector, Error, ErrorKind, Identification, Lane, ListPage,
    Outcome, Resumed, Schema, Traffic, Write,
};
use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::HeaderValue;
use schema::{Described, Served};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, RecordKey, RecordType};
use tandem_merge::value::Value;
use tokio::sync::RwLock;
use url::Url;
use url::form_urlencoded::byte_serialize;

/// The most ids in one call.
const IDS_MAX: usize = 200;
/// The most values in one lookup.
const VALUES_MAX: usize = 1_000;
/// Requests in flight at once.
const CONCURRENCY: usize = 8;

/// How to reach a Customerp, and what of it is used.
#[derive(Clone, Debug)]
pub struct CustomerpConfig {
    /// The system's name in the configuration.
    pub name: String,
    /// Its address, with the path in front of `/api/v1` if there is one.
    pub url: Url,
    /// The certificates (PEM) of the authority that vouches for it; none: the machine's own.
    pub certificate_authority: Option<Vec<u8>>,
    /// The bearer token.
    pub token: SecretString,
    /// The longest time a request may still take effect; never shorter than the ERP declares.
    pub request_deadline: SignedDuration,
    /// How much of the past every round of changes reads again.
    pub overlap: SignedDuration,
    /// The collection of each record type that is bound.
    pub bindings: BTreeMap<String, String>,
    /// The properties of each record type that are used; a type that is not named shows all it has.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Properties that are computed out of those it has, by record type and name.
    pub computed: BTreeMap<String, BTreeMap<String, Computation>>,
}

/// A connection to a Customerp.
pub struct Customerp {
    config: CustomerpConfig,
    http: Http,
    authorization: HeaderValue,
    root: String,
    capabilities: Capabilities,
    described: RwLock<Option<Arc<Described>>>,
    listings: Listings,
    /// How its clock stands to ours by what its listings say.
    told: Mutex<clock::Offset>,
}

impl std::fmt::Debug for Customerp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customerp")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Customerp {
    /// Makes the connector ready; nothing is sent yet.
    ///
    /// # Errors
    /// The address would carry the token in clear, or the token cannot stand in a header.
    pub fn connect(config: CustomerpConfig) -> Result<Self, Error> {
        let http = Http::new(Address {
            system: config.name.clone(),
            url: config.url.clone(),
            deadline: config.request_deadline,
            concurrency: CONCURRENCY,
            authority: config.certificate_authority.clone(),
            meter: None,
        })?;
        let bearer = format!("Bearer {}", config.token.expose_secret());
        let mut authorization = HeaderValue::from_str(&bearer).map_err(|_| {
            let what = "the token holds characters that no header can carry";
            http.error(ErrorKind::SignIn, what, "Write the token without line breaks")
        })?;
        authorization.set_sensitive(true);
        let capabilities = Capabilities {
            conditional_write: true,
            conditional_delete: true,
            idempotent_create: true,
            request_deadline: config.request_deadline,
            commit_delay: config.overlap.max(config.request_deadline),
            write_batch: 200,
            find_batch: VALUES_MAX,
            fetch_batch: IDS_MAX * 5,
            answers_with_state: true,
            load: None,
            asks_by_type: false,
        };
        let root = format!("{}/api/v1", config.url.path().trim_end_matches('/'));
        Ok(Self {
            config,
            http,
            authorization,
            root,
            capabilities,
            described: RwLock::new(None),
            listings: Listings::default(),
            told: Mutex::default(),
        })
    }

    async fn send(&self, mut request: Request) -> Result<Reply, Failure> {
        request
            .headers
            .insert("authorization", self.authorization.clone());
        request.target = format!("{}{}", self.root, request.target);
        self.http.send(request).await
    }

    /// A read that must succeed; its body.
    async fn read(&self, request: Request) -> Result<(Json, Reply), Error> {
        let reply = self.send(request.reading()).await.map_err(Failure::into_error)?;
        if !reply.is_success() {
            return Err(refusal::error(&self.http, &reply));
        }
        match reply.json() {
            Json::Null => Err(self.http.protocol("a reply is not JSON")),
            body => Ok((body, reply)),
        }
    }

    /// What the ERP says of itself, asked once.
    async fn described(&self) -> Result<Arc<Described>, Error> {
        if let Some(described) = self.described.read().await.as_ref() {
            return Ok(Arc::clone(described));
        }
        let mut slot = self.described.write().await;
        if let Some(described) = slot.as_ref() {
            return Ok(Arc::clone(described));
        }
        let described = self.ask().await?;
        *slot = Some(Arc::clone(&described));
        Ok(described)
    }

    async fn ask(&self) -> Result<Arc<Described>, Error> {
        let (body, _) = self.read(Request::get("")).await?;
        let described = Described::read(&self.config, &body).ok_or_else(|| {
            self.http
                .protocol("it does not describe itself as a Customerp does")
        })?;
        Ok(Arc::new(described))
    }

    async fn served(&self, record_type: &RecordType) -> Result<Arc<Served>, Error> {
        self.described()
            .await?
            .served(&record_type.name)
            .map_err(|sentence| {
                let advice = "Correct the bindings in the configuration";
                self.http.error(ErrorKind::Missing, sentence, advice)
            })
    }

    /// Learns from the moment at which a listing was read, by the ERP's clock.
    fn learn_clock(&self, as_of: Timestamp, reply: &Reply) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.learn(as_of, reply.began, clock::now());
    }

    /// A listing that would never end.
    fn stuck(&self, name: &str, what: &str) -> Error {
        let what = format!("the listing of {name} is incomplete: {what}");
        let advice =
            "Have the ERP's paging mended; it is tried again by itself, and nothing is taken for deleted";
        self.http.error(ErrorKind::Protocol, what, advice).as_answer()
    }

    /// Observations of the items of a reply.
    fn items(&self, served: &Served, body: &Json, reply: &Reply) -> Result<Vec<Observation>, Error> {
        let items = body.get("items").and_then(Json::as_array);
        let items = items.ok_or_else(|| self.http.protocol("a listing has no items"))?;
        Ok(items
            .iter()
            .filter_map(|item| self.item(served, item, reply))
            .collect())
    }

    /// What an item shows. One without an id is nobody's, and no reason to leave the others.
    fn item(&self, served: &Served, item: &Json, reply: &Reply) -> Option<Observation> {
        let shown = served.observation(&self.config.name, item, reply.began);
        if shown.is_none() {
            let system = self.http.system();
            tracing::warn!(
                system,
                "{system}: a {} without a readable id is passed over",
                served.name
            );
        }
        shown
    }

    async fn fetch_pack(&self, served: &Served, ids: &[String]) -> Result<Vec<Observation>, Error> {
        // Record ids are digits; anything else was never one, and would upset the list.
        let asked: Vec<&str> = ids
            .iter()
            .map(String::as_str)
            .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        let target = format!("/{}?ids={}", served.schema.object, asked.join(","));
        let (mut found, began) = if asked.is_empty() {
            (Vec::new(), crate::http::clock::now())
        } else {
            let (body, reply) = self.read(Request::get(target)).await?;
            (self.items(served, &body, &reply)?, reply.began)
        };
        let known: BTreeSet<String> = found.iter().map(|shown| shown.key.id.clone()).collect();
        let absent = ids.iter().filter(|id| !known.contains(*id));
        found.extend(absent.map(|id| {
            let key = RecordKey::new(&self.config.name, &served.name, id);
            crate::shown::missing(key, began)
        }));
        Ok(found)
    }

    async fn find_pack(
        &self,
        served: &Served,
        property: &str,
        values: &[Json],
    ) -> Result<Vec<Observation>, Error> {
        let target = format!("/{}/lookup", served.schema.object);
        let request =
            Request::new(Method::POST, target).json(&json!({"property": property, "values": values}));
        let (body, reply) = self.read(request).await?;
        self.items(served, &body, &reply)
    }
}

#[async_trait]
impl Connector for Customerp {
    fn system(&self) -> &str {
        self.http.system()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn identify(&self) -> Result<Identification, Error> {
        Ok(self.described().await?.identification.clone())
    }

    async fn describe(&self) -> Result<Schema, Error> {
        let described = self.ask().await?;
        *self.described.write().await = Some(Arc::clone(&described));
        Ok(described.schema())
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        changes::page(self, types, cursor).await
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        let served = self.served(record_type).await?;
        let mut target = format!("/{}?limit={}", served.schema.object, changes::PAGE);
        if let Some(resume) = resume {
            target.push_str("&cursor=");
            target.extend(byte_serialize(resume));
        }
        let name = format!("list {}", served.name);
        if resume.is_none() {
            self.listings.begin(&name);
        }
        let (body, reply) = self.read(Request::get(target)).await?;
        let observations = self.items(&served, &body, &reply)?;
        let next = body["nextCursor"].as_str();
        let from = resume.map(String::from_utf8_lossy);
        let stuck = self.listings.page(&name, &observations, from.as_deref(), next);
        stuck.map_err(|what| self.stuck(&served.name, &what))?;
        Ok(ListPage {
            observations,
            resume: next.map(|next| next.as_bytes().to_vec()),
        })
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        let served = self.served(record_type).await?;
        let packs: Vec<_> = ids
            .chunks(IDS_MAX)
            .map(|pack| self.fetch_pack(&served, pack))
            .collect();
        stream::iter(packs).buffered(CONCURRENCY).try_concat().await
    }

    /// Looks up by the last property; the caller compares the others.
    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        let Some(property) = properties.last() else {
            return Ok(Vec::new());
        };
        let served = self.served(record_type).await?;
        let wanted: BTreeSet<String> = values
            .iter()
            .filter_map(|key| key.last())
            .filter(|value| !value.is_blank())
            .map(form::lookup_text)
            .collect();
        let wanted: Vec<Json> = wanted.into_iter().map(Json::String).collect();
        let packs: Vec<_> = wanted
            .chunks(VALUES_MAX)
            .map(|pack| self.find_pack(&served, property, pack))
            .collect();
        let mut found = stream::iter(packs).buffered(CONCURRENCY).try_concat().await?;
        // Texts that differ in case alone are the same to the ERP, and may stand in two lookups.
        found.sort_by(|one, other| one.key.id.cmp(&other.key.id));
        found.dedup_by(|one, other| one.key.id == other.key.id);
        Ok(found)
    }

    async fn write(&self, batch: &[Write], _lane: Lane) -> Vec<Outcome> {
        let writes: Vec<_> = batch.iter().map(|write| write::carry_out(self, write)).collect();
        stream::iter(writes).buffered(CONCURRENCY).collect().await
    }

    async fn resume(&self, _handle: &str) -> Result<Resumed, Error> {
        // Nothing is ever accepted for later.
        Ok(Resumed::Done(Vec::new()))
    }

    fn calls(&self) -> u64 {
        self.http.calls()
    }

    fn traffic(&self) -> Traffic {
        self.http.traffic()
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        // What a listing says of the moment it was read is the clock that dates the records.
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).known();
        told.or_else(|| self.http.offset())
    }
}
