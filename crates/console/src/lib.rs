//! Pages, HTTP API and metrics of a running Tandem, for people and for programs.
//!
//! The console looks through a [`tandem_api::Window`] and acts by [`tandem_api::Command`]s: it holds nothing of the state
//! and knows neither its tables nor the systems. Who may see and do what is decided at one place ([`access`]) before
//! anything is looked at.

pub mod access;
mod act;
mod backstage;
mod connections;
mod desk;
pub mod hooks;
mod http_api;
mod live;
mod metrics;
mod names;
mod pages;
mod plans;
mod problem;
pub mod provider;
mod pulse;
mod server;
mod signs;

pub use backstage::{Backstage, Wanted};
pub use desk::{Desk, Setting};
pub use pulse::Now;
pub use server::{Server, serve};
pub use signs::is_harmful;
