//! Clocks: how far those of the two systems are apart, measured by the dates of their replies.
//!
//! `latest` compares the times of edits on both sides. What was measured corrects them; people are told where the clocks
//! differ by more than the configuration lets pass unnoticed.

use crate::{Engine, Error, notes};
use jiff::SignedDuration;
use std::sync::Arc;
use tandem_connector::{ClockOffset, Connector};
use tandem_ledger::Store;

fn note(system: &str) -> String {
    format!("clock:{system}")
}

/// How far the systems' clocks are ahead of ours, as a state keeps it from the last run.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn clocks(
    store: &mut dyn Store,
    systems: &[String; 2],
) -> Result<[Option<ClockOffset>; 2], tandem_ledger::Error> {
    let mut found = [None, None];
    for (system, known) in systems.iter().zip(&mut found) {
        *known = notes::kept(store, &note(system))?;
    }
    Ok(found)
}

/// How far the systems' clocks are ahead of ours, as they showed by their replies so far.
#[must_use]
pub fn measured(systems: &[Arc<dyn Connector>; 2]) -> [Option<ClockOffset>; 2] {
    systems.each_ref().map(|system| system.clock_offset())
}

/// What to say of clocks that are apart: one sentence with what follows from it. None where they agree within
/// `error` seconds.
#[must_use]
pub fn apart(systems: &[String; 2], offsets: [Option<ClockOffset>; 2], error: i64) -> Option<String> {
    let [one, two] = offsets.map(|offset| offset.map(|offset| offset.ahead()));
    let ([first, second], one, two) = (systems, one?, two?);
    let beyond = |difference: SignedDuration| difference.abs() > SignedDuration::from_secs(error.max(1));
    let between = two.saturating_sub(one);
    if beyond(between) {
        return Some(format!(
            "the clock of {second} is {} that of {first}; `latest` corrects the times of edits by it. Set the clock \
             that is wrong",
            stands(between)
        ));
    }
    beyond(one).then(|| {
        format!(
            "the clocks of {first} and {second} are {} this machine's. Set the clock that is wrong",
            stands(one)
        )
    })
}

/// `10m 2s ahead of`.
fn stands(difference: SignedDuration) -> String {
    let seconds = SignedDuration::from_secs(difference.abs().as_secs());
    match difference.is_negative() {
        true => format!("{seconds:#} behind"),
        false => format!("{seconds:#} ahead of"),
    }
}

impl Engine {
    /// Takes over what the systems' replies tell of their clocks. Says so once where they are apart, or no more.
    pub(crate) fn measure_clocks(&mut self) -> Result<(), Error> {
        let offsets = measured(&self.systems);
        for (system, offset) in self.flows.systems.clone().into_iter().zip(offsets) {
            let Some(offset) = offset else { continue };
            self.flows.clocks_ahead.insert(system.clone(), offset.ahead());
            let known = self.kept_clocks.get(&system).map(ClockOffset::ahead);
            let moved = known.is_none_or(|known| {
                known.saturating_sub(offset.ahead()).abs() > SignedDuration::from_secs(1)
            });
            if moved {
                notes::keep(self.store.as_mut(), &note(&system), &offset)?;
                self.kept_clocks.insert(system, offset);
            }
        }
        let apart = apart(&self.flows.systems, offsets, self.flows.clock_error_seconds);
        if apart.is_some() != self.clocks_apart.is_some()
            && let Some(words) = &apart
        {
            tracing::warn!("{words}");
        }
        self.clocks_apart = apart;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ahead(seconds: i64) -> Option<ClockOffset> {
        let half = SignedDuration::from_millis(400);
        let exact = SignedDuration::from_secs(seconds);
        Some(ClockOffset {
            least: exact.saturating_sub(half),
            most: exact.saturating_add(half),
        })
    }

    #[test]
    fn clocks_apart_are_told_by_how_much() {
        let systems = ["erp".to_owned(), "crm".to_owned()];
        let told = |one, two| apart(&systems, [one, two], 2);
        assert_eq!(told(ahead(0), ahead(0)), None);
        assert_eq!(told(ahead(0), ahead(2)), None);
        assert_eq!(told(None, ahead(600)), None);
        let ten = told(ahead(0), ahead(600)).unwrap();
        assert!(
            ten.starts_with("the clock of crm is 10m ahead of that of erp;"),
            "{ten}"
        );
        let behind = told(ahead(3_700), ahead(-3)).unwrap();
        assert!(
            behind.starts_with("the clock of crm is 1h 1m 43s behind that of erp;"),
            "{behind}"
        );
        let ours = told(ahead(90), ahead(90)).unwrap();
        assert!(
            ours.starts_with("the clocks of erp and crm are 1m 30s ahead of this machine's."),
            "{ours}"
        );
    }
}
