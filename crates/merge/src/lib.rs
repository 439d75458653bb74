//! The pure core of Tandem: values, schema, mapping, policy, matching, component merge, plans, and the
//! configuration's types with their validation. No I/O, no clock, no randomness, no environment.

pub mod admit;
mod anchors;
pub mod cluster;
mod companions;
pub mod component;
pub mod computed;
pub mod config;
pub mod convert;
pub mod creates;
pub mod dataflow;
pub mod decisions;
pub mod document;
pub mod facts;
pub mod filter;
pub mod form;
pub mod hand;
mod leaving;
mod links;
pub mod matches;
pub mod matching;
mod merges;
mod merging;
pub mod plan;
pub mod questions;
pub mod reconcile;
pub mod record;
mod removals;
mod settle;
pub mod similarity;
mod stages;
pub mod support;
pub mod topology;
mod updates;
pub mod value;
mod work;
