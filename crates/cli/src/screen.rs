//! What people and programs see: lines, tables and JSON on standard output, complaints on standard error.

mod counts;
mod entries;
mod table;
mod words;

use crate::arguments::Common;
use crate::failure::Failure;
use crate::harmless;
pub(crate) use counts::CountTable;
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
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

    /// A line for people, a table, or lines: not shown as JSON or when quiet.
    pub(crate) fn say(&self, what: impl Shown) {
        if !self.json && !self.quiet {
            print(&what.shown());
        }
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

/// How wide the terminal is that standard output is, in columns.
fn terminal() -> Option<usize> {
    let width = comfy_table::Table::new().width();
    width.filter(|_| std::io::stdout().is_terminal()).map(usize::from)
}

/// Writes a line to standard output. A reader that went away (`| head`) is no failure.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
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
        Failure::One { what, advice, .. } => {
            let end = if what.ends_with('.') || what.ends_with('\n') {
                ""
            } else {
                "."
            };
            let advice = match advice.trim_end_matches('.') {
                "" => String::new(),
                advice => format!(" {advice}."),
            };
            harmless::line(&format!("tandem: {what}{end}{advice}"))
        }
        Failure::Configuration(problems) => listed("the configuration", problems),
        Failure::Sheet(problems) => listed("the file", problems),
    }
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

/// A number in a table, with thousands separated.
pub(crate) fn number(count: u64) -> Cell {
    Cell::new(thousands(count)).right()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_sentence_with_advice() {
        let failure = Failure::usage("there is no tandem.yaml here", "Run `tandem init`");
        assert_eq!(
            as_text(&failure),
            "tandem: there is no tandem.yaml here. Run `tandem init`."
        );
    }
}
