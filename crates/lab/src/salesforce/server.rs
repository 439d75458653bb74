//! The HTTP server: loopback only, head and body together, a deadline for every request.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode, header};
use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;

use super::api::{self, Call, Reply};
use super::events::PubSub;
use super::fault::{Code, Fault};
use super::listen::{Admits, Door, Peer};
use super::options::{Options, OptionsError};
use super::org::Org;
use super::tls::{Tls, TlsError};
use super::value::http_date_text;
use super::{admin, browser, bulk, connections, faults, oauth, packed, soap};
use crate::traffic::Traffic;

/// A request is carried out whole within this time of its arrival, or not at all.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest address.
const MAX_URI: usize = 16_384;
/// How long the data of a bulk job may take to arrive.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(600);
/// The largest body, but for the data of a bulk job.
const MAX_BODY: usize = 50 * 1024 * 1024;

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is not this machine's own.
    #[error("the local org listens on loopback addresses only, not on {0}: bind 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The options do not fit together.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A record that the options ask for was refused.
    #[error("the options ask for a record that the org refuses: {0}")]
    Seed(String),
    /// The options select for change events what has none, or too much.
    #[error("options of the local org: `change_events`: {0}")]
    Selection(String),
    /// No certificate could be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener failed.
    #[error("the local org cannot listen: {0}")]
    Listen(#[from] io::Error),
}

/// A running org. Dropping it stops the server too, without waiting for requests in flight.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    admin_token: String,
    pubsub: SocketAddr,
    secure: bool,
    certificate: String,
    stop: Option<oneshot::Sender<()>>,
    /// Subscriptions end when it is gone.
    streams: Option<watch::Sender<()>>,
    task: JoinHandle<()>,
    events: JoinHandle<()>,
}

impl Server {
    /// The address to log in at and to open in a browser, such as `http://127.0.0.1:8001`; with the option `tls` https.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "{}://{}",
            if self.secure { "https" } else { "http" },
            self.address
        )
    }

    /// The same address for https, which needs [`Server::certificate`] to be trusted.
    #[must_use]
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The address of the Pub/Sub API, such as `https://127.0.0.1:7443`: gRPC through TLS.
    #[must_use]
    pub fn pubsub_url(&self) -> String {
        format!("https://{}", self.pubsub)
    }

    /// The certificate, as PEM, of the authority that vouches for this server; another one at every start.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The token that `/_local/faults` asks for.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// The socket that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, ends subscriptions and those in flight, and stops.
    pub async fn shutdown(mut self) {
        drop(self.streams.take());
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only where the server stopped by itself.
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
        let _ = (&mut self.events).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        self.events.abort();
    }
}

/// The port of an org without a network.
#[cfg(feature = "simulation")]
const INSIDE: u16 = 2;

/// What every request and every subscription shares.
pub(crate) struct Shared {
    org: Mutex<Org>,
    address: SocketAddr,
    keepalive: Duration,
    traffic: Traffic,
}

impl bulk::Keeper for Shared {
    fn org(&self) -> MutexGuard<'_, Org> {
        Shared::org(self)
    }
}

impl Shared {
    pub(crate) fn org(&self) -> MutexGuard<'_, Org> {
        // A panic while writing leaves a whole row at worst; the org goes on.
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What requests within the process share.
    #[cfg(feature = "simulation")]
    pub(crate) fn inside(org: Org) -> Self {
        Self {
            org: Mutex::new(org),
            // Where it is said to be, so that a subscriber who names the org's address is believed.
            address: SocketAddr::from(([127, 0, 0, 1], INSIDE)),
            keepalive: Duration::from_secs(240),
            traffic: Traffic::default(),
        }
    }

    /// The port of the REST API.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// After how long a subscriber to whom nothing is new gets a sign of life.
    pub(crate) fn keepalive(&self) -> Duration {
        self.keepalive
    }
}

/// Starts an org behind a listener on a loopback address; port 0 takes a free one.
///
/// # Errors
/// Where the address is not loopback, the options do not fit together, or the listener fails.
pub async fn serve(options: Options, listener: std::net::TcpListener) -> Result<Server, ServeError> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    options.check()?;
    let (secure, keepalive) = (
        options.tls,
        Duration::from_secs(u64::from(options.event_keepalive_seconds)),
    );
    let pubsub = std::net::TcpListener::bind((address.ip(), options.pubsub_port))?;
    let traffic = Traffic::open(options.latency_ms, options.record.as_deref())?;
    let mut org = Org::first_day(options).map_err(|fault| ServeError::Seed(fault.message))?;
    org.open_events().map_err(ServeError::Selection)?;
    let admin_token = org.admin_token.clone();
    let tls = Tls::make()?;
    let admits = if secure { Admits::OnlyTls } else { Admits::Both };
    let door = Door::open(listener, tls.http, admits)?;
    let pubsub = Door::open(pubsub, tls.grpc, Admits::OnlyTls)?;
    let pubsub_address = pubsub.address();
    let shared = Arc::new(Shared {
        org: Mutex::new(org),
        address,
        keepalive,
        traffic,
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let (streams, ends) = watch::channel(());
    Ok(Server {
        address,
        pubsub: pubsub_address,
        secure,
        certificate: tls.authority,
        admin_token,
        stop: Some(stop),
        streams: Some(streams),
        task: tokio::spawn(connections::serve(door, Arc::clone(&shared), stopped)),
        events: tokio::spawn(serve_events(pubsub, shared, ends)),
    })
}

async fn serve_events(door: Door, shared: Arc<Shared>, mut ends: watch::Receiver<()>) {
    let service = PubSub::serve(shared, ends.clone());
    let ended = tonic::transport::Server::builder().serve_with_incoming_shutdown(service, door, async move {
        // Nothing is ever sent: it returns when the sender is gone.
        let _ = ends.changed().await;
    });
    if let Err(error) = ended.await {
        tracing::error!(%error, "the local org's Pub/Sub API stopped");
    }
}

/// Lets a request pass the way to this org, and answers it.
pub(super) async fn handle(shared: Arc<Shared>, peer: Peer, request: Request) -> Response<Body> {
    let here = Arc::clone(&shared);
    shared
        .traffic
        .pass(request, |request| answer(here, peer, request))
        .await
}

async fn answer(shared: Arc<Shared>, peer: Peer, request: Request) -> Response<Body> {
    let arrival = Instant::now();
    let (head, body) = request.into_parts();
    let address = head.uri.path_and_query().map_or("/", |whole| whole.as_str());
    if address.len() > MAX_URI {
        return respond(Fault::new(Code::UriTooLong, "the address is longer than 16,384 bytes").into());
    }
    if !crate::host::is_for_this_machine(&head.headers, &head.uri) {
        return respond(
            Fault::new(
                Code::InsufficientAccess,
                "the local org serves this machine only: call it localhost, 127.0.0.1 or [::1]",
            )
            .into(),
        );
    }
    let upload = bulk::is_upload(head.method.as_str(), head.uri.path());
    let length = head.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let (within, most) = if upload {
        (UPLOAD_DEADLINE, bulk::MAX_UPLOAD)
    } else {
        (DEADLINE, MAX_BODY)
    };
    let body = match tokio::time::timeout(within, collect(body, length, most)).await {
        Ok(Some(body)) => body,
        Ok(None) if upload => return respond(bulk::too_large().into()),
        Ok(None) => {
            return respond(
                Fault::new(Code::JsonParser, "the body was cut off or is larger than 50 MB").into(),
            );
        }
        Err(_) => return respond(late()),
    };
    let encoding = head.headers.get(header::CONTENT_ENCODING);
    let encoding = encoding.map(|encoding| encoding.to_str().unwrap_or("unknown"));
    let body = match packed::unpacked(encoding, body, most) {
        Ok(body) => body,
        Err(fault) => return respond(fault.into()),
    };
    // Data that takes long to arrive is no reason to refuse it.
    let arrival = if upload { Instant::now() } else { arrival };
    let mut call = Call {
        method: head.method.as_str().to_owned(),
        body,
        ..Call::default()
    };
    call.locate(address);
    call.headers = headers(&head.headers);
    if let Some(method) = call.parameter("_HttpMethod").filter(|_| call.method == "POST") {
        call.method = method.to_ascii_uppercase();
    }
    let strike = {
        let mut org = shared.org();
        if arrival.elapsed() >= DEADLINE {
            return respond(late());
        }
        let now = org.now();
        org.faults.meet(now, &call)
    };
    let url = own_address(peer, shared.address, &head.headers);
    match strike {
        None => carry_out(&shared, &url, &call, None),
        Some(strike) => faults::struck(shared, url, call, strike).await,
    }
}

/// Carries a request out; `page` is the most rows of a page where that is cut short.
pub(crate) fn carry_out(shared: &Shared, url: &str, call: &Call, page: Option<usize>) -> Response<Body> {
    let mut org = shared.org();
    org.faults.begin(call, page);
    let mut response = match call.path.first().map(String::as_str) {
        Some("services") if call.path.get(1).is_some_and(|part| part == "data") => {
            respond(api::data(&mut org, call))
        }
        Some("services") if call.path.get(1).is_some_and(|part| part == "Soap") => {
            soap::answer(&mut org, call)
        }
        Some("services" | "cometd") if api::is_elsewhere(call) => respond(api::elsewhere(call).into()),
        Some("services" | "id") => oauth::answer(&mut org, url, call),
        Some("_local") => respond(admin::answer(&mut org, call)),
        _ => {
            org.events.set_origin(String::new());
            browser::answer(&mut org, call)
        }
    };
    // The org's own time, which a test may have moved: clients measure their clock against it.
    if let Ok(date) = header::HeaderValue::from_str(&http_date_text(org.now())) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// The whole body in one piece, never held twice; none where it was cut off or is larger than `most` bytes.
async fn collect(body: Body, length: Option<usize>, most: usize) -> Option<Bytes> {
    let mut whole: Vec<u8> = Vec::with_capacity(length.unwrap_or_default().min(most));
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.ok().filter(|piece| whole.len() + piece.len() <= most)?;
        whole.extend_from_slice(&piece);
    }
    Some(Bytes::from(whole))
}

/// The address that the client used: what it is told to go on with.
fn own_address(peer: Peer, address: SocketAddr, headers: &HeaderMap) -> String {
    let scheme = if peer.secure { "https" } else { "http" };
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // A name without the port would lead elsewhere.
    match named.filter(|host| host.ends_with(&format!(":{}", address.port()))) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{address}"),
    }
}

fn late() -> Reply {
    Fault::new(
        Code::ServerUnavailable,
        "the request could not be begun within 5 seconds; nothing was done",
    )
    .into()
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// A reply as HTTP sends it.
pub(crate) fn respond(reply: Reply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    if let Some((media, bytes)) = reply.raw {
        let built = response
            .header(header::CONTENT_TYPE, media)
            .body(Body::from(bytes));
        return built.unwrap_or_else(|_| failed());
    }
    let built = match reply.body {
        Some(json) => response
            .header(header::CONTENT_TYPE, "application/json;charset=UTF-8")
            .body(Body::from(json.to_string())),
        None => response.body(Body::empty()),
    };
    built.unwrap_or_else(|_| failed())
}

fn failed() -> Response<Body> {
    let mut plain = Response::new(Body::empty());
    *plain.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    plain
}
