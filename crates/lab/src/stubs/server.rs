//! Starting and stopping a stub, and what tests see and move: the clock, and records edited as by a person.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};
use thiserror::Error;
use tokio::net::TcpListener;

use super::answer::{Ask, Desk, Reply};
use super::clock::moment;
use super::store::Store;
use super::{Vendor, erpnext, netsuite, odoo, shape, xero};
use crate::serving::Serving;
use crate::traffic::Traffic;

/// The largest body, in bytes.
const BODY_MAX: usize = 16 * 1024 * 1024;
/// In whose name the requests of tests below `/_local` edit.
const PERSON: &str = "alice";

/// How a stub is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which ERP it imitates.
    pub vendor: Vendor,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// So many customers are there at the start, each with a contact.
    pub records: u32,
    /// So many rows a query of NetSuite shows at most.
    pub query_rows: u32,
    /// How many milliseconds every request is on its way.
    pub latency_ms: u64,
    /// A file for every request and its answer.
    pub record: Option<PathBuf>,
}

impl Options {
    /// A stub of that ERP, empty, on a free port.
    #[must_use]
    pub fn of(vendor: Vendor) -> Self {
        Self {
            vendor,
            port: 0,
            records: 0,
            query_rows: netsuite::CAP,
            latency_ms: 0,
            record: None,
        }
    }
}

/// Why a stub did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port cannot be listened on.
    #[error("port {port} cannot be listened on ({source}); choose another")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the machine answered.
        source: io::Error,
    },
    /// The file for requests cannot be made.
    #[error("no record of requests can be made: {0}")]
    Record(io::Error),
    /// The built-in table of record types is broken: a mistake in this program.
    #[error("{0}")]
    Table(String),
}

/// A running stub. Dropping it stops it without waiting; [`Server::shutdown`] waits.
#[derive(Debug)]
pub struct Server {
    serving: Serving,
}

impl Server {
    /// Where it can be reached, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// Stops accepting requests and waits until those under way are answered.
    pub async fn shutdown(self) {
        self.serving.shutdown().await;
    }
}

/// What all requests share.
struct Stub {
    inner: Mutex<Inner>,
}

struct Inner {
    store: Store,
    desk: Box<dyn Desk>,
    /// API requests so far.
    calls: u64,
    /// What the next API requests are answered with instead.
    instead: Vec<Reply>,
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").finish_non_exhaustive()
    }
}

impl Stub {
    /// A request that panicked cannot have left the records half changed: every write is judged before it is carried out.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a stub on loopback.
///
/// # Errors
/// [`StartError`]: a port in use, a file that cannot be made.
pub async fn serve(options: Options) -> Result<Server, StartError> {
    let (table, desk): (&str, Box<dyn Desk>) = match options.vendor {
        Vendor::Odoo => (odoo::TABLE, Box::new(odoo::Odoo)),
        Vendor::Erpnext => (erpnext::TABLE, Box::new(erpnext::Erpnext)),
        Vendor::Xero => (xero::TABLE, Box::new(xero::Xero::default())),
        Vendor::Netsuite => (
            netsuite::TABLE,
            Box::new(netsuite::Netsuite::new(options.query_rows)),
        ),
    };
    let mut store = Store::new(shape::read(table).map_err(StartError::Table)?);
    for number in 1..=options.records {
        match options.vendor {
            Vendor::Odoo => odoo::sample(&mut store, number),
            Vendor::Erpnext => erpnext::sample(&mut store, number),
            Vendor::Xero => xero::sample(&mut store, number),
            Vendor::Netsuite => netsuite::sample(&mut store, number),
        }
    }
    let port = options.port;
    let failed = |source| StartError::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(failed)?;
    let traffic = Traffic::open(options.latency_ms, options.record.as_deref()).map_err(StartError::Record)?;
    let stub = Arc::new(Stub {
        inner: Mutex::new(Inner {
            store,
            desk,
            calls: 0,
            instead: Vec::new(),
        }),
    });
    let app = Router::new()
        .fallback(answer)
        .layer(axum::middleware::from_fn(this_machine))
        .with_state(stub);
    Ok(Server {
        serving: Serving::begin("a stub", listener, app, traffic).map_err(failed)?,
    })
}

/// Refuses what a page of another site could make a browser send here.
async fn this_machine(request: Request, next: Next) -> Response {
    let foreign = request.headers().contains_key("origin");
    if foreign || !crate::host::is_for_this_machine(request.headers(), request.uri()) {
        let what = "This stub serves programs of this machine only: call it localhost, 127.0.0.1 or [::1].";
        return (StatusCode::FORBIDDEN, what).into_response();
    }
    next.run(request).await
}

async fn answer(State(stub): State<Arc<Stub>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let headers = parts.headers.iter();
    let ask = Ask {
        method: parts.method.as_str().to_owned(),
        path: steps(parts.uri.path()),
        query: pairs(parts.uri.query().unwrap_or_default()),
        headers: headers
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    value.to_str().unwrap_or_default().to_owned(),
                )
            })
            .collect(),
        body: body.to_vec(),
    };
    let mut inner = stub.inner();
    let inner = &mut *inner;
    let reply = match ask.steps().split_first() {
        Some((&"_local", rest)) => local(inner, rest, &ask),
        _ => {
            inner.calls += 1;
            match inner.instead.pop() {
                Some(reply) => reply,
                None => inner.desk.answer(&mut inner.store, &ask),
            }
        }
    };
    written(&reply, &inner.store.clock.date())
}

/// The steps of a path, decoded.
fn steps(path: &str) -> Vec<String> {
    let decoded = |step: &str| {
        let pair = format!("s={}", step.replace('+', "%2B").replace('&', "%26"));
        let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
        pairs
            .next()
            .map(|(_, step)| step.into_owned())
            .unwrap_or_default()
    };
    let steps = path.split('/').filter(|step| !step.is_empty());
    steps.map(decoded).collect()
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn written(reply: &Reply, date: &str) -> Response {
    let mut response = match &reply.body {
        Some(body) => Response::new(Body::from(body.to_string())),
        None => Response::new(Body::empty()),
    };
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = reply.body.as_ref().map(|_| ("content-type", "application/json"));
    let own = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.chain(json).chain([("date", date)]) {
        if let Ok(value) = HeaderValue::from_str(value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// What tests see and move.
fn local(inner: &mut Inner, steps: &[&str], ask: &Ask) -> Reply {
    let store = &mut inner.store;
    let body = ask.members();
    let done = |done: Result<String, super::store::Fault>| match done {
        Ok(id) => Reply::ok(json!({ "id": id })),
        Err(fault) => Reply::new(
            422,
            json!({ "property": fault.field, "what": format!("{:?}", fault.what) }),
        ),
    };
    match (ask.method.as_str(), steps) {
        ("GET", ["clock"]) => {}
        ("POST", ["clock"]) => {
            let seconds = body.get("advanceSeconds").and_then(Json::as_u64);
            match seconds.and_then(|seconds| u32::try_from(seconds).ok()) {
                Some(seconds) => store.clock.advance(seconds),
                None => return Reply::new(400, json!({ "message": "Send {\"advanceSeconds\": n}." })),
            }
        }
        ("GET", ["calls"]) => return Reply::ok(json!({ "requests": inner.calls })),
        ("POST", ["instead"]) => {
            let status = body.get("status").and_then(Json::as_u64).unwrap_or(500);
            let mut reply = Reply::new(
                u16::try_from(status).unwrap_or(500),
                body.get("body").cloned().unwrap_or(json!({})),
            );
            if let Some(seconds) = body.get("retryAfter") {
                reply.headers.push(("retry-after", seconds.to_string()));
            }
            inner.instead.push(reply);
        }
        ("GET", ["rows", table]) => {
            let rows = store
                .table(table)
                .map(|table| table.rows.values().map(shown).collect());
            return rows.map_or_else(nowhere, |rows: Vec<Json>| Reply::ok(rows.into()));
        }
        ("POST", ["rows", table]) => return done(store.create(table, &body, PERSON)),
        ("PATCH", ["rows", table, id]) => {
            let id = (*id).to_owned();
            return done(store.update(table, &id, &body, PERSON).map(|()| id));
        }
        ("DELETE", ["rows", table, id]) => return done(store.delete(table, id).map(|()| (*id).to_owned())),
        _ => return nowhere(),
    }
    Reply::ok(json!({ "now": moment(inner.store.clock.now()).to_string() }))
}

fn shown(row: &super::store::Row) -> Json {
    json!({ "id": row.id, "values": row.values, "by": row.by, "modified": moment(row.modified).to_string() })
}

fn nowhere() -> Reply {
    Reply::new(404, json!({ "message": "There is nothing here." }))
}
