//! A thread's own time and line, for simulations: the connectors as they are, without a network and without waiting.
//!
//! Connectors that are made while a thread has a [`Line`] send over it; [`set_clock`] says what they take for the
//! time. Other threads see nothing of it, and without the feature `simulation` there is neither.

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::header::{HeaderName, HeaderValue};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A request as it travels.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `GET` and so on.
    pub method: String,
    /// Scheme and host, such as `http://127.0.0.1:1`.
    pub host: String,
    /// The path with its query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty where there is none.
    pub body: Vec<u8>,
}

/// What comes back.
#[derive(Clone, Debug)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing comes back.
#[derive(Clone, Copy, Debug)]
pub enum Broken {
    /// No connection: nothing was sent.
    NotSent,
    /// It was sent, and may have been carried out.
    Lost,
}

/// Carries requests to a system and answers back.
#[async_trait]
pub trait Line: Send + Sync {
    /// One request with its answer.
    ///
    /// # Errors
    /// There is no answer.
    async fn exchange(&self, sent: Sent) -> Result<Received, Broken>;

    /// A connection for change events; none: they cannot be had at the moment.
    fn events(&self) -> Option<tokio::io::DuplexStream>;
}

thread_local! {
    static CLOCK: Cell<Option<fn() -> Timestamp>> = const { Cell::new(None) };
    static LINE: RefCell<Option<Arc<dyn Line>>> = const { RefCell::new(None) };
}

/// What this thread takes for the time from now on; none: the machine's clock.
pub fn set_clock(clock: Option<fn() -> Timestamp>) {
    CLOCK.set(clock);
}

/// What connectors send over that this thread makes from now on; none: the network.
pub fn set_line(line: Option<Arc<dyn Line>>) {
    LINE.with_borrow_mut(|own| *own = line);
}

pub(crate) fn now() -> Option<Timestamp> {
    CLOCK.get().map(|clock| clock())
}

pub(crate) fn line() -> Option<Arc<dyn Line>> {
    LINE.with_borrow(Clone::clone)
}

/// A channel for change events over this thread's line; none: there is no line.
pub(crate) fn channel(endpoint: &tonic::transport::Endpoint) -> Option<tonic::transport::Channel> {
    let line = line()?;
    let connect = move |_: ::http::Uri| {
        let stream = line.events().map(hyper_util::rt::TokioIo::new);
        let stream = stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        std::future::ready(stream)
    };
    Some(endpoint.connect_with_connector_lazy(tower::service_fn(connect)))
}

/// Sends a request over a line.
pub(crate) async fn exchange(
    line: &dyn Line,
    request: reqwest::Request,
) -> Result<reqwest::Response, Broken> {
    let url = request.url();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = request.headers().iter();
    let sent = Sent {
        method: request.method().to_string(),
        host: url.origin().ascii_serialization(),
        target: format!("{}{query}", url.path()),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: request
            .body()
            .and_then(reqwest::Body::as_bytes)
            .unwrap_or_default()
            .to_vec(),
    };
    let received = line.exchange(sent).await?;
    let mut response = ::http::Response::new(received.body);
    *response.status_mut() = ::http::StatusCode::from_u16(received.status).map_err(|_| Broken::Lost)?;
    for (name, value) in received.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response.into())
}
