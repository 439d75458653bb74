//! Listening to systems that tell of changes by themselves.
//!
//! This is a line of its own, apart from the console: it may be open to the world, and all it takes are messages that
//! prove where they come from. Nothing of the state is ever answered.

use crate::connections::{self, Limits};
use crate::problem::Problem;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The largest message: those that name records need a small part of it.
const LARGEST: usize = 1024 * 1024;
/// The longest word that is sent back.
const LONGEST: usize = 1024;
/// So many may be connected at once: messages are short.
const CONNECTIONS: usize = 64;
/// So long are messages under way waited for at the end.
const LAST: Duration = Duration::from_millis(500);

/// Refused messages are told once in so long: whoever sends them decides nothing about the log.
const QUIET: Duration = Duration::from_secs(60);

/// A system that is listened to.
pub trait Hook: Send + Sync {
    /// The parameter that is sent back when the system asks whether somebody listens.
    fn echo(&self) -> Option<&str>;

    /// Takes a message.
    ///
    /// # Errors
    /// It is not taken, and why.
    fn take(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Untaken>;
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// Nothing proves that the system sent it.
    Unproven(String),
    /// It is not understood.
    Unreadable(String),
}

/// A line that is open.
pub struct Listening {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    /// Ends with this.
    task: JoinSet<()>,
}

impl Listening {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; messages under way have a moment to end.
    pub async fn shutdown(mut self) {
        // Errors mean that it has ended already.
        let _ended = self.stop.send(());
        // One that takes longer ends with this.
        let _late = tokio::time::timeout(LAST, self.task.join_next()).await;
    }
}

/// Who is listened to, and when a refusal was told last.
struct Ear {
    hooks: BTreeMap<String, Arc<dyn Hook>>,
    told: Mutex<BTreeMap<String, (Instant, u64)>>,
}

type Hooks = Arc<Ear>;

impl Ear {
    fn hook(&self, system: &str) -> Option<&dyn Hook> {
        self.hooks.get(system).map(AsRef::as_ref)
    }

    /// Tells of a refusal, with how many came since the last one that was told.
    fn tell(&self, system: &str, words: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.get(system).copied();
        let count = match before {
            Some((at, untold)) if at.elapsed() < QUIET => {
                told.insert(system.to_owned(), (at, untold + 1));
                return;
            }
            Some((_, untold)) => untold,
            None => 0,
        };
        told.insert(system.to_owned(), (Instant::now(), 0));
        drop(told);
        match count {
            0 => tracing::warn!(system, "{system}: {words}"),
            more => tracing::warn!(system, "{system}: {words} ({more} more in the last minutes)"),
        }
    }
}

/// Listens to systems, each by its name at `/webhooks/NAME`.
///
/// # Errors
/// The address cannot be listened on.
pub async fn listen(address: SocketAddr, hooks: BTreeMap<String, Arc<dyn Hook>>) -> io::Result<Listening> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/webhooks/{system}", post(take).get(greet))
        .with_state(Arc::new(Ear {
            hooks,
            told: Mutex::default(),
        }));
    let (stop, stopped) = oneshot::channel::<()>();
    let mut task = JoinSet::new();
    task.spawn(connections::serve(
        listener,
        app,
        Limits::of(CONNECTIONS),
        stopped,
    ));
    Ok(Listening { address, stop, task })
}

fn unknown(system: &str) -> Response {
    Problem::not_found(format!("no system called {system} is listened to"))
        .advised("Post to /webhooks/ and the name of a connection that has `webhooks:`")
        .into_response()
}

/// Sends back what a system asks with, as text that no browser takes for a page.
fn echoed(hook: &dyn Hook, asked: &BTreeMap<String, String>) -> Option<Response> {
    let word = asked
        .get(hook.echo()?)
        .filter(|word| word.len() <= LONGEST)?
        .clone();
    let mut response = (StatusCode::OK, word).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    Some(response)
}

async fn greet(
    State(hooks): State<Hooks>,
    Path(system): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let Some(hook) = hooks.hook(&system) else {
        return unknown(&system);
    };
    echoed(hook, &asked).unwrap_or_else(|| StatusCode::METHOD_NOT_ALLOWED.into_response())
}

async fn take(
    State(hooks): State<Hooks>,
    Path(system): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let Some(hook) = hooks.hook(&system) else {
        return unknown(&system);
    };
    if let Some(response) = echoed(hook, &asked) {
        return response;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return Problem::unread(StatusCode::PAYLOAD_TOO_LARGE, "")
            .advised("A message has 1 MB at most: let it name records, not describe them")
            .into_response();
    };
    match hook.take(&parts.headers, &body) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(Untaken::Unproven(why)) => {
            hooks.tell(
                &system,
                &format!("a message of changes is refused: {why}. See that `webhooks:` has the secret and the form that its sender has"),
            );
            Problem::unproven(why).into_response()
        }
        Err(Untaken::Unreadable(why)) => {
            hooks.tell(
                &system,
                &format!("a message of changes is not understood: {why}. It is asked for changes instead; correct `records:` under its `webhooks:`"),
            );
            Problem::bad(format!("the message is not understood: {why}")).into_response()
        }
    }
}
