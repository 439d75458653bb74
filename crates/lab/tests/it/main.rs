//! The local systems over real HTTP.

mod customerp;
mod odata;
mod salesforce;
mod stubs;
mod traffic;
