//! `tandem document`: prints the dataflow document.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{DosLines, Lines, Screen};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;
use tandem_merge::document;

/// Print the dataflow document.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem document
  tandem document --reverse --plain
  tandem document --format html > dataflow.html")]
pub(crate) struct Document {
    /// From the second system to the first
    #[arg(long)]
    reverse: bool,
    /// Without conditions and match keys
    #[arg(long)]
    plain: bool,
    /// End lines with CR LF
    #[arg(long)]
    crlf: bool,
    /// The format
    #[arg(long, value_name = "FORMAT", default_value = "rst")]
    format: Format,
    /// The moment to print as `Generated` [default: now]
    #[arg(long, value_name = "TIME")]
    generated: Option<Timestamp>,
}

/// Formats of the document.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// reStructuredText
    Rst,
    /// Markdown
    Md,
    /// HTML
    Html,
}

impl Document {
    /// Prints the document.
    pub(crate) fn print(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let options = document::Options {
            reverse: self.reverse,
            plain: self.plain,
            crlf: self.crlf,
            format: match self.format {
                Format::Rst => document::Format::Rst,
                Format::Md => document::Format::Markdown,
                Format::Html => document::Format::Html,
            },
            generated: self
                .generated
                .unwrap_or_else(Timestamp::now)
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string(),
        };
        let text = document::render(&configuration.dataflow, &options);
        screen.json(&json!({ "document": text }));
        let lines: Vec<&str> = text.lines().collect();
        match self.crlf {
            true => screen.result(DosLines(lines)),
            false => screen.result(Lines(lines)),
        }
        Ok(Exit::Done)
    }
}
