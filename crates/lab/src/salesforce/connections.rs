//! Connections being served: HTTP/1.1, with the names of headers in the case that Salesforce documents.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::listen::{Connection, Door, Peer};
use super::server::{Shared, handle};
use super::{bulk, faults};

/// Serves every connection of the door until told to stop, then lets requests in flight end.
pub(super) async fn serve(mut door: Door, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut background = JoinSet::new();
    background.spawn(bulk::run(Arc::clone(&shared)));
    background.spawn(faults::release(Arc::clone(&shared)));
    let mut connections = JoinSet::new();
    let (stop, stops) = watch::channel(());
    loop {
        tokio::select! {
            connection = door.next() => match connection {
                Some(connection) => {
                    connections.spawn(converse(connection, Arc::clone(&shared), stops.clone()));
                }
                None => break,
            },
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
        }
    }
    drop(door);
    // Nothing is ever sent: who waits is told by its end.
    drop(stop);
    while connections.join_next().await.is_some() {}
    drop(background);
}

/// Answers the requests of one connection.
async fn converse(connection: Connection, shared: Arc<Shared>, mut stops: watch::Receiver<()>) {
    let peer = Peer {
        secure: matches!(connection, Connection::Secure(_)),
    };
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(handle(shared, peer, request.map(Body::new)).await) }
    });
    let mut conversation = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .title_case_headers(true)
            .serve_connection(TokioIo::new(connection), service)
    );
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        _ = stops.changed() => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
