//! Tables on people's screens: every cell stands on lines of its own and does nothing but stand there. No word is broken:
//! where a terminal is too narrow for that, each row is told as an entry.

use super::{entries, terminal, words};
use crate::harmless;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, CellAlignment, ColumnConstraint, ContentArrangement, Width};
use std::io::IsTerminal;
use unicode_width::UnicodeWidthStr;

/// What a column takes beside its text: a blank on each side and a line.
const FRAME: usize = 3;
/// So many percent of the lines that entries would take may a table's rows have: columns of a word or two each are no table.
const TALL: usize = 150;
/// Lines of a table that are no row's: its frame and its headings.
const HEAD: usize = 4;

/// A table with a heading line; it fits the terminal's width.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    headings: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    right: bool,
}

impl Cell {
    /// A text on one line.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: harmless::line(text.as_ref()),
            right: false,
        }
    }

    /// Texts on a line each.
    pub(crate) fn stacked<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let lines = texts.into_iter().map(|text| harmless::line(text.as_ref()));
        Self {
            text: lines.collect::<Vec<_>>().join("\n"),
            right: false,
        }
    }

    /// The cell, with its text at the right.
    pub(crate) fn right(self) -> Self {
        Self { right: true, ..self }
    }

    /// How wide its longest word is.
    fn longest_word(&self) -> usize {
        let words = self.text.split_whitespace().map(UnicodeWidthStr::width);
        words.max().unwrap_or(0)
    }

    /// How wide its longest line is.
    fn longest_line(&self) -> usize {
        self.text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
    }

    fn drawn(&self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(&self.text);
        match self.right {
            true => cell.set_alignment(CellAlignment::Right),
            false => cell,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Table {
    /// A table with as many columns as there are headings.
    pub(crate) fn new<T: Into<Cell>>(headings: impl IntoIterator<Item = T>) -> Self {
        Self {
            headings: headings.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn add_row<T: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table with its headings made anew.
    pub(super) fn headed(mut self, heading: impl Fn(&str) -> Cell) -> Self {
        for cell in &mut self.headings {
            *cell = heading(&cell.text);
        }
        self
    }

    /// The lines of it.
    pub(super) fn drawn(&self) -> String {
        self.drawn_within(terminal())
    }

    /// Whether it fits a width with each line of a cell on one line.
    pub(super) fn fits(&self, width: usize) -> bool {
        self.width(Cell::longest_line) <= width
    }

    /// The lines of it as a table of at most this width, unless a word or a record's name would be broken.
    pub(super) fn tabled_within(&self, width: usize) -> Option<String> {
        if self.fits(width) {
            return Some(self.ruled(None).to_string());
        }
        let table = self.tied();
        let whole = table.width(Cell::longest_word) <= width;
        whole.then(|| words::untied(&table.ruled(Some(width)).to_string()))
    }

    /// The lines of it; where it does not fit the width, without the columns that are blank in every row.
    pub(super) fn drawn_within(&self, width: Option<usize>) -> String {
        let Some(width) = width.filter(|width| !self.fits(*width)) else {
            return self.ruled(None).to_string();
        };
        let told = self.told();
        let headings: Vec<&str> = told.headings.iter().map(|cell| cell.text.as_str()).collect();
        let rows = told.rows.iter();
        let rows = rows.map(|row| row.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>());
        let entries = entries::drawn(&headings, rows, width, std::io::stdout().is_terminal());
        let Some(table) = told.tabled_within(width) else {
            return entries;
        };
        match table.lines().count().saturating_sub(HEAD) * 100 > entries.lines().count() * TALL {
            true => entries,
            false => table,
        }
    }

    /// The columns that say something in any row.
    fn told(&self) -> Self {
        let says = |at: &usize| {
            self.rows
                .iter()
                .any(|row| row.get(*at).is_some_and(|cell| !cell.text.is_empty()))
        };
        let columns: Vec<usize> = (0..self.headings.len()).filter(says).collect();
        let kept = |row: &Vec<Cell>| columns.iter().filter_map(|at| row.get(*at)).cloned().collect();
        Self {
            headings: kept(&self.headings),
            rows: self.rows.iter().map(kept).collect(),
        }
    }

    /// The table with what stands together in its rows.
    fn tied(&self) -> Self {
        let mut table = self.clone();
        for cell in table.rows.iter_mut().flatten() {
            cell.text = words::tied(&cell.text);
        }
        table
    }

    /// The table within its frame: of any width, or of this one.
    fn ruled(&self, width: Option<usize>) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        let headings = self.headings.iter().map(Cell::drawn);
        table.set_header(headings.map(|heading| heading.add_attribute(Attribute::Bold)));
        table.add_rows(self.rows.iter().map(|row| row.iter().map(Cell::drawn)));
        let Some(width) = width.and_then(|width| u16::try_from(width).ok()) else {
            table.set_content_arrangement(ContentArrangement::Disabled);
            return table;
        };
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
        let words = self.widths(Cell::longest_word).into_iter();
        let least = words.map(|word| u16::try_from(word + FRAME - 1).unwrap_or(u16::MAX));
        table.set_constraints(least.map(|least| ColumnConstraint::LowerBoundary(Width::Fixed(least))));
        table
    }

    /// The most that a cell of each column measures.
    fn widths(&self, of: impl Fn(&Cell) -> usize) -> Vec<usize> {
        let cells = |at: usize| self.rows.iter().filter_map(move |row| row.get(at));
        let headings = self.headings.iter().enumerate();
        let most = headings.map(|(at, heading)| cells(at).chain([heading]).map(&of).max().unwrap_or(0));
        most.collect()
    }

    /// How wide it is, in columns of a terminal, where each column is as wide as its cells measure at most.
    fn width(&self, of: impl Fn(&Cell) -> usize) -> usize {
        self.widths(of)
            .into_iter()
            .map(|width| width + FRAME)
            .sum::<usize>()
            + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked() -> Table {
        let mut table = Table::new(["item", "stands", "kind", "record", "why", "what to do", "who"]);
        let why =
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Priority: bad value for restricted picklist field";
        let advice = "Choose an entry that the picklist has for the record's record type, or add it there and to the flow's values";
        table.add_row([
            "12",
            "parked",
            "refused",
            "salesforce Task 00TbLa000000001QAA.Priority",
            why,
            advice,
            "salesforce administrator",
        ]);
        table.add_row([
            "13",
            "listed",
            "not-created",
            "salesforce User 005bLa000000001QAA",
            "alone",
            "",
            "",
        ]);
        table
    }

    /// No word is broken, nothing is beyond the edge, and nothing is left out, however wide the terminal is.
    #[test]
    fn no_word_is_broken_however_narrow_the_terminal_is() {
        let table = parked();
        let cells = table.rows.iter().flatten().map(|cell| cell.text.as_str());
        let words: Vec<&str> = cells.flat_map(str::split_whitespace).collect();
        for width in 44..260 {
            let drawn = table.drawn_within(Some(width));
            assert!(
                drawn.lines().all(|line| line.width() <= width),
                "{width}\n{drawn}"
            );
            for word in &words {
                assert!(
                    drawn.split_whitespace().any(|shown| shown == *word),
                    "{width} {word}\n{drawn}"
                );
            }
        }
        let whole = table.drawn_within(None);
        assert_eq!(whole.lines().count(), 6, "{whole}");
    }

    #[test]
    fn a_row_that_does_not_fit_is_told_as_an_entry() {
        insta::assert_snapshot!(parked().drawn_within(Some(80)), @r"
        item: 12   stands: parked   kind: refused
          record: salesforce Task 00TbLa000000001QAA.Priority
          why: INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Priority: bad value for
            restricted picklist field
          what to do: Choose an entry that the picklist has for the record's record
            type, or add it there and to the flow's values
          who: salesforce administrator
        item: 13   stands: listed   kind: not-created
          record: salesforce User 005bLa000000001QAA   why: alone
        ");
    }

    /// A table whose words fit, but each on a line of its own, is told as entries too.
    #[test]
    fn columns_of_one_word_each_are_no_table() {
        let mut table = Table::new(["flow", "why"]);
        let long = "a b c d e f g h i j k l m n o p q r s t u v w x y z ".repeat(8);
        table.add_row(["one-flow-of-a-rather-long-name-0123456789", long.as_str()]);
        let drawn = table.drawn_within(Some(52));
        assert!(!drawn.contains('│'), "{drawn}");
        assert!(table.drawn_within(Some(120)).contains('│'));
    }
    /// Wherever a line has room for a record's name it stands there whole, so that it is found and copied.
    #[test]
    fn names_of_records_stay_whole() {
        let mut table = Table::new(["flow", "action", "record", "values", "why"]);
        let name = "salesforce Division 0DvbCc000000004SAA";
        let why = format!("is one of several candidates for {name}, which is linked already");
        table.add_row([
            "customer-division",
            "park",
            "customerp Customer 38",
            "",
            why.as_str(),
        ]);
        table.add_row([
            "",
            "ask",
            "customerp Order 18.status",
            "",
            "the systems held different values",
        ]);
        for width in 48..200 {
            let drawn = table.drawn_within(Some(width));
            for name in [name, "customerp Customer 38", "customerp Order 18.status"] {
                assert!(drawn.contains(name), "{width} {name}\n{drawn}");
            }
        }
        // What says nothing in any row takes no room from what does.
        assert!(!table.drawn_within(Some(100)).contains("values ┆"));
        assert!(table.drawn_within(None).contains("values"));
    }
}
