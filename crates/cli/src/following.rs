//! One change, followed: every step of it stands in the log under its trace, and goes to a collector where the configuration
//! names one.

mod post;
mod spans;

use crate::failure::Failure;
use crate::loading;
use spans::Spans;
use std::sync::Arc;
use tandem_api::{Masks, Trace, words};
use tandem_connector::Outcome;
use tandem_engine::{Happening, Watcher};
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::config::Configuration;
use tandem_merge::plan::Event;
use tandem_merge::record::{Observation, Presence};
use tracing::{Level, enabled, info};

/// What the log calls these lines: `TANDEM_LOG=tandem::trace=info` shows them alone.
const TARGET: &str = "tandem::trace";

/// Tells another watcher everything, and writes down the steps of each change.
pub(crate) struct Following {
    next: Arc<dyn Watcher>,
    masks: Masks,
    spans: Option<Spans>,
}

/// A watcher with the steps of each change written down before it.
///
/// # Errors
/// The headers for the collector cannot be read.
pub(crate) fn following(
    configuration: &Configuration,
    next: Arc<dyn Watcher>,
) -> Result<Arc<dyn Watcher>, Failure> {
    let spans = configuration.traces.as_ref();
    let spans = spans.map(|settings| Spans::begin(settings, loading::trace_headers(settings)?));
    Ok(Arc::new(Following {
        next,
        masks: Masks::of(&configuration.dataflow),
        spans: spans.transpose()?,
    }))
}

impl Watcher for Following {
    fn happened(&self, what: &Happening<'_>) {
        if enabled!(target: TARGET, Level::INFO) {
            self.log(what);
        }
        if let Some(spans) = &self.spans {
            spans.happened(what);
        }
        self.next.happened(what);
    }
}

impl Following {
    fn log(&self, what: &Happening<'_>) {
        match what {
            Happening::Taken { seen, trace } => log_taken(seen, *trace),
            Happening::Decided { event } if !event.trace.is_none() => self.log_line(event),
            Happening::Sending { system, intents } => {
                for intent in *intents {
                    log_write(intent, "sent", &format!("write {} to {system}", intent.id));
                }
            }
            Happening::Answered {
                system,
                intent,
                outcome,
            } => {
                let (became, _) = became(outcome);
                let sentence = format!("write {} by {system}: {became}", intent.id);
                log_write(intent, "answered", &sentence);
            }
            _ => {}
        }
    }

    fn log_line(&self, event: &Event) {
        let (trace, step) = (event.trace, event.what.name());
        let what = words::what(event, &self.masks);
        info!(target: TARGET, %trace, step, record = %event.record, "{step}: {}: {what} [trace {trace}]", event.record);
    }
}

fn log_taken(seen: &Observation, trace: Trace) {
    let how = match seen.presence {
        Presence::Alive => "",
        Presence::Deleted => " is deleted",
        Presence::Missing => " is not found",
    };
    let saved = seen.version.as_ref().map(|version| version.modified);
    let saved = saved.map_or_else(String::new, |saved| format!(", as it was saved at {saved}"));
    info!(target: TARGET, %trace, step = "seen", record = %seen.key, "seen: {}{how}{saved} [trace {trace}]", seen.key);
}

/// A line for each change that a write carries.
fn log_write(intent: &Intent, step: &str, sentence: &str) {
    for trace in intent.traces() {
        let write = intent.id;
        match &intent.action {
            Action::Update { record } | Action::Delete { record } => {
                info!(target: TARGET, %trace, step, write, record = %record, "{step}: {sentence} [trace {trace}]");
            }
            Action::Create { target, .. } | Action::Companion { target, .. } => {
                info!(target: TARGET, %trace, step, write, of = %target, "{step}: {sentence} [trace {trace}]");
            }
        }
    }
}

/// What became of a write in one word, without what its system says (that may hold values), and whether it is nothing good.
fn became(outcome: &Outcome) -> (&'static str, bool) {
    match outcome {
        Outcome::Applied { .. } => ("applied", false),
        Outcome::Accepted { .. } => ("accepted", false),
        Outcome::Refused(_) => ("refused", true),
        Outcome::Stale => ("stale", false),
        Outcome::Gone => ("gone", false),
        Outcome::Unknown(_) => ("unknown", true),
        Outcome::NotSent(_) => ("not sent", true),
    }
}
