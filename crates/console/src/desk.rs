//! What every answer of the console is made from.

use crate::access::{Access, Person, Role};
use crate::backstage::Backstage;
use crate::plans::Plans;
use crate::problem::Problem;
use crate::pulse::{Now, Pulse};
use jiff::Timestamp;
use std::sync::Arc;
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
    /// Told at the end: whoever listens to events is let go.
    pub(crate) closing: watch::Sender<bool>,
    /// As many look at once: each look is a connection to the state and a thread that blocks.
    looks: Semaphore,
    asks: Asks,
    now: Box<dyn Fn() -> Now + Send + Sync>,
}

/// As many look at once.
const LOOKS: usize = 8;

impl Desk {
    pub(crate) fn new(setting: Setting, port: u16) -> Self {
        Self {
            window: Arc::new(setting.window),
            pulse: Arc::new(Pulse::new()),
            plans: Plans::default(),
            backstage: setting.backstage,
            access: setting.access,
            homes: setting.homes,
            cookie: format!("tandem_{port}"),
            closing: watch::Sender::new(false),
            looks: Semaphore::new(LOOKS),
            asks: setting.asks,
            now: setting.now,
        }
    }

    /// What the process at work knows beside the state.
    pub(crate) fn now(&self) -> Now {
        (self.now)()
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
