//! Tables of counts by name, such as flows: they fit the terminal, and no name and no word of a heading is broken.

use super::{Cell, Table, number, terminal};
use unicode_width::UnicodeWidthStr;

/// CountTable of the same kinds, one row for each name.
#[derive(Clone, Debug)]
pub(crate) struct CountTable {
    name: String,
    headings: Vec<String>,
    rows: Vec<(String, Vec<u64>)>,
}

impl CountTable {
    /// A table without rows: what its names are called, and what is counted.
    pub(crate) fn new<T: Into<String>>(
        name: impl Into<String>,
        headings: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            name: name.into(),
            headings: headings.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: one count for each heading.
    pub(crate) fn add_row(&mut self, name: impl Into<String>, counts: impl Into<Vec<u64>>) {
        self.rows.push((name.into(), counts.into()));
    }

    /// The lines of it.
    pub(super) fn drawn(&self) -> String {
        self.drawn_within(terminal())
    }

    /// Where it does not fit the width, columns that count nothing are left out, but for the first, and headings go over several
    /// lines. Where that does not do either, the columns go on in a further table below, which has the names that count anything.
    fn drawn_within(&self, width: Option<usize>) -> String {
        let all: Vec<usize> = (0..self.headings.len()).collect();
        let whole = self.table(&all);
        let Some(width) = width.filter(|width| !whole.fits(*width)) else {
            return whole.drawn_within(None);
        };
        let counting = all.into_iter().filter(|at| *at == 0 || self.counts(*at));
        let counting: Vec<usize> = counting.collect();
        for tables in 1..=counting.len() {
            let columns = counting.chunks(counting.len().div_ceil(tables));
            let drawn = columns.map(|columns| {
                let table = self.table(columns);
                match table.fits(width) {
                    true => table.tabled_within(width),
                    false => table.headed(folded).tabled_within(width),
                }
            });
            if let Some(drawn) = drawn.collect::<Option<Vec<_>>>() {
                return drawn.join("\n");
            }
        }
        self.table(&counting).drawn_within(Some(width))
    }

    /// Whether anything is counted in a column.
    fn counts(&self, at: usize) -> bool {
        self.rows.iter().any(|(_, counts)| counts[at] > 0)
    }

    /// These columns: with all names where the first is among them.
    fn table(&self, columns: &[usize]) -> Table {
        let headings = columns.iter().map(|at| self.headings[*at].as_str());
        let mut table = Table::new(std::iter::once(self.name.as_str()).chain(headings));
        for (name, counts) in &self.rows {
            if columns.contains(&0) || columns.iter().any(|at| counts[*at] > 0) {
                let counts = columns.iter().map(|at| number(counts[*at]));
                table.add_row(std::iter::once(Cell::new(name)).chain(counts));
            }
        }
        table
    }
}

/// A heading on two lines, between words, where it takes the least room.
fn folded(heading: &str) -> Cell {
    let halves = heading.match_indices(' ').map(|(at, _)| heading.split_at(at));
    let halves = halves.map(|(above, below)| [above, below.trim_start()]);
    let widest = |halves: &[&str; 2]| halves.map(UnicodeWidthStr::width).into_iter().max();
    match halves.min_by_key(widest) {
        Some(halves) => Cell::stacked(halves),
        None => Cell::new(heading),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headings of `tandem status`, and flows of which some count nothing.
    fn flows(rows: &[(&str, [u64; 10])]) -> CountTable {
        let headings = [
            "linked",
            "created in customerp",
            "created in salesforce",
            "updated",
            "conflicts",
            "to answer",
            "parked",
            "deferred",
            "to approve",
            "listed only",
        ];
        let mut counts = CountTable::new("flow", headings);
        for (name, row) in rows {
            counts.add_row(*name, *row);
        }
        counts
    }

    const QUIET: [(&str, [u64; 10]); 3] = [
        ("customer-division", [37, 0, 37, 39, 0, 0, 0, 0, 0, 1]),
        ("contact-contact", [49, 1, 48, 58, 0, 0, 0, 0, 0, 0]),
        ("quote-invoice-line", [1_059, 0, 1_059, 8, 0, 0, 0, 0, 0, 0]),
    ];

    #[test]
    fn on_a_narrow_terminal_columns_that_count_nothing_are_left_out() {
        insta::assert_snapshot!(flows(&QUIET).drawn_within(Some(80)), @r"
        ┌────────────────────┬────────┬────────────┬────────────┬─────────┬────────┐
        │ flow               ┆ linked ┆ created in ┆ created in ┆ updated ┆ listed │
        │                    ┆        ┆ customerp  ┆ salesforce ┆         ┆ only   │
        ╞════════════════════╪════════╪════════════╪════════════╪═════════╪════════╡
        │ customer-division  ┆     37 ┆          0 ┆         37 ┆      39 ┆      1 │
        │ contact-contact    ┆     49 ┆          1 ┆         48 ┆      58 ┆      0 │
        │ quote-invoice-line ┆  1,059 ┆          0 ┆      1,059 ┆       8 ┆      0 │
        └────────────────────┴────────┴────────────┴────────────┴─────────┴────────┘
        ");
        let wide = flows(&QUIET).drawn_within(None);
        assert!(
            wide.contains("conflicts") && wide.contains("to approve"),
            "{wide}"
        );
        assert_eq!(wide, flows(&QUIET).drawn_within(Some(200)));
    }

    #[test]
    fn what_does_not_fit_goes_on_below_with_the_names_that_count() {
        let mut rows = QUIET;
        rows[0].1 = [37, 0, 37, 39, 2, 2, 3, 0, 1, 1];
        rows[2].1 = [1_059, 5, 1_059, 8, 0, 0, 0, 25, 0, 0];
        insta::assert_snapshot!(flows(&rows).drawn_within(Some(80)), @r"
        ┌────────────────────┬────────┬────────────┬────────────┬─────────┬───────────┐
        │ flow               ┆ linked ┆ created in ┆ created in ┆ updated ┆ conflicts │
        │                    ┆        ┆ customerp  ┆ salesforce ┆         ┆           │
        ╞════════════════════╪════════╪════════════╪════════════╪═════════╪═══════════╡
        │ customer-division  ┆     37 ┆          0 ┆         37 ┆      39 ┆         2 │
        │ contact-contact    ┆     49 ┆          1 ┆         48 ┆      58 ┆         0 │
        │ quote-invoice-line ┆  1,059 ┆          5 ┆      1,059 ┆       8 ┆         0 │
        └────────────────────┴────────┴────────────┴────────────┴─────────┴───────────┘
        ┌────────────────────┬────────┬────────┬──────────┬─────────┬────────┐
        │ flow               ┆ to     ┆ parked ┆ deferred ┆ to      ┆ listed │
        │                    ┆ answer ┆        ┆          ┆ approve ┆ only   │
        ╞════════════════════╪════════╪════════╪══════════╪═════════╪════════╡
        │ customer-division  ┆      2 ┆      3 ┆        0 ┆       1 ┆      1 │
        │ quote-invoice-line ┆      0 ┆      0 ┆       25 ┆       0 ┆      0 │
        └────────────────────┴────────┴────────┴──────────┴─────────┴────────┘
        ");
    }

    /// However wide the terminal is, nothing is beyond its edge, no name and no heading is broken, and no count is lost.
    #[test]
    fn counts_fit_a_terminal_of_any_width() {
        let rows = [
            ("customer-division", [37, 12, 25, 39, 2, 2, 3, 4, 1, 11]),
            ("quote-invoice-line", [1_059, 5, 1_054, 8, 6, 7, 9, 23, 14, 15]),
        ];
        for width in 36..200 {
            let drawn = flows(&rows).drawn_within(Some(width));
            assert!(
                drawn.lines().all(|line| line.width() <= width),
                "{width}\n{drawn}"
            );
            let words: Vec<&str> = drawn.split_whitespace().collect();
            for word in [
                "customer-division",
                "quote-invoice-line",
                "customerp",
                "salesforce",
                "conflicts",
            ] {
                assert!(words.contains(&word), "{width} {word}\n{drawn}");
            }
            for count in rows.iter().flat_map(|(_, counts)| counts) {
                assert!(
                    words.contains(&super::super::thousands(*count).as_str()),
                    "{width} {count}\n{drawn}"
                );
            }
        }
    }
}
