//! Starting and stopping the server.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::post;
use thiserror::Error;
use tokio::net::TcpListener;

use super::csrf::{Sessions, random};
use super::exchange::{Answer, Call};
use super::lies::Lies;
use super::model::{Model, Service};
use super::options::{Options, Preset, User};
use super::service::{Settings, State, Talk};
use super::store::Store;
use super::subscriptions::Subscriptions;
use super::{admin, gate, sample};
use crate::clock::Clock;
use crate::customerp::calls::Calls;
use crate::serving::Serving;
use crate::traffic::Traffic;

/// Why a local OData service did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is open to other machines.
    #[error("the OData service serves this machine only: {0} is not a loopback address; use 127.0.0.1")]
    NotLoopback(IpAddr),
    /// The options contradict each other or cannot be read.
    #[error("options of the OData service: {0}")]
    Options(String),
    /// The port cannot be listened on.
    #[error("the OData service cannot listen on {address}: {source}; choose another port")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the machine answered.
        source: io::Error,
    },
    /// The records to fill it with cannot be had.
    #[error(transparent)]
    Records(#[from] crate::customerp::StartError),
    /// The file for requests cannot be made.
    #[error("no record of requests can be made: {source}")]
    Record {
        /// What the machine answered.
        source: io::Error,
    },
    /// The built-in model is broken: a mistake in this program.
    #[error("model: {0}")]
    Model(String),
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Erp {
    pub(crate) model: Model,
    pub(crate) clock: Clock,
    pub(crate) calls: Calls,
    pub(crate) users: Vec<User>,
    pub(crate) csrf: Option<bool>,
    pub(crate) sessions: Sessions,
    /// Who is told of changes, where this is a thing of the company's.
    pub(crate) subscriptions: Option<Subscriptions>,
    seed: u64,
    settings: Settings,
    state: Mutex<State>,
}

impl Erp {
    fn filled(options: &Options) -> Result<Self, StartError> {
        options.check()?;
        let model = Model::read(options.preset.model()).map_err(StartError::Model)?;
        let clock = Clock::default();
        let mut store = Store::new(&model);
        sample::fill(&model, &mut store, &clock, options)?;
        let state = State {
            store,
            lies: Lies(options.lies.iter().copied().collect()),
            lateness: i64::from(options.lateness_ms),
            epoch: random(),
            oldest_token: 0,
        };
        Ok(Self {
            model,
            clock,
            calls: Calls::default(),
            users: options.users.clone(),
            csrf: options.csrf,
            sessions: Sessions::default(),
            subscriptions: (options.preset == Preset::BusinessCentral).then(Subscriptions::default),
            seed: options.seed,
            settings: Settings {
                page_size: options.page_size,
                links: options.links,
                batch_most: options.batch_most,
            },
            state: Mutex::new(state),
        })
    }

    /// The entities, with nobody else at them. What panicked cannot have left them half changed: a change checks first.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service that a path leads to, and the rest of the path.
    pub(crate) fn service_at<'a>(&self, path: &'a str) -> Option<(&Service, &'a str)> {
        self.model.services.iter().find_map(|service| {
            let rest = path.strip_prefix(service.root.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((service, rest.trim_start_matches('/')))
        })
    }

    /// A conversation of this user with the service at that address.
    pub(crate) fn talk<'a>(&'a self, service: &'a Service, root: String, user: String) -> Talk<'a> {
        Talk {
            model: &self.model,
            service,
            clock: &self.clock,
            root,
            user,
            seed: self.seed,
            settings: self.settings,
        }
    }

    /// Carries out one request.
    pub(crate) fn answer(&self, service: &Service, root: String, user: String, call: &Call) -> Answer {
        let talk = self.talk(service, root, user);
        talk.answer(&mut self.state(), call)
    }
}

/// A running local OData service. Dropping it stops it without waiting; [`Server::shutdown`] waits.
#[derive(Debug)]
pub struct Server {
    serving: Serving,
    roots: Vec<String>,
    counts: Vec<(String, usize)>,
}

impl Server {
    /// Where it can be reached, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// The addresses of its services, such as `http://127.0.0.1:40123/v4`.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let roots = self.roots.iter();
        roots.map(|root| format!("{}{root}", self.url())).collect()
    }

    /// How many entities each set started with, by its name.
    #[must_use]
    pub fn counts(&self) -> &[(String, usize)] {
        &self.counts
    }

    /// Stops accepting requests and waits until those under way are answered.
    pub async fn shutdown(self) {
        self.serving.shutdown().await;
    }
}

/// Fills a local OData service as the options say and serves it on loopback.
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
    let roots = erp.model.services.iter().map(|service| service.root.clone());
    let roots = roots.collect();
    let serving = Serving::begin("the OData service", listener, router(erp), traffic).map_err(failed)?;
    Ok(Server {
        serving,
        roots,
        counts,
    })
}

fn counts(erp: &Erp) -> Vec<(String, usize)> {
    let state = erp.state();
    let sets = erp.model.sets.iter().enumerate();
    sets.map(|(index, set)| (set.name.clone(), state.store.count(index)))
        .collect()
}

fn router(erp: Arc<Erp>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(gate::token))
        .merge(admin::routes())
        .fallback(gate::serve)
        .layer(axum::middleware::from_fn(gate::this_machine))
        .with_state(erp)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_preset_has_a_sound_model() {
        for name in Preset::NAMES {
            Model::read(Preset::named(name).unwrap().model()).unwrap();
        }
    }
}
