//! The few queries that the Tooling API takes here: columns, one object, conditions of equality, a limit.

use serde_json::{Map, Value as Json};

use crate::salesforce::fault::{Code, Fault, Outcome};

/// A statement as read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    columns: Vec<String>,
    pub(super) from: String,
    /// Every column that has to hold the text.
    equal: Vec<(String, String)>,
    pub(super) limit: Option<usize>,
}

fn malformed(message: &str) -> Fault {
    Fault::new(
        Code::MalformedQuery,
        format!("{message}: write SELECT columns FROM object [WHERE column = 'text' [AND ...]] [LIMIT n]"),
    )
}

impl Statement {
    /// Reads a statement.
    pub(super) fn parse(text: &str) -> Outcome<Statement> {
        let words = words(text)?;
        let mut words = words.iter().map(String::as_str).peekable();
        let keyword = |words: &mut std::iter::Peekable<_>, name: &str| -> bool {
            words
                .next_if(|word: &&str| word.eq_ignore_ascii_case(name))
                .is_some()
        };
        if !keyword(&mut words, "SELECT") {
            return Err(malformed("the statement does not begin with SELECT"));
        }
        let mut columns = Vec::new();
        loop {
            columns.push(
                words
                    .next()
                    .ok_or_else(|| malformed("no column is named"))?
                    .to_owned(),
            );
            if !keyword(&mut words, ",") {
                break;
            }
        }
        if !keyword(&mut words, "FROM") {
            return Err(malformed("FROM is expected after the columns"));
        }
        let from = words
            .next()
            .ok_or_else(|| malformed("no object is named"))?
            .to_owned();
        let mut equal = Vec::new();
        if keyword(&mut words, "WHERE") {
            loop {
                let column = words.next().unwrap_or_default().to_owned();
                let equals = keyword(&mut words, "=");
                let value = words.next().and_then(|word| word.strip_prefix('\''));
                let Some(value) = value.filter(|_| equals) else {
                    return Err(malformed("a condition is not of the form column = 'text'"));
                };
                equal.push((column, value.to_owned()));
                if !keyword(&mut words, "AND") {
                    break;
                }
            }
        }
        let limit = if keyword(&mut words, "LIMIT") {
            let count = words.next().and_then(|word| word.parse().ok());
            Some(count.ok_or_else(|| malformed("LIMIT needs a number"))?)
        } else {
            None
        };
        match words.next() {
            Some(word) => Err(malformed(&format!("{word} is not understood"))),
            None => Ok(Statement {
                columns,
                from,
                equal,
                limit,
            }),
        }
    }

    /// The columns of a row that the conditions hold for.
    pub(super) fn project(&self, row: &Json) -> Outcome<Option<Json>> {
        let cell = |name: &str| -> Outcome<(String, Json)> {
            let row = row.as_object();
            let found = row.and_then(|row| row.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
            found
                .filter(|(known, _)| *known != "attributes")
                .map(|(known, value)| (known.clone(), value.clone()))
                .ok_or_else(|| Fault::new(Code::InvalidField, format!("No such column '{name}' on entity")))
        };
        for (column, wanted) in &self.equal {
            let value = cell(column)?.1;
            // An id may be asked for in its short form.
            let same = value.as_str().is_some_and(|text| {
                text == wanted
                    || (column.eq_ignore_ascii_case("Id") && wanted.len() == 15 && text.starts_with(wanted))
            });
            if !same {
                return Ok(None);
            }
        }
        let mut projected = Map::new();
        projected.insert("attributes".to_owned(), row["attributes"].clone());
        for column in &self.columns {
            let (name, value) = cell(column)?;
            projected.insert(name, value);
        }
        Ok(Some(Json::Object(projected)))
    }
}

/// Names, commas, equals signs, and texts, which begin with a quote and end without.
fn words(text: &str) -> Outcome<Vec<String>> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            ',' | '=' => words.push(letter.to_string()),
            '\'' => {
                let mut word = String::from('\'');
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some('\\') => word.extend(letters.next()),
                        Some(letter) => word.push(letter),
                        None => return Err(malformed("a text is not closed")),
                    }
                }
                words.push(word);
            }
            letter => {
                let mut word = String::from(letter);
                while let Some(letter) =
                    letters.next_if(|next| next.is_alphanumeric() || "_.".contains(*next))
                {
                    word.push(letter);
                }
                words.push(word);
            }
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_taken_from_rows_that_fit() {
        let statement =
            Statement::parse("select id, Name from X where name = 'It\\'s' and Kind='b' limit 3").unwrap();
        assert_eq!((statement.from.as_str(), statement.limit), ("X", Some(3)));
        let row = json!({ "attributes": {}, "Id": "1", "Name": "It's", "Kind": "b" });
        let kept = statement.project(&row).unwrap().unwrap();
        assert_eq!(kept, json!({ "attributes": {}, "Id": "1", "Name": "It's" }));
        let other = json!({ "attributes": {}, "Id": "1", "Name": "It's", "Kind": "c" });
        assert_eq!(statement.project(&other).unwrap(), None);
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "SELECT",
            "SELECT Id",
            "SELECT Id FROM",
            "SELECT Id FROM X WHERE Id",
            "SELECT Id FROM X WHERE Id > '1'",
            "SELECT Id FROM X LIMIT many",
            "SELECT Id FROM X ORDER BY Id",
            "SELECT Id FROM X WHERE Id = 'open",
        ] {
            assert_eq!(
                Statement::parse(text).unwrap_err().code,
                Code::MalformedQuery,
                "{text}"
            );
        }
    }
}
