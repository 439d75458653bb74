//! The console beside the work: where it is served, and the links that lead in.

mod backstage;
pub(crate) mod hooks;

use crate::beside;
use crate::failure::Failure;
use crate::loading;
use backstage::Backstage;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tandem_api::{Asks, Refused, Window};
use tandem_connector::Connector;
use tandem_console::access::{Access, Token, link_key};
use tandem_console::{Now, Server, Setting};
use tandem_engine::Engine;
use tandem_ledger::Home;
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;

/// Where it is served where nothing is said.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8743);

/// The file in the state's folder that says where the console is.
const NOTE: &str = "console.url";

/// What is served, and where.
pub(crate) struct Wanted {
    /// Where; none: at the usual address, or at a free port where that is taken.
    pub(crate) address: Option<SocketAddr>,
    /// Names that it answers to besides the machine's own.
    pub(crate) names: Vec<String>,
    /// Pages of the two systems themselves.
    pub(crate) homes: [Option<String>; 2],
}

/// What the console stands beside.
pub(crate) struct Work<'a> {
    /// The state's folder.
    pub(crate) folder: &'a Path,
    /// The file of the configuration.
    pub(crate) file: &'a Path,
    /// Where the state is.
    pub(crate) home: Home,
    /// What is configured.
    pub(crate) configuration: &'a Configuration,
    /// Who works.
    pub(crate) engine: &'a Engine,
    /// Where it is asked for something.
    pub(crate) asks: Asks,
    /// Systems in trouble, one sentence each.
    pub(crate) troubles: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// A console that is open.
pub(crate) struct Console {
    server: Server,
    note: PathBuf,
    at: Whereabouts,
    link: String,
}

/// Where a console is, and what its links are made with beside the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Whereabouts {
    /// Its address.
    pub(crate) url: String,
    /// The start of the process that serves it.
    start: String,
}

impl Console {
    /// A link that signs in once.
    pub(crate) fn link(&self) -> &str {
        &self.link
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.at.url
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        // One that is left says where nothing is any more, which is noticed.
        let _left = std::fs::remove_file(&self.note);
        self.server.shutdown().await;
    }
}

/// Opens the console of an engine that is about to work.
pub(crate) async fn open(work: Work<'_>, wanted: Wanted) -> Result<Console, Failure> {
    let tokens = loading::console_tokens(work.configuration)?;
    let address = wanted.address.unwrap_or(USUAL);
    let mut served = serve(&work, &wanted, &tokens, address).await?;
    if wanted.address.is_none() && served.is_err() {
        served = serve(&work, &wanted, &tokens, SocketAddr::new(USUAL.ip(), 0)).await?;
    }
    let (server, start) = served.map_err(|error| {
        Failure::usage(
            format!("the console cannot listen on {address} ({error})"),
            "Choose another port with --console, or run with --no-console",
        )
    })?;
    let note = work.folder.join(NOTE);
    let at = Whereabouts {
        url: reachable(server.address()),
        start,
    };
    beside::keep(work.folder, NOTE, &at).map_err(closed)?;
    let link = link(work.folder, &at).map_err(closed)?;
    Ok(Console {
        server,
        note,
        at,
        link,
    })
}

/// An address that this machine reaches it by, where it listens on all.
fn reachable(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// Serves at an address; the inner error is that it cannot be had.
async fn serve(
    work: &Work<'_>,
    wanted: &Wanted,
    tokens: &[Token],
    address: SocketAddr,
) -> Result<std::io::Result<(Server, String)>, Failure> {
    let provider = loading::console_provider(work.configuration)?;
    let led = provider.is_none()
        || work
            .configuration
            .console
            .sign_in
            .as_ref()
            .is_some_and(|it| it.reached_at.is_some());
    if !led && !address.ip().is_loopback() {
        return Err(Failure::usage(
            "nothing says where people's browsers reach the console, and the provider must lead them back there",
            "Add `reached_at: https://..` under `sign_in:` of the console",
        ));
    }
    let access = Access::new(work.folder, tokens.to_vec()).map_err(closed)?;
    let access = access.with_provider(provider);
    let start = access.start().to_owned();
    let setting = Setting {
        access,
        window: window(work)?,
        asks: work.asks.clone(),
        backstage: Arc::new(Backstage::of(work)),
        now: now(work.troubles.clone(), work.engine.systems().clone()),
        homes: wanted.homes.clone(),
        connections: work.configuration.console.connections,
    };
    let served = tandem_console::serve(address, wanted.names.clone(), setting).await;
    Ok(served.map(|server| (server, start)))
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn closed(error: std::io::Error) -> Failure {
    Failure::trouble(
        format!("the console cannot be opened ({error})"),
        "See that the state's folder can be written, or run with --no-console",
    )
}

/// Where the console of a state is; none where none is open.
pub(crate) fn whereabouts(folder: &Path) -> Option<Whereabouts> {
    beside::kept(folder, NOTE).ok()?
}

/// A link that signs in once to a console.
pub(crate) fn link(folder: &Path, at: &Whereabouts) -> std::io::Result<String> {
    let key = link_key(folder, &at.start, jiff::Timestamp::now())?;
    Ok(format!("{}/enter?key={key}", at.url))
}

/// A window on the state of an engine.
pub(crate) fn window(work: &Work<'_>) -> Result<Window, Failure> {
    window_on(work.home.clone(), work.configuration, work.engine.flows().clone())
}

/// A window on a state, by the flows with which an engine works.
pub(crate) fn window_on(
    home: Home,
    configuration: &Configuration,
    flows: Dataflow,
) -> Result<Window, Failure> {
    let keys = loading::keys(configuration)?;
    let open = move || {
        let found = tandem_ledger::Ledger::open_to_look(&home, &keys)?;
        let none = || {
            Refused::trouble(
                format!("there is no state in {home}"),
                "Look whether it was moved",
            )
        };
        found.map(|it| Box::new(it) as _).ok_or_else(none)
    };
    Ok(Window::new(Box::new(open), flows))
}

/// What the process knows beside the state: troubles as they stand, and calls.
fn now(
    troubles: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    systems: [Arc<dyn Connector>; 2],
) -> Box<dyn Fn() -> Now + Send + Sync> {
    Box::new(move || {
        let at = jiff::Timestamp::now();
        let budgets = systems
            .iter()
            .filter_map(|system| Some((system.system(), system.budget()?)));
        let reached = budgets.filter_map(|(system, budget)| crate::standing::reached(system, &budget, at));
        let calls = systems
            .iter()
            .map(|system| (system.system().to_owned(), system.calls()));
        Now {
            troubles: troubles().into_iter().chain(reached).collect(),
            calls: calls.collect(),
            traffic: systems
                .iter()
                .map(|system| (system.system().to_owned(), system.traffic()))
                .collect(),
        }
    })
}
