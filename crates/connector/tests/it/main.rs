//! The connectors against the real local systems.

#![allow(clippy::unwrap_used)]

mod conformance;
mod customerp;
mod http;
mod moods;
mod proxy;
mod salesforce;
mod scene;
mod sql;
