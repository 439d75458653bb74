//! The Connector trait, shared HTTP behaviour, and the connectors to Salesforce and Customerp.

mod contract;

pub use contract::*;
