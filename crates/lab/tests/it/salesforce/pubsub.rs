//! A subscriber to the local org's Pub/Sub API, as a client would write it.

use std::collections::HashMap;
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;

use apache_avro::types::Value as Avro;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Request, Status, Streaming};

use super::Org;
use wire::pub_sub_client::PubSubClient;
use wire::{FetchRequest, FetchResponse, ReplayPreset, SchemaInfo, SchemaRequest, TopicInfo, TopicRequest};

#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::too_many_lines)]
pub(crate) mod wire {
    tonic::include_proto!("eventbus.v1");
}

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of the Pub/Sub API with the three headers.
pub(crate) struct Bus {
    pub(crate) client: PubSubClient<Channel>,
    pub(crate) headers: Vec<(&'static str, String)>,
    schemas: HashMap<String, Schema>,
}

/// A running subscription.
pub(crate) struct Reader {
    ask: mpsc::Sender<FetchRequest>,
    responses: Streaming<FetchResponse>,
    topic: String,
}

/// A decoded event.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) replay: Vec<u8>,
    pub(crate) change: String,
    pub(crate) records: Vec<String>,
    pub(crate) origin: String,
    pub(crate) entity: String,
    pub(crate) changed: Vec<String>,
    pub(crate) nulled: Vec<String>,
    pub(crate) at: i64,
    pub(crate) number: i64,
    pub(crate) sequence: i32,
    pub(crate) transaction: String,
    pub(crate) user: String,
    /// The fields that are not null, compound ones as `Name.LastName`.
    pub(crate) fields: HashMap<String, Avro>,
}

/// Where to begin.
pub(crate) enum From {
    Latest,
    Earliest,
    After(Vec<u8>),
}

impl Bus {
    pub(crate) async fn of(org: &Org) -> Bus {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(org.server.certificate()));
        let channel = Channel::from_shared(org.server.pubsub_url()).unwrap();
        let channel = channel.tls_config(tls).unwrap().connect().await.unwrap();
        let organization = org.get("/services/oauth2/userinfo").await.body["organization_id"].clone();
        Bus {
            client: PubSubClient::new(channel),
            headers: vec![
                ("accesstoken", org.token.clone()),
                ("instanceurl", org.server.https_url()),
                ("tenantid", organization.as_str().unwrap().to_owned()),
            ],
            schemas: HashMap::new(),
        }
    }

    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            let value: MetadataValue<_> = value.parse().unwrap();
            request.metadata_mut().insert(*name, value);
        }
        request
    }

    pub(crate) async fn topic(&self, name: &str) -> Result<TopicInfo, Status> {
        let request = self.request(TopicRequest {
            topic_name: name.to_owned(),
        });
        Ok(self.client.clone().get_topic(request).await?.into_inner())
    }

    pub(crate) async fn schema(&self, id: &str) -> Result<SchemaInfo, Status> {
        let request = self.request(SchemaRequest {
            schema_id: id.to_owned(),
        });
        Ok(self.client.clone().get_schema(request).await?.into_inner())
    }

    /// Sends this first request; a refusal of it comes with the first response.
    pub(crate) async fn open(&self, first: FetchRequest) -> Result<Reader, Status> {
        let (ask, asked) = mpsc::channel(8);
        let topic = first.topic_name.clone();
        ask.send(first).await.unwrap();
        let request = self.request(ReceiverStream::new(asked));
        let responses = self.client.clone().subscribe(request).await?.into_inner();
        Ok(Reader {
            ask,
            responses,
            topic,
        })
    }

    pub(crate) async fn subscribe(&self, topic: &str, from: From, count: i32) -> Reader {
        let (preset, replay_id) = match from {
            From::Latest => (ReplayPreset::Latest, Vec::new()),
            From::Earliest => (ReplayPreset::Earliest, Vec::new()),
            From::After(id) => (ReplayPreset::Custom, id),
        };
        let first = FetchRequest {
            topic_name: topic.to_owned(),
            replay_preset: preset.into(),
            replay_id,
            num_requested: count,
            auth_refresh: String::new(),
        };
        self.open(first).await.unwrap()
    }

    /// The refusal that a subscription ends with.
    pub(crate) async fn refused(&self, topic: &str, from: From, count: i32) -> Status {
        self.subscribe(topic, from, count).await.next().await.unwrap_err()
    }

    /// Waits for `count` events and decodes them.
    pub(crate) async fn read(&mut self, reader: &mut Reader, count: usize) -> Vec<Decoded> {
        let mut decoded = Vec::new();
        while decoded.len() < count {
            let response = reader.next().await.unwrap();
            for event in response.events {
                let replay = event.replay_id;
                let event = event.event.unwrap();
                if !self.schemas.contains_key(&event.schema_id) {
                    let json = self.schema(&event.schema_id).await.unwrap().schema_json;
                    self.schemas
                        .insert(event.schema_id.clone(), Schema::parse_str(&json).unwrap());
                }
                decoded.push(decode(&self.schemas[&event.schema_id], replay, &event.payload));
            }
        }
        decoded
    }
}

impl Reader {
    pub(crate) async fn next(&mut self) -> Result<FetchResponse, Status> {
        let next = tokio::time::timeout(PATIENCE, self.responses.message()).await;
        Ok(next.expect("an answer in time")?.expect("the stream goes on"))
    }

    /// Asks for more.
    pub(crate) async fn more(&self, count: i32) {
        self.ask_of(&self.topic, count).await;
    }

    pub(crate) async fn ask_of(&self, topic: &str, count: i32) {
        let request = FetchRequest {
            topic_name: topic.to_owned(),
            num_requested: count,
            ..FetchRequest::default()
        };
        self.ask.send(request).await.unwrap();
    }
}

/// Salesforce's own code of a refusal, without what all begin with.
pub(crate) fn code(status: &Status) -> String {
    let code = status
        .metadata()
        .get("error-code")
        .expect("an error code")
        .to_str()
        .unwrap();
    code.strip_prefix("sfdc.platform.eventbus.grpc.")
        .unwrap()
        .to_owned()
}

fn decode(schema: &Schema, replay: Vec<u8>, mut payload: &[u8]) -> Decoded {
    let value = GenericDatumReader::builder(schema)
        .build()
        .unwrap()
        .read_value(&mut payload)
        .unwrap();
    assert!(payload.is_empty(), "the payload is longer than its schema says");
    let Avro::Record(all) = value else {
        panic!("not a record")
    };
    let Avro::Record(header) = &all[0].1 else {
        panic!("no header")
    };
    let header: HashMap<&str, &Avro> = header
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let text = |name: &str| match header[name] {
        Avro::String(text) | Avro::Enum(_, text) => text.clone(),
        other => panic!("{name} is {other:?}"),
    };
    let long = |name: &str| match header[name] {
        Avro::Long(number) => *number,
        Avro::Int(number) => i64::from(*number),
        other => panic!("{name} is {other:?}"),
    };
    let list = |name: &str| -> Vec<String> {
        let Avro::Array(items) = header[name] else {
            panic!("{name} is no list")
        };
        items
            .iter()
            .map(|item| match item {
                Avro::String(text) => text.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    Decoded {
        replay,
        change: text("changeType"),
        records: list("recordIds"),
        origin: text("changeOrigin"),
        entity: text("entityName"),
        changed: expand(schema, &list("changedFields")),
        nulled: expand(schema, &list("nulledFields")),
        at: long("commitTimestamp"),
        number: long("commitNumber"),
        sequence: i32::try_from(long("sequenceNumber")).unwrap(),
        transaction: text("transactionKey"),
        user: text("commitUser"),
        fields: flatten(&all[1..]),
    }
}

fn flatten(fields: &[(String, Avro)]) -> HashMap<String, Avro> {
    let mut flat = HashMap::new();
    for (name, value) in fields {
        match value {
            Avro::Union(_, inner) => match inner.as_ref() {
                Avro::Null => {}
                Avro::Record(parts) => {
                    for (part, value) in flatten(parts) {
                        flat.insert(format!("{name}.{part}"), value);
                    }
                }
                other => {
                    flat.insert(name.clone(), other.clone());
                }
            },
            other => panic!("{name} is no union but {other:?}"),
        }
    }
    flat
}

/// The names behind bitmaps, in the way that Salesforce documents.
fn expand(schema: &Schema, maps: &[String]) -> Vec<String> {
    let Schema::Record(record) = schema else {
        panic!("no record")
    };
    let json: serde_json::Value = serde_json::to_value(schema).unwrap();
    let mut names = Vec::new();
    for map in maps {
        match map.split_once('-') {
            None => names.extend(bits(map).iter().map(|bit| record.fields[*bit].name.clone())),
            Some((parent, map)) => {
                let parent: usize = parent.parse().unwrap();
                let parts = parts(&json, parent);
                let name = &record.fields[parent].name;
                names.extend(bits(map).iter().map(|bit| format!("{name}.{}", parts[*bit])));
            }
        }
    }
    names.sort();
    names
}

fn parts(schema: &serde_json::Value, field: usize) -> Vec<String> {
    let kind = schema["fields"][field]["type"][1].clone();
    let record = match kind.as_str() {
        None => kind,
        Some(name) => {
            let last = name.rsplit('.').next().unwrap();
            let fields = schema["fields"].as_array().unwrap().iter();
            fields
                .map(|field| field["type"][1].clone())
                .find(|kind| {
                    kind["name"]
                        .as_str()
                        .is_some_and(|known| known.rsplit('.').next() == Some(last))
                })
                .unwrap()
        }
    };
    let fields = record["fields"].as_array().unwrap().iter();
    fields
        .map(|field| field["name"].as_str().unwrap().to_owned())
        .collect()
}

fn bits(map: &str) -> Vec<usize> {
    let digits = map.strip_prefix("0x").unwrap();
    assert_eq!(digits.len() % 2, 0, "whole bytes: {map}");
    assert_eq!(digits, digits.to_uppercase(), "in capitals: {map}");
    let digits = digits.chars().rev().enumerate();
    digits
        .flat_map(|(place, digit)| {
            let value = digit.to_digit(16).unwrap();
            (0..4)
                .filter(move |bit| value >> bit & 1 == 1)
                .map(move |bit| place * 4 + bit)
        })
        .collect()
}
