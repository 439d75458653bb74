//! Starting and stopping the console.

use crate::snapshot::Board;
use crate::{metrics, page};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running console.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Where it can be opened.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it and waits for the requests under way.
    pub async fn shutdown(self) {
        // Errors mean that it has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Serves the board's latest snapshot: `/` for people, `/api/status`, `/metrics`.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(address: SocketAddr, board: Board) -> io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/", get(home))
        .route("/api/status", get(status))
        .route("/metrics", get(exposition))
        .layer(from_fn_with_state(address.ip().is_loopback(), guard))
        .with_state(board);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let until = async {
            // An error means that nobody can stop it any more: stop as well.
            let _ = stopped.await;
        };
        // An error here has no other consequence than the end of the console.
        let _ = axum::serve(listener, app).with_graceful_shutdown(until).await;
    });
    Ok(Server { address, stop, task })
}

/// On loopback, a page of another site that points its own name at this machine must not read along.
async fn guard(State(loopback): State<bool>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if loopback && !host.is_some_and(names_this_machine) {
        return (
            StatusCode::FORBIDDEN,
            "The console answers to loopback names only.\n",
        )
            .into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ] {
        headers.insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn home(State(board): State<Board>) -> Html<String> {
    Html(page::render(board.latest().as_deref()))
}

async fn status(State(board): State<Board>) -> Response {
    match board.latest() {
        Some(snapshot) => Json(&*snapshot).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "Nothing is known yet.\n").into_response(),
    }
}

async fn exposition(State(board): State<Board>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, metrics::render(board.latest().as_deref())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        for name in ["localhost:8080", "127.0.0.1", "[::1]:80"] {
            assert!(names_this_machine(name), "{name}");
        }
        for name in ["evil.example", "127.0.0.1.evil.example:80", ""] {
            assert!(!names_this_machine(name), "{name}");
        }
    }
}
