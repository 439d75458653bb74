//! What people can watch while the engine works.

use jiff::Timestamp;
use tandem_connector::Outcome;
use tandem_merge::cluster::Intent;
use tandem_merge::plan::Event;
use tandem_merge::record::Observation;
use tandem_merge::trace::Trace;

/// Is told what happens, as it happens: progress bars, the live view, logs. Called on the engine's own task,
/// so it must be cheap and must not block.
pub trait Watcher: Send + Sync {
    /// Something happened.
    fn happened(&self, what: &Happening<'_>);
}

/// A watcher that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Watcher for Quiet {
    fn happened(&self, _what: &Happening<'_>) {}
}

/// What happened. Values of [`Happening::Decided`] may be personal: see `Mapping::personal` before showing
/// or logging them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// A round began.
    RoundBegan {
        /// Its number in this run, from 1.
        round: u64,
    },
    /// A round ended.
    RoundEnded {
        /// Its number.
        round: u64,
        /// Observations that were new.
        observed: u64,
        /// Writes that were carried out.
        written: u64,
    },
    /// A page of a system's changes was stored.
    Observed {
        /// The system.
        system: &'a str,
        /// The record type; one happening for each type on the page.
        record_type: &'a str,
        /// Records of the type on the page.
        records: u64,
        /// Whether this belongs to the first listing of the system.
        first_load: bool,
    },
    /// What a look showed of a record is taken up for a decision.
    Taken {
        /// What it showed.
        seen: &'a Observation,
        /// The change that this is.
        trace: Trace,
    },
    /// A system was listed in full for the first time.
    Listed {
        /// The system.
        system: &'a str,
    },
    /// Clusters were decided and stored.
    Reconciled {
        /// How many in this batch.
        clusters: u64,
    },
    /// A line of the history was stored: a link, a create, an update with its property and values, a
    /// conflict, something parked.
    Decided {
        /// The line.
        event: &'a Event,
    },
    /// Writes are about to be sent, durably marked.
    Sending {
        /// The system.
        system: &'a str,
        /// The writes.
        intents: &'a [Intent],
    },
    /// A write was answered.
    Answered {
        /// The system.
        system: &'a str,
        /// The write.
        intent: &'a Intent,
        /// The answer.
        outcome: &'a Outcome,
    },
    /// A system that was asked for changes answered to everything.
    Answers {
        /// The system.
        system: &'a str,
    },
    /// Nothing is done until a moment.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// Why, for people.
        why: &'a str,
    },
    /// A system changed something about a property in use.
    Sight {
        /// What, and what to do.
        notice: &'a crate::Notice,
    },
    /// A flow rests, or a guard stopped a flow or a system.
    Held {
        /// What, why, and what to do.
        hold: &'a crate::Hold,
    },
    /// Somebody else writes with our own user: a second installation?
    Stranger {
        /// Where, and what to do.
        stranger: &'a crate::Stranger,
    },
    /// A system is down or refuses us; the others go on.
    Trouble {
        /// What and what to do.
        error: &'a tandem_connector::Error,
    },
}
