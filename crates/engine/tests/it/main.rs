//! The engine against systems in memory: invariants E1-E16 by name, and the counterexamples that need an
//! engine.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod apart;
mod cleared;
mod clock;
mod compare;
mod crash;
mod edits;
mod fake;
mod faults;
mod first_links;
mod first_sync;
mod flows;
mod forgotten;
mod guards;
mod hands;
mod late;
mod lines;
mod loads;
mod notes;
mod onboarding;
mod people;
mod policies;
mod reconfigure;
mod refusals;
mod rehearsal;
mod sight;
mod simulation;
mod strangers;
mod undo;
mod vanished;
mod veil;
mod world;
