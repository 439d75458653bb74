//! The events of one type between the task that receives them and the rounds that take them.
//!
//! Invariant: what was handed out stays here until a cursor comes back that covers it. A round that failed
//! before its cursor was stored gets the same events again.

use super::told::Told;
use std::collections::{BTreeSet, VecDeque};

/// Events that may wait, or be on their way, at once: the most that one request may ask for.
pub(super) const WINDOW: usize = 100;

/// How a subscription stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Standing {
    /// Being opened, or broken and being opened again.
    #[default]
    Opening,
    /// Events come.
    Open,
    /// Events do not come, and why; it is tried again from time to time.
    Refused(String),
}

/// What a round takes.
#[derive(Debug, Default)]
pub(in super::super) struct Taken {
    /// How the subscription stands.
    pub(in super::super) standing: Standing,
    /// What was told, oldest first.
    pub(in super::super) told: Vec<Told>,
    /// The position behind it; none before any is known.
    pub(in super::super) position: Option<Vec<u8>>,
    /// Events were lost: only a complete comparison shows what they told.
    pub(in super::super) lost: bool,
}

/// The events of one type.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) standing: Standing,
    queue: VecDeque<(Told, Vec<u8>)>,
    /// The position behind everything received.
    position: Option<Vec<u8>>,
    /// How many of the queue were handed out last, and the position behind them.
    handed: Option<(usize, Vec<u8>)>,
    lost: bool,
    /// Something that nobody took yet.
    news: bool,
    /// The fields that somebody uses.
    pub(super) used: BTreeSet<String>,
}

impl Stream {
    /// Begins behind a stored position.
    pub(super) fn begin(position: Option<Vec<u8>>, used: BTreeSet<String>) -> Self {
        Self {
            position,
            used,
            ..Self::default()
        }
    }

    /// Where a subscription goes on.
    pub(super) fn position(&self) -> Option<&[u8]> {
        self.position.as_deref()
    }

    /// Whether a round is worth while.
    pub(super) fn has_news(&self) -> bool {
        self.news
    }

    /// Room for further events.
    pub(super) fn room(&self) -> usize {
        WINDOW.saturating_sub(self.queue.len())
    }

    /// An event arrived; what matters to nobody moves the position alone.
    pub(super) fn receive(&mut self, told: Told, replay: Vec<u8>) {
        if told.matters(&self.used) {
            self.queue.push_back((told, replay.clone()));
            self.news = true;
        }
        self.arrive_at(replay);
    }

    /// The position moves on without an event.
    pub(super) fn arrive_at(&mut self, replay: Vec<u8>) {
        // The first position of a fresh subscription is news: polling may end.
        self.news |= self.position.is_none();
        self.position = Some(replay);
    }

    /// The stream stands otherwise from now on.
    pub(super) fn stand(&mut self, standing: Standing) {
        self.news |= self.standing != standing && standing != Standing::Opening;
        self.standing = standing;
    }

    /// The position is of no use any more: begin afresh, and say that events were lost.
    pub(super) fn lose(&mut self) {
        self.position = None;
        self.handed = None;
        self.lost = true;
        self.news = true;
    }

    /// Hands out what is there, given the position that the caller's cursor has. Answers whether room was made.
    pub(super) fn take(&mut self, known: Option<&[u8]>) -> (Taken, bool) {
        let covered = self.handed.take_if(|(_, position)| known == Some(position));
        // What was lost stays lost until the fresh position has been stored.
        self.lost &= covered.is_none();
        let (count, _) = covered.unwrap_or_default();
        self.queue.drain(..count.min(self.queue.len()));
        self.news = false;
        let taken = Taken {
            standing: self.standing.clone(),
            told: self.queue.iter().map(|(told, _)| told.clone()).collect(),
            position: self.position.clone(),
            lost: self.lost,
        };
        self.handed = self.position.clone().map(|position| (self.queue.len(), position));
        (taken, count > 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::told::Change;
    use super::*;

    fn told(id: &str, fields: Option<&[&str]>) -> Told {
        Told {
            ids: vec![id.to_owned()],
            change: Change::Updated,
            fields: fields.map(|fields| fields.iter().map(|&one| one.to_owned()).collect()),
            modified: None,
            at: None,
        }
    }

    fn ids(taken: &Taken) -> Vec<&str> {
        taken.told.iter().map(|told| told.ids[0].as_str()).collect()
    }

    #[test]
    fn s4_events_are_handed_out_until_their_position_was_stored() {
        let mut stream = Stream::begin(Some(vec![0]), BTreeSet::new());
        stream.receive(told("a", None), vec![1]);
        let (first, _) = stream.take(Some(&[0]));
        assert_eq!((ids(&first), &first.position), (vec!["a"], &Some(vec![1])));
        // WHEN the round failed, the cursor is as it was: the same again, and what came since.
        stream.receive(told("b", None), vec![2]);
        let (second, room) = stream.take(Some(&[0]));
        assert_eq!((ids(&second), room), (vec!["a", "b"], false));
        // WHEN it was stored, nothing is left.
        let (third, room) = stream.take(Some(&[2]));
        assert_eq!((ids(&third), room), (vec![], true));
        assert!(!stream.has_news());
    }

    #[test]
    fn what_touches_no_used_field_moves_the_position_and_wakes_nobody() {
        let mut stream = Stream::begin(Some(vec![0]), ["Email".to_owned()].into());
        stream.receive(told("a", Some(&["Phone"])), vec![1]);
        assert!(!stream.has_news());
        assert_eq!(stream.take(Some(&[0])).0.position, Some(vec![1]));
        stream.receive(told("a", Some(&["Phone", "Email"])), vec![2]);
        assert!(stream.has_news());
    }

    #[test]
    fn what_was_lost_is_said_until_a_fresh_position_was_stored() {
        let mut stream = Stream::begin(Some(vec![0]), BTreeSet::new());
        stream.lose();
        assert!(stream.take(Some(&[0])).0.lost);
        stream.arrive_at(vec![7]);
        let (taken, _) = stream.take(Some(&[0]));
        assert!(taken.lost && taken.position == Some(vec![7]));
        assert!(!stream.take(Some(&[7])).0.lost);
    }

    #[test]
    fn no_more_than_a_window_waits() {
        let mut stream = Stream::begin(Some(vec![0]), BTreeSet::new());
        for number in 1..=WINDOW {
            stream.receive(told("a", None), number.to_be_bytes().to_vec());
        }
        assert_eq!(stream.room(), 0);
    }
}
