//! The grammar of conditions and literals.

use super::SoqlError;
use super::lexer::Token;
use super::parser::{Parsed, Parser};
use super::statement::{Comparison, Condition, Literal, Name};

/// How deep conditions may be nested.
const MAX_DEPTH: usize = 50;

impl Parser {
    pub(super) fn condition(&mut self, depth: usize) -> Parsed<Condition> {
        if depth > MAX_DEPTH {
            return Err(SoqlError::malformed(
                self.place(),
                "conditions are nested too deeply",
            ));
        }
        let first = self.unary(depth)?;
        // AND and OR beside each other need parentheses: whichever comes second is unexpected.
        for (keyword, join) in [
            ("AND", Condition::And as fn(Vec<Condition>) -> Condition),
            ("OR", Condition::Or),
        ] {
            if self.is_word(keyword) {
                let mut all = vec![first];
                while self.take_word(keyword) {
                    all.push(self.unary(depth)?);
                }
                if self.is_word("AND") || self.is_word("OR") {
                    return self.unexpected();
                }
                return Ok(join(all));
            }
        }
        Ok(first)
    }

    fn unary(&mut self, depth: usize) -> Parsed<Condition> {
        if depth > MAX_DEPTH {
            return Err(SoqlError::malformed(
                self.place(),
                "conditions are nested too deeply",
            ));
        }
        if self.take_word("NOT") {
            return Ok(Condition::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take_sign("(") {
            let inner = self.condition(depth + 1)?;
            self.need_sign(")")?;
            return Ok(inner);
        }
        let name = self.expression()?;
        if self.take_word("IN") {
            return self.list(name, false);
        }
        if self.take_word("NOT") {
            self.need_word("IN")?;
            return self.list(name, true);
        }
        let comparison = self.comparison()?;
        let at = self.place();
        Ok(Condition::Compare(name, comparison, self.literal()?, at))
    }

    fn comparison(&mut self) -> Parsed<Comparison> {
        if self.take_word("LIKE") {
            return Ok(Comparison::Like);
        }
        let comparison = match self.peek().0 {
            Token::Sign("=") => Comparison::Equal,
            Token::Sign("!=") => Comparison::NotEqual,
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::LessOrEqual,
            Token::Sign(">") => Comparison::Greater,
            Token::Sign(">=") => Comparison::GreaterOrEqual,
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(comparison)
    }

    fn list(&mut self, name: Name, negated: bool) -> Parsed<Condition> {
        if matches!(self.tokens.get(self.at + 1), Some((Token::Word(word), _)) if word.eq_ignore_ascii_case("SELECT"))
        {
            return Ok(Condition::InQuery(name, negated, Box::new(self.nested()?)));
        }
        self.need_sign("(")?;
        let mut literals = Vec::new();
        loop {
            let at = self.place();
            literals.push((self.literal()?, at));
            if !self.take_sign(",") {
                break;
            }
        }
        self.need_sign(")")?;
        Ok(Condition::In(name, negated, literals))
    }

    fn literal(&mut self) -> Parsed<Literal> {
        let literal = match self.peek().0.clone() {
            Token::Text(text) => Literal::Text(text),
            Token::Number(number) => Literal::Number(number),
            Token::Date(date) => Literal::Date(date),
            Token::Moment(moment) => Literal::Moment(moment),
            Token::Word(word) => return self.word_literal(&word),
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(literal)
    }

    fn word_literal(&mut self, word: &str) -> Parsed<Literal> {
        let word = word.to_ascii_uppercase();
        let literal = match word.as_str() {
            "NULL" => Literal::Null,
            "TRUE" => Literal::Bool(true),
            "FALSE" => Literal::Bool(false),
            _ if super::calendar::is_period(&word) => {
                self.at += 1;
                let count = if self.take_sign(":") {
                    Some(i64::try_from(self.count()?).unwrap_or(i64::MAX))
                } else {
                    None
                };
                if super::calendar::is_counted(&word) != count.is_some() {
                    return self.unexpected();
                }
                return Ok(Literal::Period(word, count));
            }
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(literal)
    }
}
