//! Starting and stopping the server.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::Router;
use thiserror::Error;
use tokio::net::TcpListener;

use super::calls::Calls;
use super::fault::{self, FaultKind};
use super::options::{Options, User};
use super::schema::{Catalog, TableError};
use super::store::Store;
use super::{admin, api, gate, generate, northwind, pages};
use crate::clock::Clock;
use crate::serving::Serving;
use crate::traffic::Traffic;

/// Why a local Customerp did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is open to other machines.
    #[error("Customerp serves this machine only: {0} is not a loopback address; use 127.0.0.1")]
    NotLoopback(IpAddr),
    /// The options contradict each other or cannot be read.
    #[error("options of Customerp: {0}")]
    Options(String),
    /// The port cannot be listened on.
    #[error("Customerp cannot listen on {address}: {source}; choose another port")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the machine answered.
        source: io::Error,
    },
    /// The dump to import cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the machine answered.
        source: io::Error,
    },
    /// The dump to import is not what it should be.
    #[error("Northwind dump, line {line}: {what}")]
    Northwind {
        /// Line of the dump, from 1; 0 for the dump as a whole.
        line: usize,
        /// What was found there.
        what: String,
    },
    /// The file for requests cannot be made.
    #[error("no record of requests can be made: {source}")]
    Record {
        /// What the machine answered.
        source: io::Error,
    },
    /// A fault cannot be planted.
    #[error("cannot plant {kind:?}: {why}")]
    Fault {
        /// The fault.
        kind: FaultKind,
        /// What stands in the way.
        why: String,
    },
    /// The built-in table of record types is broken: a mistake in this program.
    #[error("record types: {0}")]
    Table(String),
}

impl From<TableError> for StartError {
    fn from(error: TableError) -> Self {
        Self::Table(error.to_string())
    }
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Erp {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) calls: Calls,
    pub(crate) company: String,
    pub(crate) currency: String,
    pub(crate) users: Vec<User>,
    store: RwLock<Store>,
}

impl Erp {
    /// A new ERP, filled as the options say.
    pub(crate) fn filled(options: &Options) -> Result<Self, StartError> {
        options.check()?;
        let catalog = Arc::new(Catalog::built_in()?);
        let clock = Arc::new(Clock::default());
        let mut store = Store::new(Arc::clone(&catalog), Arc::clone(&clock));
        if let Some(path) = &options.northwind {
            let read = std::fs::read_to_string(path);
            let dump = read.map_err(|source| StartError::Read {
                path: path.clone(),
                source,
            })?;
            northwind::import(&mut store, &dump, options)?;
        } else if let Some(dump) = &options.northwind_sql {
            northwind::import(&mut store, dump, options)?;
        } else if options.records > 0 {
            generate::fill(&mut store, options);
        }
        fault::plant(&mut store, &options.faults)?;
        Ok(Self {
            catalog,
            clock,
            calls: Calls::default(),
            company: options.company.clone(),
            currency: options.currency.clone(),
            users: options.users.clone(),
            store: RwLock::new(store),
        })
    }

    /// The records, to read. A write that panicked cannot have left them half changed: every operation checks first.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records, to change.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running local Customerp. Dropping it stops it without waiting; [`Server::shutdown`] waits.
#[derive(Debug)]
pub struct Server {
    serving: Serving,
    counts: Vec<(String, usize)>,
}

impl Server {
    /// Where it can be reached, such as `http://127.0.0.1:40123`: the record browser, and under `/api/v1` the API.
    #[must_use]
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// How many records of each type it started with, by type name.
    #[must_use]
    pub fn counts(&self) -> &[(String, usize)] {
        &self.counts
    }

    /// Stops accepting requests and waits until those under way are answered.
    pub async fn shutdown(self) {
        self.serving.shutdown().await;
    }
}

/// Fills a local Customerp as the options say and serves it on loopback.
///
/// # Errors
/// [`StartError`]: unfit options, a dump that cannot be read or imported, a port in use.
pub async fn serve(options: Options) -> Result<Server, StartError> {
    let erp = Arc::new(Erp::filled(&options)?);
    let wanted = SocketAddr::new(options.address, options.port);
    let failed = |source| StartError::Listen {
        address: wanted,
        source,
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let traffic = Traffic::open(options.latency_ms, options.record.as_deref())
        .map_err(|source| StartError::Record { source })?;
    let counts = counts(&erp);
    let serving = Serving::begin("Customerp", listener, router(erp), traffic).map_err(failed)?;
    Ok(Server { serving, counts })
}

fn counts(erp: &Erp) -> Vec<(String, usize)> {
    let store = erp.read();
    let types = erp.catalog.types.iter().enumerate();
    types
        .map(|(index, record_type)| (record_type.name.clone(), store.count(index)))
        .collect()
}

pub(super) fn router(erp: Arc<Erp>) -> Router {
    let api = api::routes().layer(axum::middleware::from_fn_with_state(Arc::clone(&erp), gate::api));
    Router::new()
        .nest("/api/v1", api)
        .merge(admin::routes())
        .merge(pages::routes())
        .layer(axum::middleware::from_fn(gate::this_machine))
        .with_state(erp)
}
