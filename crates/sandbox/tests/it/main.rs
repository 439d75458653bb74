//! The local systems over real HTTP.

mod customerp;
