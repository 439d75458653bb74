//! The real binary, run as people and scripts run it.
#![allow(clippy::unwrap_used, missing_docs)]

mod browser;
mod configuration;
mod crash;
mod decide;
mod demo;
mod deploy;
mod dice;
mod disk;
mod document;
mod faults;
mod help;
mod keeping;
mod line;
mod lines;
mod live;
mod local;
mod metadata;
mod onboarding;
mod proxy;
mod qa;
mod rest;
mod secrets;
mod selective;
mod timeouts;
mod trouble;
