//! Starting and stopping the console.

use crate::snapshot::Board;
use crate::{metrics, page};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
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

/// Serves the board's latest snapshot: `/` for people, `/api/status`, `/metrics`. `names` are answered to besides
/// those that are this machine's anyway.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(address: SocketAddr, names: Vec<String>, board: Board) -> io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let names = Names {
        loopback: address.ip().is_loopback(),
        more: names,
    };
    let app = Router::new()
        .route("/", get(home))
        .route("/api/status", get(status))
        .route("/metrics", get(exposition))
        .layer(from_fn_with_state(Arc::new(names), guard))
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

/// The names that the console answers to.
struct Names {
    /// It listens on loopback only.
    loopback: bool,
    /// Given by whoever runs it.
    more: Vec<String>,
}

impl Names {
    /// Whether a request that calls the console so was meant for it. A page of another site can point a name of its
    /// own at this machine and make a browser read along; an address it cannot make its own, nor a name without a dot.
    fn have(&self, host: &Authority) -> bool {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        let address = name.parse::<IpAddr>().ok();
        let own = |more: &String| more.eq_ignore_ascii_case(name);
        name.eq_ignore_ascii_case("localhost")
            || address.is_some_and(|address| address.is_loopback() || !self.loopback)
            || (!self.loopback && !name.is_empty() && !name.contains('.'))
            || self.more.iter().any(own)
    }
}

async fn guard(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let named = |host: &HeaderValue| host.to_str().ok()?.parse::<Authority>().ok();
    let meant = hosts.all(|host| named(host).is_some_and(|host| names.have(&host)));
    let meant = meant && request.uri().authority().is_none_or(|host| names.have(host));
    let named = request.headers().contains_key(header::HOST) || request.uri().authority().is_some();
    if !named || !meant {
        let why = "The console does not answer to this name; `tandem run --console-name NAME` lets it.\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answers(loopback: bool, more: &[&str], host: &str) -> bool {
        let more = more.iter().map(|name| (*name).to_owned()).collect();
        Names { loopback, more }.have(&host.parse().unwrap())
    }

    #[test]
    fn on_loopback_only_its_own_names_are_this_machine() {
        for name in ["localhost:8080", "LOCALHOST", "127.0.0.1", "[::1]:80"] {
            assert!(answers(true, &[], name), "{name}");
        }
        for name in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "192.0.2.7",
            "monitor",
        ] {
            assert!(!answers(true, &[], name), "{name}");
        }
    }

    #[test]
    fn elsewhere_addresses_plain_names_and_given_names_are_answered() {
        for name in [
            "localhost",
            "192.0.2.7:9090",
            "[2001:db8::1]:80",
            "tandem:9090",
            "Status.Example.com",
        ] {
            assert!(answers(false, &["status.example.com"], name), "{name}");
        }
        for name in [
            "evil.example",
            "status.example.com.evil.example",
            "192.0.2.7.evil.example",
        ] {
            assert!(!answers(false, &["status.example.com"], name), "{name}");
        }
    }
}
