//! One number for what would take much memory to keep by the thousand.

use tandem_merge::record::RecordKey;

/// FNV-1a over a few texts: the same in every run, and 64 bits are plenty for counts and comparisons.
pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The texts that make a record what it is.
pub(crate) fn parts_of(record: &RecordKey) -> [&str; 3] {
    let of = &record.record_type;
    [&of.system, &of.name, &record.id]
}
