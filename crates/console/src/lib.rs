//! Status page, HTTP API and metrics of a running Tandem.
//!
//! The console shows the last [`Snapshot`] it was given and nothing else: it asks neither the state nor the
//! systems. It has no sign-in, so it answers on the address it was given and only to requests that name that host
//! by a loopback name, unless it was told to listen elsewhere.

mod metrics;
mod page;
mod server;
mod signs;
mod snapshot;

pub use server::{Server, serve};
pub use signs::is_harmful;
pub use snapshot::{Board, Snapshot};
