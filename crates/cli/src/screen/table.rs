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

    /// Adds a row.
    pub(crate) fn add_row<T: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.into().0));
    }

    /// The lines of it.
    pub(crate) fn drawn(&self) -> String {
        self.0.to_string()
    }
}
