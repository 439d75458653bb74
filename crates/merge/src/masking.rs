//! Texts in which some values stand no more, however a system repeats them: in another case, with other white space,
//! escaped, as digits alone, or cut short.

use crate::value::Value;
use std::collections::BTreeSet;

/// What stands for a personal value.
pub const MASK: &str = "\u{2022}\u{2022}\u{2022}";
/// Shorter texts are left: they would tear other words apart.
const SHORTEST: usize = 3;
/// Shorter texts are hidden where they are words of their own.
const SHORTEST_WITHIN: usize = 6;
/// So much of a value's beginning tells of it where a text was cut short.
const TELLING: usize = 4;
/// Fewer digits are no telephone number.
const DIGITS: usize = 6;

/// Values that are to stand nowhere.
#[derive(Debug, Default)]
pub(crate) struct Hidden(BTreeSet<Vec<char>>);

impl Hidden {
    /// Adds a value with the ways in which a system may write it.
    pub(crate) fn add(&mut self, value: &Value) {
        if value.is_blank() || matches!(value, Value::Boolean(_)) {
            return;
        }
        let text = value.to_string();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= DIGITS && digits.len() * 2 >= text.len() {
            self.add_text(&digits);
        }
        for line in text.lines().chain([text.as_str()]) {
            self.add_text(line);
            self.add_text(&line.escape_default().to_string());
            self.add_text(&in_markup(line));
        }
        if let Ok(quoted) = serde_json::to_string(&text) {
            self.add_text(quoted.trim_matches('"'));
        }
    }

    fn add_text(&mut self, text: &str) {
        let folded: Vec<char> = folded(text).into_iter().map(|(sign, ..)| sign).collect();
        if folded.len() >= SHORTEST {
            self.0.insert(folded);
        }
    }

    /// A text in which none of them stands.
    pub(crate) fn masked(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let signs = folded(text);
        let plain: Vec<char> = signs.iter().map(|(sign, ..)| *sign).collect();
        let (mut shown, mut from, mut at) = (String::new(), 0, 0);
        while at < plain.len() {
            match self.longest(&plain, at) {
                0 => at += 1,
                length => {
                    let (begins, ends) = (signs[at].1, signs[at + length - 1].2);
                    shown.push_str(text.get(from..begins).unwrap_or_default());
                    shown.push_str(MASK);
                    from = ends;
                    at += length;
                }
            }
        }
        shown.push_str(text.get(from..).unwrap_or_default());
        shown
    }

    /// How many signs from a place on tell a hidden value.
    fn longest(&self, plain: &[char], at: usize) -> usize {
        let lengths = self.0.iter().map(|value| told(value, plain, at));
        lengths.max().unwrap_or(0)
    }
}

/// How many signs from a place on are a value, or its beginning where the text was cut short.
fn told(value: &[char], plain: &[char], at: usize) -> usize {
    let rest = &plain[at..];
    let same = value
        .iter()
        .zip(rest)
        .take_while(|(one, other)| one == other)
        .count();
    if same == value.len() {
        let whole = value.len() >= SHORTEST_WITHIN || stands_alone(plain, at, same);
        return if whole { same } else { 0 };
    }
    let follows: String = rest[same..].iter().take(3).collect();
    let cut = follows.is_empty() || follows.starts_with('\u{2026}') || follows == "...";
    let begins_word = at == 0 || !plain[at - 1].is_alphanumeric();
    if cut && begins_word && same >= TELLING {
        same
    } else {
        0
    }
}

/// Whether no letter or digit stands on either side.
fn stands_alone(plain: &[char], at: usize, length: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| plain.get(before));
    let after = plain.get(at + length);
    [before, after]
        .into_iter()
        .flatten()
        .all(|sign| !sign.is_alphanumeric())
}

/// Signs in lower case, runs of white space as one blank, each with the bytes that it stands for.
fn folded(text: &str) -> Vec<(char, usize, usize)> {
    let mut signs: Vec<(char, usize, usize)> = Vec::new();
    for (begins, sign) in text.trim().char_indices() {
        let begins = begins + (text.len() - text.trim_start().len());
        let ends = begins + sign.len_utf8();
        if sign.is_whitespace() {
            match signs.last_mut() {
                Some((' ', _, last)) => *last = ends,
                _ => signs.push((' ', begins, ends)),
            }
            continue;
        }
        signs.extend(sign.to_lowercase().map(|lower| (lower, begins, ends)));
    }
    signs
}

/// A text as HTML and XML write it.
fn in_markup(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(values: &[&str], text: &str) -> String {
        let mut hidden = Hidden::default();
        values.iter().for_each(|value| hidden.add(&Value::from(*value)));
        hidden.masked(text)
    }

    #[test]
    fn values_go_in_whatever_case_and_the_rest_stays() {
        let hidden = ["alice@example.com", "Müller"];
        let said = "Duplicate: ALICE@example.com is MÜLLER's; alice@example.com";
        assert_eq!(masked(&hidden, said), "Duplicate: ••• is •••'s; •••");
        assert_eq!(masked(&hidden, "nothing  of hers "), "nothing  of hers ");
    }

    #[test]
    fn values_go_however_a_system_writes_them() {
        let street = "12 \"Mill\" Lane\nBackyard & Sons";
        for said in [
            "too long: 12 \"Mill\" Lane\nBackyard & Sons (max 40)",
            "too long: 12 \"Mill\" Lane Backyard & Sons (max 40)",
            "too long: 12 \\\"Mill\\\" Lane\\nBackyard & Sons (max 40)",
        ] {
            assert_eq!(masked(&[street], said), "too long: ••• (max 40)");
        }
        assert_eq!(
            masked(
                &[street],
                "<b>12 &quot;Mill&quot; Lane</b> and Backyard &amp; Sons"
            ),
            "<b>•••</b> and •••"
        );
        assert_eq!(
            masked(&["+49 171 555-0199"], "no number: 491715550199"),
            "no number: •••"
        );
    }

    #[test]
    fn what_a_cut_text_tells_of_a_value_goes_too() {
        let value = ["ask for Mrs Secretive, mornings only"];
        assert_eq!(masked(&value, "too long: ask for Mrs Secr"), "too long: •••");
        assert_eq!(
            masked(&value, "too long: 'ask for Mrs Secr...'"),
            "too long: '•••...'"
        );
        assert_eq!(
            masked(&value, "too long: ask for Mrs… (40)"),
            "too long: •••… (40)"
        );
        assert_eq!(masked(&value, "ask for help"), "ask for help");
    }

    #[test]
    fn short_values_go_as_words_and_tear_none_apart() {
        assert_eq!(
            masked(&["Ann"], "Ann cannot be an annex of ANN."),
            "••• cannot be an annex of •••."
        );
        assert_eq!(masked(&["NY"], "any in NY"), "any in NY");
    }
}
