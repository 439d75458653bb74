//! Signs in texts of systems that would do more than stand where they are shown.

/// Whether a terminal, or a reader's eye, would take a sign for something else than a sign.
#[must_use]
pub fn is_harmful(sign: char) -> bool {
    sign.is_control()
        || matches!(sign,
            // Separators of lines and paragraphs, marks of direction, embeddings, overrides, isolates.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Annotations, tags, and the mark of byte order inside a text.
            | '\u{fff9}'..='\u{fffb}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
