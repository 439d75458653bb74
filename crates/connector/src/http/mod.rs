//! HTTP behaviour that all connectors share: time-outs, careful repetition, a limit on requests in flight,
//! hosts that cannot be left, bodies that cannot grow without bound, and errors that say what to do.
//!
//! Invariant: a request is repeated only where nothing of it can have been carried out, or where carrying it
//! out twice has one effect. A reply to a repetition says so ([`Reply::repeated`]).

pub(crate) mod address;
pub(crate) mod clock;
mod file;
mod gate;
pub(crate) mod json;
mod limits;
mod meter;
mod request;
pub(crate) mod salvage;
pub(crate) mod wire;

pub(crate) use meter::Meter;
pub(crate) use request::{Failure, Reply, Request, Sign};

use crate::{ClockOffset, Error, ErrorKind, Scope, Traffic};
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};
use std::time::Duration;
use tandem_seal::Files;
use tokio::time::Instant;
use url::Url;

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Waits between attempts where the system names none.
const BACKOFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// A request without an answer for so long is named, and again each time it took twice as long.
const SLOW: Duration = Duration::from_secs(10);
/// The longest wait for the answer to a read. Salesforce ends a query after as long.
const READ: Duration = Duration::from_secs(120);
/// A longer `Retry-After` is the caller's to wait for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// The largest reply, in bytes.
const BODY_MAX: usize = 64 * 1024 * 1024;
/// The largest reply that goes into a file, in bytes.
const FILE_MAX: u64 = 1024 * 1024 * 1024;

/// How to reach a system.
pub(crate) struct Address {
    /// The system's name in the configuration.
    pub(crate) system: String,
    /// Where it is.
    pub(crate) url: Url,
    /// The longest time a request may take effect, and so the longest wait for its reply.
    pub(crate) deadline: SignedDuration,
    /// Requests in flight at once while the system does not say that these are too many.
    pub(crate) concurrency: usize,
    /// The certificates (PEM) of the authority that vouches for the system; none: the machine's own.
    pub(crate) authority: Option<Vec<u8>>,
    /// Who counts the calls that the system counts, and may refuse one.
    pub(crate) meter: Option<Arc<dyn Meter>>,
}

/// A client of one system.
pub(crate) struct Http {
    client: reqwest::Client,
    system: String,
    door: Url,
    /// Where the work is done, if not at the door.
    moved: RwLock<Option<Url>>,
    /// The longest time a request may take effect.
    deadline: Duration,
    meter: Option<Arc<dyn Meter>>,
    gate: gate::Gate,
    calls: AtomicU64,
    traffic: Mutex<Traffic>,
    clock: Mutex<clock::ServerClock>,
    offset: Mutex<clock::Offset>,
    /// What it sends over instead of the network.
    #[cfg(feature = "simulation")]
    line: Option<Arc<dyn crate::simulation::Line>>,
}

impl Http {
    /// A client; no connection is made.
    ///
    /// # Errors
    /// The address would carry secrets in clear, or the machine has no TLS.
    pub(crate) fn new(address: Address) -> Result<Self, Error> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error means that the process has one already, which serves as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        address::check(&address.system, &address.url)?;
        let whole = Duration::try_from(address.deadline).unwrap_or(CONNECT);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT.min(whole))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true);
        if address::is_loopback(&address.url) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &address.authority {
            builder = builder.tls_certs_only(certificates(&address.system, pem)?);
        } else if address.url.scheme() == "http" {
            // No certificate is ever looked at, so a machine that has none will do.
            builder = builder.tls_certs_only(Vec::<reqwest::Certificate>::new());
        }
        let client = builder.build().map_err(|error| Error {
            system: address.system.clone(),
            kind: ErrorKind::Protocol,
            message: format!("no HTTP client could be set up ({})", error.without_url()),
            advice: "Check the certificates of this machine".to_owned(),
            retry_at: None,
            scope: Scope::System,
        })?;
        Ok(Self {
            client,
            system: address.system,
            door: address.url,
            moved: RwLock::default(),
            deadline: whole,
            meter: address.meter,
            gate: gate::Gate::new(address.concurrency),
            calls: AtomicU64::new(0),
            traffic: Mutex::default(),
            clock: Mutex::new(clock::ServerClock::default()),
            offset: Mutex::default(),
            #[cfg(feature = "simulation")]
            line: crate::simulation::line(),
        })
    }

    /// The system's name in the configuration.
    pub(crate) fn system(&self) -> &str {
        &self.system
    }

    /// The configured address.
    pub(crate) fn door(&self) -> &Url {
        &self.door
    }

    /// Where the work is done.
    pub(crate) fn base(&self) -> Url {
        let moved = self.moved.read().unwrap_or_else(PoisonError::into_inner);
        moved.as_ref().unwrap_or(&self.door).clone()
    }

    /// Does the work at another address from now on.
    pub(crate) fn move_to(&self, url: Url) {
        *self.moved.write().unwrap_or_else(PoisonError::into_inner) = Some(url);
    }

    /// Requests that reached the system.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// How the system answered since the start.
    pub(crate) fn traffic(&self) -> Traffic {
        self.lock_traffic().clone()
    }

    fn lock_traffic(&self) -> std::sync::MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A moment that the system's clock has surely reached by now; none before the first reply.
    pub(crate) fn reached(&self) -> Option<Timestamp> {
        self.lock_clock().reached(Instant::now())
    }

    /// How far the system's clock is ahead of ours; none before the first reply.
    pub(crate) fn offset(&self) -> Option<ClockOffset> {
        self.offset.lock().unwrap_or_else(PoisonError::into_inner).known()
    }

    /// Sends a request, repeating it as far as that is safe. Any reply with a status is a success here. A request that
    /// takes long is named while it is waited for.
    pub(crate) async fn send(&self, request: Request) -> Result<Reply, Failure> {
        #[cfg(feature = "simulation")]
        if self.line.is_some() {
            return self.repeat(request).await;
        }
        let what = format!("{} {}", request.method, shown_path(&request.target));
        let began = Instant::now();
        let mut sent = std::pin::pin!(self.repeat(request));
        let mut after = SLOW;
        loop {
            tokio::select! {
                biased;
                done = &mut sent => return done,
                () = tokio::time::sleep_until(began + after) => {
                    let (system, seconds) = (&self.system, after.as_secs());
                    tracing::warn!(system, "{system}: no answer for {seconds} s to {what}; it is waited for");
                    after *= 2;
                }
            }
        }
    }

    async fn repeat(&self, request: Request) -> Result<Reply, Failure> {
        let mut repeated = false;
        for pause in BACKOFF.into_iter().map(Some).chain([None]) {
            // Given up while it pauses: others go on.
            let turn = self.gate.turn().await;
            let began = Instant::now();
            let tried = self.attempt(&request).await;
            match &tried {
                Ok(reply) if reply.tells_of_too_many() => turn.too_many(),
                Ok(reply) if !reply.may_pass() => turn.went_well(),
                _ => {}
            }
            drop(turn);
            // What was waited for to the end is not waited for again at once.
            let hung = request.reads && began.elapsed() >= self.patience(&request);
            let (again, wait) = match &tried {
                Ok(reply) => (request.repeatable && reply.may_pass(), reply.retry_after()),
                // What was refused before it was sent is refused again.
                Err(Failure::NotSent(error)) => (error.kind == ErrorKind::Down, None),
                // What is no answer of this kind of system is none the next time either.
                Err(Failure::Lost(error)) => {
                    let again = request.repeatable && error.kind == ErrorKind::Down && !hung;
                    (again, None)
                }
            };
            let wait = pause.map(|pause| wait.unwrap_or(pause));
            match (tried, wait) {
                (tried, Some(wait)) if again && wait <= LONGEST_WAIT => {
                    repeated |= !matches!(tried, Err(Failure::NotSent(_)));
                    tracing::debug!(system = self.system, "{}: repeating a request", self.system);
                    tokio::time::sleep(wait).await;
                }
                (Ok(reply), _) => return Ok(Reply { repeated, ..reply }),
                // An earlier attempt may have been carried out, whatever became of this one.
                (Err(Failure::NotSent(error)), _) if repeated => return Err(Failure::Lost(error)),
                (Err(failure), _) => return Err(failure),
            }
        }
        Err(Failure::NotSent(self.down("no attempt was left")))
    }

    /// The longest wait for an answer.
    fn patience(&self, request: &Request) -> Duration {
        match request.patience {
            Some(own) => own,
            None if request.reads => self.deadline.min(READ),
            None => self.deadline,
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Reply, Failure> {
        let base = if request.at_the_door {
            self.door.clone()
        } else {
            self.base()
        };
        let url = address::pin(&self.system, &base, &request.target).map_err(Failure::NotSent)?;
        let meter = self.meter.as_ref().filter(|_| request.counted);
        if let Some(meter) = meter {
            meter.admit(self.reached()).map_err(Failure::NotSent)?;
        }
        let mut headers = request.headers.clone();
        if let Some(signer) = &request.signer {
            signer.sign(&request.method, &url, &mut headers);
        }
        let told = wire::sent(&self.system, request, &url, &headers);
        let mut builder = self.client.request(request.method.clone(), url).headers(headers);
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        if let Some((path, files)) = &request.from {
            let file = file::Sent::open(files, path);
            let file = file.map_err(|error| Failure::NotSent(self.unkept(path, &error)))?;
            builder = builder.body(reqwest::Body::wrap(file));
        }
        builder = builder.timeout(self.patience(request));
        let path = shown_path(&request.target);
        tracing::debug!(system = self.system, "{}: {} {path}", self.system, request.method);
        let (began, sent) = (clock::now(), Instant::now());
        let reached = self.reached();
        let response = self.exchange(builder, request).await;
        if let (Some(meter), Err(Failure::NotSent(_))) = (meter, &response) {
            meter.give_back();
        }
        self.lock_traffic().unanswered += u64::from(response.is_err());
        let response = response?;
        self.count(request);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if let Some(meter) = &self.meter {
            meter.learn(&headers);
        }
        if let Some(date) = headers
            .get("date")
            .and_then(|date| date.to_str().ok())
            .and_then(clock::parse)
        {
            self.lock_clock().learn(date, sent, Instant::now());
            let mut offset = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
            offset.learn(date, began, clock::now());
        }
        let body = match &request.into {
            Some((path, files)) if (200..300).contains(&status) => self.keep(response, files, path).await?,
            _ => self.body(response).await?,
        };
        if let Some(number) = told {
            wire::answered(&self.system, number, request, status, &headers, &body);
        }
        self.lock_traffic().note(status, sent.elapsed());
        Ok(Reply {
            status,
            headers,
            body,
            began,
            reached,
            repeated: false,
        })
    }

    /// One exchange over the network, or over the line of a simulation.
    async fn exchange(
        &self,
        builder: reqwest::RequestBuilder,
        request: &Request,
    ) -> Result<reqwest::Response, Failure> {
        #[cfg(feature = "simulation")]
        if let Some(line) = &self.line {
            use crate::simulation::{Broken, exchange};
            let built = builder
                .build()
                .map_err(|error| self.failure(error, Some(request)))?;
            return exchange(line.as_ref(), built)
                .await
                .map_err(|broken| match broken {
                    Broken::NotSent => Failure::NotSent(self.down("no connection")),
                    Broken::Lost => {
                        self.count(request);
                        Failure::Lost(self.silent("it did not answer in time"))
                    }
                });
        }
        let sent = builder.send().await;
        sent.map_err(|error| self.failure(error, Some(request)))
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.failure(error, None))?
        {
            if body.len() + chunk.len() > BODY_MAX {
                let what = format!("a reply was larger than {} MiB", BODY_MAX >> 20);
                return Err(Failure::Lost(self.protocol(what)));
            }
            body.extend_from_slice(&chunk);
        }
        limits::check(&body).map_err(|what| Failure::Lost(self.protocol(format!("a reply {what}"))))?;
        Ok(salvage::salvage(body))
    }

    /// Writes a body into a file.
    async fn keep(
        &self,
        mut response: reqwest::Response,
        files: &Files,
        path: &Path,
    ) -> Result<Vec<u8>, Failure> {
        let failed = |error: std::io::Error| Failure::Lost(self.unkept(path, &error));
        let mut file = files.create(path).map_err(failed)?;
        let mut bytes = 0;
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.failure(error, None))?
        {
            bytes += chunk.len() as u64;
            if bytes > FILE_MAX {
                let what = format!("a file of rows was larger than {} MiB", FILE_MAX >> 20);
                return Err(Failure::Lost(self.protocol(what)));
            }
            file.write_all(&chunk).map_err(failed)?;
        }
        file.finish().map_err(failed)?;
        Ok(Vec::new())
    }

    /// A file of ours cannot be read or written.
    pub(crate) fn unkept(&self, path: &Path, error: &std::io::Error) -> Error {
        let what = format!("{} cannot be used ({error})", path.display());
        let advice = "Check free space and permissions of the state folder, then try again";
        self.error(ErrorKind::Down, what, advice)
    }

    /// The failure of a request; one that was counted already is not given.
    fn failure(&self, error: reqwest::Error, uncounted: Option<&Request>) -> Failure {
        let unsent = error.is_connect() || error.is_builder();
        let cause = root(&error);
        if unsent && cause.contains("certificate") {
            return Failure::NotSent(self.error(
                ErrorKind::SignIn,
                format!("its certificate is not trusted ({cause})"),
                "Check the address; where the system has an authority of its own, name its certificates with \
                 `certificate_authority`",
            ));
        }
        let what = if error.is_timeout() && !unsent {
            "it did not answer in time".to_owned()
        } else {
            format!(
                "{} ({})",
                if unsent {
                    "no connection"
                } else {
                    "the connection broke"
                },
                cause
            )
        };
        if unsent {
            Failure::NotSent(self.down(what))
        } else {
            // A request that got no reply may have been carried out: it counts as a call.
            uncounted.into_iter().for_each(|request| self.count(request));
            Failure::Lost(self.silent(what))
        }
    }

    /// The system was reached and gave no answer.
    fn silent(&self, what: impl Into<String>) -> Error {
        Error {
            scope: Scope::Silence,
            ..self.down(what)
        }
    }

    /// The system is not to be reached right now.
    pub(crate) fn down(&self, what: impl Into<String>) -> Error {
        let advice = format!(
            "Check that it runs at {} and try again",
            address::shown(&self.base())
        );
        self.error(ErrorKind::Down, what, advice)
    }

    /// The system answered something that its documentation does not say.
    pub(crate) fn protocol(&self, what: impl Into<String>) -> Error {
        let advice = format!(
            "Check that {} is the address of this kind of system",
            address::shown(&self.base())
        );
        self.error(ErrorKind::Protocol, what, advice).as_answer()
    }

    /// Any error about this system.
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Error {
        Error {
            system: self.system.clone(),
            kind,
            message: message.into(),
            advice: advice.into(),
            retry_at: None,
            scope: Scope::System,
        }
    }

    fn count(&self, request: &Request) {
        self.calls
            .fetch_add(u64::from(request.counted), Ordering::Relaxed);
    }

    fn lock_clock(&self) -> std::sync::MutexGuard<'_, clock::ServerClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Paths name records at most; queries and bodies hold values, and stay out of logs.
fn shown_path(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// The certificates of an authority.
fn certificates(system: &str, pem: &[u8]) -> Result<Vec<reqwest::Certificate>, Error> {
    let unfit = || Error {
        system: system.to_owned(),
        kind: ErrorKind::SignIn,
        message: "the certificate authority is no PEM text with certificates".to_owned(),
        advice: "Name a file with `-----BEGIN CERTIFICATE-----` in `certificate_authority`".to_owned(),
        retry_at: None,
        scope: Scope::System,
    };
    let read = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| unfit())?;
    if read.is_empty() { Err(unfit()) } else { Ok(read) }
}

/// The innermost cause: "connection refused" rather than "error sending request". It names no address.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
