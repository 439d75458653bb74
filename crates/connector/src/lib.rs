//! The Connector trait, shared HTTP behaviour, and the connectors to Salesforce, Customerp, and whatever a description, a
//! folder or a program speaks for.
//!
//! A connector packs what the engine hands over into the fewest calls that are safe, and translates between a
//! system's own words and the few of the contract. It decides nothing about records.

mod beside;
mod comparison;
mod contract;
pub mod folder;
mod http;
mod kept;
mod key;
pub mod kinds;
mod listing;
mod probe;
pub mod program;
pub mod proof;
pub mod rest;
pub mod salesforce;
mod shown;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod sql;
pub mod time;
mod traffic;
pub mod webhook;

pub use beside::Beside;
pub use contract::*;
pub use http::address::is_loopback;
pub use probe::{Probe, Probed, Shape, Told};
pub use traffic::{BOUNDS, Traffic};
