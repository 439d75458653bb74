//! A local OData service, used as a client would use it.

#![allow(clippy::unwrap_used)]

mod batches;
mod changes;
mod lies;
mod listing;
mod presets;
mod writing;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tandem_lab::odata::{Options, Server, serve};

/// A running service with a client that signs in as `tandem`.
pub(crate) struct Lab {
    server: Server,
    http: reqwest::Client,
    root: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    /// Null where the body is no JSON.
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The ids of a v4 listing, by this property.
    pub(crate) fn all(&self, property: &str) -> Vec<String> {
        let rows = self.body["value"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", self.text));
        rows.iter().map(|row| plain(&row[property])).collect()
    }
}

/// A JSON string or number as text.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Lab {
    /// With the first of its services as root.
    pub(crate) async fn start(options: Options) -> Self {
        // Only the first test of the process installs it; the others find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = serve(options).await.unwrap();
        let root = server.services()[0].clone();
        Self {
            server,
            http: reqwest::Client::new(),
            root,
        }
    }

    /// Five customers C1 to C5 in the given page size, nothing else.
    pub(crate) async fn five(page_size: usize) -> Self {
        let lab = Self::start(Options {
            page_size,
            ..Options::default()
        })
        .await;
        for number in 1..=5 {
            let key = format!("C{number}");
            let city = if number % 2 == 0 { "Bonn" } else { "Köln" };
            lab.edit(json!({ "set": "Customers", "values": { "Number": key, "Name": format!("N{number}"), "City": city } }))
                .await;
        }
        lab
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/{path}", self.root)
        };
        self.http.request(method, url).bearer_auth("odata-tandem-token")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn change(&self, method: &str, path: &str, if_match: &str, body: Value) -> Reply {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.request(method, path).json(&body);
        if !if_match.is_empty() {
            request = request.header("if-match", if_match);
        }
        send(request).await
    }

    async fn local(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/_local/{path}", self.server.url());
        let reply = send(self.http.post(url).json(&body)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.body
    }

    /// What somebody else does.
    pub(crate) async fn edit(&self, body: Value) {
        self.local("edit", body).await;
    }

    pub(crate) async fn lies(&self, lies: &[&str]) {
        self.local("lies", json!({ "lies": lies })).await;
    }

    pub(crate) async fn advance(&self, seconds: u32) {
        self.local("clock", json!({ "advanceSeconds": seconds })).await;
    }

    /// All pages from this one on: the values of a property, and the last page.
    pub(crate) async fn pages(&self, path: &str, property: &str) -> (Vec<Vec<String>>, Reply) {
        let mut reply = self.get(path).await;
        let mut pages = vec![reply.all(property)];
        while let Some(next) = reply.body["@odata.nextLink"].as_str() {
            reply = self.get(next).await;
            pages.push(reply.all(property));
            assert!(pages.len() < 50, "{pages:?}");
        }
        (pages, reply)
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply {
        status,
        headers,
        text,
        body,
    }
}
