//! Serving a local system, until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::traffic::Traffic;

/// A system that is served. Dropping it stops it without waiting; [`Serving::shutdown`] waits.
#[derive(Debug)]
pub(crate) struct Serving {
    /// What it is called in the log.
    name: &'static str,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Serves on a line that is open already; every request passes the way to the system first.
    pub(crate) fn begin(
        name: &'static str,
        listener: TcpListener,
        app: Router,
        traffic: Traffic,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        // Small replies must not wait for the acknowledgement of the ones before.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
        });
        let app = app.layer(from_fn_with_state(Arc::new(traffic), travel));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until = async move {
                // An error means that the server handle is gone: stop as well.
                let _ = stopped.await;
            };
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(until).await {
                tracing::error!(%error, "{name} stopped serving");
            }
        });
        tracing::info!(%address, "{name} is serving");
        Ok(Self {
            name,
            address,
            stop: Some(stop),
            task,
        })
    }

    /// Where it can be reached, such as `http://127.0.0.1:40123`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting requests and waits until those under way are answered.
    pub(crate) async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // The server has ended already when nobody listens any more.
            let _ = stop.send(());
        }
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "{} ended abnormally", self.name);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.stop.is_some() {
            self.task.abort();
        }
    }
}

/// Lets a request pass the way to this system.
async fn travel(State(traffic): State<Arc<Traffic>>, request: Request, next: Next) -> Response {
    traffic.pass(request, |request| next.run(request)).await
}
