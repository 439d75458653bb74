//! One record named twice in one call.

use std::collections::BTreeSet;

use crate::salesforce::fault::{Code, Fault};
use crate::salesforce::id::RecordId;

/// What stands in a list more than once.
pub(crate) fn repeated<T: Ord>(all: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut known = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for one in all {
        match known.take(&one) {
            Some(known) => {
                twice.insert(known);
            }
            None if twice.contains(&one) => {}
            None => {
                known.insert(one);
            }
        }
    }
    twice
}

/// The refusal of every record of a call that bears an id which another of them bears too.
pub(crate) fn repeated_id(id: RecordId) -> Fault {
    Fault::of_field(
        Code::DuplicateValue,
        "Id",
        format!("Duplicate id specified: {id}"),
    )
}

/// The refusal of every record of an upsert that bears a key which another of them bears too.
pub(crate) fn repeated_key(field: &str, key: &str) -> Fault {
    let text = format!("Duplicate external id specified: {key}");
    Fault::of_field(Code::DuplicateValue, field, text)
}

#[cfg(test)]
mod tests {
    use super::repeated;

    #[test]
    fn what_comes_once_is_not_repeated() {
        let twice: Vec<i32> = repeated([1, 2, 3, 2, 1, 1].into_iter()).into_iter().collect();
        assert_eq!(twice, [1, 2]);
    }
}
