//! The grammar of `$filter`: `or` binds weakest, then `and`, then `not`, then comparisons.

use super::lexer::{Token, tokens};
use super::{Comparison, Condition, Function, Operand, Shape, TextTest};
use crate::odata::model::{EntitySet, Version};
use crate::odata::refusal::Refusal;
use crate::odata::value::Value;

/// How deep conditions may be nested.
const DEEPEST: usize = 100;
/// How many `and` and `or` a filter may have.
const MOST: usize = 300;

struct Parser<'a> {
    set: &'a EntitySet,
    version: Version,
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    joined: usize,
}

/// What stands where a condition or a value may stand.
enum Term {
    Condition(Condition),
    Operand(Operand),
}

pub(super) fn read(text: &str, set: &EntitySet, version: Version) -> Result<Condition, Refusal> {
    let mut parser = Parser {
        set,
        version,
        tokens: tokens(text, version)?,
        next: 0,
        depth: 0,
        joined: 0,
    };
    let condition = parser.either()?;
    match parser.peek() {
        Token::End => Ok(condition),
        _ => Err(parser.unexpected("the end of the filter")),
    }
}

pub(super) fn literal(text: &str, version: Version) -> Result<(Value, Shape), Refusal> {
    let mut tokens = tokens(text, version)?.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some((_, Token::Literal(value, shape))), Some((_, Token::End))) => Ok((value, shape)),
        _ => Err(Refusal::bad(format!(
            "`{text}` is no literal of this version of OData."
        ))),
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn take(&mut self) -> Token {
        let token = self.tokens[self.next].1.clone();
        // The last one is the end, which stays.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn unexpected(&self, wanted: &str) -> Refusal {
        let (at, token) = &self.tokens[self.next];
        Refusal::bad(format!(
            "At position {at} of the filter: {wanted} expected, not {}.",
            told(token)
        ))
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), Refusal> {
        if self.peek() == wanted {
            self.take();
            return Ok(());
        }
        Err(self.unexpected(&told(wanted)))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(name) if name == word);
        if found {
            self.take();
        }
        found
    }

    /// One `and` or `or` more.
    fn joins(&mut self, word: &str) -> Result<bool, Refusal> {
        let found = self.word(word);
        self.joined += usize::from(found);
        if self.joined > MOST {
            return Err(Refusal::bad(format!(
                "The filter joins more than {MOST} conditions."
            )));
        }
        Ok(found)
    }

    fn either(&mut self) -> Result<Condition, Refusal> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Refusal::bad(format!(
                "The filter is nested deeper than {DEEPEST} levels."
            )));
        }
        let mut left = self.both()?;
        while self.joins("or")? {
            left = Condition::Or(Box::new(left), Box::new(self.both()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn both(&mut self) -> Result<Condition, Refusal> {
        let mut left = self.not()?;
        while self.joins("and")? {
            left = Condition::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Condition, Refusal> {
        if self.word("not") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(Refusal::bad(format!(
                    "The filter is nested deeper than {DEEPEST} levels."
                )));
            }
            let inner = self.not()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        let left = self.term()?;
        let comparison = match self.peek() {
            Token::Name(name) => comparison(name),
            _ => None,
        };
        match (left, comparison) {
            (left, Some(comparison)) => {
                self.take();
                let left = self.value(left)?;
                let right = self.term()?;
                let right = self.value(right)?;
                self.fitting(&left, &right)?;
                Ok(Condition::Compare(comparison, left, right))
            }
            (Term::Condition(condition), None) => Ok(condition),
            (Term::Operand(left), None) if self.version == Version::V4 && self.word("in") => {
                self.listed(left)
            }
            (Term::Operand(operand), None) => match self.shape(&operand) {
                Shape::Boolean => Ok(Condition::Holds(operand)),
                _ => Err(self.unexpected("a comparison such as eq")),
            },
        }
    }

    /// `(a, b, c)` after `in`.
    fn listed(&mut self, left: Operand) -> Result<Condition, Refusal> {
        self.expect(&Token::Open)?;
        let mut items = Vec::new();
        loop {
            let item = self.term()?;
            let item = self.value(item)?;
            self.fitting(&left, &item)?;
            items.push(item);
            if *self.peek() != Token::Comma {
                break;
            }
            self.take();
        }
        self.expect(&Token::Close)?;
        Ok(Condition::In(left, items))
    }

    fn term(&mut self) -> Result<Term, Refusal> {
        match self.peek().clone() {
            Token::Open => {
                self.take();
                let inner = self.either()?;
                self.expect(&Token::Close)?;
                // Parentheses around a value alone, such as a boolean property, keep it a value.
                Ok(match inner {
                    Condition::Holds(operand) => Term::Operand(operand),
                    condition => Term::Condition(condition),
                })
            }
            Token::Literal(value, shape) => {
                self.take();
                Ok(Term::Operand(Operand::Literal(value, shape)))
            }
            Token::Name(name) => {
                if name == "not" {
                    return self.not().map(Term::Condition);
                }
                let at = self.next;
                self.take();
                match self.peek() {
                    Token::Open => self.function(&name),
                    Token::Slash => Err(Refusal::left_out("Filters by navigation or by `any` and `all`")),
                    _ => {
                        let property = self.set.property(&name);
                        let Some(property) = property else {
                            self.next = at;
                            let what = format!("`{name}` is no property of {}", self.set.type_name);
                            return Err(Refusal::bad(format!("{what}; see the metadata.")));
                        };
                        let kind = self.set.properties[property].kind;
                        Ok(Term::Operand(Operand::Property(property, kind)))
                    }
                }
            }
            _ => Err(self.unexpected("a property, a literal or a function")),
        }
    }

    fn value(&self, term: Term) -> Result<Operand, Refusal> {
        match term {
            Term::Operand(operand) => Ok(operand),
            Term::Condition(_) => Err(Refusal::left_out("Comparing the outcome of a condition")),
        }
    }

    fn function(&mut self, name: &str) -> Result<Term, Refusal> {
        self.expect(&Token::Open)?;
        let mut arguments = Vec::new();
        while *self.peek() != Token::Close {
            let argument = self.term()?;
            arguments.push(self.value(argument)?);
            if *self.peek() != Token::Comma {
                break;
            }
            self.take();
        }
        self.expect(&Token::Close)?;
        let known = match (name, self.version) {
            ("contains", Version::V4) => Some(TextTest::Contains),
            ("substringof", Version::V2) => Some(TextTest::Contains),
            ("startswith", _) => Some(TextTest::StartsWith),
            ("endswith", _) => Some(TextTest::EndsWith),
            _ => None,
        };
        if let Some(test) = known {
            let [first, second] = self.texts(name, arguments)?;
            // v2 names the shorter one first.
            let (long, short) = if name == "substringof" {
                (second, first)
            } else {
                (first, second)
            };
            return Ok(Term::Condition(Condition::Text(test, long, short)));
        }
        let (function, shapes): (_, &[Shape]) = match name {
            "tolower" => (Function::ToLower, &[Shape::Text]),
            "toupper" => (Function::ToUpper, &[Shape::Text]),
            "trim" => (Function::Trim, &[Shape::Text]),
            "length" => (Function::Length, &[Shape::Text]),
            "year" => (Function::Year, &[Shape::Date, Shape::Moment, Shape::Local]),
            "month" => (Function::Month, &[Shape::Date, Shape::Moment, Shape::Local]),
            "day" => (Function::Day, &[Shape::Date, Shape::Moment, Shape::Local]),
            other => {
                return Err(Refusal::left_out(&format!(
                    "The function {other} in this version"
                )));
            }
        };
        match <[Operand; 1]>::try_from(arguments) {
            Ok([argument]) if shapes.contains(&self.shape(&argument)) => {
                Ok(Term::Operand(Operand::Function(function, Box::new(argument))))
            }
            _ => Err(Refusal::bad(format!(
                "{name} needs one argument, {}.",
                shapes[0].name()
            ))),
        }
    }

    fn texts(&self, name: &str, arguments: Vec<Operand>) -> Result<[Operand; 2], Refusal> {
        let texts = arguments
            .iter()
            .all(|argument| self.shape(argument).goes_with(Shape::Text));
        let both = <[Operand; 2]>::try_from(arguments).ok().filter(|_| texts);
        both.ok_or_else(|| Refusal::bad(format!("{name} needs two texts.")))
    }

    fn shape(&self, operand: &Operand) -> Shape {
        match operand {
            Operand::Property(_, kind) => Shape::of(*kind, self.version),
            Operand::Literal(_, shape) => *shape,
            Operand::Function(function, _) => match function {
                Function::ToLower | Function::ToUpper | Function::Trim => Shape::Text,
                _ => Shape::Number,
            },
        }
    }

    fn fitting(&self, left: &Operand, right: &Operand) -> Result<(), Refusal> {
        let (left, right) = (self.shape(left), self.shape(right));
        if left.goes_with(right) {
            return Ok(());
        }
        let (left, right) = (left.name(), right.name());
        Err(Refusal::bad(format!(
            "{left} and {right} cannot be compared with each other."
        )))
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "eq" => Comparison::Equal,
        "ne" => Comparison::NotEqual,
        "gt" => Comparison::Greater,
        "ge" => Comparison::GreaterOrEqual,
        "lt" => Comparison::Less,
        "le" => Comparison::LessOrEqual,
        _ => return None,
    })
}

fn told(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("`{name}`"),
        Token::Literal(value, _) => format!("`{}`", value.plain()),
        Token::Open => "`(`".to_owned(),
        Token::Close => "`)`".to_owned(),
        Token::Comma => "`,`".to_owned(),
        Token::Slash => "`/`".to_owned(),
        Token::End => "the end".to_owned(),
    }
}
