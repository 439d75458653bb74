//! Lines of a log, all in one style: when, how it stands, and a sentence.
//!
//! `2026-03-01T12:00:00Z  fine   salesforce: answers again after 41 s`. What `run` tells, what people are noted and what the
//! parts of the program log look alike. Colours say how it stands, on a terminal alone: files and pipes get none.

use crate::harmless;
use jiff::Timestamp;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How it stands with what a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It is done, or over.
    Fine,
    /// To be known.
    Note,
    /// It waits, for a person or for something to come.
    Waits,
    /// To be looked at.
    Warn,
    /// It failed, or was refused.
    Wrong,
}

impl Level {
    /// The word that stands in the line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Waits => "waits",
            Self::Warn => "warn",
            Self::Wrong => "wrong",
        }
    }

    /// Its colour, by the number that terminals know it by; what is merely to be known has none.
    fn colour(self) -> Option<u8> {
        match self {
            Self::Fine => Some(32),
            Self::Note => None,
            Self::Waits | Self::Warn => Some(33),
            Self::Wrong => Some(31),
        }
    }

    fn of(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Wrong,
            tracing::Level::WARN => Self::Warn,
            _ => Self::Note,
        }
    }
}

/// A line, whatever stands in it: it forges no other and a terminal obeys none of it.
pub(crate) fn line(at: Timestamp, level: Level, words: &str, colours: bool) -> String {
    let words = harmless::line(words);
    let word = level.word();
    match level.colour().filter(|_| colours) {
        Some(colour) => format!("{at:.0}  \u{1b}[{colour}m{word:<5}\u{1b}[0m  {words}"),
        None => format!("{at:.0}  {word:<5}  {words}"),
    }
}

/// Whether colours are shown where this is a terminal or not.
pub(crate) fn colours(is_terminal: bool) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_terminal && !unwanted && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// What the parts of the program log, as lines of this style.
pub(crate) struct Style {
    /// With colours.
    pub(crate) colours: bool,
}

impl<S, N> FormatEvent<S, N> for Style
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let level = Level::of(*event.metadata().level());
        writeln!(
            writer,
            "{}",
            line(Timestamp::now(), level, &said.words(), self.colours)
        )
    }
}

/// Standard error for a log of data: an object a line, of which a terminal obeys nothing.
pub(crate) struct Data;

impl std::io::Write for Data {
    fn write(&mut self, entry: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        writeln!(std::io::stderr(), "{}", harmless::json(text))?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// What an event says: its message, and its fields by name.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Said {
    /// The message, and behind it the fields that it does not tell already.
    fn words(&self) -> String {
        let untold = self
            .fields
            .iter()
            .filter(|(_, value)| !self.message.contains(value.as_str()));
        let untold: Vec<String> = untold.map(|(name, value)| format!("{name} {value}")).collect();
        match untold.is_empty() {
            true => self.message.clone(),
            false => format!("{} ({})", self.message, untold.join(", ")),
        }
    }

    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What the log holds after something was done, without the times.
    fn logged(colours: bool, work: impl FnOnce()) -> String {
        let kept = Kept::default();
        let log = tracing_subscriber::fmt().with_writer(kept.clone());
        let log = log.event_format(Style { colours }).finish();
        tracing::subscriber::with_default(log, work);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines();
        lines
            .map(|line| {
                let (at, rest) = line.split_once("  ").unwrap();
                assert!(at.parse::<Timestamp>().is_ok(), "{line}");
                format!("{rest}\n")
            })
            .collect()
    }

    #[test]
    fn what_is_logged_says_how_it_stands_in_a_sentence_and_nothing_twice() {
        let text = logged(false, || {
            tracing::warn!(system = "salesforce", "salesforce: no answer for {} s", 10);
            tracing::error!(count = 3, "answers could not be stored");
            tracing::info!(who = "ada", command = "pause order-order", "{} asked", "ada");
        });
        assert_eq!(
            text,
            "warn   salesforce: no answer for 10 s\nwrong  answers could not be stored (count 3)\n\
             note   ada asked (command pause order-order)\n"
        );
    }

    #[test]
    fn nothing_that_is_logged_forges_a_line_or_moves_a_terminal() {
        let text = logged(false, || {
            tracing::warn!(name = "a\r\u{1b}[2J", "one\n2026-03-01T12:00:00Z  fine   two")
        });
        assert_eq!(
            text,
            "warn   one\\n2026-03-01T12:00:00Z  fine   two (name a\\r\\u{1b}[2J)\n"
        );
        // In colour no escape stands there but those of the word.
        let coloured = logged(true, || tracing::warn!("\u{1b}[2J"));
        assert_eq!(coloured, "\u{1b}[33mwarn \u{1b}[0m  \\u{1b}[2J\n");
    }

    #[test]
    fn colours_say_how_it_stands_and_are_left_out_where_nobody_sees_them() {
        let at = "2026-03-01T12:00:00.25Z".parse().unwrap();
        let shown = |level, colours| line(at, level, "it is so", colours);
        assert_eq!(shown(Level::Note, true), shown(Level::Note, false));
        for level in [Level::Fine, Level::Waits, Level::Wrong] {
            assert!(!shown(level, false).contains('\u{1b}'));
            assert!(shown(level, true).contains('\u{1b}'));
        }
        assert_eq!(shown(Level::Fine, false), "2026-03-01T12:00:00Z  fine   it is so");
        assert!(!colours(false));
    }
}
