//! The one door for people: what they ask Tandem to do, what they are answered, and the way to a process that works.
//!
//! Whoever looks needs no door: a state can be read while another process works with it
//! ([`tandem_ledger::Ledger::open_to_look`]). Whoever acts goes through here: [`carry_out`] does what a [`Command`] says, with
//! an engine of one's own or, by the [`door`], with the engine of the process that holds the state.

pub mod alert;
mod carry_out;
mod command;
pub mod configured;
pub mod door;
pub mod look;
mod mask;
mod refused;
pub mod rehearsed;
mod restore;
pub mod view;
mod window;
pub mod words;

pub use carry_out::carry_out;
// What commands are made of.
pub use command::{Command, Done};
pub use mask::{Masks, shorten};
pub use refused::{Blame, Refused};
pub use restore::{NotRestored, Restore, Restored};
pub use tandem_connector::{BOUNDS, Traffic};
pub use tandem_engine::{Choice, Selection};
pub use tandem_merge::cluster::Verdict;
pub use tandem_merge::record::{RecordKey, RecordType};
pub use tandem_merge::trace::{NoTrace, Trace};
pub use tandem_merge::undo::How;
pub use window::{Open, Window};

/// Where the process at work is asked for something.
pub type Asks = tokio::sync::mpsc::Sender<tandem_engine::Request>;
