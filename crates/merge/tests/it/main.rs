//! Integration tests of the core.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod config;
mod document;
mod problems;
mod table;
