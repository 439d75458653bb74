//! Tells somebody what needs them: alerts, posted to the address that the configuration names.

use crate::beside;
use crate::failure::Failure;
use crate::loading;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_api::Window;
use tandem_api::alert::{Alert, Patience, Standing, Trouble, Vigil};
use tandem_merge::config::{AlertSettings, Configuration};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// How often it is looked whether somebody is to be told.
const LOOKS: Duration = Duration::from_secs(2);
/// The longest that an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_mins(5);
/// Alerts that are kept while the address does not answer, the newest.
const KEPT: usize = 100;

/// The file beside the state in which it stands what was told.
const FILE: &str = "alerts.json";

/// What stands and was told, and what is yet to be sent: it outlives a configuration that is read again, and a start.
pub(crate) struct Memory {
    vigil: Vigil,
    waiting: Vec<Alert>,
    folder: PathBuf,
}

/// The same, as it is kept.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    told: BTreeMap<String, Standing>,
    waiting: Vec<Alert>,
}

impl Memory {
    /// What was told by the process before, as the state's folder keeps it.
    pub(crate) fn kept_in(folder: &Path) -> Self {
        let Kept { told, waiting } = beside::kept(folder, FILE).unwrap_or_default().unwrap_or_default();
        Self {
            vigil: Vigil::after(told),
            waiting,
            folder: folder.to_owned(),
        }
    }

    fn keep(&self) {
        let kept = Kept {
            told: self.vigil.told().clone(),
            waiting: self.waiting.clone(),
        };
        if let Err(error) = beside::keep(&self.folder, FILE, &kept) {
            tracing::warn!("{} cannot be written: {error}", self.folder.join(FILE).display());
        }
    }
}

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
    memory: Arc<Mutex<Memory>>,
) -> Result<Option<Watch>, Failure> {
    let Some(settings) = &configuration.alerts else {
        return Ok(None);
    };
    let post = Post {
        address: loading::alert_address(settings)?,
        client: client()?,
        complained: false,
        pause: Duration::ZERO,
        next: Instant::now(),
    };
    let watch = watch(window, troubles, patience(settings), post, memory);
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
    memory: Arc<Mutex<Memory>>,
) {
    let window = Arc::new(window);
    loop {
        let looks = window.clone();
        let looked = tokio::task::spawn_blocking(move || {
            looks.look(false, |looker| looker.overview(jiff::Timestamp::now()))
        });
        let looked = looked.await;
        let mut memory = memory.lock().await;
        let before = memory.waiting.len();
        let mut told = false;
        match looked {
            Ok(Ok(overview)) => {
                let news = memory.vigil.look(&overview, &troubles(), patience, overview.at);
                told = !news.is_empty();
                memory.waiting.extend(news);
            }
            Ok(Err(refused)) => tracing::warn!("nobody can be told how things stand: {}", refused.what),
            Err(_) => return,
        }
        post.send(&mut memory.waiting).await;
        if told || memory.waiting.len() != before {
            memory.keep();
        }
        drop(memory);
        tokio::time::sleep(LOOKS).await;
    }
}

/// Where alerts are posted.
struct Post {
    address: reqwest::Url,
    client: reqwest::Client,
    complained: bool,
    /// The pause since the last attempt that was not taken, and when the next one is due.
    pause: Duration,
    next: Instant,
}

/// Whether an answer says that this request is never taken.
fn is_refusal(status: reqwest::StatusCode) -> bool {
    let later = [
        reqwest::StatusCode::REQUEST_TIMEOUT,
        reqwest::StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_client_error() && !later.contains(&status)
}

impl Post {
    /// Sends what waits, the oldest first; what is not taken is sent the next time.
    async fn send(&mut self, waiting: &mut Vec<Alert>) {
        if Instant::now() < self.next {
            return;
        }
        while let Some(alert) = waiting.first() {
            let sent = self.client.post(self.address.clone()).json(alert).send().await;
            // The address may be a secret: it stands in no message.
            let why = match sent.map(|reply| reply.status()) {
                Ok(status) if status.is_success() => None,
                // It will not be taken the next time either, and holds up no other.
                Ok(status) if is_refusal(status) => {
                    tracing::warn!(
                        "the alert `{}` is refused by the address of `alerts.webhook` ({status})",
                        alert.alert
                    );
                    None
                }
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
                let surplus = waiting.len().saturating_sub(KEPT);
                waiting.drain(..surplus);
                self.pause = (self.pause * 2).clamp(LOOKS, LONGEST);
                self.next = Instant::now() + self.pause;
                return;
            }
            self.complained = false;
            self.pause = Duration::ZERO;
            waiting.remove(0);
        }
    }
}
