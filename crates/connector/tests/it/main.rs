//! The connectors against the real local systems.

#![allow(clippy::unwrap_used)]

mod conformance;
mod folder;
mod http;
mod moods;
mod program;
mod proxy;
mod ready;
mod rest;
mod salesforce;
mod scene;
mod sql;
