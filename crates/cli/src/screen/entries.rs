//! Rows that do not fit a terminal as a table: each is an entry of lines, every value behind its heading.

use unicode_width::UnicodeWidthStr;

/// What lines after an entry's first begin with.
const INDENT: &str = "  ";
/// What lines after a value's first begin with.
const DEEPER: &str = "    ";
/// What parts values on one line.
const GAP: &str = "   ";

/// The lines of all rows. Blank values are left out. A value that does not fit beside those before it begins a line; what does
/// not fit a line goes on in the next one, between words. A word wider than the terminal stays whole.
pub(super) fn drawn<'a>(
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<&'a str>>,
    width: usize,
    bold: bool,
) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let mut entry = Entry::new(width, bold);
        let values = headings.iter().zip(row);
        for (heading, value) in values.filter(|(_, value)| !value.is_empty()) {
            entry.add(heading, value);
        }
        lines.append(&mut entry.lines);
    }
    lines.join("\n")
}

/// The lines of one row.
struct Entry {
    width: usize,
    bold: bool,
    lines: Vec<String>,
    /// How wide the last line is: marks of bold type take no room.
    taken: usize,
}

impl Entry {
    fn new(width: usize, bold: bool) -> Self {
        Self {
            width,
            bold,
            lines: Vec::new(),
            taken: 0,
        }
    }

    /// Adds a value behind its heading; one without a heading stands for itself.
    fn add(&mut self, heading: &str, value: &str) {
        let label = match heading {
            "" => String::new(),
            heading => format!("{heading}: "),
        };
        let whole = label.width() + value.width();
        let beside = !self.lines.is_empty() && !value.contains('\n') && self.fits(GAP.width() + whole);
        match (beside, self.lines.is_empty()) {
            (true, _) => self.push(GAP),
            (false, true) => self.begin(""),
            (false, false) => self.begin(INDENT),
        }
        self.mark(&label);
        for (at, line) in value.lines().enumerate() {
            if at > 0 {
                self.begin(DEEPER);
            }
            self.words(line);
        }
    }

    /// A line's words: with the blanks between them as they stand, but for where a line ends.
    fn words(&mut self, line: &str) {
        for (at, word) in line.split(' ').enumerate() {
            if at == 0 && (self.fits(word.width()) || self.taken <= DEEPER.width()) {
                self.push(word);
            } else if at > 0 && self.fits(1 + word.width()) {
                self.push(" ");
                self.push(word);
            } else {
                self.begin(DEEPER);
                self.push(word);
            }
        }
    }

    fn fits(&self, more: usize) -> bool {
        self.taken + more <= self.width
    }

    fn begin(&mut self, with: &str) {
        self.lines.push(with.to_owned());
        self.taken = with.width();
    }

    fn push(&mut self, text: &str) {
        if let Some(line) = self.lines.last_mut() {
            line.push_str(text);
            self.taken += text.width();
        }
    }

    /// A heading, in bold type where the terminal shows it.
    fn mark(&mut self, label: &str) {
        let bold = self.bold && !label.is_empty();
        if let Some(line) = self.lines.last_mut() {
            line.push_str(if bold { "\u{1b}[1m" } else { "" });
            line.push_str(label);
            line.push_str(if bold { "\u{1b}[0m" } else { "" });
            self.taken += label.width();
        }
    }
}
