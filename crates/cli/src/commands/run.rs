//! `tandem run`: keeps in step for ever.

mod away;
mod live;
mod restoring;
mod subscribing;
mod telling;
mod told;
mod turn;

use crate::alerting;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Hangups, Interrupt, STOPPED, interrupted};
use crate::loading;
use crate::log::Level;
use crate::screen::Screen;
use crate::serving::{self, Console, Wanted, Work};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
pub(crate) use live::{Live, Outage, Troubles, outages};
use restoring::Restorings;
use serde_json::json;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_api::door::Restoring;
use tandem_console::hooks::Listening;
use tandem_engine::{Engine, Schedule};
use tandem_ledger::Store as _;
use tandem_merge::config::Configuration;
pub(crate) use telling::{Telling, Told};

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

/// Reads the configuration again; none where it is wrong.
fn read_again(common: &Common, screen: &Screen) -> Option<Configuration> {
    let read = loading::configuration(common);
    read.inspect_err(|failure| stays_as_it_was(failure, screen)).ok()
}

/// Says why a configuration was not taken.
fn stays_as_it_was(failure: &Failure, screen: &Screen) {
    screen.log_failure(failure);
    say(screen, "configuration-kept", "The configuration stays as it was.");
}

/// A word on the process itself: as JSON an event.
fn say(screen: &Screen, event: &str, words: &str) {
    screen.json(&told::event(event, json!({ "words": words }), Timestamp::now()));
    screen.log(Level::Note, words);
}

/// How the work went so far, and what outlives a configuration.
struct Course {
    hangups: Hangups,
    restorings: Restorings,
    /// When the work at hand began; none while it is not set up.
    began: Option<Instant>,
    /// It was set up at least once: what fails from then on may pass.
    ever: bool,
    /// The disk is full, and that was told.
    full: bool,
    /// A system is away while the work is set up anew, and that was told.
    away: bool,
    /// The state was worked with before: both systems were listed.
    known: bool,
    /// Who tells that a system is away, while the work is not set up.
    alarm: Option<alerting::Watch>,
    troubles: Troubles,
    alerted: Arc<tokio::sync::Mutex<alerting::Memory>>,
    /// How far the history is told; none before the state was there.
    told: Option<Told>,
}

impl Course {
    fn new(folder: &Path, systems: &[String; 2]) -> Self {
        Self {
            hangups: Hangups::listen(),
            restorings: Restorings::default(),
            began: None,
            ever: false,
            full: false,
            away: false,
            known: false,
            alarm: None,
            troubles: Troubles::kept_in(folder, systems),
            alerted: Arc::new(alerting::Memory::kept_in(folder).into()),
            told: None,
        }
    }

    /// How far the history is told: to its end, before the first work.
    fn told(&mut self, common: &Common, configuration: &Configuration) -> Result<Told, Failure> {
        if let Some(told) = &self.told {
            return Ok(told.clone());
        }
        loading::bring_forward(common, configuration)?;
        let told = match loading::look_if_there(common, configuration)? {
            Some(mut store) => {
                self.known = store.status(&configuration.dataflow)?.listed.len() == 2;
                Told::all_of(&mut store)?
            }
            None => Told::after(0, 0),
        };
        Ok(self.told.insert(told).clone())
    }

    /// An engine over the state. While it was let go of for a moment, a command of somebody may have taken it.
    async fn engine(
        &self,
        common: &Common,
        configuration: &Configuration,
        watcher: Arc<Live>,
    ) -> Result<Engine, Failure> {
        let began = Instant::now();
        loop {
            match loading::engine(common, configuration, watcher.clone()).await {
                Err(failure) if self.ever && failure.is_held() && began.elapsed() < loading::PATIENCE => {
                    tokio::time::sleep(loading::AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    /// Somebody else has the state, or its server is away: what it holds next is told from its end.
    fn lost(&mut self, failure: &Failure, screen: &Screen) {
        self.told = None;
        if failure.is_lost() {
            screen.log_failure(failure);
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

    /// Whether a failure is waited out: a full disk, and a system that is away while the work is set up anew, also by a process
    /// that was only started anew.
    fn waits(&self, failure: &Failure) -> bool {
        let again = self.ever || (self.known && failure.away().is_some());
        let setting_up = again && self.began.is_none();
        failure.is_full() || (setting_up && failure.exit() == Exit::Trouble && !failure.is_held())
    }
}

/// Why the rounds ended.
enum End {
    /// A person or the supervisor said so.
    Stopped,
    /// The configuration is to be read again.
    ReadAgain,
    /// A backup is to take the place of the state.
    Restore(Restoring),
}

impl Run {
    /// Runs until interrupted; the round at hand is finished first if it takes no longer than a second.
    pub(crate) async fn keep_in_step(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        self.go_on(common, screen, false).await
    }

    /// The same as one of several, of which one works and the others stand by.
    pub(crate) async fn in_turn(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        self.go_on(common, screen, true).await
    }

    async fn go_on(&self, common: &Common, screen: &Screen, stands_by: bool) -> Result<Exit, Failure> {
        let mut configuration = loading::configuration(common)?;
        screen.write_beside();
        // The one before, until the one that was read again has shown that it works.
        let mut before = None;
        let mut interrupt = Interrupt::listen(Exit::Done.code());
        let mut course = Course::new(&common.state_folder(), &configuration.dataflow.systems);
        loop {
            course.began = None;
            let work = async {
                if stands_by {
                    turn::await_it(common, &configuration, screen).await?;
                }
                self.work(common, &configuration, &mut course, screen).await
            };
            let Some(done) = interrupt.cut(work).await else {
                say(screen, "stopped", STOPPED);
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
                Ok(End::Restore(restoring)) => {
                    if restoring::carry_out(restoring, common, &configuration, screen).await {
                        // What it tells of begins with what is there now.
                        course.told = None;
                    }
                    continue;
                }
                Err(failure) if stands_by && (failure.is_held() || failure.is_lost()) => {
                    course.lost(&failure, screen);
                }
                Err(failure) => {
                    let words = course.goes_on(&failure);
                    if words.is_none() && !course.waits(&failure) {
                        configuration = before.take().ok_or_else(|| failure.clone())?;
                        stays_as_it_was(&failure, screen);
                        continue;
                    }
                    course.wait_out(common, &configuration, &failure)?;
                    if let Some(words) = words {
                        screen.log_failure(&failure);
                        say(screen, "waiting", words);
                    }
                }
            }
            tokio::select! {
                biased;
                () = interrupt.heard() => break,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        say(screen, "stopped", "Stopped.");
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
        let told = course.told(common, configuration)?;
        let live = Arc::new(Live::new(*screen, course.troubles.clone()));
        let mut engine = course.engine(common, configuration, live.clone()).await?;
        let asks = loading::listen(&mut engine);
        let folder = common.state_folder();
        let _door = loading::open_door(&folder, asks.clone(), Some(course.restorings.door()));
        let troubles = course.troubles.clone();
        let beside = Work {
            folder: &folder,
            file: &common.config,
            home: loading::home(common, configuration)?,
            troubles: Arc::new(move || troubles.sentences()),
            configuration,
            engine: &engine,
            asks,
        };
        let window = serving::window(&beside)?;
        let troubles = course.troubles.clone();
        let lasting = Arc::new(move || troubles.lasting());
        course.alarm = None;
        let _alerts = alerting::begin(configuration, window, lasting, course.alerted.clone())?;
        let telling = Telling::begin(serving::window(&beside)?, &live, *screen, told);
        let console = self.console(beside).await?;
        let hooks = serving::hooks::open(configuration, engine.systems()).await?;
        begun(console.as_ref(), hooks.as_ref(), course.full, screen);
        let _subscriptions = subscribing::begin(configuration, engine.systems(), &course.troubles);
        // Whatever can be wrong with a configuration has shown by now.
        course.began = Some(Instant::now());
        let mut end = End::Stopped;
        let (lost, mut is_lost) = (engine.store().lost(), false);
        let weighing = restoring::Weighing::of(common, configuration)?;
        let until = async {
            tokio::select! {
                biased;
                () = interrupted() => {}
                () = course.hangups.heard() => end = End::ReadAgain,
                () = lost => is_lost = true,
                restoring = course.restorings.next(&weighing) => end = End::Restore(restoring),
            }
        };
        let done = engine.run(&schedule(configuration), until).await;
        telling.end().await;
        if let Some(console) = console {
            console.close().await;
        }
        if let Some(hooks) = hooks {
            hooks.shutdown().await;
        }
        done?;
        match is_lost {
            true => Err(tandem_ledger::Error::Lost("worked with").into()),
            false => Ok(end),
        }
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

/// Says that the work has begun, and where the console is.
fn begun(console: Option<&Console>, hooks: Option<&Listening>, full: bool, screen: &Screen) {
    let url = console.map(Console::url);
    let webhooks = hooks.map(|hooks| format!("http://{}/webhooks/", hooks.address()));
    let shown = json!({ "version": env!("CARGO_PKG_VERSION"), "console": url, "webhooks": webhooks });
    screen.json(&told::event("began", shown, Timestamp::now()));
    if let Some(console) = console {
        // Whoever reads a log is not thereby let in.
        let words = match std::io::stderr().is_terminal() {
            true => format!("Console: {}", console.link()),
            false => format!(
                "Console: {} (`tandem console` prints a link into it)",
                console.url()
            ),
        };
        screen.log(Level::Note, words);
    }
    if let Some(webhooks) = webhooks {
        screen.log(Level::Note, format!("Webhooks: {webhooks}"));
    }
    match full {
        true => screen.log(Level::Fine, "There is space again; going on."),
        false => screen.log(
            Level::Note,
            "Keeping in step; Ctrl-C stops after the round at hand.",
        ),
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
