//! Systems that tell of changes by themselves: where they are listened to.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_connector::webhook::{Refused, Webhook};
use tandem_console::hooks::{Hook, Listening, Untaken, listen};
use tandem_merge::config::Configuration;

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
