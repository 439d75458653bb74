//! Tables on people's screens: every cell stands on lines of its own and does nothing but stand there.

use crate::harmless;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, CellAlignment, ContentArrangement};
use std::io::IsTerminal;

/// A table with a heading line; it fits the terminal's width.
#[derive(Clone, Debug)]
pub(crate) struct Table(comfy_table::Table);

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell(comfy_table::Cell);

impl Cell {
    /// A text on one line.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self(comfy_table::Cell::new(harmless::line(text.as_ref())))
    }

    /// Texts on a line each.
    pub(crate) fn stacked<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let lines = texts.into_iter().map(|text| harmless::line(text.as_ref()));
        Self(comfy_table::Cell::new(lines.collect::<Vec<_>>().join("\n")))
    }

    /// The cell, with its text at the right.
    pub(crate) fn right(self) -> Self {
        Self(self.0.set_alignment(CellAlignment::Right))
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
        let mut table = comfy_table::Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if !std::io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        let headings = headings.into_iter().map(|heading| heading.into().0);
        table.set_header(headings.map(|heading| heading.add_attribute(Attribute::Bold)));
        Self(table)
    }

    /// A table of counts by name. Where it does not fit the terminal's width, columns that count nothing are left out, but
    /// for the first.
    pub(crate) fn of_counts<const N: usize>(
        headings: [&str; N],
        name: &str,
        rows: &[(&str, [u64; N])],
    ) -> Self {
        let width = comfy_table::Table::new().width();
        let width = width.filter(|_| std::io::stdout().is_terminal());
        Self::of_counts_within(width, headings, name, rows)
    }

    fn of_counts_within<const N: usize>(
        width: Option<u16>,
        headings: [&str; N],
        name: &str,
        rows: &[(&str, [u64; N])],
    ) -> Self {
        let full = Self::counting(headings, name, rows, |_| true);
        match width {
            Some(width) if full.natural_width() > usize::from(width) => {
                let counts = |at: usize| at == 0 || rows.iter().any(|(_, counts)| counts[at] > 0);
                Self::counting(headings, name, rows, counts)
            }
            _ => full,
        }
    }

    fn counting<const N: usize>(
        headings: [&str; N],
        name: &str,
        rows: &[(&str, [u64; N])],
        shown: impl Fn(usize) -> bool,
    ) -> Self {
        let places: Vec<usize> = (0..N).filter(|at| shown(*at)).collect();
        let first = std::iter::once(Cell::new(name));
        let mut table = Self::new(first.chain(places.iter().map(|at| Cell::new(headings[*at]))));
        for (name, counts) in rows {
            let counts = places.iter().map(|at| super::number(counts[*at]));
            table.add_row(std::iter::once(Cell::new(*name)).chain(counts));
        }
        table
    }

    /// How wide it is where nothing is broken into lines, in columns of a terminal.
    fn natural_width(&self) -> usize {
        let widths = self.0.column_max_content_widths();
        widths.iter().map(|width| usize::from(*width) + 3).sum::<usize>() + 1
    }

    /// Adds a row.
    pub(crate) fn add_row<T: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.into().0));
    }

    /// The lines of it.
    pub(crate) fn drawn(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_narrow_terminal_columns_that_count_nothing_are_left_out() {
        let rows = [("contact-contact", [0, 0, 7]), ("order-order", [0, 0, 0])];
        let headings = ["linked", "created in salesforce", "listed only"];
        let shown = |width| Table::of_counts_within(width, headings, "flow", &rows).drawn();
        for whole in [None, Some(66)] {
            assert!(shown(whole).contains("created in salesforce"), "{}", shown(whole));
        }
        let narrow = shown(Some(65));
        assert!(narrow.contains("linked") && narrow.contains("listed only") && narrow.contains('7'));
        assert!(!narrow.contains("created"), "{narrow}");
    }
}
