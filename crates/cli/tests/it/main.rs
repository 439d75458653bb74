//! The real binary, run as people and scripts run it.
#![allow(clippy::unwrap_used, missing_docs)]

mod browser;
mod configuration;
mod crash;
mod decide;
mod demo;
mod deploy;
mod document;
mod faults;
mod help;
mod lines;
mod live;
mod local;
mod metadata;
mod qa;
mod rest;
mod trouble;
