//! Starting and stopping the console, and what every request passes first.

use crate::access::{Person, bearer};
use crate::connections::Limits;
use crate::desk::{Desk, Setting};
use crate::http_api::holds_nul;
use crate::names::{Names, from_ourselves};
use crate::problem::Problem;
use crate::{connections, http_api, metrics, pages};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use reqwest::Url;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// So long are requests under way waited for at the end; those that listen to events never end by themselves.
const LAST: Duration = Duration::from_millis(500);

/// A running console.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
    beat: JoinHandle<()>,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; requests under way have a moment to end.
    pub async fn shutdown(mut self) {
        self.beat.abort();
        self.desk.closing.send_replace(true);
        // Errors mean that it has ended already.
        let _ = self.stop.send(());
        if tokio::time::timeout(LAST, &mut self.task).await.is_err() {
            self.task.abort();
        }
        // One that is too deep in its work is left to the end of the process.
        let _left = tokio::time::timeout(LAST, self.desk.plans.rest()).await;
    }
}

/// Serves pages, HTTP API and metrics. `names` are answered to besides those that are this machine's anyway.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(address: SocketAddr, mut names: Vec<String>, setting: Setting) -> io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    // Whoever comes back from the provider comes to the console by the name that the provider knows.
    let provider = setting.access.provider.as_ref();
    names.extend(provider.and_then(|provider| {
        Some(
            Url::parse(provider.settings.reached_at.as_ref()?)
                .ok()?
                .host_str()?
                .to_owned(),
        )
    }));
    let names = Names {
        loopback: address.ip().is_loopback(),
        more: names,
    };
    let limits = Limits::of(setting.connections);
    let desk = Arc::new(Desk::new(setting, address));
    let knows = desk.clone();
    let troubled = Arc::new(move || !knows.now().troubles.is_empty());
    let beat = tokio::spawn(desk.pulse.clone().beat(desk.window.clone(), troubled));
    let app = app(desk.clone(), names);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(connections::serve(listener, app, limits, stopped));
    Ok(Server {
        address,
        stop,
        desk,
        task,
        beat,
    })
}

fn app(desk: Arc<Desk>, names: Names) -> Router {
    let inner = pages::router().merge(http_api::router());
    let inner = inner.layer(from_fn_with_state(desk.clone(), signed_in));
    Router::new()
        .route("/metrics", get(exposition))
        .route("/health/live", get(|| async { "up\n" }))
        .route("/health/ready", get(ready))
        .merge(pages::open())
        .merge(inner)
        .layer(from_fn_with_state(Arc::new(names), guard))
        .with_state(desk)
}

/// Lets pass what was meant for the console, and tells browsers what its pages may do.
async fn guard(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    if !names.meant(request.uri(), request.headers()) {
        return match http_api::has(request.uri()) {
            true => Problem::forbidden("the console does not answer to this name")
                .advised("`tandem run --console-name NAME` lets it")
                .into_response(),
            false => {
                let why =
                    "The console does not answer to this name; `tandem run --console-name NAME` lets it.\n";
                (StatusCode::FORBIDDEN, why).into_response()
            }
        };
    }
    let mut response = match holds_nul(request.uri()) {
        false => next.run(request).await,
        true => Problem::bad("the address holds the sign U+0000, which no name does").into_response(),
    };
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Lets pass who signed in. What a browser sends along by itself counts only for the console's own pages.
async fn signed_in(State(desk): State<Arc<Desk>>, mut request: Request, next: Next) -> Response {
    let api = http_api::has(request.uri());
    let person = desk.access.who(request.headers(), &desk.cookie, Desk::moment());
    let Some(person) = person else {
        return match api {
            true => Problem::sign_in().into_response(),
            false => Redirect::to("/enter").into_response(),
        };
    };
    let changes = request.method() != Method::GET && request.method() != Method::HEAD;
    let by_token = bearer(request.headers()).is_some();
    if changes && !by_token && !from_ourselves(request.uri(), request.headers()) {
        let why = "this request comes from another page than the console's own";
        return Problem::forbidden(why).into_response();
    }
    request.extensions_mut().insert::<Person>(person);
    next.run(request).await
}

async fn exposition(State(desk): State<Arc<Desk>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, metrics::render(&desk.pulse, &desk.now())).into_response()
}

/// Ready once the state was read and no system is in trouble.
async fn ready(State(desk): State<Arc<Desk>>) -> Response {
    let troubles = desk.now().troubles;
    match desk.pulse.latest() {
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the state has not been read yet\n".to_owned(),
        )
            .into_response(),
        Some(_) if !troubles.is_empty() => {
            let count = format!("{} in trouble\n", troubles.len());
            (StatusCode::SERVICE_UNAVAILABLE, count).into_response()
        }
        Some(_) => "ready\n".into_response(),
    }
}
