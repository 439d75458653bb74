//! A local Salesforce org and a local Customerp, independent of all other crates.

pub mod customerp;
pub mod salesforce;
