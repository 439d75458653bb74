//! LIKE.

/// A piece of a LIKE pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Letter(char),
    One,
    Any,
}

/// The pieces of a pattern; letters are folded to lower case.
pub(super) fn pattern(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek().is_some_and(|next| "%_".contains(*next)) => {
                pieces.extend(letters.next().map(Piece::Letter));
            }
            '%' => pieces.push(Piece::Any),
            '_' => pieces.push(Piece::One),
            letter => pieces.extend(letter.to_lowercase().map(Piece::Letter)),
        }
    }
    pieces
}

/// Whether the text (in lower case) fits the pattern. Greedy with one point to return to: linear in practice.
pub(crate) fn fits(text: &[char], pattern: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(piece) {
            Some(Piece::Any) => {
                retry = Some((piece + 1, at));
                piece += 1;
            }
            Some(Piece::One) => (at, piece) = (at + 1, piece + 1),
            Some(Piece::Letter(letter)) if *letter == text[at] => (at, piece) = (at + 1, piece + 1),
            _ => match retry {
                Some((back, from)) => {
                    retry = Some((back, from + 1));
                    (at, piece) = (from + 1, back);
                }
                None => return false,
            },
        }
    }
    pattern[piece..].iter().all(|piece| *piece == Piece::Any)
}
