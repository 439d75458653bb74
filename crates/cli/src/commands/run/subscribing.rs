//! Systems that post messages of changes only while they are asked to: they are asked beside the work, and again in time.

use super::Troubles;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tandem_connector::Connector;
use tandem_connector::webhook::Callback;
use tandem_merge::config::Configuration;
use tokio::task::JoinSet;

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_mins(5);
/// It is looked at so often at least: a machine may have slept.
const LOOKS: Duration = Duration::from_hours(1);

/// Begins to see to the subscriptions of both systems, until this is dropped.
pub(super) fn begin(
    configuration: &Configuration,
    systems: &[Arc<dyn Connector>; 2],
    troubles: &Troubles,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for system in systems.iter().filter(|system| system.subscribes()) {
        let name = system.system();
        let public = configuration.listen.public.as_deref();
        let Some(public) = public.filter(|_| system.webhook().is_some()) else {
            tracing::info!(
                system = name,
                "{name} would post messages of changes, and is not asked to: it needs the connection's `webhooks:`, and `webhooks: {{ public: https://... }}`"
            );
            continue;
        };
        let address = format!("{public}/webhooks/{name}");
        tasks.spawn(see_to(Arc::clone(system), address, troubles.clone()));
    }
    tasks
}

async fn see_to(system: Arc<dyn Connector>, address: String, troubles: Troubles) {
    let Some(webhook) = system.webhook().cloned() else {
        return;
    };
    let of = format!("{}: messages of changes", system.system());
    loop {
        let (address, secret) = (address.as_str(), webhook.secret());
        let now = Timestamp::now();
        let wait = match system.subscribe(Callback { address, secret }, now).await {
            Ok(next) => {
                if troubles.over(&of).is_some() {
                    tracing::info!(system = system.system(), "{of} are posted again");
                }
                let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
                until.unwrap_or(LOOKS).min(LOOKS)
            }
            Err(error) => {
                if troubles.note(&of, &error.to_string(), now).is_none() {
                    tracing::warn!(system = system.system(), "{error}");
                }
                AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}
