//! A local Salesforce org, used as a client would use it.

#![allow(clippy::unwrap_used)]

mod browser;
mod bulk_jobs;
mod bulk_loads;
mod bulk_queries;
mod changes;
mod collections;
mod composites;
mod events;
mod faults;
mod features;
mod first_steps;
mod groups;
mod lines;
mod orders;
mod people;
mod pubsub;
mod queries;
mod refusals;
mod requests;
mod searches;
mod shape;
mod signing_in;
mod soap;
mod soql_limits;
mod tls;
mod validation;
mod values;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tandem_lab::salesforce::{Options, Server, serve};

pub(crate) const BASE: &str = "/services/data/v62.0";

/// A running org with a client that is logged in as its integration user.
pub(crate) struct Org {
    pub(crate) server: Server,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

/// What came back; the body is null when there is none.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// The code of a single refusal.
    pub(crate) fn code(&self) -> &str {
        self.body[0]["errorCode"]
            .as_str()
            .unwrap_or_else(|| panic!("not a refusal: {self:?}"))
    }

    pub(crate) fn id(&self) -> String {
        assert!(self.status.is_success(), "{self:?}");
        self.body["id"].as_str().unwrap().to_owned()
    }
}

impl Org {
    pub(crate) async fn start(options: Options) -> Org {
        // Only the first test of the process installs it; the others find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = serve(options, listener).await.unwrap();
        let mut org = Org {
            server,
            http,
            token: String::new(),
        };
        org.token = org.login("tandem").await;
        org
    }

    pub(crate) async fn new() -> Org {
        Org::start(Options::default()).await
    }

    pub(crate) async fn preset(name: &str) -> Org {
        Org::start(Options::preset(name).unwrap()).await
    }

    /// A token for the user behind this client.
    pub(crate) async fn login(&self, client: &str) -> String {
        let secret = format!("{client}-secret");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", secret.as_str()),
        ];
        let url = format!("{}/services/oauth2/token", self.server.url());
        let reply: Value = self
            .http
            .post(url)
            .form(&form)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        reply["access_token"].as_str().unwrap().to_owned()
    }

    /// The same org, spoken to as another user.
    pub(crate) async fn call_as(&self, client: &str, method: Method, path: &str, body: Value) -> Reply {
        let token = self.login(client).await;
        self.send(&token, method, path, &[], body).await
    }

    pub(crate) async fn send(
        &self,
        token: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Reply {
        let url = if path.starts_with('/') {
            format!("{}{path}", self.server.url())
        } else {
            format!("{}{BASE}/{path}", self.server.url())
        };
        let mut request = self.http.request(method, url).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Reply {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        }
    }

    /// A request with a body of another kind than JSON, and the text that came back.
    pub(crate) async fn send_text(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, reqwest::header::HeaderMap, String) {
        let url = format!("{}{BASE}/{path}", self.server.url());
        let request = self.http.request(method, url).bearer_auth(&self.token);
        let response = request
            .header("Content-Type", media)
            .body(body)
            .send()
            .await
            .unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.text().await.unwrap())
    }

    /// The text at an address.
    pub(crate) async fn text(&self, path: &str) -> (StatusCode, reqwest::header::HeaderMap, String) {
        self.send_text(Method::GET, path, "application/json", "").await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Reply {
        self.send(&self.token, method, path, &[], body).await
    }

    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Reply {
        self.send(&self.token, method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn create(&self, object: &str, body: Value) -> Reply {
        self.call(Method::POST, &format!("sobjects/{object}"), body).await
    }

    /// Creates and answers with the id.
    pub(crate) async fn add(&self, object: &str, body: Value) -> String {
        self.create(object, body).await.id()
    }

    pub(crate) async fn update(&self, object: &str, id: &str, body: Value) -> Reply {
        self.call(Method::PATCH, &format!("sobjects/{object}/{id}"), body)
            .await
    }

    pub(crate) async fn delete(&self, object: &str, id: &str) -> Reply {
        self.call(Method::DELETE, &format!("sobjects/{object}/{id}"), Value::Null)
            .await
    }

    /// A whole record.
    pub(crate) async fn read(&self, object: &str, id: &str) -> Value {
        let reply = self.get(&format!("sobjects/{object}/{id}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.body
    }

    pub(crate) async fn query_reply(&self, soql: &str) -> Reply {
        let q: String = url_encode(soql);
        self.get(&format!("query?q={q}")).await
    }

    /// The records of a query's first page.
    pub(crate) async fn query(&self, soql: &str) -> Vec<Value> {
        let reply = self.query_reply(soql).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.body["records"].as_array().unwrap().clone()
    }

    /// The names that a query finds, in order.
    pub(crate) async fn names(&self, soql: &str) -> Vec<String> {
        self.query(soql)
            .await
            .iter()
            .map(|record| record["Name"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn advance(&self, seconds: u32) {
        let reply = self
            .call(Method::POST, "/_local/clock", json!({ "advance": seconds }))
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }

    /// An order in draft with its account: (order, account).
    pub(crate) async fn order(&self) -> (String, String) {
        let account = self.add("Account", json!({ "Name": "Acme" })).await;
        let order = json!({ "AccountId": account, "EffectiveDate": "2024-05-01", "Status": "Draft" });
        (self.add("Order", order).await, account)
    }
}

pub(crate) fn url_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
