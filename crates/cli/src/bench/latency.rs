//! `tandem bench latency`: from the reply to an edit in Salesforce to the answer to the write in Customerp.

use super::stage::Stage;
use crate::commands::run::schedule;
use crate::demo::people::People;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, table};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tandem_connector::Outcome;
use tandem_engine::{Engine, Happening, Watcher};
use tandem_lab::salesforce;
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::{Direction, Kind, Side};
use tandem_merge::value::Value;
use tokio::sync::{Notify, oneshot};

/// The flow whose records are edited.
const FLOW: &str = "contact-contact";
/// After so long an edit counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// What an edit by events may take at the median.
const GOAL: Duration = Duration::from_millis(250);

/// Measure how long an edit in Salesforce takes to arrive in Customerp, by events and by polling.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem bench latency
  tandem bench latency --edits 200 --json
  tandem bench latency --poll 5

Both systems run locally, so what is measured is Tandem's own share. Edits are made one after the other. The exit
code is 1 where an edit did not arrive, or the median by events is 250 ms or more.")]
pub(super) struct Latency {
    /// Edits of each way
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    edits: u32,
    /// Seconds between two rounds of polling
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    poll: u32,
}

/// What one way took.
struct Measured {
    way: &'static str,
    /// Sorted.
    times: Vec<Duration>,
    lost: u32,
    /// Calls to Salesforce per edit, in hundredths.
    calls: u64,
    /// SQL statements per edit, its echo among them.
    statements: u64,
}

impl Latency {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let mut stage = Stage::set_up(10, salesforce::Options::default(), screen).await?;
        for connection in &mut stage.configuration.connections {
            connection.poll_ms = i64::from(self.poll) * 1_000;
        }
        let events = stage.configuration.clone();
        let mut polling = events.clone();
        polling.connections[1].changes.events = Vec::new();
        let mut shown = table([
            "way",
            "edits",
            "median",
            "99th percentile",
            "calls an edit",
            "SQL statements an edit",
        ]);
        let mut good = true;
        for (way, configuration) in [("events", &events), ("polling", &polling)] {
            screen.say(format!("{} edits by {way} ...", self.edits));
            let measured = self.one_way(way, configuration, &stage).await?;
            screen.json(&measured.as_json());
            shown.add_row(measured.row());
            good &= measured.lost == 0 && (way != "events" || measured.percentile(50) < GOAL);
        }
        screen.result(shown);
        stage.customerp.shutdown().await;
        stage.salesforce.shutdown().await;
        Ok(if good { Exit::Done } else { Exit::Trouble })
    }

    async fn one_way(
        &self,
        way: &'static str,
        configuration: &Configuration,
        stage: &Stage,
    ) -> Result<Measured, Failure> {
        let arrivals = Arc::new(Arrivals::default());
        let home = super::home(&stage.folder.path().join(way), way)?;
        let store = loading::state(&home, &loading::keys(configuration)?)?;
        let parts = loading::parts(configuration, Box::new(store), arrivals.clone(), None).await?;
        let mut engine = Engine::open(parts).await?;
        if let Some(trouble) = engine.sync().await?.troubles.into_iter().next() {
            return Err(trouble.into());
        }
        let people = People::sign_in(&stage.customerp.url(), &stage.salesforce.url(), configuration).await?;
        let (property, ids) = edited(&mut engine)?;
        let org = Arc::clone(&engine.systems()[1]);
        let end = engine
            .flows()
            .flow(FLOW)
            .map(|flow| flow.end(Side::Second).clone());
        let Some(end) = end else { return Err(nothing()) };
        let (stop, stopped) = oneshot::channel::<()>();
        let schedule = schedule(configuration);
        let stopped = async move { drop(stopped.await) };
        let running = engine.run(&schedule, stopped);
        let measuring = async {
            let mut measured = Measured {
                way,
                times: Vec::new(),
                lost: 0,
                calls: 0,
                statements: 0,
            };
            // The subscription has its position once the org gave a sign of life.
            let rest = Duration::from_secs(u64::from(self.poll) * 3);
            tokio::time::sleep(rest).await;
            let (before, statements) = (org.calls(), tandem_ledger::statements());
            for number in 0..self.edits {
                let mark = format!("{way}, edit {number}");
                let id = &ids[number as usize % ids.len()];
                let text = Value::text(&mark);
                people.change(Side::Second, &end, id, &property, &text).await?;
                let replied = Instant::now();
                match arrivals.wait_for(&mark).await {
                    Some(arrived) => measured.times.push(arrived.saturating_duration_since(replied)),
                    None => measured.lost += 1,
                }
            }
            measured.calls = (org.calls() - before) * 100 / u64::from(self.edits);
            measured.statements = (tandem_ledger::statements() - statements) / u64::from(self.edits);
            measured.times.sort_unstable();
            drop(stop);
            Ok::<_, Failure>(measured)
        };
        let (ran, measured) = futures::join!(running, measuring);
        ran?;
        measured
    }
}

/// A free text of the flow that travels both ways, and records of Salesforce that are linked.
fn edited(engine: &mut Engine) -> Result<(String, Vec<String>), Failure> {
    let links = engine.store().links(Some(FLOW), 0, 100)?;
    let ids: Vec<String> = links.into_iter().map(|link| link.second.id).collect();
    let flow = engine.flows().flow(FLOW);
    let mappings = flow.into_iter().flat_map(|flow| &flow.mappings);
    let text = mappings.into_iter().find(|mapping| {
        mapping.kind == Kind::String
            && mapping.direction == Direction::Both
            && mapping.property(Side::Second) == "Description"
    });
    let property = text.map(|mapping| mapping.property(Side::Second).to_owned());
    property
        .filter(|_| !ids.is_empty())
        .map(|property| (property, ids))
        .ok_or_else(nothing)
}

fn nothing() -> Failure {
    Failure::trouble(
        format!("the flow {FLOW} links no records whose description could be edited"),
        "Run `tandem demo` to see whether the flows are well",
    )
}

/// When each text arrived in Customerp.
#[derive(Default)]
struct Arrivals {
    seen: Mutex<BTreeMap<String, Instant>>,
    news: Notify,
}

impl Arrivals {
    async fn wait_for(&self, mark: &str) -> Option<Instant> {
        let arrived = async {
            loop {
                let mut news = std::pin::pin!(self.news.notified());
                news.as_mut().enable();
                let seen = self
                    .seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get(mark)
                    .copied();
                match seen {
                    Some(at) => return at,
                    None => news.await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, arrived).await.ok()
    }
}

impl Watcher for Arrivals {
    fn happened(&self, what: &Happening<'_>) {
        if let Happening::Answered {
            system: "customerp",
            intent,
            outcome: Outcome::Applied { .. },
        } = what
        {
            let now = Instant::now();
            let texts = intent
                .values
                .values()
                .filter_map(|planned| planned.value.as_text());
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.extend(texts.map(|text| (text.to_owned(), now)));
            self.news.notify_waiters();
        }
    }
}

impl Measured {
    fn percentile(&self, percent: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get(last * percent / 100).copied().unwrap_or(PATIENCE)
    }

    fn as_json(&self) -> serde_json::Value {
        json!({
            "way": self.way,
            "edits": self.times.len(),
            "lost": self.lost,
            "median_ms": milliseconds(self.percentile(50)),
            "p99_ms": milliseconds(self.percentile(99)),
            "statements_per_edit": self.statements,
            "calls_per_edit": format!("{}.{:02}", self.calls / 100, self.calls % 100),
        })
    }

    fn row(&self) -> [String; 6] {
        [
            self.way.to_owned(),
            self.times.len().to_string(),
            format!("{} ms", milliseconds(self.percentile(50))),
            format!("{} ms", milliseconds(self.percentile(99))),
            format!("{}.{:02}", self.calls / 100, self.calls % 100),
            self.statements.to_string(),
        ]
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
