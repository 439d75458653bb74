//! What a person sees while the engine works: bars on a terminal, now and then a line elsewhere.

use crate::harmless;
use crate::log::Level;
use crate::screen::{Screen, count_of, thousands};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tandem_connector::Outcome;
use tandem_engine::{Happening, Quiet, Watcher};

/// Between two lines of the same kind.
const PAUSE: Duration = Duration::from_secs(2);

/// Between two lines on a listing that goes on.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// The watcher that fits the screen.
pub(crate) fn watcher(screen: &Screen, silent: bool) -> std::sync::Arc<dyn Watcher> {
    if screen.lively {
        std::sync::Arc::new(Bars::new(Tally::default()))
    } else if silent || screen.json {
        std::sync::Arc::new(Quiet)
    } else {
        std::sync::Arc::new(Lines::default())
    }
}

/// The watcher of a rehearsal, which writes nothing: what it counts would be written.
pub(crate) fn rehearsal(screen: &Screen) -> std::sync::Arc<dyn Watcher> {
    if !screen.lively {
        return std::sync::Arc::new(Quiet);
    }
    let tally = Tally {
        rehearsed: true,
        ..Tally::default()
    };
    std::sync::Arc::new(Bars::new(tally))
}

/// How many of what.
#[derive(Debug, Default)]
struct Tally {
    read: BTreeMap<String, BTreeMap<String, u64>>,
    decided: u64,
    written: BTreeMap<String, u64>,
    refused: u64,
    /// Nothing of it is written.
    rehearsed: bool,
}

impl Tally {
    /// Counts what happened; says whether anything a person looks for has changed.
    fn count(&mut self, what: &Happening<'_>) {
        match what {
            Happening::Observed {
                system,
                record_type,
                records,
                ..
            } => {
                let types = self.read.entry((*system).to_owned()).or_default();
                *types.entry((*record_type).to_owned()).or_default() += records;
            }
            Happening::Reconciled { clusters } => self.decided += clusters,
            Happening::Answered { system, outcome, .. } => match outcome {
                Outcome::Applied { .. } => *self.written.entry((*system).to_owned()).or_default() += 1,
                Outcome::Refused(_) => self.refused += 1,
                _ => {}
            },
            _ => {}
        }
    }

    fn read_line(&self, system: &str) -> String {
        let types = self.read.get(system);
        let all: u64 = types.map_or(0, |types| types.values().sum());
        let each = types.into_iter().flatten();
        let each: Vec<String> = each
            .map(|(name, count)| format!("{name} {}", thousands(*count)))
            .collect();
        let counted = count_of(all, "record", "records");
        match each.is_empty() {
            true => format!("{counted} read"),
            false => format!("{counted} read ({})", each.join(", ")),
        }
    }

    fn written_line(&self) -> String {
        let each = self.written.iter();
        let each: Vec<String> = each
            .map(|(system, count)| format!("{system} {}", thousands(*count)))
            .collect();
        let refused = match self.refused {
            0 => String::new(),
            refused => format!(", {} refused", thousands(refused)),
        };
        match each.is_empty() && self.refused == 0 {
            true if self.rehearsed => "nothing to write".to_owned(),
            true => "nothing written".to_owned(),
            false if self.rehearsed => format!("would write: {}{refused}", each.join(", ")),
            false => format!("written: {}{refused}", each.join(", ")),
        }
    }
}

/// Plain lines for logs and pipes.
#[derive(Debug, Default)]
struct Lines(Mutex<Told>);

/// What was counted, and when a line was last told.
#[derive(Debug)]
struct Told(Tally, Instant);

impl Default for Told {
    fn default() -> Self {
        Self(Tally::default(), Instant::now())
    }
}

impl Told {
    /// Whether so long after the last line another one is due; then it counts as told.
    fn is_due(&mut self, pause: Duration) -> bool {
        let due = self.1.elapsed() >= pause;
        if due {
            self.1 = Instant::now();
        }
        due
    }
}

impl Watcher for Lines {
    fn happened(&self, what: &Happening<'_>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0.count(what);
        let note = |words| (Level::Note, words);
        let (level, words) = match what {
            Happening::Listed { system } => note(format!("{system}: {}", inner.0.read_line(system))),
            Happening::RoundEnded { round, written, .. } if *written > 0 => {
                note(format!("round {round}: {}", inner.0.written_line()))
            }
            Happening::Waiting { until, why } => (Level::Waits, format!("waiting until {until:.0}: {why}")),
            Happening::Trouble { error } => (Level::Wrong, error.to_string()),
            Happening::Answered { .. } if inner.is_due(PAUSE) => note(inner.0.written_line()),
            Happening::Observed { system, .. } if inner.is_due(LONG_PAUSE) => {
                note(format!("{system}: {} so far", inner.0.read_line(system)))
            }
            _ => return,
        };
        crate::screen::log(level, words);
    }
}

/// Bars on a terminal: one line per system, one for decisions and writes.
struct Bars {
    tally: Mutex<Tally>,
    board: MultiProgress,
    systems: Mutex<BTreeMap<String, ProgressBar>>,
    work: ProgressBar,
}

impl Bars {
    fn new(tally: Tally) -> Self {
        let board = MultiProgress::new();
        let work = board.add(line("work"));
        Self {
            tally: Mutex::new(tally),
            board,
            systems: Mutex::default(),
            work,
        }
    }

    fn bar(&self, system: &str) -> ProgressBar {
        let mut systems = self.systems.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || self.board.insert_before(&self.work, line(system));
        systems.entry(system.to_owned()).or_insert_with(new).clone()
    }
}

impl Watcher for Bars {
    fn happened(&self, what: &Happening<'_>) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.count(what);
        match what {
            Happening::Observed { system, .. } => self.bar(system).set_message(tally.read_line(system)),
            Happening::Reconciled { .. } | Happening::Answered { .. } => {
                let decided = count_of(tally.decided, "decision", "decisions");
                self.work
                    .set_message(format!("{decided}, {}", tally.written_line()));
            }
            Happening::Waiting { until, why } => {
                let line = harmless::line(&format!("waiting until {until:.0}: {why}"));
                self.work.set_message(line);
            }
            Happening::Trouble { error } => {
                // A closed standard error is no reason to stop the work.
                let _ = self.board.println(crate::screen::logged(Level::Wrong, error));
            }
            _ => {}
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let systems = self.systems.lock().unwrap_or_else(PoisonError::into_inner);
        for bar in systems.values() {
            bar.finish();
        }
        self.work.finish();
    }
}

/// A line of the board; what is beyond the terminal's edge is left out, so that no line takes two.
fn line(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner:.cyan} {prefix:<11} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
