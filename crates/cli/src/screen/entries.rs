//! Rows that do not fit a terminal as a table: each is an entry of lines, every value behind its heading.

use super::words;
use unicode_width::UnicodeWidthStr;

/// What lines after an entry's first begin with.
const INDENT: &str = "  ";
/// What lines after a value's first begin with.
const DEEPER: &str = "    ";
/// What parts values on one line.
const GAP: &str = "   ";

/// The lines of all rows. Blank values are left out. A value that does not fit beside those before it begins a line, and so does
/// one after a value of several lines; what does not fit a line goes on in the next one, between words, and names of records
/// stay whole where a line has room for them. A word wider than the terminal stays whole.
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

/// A sentence on lines of at most this width.
pub(super) fn folded(sentence: &str, width: usize) -> String {
    let mut entry = Entry::new(width, false);
    entry.begin("");
    entry.words(sentence, INDENT);
    entry.lines.join("\n")
}

/// The lines of one row.
struct Entry {
    width: usize,
    bold: bool,
    lines: Vec<String>,
    /// How wide the last line is: marks of bold type take no room.
    taken: usize,
    /// The last value takes several lines.
    long: bool,
}

impl Entry {
    fn new(width: usize, bold: bool) -> Self {
        Self {
            width,
            bold,
            lines: Vec::new(),
            taken: 0,
            long: false,
        }
    }

    /// Adds a value behind its heading; one without a heading stands for itself.
    fn add(&mut self, heading: &str, value: &str) {
        let label = match heading {
            "" => String::new(),
            heading => format!("{}: ", heading.replace('\n', ", ")),
        };
        let whole = label.width() + value.width();
        let beside =
            !self.lines.is_empty() && !self.long && !value.contains('\n') && self.fits(GAP.width() + whole);
        match (beside, self.lines.is_empty()) {
            (true, _) => self.push(GAP),
            (false, true) => self.begin(""),
            (false, false) => self.begin(INDENT),
        }
        self.mark(&label);
        let begun = self.lines.len();
        for (at, line) in value.lines().enumerate() {
            if at > 0 {
                self.begin(DEEPER);
            }
            self.words(line, DEEPER);
        }
        self.long = self.lines.len() > begun;
    }

    /// A line's words: with the blanks between them as they stand, but for where a line ends. Lines after the first begin with
    /// `indent`.
    fn words(&mut self, line: &str, indent: &str) {
        let room = self.width.saturating_sub(indent.width());
        for (at, word) in words::pieces(line, room).iter().enumerate() {
            if at == 0 && (self.fits(word.width()) || self.taken <= indent.width()) {
                self.push(word);
            } else if at > 0 && self.fits(1 + word.width()) {
                self.push(" ");
                self.push(word);
            } else {
                self.begin(indent);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_wider_than_the_terminal_goes_over_several_lines_between_words() {
        let held = "order-order is held: 12 of 62 linked records differ. `tandem conflicts` shows them, customerp Order 18 first";
        insta::assert_snapshot!(folded(held, 54), @r"
        order-order is held: 12 of 62 linked records differ.
          `tandem conflicts` shows them, customerp Order 18
          first
        ");
        assert_eq!(folded(held, 200), held);
    }

    #[test]
    fn a_value_after_one_of_several_lines_begins_a_line() {
        let row = vec![
            "100",
            "Anderson Outdoor Equipment Inc., a name that goes on",
            "so",
        ];
        insta::assert_snapshot!(drawn(&["alike", "name\nName", "why"], [row], 42, false), @r"
        alike: 100
          name, Name: Anderson Outdoor Equipment
            Inc., a name that goes on
          why: so
        ");
    }
}
