//! The one door for people: what they ask Tandem to do, what they are answered, and the way to a process that works.
//!
//! Whoever looks needs no door: a state can be read while another process works with it
//! ([`tandem_store::Ledger::open_to_look`]). Whoever acts goes through here: [`carry_out`] does what a [`Command`] says, with
//! an engine of one's own or, by the [`door`], with the engine of the process that holds the state.

mod carry_out;
mod command;
pub mod door;
mod refused;

pub use carry_out::carry_out;
pub use command::{Command, Done};
pub use refused::{Blame, Refused};
