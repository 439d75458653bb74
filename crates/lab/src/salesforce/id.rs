//! Record ids: fifteen case-sensitive characters, or eighteen with three check characters that survive systems which
//! fold case.

use std::fmt;

/// The alphabet of the check characters: the index is the pattern of upper-case letters in a group of five.
const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// The digits of the running number inside an id, in ascending ASCII order so that ids sort as they were given out.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A record id in its fifteen-character form; displayed with its check characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId([u8; 15]);

/// The text is not an id: wrong length, a character outside A-Z a-z 0-9, or check characters that do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed id: expected 15 or 18 letters and digits with matching check characters")]
pub struct MalformedId;

impl RecordId {
    /// The smallest possible id: sorts before every other.
    pub(crate) const MIN: RecordId = RecordId([b'0'; 15]);

    /// The `number`-th id of the object with this three-character `prefix`, in the org marked by `pod`.
    pub(crate) fn numbered(prefix: &str, pod: [u8; 3], number: u64) -> RecordId {
        let mut id = [b'0'; 15];
        for (slot, byte) in id.iter_mut().zip(prefix.bytes().take(3).chain(pod)) {
            *slot = byte;
        }
        let mut rest = number;
        for slot in id[6..].iter_mut().rev() {
            *slot = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        RecordId(id)
    }

    /// Reads the fifteen- or the eighteen-character form.
    ///
    /// # Errors
    /// [`MalformedId`] for anything else.
    pub fn parse(text: &str) -> Result<RecordId, MalformedId> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(MalformedId);
        }
        let (Some(head), rest) = (bytes.get(..15), bytes.get(15..).unwrap_or_default()) else {
            return Err(MalformedId);
        };
        let mut id = [0; 15];
        id.copy_from_slice(head);
        let id = RecordId(id);
        match rest {
            [] => Ok(id),
            check if check.len() == 3 && check == id.check() => Ok(id),
            _ => Err(MalformedId),
        }
    }

    /// The three characters that name the object.
    #[must_use]
    pub fn prefix(&self) -> &str {
        std::str::from_utf8(&self.0[..3]).unwrap_or_default()
    }

    /// The fifteen-character form.
    #[must_use]
    pub fn short(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn check(self) -> [u8; 3] {
        let mut check = [0; 3];
        for (slot, group) in check.iter_mut().zip(self.0.chunks(5)) {
            let pattern = group
                .iter()
                .enumerate()
                .filter(|(_, byte)| byte.is_ascii_uppercase())
                .fold(0, |bits, (place, _)| bits | 1 << place);
            *slot = CHECK[pattern];
        }
        check
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = self.check();
        f.write_str(self.short())?;
        f.write_str(std::str::from_utf8(&check).unwrap_or_default())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn check_characters_follow_the_documented_examples() {
        assert_eq!(
            RecordId::parse("0019000000B98de").unwrap().to_string(),
            "0019000000B98deAAB"
        );
        assert_eq!(
            RecordId::parse("a0D30000001n7Pi").unwrap().to_string(),
            "a0D30000001n7PiEAI"
        );
    }

    #[test]
    fn both_lengths_name_the_same_record() {
        assert_eq!(
            RecordId::parse("0019000000B98deAAB"),
            RecordId::parse("0019000000B98de")
        );
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "001",
            "0019000000B98d!",
            "0019000000B98deAAC",
            "0019000000B98deAA",
            "0019000000B98deAABX",
            "é019000000B98de",
        ] {
            assert_eq!(RecordId::parse(text), Err(MalformedId), "{text}");
        }
    }

    #[test]
    fn numbers_sort_as_given_out() {
        let ids: Vec<RecordId> = [1, 9, 10, 35, 36, 61, 62, 4000]
            .map(|n| RecordId::numbered("003", *b"TD0", n))
            .into();
        let mut sorted = ids.clone();
        sorted.sort();
        assert_eq!(ids, sorted);
        assert_eq!(ids[0].prefix(), "003");
    }
}
