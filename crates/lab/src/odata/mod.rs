//! A local OData service in v4 and v2, held in memory, for trying and testing.
//!
//! A model (`models/*.txt`) says which entity sets there are; metadata, validation, queries and answers all follow it.
//! It does what the standard says, whoever the client is; what it leaves out it answers with 501. Only where it is told
//! to it does otherwise ([`Lie`]), as real services do.
//!
//! Invariants:
//! - one request is carried out at a time, entirely or not at all;
//! - a change set of a batch is carried out entirely or not at all;
//! - amounts never pass through floating point;
//! - only loopback is served.

mod admin;
mod batch;
mod csrf;
mod exchange;
mod filter;
mod gate;
mod lies;
mod listing;
mod metadata;
mod model;
mod options;
mod path;
mod query;
mod refusal;
mod render;
mod sample;
mod server;
mod service;
mod store;
mod subscriptions;
mod value;
mod write;

pub use lies::Lie;
pub use options::{Links, Options, Preset, User};
pub use server::{Server, StartError, serve};
