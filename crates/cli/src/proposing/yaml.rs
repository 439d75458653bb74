//! Texts of YAML: scalars that stand for themselves whatever is in them, and lines with what was guessed behind them.

use super::picture::{Guess, Line};
use crate::harmless;

/// A text that reads back as itself, also within braces.
pub(crate) fn scalar(text: &str) -> String {
    let begins = |sign: char| sign.is_ascii_alphabetic() || matches!(sign, '/' | '_' | '.' | '$');
    let within = |sign: char| {
        sign.is_ascii_alphanumeric() || matches!(sign, '/' | '_' | '.' | '-' | ' ' | '(' | ')' | '$' | '@')
    };
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let alone = text.starts_with(begins)
        && text.chars().all(within)
        && !text.ends_with(' ')
        && !words.contains(&text.to_lowercase().as_str());
    match alone || text == "." && text.len() == 1 {
        true => text.to_owned(),
        // A text in JSON is one in YAML.
        false => serde_json::Value::from(text).to_string(),
    }
}

/// A table on one line.
pub(crate) fn table<K: AsRef<str>, V: AsRef<str>>(entries: &[(K, V)]) -> String {
    let entries = entries
        .iter()
        .map(|(key, value)| format!("{}: {}", scalar(key.as_ref()), value.as_ref()));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// A list on one line, of texts.
pub(crate) fn list<T: AsRef<str>>(entries: &[T]) -> String {
    let entries = entries.iter().map(|entry| scalar(entry.as_ref()));
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

/// What stands behind a line that was guessed.
pub(crate) fn remark(guess: Option<&Guess>) -> String {
    match guess {
        None => String::new(),
        Some(guess) => format!(
            "   # guessed: {}; ask: {}",
            harmless::line(&guess.why),
            harmless::line(&guess.ask)
        ),
    }
}

/// A comment on a line of its own.
pub(crate) fn comment(depth: usize, text: &str) -> String {
    format!("{}# {}\n", "  ".repeat(depth), harmless::line(text))
}

/// Lines of a table, so deep.
pub(crate) fn lines(all: &[Line], depth: usize) -> String {
    all.iter().map(|line| one(line, depth)).collect()
}

fn one(line: &Line, depth: usize) -> String {
    let space = match line.text.is_empty() {
        true => "",
        false => " ",
    };
    let key = scalar(&line.key);
    let head = format!(
        "{}{key}:{space}{}{}\n",
        "  ".repeat(depth),
        line.text,
        remark(line.guess.as_ref())
    );
    let whole = head + &lines(&line.below, depth + 1);
    match &line.not {
        Some(why) => comment(depth, &format!("left out: {why}")) + &commented(&whole),
        None => whole,
    }
}

/// Every line as a comment, its depth kept.
pub(crate) fn commented(text: &str) -> String {
    let line = |line: &str| {
        let depth = line.len() - line.trim_start().len();
        match line.trim_start().starts_with('#') {
            true => format!("{line}\n"),
            false => format!("{}# {}\n", &line[..depth], &line[depth..]),
        }
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposing::picture::Topic;

    #[test]
    fn a_scalar_reads_back_as_itself() {
        for plain in ["GET /customers", "data.items", "string(80)", "/@odata.etag", "."] {
            assert_eq!(scalar(plain), plain);
        }
        for quoted in [
            "no", "", "1", "a: b", "{id}", "a\nb", "x #y", "a, b", "- x", "true",
        ] {
            assert!(scalar(quoted).starts_with('"'), "{quoted}");
        }
        assert_eq!(table(&[("a", "1"), ("b c", "x")]), "{ a: 1, b c: x }");
    }

    #[test]
    fn what_was_guessed_says_so_and_breaks_no_line() {
        let guess = Guess::new(Topic::Lists, "a\nb", "is it so?");
        let line = Line::over("list", vec![Line::new("items", "data").guessed(Some(guess))]);
        let text = lines(std::slice::from_ref(&line), 1);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("    items: data   # guessed: "), "{text}");
        let out = lines(&[line.not("nobody knows")], 1);
        assert!(
            out.lines().all(|line| line.trim_start().starts_with('#')),
            "{out}"
        );
    }
}
