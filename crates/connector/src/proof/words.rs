//! What became of a write, and how a record stands, in plain words.

use crate::Outcome;
use tandem_merge::record::{Observation, Presence};

/// What became of a write.
pub(crate) fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { id, .. } => format!("it was taken, as {id}"),
        Outcome::Refused(refusal) => format!("it was refused: {}", refusal.message),
        Outcome::Stale => "it says that the record is in another state by now".to_owned(),
        Outcome::Gone => "it says that there is no such record".to_owned(),
        Outcome::Unknown(why) => format!("nobody knows whether it was done: {why}"),
        Outcome::NotSent(error) => format!("it was not sent: {error}"),
        Outcome::Accepted { .. } => "it is done later, and nothing says when".to_owned(),
    }
}

/// How a record is said to stand.
pub(super) fn standing(presence: Presence) -> &'static str {
    match presence {
        Presence::Alive => "it is there",
        Presence::Deleted => "it was deleted",
        Presence::Missing => "it is not found",
    }
}

/// Why nothing can be said of a record although it is shown.
pub(super) fn unread(shown: &Observation) -> Option<String> {
    if shown.presence == Presence::Alive {
        return None;
    }
    let (place, why) = shown.unreadable.iter().next()?;
    Some(format!(
        "{} is shown and cannot be read: `{place}`: {why}",
        shown.key.id
    ))
}
