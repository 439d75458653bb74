//! What is tried of a system beyond what its records need: whether it refuses what it must refuse, and whether what is described
//! of it stands where it is said to.

use crate::proof::Verdict;
use crate::{Outcome, Write};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tandem_merge::record::{RecordKey, RecordType, Values};

/// Something to try.
#[derive(Clone, Copy, Debug)]
pub enum Probe<'a> {
    /// What is described of a record type, held against what the system shows of it.
    Shape(&'a RecordType),
    /// Changes since this moment, which lies ahead: there are none.
    ChangesSince(&'a RecordType, Timestamp),
    /// Changes since this moment: the record of this id was changed behind it.
    ChangedSince(&'a RecordType, Timestamp, &'a str),
    /// Records by a filter that none fits: a value that nobody has, and a property that there is not.
    UnknownFilter(&'a RecordType),
    /// Changes by a link that the system never gave out, made out of the one that this cursor holds.
    UnknownLink(&'a RecordType, &'a [u8]),
    /// An update without any condition.
    Unconditional(&'a RecordKey, &'a Values),
    /// A write under a version that is not the record's. The system alone is to find that out: nothing is compared before
    /// it is asked. Where its condition speaks of a record around the one that is written, that goes under a version that it
    /// never had.
    Condition(&'a Write),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Probed {
    /// So many records were shown.
    Shown(usize),
    /// It was taken.
    Taken,
    /// It was refused, in the system's own words.
    Refused(String),
    /// It is left for another time, and why.
    Untried(String),
    /// What became of the write.
    Answered(Outcome),
    /// How the description fits.
    Shape(Shape),
}

/// How a description fits what its system shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// An id that no record has and that is asked for all the same; none: whatever it is, it would not be sent.
    pub nobody: Option<String>,
    /// Where properties are said to stand.
    pub places: BTreeMap<String, String>,
    /// Laws of descriptions, and what was seen of each.
    pub told: Vec<Told>,
}

/// What was seen of a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What must hold.
    pub law: &'static str,
    /// Whether it does.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
}

/// A token of the same form that is another: a digit is one less (of a time that is an earlier one), or else a letter is
/// another.
pub(crate) fn another(token: &str) -> Option<String> {
    let mut signs: Vec<char> = token.chars().collect();
    let place = signs.iter().position(|sign| matches!(sign, '1'..='9'));
    if let Some(place) = place {
        signs[place] = char::from_digit(signs[place].to_digit(10)? - 1, 10)?;
        return Some(signs.into_iter().collect());
    }
    let place = signs.iter().rposition(char::is_ascii_alphabetic)?;
    signs[place] = if signs[place] == 'a' { 'b' } else { 'a' };
    Some(signs.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::another;

    #[test]
    fn another_token_has_the_same_form() {
        for (token, changed) in [
            ("W/\"17\"", "W/\"07\""),
            ("2026-01-31T12:00:10Z", "1026-01-31T12:00:10Z"),
            ("\"abc\"", "\"aba\""),
            ("a", "b"),
        ] {
            assert_eq!(another(token).as_deref(), Some(changed));
        }
        assert_eq!(another("--"), None);
    }
}
