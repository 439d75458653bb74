//! What goes over the wire, as generated from the contract.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    reason = "written by the generator, not by us"
)]

tonic::include_proto!("eventbus.v1");
