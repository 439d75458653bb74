//! A running system with connectors to it, in words that all systems share: contacts with a last name, an
//! e-mail address, a phone and a description, and a person next to us who edits them.

use crate::proxy::Proxy;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tandem_connector::{Change, ChangePage, Connector, Lane, Outcome, Write};
use tandem_merge::record::{Observation, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;
use url::Url;

/// The system's names for the properties of a contact.
pub(crate) struct Words {
    pub(crate) last_name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) phone: &'static str,
    pub(crate) description: &'static str,
    pub(crate) birthdate: &'static str,
    /// Unique over all records.
    pub(crate) external: &'static str,
    /// A reference to another contact.
    pub(crate) reports_to: &'static str,
    /// An id of the right form that no contact has.
    pub(crate) nobody: &'static str,
    /// How a request to move the system's clock names the seconds.
    pub(crate) clock: &'static str,
    /// A secret that must show nowhere.
    pub(crate) secret: &'static str,
}

/// How to reach the system as somebody.
pub(crate) type Connect = fn(&Url, &str) -> Box<dyn Connector>;

/// Lets all that a system shows be older by some seconds.
pub(crate) type Aging = Box<dyn Fn(u32) -> BoxFuture<'static, ()> + Send + Sync>;

/// What lies between us and the system.
pub(crate) enum Line {
    /// A network, which a proxy cuts.
    Network,
    /// A folder or a file of this machine: an answer never gets lost.
    File,
    /// A program that works in this folder. It ends before it answers a write while a file `cut` is there.
    Program(PathBuf),
}

/// A line to the system that can be cut.
pub(crate) enum Cut {
    Proxy(Proxy),
    Program(PathBuf, Url),
}

impl Cut {
    pub(crate) fn url(&self) -> &Url {
        match self {
            Self::Proxy(proxy) => proxy.url(),
            Self::Program(_, url) => url,
        }
    }

    /// The next answers get lost; none: no more.
    pub(crate) fn swallow(&self, answers: usize) {
        match self {
            Self::Proxy(proxy) => proxy.swallow(answers),
            Self::Program(folder, _) if answers > 0 => std::fs::write(folder.join("cut"), "").unwrap(),
            Self::Program(folder, _) => std::fs::remove_file(folder.join("cut")).unwrap(),
        }
    }
}

/// A running system.
pub(crate) struct Scene {
    pub(crate) words: Words,
    pub(crate) url: Url,
    pub(crate) connect: Connect,
    /// Us.
    pub(crate) ours: Box<dyn Connector>,
    /// A person.
    pub(crate) person: Box<dyn Connector>,
    pub(crate) http: reqwest::Client,
    /// How time passes where the system's clock cannot be moved: what it holds becomes older instead.
    pub(crate) aging: Option<Aging>,
    pub(crate) line: Line,
    /// The connector sends a write without an answer again by itself.
    pub(crate) repeats: bool,
    /// Keeps the server alive.
    pub(crate) _server: Box<dyn std::any::Any + Send + Sync>,
}

impl Scene {
    /// A line to the system, to be cut.
    pub(crate) async fn cut(&self) -> Cut {
        match &self.line {
            Line::Network => Cut::Proxy(Proxy::before(&self.url).await),
            Line::Program(folder) => Cut::Program(folder.clone(), self.url.clone()),
            Line::File => panic!("no answer of a file gets lost"),
        }
    }

    /// An address where nothing is, and what it is known by.
    pub(crate) async fn nowhere(&self) -> (Url, &'static str) {
        if matches!(self.line, Line::Network) {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            return (address.parse().unwrap(), "127.0.0.1");
        }
        (format!("{}-nowhere", self.url).parse().unwrap(), "-nowhere")
    }

    pub(crate) fn contact(&self) -> RecordType {
        RecordType::new(self.ours.system(), "Contact")
    }

    pub(crate) fn key(&self, id: &str) -> RecordKey {
        RecordKey {
            record_type: self.contact(),
            id: id.to_owned(),
        }
    }

    pub(crate) fn named(&self, last_name: &str) -> Values {
        BTreeMap::from([(self.words.last_name.to_owned(), Value::text(last_name))])
    }

    pub(crate) fn described(&self, description: &str) -> Values {
        BTreeMap::from([(self.words.description.to_owned(), Value::text(description))])
    }

    pub(crate) fn create(&self, intent: u64, values: Values) -> Write {
        Write {
            intent,
            key: format!("state-1-{intent}"),
            change: Change::Create {
                record_type: self.contact(),
                values,
            },
        }
    }

    pub(crate) fn update(&self, id: &str, values: Values, only_if: Option<Version>) -> Write {
        Write {
            intent: 900,
            key: "state-1-900".to_owned(),
            change: Change::Update {
                record: self.key(id),
                values,
                only_if,
            },
        }
    }

    pub(crate) fn delete(&self, id: &str, only_if: Option<Version>) -> Write {
        Write {
            intent: 901,
            key: "state-1-901".to_owned(),
            change: Change::Delete {
                record: self.key(id),
                only_if,
            },
        }
    }

    /// A contact that a person made.
    pub(crate) async fn made(&self, last_name: &str) -> String {
        let write = self.create(rand_intent(last_name), self.named(last_name));
        applied(&one(self.person.as_ref(), write).await)
    }

    /// The state of a contact, read now.
    pub(crate) async fn read(&self, id: &str) -> Observation {
        let ids = [id.to_owned()];
        let mut read = self.ours.fetch(&self.contact(), &ids).await.unwrap();
        assert_eq!(read.len(), 1);
        read.remove(0)
    }

    /// The version of a contact, read when it protects.
    pub(crate) async fn firm(&self, id: &str) -> Version {
        self.advance(2).await;
        // One reply shows the moved clock, the next read may rely on it.
        self.read(id).await;
        let version = self.read(id).await.version.unwrap();
        assert!(version.firm, "{version:?}");
        version
    }

    /// All changes until there are no more, with the last cursor. Every page is read from its stored cursor, and what it hints at
    /// is looked at.
    pub(crate) async fn round(&self, cursor: Option<Vec<u8>>) -> (Vec<Observation>, Vec<u8>) {
        let mut seen = Vec::new();
        let mut at = cursor;
        loop {
            let page = self.page(at.as_deref()).await;
            seen.extend(page.observations);
            let hinted: Vec<String> = page.hints.into_iter().map(|key| key.id).collect();
            if !hinted.is_empty() {
                seen.extend(self.ours.fetch(&self.contact(), &hinted).await.unwrap());
            }
            at = Some(page.cursor.clone());
            if !page.more {
                return (seen, page.cursor);
            }
        }
    }

    pub(crate) async fn page(&self, cursor: Option<&[u8]>) -> ChangePage {
        let page = self.ours.changes(&[self.contact()], cursor).await.unwrap();
        assert_eq!(page.incomplete, [], "a type is not read to its end");
        page
    }

    /// Moves the system's clock.
    pub(crate) async fn advance(&self, seconds: u32) {
        if let Some(aging) = &self.aging {
            return aging(seconds).await;
        }
        let request = self.http.post(self.url.join("/_local/clock").unwrap());
        let body = format!("{{\"{}\":{seconds}}}", self.words.clock);
        let request = request.header("content-type", "application/json").body(body);
        assert!(request.send().await.unwrap().status().is_success());
    }
}

/// A number that differs by name, so that keys differ by name.
fn rand_intent(name: &str) -> u64 {
    name.bytes()
        .fold(1_000, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte))
}

/// The outcome of a single write.
pub(crate) async fn one(connector: &dyn Connector, write: Write) -> Outcome {
    let mut outcomes = connector.write(&[write], Lane::Live).await;
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// The id of a write that was carried out.
pub(crate) fn applied(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { id, .. } => id.clone(),
        other => panic!("not applied: {other:?}"),
    }
}

/// A client that speaks to this machine, which needs neither proxy nor certificates.
pub(crate) fn plain_client() -> reqwest::Client {
    // Whoever comes second finds it there.
    let _there = rustls::crypto::ring::default_provider().install_default();
    let none = Vec::<reqwest::Certificate>::new();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(none)
        .build()
        .unwrap()
}
