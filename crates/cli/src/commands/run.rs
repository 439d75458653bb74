//! `tandem run`: keeps in step for ever.

use crate::alerting;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Hangups, Interrupt, STOPPED, interrupted};
use crate::loading;
use crate::screen::Screen;
use crate::serving::{self, Console, Wanted, Work};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tandem_api::alert::Trouble;
use tandem_api::{Masks, words};
use tandem_engine::{Happening, Schedule, Watcher};
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::plan::{Event, EventKind};

/// A trouble that lasts is told again after so long.
const TOLD_AGAIN: Duration = Duration::from_secs(300);
/// How often what is waited out is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// Work that went on for so long was well: what fails afterwards is told anew.
const LASTING: Duration = Duration::from_secs(60);

/// Keep in step for ever.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem run
  tandem run --console 0.0.0.0:8743 --console-name status.example.com
  tandem run --json >> changes.jsonl

SIGHUP lets it read the configuration again, unless it runs on a terminal.")]
pub(crate) struct Run {
    /// Serve pages, HTTP API and metrics at this address [default: as the configuration says, else 127.0.0.1:8743]
    #[arg(long, value_name = "ADDR")]
    console: Option<SocketAddr>,
    /// A name that they answer to besides this machine's own, such as that of a proxy in front of them
    #[arg(long, value_name = "NAME")]
    console_name: Vec<String>,
    /// Serve nothing
    #[arg(long, conflicts_with_all = ["console", "console_name"])]
    no_console: bool,
}

/// What is said of a configuration that was not taken.
const AS_IT_WAS: &str = "The configuration stays as it was.";

/// Reads the configuration again; none where it is wrong.
fn read_again(common: &Common, screen: &Screen) -> Option<Configuration> {
    let read = loading::configuration(common);
    read.inspect_err(|failure| {
        screen.complain(failure);
        screen.note(AS_IT_WAS);
    })
    .ok()
}

/// How the work went so far, and what outlives a configuration.
struct Course {
    hangups: Hangups,
    /// When the work at hand began; none while it is not set up.
    began: Option<Instant>,
    /// It was set up at least once: what fails from then on may pass.
    ever: bool,
    /// The disk is full, and that was told.
    full: bool,
    /// A system is away while the work is set up anew, and that was told.
    away: bool,
    troubles: Troubles,
    told: Arc<tokio::sync::Mutex<alerting::Memory>>,
}

/// Systems in trouble: since when, and what they said last.
type Troubles = Arc<Mutex<BTreeMap<String, (Timestamp, String)>>>;

impl Course {
    fn new() -> Self {
        Self {
            hangups: Hangups::listen(),
            began: None,
            ever: false,
            full: false,
            away: false,
            troubles: Arc::default(),
            told: Arc::default(),
        }
    }

    /// What to say of a failure that is waited out, the first time.
    fn goes_on(&mut self, failure: &Failure) -> Option<&'static str> {
        if self.began.is_some_and(|began| began.elapsed() > LASTING) {
            (self.full, self.away) = (false, false);
        }
        let first = match failure.is_full() {
            true => !std::mem::replace(&mut self.full, true),
            false if self.waits(failure) => !std::mem::replace(&mut self.away, true),
            false => false,
        };
        first.then_some(match failure.is_full() {
            true => "Waiting for space; the work goes on by itself.",
            false => "Trying again until it answers.",
        })
    }

    /// Whether a failure is waited out: a full disk, and a system that is away while the work is set up anew.
    fn waits(&self, failure: &Failure) -> bool {
        let setting_up = self.ever && self.began.is_none();
        failure.is_full() || (setting_up && failure.exit() == Exit::Trouble && !failure.is_held())
    }
}

/// Why the rounds ended.
enum End {
    /// A person or the supervisor said so.
    Stopped,
    /// The configuration is to be read again.
    ReadAgain,
}

impl Run {
    /// Runs until interrupted; the round at hand is finished first if it takes no longer than a second.
    pub(crate) async fn keep_in_step(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let mut configuration = loading::configuration(common)?;
        // The one before, until the one that was read again has shown that it works.
        let mut before = None;
        let mut interrupt = Interrupt::listen(Exit::Done.code());
        let mut course = Course::new();
        loop {
            course.began = None;
            let work = self.work(common, &configuration, &mut course, screen);
            let Some(done) = interrupt.cut(work).await else {
                screen.note(STOPPED);
                return Ok(Exit::Done);
            };
            if course.began.is_some() {
                before = None;
                course.ever = true;
            }
            match done {
                Ok(End::Stopped) => break,
                Ok(End::ReadAgain) => {
                    if let Some(read) = read_again(common, screen) {
                        before = Some(std::mem::replace(&mut configuration, read));
                    }
                    continue;
                }
                Err(failure) => match course.goes_on(&failure) {
                    Some(words) => {
                        screen.complain(&failure);
                        screen.note(words);
                    }
                    None if course.waits(&failure) => {}
                    None => {
                        configuration = before.take().ok_or_else(|| failure.clone())?;
                        screen.complain(&failure);
                        screen.note(AS_IT_WAS);
                        continue;
                    }
                },
            }
            tokio::select! {
                biased;
                () = interrupt.heard() => break,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        screen.note("Stopped.");
        Ok(Exit::Done)
    }

    /// Rounds until interrupted, or until the configuration is to be read again. A full disk ends them as a crash would:
    /// nothing half done is left in memory.
    async fn work(
        &self,
        common: &Common,
        configuration: &Configuration,
        course: &mut Course,
        screen: &Screen,
    ) -> Result<End, Failure> {
        let watcher = Live::new(*screen, &configuration.dataflow).with(course.troubles.clone());
        let watcher = Arc::new(watcher);
        let mut engine = loading::engine(common, configuration, watcher.clone()).await?;
        let asks = loading::listen(&mut engine);
        let folder = common.state_folder();
        let _door = loading::open_door(&folder, asks.clone());
        let (live, alerted) = (watcher.clone(), watcher.clone());
        let beside = Work {
            folder: &folder,
            file: &common.config,
            home: loading::home(common, configuration)?,
            troubles: Arc::new(move || live.troubles()),
            configuration,
            engine: &engine,
            asks,
        };
        let window = serving::window(&beside)?;
        let lasting = Arc::new(move || alerted.lasting());
        let _alerts = alerting::begin(configuration, window, lasting, course.told.clone())?;
        let console = self.console(beside).await?;
        if let Some(console) = &console {
            // Whoever reads a log is not thereby let in.
            screen.note(match std::io::stderr().is_terminal() {
                true => format!("Console: {}", console.link()),
                false => format!(
                    "Console: {} (`tandem console` prints a link into it)",
                    console.url()
                ),
            });
        }
        // Whatever can be wrong with a configuration has shown by now.
        course.began = Some(Instant::now());
        screen.note(match course.full {
            true => "There is space again; going on.",
            false => "Keeping in step; Ctrl-C stops after the round at hand.",
        });
        let mut end = End::Stopped;
        let until = async {
            tokio::select! {
                biased;
                () = interrupted() => {}
                () = course.hangups.heard() => end = End::ReadAgain,
            }
        };
        let done = engine.run(&schedule(configuration), until).await;
        if let Some(console) = console {
            console.close().await;
        }
        done?;
        Ok(end)
    }

    /// The console, unless it is not wanted: it looks at the state beside the work.
    async fn console(&self, work: Work<'_>) -> Result<Option<Console>, Failure> {
        if self.no_console {
            return Ok(None);
        }
        let settings = &work.configuration.console;
        let wanted = Wanted {
            address: self.console.or(settings.address),
            names: self.console_name.iter().chain(&settings.names).cloned().collect(),
            homes: [None, None],
        };
        serving::open(work, wanted).await.map(Some)
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

/// Shows each change as it travels, and keeps in mind which systems are in trouble.
pub(crate) struct Live {
    screen: Screen,
    masks: Masks,
    troubles: Troubles,
    /// Troubles that were told, and when.
    told: Mutex<BTreeMap<String, Instant>>,
}

impl Live {
    /// A live view on a dataflow.
    pub(crate) fn new(screen: Screen, flows: &Dataflow) -> Self {
        Self {
            screen,
            masks: Masks::of(flows),
            troubles: Arc::default(),
            told: Mutex::default(),
        }
    }

    /// With the troubles that last already.
    fn with(self, troubles: Troubles) -> Self {
        Self { troubles, ..self }
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

    /// The troubles that last, one sentence for each system.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let lasting = troubles.values();
        lasting
            .map(|(since, words)| format!("{words} (since {since:.0})"))
            .collect()
    }

    /// The troubles that last, for whoever is to be told.
    fn lasting(&self) -> Vec<Trouble> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = |(system, (since, words)): (&String, &(Timestamp, String))| Trouble {
            system: system.clone(),
            words: words.clone(),
            since: *since,
        };
        troubles.iter().map(trouble).collect()
    }

    fn trouble(&self, error: &tandem_connector::Error) {
        let words = error.to_string();
        if self.is_news(&words) {
            self.screen.note(&words);
        }
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = troubles.entry(error.system.clone());
        known.or_insert_with(|| (Timestamp::now(), String::new())).1 = words;
    }

    /// A trouble is over once its system answers.
    fn answers(&self, system: &str) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((since, _)) = troubles.remove(system) else {
            return;
        };
        drop(troubles);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|trouble, _| !trouble.starts_with(&format!("{system}:")));
        drop(told);
        let lasted = SignedDuration::from_secs(Timestamp::now().duration_since(since).as_secs());
        self.screen
            .note(format!("{system} answers again after {lasted:#}."));
    }

    fn decided(&self, event: &Event) {
        let what = words::what(event, &self.masks);
        self.screen.json(&json!({
            "at": event.at,
            "record": event.record.to_string(),
            "flow": event.flow,
            "what": what,
            "why": event.why,
        }));
        self.screen.say(format!(
            "{:.0}  {:<34} {what}",
            event.at,
            event.record.to_string()
        ));
    }
}

impl Watcher for Live {
    fn happened(&self, what: &Happening<'_>) {
        match what {
            Happening::Decided { event } if shown(event) => self.decided(event),
            Happening::Sight { notice } => self.screen.note(notice),
            Happening::Held { hold } => self.screen.note(hold),
            Happening::Stranger { stranger } => self.screen.note(stranger),
            Happening::Trouble { error } => self.trouble(error),
            Happening::Answers { system } => self.answers(system),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;
    use tandem_connector::{Error, ErrorKind, Scope};

    #[test]
    fn an_outage_lasts_until_its_system_answers_whatever_rounds_begin_meanwhile() {
        let arguments = Arguments::parse_from(["tandem", "--quiet", "run"]);
        let live = Live {
            screen: Screen::new(&arguments.common),
            masks: Masks::none(),
            troubles: Arc::default(),
            told: Mutex::default(),
        };
        let error = Error {
            system: "salesforce".to_owned(),
            kind: ErrorKind::Down,
            message: "nobody answers".to_owned(),
            advice: "Look whether it is there".to_owned(),
            retry_at: None,
            scope: Scope::System,
        };
        live.happened(&Happening::Trouble { error: &error });
        let since = live.lasting()[0].since;
        for what in [
            Happening::RoundBegan { round: 2 },
            Happening::Answers { system: "customerp" },
            Happening::Trouble { error: &error },
        ] {
            live.happened(&what);
            let lasting = live.lasting();
            assert_eq!((lasting.len(), lasting[0].since), (1, since));
        }
        assert!(live.troubles()[0].starts_with("salesforce: nobody answers"));
        live.happened(&Happening::Answers { system: "salesforce" });
        assert!(live.lasting().is_empty());
    }
}
