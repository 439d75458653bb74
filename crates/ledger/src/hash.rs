//! Match keys as numbers, for a small index; names by chance.

use crate::db::Trouble;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt::Write as _;
use tandem_merge::dataflow::Side;
use tandem_merge::facts::MatchKey;

/// A number that equal keys share. Two different keys may share it by chance: that joins a record to a
/// cluster in vain and does no harm, since the core compares the values themselves. The same in every
/// build (FNV-1a), as it is stored.
pub(crate) fn match_key(key: &MatchKey) -> i64 {
    let side = match key.side {
        Side::First => 1_u8,
        Side::Second => 2,
    };
    let hash = fed(START, key.flow.as_bytes());
    let hash = fed(hash, &[0xff, side]);
    let hash = fed(hash, &key.rule.to_le_bytes());
    fed(hash, key.key.as_bytes()).cast_signed()
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a.
fn fed(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A text as a hash that no other text has, in hexadecimal digits.
pub(crate) fn of_text(text: &str) -> String {
    in_digits(digest(&SHA256, text.as_bytes()).as_ref())
}

/// So many random bytes, in hexadecimal digits.
pub(crate) fn random(bytes: usize) -> Result<String, Trouble> {
    let mut drawn = vec![0; bytes];
    let filled = SystemRandom::new().fill(&mut drawn);
    filled.map_err(|_| Trouble::Unreadable("the system has no random numbers".to_owned()))?;
    Ok(in_digits(&drawn))
}

fn in_digits(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _written = write!(text, "{byte:02x}");
    }
    text
}
