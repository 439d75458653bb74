//! What people and programs see: lines, tables and JSON on standard output, complaints on standard error.

mod counts;
mod entries;
mod outlet;
mod table;
mod words;

use crate::arguments::Common;
use crate::failure::Failure;
use crate::harmless;
use crate::log::{self, Level};
pub(crate) use counts::CountTable;
use outlet::Outlet;
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;
pub(crate) use table::{Cell, Table};
pub(crate) use tandem_api::words::{count_of, thousands};
use tandem_merge::config::Problem;

/// What can stand on a screen without doing anything there.
pub(crate) trait Shown {
    /// Its lines.
    fn shown(&self) -> String;
}

/// Whatever can be displayed stands on one line.
impl<T: Display> Shown for T {
    fn shown(&self) -> String {
        harmless::line(&self.to_string())
    }
}

impl Shown for Table {
    fn shown(&self) -> String {
        self.drawn()
    }
}

impl Shown for CountTable {
    fn shown(&self) -> String {
        self.drawn()
    }
}

/// Several lines.
pub(crate) struct Lines<T>(pub(crate) Vec<T>);

impl<T: Display> Shown for Lines<T> {
    fn shown(&self) -> String {
        let lines = self.0.iter().map(Shown::shown);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A sentence: where it is wider than the terminal, it goes over several lines, between words.
pub(crate) struct Sentence<T>(pub(crate) T);

impl<T: Display> Shown for Sentence<T> {
    fn shown(&self) -> String {
        let line = self.0.shown();
        match terminal() {
            Some(width) => entries::folded(&line, width),
            None => line,
        }
    }
}

/// The lines of a file that is printed, each ending with CR LF.
pub(crate) struct DosLines<T>(pub(crate) Vec<T>);

impl<T: Display> Shown for DosLines<T> {
    fn shown(&self) -> String {
        let lines = self.0.iter().map(|line| format!("{}\r", line.shown()));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Where a command's results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Results are JSON.
    pub(crate) json: bool,
    quiet: bool,
    /// Standard error is a terminal: progress bars may be drawn there.
    pub(crate) lively: bool,
}

impl Screen {
    /// The screen that the arguments ask for.
    pub(crate) fn new(common: &Common) -> Self {
        Self {
            json: common.json,
            quiet: common.quiet,
            lively: std::io::stderr().is_terminal() && !common.quiet && !common.json,
        }
    }

    /// Has lines written beside the work from now on: a pipe that nobody reads holds nobody up.
    pub(crate) fn write_beside(&self) {
        let says: fn(u64) -> String = match self.json {
            true => |count| {
                let now = jiff::Timestamp::now();
                json!({ "at": now, "event": "dropped", "count": count }).to_string()
            },
            false => |count| {
                let words = format!(
                    "{} dropped: nobody read them in time",
                    count_of(count, "line was", "lines were")
                );
                let colours = log::colours(std::io::stdout().is_terminal());
                log::line(jiff::Timestamp::now(), Level::Warn, &words, colours)
            },
        };
        match Outlet::open(says) {
            Ok(outlet) => drop(OUTLET.set(outlet)),
            Err(error) => tracing::warn!("lines are written within the work ({error})"),
        }
    }

    /// A line for people, a table, or lines: not shown as JSON or when quiet.
    pub(crate) fn say(&self, what: impl Shown) {
        if !self.json && !self.quiet {
            print(&what.shown());
        }
    }

    /// Whether there is room for lines, after waiting for it so long at most.
    pub(crate) fn has_room(&self, patience: std::time::Duration) -> bool {
        OUTLET.get().is_none_or(|outlet| outlet.has_room(patience))
    }

    /// A result for people: shown even when quiet.
    pub(crate) fn result(&self, what: impl Shown) {
        if !self.json {
            print(&what.shown());
        }
    }

    /// A line on what goes on, on standard error, unless quiet or JSON.
    pub(crate) fn note(&self, what: impl Shown) {
        if !self.json && !self.quiet {
            note(&what);
        }
    }

    /// A line of the log, on standard error; not as JSON, and when quiet only what is wrong.
    pub(crate) fn log(&self, level: Level, words: impl Display) {
        if !self.json && (!self.quiet || level == Level::Wrong) {
            log(level, words);
        }
    }

    /// A line of the log on what travels, on standard output; neither as JSON nor when quiet.
    pub(crate) fn travels(&self, at: jiff::Timestamp, level: Level, words: &str) {
        if !self.json && !self.quiet {
            let colours = log::colours(std::io::stdout().is_terminal());
            print(&log::line(at, level, words, colours));
        }
    }

    /// A failure that is waited out, or that changes nothing: as JSON an event, else lines of the log.
    pub(crate) fn log_failure(&self, failure: &Failure) {
        let (what, problems) = match failure {
            Failure::One { what, advice, .. } => (sentence(what, advice), None),
            Failure::Configuration(problems) => {
                ("the configuration cannot be used".to_owned(), Some(problems))
            }
            Failure::Sheet(problems) => ("the file cannot be used".to_owned(), Some(problems)),
        };
        let mut shown = as_json(failure);
        shown["at"] = json!(jiff::Timestamp::now());
        shown["event"] = "failed".into();
        self.json(&shown);
        for problem in problems.into_iter().flatten() {
            let place = format!("{}:{}:{}", problem.file, problem.line, problem.column);
            self.log(
                Level::Wrong,
                format!("{place}: {}", sentence(&problem.message, &problem.help)),
            );
        }
        self.log(Level::Wrong, what);
    }

    /// One JSON value on a line of its own, where JSON is asked for.
    pub(crate) fn json(&self, value: &impl Serialize) {
        if self.json {
            let text =
                serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
            print(&harmless::json(&text));
        }
    }

    /// A failure, on standard error.
    pub(crate) fn complain(&self, failure: &Failure) {
        let text = match self.json {
            true => harmless::json(&as_json(failure).to_string()),
            false => as_text(failure),
        };
        // There is no other place left to complain at.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// How wide the terminal is that standard output is, in columns; none where it does not say.
fn terminal() -> Option<usize> {
    let width = comfy_table::Table::new().width();
    let known = width.filter(|width| *width > 0 && std::io::stdout().is_terminal());
    known.map(usize::from)
}

/// Where lines of a process that works for ever go.
static OUTLET: OnceLock<Outlet> = OnceLock::new();

/// What is queued for standard output is waited for so long at the end.
const LAST: Duration = Duration::from_millis(300);

/// Writes what was printed and is queued, as far as somebody reads it.
pub(crate) fn flush() {
    if let Some(outlet) = OUTLET.get() {
        outlet.flush(LAST);
    }
}

/// Writes a line to standard output. A reader that went away (`| head`) is no failure.
fn print(text: &str) {
    if let Some(outlet) = OUTLET.get() {
        return outlet.print(text);
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A line of the log as standard error takes it.
pub(crate) fn logged(level: Level, words: impl Display) -> String {
    let colours = log::colours(std::io::stderr().is_terminal());
    log::line(jiff::Timestamp::now(), level, &words.to_string(), colours)
}

/// Writes a line of the log to standard error.
pub(crate) fn log(level: Level, words: impl Display) {
    // Nobody reads it any more: no reason to stop the work.
    let _ = writeln!(std::io::stderr(), "{}", logged(level, words));
}

/// Writes a line to standard error.
pub(crate) fn note(what: &impl Shown) {
    // Nobody reads it any more: no reason to stop the work.
    let _ = writeln!(std::io::stderr(), "{}", what.shown());
}

fn as_json(failure: &Failure) -> serde_json::Value {
    let exit = failure.exit().code();
    match failure {
        Failure::One { what, advice, .. } => json!({ "error": what, "advice": advice, "exit": exit }),
        Failure::Configuration(problems) => {
            json!({ "error": "the configuration cannot be used", "problems": problems, "exit": exit })
        }
        Failure::Sheet(problems) => {
            json!({ "error": "the file cannot be used", "problems": problems, "exit": exit })
        }
    }
}

fn as_text(failure: &Failure) -> String {
    match failure {
        Failure::One { what, advice, .. } => harmless::line(&format!("tandem: {}", sentence(what, advice))),
        Failure::Configuration(problems) => listed("the configuration", problems),
        Failure::Sheet(problems) => listed("the file", problems),
    }
}

/// What happened and what to do about it.
fn sentence(what: &str, advice: &str) -> String {
    let end = if what.ends_with('.') || what.ends_with('\n') {
        ""
    } else {
        "."
    };
    let advice = match advice.trim_end_matches('.') {
        "" => String::new(),
        advice => format!(" {advice}."),
    };
    format!("{what}{end}{advice}")
}

/// All problems of something, each with its place and what to do.
fn listed(of: &str, problems: &[Problem]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for problem in problems {
        let (file, line, column) = (&problem.file, problem.line, problem.column);
        lines.push(format!("{file}:{line}:{column}: {}", problem.message));
        if !problem.help.is_empty() {
            lines.push(format!("    {}", problem.help));
        }
    }
    let count = count_of(problems.len() as u64, "problem", "problems");
    lines.push(format!("tandem: {of} has {count}; nothing was done."));
    Lines(lines).shown()
}

/// A table with a heading line; it fits the terminal's width.
pub(crate) fn table<const N: usize>(headings: [&str; N]) -> Table {
    table_of(headings)
}

/// A table with as many columns as there are headings.
pub(crate) fn table_of<T: Into<Cell>>(headings: impl IntoIterator<Item = T>) -> Table {
    Table::new(headings)
}

/// How many of how many are shown, and how the list goes on: ``100 of 340 items; `--after 123` goes on``.
pub(crate) fn shown_of(shown: usize, all: u64, [one, many]: [&str; 2], next: Option<String>) -> String {
    let counted = count_of(all, one, many);
    let counted = match shown as u64 == all {
        true => counted,
        false => format!("{} of {counted}", thousands(shown as u64)),
    };
    match next {
        Some(option) => format!("{counted}; `{option}` goes on"),
        None => counted,
    }
}

/// What people call a record, behind what it is called by here.
pub(crate) fn named(record: impl Display, name: Option<&String>) -> String {
    match name {
        Some(name) => format!("{record} ({name})"),
        None => record.to_string(),
    }
}

/// A number in a table, with thousands separated.
pub(crate) fn number(count: u64) -> Cell {
    Cell::new(thousands(count)).right()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_how_many_there_are_and_how_it_goes_on() {
        let items = ["item", "items"];
        assert_eq!(shown_of(1, 1, items, None), "1 item");
        assert_eq!(
            shown_of(100, 1_340, items, Some("--after 123".to_owned())),
            "100 of 1,340 items; `--after 123` goes on"
        );
        assert_eq!(shown_of(40, 1_340, items, None), "40 of 1,340 items");
    }

    #[test]
    fn a_failure_is_one_sentence_with_advice() {
        let failure = Failure::usage("there is no tandem.yaml here", "Run `tandem init`");
        assert_eq!(
            as_text(&failure),
            "tandem: there is no tandem.yaml here. Run `tandem init`."
        );
    }
}
