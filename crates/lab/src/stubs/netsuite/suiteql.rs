//! SuiteQL, as far as the stub understands it: `SELECT columns FROM table WHERE conditions joined by AND ORDER BY column`, with
//! `TO_CHAR`, `TO_DATE` and `LOWER`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::cmp::Ordering;

/// The zone in which the account writes times.
pub(super) const ZONE: &str = "America/Los_Angeles";
/// How functions write times and days.
const FORMATS: [(&str, &str); 2] = [
    ("YYYY-MM-DD HH24:MI:SS", "%Y-%m-%d %H:%M:%S"),
    ("YYYY-MM-DD", "%Y-%m-%d"),
];

/// A query.
#[derive(Debug)]
pub(super) struct Query {
    /// What is shown, each under its name.
    pub(super) columns: Vec<(Term, String)>,
    pub(super) from: String,
    pub(super) conditions: Vec<Condition>,
    /// What its rows are sorted by.
    pub(super) order: Option<String>,
}

/// What has a value for each row.
#[derive(Debug)]
pub(super) enum Term {
    Column(String),
    Text(String),
    Number(i64),
    Call(String, Vec<Term>),
}

/// That a value compares with one of others.
#[derive(Debug)]
pub(super) struct Condition {
    left: Term,
    sign: String,
    right: Vec<Term>,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Blank,
    Text(String),
    Number(i64),
    /// Seconds since 1970.
    Time(i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// In small letters.
    Word(String),
    Text(String),
    Number(i64),
    Sign(String),
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// What is not understood.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut tokens = tokens(text)?;
        tokens.reverse();
        let mut reader = Reader { tokens };
        reader.keyword("select")?;
        let mut columns = vec![reader.column()?];
        while reader.sign(",") {
            columns.push(reader.column()?);
        }
        reader.keyword("from")?;
        let from = reader.word()?;
        let mut conditions = Vec::new();
        if reader.is("where") {
            conditions.push(reader.condition()?);
            while reader.is("and") {
                conditions.push(reader.condition()?);
            }
        }
        let mut order = None;
        if reader.is("order") {
            reader.keyword("by")?;
            order = Some(reader.word()?);
        }
        match reader.tokens.pop() {
            None => Ok(Self {
                columns,
                from,
                conditions,
                order,
            }),
            Some(token) => Err(format!("{token:?} is not expected")),
        }
    }

    /// The columns that it names.
    pub(super) fn names(&self) -> Vec<&str> {
        let shown = self.columns.iter().map(|(term, _)| term);
        let asked = self
            .conditions
            .iter()
            .flat_map(|condition| condition.right.iter().chain([&condition.left]));
        let mut names: Vec<&str> = shown.chain(asked).flat_map(Term::names).collect();
        names.extend(self.order.as_deref());
        names
    }

    /// Whether a row is wanted.
    ///
    /// # Errors
    /// A function is not known.
    pub(super) fn wants(&self, row: &dyn Fn(&str) -> Cell) -> Result<bool, String> {
        for condition in &self.conditions {
            if !condition.holds(row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Term {
    fn names(&self) -> Vec<&str> {
        match self {
            Self::Column(name) => vec![name],
            Self::Call(_, terms) => terms.iter().flat_map(Self::names).collect(),
            Self::Text(_) | Self::Number(_) => Vec::new(),
        }
    }

    /// Its value in a row.
    ///
    /// # Errors
    /// A function, or a format, is not known.
    pub(super) fn value(&self, row: &dyn Fn(&str) -> Cell) -> Result<Cell, String> {
        let (name, terms) = match self {
            Self::Column(name) => return Ok(row(name)),
            Self::Text(text) => return Ok(Cell::Text(text.clone())),
            Self::Number(number) => return Ok(Cell::Number(*number)),
            Self::Call(name, terms) => (name.as_str(), terms),
        };
        let values: Result<Vec<Cell>, String> = terms.iter().map(|term| term.value(row)).collect();
        match (name, values?.as_slice()) {
            (_, [Cell::Blank, ..]) => Ok(Cell::Blank),
            ("lower", [Cell::Text(text)]) => Ok(Cell::Text(text.to_lowercase())),
            ("to_char", [Cell::Time(at), Cell::Text(format)]) => {
                Ok(Cell::Text(printed(*at, pattern(format)?)))
            }
            ("to_date", [Cell::Text(text), Cell::Text(format)]) => {
                pattern(format)?;
                let wrong = || format!("Parse of date/time \"{text}\" failed with date format \"{format}\"");
                time(text).map(Cell::Time).ok_or_else(wrong)
            }
            _ => Err(format!("the function {name} is not known with such arguments")),
        }
    }
}

impl Condition {
    fn holds(&self, row: &dyn Fn(&str) -> Cell) -> Result<bool, String> {
        let left = self.left.value(row)?;
        for term in &self.right {
            let by = compared(&left, &term.value(row)?);
            let holds = match self.sign.as_str() {
                "=" => by == Some(Ordering::Equal),
                "<" => by == Some(Ordering::Less),
                ">" => by == Some(Ordering::Greater),
                "<=" => matches!(by, Some(Ordering::Less | Ordering::Equal)),
                ">=" => matches!(by, Some(Ordering::Greater | Ordering::Equal)),
                other => return Err(format!("{other} is not understood")),
            };
            if holds {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn compared(one: &Cell, other: &Cell) -> Option<Ordering> {
    match (one, other) {
        (Cell::Number(one), Cell::Number(other)) | (Cell::Time(one), Cell::Time(other)) => {
            Some(one.cmp(other))
        }
        (Cell::Text(one), Cell::Text(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

fn zone() -> TimeZone {
    TimeZone::get(ZONE).unwrap_or(TimeZone::UTC)
}

/// A time as the account shows it.
pub(super) fn printed(at: i64, pattern: &str) -> String {
    let at = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone()).strftime(pattern).to_string()
}

/// A time, or the beginning of a day, of the account's zone.
pub(super) fn time(text: &str) -> Option<i64> {
    let day = || {
        Some(
            text.parse::<Date>()
                .ok()?
                .to_datetime(jiff::civil::Time::midnight()),
        )
    };
    let at = match text.contains(' ') {
        true => text.parse::<DateTime>().ok(),
        false => day(),
    };
    Some(at?.to_zoned(zone()).ok()?.timestamp().as_second())
}

fn pattern(format: &str) -> Result<&'static str, String> {
    let known = FORMATS.iter().find(|(name, _)| *name == format);
    known
        .map(|(_, pattern)| *pattern)
        .ok_or_else(|| format!("the format {format} is not known"))
}

/// Tokens that are not read yet, the next one at the end.
struct Reader {
    tokens: Vec<Token>,
}

impl Reader {
    fn take(&mut self, wanted: &Token) -> bool {
        let there = self.tokens.last() == Some(wanted);
        if there {
            self.tokens.pop();
        }
        there
    }

    fn is(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.take(&Token::Sign(sign.to_owned()))
    }

    fn keyword(&mut self, word: &str) -> Result<(), String> {
        match self.is(word) {
            true => Ok(()),
            false => Err(format!("{word} is expected")),
        }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.pop() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("a name is expected instead of {other:?}")),
        }
    }

    fn column(&mut self) -> Result<(Term, String), String> {
        let term = self.term()?;
        let name = match (self.is("as"), &term) {
            (true, _) => self.word()?,
            (false, Term::Column(name)) => name.clone(),
            _ => "expr1".to_owned(),
        };
        Ok((term, name))
    }

    fn term(&mut self) -> Result<Term, String> {
        match self.tokens.pop() {
            Some(Token::Text(text)) => Ok(Term::Text(text)),
            Some(Token::Number(number)) => Ok(Term::Number(number)),
            Some(Token::Word(word)) => match self.sign("(") {
                true => Ok(Term::Call(word, self.terms()?)),
                false => Ok(Term::Column(word)),
            },
            other => Err(format!("a value is expected instead of {other:?}")),
        }
    }

    /// Terms until the bracket closes.
    fn terms(&mut self) -> Result<Vec<Term>, String> {
        let mut terms = vec![self.term()?];
        while self.sign(",") {
            terms.push(self.term()?);
        }
        match self.sign(")") {
            true => Ok(terms),
            false => Err("a bracket is not closed".to_owned()),
        }
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let left = self.term()?;
        if self.is("in") {
            if !self.sign("(") {
                return Err("IN wants a list in brackets".to_owned());
            }
            let (sign, right) = ("=".to_owned(), self.terms()?);
            return Ok(Condition { left, sign, right });
        }
        let Some(Token::Sign(sign)) = self.tokens.pop() else {
            return Err("a comparison is expected".to_owned());
        };
        let right = vec![self.term()?];
        Ok(Condition { left, sign, right })
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, behind) = match first {
            '\'' => quoted(&rest[1..])?,
            '0'..='9' => {
                let (digits, behind) = run(rest, |sign| sign.is_ascii_digit());
                let number = digits.parse().map_err(|_| format!("{digits} is too large"))?;
                (Token::Number(number), behind)
            }
            'a'..='z' | 'A'..='Z' => {
                let (word, behind) = run(rest, |sign| sign.is_ascii_alphanumeric() || sign == '_');
                (Token::Word(word.to_lowercase()), behind)
            }
            '<' | '>' | '=' => {
                let (sign, behind) = run(rest, |sign| "<>=".contains(sign));
                (Token::Sign(sign.to_owned()), behind)
            }
            '(' | ')' | ',' => (Token::Sign(first.to_string()), &rest[1..]),
            other => return Err(format!("{other} is not understood")),
        };
        found.push(token);
        rest = behind.trim_start();
    }
    Ok(found)
}

/// The signs at the beginning that fit, and what comes behind them.
fn run(text: &str, fits: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|sign| !fits(sign)).unwrap_or(text.len()))
}

/// A text up to its closing quote; two of them stand for one.
fn quoted(text: &str) -> Result<(Token, &str), String> {
    let (mut inner, mut rest) = (String::new(), text);
    loop {
        let (before, behind) = rest.split_once('\'').ok_or("a text does not end")?;
        inner.push_str(before);
        rest = behind;
        match rest.strip_prefix('\'') {
            Some(behind) => {
                inner.push('\'');
                rest = behind;
            }
            None => return Ok((Token::Text(inner), rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_query_is_read_and_what_is_none_is_refused() {
        let text = "SELECT id, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS changed FROM customer \
                    WHERE LOWER(companyname) = LOWER('O''Neil') AND id IN (1, 7) ORDER BY id";
        let query = Query::read(text).unwrap();
        let row = |name: &str| match name {
            "id" => Cell::Number(7),
            "companyname" => Cell::Text("o'neil".to_owned()),
            _ => Cell::Time(1_769_817_600),
        };
        assert!(query.wants(&row).unwrap());
        // Midnight in the zone of the account is not that of UTC.
        let changed = query.columns[1].0.value(&row).unwrap();
        assert_eq!(changed, Cell::Text("2026-01-30 16:00:00".to_owned()));
        assert_eq!(time("2026-01-30 16:00:00"), Some(1_769_817_600));
        for wrong in [
            "",
            "SELECT id",
            "SELECT id FROM a WHERE id ? 1",
            "SELECT id FROM a LIMIT 5",
            "SELECT 'a FROM b",
        ] {
            assert!(Query::read(wrong).is_err(), "{wrong}");
        }
    }
}
