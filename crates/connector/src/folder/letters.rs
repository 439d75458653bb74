//! How the letters of a file are written: as the web knows it, or in a code page of DOS.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use oem_cp::code_table::{DECODING_TABLE_CP_MAP, ENCODING_TABLE_CP_MAP};
use oem_cp::code_table_type::TableType;
use std::borrow::Cow;

/// How letters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// In an encoding that browsers know.
    Known(&'static Encoding),
    /// In a code page of DOS, by its number: a byte each, of which the first half is ASCII.
    Dos(u16),
}

impl Letters {
    pub(super) const UTF_8: Self = Self::Known(UTF_8);
    pub(super) const WINDOWS: Self = Self::Known(WINDOWS_1252);

    /// The one that a byte order mark at the beginning tells, and the length of the mark.
    pub(super) fn marked(bytes: &[u8]) -> Option<(Self, usize)> {
        Encoding::for_bom(bytes).map(|(encoding, length)| (Self::Known(encoding), length))
    }

    /// The one of that name; none where a file cannot be read by it.
    pub(super) fn named(name: &str) -> Option<Self> {
        match Encoding::for_label(name.as_bytes()) {
            Some(known) => {
                let readable = known.is_ascii_compatible() || [UTF_16LE, UTF_16BE].contains(&known);
                readable.then_some(Self::Known(known))
            }
            None => code_page(name).map(Self::Dos),
        }
    }

    /// What people call it.
    pub(super) fn name(self) -> Cow<'static, str> {
        match self {
            Self::Known(encoding) => encoding.name().into(),
            Self::Dos(page) => format!("CP{page}").into(),
        }
    }

    /// Whether each letter takes two bytes, or four.
    pub(super) fn is_wide(self) -> bool {
        self == Self::Known(UTF_16LE) || self == Self::Known(UTF_16BE)
    }

    /// The end of a line.
    pub(super) fn line_end(self) -> &'static [u8] {
        match self {
            Self::Known(encoding) if encoding == UTF_16LE => b"\n\0",
            Self::Known(encoding) if encoding == UTF_16BE => b"\0\n",
            _ => b"\n",
        }
    }

    /// The text of bytes without a mark, and whether some of them are no letters.
    pub(super) fn decode(self, bytes: &[u8]) -> (Cow<'_, str>, bool) {
        let page = match self {
            Self::Known(encoding) => return encoding.decode_without_bom_handling(bytes),
            Self::Dos(page) => page,
        };
        let mut lost = false;
        let text = bytes.iter().map(|byte| {
            letter(page, *byte).unwrap_or_else(|| {
                lost = true;
                char::REPLACEMENT_CHARACTER
            })
        });
        let text: String = text.collect();
        (Cow::Owned(text), lost)
    }

    /// A text as bytes; none where a letter of it cannot be written.
    pub(super) fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Known(encoding) if encoding == UTF_16LE => {
                Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
            }
            Self::Known(encoding) if encoding == UTF_16BE => {
                Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect())
            }
            Self::Known(encoding) => {
                let (bytes, _, lost) = encoding.encode(text);
                (!lost).then(|| bytes.into_owned())
            }
            Self::Dos(page) => {
                let table = ENCODING_TABLE_CP_MAP.get(&page)?;
                let byte = |letter: char| match u8::try_from(letter) {
                    Ok(byte) if byte.is_ascii() => Some(byte),
                    _ => table.get(&letter).copied(),
                };
                text.chars().map(byte).collect()
            }
        }
    }
}

/// What a byte stands for in a code page.
fn letter(page: u16, byte: u8) -> Option<char> {
    let Some(upper) = byte.checked_sub(128) else {
        return Some(char::from(byte));
    };
    match DECODING_TABLE_CP_MAP.get(&page)? {
        TableType::Complete(table) => table.get(usize::from(upper)).copied(),
        TableType::Incomplete(table) => table.get(usize::from(upper)).copied().flatten(),
    }
}

/// The number in a name such as `cp850`, `IBM-850`, `dos-850` or `850`, where it is one of DOS.
fn code_page(name: &str) -> Option<u16> {
    let name = name.trim().to_ascii_lowercase();
    let said = ["cp", "ibm", "dos", "oem"]
        .iter()
        .find_map(|word| name.strip_prefix(word))
        .unwrap_or(&name);
    let digits = said.trim_start_matches(['-', '_']);
    let page = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    DECODING_TABLE_CP_MAP.contains_key(&page).then_some(page)
}
