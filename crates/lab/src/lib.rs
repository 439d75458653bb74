//! A local Salesforce org, a local Customerp, a local OData service and stubs of well-known ERPs, independent of all other crates.

mod clock;
pub mod customerp;
mod host;
#[cfg(feature = "simulation")]
mod inside;
mod machine;
pub mod odata;
pub mod salesforce;
mod serving;
pub mod stubs;
mod traffic;

#[cfg(feature = "simulation")]
pub use inside::Answer;
#[cfg(feature = "simulation")]
pub use machine::set_clock;
