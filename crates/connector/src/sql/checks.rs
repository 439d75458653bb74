//! Checks of a table, read for the only texts that one of its columns may have.
//!
//! Invariant: what is returned is all that the check lets through. Whatever is not understood to its end says nothing.

use super::catalogue::{Column, Kind, Relation};
use std::iter::Peekable;
use std::str::Chars;

/// The texts that a check allows in a column and no others: `status IN ('open', 'closed')`, however the database writes
/// that back. None where it does not surely say so.
pub(super) fn allowed(check: &str, column: &Column, relation: &Relation) -> Option<Vec<String>> {
    if column.kind != Kind::Text {
        return None;
    }
    let tokens = tokens(check)?;
    let mut conditions = conditions(&tokens).into_iter();
    let values = conditions.find_map(|condition| values(condition, &column.name))?;
    let others = relation
        .columns
        .iter()
        .any(|other| values.contains(&other.name) && other.name != column.name);
    (!values.is_empty() && !others).then_some(values)
}

/// A word, a sign or a text of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A name in quotes.
    Name(String),
    /// A word or a number, in lower case.
    Word(String),
    /// A text in quotes.
    Text(String),
    /// Anything else; `::` and `[]` are one each.
    Sign(String),
}

impl Token {
    fn is_sign(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(own) if own == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }

    fn names(&self, column: &str) -> bool {
        matches!(self, Self::Name(own) | Self::Word(own) if own.to_lowercase() == column.to_lowercase())
    }
}

/// What a text of SQL consists of; none where a quote has no end.
fn tokens(sql: &str) -> Option<Vec<Token>> {
    // MySQL gives its checks back as they would stand within a text.
    let mut quotes = sql.match_indices('\'');
    let within_text = quotes.all(|(at, _)| sql[..at].ends_with('\\'));
    let sql = if within_text {
        sql.replace("\\'", "'")
    } else {
        sql.to_owned()
    };
    let mut tokens: Vec<Token> = Vec::new();
    let mut signs = sql.chars().peekable();
    while let Some(sign) = signs.next() {
        let next = signs.peek().copied();
        let after_array = tokens.last().is_some_and(|last| last.is_word("array"));
        tokens.push(match (sign, next) {
            (sign, _) if sign.is_whitespace() => continue,
            ('-', Some('-')) => {
                signs.by_ref().find(|sign| *sign == '\n');
                continue;
            }
            ('/', Some('*')) => {
                let mut last = ' ';
                signs
                    .by_ref()
                    .skip(1)
                    .find(|sign| std::mem::replace(&mut last, *sign) == '*' && *sign == '/')?;
                continue;
            }
            ('\'', _) => Token::Text(quoted(&mut signs, '\'')?),
            ('"', _) => Token::Name(quoted(&mut signs, '"')?),
            ('`', _) => Token::Name(quoted(&mut signs, '`')?),
            ('[', Some(']')) | (':', Some(':')) => {
                let both = [sign].into_iter().chain(signs.next());
                Token::Sign(both.collect())
            }
            ('[', _) if !after_array => Token::Name(quoted(&mut signs, ']')?),
            (sign, _) if is_of_word(sign) => {
                let word = word(sign, &mut signs);
                // `N'x'` and `_utf8mb4'x'` are texts with a word about their signs.
                let introduces = word == "n" || word.starts_with('_');
                if introduces && signs.peek() == Some(&'\'') {
                    continue;
                }
                Token::Word(word)
            }
            (sign, _) => Token::Sign(sign.to_string()),
        });
    }
    Some(tokens)
}

fn is_of_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_' || sign == '$'
}

fn word(first: char, signs: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::from(first);
    while let Some(sign) = signs.next_if(|sign| is_of_word(*sign)) {
        word.push(sign);
    }
    word.to_lowercase()
}

/// What stands up to a closing quote; two of them are one of the text's own.
fn quoted(signs: &mut Peekable<Chars<'_>>, end: char) -> Option<String> {
    let mut text = String::new();
    loop {
        let sign = signs.next()?;
        if sign == end && signs.next_if_eq(&end).is_none() {
            return Some(text);
        }
        text.push(sign);
    }
}

/// What is checked: what stands behind each `CHECK`, or all of it where a database leaves that word out.
fn conditions(tokens: &[Token]) -> Vec<&[Token]> {
    let places = (0..tokens.len()).filter(|at| tokens[*at].is_word("check"));
    let said: Vec<&[Token]> = places
        .filter_map(|at| group(&tokens[at + 1..]).map(|(inner, _)| inner))
        .collect();
    if said.is_empty() { vec![tokens] } else { said }
}

/// What stands in the parentheses or brackets that it begins with, and what stands behind them.
fn group(tokens: &[Token]) -> Option<(&[Token], &[Token])> {
    tokens
        .first()
        .filter(|first| first.is_sign("(") || first.is_sign("["))?;
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign(sign) if sign == "(" || sign == "[" => depth += 1,
            Token::Sign(sign) if sign == ")" || sign == "]" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some((&tokens[1..at], &tokens[at + 1..]));
        }
    }
    None
}

/// Without the parentheses around all of it.
fn unwrapped(tokens: &[Token]) -> &[Token] {
    match group(tokens) {
        Some((inner, [])) if tokens[0].is_sign("(") => unwrapped(inner),
        _ => tokens,
    }
}

/// The parts between such tokens, outside of parentheses and brackets.
fn split(tokens: &[Token], between: impl Fn(&Token) -> bool) -> Vec<&[Token]> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign(sign) if sign == "(" || sign == "[" => depth += 1,
            Token::Sign(sign) if sign == ")" || sign == "]" => depth -= 1,
            token if depth == 0 && between(token) => {
                parts.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[begin..]);
    parts
}

/// The only texts with which a condition holds for a column that is not blank.
fn values(condition: &[Token], column: &str) -> Option<Vec<String>> {
    let condition = unwrapped(condition);
    // These have an AND or an OR of their own.
    let odd = |token: &Token| ["between", "case", "xor"].iter().any(|word| token.is_word(word));
    if split(condition, odd).len() > 1 {
        return None;
    }
    let ways = split(condition, |token| token.is_word("or"));
    if ways.len() > 1 {
        let mut all = Vec::new();
        for way in ways.into_iter().filter(|way| !is_blank(way, column)) {
            all.extend(values(way, column)?);
        }
        return (!all.is_empty()).then_some(all);
    }
    let both = split(condition, |token| token.is_word("and"));
    if both.len() > 1 {
        let said = both.into_iter().filter_map(|one| values(one, column));
        return said.reduce(|all, more| all.into_iter().filter(|value| more.contains(value)).collect());
    }
    match named(condition, column)? {
        [is, any, list @ ..] if is.is_sign("=") && any.is_word("any") => array(list),
        [is, text @ ..] if is.is_sign("=") => Some(vec![literal(text)?]),
        [within, list @ ..] if within.is_word("in") => match group(list)? {
            (list, []) => literals(list),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it says that the column is blank.
fn is_blank(condition: &[Token], column: &str) -> bool {
    let behind = named(unwrapped(condition), column);
    matches!(behind, Some([is, null]) if is.is_word("is") && null.is_word("null"))
}

/// What stands behind the column's name; none where something else stands there.
fn named<'t>(tokens: &'t [Token], column: &str) -> Option<&'t [Token]> {
    match tokens {
        [name, rest @ ..] if name.names(column) => Some(uncast(rest)),
        _ => match group(tokens)? {
            (inner, rest) if named(inner, column)?.is_empty() => Some(uncast(rest)),
            _ => None,
        },
    }
}

/// Without the casts to a text that it begins with.
fn uncast(tokens: &[Token]) -> &[Token] {
    let rest = match tokens {
        [cast, one, two, rest @ ..]
            if cast.is_sign("::") && one.is_word("character") && two.is_word("varying") =>
        {
            rest
        }
        [cast, one, rest @ ..]
            if cast.is_sign("::") && ["text", "bpchar", "varchar"].iter().any(|word| one.is_word(word)) =>
        {
            rest
        }
        _ => return tokens,
    };
    match rest {
        [list, rest @ ..] if list.is_sign("[]") => uncast(rest),
        rest => uncast(rest),
    }
}

/// A text alone.
fn literal(tokens: &[Token]) -> Option<String> {
    match tokens {
        [Token::Text(text), rest @ ..] => uncast(rest).is_empty().then(|| text.clone()),
        _ => match group(tokens)? {
            (inner, rest) if uncast(rest).is_empty() => literal(inner),
            _ => None,
        },
    }
}

/// Texts with commas between, and nothing else.
fn literals(tokens: &[Token]) -> Option<Vec<String>> {
    let parts = split(tokens, |token| token.is_sign(","));
    parts.into_iter().map(literal).collect()
}

/// The texts of `(ARRAY['a', 'b'])`.
fn array(tokens: &[Token]) -> Option<Vec<String>> {
    match tokens {
        [word, list @ ..] if word.is_word("array") => match group(list)? {
            (list, rest) if uncast(rest).is_empty() => literals(list),
            _ => None,
        },
        _ => match group(tokens)? {
            (inner, rest) if uncast(rest).is_empty() => array(inner),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(check: &str) -> Option<Vec<String>> {
        let column = Column::new("status", Kind::Text, "text");
        let relation = Relation {
            columns: vec![column.clone(), Column::new("order_status", Kind::Text, "text")],
            ..Relation::default()
        };
        allowed(check, &column, &relation)
    }

    #[test]
    fn the_values_that_a_check_allows_are_read_as_each_database_writes_them() {
        let all = Some(vec!["open".to_owned(), "it's done".to_owned()]);
        for check in [
            "CHECK ((status = ANY (ARRAY['open'::text, 'it''s done'::text])))",
            "CHECK (((status)::text = ANY ((ARRAY['open'::character varying, 'it''s done'::character varying])::text[])))",
            "`status` in ('open','it''s done')",
            "(`status` in (_utf8mb4\\'open\\',_utf8mb4\\'it\\'\\'s done\\'))",
            "([status]='open' OR [status]=N'it''s done')",
            "CREATE TABLE t (status TEXT NOT NULL CHECK (status IN ('open', 'it''s done')), x)",
            "CREATE TABLE t (order_status TEXT, \"status\" TEXT CHECK (\"status\" in('open','it''s done')))",
            "CREATE TABLE t (status TEXT /* it's CHECK (status IN ('x')) */ CHECK (length(status) > 2), -- it's\n CHECK (status IN ('open', 'it''s done')))",
            "CREATE TABLE t (status TEXT CHECK (status IN ('open', 'it''s done')), path TEXT CHECK (path <> 'c:\\'))",
            // A blank one passes every check, and more conditions only let less through.
            "CHECK (status IS NULL OR status IN ('open', 'it''s done'))",
            "CHECK (status IN ('open', 'it''s done') AND (order_status = 'a' OR total > 0))",
            "CHECK ((status IN ('open', 'x', 'it''s done') AND status IN ('open', 'it''s done', 'y')))",
        ] {
            assert_eq!(of(check), all, "{check}");
        }
    }

    #[test]
    fn only_what_surely_says_one_of_these_is_taken_for_all_allowed_values() {
        for check in [
            "CHECK (order_status IN ('a'))",
            "CHECK (length(status) > 3)",
            "CHECK (status <> 'x')",
            "CHECK (NOT (status IN ('a', 'b')))",
            "CHECK (NOT status IN ('a', 'b'))",
            "CHECK (status NOT IN ('a', 'b'))",
            "CHECK ((status <> ALL (ARRAY['a'::text, 'b'::text])))",
            "CHECK ((NOT (status = ANY (ARRAY['a'::text]))))",
            "CHECK (status IN ('a') OR order_status = 'b')",
            "CHECK (status IN ('a') OR status LIKE 'x%')",
            "CHECK ((status IN ('a') AND total > 0) OR total < 0)",
            "CHECK (status IN ('a', NULL))",
            "CHECK (status IN ('a', order_status))",
            "CHECK (status IN (SELECT name FROM states))",
            "CHECK (status IN ('a') = FALSE)",
            "CHECK ((status IN ('a')) IS NOT TRUE)",
            "CHECK (CASE WHEN total > 0 THEN status IN ('a') ELSE TRUE END)",
            "CHECK (lower(status) IN ('a'))",
            "CHECK (status IS NULL)",
            "CHECK (status IN ('a'",
            "CREATE TABLE t (status TEXT DEFAULT 'check (status in (''a''))')",
        ] {
            assert_eq!(of(check), None, "{check}");
        }
    }
}
