//! Characters to tokens.

use jiff::civil::Date;

use super::SoqlError;
use crate::salesforce::value::{parse_date, parse_moment};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword or one part of a name.
    Word(String),
    Text(String),
    /// Digits, with sign, point and exponent as written.
    Number(String),
    Date(Date),
    /// Seconds since 1970 UTC.
    Moment(i64),
    /// One of `= != < <= > >= ( ) , . : *`.
    Sign(&'static str),
    End,
}

impl Token {
    /// How an error names the token.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Word(word) => format!("'{word}'"),
            Token::Text(text) => format!("'{text}'"),
            Token::Number(number) => format!("'{number}'"),
            Token::Date(date) => format!("'{date}'"),
            Token::Moment(_) => "a datetime".to_owned(),
            Token::Sign(sign) => format!("'{sign}'"),
            Token::End => "'<EOF>'".to_owned(),
        }
    }
}

/// A token and where it begins.
pub(super) type Placed = (Token, usize);

const SIGNS: [&str; 13] = [
    "!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", ":", "*",
];

/// Splits a statement; the last token is always [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, SoqlError> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        if letter.is_whitespace() {
            at += 1;
            continue;
        }
        let (token, next) = one(&letters, at, letter)?;
        tokens.push((token, at));
        at = next;
    }
    tokens.push((Token::End, letters.len()));
    Ok(tokens)
}

fn one(letters: &[char], at: usize, letter: char) -> Result<(Token, usize), SoqlError> {
    if letter == '\'' {
        return quoted(letters, at);
    }
    let next_is_digit = letters.get(at + 1).is_some_and(char::is_ascii_digit);
    if letter.is_ascii_digit() || (matches!(letter, '-' | '+' | '.') && next_is_digit) {
        return literal(letters, at);
    }
    if letter.is_alphabetic() || letter == '_' {
        let end = scan(letters, at, |c| c.is_alphanumeric() || c == '_');
        return Ok((Token::Word(letters[at..end].iter().collect()), end));
    }
    let rest: String = letters[at..letters.len().min(at + 2)].iter().collect();
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(&"<>") => Ok((Token::Sign("!="), at + 2)),
        Some(sign) => Ok((Token::Sign(sign), at + sign.len())),
        None => Err(SoqlError::malformed(
            at,
            format!("unexpected character '{letter}'"),
        )),
    }
}

fn scan(letters: &[char], from: usize, part: impl Fn(char) -> bool) -> usize {
    from + letters[from..].iter().take_while(|letter| part(**letter)).count()
}

fn quoted(letters: &[char], start: usize) -> Result<(Token, usize), SoqlError> {
    let mut text = String::new();
    let mut at = start + 1;
    loop {
        match letters.get(at) {
            None => return Err(SoqlError::malformed(start, "unterminated string literal")),
            Some('\'') => return Ok((Token::Text(text), at + 1)),
            Some('\\') => {
                at += 2;
                match letters.get(at - 1) {
                    Some('n' | 'N') => text.push('\n'),
                    Some('r' | 'R') => text.push('\r'),
                    Some('t' | 'T') => text.push('\t'),
                    Some('b' | 'B') => text.push('\u{8}'),
                    Some('f' | 'F') => text.push('\u{c}'),
                    Some(plain @ ('\\' | '\'' | '"')) => text.push(*plain),
                    // LIKE tells an escaped wildcard from a wildcard.
                    Some(wildcard @ ('%' | '_')) => text.extend(['\\', *wildcard]),
                    Some('u') => at = unicode(letters, at, &mut text)?,
                    _ => {
                        return Err(SoqlError::malformed(
                            at - 2,
                            "invalid escape sequence in a string literal",
                        ));
                    }
                }
            }
            Some(letter) => {
                text.push(*letter);
                at += 1;
            }
        }
    }
}

fn unicode(letters: &[char], at: usize, text: &mut String) -> Result<usize, SoqlError> {
    let digits: String = letters.iter().skip(at).take(4).collect();
    let letter = u32::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| digits.len() == 4)
        .and_then(char::from_u32);
    text.push(letter.ok_or_else(|| SoqlError::malformed(at, "invalid \\u escape in a string literal"))?);
    Ok(at + 4)
}

/// A number, a day or a moment.
fn literal(letters: &[char], at: usize) -> Result<(Token, usize), SoqlError> {
    let end = scan(letters, at + 1, |c| {
        c.is_ascii_alphanumeric() || ":.+-".contains(c)
    });
    let text: String = letters[at..end].iter().collect();
    let token = if text.contains(['T', 't']) || text.matches('-').count() >= 2 {
        parse_date(&text)
            .map(Token::Date)
            .or_else(|| parse_moment(&text.to_ascii_uppercase()).map(Token::Moment))
    } else {
        is_number(&text).then(|| Token::Number(text.trim_start_matches('+').to_owned()))
    };
    token
        .map(|token| (token, end))
        .ok_or_else(|| SoqlError::malformed(at, format!("unexpected token: '{text}'")))
}

fn is_number(text: &str) -> bool {
    crate::salesforce::value::parse_number(text.trim_start_matches('+')).is_some()
}
