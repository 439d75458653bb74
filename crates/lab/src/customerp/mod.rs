//! A local Customerp: an ERP with a REST API, held in memory, for trying and testing.
//!
//! It stands for whatever ERP a company runs. One table (`record-types.txt`) says which record types and properties
//! there are; validation, self-description, OpenAPI document and the pages of the record browser all follow it.
//!
//! Invariants:
//! - a request is carried out entirely within five seconds of its arrival, or not at all;
//! - a refused write changes nothing and names every problem;
//! - amounts never pass through floating point;
//! - only loopback is served.

mod admin;
mod api;
pub(crate) mod calls;
mod fault;
mod form;
mod gate;
mod generate;
mod idempotency;
#[cfg(feature = "simulation")]
mod inside;
mod journal;
mod listing;
mod northwind;
mod openapi;
mod options;
mod pages;
mod parts;
mod problem;
mod record;
pub(crate) mod sample;
mod schema;
mod seeding;
mod server;
mod store;
mod value;
mod write;

pub use fault::FaultKind;
pub use generate::Counts;
#[cfg(feature = "simulation")]
pub use inside::Inside;
pub use options::{Options, User};
pub use server::{Server, StartError, serve};
