//! Systems that tell of changes by themselves: where they are listened to.

use crate::failure::Failure;
use crate::log::Level;
use crate::screen::Screen;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tandem_connector::Connector;
use tandem_connector::webhook::{Listener, Refused, Webhook};
use tandem_console::hooks::{Hook, Listening, Untaken, listen};
use tandem_merge::config::Configuration;
use tokio::task::JoinSet;

/// A connector's webhook, as whoever listens sees it.
struct Taken(Arc<Webhook>);

impl Hook for Taken {
    fn echo(&self) -> Option<&str> {
        self.0.echo()
    }

    fn take(&self, headers: &http::HeaderMap, body: &[u8]) -> Result<(), Untaken> {
        let taken = self.0.take(headers, body, jiff::Timestamp::now());
        taken.map_err(|refused| match refused {
            Refused::Unproven(why) => Untaken::Unproven(why.to_owned()),
            Refused::Unreadable(why) => Untaken::Unreadable(why),
        })
    }
}

/// Listens to the systems that tell of changes; none where none does.
pub(crate) async fn open(
    configuration: &Configuration,
    systems: &[Arc<dyn Connector>; 2],
) -> Result<Option<Listening>, Failure> {
    let hooks = systems.iter().filter_map(|system| {
        let hook: Arc<dyn Hook> = Arc::new(Taken(Arc::clone(system.webhook()?)));
        Some((system.system().to_owned(), hook))
    });
    let hooks: BTreeMap<_, _> = hooks.collect();
    if hooks.is_empty() {
        return Ok(None);
    }
    let address = configuration.listen.address;
    let listening = listen(address, hooks).await.map_err(|error| {
        Failure::usage(
            format!("webhooks cannot be listened to on {address} ({error})"),
            "Choose another address: `webhooks: { address: 127.0.0.1:PORT }`",
        )
    })?;
    Ok(Some(listening))
}

/// The shortest and the longest time after which a system is asked again that did not take it.
const AGAIN: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(900)];

/// Asks the systems to send messages, and again before they end to. It ends with what is returned.
pub(crate) fn subscribe(
    configuration: &Configuration,
    systems: &[Arc<dyn Connector>; 2],
    screen: &Screen,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for system in systems {
        let name = system.system();
        match (system.webhook(), &configuration.listen.public) {
            (Some(webhook), Some(public)) => {
                tasks.spawn(subscribed(Arc::clone(system), webhook.listener(public)));
            }
            (Some(_), None) if system.subscribes() => screen.log(
                Level::Warn,
                format!(
                    "{name} is not asked for messages: say where it reaches this, `webhooks: {{ public: https://... }}`"
                ),
            ),
            _ => {}
        }
    }
    tasks
}

async fn subscribed(system: Arc<dyn Connector>, listener: Listener) {
    let [mut pause, longest] = AGAIN;
    let [shortest, _] = AGAIN;
    loop {
        let now = Timestamp::now();
        match system.subscribe(&listener, now).await {
            Ok(None) => return,
            Ok(Some(next)) => {
                pause = shortest;
                let left = Duration::try_from(next.duration_since(now)).unwrap_or_default();
                tokio::time::sleep(left.max(Duration::from_secs(1))).await;
            }
            Err(error) => {
                tracing::warn!(
                    system = system.system(),
                    "{error}. Until it takes the subscription, it is asked for changes every `poll`"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        }
    }
}
