//! The connector to whatever a program speaks for: any executable that reads and writes lines of JSON (`docs/program.md`).

mod child;
mod protocol;

use crate::http::clock;
use crate::listing::Listings;
use crate::{
    Capabilities, Change, ChangePage, Connector, Error, ErrorKind, Identification, Lane, ListPage, Outcome,
    Resumed, Schema, Write, comparison,
};
use async_trait::async_trait;
use child::{Child, Failure};
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use protocol::{Hello, PROTOCOL, Type};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType};
use tandem_merge::value::Value;
use tokio::sync::RwLock;

/// The most ids or values in one request.
const ASKED_MAX: usize = 500;

/// Which program speaks for a system, and what of the system is used.
#[derive(Clone, Debug)]
pub struct ProgramConfig {
    /// The system's name in the configuration.
    pub name: String,
    /// The program with its arguments.
    pub command: Vec<String>,
    /// The folder that it is started in.
    pub folder: PathBuf,
    /// What the program is given to sign in, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// The longest time that it may take to answer.
    pub request_deadline: SignedDuration,
    /// The properties of each record type that are used.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Properties that are computed out of those it has, by record type and name.
    pub computed: BTreeMap<String, BTreeMap<String, Computation>>,
}

/// A connection to a program.
pub struct Program {
    config: ProgramConfig,
    child: Child,
    capabilities: Capabilities,
    hello: Hello,
    types: RwLock<Option<Arc<BTreeMap<String, Type>>>>,
    listings: Listings,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("command", &self.config.command)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// Starts the program and greets it: what it can do, and what it has, is asked once.
    ///
    /// # Errors
    /// It cannot be started, or does not speak the protocol.
    pub async fn connect(config: ProgramConfig) -> Result<Self, Error> {
        let secrets = config.secrets.iter();
        let secrets = secrets.map(|(name, secret)| (name.clone(), Json::from(secret.expose_secret())));
        let hello = json!({
            "do": "hello",
            "protocol": PROTOCOL,
            "secrets": secrets.collect::<Map<_, _>>(),
            "types": config.fields,
        });
        let deadline = config.request_deadline.unsigned_abs();
        let child = Child::new(
            &config.name,
            &config.command,
            config.folder.clone(),
            hello,
            deadline,
        );
        let hello = Hello::read(&child.hello().await?).map_err(|what| child.wrong(what))?;
        child.lines.add_permits(hello.at_once - 1);
        let mut program = Self {
            capabilities: Capabilities {
                usual: hello.usual,
                of_types: BTreeMap::new(),
                idempotency_life: SignedDuration::MAX,
                request_deadline: config.request_deadline,
                commit_delay: hello.commit_delay.max(config.request_deadline),
                write_batch: 200,
                find_batch: ASKED_MAX,
                fetch_batch: ASKED_MAX,
                answers_with_state: true,
                load: None,
                asks_by_type: false,
            },
            config,
            child,
            hello,
            types: RwLock::default(),
            listings: Listings::default(),
        };
        let types = program.ask_types().await?;
        let others = types.iter().filter(|(_, of)| of.can != program.hello.usual);
        program.capabilities.of_types = others.map(|(name, of)| (name.clone(), of.can)).collect();
        Ok(program)
    }

    async fn types(&self) -> Result<Arc<BTreeMap<String, Type>>, Error> {
        if let Some(types) = self.types.read().await.as_ref() {
            return Ok(Arc::clone(types));
        }
        self.ask_types().await
    }

    async fn ask_types(&self) -> Result<Arc<BTreeMap<String, Type>>, Error> {
        let answer = self.read(json!({ "do": "describe" })).await?.0;
        let described = answer.get("types").and_then(Json::as_object);
        let described =
            described.ok_or_else(|| self.child.wrong("its answer to `describe` has no `types`"))?;
        let types = described.iter().map(|(name, json)| {
            let mut of = Type::read(name, json, self.config.fields.get(name), self.hello.usual);
            let computed = self.config.computed.get(name).into_iter().flatten();
            of.schema
                .properties
                .extend(computed.map(|(name, rule)| (name.clone(), crate::shown::described(rule))));
            (name.clone(), of)
        });
        let types = Arc::new(types.collect::<BTreeMap<_, _>>());
        *self.types.write().await = Some(Arc::clone(&types));
        Ok(types)
    }

    /// Asks for something that changes nothing.
    async fn read(&self, request: Json) -> Result<(Json, Timestamp), Error> {
        let began = clock::now();
        let answer = self.child.ask(request).await.map_err(Failure::into_error)?;
        Ok((answer, began))
    }

    /// The records of an answer.
    async fn records(
        &self,
        of: &RecordType,
        answer: &Json,
        began: Timestamp,
    ) -> Result<Vec<Observation>, Error> {
        let types = self.types().await?;
        let Some(records) = answer.get("records").and_then(Json::as_array) else {
            return Err(self.child.wrong("an answer has no `records`"));
        };
        let mut shown = Vec::with_capacity(records.len());
        for record in records {
            let name = record.get("type").and_then(Json::as_str).unwrap_or(&of.name);
            let Some(described) = types.get(name) else {
                continue;
            };
            let observation = described.observation(&self.config.name, record, began);
            let mut observation =
                observation.ok_or_else(|| self.child.wrong(format!("a {name} has no `id`")))?;
            self.compute(&mut observation);
            shown.push(observation);
        }
        Ok(shown)
    }

    fn compute(&self, shown: &mut Observation) {
        if let Some(rules) = self.config.computed.get(&shown.key.record_type.name) {
            crate::shown::compute(shown, rules);
        }
    }

    async fn carry_out(&self, write: &Write) -> Outcome {
        let (of, request, id) = match &write.change {
            Change::Create { record_type, values } => {
                let values = protocol::encoded(values);
                let request =
                    json!({ "do": "create", "type": record_type.name, "values": values, "key": write.key });
                (record_type, request, None)
            }
            Change::Update {
                record,
                values,
                only_if,
            } => {
                let values = protocol::encoded(values);
                let only_if = only_if.as_ref().map(|version| &version.token);
                let RecordKey { record_type, id } = record;
                let request = json!({ "do": "update", "type": record_type.name, "id": id, "values": values, "only_if": only_if });
                (record_type, request, Some(id.as_str()))
            }
            Change::Delete { record, only_if } => {
                let only_if = only_if.as_ref().map(|version| &version.token);
                let RecordKey { record_type, id } = record;
                let request =
                    json!({ "do": "delete", "type": record_type.name, "id": id, "only_if": only_if });
                (record_type, request, Some(id.as_str()))
            }
        };
        let types = match self.types().await {
            Ok(types) => types,
            Err(error) => return Outcome::NotSent(error),
        };
        let began = clock::now();
        let read = |record: &Json| {
            let mut shown = types
                .get(&of.name)?
                .observation(&self.config.name, record, began)?;
            self.compute(&mut shown);
            Some(shown)
        };
        match self.child.ask(request).await {
            Ok(answer) => protocol::outcome(&answer, id, read),
            // What it says that it cannot do it did not do.
            Err(Failure::NotSent(error) | Failure::Told(error)) => Outcome::NotSent(error),
            Err(Failure::Lost(error)) => Outcome::Unknown(error.message),
        }
    }

    /// A listing that would never end.
    fn stuck(&self, name: &str, what: &str) -> Error {
        let what = format!("the listing of {name} is incomplete: {what}");
        let advice = "Have the program mended; it is tried again by itself, and nothing is taken for deleted";
        self.child.error(ErrorKind::Protocol, what, advice).as_answer()
    }
}

#[async_trait]
impl Connector for Program {
    fn system(&self) -> &str {
        self.child.system()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn identify(&self) -> Result<Identification, Error> {
        let hello = Hello::read(&self.child.hello().await?).map_err(|what| self.child.wrong(what))?;
        Ok(hello.identification)
    }

    async fn describe(&self) -> Result<Schema, Error> {
        let types = self.ask_types().await?;
        let used = self.config.fields.keys();
        let (mut schema, offered) = (Schema::default(), types.keys().map(String::as_str));
        let offered = offered.collect::<Vec<_>>().join(", ");
        for name in used {
            match types.get(name) {
                Some(of) => drop(schema.types.insert(name.clone(), of.schema.clone())),
                None => {
                    let sentence =
                        format!("{} has no record type {name}; it has {offered}", self.config.name);
                    schema.missing.insert(name.clone(), sentence);
                }
            }
        }
        Ok(schema)
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        if !self.hello.changes {
            let list = |of: RecordType, resume: Option<Vec<u8>>| async move {
                self.list(&of, resume.as_deref()).await
            };
            let broken = |what| {
                self.child
                    .wrong(format!("its listing is not in the order of ids: {what}"))
            };
            return comparison::page(types, cursor, list, broken).await;
        }
        let Some(first) = types.first() else {
            return Ok(ChangePage::default());
        };
        let cursor: Json = cursor.and_then(crate::http::json::parse).unwrap_or(Json::Null);
        let asked = json!({ "do": "changes", "types": protocol::names(types), "since": cursor });
        let (answer, began) = self.read(asked).await?;
        let next = answer.get("since").filter(|next| !next.is_null());
        let next = next.ok_or_else(|| {
            self.child
                .wrong("its answer to `changes` has no `since` to go on from")
        })?;
        let more = answer.get("more").and_then(Json::as_bool).unwrap_or_default();
        if more && *next == cursor {
            return Err(self
                .child
                .wrong("`changes` says that there is more and gives the same `since` again"));
        }
        Ok(ChangePage {
            observations: self.records(first, &answer, began).await?,
            cursor: next.to_string().into_bytes(),
            more,
            ..ChangePage::default()
        })
    }

    async fn changed(&self) {
        self.child.changed.notified().await;
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        let name = format!("list {}", record_type.name);
        let from = resume.map(String::from_utf8_lossy);
        if resume.is_none() {
            self.listings.begin(&name);
        }
        let after = resume.and_then(crate::http::json::parse).unwrap_or(Json::Null);
        let (answer, began) = self
            .read(json!({ "do": "list", "type": record_type.name, "after": after }))
            .await?;
        let observations = self.records(record_type, &answer, began).await?;
        let next = answer
            .get("after")
            .filter(|next| !next.is_null())
            .map(Json::to_string);
        let stuck = self
            .listings
            .page(&name, &observations, from.as_deref(), next.as_deref());
        stuck.map_err(|what| self.stuck(&record_type.name, &what))?;
        let live = |shown: &Observation| shown.presence == Presence::Alive;
        Ok(ListPage {
            observations: observations.into_iter().filter(live).collect(),
            resume: next.map(String::into_bytes),
        })
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for pack in ids.chunks(ASKED_MAX) {
            let (answer, began) = self
                .read(json!({ "do": "read", "type": record_type.name, "ids": pack }))
                .await?;
            let shown = self.records(record_type, &answer, began).await?;
            let mut by_id: BTreeMap<String, Observation> = shown
                .into_iter()
                .map(|shown| (shown.key.id.clone(), shown))
                .collect();
            found.extend(pack.iter().map(|id| {
                let key = RecordKey::new(&self.config.name, &record_type.name, id);
                by_id
                    .remove(id)
                    .unwrap_or_else(|| crate::shown::missing(key, began))
            }));
        }
        Ok(found)
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        let mut found = Vec::new();
        for pack in values.chunks(ASKED_MAX) {
            let values: Vec<Vec<Json>> = pack
                .iter()
                .map(|key| key.iter().map(crate::http::json::encode).collect())
                .collect();
            let asked =
                json!({ "do": "find", "type": record_type.name, "properties": properties, "values": values });
            let (answer, began) = self.read(asked).await?;
            found.extend(self.records(record_type, &answer, began).await?);
        }
        found.retain(|shown| shown.presence == Presence::Alive);
        found.sort_by(|one, other| one.key.id.cmp(&other.key.id));
        found.dedup_by(|one, other| one.key.id == other.key.id);
        Ok(found)
    }

    async fn write(&self, batch: &[Write], _lane: Lane) -> Vec<Outcome> {
        let writes: Vec<_> = batch.iter().map(|write| self.carry_out(write)).collect();
        stream::iter(writes).buffered(self.hello.at_once).collect().await
    }

    async fn resume(&self, _handle: &str) -> Result<Resumed, Error> {
        // Nothing is ever accepted for later.
        Ok(Resumed::Done(Vec::new()))
    }

    fn calls(&self) -> u64 {
        self.child.calls()
    }
}
