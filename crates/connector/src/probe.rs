//! What is tried of a system beyond what its records need: whether it refuses what it must refuse.

use jiff::Timestamp;
use tandem_merge::record::{RecordKey, RecordType, Values};

/// Something to try.
#[derive(Clone, Copy, Debug)]
pub enum Probe<'a> {
    /// Changes since this moment, which lies ahead: there are none.
    ChangesSince(&'a RecordType, Timestamp),
    /// Changes by a link that the system never gave out, made out of the one that this cursor holds.
    UnknownLink(&'a RecordType, &'a [u8]),
    /// An update without any condition.
    Unconditional(&'a RecordKey, &'a Values),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// So many records were shown.
    Shown(usize),
    /// It was taken.
    Taken,
    /// It was refused, in the system's own words.
    Refused(String),
    /// It is left for another time, and why.
    Untried(String),
}
