//! Integration tests of the core.
#![allow(clippy::unwrap_used)]

mod config;
