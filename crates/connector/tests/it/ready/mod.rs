//! The ready descriptions of well-known ERPs, each against the lab's imitation of that ERP's documented habits.

pub(crate) mod erpnext;
pub(crate) mod netsuite;
pub(crate) mod odoo;
mod walked;
pub(crate) mod xero;

use crate::rest::config;
use crate::scene::{Line, Scene, Words, plain_client};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{Change, Connector, Outcome, Refusal, Write};
use tandem_lab::stubs::{Options, Server, Vendor, serve};
use tandem_merge::record::{RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;
use url::Url;

/// A ready description as it is shipped.
fn shipped(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ready");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The description with fields of a company's own added to a record type, as an administrator adds them.
fn with_own_fields(text: &str, of: &str, fields: &[&str]) -> String {
    let (before, behind) = text.split_once(&format!("\n  {of}:\n")).unwrap();
    let lines: String = fields.iter().map(|field| format!("      {field}\n")).collect();
    let behind = behind.replacen("    properties:\n", &format!("    properties:\n{lines}"), 1);
    format!("{before}\n  {of}:\n{behind}")
}

/// The secrets by which a user signs in; nobody's are no one's.
fn secrets(vendor: Vendor, user: &str) -> Vec<(&'static str, String)> {
    let users = vendor.users();
    let known = users.iter().find(|(name, _)| *name == user);
    let of = &known.unwrap_or(&users[0]).1;
    let said = |secret: &&str| match known {
        Some(_) => (*secret).to_owned(),
        None => format!("{user}-secret"),
    };
    of.iter()
        .map(|(name, secret)| match *name {
            "database" | "tenant" | "private_key" => (*name, (*secret).to_owned()),
            _ => (*name, said(secret)),
        })
        .collect()
}

/// What is used of contacts, and of all else everything.
fn ready(url: &Url, vendor: Vendor, user: &str, text: &str, contact: &[&str]) -> RestConfig {
    let secrets = secrets(vendor, user);
    let secrets: Vec<(&str, &str)> = secrets
        .iter()
        .map(|(name, secret)| (*name, secret.as_str()))
        .collect();
    let contact = contact.iter().map(|name| (*name).to_owned());
    RestConfig {
        fields: BTreeMap::from([
            ("Contact".to_owned(), contact.collect()),
            ("Customer".to_owned(), Vec::new()),
            ("Nonsense".to_owned(), Vec::new()),
        ]),
        ..config(url, text, &secrets)
    }
}

/// A connector to all that a description has.
fn all_of(url: &Url, vendor: Vendor, text: &str) -> Rest {
    let config = RestConfig {
        fields: BTreeMap::new(),
        ..ready(url, vendor, "tandem", text, &[])
    };
    Rest::connect(config).unwrap()
}

async fn stub(vendor: Vendor, records: u32) -> (Server, Url) {
    let server = serve(Options {
        records,
        ..Options::of(vendor)
    })
    .await
    .unwrap();
    let url = server.url().parse().unwrap();
    (server, url)
}

/// A scene with a stub.
async fn staged(vendor: Vendor, words: Words, connect: crate::scene::Connect) -> Scene {
    let (server, url) = stub(vendor, 0).await;
    Scene {
        words,
        aging: None,
        line: Line::Network,
        repeats: true,
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        url,
        _server: Box::new(server),
    }
}

/// What a person does at the stub, past its interface.
async fn local(url: &Url, method: &str, path: &str, body: &Json) -> Json {
    let request = plain_client().request(
        method.parse().unwrap(),
        url.join("/_local/").unwrap().join(path).unwrap(),
    );
    let reply = request.json(body).send().await.unwrap();
    let status = reply.status();
    let bytes = reply.bytes().await.unwrap();
    assert!(status.is_success(), "{}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap()
}

fn of(name: &str) -> RecordType {
    RecordType::new("erp", name)
}

fn values(of: &[(&str, Value)]) -> Values {
    of.iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn create(name: &str, given: &[(&str, Value)]) -> Write {
    Write {
        intent: 1,
        key: "key-1".to_owned(),
        change: Change::Create {
            record_type: of(name),
            values: values(given),
        },
    }
}

fn update(name: &str, id: &str, given: &[(&str, Value)], only_if: Option<Version>) -> Write {
    Write {
        intent: 2,
        key: "key-2".to_owned(),
        change: Change::Update {
            record: RecordKey::new("erp", name, id),
            values: values(given),
            only_if,
        },
    }
}

fn delete(name: &str, id: &str) -> Write {
    Write {
        intent: 3,
        key: "key-3".to_owned(),
        change: Change::Delete {
            record: RecordKey::new("erp", name, id),
            only_if: None,
        },
    }
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

/// All records of a type.
async fn listed(rest: &Rest, name: &str) -> Vec<tandem_merge::record::Observation> {
    let (mut all, mut resume) = (Vec::new(), None);
    loop {
        let page = rest.list(&of(name), resume.as_deref()).await.unwrap();
        all.extend(page.observations);
        resume = page.resume;
        if resume.is_none() {
            return all;
        }
    }
}
