//! Tables that people open in a spreadsheet, fill in and hand back: CSV whose cells run as no formula.

use crate::failure::Failure;
use std::path::Path;
use tandem_merge::config::Problem;

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// What makes a text of it.
const QUOTE: char = '\'';

/// A cell that is a text to every spreadsheet.
pub(crate) fn safe(text: &str) -> String {
    match text.starts_with(FORMULA) || text.starts_with(QUOTE) {
        true => format!("{QUOTE}{text}"),
        false => text.to_owned(),
    }
}

/// The text that was made safe.
pub(crate) fn plain(cell: &str) -> String {
    let quoted = cell.strip_prefix(QUOTE);
    let quoted = quoted.filter(|rest| rest.starts_with(FORMULA) || rest.starts_with(QUOTE));
    quoted.unwrap_or(cell).to_owned()
}

/// A table on its way to a file or to standard output, row by row.
pub(crate) struct Writer {
    inner: csv::Writer<Box<dyn std::io::Write + Send>>,
    name: String,
    failed: Option<String>,
}

impl Writer {
    /// A new file; one that is there is left alone, since somebody may have filled it in.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            let advice = "Name a file that is not there yet, in a folder that can be written";
            Failure::usage(format!("{name} cannot be made ({error})"), advice)
        })?;
        Ok(Self::over(Box::new(std::io::BufWriter::new(file)), name))
    }

    /// Standard output.
    pub(crate) fn stdout() -> Self {
        Self::over(Box::new(std::io::stdout()), "standard output".to_owned())
    }

    fn over(out: Box<dyn std::io::Write + Send>, name: String) -> Self {
        Self {
            inner: csv::Writer::from_writer(out),
            name,
            failed: None,
        }
    }

    /// Adds a row; the first one is the headings. A failure is told at the end.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        if self.failed.is_some() {
            return;
        }
        let cells: Vec<String> = cells.into_iter().map(|cell| safe(cell.as_ref())).collect();
        self.failed = self
            .inner
            .write_record(&cells)
            .err()
            .map(|error| error.to_string());
    }

    /// Everything is written, or not.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.inner.flush().err().map(|error| error.to_string());
        match self.failed.or(flushed) {
            None => Ok(()),
            Some(error) => Err(Failure::trouble(
                format!("{} could not be written ({error})", self.name),
                "Free space, remove what was written, and run it again",
            )),
        }
    }
}

/// A table that was read.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// The file, as it was named.
    pub(crate) file: String,
    /// The headings, in lower case.
    headings: Vec<String>,
    /// The rows with their lines.
    pub(crate) rows: Vec<(u64, Vec<String>)>,
}

/// Counts lines as people's editors do: the reader takes the second half of an end of line for the next row's.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which the row at a position, behind all earlier ones, begins.
    fn of(&mut self, position: &csv::Position) -> u64 {
        let mut begins = usize::try_from(position.byte()).unwrap_or_default();
        while matches!(self.bytes.get(begins), Some(b'\r' | b'\n')) {
            begins += 1;
        }
        let passed = self.bytes.get(self.at..begins).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(begins);
        self.line
    }
}

impl Sheet {
    /// Reads a file: commas, semicolons or tabs between cells, with or without a byte order mark.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::usage(format!("{file} cannot be read ({error})"), "Name a CSV file"))?;
        Self::parse(file, &bytes)
    }

    fn parse(file: String, bytes: &[u8]) -> Result<Self, Failure> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter(bytes))
            .from_reader(bytes);
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        let mut lines = Lines {
            bytes,
            at: 0,
            line: 1,
        };
        for row in reader.records() {
            match row {
                Ok(row) => {
                    let line = row.position().map_or(0, |position| lines.of(position));
                    rows.push((line, row.iter().map(plain).collect::<Vec<_>>()));
                }
                Err(error) => {
                    let line = error.position().map_or(1, |position| lines.of(position));
                    let help = "Save the file as CSV in UTF-8.";
                    problems.push(problem(&file, line, 0, "the row cannot be read", help));
                }
            }
        }
        if rows.is_empty() && problems.is_empty() {
            problems.push(problem(
                &file,
                1,
                0,
                "the file is empty",
                "Write headings in its first row.",
            ));
        }
        if !problems.is_empty() {
            return Err(Failure::Sheet(problems));
        }
        let (_, headings) = rows.remove(0);
        let headings = headings.iter().map(|heading| heading.trim().to_lowercase());
        let blank = |row: &Vec<String>| row.iter().all(|cell| cell.trim().is_empty());
        rows.retain(|(_, row)| !blank(row));
        Ok(Self {
            headings: headings.collect(),
            file,
            rows,
        })
    }

    /// The column with one of these headings.
    pub(crate) fn column(&self, names: &[&str]) -> Option<usize> {
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        self.headings.iter().position(|heading| names.contains(heading))
    }

    /// A problem at a row's column (from 0).
    pub(crate) fn problem(
        &self,
        line: u64,
        column: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        problem(&self.file, line, column, message, help)
    }
}

fn problem(
    file: &str,
    line: u64,
    column: usize,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Problem {
    Problem {
        file: file.to_owned(),
        line,
        column: column as u64 + 1,
        message: message.into(),
        help: help.into(),
    }
}

/// What stands between the cells of the first line: spreadsheets of some countries write semicolons.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |sign: u8| first.iter().filter(|byte| **byte == sign).count();
    let best = [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|sign| count(*sign));
    best.unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn no_cell_begins_a_formula_and_all_are_read_back() {
        for text in [
            "=1+1", "+49 30", "-5", "@SUM(A1)", "\tx", "\rx", "'quoted", "''=1", "plain", "", "O'Neill",
        ] {
            let cell = safe(text);
            assert!(!cell.starts_with(FORMULA), "{cell}");
            assert_eq!(plain(&cell), text);
        }
        // A quote that nobody of us wrote stays.
        assert_eq!(plain("'t Hart"), "'t Hart");
    }

    #[test]
    fn tables_of_any_spreadsheet_are_read_with_their_lines() {
        let text = "\u{feff}Decision;customerp;salesforce\r\nlink;1;\"a;\nb\"\r\n\r\n;;\r\nlink;'-2;c\r\n";
        let sheet = Sheet::parse("f.csv".into(), text.as_bytes()).unwrap();
        assert_eq!(sheet.column(&["decision"]), Some(0));
        assert_eq!(sheet.column(&["flow"]), None);
        assert_eq!(
            sheet.rows,
            [
                (2, vec!["link".to_owned(), "1".into(), "a;\nb".into()]),
                (6, vec!["link".to_owned(), "-2".into(), "c".into()]),
            ]
        );
        assert!(Sheet::parse("f.csv".into(), b"").is_err());
        assert!(matches!(
            Sheet::parse("f.csv".into(), b"a,b\n\xff,1\n"),
            Err(Failure::Sheet(problems)) if problems[0].line == 2
        ));
    }
}
