//! Change events by the Pub/Sub API: one subscription per type, kept by tasks of the connector's own.
//!
//! Events are hints: what they name is read by id, and what was read counts. The positions belong to the cursor
//! of the changes, so that they are stored with what was read.

mod shape;
mod stream;
mod subscription;
mod told;
mod trouble;
mod wire;

pub(super) use stream::{Standing, Taken};
pub(super) use told::{Change, Told};

use super::SalesforceConfig;
use super::session::Session;
use crate::{Error, ErrorKind};
use shape::Shape;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stream::Stream;
use subscription::Subscription;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a quiet connection is tried, and how long its answer may take.
const ALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));
/// The largest answer, in bytes.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// The subscriptions of an org.
pub(super) struct Events {
    shared: Arc<Shared>,
    channel: Channel,
    tasks: Mutex<BTreeMap<String, JoinHandle<()>>>,
}

/// What the tasks and the rounds share.
struct Shared {
    session: Arc<Session>,
    streams: Mutex<BTreeMap<String, Stream>>,
    /// Per type: room for further events was made.
    rooms: Mutex<BTreeMap<String, Arc<Notify>>>,
    shapes: Mutex<BTreeMap<String, Arc<Shape>>>,
    news: Notify,
}

impl Events {
    /// Makes subscribing ready; nothing is sent yet. None where everything is polled.
    pub(super) fn new(session: &Arc<Session>, config: &SalesforceConfig) -> Result<Option<Self>, Error> {
        let watch = &config.watch;
        let Some(url) = watch.pubsub.as_ref().filter(|_| !watch.events.is_empty()) else {
            return Ok(None);
        };
        let strange = |error: tonic::transport::Error| {
            let what = format!("{url} cannot be used for events ({error})");
            let advice = "Correct `changes: { pubsub: ... }` in the configuration";
            session.http.error(ErrorKind::Protocol, what, advice)
        };
        let tls = match &config.certificate_authority {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        let endpoint = Endpoint::from_shared(url.to_string())
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(strange)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(ALIVE.0)
            .keep_alive_timeout(ALIVE.1)
            .keep_alive_while_idle(true);
        #[cfg(feature = "simulation")]
        let channel = crate::simulation::channel(&endpoint).unwrap_or_else(|| endpoint.connect_lazy());
        #[cfg(not(feature = "simulation"))]
        let channel = endpoint.connect_lazy();
        Ok(Some(Self {
            shared: Arc::new(Shared {
                session: Arc::clone(session),
                streams: Mutex::default(),
                rooms: Mutex::default(),
                shapes: Mutex::default(),
                news: Notify::new(),
            }),
            channel,
            tasks: Mutex::default(),
        }))
    }

    /// Takes a type's events behind the position that is stored, subscribing first where that was not done yet.
    pub(super) fn take(
        &self,
        name: &str,
        object: &str,
        position: Option<&[u8]>,
        used: &BTreeSet<String>,
    ) -> Taken {
        let mut tasks = lock(&self.tasks);
        if !tasks.contains_key(name) {
            let stream = Stream::begin(position.map(<[u8]>::to_vec), used.clone());
            lock(&self.shared.streams).insert(name.to_owned(), stream);
            let subscription = Subscription {
                shared: Arc::clone(&self.shared),
                channel: self.channel.clone(),
                name: name.to_owned(),
                topic: topic(object),
            };
            tasks.insert(name.to_owned(), tokio::spawn(subscription.keep()));
        }
        drop(tasks);
        let (taken, room) = self.shared.look(name, |stream| {
            stream.used.clone_from(used);
            stream.take(position)
        });
        if room {
            self.shared.room(name).notify_one();
        }
        taken
    }

    /// How a type's subscription stands; none before it was begun.
    pub(super) fn standing(&self, name: &str) -> Option<Standing> {
        lock(&self.shared.streams)
            .get(name)
            .map(|stream| stream.standing.clone())
    }

    /// Resolves when a round is worth while.
    pub(super) async fn changed(&self) {
        loop {
            let mut news = std::pin::pin!(self.shared.news.notified());
            news.as_mut().enable();
            if lock(&self.shared.streams).values().any(Stream::has_news) {
                return;
            }
            news.await;
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        lock(&self.tasks).values().for_each(JoinHandle::abort);
    }
}

impl Shared {
    /// Works on a type's stream.
    fn look<T: Default>(&self, name: &str, look: impl FnOnce(&mut Stream) -> T) -> T {
        lock(&self.streams).get_mut(name).map(look).unwrap_or_default()
    }

    /// The same, and wakes whoever waits if there is news.
    fn change(&self, name: &str, change: impl FnOnce(&mut Stream)) {
        let news = self.look(name, |stream| {
            change(stream);
            stream.has_news()
        });
        if news {
            self.news.notify_waiters();
        }
    }

    fn room(&self, name: &str) -> Arc<Notify> {
        Arc::clone(lock(&self.rooms).entry(name.to_owned()).or_default())
    }

    fn shape(&self, id: &str) -> Option<Arc<Shape>> {
        lock(&self.shapes).get(id).cloned()
    }

    fn keep_shape(&self, id: String, shape: Shape) -> Arc<Shape> {
        let shape = Arc::new(shape);
        lock(&self.shapes).insert(id, Arc::clone(&shape));
        shape
    }

    /// What every call carries; signed in anew where the token of that number is stale.
    async fn signed(&self, stale: Option<u64>) -> Result<Signed, Status> {
        let token = self.session.token(stale).await;
        let token = token.map_err(|error| Status::unavailable(error.message))?;
        let value = |text: &str| {
            AsciiMetadataValue::try_from(text).map_err(|_| Status::internal("a header cannot be written"))
        };
        let mut metadata = MetadataMap::new();
        let mut secret = value(token.access())?;
        secret.set_sensitive(true);
        metadata.insert("accesstoken", secret);
        metadata.insert(
            "instanceurl",
            value(self.session.http.base().to_string().trim_end_matches('/'))?,
        );
        metadata.insert("tenantid", value(&token.organization)?);
        Ok(Signed {
            number: token.number(),
            metadata,
        })
    }
}

/// Adds the credentials to every call.
#[derive(Clone)]
struct Signed {
    number: u64,
    metadata: MetadataMap,
}

impl Signed {
    fn number(&self) -> u64 {
        self.number
    }
}

impl Interceptor for Signed {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for entry in self.metadata.iter() {
            if let tonic::metadata::KeyAndValueRef::Ascii(key, value) = entry {
                request.metadata_mut().insert(key.clone(), value.clone());
            }
        }
        Ok(request)
    }
}

/// `/data/ContactChangeEvent`, `/data/Invoice__ChangeEvent`.
fn topic(object: &str) -> String {
    match object.strip_suffix("__c") {
        Some(custom) => format!("/data/{custom}__ChangeEvent"),
        None => format!("/data/{object}ChangeEvent"),
    }
}

/// Whether an object has change events at all; the org decides which of them it sends.
pub(super) fn has_events(object: &str) -> bool {
    !matches!(
        object,
        "Division" | "Invoice" | "InvoiceLine" | "QuoteLineItem" | "Pricebook2" | "PricebookEntry"
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_named_after_their_objects() {
        assert_eq!(topic("Contact"), "/data/ContactChangeEvent");
        assert_eq!(topic("Invoice__c"), "/data/Invoice__ChangeEvent");
    }
}
