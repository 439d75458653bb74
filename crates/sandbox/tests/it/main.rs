//! The local systems over real HTTP.

mod customerp;
mod salesforce;
mod stubs;
mod traffic;
