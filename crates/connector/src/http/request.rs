//! What is sent, what comes back, and what it means when nothing does.

use super::{clock, json};
use crate::Error;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value as Json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tandem_seal::Files;
use url::Url;

/// A request to be sent. Not `Debug`: its body may hold a secret.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// A path with its query below the system's address, or an absolute address on the same host.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// A file that is the body, instead.
    pub(crate) from: Option<(PathBuf, Files)>,
    /// The file that a successful reply's body goes into, however large it is; the reply then has none.
    pub(crate) into: Option<(PathBuf, Files)>,
    /// A time-out of its own: large bodies take longer than the system takes to act.
    pub(crate) patience: Option<Duration>,
    /// Carrying it out twice has the effect of once: a read, an idempotency key, a precondition.
    pub(crate) repeatable: bool,
    /// It has no effect: nobody waits for it as long as for a write.
    pub(crate) reads: bool,
    /// The system counts it as an API call.
    pub(crate) counted: bool,
    /// Its body and its reply's hold secrets.
    pub(crate) signs_in: bool,
    /// It goes to the configured address, wherever the work went since.
    pub(crate) at_the_door: bool,
    /// What signs it, anew for each attempt.
    pub(crate) signer: Option<Arc<dyn Sign>>,
}

/// Signs requests.
pub(crate) trait Sign: Send + Sync {
    /// Adds the signature of a request to its headers.
    fn sign(&self, method: &Method, url: &Url, headers: &mut HeaderMap);
}

impl Request {
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self {
            repeatable: true,
            ..Self::new(Method::GET, target)
        }
    }

    pub(crate) fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: HeaderMap::new(),
            body: None,
            from: None,
            into: None,
            patience: None,
            repeatable: false,
            reads: false,
            counted: true,
            signs_in: false,
            at_the_door: false,
            signer: None,
        }
    }

    /// Adds a header; a value that cannot stand in one is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        // Only maps with non-text keys cannot be written as JSON; we have none.
        self.body = serde_json::to_vec(body).ok();
        self.header("content-type", "application/json")
    }

    /// Sends a file of that many bytes.
    pub(crate) fn file(mut self, path: PathBuf, files: &Files, bytes: u64) -> Self {
        self.from = Some((path, files.clone()));
        self.patience = Some(patience(bytes));
        self
    }

    /// Keeps the body of a successful reply, expected to have so many bytes at most, in a file.
    pub(crate) fn into_file(mut self, path: PathBuf, files: &Files, bytes: u64) -> Self {
        self.into = Some((path, files.clone()));
        self.patience = Some(patience(bytes));
        self
    }

    /// A request that the system does not count as an API call.
    pub(crate) fn uncounted(mut self) -> Self {
        self.counted = false;
        self
    }

    /// A request that is about secrets.
    pub(crate) fn signing_in(mut self) -> Self {
        self.signs_in = true;
        self
    }

    /// A request to the configured address.
    pub(crate) fn at_the_door(mut self) -> Self {
        self.at_the_door = true;
        self
    }

    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// A request that has no effect.
    pub(crate) fn reading(self) -> Self {
        Self {
            reads: true,
            ..self.repeatable()
        }
    }
}

/// How long so many bytes may take on a slow line.
fn patience(bytes: u64) -> Duration {
    const LEAST: Duration = Duration::from_secs(300);
    const PER_SECOND: u64 = 200 * 1024;
    LEAST + Duration::from_secs(bytes / PER_SECOND)
}

/// What a system answered. Not `Debug`: its body may hold a token.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// When the request was sent, by our clock.
    pub(crate) began: Timestamp,
    /// A moment that the system's clock had surely reached when the request was sent.
    pub(crate) reached: Option<Timestamp>,
    /// An earlier attempt got no clear answer: it, rather than this one, may have been carried out.
    pub(crate) repeated: bool,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the system is in trouble that may pass.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.status, 420 | 429 | 500 | 502 | 503 | 504)
    }

    /// Whether the system has more requests than it takes.
    pub(crate) fn tells_of_too_many(&self) -> bool {
        matches!(self.status, 420 | 429 | 503)
    }

    /// How long the system asks to be left alone, in seconds or until a date.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get("retry-after")?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let wait = clock::parse(text)?.duration_since(self.began);
        Some(Duration::try_from(wait).unwrap_or_default())
    }

    /// The body as JSON with exact numbers; null when it is none.
    pub(crate) fn json(&self) -> Json {
        json::parse(&self.body).unwrap_or_default()
    }
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was sent.
    NotSent(Error),
    /// It may have been carried out.
    Lost(Error),
}

impl Failure {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotSent(error) | Self::Lost(error) => error,
        }
    }
}
