//! Tokens to a statement.

use super::SoqlError;
use super::lexer::{Placed, Token, tokens};
use super::statement::{ColumnAsked, FieldSet, Function, Name, Query, Select, Sort};

/// How deep statements may stand in each other.
const MAX_STATEMENTS: usize = 5;

/// Reads a statement.
pub(super) fn parse(text: &str) -> Result<Query, SoqlError> {
    Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    }
    .query()
}

/// A statement being read.
pub(super) struct Parser {
    pub(super) tokens: Vec<Placed>,
    pub(super) at: usize,
    /// How many statements surround this one.
    depth: usize,
}

/// What a rule of the grammar reads.
pub(super) type Parsed<T> = Result<T, SoqlError>;

impl Parser {
    pub(super) fn peek(&self) -> &Placed {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn place(&self) -> usize {
        self.peek().1
    }

    fn next(&mut self) -> Placed {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn unexpected<T>(&self) -> Parsed<T> {
        let (token, at) = self.peek();
        Err(SoqlError::malformed(
            *at,
            format!("unexpected token: {}", token.shown()),
        ))
    }

    pub(super) fn is_word(&self, keyword: &str) -> bool {
        matches!(&self.peek().0, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.is_word(keyword);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().0, Token::Sign(known) if known == sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn need_word(&mut self, keyword: &str) -> Parsed<()> {
        if self.take_word(keyword) {
            Ok(())
        } else {
            self.unexpected()
        }
    }

    pub(super) fn need_sign(&mut self, sign: &str) -> Parsed<()> {
        if self.take_sign(sign) {
            Ok(())
        } else {
            self.unexpected()
        }
    }

    fn word(&mut self) -> Parsed<String> {
        match self.peek().0.clone() {
            Token::Word(word) => {
                self.at += 1;
                Ok(word)
            }
            _ => self.unexpected(),
        }
    }

    fn name(&mut self) -> Parsed<Name> {
        let at = self.place();
        let mut parts = vec![self.word()?];
        while self.take_sign(".") {
            parts.push(self.word()?);
        }
        if matches!(self.peek().0, Token::Sign("(")) {
            return Err(SoqlError::malformed(
                at,
                format!("the local org does not know the function {}", parts.join(".")),
            ));
        }
        Ok(Name {
            parts,
            at,
            function: None,
        })
    }

    /// A name, or an aggregate of one.
    pub(super) fn expression(&mut self) -> Parsed<Name> {
        let at = self.place();
        let function = match &self.peek().0 {
            Token::Word(word) => Function::named(word),
            _ => None,
        };
        let called = matches!(self.tokens.get(self.at + 1), Some((Token::Sign("("), _)));
        let Some(function) = function.filter(|_| called) else {
            return self.name();
        };
        self.at += 2;
        if function == Function::Count && self.take_sign(")") {
            return Ok(Name {
                parts: Vec::new(),
                at,
                function: Some(function),
            });
        }
        let name = self.name()?;
        self.need_sign(")")?;
        Ok(Name {
            at,
            function: Some(function),
            ..name
        })
    }

    pub(super) fn count(&mut self) -> Parsed<usize> {
        match &self.peek().0 {
            Token::Number(number) => match number.parse() {
                Ok(count) => {
                    self.at += 1;
                    Ok(count)
                }
                Err(_) => self.unexpected(),
            },
            _ => self.unexpected(),
        }
    }

    fn query(&mut self) -> Parsed<Query> {
        let query = self.statement()?;
        match self.next() {
            (Token::End, _) => Ok(query),
            (token, at) => Err(SoqlError::malformed(
                at,
                format!("unexpected token: {}", token.shown()),
            )),
        }
    }

    /// A statement in parentheses, within another.
    pub(super) fn nested(&mut self) -> Parsed<Query> {
        if self.depth >= MAX_STATEMENTS {
            return Err(SoqlError::malformed(
                self.place(),
                "statements are nested too deeply",
            ));
        }
        self.need_sign("(")?;
        self.depth += 1;
        let query = self.statement()?;
        self.depth -= 1;
        self.need_sign(")")?;
        Ok(query)
    }

    fn statement(&mut self) -> Parsed<Query> {
        self.need_word("SELECT")?;
        let select = self.select()?;
        self.need_word("FROM")?;
        let from = self.name()?;
        let alias = self.alias()?;
        let condition = if self.take_word("WHERE") {
            Some(self.condition(0)?)
        } else {
            None
        };
        let mut query = Query {
            select,
            from,
            alias,
            condition,
            group: Vec::new(),
            having: None,
            order: Vec::new(),
            limit: None,
            offset: 0,
            all_rows: false,
        };
        if self.take_word("GROUP") {
            self.need_word("BY")?;
            query.group.push(self.name()?);
            while self.take_sign(",") {
                query.group.push(self.name()?);
            }
        }
        if self.take_word("HAVING") {
            query.having = Some(self.condition(0)?);
        }
        if self.take_word("ORDER") {
            self.need_word("BY")?;
            query.order = self.order()?;
        }
        if self.take_word("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.take_word("OFFSET") {
            query.offset = self.count()?;
        }
        if self.take_word("ALL") {
            self.need_word("ROWS")?;
            query.all_rows = true;
        }
        Ok(query)
    }

    fn alias(&mut self) -> Parsed<Option<String>> {
        const CLAUSES: [&str; 11] = [
            "WHERE", "ORDER", "LIMIT", "OFFSET", "ALL", "GROUP", "HAVING", "WITH", "USING", "FOR", "UPDATE",
        ];
        if self.take_word("AS") {
            return self.word().map(Some);
        }
        let free =
            matches!(self.peek().0, Token::Word(_)) && !CLAUSES.iter().any(|clause| self.is_word(clause));
        if free { self.word().map(Some) } else { Ok(None) }
    }

    fn select(&mut self) -> Parsed<Select> {
        let mut columns = vec![self.column()?];
        while self.take_sign(",") {
            columns.push(self.column()?);
        }
        if let [ColumnAsked::Named(name, None)] = columns.as_slice()
            && name.function.is_some()
            && name.parts.is_empty()
        {
            return Ok(Select::Count);
        }
        Ok(Select::Columns(columns))
    }

    fn column(&mut self) -> Parsed<ColumnAsked> {
        let at = self.place();
        if matches!(self.peek().0, Token::Sign("(")) {
            return self.nested().map(|query| ColumnAsked::Children(Box::new(query)));
        }
        if self.is_word("FIELDS") && matches!(self.tokens.get(self.at + 1), Some((Token::Sign("("), _))) {
            self.at += 2;
            let set = match self.word()?.to_ascii_uppercase().as_str() {
                "ALL" => FieldSet::All,
                "STANDARD" => FieldSet::Standard,
                "CUSTOM" => FieldSet::Custom,
                _ => return Err(SoqlError::malformed(at, "FIELDS takes ALL, STANDARD or CUSTOM")),
            };
            self.need_sign(")")?;
            return Ok(ColumnAsked::Fields(set, at));
        }
        let name = self.expression()?;
        // Only where rows are grouped a field has another name.
        let word = matches!(self.peek().0, Token::Word(_)) && !self.is_word("FROM");
        let named = word && (name.function.is_some() || self.grouped());
        let alias = if named { self.alias()? } else { None };
        Ok(ColumnAsked::Named(name, alias))
    }

    /// Whether a GROUP BY follows.
    fn grouped(&self) -> bool {
        let rest = &self.tokens[self.at.min(self.tokens.len())..];
        rest.iter()
            .any(|(token, _)| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("GROUP")))
    }

    fn order(&mut self) -> Parsed<Vec<Sort>> {
        let mut order = Vec::new();
        loop {
            let name = self.expression()?;
            let descending = self.take_word("DESC");
            if !descending {
                self.take_word("ASC");
            }
            // Nulls come first in both directions unless the statement says otherwise.
            let mut nulls_last = false;
            if self.take_word("NULLS") {
                nulls_last = self.take_word("LAST");
                if !nulls_last {
                    self.need_word("FIRST")?;
                }
            }
            order.push(Sort {
                name,
                descending,
                nulls_last,
            });
            if !self.take_sign(",") {
                return Ok(order);
            }
        }
    }
}
