//! A `$filter` in words.

use rust_decimal::Decimal;

use super::Shape;
use crate::odata::model::Version;
use crate::odata::refusal::Refusal;
use crate::odata::value::{Value, is_guid, midnight, moment_of, of_duration};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Literal(Value, Shape),
    Open,
    Close,
    Comma,
    Slash,
    End,
}

/// The words of the text, with where each begins.
pub(super) fn tokens(text: &str, version: Version) -> Result<Vec<(usize, Token)>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            tokens.push((at, Token::End));
            return Ok(tokens);
        };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '/' => (Token::Slash, 1),
            '\'' => {
                let (text, length) = quoted(rest, at)?;
                (Token::Literal(Value::Text(text), Shape::Text), length)
            }
            _ => word(rest, at, version)?,
        };
        tokens.push((at, token));
        rest = &rest[length..];
    }
}

/// A text in quotes, a doubled one standing for one, and how long it is with them.
fn quoted(rest: &str, at: usize) -> Result<(String, usize), Refusal> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((position, character)) = characters.next() {
        if character != '\'' {
            text.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == '\'') {
            characters.next();
            text.push('\'');
        } else {
            return Ok((text, position + 1));
        }
    }
    Err(Refusal::bad(format!(
        "The string that begins at position {at} does not end."
    )))
}

fn word(rest: &str, at: usize, version: Version) -> Result<(Token, usize), Refusal> {
    let inside = |character: char| character.is_alphanumeric() || "_.-+:$@".contains(character);
    let end = rest.find(|character| !inside(character)).unwrap_or(rest.len());
    let wrong = || {
        let shown: String = rest.chars().take(40).collect();
        Refusal::bad(format!("At position {at}, `{shown}` is not understood."))
    };
    if end == 0 {
        return Err(wrong());
    }
    let word = &rest[..end];
    if rest[end..].starts_with('\'') {
        let (inner, length) = quoted(&rest[end..], at + end)?;
        let (value, shape) = prefixed(word, &inner, version).ok_or_else(wrong)?;
        return Ok((Token::Literal(value, shape), end + length));
    }
    if let Some((value, shape)) = bare(word, version) {
        return Ok((Token::Literal(value, shape), end));
    }
    if word.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '$') {
        return Ok((Token::Name(word.to_owned()), end));
    }
    Err(wrong())
}

/// `datetime'...'` and its like, in v2 alone.
fn prefixed(prefix: &str, inner: &str, version: Version) -> Option<(Value, Shape)> {
    if version == Version::V4 {
        return None;
    }
    match prefix {
        "datetime" => {
            let moment: jiff::civil::DateTime = inner.parse().ok()?;
            let since_midnight = moment
                .time()
                .duration_since(jiff::civil::Time::midnight())
                .as_millis();
            let ticks = midnight(moment.date()) + i64::try_from(since_midnight).ok()?;
            Some((Value::Moment(ticks), Shape::Local))
        }
        "datetimeoffset" => moment_of(inner).map(|ticks| (Value::Moment(ticks), Shape::Moment)),
        "time" => of_duration(inner).map(|time| (time, Shape::Time)),
        "guid" if is_guid(inner) => Some((Value::Guid(inner.to_ascii_lowercase()), Shape::Guid)),
        _ => None,
    }
}

/// A literal without quotes: numbers and words, and in v4 dates, moments and GUIDs too.
fn bare(word: &str, version: Version) -> Option<(Value, Shape)> {
    match word {
        "null" => return Some((Value::Null, Shape::Null)),
        "true" | "false" => return Some((Value::Boolean(word == "true"), Shape::Boolean)),
        _ => {}
    }
    if version == Version::V4 {
        if is_guid(word) {
            return Some((Value::Guid(word.to_ascii_lowercase()), Shape::Guid));
        }
        if let Some(ticks) = word.contains('T').then(|| moment_of(word)).flatten() {
            return Some((Value::Moment(ticks), Shape::Moment));
        }
        if let Ok(date) = word.parse().map(Value::Date)
            && word.len() == 10
        {
            return Some((date, Shape::Date));
        }
        if let Ok(time) = word.parse().map(Value::Time)
            && word.contains(':')
        {
            return Some((time, Shape::Time));
        }
    }
    let digits = match version {
        Version::V2 => word
            .strip_suffix(['M', 'm', 'L', 'l', 'D', 'd', 'F', 'f'])
            .unwrap_or(word),
        Version::V4 => word,
    };
    let numeric = digits.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '.');
    let number = numeric.then(|| {
        digits
            .parse::<Decimal>()
            .or_else(|_| Decimal::from_scientific(digits))
            .ok()
    });
    number
        .flatten()
        .map(|number| (Value::Number(number), Shape::Number))
}
