//! Integration tests of the core: its laws, held against random, enumerated and hand-made cases; its
//! configuration; its document.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod absent;
mod accounts;
mod admitting;
mod agreement;
mod alone;
mod born;
mod cleared;
mod components;
mod config;
mod counterexamples;
mod decisions;
mod document;
mod filters;
mod fuzz;
mod guarded;
mod guards;
mod kept;
mod late;
mod lines;
mod members;
mod merge_laws;
mod merges;
mod our_writes;
mod plan_laws;
mod problems;
mod refusals;
mod refused_creates;
mod sign_in;
mod simulation;
mod small_scope;
mod star;
mod table;
mod undo;
mod unreadable;
