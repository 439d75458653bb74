//! What stands together on a line, so that it is read at a glance and copied whole: names of records, and commands.

use unicode_width::UnicodeWidthStr;

/// Stands for a blank at which no line ends, until the text is drawn: a sign that no script uses.
const TIE: char = '\u{e000}';
/// A command wider than this may be broken.
const COMMAND: usize = 40;

/// The text with its records' names and short commands tied.
pub(super) fn tied(text: &str) -> String {
    let lines = text.split('\n');
    lines.map(line_tied).collect::<Vec<_>>().join("\n")
}

/// The text as it is shown.
pub(super) fn untied(text: &str) -> String {
    text.replace(TIE, " ")
}

/// The pieces of a line that stand together, but for those that are wider than `room`.
pub(super) fn pieces(line: &str, room: usize) -> Vec<String> {
    let tied = line_tied(line);
    let pieces = tied.split(' ').flat_map(|piece| match piece.width() > room {
        true => piece.split(TIE).map(str::to_owned).collect(),
        false => vec![untied(piece)],
    });
    pieces.collect()
}

fn line_tied(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut shown = String::with_capacity(line.len());
    let mut at = 0;
    while at < words.len() {
        let rest = &words[at..];
        let together = record(rest).max(command(rest));
        if at > 0 {
            shown.push(' ');
        }
        shown.push_str(&rest[..together].join(TIE.encode_utf8(&mut [0; 4])));
        at += together;
    }
    shown
}

/// How many of the first words name a record, as `customerp Order 18.status` does; one where they name none.
fn record(words: &[&str]) -> usize {
    match words {
        [system, of, id, ..] if is_system(system) && is_type(of) && is_id(id) => 3,
        [of, id, ..] if is_type(of) && is_id(id) => 2,
        _ => 1,
    }
}

fn is_system(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '`']);
    let mut signs = word.chars();
    signs.next().is_some_and(|first| first.is_ascii_lowercase())
        && signs.all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || matches!(sign, '_' | '-'))
}

fn is_type(word: &str) -> bool {
    let mut signs = word.trim_start_matches(['(', '`']).chars();
    signs.next().is_some_and(|first| first.is_ascii_uppercase())
        && signs.all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
}

/// Whether a word may be a record's id: it has a digit, is an address, or is all capital letters.
fn is_id(word: &str) -> bool {
    let word = word.trim_end_matches([',', ';', ':', '.', ')', '`']);
    let capitals = word.len() > 1 && word.chars().all(|sign| sign.is_ascii_uppercase());
    word.contains(|sign: char| sign.is_ascii_digit() || sign == '@') || capitals
}

/// How many of the first words are one short command in backquotes; one where they are none.
fn command(words: &[&str]) -> usize {
    let Some(first) = words
        .first()
        .filter(|first| first.trim_start_matches('(').starts_with('`'))
    else {
        return 1;
    };
    let mut width = first.width();
    let ends = |word: &str| word.trim_end_matches([',', ';', ':', '.', ')']).ends_with('`');
    for (at, word) in words.iter().enumerate() {
        width += if at == 0 { 0 } else { 1 + word.width() };
        let whole = at > 0 || first.matches('`').count() > 1;
        match (ends(word) && whole, width <= COMMAND) {
            (_, false) => return 1,
            (true, true) => return at + 1,
            (false, true) => {}
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with a tie shown as `~`.
    fn shown(text: &str) -> String {
        tied(text).replace(TIE, "~")
    }

    #[test]
    fn names_of_records_and_short_commands_stand_together() {
        for (text, expected) in [
            (
                "salesforce Order 801bCc00000000vQAA.Status",
                "salesforce~Order~801bCc00000000vQAA.Status",
            ),
            (
                "waits for its lines: customerp OrderLine 11: waits",
                "waits for its lines: customerp~OrderLine~11: waits",
            ),
            (
                "customerp Customer ALFKI, customerp Customer 38",
                "customerp~Customer~ALFKI, customerp~Customer~38",
            ),
            (
                "salesforce Product2 for customerp Product 5",
                "salesforce Product2 for customerp~Product~5",
            ),
            (
                "has no Employee in customerp: it may",
                "has no Employee in customerp: it may",
            ),
            (
                "run `tandem link ... --different` twice",
                "run `tandem~link~...~--different` twice",
            ),
            (
                "`tandem failures` and `tandem conflicts`",
                "`tandem~failures` and `tandem~conflicts`",
            ),
            ("a `word` and  two blanks", "a `word` and  two blanks"),
            (
                "`tandem undo --since 2026-11-30T07:58:33Z --flow order-order` takes back",
                "`tandem undo --since 2026-11-30T07:58:33Z --flow order-order` takes back",
            ),
        ] {
            assert_eq!(shown(text), expected);
            assert_eq!(untied(&tied(text)), text);
        }
    }
}
