//! The INSERT statements of a PostgreSQL dump.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::super::server::StartError;

/// The rows of the tables that were asked for.
#[derive(Debug, Default)]
pub(super) struct Dump(BTreeMap<String, Vec<Row>>);

/// One row: its values as text, `None` for NULL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    line: usize,
    values: Vec<Option<String>>,
}

impl Dump {
    /// Reads the rows of these tables, each with at least so many columns. Other statements are passed over.
    ///
    /// # Errors
    /// [`StartError::Northwind`] with the line of what is malformed.
    pub(super) fn read(text: &str, tables: &[(&str, usize)]) -> Result<Self, StartError> {
        let mut reader = Reader {
            rest: text.chars().peekable(),
            line: 1,
        };
        let mut dump = Self::default();
        while reader.next_statement() {
            let line = reader.line;
            let insert =
                reader.word().eq_ignore_ascii_case("insert") && reader.word().eq_ignore_ascii_case("into");
            let table = if insert { reader.word() } else { String::new() };
            let name = table.trim_start_matches("public.");
            let Some((name, columns)) = tables.iter().find(|(wanted, _)| *wanted == name) else {
                reader.skip_statement()?;
                continue;
            };
            for row in reader.values()? {
                if row.values.len() < *columns {
                    let what = format!("{name} needs {columns} columns, not {}", row.values.len());
                    return Err(StartError::Northwind { line, what });
                }
                dump.0.entry((*name).to_owned()).or_default().push(row);
            }
        }
        Ok(dump)
    }

    pub(super) fn rows(&self, table: &str) -> &[Row] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }
}

impl Row {
    pub(super) fn text(&self, column: usize) -> Option<&str> {
        self.values
            .get(column)
            .and_then(Option::as_deref)
            .filter(|text| !text.is_empty())
    }

    /// A text that may not be missing.
    pub(super) fn needed(&self, column: usize) -> Result<&str, StartError> {
        self.text(column)
            .ok_or_else(|| self.wrong(format!("column {} must not be blank", column + 1)))
    }

    pub(super) fn number(&self, column: usize) -> Result<i64, StartError> {
        self.parsed(column, "a whole number")
    }

    pub(super) fn decimal(&self, column: usize) -> Result<Decimal, StartError> {
        self.parsed(column, "a decimal number")
    }

    pub(super) fn date(&self, column: usize) -> Result<Date, StartError> {
        self.parsed(column, "a date")
    }

    fn parsed<T: FromStr>(&self, column: usize, what: &str) -> Result<T, StartError> {
        let text = self.needed(column)?;
        text.parse()
            .map_err(|_| self.wrong(format!("column {} must be {what}, not `{text}`", column + 1)))
    }

    /// An error at this row's line.
    pub(super) fn wrong(&self, what: impl Into<String>) -> StartError {
        StartError::Northwind {
            line: self.line,
            what: what.into(),
        }
    }
}

/// Reads SQL character by character, counting lines.
struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.next();
        if character == Some('\n') {
            self.line += 1;
        }
        character
    }

    fn wrong(&self, what: impl Into<String>) -> StartError {
        StartError::Northwind {
            line: self.line,
            what: what.into(),
        }
    }

    fn skip_blanks(&mut self) {
        while self
            .rest
            .peek()
            .is_some_and(|character| character.is_whitespace())
        {
            self.next();
        }
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|character| character != '\n') {}
    }

    /// Whether there is one more statement; blanks and comments before it are passed over.
    fn next_statement(&mut self) -> bool {
        loop {
            self.skip_blanks();
            match self.rest.peek() {
                None => return false,
                Some('-') => self.skip_line(),
                Some(';') => {
                    self.next();
                }
                Some(_) => return true,
            }
        }
    }

    fn skip_statement(&mut self) -> Result<(), StartError> {
        loop {
            match self.rest.peek() {
                None | Some(';') => return Ok(()),
                Some('\'') => {
                    self.quoted(false)?;
                }
                Some(_) => {
                    self.next();
                }
            }
        }
    }

    fn word(&mut self) -> String {
        self.skip_blanks();
        let mut word = String::new();
        while let Some(character) = self.rest.peek().copied() {
            if !(character.is_alphanumeric() || "_.+-\"".contains(character)) {
                break;
            }
            if character != '"' {
                word.push(character);
            }
            self.next();
        }
        word
    }

    fn expect(&mut self, wanted: char) -> Result<(), StartError> {
        self.skip_blanks();
        match self.next() {
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(self.wrong(format!("`{wanted}` expected, not `{found}`"))),
            None => Err(self.wrong(format!("`{wanted}` expected, but the dump ends"))),
        }
    }

    fn found(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest.peek() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    /// The rows of `VALUES (...), (...);`.
    fn values(&mut self) -> Result<Vec<Row>, StartError> {
        let word = self.word();
        if !word.eq_ignore_ascii_case("values") {
            return Err(self.wrong("VALUES expected: a dump with column names is not understood"));
        }
        let mut rows = Vec::new();
        loop {
            self.expect('(')?;
            let mut row = Row {
                line: self.line,
                values: Vec::new(),
            };
            loop {
                row.values.push(self.value()?);
                if !self.found(',') {
                    break;
                }
            }
            self.expect(')')?;
            rows.push(row);
            if !self.found(',') {
                break;
            }
        }
        self.expect(';')?;
        Ok(rows)
    }

    fn value(&mut self) -> Result<Option<String>, StartError> {
        self.skip_blanks();
        if self.rest.peek() == Some(&'\'') {
            return self.quoted(false).map(Some);
        }
        let word = self.word();
        match word.as_str() {
            "" => Err(self.wrong("a value expected")),
            "E" | "e" if self.rest.peek() == Some(&'\'') => self.quoted(true).map(Some),
            _ if word.eq_ignore_ascii_case("null") => Ok(None),
            _ if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => Ok(Some(word)),
            _ if ["true", "false"].contains(&word.to_lowercase().as_str()) => Ok(Some(word.to_lowercase())),
            _ => Err(self.wrong(format!("`{word}` is no value"))),
        }
    }

    /// A string in quotes; in one with escapes a backslash stands before special characters.
    fn quoted(&mut self, escapes: bool) -> Result<String, StartError> {
        let opened = self.line;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\'') if self.rest.peek() == Some(&'\'') => {
                    self.next();
                    text.push('\'');
                }
                Some('\'') => return Ok(text),
                Some('\\') if escapes => text.extend(self.next().map(unescaped)),
                Some(character) => text.push(character),
                None => {
                    return Err(StartError::Northwind {
                        line: opened,
                        what: "a string that does not end".into(),
                    });
                }
            }
        }
    }
}

fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        let dump = Dump::read(text, &[("t", 2)]).map_err(|error| error.to_string())?;
        Ok(dump.0.into_values().flatten().map(|row| row.values).collect())
    }

    fn row(values: [Option<&str>; 3]) -> Vec<Option<String>> {
        values.map(|value| value.map(str::to_owned)).into()
    }

    #[test]
    fn values_of_every_shape_are_read() {
        let text = "-- a 'comment\nSET x = 'a;b';\nINSERT INTO t VALUES ('l''Abbaye; (x)', NULL, -3.5e-2),\n (1, E'a\\n\\'b\\\\', 'a\\n');\n\
                    INSERT INTO other VALUES (now());\ninsert into public.t values ('two\nlines', true, '');";
        let rows = read(text).unwrap();
        let expected = [
            row([Some("l'Abbaye; (x)"), None, Some("-3.5e-2")]),
            row([Some("1"), Some("a\n'b\\"), Some("a\\n")]),
            row([Some("two\nlines"), Some("true"), Some("")]),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn what_is_malformed_is_reported_with_its_line() {
        for (text, message) in [
            (
                "\nINSERT INTO t VALUES (1, 'open",
                "line 2: a string that does not end",
            ),
            (
                "\n\nINSERT INTO t VALUES (1);",
                "line 3: t needs 2 columns, not 1",
            ),
            ("INSERT INTO t VALUES (1, now());", "line 1: `now` is no value"),
            ("INSERT INTO t (a, b) VALUES (1, 2);", "line 1: VALUES expected"),
            (
                "INSERT INTO t VALUES (1, 2)\nINSERT INTO t VALUES (1, 2);",
                "line 2: `;` expected, not `I`",
            ),
            ("INSERT INTO t VALUES (1 2);", "line 1: `)` expected"),
            ("INSERT INTO t VALUES (1,", "a value expected"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
