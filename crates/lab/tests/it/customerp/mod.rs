//! A local Customerp, used as a client would use it.

#![allow(clippy::unwrap_used)]

mod api;
mod generated;
mod lines;
mod listing;
mod northwind;
mod pages;
mod refusals;
mod repetition;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tandem_lab::customerp::{Options, Server, serve};

/// A running server with a client that speaks as the user `tandem`.
pub(crate) struct Erp {
    server: Server,
    http: reqwest::Client,
}

/// What came back: status, headers worth looking at, and the body (null when there is none).
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) replayed: bool,
    pub(crate) count: Option<u64>,
    pub(crate) body: Value,
}

impl Erp {
    pub(crate) async fn start(options: Options) -> Self {
        // Only the first test of the process installs it; the others find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            server: serve(options).await.unwrap(),
            http,
        }
    }

    pub(crate) async fn empty() -> Self {
        Self::start(Options::default()).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// A request to the API, with the token of that user.
    pub(crate) fn as_user(&self, user: &str, method: Method, path: &str) -> RequestBuilder {
        let url = self.url(&format!("/api/v1{path}"));
        self.http
            .request(method, url)
            .bearer_auth(format!("customerp-{user}-token"))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.as_user("tandem", method, path)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        send(self.request(Method::POST, path).body(body.to_owned())).await
    }

    pub(crate) async fn patch(&self, path: &str, etag: &str, body: &str) -> Reply {
        send(
            self.request(Method::PATCH, path)
                .header("if-match", etag)
                .body(body.to_owned()),
        )
        .await
    }

    pub(crate) async fn delete(&self, path: &str, etag: &str) -> Reply {
        send(self.request(Method::DELETE, path).header("if-match", etag)).await
    }

    /// Something outside the API: a page, or an admin endpoint.
    pub(crate) async fn outside(&self, path: &str) -> Reply {
        send(self.http.get(self.url(path))).await
    }

    pub(crate) async fn advance(&self, seconds: u32) {
        let body = format!("{{\"advanceSeconds\":{seconds}}}");
        let reply = send(self.http.post(self.url("/_local/clock")).body(body)).await;
        assert_eq!(reply.status, StatusCode::OK);
    }

    pub(crate) async fn stop(self) {
        self.server.shutdown().await;
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Reply {
    reply(request.send().await.unwrap()).await
}

async fn reply(response: Response) -> Reply {
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let (status, etag, location) = (response.status(), header("etag"), header("location"));
    let replayed = header("idempotent-replay").as_deref() == Some("true");
    let count = header("x-request-count").map(|count| count.parse().unwrap());
    let json = header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let text = response.text().await.unwrap();
    let body = match (json, text.is_empty()) {
        (true, _) => serde_json::from_str(&text).unwrap(),
        (false, true) => Value::Null,
        (false, false) => Value::String(text),
    };
    Reply {
        status,
        etag,
        location,
        replayed,
        count,
        body,
    }
}

/// The (property, code) pairs of a refusal.
pub(crate) fn problems(reply: &Reply) -> Vec<(String, String)> {
    let fields = reply.body["error"]["fields"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    fields
        .iter()
        .map(|field| (text(&field["property"]), text(&field["code"])))
        .collect()
}

/// All live records of a collection, in the order of their ids.
pub(crate) async fn all(erp: &Erp, collection: &str) -> Vec<Value> {
    let mut records = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = erp.get(&format!("/{collection}?limit=1000{cursor}")).await.body;
        records.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    records.sort_by_key(|record| record["id"].as_str().unwrap().parse::<u64>().unwrap());
    records
}
