//! `tandem run`: keeps in step for ever.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupt, STOPPED, interrupted};
use crate::loading;
use crate::mask::Masks;
use crate::screen::Screen;
use clap::Args;
use jiff::SignedDuration;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tandem_connector::Connector;
use tandem_console::{Board, Snapshot};
use tandem_engine::{Engine, Happening, Schedule, Watcher};
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::plan::{Event, EventKind};
use tandem_store::{Ledger, Store};
use tokio::task::JoinHandle;

/// How often the status page is refreshed.
const REFRESH: Duration = Duration::from_secs(2);
/// A trouble that lasts is told again after so long.
const TOLD_AGAIN: Duration = Duration::from_secs(300);
/// How often a full disk is tried again.
const FULL: Duration = Duration::from_secs(5);
/// Items and lines of history on the status page.
const SHOWN: usize = 50;

/// Keep in step for ever.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem run
  tandem run --console 127.0.0.1:8080
  tandem run --json >> changes.jsonl")]
pub(crate) struct Run {
    /// Serve a status page and metrics at this address
    #[arg(long, value_name = "ADDR")]
    console: Option<SocketAddr>,
    /// A name that the status page answers to besides this machine's own, such as that of a proxy in front of it
    #[arg(long, value_name = "NAME", requires = "console")]
    console_name: Vec<String>,
}

impl Run {
    /// Runs until interrupted; the round at hand is finished first if it takes no longer than a second.
    pub(crate) async fn keep_in_step(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let watcher = Arc::new(Live::new(*screen, &configuration.dataflow));
        let mut interrupt = Interrupt::listen(Exit::Done.code());
        let mut full = false;
        loop {
            let work = self.work(common, &configuration, &watcher, full, screen);
            let Some(done) = interrupt.cut(work).await else {
                screen.note(STOPPED);
                return Ok(Exit::Done);
            };
            match done {
                Err(failure) if failure.is_full() => {
                    if !full {
                        screen.complain(&failure);
                        screen.note("Waiting for space; the work goes on by itself.");
                        full = true;
                    }
                }
                done => {
                    done?;
                    break;
                }
            }
            tokio::select! {
                biased;
                () = interrupt.heard() => break,
                () = tokio::time::sleep(FULL) => {}
            }
        }
        screen.note("Stopped.");
        Ok(Exit::Done)
    }

    /// Rounds until interrupted. A full disk ends them as a crash would: nothing half done is left in memory.
    async fn work(
        &self,
        common: &Common,
        configuration: &Configuration,
        watcher: &Arc<Live>,
        was_full: bool,
        screen: &Screen,
    ) -> Result<(), Failure> {
        let mut engine = loading::engine(common, configuration, watcher.clone()).await?;
        screen.note(match was_full {
            true => "There is space again; going on.",
            false => "Keeping in step; Ctrl-C stops after the round at hand.",
        });
        let _door = loading::open_door(&common.state_folder(), &mut engine);
        let page = self.page(common, configuration, &engine, watcher, screen).await?;
        let done = engine.run(&schedule(configuration), interrupted()).await;
        if let Some((server, refresher)) = page {
            refresher.abort();
            server.shutdown().await;
        }
        Ok(done?)
    }

    /// The status page, where it is asked for: it looks at the state beside the work.
    async fn page(
        &self,
        common: &Common,
        configuration: &Configuration,
        engine: &Engine,
        watcher: &Arc<Live>,
        screen: &Screen,
    ) -> Result<Option<(tandem_console::Server, JoinHandle<()>)>, Failure> {
        let Some(address) = self.console else {
            return Ok(None);
        };
        let board = Board::default();
        let names = self.console_name.clone();
        let server = tandem_console::serve(address, names, board.clone())
            .await
            .map_err(|error| {
                Failure::usage(
                    format!("the console cannot listen on {address} ({error})"),
                    "Choose another port with --console",
                )
            })?;
        screen.note(format!("Console: {}", server.url()));
        let looker = Looker {
            store: loading::look(common, configuration)?,
            flows: engine.flows().clone(),
            systems: engine.systems().clone(),
            watcher: watcher.clone(),
        };
        Ok(Some((server, tokio::spawn(refresh(looker, board)))))
    }
}

/// How often each system is asked.
pub(crate) fn schedule(configuration: &Configuration) -> Schedule {
    let each = configuration.connections.iter();
    let intervals = each.map(|it| (it.name.clone(), SignedDuration::from_millis(it.poll_ms)));
    Schedule {
        intervals: intervals.collect(),
        ..Schedule::default()
    }
}

/// What the status page is read from.
struct Looker {
    store: Ledger,
    flows: Dataflow,
    systems: [Arc<dyn Connector>; 2],
    watcher: Arc<Live>,
}

/// Takes a snapshot again and again, beside the work.
async fn refresh(mut looker: Looker, board: Board) {
    loop {
        let looked = tokio::task::spawn_blocking(move || {
            let snapshot = looker.snapshot();
            (looker, snapshot)
        });
        let Ok((back, snapshot)) = looked.await else {
            return;
        };
        looker = back;
        match snapshot {
            Ok(snapshot) => board.show(snapshot),
            Err(failure) => tracing::warn!(?failure, "the status page could not be refreshed"),
        }
        tokio::time::sleep(REFRESH).await;
    }
}

impl Looker {
    fn snapshot(&mut self) -> Result<Snapshot, Failure> {
        let (flows, store) = (&self.flows, &mut self.store);
        let now = jiff::Timestamp::now();
        store.hear_again(now)?;
        let status = store.status(flows)?;
        let strangers = tandem_engine::strangers(store, &flows.systems)?;
        let notices = tandem_engine::notices(store, &flows.systems)?;
        let holds = tandem_engine::holds(store)?;
        let systems = self.systems.iter();
        let budgets = systems.filter_map(|system| Some((system.system().to_owned(), system.budget()?)));
        let budgets: Vec<_> = budgets.collect();
        let mut shown = super::status::as_json(flows, &status);
        super::status::add(&mut shown, &budgets, &notices, &holds);
        shown["strangers"] = serde_json::json!(strangers);
        let reached = budgets
            .iter()
            .filter_map(|(system, budget)| crate::standing::reached(system, budget, now));
        let troubles = self.watcher.troubles().into_iter().chain(reached);
        let troubles = troubles.chain(notices.iter().map(ToString::to_string));
        let troubles = troubles.chain(holds.iter().map(ToString::to_string));
        let troubles = troubles.chain(strangers.iter().map(ToString::to_string));
        let troubles: Vec<String> = troubles.collect();
        let items = super::items::all(store, SHOWN, |item| {
            item.ignored.is_none()
                && matches!(super::items::standing(item), "parked" | "approval" | "conflict")
        })?;
        let items = items
            .iter()
            .map(|item| super::items::as_json(item, &self.watcher.masks, Some(&flows.systems)));
        let calls = self.systems.iter();
        Ok(Snapshot {
            taken: now,
            systems: flows.systems.clone(),
            status: shown,
            items: items.collect(),
            history: self.watcher.latest(),
            troubles,
            calls: calls
                .map(|system| (system.system().to_owned(), system.calls()))
                .collect(),
        })
    }
}

/// Shows each change as it travels, and keeps the latest for the status page.
pub(crate) struct Live {
    screen: Screen,
    masks: Masks,
    latest: Mutex<Vec<serde_json::Value>>,
    troubles: Mutex<Vec<String>>,
    /// Troubles that were told, and when.
    told: Mutex<BTreeMap<String, Instant>>,
}

impl Live {
    /// A live view on a dataflow.
    pub(crate) fn new(screen: Screen, flows: &Dataflow) -> Self {
        Self {
            screen,
            masks: Masks::of(flows),
            latest: Mutex::default(),
            troubles: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Whether a trouble was not told for a while: one that lasts is met by every round.
    fn is_news(&self, trouble: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < TOLD_AGAIN);
        let news = !told.contains_key(trouble);
        if news {
            told.insert(trouble.to_owned(), Instant::now());
        }
        news
    }

    fn latest(&self) -> Vec<serde_json::Value> {
        self.latest.lock().map(|lines| lines.clone()).unwrap_or_default()
    }

    fn troubles(&self) -> Vec<String> {
        self.troubles
            .lock()
            .map(|lines| lines.clone())
            .unwrap_or_default()
    }

    fn decided(&self, event: &Event) {
        let line = json!({
            "at": event.at,
            "record": event.record.to_string(),
            "flow": event.flow,
            "what": super::history::what(event, &self.masks),
            "why": event.why,
        });
        self.screen.json(&line);
        self.screen.say(format!(
            "{:.0}  {:<34} {}",
            event.at,
            event.record.to_string(),
            super::history::what(event, &self.masks)
        ));
        if let Ok(mut latest) = self.latest.lock() {
            latest.push(line);
            let surplus = latest.len().saturating_sub(SHOWN);
            latest.drain(..surplus);
        }
    }
}

impl Watcher for Live {
    fn happened(&self, what: &Happening<'_>) {
        match what {
            Happening::Decided { event } if shown(event) => self.decided(event),
            Happening::Sight { notice } => self.screen.note(notice),
            Happening::Held { hold } => self.screen.note(hold),
            Happening::Stranger { stranger } => self.screen.note(stranger),
            Happening::Trouble { error } => {
                if self.is_news(&error.to_string()) {
                    self.screen.note(error);
                }
                if let Ok(mut troubles) = self.troubles.lock() {
                    *troubles = vec![error.to_string()];
                }
            }
            Happening::RoundBegan { .. } => {
                if let Ok(mut troubles) = self.troubles.lock() {
                    troubles.clear();
                }
            }
            _ => {}
        }
    }
}

/// Deferred items resolve themselves: not worth a line.
fn shown(event: &Event) -> bool {
    !matches!(
        event.what,
        EventKind::Parked {
            kind: tandem_merge::cluster::ParkedKind::Deferred
        }
    )
}
