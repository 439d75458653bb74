//! The Pub/Sub API's messages and client, made from its contract.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]

tonic::include_proto!("eventbus.v1");
