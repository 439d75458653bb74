//! The pure core of Tandem: values, schema, mapping, policy, matching, component merge, plans, and the
//! configuration's types with their validation. No I/O, no clock, no randomness, no environment.

pub mod cluster;
pub mod dataflow;
pub mod facts;
pub mod plan;
pub mod reconcile;
pub mod record;
pub mod value;
