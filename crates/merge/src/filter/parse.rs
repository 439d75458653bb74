//! Reading filters: `StageName = 'Closed Won' and Amount > 1000`.

use super::{Comparison, Expression};
use crate::value::Value;
use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;

/// Longer filters are refused.
const LONGEST: usize = 2_000;
/// Deeper ones too.
const DEEPEST: usize = 32;
/// What stands where a literal should.
const LITERALS: &str = "Write a text in single quotes, a number, true, false, or a day such as 2026-01-31.";

/// Why a filter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// At which character, from 1.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Literal(Value),
    Sign(&'static str),
}

/// The signs, longer ones first.
const SIGNS: [&str; 11] = ["<=", ">=", "!=", "<>", "==", "=", "<", ">", "(", ")", ","];

/// Reads an expression.
pub(super) fn expression(text: &str) -> Result<Expression, Wrong> {
    if text.chars().count() > LONGEST {
        let message = format!("the filter is longer than {LONGEST} characters");
        return Err(wrong(
            LONGEST,
            message,
            "Make a property of its own in the system, and ask for that.",
        ));
    }
    let mut reader = Reader {
        tokens: tokens(text)?,
        next: 0,
        end: text.chars().count() + 1,
        depth: 0,
    };
    let expression = reader.any()?;
    match reader.peek() {
        None => Ok(expression),
        Some(_) => Err(reader.unexpected("Join conditions by `and` or `or`.")),
    }
}

fn wrong(at: usize, message: impl Into<String>, help: impl Into<String>) -> Wrong {
    Wrong {
        at,
        message: message.into(),
        help: help.into(),
    }
}

/// The tokens with their places.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Wrong> {
    let signs: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < signs.len() {
        let (begin, sign) = (at, signs[at]);
        let token = match sign {
            sign if sign.is_whitespace() => {
                at += 1;
                continue;
            }
            '\'' => quoted(&signs, &mut at)?,
            sign if sign.is_alphabetic() || sign == '_' => Token::Word(taken(&signs, &mut at, |sign| {
                sign.is_alphanumeric() || sign == '_'
            })),
            sign if sign.is_ascii_digit() || sign == '-' => {
                let text = taken(&signs, &mut at, |sign| {
                    sign.is_ascii_alphanumeric() || ['-', ':', '.', '+'].contains(&sign)
                });
                let value = plain(&text);
                let message = || format!("`{text}` is neither a number nor a day nor a moment");
                Token::Literal(value.ok_or_else(|| wrong(begin + 1, message(), LITERALS))?)
            }
            _ => {
                let rest: String = signs[at..].iter().take(2).collect();
                let known = SIGNS.into_iter().find(|known| rest.starts_with(known));
                let help = "Write conditions such as `Amount > 1000`, joined by `and`, `or`, `not`.";
                let known =
                    known.ok_or_else(|| wrong(begin + 1, format!("`{sign}` means nothing here"), help))?;
                at += known.len();
                Token::Sign(known)
            }
        };
        found.push((begin + 1, token));
    }
    Ok(found)
}

fn taken(signs: &[char], at: &mut usize, fits: impl Fn(char) -> bool) -> String {
    let begin = *at;
    *at += 1;
    while signs.get(*at).is_some_and(|sign| fits(*sign)) {
        *at += 1;
    }
    signs[begin..*at].iter().collect()
}

/// A text in quotes; a quote in it is written twice or behind a backslash.
fn quoted(signs: &[char], at: &mut usize) -> Result<Token, Wrong> {
    let begin = *at;
    let mut text = String::new();
    *at += 1;
    loop {
        match (signs.get(*at), signs.get(*at + 1)) {
            (Some('\''), Some('\'')) | (Some('\\'), Some('\'')) => {
                text.push('\'');
                *at += 2;
            }
            (Some('\''), _) => {
                *at += 1;
                return Ok(Token::Literal(Value::text(text)));
            }
            (Some(sign), _) => {
                text.push(*sign);
                *at += 1;
            }
            (None, _) => {
                return Err(wrong(
                    begin + 1,
                    "a text is not closed",
                    "Close it with a single quote.",
                ));
            }
        }
    }
}

fn plain(text: &str) -> Option<Value> {
    let whole = text.parse().ok().map(Value::Integer);
    let number = || text.parse::<Decimal>().ok().map(Value::Decimal);
    let day = || {
        text.parse::<Date>()
            .ok()
            .filter(|_| !text.contains('T'))
            .map(Value::Date)
    };
    let moment = || text.parse::<Timestamp>().ok().map(Value::DateTime);
    whole.or_else(number).or_else(moment).or_else(day)
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += 1;
        token
    }

    fn unexpected(&self, help: &str) -> Wrong {
        let Some((at, token)) = self.tokens.get(self.next) else {
            return wrong(self.end, "the filter ends too early", help);
        };
        let shown = match token {
            Token::Word(word) => word.clone(),
            Token::Literal(value) => value.to_string(),
            Token::Sign(sign) => (*sign).to_owned(),
        };
        wrong(*at, format!("`{shown}` is out of place"), help)
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Expression, Wrong> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Wrong> {
        let mut parts = vec![self.part()?];
        while self.word("and") {
            parts.push(self.part()?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn part(&mut self) -> Result<Expression, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.unexpected("Write it with fewer parentheses and `not`s inside one another."));
        }
        let part = if self.word("not") {
            Expression::Not(Box::new(self.part()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            if !self.sign(")") {
                return Err(self.unexpected("Close the parenthesis."));
            }
            inner
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(part)
    }

    fn condition(&mut self) -> Result<Expression, Wrong> {
        const HELP: &str = "Write a condition such as `Amount > 1000`: a property, a comparison, a literal.";
        let property = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word.clone(),
            _ => return Err(self.unexpected(HELP)),
        };
        self.next += 1;
        if self.word("is") {
            let not = self.word("not");
            if !self.word("blank") && !self.word("null") {
                return Err(self.unexpected("Write `is blank` or `is not blank`."));
            }
            return Ok(negated(Expression::Blank(property), not));
        }
        let not = self.word("not");
        if self.word("in") {
            return Ok(negated(Expression::OneOf(property, self.list()?), not));
        }
        if self.word("like") {
            return Ok(negated(Expression::Like(property, self.pattern()?), not));
        }
        if not {
            return Err(self.unexpected("Write `not in (...)` or `not like '...'`."));
        }
        let how = match self.peek() {
            Some(Token::Sign("=" | "==")) => Comparison::Equal,
            Some(Token::Sign("!=" | "<>")) => Comparison::Unequal,
            Some(Token::Sign("<")) => Comparison::Less,
            Some(Token::Sign("<=")) => Comparison::AtMost,
            Some(Token::Sign(">")) => Comparison::More,
            Some(Token::Sign(">=")) => Comparison::AtLeast,
            _ => return Err(self.unexpected("Write one of = != < <= > >= in like is.")),
        };
        self.next += 1;
        if matches!(how, Comparison::Equal | Comparison::Unequal) && (self.word("null") || self.word("blank"))
        {
            return Ok(negated(Expression::Blank(property), how == Comparison::Unequal));
        }
        Ok(Expression::Compare(property, how, self.literal()?))
    }

    fn literal(&mut self) -> Result<Value, Wrong> {
        for (word, value) in [("true", true), ("false", false)] {
            if self.word(word) {
                return Ok(Value::Boolean(value));
            }
        }
        match self.peek() {
            Some(Token::Literal(Value::Blank)) => Err(self.unexpected("Ask for nothing by `is blank`.")),
            Some(Token::Literal(value)) => {
                let value = value.clone();
                self.next += 1;
                Ok(value)
            }
            _ => Err(self.unexpected(LITERALS)),
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, Wrong> {
        const HELP: &str = "Write the choices in parentheses: `in ('Draft', 'Sent')`.";
        if !self.sign("(") {
            return Err(self.unexpected(HELP));
        }
        let mut values = vec![self.literal()?];
        while self.sign(",") {
            values.push(self.literal()?);
        }
        if !self.sign(")") {
            return Err(self.unexpected(HELP));
        }
        Ok(values)
    }

    fn pattern(&mut self) -> Result<String, Wrong> {
        match self.take() {
            Some(Token::Literal(Value::Text(pattern))) => Ok(pattern),
            _ => {
                self.next -= 1;
                Err(self.unexpected("Write a text with `%` for any signs: `like 'A%'`."))
            }
        }
    }
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 10] = [
        "and", "or", "not", "in", "is", "like", "blank", "null", "true", "false",
    ];
    KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => many(parts),
    }
}

fn negated(expression: Expression, not: bool) -> Expression {
    if not {
        Expression::Not(Box::new(expression))
    } else {
        expression
    }
}
