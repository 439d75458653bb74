//! Ids of records: the values of their key columns as one text, from which they can be read back.
//!
//! A key of one column is its value as text. Of several the values are joined by `|`; a `|` or `\` within one is written
//! `\|` or `\\`. So no two keys have the same id.

/// What stands for an empty text alone.
const EMPTY: &str = "\\e";

/// The id of a key of one column.
pub(super) fn alone(part: String) -> String {
    match part.as_str() {
        "" => EMPTY.to_owned(),
        text if text.starts_with('\\') => format!("\\{text}"),
        _ => part,
    }
}

/// The id of a key.
pub(crate) fn join(parts: &[String]) -> String {
    let [part] = parts else {
        let escaped: Vec<String> = parts
            .iter()
            .map(|part| part.replace('\\', "\\\\").replace('|', "\\|"))
            .collect();
        return escaped.join("|");
    };
    alone(part.clone())
}

/// The key of an id; none where no key of so many columns has it.
pub(crate) fn split(id: &str, columns: usize) -> Option<Vec<String>> {
    if columns == 1 {
        return match id {
            "" => None,
            EMPTY => Some(vec![String::new()]),
            id => match id.strip_prefix('\\') {
                Some(rest) if rest.starts_with('\\') => Some(vec![rest.to_owned()]),
                Some(_) => None,
                None => Some(vec![id.to_owned()]),
            },
        };
    }
    let mut parts = vec![String::new()];
    let mut letters = id.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '|' => {
                parts.push(String::new());
                continue;
            }
            '\\' => letters.next().filter(|escaped| matches!(escaped, '\\' | '|'))?,
            letter => letter,
        };
        parts.last_mut()?.push(letter);
    }
    (parts.len() == columns).then_some(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn no_two_keys_have_the_same_id_and_each_is_read_back() {
        let odd = [
            "",
            "a",
            "|",
            "\\",
            "\\e",
            "a|b",
            "a\\|b",
            "\\\\",
            "e",
            "' OR 1=1 --",
            "ä\u{0}",
        ];
        let mut seen = BTreeMap::new();
        for one in odd {
            let key = vec![one.to_owned()];
            let id = join(&key);
            assert!(!id.is_empty());
            assert_eq!(split(&id, 1).unwrap(), key);
            assert_eq!(seen.insert(id, key), None);
        }
        seen.clear();
        for one in odd {
            for other in odd {
                let key = vec![one.to_owned(), other.to_owned()];
                let id = join(&key);
                assert_eq!(split(&id, 2).unwrap(), key);
                assert_eq!(seen.insert(id, key), None);
            }
        }
    }

    #[test]
    fn what_is_no_id_has_no_key() {
        for (id, columns) in [
            ("", 1),
            ("\\a", 1),
            ("a", 2),
            ("a|b|c", 2),
            ("a\\x|b", 2),
            ("a|b\\", 2),
        ] {
            assert_eq!(split(id, columns), None, "{id}");
        }
    }
}
