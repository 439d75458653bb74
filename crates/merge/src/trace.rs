//! What names one change on its way: a record, as it was saved at one moment.
//!
//! All that was edited with one save goes under one trace: from the look that showed it to the writes that carried it and
//! their answers. It is derived and never given out, so it is the same whoever asks, before and after a crash.

use crate::cluster::{Anchor, Head};
use crate::record::RecordKey;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where FNV-1a begins.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
/// What it multiplies by.
const PRIME: u64 = 0x0100_0000_01b3;

/// FNV-1a: stable over runs and builds.
pub(crate) fn hashed(pieces: &[&[u8]]) -> u64 {
    let bytes = pieces.iter().flat_map(|piece| piece.iter());
    bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Names one change; none where a value comes from no edit, as constants do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Trace(u64);

impl Trace {
    /// That of nothing.
    pub const NONE: Self = Self(0);

    /// That of a record as it was saved at a moment, by our clock.
    #[must_use]
    pub fn of(record: &RecordKey, saved: Timestamp) -> Self {
        let (of, id) = (&record.record_type, &record.id);
        let moment = saved.as_nanosecond().to_be_bytes();
        // 0 parts the names: none of them holds it where it would matter.
        let pieces: [&[u8]; 7] = [
            of.system.as_bytes(),
            &[0],
            of.name.as_bytes(),
            &[0],
            id.as_bytes(),
            &[0],
            &moment,
        ];
        Self(hashed(&pieces) | 1)
    }

    /// That of the edit that made the head of a component what it is, or of what a person gave to Tandem. No value is in
    /// it: whoever may not see one must not find it by trying.
    #[must_use]
    pub fn of_head(anchor: &Anchor, head: &Head) -> Self {
        match &head.origin {
            Some(origin) => Self::of(origin, head.span.to),
            None => {
                let place = Self::of(&anchor.record, head.span.to).0.to_be_bytes();
                let (property, epoch) = (anchor.property.as_bytes(), head.epoch.to_be_bytes());
                Self(hashed(&[&place, property, &[0], &epoch]) | 1)
            }
        }
    }

    /// Whether there is nothing to follow.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that names no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trace is 16 digits of 0 to 9 and a to f, as `history` shows it")]
pub struct NoTrace;

impl FromStr for Trace {
    type Err = NoTrace;

    /// Reads what was printed, and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16)
            .ok()
            .filter(|_| digits && text.len() == 16);
        number.map(Self).ok_or(NoTrace)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::RecordType;

    #[test]
    fn what_a_person_gave_has_a_trace_without_the_value() {
        let at: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let anchor = |property: &str| Anchor {
            record: RecordKey::new("erp", "Customer", "17"),
            property: property.to_owned(),
        };
        let head = |value: &str, epoch: u64| Head {
            value: value.into(),
            epoch,
            span: crate::cluster::Span { from: None, to: at },
            origin: None,
            before: None,
            rewritten: 0,
        };
        let one = Trace::of_head(&anchor("phone"), &head("1", 3));
        assert_eq!(one, Trace::of_head(&anchor("phone"), &head("2", 3)));
        assert_ne!(one, Trace::of_head(&anchor("phone"), &head("1", 4)));
        assert_ne!(one, Trace::of_head(&anchor("mail"), &head("1", 3)));
    }

    #[test]
    fn a_trace_is_of_one_record_and_one_moment() {
        let key = |system: &str, name: &str, id: &str| RecordKey {
            record_type: RecordType::new(system, name),
            id: id.to_owned(),
        };
        let at: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-03-01T10:00:00.000001Z".parse().unwrap();
        let one = Trace::of(&key("erp", "Customer", "17"), at);
        assert_eq!(one.to_string().parse::<Trace>().unwrap(), one);
        for other in [
            "",
            "1",
            "+000000000000001",
            "000000000000000g",
            "00000000000000001",
        ] {
            assert_eq!(other.parse::<Trace>(), Err(NoTrace), "{other}");
        }
        // Known by heart: what was logged before an upgrade is found after it.
        assert_eq!(one.to_string(), "ccfc0c4a38858d27");
        for other in [
            Trace::of(&key("erp", "Customer", "18"), at),
            Trace::of(&key("erp", "Customer1", "7"), at),
            Trace::of(&key("erp", "Customer", "17"), later),
            Trace::of(&key("crm", "Customer", "17"), at),
        ] {
            assert!(other != one && !other.is_none());
        }
    }
}
