//! Statements about a record type. Names are quoted, values are given apart: nothing that somebody wrote becomes SQL.

use super::catalogue::{Column, Kind};
use super::description::Find;
use super::driver::{Dialect, Statement};
use super::table::{Item, Place, Table};
use super::value::{Cell, Shown};

/// Rows of one page.
pub(super) const PAGE: usize = 1_000;
/// Lists are filled up to one of these, so that few statements have to be prepared.
const LENGTHS: [usize; 6] = [1, 4, 16, 64, 256, 1_000];

/// A statement being written.
pub(super) struct Build {
    pub(super) dialect: Dialect,
    pub(super) sql: String,
    pub(super) given: Vec<Cell>,
}

impl Build {
    pub(super) fn new(dialect: Dialect, sql: impl Into<String>) -> Self {
        Self {
            dialect,
            sql: sql.into(),
            given: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Gives a value for a column.
    pub(super) fn give(&mut self, column: &Column, cell: Cell) -> &mut Self {
        self.given.push(cell);
        let place = self.dialect.given(self.given.len(), column);
        self.push(&place)
    }

    /// `(a, b) > (1, 2)`.
    pub(super) fn behind(&mut self, places: &[(&str, &Column)], after: &[Cell]) {
        if let ([(sql, column)], [cell]) = (places, after) {
            self.push(&format!("{sql} > ")).give(column, cell.clone());
            return;
        }
        if self.dialect == Dialect::Mssql {
            self.behind_by_steps(places, after);
            return;
        }
        let names: Vec<&str> = places.iter().map(|(sql, _)| *sql).collect();
        self.push(&format!("({}) > (", names.join(", ")));
        self.list(places.iter().zip(after), |build, ((_, column), cell)| {
            build.give(column, cell.clone());
        });
        self.push(")");
    }

    /// The same where rows are not compared as wholes: `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`. The first condition is
    /// what an index serves.
    fn behind_by_steps(&mut self, places: &[(&str, &Column)], after: &[Cell]) {
        let all: Vec<_> = places.iter().zip(after).collect();
        for (at, ((sql, column), cell)) in all.iter().enumerate() {
            if at + 1 == all.len() {
                self.push(&format!("{sql} > ")).give(column, (*cell).clone());
                continue;
            }
            for step in [">=", ">", "="] {
                self.push(&format!("{sql} {step} ")).give(column, (*cell).clone());
                self.push(match step {
                    ">=" => " AND (",
                    ">" => " OR (",
                    _ => " AND ",
                });
            }
        }
        self.push(&"))".repeat(all.len().saturating_sub(1)));
    }

    /// `a, b, c`, each by a closure.
    pub(super) fn list<T>(&mut self, all: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        for (at, one) in all.into_iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            each(self, one);
        }
    }

    pub(super) fn done(self, answers: Vec<Kind>) -> Statement {
        Statement {
            sql: self.sql,
            given: self.given,
            answers,
        }
    }
}

impl Table {
    fn select(&self, hint: &str) -> Build {
        Build::new(
            self.dialect,
            format!("SELECT {} FROM {}{hint}", self.asked.join(", "), self.from),
        )
    }

    fn ordered(places: &[&Place]) -> String {
        let columns: Vec<&str> = places.iter().map(|place| place.sql.as_str()).collect();
        format!(" ORDER BY {}", columns.join(", "))
    }

    /// Rows that are not marked as deleted, as a condition.
    fn live(&self, build: &mut Build) -> bool {
        let Some(place) = &self.deleted else { return false };
        let name = &place.sql;
        let is = self
            .record
            .deleted
            .as_ref()
            .and_then(|deleted| deleted.is.as_deref());
        match (is, place.codec.kind) {
            (Some(is), _) => {
                let cell = place.codec.write(&is.into()).unwrap_or(Cell::Null);
                build.push(&format!("({name} IS NULL OR {name} <> "));
                build.give(&place.column, cell).push(")");
            }
            (None, Kind::Boolean) if self.dialect != Dialect::Mssql => {
                build.push(&format!("({name} IS NULL OR {name} = FALSE)"));
            }
            (None, Kind::Boolean | Kind::Integer) => {
                build.push(&format!("({name} IS NULL OR {name} = 0)"));
            }
            (None, _) => {
                build.push(&format!("{name} IS NULL"));
            }
        }
        true
    }

    fn behind(build: &mut Build, places: &[&Place], after: &[Cell]) {
        let places: Vec<(&str, &Column)> = places
            .iter()
            .map(|place| (place.sql.as_str(), &place.column))
            .collect();
        build.behind(&places, after);
    }

    /// A page in the order of the keys.
    pub(super) fn by_key(&self, after: Option<&[Cell]>, marked_too: bool) -> Statement {
        let mut build = self.select("");
        self.pages_by_key(&mut build, after, marked_too, PAGE);
        build.done(self.answers.clone())
    }

    /// The keys alone, many at a time.
    pub(super) fn keys(&self, after: Option<&[Cell]>, limit: usize) -> Statement {
        let columns: Vec<String> = self
            .key
            .iter()
            .map(|place| self.dialect.asked(&place.column))
            .collect();
        let mut build = Build::new(
            self.dialect,
            format!("SELECT {} FROM {}", columns.join(", "), self.from),
        );
        self.pages_by_key(&mut build, after, false, limit);
        build.done(self.key.iter().map(|place| place.column.kind).collect())
    }

    fn pages_by_key(&self, build: &mut Build, after: Option<&[Cell]>, marked_too: bool, limit: usize) {
        let mut word = " WHERE ";
        if !marked_too && self.deleted.is_some() {
            build.push(word);
            self.live(build);
            word = " AND ";
        }
        let places: Vec<&Place> = self.key.iter().collect();
        if let Some(after) = after {
            build.push(word);
            Self::behind(build, &places, after);
        }
        build.push(&Self::ordered(&places));
        build.push(&self.dialect.first(limit));
    }

    /// A page of what was changed since, in the order of the changes.
    pub(super) fn by_modified(&self, modified: &Place, since: Cell, after: Option<&[Cell]>) -> Statement {
        let mut build = self.select("");
        build.push(&format!(" WHERE {} >= ", modified.sql));
        build.give(&modified.column, since);
        let places: Vec<&Place> = std::iter::once(modified).chain(&self.key).collect();
        if let Some(after) = after {
            build.push(" AND ");
            Self::behind(&mut build, &places, after);
        }
        build.push(&Self::ordered(&places));
        build.push(&self.dialect.first(PAGE));
        build.done(self.answers.clone())
    }

    /// The rows with these keys.
    pub(super) fn by_keys(&self, keys: &[Vec<Cell>]) -> Statement {
        let mut build = self.select("");
        build.push(" WHERE ");
        self.has_keys(&mut build, keys);
        build.done(self.answers.clone())
    }

    fn has_keys(&self, build: &mut Build, keys: &[Vec<Cell>]) {
        self.are(build, &self.key, keys);
    }

    /// Live rows whose columns hold one of these keys.
    pub(super) fn naming(&self, places: &[Place], keys: &[Vec<Cell>]) -> Statement {
        let mut build = self.select("");
        build.push(" WHERE ");
        if self.live(&mut build) {
            build.push(" AND ");
        }
        self.are(&mut build, places, keys);
        build.done(self.answers.clone())
    }

    /// `(a = 1 AND b = 2 OR a = 3 AND b = 4)`.
    fn are(&self, build: &mut Build, places: &[Place], keys: &[Vec<Cell>]) {
        let padded = padded(keys, places.len(), self.dialect);
        if let [place] = places {
            build.push(&format!("{} IN (", place.sql));
            build.list(padded, |build, key| {
                let cell = key.first().cloned().unwrap_or(Cell::Null);
                build.give(&place.column, cell);
            });
            build.push(")");
            return;
        }
        Self::any(build, places, &padded);
    }

    /// One of several keys, by halves: databases take conditions that stand in one another only so deep.
    fn any(build: &mut Build, places: &[Place], keys: &[&Vec<Cell>]) {
        match keys {
            [] => {
                build.push("1 = 0");
                return;
            }
            [key] => return Self::is(build, places, key),
            _ => {}
        }
        let (first, second) = keys.split_at(keys.len() / 2);
        build.push("(");
        Self::any(build, places, first);
        build.push(" OR ");
        Self::any(build, places, second);
        build.push(")");
    }

    /// One key.
    pub(super) fn has_key(&self, build: &mut Build, key: &[Cell]) {
        Self::is(build, &self.key, key);
    }

    fn is(build: &mut Build, places: &[Place], key: &[Cell]) {
        for (at, (place, cell)) in places.iter().zip(key).enumerate() {
            if at > 0 {
                build.push(" AND ");
            }
            build
                .push(&format!("{} = ", place.sql))
                .give(&place.column, cell.clone());
        }
    }

    /// One row, kept from others' changes until the transaction ends.
    pub(super) fn one(&self, key: &[Cell], locked: bool) -> Statement {
        let (hint, end) = if locked { self.dialect.locked() } else { ("", "") };
        let mut build = self.select(hint);
        build.push(" WHERE ");
        self.has_key(&mut build, key);
        build.push(end);
        build.done(self.answers.clone())
    }

    /// Live rows with one of these values.
    pub(super) fn found(&self, item: &Item, cells: &[Cell]) -> Statement {
        let mut build = self.select("");
        build.push(" WHERE ");
        if self.live(&mut build) {
            build.push(" AND ");
        }
        let texts = matches!(item.codec.shown, Shown::Text) && item.codec.kind != Kind::Uuid;
        let find = if texts { item.said.find } else { Find::Exact };
        let (asked, cast) = (self.dialect.asked(&item.column), self.dialect.any_text());
        let loosened = |inner: &str| match find {
            Find::Exact => inner.to_owned(),
            Find::IgnoreCase => format!("lower({inner})"),
            Find::Loose => LOOSE.iter().fold(format!("lower({inner})"), |inner, letter| {
                format!("replace({inner}, '{letter}', '')")
            }),
        };
        let left = if find == Find::Exact {
            self.dialect.quoted(&item.column.name)
        } else {
            asked
        };
        build.push(&format!("{} IN (", loosened(&left)));
        build.list(padded(cells, 1, self.dialect), |build, cell| {
            if find == Find::Exact {
                build.give(&item.column, cell.clone());
                return;
            }
            build.given.push(cell.clone());
            let place = build.dialect.bare(build.given.len());
            build.push(&loosened(&format!("CAST({place} AS {cast})")));
        });
        build.push(")");
        build.done(self.answers.clone())
    }
}

/// What stands between the letters and digits of telephone numbers and the like.
const LOOSE: [&str; 8] = [" ", "-", "/", "(", ")", ".", "+", "\u{a0}"];

/// `width`: how many values each of them is.
fn padded<T>(all: &[T], width: usize, dialect: Dialect) -> Vec<&T> {
    let length = LENGTHS
        .into_iter()
        .find(|length| *length >= all.len())
        .filter(|length| length * width <= dialect.most_given())
        .unwrap_or(all.len());
    let mut padded: Vec<&T> = all.iter().collect();
    if let Some(last) = all.last() {
        padded.resize(length, last);
    }
    padded
}
