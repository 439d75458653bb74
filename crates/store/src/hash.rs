//! Match keys as numbers, for a small index.

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
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    feed(key.flow.as_bytes());
    feed(&[0xff, side]);
    feed(&key.rule.to_le_bytes());
    feed(key.key.as_bytes());
    hash.cast_signed()
}
