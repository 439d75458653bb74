//! SOQL: lexer, parser, binding to the org's objects, and evaluation.

mod bind;
mod bulk;
mod calendar;
mod child;
mod condition;
mod conditions;
mod filter;
mod group;
mod lexer;
mod like;
mod limits;
mod parser;
mod path;
mod run;
mod statement;
#[cfg(test)]
mod tests;

pub(crate) use bind::{Prepared, Selection};
pub(crate) use like::{Piece, fits};
pub(crate) use path::attributes;

use super::fault::{Code, Fault};
use super::org::Org;

/// The longest statement the API takes.
const MAX_LENGTH: usize = 100_000;

impl Org {
    /// Reads a statement and binds it to this org's objects.
    pub(crate) fn prepare(&self, text: &str) -> Result<Prepared, Fault> {
        if text.len() > MAX_LENGTH {
            return Err(Fault::new(
                Code::MalformedQuery,
                format!("SOQL statements cannot be longer than {MAX_LENGTH} characters."),
            ));
        }
        let query = parser::parse(text).map_err(|error| error.into_fault(text))?;
        limits::check(&query).map_err(|error| error.into_fault(text))?;
        bind::bind(self, &query).map_err(|error| error.into_fault(text))
    }
}

/// A refusal with the place in the statement, counted in characters from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoqlError {
    code: Code,
    at: usize,
    message: String,
}

impl SoqlError {
    fn malformed(at: usize, message: impl Into<String>) -> SoqlError {
        SoqlError {
            code: Code::MalformedQuery,
            at,
            message: message.into(),
        }
    }

    fn new(code: Code, at: usize, message: impl Into<String>) -> SoqlError {
        SoqlError {
            code,
            at,
            message: message.into(),
        }
    }

    /// The message of the API: a piece of the statement, a caret, row and column, and what is wrong.
    fn into_fault(self, text: &str) -> Fault {
        let letters: Vec<char> = text.chars().collect();
        let at = self.at.min(letters.len());
        let before = &letters[..at];
        let row = before.iter().filter(|letter| **letter == '\n').count() + 1;
        let line_start = before
            .iter()
            .rposition(|letter| *letter == '\n')
            .map_or(0, |place| place + 1);
        let column = at - line_start + 1;
        let from = line_start.max(at.saturating_sub(40));
        let to = letters.len().min(at + 40);
        let piece: String = letters[from..to]
            .iter()
            .map(|c| if *c == '\n' { ' ' } else { *c })
            .collect();
        let caret = " ".repeat(at - from);
        Fault::new(
            self.code,
            format!(
                "\n{piece}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{}",
                self.message
            ),
        )
    }
}
