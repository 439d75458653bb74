//! Both stores under the same suite, and what only a file can do: crash, be held, be corrupt.
#![allow(clippy::unwrap_used, reason = "tests")]

mod backup;
mod crash;
mod folder;
mod looks;
mod same;
mod sealed;
mod server;
mod setup;
mod suite;
mod suite_decisions;
mod suite_doubt;
mod suite_facts;
mod suite_forget;
mod suite_guards;
mod suite_lists;
mod suite_parts;
