//! Writing SOQL: literals, lists that fit into an address, and the query resources.

use super::session::Session;
use tandem_merge::value::Value;
use url::form_urlencoded::byte_serialize;

/// An address has at most 16,384 bytes; the rest is for host and path.
const ADDRESS_MAX: usize = 15_500;
/// Entries of one IN list: five queries of a call then answer at most 2,000 rows when each fits one.
const LIST_MAX: usize = 400;

/// A value as SOQL writes it; none for a blank.
pub(super) fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Blank => return None,
        Value::Text(text) => quoted(text),
        Value::DateTime(moment) => format!("{moment:.0}"),
        plain => plain.to_string(),
    })
}

/// Text as SOQL writes it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for letter in text.chars() {
        match letter {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// The address of a query; `all` sees deleted and archived rows too.
pub(super) fn address(session: &Session, statement: &str, all: bool) -> String {
    let resource = if all { "/queryAll?q=" } else { "/query?q=" };
    let mut address = session.path(resource);
    address.extend(byte_serialize(statement.as_bytes()));
    address
}

/// Statements `head IN (...)` that hold all literals, each short enough for an address.
pub(super) fn packed(head: &str, literals: &[String]) -> Vec<String> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).map(str::len).sum::<usize>();
    let (fixed, comma) = (encoded(head) + 32, encoded(","));
    let mut packs: Vec<Vec<&str>> = Vec::new();
    let mut length = ADDRESS_MAX;
    for literal in literals {
        let more = encoded(literal) + comma;
        let full = packs.last().is_none_or(|pack| pack.len() >= LIST_MAX);
        if full || length + more > ADDRESS_MAX {
            packs.push(Vec::new());
            length = fixed;
        }
        length += more;
        packs.last_mut().into_iter().for_each(|pack| pack.push(literal));
    }
    packs
        .iter()
        .map(|pack| format!("{head} IN ({})", pack.join(",")))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn literals_cannot_break_out() {
        assert_eq!(quoted(r"O'Neil \' OR Name != '"), r"'O\'Neil \\\' OR Name != \''");
        assert_eq!(quoted("a\nb"), r"'a\nb'");
        assert_eq!(literal(&Value::Blank), None);
        assert_eq!(literal(&Value::Boolean(true)).unwrap(), "true");
        let moment = Value::DateTime("2024-01-01T10:00:00.5Z".parse().unwrap());
        assert_eq!(literal(&moment).unwrap(), "2024-01-01T10:00:00Z");
    }

    #[test]
    fn lists_stay_below_the_longest_address() {
        let literals: Vec<String> = (0..3_000)
            .map(|n| quoted(&format!("ä name, number {n}")))
            .collect();
        let packs = packed("SELECT Id FROM Contact WHERE Name", &literals);
        assert!(packs.len() >= 3_000 / LIST_MAX);
        let together: usize = packs.iter().map(|pack| pack.matches("number").count()).sum();
        assert_eq!(together, 3_000);
        for pack in &packs {
            let length: usize = byte_serialize(pack.as_bytes()).map(str::len).sum();
            assert!(length <= ADDRESS_MAX, "{length}");
        }
        let ids: Vec<String> = (0..2_000).map(|n| quoted(&format!("003{n:015}"))).collect();
        assert_eq!(packed("SELECT Id FROM Contact WHERE Id", &ids).len(), 5);
        assert_eq!(packed("x", &[]), Vec::<String>::new());
    }
}
