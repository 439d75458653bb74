//! What every answer of the console is made from.

use crate::access::{Access, Person, Role};
use crate::backstage::Backstage;
use crate::plans::Plans;
use crate::problem::Problem;
use crate::pulse::{Now, Pulse};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tandem_api::look::Looker;
use tandem_api::{Asks, Command, Done, Refused, Window, door};
use tokio::sync::{Semaphore, watch};

/// What a console is set up with.
pub struct Setting {
    /// The state, to look at.
    pub window: Window,
    /// The process at work, to act.
    pub asks: Asks,
    /// What the program knows and can do beside both.
    pub backstage: Arc<dyn Backstage>,
    /// What it knows beside the state.
    pub now: Box<dyn Fn() -> Now + Send + Sync>,
    /// Who may come in.
    pub access: Access,
    /// So many connections at once.
    pub connections: usize,
    /// Links that stand beside the two systems' names: their own pages, where they have some.
    pub homes: [Option<String>; 2],
}

/// What every answer of the console is made from.
pub struct Desk {
    pub(crate) window: Arc<Window>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) plans: Plans,
    pub(crate) backstage: Arc<dyn Backstage>,
    pub(crate) access: Access,
    pub(crate) homes: [Option<String>; 2],
    /// The name of the cookie that holds a session: consoles on one host do not share it.
    pub(crate) cookie: String,
    /// Where browsers that come from the provider reach the console.
    pub(crate) reached: String,
    /// Told at the end: whoever listens to events is let go.
    pub(crate) closing: watch::Sender<bool>,
    /// Who listens to events, and how often.
    listeners: Mutex<BTreeMap<String, usize>>,
    /// So many listen at once: others look on.
    listen: usize,
    /// As many look at once: each look is a connection to the state and a thread that blocks.
    looks: Semaphore,
    asks: Asks,
    now: Box<dyn Fn() -> Now + Send + Sync>,
}

/// As many look at once.
const LOOKS: usize = 8;
/// So often at once one person listens.
const EACH: usize = 24;

/// Somebody who listens to events, until this is dropped.
pub(crate) struct Listening {
    desk: Arc<Desk>,
    name: String,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.desk.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = listeners.get_mut(&self.name) {
            *count -= 1;
        }
        listeners.retain(|_, count| *count > 0);
    }
}

impl Desk {
    pub(crate) fn new(setting: Setting, address: SocketAddr) -> Self {
        let provider = setting.access.provider.as_ref();
        let reached = provider.and_then(|provider| provider.settings.reached_at.clone());
        Self {
            window: Arc::new(setting.window),
            pulse: Arc::new(Pulse::new()),
            plans: Plans::default(),
            backstage: setting.backstage,
            access: setting.access,
            homes: setting.homes,
            cookie: format!("tandem_{}", address.port()),
            reached: reached.unwrap_or_else(|| format!("http://{address}")),
            closing: watch::Sender::new(false),
            listeners: Mutex::default(),
            listen: setting.connections / 2,
            looks: Semaphore::new(LOOKS),
            asks: setting.asks,
            now: setting.now,
        }
    }

    /// What a cookie of the way through the provider says of lines that anybody can read.
    pub(crate) fn secure(&self) -> &'static str {
        match self.reached.starts_with("https://") {
            true => "; Secure",
            false => "",
        }
    }

    /// What the process at work knows beside the state.
    pub(crate) fn now(&self) -> Now {
        (self.now)()
    }

    /// Lets somebody listen to events, unless they or all together do so too often already.
    pub(crate) fn listen(self: &Arc<Self>, person: &Person) -> Result<Listening, Problem> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = listeners.values().sum();
        let own = listeners.get(&person.name).copied().unwrap_or_default();
        if own >= EACH || all >= self.listen {
            return Err(Problem::too_often());
        }
        listeners.insert(person.name.clone(), own + 1);
        Ok(Listening {
            desk: self.clone(),
            name: person.name.clone(),
        })
    }

    /// Looks at the state; what is personal is masked for those who may not see it.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        person: &Person,
        look: impl FnOnce(&mut Looker<'_>) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Problem> {
        let (window, personal) = (self.window.clone(), person.role == Role::Admin);
        let _turn = self.looks.acquire().await;
        let looked = tokio::task::spawn_blocking(move || window.look(personal, look)).await;
        match looked {
            Ok(seen) => Ok(seen?),
            Err(error) => Err(Refused::trouble(format!("the look failed ({error})"), "Try again").into()),
        }
    }

    /// Asks what the program knows beside the state, where it may block.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Backstage) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let backstage = self.backstage.clone();
        let _turn = self.looks.acquire().await;
        let told = tokio::task::spawn_blocking(move || ask(backstage.as_ref())).await;
        told.map_err(|error| Refused::trouble(format!("the look failed ({error})"), "Try again").into())
    }

    /// Does what a person asks for, and notes who asked.
    pub(crate) async fn act(&self, person: &Person, command: Command) -> Result<Done, Problem> {
        if person.role < needed(&command) {
            let role = format!("{:?}", needed(&command)).to_lowercase();
            return Err(Problem::forbidden(format!("this needs the role {role}")));
        }
        let said = command.told();
        let done = door::ask(&self.asks, command).await;
        let outcome = done
            .as_ref()
            .map_or_else(|refused| refused.what.as_str(), |_| "done");
        tracing::info!(target: "tandem::audit", who = person.name, command = said, outcome, "{} asked", person.name);
        Ok(done?)
    }

    /// How long a search may look before it says where to go on.
    pub(crate) fn patience() -> std::time::Duration {
        std::time::Duration::from_millis(60)
    }

    /// The moment.
    pub(crate) fn moment() -> Timestamp {
        Timestamp::now()
    }
}

/// The least role that may ask for something.
pub(crate) fn needed(command: &Command) -> Role {
    match command {
        Command::Undo { carry_out: true, .. } | Command::Forget { .. } => Role::Admin,
        _ => Role::Operator,
    }
}
