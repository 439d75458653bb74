//! SOSL: `FIND {words} IN ... FIELDS RETURNING Object(fields WHERE ...) LIMIT n`.

use super::fault::{Code, Fault, Outcome};
use super::soql::{Piece, fits};

/// Which fields a search looks into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    All,
    Name,
    Email,
    Phone,
}

impl Group {
    /// The group called so, such as `ALL`.
    pub(crate) fn named(name: &str) -> Outcome<Group> {
        let name = name.trim().to_ascii_uppercase();
        match name.strip_suffix(" FIELDS").unwrap_or(&name).trim() {
            "ALL" => Ok(Group::All),
            "NAME" => Ok(Group::Name),
            "EMAIL" => Ok(Group::Email),
            "PHONE" => Ok(Group::Phone),
            other => Err(malformed(format!(
                "the local org does not search in {other} FIELDS"
            ))),
        }
    }
}

/// What is returned of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Return {
    pub(crate) object: String,
    /// Field names with commas.
    pub(crate) fields: String,
    /// WHERE, ORDER BY, LIMIT and OFFSET as in SOQL.
    pub(crate) rest: String,
}

impl Return {
    pub(crate) fn ids(object: &str) -> Return {
        Return {
            object: object.to_owned(),
            fields: "Id".to_owned(),
            rest: String::new(),
        }
    }

    /// The SOQL statement that lists what may be returned.
    pub(crate) fn statement(&self) -> String {
        format!("SELECT {} FROM {} {}", self.fields, self.object, self.rest)
    }

    fn parse(text: &str) -> Return {
        let text = text.trim();
        let Some((object, inner)) = text.split_once('(') else {
            return Return::ids(text);
        };
        let inner = inner.trim().strip_suffix(')').unwrap_or(inner);
        let starts = ["WHERE ", "ORDER BY ", "LIMIT ", "OFFSET "]
            .iter()
            .filter_map(|word| place(inner, word));
        let cut = starts.min().unwrap_or(inner.len());
        let (fields, rest) = inner.split_at(cut);
        let fields = if fields.trim().is_empty() {
            "Id"
        } else {
            fields.trim()
        };
        Return {
            object: object.trim().to_owned(),
            fields: fields.to_owned(),
            rest: rest.to_owned(),
        }
    }
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Find {
    words: Vec<Vec<Piece>>,
    pub(crate) group: Group,
    pub(crate) returns: Vec<Return>,
    pub(crate) limit: Option<usize>,
}

impl Find {
    pub(crate) fn new(text: &str, group: Group, returns: Vec<Return>, limit: Option<usize>) -> Outcome<Find> {
        let plain = text.replace('\\', "");
        let words: Vec<&str> = plain.split_whitespace().collect();
        if let Some(operator) = words.iter().find(|word| ["AND", "OR", "NOT"].contains(*word)) {
            return Err(malformed(format!(
                "the local org does not know {operator} in a search"
            )));
        }
        let letters = plain.chars().filter(|letter| !"*?\" ".contains(*letter)).count();
        if letters < 2 {
            return Err(malformed(format!(
                "search term must be longer than one character: {text}"
            )));
        }
        let words = words
            .iter()
            .flat_map(|word| word.split(|letter: char| !is_part(letter) && !"*?".contains(letter)))
            .filter(|word| !word.is_empty())
            .map(pieces);
        Ok(Find {
            words: words.collect(),
            group,
            returns,
            limit,
        })
    }

    /// Whether every word is found somewhere in the texts.
    pub(crate) fn fits(&self, texts: &[&str]) -> bool {
        let found: Vec<Vec<char>> = texts
            .iter()
            .flat_map(|text| text.split(|letter| !is_part(letter)))
            .filter(|word| !word.is_empty())
            .map(|word| word.to_lowercase().chars().collect())
            .collect();
        self.words
            .iter()
            .all(|word| found.iter().any(|one| fits(one, word)))
    }
}

fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn pieces(word: &str) -> Vec<Piece> {
    let letters = word.to_lowercase();
    let piece = |letter| match letter {
        '*' => Piece::Any,
        '?' => Piece::One,
        letter => Piece::Letter(letter),
    };
    letters.chars().map(piece).collect()
}

/// Reads a search.
pub(crate) fn parse(text: &str) -> Outcome<Find> {
    let text = text.trim();
    if place(text, "FIND") != Some(0) {
        return Err(malformed("a search begins with FIND".to_owned()));
    }
    let rest = text[4..].trim_start();
    let rest = rest
        .strip_prefix('{')
        .ok_or_else(|| malformed("FIND is followed by words in braces".to_owned()))?;
    let end = closing(rest).ok_or_else(|| malformed("the closing brace is missing".to_owned()))?;
    let (words, mut rest) = (&rest[..end], rest[end + 1..].trim());
    let mut group = Group::All;
    if place(rest, "IN ") == Some(0) {
        let end = place(rest, " FIELDS").ok_or_else(|| malformed("IN ends with FIELDS".to_owned()))?;
        group = Group::named(rest.get(3..end).unwrap_or_default())?;
        rest = rest[end + " FIELDS".len()..].trim_start();
    }
    let mut returns = Vec::new();
    if place(rest, "RETURNING ") == Some(0) {
        let (listed, after) = listed(&rest["RETURNING ".len()..]);
        returns = listed.iter().map(|text| Return::parse(text)).collect();
        rest = after;
    }
    let mut limit = None;
    if place(rest, "LIMIT ") == Some(0) {
        let number = rest["LIMIT ".len()..].trim();
        limit = Some(
            number
                .parse()
                .map_err(|_| malformed(format!("not a limit: {number}")))?,
        );
        rest = "";
    }
    if !rest.trim().is_empty() {
        return Err(malformed(format!("unexpected token: '{}'", rest.trim())));
    }
    Find::new(words, group, returns, limit)
}

/// Where a word stands first, in any case of letters.
fn place(text: &str, word: &str) -> Option<usize> {
    text.to_ascii_uppercase().find(word)
}

/// The first brace that closes and is not escaped.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, letter)| {
        let closes = letter == '}' && !escaped;
        escaped = letter == '\\' && !escaped;
        closes.then_some(at)
    })
}

/// The items of a list, split at commas outside parentheses, and what follows it.
fn listed(text: &str) -> (Vec<&str>, &str) {
    let (mut depth, mut start, mut items) = (0_usize, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            ' ' if depth == 0
                && text[at..]
                    .get(..7)
                    .is_some_and(|word| word.eq_ignore_ascii_case(" LIMIT ")) =>
            {
                items.push(&text[start..at]);
                return (items, text[at..].trim_start());
            }
            _ => {}
        }
    }
    items.push(&text[start..]);
    (items, "")
}

fn malformed(text: String) -> Fault {
    Fault::new(Code::MalformedSearch, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_search_has_its_parts() {
        let find = parse(
            "FIND {Acme \\& Son*} IN NAME FIELDS RETURNING Account(Id, Name WHERE Phone = '(1)' LIMIT 3), Contact LIMIT 7",
        )
        .unwrap();
        assert_eq!((find.group, find.limit), (Group::Name, Some(7)));
        assert_eq!(
            find.returns[0].statement(),
            "SELECT Id, Name FROM Account WHERE Phone = '(1)' LIMIT 3"
        );
        assert_eq!(find.returns[1], Return::ids("Contact"));
        assert!(find.fits(&["The sons", "of ACME."]));
        assert!(!find.fits(&["Acme"]));
    }

    #[test]
    fn what_is_no_search_is_refused() {
        for text in [
            "",
            "SELECT Id",
            "FIND Acme",
            "FIND {Acme",
            "FIND {a}",
            "FIND {x OR y}",
            "FIND {Acme} NONSENSE",
            "FIND {Acme} IN ODD FIELDS",
            "FIND {Acme} IN  FIELDS",
            "FIND {Acme} RETURNING é LIMIT é",
            "FIND {Acme} LIMIT é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
