//! A local Salesforce org, a local Customerp and a local OData service, independent of all other crates.

mod clock;
pub mod customerp;
mod host;
#[cfg(feature = "simulation")]
mod inside;
mod machine;
pub mod odata;
pub mod salesforce;
mod traffic;

#[cfg(feature = "simulation")]
pub use inside::Answer;
#[cfg(feature = "simulation")]
pub use machine::set_clock;
