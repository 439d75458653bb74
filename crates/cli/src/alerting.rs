//! Tells somebody what needs them: alerts, posted to the address that the configuration names.

use crate::failure::Failure;
use crate::loading;
use std::sync::Arc;
use std::time::Duration;
use tandem_api::Window;
use tandem_api::alert::{Alert, Patience, Trouble, Vigil};
use tandem_merge::config::{AlertSettings, Configuration};
use tokio::task::JoinHandle;

/// How often it is looked whether somebody is to be told.
const LOOKS: Duration = Duration::from_secs(2);
/// The longest that an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Alerts that are kept while the address does not answer, the newest.
const KEPT: usize = 100;

/// Who tells, until this is dropped.
pub(crate) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to tell, where the configuration says whom.
///
/// # Errors
/// The address cannot be read, or is none.
pub(crate) fn begin(
    configuration: &Configuration,
    window: Window,
    troubles: Arc<dyn Fn() -> Vec<Trouble> + Send + Sync>,
) -> Result<Option<Watch>, Failure> {
    let Some(settings) = &configuration.alerts else {
        return Ok(None);
    };
    let post = Post {
        address: loading::alert_address(settings)?,
        client: client()?,
        waiting: Vec::new(),
        complained: false,
    };
    let watch = watch(window, troubles, patience(settings), post);
    Ok(Some(Watch(tokio::spawn(watch))))
}

fn patience(settings: &AlertSettings) -> Patience {
    Patience {
        after: jiff::SignedDuration::from_millis(settings.after_ms),
        again: jiff::SignedDuration::from_millis(settings.again_ms),
    }
}

fn client() -> Result<reqwest::Client, Failure> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE);
    builder.build().map_err(|error| {
        Failure::trouble(
            format!("alerts cannot be sent ({})", error.without_url()),
            "Check the certificates of this machine",
        )
    })
}

async fn watch(
    window: Window,
    troubles: Arc<dyn Fn() -> Vec<Trouble> + Send + Sync>,
    patience: Patience,
    mut post: Post,
) {
    let mut vigil = Vigil::default();
    let window = Arc::new(window);
    loop {
        let looks = window.clone();
        let looked = tokio::task::spawn_blocking(move || {
            looks.look(false, |looker| looker.overview(jiff::Timestamp::now()))
        });
        match looked.await {
            Ok(Ok(overview)) => {
                post.waiting
                    .extend(vigil.look(&overview, &troubles(), patience, overview.at));
            }
            Ok(Err(refused)) => tracing::warn!("nobody can be told how things stand: {}", refused.what),
            Err(_) => return,
        }
        post.send().await;
        tokio::time::sleep(LOOKS).await;
    }
}

/// Where alerts are posted, and those that wait because nobody answers there.
struct Post {
    address: reqwest::Url,
    client: reqwest::Client,
    waiting: Vec<Alert>,
    complained: bool,
}

impl Post {
    /// Sends what waits, the oldest first; what is not taken is sent the next time.
    async fn send(&mut self) {
        while let Some(alert) = self.waiting.first() {
            let sent = self.client.post(self.address.clone()).json(alert).send().await;
            // The address may be a secret: it stands in no message.
            let why = match sent.map(|reply| reply.status()) {
                Ok(status) if status.is_success() => None,
                Ok(status) => Some(format!("it answers {status}")),
                Err(error) => Some(error.without_url().to_string()),
            };
            if let Some(why) = why {
                if !self.complained {
                    tracing::warn!(
                        "alerts are not taken by the address of `alerts.webhook` ({why}); they are sent again"
                    );
                }
                self.complained = true;
                let surplus = self.waiting.len().saturating_sub(KEPT);
                self.waiting.drain(..surplus);
                return;
            }
            self.complained = false;
            self.waiting.remove(0);
        }
    }
}
