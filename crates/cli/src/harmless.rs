//! Texts of systems on people's screens: what a terminal would obey is shown as what it is.
//!
//! A record's value, a name, an error message may hold anything. Escape sequences would rename windows, clear the
//! screen or paint over it; line breaks would forge lines; marks of direction would turn words around.

use std::fmt::Write as _;
use tandem_console::is_harmful;

/// A text on one line that does nothing but stand there: `\n`, `\t`, `\u{1b}` for what would do more.
pub(crate) fn line(text: &str) -> String {
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for sign in text.chars() {
        match is_harmful(sign) {
            true => shown.extend(sign.escape_default()),
            false => shown.push(sign),
        }
    }
    shown
}

/// JSON whose strings a terminal does not obey either. It is the same JSON: such signs stand in strings only, where
/// their escape means the same.
pub(crate) fn json(text: &str) -> String {
    let harmful = |sign: char| is_harmful(sign);
    if !text.contains(harmful) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for sign in text.chars() {
        match harmful(sign) {
            true => sign.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                // Writing to a text does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }),
            false => shown.push(sign),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOSTILE: &str = "\u{1b}]0;t\u{7}\u{1b}[2Ja\r\nb\tc\u{202e}d\u{9b}2J\u{0}\u{7f}\u{2028}e\u{e0041}";

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_what_it_is() {
        assert_eq!(
            line(HOSTILE),
            "\\u{1b}]0;t\\u{7}\\u{1b}[2Ja\\r\\nb\\tc\\u{202e}d\\u{9b}2J\\u{0}\\u{7f}\\u{2028}e\\u{e0041}"
        );
        for plain in ["Müller & Söhne – „Ж“ 株式会社 👩\u{200d}🔧", "C:\\new", ""] {
            assert_eq!(line(plain), plain);
        }
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = serde_json::to_string(HOSTILE).unwrap();
        let shown = json(&text);
        assert!(!shown.contains(is_harmful), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), HOSTILE);
    }
}
